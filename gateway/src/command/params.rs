//! The arguments of MAIL and RCPT with their ESMTP parameters: SIZE (RFC 1870),
//! BODY (RFC 6152), AUTH (RFC 4954 5), RET, ENVID, NOTIFY and ORCPT (RFC 3461 4).

use super::{CommandError, Mailbox, path::path, xtext};

/// Longest ENVID in octets as decoded (RFC 3461 4.4).
const MAX_ENVID_BYTES: usize = 100;
/// Longest ORCPT in octets as written (RFC 3461 4.2).
const MAX_ORCPT_BYTES: usize = 500;

/// What MAIL FROM said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    /// The reverse path; none is the null path `<>`, to which nothing is ever mailed.
    pub from: Option<Mailbox>,
    /// The size that the client announced, in octets.
    pub size: Option<u64>,
    /// The kind of body that the client announced.
    pub body: Body,
    /// How much of the mail a failure report is to give back.
    pub ret: Option<Ret>,
    /// The client's name for this mail, decoded.
    pub envid: Option<String>,
    /// Whether addresses and headers may be UTF-8 (RFC 6531 3.4).
    pub smtputf8: bool,
    /// When it is to go out, if not at once.
    pub release: Option<Release>,
    /// By when it is to be there.
    pub deliver_by: Option<DeliverBy>,
    /// MT-PRIORITY: -9 to 9, 0 is ordinary (RFC 6710 4.1).
    pub priority: Option<i8>,
}

/// FUTURERELEASE (RFC 4865 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// After this many seconds.
    For(u32),
    /// At this moment.
    Until(jiff::Timestamp),
}

/// DELIVERBY (RFC 2852 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// The seconds from now; may be negative on a mail that was late before it came.
    pub seconds: i64,
    /// Whether it is to be given back when the time is over (R), instead of only
    /// reported (N).
    pub give_back: bool,
    /// Whether each hop is to be reported.
    pub trace: bool,
}

/// What RCPT TO said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// The recipient in its exact spelling.
    pub mailbox: Mailbox,
    /// When reports are wanted; none leaves it to the server.
    pub notify: Option<Notify>,
    /// The recipient as the sender first wrote it.
    pub orcpt: Option<OriginalRecipient>,
}

/// The kind of body (RFC 6152 2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing was said, or 7BIT.
    #[default]
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
}

/// How much a failure report gives back (RFC 3461 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ret {
    /// The whole mail.
    Full,
    /// Its headers.
    Headers,
}

/// When reports are wanted (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notify {
    /// Never.
    Never,
    /// On these events; at least one of them.
    On {
        /// Once it is sent.
        success: bool,
        /// If it fails for good.
        failure: bool,
        /// If it takes long.
        delay: bool,
    },
}

/// ORCPT (RFC 3461 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginalRecipient {
    /// The kind of address, such as `rfc822`.
    pub kind: String,
    /// The address, decoded.
    pub address: String,
}

pub(super) fn mail(rest: &str) -> Result<Mail, CommandError> {
    const USAGE: CommandError = CommandError::Usage("MAIL FROM:<address> [parameters]");
    let argument = after_word(rest, "FROM:").ok_or(USAGE)?;
    let (from, rest) = path(argument).map_err(CommandError::BadSender)?;
    let mut mail = Mail { from, ..Mail::default() };
    for (key, value) in parameters(rest).map_err(CommandError::BadSender)? {
        let bad = |why| CommandError::BadParameter(key.clone(), why);
        match key.as_str() {
            "SIZE" => mail.size = Some(size(value).ok_or(bad("give the octets, as SIZE=1234"))?),
            "BODY" => mail.body = body(value).ok_or(bad("give 7BIT or 8BITMIME"))?,
            "RET" => mail.ret = Some(ret(value).ok_or(bad("give FULL or HDRS"))?),
            "ENVID" => mail.envid = Some(envid(value).ok_or(bad("at most 100 octets of xtext"))?),
            // Nobody's word for who sent it counts here (RFC 4954 5).
            "AUTH" if value == "<>" || xtext::decode(value).is_some_and(|v| !v.is_empty()) => {}
            "AUTH" => return Err(bad("give <> or an xtext")),
            _ => return Err(CommandError::UnknownParameter(key)),
        }
    }
    Ok(mail)
}

pub(super) fn rcpt(rest: &str) -> Result<Rcpt, CommandError> {
    const USAGE: CommandError = CommandError::Usage("RCPT TO:<address> [parameters]");
    let argument = after_word(rest, "TO:").ok_or(USAGE)?;
    let (mailbox, rest) = path(argument).map_err(CommandError::BadRecipient)?;
    let mailbox = mailbox.ok_or(CommandError::BadRecipient("it is empty"))?;
    let mut rcpt = Rcpt { mailbox, notify: None, orcpt: None };
    for (key, value) in parameters(rest).map_err(CommandError::BadRecipient)? {
        let bad = |why| CommandError::BadParameter(key.clone(), why);
        match key.as_str() {
            "NOTIFY" => {
                let hint = "give NEVER, or some of SUCCESS,FAILURE,DELAY";
                rcpt.notify = Some(notify(value).ok_or(bad(hint))?);
            }
            "ORCPT" => {
                rcpt.orcpt = Some(orcpt(value).ok_or(bad("give rfc822; and an xtext"))?);
            }
            _ => return Err(CommandError::UnknownParameter(key)),
        }
    }
    Ok(rcpt)
}

