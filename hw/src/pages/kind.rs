//! Which kind of document some bytes are. What they are counts for more than what
//! the mail claims, because claims are often wrong.

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
    /// Portable bitmaps, greys and colours: PBM, PGM, PPM, PAM.
    Pnm,
    /// Windows icon; its largest picture.
    Ico,
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
/// Prologue and comments before the first element of an SVG or HTML document.
const PROLOGUE_BYTES: usize = 16 << 10;
/// What is looked at of a file to tell text from rubbish.
const TEXT_BYTES: usize = 4096;
/// Where names of members and streams are looked for, from each end of a file.
const NAMES_BYTES: usize = 1 << 20;

/// Subtypes of `application` that are text to read.
const TEXT_APPLICATIONS: [&str; 6] = ["json", "xml", "yaml", "x-yaml", "toml", "x-sh"];
/// Extensions of files that are text to read, where the type says nothing.
const TEXT_EXTENSIONS: [&str; 18] = [
    "txt", "text", "log", "csv", "tsv", "md", "ics", "vcf", "json", "xml", "yaml", "yml", "ini",
    "conf", "cfg", "toml", "eml", "diff",
];
/// Extensions of what office programs write in containers of their own.
const OFFICE_EXTENSIONS: [&str; 22] = [
    "doc", "dot", "docx", "docm", "dotx", "xls", "xlt", "xlsx", "xlsm", "ppt", "pps", "pptx",
    "pptm", "ppsx", "odt", "ott", "ods", "ots", "odp", "otp", "odg", "rtf",
];
/// Subtypes of their content types, or how those begin.
const OFFICE_TYPES: [&str; 8] = [
    "msword",
    "vnd.ms-word",
    "vnd.ms-excel",
    "vnd.ms-powerpoint",
    "vnd.openxmlformats-officedocument",
    "vnd.oasis.opendocument",
    "rtf",
    "vnd.sun.xml",
];

impl Kind {
    /// `content_type` is the MIME type without parameters, `start` the first bytes of
    /// the document, or all of them where they are at hand: with 1024 all but office
    /// documents and long prologues are told apart, and of office documents the claim
    /// is believed when their members are out of sight. `None`: nothing can draw it.
    #[must_use]
    pub fn detect(content_type: &str, file_name: &str, start: &[u8]) -> Option<Self> {
        let claim = Claim::new(content_type, file_name);
        match Magic::of(start) {
            Magic::Is(kind) => return Some(kind),
            Magic::Zip => return is_office_zip(start, &claim).then_some(Self::Office),
            Magic::Ole => return is_office_ole(start, &claim).then_some(Self::Office),
            Magic::Gzip => return (claim.is_svg()).then_some(Self::Svg),
            Magic::Undrawable => return None,
            Magic::Unknown => {}
        }
        if !is_text(start) {
            return None;
        }
        let text = utf8(start);
        match first_element(&text) {
            Some(Element::Svg) => Some(Self::Svg),
            Some(Element::Html) if !claim.is_plain() => Some(Self::Html),
            _ if claim.is_html() => Some(Self::Html),
            _ => claim.is_text().then_some(Self::Text),
        }
    }
}

/// What the mail says.
struct Claim {
    main: String,
    sub: String,
    extension: String,
}

impl Claim {
    fn new(content_type: &str, file_name: &str) -> Self {
        let content_type = content_type.trim().to_ascii_lowercase();
        let (main, sub) = content_type.split_once('/').unwrap_or(("", ""));
        let extension = file_name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let extension = extension.trim().to_ascii_lowercase();
        Self { main: main.into(), sub: sub.into(), extension }
    }

    /// The type says nothing, so that the name may.
    fn is_vague(&self) -> bool {
        self.main.is_empty() || (self.main == "application" && self.sub == "octet-stream")
    }

    fn extension_in(&self, all: &[&str]) -> bool {
        all.contains(&self.extension.as_str())
    }

    fn is_plain(&self) -> bool {
        self.main == "text" && self.sub == "plain" && !self.extension_in(&["html", "htm", "xhtml"])
    }

    fn is_html(&self) -> bool {
        let by_type = (self.main == "text" && self.sub == "html")
            || (self.main == "application" && self.sub == "xhtml+xml");
        by_type || (self.is_vague() && self.extension_in(&["html", "htm", "xhtml"]))
    }

    fn is_svg(&self) -> bool {
        (self.main == "image" && self.sub.starts_with("svg")) || self.extension_in(&["svg", "svgz"])
    }

