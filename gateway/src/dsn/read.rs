//! Reads delivery reports that others wrote (RFC 3464), as far as it matters what
//! became of a mail. Whatever it is fed, it takes bounded time and memory. Decides
//! nothing.

use super::Action;
use crate::message::Message;

/// Octets of the machine-readable part that are looked at.
const MAX_STATUS_BYTES: usize = 64 << 10;
/// Recipients of one report that are looked at.
const MAX_NOTICES: usize = 100;
/// Characters of a value that are kept.
const MAX_VALUE_CHARS: usize = 300;

/// What a report says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What was done.
    pub action: Action,
    /// `5.1.1`, where it is said.
    pub status: Option<String>,
    /// The words of whoever refused, where they are told.
    pub diagnostic: Option<String>,
}

impl Notice {
    /// One line for people.
    #[must_use]
    pub fn words(&self) -> String {
        let done = match self.action {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        };
        let said = [self.status.as_deref(), self.diagnostic.as_deref()];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        format!("a report said: {done} {}", said.join(" ")).trim_end().to_owned()
    }
}

/// What the message reports, one notice for each recipient that it names; nothing when
/// it is no report that anybody could act on.
///
/// Besides `multipart/report` this reads what Exim writes when it is told to write for
/// people only, a text with the field `X-Failed-Recipients`; and what qmail writes
/// (QSBMF): a text that begins with the same words always, and names each address in a
/// paragraph of its own with the reason below it.
#[must_use]
pub fn read(message: &Message) -> Vec<Notice> {
    let is_status =
        |kind: &str| matches!(kind, "message/delivery-status" | "message/global-delivery-status");
    let part = message.parts.iter().find(|part| is_status(&part.content_type));
    if let Some(part) = part.filter(|_| message.is_report()) {
        return notices(&part.bytes());
    }
    match message.header("X-Failed-Recipients") {
        Some(_) => vec![Notice { action: Action::Failed, status: None, diagnostic: None }],
        None => qmail(&message.text()),
    }
}

fn qmail(text: &str) -> Vec<Notice> {
    if !text.trim_start().starts_with("Hi. This is the ") {
        return Vec::new();
    }
    let paragraphs = text.split("\n\n").map(str::trim);
    // Below a paragraph that begins with a dash is the message itself.
    let own = paragraphs.take_while(|paragraph| !paragraph.starts_with('-'));
    let named = own.filter(|paragraph| paragraph.starts_with('<')).take(MAX_NOTICES);
    let notice = |paragraph: &str| {
        let reason = paragraph.split_once(">:").map_or("", |(_, reason)| reason);
        let diagnostic = Some(printable(reason)).filter(|reason| !reason.is_empty());
        Notice { action: Action::Failed, status: None, diagnostic }
    };
    named.map(notice).collect()
}

/// The blocks of `message/delivery-status`: the first is about the message (RFC 3464
/// 2.1), but one with an action is taken wherever it stands.
#[must_use]
pub fn notices(octets: &[u8]) -> Vec<Notice> {
    let octets = &octets[..octets.len().min(MAX_STATUS_BYTES)];
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    let mut found = Vec::new();
    for block in text.split("\n\n") {
        if found.len() == MAX_NOTICES {
            break;
        }
        let fields = fields(block);
        let value = |name: &str| {
            let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            field.map(|(_, value)| value.as_str())
        };
        let Some(action) = value("Action").and_then(action) else { continue };
        found.push(Notice {
            action,
            status: value("Status").and_then(status),
            diagnostic: value("Diagnostic-Code").map(without_type).filter(|d| !d.is_empty()),
        });
    }
    found
}

/// Names and unfolded values.
pub(crate) fn fields(block: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in block.lines() {
        match fields.last_mut() {
            Some((_, value)) if line.starts_with([' ', '\t']) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    fields.push((name.trim(), value.trim().to_owned()));
                }
            }
        }
    }
    fields
}

fn action(value: &str) -> Option<Action> {
    let word = value.split([' ', '\t', '(', ';']).next().unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        "failed" => Some(Action::Failed),
        "delayed" => Some(Action::Delayed),
        "delivered" => Some(Action::Delivered),
        "relayed" => Some(Action::Relayed),
        "expanded" => Some(Action::Expanded),
        _ => None,
    }
}

/// The code of RFC 3463 2 without its comment.
fn status(value: &str) -> Option<String> {
    let code = value.split([' ', '\t', '(']).next().unwrap_or_default();
    let numbers: Vec<&str> = code.split('.').collect();
    let is_number = |n: &&str| (1..=3).contains(&n.len()) && n.bytes().all(|c| c.is_ascii_digit());
    (numbers.len() == 3 && numbers.iter().all(is_number)).then(|| code.to_owned())
}

