//! A message on its way through DATA: every line ends with CRLF, a leading dot
//! is doubled, and the lone dot stands at the end (RFC 5321 4.5.2). Reads no
//! file and writes to no socket.

/// Encodes chunk by chunk; where the chunks are cut makes no difference.
#[derive(Debug)]
pub(super) struct Stuffing {
    after_cr: bool,
    line_begins: bool,
    /// Octets of the message with its line ends mended, without doubled dots,
    /// as SIZE counts them (RFC 1870 3).
    pub(super) size: u64,
}

impl Stuffing {
    pub(super) fn new() -> Self {
        Self { after_cr: false, line_begins: true, size: 0 }
    }

    /// Appends what is to be sent for `octets`.
    pub(super) fn push(&mut self, mut octets: &[u8], out: &mut Vec<u8>) {
        while let Some(&first) = octets.first() {
            let after_cr = std::mem::replace(&mut self.after_cr, first == b'\r');
            let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
            let end = octets.iter().position(is_end).unwrap_or(octets.len());
            let (text, rest) = octets.split_at(end.max(1));
            octets = rest;
            match first {
                b'\n' if after_cr => {}
                b'\r' | b'\n' => self.end_line(out),
                _ => {
                    if first == b'.' && self.line_begins {
                        out.push(b'.');
                    }
                    out.extend_from_slice(text);
                    self.size += text.len() as u64;
                    self.line_begins = false;
                }
            }
        }
    }

    /// Ends the message.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.line_begins {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.size += 2;
        self.line_begins = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sent(chunks: &[&[u8]]) -> (String, u64) {
        let mut stuffing = Stuffing::new();
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| stuffing.push(chunk, &mut out));
        stuffing.finish(&mut out);
        (String::from_utf8(out).unwrap(), stuffing.size)
    }

    #[test]
    fn dots_and_line_ends() {
        let cases = [
            ("", ".\r\n"),
            ("a", "a\r\n.\r\n"),
            (".", "..\r\n.\r\n"),
            ("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\n.\nb\r.\r", "a\r\n..\r\nb\r\n..\r\n.\r\n"),
            ("..a", "...a\r\n.\r\n"),
            ("a.b", "a.b\r\n.\r\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(sent(&[text.as_bytes()]).0, expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_far_end_reads_the_same_message(
            text in prop::collection::vec(prop::sample::select(&b"\r\n.a"[..]), 0..60),
            size in 1_usize..9,
        ) {
            let (out, octets) = sent(&text.chunks(size).collect::<Vec<_>>());
            prop_assert_eq!(&out, &sent(&[&text]).0);
            let body = out.strip_suffix(".\r\n").unwrap();
            prop_assert!(body.is_empty() || body.ends_with("\r\n"));
            let whole = ["\r\n", body].concat();
            prop_assert!(!whole.contains("\r\n.\r\n"));
            prop_assert!(!body.replace("\r\n", "").contains(['\r', '\n']));
            let lines = body.split_inclusive("\r\n");
            let read: String = lines.map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            prop_assert_eq!(octets, read.len() as u64);
            let text = String::from_utf8(text).unwrap().replace("\r\n", "\n").replace('\r', "\n");
            let open = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            prop_assert_eq!(read, (text + open).replace('\n', "\r\n"));
        }
    }
}
