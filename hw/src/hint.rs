//! What words of foreign fax servers hint at, where their protocol has no cause. Only a
//! hint: it chooses when to try again, never whether a fax arrived.

use postfax_domain::outcome::Outcome;

/// Words, and what they hint at; the first that is found counts.
const WORDS: &[(&str, Outcome)] = &[
    ("busy", Outcome::Busy),
    ("no answer", Outcome::NoAnswer),
    ("not answer", Outcome::NoAnswer),
    ("no dial tone", Outcome::NoDialTone),
    ("no dialtone", Outcome::NoDialTone),
    ("no local dialtone", Outcome::NoDialTone),
    ("no fax", Outcome::NoFaxMachine),
    ("no carrier", Outcome::NoFaxMachine),
    ("out of memory", Outcome::RemoteFull),
    ("memory full", Outcome::RemoteFull),
    ("out of paper", Outcome::NotReady),
    ("not in service", Outcome::NotInService),
    ("unallocated", Outcome::NotInService),
    ("congest", Outcome::Congestion),
    ("hung up", Outcome::Disconnected),
    ("disconnect", Outcome::Disconnected),
];
/// Characters that are looked at.
const MAX_CHARS: usize = 1_000;

/// What the words hint at, if at anything.
#[must_use]
pub fn of(words: &str) -> Option<Outcome> {
    let words: String = words.chars().take(MAX_CHARS).collect::<String>().to_ascii_lowercase();
    WORDS.iter().find(|(word, _)| words.contains(word)).map(|(_, outcome)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_machines_say_them() {
        for (words, hinted) in [
            ("Busy signal detected", Some(Outcome::Busy)),
            ("E001 Busy signal detected; too many attempts to dial", Some(Outcome::Busy)),
            ("No answer from remote", Some(Outcome::NoAnswer)),
            ("The remote side did not answer", Some(Outcome::NoAnswer)),
            ("No local dialtone", Some(Outcome::NoDialTone)),
            ("No carrier detected", Some(Outcome::NoFaxMachine)),
            ("job-state 8", None),
            ("", None),
        ] {
            assert_eq!(of(words), hinted, "{words}");
        }
    }
}
