//! The numbering scheme of a laboratory.
//!
//! ```text
//!  +1 555 100 SS LL   line LL (01 to 99) of server SS (01 to 08)
//!  +1 555 100 99 NN   numbers that fail, each in its own way
//! ```

use std::time::Duration;

use crate::exchange::Behaviour;

/// The names of the servers, in the order of their numbers.
pub(super) const NAMES: [&str; 8] =
    ["london", "paris", "berlin", "madrid", "rome", "vienna", "lisbon", "oslo"];
/// Most lines of one server.
pub(super) const MAX_LINES: u32 = 99;

/// A number that fails on purpose.
pub(super) struct Trouble {
    /// Which, in E.164.
    pub(super) number: &'static str,
    /// A word for it.
    pub(super) name: &'static str,
    /// How the exchange treats it.
    pub(super) behaviour: Behaviour,
    /// What happens to a caller.
    pub(super) sentence: &'static str,
}

/// The numbers that fail.
pub(super) const TROUBLES: [Trouble; 7] = [
    Trouble {
        number: "+15551009901",
        name: "busy",
        behaviour: Behaviour::Busy,
        sentence: "The line is always busy.",
    },
    Trouble {
        number: "+15551009902",
        name: "no-answer",
        behaviour: Behaviour::NoAnswer,
        sentence: "It rings and nobody answers.",
    },
    Trouble {
        number: "+15551009903",
        name: "voice",
        behaviour: Behaviour::Voice,
        sentence: "A person answers, and no fax machine.",
    },
    Trouble {
        number: "+15551009904",
        name: "drop",
        behaviour: Behaviour::DropAfter(Duration::from_secs(15)),
        sentence: "A fax machine answers, and the line drops 15 seconds later.",
    },
    Trouble {
        number: "+15551009905",
        name: "rtn",
        behaviour: Behaviour::RejectPages,
        sentence: "A fax machine answers and rejects every page (RTN).",
    },
    Trouble {
        number: "+15551009906",
        name: "no-dial-tone",
        behaviour: Behaviour::NoDialTone,
        sentence: "Whoever dials it gets no dial tone.",
    },
    Trouble {
        number: "+15551009907",
        name: "congested",
        behaviour: Behaviour::Congested,
        sentence: "The telephone network has no way through.",
    },
];

/// The number of a line, both counted from 0.
pub(super) fn of_line(server: usize, line: u32) -> String {
    format!("+1555100{:02}{:02}", server + 1, line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_numbers_are_the_same() {
        let mut numbers: Vec<String> =
            TROUBLES.iter().map(|trouble| trouble.number.to_owned()).collect();
        for server in 0..NAMES.len() {
            numbers.extend((0..MAX_LINES).map(|line| of_line(server, line)));
        }
        assert!(numbers.iter().all(|number| number.len() == "+15551000101".len()));
        assert_eq!(of_line(0, 0), "+15551000101");
        let all = numbers.len();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), all);
    }
}
