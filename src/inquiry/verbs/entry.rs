//! What people write of an entry of the phone book: in one line, or a field to a line.
//! Pure; what a field may say is decided by others.

use std::collections::BTreeSet;

use postfax_domain::{
    book::{Label, Sharing},
    dial::Party,
    document::Resolution,
    names::{ClientName, GroupName},
};

use super::pieces::pieces;
use crate::{
    inquiry::form::straight,
    requests::book::{CoverChoice, Fields, Keeper, ResolutionChoice},
};

/// Digits of the shortest number that is seen in a line.
const MIN_DIGITS: usize = 3;
/// Marks that stand around names.
const MARKS: [char; 3] = ['"', ',', ';'];

/// What somebody writes of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::inquiry) struct Draft {
    /// What it is to say.
    pub(in crate::inquiry) fields: Fields,
    /// Who is to see it, where that is said.
    pub(in crate::inquiry) label: Option<Label>,
    /// Whose it is to be, where that is said.
    pub(in crate::inquiry) owner: Option<Keeper>,
}

/// Words that begin what is said of an entry, and how much belongs to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// One word.
    One,
    /// All words up to the next of these.
    Some,
    /// Everything to the end.
    Rest,
    /// Nothing: it says all by itself.
    Nothing,
}

/// The key of a field, whatever people call it.
pub(in crate::inquiry) fn key(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "name" => "name",
        "company" | "firm" | "organisation" | "organization" | "org" => "company",
        "number" | "fax" | "phone" | "telephone" | "tel" => "number",
        "subaddress" | "sub-address" | "sub" => "subaddress",
        "alias" => "alias",
        "note" | "notes" | "comment" => "note",
        "tags" | "tag" => "tags",
        "cover" => "cover",
        "resolution" => "resolution",
        "members" | "member" => "members",
        "for" | "label" | "share" | "shared" => "for",
        "owner" => "owner",
        _ => return None,
    })
}

/// What a word in a line begins: a field, and how much belongs to it.
fn begins(word: &str) -> Option<(&'static str, Takes)> {
    let word = word.trim_end_matches([':', ',']);
    match word.to_lowercase().as_str() {
        "everyone" => return Some(("everyone", Takes::Nothing)),
        "public" => return Some(("public", Takes::Nothing)),
        _ => {}
    }
    let key = key(word)?;
    let takes = match key {
        "alias" | "subaddress" | "cover" | "resolution" | "owner" => Takes::One,
        "note" => Takes::Rest,
        _ => Takes::Some,
    };
    // "Fax" and "phone" stand in many a name; the number is found by its digits.
    (!["name", "number"].contains(&key)).then_some((key, takes))
}

