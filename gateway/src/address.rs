//! What the local part of a fax address says: RFC 3191, 3192 and 2846, and the
//! forms of other fax gateways that can be told apart from them. Knows no dial
//! plan and no phone book: it reads, and others decide.
//!
//! | form | read as |
//! |---|---|
//! | `+442079460100@`, `02079460100@` | a number |
//! | `FAX=+44-20-7946-0100/T33S=4312@`, `/FAX=+44.1633.960348/@` | a number and qualifiers |
//! | `NUMBER/to=A_B/cp=off@`, `NUMBER^NOCOVER^RETRIES=3@` | a number and options |
//! | `name=acme/FAX=+44..@` | a number, the name among its qualifiers |
//! | `"[FAX:NUMBER]"@`, `"FAX:NUMBER"@` | a number |
//! | `anna@NUMBER.fax.example.com` | a number, for the attention of anna |
//! | `settings@`, `book@`, `jobs@`, `help@`, `postmaster@` | a service |
//! | `acme@` | an alias |

use crate::reply::Reply;

/// Longest local part that is read, in octets.
const MAX_LOCAL_BYTES: usize = 1000;
/// Most qualifiers of one address.
const MAX_QUALIFIERS: usize = 32;
/// Most digits of a global number (ITU-T E.164).
const MAX_GLOBAL_DIGITS: usize = 15;
/// Most digits of a number as it is dialled here.
const MAX_LOCAL_DIGITS: usize = 20;
/// Most digits of a T.33 sub-address: what fits the T.30 SUB frame.
const MAX_SUBADDRESS_DIGITS: usize = 20;
/// The names that ask the gateway itself.
const SERVICES: [&str; 4] = ["settings", "book", "jobs", "help"];

/// What an address stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A fax machine.
    Phone(Phone),
    /// A name for the phone book, as written.
    Alias(String),
    /// Whoever runs this (RFC 5321 4.5.1).
    Postmaster,
    /// One of the gateway's own addresses, in lower case: settings, book, jobs, help.
    Service(String),
}

/// A fax machine as an address names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phone {
    /// The number without separators: `+` and 1 to 15 digits, or 1 to 20 digits
    /// as they are dialled where the gateway stands.
    pub text: String,
    /// Whether it is a global number, with its `+`.
    pub global: bool,
    /// The T.33 sub-address: 1 to 20 digits.
    pub subaddress: Option<String>,
    /// Whom it is for, where the address says so; for the cover.
    pub attention: Option<String>,
    /// All qualifiers and options in their order, those read above included;
    /// keys in upper case, values as written. A bare option has an empty value.
    pub qualifiers: Vec<(String, String)>,
}

/// Why an address cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It belongs to another domain.
    #[error("relaying denied: only addresses of {0} are taken")]
    ForeignDomain(String),
    /// There is no number and no name.
    #[error("the address names no fax number; write +442079460100@{0}")]
    Empty(String),
    /// It is longer than any number.
    #[error("the {what} has {digits} digits, at most {most} are possible")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its digits.
        digits: usize,
        /// How many are possible.
        most: usize,
    },
    /// A character that has no place there.
    #[error("{0:?} has no place in a fax number; write digits, with - or . between them")]
    BadCharacter(char),
    /// Another service than fax.
    #[error("{0}= is not served here; write FAX= and the number")]
    UnknownSelector(String),
    /// Pauses and tone digits let a caller dial what was not allowed.
    #[error("{0:?} (a pause or a tone digit) is not permitted in a number; write digits only")]
    NotPermitted(char),
    /// The sub-address is not a number.
    #[error("T33S takes 1 to 20 digits, as in T33S=4312")]
    BadSubaddress,
    /// More than one sub-address, which means more than one address.
    #[error("one T33S to an address; send to several addresses instead (RFC 3192 4.1)")]
    TwoSubaddresses,
    /// Something between slashes that is not KEY=value.
    #[error("{0:?} is not a qualifier; write KEY=value between slashes")]
    BadQualifier(String),
    /// More qualifiers than anyone needs.
    #[error("at most {MAX_QUALIFIERS} qualifiers to an address")]
    TooManyQualifiers,
    /// No fax and no name of the phone book is spelled so (RFC 6531 3.5).
    #[error("fax addresses are plain ASCII; write digits, or a name without accents")]
    OutsideAscii,
    /// An alias that cannot be one.
    #[error("{0:?} is neither a fax number nor a name of the phone book")]
    BadAlias(String),
}

