//! Forward and reverse paths (RFC 5321 4.1.2), read by hand because nothing of
//! a recipient's spelling may get lost: it is named again in receipts.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest domain in octets (RFC 5321 4.5.3.1.2).
const MAX_DOMAIN_BYTES: usize = 255;

/// A mail address that keeps its exact spelling. Two spellings of one address
/// are equal: quotes that are not needed and the case of the domain do not count.
#[derive(Debug, Clone)]
pub struct Mailbox {
    local: String,
    domain: String,
    written: String,
}

impl Mailbox {
    /// The local part without quotes and escapes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain or the address literal with its brackets; empty for a bare `postmaster`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The address exactly as the client wrote it.
    pub fn as_written(&self) -> &str {
        &self.written
    }
}

impl PartialEq for Mailbox {
    fn eq(&self, other: &Self) -> bool {
        self.local == other.local && self.domain.eq_ignore_ascii_case(&other.domain)
    }
}

impl Eq for Mailbox {}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl std::str::FromStr for Mailbox {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match mailbox(text)? {
            (mailbox, "") => Ok(mailbox),
            _ => Err("something follows the address"),
        }
    }
}

/// Reads a path and gives what follows it. No mailbox means the null path `<>`.
pub(super) fn path(text: &str) -> Result<(Option<Mailbox>, &str), &'static str> {
    let Some(inside) = text.strip_prefix('<') else {
        let (mailbox, rest) = mailbox(text)?;
        return Ok((Some(mailbox), rest));
    };
    if let Some(rest) = inside.strip_prefix('>') {
        return Ok((None, rest));
    }
    let (mailbox, rest) = mailbox(after_source_route(inside)?)?;
    match rest.strip_prefix('>') {
        Some(rest) => Ok((Some(mailbox), rest)),
        None => Err("a > is missing"),
    }
}

/// Source routes are accepted and ignored (RFC 5321 4.1.1.3, appendix C).
fn after_source_route(text: &str) -> Result<&str, &'static str> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    let (route, address) = text.split_once(':').ok_or("the source route has no end")?;
    for hop in route.split(',') {
        let name = hop.strip_prefix('@').ok_or("malformed source route")?;
        if domain_end(name)? != name.len() {
            return Err("malformed source route");
        }
    }
    Ok(address)
}

fn mailbox(text: &str) -> Result<(Mailbox, &str), &'static str> {
    let (local, length) = match text.starts_with('"') {
        true => quoted_string(text)?,
        false => dot_string(text)?,
    };
    let Some(after) = text[length..].strip_prefix('@') else {
        return postmaster(&local, text, length);
    };
    let end = domain_end(after)?;
    let written = &text[..length + 1 + end];
    let mailbox = Mailbox { local, domain: after[..end].to_owned(), written: written.to_owned() };
    Ok((mailbox, &after[end..]))
}

/// The one address that needs no domain (RFC 5321 4.5.1).
fn postmaster<'a>(
    local: &str,
    text: &'a str,
    length: usize,
) -> Result<(Mailbox, &'a str), &'static str> {
    if !local.eq_ignore_ascii_case("postmaster") {
        return Err("no @ where one is needed");
    }
    let written = text[..length].to_owned();
    let mailbox = Mailbox { local: local.to_owned(), domain: String::new(), written };
    Ok((mailbox, &text[length..]))
}

fn quoted_string(text: &str) -> Result<(String, usize), &'static str> {
    let mut local = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '"' if local.is_empty() => return Err("the local part is empty"),
            '"' => return Ok((local, index + 1)),
            '\\' => match chars.next() {
                Some((_, escaped @ ' '..='~')) => local.push(escaped),
                _ => return Err("a backslash escapes nothing"),
            },
            c if c.is_control() => return Err("control character in the local part"),
            c => local.push(c),
        }
    }
    Err("the quotes are not closed")
}

fn dot_string(text: &str) -> Result<(String, usize), &'static str> {
    // Characters outside ASCII stand for themselves (RFC 6531 3.3).
    let is_local = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c),
        false => !c.is_control() && !c.is_whitespace(),
    };
    let end = text.find(|c| !is_local(c)).unwrap_or(text.len());
    let local = &text[..end];
    if local.is_empty() {
        return Err("the local part is empty");
    }
    if local.split('.').any(str::is_empty) {
        return Err("a dot at an end or beside a dot needs quotes");
    }
    if !matches!(text.as_bytes().get(end), None | Some(b'@' | b'>' | b' ')) {
        return Err("this character needs quotes around the local part");
    }
    Ok((local.to_owned(), end))
}

