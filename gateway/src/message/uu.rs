//! Files that stand uuencoded in the text of a mail (POSIX uuencode), as old programs
//! and scripts send them. What only looks like it stays text.

use super::{body::Encoding, part::Part, tree::file_name};

/// Takes the files out of a text: the text without them, and the files as parts.
/// `None` where there is none.
pub(super) fn take_files(part: &Part) -> Option<(Part, Vec<Part>)> {
    // Nobody wraps one encoding of files into another.
    if part.encoding == Encoding::Base64 || !has_line_with(&part.raw, b"begin ") {
        return None;
    }
    let octets = part.bytes();
    let mut text = Vec::with_capacity(octets.len());
    let mut files = Vec::new();
    let mut rest = &*octets;
    while let Some(end) = line_length(rest) {
        let (line, after) = rest.split_at(end);
        match opening(line).and_then(|name| Some((name, contents(after)?))) {
            Some((name, (contents, length))) => {
                let file = Part::of_file(file_name(&name));
                files.push(Part { raw: contents.into(), ..file });
                rest = &after[length..];
            }
            None => {
                text.extend_from_slice(line);
                rest = after;
            }
        }
    }
    if files.is_empty() {
        return None;
    }
    let text = Part { encoding: Encoding::Identity, raw: text.into(), ..part.clone() };
    Some((text, files))
}

fn has_line_with(raw: &[u8], start: &[u8]) -> bool {
    raw.split(|octet| *octet == b'\n').any(|line| line.starts_with(start))
}

fn line_length(rest: &[u8]) -> Option<usize> {
    let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
    (end > 0).then_some(end)
}

/// The name in `begin 644 name`.
fn opening(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line.strip_prefix(b"begin ")?).into_owned();
    let (mode, name) = line.trim_end().split_once(' ')?;
    let is_mode = matches!(mode.len(), 3 | 4) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
    (is_mode && !name.is_empty()).then(|| name.to_owned())
}

/// The contents up to and with the line `end`, and how long that was.
fn contents(lines: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(length) = line_length(&lines[at..]) {
        let line = lines[at..at + length].trim_ascii_end();
        at += length;
        if line == b"end" {
            return Some((decoded, at));
        }
        decode_line(line, &mut decoded)?;
    }
    None
}

/// A line says in its first octet how many it means. Spaces at its end may be lost.
fn decode_line(line: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let value = |octet: u8| (b' '..=b'`').contains(&octet).then(|| (octet - b' ') & 0x3f);
    let Some((&first, line)) = line.split_first() else { return Some(()) };
    let wanted = usize::from(value(first)?);
    if line.len() > wanted.div_ceil(3) * 4 + 1 {
        return None;
    }
    let end = out.len() + wanted;
    for group in 0..wanted.div_ceil(3) {
        let mut bits = 0_u32;
        for at in group * 4..group * 4 + 4 {
            bits = bits << 6 | u32::from(value(line.get(at).copied().unwrap_or(b' '))?);
        }
        out.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    out.truncate(end);
    Some(())
}
