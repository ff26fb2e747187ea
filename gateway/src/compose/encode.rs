//! Transfer encodings and line ends, from any text to what may stand in a
//! mail. Knows no header fields.

use std::io::{self, Read, Write};

use base64::{Engine, engine::general_purpose::STANDARD};

/// Longest line of an encoded body (RFC 2045 6.7, 6.8).
const LINE_CHARS: usize = 76;
/// Octets that make one full line of base64.
const BASE64_LINE_BYTES: usize = 57;
/// Lines of base64 that are read and written at a time.
const BASE64_LINES: usize = 256;

/// How a text will stand in the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextEncoding {
    SevenBit,
    QuotedPrintable,
    Base64,
}

impl TextEncoding {
    /// The plainest encoding that carries `text`, whose line ends are CRLF.
    pub(crate) fn of(text: &str) -> Self {
        let odd = text.bytes().filter(|octet| *octet >= 0x7f).count();
        let long = text.split("\r\n").any(|line| {
            line.len() > LINE_CHARS || line.ends_with([' ', '\t']) || line.starts_with("From ")
        });
        match odd {
            0 if !long => Self::SevenBit,
            odd if odd * 3 > text.len() => Self::Base64,
            _ => Self::QuotedPrintable,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    pub(crate) fn write(self, text: &str, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::SevenBit => out.write_all(text.as_bytes()),
            Self::QuotedPrintable => quoted_printable(text, out),
            Self::Base64 => base64_lines(text.as_bytes(), out),
        }
    }
}

/// The text with CRLF at the end of each line, the last one too, and without
/// other control characters than tabs.
pub(crate) fn crlf_text(text: &str) -> String {
    let mut lines = text.replace("\r\n", "\n").replace('\r', "\n");
    lines.retain(|c| c == '\n' || c == '\t' || !c.is_control());
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines.replace('\n', "\r\n")
}

/// Writes everything as lines of base64.
pub(crate) fn base64_lines(mut from: impl Read, out: &mut impl Write) -> io::Result<()> {
    let mut octets = vec![0; BASE64_LINE_BYTES * BASE64_LINES];
    let mut text = String::with_capacity((LINE_CHARS + 2) * BASE64_LINES);
    loop {
        let filled = fill(&mut from, &mut octets)?;
        text.clear();
        for line in octets[..filled].chunks(BASE64_LINE_BYTES) {
            STANDARD.encode_string(line, &mut text);
            text.push_str("\r\n");
        }
        out.write_all(text.as_bytes())?;
        if filled < octets.len() {
            return Ok(());
        }
    }
}

fn fill(from: &mut impl Read, octets: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < octets.len() {
        match from.read(&mut octets[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn quoted_printable(text: &str, out: &mut impl Write) -> io::Result<()> {
    for line in text.split_inclusive("\r\n") {
        let (line, end) = line.strip_suffix("\r\n").map_or((line, ""), |line| (line, "\r\n"));
        let mut column = 0;
        let octets = line.as_bytes();
        for (index, &octet) in octets.iter().enumerate() {
            let last = index + 1 == octets.len();
            let from = index == 0 && line.starts_with("From ");
            let plain = match octet {
                b'=' => false,
                b' ' | b'\t' => !last,
                b'F' => !from,
                _ => octet.is_ascii_graphic(),
            };
            let token = if plain { vec![octet] } else { format!("={octet:02X}").into_bytes() };
            if column + token.len() >= LINE_CHARS {
                out.write_all(b"=\r\n")?;
                column = 0;
            }
            out.write_all(&token)?;
            column += token.len();
        }
        out.write_all(end.as_bytes())?;
    }
    Ok(())
}

/// Turns any line ends into CRLF while octets pass through, chunk by chunk.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    after_cr: bool,
    in_line: bool,
}

impl Lines {
    /// Appends `octets` to `out` with CRLF at each line end.
    pub(crate) fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            let after_cr = std::mem::replace(&mut self.after_cr, octet == b'\r');
            match octet {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => {
                    out.extend_from_slice(b"\r\n");
                    self.in_line = false;
                }
                _ => {
                    out.push(octet);
                    self.in_line = true;
                }
            }
        }
    }

    /// Ends the last line if it was left open.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.in_line) {
            out.extend_from_slice(b"\r\n");
        }
    }
}
