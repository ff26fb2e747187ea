//! Bytes of a file become text: byte order marks, UTF-8, UTF-16, and what old programs
//! write where they do not say. Guesses only where UTF-8 is impossible, and says so.

use std::borrow::Cow;

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8, WINDOWS_1252};

use crate::finding::{Place, Problem, Reading};

/// The text of a file, or `None` when there is nothing to read; the reading says why.
/// `is_shift_jis` is asked about the text as Shift_JIS when it is not UTF-8.
pub(crate) fn text_of<'a>(
    bytes: &'a [u8],
    reading: &mut Reading,
    is_shift_jis: fn(&str) -> bool,
) -> Option<Cow<'a, str>> {
    if bytes.len() > crate::FILE_BYTES_MOST {
        reading.note(Place::file(), Problem::FileTooLarge(bytes.len()));
        return None;
    }
    let (text, encoding) = decode(bytes, is_shift_jis);
    // A zero is in no address book, and in nearly every file that is not text.
    if text.contains('\0') {
        reading.note(Place::file(), Problem::NoText);
        return None;
    }
    if encoding != UTF_8 {
        reading.note(Place::file(), Problem::ReadAs(encoding.name()));
    }
    Some(text)
}

/// Octets that tell what a file is.
const BEGINNING_OCTETS: usize = 4096;

/// The first lines of a file. Letters that are not ASCII may be wrong in it.
pub(crate) fn beginning_of(bytes: &[u8]) -> Cow<'_, str> {
    decode(&bytes[..bytes.len().min(BEGINNING_OCTETS)], |_| false).0
}

fn decode<'a>(
    bytes: &'a [u8],
    is_shift_jis: fn(&str) -> bool,
) -> (Cow<'a, str>, &'static Encoding) {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes)
        && encoding != UTF_8
    {
        return (encoding.decode_without_bom_handling(&bytes[mark..]).0, encoding);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), UTF_8);
    }
    if let Some(text) = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)
        && is_shift_jis(&text)
    {
        return (text, SHIFT_JIS);
    }
    (WINDOWS_1252.decode_without_bom_handling(bytes).0, WINDOWS_1252)
}

/// Text whose lines end with LF or CRLF: a CR alone, as old Macs wrote, becomes LF. For
/// formats in which no value can have a line end inside.
pub(crate) fn with_line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let is_alone = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    match (0..bytes.len()).any(is_alone) {
        true => Cow::Owned(crate::card::plain_line_ends(&text)),
        false => text,
    }
}

/// Text in a character set that is named (`CHARSET=` of vCard 2.1).
pub(crate) fn text_in(bytes: &[u8], charset: &str) -> Result<String, Problem> {
    let bad = || Problem::BadCharset(charset.to_owned());
    let encoding = Encoding::for_label(charset.as_bytes()).ok_or_else(bad)?;
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(Cow::into_owned).ok_or_else(bad)
}
