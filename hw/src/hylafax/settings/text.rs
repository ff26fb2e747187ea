//! A configuration file of HylaFAX, read and changed as HylaFAX itself understands it
//! (`FaxConfig::readConfigItem`, hylafax-config(5)): `Tag: value`, one on a line.
//!
//! Comments, order, unknown tags, quotes and every octet that is not changed stay as
//! they are. Of a tag that stands there several times the last counts. What a file takes
//! in by `Include` is not looked at.
//!
//! Two things that the manual has otherwise: `#` opens a comment only at the beginning
//! of a line, and the codes and prefixes count for the dialling rules only when they stand
//! *above* `DialStringRules`, which is why a new one is put there.

use std::ops::Range;

/// HylaFAX reads lines of so many octets at most; the rest is another line to it.
pub(super) const MAX_LINE_OCTETS: usize = 1022;

/// What the dialling rules read when they are loaded.
const BEFORE_RULES: [&str; 4] =
    ["areacode", "countrycode", "longdistanceprefix", "internationalprefix"];
const RULES: &str = "dialstringrules";

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// With their line ends.
    lines: Vec<Vec<u8>>,
}

/// What a line sets.
struct Item {
    /// In small letters.
    tag: String,
    value: Vec<u8>,
    /// Where the value stands in the line, with its quotes.
    place: Range<usize>,
    quoted: bool,
}

impl Text {
    pub(super) fn parse(octets: &[u8]) -> Self {
        Self {
            lines: octets.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect(),
        }
    }

    pub(super) fn octets(&self) -> Vec<u8> {
        self.lines.concat()
    }

    /// Whether HylaFAX reads every line as one.
    pub(super) fn is_readable(&self) -> bool {
        self.lines.iter().all(|line| line.len() <= MAX_LINE_OCTETS && !line.contains(&0))
    }

    /// What a tag is set to.
    pub(super) fn get(&self, tag: &str) -> Option<String> {
        let (_, item) = self.last(tag)?;
        Some(String::from_utf8_lossy(&item.value).into_owned())
    }

    /// Sets a tag: where it stands already, or else on a new line.
    pub(super) fn set(&mut self, tag: &str, value: &str) {
        if let Some((at, item)) = self.last(tag) {
            let line = &mut self.lines[at];
            let bare = line[..item.place.start].ends_with(b":");
            let mut new = if bare { b" ".to_vec() } else { vec![] };
            new.extend(written(value, item.quoted));
            line.splice(item.place, new);
            return;
        }
        let mut line = format!("{tag}:").into_bytes();
        line.resize(line.len().max(23), b' ');
        line.push(b' ');
        line.extend(written(value, false));
        line.push(b'\n');
        let at = self.place_of_new(tag);
        if let Some(before) = at.checked_sub(1).and_then(|at| self.lines.get_mut(at))
            && !before.ends_with(b"\n")
        {
            before.push(b'\n');
        }
        self.lines.insert(at, line);
    }

    /// Removes every line that sets a tag.
    pub(super) fn unset(&mut self, tag: &str) {
        let tag = tag.to_ascii_lowercase();
        self.lines.retain(|line| item(line).is_none_or(|item| item.tag != tag));
    }

    fn place_of_new(&self, tag: &str) -> usize {
        let first = || {
            let rules = |line: &Vec<u8>| item(line).is_some_and(|item| item.tag == RULES);
            self.lines.iter().position(rules)
        };
        let early = BEFORE_RULES.contains(&&*tag.to_ascii_lowercase());
        early.then(first).flatten().unwrap_or(self.lines.len())
    }

    fn last(&self, tag: &str) -> Option<(usize, Item)> {
        let tag = tag.to_ascii_lowercase();
        let items = self.lines.iter().enumerate().rev();
        items.filter_map(|(at, line)| Some((at, item(line)?))).find(|(_, item)| item.tag == tag)
    }
}