    fn is_text(&self) -> bool {
        let application = self.main == "application"
            && (TEXT_APPLICATIONS.contains(&self.sub.as_str())
                || self.sub.ends_with("+json")
                || self.sub.ends_with("+xml"));
        let by_type = (self.main == "text" && self.sub != "html") || application;
        by_type || (self.is_vague() && self.extension_in(&TEXT_EXTENSIONS))
    }

    fn is_office(&self) -> bool {
        let by_type = (self.main == "application" || self.main == "text")
            && OFFICE_TYPES.iter().any(|kind| self.sub.starts_with(kind));
        by_type || self.extension_in(&OFFICE_EXTENSIONS)
    }
}

/// What the first bytes are, whatever is claimed.
#[derive(Clone, Copy)]
enum Magic {
    Is(Kind),
    Zip,
    Ole,
    Gzip,
    /// Programs and containers: never pages.
    Undrawable,
    Unknown,
}

const SIGNATURES: [(&[u8], Magic); 20] = [
    (b"II*\0", Magic::Is(Kind::Tiff)),
    (b"MM\0*", Magic::Is(Kind::Tiff)),
    // BigTIFF, which the rasteriser refuses by its name.
    (b"II+\0", Magic::Is(Kind::Tiff)),
    (b"MM\0+", Magic::Is(Kind::Tiff)),
    (b"\x89PNG\r\n\x1a\n", Magic::Is(Kind::Png)),
    (b"\xff\xd8\xff", Magic::Is(Kind::Jpeg)),
    (b"GIF87a", Magic::Is(Kind::Gif)),
    (b"GIF89a", Magic::Is(Kind::Gif)),
    (b"%PDF-", Magic::Is(Kind::Pdf)),
    (b"{\\rtf", Magic::Is(Kind::Office)),
    (b"PK\x03\x04", Magic::Zip),
    (b"PK\x05\x06", Magic::Undrawable),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Magic::Ole),
    (b"\x1f\x8b\x08", Magic::Gzip),
    (b"MZ\x90\0", Magic::Undrawable),
    (b"\x7fELF", Magic::Undrawable),
    (b"Rar!\x1a\x07", Magic::Undrawable),
    (b"7z\xbc\xaf\x27\x1c", Magic::Undrawable),
    (b"\xca\xfe\xba\xbe", Magic::Undrawable),
    (b"\xcf\xfa\xed\xfe", Magic::Undrawable),
];

impl Magic {
    fn of(start: &[u8]) -> Self {
        if let Some((_, magic)) = SIGNATURES.iter().find(|(magic, _)| start.starts_with(magic)) {
            return *magic;
        }
        let at = |from: usize, to: usize| start.get(from..to).unwrap_or_default();
        if start.starts_with(b"RIFF") && at(8, 12) == b"WEBP" {
            return Self::Is(Kind::Webp);
        }
        // Two letters are weak: the header's reserved zeros must follow.
        if start.starts_with(b"BM") && at(6, 10) == [0; 4] {
            return Self::Is(Kind::Bmp);
        }
        // Reserved zeros, type 1, and few pictures.
        if start.starts_with(&[0, 0, 1, 0]) && matches!(at(4, 6), [1..=64, 0]) {
            return Self::Is(Kind::Ico);
        }
        if matches!(start, [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n', ..]) && is_pnm(start) {
            return Self::Is(Kind::Pnm);
        }
        if at(4, 8) == b"ftyp" {
            return if is_heif(start) { Self::Is(Kind::Heif) } else { Self::Undrawable };
        }
        let head = &start[..start.len().min(PDF_HEADER_WITHIN_BYTES)];
        // After a line break only: a text that mentions the header is no PDF.
        let later = head
            .windows(6)
            .any(|six| matches!(six[0], b'\n' | b'\r' | 0xbf) && &six[1..] == b"%PDF-");
        if later { Self::Is(Kind::Pdf) } else { Self::Unknown }
    }
}

/// Whether numbers follow the letter, or the words of a PAM.
fn is_pnm(start: &[u8]) -> bool {
    let rest = start[2..].iter().copied().find(|byte| !byte.is_ascii_whitespace());
    matches!(rest, Some(b'0'..=b'9' | b'#')) || start[2..].starts_with(b"\nWIDTH")
}

/// The major and the compatible brands of an ISO media file (ISO/IEC 23008-12 10.2).
fn is_heif(start: &[u8]) -> bool {
    const BRANDS: [&[u8]; 10] =
        [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis"];
    let length = start
        .get(..4)
        .map_or(0, |four| four.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte)));
    let names = start.get(8..length.clamp(8, 256).min(start.len())).unwrap_or_default();
    names.chunks_exact(4).any(|brand| BRANDS.contains(&brand))
}

