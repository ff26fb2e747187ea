//! Cuts what comes in into messages, and reads them. No more is kept of a message than
//! it may have, and its length is known before anything of it is.
//!
//! Why the reading of a message cannot end the program: its parser borrows from the
//! message, allocates in proportion to it, and goes no deeper into a filter than
//! [`ldap_parser::ldap::MAX_FILTER_DEPTH`]; nothing else of LDAP nests.

use ldap_parser::{
    FromBer as _,
    ldap::{AuthenticationChoice, LdapMessage, ProtocolOp},
};

use super::{
    ber,
    filter::Filter,
    schema::{HARMLESS, PAGED_RESULTS},
};

/// The most octets that say how long a message is: more than four bytes hold no message.
const MAX_LENGTH_OCTETS: usize = 4;
/// Most attributes that a search names.
const MAX_SELECTED: usize = 200;

/// Why a connection cannot go on: where the next message begins is not known any more, or
/// what this one wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadMessage {
    /// It is no LDAP.
    #[error("this is no LDAP message")]
    NotLdap,
    /// It is too long.
    #[error("the message is too long")]
    TooLong,
    /// Its parts are not what they should be.
    #[error("the message cannot be read")]
    Malformed,
}

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    pub(super) id: u32,
    pub(super) what: What,
    /// Controls that the client cannot do without, and that nobody here knows.
    pub(super) unknown_critical: bool,
    /// Whether a page of the result is asked for (RFC 2696).
    pub(super) page: Option<Page>,
}

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    /// So many entries; the cookie says where to go on, and is empty at first.
    Asked { size: u32, cookie: Vec<u8> },
    /// The control cannot be read.
    Malformed,
}

/// What is asked.
#[derive(Clone, PartialEq)]
pub(super) enum What {
    Bind {
        version: u8,
        name: String,
        proof: Proof,
    },
    Unbind,
    Search(Box<Search>),
    Abandon(u32),
    Compare {
        name: String,
        filter: Filter,
    },
    Extended {
        name: String,
    },
    /// Something is to be changed: with the tag of the response to that.
    Write(u8),
}

impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never what somebody logs in with.
        f.write_str(match self {
            Self::Bind { .. } => "bind",
            Self::Unbind => "unbind",
            Self::Search(_) => "search",
            Self::Abandon(_) => "abandon",
            Self::Compare { .. } => "compare",
            Self::Extended { .. } => "extended",
            Self::Write(_) => "write",
        })
    }
}

/// How somebody shows who they are.
#[derive(Clone, PartialEq)]
pub(super) enum Proof {
    Simple(Vec<u8>),
    /// SASL, or something that nobody here knows.
    Other,
}

/// A search (RFC 4511 4.5.1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Search {
    pub(super) base: String,
    pub(super) scope: Scope,
    /// Zero: as many as there are.
    pub(super) size_limit: u32,
    /// In seconds; zero: as long as it takes.
    pub(super) time_limit_s: u32,
    pub(super) types_only: bool,
    pub(super) filter: Filter,
    pub(super) attributes: Vec<String>,
}

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Base,
    One,
    Sub,
    /// Another one.
    Unknown,
}

/// The length of the first message of what has come so far, with all that says it; none
/// while too little has come.
///
/// # Errors
/// [`BadMessage`] when no message will follow.
pub(super) fn first(come: &[u8], most: usize) -> Result<Option<usize>, BadMessage> {
    let Some(tag) = come.first() else { return Ok(None) };
    if *tag != ber::SEQUENCE {
        return Err(BadMessage::NotLdap);
    }
    let Some(length) = come.get(1).copied().map(usize::from) else { return Ok(None) };
    let whole = match length {
        0..0x80 => 2 + length,
        // RFC 4511 5.1: only definite lengths.
        0x80 => return Err(BadMessage::NotLdap),
        _ => {
            let octets = length - 0x80;
            if octets > MAX_LENGTH_OCTETS {
                return Err(BadMessage::TooLong);
            }
            let Some(said) = come.get(2..2 + octets) else { return Ok(None) };
            let length = said.iter().fold(0_u64, |sum, octet| sum << 8 | u64::from(*octet));
            let length = usize::try_from(length).map_err(|_| BadMessage::TooLong)?;
            length.checked_add(2 + octets).ok_or(BadMessage::TooLong)?
        }
    };
    if whole > most { Err(BadMessage::TooLong) } else { Ok(Some(whole)) }
}

/// Reads a whole message.
///
/// # Errors
/// [`BadMessage`], after which the connection is over (RFC 4511 4.1.1).
pub(super) fn read(message: &[u8]) -> Result<Request, BadMessage> {
    let (rest, read) = match LdapMessage::from_ber(message) {
        Ok(read) => read,
        Err(_) => return strange_bind(message).ok_or(BadMessage::Malformed),
    };
    let id = read.message_id.0;
    // RFC 4511 4.1.1.1: 1 to 2^31 - 1.
    if !rest.is_empty() || id == 0 || i32::try_from(id).is_err() {
        return Err(BadMessage::Malformed);
    }
    let what = what(read.protocol_op)?;
    let (mut page, mut unknown_critical) = (None, false);
    for control in read.controls.unwrap_or_default() {
        let name = control.control_type.0.as_ref();
        if name == PAGED_RESULTS && matches!(what, What::Search(_)) {
            page = Some(page_of(control.control_value.as_deref().unwrap_or_default()));
        } else if !HARMLESS.contains(&name) {
            unknown_critical |= control.criticality;
        }
    }
    Ok(Request { id, what, unknown_critical, page })
}

