//! PDF, drawn grey with anti-aliasing straight at the fax's resolution, several
//! pages at once where there are threads.
//!
//! What would silently be missing is no warning but a refusal that another program
//! may take up: drawing never fails by itself, what cannot be read is left out.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use hayro::{
    RenderCache, RenderSettings,
    hayro_interpret::{
        InterpreterSettings, InterpreterWarning, font::FontQuery, util::TransformExt,
    },
    hayro_syntax::{
        DecryptionError, LoadPdfError, Pdf, content::ops::TypedInstruction, page::Page,
    },
    kurbo::Affine,
    render_into,
    vello_cpu::{
        Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit,
        color::palette::css::WHITE,
    },
};

use super::{Refusal, Sink, forms, on_sheet, threads};
use crate::pages::{
    Look,
    bitmap::Bitmap,
    gray::{Gray, luma},
    sheet::{self, INCH_MM, Inches, Placement, lines_per_mm},
};

/// The renderer's cache cannot be emptied, so it is dropped after so many pages.
const PAGES_PER_CACHE: usize = 20;
const POINTS_PER_INCH: f64 = 72.0;
/// Sides of pages in points: smaller and larger ones are nonsense or made to harm.
const MIN_POINTS: f64 = 1.0;
const MAX_POINTS: f64 = 200_000.0;
/// The largest unit of a page, in points (ISO 32000-1 14.11.2 has none).
const MAX_USER_UNIT: f64 = 100.0;
/// What the pictures that threads draw on may take together.
const MAX_PIXMAP_BYTES: usize = 300 << 20;
/// Most operators of a page that are looked at.
const MAX_OPERATORS: usize = 200_000;

/// What could not be drawn, by kind.
#[derive(Default)]
struct Losses {
    fonts: AtomicU32,
    pictures: AtomicU32,
}

/// A part of a page for a sheet, with what it is a part of.
struct Task<'a> {
    page: &'a Page<'a>,
    size: Inches,
    place: Placement,
}

pub(super) fn draw(bytes: Vec<u8>, look: Look, sink: &mut dyn Sink) -> Result<(), Refusal> {
    let pdf = Pdf::new(bytes).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Refusal::Encrypted,
        LoadPdfError::Decryption(_) => Refusal::Lossy("its encryption is not supported".into()),
        LoadPdfError::Invalid => Refusal::Broken("it is no readable PDF".into()),
    })?;
    let pages = pdf.pages();
    if pages.is_empty() {
        return Err(Refusal::Broken("it has no pages".into()));
    }
    // Before anything costs time: too many are refused.
    sink.announce(pages.len())?;
    forms::check_document(&pdf)?;
    let tasks: Vec<Task<'_>> = pages.iter().flat_map(|page| tasks(page, look)).collect();
    if tasks.len() > pages.len() {
        sink.announce(tasks.len() - pages.len())?;
    }
    let losses = Arc::new(Losses::default());
    let settings = interpreter(&losses);
    threads::in_order(
        threads_for(&tasks, sink.threads()),
        tasks.len(),
        || Desk::new(&settings, look),
        |desk, i| desk.draw(&tasks[i]),
        |page| {
            let page = page?;
            losses.check()?;
            sink.page(&page);
            Ok(())
        },
    )?;
    Ok(())
}

fn tasks<'a>(page: &'a Page<'a>, look: Look) -> Vec<Task<'a>> {
    let unit = page.raw().get::<f32>("UserUnit").map_or(1.0, f64::from);
    let unit = if unit > 0.0 { unit.min(MAX_USER_UNIT) } else { 1.0 };
    let (width, height) = page.render_dimensions();
    let inches =
        |side: f32| (f64::from(side) * unit).clamp(MIN_POINTS, MAX_POINTS) / POINTS_PER_INCH;
    let size = Inches { width: inches(width), height: inches(height) };
    sheet::place(size, look).into_iter().map(|place| Task { page, size, place }).collect()
}

