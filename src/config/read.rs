//! Reads a TOML text into the tables of [`super::raw`], with the place of every
//! value. It knows shapes, not meanings: what a value says is checked later.
//!
//! Why not `derive(Deserialize)`: it stops at the first thing that does not fit.
//! Here an unknown key or a value of the wrong kind is noted, and reading goes on.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    findings::{Findings, Place, Placed},
    suggest,
};

/// A value in a text.
pub(super) type Node<'i> = Spanned<DeValue<'i>>;

/// What was written for a key.
#[derive(Debug, Clone, Default)]
pub(super) enum Entry<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that cannot be read, and was reported.
    Bad,
    /// A value.
    Given(Placed<T>),
}

impl<T> Entry<T> {
    /// The value, where there is one.
    pub(super) fn given(&self) -> Option<&Placed<T>> {
        match self {
            Self::Given(placed) => Some(placed),
            Self::Absent | Self::Bad => None,
        }
    }
}

/// What may be written under a key, for those who change a configuration.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A whole number.
    Count,
    /// Yes or no.
    Flag,
    /// One table.
    Table(Keys),
    /// Any number of tables, in order.
    Many(Keys),
    /// Tables under names that the administrator chooses.
    Chosen(Keys),
}

/// The keys of a table, and what may be written under each.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    pub(super) names: &'static [&'static str],
    pub(super) shape: fn(&str) -> Option<Shape>,
}

/// A single value: a text, a number, yes or no, a list of texts, or a small table.
pub(super) trait Value: Sized {
    /// What it is.
    const SHAPE: Shape;
    /// What is expected, as messages put it.
    const WANTED: &'static str;
    /// The value, or nothing when it is of another kind.
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// A place for what is written under a key.
pub(super) trait Field {
    /// What may be written there.
    const SHAPE: Shape;
    /// Takes what is written there, in addition to what it holds already.
    fn take(&mut self, node: &Node<'_>, reader: &mut Reader<'_>);
}

/// A table with a fixed set of keys.
pub(super) trait Table: Default {
    /// Its keys.
    const KEYS: &'static [&'static str];
    /// What may be written under one of them.
    fn shape(key: &str) -> Option<Shape>;
    /// Where it begins.
    fn place(&mut self) -> &mut Place;
    /// Takes what is written under one of its keys.
    fn set(&mut self, key: &str, node: &Node<'_>, reader: &mut Reader<'_>);

    /// Takes a whole table.
    fn fill(&mut self, table: &DeTable<'_>, reader: &mut Reader<'_>) {
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            if Self::KEYS.contains(&name) {
                reader.within(name, |reader| self.set(name, node, reader));
            } else {
                reader.unknown_key(Self::KEYS, name, key.span(), node);
            }
        }
    }
}

/// Where reading stands.
pub(super) struct Reader<'a> {
    findings: &'a mut Findings,
    text: usize,
    key: String,
}

impl<'a> Reader<'a> {
    /// Reads the text with this number into `root`. False when it is no TOML.
    pub(super) fn read(
        findings: &'a mut Findings,
        text: usize,
        written: &str,
        root: &mut impl Table,
    ) -> bool {
        let (table, errors) = DeTable::parse_recoverable(written);
        let mut reader = Self { findings, text, key: String::new() };
        for error in &errors {
            let place = reader.place(error.span().unwrap_or_default());
            reader.findings.error(&place, error.message().trim(), SYNTAX_HELP);
        }
        if errors.is_empty() {
            root.fill(table.get_ref(), &mut reader);
        }
        errors.is_empty()
    }

    fn place(&self, span: Range<usize>) -> Place {
        Place { text: self.text, span, key: self.key.as_str().into() }
    }

    fn within<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.key.len();
        if length > 0 && !key.starts_with('[') {
            self.key.push('.');
        }
        self.key.push_str(key);
        let value = read(self);
        self.key.truncate(length);
        value
    }

    fn unknown_key(&mut self, known: &[&str], key: &str, span: Range<usize>, node: &Node<'_>) {
        let (place, value) = self.within(key, |r| (r.place(span), r.place(node.span())));
        let named = format!("{key}_file");
        if known.contains(&named.as_str()) {
            self.findings.hide(&value);
            let help = format!("put it into a file that only Postfax can read: {named} = \"...\"");
            return self.findings.error(&place, "a secret must not stand in here", help);
        }
        let help = suggest::instead(key, "key", known.iter().copied());
        self.findings.error(&place, format!("there is no key \"{key}\" here"), help);
    }

    fn wrong_kind(&mut self, node: &Node<'_>, wanted: &str) {
        let place = self.place(node.span());
        let message = format!("{} where {wanted} is needed", kind(node.get_ref()));
        self.findings.error(&place, message, format!("write {}", wanted.trim_end_matches(',')));
    }
}

