//! How fast pages are coded and decoded, beside libtiff on the same pages in the same
//! run. The other side is `libtiff.c`, built with gcc in a temporary folder; without gcc
//! or the headers of libtiff only our figures are printed.
//!
//! ```text
//! cargo bench -p postfax-hw --bench codec -- [--rounds 20] [--json]
//! ```
//!
//! The least time of all rounds counts: a machine that does other things as well can only
//! make it longer. Everything is in memory; a page that does not come back ends the run.
#![allow(clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::{
    collections::HashMap,
    f64::consts::PI,
    hint::black_box,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ab_glyph::{Font, FontRef, ScaleFont};
use postfax_hw::pages::{
    bitmap::{Bitmap, Size},
    ccitt::{Coding, decode, encode},
};

/// A4 at fine resolution.
const WIDTH: u32 = 1728;
const LINES: u32 = 2286;

/// What the two sides call each coding.
const CODINGS: [(&str, Coding); 6] = [
    ("MH rows", Coding::MhRows),
    ("MH", Coding::Mh { aligned: false }),
    ("MH aligned", Coding::Mh { aligned: true }),
    ("MR", Coding::Mr { aligned: false }),
    ("MR aligned", Coding::Mr { aligned: true }),
    ("MMR", Coding::Mmr),
];

/// What one side takes for one page in one coding.
#[derive(Clone, Copy)]
struct Taken {
    bytes: usize,
    coding: Duration,
    decoding: Duration,
}

fn main() {
    let rounds = argument("--rounds").map_or(20, |value| value.parse().unwrap());
    let json = std::env::args().any(|argument| argument == "--json");
    let folder = tempfile::tempdir().unwrap();
    let libtiff = build(folder.path());
    if !json {
        println!(
            "{WIDTH} x {LINES}, the least of {rounds} rounds, in ms (libtiff after the stroke)"
        );
    }
    let mut all = Vec::new();
    for (name, page) in pages() {
        let theirs = libtiff.as_ref().map(|exe| theirs(exe, folder.path(), &page, rounds));
        for (coding_name, coding) in CODINGS {
            let ours = ours(&page, coding, rounds);
            let theirs = theirs.as_ref().map(|all| all[coding_name]);
            match json {
                true => all.push(as_json(name, coding_name, ours, theirs)),
                false => print(name, coding_name, ours, theirs),
            }
        }
    }
    if json {
        println!("[{}]", all.join(",\n"));
    }
}

fn ours(page: &Bitmap, coding: Coding, rounds: u32) -> Taken {
    let bytes = encode(page, coding);
    let back = decode(&bytes, coding, page.size());
    assert!(back.page == *page && back.damage.is_none(), "a page did not come back");
    let least = |once: &mut dyn FnMut()| {
        let times = (0..rounds).map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed()
        });
        times.min().unwrap()
    };
    Taken {
        bytes: bytes.len(),
        coding: least(&mut || drop(black_box(encode(black_box(page), coding)))),
        decoding: least(&mut || drop(black_box(decode(black_box(&bytes), coding, page.size())))),
    }
}

/// The program of the other side.
fn build(folder: &Path) -> Option<PathBuf> {
    let exe = folder.join("libtiff");
    let source = folder.join("libtiff.c");
    std::fs::write(&source, include_str!("libtiff.c")).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.arg("-O2").arg("-o").arg(&exe).arg(source).arg("-ltiff");
    match gcc.status().is_ok_and(|status| status.success()) {
        true => Some(exe),
        false => {
            eprintln!("libtiff cannot be built against: only our own figures follow");
            None
        }
    }
}

