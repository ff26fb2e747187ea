//! Backslashes in values of several parts: how vCard writes them (RFC 6350 3.4), and our
//! tables in cells with more than one value.

use crate::card::plain_line_ends;

/// Undoes the escapes of RFC 6350 3.4; what is no escape stands as it is.
pub(crate) fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match (c, letters.as_str().chars().next()) {
            ('\\', Some('n' | 'N')) => out.push('\n'),
            ('\\', Some(escaped @ ('\\' | ',' | ';' | ':'))) => out.push(escaped),
            _ => {
                out.push(c);
                continue;
            }
        }
        letters.next();
    }
    out
}

/// Escapes a text for a value, or for one part of it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain_line_ends(text).chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\\' | ',' | ';' => out.extend(['\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// The parts of a value, cut at a separator that is not escaped; escapes stay.
pub(crate) fn values(value: &str, separator: char) -> Vec<&str> {
    let mut escaped = false;
    let cut = value.split(move |c| {
        let is_cut = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        is_cut
    });
    cut.collect()
}
