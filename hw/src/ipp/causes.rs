//! What a device says of a refusal or an end, as an outcome. The cause of a call is among the
//! reasons of its job (PWG 5100.15) where a device tells it; what it says in words is only a
//! hint, and the words are kept.

use postfax_domain::outcome::Outcome;

use crate::hint;

/// What a status of RFC 8011 B.1 means for an attempt. Those of the device's own trouble
/// are tried elsewhere; those that any other of its kind would give as well are not.
pub(super) fn refused(status: u16) -> Outcome {
    match status {
        // bad-request to not-possible, not-found, gone: it is not set up as we were told.
        0x0400..=0x0404 | 0x0406 | 0x0407 => Outcome::ServerMisconfigured,
        0x0408 => Outcome::TooManyPages,
        // document-format-not-supported and its like.
        0x040a | 0x040f | 0x0410 => Outcome::FormatUnsendable,
        0x040b..=0x040e => Outcome::ServerMisconfigured,
        0x0411 | 0x0412 => Outcome::BadDocument,
        0x0400..=0x04ff => Outcome::ServerRefused,
        0x0501 | 0x0503 => Outcome::ServerMisconfigured,
        // not-accepting-jobs, busy: its queue has no place now.
        0x0506 | 0x0507 => Outcome::LinesBusy,
        _ => Outcome::ServerFault,
    }
}

/// What HTTP's own refusals mean.
pub(super) fn http(status: hyper::StatusCode) -> Outcome {
    match status.as_u16() {
        413 => Outcome::TooManyPages,
        503 => Outcome::LinesBusy,
        500..=599 => Outcome::ServerFault,
        _ => Outcome::ServerMisconfigured,
    }
}

/// What became of a call that the device gave up, by its reasons (RFC 8011 5.3.8, PWG
/// 5100.15) and, as a hint, by its words.
pub(super) fn aborted<'a>(mut reasons: impl Iterator<Item = &'a str>, words: &str) -> Outcome {
    let by_reason = reasons.find_map(|reason| match reason {
        "unsupported-document-format" | "document-format-error" | "compression-error" => {
            Some(Outcome::BadDocument)
        }
        "document-unprintable-error" | "document-access-error" => Some(Outcome::BadDocument),
        "account-authorization-failed" | "account-closed" | "account-limit-reached" => {
            Some(Outcome::ServerRefused)
        }
        "conflicting-attributes" | "unsupported-attributes-or-values" => {
            Some(Outcome::ServerMisconfigured)
        }
        "fax-modem-line-busy" => Some(Outcome::Busy),
        "fax-modem-no-answer" => Some(Outcome::NoAnswer),
        "fax-modem-no-dial-tone" => Some(Outcome::NoDialTone),
        "fax-modem-voice-detected" => Some(Outcome::NoFaxMachine),
        "fax-modem-carrier-lost" => Some(Outcome::Disconnected),
        "fax-modem-training-failure" => Some(Outcome::CannotTrain),
        "fax-modem-protocol-error" => Some(Outcome::ProtocolError),
        "fax-modem-inactivity-timeout" => Some(Outcome::StoppedAnswering),
        "fax-modem-equipment-failure" => Some(Outcome::ServerFault),
        _ => None,
    });
    by_reason.or_else(|| hint::of(words)).unwrap_or(Outcome::GaveUp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_by_their_number() {
        for (status, outcome) in [
            (0x0400, Outcome::ServerMisconfigured),
            (0x0403, Outcome::ServerMisconfigured),
            (0x0405, Outcome::ServerRefused),
            (0x0408, Outcome::TooManyPages),
            (0x040a, Outcome::FormatUnsendable),
            (0x0411, Outcome::BadDocument),
            (0x0413, Outcome::ServerRefused),
            (0x0500, Outcome::ServerFault),
            (0x0501, Outcome::ServerMisconfigured),
            (0x0506, Outcome::LinesBusy),
            (0x0507, Outcome::LinesBusy),
            (0x0777, Outcome::ServerFault),
        ] {
            assert_eq!(refused(status), outcome, "{status:#06x}");
        }
    }

    #[test]
    fn ends_by_their_reasons_before_their_words() {
        let end = |reason: &str, words: &str| aborted([reason].into_iter(), words);
        assert_eq!(end("none", "Busy signal detected"), Outcome::Busy);
        assert_eq!(end("document-format-error", "busy"), Outcome::BadDocument);
        assert_eq!(end("aborted-by-system", "?"), Outcome::GaveUp);
        assert_eq!(end("fax-modem-line-busy", "no answer"), Outcome::Busy);
        assert_eq!(end("fax-modem-carrier-lost", ""), Outcome::Disconnected);
        let reasons = ["aborted-by-system", "destination-uri-failed", "fax-modem-no-answer"];
        assert_eq!(aborted(reasons.into_iter(), ""), Outcome::NoAnswer);
    }
}