impl AddressError {
    /// What the client is told.
    pub fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::ForeignDomain(_) | Self::NotPermitted(_) => (550, (7, 1)),
            Self::OutsideAscii => (553, (6, 7)),
            _ => (553, (1, 3)),
        };
        Reply::new(code, status, self.to_string())
    }
}

/// Reads an address. The local part may come with its quotes or without; an empty
/// domain is good for `postmaster` alone.
pub fn parse(local: &str, domain: &str, our_domain: &str) -> Result<Recipient, AddressError> {
    let local = unquoted(local);
    let postmaster = local.eq_ignore_ascii_case("postmaster");
    if postmaster && domain.is_empty() {
        return Ok(Recipient::Postmaster);
    }
    let foreign = || AddressError::ForeignDomain(our_domain.to_owned());
    let host = host_of(domain, our_domain).ok_or_else(foreign)?;
    if local.len() > MAX_LOCAL_BYTES {
        return Err(AddressError::BadAlias(local.chars().take(20).collect()));
    }
    if !local.is_ascii() {
        return Err(AddressError::OutsideAscii);
    }
    if !host.is_empty() {
        let named = looks_like_a_number(host) && !local.is_empty();
        return if named { number_as_host(&local, host) } else { Err(foreign()) };
    }
    if postmaster {
        return Ok(Recipient::Postmaster);
    }
    let lower = local.to_ascii_lowercase();
    if SERVICES.contains(&lower.as_str()) {
        return Ok(Recipient::Service(lower));
    }
    fax(&local, our_domain)
}

/// What stands before our domain: nothing, or the labels of a host in it.
fn host_of<'a>(domain: &'a str, our_domain: &str) -> Option<&'a str> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let head = domain.get(..domain.len().checked_sub(our_domain.len())?)?;
    if !domain[head.len()..].eq_ignore_ascii_case(our_domain) {
        return None;
    }
    match head {
        "" => Some(""),
        _ => head.strip_suffix('.').filter(|host| !host.is_empty()),
    }
}

fn number_as_host(local: &str, host: &str) -> Result<Recipient, AddressError> {
    let mut phone = number(host)?;
    phone.attention = Some(words(local));
    Ok(Recipient::Phone(phone))
}

fn fax(local: &str, our_domain: &str) -> Result<Recipient, AddressError> {
    // One slash on each side is tolerated (RFC 3191 4).
    let inside = local.strip_prefix('/').unwrap_or(local);
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    let separator = if inside.contains('^') && !inside.contains('/') { '^' } else { '/' };
    let mut items: Vec<&str> = inside.split(separator).collect();
    if items.len() > MAX_QUALIFIERS {
        return Err(AddressError::TooManyQualifiers);
    }
    let first = items.remove(number_at(&items));
    let empty = |_| AddressError::Empty(our_domain.to_owned());
    let digits = match first.split_once('=').or_else(|| bracketed(first)) {
        Some((selector, digits)) if selector.eq_ignore_ascii_case("FAX") => digits,
        Some((selector, _)) => {
            return Err(AddressError::UnknownSelector(selector.to_ascii_uppercase()));
        }
        None if first.is_empty() => return Err(empty(())),
        None if looks_like_a_number(first) => first,
        None if items.is_empty() => return alias(first),
        None => return Err(AddressError::BadAlias(inside.to_owned())),
    };
    if digits.is_empty() {
        return Err(empty(()));
    }
    let mut phone = number(digits)?;
    for item in items {
        qualify(&mut phone, item)?;
    }
    Ok(Recipient::Phone(phone))
}

