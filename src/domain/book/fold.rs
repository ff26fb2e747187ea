//! How texts of the phone book are compared. An alias is one spelling whatever the case
//! and the form of its letters, but an accent makes another alias of it: a fax must not
//! go to `müller` that was meant for `muller`. Whoever searches is helped with accents and
//! punctuation too.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Folds the case as Unicode's full case folding does, save for a few letters of
/// Cherokee: by way of capitals, so that `ß` is `ss` and both small sigmas are one.
fn folded(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c })
}

/// What two aliases have in common that are the same: NFKC, without case.
pub(super) fn same(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfkc().flat_map(folded).nfkc().collect()
}

/// What is searched, and what is searched for: letters and digits without case and
/// accents, with single spaces between the words. Nothing else is left in it.
pub(super) fn searched(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Most texts are plain, and a book of them is read at every start.
    if text.is_ascii() {
        text.chars().for_each(|c| put(&mut out, c.to_ascii_lowercase()));
    } else {
        text.nfkd().flat_map(folded).nfkd().for_each(|c| put(&mut out, c));
    }
    out.truncate(out.trim_end().len());
    out
}

fn put(out: &mut String, c: char) {
    match c {
        // Who types O'Brien means OBrien as well.
        '\'' | '’' | '‘' => {}
        c if is_combining_mark(c) => {}
        c if c.is_alphanumeric() => match bare(c) {
            Some(letters) => out.push_str(letters),
            None => out.push(c),
        },
        _ if out.is_empty() || out.ends_with(' ') => {}
        _ => out.push(' '),
    }
}

/// Letters that have no accent to take away, and are typed without it all the same.
fn bare(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ŧ' => "t",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alias_has_many_spellings() {
        for (one, other, is_same) in [
            ("Acme", "ACME", true),
            ("straße", "STRASSE", true),
            ("ﬁrma", "Firma", true),
            ("Ａcme", "acme", true),
            ("ΟΔΟΣ", "οδος", true),
            ("caf\u{e9}", "cafe\u{301}", true),
            ("café", "cafe", false),
            ("acme", "acme-", false),
        ] {
            assert_eq!(same(one) == same(other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn what_is_searched_has_only_letters_digits_and_single_spaces() {
        for (text, found) in [
            ("Müller-Lüdenscheidt  & Co.", "muller ludenscheidt co"),
            ("  O'Brien", "obrien"),
            ("Łódź Ærø", "lodz aero"),
            ("Straße 5\n(rear)", "strasse 5 rear"),
            ("東京ファクス", "東京ファクス"),
            ("...", ""),
        ] {
            // Marks of Japanese sounds are accents too, on both sides of a comparison.
            let plain: String = found.nfkd().filter(|c| !is_combining_mark(*c)).collect();
            assert_eq!(searched(text), plain, "{text}");
            assert_eq!(searched(&searched(text)), searched(text));
        }
    }
}
