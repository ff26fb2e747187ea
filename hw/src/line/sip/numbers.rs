//! Numbers in SIP: which was called, and who calls.

use rsipstack::sip::{HeadersExt as _, Request};

use super::options::CalledFrom;

/// The longest number or name that is believed.
const MAX_TEXT: usize = 64;

/// The number that was called, as it is written there.
pub(super) fn called(request: &Request, from: CalledFrom) -> Option<String> {
    // The stack takes parameters of the user for those of the address: so it is read here.
    let of_uri = || Some(address(&format!("<{}>", request.uri))?.1);
    let of_field = |name| request.header_value(name).and_then(|value| Some(address(&value)?.1));
    match from {
        CalledFrom::RequestUri => of_uri(),
        CalledFrom::To => of_field("To").or_else(of_uri),
        CalledFrom::PCalledPartyId => of_field("P-Called-Party-ID").or_else(of_uri),
        CalledFrom::Diversion => of_field("Diversion").or_else(of_uri),
    }
}

/// Number and name of the caller. The trunk's own word goes before the caller's.
pub(super) fn caller(request: &Request) -> (Option<String>, Option<String>) {
    let asserted = request.header_value("P-Asserted-Identity");
    let asserted = asserted.and_then(|value| address(&value));
    let from = request.header_value("From").and_then(|value| address(&value));
    let (name, number) = match (asserted, from) {
        (Some((name, number)), from) => (name.or(from.and_then(|from| from.0)), Some(number)),
        (None, Some((name, number))) => (name, Some(number)),
        (None, None) => (None, None),
    };
    // RFC 3323 4.1: who hides is called that.
    let hidden = |text: &String| !text.eq_ignore_ascii_case("anonymous");
    (number.filter(hidden), name.filter(hidden))
}

/// Whether a number that was called is the one that an administrator wrote down: only
/// digits count, and the ways to say "international" are one.
pub(super) fn same(a: &str, b: &str) -> bool {
    let digits = |text: &str| {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        digits.strip_prefix("00").map(ToOwned::to_owned).unwrap_or(digits)
    };
    a == b || (!digits(a).is_empty() && digits(a) == digits(b))
}

/// Name and user of `"Name" <sip:user@host>;tag=x` or `tel:+44...` (RFC 3261 20.10).
fn address(value: &str) -> Option<(Option<String>, String)> {
    let (name, uri) = match value.split_once('<') {
        Some((name, rest)) => (name.trim(), rest.split('>').next()?),
        None => ("", value.split(';').next()?),
    };
    let (scheme, rest) = uri.trim().split_once(':')?;
    let user = match scheme.to_ascii_lowercase().as_str() {
        "tel" => rest,
        "sip" | "sips" => rest.split_once('@')?.0,
        _ => return None,
    };
    let name = clean(name.trim_matches('"'));
    Some(((!name.is_empty()).then_some(name), user_part(user)?))
}

/// A user without its parameters and without escapes.
fn user_part(user: &str) -> Option<String> {
    let user = clean(&unescaped(user.split([';', ':']).next()?));
    (!user.is_empty()).then_some(user)
}

fn unescaped(text: &str) -> String {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = (first == b'%').then(|| tail.get(..2)).flatten();
        let escape = escape.and_then(|two| std::str::from_utf8(two).ok());
        match escape.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &tail[2..];
            }
            None => {
                octets.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    fn request(fields: &str) -> Request {
        let text = format!(
            "INVITE sip:%2B39040;npdi@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
             Call-ID: 1\r\nCSeq: 1 INVITE\r\n{fields}Content-Length: 0\r\n\r\n"
        );
        Request::try_from(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_called_number_is_where_the_trunk_puts_it() {
        let request = request(
            "From: <sip:1@x>;tag=1\r\nTo: \"Fax\" <sip:200;x=y@x;user=phone>\r\n\
             P-Called-Party-ID: <sip:300@x>\r\nDiversion: <tel:+44400>;reason=unconditional\r\n",
        );
        for (from, number) in [
            (CalledFrom::RequestUri, "+39040"),
            (CalledFrom::To, "200"),
            (CalledFrom::PCalledPartyId, "300"),
            (CalledFrom::Diversion, "+44400"),
        ] {
            assert_eq!(called(&request, from).as_deref(), Some(number), "{from:?}");
        }
    }

    #[test]
    fn the_trunk_says_who_calls() {
        let some = |text: &str| Some(text.to_owned());
        for (fields, number, name) in [
            (
                "From: \"ACME, Inc\" <sip:+44100@x>;tag=1\r\nTo: <sip:2@x>\r\n",
                some("+44100"),
                some("ACME, Inc"),
            ),
            (
                "From: \"x\" <sip:anonymous@x>;tag=1\r\nTo: <sip:2@x>\r\n\
                 P-Asserted-Identity: <tel:+44200>\r\n",
                some("+44200"),
                some("x"),
            ),
            (
                "From: Anonymous <sip:anonymous@anonymous.invalid>;tag=1\r\nTo: <sip:2@x>\r\n",
                None,
                None,
            ),
            ("From: sip:44300@x;tag=1\r\nTo: <sip:2@x>\r\n", some("44300"), None),
            ("From: <sip:x>;tag=1\r\nTo: <sip:2@x>\r\n", None, None),
        ] {
            assert_eq!(caller(&request(fields)), (number, name), "{fields}");
        }
    }

    #[test]
    fn one_number_is_written_in_many_ways() {
        for (a, b, alike) in [
            ("+39040123", "0039040123", true),
            ("+39040123", "39040123", true),
            ("+39 040 123", "39040123", true),
            ("040123", "39040123", false),
            ("fax", "fax", true),
            ("fax", "mail", false),
        ] {
            assert_eq!(same(a, b), alike, "{a} {b}");
        }
    }
}
