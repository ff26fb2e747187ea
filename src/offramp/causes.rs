//! What refusals and failures of an off-ramp mean for an attempt, by their status
//! (RFC 3463); words are only a hint.

use postfax_domain::outcome::Outcome;
use postfax_hw::hint;

/// A refusal before the mail was taken.
pub(super) fn refused(code: u16, status: Option<&str>) -> Outcome {
    match (status.and_then(by_status), code) {
        (Some(outcome), _) => outcome,
        (None, 550 | 551 | 553) => Outcome::NumberForbidden,
        (None, 552) => Outcome::TooManyPages,
        (None, _) => Outcome::ServerRefused,
    }
}

/// A failure that was reported later: the off-ramp has tried, and gave up.
pub(super) fn failed(status: Option<&str>, words: &str) -> Outcome {
    let outcome = status.and_then(by_status).or_else(|| hint::of(words));
    outcome.unwrap_or(match status.and_then(|status| status.chars().next()) {
        Some('5') => Outcome::ServerRefused,
        _ => Outcome::GaveUp,
    })
}

/// What subject and detail say. X.4.1 and X.4.2 are left to the words: busy and no answer
/// share them.
fn by_status(status: &str) -> Option<Outcome> {
    let mut digits = status.split('.');
    let class = digits.next()?;
    let (subject, detail): (u16, u16) =
        (digits.next()?.parse().ok()?, digits.next()?.parse().ok()?);
    match (subject, detail) {
        (1, 1 | 2 | 10) => Some(Outcome::NotInService),
        (1, 3) => Some(Outcome::BadDialString),
        (1, 6) => Some(Outcome::NumberChanged),
        (2, 1) => Some(Outcome::NotReady),
        (2, 2) => Some(Outcome::RemoteFull),
        (2, 3) | (3, 4) => Some(Outcome::TooManyPages),
        (3, _) if class == "4" => Some(Outcome::ServerFault),
        (4, 5) => Some(Outcome::Congestion),
        (4, 7) => Some(Outcome::GaveUp),
        (6, 3) => Some(Outcome::FormatRefused),
        (6, _) => Some(Outcome::BadDocument),
        (7, _) => Some(Outcome::NumberForbidden),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_by_status_and_then_by_words() {
        for (status, words, outcome) in [
            (Some("5.1.1"), "E001 busy", Outcome::NotInService),
            (Some("4.4.1"), "E001 Busy signal detected", Outcome::Busy),
            (Some("4.4.1"), "no answer from remote", Outcome::NoAnswer),
            (Some("4.4.2"), "?", Outcome::GaveUp),
            (Some("5.0.0"), "?", Outcome::ServerRefused),
            (Some("4.3.0"), "", Outcome::ServerFault),
            (Some("5.3.4"), "", Outcome::TooManyPages),
            (Some("5.6.5"), "", Outcome::BadDocument),
            (Some("5.7.1"), "", Outcome::NumberForbidden),
            (None, "No carrier detected", Outcome::NoFaxMachine),
            (None, "", Outcome::GaveUp),
        ] {
            assert_eq!(failed(status, words), outcome, "{status:?} {words}");
        }
    }

    #[test]
    fn refusals_by_status_and_then_by_code() {
        for (code, status, outcome) in [
            (550, Some("5.1.1"), Outcome::NotInService),
            (550, Some("5.7.1"), Outcome::NumberForbidden),
            (550, None, Outcome::NumberForbidden),
            (552, None, Outcome::TooManyPages),
            (554, None, Outcome::ServerRefused),
            (554, Some("5.6.1"), Outcome::BadDocument),
        ] {
            assert_eq!(refused(code, status), outcome, "{code} {status:?}");
        }
    }
}
