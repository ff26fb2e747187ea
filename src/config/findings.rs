//! What a look at the configuration has found so far: the texts that were read,
//! the places in them, and everything that is wrong with them. Checks go on after
//! a finding, so that an administrator sees all of them at once.
//!
//! A secret that stands where it must not is hidden in the text before anything
//! of the text is shown.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::problem::{Level, Problem, Spot};

/// Most findings that are reported; a file with more of them is no configuration.
const MAX_FINDINGS: usize = 200;

/// Where something stands, and the key that it belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of the texts.
    pub(super) text: usize,
    /// The bytes of it.
    pub(super) span: Range<usize>,
    /// Such as `client.anna.groups`.
    pub(super) key: Arc<str>,
}

/// A value and where it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

#[derive(Debug)]
struct Text {
    path: PathBuf,
    text: String,
}

#[derive(Debug)]
struct Finding {
    level: Level,
    place: Place,
    message: String,
    help: String,
}

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    texts: Vec<Text>,
    found: Vec<Finding>,
    /// Files that could not be read at all: they have no places.
    unread: Vec<Problem>,
}

impl Findings {
    /// Keeps a text, so that places in it can be shown, and says its number.
    pub(super) fn text(&mut self, path: &Path, text: String) -> usize {
        self.texts.push(Text { path: path.to_owned(), text });
        self.texts.len() - 1
    }

    /// Something that keeps the configuration from being used.
    pub(super) fn error(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Level::Error, place, message.into(), help.into());
    }

    /// Something that is probably not what was meant.
    pub(super) fn warn(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(Level::Warning, place, message.into(), help.into());
    }

    /// A file that cannot be read.
    pub(super) fn unreadable(&mut self, path: &Path, why: &str, help: &str) {
        self.unread.push(Problem {
            level: Level::Error,
            file: path.to_owned(),
            spot: None,
            key: None,
            message: format!("{} cannot be read: {why}", path.display()),
            help: Some(help.to_owned()),
        });
    }

    fn add(&mut self, level: Level, place: &Place, message: String, help: String) {
        let message = printable(&message);
        self.found.push(Finding { level, place: place.clone(), message, help });
    }

    /// Whether the configuration cannot be used.
    pub(super) fn failed(&self) -> bool {
        !self.unread.is_empty() || self.found.iter().any(|f| f.level == Level::Error)
    }

    /// Whether a file could not be read.
    pub(super) fn unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Overwrites what stands there, in our copy of the text.
    pub(super) fn hide(&mut self, place: &Place) {
        if let Some(text) = self.texts.get_mut(place.text) {
            let hidden = "*".repeat(place.span.len());
            text.text.replace_range(place.span.clone(), &hidden);
        }
    }

    /// The file and line of a place, as messages name them.
    pub(super) fn whereabouts(&self, place: &Place) -> String {
        match self.texts.get(place.text) {
            Some(text) => {
                let (line, column) = line_and_column(&text.text, place.span.start);
                format!("{}:{line}:{column}", text.path.display())
            }
            None => String::new(),
        }
    }

    /// The files that were read.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.texts.iter().map(|text| text.path.clone()).collect()
    }

    /// All findings in the order of the files and their lines.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.found.sort_by_key(|f| (f.place.text, f.place.span.start));
        self.found.dedup_by(|a, b| a.place == b.place && a.message == b.message);
        let shared: Vec<Arc<str>> = self.texts.iter().map(|t| t.text.as_str().into()).collect();
        let mut problems = self.unread;
        for finding in self.found.into_iter().take(MAX_FINDINGS) {
            let Place { text, span, key } = finding.place;
            let (line, column) = line_and_column(&shared[text], span.start);
            problems.push(Problem {
                level: finding.level,
                file: self.texts[text].path.clone(),
                spot: Some(Spot { line, column, span, text: Arc::clone(&shared[text]) }),
                key: (!key.is_empty()).then(|| key.to_string()),
                message: finding.message,
                help: (!finding.help.is_empty()).then_some(finding.help),
            });
        }
        problems
    }
}

/// The message on one line, with whatever a value brought into it made visible.
fn printable(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for c in message.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Both counted from 1, the column in characters.
fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_from_one_in_characters() {
        assert_eq!(line_and_column("a = 1\nü = 2\n", 0), (1, 1));
        let text = "a = 1\nü = 2\n";
        assert_eq!(line_and_column(text, text.find('2').unwrap()), (2, 5));
    }

    #[test]
    fn what_is_hidden_is_not_shown() {
        let mut findings = Findings::default();
        let text = findings.text(Path::new("x.toml"), "password = \"geheim\"\n".into());
        let place = Place { text, span: 11..19, key: "password".into() };
        findings.hide(&place);
        findings.error(&Place { span: 0..8, ..place }, "no", "");
        let problems = findings.finish();
        assert!(!format!("{problems:?}").contains("geheim"));
        assert_eq!(problems[0].column(), Some(1));
    }
}
