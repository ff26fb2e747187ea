//! What was signed, out of a signature that has it inside (CMS, RFC 5652 5): S/MIME mails
//! that are not signed clear, and files as `contract.pdf.p7m`. Proves no signature.

use super::body::{self, Encoding};

/// What a CMS structure holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cms {
    /// These octets, signed.
    Signed(Vec<u8>),
    /// Something encrypted (RFC 5652 6).
    Enveloped,
    /// Something else, or nothing that can be read.
    Other,
}

/// `1.2.840.113549.1.7.2`
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";
/// `1.2.840.113549.1.7.3`
const ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03";
/// `1.2.840.113549.1.9.16.1.23`, AuthEnvelopedData (RFC 5083).
const AUTH_ENVELOPED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17";

/// Tags (X.690 8.1.2).
const OCTET_STRING: u8 = 0x04;
const OBJECT: u8 = 0x06;
const OCTET_STRINGS: u8 = 0x24;
const SEQUENCE: u8 = 0x30;
const EXPLICIT: u8 = 0xa0;
/// Structures within structures; those that mailers write have seven levels.
const MAX_DEPTH: usize = 16;

/// Reads DER or BER, bare or as base64 with or without the lines of PEM (RFC 7468).
pub(super) fn read(octets: &[u8]) -> Cms {
    if octets.first() == Some(&SEQUENCE) {
        return content(octets).unwrap_or(Cms::Other);
    }
    let lines = octets.split_inclusive(|octet| *octet == b'\n');
    let armoured: Vec<u8> =
        lines.filter(|line| !line.starts_with(b"-----")).flatten().copied().collect();
    let decoded = body::decoded(&armoured, Encoding::Base64);
    if decoded.first() == Some(&SEQUENCE) {
        content(&decoded).unwrap_or(Cms::Other)
    } else {
        Cms::Other
    }
}

fn content(octets: &[u8]) -> Option<Cms> {
    let info = Value::read(octets, 0)?.0.only(SEQUENCE)?;
    let (kind, rest) = Value::read(info, 1)?;
    match kind.only(OBJECT)? {
        SIGNED_DATA => {}
        ENVELOPED_DATA | AUTH_ENVELOPED_DATA => return Some(Cms::Enveloped),
        _ => return Some(Cms::Other),
    }
    let signed = Value::read(rest, 1)?.0.only(EXPLICIT)?;
    let mut rest = Value::read(signed, 2)?.0.only(SEQUENCE)?;
    // The version and the algorithms stand before the content.
    for _ in 0..2 {
        rest = Value::read(rest, 3)?.1;
    }
    let encapsulated = Value::read(rest, 3)?.0.only(SEQUENCE)?;
    let after_type = Value::read(encapsulated, 4)?.1;
    let explicit = Value::read(after_type, 4)?.0.only(EXPLICIT)?;
    let mut signed = Vec::new();
    Value::read(explicit, 5)?.0.collect(&mut signed, 5)?;
    Some(Cms::Signed(signed))
}

/// A value with its tag.
struct Value<'a> {
    tag: u8,
    content: &'a [u8],
}

impl<'a> Value<'a> {
    /// The value that `octets` begin with, and what stands behind it (X.690 8.1).
    fn read(octets: &'a [u8], depth: usize) -> Option<(Self, &'a [u8])> {
        if depth > MAX_DEPTH {
            return None;
        }
        let (&tag, rest) = octets.split_first()?;
        // Tags of several octets occur nowhere in here.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&first, rest) = rest.split_first()?;
        if first == 0x80 {
            let length = until_end(rest, depth + 1)?;
            return Some((Self { tag, content: &rest[..length] }, &rest[length + 2..]));
        }
        let (length, rest) = match first {
            0..0x80 => (usize::from(first), rest),
            _ => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let significant = octets.len() <= size_of::<u32>();
                let length =
                    octets.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
                (significant.then_some(length)?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        Some((Self { tag, content }, rest))
    }

    fn only(self, tag: u8) -> Option<&'a [u8]> {
        (self.tag == tag).then_some(self.content)
    }

    /// The octets of a string, which may be in pieces (X.690 8.7.3).
    fn collect(&self, into: &mut Vec<u8>, depth: usize) -> Option<()> {
        match self.tag {
            OCTET_STRING => into.extend_from_slice(self.content),
            OCTET_STRINGS => {
                let mut rest = self.content;
                while !rest.is_empty() {
                    let (piece, after) = Value::read(rest, depth + 1)?;
                    piece.collect(into, depth + 1)?;
                    rest = after;
                }
            }
            _ => return None,
        }
        Some(())
    }
}

/// How long a content is that ends with two zeros (X.690 8.1.5).
fn until_end(octets: &[u8], depth: usize) -> Option<usize> {
    let mut rest = octets;
    while !rest.starts_with(&[0, 0]) {
        rest = Value::read(rest, depth)?.1;
    }
    Some(octets.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("a short test").to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    fn endless(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x80], content, &[0, 0]].concat()
    }

    fn info(kind: &[u8], wrap: fn(u8, &[u8]) -> Vec<u8>, string: &[u8]) -> Vec<u8> {
        let data = value(OBJECT, b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01");
        let inner = wrap(SEQUENCE, &[data, wrap(EXPLICIT, string)].concat());
        let signed = [value(2, &[1]), value(0x31, &[]), inner, value(0x31, b"signers")].concat();
        let signed = wrap(EXPLICIT, &wrap(SEQUENCE, &signed));
        wrap(SEQUENCE, &[value(OBJECT, kind), signed].concat())
    }

    #[test]
    fn what_was_signed_is_found() {
        let whole = value(OCTET_STRING, b"the words");
        let pieces = [value(OCTET_STRING, b"the "), value(OCTET_STRING, b"words")].concat();
        let armour = "-----BEGIN PKCS7-----\nMIA=\n-----END PKCS7-----\n";
        for (octets, expected) in [
            (info(SIGNED_DATA, value, &whole), Cms::Signed(b"the words".to_vec())),
            (
                info(SIGNED_DATA, endless, &endless(OCTET_STRINGS, &pieces)),
                Cms::Signed(b"the words".to_vec()),
            ),
            (info(ENVELOPED_DATA, value, &whole), Cms::Enveloped),
            (info(b"\x2a", value, &whole), Cms::Other),
            (info(SIGNED_DATA, value, &[]), Cms::Other),
            (info(SIGNED_DATA, value, &whole)[..40].to_vec(), Cms::Other),
            (armour.into(), Cms::Other),
            (Vec::new(), Cms::Other),
            ([SEQUENCE, 0x80].repeat(100_000), Cms::Other),
        ] {
            assert_eq!(read(&octets), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_may_come(octets in proptest::collection::vec(
            proptest::sample::select(&b"\x30\x80\x00\xa0\x06\x24\x04\x01\x82\xff"[..]), 0..200)) {
            let _ = read(&octets);
        }
    }
}