/// Whether a zip is what an office program writes, by the names of its members.
fn is_office_zip(bytes: &[u8], claim: &Claim) -> bool {
    // OpenDocument says so in its first member, stored (ODF 1.2 part 3, 3.3).
    const ODF: &[u8] = b"mimetypeapplication/vnd.oasis.opendocument.";
    const SUN: &[u8] = b"mimetypeapplication/vnd.sun.xml.";
    if bytes.get(30..).is_some_and(|name| name.starts_with(ODF) || name.starts_with(SUN)) {
        return true;
    }
    // Names stand before each member and again at the end of the file.
    const PARTS: [&[u8]; 3] = [b"word/document", b"xl/workbook", b"ppt/presentation"];
    if has(bytes, b"[Content_Types].xml") && PARTS.iter().any(|part| has(bytes, part)) {
        return true;
    }
    // Members out of sight: the end of the file is not here.
    claim.is_office() && !has(bytes, b"PK\x05\x06")
}

/// Whether a compound file has a stream of Word, Excel or PowerPoint ([MS-CFB] 2.6).
fn is_office_ole(bytes: &[u8], claim: &Claim) -> bool {
    let utf16 = |name: &str| name.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let stream = |name: &str| has(bytes, &utf16(name));
    // An encrypted one has nothing that could be drawn, whatever it is called.
    if stream("EncryptedPackage") {
        return false;
    }
    let known = ["WordDocument", "Workbook", "Book", "PowerPoint Document"];
    if known.into_iter().any(|name| has(bytes, &[&utf16(name)[..], &[0, 0]].concat())) {
        return true;
    }
    // The directory may be anywhere; only a whole file shows that it has no such stream.
    claim.is_office() && !stream("Root Entry")
}

/// Whether bytes occur near the start or the end.
fn has(bytes: &[u8], what: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(NAMES_BYTES)];
    let tail = &bytes[bytes.len().saturating_sub(NAMES_BYTES).max(head.len())..];
    [head, tail].iter().any(|part| part.windows(what.len()).any(|some| some == what))
}

/// Text has no zeros, and hardly any other control characters; UTF-16 has a mark.
fn is_text(start: &[u8]) -> bool {
    let head = &start[..start.len().min(TEXT_BYTES)];
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let odd = |byte: &&u8| matches!(byte, 1..=6 | 14..=26 | 28..=31);
    !head.contains(&0) && head.iter().filter(odd).count() * 50 <= head.len()
}

