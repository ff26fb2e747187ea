//! The numbers of the exchange, what is reached at each of them, and which of them a
//! dialled string means.
//!
//! Fax servers strip country and area codes by their dial rules, so that a number
//! is found by its last digits, in either direction; the longest match wins.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::{Behaviour, ExchangeError, machine::ReceivedFax, modem::ModemId};

/// Fewest digits that can name a number.
const MIN_DIGITS: usize = 3;
/// Most digits of a number.
const MAX_DIGITS: usize = 20;
/// Most numbers.
const MAX_NUMBERS: usize = 4096;
/// Most modems at one number.
const MAX_GROUP: usize = 256;

/// What is reached at a number.
pub(super) enum Subscriber {
    /// A hunt group: the first idle one rings.
    Modems(Vec<ModemId>),
    /// Nobody real.
    Behaves(Behaviour),
    /// A fax machine.
    Machine {
        /// How many calls it has at one time.
        lines: u32,
        /// What it calls itself.
        station_id: String,
        /// Where what it receives goes.
        received: mpsc::Sender<ReceivedFax>,
    },
    /// Something that is invited in SIP.
    Sip {
        /// How many calls it has at one time.
        lines: u32,
        /// `host:port` to invite it at.
        target: String,
    },
}

/// A number and what is reached at it.
pub(super) struct Entry {
    /// As it was registered.
    pub(super) number: String,
    /// Who is there.
    pub(super) subscriber: Subscriber,
}

/// All numbers.
#[derive(Default)]
pub(super) struct Directory {
    /// By digits.
    entries: BTreeMap<String, Entry>,
}

impl Directory {
    /// The entry of just this number.
    pub(super) fn entry(&self, number: &str) -> Option<&Entry> {
        self.entries.get(&digits(number))
    }

    /// The entry that a dial string reaches.
    pub(super) fn look_up(&self, dialled: &str) -> Option<&Entry> {
        let found = find(self.entries.keys().map(String::as_str), dialled)?;
        self.entries.get(found)
    }

    /// Whether a modem can be added at a number.
    pub(super) fn check_group(&self, number: &str) -> Result<(), ExchangeError> {
        let digits = self.checked(number)?;
        match self.entries.get(&digits).map(|entry| &entry.subscriber) {
            None => Ok(()),
            Some(Subscriber::Modems(group)) if group.len() < MAX_GROUP => Ok(()),
            Some(Subscriber::Modems(_)) => Err(ExchangeError::Full),
            Some(_) => Err(ExchangeError::Taken(number.to_owned())),
        }
    }

    /// Adds a modem at a number.
    pub(super) fn add_modem(&mut self, number: &str, id: ModemId) -> Result<(), ExchangeError> {
        self.check_group(number)?;
        let entry = self.entries.entry(digits(number)).or_insert_with(|| Entry {
            number: number.to_owned(),
            subscriber: Subscriber::Modems(Vec::new()),
        });
        if let Subscriber::Modems(group) = &mut entry.subscriber {
            group.push(id);
        }
        Ok(())
    }

    /// Adds a number that behaves in one way, or changes how it behaves.
    pub(super) fn add_number(
        &mut self,
        number: &str,
        behaviour: Behaviour,
    ) -> Result<(), ExchangeError> {
        let digits = self.checked(number)?;
        match self.entries.get(&digits).map(|entry| &entry.subscriber) {
            None | Some(Subscriber::Behaves(_)) => {}
            Some(_) => return Err(ExchangeError::Taken(number.to_owned())),
        }
        let subscriber = Subscriber::Behaves(behaviour);
        self.entries.insert(digits, Entry { number: number.to_owned(), subscriber });
        Ok(())
    }

    /// Adds a fax machine, or a number in SIP.
    pub(super) fn add_machine(
        &mut self,
        number: &str,
        machine: Subscriber,
    ) -> Result<(), ExchangeError> {
        let digits = self.checked(number)?;
        if self.entries.contains_key(&digits) {
            return Err(ExchangeError::Taken(number.to_owned()));
        }
        self.entries.insert(digits, Entry { number: number.to_owned(), subscriber: machine });
        Ok(())
    }

    /// The digits of a number that can be registered.
    fn checked(&self, number: &str) -> Result<String, ExchangeError> {
        let digits = digits(number);
        let plain = number.chars().all(|c| c.is_ascii_digit() || "+- ().".contains(c));
        if !plain || !(MIN_DIGITS..=MAX_DIGITS).contains(&digits.len()) {
            return Err(ExchangeError::Number(number.to_owned()));
        }
        if self.entries.len() >= MAX_NUMBERS {
            return Err(ExchangeError::Full);
        }
        Ok(digits)
    }
}

/// The digits of a number or dial string. Pauses, hyphens, spaces and a leading `+` are dropped.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The key among `registered` (digits only) that `dialled` reaches.
fn find<'a>(registered: impl Iterator<Item = &'a str>, dialled: &str) -> Option<&'a str> {
    let dialled = digits(dialled);
    if dialled.len() < MIN_DIGITS {
        return None;
    }
    registered
        .filter_map(|number| Some((matched(number, &dialled)?, number)))
        .max()
        .map(|(_, number)| number)
}

/// How well they match: digits in common, and whether they are equal.
fn matched(number: &str, dialled: &str) -> Option<(usize, bool)> {
    let common = number.len().min(dialled.len());
    (number.ends_with(dialled) || dialled.ends_with(number))
        .then_some((common, number.len() == dialled.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_last_digits() {
        let registered = ["15551000101", "15551000102", "101", "442079460101"];
        for (dialled, found) in [
            ("+15551000101", Some("15551000101")),
            ("15551000101", Some("15551000101")),
            ("1000101", Some("15551000101")),
            ("9,1-555-100-0102", Some("15551000102")),
            ("01115551000102", Some("15551000102")),
            // Equal beats longer, longer beats shorter.
            ("101", Some("101")),
            ("0101", Some("442079460101")),
            ("7101", Some("101")),
            ("01", None),
            ("", None),
            ("5559999999", None),
        ] {
            assert_eq!(find(registered.into_iter(), dialled), found, "{dialled}");
        }
    }

    #[test]
    fn a_number_belongs_to_one_kind_of_subscriber() {
        let mut directory = Directory::default();
        directory.add_modem("+15551000101", 1).unwrap();
        directory.add_modem("15551000101", 2).unwrap();
        let taken = directory.add_number("+1-555-100-0101", Behaviour::Busy);
        assert!(matches!(taken, Err(ExchangeError::Taken(_))));
        directory.add_number("5002", Behaviour::Busy).unwrap();
        directory.add_number("5002", Behaviour::Voice).unwrap();
        assert!(matches!(directory.add_modem("5002", 3), Err(ExchangeError::Taken(_))));
        for bad in ["", "12", "fax", "123456789012345678901"] {
            let refused = directory.add_number(bad, Behaviour::Busy);
            assert!(matches!(refused, Err(ExchangeError::Number(_))), "{bad}");
        }
        let group = &directory.look_up("0101").unwrap().subscriber;
        assert!(matches!(group, Subscriber::Modems(group) if *group == [1, 2]));
    }
}
