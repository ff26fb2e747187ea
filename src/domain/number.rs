//! Fax numbers: read once, in the supervisor's country, and from then on E.164.
//!
//! A [`Number`] is what jobs are keyed by: one call at a time to one number,
//! duplicates, dial rules and the phone book all compare it.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Most digits that a number may have (E.164 6.2.1).
pub const MAX_DIGITS: usize = 15;
/// Fewest digits that can name a subscriber with its country code.
pub const MIN_DIGITS: usize = 7;

/// A number that cannot be called, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNumber {
    /// Nothing that could be dialled.
    #[error("the fax number is empty")]
    Empty,
    /// A character that no number has.
    #[error(
        "\"{0}\" cannot stand in a fax number: use digits, with a leading + for another country"
    )]
    Character(char),
    /// Too few digits for a country code and a subscriber.
    #[error("the fax number is too short: at least {MIN_DIGITS} digits with the country code")]
    TooShort,
    /// More digits than E.164 allows.
    #[error("the fax number is too long: at most {MAX_DIGITS} digits with the country code")]
    TooLong,
    /// The digits do not begin with a country code, or do not fit the country.
    #[error("the fax number cannot be read as a number of {0} or of another country")]
    Unreadable(Country),
}

/// A country, by its ISO 3166 code: how national numbers are read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country(phonenumber::country::Id);

impl FromStr for Country {
    type Err = String;
    fn from_str(code: &str) -> Result<Self, String> {
        code.parse().map(Self).map_err(|_| {
            format!("\"{code}\" is no country: use its two-letter ISO 3166 code, such as GB")
        })
    }
}

impl TryFrom<String> for Country {
    type Error = String;
    fn try_from(code: String) -> Result<Self, String> {
        code.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.0.as_ref().to_owned()
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_ref())
    }
}

/// An E.164 number: `+` and 7 to 15 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Number(Arc<str>);

impl Number {
    /// Reads a number as a person or a mail address writes it: `+44-20-7946-0100`
    /// is global (RFC 3191 2.1: `-` and `.` are ignored), anything without `+` is
    /// read as dialled in `country`.
    ///
    /// # Errors
    /// [`BadNumber`] names what is wrong.
    pub fn parse(text: &str, country: Country) -> Result<Self, BadNumber> {
        let global = text.trim_start().starts_with('+');
        let mut digits = String::new();
        for (at, c) in text.trim().chars().enumerate() {
            match c {
                '0'..='9' => digits.push(c),
                '+' if at == 0 => {}
                '-' | '.' | ' ' | '(' | ')' | '/' => {}
                other => return Err(BadNumber::Character(other)),
            }
        }
        if digits.is_empty() {
            return Err(BadNumber::Empty);
        }
        if !global {
            digits = Self::national(&digits, country)?;
        }
        Self::global(&digits)
    }

    fn national(digits: &str, country: Country) -> Result<String, BadNumber> {
        if digits.len() > MAX_DIGITS + 5 {
            return Err(BadNumber::TooLong);
        }
        let read = phonenumber::parse(Some(country.0), digits)
            .map_err(|_| BadNumber::Unreadable(country))?;
        let e164 = phonenumber::format(&read).mode(phonenumber::Mode::E164).to_string();
        Ok(e164.trim_start_matches('+').to_owned())
    }

    fn global(digits: &str) -> Result<Self, BadNumber> {
        match digits.len() {
            0 => Err(BadNumber::Empty),
            n if n < MIN_DIGITS => Err(BadNumber::TooShort),
            n if n > MAX_DIGITS => Err(BadNumber::TooLong),
            // No country code begins with 0 (E.164.1).
            _ if digits.starts_with('0') => Err(BadNumber::Character('0')),
            _ => Ok(Self(format!("+{digits}").into())),
        }
    }

    /// Whether it is a number of another country. Where countries share a code and it
    /// cannot be told whose number it is, it counts as one of ours.
    #[must_use]
    pub fn is_abroad(&self, home: Country) -> bool {
        let Ok(read) = phonenumber::parse(None, self.as_str()) else { return true };
        let ours = phonenumber::metadata::DATABASE.by_id(home.0.as_ref());
        if ours.is_none_or(|ours| ours.country_code() != read.country().code()) {
            return true;
        }
        read.country().id().is_some_and(|theirs| theirs != home.0)
    }

    /// The digits that are dialled inside the number's own country: its national prefix
    /// for the country code. `None` where the country code is nobody's.
    #[must_use]
    pub fn national_digits(&self) -> Option<String> {
        let digits = &self.0[1..];
        // No country code is the beginning of another one (E.164 6.1), and 3 digits are
        // the most.
        (1..=3).find_map(|length| {
            let (code, rest) = digits.split_at(length);
            let code: u16 = code.parse().ok()?;
            let of_code = phonenumber::metadata::DATABASE.by_code(&code)?;
            let main = of_code.iter().find(|one| one.is_main_country_for_code());
            let prefix = main.or(of_code.first())?.national_prefix().unwrap_or("");
            Some(format!("{prefix}{rest}"))
        })
    }

