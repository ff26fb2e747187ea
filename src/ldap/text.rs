//! How values are prepared to be compared (RFC 4518). Knows no entry.

use unicode_normalization::UnicodeNormalization as _;

/// Without case, with single spaces and none at the ends: what caseIgnoreMatch compares.
/// Whatever is alike here is alike to the phone book, which forgives more: the fast way
/// of a search rests on that.
pub(super) fn folded(text: &str) -> String {
    let mut out = without_case(text);
    let plain = !out.starts_with(' ') && !out.ends_with(' ') && !out.contains("  ");
    if !plain {
        out = out.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    }
    out
}

/// A part of a value: a space at its end separates words and stays, as a single one.
pub(super) fn folded_part(text: &str) -> String {
    let all = without_case(text);
    let mut out = String::with_capacity(all.len());
    for c in all.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

/// Without case, in one form for the same letters, and with spaces for whatever parts
/// words (RFC 4518 2.2).
fn without_case(text: &str) -> String {
    let space = |c: char| if c.is_whitespace() { ' ' } else { c };
    if text.is_ascii() {
        return text.chars().map(|c| space(c.to_ascii_lowercase())).collect();
    }
    let sigma = |c: char| if c == 'ς' { 'σ' } else { c };
    let lower = |c: char| c.to_uppercase().flat_map(char::to_lowercase).map(sigma);
    text.nfkd().flat_map(lower).nfkc().map(space).collect()
}

/// A number without what is written for people (RFC 4518 2.6.3).
pub(super) fn digits(text: &str) -> String {
    let counts = |c: &char| !c.is_whitespace() && !"-\u{ad}\u{2010}\u{2011}\u{2212}".contains(*c);
    text.chars().filter(counts).flat_map(char::to_lowercase).collect()
}

/// A moment as RFC 4517 3.3.13 writes it, in whole seconds of UTC; none for what is none.
pub(super) fn moment(text: &str) -> Option<String> {
    let text = text.strip_suffix('Z')?;
    let whole = text.split(['.', ',']).next()?;
    let good = [10, 12, 14].contains(&whole.len()) && whole.bytes().all(|b| b.is_ascii_digit());
    good.then(|| format!("{whole:0<14}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_alike_or_not() {
        for (one, other, alike) in [
            ("Acme  Ltd", " acme ltd ", true),
            ("STRASSE", "straße", true),
            ("caf\u{e9}", "CAFE\u{301}", true),
            ("café", "cafe", false),
            ("a\tb", "a b", true),
            ("ab", "a b", false),
        ] {
            assert_eq!(folded(one) == folded(other), alike, "{one} {other}");
        }
        assert_eq!(folded_part("  A   b "), " a b ");
        assert_eq!(digits("+44 20-7946 0100"), "+442079460100");
    }

    #[test]
    fn moments_have_seconds() {
        for (text, wanted) in [
            ("20261123165100Z", Some("20261123165100Z")),
            ("202611231651Z", Some("20261123165100Z")),
            ("20261123165100.5Z", Some("20261123165100Z")),
            ("20261123165100", None),
            ("x", None),
        ] {
            assert_eq!(moment(text).as_deref(), wanted, "{text}");
        }
    }
}
