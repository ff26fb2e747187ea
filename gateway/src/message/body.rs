//! The contents of a part: transfer encodings, characters, flowed text. Reads
//! what is damaged as far as it can be read.

use std::io::{self, Write};

use base64::{Engine, alphabet, engine};
use mail_parser::decoders::charsets::map::charset_decoder;

/// `Content-Transfer-Encoding` (RFC 2045 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Base64,
    QuotedPrintable,
}

/// `format=flowed` (RFC 3676).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// The space that marks a soft line end is not part of the text.
    pub(super) delete_space: bool,
}

const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(engine::DecodePaddingMode::RequireNone),
);

/// Octets of base64 that are decoded at a time; a multiple of four.
const BASE64_CHUNK_BYTES: usize = 16 << 10;

impl Encoding {
    pub(super) fn named(name: Option<&str>) -> Self {
        match name {
            Some("base64") => Self::Base64,
            Some("quoted-printable") => Self::QuotedPrintable,
            _ => Self::Identity,
        }
    }
}

/// Writes `raw` decoded.
pub(super) fn decode(raw: &[u8], encoding: Encoding, out: &mut impl Write) -> io::Result<()> {
    match encoding {
        Encoding::Identity => out.write_all(raw),
        Encoding::Base64 => decode_base64(raw, out),
        Encoding::QuotedPrintable => decode_quoted_printable(raw, out),
    }
}

/// `raw` decoded, in memory.
pub(super) fn decoded(raw: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    decode(raw, encoding, &mut decoded).expect("a Vec takes every write");
    decoded
}

/// The characters of `octets` in the named set; UTF-8 where they are that or
/// the set is unknown.
pub(super) fn characters(octets: &[u8], charset: Option<&str>) -> String {
    let is_utf8 =
        |name: &str| name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("us-ascii");
    match charset.filter(|name| !is_utf8(name)).and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decoder) => decoder(octets),
        None => match std::str::from_utf8(octets) {
            Ok(text) => text.to_owned(),
            // Undeclared octets above 127 are nearly always Windows letters.
            Err(_) if charset.is_none() => match charset_decoder(b"windows-1252") {
                Some(decoder) => decoder(octets),
                None => String::from_utf8_lossy(octets).into_owned(),
            },
            Err(_) => String::from_utf8_lossy(octets).into_owned(),
        },
    }
}

/// Joins the lines that were broken only to be sent (RFC 3676 4.2).
pub(super) fn join_flowed(text: &str, flow: Flow) -> String {
    let mut joined = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        let rest = line.trim_start_matches('>');
        let depth = line.len() - rest.len();
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let is_separator = rest == "-- ";
        if open.is_some_and(|above| above != depth || is_separator) {
            joined.push('\n');
            open = None;
        }
        if open.is_none() && depth > 0 {
            joined.push_str(&line[..depth]);
            joined.push(' ');
        }
        let flows = rest.ends_with(' ') && !is_separator && !end.is_empty();
        let kept = if flows && flow.delete_space { &rest[..rest.len() - 1] } else { rest };
        joined.push_str(kept);
        open = flows.then_some(depth);
        if !flows {
            joined.push_str(end);
        }
    }
    joined
}

/// The words of a clear-signed text without its armour (RFC 9580 7); any other text
/// as it is.
pub(super) fn without_clear_signature(text: String) -> String {
    const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
    const SIGNATURE: &str = "-----BEGIN PGP SIGNATURE-----";
    const END: &str = "-----END PGP SIGNATURE-----";
    let is = |line: &str, what: &str| line.trim_end() == what;
    if !text.lines().any(|line| is(line, BEGIN)) || !text.lines().any(|line| is(line, END)) {
        return text;
    }
    let mut words = String::with_capacity(text.len());
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        if is(line, BEGIN) {
            // The name of the hash, up to an empty line.
            lines.by_ref().find(|line| line.trim().is_empty());
        } else if is(line, SIGNATURE) {
            lines.by_ref().find(|line| is(line, END));
        } else {
            words.push_str(line.strip_prefix("- ").unwrap_or(line));
        }
    }
    words
}

fn decode_base64(raw: &[u8], out: &mut impl Write) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(BASE64_CHUNK_BYTES);
    let mut decoded = Vec::with_capacity(BASE64_CHUNK_BYTES);
    let mut flush = |chunk: &mut Vec<u8>, out: &mut dyn Write| -> io::Result<()> {
        decoded.clear();
        if chunk.len() % 4 == 1 {
            chunk.pop();
        }
        BASE64.decode_vec(&*chunk, &mut decoded).map_err(io::Error::other)?;
        chunk.clear();
        out.write_all(&decoded)
    };
    for &octet in raw {
        match octet {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => chunk.push(octet),
            // Padding ends a run; some clients put two runs into one part.
            b'=' => flush(&mut chunk, out)?,
            _ => {}
        }
        if chunk.len() == BASE64_CHUNK_BYTES {
            flush(&mut chunk, out)?;
        }
    }
    flush(&mut chunk, out)
}

fn decode_quoted_printable(raw: &[u8], out: &mut impl Write) -> io::Result<()> {
    for line in raw.split_inclusive(|&octet| octet == b'\n') {
        let (text, end): (&[u8], &[u8]) = match line {
            [text @ .., b'\r', b'\n'] => (text, b"\r\n"),
            [text @ .., b'\n'] => (text, b"\n"),
            text => (text, b""),
        };
        // Spaces before a line end were added on the way (RFC 2045 6.7).
        let text = text.trim_ascii_end();
        let (text, end) = text.strip_suffix(b"=").map_or((text, end), |text| (text, &b""[..]));
        let mut rest = text;
        while let Some(at) = rest.iter().position(|&octet| octet == b'=') {
            out.write_all(&rest[..at])?;
            let pair = rest.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
            match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
                Some(octet) => {
                    out.write_all(&[octet])?;
                    rest = &rest[at + 3..];
                }
                None => {
                    out.write_all(b"=")?;
                    rest = &rest[at + 1..];
                }
            }
        }
        out.write_all(rest)?;
        out.write_all(end)?;
    }
    Ok(())
}
