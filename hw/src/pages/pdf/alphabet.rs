//! Fonts for words that nobody sees: every character is an empty picture of one width,
//! and a table says which character it is, so that any script can be searched for and
//! nothing need be embedded.
//!
//! Why Type 3: every viewer draws what a font of this kind says itself, which is nothing.
//! A font of another kind that is not embedded makes viewers look for a like one, and
//! complain when they find none.

use std::collections::HashMap;

use pdf_writer::{
    Finish, Name, Pdf, Rect, Ref, Str,
    types::{SystemInfo, UnicodeCmap},
};

/// How wide each character is, as a share of its height.
pub(super) const CHAR_WIDTH: f32 = 0.5;
/// Units of a font's height.
const UNITS: f32 = 1000.0;
/// The first code of the first font for what is not ASCII.
const FIRST_FREE: u8 = 0x80;

/// Which characters are used, and the font and code of each. Those of ASCII have
/// their own codes in font 0.
#[derive(Debug, Default)]
pub(super) struct Alphabet {
    places: HashMap<char, (usize, u8)>,
    /// The characters of each font in the order of their codes, ASCII left out.
    fonts: Vec<Vec<char>>,
}

/// Codes of one font.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) font: usize,
    pub(super) codes: Vec<u8>,
}

impl Alphabet {
    /// The text as codes.
    pub(super) fn spell(&mut self, text: &str) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for c in text.chars() {
            let (font, code) = self.place(c);
            match pieces.last_mut() {
                Some(last) if last.font == font => last.codes.push(code),
                _ => pieces.push(Piece { font, codes: vec![code] }),
            }
        }
        pieces
    }

    fn place(&mut self, c: char) -> (usize, u8) {
        if self.fonts.is_empty() {
            self.fonts.push(Vec::new());
        }
        if let Some(code) = u8::try_from(c).ok().filter(|code| (b' '..=b'~').contains(code)) {
            return (0, code);
        }
        if let Some(known) = self.places.get(&c) {
            return *known;
        }
        let last = self.fonts.len() - 1;
        let room = usize::from(u8::MAX - first_code(last)) + 1;
        if self.fonts[last].len() == room {
            self.fonts.push(Vec::new());
        }
        let font = self.fonts.len() - 1;
        let code = first_code(font) + self.fonts[font].len() as u8;
        self.fonts[font].push(c);
        self.places.insert(c, (font, code));
        (font, code)
    }

    /// Writes font `number`, its table of characters, and what all of them look like.
    pub(super) fn put_font(&self, pdf: &mut Pdf, number: usize, [own, map, blank]: [Ref; 3]) {
        let first = if number == 0 { b' ' } else { first_code(number) };
        let ascii = (b' '..=b'~').map(|code| (code, char::from(code)));
        let others = self.fonts[number].iter().zip(first_code(number)..);
        let all: Vec<(u8, char)> =
            ascii.filter(|_| number == 0).chain(others.map(|(c, code)| (code, *c))).collect();
        let names: Vec<Vec<u8>> = all.iter().map(|(_, c)| glyph_name(*c)).collect();
        let last = all.last().map_or(first, |(code, _)| *code);
        let mut font = pdf.type3_font(own);
        font.bbox(Rect::new(0.0, 0.0, CHAR_WIDTH * UNITS, UNITS));
        font.matrix([1.0 / UNITS, 0.0, 0.0, 1.0 / UNITS, 0.0, 0.0]);
        font.char_procs().pairs(names.iter().map(|name| (Name(name), blank)));
        let mut encoding = font.encoding_custom();
        let mut differences = encoding.differences();
        for ((code, _), name) in all.iter().zip(&names) {
            differences.consecutive(*code, [Name(name)]);
        }
        differences.finish();
        encoding.finish();
        font.first_char(first).last_char(last);
        // 0x7f is no character of font 0.
        let has = |code: u8| all.iter().any(|(one, _)| *one == code);
        let width = |code| if has(code) { CHAR_WIDTH * UNITS } else { 0.0 };
        font.widths((first..=last).map(width));
        font.resources();
        font.to_unicode(map);
        font.finish();
        let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"UCS"), supplement: 0 };
        let mut table = UnicodeCmap::<u8>::new(Name(b"Adobe-Identity-UCS"), system);
        all.iter().for_each(|(code, c)| table.pair(*code, *c));
        pdf.cmap(map, &table.finish());
    }
}

/// The picture of every character: nothing, of one width.
pub(super) fn put_glyph(pdf: &mut Pdf, own: Ref) {
    let mut drawing = pdf_writer::Content::new();
    drawing.start_color_glyph(CHAR_WIDTH * UNITS);
    pdf.stream(own, &drawing.finish());
}

fn first_code(font: usize) -> u8 {
    if font == 0 { FIRST_FREE } else { 1 }
}

/// The name that says which character it is, for readers that look at names
/// (Adobe Glyph List, 2).
fn glyph_name(c: char) -> Vec<u8> {
    match u32::from(c) {
        code @ 0..=0xffff => format!("uni{code:04X}"),
        code => format!("u{code:05X}"),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_is_spelt_as_it_is_and_fonts_follow_when_one_is_full() {
        let mut alphabet = Alphabet::default();
        let piece = |font, codes: &[u8]| Piece { font, codes: codes.to_vec() };
        assert_eq!(alphabet.spell("Fax ~"), [piece(0, b"Fax ~")]);
        assert_eq!(alphabet.spell("häh"), [piece(0, b"h\x80h")]);
        // 127 more fill the first font, 255 the second.
        let many: String = (0..400).filter_map(|i| char::from_u32(0x4e00 + i)).collect();
        let pieces = alphabet.spell(&many);
        let lengths: Vec<usize> = pieces.iter().map(|piece| piece.codes.len()).collect();
        assert_eq!(lengths, [127, 255, 18]);
        assert_eq!(pieces[1].codes[0], 1);
        assert_eq!(alphabet.spell("\u{4e00}ä"), [piece(0, b"\x81\x80")]);
    }
}
