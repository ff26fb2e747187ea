//! From what HylaFAX says of a call that ended to an [`Outcome`].
//!
//! Why texts are read here: a job that used up its one dial ends with code 333 or
//! 334, *too many attempts*, and the cause is left in its text alone. The texts are
//! constants of HylaFAX's source; this file turns them back into their codes, and
//! nothing beyond it looks at them again.

use postfax_domain::outcome::Outcome;

use super::queue::{Entry, State};

/// The budget of dials or tries is used up: says nothing about why.
const SPENT: [u16; 2] = [333, 334];
/// How a text ends after its cause when the budget is used up.
const SPENT_TEXT: &str = "; too many attempts to ";
/// How the text begins when a job was not dialled again.
const REJECTED: &str = "REJECT: Too many attempts";

/// Texts by which HylaFAX 6 names a cause, and their codes.
const CAUSES: &[(u16, &str)] = &[
    (1, "Busy signal detected"),
    (2, "No carrier detected"),
    (3, "No answer from remote"),
    (4, "No local dialtone"),
    (5, "Invalid dialing command"),
    (6, "Unknown problem"),
    (7, "Carrier established, but Phase A failure"),
    (8, "Data connection established"),
    (9, "Glare - RING detected"),
    (10, "Blacklisted by modem"),
    (11, "Ringback detected, no answer without CED"),
    (12, "Ring detected without successful handshake"),
    (103, "RSPREC error/got DCN (sender abort)"),
    (118, "T.30 T2 timeout, expected signal not received"),
    (122, "Remote has no T.4 receiver capability"),
    (123, "DTC received when expecting DIS"),
    (124, "COMREC error in transmit Phase B/got DCN"),
    (125, "COMREC invalid command received/no DIS or DTC"),
    (126, "No receiver protocol (T.30 T1 timeout)"),
    (127, "Stop and wait failure"),
    (128, "Remote fax disconnected prematurely"),
    (129, "Procedure interrupt"),
    (130, "Unable to transmit page (giving up after RTN)"),
    (131, "Unable to transmit page (giving up after 3 attempts)"),
    (132, "Unable to transmit page (NAK at all possible signalling rates)"),
    (133, "Unable to transmit page (NAK with operator intervention)"),
    (134, "Fax protocol error (unknown frame received)"),
    (135, "Fax protocol error (command repeated 3 times)"),
    (136, "DIS/DTC received 3 times; DCS not recognized"),
    (137, "Failure to train remote modem at"),
    (138, "Receiver flow control exceeded timer"),
    (139, "No response to RR repeated"),
    (140, "COMREC invalid response received to RR"),
    (141, "No response to CTC repeated"),
    (142, "COMREC invalid response received to CTC"),
    (143, "Failure to transmit clean ECM image data"),
    (144, "No response to EOR repeated"),
    (145, "COMREC invalid response received to EOR"),
    (146, "COMREC invalid response received to PPS"),
    (147, "No response to PPS repeated"),
    (148, "Unable to establish message carrier"),
    (149, "Unspecified Transmit Phase C error"),
    (150, "No response to MPS repeated"),
    (151, "No response to EOP repeated"),
    (152, "No response to EOM repeated"),
    (153, "No response to PPM repeated"),
    (215, "Ringback detected, no answer (timeout)"),
    (217, "Unspecified Phase A error"),
    (218, "No answer (T.30 T1 timeout)"),
    (219, "Unspecified Transmit Phase B error"),
    (220, "Remote cannot be polled"),
    (222, "COMREC invalid command received"),
    (223, "RSPREC error/got DCN"),
    (224, "DCS sent 3 times without response"),
    (226, "Failure to train at 2400 bps"),
    (227, "RSPREC invalid response received"),
    (236, "Unspecified Transmit Phase D error"),
    (239, "Invalid response to MPS"),
    (241, "Invalid response to EOP"),
    (243, "Invalid response to EOM"),
    (244, "Unable to continue after PIN or PIP"),
    (253, "Bad CRC or frame"),
    (261, "Remote station cannot receive"),
    (264, "Remote cannot receive"),
    (286, "Batching protocol error"),
    (287, "Communication failure during Phase B/C"),
    (303, "Internal botch"),
    (314, "Document preparation failed"),
    (325, "Kill time expired"),
    (327, "REJECT: Unable to convert dial string"),
    (343, "Send program terminated abnormally"),
    (344, "Job interrupted by user"),
    (345, "Call aborted by user"),
    (345, "Job aborted by request"),
    (346, "Can not lock modem device"),
    (400, "Modem does not support negotiated signalling rate"),
    (401, "Modem does not support negotiated min scanline time"),
    (402, "Document is not in a Group 3 or Group 4 compatible"),
    (403, "Document was encoded with 2DMMR, but client does not"),
    (404, "Document was encoded with 2DMMR, but modem does not"),
    (405, "Document was encoded with 2DMMR, but ECM is not being used"),
    (406, "Document was encoded with 2DMR, but client does not"),
    (407, "Document was encoded with 2DMR, but modem does not"),
    (409, "Hyperfine resolution document is not supported"),
    (411, "Superfine resolution document is not supported"),
    (413, "300x300 resolution document is not supported"),
    (415, "High resolution document is not supported"),
    (416, "Client does not support document page width"),
    (417, "Modem does not support document page width"),
    (418, "Client does not support document page length"),
    (419, "Modem does not support document page length"),
    (420, "Unable to configure modem for fax use"),
    (422, "Can not setup modem"),
    (601, "remote has no document to poll"),
];