fn what(read: ProtocolOp<'_>) -> Result<What, BadMessage> {
    Ok(match read {
        ProtocolOp::BindRequest(bind) => What::Bind {
            version: bind.version,
            name: bind.name.0.into_owned(),
            proof: match bind.authentication {
                AuthenticationChoice::Simple(password) => Proof::Simple(password.into_owned()),
                AuthenticationChoice::Sasl(_) => Proof::Other,
            },
        },
        ProtocolOp::UnbindRequest => What::Unbind,
        ProtocolOp::SearchRequest(search) => {
            if search.attributes.len() > MAX_SELECTED {
                return Err(BadMessage::TooLong);
            }
            What::Search(Box::new(Search {
                base: search.base_object.0.into_owned(),
                scope: match search.scope.0 {
                    0 => Scope::Base,
                    1 => Scope::One,
                    2 => Scope::Sub,
                    _ => Scope::Unknown,
                },
                size_limit: search.size_limit,
                time_limit_s: search.time_limit,
                types_only: search.types_only,
                filter: Filter::read(search.filter),
                attributes: search.attributes.into_iter().map(|name| name.0.into()).collect(),
            }))
        }
        ProtocolOp::AbandonRequest(id) => What::Abandon(id.0),
        ProtocolOp::CompareRequest(compare) => What::Compare {
            name: compare.entry.0.into_owned(),
            filter: Filter::equal(&compare.ava.attribute_desc.0, &compare.ava.assertion_value),
        },
        ProtocolOp::ExtendedRequest(asked) => {
            What::Extended { name: asked.request_name.0.into_owned() }
        }
        ProtocolOp::ModifyRequest(_) => What::Write(ber::MODIFY_RESPONSE),
        ProtocolOp::AddRequest(_) => What::Write(ber::ADD_RESPONSE),
        ProtocolOp::DelRequest(_) => What::Write(ber::DELETE_RESPONSE),
        ProtocolOp::ModDnRequest(_) => What::Write(ber::RENAME_RESPONSE),
        // A client that answers.
        _ => return Err(BadMessage::Malformed),
    })
}

/// A way to log in that the parser does not know, as Windows has some (MS-ADTS 5.1.1.1.3):
/// it is refused and not the end of the connection (RFC 4511 4.2).
fn strange_bind(message: &[u8]) -> Option<Request> {
    const BIND_REQUEST: u8 = 0x60;
    let content = &message[header(message)?..];
    let (id_tag, id_length) = (*content.first()?, usize::from(*content.get(1)?));
    let id = content.get(2..2 + id_length)?;
    if id_tag != 0x02 || !(1..=4).contains(&id_length) || id[0] >= 0x80 {
        return None;
    }
    let id = id.iter().fold(0_u32, |sum, octet| sum << 8 | u32::from(*octet));
    let bind = &content[2 + id_length..];
    if id == 0 || *bind.first()? != BIND_REQUEST {
        return None;
    }
    let bind = &bind[header(bind)?..];
    // INTEGER of one octet, and the name.
    let (&[0x02, 1, version], after) = bind.split_first_chunk::<3>()? else { return None };
    let name = after.get(header(after)?..)?;
    let length = first_length(after)?;
    let choice = name.get(length)?;
    if after.first() != Some(&0x04) || choice & 0xc0 != 0x80 || [0x80, 0xa3].contains(choice) {
        return None;
    }
    let what = What::Bind { version, name: String::new(), proof: Proof::Other };
    Some(Request { id, what, unknown_critical: false, page: None })
}

/// How many octets the tag and the length have.
fn header(value: &[u8]) -> Option<usize> {
    let length = usize::from(*value.get(1)?);
    let header = if length < 0x80 { 2 } else { 2 + length - 0x80 };
    (header <= 2 + MAX_LENGTH_OCTETS && header <= value.len()).then_some(header)
}

fn first_length(value: &[u8]) -> Option<usize> {
    match *value.get(1)? {
        short @ 0..0x80 => Some(usize::from(short)),
        _ => {
            let said = value.get(2..header(value)?)?;
            Some(said.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
        }
    }
}

/// `SEQUENCE { size INTEGER, cookie OCTET STRING }` (RFC 2696 2).
fn page_of(value: &[u8]) -> Page {
    let read = || {
        let content = value.get(header(value)?..).filter(|_| value[0] == ber::SEQUENCE)?;
        let size_at = header(content).filter(|_| content[0] == 0x02)?;
        let size_octets = content.get(size_at..size_at + first_length(content)?)?;
        if size_octets.is_empty() || size_octets.len() > 4 || size_octets[0] >= 0x80 {
            return None;
        }
        let size = size_octets.iter().fold(0_u32, |sum, octet| sum << 8 | u32::from(*octet));
        let after = &content[size_at + size_octets.len()..];
        let cookie_at = header(after).filter(|_| after[0] == 0x04)?;
        let cookie = after.get(cookie_at..cookie_at + first_length(after)?)?;
        Some(Page::Asked { size, cookie: cookie.to_vec() })
    };
    read().unwrap_or(Page::Malformed)
}
