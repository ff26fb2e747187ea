//! What stands behind a verb, in pieces: `12 priority=5 due = "2026-11-24 08:00"`, and the
//! reason at the end of a change. Pure.

use crate::inquiry::form::straight;

/// Words that begin a reason, in lower case.
const BECAUSE: [&str; 2] = ["because", "reason:"];

/// What stands before the first `key=value`, and each of these: a value goes on to the
/// next key, so that it may have spaces, and loses one pair of quotation marks.
pub(super) fn pieces(text: &str) -> (&str, Vec<(String, String)>) {
    let keys = keys(text);
    let head = keys.first().map_or(text, |(key, _)| &text[..key.start]).trim();
    let ends = keys.iter().skip(1).map(|(next, _)| next.start).chain([text.len()]);
    let pair = |((key, value), end): (&(std::ops::Range<usize>, usize), usize)| {
        (text[key.clone()].to_owned(), unquoted(&text[*value..end]))
    };
    (head, keys.iter().zip(ends).map(pair).collect())
}

/// Where keys are, and where the value of each begins: a word that is followed by `=` and
/// does not stand in quotation marks.
fn keys(text: &str) -> Vec<(std::ops::Range<usize>, usize)> {
    let mut keys = Vec::new();
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        is_quoted ^= matches!(c, '"' | '“' | '”' | '„');
        if c != '=' || is_quoted {
            continue;
        }
        let before = text[..at].trim_end();
        let begins = before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(0, char::len_utf8));
        let is_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if begins < before.len() && before[begins..].chars().all(is_key) {
            keys.push((begins..before.len(), at + 1));
        }
    }
    keys
}

fn unquoted(value: &str) -> String {
    let value = straight(value.trim().trim_end_matches([',', ';']));
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(&value).to_owned()
}

/// What is to be done, and why: `.. because the carrier blocks more`.
pub(super) fn reason(text: &str) -> (&str, String) {
    let mut is_quoted = false;
    let mut at_word = true;
    for (at, c) in text.char_indices() {
        if at_word
            && !is_quoted
            && let Some(why) = why(&text[at..])
        {
            return (text[..at].trim(), why);
        }
        is_quoted ^= matches!(c, '"' | '“' | '”' | '„');
        at_word = c.is_whitespace();
    }
    (text.trim(), String::new())
}

/// The reason that a line gives, if it gives one.
pub(in crate::inquiry) fn why(line: &str) -> Option<String> {
    BECAUSE.iter().find_map(|word| {
        let head = line.get(..word.len())?;
        let behind = &line[word.len()..];
        let ends = word.ends_with(':') || behind.is_empty() || behind.starts_with([' ', ':', ',']);
        let fits = head.eq_ignore_ascii_case(word) && ends;
        fits.then(|| behind.trim_start_matches([' ', ':', ',']).trim_end().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_found_as_people_write_them() {
        for (text, head, pairs) in [
            ("12", "12", vec![]),
            ("", "", vec![]),
            ("a=1", "", vec![("a", "1")]),
            ("12 a=1 b=2", "12", vec![("a", "1"), ("b", "2")]),
            ("12 a = 1, b= 2", "12", vec![("a", "1"), ("b", "2")]),
            ("x a= b=", "x", vec![("a", ""), ("b", "")]),
            ("x a=two words b=3", "x", vec![("a", "two words"), ("b", "3")]),
            ("x line.y.a=\"b=c\" d=e=f", "x", vec![("line.y.a", "b=c"), ("d", "e=f")]),
            ("x a=“two words”", "x", vec![("a", "two words")]),
            ("é =1", "é =1", vec![]),
            ("=1", "=1", vec![]),
        ] {
            let (found, read) = pieces(text);
            let read: Vec<(&str, &str)> =
                read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            assert_eq!((found, read), (head, pairs), "{text}");
        }
    }

    #[test]
    fn a_reason_stands_at_the_end() {
        for (text, rest, why) in [
            ("a=1", "a=1", ""),
            ("a=1 because it rains", "a=1", "it rains"),
            ("a=1 Because: it rains.", "a=1", "it rains."),
            ("a=1 reason: it rains", "a=1", "it rains"),
            ("because", "", ""),
            ("a=\"no because\" b=1", "a=\"no because\" b=1", ""),
            ("a=becauseful", "a=becauseful", ""),
            ("ä because ö", "ä", "ö"),
        ] {
            assert_eq!(reason(text), (rest, why.to_owned()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_written_breaks_it(text in "[ ='\"“”a-zä,;becaus]{0,80}") {
            let (head, pairs) = pieces(&text);
            let (rest, _) = reason(&text);
            proptest::prop_assert!(text.contains(head) && text.contains(rest));
            proptest::prop_assert!(pairs.iter().all(|(key, _)| !key.is_empty()));
        }
    }
}
