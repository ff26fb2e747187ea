//! Which kind of document some bytes are. What they start with counts for more
//! than what the mail claims, because claims are often wrong.

use serde::{Deserialize, Serialize};

/// Kinds of documents that become pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Portable Document Format.
    Pdf,
    /// Any TIFF, fax or picture.
    Tiff,
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF; its first picture.
    Gif,
    /// WebP; its first picture.
    Webp,
    /// Windows bitmap.
    Bmp,
    /// Scalable Vector Graphics.
    Svg,
    /// HEIC and AVIF; by another program.
    Heif,
    /// Plain text in UTF-8.
    Text,
    /// HTML in UTF-8.
    Html,
    /// What office programs write: Word, Excel, PowerPoint, OpenDocument, RTF; by another
    /// program.
    Office,
    /// A cover page: [`crate::pages::cover::Cover`] in JSON. Never found by its bytes.
    Cover,
}

/// A PDF may have rubbish before its header, but no more than this (ISO 32000-1 annex H).
const PDF_HEADER_WITHIN_BYTES: usize = 1024;

impl Kind {
    /// `content_type` is the MIME type without parameters, `start` the first
    /// bytes, 1024 where there are so many. `None`: nothing here can draw it.
    #[must_use]
    pub fn detect(content_type: &str, file_name: &str, start: &[u8]) -> Option<Self> {
        Self::by_magic(start).or_else(|| {
            let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
            let claims_text = content_type.eq_ignore_ascii_case("text/plain")
                || ((content_type.is_empty()
                    || content_type.eq_ignore_ascii_case("application/octet-stream"))
                    && ["txt", "text", "log"].iter().any(|e| extension.eq_ignore_ascii_case(e)));
            (claims_text && !start.contains(&0)).then_some(Self::Text)
        })
    }

    fn by_magic(start: &[u8]) -> Option<Self> {
        const MAGIC: [(&[u8], Kind); 8] = [
            (b"II*\0", Kind::Tiff),
            (b"MM\0*", Kind::Tiff),
            (b"\x89PNG\r\n\x1a\n", Kind::Png),
            (b"\xff\xd8\xff", Kind::Jpeg),
            (b"GIF87a", Kind::Gif),
            (b"GIF89a", Kind::Gif),
            (b"BM", Kind::Bmp),
            (b"%PDF-", Kind::Pdf),
        ];
        if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| start.starts_with(magic)) {
            // Two letters are weak: the header's reserved zeros must follow.
            let weak = *kind == Self::Bmp && start.get(6..10) != Some(&[0; 4]);
            return (!weak).then_some(*kind);
        }
        if start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP") {
            return Some(Self::Webp);
        }
        let head = &start[..start.len().min(PDF_HEADER_WITHIN_BYTES)];
        // After a line break only: a text that mentions the header is no PDF.
        let later = head
            .windows(6)
            .any(|six| matches!(six[0], b'\n' | b'\r' | 0xbf) && &six[1..] == b"%PDF-");
        later.then_some(Self::Pdf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_count_for_more_than_the_claim() {
        for (content_type, name, start, kind) in [
            ("text/plain", "a.txt", &b"%PDF-1.7\n"[..], Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"\xef\xbb\xbf%PDF-1.4", Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"\r\n\r\n%PDF-1.4", Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"hello", None),
            ("image/jpeg", "a.jpg", b"\x89PNG\r\n\x1a\n....", Some(Kind::Png)),
            ("application/octet-stream", "a.tif", b"MM\0*....", Some(Kind::Tiff)),
            ("image/webp", "", b"RIFF....WEBPVP8 ", Some(Kind::Webp)),
            ("text/plain", "", b"BMW and others\n", Some(Kind::Text)),
            ("image/bmp", "", b"BM1234\0\0\0\0....", Some(Kind::Bmp)),
            ("TEXT/Plain", "", "Grüße".as_bytes(), Some(Kind::Text)),
            ("text/plain", "", b"", Some(Kind::Text)),
            ("text/plain", "", b"\0\x01", None),
            ("application/octet-stream", "notes.TXT", b"hello", Some(Kind::Text)),
            ("text/html", "a.html", b"<html>", None),
            ("application/zip", "a.txt", b"PK\x03\x04", None),
        ] {
            assert_eq!(Kind::detect(content_type, name, start), kind, "{content_type} {name}");
        }
    }
}
