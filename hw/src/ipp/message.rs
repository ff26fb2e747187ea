//! Questions and answers of IPP (RFC 8010). Questions are coded by the crate `ipp`;
//! answers, which come from outside, are read here.
//!
//! Why not by the crate as well: its reader panics at a text with a language whose length
//! is wrong, has no bound on nested collections, which it copies at each level, and gives
//! a member of a collection that has several values the name of the next. The tests hold
//! one against the other where both can read.

use bytes::Bytes;
use ipp::{
    IppHeader,
    attribute::{IppAttribute, IppAttributes},
    model::{DelimiterTag, IppVersion, Operation},
    parser::IppParseError,
    value::IppValue,
};

/// Most attributes and members of an answer; a device of hundreds of media has some 5,000.
const MAX_ATTRIBUTES: usize = 50_000;
/// Collections within collections; media-col-database has three.
const MAX_DEPTH: usize = 8;
/// RFC 8010 3.5.1 and 3.5.2.
const END_OF_ATTRIBUTES: u8 = 0x03;
const FIRST_VALUE_TAG: u8 = 0x10;
const BEGIN_COLLECTION: u8 = 0x34;
const END_COLLECTION: u8 = 0x37;
const MEMBER_NAME: u8 = 0x4a;

/// What is asked of a device, without a document.
#[derive(Debug)]
pub(super) struct Question {
    operation: Operation,
    attributes: IppAttributes,
}

impl Question {
    /// The attributes that every question begins with (RFC 8011 4.1.4, 4.1.5).
    pub(super) fn new(operation: Operation, printer: &str, user: &str) -> Self {
        let mut question = Self { operation, attributes: IppAttributes::new() };
        question.ask("attributes-charset", IppValue::new_charset("utf-8"));
        question.ask("attributes-natural-language", IppValue::new_natural_language("en"));
        question.ask("printer-uri", IppValue::new_uri(printer));
        question.ask("requesting-user-name", IppValue::new_name_without_language(user));
        question
    }

    /// Adds an attribute of the operation. One that cannot be is left out: everything
    /// here is bounded by the configuration.
    pub(super) fn ask(&mut self, name: &str, value: Result<IppValue, IppParseError>) {
        self.add(DelimiterTag::OperationAttributes, name, value);
    }

    /// Adds an attribute of the job.
    pub(super) fn job(&mut self, name: &str, value: Result<IppValue, IppParseError>) {
        self.add(DelimiterTag::JobAttributes, name, value);
    }

    /// Adds an attribute of the device.
    pub(super) fn printer(&mut self, name: &str, value: Result<IppValue, IppParseError>) {
        self.add(DelimiterTag::PrinterAttributes, name, value);
    }

    /// Names what is to be answered.
    pub(super) fn wanting(&mut self, names: &[&str]) {
        let names = names.iter().filter_map(|name| IppValue::new_keyword(*name).ok());
        self.ask("requested-attributes", Ok(IppValue::Array(names.collect())));
    }

    fn add(&mut self, group: DelimiterTag, name: &str, value: Result<IppValue, IppParseError>) {
        if let Ok(attribute) = value.and_then(|value| IppAttribute::with_name(name, value)) {
            self.attributes.add(group, attribute);
        }
    }

    /// The octets, to which a document may be added.
    pub(super) fn octets(&self) -> Bytes {
        let header = IppHeader::new(IppVersion::v2_0(), self.operation as i16, 1);
        [header.to_bytes(), self.attributes.to_bytes()].concat().into()
    }
}

/// A value of an answer, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// An integer or an enum.
    Number(i32),
    /// A boolean.
    Flag(bool),
    /// Any kind of text, without its language.
    Text(String),
    /// A collection.
    Members(Vec<Attribute>),
    /// It has none: unsupported, unknown, no-value and their like (RFC 8010 3.5.2).
    Nothing,
    /// Something else.
    Other,
}

/// A name with its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
}

/// Attributes that belong together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a>(pub(super) &'a [Attribute]);

