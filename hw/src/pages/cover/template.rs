//! What a template is: lines with places for what differs from fax to fax. `docs/covers.md`
//! tells administrators how one is written; [`super::read`] reads it.

use super::Field;
use crate::pages::layout::{Align, Length};

/// Templates of the binary, by language.
const BUILT_IN: [(&str, &str); 6] = [
    ("en", include_str!("templates/en.txt")),
    ("de", include_str!("templates/de.txt")),
    ("es", include_str!("templates/es.txt")),
    ("fr", include_str!("templates/fr.txt")),
    ("it", include_str!("templates/it.txt")),
    ("ja", include_str!("templates/ja.txt")),
];

/// A template that was read without a fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub(crate) paper: Length,
    pub(crate) margin_mm: f32,
    pub(crate) size_pt: f32,
    /// The most that the logo takes, across and down.
    pub(crate) logo_mm: (f32, f32),
    /// Lines between the rows of labels.
    pub(crate) lined: bool,
    pub(crate) lines: Vec<Line>,
}

/// What is wrong with a template, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}; {right}")]
pub struct TemplateError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub right: String,
}

/// A line of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line {
    /// White.
    Empty,
    /// A line across.
    Rule {
        thick_pt: f32,
    },
    Logo(Align),
    Message,
    /// Text by itself.
    Text {
        manner: Manner,
        parts: Vec<Part>,
    },
    /// Labels with what they are for, in columns that all rows share.
    Row {
        manner: Manner,
        pairs: Vec<Pair>,
    },
}

/// How a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Manner {
    /// It is left out when none of its fields has a value.
    pub(crate) optional: bool,
    pub(crate) align: Align,
    pub(crate) size: Size,
}

/// How large a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Size {
    #[default]
    Usual,
    Small,
    Large,
    /// Bold as well.
    Heading,
    /// Bold as well, and the largest.
    Title,
}

/// A label, which may be missing, and what it is for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Pair {
    pub(crate) label: Vec<Part>,
    pub(crate) value: Vec<Part>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) what: What,
    pub(crate) bold: bool,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Words(String),
    Field(Field),
    /// How many pages the fax has, with the cover.
    Pages,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] for the first line that cannot be right.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        super::read::read(text)
    }

    /// Whether the text of a mail stands on it.
    #[must_use]
    pub fn has_message(&self) -> bool {
        self.lines.contains(&Line::Message)
    }

    /// The text of the standard cover in a language (`de`, `de-AT`); in English where
    /// there is none.
    #[must_use]
    pub fn built_in(language: &str) -> &'static str {
        let primary = language.split(['-', '_']).next().unwrap_or(language);
        let found = BUILT_IN.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(primary));
        found.unwrap_or(&BUILT_IN[0]).1
    }

    /// The languages that have a standard cover of their own.
    pub fn languages() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(tag, _)| *tag)
    }
}

impl Part {
    pub(crate) fn words(words: &str, bold: bool) -> Self {
        Self { what: What::Words(words.to_owned()), bold }
    }
}
