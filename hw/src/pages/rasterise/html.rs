//! HTML documents: read in one pass, set as blocks, black on white. Nothing that they
//! refer to is fetched.

use std::{borrow::Cow, collections::BTreeMap};

use postfax_domain::document::Resolution;

use super::{Refusal, Sink, text};
use crate::pages::layout::{Typesetter, html};

/// Where a document may say its character set, in bytes from its start.
const CHARSET_WITHIN_BYTES: usize = 2048;

pub(super) fn draw(
    bytes: &[u8],
    resolution: Resolution,
    fonts: &[Vec<u8>],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    draw_with(bytes, &BTreeMap::new(), resolution, fonts, sink)
}

/// `parts` are pictures that the document names by `cid:`, by their content identifiers
/// (RFC 2392).
pub(super) fn draw_with(
    bytes: &[u8],
    parts: &BTreeMap<String, Vec<u8>>,
    resolution: Resolution,
    fonts: &[Vec<u8>],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let (source, warning) = read(bytes);
    if let Some(warning) = warning {
        sink.warn(warning);
    }
    let page = html::read(&source, parts)?;
    let mut setter = Typesetter::new(fonts, resolution);
    setter.run(page.blocks.into_iter(), resolution, sink)?;
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