/// The selector and the number of `[FAX:NUMBER]`, as groupware spells it in one-off addresses.
fn bracketed(item: &str) -> Option<(&str, &str)> {
    let inside = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(item);
    inside.split_once(':')
}

/// Where the number stands: in front, unless a name leads (`name=acme/FAX=..`).
fn number_at(items: &[&str]) -> usize {
    let has_key = |item: &str, key: &str| {
        item.split_once('=').is_some_and(|(name, _)| name.eq_ignore_ascii_case(key))
    };
    match has_key(items[0], "NAME") {
        true => items.iter().position(|item| has_key(item, "FAX")).unwrap_or(0),
        false => 0,
    }
}

/// Whether this is meant as a number, be it well formed or not. What starts with a
/// digit and holds a letter is an alias (`3com`).
fn looks_like_a_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    text.starts_with('+')
        || digits.starts_with(|c: char| c.is_ascii_digit() || c == '(' || c == ' ')
            && !digits.chars().any(|c| c.is_ascii_alphabetic())
}

/// Reads a phone number (RFC 3191 2.1, RFC 2846 2.1).
fn number(digits: &str) -> Result<Phone, AddressError> {
    let global = digits.starts_with('+');
    let body = if global { &digits[1..] } else { digits };
    let mut text = String::with_capacity(digits.len());
    for c in body.chars() {
        match c {
            '0'..='9' => text.push(c),
            '-' | '.' => {}
            'p' | 'w' | 'P' | 'W' | '#' | '*' | 'A'..='D' | 'a'..='d' if !global => {
                return Err(AddressError::NotPermitted(c));
            }
            _ => return Err(AddressError::BadCharacter(c)),
        }
    }
    let most = if global { MAX_GLOBAL_DIGITS } else { MAX_LOCAL_DIGITS };
    match text.len() {
        0 => return Err(AddressError::BadCharacter(digits.chars().next_back().unwrap_or('+'))),
        digits if digits > most => {
            return Err(AddressError::TooLong { what: "number", digits, most });
        }
        _ => {}
    }
    if global {
        text.insert(0, '+');
    }
    Ok(Phone { text, global, subaddress: None, attention: None, qualifiers: Vec::new() })
}

fn qualify(phone: &mut Phone, item: &str) -> Result<(), AddressError> {
    let (key, value) = item.split_once('=').unwrap_or((item, ""));
    let is_key = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let printable = value.chars().all(|c| matches!(c, ' '..='~'));
    if key.is_empty() || !key.bytes().all(is_key) || !printable {
        return Err(AddressError::BadQualifier(item.to_owned()));
    }
    let key = key.to_ascii_uppercase();
    match key.as_str() {
        "T33S" => subaddress(phone, value)?,
        "ATTN" | "TO" if !value.is_empty() => phone.attention = Some(words(value)),
        "FAX" => return Err(AddressError::BadQualifier(item.to_owned())),
        _ => {}
    }
    phone.qualifiers.push((key, value.to_owned()));
    Ok(())
}

/// The T.33 sub-address (RFC 3192 2): digits and nothing else.
fn subaddress(phone: &mut Phone, value: &str) -> Result<(), AddressError> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AddressError::BadSubaddress);
    }
    if value.len() > MAX_SUBADDRESS_DIGITS {
        let digits = value.len();
        let most = MAX_SUBADDRESS_DIGITS;
        return Err(AddressError::TooLong { what: "sub-address", digits, most });
    }
    match phone.subaddress.replace(value.to_owned()) {
        None => Ok(()),
        Some(_) => Err(AddressError::TwoSubaddresses),
    }
}

