//! Problems as people and programs read them: the place in the file with what
//! stands there, the key, what is wrong, and what would be right.

use std::{fmt, ops::Range, path::PathBuf, sync::Arc};

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};
use serde::{Serialize, Serializer, ser::SerializeStruct};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but is probably not what was meant.
    Warning,
}

/// Something that is wrong with a configuration.
#[derive(Clone)]
pub(crate) struct Problem {
    /// How bad it is.
    pub(crate) level: Level,
    /// The file that it is in.
    pub(crate) file: PathBuf,
    /// Where in the file; `None` when the file as a whole is meant.
    pub(super) spot: Option<Spot>,
    /// The key, such as `client.anna.groups`; what has no name is counted from 1: `dial[2].via`.
    pub(crate) key: Option<String>,
    /// What is wrong.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) help: Option<String>,
}

/// A place in a text.
#[derive(Clone)]
pub(super) struct Spot {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) span: Range<usize>,
    pub(super) text: Arc<str>,
}

impl Problem {
    /// The line, counted from 1.
    #[must_use]
    pub(crate) fn line(&self) -> Option<usize> {
        self.spot.as_ref().map(|spot| spot.line)
    }

    /// The column, counted from 1 in characters.
    #[must_use]
    pub(crate) fn column(&self) -> Option<usize> {
        self.spot.as_ref().map(|spot| spot.column)
    }
}

/// All problems as text for people, or as one JSON array of objects with `level`, `file`,
/// `line`, `column`, `key`, `message` and `help`.
#[must_use]
pub(crate) fn report(problems: &[Problem], json: bool) -> String {
    if json {
        let text = serde_json::to_string_pretty(problems);
        return text.expect("problems hold nothing that JSON has no form for") + "\n";
    }
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_context_lines(1)
        .with_wrap_lines(false)
        .without_syntax_highlighting();
    let mut text = String::new();
    for problem in problems {
        handler
            .render_report(
                &mut text,
                &Shown { problem, line: problem.spot.as_ref().map(|spot| Line(problem, spot)) },
            )
            .expect("writing into a string does not fail");
        text.push('\n');
    }
    text
}

/// What makes a configuration unusable, in one line and without what stands in the files.
#[must_use]
pub(crate) fn summary(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.level == Level::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{key}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = (self.line().unwrap_or(0), self.column().unwrap_or(0));
        write!(f, "{:?} {}:{line}:{column}: {self}", self.level, self.file.display())?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.level {
            Level::Error => miette::Severity::Error,
            Level::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let spot = self.spot.as_ref()?;
        // Of a value over many lines only the first is marked.
        let marked = spot.text.get(spot.span.clone()).unwrap_or("");
        let length = marked.lines().next().map_or(0, str::len);
        let label = LabeledSpan::new(None, spot.span.start, length);
        Some(Box::new(std::iter::once(label)))
    }
}

/// A problem together with the line that it is in.
struct Shown<'a> {
    problem: &'a Problem,
    line: Option<Line<'a>>,
}

/// Hands out one line where miette asks for context: the neighbours of a line say
/// nothing about it.
struct Line<'a>(&'a Problem, &'a Spot);

impl SourceCode for Line<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.1.text;
        let name = self.0.file.display().to_string();
        if before == 0 || span.offset() > text.len() {
            let found = text.read_span(span, before, after)?;
            let contents = MietteSpanContents::new_named(
                name,
                found.data(),
                *found.span(),
                found.line(),
                found.column(),
                found.line_count(),
            );
            return Ok(Box::new(contents));
        }
        let start = text[..span.offset()].rfind('\n').map_or(0, |end| end + 1);
        let end = text[span.offset()..].find('\n').map_or(text.len(), |at| span.offset() + at);
        let (line, whole) = (&text[start..end], SourceSpan::from((start, end - start)));
        let contents =
            MietteSpanContents::new_named(name, line.as_bytes(), whole, self.1.line - 1, 0, 1);
        Ok(Box::new(contents))
    }
}

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.problem, f)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.problem, f)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        self.problem.severity()
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.problem.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.problem.labels()
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.line.as_ref().map(|line| line as &dyn SourceCode)
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Problem", 7)?;
        object.serialize_field("level", &self.level)?;
        object.serialize_field("file", &self.file)?;
        object.serialize_field("line", &self.line())?;
        object.serialize_field("column", &self.column())?;
        object.serialize_field("key", &self.key)?;
        object.serialize_field("message", &self.message)?;
        object.serialize_field("help", &self.help)?;
        object.end()
    }
}