/// `smtp; 550 no such user` without its type; control characters become spaces.
fn without_type(value: &str) -> String {
    printable(value.split_once(';').map_or(value, |(_, said)| said))
}

pub(crate) fn printable(said: &str) -> String {
    let printable = said.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(MAX_VALUE_CHARS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Limits;

    const POSTFIX: &str = "Reporting-MTA: dns; mail.example.com\r\n\
        X-Postfix-Queue-ID: 4F00\r\nArrival-Date: Mon, 23 Nov 2026 07:00:00 +0000 (UTC)\r\n\r\n\
        Final-Recipient: rfc822; nobody@example.com\r\n\
        Original-Recipient: rfc822;nobody@example.com\r\n\
        Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.com\r\n\
        Diagnostic-Code: smtp; 550 5.1.1 <nobody@example.com>: no such\r\n    user here\r\n";

    fn notice(action: Action, status: &str, diagnostic: &str) -> Notice {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Notice { action, status: some(status), diagnostic: some(diagnostic) }
    }

    #[test]
    fn blocks_as_they_are_written() {
        for (text, expected) in [
            (
                POSTFIX,
                vec![notice(
                    Action::Failed,
                    "5.1.1",
                    "550 5.1.1 <nobody@example.com>: no such user here",
                )],
            ),
            (
                "Action: DELAYED (still trying)\nStatus: 4.4.1 (no answer)\n",
                vec![notice(Action::Delayed, "4.4.1", "")],
            ),
            (
                "Reporting-MTA: dns;x\n\nAction: delivered\nStatus: 2.0.0\n\nAction: failed\n",
                vec![notice(Action::Delivered, "2.0.0", ""), notice(Action::Failed, "", "")],
            ),
            ("Action: exploded\nStatus: 5.0.0\n", vec![]),
            (
                "Action: failed\nStatus: five\nDiagnostic-Code: x-t30\n",
                vec![notice(Action::Failed, "", "x-t30")],
            ),
            ("", vec![]),
        ] {
            assert_eq!(notices(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn messages_that_are_reports_and_messages_that_are_none() {
        let report = format!(
            "From: MAILER-DAEMON\r\nContent-Type: multipart/report; report-type=delivery-status; \
             boundary=b\r\n\r\n--b\r\n\r\nSorry.\r\n--b\r\n\
             Content-Type: message/delivery-status\r\n\r\n{POSTFIX}\r\n--b--\r\n"
        );
        let away = "Auto-Submitted: auto-replied\r\nSubject: away\r\n\r\nAction: failed\r\n";
        let exim = "X-Failed-Recipients: anna@example.com\r\n\r\nIt bounced.\r\n";
        let disguised = report.replace("multipart/report", "multipart/mixed");
        for (raw, expected) in [(report.as_str(), 1), (away, 0), (exim, 1), (disguised.as_str(), 0)]
        {
            let raw = raw.as_bytes().to_vec().into();
            let message = Message::parse(raw, &Limits::default()).unwrap();
            assert_eq!(read(&message).len(), expected, "{message:?}");
        }
    }

    #[test]
    fn a_bounce_of_qmail_is_a_report_and_a_friendly_answer_is_none() {
        let read = |text: &str| {
            let raw = format!("Subject: failure notice\r\n\r\n{}", text.replace('\n', "\r\n"));
            read(&Message::parse(raw.into(), &Limits::default()).unwrap())
        };
        let bounce = "Hi. This is the qmail-send program at mx.example.com.\nI'm afraid I wasn't \
                      able to deliver your message.\n\n<bob@example.com>:\nSorry, no mailbox here \
                      by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\n\
                      <x@y>:\nnot this\n";
        let reason = "Sorry, no mailbox here by that name. (#5.1.1)";
        assert_eq!(read(bounce), [notice(Action::Failed, "", reason)]);
        assert_eq!(read("Hi. I am away.\n\n<bob@example.com>:\nback on Monday\n"), []);
    }

    proptest! {
        #[test]
        fn anything_is_read_within_bounds(octets in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert!(notices(&octets).len() <= MAX_NOTICES);
        }

        #[test]
        fn fields_in_any_order_are_read(
            lines in prop::collection::vec("(Action: failed|Status: 5.1.1|Diagnostic-Code: .*|[ \t]?.*|)", 0..60),
            end in "\r?\n",
        ) {
            for found in notices(lines.join(&end).as_bytes()) {
                prop_assert!(found.diagnostic.is_none_or(|d| d.chars().count() <= MAX_VALUE_CHARS));
            }
        }
    }
}