/// What follows `FROM:` or `TO:`, with the one space that many devices put there.
fn after_word<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let head = rest.get(..word.len())?;
    let tail = rest[word.len()..].strip_prefix(' ').unwrap_or(&rest[word.len()..]);
    (head.eq_ignore_ascii_case(word) && !tail.is_empty() && !tail.starts_with(' ')).then_some(tail)
}

/// Splits `SP keyword[=value]` (RFC 5321 4.1.2) and refuses keywords given twice.
fn parameters(rest: &str) -> Result<Vec<(String, &str)>, &'static str> {
    let mut found: Vec<(String, &str)> = Vec::new();
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err("something follows the address");
    }
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let is_key = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if key.is_empty() || key.starts_with('-') || !key.bytes().all(is_key) {
            return Err("malformed parameter");
        }
        let key = key.to_ascii_uppercase();
        if found.iter().any(|(known, _)| *known == key) {
            return Err("a parameter is given twice");
        }
        found.push((key, value));
    }
    Ok(found)
}

fn size(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    // Twenty digits may be more than fits: then it is too large for anyone.
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

fn body(value: &str) -> Option<Body> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Some(Body::SevenBit),
        "8BITMIME" => Some(Body::EightBitMime),
        _ => None,
    }
}

fn ret(value: &str) -> Option<Ret> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Some(Ret::Full),
        "HDRS" => Some(Ret::Headers),
        _ => None,
    }
}

fn envid(value: &str) -> Option<String> {
    xtext::decode(value).filter(|text| (1..=MAX_ENVID_BYTES).contains(&text.len()))
}

fn notify(value: &str) -> Option<Notify> {
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(Notify::Never);
    }
    let (mut success, mut failure, mut delay) = (false, false, false);
    for word in value.split(',') {
        let flag = match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => &mut success,
            "FAILURE" => &mut failure,
            "DELAY" => &mut delay,
            _ => return None,
        };
        if std::mem::replace(flag, true) {
            return None;
        }
    }
    Some(Notify::On { success, failure, delay })
}

fn orcpt(value: &str) -> Option<OriginalRecipient> {
    let (kind, xtext) = value.split_once(';')?;
    let is_atom = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if value.len() > MAX_ORCPT_BYTES || kind.is_empty() || !kind.bytes().all(is_atom) {
        return None;
    }
    let address = xtext::decode(xtext).filter(|address| !address.is_empty())?;
    Some(OriginalRecipient { kind: kind.to_owned(), address })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_with_everything() {
        let read =
            mail("FROM:<anna@x.example> SIZE=12345 BODY=8bitmime RET=hdrs ENVID=a+20b AUTH=<>")
                .unwrap();
        assert_eq!(read.from.as_ref().map(Mailbox::as_written), Some("anna@x.example"));
        assert_eq!(read.size, Some(12345));
        assert_eq!(read.body, Body::EightBitMime);
        assert_eq!(read.ret, Some(Ret::Headers));
        assert_eq!(read.envid.as_deref(), Some("a b"));
        assert_eq!(mail("from:<>").unwrap().from, None);
    }

    #[test]
    fn rcpt_with_everything() {
        let read =
            rcpt("TO:<+44@x.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;FAX+3D+2B44@x.example")
                .unwrap();
        assert_eq!(read.notify, Some(Notify::On { success: true, failure: false, delay: true }));
        let orcpt = read.orcpt.unwrap();
        assert_eq!((orcpt.kind.as_str(), orcpt.address.as_str()), ("rfc822", "FAX=+44@x.example"));
    }

    #[test]
    fn printers_are_forgiven() {
        assert!(mail("FROM: <a@b>").is_ok());
        assert!(mail("FROM:a@b").is_ok());
        assert!(mail("FROM: a@b SIZE=3").is_ok());
        assert!(rcpt("TO: <postmaster>").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, code) in [
            ("FROM", 501),
            ("FROM:", 501),
            ("FROM:  <a@b>", 501),
            ("TO:<a@b>", 501),
            ("FROM:<a@b>SIZE=3", 501),
            ("FROM:<a@b> SIZE=3 size=4", 501),
            ("FROM:<a@b> SIZE=", 501),
            ("FROM:<a@b> SIZE=12x", 501),
            ("FROM:<a@b> BODY=BINARYMIME", 501),
            ("FROM:<a@b> ENVID=a+0D", 501),
            ("FROM:<a@b> =x", 501),
            ("FROM:<a@b> SMTPUTF8", 555),
            ("FROM:<a@b> X-ODD=1", 555),
        ] {
            let error = mail(line).unwrap_err();
            assert_eq!(error.reply().code(), code, "{line}: {error}");
        }
        for line in [
            "TO:<>",
            "TO:<a@b> NOTIFY=NEVER,DELAY",
            "TO:<a@b> NOTIFY=DELAY,DELAY",
            "TO:<a@b> NOTIFY=",
            "TO:<a@b> ORCPT=a@b",
            "TO:<a@b> ORCPT=rfc822;a=b",
        ] {
            assert_eq!(rcpt(line).unwrap_err().reply().code(), 501, "{line}");
        }
    }
}