/// What C's isspace has.
fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

fn skip_spaces(line: &[u8], from: usize) -> usize {
    from + line[from..].iter().take_while(|octet| is_space(**octet)).count()
}

/// What a line sets; `None` for comments, and for what HylaFAX passes over as an error.
fn item(line: &[u8]) -> Option<Item> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let start = skip_spaces(line, 0);
    if line.get(start) == Some(&b'#') {
        return None;
    }
    let colon = start + line[start..].iter().position(|octet| *octet == b':')?;
    let tag = String::from_utf8(line[start..colon].to_ascii_lowercase()).ok()?;
    let begin = skip_spaces(line, colon + 1);
    if line.get(begin) == Some(&b'"') {
        let (value, end) = unquoted(line, begin + 1)?;
        return Some(Item { tag, value, place: begin..end, quoted: true });
    }
    let length = line[begin..].iter().take_while(|octet| !is_space(**octet)).count();
    let place = begin..begin + length;
    Some(Item { tag, value: line[place.clone()].to_vec(), place, quoted: false })
}

/// A text up to its closing quote, and where it has ended.
fn unquoted(line: &[u8], from: usize) -> Option<(Vec<u8>, usize)> {
    let mut value = vec![];
    let mut at = from;
    loop {
        match *line.get(at)? {
            b'"' => return Some((value, at + 1)),
            b'\\' => {
                let (octet, next) = escaped(line, at + 1)?;
                value.push(octet);
                at = next;
            }
            octet => {
                value.push(octet);
                at += 1;
            }
        }
    }
}

/// What stands behind a backslash: up to three digits, a letter of C, or itself.
fn escaped(line: &[u8], at: usize) -> Option<(u8, usize)> {
    let digits = line[at..].iter().take(3).take_while(|octet| octet.is_ascii_digit()).count();
    if digits > 0 {
        let digit = |number: u8, octet: &u8| (number << 3).wrapping_add(octet - b'0');
        return Some((line[at..at + digits].iter().fold(0, digit), at + digits));
    }
    let octet = match *line.get(at)? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        other => other,
    };
    Some((octet, at + 1))
}