/// As many as are allowed, but fewer where pages are so large that memory would not do.
fn threads_for(tasks: &[Task<'_>], allowed: usize) -> usize {
    let bytes = |task: &Task<'_>| task.place.width as usize * task.place.height as usize * 4;
    let largest = tasks.iter().map(bytes).max().unwrap_or(1);
    allowed.min(MAX_PIXMAP_BYTES / largest.max(1)).max(1)
}

fn interpreter(losses: &Arc<Losses>) -> InterpreterSettings {
    let lost = Arc::clone(losses);
    let found = InterpreterSettings::default();
    let resolver = found.font_resolver;
    let missing = Arc::clone(losses);
    InterpreterSettings {
        warning_sink: Arc::new(move |warning| {
            let count = match warning {
                InterpreterWarning::UnsupportedFont => &lost.fonts,
                InterpreterWarning::ImageDecodeFailure => &lost.pictures,
                // Those of annotations are judged before anything is drawn.
                _ => return,
            };
            count.fetch_add(1, Ordering::Relaxed);
        }),
        font_resolver: Arc::new(move |query| {
            // Fonts of Asia that are not in the file: none of ours has their letters.
            if let FontQuery::Fallback(font) = query
                && font.character_collection.is_some()
            {
                missing.fonts.fetch_add(1, Ordering::Relaxed);
            }
            resolver(query)
        }),
        ..found
    }
}

impl Losses {
    fn check(&self) -> Result<(), Refusal> {
        for (count, what) in [
            (&self.fonts, "a font that cannot be read"),
            (&self.pictures, "a picture that cannot be drawn"),
        ] {
            if count.load(Ordering::Relaxed) > 0 {
                return Err(Refusal::Lossy(format!("it has {what}")));
            }
        }
        Ok(())
    }
}

/// What a thread draws with.
struct Desk<'a, 's> {
    settings: &'s InterpreterSettings,
    look: Look,
    cache: RenderCache<'a>,
    drawn: usize,
    pixels: Pixmap,
}

impl<'a, 's> Desk<'a, 's> {
    fn new(settings: &'s InterpreterSettings, look: Look) -> Self {
        Self { settings, look, cache: RenderCache::new(), drawn: 0, pixels: Pixmap::new(0, 0) }
    }

    fn draw(&mut self, task: &Task<'a>) -> Result<Bitmap, Refusal> {
        if self.drawn == PAGES_PER_CACHE {
            self.cache = RenderCache::new();
            self.drawn = 0;
        }
        self.drawn += 1;
        let place = &task.place;
        // Sheets are at most 4864 by 6614 pixels, which u16 holds.
        let (across, down) = (place.width as u16, place.height as u16);
        let mut context = RenderContext::new(across, down);
        let transform = to_pixels(task, self.look);
        let settings = RenderSettings::default();
        render_into(task.page, &self.cache, self.settings, &settings, &mut context, transform);
        context.flush();
        // Its memory is used again: fresh pages of it cost more than the drawing.
        self.pixels.resize(across, down);
        context.render_with(
            &mut self.pixels,
            &mut Resources::default(),
            RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..Default::default() },
        );
        let gray = gray(self.pixels.data_as_u8_slice());
        let gray = Gray::from_pixels(place.width, place.height, gray)
            .ok_or_else(|| Refusal::Broken("a page has no size".into()))?;
        let page = on_sheet(&gray, place, self.look)?;
        if page.black_pixels() == 0 && is_written_on(task.page) {
            return Err(Refusal::Lossy("it has a page that comes out blank".into()));
        }
        Ok(page)
    }
}

/// From points with the origin at the upper left to pixels of the page's part of the sheet.
fn to_pixels(task: &Task<'_>, look: Look) -> Affine {
    let (place, (width, height)) = (&task.place, task.page.render_dimensions());
    let (width, height) = (f64::from(width.max(1e-3)), f64::from(height.max(1e-3)));
    // Inches a unit of the page, which differ only where a side is beyond the limits.
    let unit = (task.size.width / width, task.size.height / height);
    let quarter = match place.turned {
        // The left edge becomes the upper one: (x, y) to (height - y, x).
        true => Affine::new([0.0, 1.0, -1.0, 0.0, task.size.height, 0.0]),
        false => Affine::IDENTITY,
    };
    let x = f64::from(look.resolution.dots_per_inch()) * place.scale;
    let y = lines_per_mm(look.resolution) * INCH_MM * place.scale;
    Affine::scale_non_uniform(x, y)
        * Affine::translate((0.0, -place.skipped))
        * quarter
        * Affine::scale_non_uniform(unit.0, unit.1)
        * task.page.initial_transform(true).to_kurbo()
}

/// The greys of pixels that are already on white.
fn gray(pixels: &[u8]) -> Vec<u8> {
    let mut gray = vec![u8::MAX; pixels.len() / 4];
    // Most of a page is white, sixteen pixels at a time.
    for (some, out) in pixels.chunks(64).zip(gray.chunks_mut(16)) {
        if some.iter().fold(u8::MAX, |all, one| all & one) != u8::MAX {
            for (pixel, level) in some.chunks_exact(4).zip(out) {
                *level = luma(pixel[0], pixel[1], pixel[2]);
            }
        }
    }
    gray
}

/// Whether a page shows text, so that it should have ink. A picture may be white, as
/// the back of a scanned sheet is, and text may be invisible (mode 3) behind one.
fn is_written_on(page: &Page<'_>) -> bool {
    if page.raw().contains_key("Contents") && page.page_stream().is_none() {
        return true;
    }
    let mut operators = page.typed_operations();
    let mut written = false;
    for _ in 0..MAX_OPERATORS {
        match operators.next() {
            None => break,
            Some(TypedInstruction::XObject(_) | TypedInstruction::InlineImage(_)) => return false,
            Some(TypedInstruction::TextRenderingMode(_)) => return false,
            Some(TypedInstruction::ShowText(text)) => {
                written |= text.0.as_bytes().iter().any(|byte| !matches!(byte, 0 | b' '));
            }
            Some(TypedInstruction::ShowTexts(_)) => written = true,
            Some(_) => {}
        }
    }
    written
}
