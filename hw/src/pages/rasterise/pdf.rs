//! PDF, drawn grey with anti-aliasing straight at the fax's resolution.
//!
//! A form whose fields have values but no drawn appearance would come out
//! empty; it is refused, because a fax that silently lost what was filled in is
//! worse than none.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hayro::{
    RenderCache, RenderSettings,
    hayro_interpret::{InterpreterSettings, InterpreterWarning, util::TransformExt},
    hayro_syntax::{
        DecryptionError, LoadPdfError, Pdf,
        object::{Array, Dict, Name, Object},
        page::Page,
    },
    kurbo::Affine,
    render_into,
    vello_cpu::{
        Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit,
        color::palette::css::WHITE,
    },
};
use postfax_domain::document::Resolution;

use super::{Refusal, Sink, on_sheet};
use crate::pages::{
    bitmap::Bitmap,
    gray::Gray,
    sheet::{self, DOTS_PER_INCH, Inches, Placement},
};

/// The renderer's cache cannot be emptied, so it is dropped after so many pages.
const PAGES_PER_CACHE: usize = 20;
const POINTS_PER_INCH: f64 = 72.0;
/// Most annotations of a page that are looked at.
const MAX_ANNOTATIONS: usize = 10_000;

#[derive(Default)]
struct Losses {
    fonts: AtomicU32,
    pictures: AtomicU32,
    annotations: AtomicU32,
    others: AtomicU32,
}

pub(super) fn draw(
    bytes: Vec<u8>,
    resolution: Resolution,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Refusal::Encrypted,
        LoadPdfError::Decryption(_) => {
            Refusal::Unsupported("its encryption is not supported".into())
        }
        LoadPdfError::Invalid => Refusal::Broken("it is no readable PDF".into()),
    })?;
    let pages = pdf.pages();
    if pages.is_empty() {
        return Err(Refusal::Broken("it has no pages".into()));
    }
    sink.announce(pages.len())?;
    if pages.iter().any(has_undrawn_field) {
        return Err(Refusal::Unsupported(
            "it is a form whose fields would come out empty; print it to a new PDF first".into(),
        ));
    }
    let losses = Arc::new(Losses::default());
    let settings = interpreter(&losses);
    let mut blank = true;
    for some in pages.chunks(PAGES_PER_CACHE) {
        let cache = RenderCache::new();
        for page in some {
            let page = draw_page(page, &cache, &settings, resolution)?;
            blank &= page.black_pixels() == 0;
            sink.page(&page);
        }
    }
    losses.report(sink);
    if blank {
        // Drawing never fails: what cannot be read is left out.
        sink.warn("all its pages are blank".into());
    }
    Ok(())
}

fn interpreter(losses: &Arc<Losses>) -> InterpreterSettings {
    let losses = Arc::clone(losses);
    InterpreterSettings {
        warning_sink: Arc::new(move |warning| {
            let count = match warning {
                InterpreterWarning::UnsupportedFont => &losses.fonts,
                InterpreterWarning::ImageDecodeFailure => &losses.pictures,
                InterpreterWarning::UnresolvedAnnotationAppearance => &losses.annotations,
                _ => &losses.others,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }),
        ..InterpreterSettings::default()
    }
}

impl Losses {
    fn report(&self, sink: &mut dyn Sink) {
        for (count, what) in [
            (&self.fonts, "font(s) could not be read"),
            (&self.pictures, "picture(s) could not be drawn"),
            (&self.annotations, "annotation(s) could not be drawn"),
            (&self.others, "part(s) could not be drawn"),
        ] {
            match count.load(Ordering::Relaxed) {
                0 => {}
                count => sink.warn(format!("{count} {what}")),
            }
        }
    }
}

fn draw_page<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    resolution: Resolution,
) -> Result<Bitmap, Refusal> {
    let (width, height) = page.render_dimensions();
    let points = |side: f32| f64::from(side).clamp(1.0, 20_000.0);
    let (width, height) = (points(width), points(height));
    let size = Inches { width: width / POINTS_PER_INCH, height: height / POINTS_PER_INCH };
    let place = sheet::place(size, resolution);
    let transform = to_pixels(&place, height, resolution) * page.initial_transform(true).to_kurbo();
    // Sheets are at most 1728 by 5476 pixels, which u16 holds.
    let (across, down) = (place.width as u16, place.height as u16);
    let mut context = RenderContext::new(across, down);
    render_into(page, cache, settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixels = Pixmap::new(across, down);
    context.render_with(
        &mut pixels,
        &mut Resources::default(),
        RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..Default::default() },
    );
    let gray = pixels.data_as_u8_slice().chunks_exact(4).map(|p| luminance(p[0], p[1], p[2]));
    let gray = Gray::from_pixels(place.width, place.height, gray.collect())
        .expect("the pixmap has the size that was asked for");
    on_sheet(&gray, &place, resolution)
}

/// From points with the origin at the upper left to pixels of the page's part of the sheet.
fn to_pixels(place: &Placement, height: f64, resolution: Resolution) -> Affine {
    let x = f64::from(DOTS_PER_INCH) / POINTS_PER_INCH * place.scale;
    let y = f64::from(resolution.lines_per_inch()) / POINTS_PER_INCH * place.scale;
    let quarter = match place.turned {
        // The left edge becomes the upper one: (x, y) to (height - y, x).
        true => Affine::new([0.0, 1.0, -1.0, 0.0, height, 0.0]),
        false => Affine::IDENTITY,
    };
    Affine::scale_non_uniform(x, y) * quarter
}

/// Rec. 709 luma of a pixel that is already on white.
fn luminance(red: u8, green: u8, blue: u8) -> u8 {
    let sum = 54 * u32::from(red) + 183 * u32::from(green) + 19 * u32::from(blue);
    ((sum + 128) >> 8) as u8
}

/// A field of a form (ISO 32000-1 12.7) that has a value but no appearance.
fn has_undrawn_field(page: &Page<'_>) -> bool {
    let Some(annotations) = page.raw().get::<Array<'_>>("Annots") else { return false };
    annotations.iter::<Dict<'_>>().take(MAX_ANNOTATIONS).any(|annotation| {
        let subtype = annotation.get::<Name<'_>>("Subtype");
        subtype.is_some_and(|name| &*name == b"Widget")
            && !annotation.contains_key("AP")
            && annotation.get::<Object<'_>>("V").is_some_and(|value| !is_blank(&value))
    })
}

fn is_blank(value: &Object<'_>) -> bool {
    match value {
        Object::String(text) => text.as_bytes().is_empty(),
        Object::Name(name) => &**name == b"Off",
        Object::Null(_) => true,
        _ => false,
    }
}
