//! SVG, drawn straight at the fax's resolution. Nothing outside the document is
//! read: of references only those to data in it are followed, and the only fonts are
//! the bundled ones.

use std::sync::{Arc, LazyLock};

use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{ImageHrefResolver, Options, Tree, fontdb::Database},
};

use super::{Refusal, Sink, on_sheet};
use crate::pages::{
    Look,
    gray::{Gray, luma},
    sheet::{self, INCH_MM, Inches, lines_per_mm},
};

/// Units an inch (CSS Values 5.2).
const UNITS_PER_INCH: f32 = 96.0;
/// Sides in inches: smaller and larger ones are nonsense or made to harm.
const SANE_INCHES: std::ops::RangeInclusive<f64> = 0.01..=2000.0;

/// The bundled fonts under the names that documents ask for.
static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    for font in [
        dejavu::sans::regular(),
        dejavu::sans::bold(),
        dejavu::sans::oblique(),
        dejavu::sans::bold_oblique(),
        dejavu::sans_mono::regular(),
        dejavu::sans_mono::bold(),
        dejavu::serif::regular(),
        dejavu::serif::bold(),
        dejavu::serif::italic(),
        dejavu::serif::bold_italic(),
    ] {
        fonts.load_font_data(font.to_vec());
    }
    fonts.set_sans_serif_family("DejaVu Sans");
    fonts.set_cursive_family("DejaVu Sans");
    fonts.set_fantasy_family("DejaVu Sans");
    fonts.set_monospace_family("DejaVu Sans Mono");
    fonts.set_serif_family("DejaVu Serif");
    Arc::new(fonts)
});

pub(super) fn draw(bytes: &[u8], look: Look, sink: &mut dyn Sink) -> Result<(), Refusal> {
    sink.announce(1)?;
    let options = Options {
        dpi: UNITS_PER_INCH,
        font_family: "DejaVu Sans".into(),
        fontdb: Arc::clone(&FONTS),
        image_href_resolver: ImageHrefResolver {
            resolve_data: ImageHrefResolver::default_data_resolver(),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_data(bytes, &options)
        .map_err(|error| Refusal::Broken(format!("it is no readable SVG: {error}")))?;
    let inches = |units: f32| {
        f64::from(units / UNITS_PER_INCH).clamp(*SANE_INCHES.start(), *SANE_INCHES.end())
    };
    let (across, down) = (tree.size().width(), tree.size().height());
    let size = Inches { width: inches(across), height: inches(down) };
    let places = sheet::place(size, look);
    if places.len() > 1 {
        sink.announce(places.len() - 1)?;
    }
    for place in &places {
        let mut pixels = Pixmap::new(place.width, place.height).ok_or(Refusal::TooLarge)?;
        pixels.fill(Color::WHITE);
        // Pixels and lines an inch.
        let dots = f64::from(look.resolution.dots_per_inch()) * place.scale;
        let lines = lines_per_mm(look.resolution) * INCH_MM * place.scale;
        let inch = (size.width / f64::from(across), size.height / f64::from(down));
        let pixel = |per_inch: f64, inches: f64| (per_inch * inches) as f32;
        let transform = match place.turned {
            // The left edge becomes the upper one: (x, y) to (height - y, x).
            true => Transform::from_row(
                0.0,
                pixel(lines, inch.0),
                -pixel(dots, inch.1),
                0.0,
                pixel(dots, size.height),
                0.0,
            ),
            false => Transform::from_row(
                pixel(dots, inch.0),
                0.0,
                0.0,
                pixel(lines, inch.1),
                0.0,
                -pixel(lines, place.skipped),
            ),
        };
        resvg::render(&tree, transform, &mut pixels.as_mut());
        let gray = pixels.data().chunks_exact(4).map(|p| luma(p[0], p[1], p[2])).collect();
        let gray = Gray::from_pixels(place.width, place.height, gray)
            .ok_or_else(|| Refusal::Broken("it has no size".into()))?;
        sink.page(&on_sheet(&gray, place, look)?);
    }
    Ok(())
}
