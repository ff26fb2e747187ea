//! Writes messages as BER, as LDAP has it (RFC 4511 5.1): definite lengths, primitive
//! strings. Knows no message but the shape of results. What comes in is read elsewhere.

use super::schema::Code;

/// Tags of the responses (RFC 4511 4.2 to 4.14).
pub(super) const BIND_RESPONSE: u8 = 0x61;
pub(super) const SEARCH_ENTRY: u8 = 0x64;
pub(super) const SEARCH_DONE: u8 = 0x65;
pub(super) const MODIFY_RESPONSE: u8 = 0x67;
pub(super) const ADD_RESPONSE: u8 = 0x69;
pub(super) const DELETE_RESPONSE: u8 = 0x6b;
pub(super) const RENAME_RESPONSE: u8 = 0x6d;
pub(super) const COMPARE_RESPONSE: u8 = 0x6f;
pub(super) const EXTENDED_RESPONSE: u8 = 0x78;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `controls [0]` of a message.
const CONTROLS: u8 = 0xa0;
const RESPONSE_NAME: u8 = 0x8a;
const RESPONSE_VALUE: u8 = 0x8b;

/// What became of a request (RFC 4511 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) code: Code,
    /// How far the name that was asked for leads.
    pub(super) matched: String,
    /// Why, in words.
    pub(super) words: String,
}

impl Done {
    pub(super) fn new(code: Code, words: impl Into<String>) -> Self {
        Self { code, matched: String::new(), words: words.into() }
    }

    pub(super) fn well() -> Self {
        Self::new(Code::Success, "")
    }
}

/// An attribute and its values; none where only types were asked for.
pub(super) type Attribute = (&'static str, Vec<String>);

/// A tag, the length of what `content` writes, and that.
pub(super) fn tagged(out: &mut Vec<u8>, tag: u8, content: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    content(out);
    let length = out.len() - start;
    let octets = length.to_be_bytes();
    let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.insert(start, short),
        _ => {
            let long = u8::try_from(octets.len()).unwrap_or(0) | 0x80;
            out.splice(start..start, [long].into_iter().chain(octets.iter().copied()));
        }
    }
}

fn octets(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    tagged(out, tag, |out| out.extend_from_slice(value));
}

/// A whole number that is not negative, without needless octets.
fn number(out: &mut Vec<u8>, tag: u8, value: u32) {
    let octets = value.to_be_bytes();
    let zeros = octets.iter().take(3).take_while(|octet| **octet == 0).count();
    tagged(out, tag, |out| {
        if octets[zeros] >= 0x80 {
            out.push(0);
        }
        out.extend_from_slice(&octets[zeros..]);
    });
}

fn message(out: &mut Vec<u8>, id: u32, content: impl FnOnce(&mut Vec<u8>)) {
    tagged(out, SEQUENCE, |out| {
        number(out, INTEGER, id);
        content(out);
    });
}

fn result(out: &mut Vec<u8>, done: &Done) {
    number(out, ENUMERATED, done.code as u32);
    octets(out, OCTETS, done.matched.as_bytes());
    octets(out, OCTETS, done.words.as_bytes());
}

/// The answer to a request that says no more than what became of it.
pub(super) fn done(out: &mut Vec<u8>, id: u32, tag: u8, done: &Done) {
    message(out, id, |out| tagged(out, tag, |out| result(out, done)));
}

/// The end of a page of a search (RFC 2696 2): an empty cookie after the last one.
pub(super) fn page_done(out: &mut Vec<u8>, id: u32, what: &Done, cookie: &[u8]) {
    message(out, id, |out| {
        tagged(out, SEARCH_DONE, |out| result(out, what));
        tagged(out, CONTROLS, |out| {
            tagged(out, SEQUENCE, |out| {
                octets(out, OCTETS, super::schema::PAGED_RESULTS.as_bytes());
                tagged(out, OCTETS, |out| {
                    tagged(out, SEQUENCE, |out| {
                        // Nobody has to count (RFC 2696 2: zero where it is not known).
                        number(out, INTEGER, 0);
                        octets(out, OCTETS, cookie);
                    });
                });
            });
        });
    });
}

/// The answer to an extended request (RFC 4511 4.12).
pub(super) fn extended(
    out: &mut Vec<u8>,
    id: u32,
    what: &Done,
    name: Option<&str>,
    value: Option<&[u8]>,
) {
    message(out, id, |out| {
        tagged(out, EXTENDED_RESPONSE, |out| {
            result(out, what);
            if let Some(name) = name {
                octets(out, RESPONSE_NAME, name.as_bytes());
            }
            if let Some(value) = value {
                octets(out, RESPONSE_VALUE, value);
            }
        });
    });
}

/// An entry that was found (RFC 4511 4.5.2).
pub(super) fn entry(out: &mut Vec<u8>, id: u32, name: &str, attributes: &[Attribute]) {
    message(out, id, |out| {
        tagged(out, SEARCH_ENTRY, |out| {
            octets(out, OCTETS, name.as_bytes());
            tagged(out, SEQUENCE, |out| {
                for (kind, values) in attributes {
                    tagged(out, SEQUENCE, |out| {
                        octets(out, OCTETS, kind.as_bytes());
                        tagged(out, SET, |out| {
                            values.iter().for_each(|value| octets(out, OCTETS, value.as_bytes()));
                        });
                    });
                }
            });
        });
    });
}

#[cfg(test)]
mod tests {
    use ldap_parser::{
        FromBer as _,
        ldap::{LdapMessage, ProtocolOp},
    };

    use super::*;

    #[test]
    fn lengths_and_numbers_have_no_needless_octets() {
        for (length, header) in
            [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (300, &[4, 0x82, 1, 44])]
        {
            let mut out = Vec::new();
            octets(&mut out, OCTETS, &vec![7; length]);
            assert_eq!(&out[..header.len()], header);
            assert_eq!(out.len(), header.len() + length);
        }
        for (value, wanted) in [
            (0, &[2, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (256, &[2, 2, 1, 0]),
            (u32::MAX, &[2, 5, 0, 255, 255, 255, 255]),
        ] {
            let mut out = Vec::new();
            number(&mut out, INTEGER, value);
            assert_eq!(out, wanted);
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        let long = "x".repeat(70_000);
        entry(&mut out, 7, "cn=a", &[("cn", vec!["a".into(), long.clone()]), ("mail", vec![])]);
        let (rest, read) = LdapMessage::from_ber(&out).unwrap();
        assert!(rest.is_empty() && read.message_id.0 == 7);
        let ProtocolOp::SearchResultEntry(entry) = read.protocol_op else { panic!("{read:?}") };
        assert_eq!(&*entry.attributes[0].attr_vals[1].0, long.as_bytes());
        let mut out = Vec::new();
        page_done(&mut out, 300, &Done::new(Code::SizeLimitExceeded, "more"), b"next");
        let (_, read) = LdapMessage::from_ber(&out).unwrap();
        assert_eq!(read.protocol_op.result().unwrap().result_code.0, 4);
        let controls = read.controls.unwrap();
        assert_eq!(controls[0].control_type.0, super::super::schema::PAGED_RESULTS);
        let mut out = Vec::new();
        extended(&mut out, 1, &Done::well(), Some("1.2"), Some(b"x"));
        let (_, read) = LdapMessage::from_ber(&out).unwrap();
        let ProtocolOp::ExtendedResponse(read) = read.protocol_op else { panic!("{read:?}") };
        assert_eq!(read.response_value.as_deref(), Some(&b"x"[..]));
    }
}