/// `Acme Ltd +44 20 7946 0100 alias acme`, in any order that can be understood: the number
/// is known by its digits, and what no word says otherwise of is the name.
///
/// # Errors
/// Says which word cannot be meant.
pub(in crate::inquiry) fn line(text: &str) -> Result<Draft, String> {
    let (head, pairs) = pieces(text);
    let mut draft = Draft::default();
    let words: Vec<&str> = head.split_whitespace().collect();
    // Numbers among the members of a list, or in a note, are not that of the entry.
    let until = |name: &str| {
        let found = words.iter().skip(1).position(|word| begins(word).is_some_and(|b| b.0 == name));
        &words[..found.map_or(words.len(), |at| at + 1)]
    };
    let is_list = until("members").len() < words.len();
    let number = number(until("note"))
        .or_else(|| number(until("members")))
        .filter(|found| !is_list || found.end <= until("members").len());
    let mut name: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some(digits) = number.as_ref().filter(|digits| digits.contains(&at)) {
            put(&mut draft, "number", &words[digits.clone()].join(" "))?;
            at = digits.end;
            continue;
        }
        // In a name before the number hardly a word is none.
        let before = number.as_ref().is_some_and(|digits| at < digits.start);
        let found = begins(words[at])
            .filter(|(key, _)| at > 0 && (!before || ["alias", "company"].contains(key)));
        let Some((key, takes)) = found else {
            name.push(words[at]);
            at += 1;
            continue;
        };
        let ends = |end: usize| number.as_ref().is_some_and(|digits| digits.start == end);
        let end = match takes {
            Takes::Nothing => at + 1,
            Takes::One => (at + 2).min(words.len()),
            Takes::Rest => words.len(),
            Takes::Some => {
                let next = (at + 1..words.len()).find(|&one| {
                    // "share for everyone" is one thing to say.
                    let next = begins(words[one]).map(|(next, _)| next);
                    let goes_on = key == "for" && matches!(next, Some("everyone" | "for"));
                    ends(one) || (next.is_some() && !goes_on)
                });
                next.unwrap_or(words.len())
            }
        };
        put(&mut draft, key, &words[at + 1..end].join(" "))?;
        at = end;
    }
    let announces = |word: &&str| key(word.trim_end_matches([':', '.'])) == Some("number");
    if number.is_some() && name.len() > 1 {
        // "Acme Ltd, fax +44 .."
        name.pop_if(|last| announces(&&**last));
    }
    if !name.is_empty() {
        put(&mut draft, "name", &name.join(" "))?;
    }
    for (key, value) in pairs {
        named(&mut draft, &key, &value)?;
    }
    Ok(draft)
}

/// Where the number stands among the words: from a plus on, else the most digits.
fn number(words: &[&str]) -> Option<std::ops::Range<usize>> {
    let digits = |word: &str| word.bytes().filter(u8::is_ascii_digit).count();
    let is_part = |word: &str| {
        let bare = word.trim_end_matches(MARKS);
        bare.chars().all(|c| c.is_ascii_digit() || "+-./()".contains(c))
            && !bare.is_empty()
            && (digits(bare) > 0 || bare == "-" || bare == "/")
    };
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let ended = at == 0 || words[at - 1].ends_with(MARKS);
        match runs.last_mut() {
            _ if !is_part(word) => {}
            Some(run) if run.end == at && !ended && !word.starts_with('+') => run.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    let count = |run: &std::ops::Range<usize>| -> usize {
        words[run.clone()].iter().map(|word| digits(word)).sum()
    };
    runs.retain(|run| count(run) >= MIN_DIGITS);
    let global = runs.iter().find(|run| words[run.start].starts_with(['+', '(']));
    // Of several equal ones the first.
    global.cloned().or_else(|| runs.into_iter().rev().max_by_key(count))
}

/// The fields of lines such as `number: +44 20 7946 0100`, which come one after the other.
/// Whether there are any.
///
/// # Errors
/// Says which line cannot be meant.
pub(in crate::inquiry) fn lines<'a>(
    draft: &mut Draft,
    written: impl IntoIterator<Item = &'a str>,
) -> Result<bool, String> {
    let mut any = false;
    for line in written.into_iter().filter(|line| !line.is_empty()) {
        match field(line) {
            Some((key, value)) => named(draft, key, value)?,
            // What follows the fields is not theirs: a greeting.
            None if any => break,
            None => continue,
        }
        any = true;
    }
    Ok(any)
}

/// The key and the value of a line that has them.
pub(in crate::inquiry) fn field(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once([':', '=', '：'])?;
    let key = key.trim();
    let is_word = |c: char| c.is_ascii_alphabetic() || c == '-' || c == '_';
    let is_field = !key.is_empty() && key.chars().all(is_word) && !value.starts_with("//");
    // "Hello:" announces, and says nothing.
    let says = !value.trim().is_empty() || self::key(key).is_some();
    (is_field && says).then_some((key, value.trim()))
}

