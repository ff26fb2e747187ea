//! HTML documents: read in one pass, set as blocks, black on white. Nothing that they
//! refer to is fetched.

use std::borrow::Cow;

use super::{Refusal, Sink, text};
use crate::pages::{
    Look,
    layout::{Typesetter, html},
};

/// Where a document may say its character set, in bytes from its start.
const CHARSET_WITHIN_BYTES: usize = 2048;

pub(super) fn draw(
    bytes: &[u8],
    look: Look,
    fonts: &[Vec<u8>],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let (source, warning) = read(bytes);
    if let Some(warning) = warning {
        sink.warn(warning);
    }
    let page = html::read(&source)?;
    Typesetter::new(fonts, look).run(page.blocks.into_iter(), sink)?;
    if page.left_out > 0 {
        sink.warn(format!(
            "pictures that are not in the document were left out: {}",
            page.left_out
        ));
    }
    Ok(())
}

/// The text: as UTF-8 or by a byte order mark, else as the document says, else as
/// Windows-1252.
fn read(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    let (text, warning) = text::read(bytes);
    if warning.is_none() {
        return (text, warning);
    }
    let start = &bytes[..bytes.len().min(CHARSET_WITHIN_BYTES)];
    let start = String::from_utf8_lossy(start).to_ascii_lowercase();
    let named = start.split("charset=").nth(1).map(|rest| {
        let rest = rest.trim_start_matches(['"', '\'', ' ']);
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c)));
        rest[..end.unwrap_or(rest.len())].to_owned()
    });
    match named.and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes())) {
        Some(encoding) if encoding != encoding_rs::UTF_8 => {
            let (text, _, damaged) = encoding.decode(bytes);
            let said = || "some characters of the text are damaged".to_owned();
            (text, damaged.then(said))
        }
        _ => (text, warning),
    }
}