/// How a job that is over ended. `before` is the cause that was seen while it
/// waited to be dialled again, which it never was.
pub(super) fn outcome(entry: &Entry, before: Option<Outcome>) -> Outcome {
    if entry.state == State::Done {
        return Outcome::Delivered;
    }
    failure(entry.code, &entry.status, entry.pages, before)
}

/// The cause that a text names, for calls of which only the text is left; an empty
/// text is success.
pub(super) fn outcome_of_text(status: &str, pages: u32) -> Outcome {
    if status.is_empty() { Outcome::Delivered } else { failure(0, status, pages, None) }
}

fn failure(code: u16, status: &str, pages: u32, before: Option<Outcome>) -> Outcome {
    let spent = SPENT.contains(&code) || status.contains(SPENT_TEXT);
    if status.starts_with(REJECTED) {
        // With a budget of one dial that happens to jobs which the server wanted to
        // prepare in another way and dial again (its `send_reformat`).
        return before.unwrap_or(Outcome::FormatRefused);
    }
    let named = if spent || code == 0 || code == 999 { code_of(status) } else { Some(code) };
    match named.map(Outcome::from_hylafax) {
        // It hung up, but not before the first page.
        Some(Outcome::RemoteRefused) if pages > 0 => Outcome::Disconnected,
        Some(Outcome::Delivered) => Outcome::ServerFault,
        Some(outcome) => outcome,
        None if spent => Outcome::GaveUp,
        None => Outcome::ServerFault,
    }
}

/// The code of the cause that a text names; the longest text that fits.
fn code_of(status: &str) -> Option<u16> {
    CAUSES
        .iter()
        .filter(|(_, text)| status.starts_with(text))
        .max_by_key(|(_, text)| text.len())
        .map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_survives_a_spent_budget() {
        for (code, status, pages, is) in [
            (1, "Busy signal detected", 0, Outcome::Busy),
            (333, "Busy signal detected; too many attempts to dial", 0, Outcome::Busy),
            (333, "No answer from remote; too many attempts to dial", 0, Outcome::NoAnswer),
            (333, "No local dialtone; too many attempts to dial", 0, Outcome::NoDialTone),
            (333, "No carrier detected; too many attempts to dial", 0, Outcome::NoFaxMachine),
            (333, "RSPREC error/got DCN; too many attempts to dial", 0, Outcome::RemoteRefused),
            (333, "RSPREC error/got DCN; too many attempts to dial", 2, Outcome::Disconnected),
            (
                334,
                "No response to EOP repeated 3 tries; too many attempts to send",
                1,
                Outcome::PageUnconfirmed,
            ),
            (333, "Something new; too many attempts to dial", 0, Outcome::GaveUp),
            (333, "REJECT: Too many attempts to dial: 1, max 1", 0, Outcome::FormatRefused),
            (345, "Job aborted by request", 0, Outcome::Cancelled),
            (325, "Kill time expired", 0, Outcome::NotDialled),
            (0, "", 0, Outcome::ServerFault),
            (0, "Call aborted by user", 0, Outcome::Cancelled),
            (999, "anything", 0, Outcome::ServerFault),
        ] {
            assert_eq!(failure(code, status, pages, None), is, "{code} {status}");
        }
    }

    #[test]
    fn what_was_seen_before_a_rejection_is_the_cause() {
        let status = "REJECT: Too many attempts to dial: 1, max 1";
        let before = Some(Outcome::FormatUnsendable);
        assert_eq!(failure(333, status, 0, before), Outcome::FormatUnsendable);
    }

    #[test]
    fn no_failure_is_ever_a_success() {
        for code in 0..1000 {
            let outcome = failure(code, "Normal and proper end of connection", 1, None);
            assert!(!outcome.is_success(), "{code}");
        }
        for (code, text) in CAUSES {
            assert_eq!(code_of(text), Some(*code), "{text}");
        }
    }

    #[test]
    fn a_log_without_a_reason_is_a_success() {
        assert_eq!(outcome_of_text("", 1), Outcome::Delivered);
        let text = "Busy signal detected; too many attempts to dial";
        assert_eq!(outcome_of_text(text, 0), Outcome::Busy);
    }
}