const SYNTAX_HELP: &str = "the file must be TOML: key = \"text\", key = 25, key = [\"a\", \"b\"], \
     [table], [[table of many]]";

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "this is a text",
        DeValue::Integer(_) => "this is a whole number",
        DeValue::Float(_) => "this is a decimal number",
        DeValue::Boolean(_) => "this is true or false",
        DeValue::Datetime(_) => "this is a date",
        DeValue::Array(_) => "this is a list",
        DeValue::Table(_) => "this is a table",
    }
}

impl Value for String {
    const SHAPE: Shape = Shape::Text;
    const WANTED: &'static str = "a text in quotes, such as \"text\",";
    fn read(node: &Node<'_>, _: &mut Reader<'_>) -> Option<Self> {
        node.get_ref().as_str().map(str::to_owned)
    }
}

impl Value for u64 {
    const SHAPE: Shape = Shape::Count;
    const WANTED: &'static str = "a whole number of 0 or more without quotes, such as 25,";
    fn read(node: &Node<'_>, _: &mut Reader<'_>) -> Option<Self> {
        let number = node.get_ref().as_integer()?;
        Self::from_str_radix(number.as_str(), number.radix()).ok()
    }
}

impl Value for bool {
    const SHAPE: Shape = Shape::Flag;
    const WANTED: &'static str = "true or false";
    fn read(node: &Node<'_>, _: &mut Reader<'_>) -> Option<Self> {
        node.get_ref().as_bool()
    }
}

impl Value for Vec<Placed<String>> {
    const SHAPE: Shape = Shape::Texts;
    const WANTED: &'static str = "a list of texts, such as [\"one\", \"two\"],";
    fn read(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut list = Self::new();
        for item in node.get_ref().as_array()?.iter() {
            match String::read(item, reader) {
                Some(value) => list.push(Placed { value, place: reader.place(item.span()) }),
                None => reader.wrong_kind(item, String::WANTED),
            }
        }
        Some(list)
    }
}

impl<T: Value> Field for Entry<T> {
    const SHAPE: Shape = T::SHAPE;

    fn take(&mut self, node: &Node<'_>, reader: &mut Reader<'_>) {
        let place = reader.place(node.span());
        if let Self::Given(first) = self {
            let first = reader.findings.whereabouts(&first.place);
            let help = format!("it is set already at {first}: leave one of the two out");
            return reader.findings.error(&place, "this key is set twice", help);
        }
        *self = match T::read(node, reader) {
            Some(value) => Self::Given(Placed { value, place }),
            None => {
                reader.wrong_kind(node, T::WANTED);
                Self::Bad
            }
        };
    }
}

impl<T: Table> Field for Vec<T> {
    const SHAPE: Shape = Shape::Many(Keys { names: T::KEYS, shape: T::shape });

    fn take(&mut self, node: &Node<'_>, reader: &mut Reader<'_>) {
        let header = format!("[[{}]]", reader.key);
        let Some(items) = node.get_ref().as_array() else {
            return reader.wrong_kind(node, &format!("{header} with double brackets"));
        };
        for item in items.iter() {
            let Some(table) = item.get_ref().as_table() else {
                reader.wrong_kind(item, &format!("{header} with keys below it"));
                continue;
            };
            let key = match table.get("name").and_then(|name| name.get_ref().as_str()) {
                Some(name) => name.to_owned(),
                None => format!("[{}]", self.len() + 1),
            };
            let mut read = T::default();
            reader.within(&key, |reader| {
                *read.place() = reader.place(item.span());
                read.fill(table, reader);
            });
            self.push(read);
        }
    }
}

/// A table whose keys the administrator chooses.
impl<T: Table> Field for BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Chosen(Keys { names: T::KEYS, shape: T::shape });

    fn take(&mut self, node: &Node<'_>, reader: &mut Reader<'_>) {
        let Some(table) = node.get_ref().as_table() else {
            let wanted = format!("[{}] with keys below it", reader.key);
            return reader.wrong_kind(node, &wanted);
        };
        for (key, node) in table {
            let name = key.get_ref().as_ref();
            let mut value = self.remove(name).unwrap_or_default();
            reader.within(name, |reader| {
                single(&mut value, node, reader);
                *value.place() = reader.place(key.span());
            });
            self.insert(name.to_owned(), value);
        }
    }
}

/// Reads a table of which there is only one.
pub(super) fn single<T: Table>(into: &mut T, node: &Node<'_>, reader: &mut Reader<'_>) {
    match node.get_ref().as_table() {
        Some(table) => {
            *into.place() = reader.place(node.span());
            into.fill(table, reader);
        }
        None => reader.wrong_kind(node, "a table, such as { key = 1 } or [table],"),
    }
}
