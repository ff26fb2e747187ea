//! Grey pages to bi-level ones. This decides what a fax costs and whether it
//! can be read: text and drawings are cut off at a threshold that follows the
//! paper (Sauvola), photographs become round dots. Never error diffusion: its
//! single pixels multiply the bits of a page tenfold and no reader likes them.

mod halftone;
mod photo;
mod sauvola;

use postfax_domain::document::{Resolution, Tone};

use super::{
    Look,
    bitmap::{Bitmap, Size},
    gray::Gray,
};

/// Makes a page bi-level that is drawn at the resolution of `look`, whose density keeps
/// the neighbourhood of the threshold and the dots of photographs as large on paper.
/// `None` when the page is beyond the limits.
#[must_use]
pub fn bilevel(gray: &Gray, look: Look) -> Option<Bitmap> {
    let size = Size::new(gray.width(), gray.height())?;
    let mut page = sauvola::threshold(gray, size, look.resolution);
    match look.tone {
        Tone::Text => {}
        Tone::Auto => {
            if let Some(photos) = photo::find(gray, &page, look.resolution) {
                halftone::draw(gray, &photos, look.resolution, &mut page);
            }
        }
        Tone::Photo => {
            let photos = photo::Photos::everywhere(gray, look.resolution);
            halftone::draw_around_text(gray, &photos, look.resolution, &mut page);
        }
    }
    Some(page)
}

/// Pixels of a resolution that are as long as `pixels` at fine, across and down.
fn like_fine(pixels: u32, resolution: Resolution) -> (u32, u32) {
    let scaled = |dots: u32, of: u32| ((pixels * dots + of / 2) / of).max(1);
    (scaled(resolution.dots_per_inch(), 204), scaled(resolution.lines_per_inch(), 196))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(width: u32, height: u32, of: impl Fn(u32, u32) -> u8) -> Gray {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = pixels.map(|(x, y)| of(x, y)).collect();
        Gray::from_pixels(width, height, pixels).unwrap()
    }

    #[test]
    fn pale_strokes_stay_and_paper_goes() {
        for (paper, ink) in [(255, 0), (255, 0xbb), (200, 90), (120, 20)] {
            let gray = filled(200, 100, |x, _| if (100..103).contains(&x) { ink } else { paper });
            let page = bilevel(&gray, Look::default()).unwrap();
            for x in 0..200 {
                assert_eq!(page.is_black(x, 50), (100..103).contains(&x), "{paper} {ink} {x}");
            }
        }
    }

    #[test]
    fn what_is_bi_level_already_stays_as_it_is() {
        let gray = filled(300, 200, |x, y| if (x / 50 + y / 3) % 2 == 0 { 0 } else { 255 });
        let page = bilevel(&gray, Look::default()).unwrap();
        assert_eq!(page.to_gray(), gray);
    }

    #[test]
    fn solid_black_is_not_hollow() {
        let gray = filled(300, 200, |x, _| if x > 100 { 30 } else { 255 });
        let page = bilevel(&gray, Look::default()).unwrap();
        assert!(page.is_black(200, 100));
    }

    #[test]
    fn a_letter_under_a_lamp_is_no_photograph() {
        // Light from one corner: no row and no column has a level of its own.
        let ground = |x: u32, y: u32| 70.0 + 160.0 / (1.0 + f64::from(x * x + y * y) / 250_000.0);
        let stroke = |x: u32, y: u32| x % 12 < 4 && y % 24 < 12;
        let gray =
            filled(800, 1000, |x, y| (ground(x, y) * if stroke(x, y) { 0.4 } else { 1.0 }) as u8);
        let page = bilevel(&gray, Look::default()).unwrap();
        let wrong = (20..980).flat_map(|y| (20..780).map(move |x| (x, y)));
        let wrong = wrong.filter(|&(x, y)| page.is_black(x, y) != stroke(x, y)).count();
        assert!(wrong * 100 < 760 * 960, "{wrong} pixels are neither ink nor paper");
    }

    #[test]
    fn a_photograph_keeps_its_greys() {
        let gray = filled(800, 800, |x, y| {
            let inside = (160..640).contains(&x) && (160..640).contains(&y);
            if inside { (40 + (x - 160) * 120 / 480 + (y - 160) * 60 / 480) as u8 } else { 255 }
        });
        let page = bilevel(&gray, Look::default()).unwrap();
        let ink = |from: u32| {
            let dots = (from..from + 80).flat_map(|x| (240..560).map(move |y| (x, y)));
            dots.filter(|&(x, y)| page.is_black(x, y)).count() as f64 / (80.0 * 320.0)
        };
        let (dark, middle, light) = (ink(180), ink(360), ink(540));
        assert!(dark > middle + 0.1 && middle > light + 0.1, "{dark} {middle} {light}");
        assert!(!page.is_black(20, 20) && !page.is_black(700, 400));
    }

    #[test]
    fn paper_that_darkens_towards_an_edge_is_no_photograph() {
        // Noise of a few levels, as scanners make it.
        let noise = |x: u32, y: u32| (x * 7919 + y * 104_729 + x * y) % 9;
        let gray = filled(800, 800, |x, y| (225 - x * 60 / 800 - y * 20 / 800 - noise(x, y)) as u8);
        assert_eq!(bilevel(&gray, Look::default()).unwrap().black_pixels(), 0);
    }

    #[test]
    fn a_photograph_to_the_edges_has_no_paper() {
        // Light and dark waves, as of hills: no level is that of paper.
        let wave = |x: u32, y: u32| ((x as f64 / 90.0).sin() + (y as f64 / 70.0).cos()) * 45.0;
        let gray = filled(800, 800, |x, y| (140.0 + wave(x, y)) as u8);
        let page = bilevel(&gray, Look::default()).unwrap();
        let inked = page.black_pixels() as f64 / 640_000.0;
        assert!((0.3..0.7).contains(&inked), "{inked}");
    }

    #[test]
    fn a_bar_of_a_chart_is_seen_and_shading_behind_text_is_not() {
        // A bar of 130 by 500 on light grey, and shading from edge to edge.
        let gray = filled(1500, 850, |x, y| match (x, y) {
            (700..830, 100..600) => 199,
            (_, 760..840) => 205,
            _ => 238,
        });
        let page = bilevel(&gray, Look::default()).unwrap();
        let ink = |left: u32, right: u32, top: u32, bottom: u32| {
            let all = (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y)));
            all.filter(|&(x, y)| page.is_black(x, y)).count()
        };
        let dots = ink(740, 790, 200, 500);
        assert!((1000..7500).contains(&dots), "{dots} of 15000 pixels of a light bar are ink");
        assert_eq!(ink(100, 600, 770, 830) + ink(100, 600, 200, 600), 0);
    }

    #[test]
    fn dots_cost_far_less_than_single_pixels_would() {
        let gray = filled(800, 800, |x, y| (100 + (x + y) % 100) as u8);
        let page = bilevel(&gray, Look::default()).unwrap();
        let bytes = super::super::ccitt::encode(&page, super::super::ccitt::Coding::Mmr).len();
        assert!(bytes < 800 * 800 / 8, "{bytes} bytes are more than the pixels themselves");
    }
}
