//! How a number in E.164 becomes what is dialled on a line.

use postfax_domain::number::Number;

/// What a line wants dialled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DialPlan {
    /// Before numbers of other countries: `00`, `011`, or nothing. Where none is given, what
    /// the line's own kind has for the `+`: SIP has the `+` itself, a modem nothing.
    pub international_prefix: Option<String>,
    /// The digits of the line's own country (`44`): numbers there are dialled nationally.
    pub country_code: Option<String>,
    /// Before national numbers: `0`, `1`.
    pub national_prefix: String,
    /// Before everything, to get an outside line: `0,`, `9,`.
    pub outside_prefix: String,
}

impl DialPlan {
    /// What is dialled, where `plus` is how the line writes the `+` by itself.
    #[must_use]
    pub fn dial(&self, number: &Number, plus: &str) -> String {
        let digits = number.as_str().trim_start_matches('+');
        let own = self.country_code.as_deref().filter(|code| !code.is_empty());
        let (prefix, rest) = match own.and_then(|code| digits.strip_prefix(code)) {
            Some(rest) => (self.national_prefix.as_str(), rest),
            None => (self.international_prefix.as_deref().unwrap_or(plus), digits),
        };
        format!("{}{prefix}{rest}", self.outside_prefix)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn a_number_is_dialled_as_the_line_wants_it() {
        let plan = |prefix: Option<&str>, code: Option<&str>, national: &str, out: &str| DialPlan {
            international_prefix: prefix.map(ToOwned::to_owned),
            country_code: code.map(ToOwned::to_owned),
            national_prefix: national.to_owned(),
            outside_prefix: out.to_owned(),
        };
        let number = Number::try_from("+442079460100".to_owned()).unwrap();
        for (plan, plus, expected) in [
            (DialPlan::default(), "+", "+442079460100"),
            (DialPlan::default(), "", "442079460100"),
            (plan(Some("00"), None, "", ""), "+", "00442079460100"),
            (plan(Some(""), None, "", "0"), "+", "0442079460100"),
            (plan(Some("00"), Some("44"), "0", ""), "", "02079460100"),
            (plan(Some("00"), Some("49"), "0", "9,"), "", "9,00442079460100"),
            (plan(None, Some("39"), "0", "9"), "+", "9+442079460100"),
        ] {
            assert_eq!(plan.dial(&number, plus), expected);
        }
    }
}
