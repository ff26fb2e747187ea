//! The filters of `addressbook-query` (RFC 6352 10.5): which cards fit. Knows the lines of
//! a card and nothing of entries.

use postfax_cards::Line;
use unicode_normalization::UnicodeNormalization as _;

use super::{
    answer::Failure,
    xml::{CARD, Element},
};

/// Conditions of a query, at most.
const MAX_CONDITIONS: usize = 100;

/// Which cards fit.
#[derive(Debug, Default)]
pub(super) struct Filter {
    test: Test,
    properties: Vec<OfProperty>,
}

/// How conditions are put together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Test {
    #[default]
    Any,
    All,
}

/// What a line of this name has to be like.
#[derive(Debug)]
struct OfProperty {
    name: String,
    group: Option<String>,
    is_not_defined: bool,
    test: Test,
    texts: Vec<Text>,
    parameters: Vec<OfParameter>,
}

/// What a parameter has to be like.
#[derive(Debug)]
struct OfParameter {
    name: String,
    is_not_defined: bool,
    text: Option<Text>,
}

/// What a text has to be like (RFC 6352 10.5.4).
#[derive(Debug)]
struct Text {
    wanted: String,
    collation: Collation,
    kind: Kind,
    is_negated: bool,
}

#[derive(Debug, Clone, Copy)]
enum Collation {
    /// RFC 4790 9.2.
    Ascii,
    /// RFC 4790 9.3.
    Octet,
    /// RFC 5051.
    Unicode,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Equals,
    Contains,
    StartsWith,
    EndsWith,
}

impl Test {
    fn read(element: &Element) -> Result<Self, Failure> {
        match element.attribute("test") {
            None | Some("anyof") => Ok(Self::Any),
            Some("allof") => Ok(Self::All),
            Some(other) => Err(unsupported(&format!("there is no test \"{other}\""))),
        }
    }

    fn holds(self, mut all: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::Any => all.any(|one| one),
            Self::All => all.all(|one| one),
        }
    }
}

fn unsupported(words: &str) -> Failure {
    Failure::condition(CARD, "supported-filter", words)
}

fn name_of(element: &Element) -> Result<&str, Failure> {
    element.attribute("name").ok_or_else(|| unsupported("a filter has a name"))
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`Failure`] names what is not supported (RFC 6352 8.6).
    pub(super) fn read(element: &Element) -> Result<Self, Failure> {
        let mut properties = Vec::new();
        for child in &element.children {
            if !child.name.is(CARD, "prop-filter") || properties.len() >= MAX_CONDITIONS {
                return Err(unsupported("a filter holds prop-filter, and not too many"));
            }
            properties.push(OfProperty::read(child)?);
        }
        Ok(Self { test: Test::read(element)?, properties })
    }

    /// Whether everything fits.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// Whether a card fits.
    pub(super) fn fits(&self, lines: &[Line]) -> bool {
        self.test.holds(self.properties.iter().map(|property| property.fits(lines)))
    }
}

impl OfProperty {
    fn read(element: &Element) -> Result<Self, Failure> {
        let name = name_of(element)?;
        let (group, name) = match name.rsplit_once('.') {
            Some((group, name)) => (Some(group.to_owned()), name),
            None => (None, name),
        };
        let mut property = Self {
            name: name.to_owned(),
            group,
            is_not_defined: false,
            test: Test::read(element)?,
            texts: Vec::new(),
            parameters: Vec::new(),
        };
        for child in &element.children {
            match &*child.name.local {
                _ if child.name.space != CARD => return Err(unsupported("a foreign filter")),
                _ if property.texts.len() + property.parameters.len() >= MAX_CONDITIONS => {
                    return Err(unsupported("too many conditions"));
                }
                "is-not-defined" => property.is_not_defined = true,
                "text-match" => property.texts.push(Text::read(child)?),
                "param-filter" => property.parameters.push(OfParameter::read(child)?),
                other => return Err(unsupported(&format!("there is no filter \"{other}\""))),
            }
        }
        Ok(property)
    }

