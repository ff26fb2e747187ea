//! Which messages are never faxed: those that go round in circles, automatic answers
//! and reports (RFC 3834 2, RFC 5321 6.3), and what nobody here can read.
//!
//! Mail of lists is faxed, as a member of a list may well be a fax machine; what a
//! program wrote is not, since nobody would notice when two programs answer each other
//! by telephone.

use postfax_gateway::{
    message::{Message, Precedence},
    reply::Reply,
};

use crate::config::Config;

/// How Postfax calls itself in its `Received:` fields, besides the name of the host,
/// which a mail server beside it may have as well.
const TRACE: &str = "(Postfax)";

/// By what a mail is recognised that was here before.
pub(super) struct Loops<'a> {
    max_received: usize,
    hostname: &'a str,
    domain: &'a str,
    from: &'a str,
    installation: &'a str,
}

impl<'a> Loops<'a> {
    pub(super) fn of(config: &'a Config, installation: &'a str) -> Self {
        Self {
            max_received: config.intake.max_received,
            hostname: &config.hostname,
            domain: &config.setup.domain,
            from: &config.delivery.from,
            installation,
        }
    }
}

/// Whether a message may become a fax at all.
pub(super) fn acceptable(loops: &Loops<'_>, message: &Message) -> Result<(), Reply> {
    no_loop(loops, message)?;
    if is_our_fax_mail(loops, message) {
        let text = "loop detected: this is a fax that was received here, passed on unread; \
                    a reply or a new mail is faxed";
        return Err(Reply::new(554, (4, 6), text));
    }
    if message.is_report() || message.auto_submitted().is_automatic() || is_answer(message) {
        return Err(Reply::new(550, (7, 1), "automatic answers and reports are not faxed"));
    }
    match message.protection().why_unreadable() {
        Some(why) => Err(Reply::new(554, (6, 1), why)),
        None => Ok(()),
    }
}

/// RFC 5321 6.3: too many hosts passed the message on, or we did ourselves.
pub(super) fn no_loop(loops: &Loops<'_>, message: &Message) -> Result<(), Reply> {
    let hosts = message.received_count();
    if hosts > loops.max_received {
        let text = format!("loop detected: {hosts} hosts passed this on");
        return Err(Reply::new(554, (4, 6), text));
    }
    // The uppermost of them is from just now.
    let by = format!("{} {TRACE}", loops.hostname);
    let marked = message.header("X-Loop").is_some_and(|by| same_address(&by, loops));
    let came_home = message.header("Delivered-To").is_some_and(|to| same_address(&to, loops));
    if message.received_naming(&by) > 1 || marked || came_home {
        return Err(Reply::new(554, (4, 6), "loop detected: this mail was here before"));
    }
    Ok(())
}

/// Whether a field has the address that our own mails come from.
fn same_address(value: &str, loops: &Loops<'_>) -> bool {
    let address = value.trim().trim_start_matches('<').trim_end_matches('>');
    address.eq_ignore_ascii_case(loops.from)
}

/// A mail of ours that somebody's mailbox passes on by itself keeps its Message-ID; what
/// a person sends has another one.
fn is_our_fax_mail(loops: &Loops<'_>, message: &Message) -> bool {
    let ours = format!(".{}@{}", loops.installation, loops.domain);
    let id = message.message_id().unwrap_or_default();
    (id.starts_with("job-") && id.ends_with(&ours)) || message.header("X-Fax-Id").is_some()
}

/// Programs that answer mail and say so in the ways that are older than RFC 3834.
fn is_answer(message: &Message) -> bool {
    let says = |name: &str| message.header(name).is_some_and(|value| !value.trim().is_empty());
    let answers = says("In-Reply-To") || says("References");
    let bulk = matches!(message.precedence(), Precedence::Bulk | Precedence::Junk);
    let replies = message.header("Precedence").is_some_and(|p| p.trim() == "auto_reply");
    let listed = message.is_from_list();
    replies || says("X-Autoreply") || says("X-Autorespond") || (bulk && answers && !listed)
}
