//! What a mail to the return path of an off-ramp's mail says: a delivery report (RFC
//! 3464) or a disposition notification (RFC 8098).

use postfax_domain::outcome::Outcome;
use postfax_gateway::{
    dsn::{self, Action},
    mdn::{self, Disposition},
    message::Message,
};

use super::causes;

/// The outcome that is reported, and the words; nothing when it is not over.
///
/// Why *dispatched* is not *delivered*: a disposition notification is no proof of
/// delivery (RFC 2532 2.1.2); the off-ramp has passed the fax on.
pub(crate) fn read(message: &Message) -> Option<(Outcome, String)> {
    match mdn::read(message) {
        Some(Disposition::Dispatched) => {
            return Some((Outcome::Relayed, "a notification said: dispatched".into()));
        }
        Some(Disposition::Failed(words)) => {
            let status = words.split(' ').next().filter(|word| word.matches('.').count() == 2);
            let outcome = causes::failed(status, &words);
            return Some((outcome, format!("a notification said: {words}")));
        }
        None => {}
    }
    let notices = dsn::read::read(message);
    let worst = notices.iter().find(|notice| notice.action == Action::Failed);
    // A mail has one recipient, and `delayed` is no end.
    let notice = worst.or_else(|| notices.iter().find(|n| n.action != Action::Delayed))?;
    let outcome = match notice.action {
        Action::Failed => {
            let words = notice.diagnostic.as_deref().unwrap_or_default();
            causes::failed(notice.status.as_deref(), words)
        }
        Action::Delivered => Outcome::Delivered,
        Action::Relayed | Action::Expanded => Outcome::Relayed,
        Action::Delayed => return None,
    };
    Some((outcome, notice.words()))
}

#[cfg(test)]
mod tests {
    use postfax_gateway::message::Limits;

    use super::*;

    fn report(kind: &str, part: &str, fields: &str) -> Option<(Outcome, String)> {
        let raw = format!(
            "From: <>\r\nContent-Type: multipart/report; report-type={kind}; boundary=b\r\n\r\n\
             --b\r\n\r\nWords.\r\n--b\r\nContent-Type: message/{part}\r\n\r\n{fields}\r\n--b--\r\n"
        );
        read(&Message::parse(raw.into_bytes().into(), &Limits::default()).unwrap())
    }

    #[test]
    fn reports_and_notifications() {
        let dsn = |fields: &str| report("delivery-status", "delivery-status", fields);
        for (fields, outcome) in [
            ("Action: delivered\r\nStatus: 2.1.5\r\n", Some(Outcome::Delivered)),
            ("Action: relayed\r\nStatus: 2.0.0\r\n", Some(Outcome::Relayed)),
            ("Action: delayed\r\nStatus: 4.4.1\r\n", None),
            (
                "Action: failed\r\nStatus: 4.4.1\r\nDiagnostic-Code: x-t30; E001 Busy signal\r\n",
                Some(Outcome::Busy),
            ),
            (
                "Action: delivered\r\nStatus: 2.0.0\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n",
                Some(Outcome::NotInService),
            ),
        ] {
            assert_eq!(dsn(fields).map(|(outcome, _)| outcome), outcome, "{fields}");
        }
        let mdn = |disposition: &str| {
            let fields = format!("Reporting-UA: x\r\nDisposition: {disposition}\r\n");
            report("disposition-notification", "disposition-notification", &fields)
                .map(|(outcome, _)| outcome)
        };
        let automatic = "automatic-action/MDN-sent-automatically;";
        assert_eq!(mdn(&format!("{automatic} dispatched")), Some(Outcome::Relayed));
        assert_eq!(mdn(&format!("{automatic} displayed")), None);
        assert_eq!(mdn("nonsense"), None);
        assert_eq!(
            mdn(&format!("{automatic} processed/error\r\nError: 4.4.1 busy")),
            Some(Outcome::Busy)
        );
    }
}