    /// RFC 6352 10.5.1. One line has to meet all of it, where all is asked for.
    fn fits(&self, lines: &[Line]) -> bool {
        let mut called = lines.iter().filter(|line| {
            let (group, name) = called(line);
            let is_group =
                self.group.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(group));
            is_group && name.eq_ignore_ascii_case(&self.name)
        });
        if self.is_not_defined {
            return called.next().is_none();
        }
        if self.texts.is_empty() && self.parameters.is_empty() {
            return called.next().is_some();
        }
        called.any(|line| {
            let texts = self.texts.iter().map(|text| text.fits(&plain(line.value())));
            let parameters = self.parameters.iter().map(|parameter| parameter.fits(line.head()));
            self.test.holds(texts.chain(parameters))
        })
    }
}

impl OfParameter {
    fn read(element: &Element) -> Result<Self, Failure> {
        let text = element.child(CARD, "text-match").map(Text::read).transpose()?;
        let is_not_defined = element.child(CARD, "is-not-defined").is_some();
        let known = usize::from(text.is_some()) + usize::from(is_not_defined);
        if element.children.len() != known || known > 1 {
            return Err(unsupported("a param-filter holds is-not-defined or one text-match"));
        }
        Ok(Self { name: name_of(element)?.to_owned(), is_not_defined, text })
    }

    fn fits(&self, head: &str) -> bool {
        let all = values_of(head, &self.name);
        match (&self.text, self.is_not_defined) {
            (_, true) => all.is_empty(),
            (None, false) => !all.is_empty(),
            (Some(text), false) => all.iter().any(|value| text.fits(value)),
        }
    }
}

impl Text {
    fn read(element: &Element) -> Result<Self, Failure> {
        let collation = match element.attribute("collation").unwrap_or("i;unicode-casemap") {
            "i;unicode-casemap" => Collation::Unicode,
            "i;ascii-casemap" => Collation::Ascii,
            "i;octet" => Collation::Octet,
            other => {
                let words = format!("there is no collation \"{other}\"");
                return Err(Failure::condition(CARD, "supported-collation", words));
            }
        };
        let kind = match element.attribute("match-type").unwrap_or("contains") {
            "equals" => Kind::Equals,
            "contains" => Kind::Contains,
            "starts-with" => Kind::StartsWith,
            "ends-with" => Kind::EndsWith,
            other => return Err(unsupported(&format!("there is no match-type \"{other}\""))),
        };
        let is_negated = element.attribute("negate-condition") == Some("yes");
        let wanted = collation.form(&element.text);
        Ok(Self { wanted, collation, kind, is_negated })
    }

    fn fits(&self, text: &str) -> bool {
        let text = self.collation.form(text);
        let wanted = self.wanted.as_str();
        let fits = match self.kind {
            Kind::Equals => text == wanted,
            Kind::Contains => text.contains(wanted),
            Kind::StartsWith => text.starts_with(wanted),
            Kind::EndsWith => text.ends_with(wanted),
        };
        fits != self.is_negated
    }
}

impl Collation {
    /// Two texts are the same to a collation whose forms are.
    fn form(self, text: &str) -> String {
        match self {
            Self::Octet => text.to_owned(),
            Self::Ascii => text.to_ascii_lowercase(),
            Self::Unicode => text.chars().flat_map(char::to_uppercase).nfkd().collect(),
        }
    }
}

/// Group and name of a line (RFC 6350 3.3).
fn called(line: &Line) -> (&str, &str) {
    let name = line.head().split(';').next().unwrap_or_default();
    name.rsplit_once('.').unwrap_or(("", name))
}

/// The values of a parameter; commas separate them, inside of quotes as well.
fn values_of(head: &str, name: &str) -> Vec<String> {
    let mut quoted = false;
    let parts = head.split(|c: char| {
        quoted ^= c == '"';
        c == ';' && !quoted
    });
    let pairs = parts.skip(1).filter_map(|part| part.split_once('='));
    let own = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    let all = own.flat_map(|(_, value)| value.split(','));
    all.map(|value| value.trim_matches(['"', ' ']).to_owned()).collect()
}