/// Sets a field that is called by its key.
pub(in crate::inquiry) fn named(draft: &mut Draft, word: &str, value: &str) -> Result<(), String> {
    let wrong = || {
        format!(
            "\"{word}\" is none of name, company, number, subaddress, alias, note, tags, cover, \
             resolution, members, for"
        )
    };
    put(draft, key(word).ok_or_else(wrong)?, value)
}

fn put(draft: &mut Draft, key: &str, value: &str) -> Result<(), String> {
    let value = plain(value);
    let fields = &mut draft.fields;
    let text = match key {
        "name" => &mut fields.name,
        "company" => &mut fields.company,
        "number" => &mut fields.number,
        "subaddress" => &mut fields.subaddress,
        "alias" => &mut fields.alias,
        "note" => &mut fields.note,
        "tags" => return once(&mut fields.tags, key, all(&value).collect()),
        "members" => return once(&mut fields.members, key, all(&value).collect()),
        "cover" => return once(&mut fields.cover, key, cover(&value)?),
        "resolution" => return once(&mut fields.resolution, key, resolution(&value)?),
        "owner" => return once(&mut draft.owner, key, keeper(&value)?),
        "public" => return once(&mut draft.owner, key, Keeper::Public),
        "everyone" => return once(&mut draft.label, "for", Label::Everyone),
        _ => {
            let label = match sharing(&value)? {
                Sharing::Everyone => Label::Everyone,
                Sharing::With(parties) => Label::Named(parties),
                Sharing::Nobody | Sharing::NotWith(_) => Label::private(),
            };
            return once(&mut draft.label, key, label);
        }
    };
    once(text, key, value)
}

fn once<T>(field: &mut Option<T>, key: &str, value: T) -> Result<(), String> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{key} stands there twice")),
    }
}

/// A value without the marks around it.
pub(in crate::inquiry) fn plain(value: &str) -> String {
    let value = straight(value.trim());
    let value = value.trim_end_matches([',', ';']).trim();
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value).trim().to_owned()
}

fn all(value: &str) -> impl Iterator<Item = String> {
    value.split([',', ';']).map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned)
}

fn cover(value: &str) -> Result<CoverChoice, String> {
    match value.to_lowercase().as_str() {
        "yes" | "on" | "true" => Ok(CoverChoice::Yes),
        "no" | "off" | "false" => Ok(CoverChoice::No),
        "usual" | "" => Ok(CoverChoice::Usual),
        _ => Err(format!("\"{value}\" is no cover: write yes, no or usual")),
    }
}

fn resolution(value: &str) -> Result<ResolutionChoice, String> {
    if value.is_empty() || value.eq_ignore_ascii_case("usual") {
        return Ok(ResolutionChoice::Usual);
    }
    let known = Resolution::named(value).map(|resolution| Some(resolution).into());
    known.ok_or_else(|| {
        format!(
            "\"{value}\" is no resolution: write standard, fine, superfine, 300x300, 400x400 or usual"
        )
    })
}

fn keeper(value: &str) -> Result<Keeper, String> {
    match value.eq_ignore_ascii_case("public") {
        true => Ok(Keeper::Public),
        false => ClientName::new(value).map(Keeper::Client).map_err(|bad| bad.to_string()),
    }
}