/// A value as it stands in the file: in quotes where it needs them, or had them.
fn written(value: &str, quoted: bool) -> Vec<u8> {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"+-_.,".contains(&octet);
    if !quoted && !value.is_empty() && value.bytes().all(plain) {
        return value.as_bytes().to_vec();
    }
    let mut text = vec![b'"'];
    for octet in value.bytes() {
        if octet == b'"' || octet == b'\\' {
            text.push(b'\\');
        }
        text.push(octet);
    }
    text.push(b'"');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Text {
        Text::parse(text.as_bytes())
    }

    fn said(text: &Text) -> String {
        String::from_utf8(text.octets()).unwrap()
    }

    #[test]
    fn values_are_read_as_hylafax_reads_them() {
        for (line, value) in [
            ("MaxDials: 3", Some("3")),
            ("  maxDIALS:3 # not this", Some("3")),
            ("MaxDials:", Some("")),
            ("MaxDials: \"a b\" c", Some("a b")),
            (r#"MaxDials: "a\"b\\c\101\n\q""#, Some("a\"b\\cA\nq")),
            ("MaxDials: \"open", None),
            ("MaxDials: 1\nMaxDials: 2\n", Some("2")),
            ("MaxDials: 1\nMaxDials: \"open\n", Some("1")),
            ("#MaxDials: 3", None),
            ("MaxDials 3", None),
            ("MaxDials : 3", None),
            ("XMaxDials: 3", None),
            ("MaxDials: 3\r\n", Some("3")),
            ("MaxDials: a\"b", Some("a\"b")),
        ] {
            assert_eq!(text(line).get("MaxDials").as_deref(), value, "{line:?}");
        }
    }

    #[test]
    fn what_is_set_is_changed_in_its_place() {
        for (before, tag, value, after) in [
            ("A: 1\n# c\nB:\t2  # x\n", "B", "3", "A: 1\n# c\nB:\t3  # x\n"),
            ("A: \"1\"  # x\n", "A", "2", "A: \"2\"  # x\n"),
            ("a:1\r\n", "A", "2", "a: 2\r\n"),
            ("A:\n", "A", "b c", "A: \"b c\"\n"),
            ("A: 1\nA: 2\n", "A", "3", "A: 1\nA: 3\n"),
            ("A: 1", "B", "2", "A: 1\nB:                      2\n"),
            ("", "TagLineFormat", "a|\"b\"", "TagLineFormat:          \"a|\\\"b\\\"\"\n"),
            (
                "X: 1\nDialStringRules: etc/d\n",
                "AreaCode",
                "30",
                "X: 1\nAreaCode:               30\nDialStringRules: etc/d\n",
            ),
        ] {
            let mut text = text(before);
            text.set(tag, value);
            assert_eq!(said(&text), after);
            assert_eq!(text.get(tag).as_deref(), Some(value));
        }
        let mut text = text("A: 1\n#A: 2\na: 3\nB: 4\n");
        text.unset("A");
        assert_eq!(said(&text), "#A: 2\nB: 4\n");
    }

    #[test]
    fn a_line_that_hylafax_would_cut_is_noticed() {
        assert!(text("A: 1\n").is_readable());
        assert!(!text(&format!("A: {}\n", "x".repeat(1020))).is_readable());
        assert!(!text("A: \0\n").is_readable());
    }

    fn any_file() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            "[ \t]{0,2}(A|a|Bb|C|DialStringRules|AreaCode):[ \t]{0,3}[ -~]{0,12}",
            "[ -~]{0,16}",
            "(A|Bb): \"[ -~]{0,10}\"[ -~]{0,4}",
            "# [ -~]{0,10}",
        ];
        let octets = prop_oneof![line.prop_map(String::into_bytes), any::<Vec<u8>>()];
        proptest::collection::vec((octets, prop_oneof!["\n", "\r\n", ""]), 0..8).prop_map(|lines| {
            lines.into_iter().flat_map(|(line, end)| [line, end.into_bytes()].concat()).collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_not_changed_stays_octet_for_octet(file in any_file()) {
            prop_assert_eq!(Text::parse(&file).octets(), file);
        }

        #[test]
        fn what_was_set_is_read_and_nothing_else_changes(
            file in any_file(),
            tag in prop_oneof![Just("A"), Just("Bb"), Just("AreaCode"), Just("New")],
            value in "[ -~]{0,20}",
        ) {
            let before = Text::parse(&file);
            let mut after = before.clone();
            after.set(tag, &value);
            prop_assert_eq!(after.get(tag), Some(value));
            // As it is read again from its octets.
            prop_assert_eq!(&Text::parse(&after.octets()), &after);
            for other in ["A", "Bb", "C", "AreaCode", "DialStringRules"] {
                if other != tag {
                    prop_assert_eq!(before.get(other), after.get(other));
                }
            }
            let grown = after.lines.len() - before.lines.len();
            prop_assert_eq!(grown, usize::from(before.get(tag).is_none()));
        }

        #[test]
        fn what_was_unset_is_gone_and_nothing_else(file in any_file()) {
            let before = Text::parse(&file);
            let mut after = before.clone();
            after.unset("A");
            prop_assert_eq!(after.get("A"), None);
            for other in ["Bb", "C", "AreaCode", "DialStringRules"] {
                prop_assert_eq!(before.get(other), after.get(other));
            }
            let mut again = after.clone();
            again.set("A", "1");
            again.unset("A");
            // A line end that was missing at the end may have come.
            let trimmed = |text: &Text| text.octets().trim_ascii_end().to_vec();
            prop_assert_eq!(trimmed(&again), trimmed(&after));
        }
    }
}