/// Where the domain ends. Underscores occur in real names; a leading "+" occurs
/// where the number is the host (`anna@+442079460100.fax.example`).
fn domain_end(text: &str) -> Result<usize, &'static str> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or("the address literal has no end")? + 1;
        return address_literal(&text[1..end - 1]).then_some(end).ok_or("bad address literal");
    }
    let is_name = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "-_.".contains(c),
        false => !c.is_control() && !c.is_whitespace(),
    };
    let plus = usize::from(text.starts_with('+'));
    let end = text[plus..].find(|c| !is_name(c)).map_or(text.len(), |at| at + plus);
    let name = text[plus..end].strip_suffix('.').unwrap_or(&text[plus..end]);
    if end > MAX_DOMAIN_BYTES {
        return Err("the domain is too long");
    }
    let bad = |label: &str| label.is_empty() || label.starts_with('-') || label.ends_with('-');
    match name.split('.').any(bad) {
        true => Err("malformed domain"),
        false => Ok(end),
    }
}

fn address_literal(inside: &str) -> bool {
    match inside.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inside[5..].parse::<Ipv6Addr>().is_ok(),
        _ => inside.parse::<Ipv4Addr>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_read() {
        // text, local, domain, as written, rest
        for (text, local, domain, written, rest) in [
            ("<a@b.example>", "a", "b.example", "a@b.example", ""),
            ("a@b.example", "a", "b.example", "a@b.example", ""),
            ("a@b.example SIZE=1", "a", "b.example", "a@b.example", " SIZE=1"),
            ("<@x.example,@y.example:a@b>", "a", "b", "a@b", ""),
            ("<\"fax@home\"@b>", "fax@home", "b", "\"fax@home\"@b", ""),
            ("<\"a \\\"b\\\" >c\"@b> X", "a \"b\" >c", "b", "\"a \\\"b\\\" >c\"@b", " X"),
            ("<a@[192.0.2.1]>", "a", "[192.0.2.1]", "a@[192.0.2.1]", ""),
            ("<a@[IPv6:2001:db8::1]>", "a", "[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]", ""),
            ("<PostMaster>", "PostMaster", "", "PostMaster", ""),
            (
                "<FAX=+44-20/T33S=12@B.Example>",
                "FAX=+44-20/T33S=12",
                "B.Example",
                "FAX=+44-20/T33S=12@B.Example",
                "",
            ),
            ("<anna@+44.fax.example>", "anna", "+44.fax.example", "anna@+44.fax.example", ""),
            ("<root@my_host>", "root", "my_host", "root@my_host", ""),
            ("<m\u{fc}@b\u{fc}.x> Y", "m\u{fc}", "b\u{fc}.x", "m\u{fc}@b\u{fc}.x", " Y"),
            ("<\"m \u{fc}\"@b>", "m \u{fc}", "b", "\"m \u{fc}\"@b", ""),
        ] {
            let (mailbox, after) = path(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            let mailbox = mailbox.unwrap();
            assert_eq!((mailbox.local(), mailbox.domain()), (local, domain), "{text}");
            assert_eq!((mailbox.as_written(), after), (written, rest), "{text}");
        }
        assert_eq!(path("<> X"), Ok((None, " X")));
    }

    #[test]
    fn paths_that_are_not() {
        for text in [
            "",
            "<",
            "<a",
            "<a@",
            "<a@>",
            "<@b>",
            "<a@b",
            "a",
            "<a b@c>",
            "<a..b@c>",
            "<.a@c>",
            "<a.@c>",
            "<\"a@c>",
            "<\"\"@c>",
            "<a@b..c>",
            "<a@-b>",
            "<a@[1.2.3]>",
            "<a@[foo:x]>",
            "<@x:a",
            "<@x a@b>",
            "<(a)@b>",
            "<a,b@c>",
            "<a@b@c>",
            "<a\u{a0}b@c>",
            "<a\u{85}@c>",
            "<\"\u{85}\"@c>",
            "<a@\u{2028}>",
        ] {
            let read = path(text);
            assert!(read.is_err(), "{text}: {read:?}");
        }
    }

    #[test]
    fn spellings_of_one_address_are_equal() {
        let quoted: Mailbox = "\"anna\"@FAX.example".parse().unwrap();
        let plain: Mailbox = "anna@fax.example".parse().unwrap();
        assert_eq!(quoted, plain);
        assert_eq!(quoted.to_string(), "\"anna\"@FAX.example");
    }
}