/// With whom: `everyone`, `nobody`, `bert, group sales and group:legal`.
///
/// # Errors
/// Says what is no name.
pub(in crate::inquiry) fn sharing(value: &str) -> Result<Sharing, String> {
    let mut parties = BTreeSet::new();
    let mut is_group = false;
    for word in value.split(|c: char| c.is_whitespace() || ",;".contains(c)) {
        let word = word.trim_matches(['"', '.', ':']);
        let lower = word.to_lowercase();
        match lower.as_str() {
            "" | "and" | "with" | "for" | "the" | "&" => continue,
            "group" | "groups" => {
                is_group = true;
                continue;
            }
            "client" | "clients" => {
                is_group = false;
                continue;
            }
            "everyone" | "everybody" | "all" if parties.is_empty() => return Ok(Sharing::Everyone),
            "nobody" | "none" if parties.is_empty() => return Ok(Sharing::Nobody),
            _ => {}
        }
        let (kind, name) =
            word.split_once(':').unwrap_or((if is_group { "group" } else { "" }, word));
        is_group = false;
        parties.insert(match kind.eq_ignore_ascii_case("group") {
            true => Party::Group(GroupName::new(name).map_err(|bad| bad.to_string())?),
            false => Party::Client(ClientName::new(name).map_err(|bad| bad.to_string())?),
        });
    }
    match parties.is_empty() {
        true => Err("with whom is missing: everyone, nobody, bert, group sales".to_owned()),
        false => Ok(Sharing::With(parties)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says: name, number, alias, company, and who is to see it.
    fn said(text: &str) -> [String; 5] {
        let draft = line(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        let Draft { fields, label, owner } = draft;
        let label = match (label, owner) {
            (Some(Label::Everyone), _) => "everyone".to_owned(),
            (Some(Label::Named(parties)), _) => format!("{} named", parties.len()),
            (None, Some(_)) => "owned".to_owned(),
            (None, None) => String::new(),
        };
        let texts = [fields.name, fields.number, fields.alias, fields.company];
        let [name, number, alias, company] = texts.map(Option::unwrap_or_default);
        [name, number, alias, company, label]
    }

    #[test]
    fn one_line_says_what_people_mean() {
        for (text, wanted) in [
            ("Acme Ltd +44 20 7946 0100", ["Acme Ltd", "+44 20 7946 0100", "", "", ""]),
            (
                "Acme Ltd +44 20 7946 0100 alias acme",
                ["Acme Ltd", "+44 20 7946 0100", "acme", "", ""],
            ),
            ("Acme Ltd alias acme 020 7946 0100", ["Acme Ltd", "020 7946 0100", "acme", "", ""]),
            ("+44 20 7946 0100 Acme Ltd", ["Acme Ltd", "+44 20 7946 0100", "", "", ""]),
            ("Acme, 020-7946-0100, alias acme", ["Acme", "020-7946-0100", "acme", "", ""]),
            ("\"Acme Ltd\" (020) 7946 0100", ["Acme Ltd", "(020) 7946 0100", "", "", ""]),
            ("Acme Ltd fax: +44 20 7946 0100", ["Acme Ltd", "+44 20 7946 0100", "", "", ""]),
            ("Studio 54 +44 20 7946 0100", ["Studio 54", "+44 20 7946 0100", "", "", ""]),
            ("Studio 54, 020 7946 0100", ["Studio 54", "020 7946 0100", "", "", ""]),
            ("Alias Systems 02079460100", ["Alias Systems", "02079460100", "", "", ""]),
            ("Note Bene 02079460100", ["Note Bene", "02079460100", "", "", ""]),
            (
                "Bert +44 20 7946 0100 company Acme Ltd alias bert everyone",
                ["Bert", "+44 20 7946 0100", "bert", "Acme Ltd", "everyone"],
            ),
            (
                "Bert +44 20 7946 0100 for group sales, anna alias bert",
                ["Bert", "+44 20 7946 0100", "bert", "", "2 named"],
            ),
            (
                "Bert +44 20 7946 0100 for everyone",
                ["Bert", "+44 20 7946 0100", "", "", "everyone"],
            ),
            ("Bert +44 20 7946 0100 public", ["Bert", "+44 20 7946 0100", "", "", "owned"]),
            (
                "Acme Ltd number=+44 20 7946 0100 alias = acme",
                ["Acme Ltd", "+44 20 7946 0100", "acme", "", ""],
            ),
            ("Acme Ltd alias acme", ["Acme Ltd", "", "acme", "", ""]),
            ("Everyone", ["Everyone", "", "", "", ""]),
            ("", ["", "", "", "", ""]),
        ] {
            assert_eq!(said(text), wanted.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn more_than_a_name_and_a_number_can_be_said() {
        let draft = line(
            "Acme +44 20 7946 0100 subaddress 12 tags supplier, paper cover no resolution fine \
             note after 6 pm, alias or not",
        );
        let Draft { fields, .. } = draft.unwrap();
        assert_eq!(fields.subaddress.as_deref(), Some("12"));
        assert_eq!(fields.tags, Some(["paper", "supplier"].map(str::to_owned).into()));
        assert_eq!(fields.cover, Some(CoverChoice::No));
        assert_eq!(fields.resolution, Some(ResolutionChoice::Fine));
        assert_eq!(fields.note.as_deref(), Some("after 6 pm, alias or not"));
        let list = line("Suppliers members acme, +33 1 40 00 00 00; bert alias all").unwrap();
        let members = ["acme", "+33 1 40 00 00 00", "bert"].map(str::to_owned);
        assert_eq!(list.fields.members, Some(members.into()));
        assert_eq!((list.fields.number, list.fields.alias.as_deref()), (None, Some("all")));
    }

    #[test]
    fn fields_stand_on_lines_of_their_own() {
        let mut draft = Draft::default();
        let written = "Good morning.\n\nName: Acme Ltd\nfax: 020 7946 0100\nOrganisation = \
                       Acme\nnote:\nfor: everyone\n\nThank you\nalias: no";
        assert_eq!(lines(&mut draft, written.lines()), Ok(true));
        assert_eq!(draft.fields.name.as_deref(), Some("Acme Ltd"));
        assert_eq!(draft.fields.number.as_deref(), Some("020 7946 0100"));
        assert_eq!(draft.fields.company.as_deref(), Some("Acme"));
        assert_eq!(draft.fields.note.as_deref(), Some(""), "it is cleared");
        assert_eq!((draft.fields.alias, draft.label), (None, Some(Label::Everyone)));
        assert_eq!(lines(&mut Draft::default(), ["Hello:", "see http://x"]), Ok(false));
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (text, words) in [
            ("Acme colour=red", "\"colour\" is none of name, company"),
            ("Acme alias a alias b", "alias stands there twice"),
            ("Acme +44 20 7946 0100 cover maybe", "write yes, no or usual"),
            ("Acme +44 20 7946 0100 resolution good", "write standard, fine"),
            ("Acme +44 20 7946 0100 for a/b", "no usable name"),
        ] {
            let why = line(text).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
        let why = lines(&mut Draft::default(), ["nmae: Acme"]).unwrap_err();
        assert!(why.contains("\"nmae\" is none of"), "{why}");
    }

    #[test]
    fn those_who_are_meant_are_found() {
        let client = |name: &str| Party::Client(ClientName::new(name).unwrap());
        let group = |name: &str| Party::Group(GroupName::new(name).unwrap());
        let with = |parties: &[Party]| Ok(Sharing::With(parties.iter().cloned().collect()));
        for (text, wanted) in [
            ("everyone", Ok(Sharing::Everyone)),
            ("Nobody.", Ok(Sharing::Nobody)),
            ("bert", with(&[client("bert")])),
            ("bert and the group sales", with(&[client("bert"), group("sales")])),
            ("group:sales, bert", with(&[client("bert"), group("sales")])),
            ("group sales, bert", with(&[client("bert"), group("sales")])),
            ("client bert", with(&[client("bert")])),
        ] {
            assert_eq!(sharing(text), wanted, "{text}");
        }
        assert!(sharing("and").unwrap_err().contains("with whom is missing"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_written_breaks_it(
            text in "([ =:+0-9,;\"“”]|alias|for|note|acme|everyone|ä|number|members){0,20}"
        ) {
            let _ = line(&text);
            let _ = lines(&mut Draft::default(), text.split(';'));
            let _ = sharing(&text);
        }
    }
}
