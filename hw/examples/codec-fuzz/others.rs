//! Decoders and an encoder that others wrote, asked for their opinion.

use fax::{Color, VecWriter, decoder, encoder::Encoder};
use hayro_ccitt::{DecodeSettings, Decoder, DecoderContext, EncodingMode};
use postfax_hw::pages::{
    bitmap::{Bitmap, Size},
    ccitt::Coding,
};

/// What each of them reads: a page, or nothing.
pub(crate) fn read(
    bytes: &[u8],
    coding: Coding,
    size: Size,
) -> Vec<(&'static str, Option<Bitmap>)> {
    let mut all = vec![("hayro-ccitt", hayro(bytes, coding, size))];
    match coding {
        Coding::Mmr => all.push(("fax", fax_g4(bytes, size))),
        // It knows no data that ends without RTC.
        Coding::Mh { .. } => all.extend(fax_g3(bytes, size).map(|page| ("fax", Some(page)))),
        _ => {}
    }
    all
}

struct Pixels {
    page: Bitmap,
    x: u32,
    y: u32,
}

impl Decoder for Pixels {
    fn push_pixels(&mut self, white: bool, count: u32) {
        if !white && self.y < self.page.size().lines() {
            self.page.blacken(self.y, self.x, self.x + count);
        }
        self.x += count;
    }

    fn next_line(&mut self) {
        (self.x, self.y) = (0, self.y + 1);
    }
}

fn hayro(bytes: &[u8], coding: Coding, size: Size) -> Option<Bitmap> {
    let settings = DecodeSettings {
        columns: size.width(),
        rows: size.lines(),
        end_of_block: true,
        end_of_line: matches!(coding, Coding::Mh { .. } | Coding::Mr { .. }),
        rows_are_byte_aligned: coding == Coding::MhRows,
        encoding: match coding {
            Coding::Mmr => EncodingMode::Group4,
            Coding::Mr { .. } => EncodingMode::Group3_2D { k: 4 },
            Coding::Mh { .. } | Coding::MhRows => EncodingMode::Group3_1D,
        },
        invert_black: false,
    };
    let mut pixels = Pixels { page: Bitmap::white(size), x: 0, y: 0 };
    hayro_ccitt::decode(bytes, &mut pixels, &mut DecoderContext::new(settings)).ok()?;
    (pixels.y == size.lines()).then_some(pixels.page)
}

fn paint(page: &mut Bitmap, y: u32, changes: &[u32]) {
    let width = page.size().width();
    for run in changes.chunks(2) {
        page.blacken(y, run[0].min(width), run.get(1).copied().unwrap_or(width));
    }
}

fn fax_g4(bytes: &[u8], size: Size) -> Option<Bitmap> {
    let mut page = Bitmap::white(size);
    let mut y = 0;
    decoder::decode_g4(bytes.iter().copied(), size.width(), Some(size.lines()), |changes| {
        if y < size.lines() {
            paint(&mut page, y, changes);
        }
        y += 1;
    })?;
    Some(page)
}

fn fax_g3(bytes: &[u8], size: Size) -> Option<Bitmap> {
    let mut page = Bitmap::white(size);
    let mut y = 0;
    decoder::decode_g3(bytes.iter().copied(), |changes| {
        if y < size.lines() {
            paint(&mut page, y, changes);
        }
        y += 1;
    })?;
    (y == size.lines()).then_some(page)
}

/// The page as T.6, written elsewhere.
pub(crate) fn mmr(page: &Bitmap) -> Vec<u8> {
    let width = page.size().width();
    let mut encoder = Encoder::new(VecWriter::new());
    for y in 0..page.size().lines() {
        let pixels =
            (0..width).map(|x| if page.is_black(x, y) { Color::Black } else { Color::White });
        encoder.encode_line(pixels, width).expect("it writes to memory");
    }
    encoder.finish().expect("it writes to memory").finish()
}
