//! The arguments of MAIL and RCPT with their ESMTP parameters: SIZE (RFC 1870),
//! BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), AUTH (RFC 4954 5), RET, ENVID,
//! NOTIFY and ORCPT (RFC 3461 4), HOLDFOR and HOLDUNTIL (RFC 4865), BY (RFC 2852),
//! MT-PRIORITY (RFC 6710). Knows what can be written, not what is offered or allowed.

pub use super::times::{DeliverBy, Release};
use super::{CommandError, Mailbox, path::path, times, xtext};
use crate::desk::Welcome;

/// Longest ENVID in octets as decoded (RFC 3461 4.4).
const MAX_ENVID_BYTES: usize = 100;
/// Longest ORCPT in octets as written (RFC 3461 4.2).
const MAX_ORCPT_BYTES: usize = 500;
/// How much of a malformed keyword is repeated to the client, in characters.
const MAX_KEY_CHARS: usize = 40;
/// The highest and, negated, the lowest priority (RFC 6710 4.1).
const MAX_PRIORITY: i8 = 9;

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

/// What RCPT TO said, and what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// The recipient in its exact spelling.
    pub mailbox: Mailbox,
    /// When reports are wanted; none leaves it to the server.
    pub notify: Option<Notify>,
    /// The recipient as the sender first wrote it.
    pub orcpt: Option<OriginalRecipient>,
    /// What the desk said to it; as by default before it was asked.
    pub welcome: Welcome,
}

impl Rcpt {
    /// Whether it can be said only in a mail with SMTPUTF8 (RFC 6531 3.3, RFC 6533 3).
    pub fn is_utf8(&self) -> bool {
        !self.mailbox.as_written().is_ascii()
            || self.orcpt.as_ref().is_some_and(|original| original.needs_utf8)
    }
}

/// The kind of body (RFC 6152 2, RFC 3030 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Body {
    /// Nothing was said, or 7BIT.
    #[default]
    SevenBit,
    /// 8BITMIME.
    EightBitMime,
    /// BINARYMIME: any octets, which come in chunks only.
    BinaryMime,
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
    /// The kind of address, such as `rfc822` or `utf-8`.
    pub kind: String,
    /// The address, decoded.
    pub address: String,
    /// Whether the client spelled it with characters outside ASCII.
    pub needs_utf8: bool,
}

pub(super) fn mail(rest: &str) -> Result<Mail, CommandError> {
    const USAGE: CommandError = CommandError::Usage("MAIL FROM:<address> [parameters]");
    let argument = after_word(rest, "FROM:").ok_or(USAGE)?;
    let (from, rest) = path(argument).map_err(CommandError::BadSender)?;
    let mut mail = Mail { from, ..Mail::default() };
    for (key, value) in parameters(rest, CommandError::BadSender)? {
        let bad = |why| CommandError::BadParameter(key.clone(), why);
        match key.as_str() {
            "SIZE" => mail.size = Some(size(value).ok_or(bad("give the octets, as SIZE=1234"))?),
            "BODY" => {
                mail.body = body(value).ok_or(bad("give 7BIT, 8BITMIME or BINARYMIME"))?;
            }
            "RET" => mail.ret = Some(ret(value).ok_or(bad("give FULL or HDRS"))?),
            "ENVID" => mail.envid = Some(envid(value).ok_or(bad("at most 100 octets of xtext"))?),
            // Nobody's word for who sent it counts here (RFC 4954 5).
            "AUTH" if value == "<>" || xtext::decode(value).is_some_and(|v| !v.is_empty()) => {}
            "AUTH" => return Err(bad("give <> or an xtext")),
            "SMTPUTF8" if value.is_empty() => mail.smtputf8 = true,
            "SMTPUTF8" => return Err(bad("it takes no value")),
            "HOLDFOR" | "HOLDUNTIL" if mail.release.is_some() => {
                return Err(bad("give HOLDFOR or HOLDUNTIL, not both"));
            }
            "HOLDFOR" => {
                mail.release = Some(times::hold_for(value).ok_or(bad("give 1 to 9 digits"))?);
            }
            "HOLDUNTIL" => {
                let hint = "give a moment such as 2030-01-31T08:00:00Z";
                mail.release = Some(times::hold_until(value).ok_or(bad(hint))?);
            }
            "BY" => {
                let hint = "give the seconds and R or N, as BY=600;R";
                mail.deliver_by = Some(times::deliver_by(value).ok_or(bad(hint))?);
            }
            "MT-PRIORITY" => {
                mail.priority = Some(priority(value).ok_or(CommandError::BadPriority)?);
            }
            _ => return Err(CommandError::UnknownParameter(key)),
        }
    }
    if !mail.smtputf8 && mail.from.as_ref().is_some_and(|from| !from.as_written().is_ascii()) {
        return Err(CommandError::Utf8Address);
    }
    Ok(mail)
}

