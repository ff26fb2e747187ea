//! Message disposition notifications (RFC 8098): whether a message asks for one that
//! may be sent by itself, and how it is written. Whether it is wanted here, and in
//! which words, is decided by others.

use std::{io::Write, path::Path};

use crate::{
    client::Body,
    command::Mailbox,
    compose::{
        Attachment, Automatic, ComposeError, Delimiters, Head,
        entity::{Content, Entity},
        field::{Fields, ascii, one_line},
        readable, write_body,
    },
    dsn::{self, Typed},
    message::{Message, Precedence},
};

/// Whether a notification may go out without a person: the message asks for it, for
/// one address, which is its return path (RFC 8098 2.1), requires nothing that we do
/// not know (2.2), can be named, and was written by a person (RFC 3834 2).
#[must_use]
pub fn may_be_sent(message: &Message, return_path: Option<&Mailbox>) -> bool {
    let wanted = message.mailboxes("Disposition-Notification-To");
    let ([wanted], Some(return_path)) = (wanted.as_slice(), return_path) else { return false };
    let is_same = wanted.address.parse::<Mailbox>().is_ok_and(|wanted| wanted == *return_path);
    let options = message.header("Disposition-Notification-Options").unwrap_or_default();
    let demands = options.to_ascii_lowercase().contains("required");
    let by_a_person = !message.auto_submitted().is_automatic()
        && !message.is_report()
        && message.precedence() == Precedence::Ordinary
        && !message.is_from_list();
    is_same && !demands && by_a_person && message.message_id().is_some()
}

/// What became of a message (RFC 8098 3.2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// It was passed on, such as to a fax machine.
    Dispatched,
    /// It was not, for this reason.
    Failed(String),
}

/// Octets of the machine-readable part of a notification that are looked at.
const MAX_NOTICE_BYTES: usize = 16 << 10;

/// What a notification that somebody else wrote says, when it says that a machine has
/// passed the message on, or why it could not (RFC 8098 3.2.6). What people did with it
/// says neither.
#[must_use]
pub fn read(message: &Message) -> Option<Disposition> {
    let is_notice = |kind: &str| {
        matches!(
            kind,
            "message/disposition-notification" | "message/global-disposition-notification"
        )
    };
    let part = message.parts.iter().find(|part| is_notice(&part.content_type))?;
    let octets = part.bytes();
    let text = String::from_utf8_lossy(&octets[..octets.len().min(MAX_NOTICE_BYTES)]);
    let text = text.replace("\r\n", "\n");
    let fields = dsn::read::fields(&text);
    let value = |name: &str| {
        let field = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    };
    let kind = value("Disposition")?.split_once(';')?.1.trim().to_ascii_lowercase();
    let (kind, modifier) = kind.split_once('/').unwrap_or((&kind, ""));
    let words = ["Error", "Failure", "Warning"].into_iter().find_map(value);
    let words = || dsn::read::printable(words.unwrap_or("no reason was given"));
    match kind {
        // Old software has it as a disposition of its own (RFC 2298).
        "failed" => Some(Disposition::Failed(words())),
        _ if modifier.contains("error") || modifier.contains("failure") => {
            Some(Disposition::Failed(words()))
        }
        "dispatched" | "processed" => Some(Disposition::Dispatched),
        _ => None,
    }
}

/// A notification to the sender of a message.
#[derive(Debug, Clone)]
pub struct Notification {
    /// From the recipient, to whoever asked.
    pub head: Head,
    /// The program that notifies: the name of its host and its own.
    pub reporting_agent: (String, String),
    /// From ORCPT, decoded; absent when the sender gave none.
    pub original_recipient: Option<Typed>,
    /// The address exactly as in RCPT TO.
    pub final_recipient: String,
    /// The Message-ID of the message, without angle brackets.
    pub original_message_id: String,
    /// What became of it.
    pub disposition: Disposition,
    /// The notification in words.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// Pictures to which the HTML refers.
    pub inline: Vec<Attachment>,
    /// [`Delimiters::Random`] outside tests.
    pub delimiters: Delimiters,
}

impl Notification {
    /// Writes the notification as a mail. Send it from the null return path.
    ///
    /// # Errors
    /// An address or a field name is bad, or `out` fails.
    pub fn write(&self, out: &mut impl Write) -> Result<(), ComposeError> {
        let fields = Content::Lines(self.fields());
        let parts = vec![
            readable(&self.text, self.html.as_deref(), &self.inline),
            Entity::new("message/disposition-notification", fields),
        ];
        let mut body = Entity::new("multipart/report", Content::Parts(parts));
        body.parameter("report-type", "disposition-notification");
        self.head.write(Some(Automatic::Replied), &body, self.delimiters, out)
    }