fn theirs(exe: &Path, folder: &Path, page: &Bitmap, rounds: u32) -> HashMap<String, Taken> {
    let file = folder.join("page");
    std::fs::write(&file, page.rows().collect::<Vec<_>>().concat()).unwrap();
    let numbers = [page.size().width(), page.size().lines(), rounds].map(|n| n.to_string());
    let output = Command::new(exe).arg(file).args(numbers).output().unwrap();
    assert!(output.status.success(), "libtiff: {output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let taken = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let time = |at: usize| Duration::from_nanos(fields[at].parse().unwrap());
        let bytes = fields[1].parse().unwrap();
        (fields[0].to_owned(), Taken { bytes, coding: time(2), decoding: time(3) })
    };
    lines.lines().map(taken).collect()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn print(page: &str, coding: &str, ours: Taken, theirs: Option<Taken>) {
    print!("{page:6} {coding:11} {:>8} B", ours.bytes);
    match theirs {
        None => println!("  code {:.2}  decode {:.2}", ms(ours.coding), ms(ours.decoding)),
        Some(theirs) => println!(
            " / {:>8} B  code {:>5.2} / {:>5.2} = {:>4.1} times  decode {:>5.2} / {:>5.2} = {:>4.1} times",
            theirs.bytes,
            ms(ours.coding),
            ms(theirs.coding),
            theirs.coding.as_secs_f64() / ours.coding.as_secs_f64(),
            ms(ours.decoding),
            ms(theirs.decoding),
            theirs.decoding.as_secs_f64() / ours.decoding.as_secs_f64(),
        ),
    }
}

fn as_json(page: &str, coding: &str, ours: Taken, theirs: Option<Taken>) -> String {
    let side = |taken: Taken| {
        format!(
            r#"{{"bytes": {}, "code_ms": {:.4}, "decode_ms": {:.4}}}"#,
            taken.bytes,
            ms(taken.coding),
            ms(taken.decoding)
        )
    };
    let theirs = theirs.map_or_else(|| "null".to_owned(), side);
    let ours = side(ours);
    format!(r#"{{"page": "{page}", "coding": "{coding}", "ours": {ours}, "libtiff": {theirs}}}"#)
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// Pages as they are faxed, and the two ends of what a codec can meet.
fn pages() -> Vec<(&'static str, Bitmap)> {
    let white = || Bitmap::white(Size::new(WIDTH, LINES).unwrap());
    let text = text(white());
    vec![
        ("text", text.clone()),
        ("scan", scanned(&text)),
        ("photo", photo(white())),
        ("noise", noise(white(), 2)),
        ("white", white()),
        ("black", white().inverted()),
    ]
}

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// A letter of some 3,000 characters in 11 points.
fn text(mut page: Bitmap) -> Bitmap {
    let words = "The line was engaged when we called at noon and so the fax went out an hour \
                 later than it was meant to but all nineteen pages of it arrived in one piece ";
    let font = FontRef::try_from_slice(dejavu::sans::regular()).unwrap();
    let scaled = font.as_scaled(36.0);
    let mut letters = words.chars().cycle();
    for baseline in (160..LINES - 120).step_by(40) {
        let mut x = 150.0;
        while x < f64::from(WIDTH) - 170.0 {
            let letter = letters.next().unwrap();
            let mut glyph = scaled.scaled_glyph(letter);
            let advance = scaled.h_advance(glyph.id);
            glyph.position = ab_glyph::point(x as f32, baseline as f32);
            if let Some(outline) = scaled.outline_glyph(glyph) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, ink| {
                    if ink > 0.5 {
                        page.set_black(corner.x as u32 + dx, corner.y as u32 + dy);
                    }
                });
            }
            x += f64::from(advance);
        }
    }
    page
}

/// The same, a degree askew, with ragged edges and specks.
fn scanned(text: &Bitmap) -> Bitmap {
    let mut page = Bitmap::white(text.size());
    let mut chance = Chance(7);
    let (sin, cos) = (PI / 180.0).sin_cos();
    for y in 0..LINES {
        for x in 0..WIDTH {
            let (u, v) = (f64::from(x) - 864.0, f64::from(y) - 1143.0);
            let from_x = (u * cos + v * sin + 864.0) as i64 + (chance.below(9) == 0) as i64;
            let from_y = (v * cos - u * sin + 1143.0) as i64;
            let inside = (0..i64::from(WIDTH)).contains(&from_x);
            let inside = inside && (0..i64::from(LINES)).contains(&from_y);
            let ink = inside && text.is_black(from_x as u32, from_y as u32);
            if ink || chance.below(2000) == 0 {
                page.set_black(x, y);
            }
        }
    }
    page
}

/// Grey from one corner to the other, in dots of 8 by 8.
fn photo(mut page: Bitmap) -> Bitmap {
    for y in 0..LINES {
        for x in 0..WIDTH {
            let grey = (f64::from(x) / f64::from(WIDTH) + f64::from(y) / f64::from(LINES)) / 2.0;
            let wave = |at: u32| (f64::from(at % 8) / 8.0 * 2.0 * PI).cos();
            if (wave(x + y) + wave(x + 8 * LINES - y)) / 4.0 + 0.5 < grey {
                page.set_black(x, y);
            }
        }
    }
    page
}

/// One pixel of so many.
fn noise(mut page: Bitmap, one_of: u64) -> Bitmap {
    let mut chance = Chance(99);
    for y in 0..LINES {
        for x in 0..WIDTH {
            if chance.below(one_of) == 0 {
                page.set_black(x, y);
            }
        }
    }
    page
}