pub(super) fn rcpt(rest: &str) -> Result<Rcpt, CommandError> {
    const USAGE: CommandError = CommandError::Usage("RCPT TO:<address> [parameters]");
    let argument = after_word(rest, "TO:").ok_or(USAGE)?;
    let (mailbox, rest) = path(argument).map_err(CommandError::BadRecipient)?;
    let mailbox = mailbox.ok_or(CommandError::BadRecipient("it is empty"))?;
    let mut rcpt = Rcpt { mailbox, notify: None, orcpt: None, welcome: Welcome::default() };
    for (key, value) in parameters(rest, CommandError::BadRecipient)? {
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
/// What is glued to the address is the address's fault, and told with `glued`.
fn parameters(
    rest: &str,
    glued: fn(&'static str) -> CommandError,
) -> Result<Vec<(String, &str)>, CommandError> {
    let mut found: Vec<(String, &str)> = Vec::new();
    if !rest.is_empty() && !rest.starts_with(' ') {
        return Err(glued("something follows the address"));
    }
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let is_key = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let bad = |why| CommandError::BadParameter(key.chars().take(MAX_KEY_CHARS).collect(), why);
        if key.is_empty() || key.starts_with('-') || !key.bytes().all(is_key) {
            return Err(bad("write KEY or KEY=value"));
        }
        let key = key.to_ascii_uppercase();
        if found.iter().any(|(known, _)| *known == key) {
            return Err(match key.as_str() {
                "MT-PRIORITY" => CommandError::BadPriority,
                _ => bad("it is given twice"),
            });
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
        "BINARYMIME" => Some(Body::BinaryMime),
        _ => None,
    }
}

/// `["-"] DIGIT` (RFC 6710 4.1).
fn priority(value: &str) -> Option<i8> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let one = digits.len() == 1 && digits.bytes().all(|b| b.is_ascii_digit());
    let priority: i8 = value.parse().ok().filter(|_| one)?;
    (-MAX_PRIORITY..=MAX_PRIORITY).contains(&priority).then_some(priority)
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
    let address = match kind.eq_ignore_ascii_case("utf-8") {
        true => xtext::decode_utf8(xtext),
        false => xtext::decode(xtext),
    };
    let address = address.filter(|address| !address.is_empty())?;
    Some(OriginalRecipient { kind: kind.to_owned(), address, needs_utf8: !xtext.is_ascii() })
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
    fn mail_with_every_extension() {
        let read = mail(
            "FROM:<m\u{fc}ller@x.example> SMTPUTF8 BODY=BINARYMIME HOLDFOR=60 BY=600;nT MT-PRIORITY=-3",
        )
        .unwrap();
        assert!(read.smtputf8);
        assert_eq!(read.body, Body::BinaryMime);
        assert_eq!(read.release, Some(Release::For(60)));
        let by = DeliverBy { seconds: 600, give_back: false, trace: true };
        assert_eq!((read.deliver_by, read.priority), (Some(by), Some(-3)));
        assert_eq!(read.from.unwrap().local(), "m\u{fc}ller");
    }

    #[test]
    fn bad_parameters_have_their_own_status() {
        for (line, status) in [
            ("FROM:<a@b> SIZE=3 SIZE=4", "5.5.4"),
            ("FROM:<a@b> RET=SOME", "5.5.4"),
            ("FROM:<a@b> MT-PRIORITY=12", "5.5.2"),
            ("FROM:<a@b> MT-PRIORITY=1 mt-priority=1", "5.5.2"),
            ("FROM:<a@b>x", "5.1.7"),
        ] {
            let reply = mail(line).unwrap_err().reply();
            assert_eq!(reply.status().unwrap().to_string(), status, "{line}: {reply}");
        }
    }

    #[test]
    fn recipients_outside_ascii_are_known() {
        for (line, utf8) in [
            ("TO:<a@b> ORCPT=utf-8;a\\x{FC}b@c", false),
            ("TO:<a@b> ORCPT=utf-8;a\u{fc}b@c", true),
            ("TO:<\u{fc}@b>", true),
            ("TO:<a@b>", false),
        ] {
            assert_eq!(rcpt(line).unwrap().is_utf8(), utf8, "{line}");
        }
        let read = rcpt("TO:<a@b> ORCPT=utf-8;a\\x{FC}b@c").unwrap().orcpt.unwrap();
        assert_eq!(read.address, "a\u{fc}b@c");
        assert!(rcpt("TO:<a@b> ORCPT=rfc822;\u{fc}@c").is_err());
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
            ("FROM:<a@b> BODY=TEXT", 501),
            ("FROM:<a@b> ENVID=a+0D", 501),
            ("FROM:<a@b> =x", 501),
            ("FROM:<a@b> SMTPUTF8=yes", 501),
            ("FROM:<\u{e9}@b>", 553),
            ("FROM:<a@\u{fc}.example>", 553),
            ("FROM:<a@b> HOLDFOR=0", 501),
            ("FROM:<a@b> HOLDFOR=1234567890", 501),
            ("FROM:<a@b> HOLDFOR=-1", 501),
            ("FROM:<a@b> HOLDUNTIL=tomorrow", 501),
            ("FROM:<a@b> HOLDFOR=5 HOLDUNTIL=2030-01-31T08:00:00Z", 501),
            ("FROM:<a@b> BY=600", 501),
            ("FROM:<a@b> BY=600;X", 501),
            ("FROM:<a@b> MT-PRIORITY=10", 501),
            ("FROM:<a@b> MT-PRIORITY=+3", 501),
            ("FROM:<a@b> MT-PRIORITY", 501),
            ("FROM:<a@b> MT-PRIORITY=1 MT-PRIORITY=2", 501),
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