    /// Writes the notification, a large one to a new file at `path`, which is the
    /// caller's to remove.
    ///
    /// # Errors
    /// As [`Notification::write`].
    pub fn write_body(&self, path: &Path) -> Result<Body, ComposeError> {
        write_body(path, |out| self.write(out))
    }

    fn fields(&self) -> String {
        let mut fields = Fields::default();
        let mut line = |name: &str, value: String| fields.folded(name, &ascii(&value));
        let (host, program) = &self.reporting_agent;
        line("Reporting-UA", format!("{host}; {program}"));
        if let Some(Typed { kind, value }) = &self.original_recipient {
            line("Original-Recipient", format!("{kind}; {value}"));
        }
        line("Final-Recipient", format!("rfc822; {}", self.final_recipient));
        line("Original-Message-ID", format!("<{}>", one_line(&self.original_message_id)));
        let (word, error) = match &self.disposition {
            Disposition::Dispatched => ("dispatched", None),
            Disposition::Failed(why) => ("processed/error", Some(why)),
        };
        line("Disposition", format!("automatic-action/MDN-sent-automatically; {word}"));
        if let Some(why) = error {
            line("Error", why.clone());
        }
        String::from_utf8_lossy(fields.as_bytes()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    const ASKS: &str = "Disposition-Notification-To: Anna <anna@Example.com>\r\n";
    const ID: &str = "Message-ID: <1@example.com>\r\n";

    fn is_allowed(head: &str, return_path: Option<&str>) -> bool {
        let text = format!("From: anna@example.com\r\n{head}\r\nHello\r\n");
        let message = Message::parse(text.into(), &message::Limits::default()).unwrap();
        let return_path = return_path.map(|path| path.parse::<Mailbox>().unwrap());
        may_be_sent(&message, return_path.as_ref())
    }

    #[test]
    fn only_one_address_that_is_the_return_path_may_be_told() {
        let anna = Some("anna@example.com");
        let both = format!("{ASKS}{ID}");
        assert!(is_allowed(&both, anna));
        assert!(is_allowed(&both, Some("\"anna\"@example.com")), "another spelling");
        for (head, return_path, why) in [
            (ID.to_owned(), anna, "nobody asks"),
            (ASKS.to_owned(), anna, "no Message-ID"),
            (both.clone(), None, "the null return path"),
            (both.clone(), Some("bob@example.com"), "somebody else"),
            (format!("{both}{ASKS}"), anna, "asked twice"),
            (both.replace("\r\nMess", ", bob@example.com\r\nMess"), anna, "two addresses"),
            (format!("{both}Auto-Submitted: auto-generated\r\n"), anna, "a program"),
            (format!("{both}Precedence: bulk\r\n"), anna, "a mailing"),
            (format!("{both}List-Id: <x.example.com>\r\n"), anna, "a list"),
            (
                format!("{both}Disposition-Notification-Options: signed=required,pkcs7\r\n"),
                anna,
                "a demand",
            ),
            (
                format!("{both}Content-Type: multipart/report; boundary=x\r\n"),
                anna,
                "a notification itself",
            ),
        ] {
            assert!(!is_allowed(&head, return_path), "{why}");
        }
    }

    fn notification(disposition: Disposition) -> String {
        let mailbox = |address: &str| message::Mailbox { name: None, address: address.to_owned() };
        let notification = Notification {
            head: Head {
                from: mailbox("FAX=+390401234@gw.example"),
                to: mailbox("anna@example.com"),
                subject: "Fax gesendet: +39 040 1234".to_owned(),
                date: "2025-07-01T13:00:00+02:00[Europe/Rome]".parse().unwrap(),
                message_id: "r2@faxgw.example".to_owned(),
                in_reply_to: Some("0b1c@example.com".to_owned()),
                language: Some("de".to_owned()),
                headers: Vec::new(),
            },
            reporting_agent: ("faxgw.example".to_owned(), "Postfax".to_owned()),
            original_recipient: Some(Typed::new("rfc822", "FAX=+390401234@gw.example")),
            final_recipient: "FAX=+390401234@gw.example".to_owned(),
            original_message_id: "0b1c@example.com".to_owned(),
            disposition,
            text: "Ihr Fax wurde gesendet.\n".to_owned(),
            html: None,
            inline: Vec::new(),
            delimiters: Delimiters::Seeded(5),
        };
        let mut out = Vec::new();
        notification.write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_notification_is_as_in_the_golden_file() {
        let text = notification(Disposition::Dispatched);
        let golden = include_str!("../tests/golden/dispatched.eml").replace('\n', "\r\n");
        assert_eq!(text, golden);
    }

    #[test]
    fn a_failure_names_its_reason_on_one_line() {
        let text = notification(Disposition::Failed("4.4.1\r\nDisposition: displayed".to_owned()));
        assert!(text.contains("; processed/error\r\nError: 4.4.1 Disposition: displayed\r\n"));
    }
}