impl<'a> Group<'a> {
    /// All values of an attribute; none when it is not there.
    pub(super) fn values(self, name: &str) -> &'a [Value] {
        let named = self.0.iter().find(|attribute| attribute.name == name);
        named.map_or(&[], |attribute| &attribute.values)
    }

    /// Whether it is there, with whatever value.
    pub(super) fn has(self, name: &str) -> bool {
        self.0.iter().any(|attribute| attribute.name == name)
    }

    /// The first value as a number.
    pub(super) fn number(self, name: &str) -> Option<i32> {
        match self.values(name).first() {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// The first value as yes or no.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.values(name).first() {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// The first value as a text.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.texts(name).next()
    }

    /// All values that are texts.
    pub(super) fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// All values that are collections.
    pub(super) fn collections(self, name: &str) -> impl Iterator<Item = Group<'a>> {
        self.values(name).iter().filter_map(|value| match value {
            Value::Members(members) => Some(Group(members)),
            _ => None,
        })
    }
}

/// What a device answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// RFC 8011 B.1.
    pub(super) status: u16,
    groups: Vec<(u8, Vec<Attribute>)>,
}

/// Why octets are no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Garbled {
    /// It ends too early.
    #[error("the answer ends in the middle")]
    Short,
    /// What stands there cannot stand there.
    #[error("the answer is no IPP")]
    Order,
    /// Beyond the bounds.
    #[error("the answer is too large")]
    Large,
}

impl Answer {
    /// Reads the octets of an answer; a document behind it is left alone.
    pub(super) fn read(octets: &[u8]) -> Result<Self, Garbled> {
        let mut reader = Reader { rest: octets, attributes: 0 };
        let _version = reader.take(2)?;
        let status = reader.short()?;
        let _request = reader.take(4)?;
        let mut groups: Vec<(u8, Vec<Attribute>)> = Vec::new();
        loop {
            let tag = reader.octet()?;
            match (tag, groups.last_mut()) {
                (END_OF_ATTRIBUTES, _) => return Ok(Self { status, groups }),
                (..FIRST_VALUE_TAG, _) => groups.push((tag, Vec::new())),
                (_, Some((_, attributes))) => reader.attribute(tag, attributes)?,
                (_, None) => return Err(Garbled::Order),
            }
        }
    }