fn alias(text: &str) -> Result<Recipient, AddressError> {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match starts_well && text.chars().all(is_name) {
        true => Ok(Recipient::Alias(text.to_owned())),
        false => Err(AddressError::BadAlias(text.to_owned())),
    }
}

/// Underscores stand for the spaces that an address cannot hold.
fn words(text: &str) -> String {
    text.replace('_', " ").trim().to_owned()
}

/// The text of a quoted local part (RFC 5321 4.1.2); any other comes back as it is.
fn unquoted(local: &str) -> String {
    let inside = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else { return local.to_owned() };
    let mut text = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{self, Command};
    use proptest::prelude::*;

    const OURS: &str = "fax.example.com";

    fn phone(local: &str) -> Phone {
        match parse(local, OURS, OURS) {
            Ok(Recipient::Phone(phone)) => phone,
            other => panic!("{local}: {other:?}"),
        }
    }

    #[test]
    fn numbers_in_every_spelling() {
        for (local, text, global) in [
            ("+442079460100", "+442079460100", true),
            ("02079460100", "02079460100", false),
            ("020-7946.0100", "02079460100", false),
            ("FAX=+390408565", "+390408565", true),
            ("fax=+1-212-555-0100/T33S=4312", "+12125550100", true),
            ("/FAX=+44.1633.960348/", "+441633960348", true),
            ("\"FAX=+44-20-7946-0100\"", "+442079460100", true),
            ("FAX=02079460100", "02079460100", false),
            ("name=acme/FAX=+4420", "+4420", true),
        ] {
            let phone = phone(local);
            assert_eq!((phone.text.as_str(), phone.global), (text, global), "{local}");
        }
    }

    /// Every form of RFC 3191, 3192, 2846 and of other gateways that can be told apart:
    /// the address as a client writes it, its number, sub-address, attention, and the
    /// keys of its qualifiers.
    #[test]
    fn every_form_that_is_in_use() {
        for (written, text, subaddress, attention, keys) in [
            ("FAX=+390408565@fax.example.com", "+390408565", "", "", ""),
            ("fax=+1-212-555-0100/T33S=4312@fax.example.com", "+12125550100", "4312", "", "T33S"),
            ("/FAX=+44.1633.960348/@fax.example.com", "+441633960348", "", "", ""),
            ("\"/FAX=+44.1633.960348/\"@fax.example.com", "+441633960348", "", "", ""),
            (
                "FAX=+3901/ATTN=mario.r.rossi/ORG=ACME_Spa@fax.example.com",
                "+3901",
                "",
                "mario.r.rossi",
                "ATTN ORG",
            ),
            ("FAX=02079460100@fax.example.com", "02079460100", "", "", ""),
            ("FAX=+3901/POSTD=w12/ISUB=1234@fax.example.com", "+3901", "", "", "POSTD ISUB"),
            (
                "FAX=+3901/OFNO=1/OFNA=a/STR=b/ADDR=c/ADDU=d/ADDL=e/POB=f/ZIP=g/CO=h@fax.example.com",
                "+3901",
                "",
                "",
                "OFNO OFNA STR ADDR ADDU ADDL POB ZIP CO",
            ),
            ("+442079460100@fax.example.com", "+442079460100", "", "", ""),
            ("442079460100@FAX.Example.COM", "442079460100", "", "", ""),
            ("\"+44-20-7946-0100\"@fax.example.com", "+442079460100", "", "", ""),
            ("name=company/FAX=+4420@fax.example.com", "+4420", "", "", "NAME"),
            (
                "FAX=+4420/T33S=387/FAX-PRIORITY=high/COVER-PAGE-ENABLED=no/INLINE-COMMENTS=a@fax.example.com",
                "+4420",
                "387",
                "",
                "T33S FAX-PRIORITY COVER-PAGE-ENABLED INLINE-COMMENTS",
            ),
            (
                "020794601/to=A_B/fr=C/co=D/cp=off@fax.example.com",
                "020794601",
                "",
                "A B",
                "TO FR CO CP",
            ),
            (
                "020794601^NOCOVER^RETRIES=3^BILLING=x@fax.example.com",
                "020794601",
                "",
                "",
                "NOCOVER RETRIES BILLING",
            ),
            ("anna.adams@442079460100.fax.example.com", "442079460100", "", "anna.adams", ""),
            ("anna_adams@+442079460100.fax.example.com", "+442079460100", "", "anna adams", ""),
            (
                "\"anna adams\"@44-20-79460100.fax.example.com.",
                "442079460100",
                "",
                "anna adams",
                "",
            ),
            ("\"[FAX:+44-20-7946-0100]\"@fax.example.com", "+442079460100", "", "", ""),
            ("\"fax:02079460100\"@fax.example.com", "02079460100", "", "", ""),
            ("@relay.example,@gw.example:FAX=+4420@fax.example.com", "+4420", "", "", ""),
        ] {
            // As it stands in RCPT, so that the grammar of paths takes it too.
            let line = format!("RCPT TO:<{written}>");
            let Ok(Command::Rcpt(rcpt)) = command::parse(line.as_bytes()) else {
                panic!("{line} is a path")
            };
            let read = parse(rcpt.mailbox.local(), rcpt.mailbox.domain(), OURS);
            let Ok(Recipient::Phone(phone)) = read else { panic!("{written}: {read:?}") };
            assert_eq!(phone.text, text, "{written}");
            assert_eq!(phone.global, text.starts_with('+'), "{written}");
            assert_eq!(phone.subaddress.as_deref().unwrap_or_default(), subaddress, "{written}");
            assert_eq!(phone.attention.as_deref().unwrap_or_default(), attention, "{written}");
            let read: Vec<&str> = phone.qualifiers.iter().map(|(key, _)| key.as_str()).collect();
            assert_eq!(read.join(" "), keys, "{written}");
        }
        // A domain of its own for faxes, as HylaFAX has it.
        let Ok(Recipient::Phone(phone)) = parse("anna", "442079460100.fax", "fax") else {
            panic!("user@NUMBER.fax")
        };
        assert_eq!(
            (phone.text.as_str(), phone.attention.as_deref()),
            ("442079460100", Some("anna"))
        );
    }

    #[test]
    fn qualifiers_are_kept_and_understood() {
        let read = phone("FAX=+3901/ATTN=mario.r.rossi/org=ACME_Spa/T33S=4312/POSTD=w12");
        assert_eq!(read.subaddress.as_deref(), Some("4312"));
        assert_eq!(read.attention.as_deref(), Some("mario.r.rossi"));
        let keys: Vec<&str> = read.qualifiers.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["ATTN", "ORG", "T33S", "POSTD"]);
        assert_eq!(read.qualifiers[1].1, "ACME_Spa");

        let wild = phone("02079460100/to=A_B/fr=C/cp=off");
        assert_eq!(wild.attention.as_deref(), Some("A B"));
        assert!(wild.qualifiers.contains(&("CP".into(), "off".into())));

        let caret = phone("02079460100^NOCOVER^RETRIES=3^BILLING=x");
        let expected = [("NOCOVER", ""), ("RETRIES", "3"), ("BILLING", "x")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(caret.qualifiers, expected);
        assert_eq!(phone("name=acme/FAX=+4420").qualifiers, [("NAME".into(), "acme".into())]);
    }

    #[test]
    fn the_number_as_a_host() {
        for host in ["442079460100.fax.example.com", "44-20-79460100.FAX.Example.com."] {
            match parse("anna_b", host, OURS) {
                Ok(Recipient::Phone(phone)) => {
                    assert_eq!(phone.text, "442079460100");
                    assert_eq!(phone.attention.as_deref(), Some("anna b"));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn names() {
        for (local, expected) in [
            ("acme", Recipient::Alias("acme".into())),
            ("3com", Recipient::Alias("3com".into())),
            ("Board.Of_Directors-1", Recipient::Alias("Board.Of_Directors-1".into())),
            ("Settings", Recipient::Service("settings".into())),
            ("help", Recipient::Service("help".into())),
            ("POSTMASTER", Recipient::Postmaster),
            ("\"acme\"", Recipient::Alias("acme".into())),
        ] {
            assert_eq!(parse(local, "FAX.example.COM", OURS), Ok(expected));
        }
        assert_eq!(parse("Postmaster", "", OURS), Ok(Recipient::Postmaster));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        for (local, code, word) in [
            ("FAX=", 553, "names no fax number"),
            ("/FAX=/", 553, "names no fax number"),
            ("", 553, "names no fax number"),
            ("/", 553, "names no fax number"),
            ("+", 553, "no place"),
            ("FAX=--", 553, "no place"),
            ("VOICE=+3901", 553, "write FAX="),
            ("[VOICE:+3901]", 553, "write FAX="),
            ("[FAX:]", 553, "names no fax number"),
            ("m\u{fc}ller", 553, "plain ASCII"),
            ("\u{ff14}\u{ff14}", 553, "plain ASCII"),
            ("\"FAX=+1 (212) 555\"", 553, "' ' has no place"),
            ("fax=+39-040/t33s=12#3", 553, "T33S takes"),
            ("fax=+39040/t33s=", 553, "T33S takes"),
            ("fax=+39040/t33s=1/T33S=2", 553, "one T33S"),
            ("fax=+39040/t33s=123456789012345678901", 553, "sub-address has 21"),
            ("FAX=9p040p2263/t33s=12", 550, "not permitted"),
            ("fax=*67", 550, "not permitted"),
            ("+1234567890123456", 553, "16 digits"),
            ("123456789012345678901", 553, "21 digits"),
            ("+44x", 553, "'x' has no place"),
            ("0207;46", 553, "';' has no place"),
            ("+44//x=1", 553, "is not a qualifier"),
            ("acme/cp=off", 553, "neither"),
            ("anna+tag", 553, "neither"),
            ("-x", 553, "neither"),
        ] {
            let error = parse(local, OURS, OURS).unwrap_err();
            assert!(error.to_string().contains(word), "{local}: {error}");
            assert_eq!(error.reply().code(), code, "{local}: {error}");
        }
    }

    #[test]
    fn other_domains_are_not_ours() {
        for domain in [
            "example.com",
            "fax.example.com.evil.example",
            "xfax.example.com",
            "anna.fax.example.com",
            "",
            "[192.0.2.1]",
            ".fax.example.com",
        ] {
            let refused = parse("+4420", domain, OURS).unwrap_err();
            assert_eq!(refused, AddressError::ForeignDomain(OURS.into()), "{domain}");
        }
        let list = "x=1/".repeat(40);
        let refused = parse(&format!("+44/{list}"), OURS, OURS);
        assert_eq!(refused, Err(AddressError::TooManyQualifiers));
    }

    proptest! {
        #[test]
        fn a_phone_holds_digits_only(local in "(FAX=|/|\"|name=x/)?[+]?[0-9a-dpw.() ^=/-]{0,24}") {
            if let Ok(Recipient::Phone(phone)) = parse(&local, OURS, OURS) {
                let digits = phone.text.strip_prefix('+').unwrap_or(&phone.text);
                prop_assert_eq!(phone.global, phone.text.starts_with('+'));
                prop_assert!(!digits.is_empty() && digits.len() <= MAX_LOCAL_DIGITS);
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(local in any::<String>(), domain in any::<String>()) {
            let _ = parse(&local, &domain, OURS);
            let _ = parse(&local, &format!("{domain}.{OURS}"), OURS);
            if let Err(error) = parse(&local, OURS, OURS) {
                prop_assert!(error.reply().wire().len() <= 512);
            }
        }
    }
}