/// The beginning of a text as far as it matters here, in lower case.
fn utf8(start: &[u8]) -> String {
    let head = &start[..start.len().min(PROLOGUE_BYTES)];
    let wide = |pair: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = head[2..].chunks_exact(2).map(|two| pair([two[0], two[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let text = match head {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        _ => String::from_utf8_lossy(head).into_owned(),
    };
    text.to_ascii_lowercase()
}

enum Element {
    Svg,
    Html,
    Other,
}

/// The root element of XML or HTML, after prologue, comments and doctype.
fn first_element(text: &str) -> Option<Element> {
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!doctype html") => return Some(Element::Html),
            // It may have entities in brackets.
            _ if rest.starts_with("<!doctype")
                && rest.find('[') < rest.find('>')
                && rest.contains("]>") =>
            {
                "]>"
            }
            _ if rest.starts_with("<!doctype") => ">",
            _ => break,
        };
        rest = rest[rest.find(end)? + end.len()..].trim_start();
    }
    let name = rest.strip_prefix('<')?;
    let name =
        &name[..name.find(|c: char| !(c.is_ascii_alphanumeric() || c == ':' || c == '-'))?];
    Some(match name.rsplit(':').next() {
        Some("svg") => Element::Svg,
        Some("html" | "head" | "body") => Element::Html,
        _ => Element::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(all: &[(&str, &str, &[u8], Option<Kind>)]) {
        for (content_type, name, start, kind) in all {
            let found = Kind::detect(content_type, name, start);
            let shown = String::from_utf8_lossy(&start[..start.len().min(40)]);
            assert_eq!(found, *kind, "{content_type} {name} {shown}");
        }
    }

    #[test]
    fn the_bytes_count_for_more_than_the_claim() {
        check(&[
            ("text/plain", "a.txt", &b"%PDF-1.7\n"[..], Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"\xef\xbb\xbf%PDF-1.4", Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"\r\n\r\n%PDF-1.4", Some(Kind::Pdf)),
            ("application/pdf", "a.pdf", b"hello", None),
            ("image/jpeg", "a.jpg", b"\x89PNG\r\n\x1a\n....", Some(Kind::Png)),
            ("application/octet-stream", "a.tif", b"MM\0*....", Some(Kind::Tiff)),
            ("image/webp", "", b"RIFF....WEBPVP8 ", Some(Kind::Webp)),
            ("text/plain", "", b"BMW and others\n", Some(Kind::Text)),
            ("image/bmp", "", b"BM1234\0\0\0\0....", Some(Kind::Bmp)),
            ("", "", b"P5\n# made\n2 2 255\n", Some(Kind::Pnm)),
            ("text/plain", "", b"P1 is a bus line", Some(Kind::Text)),
            ("", "", b"\0\0\x01\0\x02\0\x10\x10", Some(Kind::Ico)),
            ("image/heic", "", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Some(Kind::Heif)),
            ("", "a.avif", b"\0\0\0\x14ftypisom\0\0\0\0avif", Some(Kind::Heif)),
            ("video/mp4", "", b"\0\0\0\x14ftypisom\0\0\0\0mp42", None),
            ("text/plain", "a.txt", b"MZ\x90\0\x03", None),
            ("text/plain", "a.txt", b"\x7fELF\x02\x01", None),
        ]);
    }

    #[test]
    fn texts_are_told_from_what_is_written_in_them() {
        check(&[
            ("TEXT/Plain", "", "Grüße".as_bytes(), Some(Kind::Text)),
            ("text/plain", "", b"", Some(Kind::Text)),
            ("text/plain", "", b"\0\x01", None),
            ("application/octet-stream", "notes.TXT", b"hello", Some(Kind::Text)),
            ("text/csv", "a.csv", b"a,b\n1,2\n", Some(Kind::Text)),
            ("text/calendar", "", b"BEGIN:VCALENDAR\r\n", Some(Kind::Text)),
            ("application/json", "", b"{}", Some(Kind::Text)),
            ("application/ld+json", "", b"{}", Some(Kind::Text)),
            ("application/x-unheard-of", "a.txt", b"hello", None),
            ("text/html", "a.html", b"<p>hello", Some(Kind::Html)),
            ("application/octet-stream", "a.htm", b"hello", Some(Kind::Html)),
            ("", "", b"\n<!DOCTYPE html>\n<html>", Some(Kind::Html)),
            ("text/plain", "page.txt", b"<html> is an element", Some(Kind::Text)),
            ("image/svg+xml", "", b"<svg xmlns='x'/>", Some(Kind::Svg)),
            ("text/plain", "a.txt", b"<?xml version='1.0'?><!-- a > b --><svg >", Some(Kind::Svg)),
            (
                "",
                "a",
                b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]>\n<svg:svg >",
                Some(Kind::Svg),
            ),
            ("text/xml", "", b"<?xml version='1.0'?><order/>", Some(Kind::Text)),
            ("image/svg+xml", "a.svgz", b"\x1f\x8b\x08\0\0\0", Some(Kind::Svg)),
            ("application/gzip", "a.tar.gz", b"\x1f\x8b\x08\0\0\0", None),
            ("", "a.htm", b"\xff\xfe<\0h\0t\0m\0l\0>\0", Some(Kind::Html)),
        ]);
    }

    #[test]
    fn office_documents_are_known_by_their_parts() {
        let member = |name: &str, content: &str| {
            [b"PK\x03\x04", &[0; 26][..], name.as_bytes(), content.as_bytes()].concat()
        };
        let end = b"PK\x05\x06".to_vec();
        let word =
            [member("[Content_Types].xml", ""), member("word/document.xml", ""), end.clone()];
        let opened = member("mimetype", "application/vnd.oasis.opendocument.text");
        let archive = [member("readme.txt", "hello"), end].concat();
        let ole = |stream: &str| {
            let name = stream.encode_utf16().flat_map(u16::to_le_bytes);
            let root = "Root Entry".encode_utf16().flat_map(u16::to_le_bytes);
            let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
            bytes.extend(root.chain([0, 0]).chain(name).chain([0; 8]));
            bytes
        };
        let office = Some(Kind::Office);
        check(&[
            ("application/zip", "a.zip", &word.concat(), office),
            ("", "a.odt", &opened, office),
            ("application/zip", "a.txt", &archive, None),
            ("application/msword", "a.docx", &archive, None),
            ("application/zip", "a.zip", b"PK\x03\x04", None),
            ("", "a.docx", &member("docProps/app.xml", "and no more"), office),
            ("", "a.doc", &ole("WordDocument"), office),
            ("", "a.xls", &ole("Workbook"), office),
            ("", "x", &ole("PowerPoint Document"), office),
            ("", "a.doc", &ole("EncryptedPackage"), None),
            ("", "a.msg", &ole("__nameid_version1.0"), None),
            ("application/msword", "a.doc", &ole("")[..8], office),
            ("text/rtf", "a.rtf", b"{\\rtf1\\ansi", office),
        ]);
    }
}