    /// All groups of a kind.
    pub(super) fn all(&self, kind: DelimiterTag) -> impl Iterator<Item = Group<'_>> {
        let of_kind = self.groups.iter().filter(move |(tag, _)| *tag == kind as u8);
        of_kind.map(|(_, attributes)| Group(attributes))
    }

    /// The first group of a kind; an empty one when there is none.
    pub(super) fn first(&self, kind: DelimiterTag) -> Group<'_> {
        self.all(kind).next().unwrap_or(Group(&[]))
    }

    /// What it says in words.
    pub(super) fn words(&self) -> Option<&str> {
        self.first(DelimiterTag::OperationAttributes).text("status-message")
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    attributes: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Garbled> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Garbled::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn octet(&mut self) -> Result<u8, Garbled> {
        Ok(self.take(1)?[0])
    }

    fn short(&mut self) -> Result<u16, Garbled> {
        let octets = self.take(2)?;
        Ok(u16::from_be_bytes([octets[0], octets[1]]))
    }

    /// What has its length in two octets before it.
    fn counted(&mut self) -> Result<&'a [u8], Garbled> {
        let count = self.short()?;
        self.take(count.into())
    }

    /// A value with the name before it. One without a name is a further value of the
    /// attribute before (RFC 8010 3.1.5).
    fn attribute(&mut self, tag: u8, into: &mut Vec<Attribute>) -> Result<(), Garbled> {
        self.count()?;
        let name = self.counted()?;
        if !name.is_empty() {
            into.push(Attribute { name: text(name), values: Vec::new() });
        }
        let value = self.value(tag, 0)?;
        into.last_mut().ok_or(Garbled::Order)?.values.push(value);
        Ok(())
    }

    fn count(&mut self) -> Result<(), Garbled> {
        self.attributes += 1;
        if self.attributes > MAX_ATTRIBUTES { Err(Garbled::Large) } else { Ok(()) }
    }

    fn value(&mut self, tag: u8, depth: usize) -> Result<Value, Garbled> {
        let octets = self.counted()?;
        Ok(match tag {
            ..=0x1f => Value::Nothing,
            0x21 | 0x23 => {
                let number = octets.try_into().map_err(|_| Garbled::Order)?;
                Value::Number(i32::from_be_bytes(number))
            }
            0x22 => Value::Flag(*octets.first().ok_or(Garbled::Order)? != 0),
            BEGIN_COLLECTION => Value::Members(self.members(depth + 1)?),
            // With its language before it.
            0x35 | 0x36 => {
                let mut inner = Reader { rest: octets, attributes: 0 };
                inner.counted()?;
                Value::Text(text(inner.counted()?))
            }
            0x40..=0x49 => Value::Text(text(octets)),
            _ => Value::Other,
        })
    }

    /// The members of a collection up to its end (RFC 8010 3.1.6).
    fn members(&mut self, depth: usize) -> Result<Vec<Attribute>, Garbled> {
        if depth > MAX_DEPTH {
            return Err(Garbled::Large);
        }
        let mut members: Vec<Attribute> = Vec::new();
        loop {
            self.count()?;
            let tag = self.octet()?;
            if !self.counted()?.is_empty() || tag < FIRST_VALUE_TAG {
                return Err(Garbled::Order);
            }
            match tag {
                END_COLLECTION => {
                    self.counted()?;
                    return Ok(members);
                }
                MEMBER_NAME => {
                    let name = text(self.counted()?);
                    members.push(Attribute { name, values: Vec::new() });
                }
                _ => {
                    let value = self.value(tag, depth)?;
                    members.last_mut().ok_or(Garbled::Order)?.values.push(value);
                }
            }
        }
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use ipp::{parser::IppParser, reader::IppReader};
    use proptest::prelude::*;

    use super::*;

    /// An answer of these groups, coded by the crate.
    pub(in crate::ipp) fn coded(
        status: i16,
        groups: &[(DelimiterTag, &[(&str, IppValue)])],
    ) -> Vec<u8> {
        let mut attributes = IppAttributes::new();
        for (tag, list) in groups {
            let mut group = ipp::attribute::IppAttributeGroup::new(*tag);
            for (name, value) in *list {
                let attribute = IppAttribute::with_name(name, value.clone()).unwrap();
                group.attributes_mut().push(attribute);
            }
            attributes.groups_mut().push(group);
        }
        let header = IppHeader::new(IppVersion::v2_0(), status, 1);
        [header.to_bytes(), attributes.to_bytes()].concat()
    }

    pub(in crate::ipp) fn collection(members: &[(&str, IppValue)]) -> IppValue {
        let members =
            members.iter().map(|(name, value)| ((*name).try_into().unwrap(), value.clone()));
        IppValue::Collection(members.collect::<BTreeMap<_, _>>())
    }

    fn keyword(text: &str) -> IppValue {
        IppValue::new_keyword(text).unwrap()
    }

    fn sample() -> Vec<u8> {
        let status = collection(&[
            ("destination-uri", IppValue::new_uri("tel:+4420").unwrap()),
            ("images-completed", IppValue::Integer(2)),
            ("several", IppValue::Array(vec![keyword("a"), keyword("b")])),
            ("transmission-status", IppValue::Enum(9)),
        ]);
        let message = IppValue::new_text_with_language("de", "belegt").unwrap();
        coded(
            1,
            &[
                (DelimiterTag::OperationAttributes, &[("status-message", message)]),
                (
                    DelimiterTag::JobAttributes,
                    &[
                        ("job-id", IppValue::Integer(7)),
                        ("destination-statuses", status),
                        ("time-at-processing", IppValue::NoValue),
                        ("flag", IppValue::Boolean(true)),
                        ("job-state-reasons", IppValue::Array(vec![keyword("x"), keyword("y")])),
                    ],
                ),
            ],
        )
    }

    #[test]
    fn an_answer_is_read_as_it_was_coded() {
        let answer = Answer::read(&sample()).unwrap();
        assert_eq!((answer.status, answer.words()), (1, Some("belegt")));
        let job = answer.first(DelimiterTag::JobAttributes);
        assert_eq!((job.number("job-id"), job.flag("flag")), (Some(7), Some(true)));
        assert_eq!(job.values("time-at-processing"), [Value::Nothing]);
        assert_eq!(job.texts("job-state-reasons").collect::<Vec<_>>(), ["x", "y"]);
        let status = job.collections("destination-statuses").next().unwrap();
        assert_eq!(status.text("destination-uri"), Some("tel:+4420"));
        assert_eq!(status.number("images-completed"), Some(2));
        assert_eq!(status.number("transmission-status"), Some(9));
        assert_eq!(status.texts("several").collect::<Vec<_>>(), ["a", "b"]);
        assert!(answer.first(DelimiterTag::UnsupportedAttributes).0.is_empty());
    }

    #[test]
    fn a_question_is_read_by_others_as_it_was_asked() {
        let mut question = Question::new(Operation::GetJobs, "ipp://h/ipp/faxout", "postfax");
        question.wanting(&["job-id", "job-name"]);
        question.job("number-of-retries", Ok(IppValue::Integer(0)));
        let octets = std::io::Cursor::new(question.octets());
        let read = IppParser::new(IppReader::new(octets)).parse().unwrap();
        assert_eq!(read.header().operation_or_status, 0x000a);
        let group = read.attributes().first_of(DelimiterTag::OperationAttributes).unwrap();
        let names: Vec<&str> = group.attributes().iter().map(|a| a.name().as_str()).collect();
        assert_eq!(
            names[..3],
            ["attributes-charset", "attributes-natural-language", "printer-uri"]
        );
        let wanted = group.get("requested-attributes").unwrap().value().to_string();
        assert_eq!(wanted, "[job-id, job-name]");
    }

    #[test]
    fn nothing_that_is_cut_or_nested_without_end_is_an_answer() {
        let whole = sample();
        for end in 0..whole.len() {
            assert_eq!(Answer::read(&whole[..end]), Err(Garbled::Short), "{end}");
        }
        let mut deep = vec![2, 0, 0, 0, 0, 0, 0, 1, 2];
        deep.extend([BEGIN_COLLECTION, 0, 1, b'a', 0, 0]);
        for _ in 0..100_000 {
            deep.extend([MEMBER_NAME, 0, 0, 0, 1, b'm', BEGIN_COLLECTION, 0, 0, 0, 0]);
        }
        assert_eq!(Answer::read(&deep), Err(Garbled::Large));
        let mut many = vec![2, 0, 0, 0, 0, 0, 0, 1, 2];
        many.extend([0x21, 0, 1, b'a', 0, 4, 0, 0, 0, 1].repeat(MAX_ATTRIBUTES + 1));
        assert_eq!(Answer::read(&many), Err(Garbled::Large));
        // Where the crate panics.
        let crooked = [2, 0, 0, 0, 0, 0, 0, 1, 1, 0x35, 0, 1, b'a', 0, 4, 0xff, 0xff, 0, 0, 3];
        assert_eq!(Answer::read(&crooked), Err(Garbled::Short));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_octets_may_come(octets in prop::collection::vec(any::<u8>(), 0..400)) {
            crate::ipp::fuzz_one(&octets);
        }

        #[test]
        fn any_change_of_an_answer_may_come(at in 0..300_usize, octet: u8) {
            let mut octets = sample();
            let at = at % octets.len();
            octets[at] = octet;
            crate::ipp::fuzz_one(&octets);
        }
    }
}
