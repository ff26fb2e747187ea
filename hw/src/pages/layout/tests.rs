//! Where ink is, at every resolution, and what happens to documents made to harm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::{Duration, Instant};

use postfax_domain::document::Resolution;

use super::*;
use crate::pages::{
    Look,
    bitmap::Bitmap,
    ccitt::{self, Coding},
    cover::{Cover, Field, Template, Written},
    kind::Kind,
    rasterise::{Refusal, Sink, rasterise},
};

#[derive(Default)]
struct Tray {
    pages: Vec<Bitmap>,
    warnings: Vec<String>,
}

const LIMIT: u32 = 200;

impl Sink for Tray {
    fn announce(&mut self, pages: usize) -> Result<(), Refusal> {
        let pages = u32::try_from(pages).unwrap();
        let refusal = Refusal::TooManyPages { pages, limit: LIMIT };
        if pages > LIMIT { Err(refusal) } else { Ok(()) }
    }

    fn page(&mut self, page: &Bitmap) {
        self.pages.push(page.clone());
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

fn draw(kind: Kind, text: &str, resolution: Resolution) -> Result<Tray, Refusal> {
    let mut tray = Tray::default();
    let look = Look { resolution, ..Look::default() };
    rasterise(kind, text.as_bytes().to_vec(), look, &mut tray)?;
    Ok(tray)
}

fn fine(kind: Kind, text: &str) -> Tray {
    draw(kind, text, Resolution::Fine).unwrap()
}

/// A page as letters: how much ink is in each of 36 by 48 parts of it.
fn map(page: &Bitmap) -> Vec<f32> {
    const ACROSS: u32 = 36;
    const DOWN: u32 = 48;
    let (width, lines) = (page.size().width(), page.size().lines());
    let mut parts = vec![0_u32; (ACROSS * DOWN) as usize];
    for y in 0..lines {
        for x in (0..width).filter(|x| page.is_black(*x, y)) {
            parts[(y * DOWN / lines * ACROSS + x * ACROSS / width) as usize] += 1;
        }
    }
    let whole = (width * lines / (ACROSS * DOWN)) as f32;
    parts.into_iter().map(|ink| ink as f32 / whole).collect()
}

/// Of the ink of two maps, how much lies elsewhere.
fn difference(one: &[f32], other: &[f32]) -> f32 {
    let all: f32 = one.iter().chain(other).sum::<f32>() / 2.0;
    one.iter().zip(other).map(|(a, b)| (a - b).abs()).sum::<f32>() / all / 2.0
}

/// Left, top, right and bottom of all ink, in hundredths of the sheet.
fn ink(page: &Bitmap) -> [u32; 4] {
    let size = page.size();
    let mut bounds = [u32::MAX, u32::MAX, 0, 0];
    for y in 0..size.lines() {
        for x in (0..size.width()).filter(|x| page.is_black(*x, y)) {
            let [left, top, right, bottom] = bounds;
            bounds = [left.min(x), top.min(y), right.max(x), bottom.max(y)];
        }
    }
    let [left, top, right, bottom] = bounds;
    let (width, lines) = (size.width(), size.lines());
    [left * 100 / width, top * 100 / lines, right * 100 / width, bottom * 100 / lines]
}

fn bytes(tray: &Tray) -> usize {
    tray.pages.iter().map(|page| ccitt::encode(page, Coding::Mmr).len()).sum()
}

const LETTER: &str = "Sehr geehrte Damen und Herren,\n\nhiermit bestätigen wir Ihnen den Eingang \
    Ihrer Bestellung vom 12. November und bedanken uns für das Vertrauen. Die Lieferung erfolgt \
    in der kommenden Woche durch unseren Spediteur, der sich mit Ihnen in Verbindung setzt.\n\n\
    Pos.   Artikel         Preis\n1      Schrauben M6    12,50\n2      Muttern          8,90\n\n\
    Mit freundlichen Grüßen\nJürgen Müller\n";

#[test]
fn a_letter_looks_alike_at_every_resolution() {
    let pages: Vec<Bitmap> = Resolution::ALL
        .into_iter()
        .map(|resolution| {
            let mut tray = draw(Kind::Text, LETTER, resolution).unwrap();
            assert_eq!((tray.pages.len(), tray.warnings.len()), (1, 0));
            tray.pages.remove(0)
        })
        .collect();
    let fine = map(&pages[1]);
    for (page, resolution) in pages.iter().zip(Resolution::ALL) {
        let off = difference(&map(page), &fine);
        assert!(off < 0.12, "{resolution:?}: {off}");
        let [left, top, right, bottom] = ink(page);
        assert!(left.abs_diff(6) <= 1 && top.abs_diff(5) <= 1, "{left} {top} {right} {bottom}");
        assert!(
            right.abs_diff(91) <= 2 && bottom.abs_diff(29) <= 2,
            "{left} {top} {right} {bottom}"
        );
    }
}

#[test]
fn arabic_and_hebrew_begin_at_the_right() {
    for text in ["السلام عليكم", "שלום רב", "لا إله"] {
        let tray = fine(Kind::Text, text);
        assert!(tray.warnings.is_empty(), "{:?}", tray.warnings);
        let [left, _, right, bottom] = ink(&tray.pages[0]);
        assert!((92..=94).contains(&right) && left > 78 && bottom < 8, "{left} {right} {bottom}");
    }
    // Letters join: the word is narrower than its letters one by one.
    let width = |text| {
        let [left, _, right, _] = ink(&fine(Kind::Text, text).pages[0]);
        right - left
    };
    assert!(width("ببببببببببببببببببب") + 5 < width("ب ب ب ب ب ب ب ب ب ب ب ب ب ب ب ب ب ب ب"));
}

#[test]
fn letters_without_a_font_are_named() {
    let tray = fine(Kind::Text, "Tel. 株式会社 42");
    assert_eq!(tray.warnings.len(), 1);
    assert!(tray.warnings[0].contains("株 (U+682A)"), "{:?}", tray.warnings);
    assert!(!tray.warnings[0].contains('T'), "{:?}", tray.warnings);
    assert!(tray.pages[0].black_pixels() > 0);
}

#[test]
fn prose_costs_no_more_than_lines_of_fixed_width() {
    let words = "Hiermit bestätigen wir den Eingang Ihrer Bestellung und danken für das \
        Vertrauen. Die Lieferung erfolgt in der kommenden Woche durch unseren Spediteur. ";
    let prose = words.repeat(18);
    // The same words in lines as the grid breaks them.
    let mut lines = String::new();
    for word in prose.split(' ') {
        let last = lines.rsplit('\n').next().unwrap_or("").chars().count();
        lines.push(if last + word.chars().count() > 79 { '\n' } else { ' ' });
        lines.push_str(word);
    }
    for resolution in [Resolution::Standard, Resolution::Fine] {
        let set = bytes(&draw(Kind::Text, &prose, resolution).unwrap());
        let grid = bytes(&draw(Kind::Text, &lines, resolution).unwrap());
        assert!(set * 10 <= grid * 11, "{set} against {grid}");
    }
}

#[test]
fn pages_are_cut_between_lines_and_headings_stay_with_their_text() {
    // Twenty places where the page could end right after the heading.
    for blank in 0..20 {
        let html = format!(
            "{}<h2>Heading</h2><p>Text that belongs to it.</p>",
            "<p style='margin:0'>line</p>".repeat(45 + blank)
        );
        let tray = fine(Kind::Html, &html);
        let pages = tray.pages.len();
        assert!(pages == 1 || pages == 2);
        if pages == 2 {
            let [_, _, _, bottom] = ink(&tray.pages[1]);
            assert!(bottom > 6, "a heading without its text, or text without its heading");
        }
    }
}

#[test]
fn tables_stand_side_by_side_and_across_pages() {
    let rows = "<tr><td>Schrauben<td align=right>12,50".repeat(120);
    let tray = fine(Kind::Html, &format!("<table border=1>{rows}</table>"));
    assert_eq!(tray.pages.len(), 3, "rows with lines");
    let wide: String = (0..60).map(|n| format!("<td>cell {n}")).collect();
    let tray = fine(Kind::Html, &format!("<table><tr>{wide}</table>"));
    assert_eq!(tray.pages.len(), 1, "too many columns stand one below the other");
    assert!(ink(&tray.pages[0])[3] > 80);
    let nested = "<table><tr><td>a<td>".repeat(60);
    assert_eq!(fine(Kind::Html, &nested).pages.len(), 1);
}

#[test]
fn embedded_pictures_are_drawn_and_bombs_left_out() {
    use base64::Engine as _;
    let png = |width, height| {
        let picture = image::GrayImage::from_pixel(width, height, image::Luma([0]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        base64::engine::general_purpose::STANDARD.encode(bytes.into_inner())
    };
    let html = |data: &str| format!("<img alt=Logo src='data:image/png;base64,{data}'>x");
    let tray = fine(Kind::Html, &html(&png(96, 96)));
    let black = tray.pages[0].black_pixels();
    assert!((204 * 196 * 9 / 10..204 * 196 * 11 / 10).contains(&black), "an inch: {black}");
    // A header that claims 30000 by 30000.
    let mut bomb = base64::engine::general_purpose::STANDARD.decode(png(9, 9)).unwrap();
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let bomb = base64::engine::general_purpose::STANDARD.encode(bomb);
    let tray = fine(Kind::Html, &html(&bomb));
    assert_eq!(tray.pages.len(), 1);
    assert_eq!(tray.warnings, ["Logo was left out: too large"]);
}

#[test]
fn documents_made_to_harm_are_refused_soon() {
    let started = Instant::now();
    let too_many = |kind, text: &str| match draw(kind, text, Resolution::Fine) {
        Err(Refusal::TooManyPages { pages, .. }) => pages > LIMIT,
        other => panic!("{other:?}", other = other.map(|tray| tray.pages.len())),
    };
    assert!(too_many(Kind::Text, &"a".repeat(6 << 20)));
    assert!(too_many(Kind::Text, &"ب".repeat(4 << 20)));
    assert!(too_many(Kind::Text, &"\u{c}x".repeat(1 << 20)));
    assert!(too_many(Kind::Text, &"\u{c}ب".repeat(1 << 20)));
    assert!(too_many(Kind::Html, &format!("<pre>{}", "x\n".repeat(1 << 20))));
    assert_eq!(draw(Kind::Text, &"\n".repeat(1 << 20), Resolution::Fine).is_ok(), false);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn texts_of_other_character_sets_are_read() {
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain("Grüße".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let pages = |bytes: &[u8]| {
        let mut tray = Tray::default();
        rasterise(Kind::Text, bytes.to_vec(), Look::default(), &mut tray).unwrap();
        (tray.pages.remove(0), tray.warnings)
    };
    let (expected, none) = pages("Grüße".as_bytes());
    assert!(none.is_empty());
    assert_eq!(pages(&utf16), (expected.clone(), none));
    let (latin, warnings) = pages(b"Gr\xfc\xdfe");
    assert!(latin == expected && warnings[0].contains("Windows-1252"), "{warnings:?}");
}

fn cover(template: &str) -> Cover {
    let fields = [
        (Field::ToName, "Peter Müller"),
        (Field::ToCompany, "Müller & Söhne GmbH"),
        (Field::ToNumber, "+49 30 1234567"),
        (Field::FromName, "Anna Adams"),
        (Field::FromCompany, "Example Trading Ltd"),
        (Field::FromMail, "anna@example.com"),
        (Field::FromNumber, "+44 20 7946 0100"),
        (Field::Subject, "Offer 2026-117"),
        (Field::Date, "23 November 2026"),
        (Field::Reference, "2026-117"),
    ];
    Cover {
        template: template.into(),
        fields: fields.map(|(field, value)| (field, value.to_owned())).into(),
        message: "Dear Mr Müller,\n\nplease find our offer on the next pages.\n\nAnna Adams\n"
            .into(),
        pages_after: 3,
        ..Cover::default()
    }
}

fn covered(cover: &Cover, resolution: Resolution) -> Tray {
    draw(Kind::Cover, &serde_json::to_string(cover).unwrap(), resolution).unwrap()
}

/// Ink of each part of a page in twentieths, as digits.
fn digits(map: &[f32]) -> String {
    let rows = map.chunks(36).map(|row| {
        let digit = |ink: &f32| char::from(b'0' + (ink * 20.0).round().min(9.0) as u8);
        row.iter().map(digit).collect::<String>()
    });
    rows.collect::<Vec<_>>().join("\n").replace('0', ".")
}

#[test]
fn the_standard_cover_is_as_it_was_and_alike_at_every_resolution() {
    let golden = include_str!("golden/cover.txt").trim_end();
    let cover = cover(Template::built_in("en"));
    let fine = map(&covered(&cover, Resolution::Fine).pages[0]);
    let value = |text: &str| -> Vec<f32> {
        text.chars().filter(|c| *c != '\n').map(|c| c.to_digit(10).unwrap_or(0) as f32).collect()
    };
    let found = digits(&fine);
    let off = difference(&value(&found), &value(golden));
    assert!(off < 0.03, "{off} of the ink lies elsewhere:\n{found}");
    for resolution in Resolution::ALL {
        let tray = covered(&cover, resolution);
        assert_eq!((tray.pages.len(), tray.warnings.len()), (1, 0), "{resolution:?}");
        let off = difference(&map(&tray.pages[0]), &fine);
        assert!(off < 0.16, "{resolution:?}: {off}");
    }
}

#[test]
fn covers_have_no_page_more_than_they_need_and_count_themselves() {
    let template = "# {pages}\n\n{message}\n";
    let pages = |message: String, pages_after| {
        let cover = Cover { message, pages_after, ..cover(template) };
        covered(&cover, Resolution::Standard).pages
    };
    let words = "Words of a message that is long enough to fill a line of the page. ".repeat(3);
    let line = |count: usize| format!("{words}\n").repeat(count);
    for (message, expected) in [
        (String::new(), 1),
        ("\n".repeat(5000), 1),
        (format!("Hello\n{}", "\n \u{c}".repeat(400)), 1),
        (line(20), 1),
        (line(30), 2),
        (line(60), 3),
    ] {
        let found = pages(message, 0);
        assert_eq!(found.len(), expected);
        assert!(found.iter().all(|page| page.black_pixels() > 50), "an empty page");
    }
    // The number is that of all pages: two after the cover, or two more of the cover.
    let title = |message, pages_after| {
        let page = pages(message, pages_after).remove(0);
        map(&page)[..36 * 5].to_vec()
    };
    assert_eq!(title(line(60), 0), title(String::new(), 2), "3");
    assert_ne!(title(line(60), 0), title(line(60), 1), "3 and 4");
}

#[test]
fn lines_without_values_vanish_and_logos_appear() {
    use base64::Engine as _;
    let height = |cover: &Cover| ink(&covered(cover, Resolution::Standard).pages[0])[3];
    let full = cover("{logo}\n+ x\n? a: {reference}\n? + {subject}\n? + {from-mail}\n");
    let mut bare = full.clone();
    bare.fields.clear();
    assert!(height(&bare) < height(&full));
    assert_eq!(height(&bare), height(&cover("+ x")));
    let picture = image::GrayImage::from_pixel(100, 50, image::Luma([0]));
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    bare.logo = Some(base64::engine::general_purpose::STANDARD.encode(png.into_inner()));
    let tray = covered(&bare, Resolution::Fine);
    // It fills a box of 70 by 25 mm: 50 by 25 mm, a black one.
    let (across, down) = (50.0 / 25.4 * 204.0, 25.0 / 25.4 * 196.0);
    let black = tray.pages[0].black_pixels() as f64 / (across * down);
    assert!((0.95..1.1).contains(&black), "{black}");
    bare.logo = Some(base64::engine::general_purpose::STANDARD.encode("no picture"));
    let tray = covered(&bare, Resolution::Fine);
    assert!(tray.warnings[0].starts_with("the logo was left out"), "{:?}", tray.warnings);
}

#[test]
fn a_message_in_html_and_a_bad_template() {
    let mut cover = cover("{message}");
    (cover.message, cover.written) = ("<h1>Big</h1><p>small".into(), Written::Html);
    assert!(covered(&cover, Resolution::Standard).pages[0].black_pixels() > 100);
    cover.template = "{sujbect}".into();
    let refused = draw(Kind::Cover, &serde_json::to_string(&cover).unwrap(), Resolution::Fine);
    let words = refused.map(|_| ()).unwrap_err().to_string();
    assert!(words.contains("line 1") && words.contains("{subject}"), "{words}");
}