    /// The number as people write it, in groups: `+44 20 7946 0100`.
    #[must_use]
    pub fn spaced(&self) -> String {
        phonenumber::parse(None, self.as_str()).map_or_else(
            |_| self.as_str().to_owned(),
            |read| phonenumber::format(&read).mode(phonenumber::Mode::International).to_string(),
        )
    }

    /// The number with its leading `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Number {
    type Error = BadNumber;
    fn try_from(text: String) -> Result<Self, BadNumber> {
        match text.strip_prefix('+') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Self::global(digits),
            _ => Err(BadNumber::Empty),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A shell-like pattern over numbers or names: `*` stands for anything.
/// Letters match in any case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Takes any text; `*` is the only special character.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase())
    }

    /// The pattern as it is compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole of `text` fits the pattern.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or("");
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }

    /// Whether some text fits both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let other = other.0.as_bytes();
        // Whether what is left of the other, from each of its places, can be met by what is
        // left of this one; from the end of this one to its beginning.
        let mut met: Vec<bool> =
            (0..=other.len()).map(|at| other[at..].iter().all(|b| *b == b'*')).collect();
        for own in self.0.bytes().rev() {
            let later = std::mem::take(&mut met);
            met = vec![false; other.len() + 1];
            for at in (0..=other.len()).rev() {
                let theirs = other.get(at).copied();
                met[at] = match (own, theirs) {
                    (b'*', None) => later[at],
                    (b'*', Some(_)) => later[at] || met[at + 1],
                    (_, Some(b'*')) => met[at + 1] || later[at],
                    (own, theirs) => theirs == Some(own) && later[at + 1],
                };
            }
        }
        met[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gb(text: &str) -> Result<String, BadNumber> {
        Number::parse(text, "GB".parse().unwrap()).map(|n| n.to_string())
    }

    #[test]
    fn numbers_are_read_in_the_country() {
        for (written, read) in [
            ("+442079460100", "+442079460100"),
            ("+44-20-7946-0100", "+442079460100"),
            ("+44.1633.960348", "+441633960348"),
            ("02079460100", "+442079460100"),
            ("020 7946 0100", "+442079460100"),
            ("0033142685300", "+33142685300"),
        ] {
            assert_eq!(gb(written).as_deref(), Ok(read), "{written}");
        }
        let us = Number::parse("9195550100", "US".parse().unwrap()).unwrap();
        assert_eq!(us.as_str(), "+19195550100");
    }

    #[test]
    fn bad_numbers_are_named() {
        assert_eq!(gb(""), Err(BadNumber::Empty));
        assert_eq!(gb("+"), Err(BadNumber::Empty));
        assert_eq!(gb("+44x20"), Err(BadNumber::Character('x')));
        assert_eq!(gb("+4420+7946"), Err(BadNumber::Character('+')));
        assert_eq!(gb("+123"), Err(BadNumber::TooShort));
        assert_eq!(gb("+1234567890123456"), Err(BadNumber::TooLong));
        assert_eq!(gb("+0442079460100"), Err(BadNumber::Character('0')));
    }

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, fits) in [
            ("+33*", "+33142685300", true),
            ("+33*", "+44", false),
            ("*", "", true),
            ("*mueller*", "Fa. MUELLER KG", true),
            ("+1*55*", "+15", false),
            ("a*a", "a", false),
            ("+44", "+44", true),
            ("+44", "+441", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_meet_where_a_text_fits_both() {
        for (one, other, meets) in [
            ("a@b", "A@b", true),
            ("a@b", "a@bc", false),
            ("*@b", "a@b", true),
            ("a@*", "*@b", true),
            ("a@*", "c*@b", false),
            ("*@*.b", "*@a.b", true),
            ("*@a.b", "*@c.b", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "*x*", true),
            ("a*a", "a", false),
            ("**", "*a", true),
        ] {
            let (one, other) = (Pattern::new(one), Pattern::new(other));
            assert_eq!((one.meets(&other), other.meets(&one)), (meets, meets), "{one:?} {other:?}");
        }
    }

    #[test]
    fn a_number_is_dialled_otherwise_in_its_own_country() {
        for (number, national) in [
            ("+442079460100", Some("02079460100")),
            ("+33142685300", Some("0142685300")),
            ("+390401234567", Some("0401234567")),
            ("+19195550100", Some("19195550100")),
            ("+353150100", Some("0150100")),
            ("+9990001111", None),
        ] {
            let read = Number::try_from(number.to_owned()).unwrap();
            assert_eq!(read.national_digits().as_deref(), national, "{number}");
        }
    }

    #[test]
    fn a_number_of_another_country_is_abroad() {
        for (number, home, abroad) in [
            ("+442079460100", "GB", false),
            ("+442079460100", "US", true),
            ("+12025550123", "US", false),
            ("+12025550123", "CA", true),
            ("+16135550123", "US", true),
            ("+15550100", "US", false),
            ("+493012345678", "AT", true),
        ] {
            let read = Number::try_from(number.to_owned()).unwrap();
            assert_eq!(read.is_abroad(home.parse().unwrap()), abroad, "{number} from {home}");
        }
    }
}