/// A value without its escapes (RFC 6350 3.4).
fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        match (c, c == '\\') {
            (_, true) => match letters.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            (other, false) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dav::{cards, xml};

    const CARD_TEXT: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Zoë Straße\r\nN:Straße;Zoë;;;\r\n\
        NICKNAME:zoe\r\nTEL;TYPE=WORK,FAX:+442079460100\r\nitem1.EMAIL;TYPE=INTERNET:z@example.com\r\n\
        NOTE:a\\, b\r\nEND:VCARD\r\n";

    fn fits(filter: &str) -> bool {
        let text = format!("<filter xmlns=\"{CARD}\" {filter}</filter>");
        let filter = Filter::read(&xml::read(text.as_bytes()).unwrap()).unwrap();
        filter.fits(&cards::lines(CARD_TEXT))
    }

    #[test]
    fn filters_are_those_of_the_text() {
        let prop = |name: &str, inside: &str| {
            format!("><prop-filter name=\"{name}\">{inside}</prop-filter>")
        };
        let text =
            |attributes: &str, text: &str| format!("<text-match {attributes}>{text}</text-match>");
        for (filter, wants) in [
            (prop("NICKNAME", ""), true),
            (prop("nickname", "<is-not-defined/>"), false),
            (prop("ORG", "<is-not-defined/>"), true),
            (prop("ORG", ""), false),
            (prop("FN", &text("", "ZOË")), true),
            (prop("FN", &text("", "strasse")), true),
            (prop("FN", &text("collation=\"i;ascii-casemap\"", "zoË")), false),
            (prop("FN", &text("collation=\"i;ascii-casemap\"", "ZOë")), true),
            (prop("FN", &text("collation=\"i;octet\"", "zoë")), false),
            (prop("FN", &text("match-type=\"starts-with\"", "zo")), true),
            (prop("FN", &text("match-type=\"ends-with\"", "zo")), false),
            (prop("FN", &text("match-type=\"equals\"", "zoë straße")), true),
            (prop("FN", &text("negate-condition=\"yes\"", "zoë")), false),
            (prop("NOTE", &text("match-type=\"equals\"", "a, b")), true),
            (prop("EMAIL", &text("", "example.com")), true),
            (prop("item2.EMAIL", &text("", "example.com")), false),
            (
                prop(
                    "TEL",
                    "<param-filter name=\"TYPE\"><text-match>fax</text-match></param-filter>",
                ),
                true,
            ),
            (
                prop(
                    "TEL",
                    "<param-filter name=\"TYPE\"><text-match>cell</text-match></param-filter>",
                ),
                false,
            ),
            (prop("TEL", "<param-filter name=\"PREF\"><is-not-defined/></param-filter>"), true),
            (prop("TEL", "<param-filter name=\"TYPE\"/>"), true),
            (
                "test=\"allof\"><prop-filter name=\"FN\"/><prop-filter name=\"ORG\"/>".to_owned(),
                false,
            ),
            (
                "test=\"anyof\"><prop-filter name=\"FN\"/><prop-filter name=\"ORG\"/>".to_owned(),
                true,
            ),
            (
                format!(
                    "><prop-filter name=\"FN\" test=\"allof\">{}{}</prop-filter>",
                    text("", "zoë"),
                    text("", "bob")
                ),
                false,
            ),
        ] {
            assert_eq!(fits(&filter), wants, "{filter}");
        }
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for filter in [
            "><prop-filter/>",
            "><prop-filter name=\"FN\"><text-match collation=\"i;basic\">a</text-match></prop-filter>",
            "><prop-filter name=\"FN\"><text-match match-type=\"like\">a</text-match></prop-filter>",
            "><prop-filter name=\"FN\"><odd/></prop-filter>",
            "test=\"none\">",
            "><odd/>",
        ] {
            let text = format!("<filter xmlns=\"{CARD}\" {filter}</filter>");
            assert!(Filter::read(&xml::read(text.as_bytes()).unwrap()).is_err(), "{filter}");
        }
    }
}
