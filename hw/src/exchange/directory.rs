//! Which registered number a dialled string means.
//!
//! Fax servers strip country and area codes by their dial rules, so that a number
//! is found by its last digits, in either direction; the longest match wins.

/// Fewest digits that can name a number.
pub(super) const MIN_DIGITS: usize = 3;

/// The digits of a number or dial string. Pauses, hyphens, spaces and a leading `+` are dropped.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The key among `registered` (digits only) that `dialled` reaches.
pub(super) fn look_up<'a>(
    registered: impl Iterator<Item = &'a str>,
    dialled: &str,
) -> Option<&'a str> {
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
            assert_eq!(look_up(registered.into_iter(), dialled), found, "{dialled}");
        }
    }
}
