//! The verbs that can be written in a mail. A new one is a line of [`VERBS`], a function
//! that reads its words, in the file of what it is about, and a phrase of the help.

mod book;
mod config;
pub(super) mod entry;
mod jobs;
mod pieces;
mod servers;
mod settings;
mod table;

use jiff::tz::TimeZone;
use postfax_domain::names::{ClientName, JobId, ServerName};

use super::{
    Attached,
    asked::Asked,
    grammar::{number, own_lines},
};
use crate::config::Phrase;
pub(super) use settings::edited;
pub(super) use table::{TOPICS, VERBS};

/// Something that can be asked.
pub(super) struct Verb {
    /// As it is written.
    pub(super) name: &'static str,
    /// What else people write for it.
    also: &'static [&'static str],
    /// What it is about.
    pub(super) topic: Topic,
    /// For the help.
    pub(super) examples: &'static [&'static str],
    /// For the help.
    pub(super) says: Phrase,
    read: fn(&Words<'_>) -> Result<Asked, String>,
}

/// What verbs are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Jobs,
    Inbound,
    Servers,
    Settings,
    Book,
    Supervisor,
    Rest,
}

/// What is known besides the words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The job that the address names.
    pub(super) job: Option<JobId>,
    /// Who asks.
    pub(super) client: &'a ClientName,
    /// Where their clock is.
    pub(super) zone: &'a TimeZone,
    /// What the address is for: verbs of this topic come before others of the same name.
    pub(super) home: Option<Topic>,
    /// The whole text of the mail.
    pub(super) text: &'a str,
    /// The files with contacts that came with it.
    pub(super) files: &'a [Attached<'a>],
    /// What the first other file is called that came with it.
    pub(super) other_file: Option<&'a str>,
}

/// The words behind a verb, and what is known besides.
struct Words<'a> {
    /// One by one.
    words: Vec<&'a str>,
    /// As they were written.
    rest: &'a str,
    /// The verb itself.
    verb: &'static str,
    known: Known<'a>,
}

/// The verb that a line begins with, if it begins with one, and the words behind it. Where
/// the address says what it is about, that goes before other verbs of the same name.
pub(super) fn verb(line: &str, home: Option<Topic>) -> Option<(&'static Verb, &str)> {
    let (first, rest) = word(line)?;
    let topic = TOPICS.iter().find(|(.., noun)| *noun == Some(first.as_str()));
    if let (Some((topic, ..)), Some((second, behind))) = (topic, word(rest)) {
        let verb = VERBS.iter().find(|verb| verb.is_called(&second) && verb.topic == *topic);
        if let Some(verb) = verb {
            return Some((verb, behind));
        }
    }
    let called = |verb: &&&Verb| verb.is_called(&first);
    let at_home = VERBS.iter().filter(|verb| Some(verb.topic) == home).collect::<Vec<_>>();
    let verb = at_home.iter().find(called).copied();
    Some((verb.or_else(|| VERBS.iter().find(|verb| verb.is_called(&first)))?, rest))
}

/// The first word in lower case without the marks behind it, and the rest.
fn word(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    let first = line[..end].trim_end_matches([':', '.', '!', ',']).to_lowercase();
    (!first.is_empty()).then(|| (first, line[end..].trim()))
}

impl Verb {
    fn is_called(&self, word: &str) -> bool {
        self.name == word || self.also.contains(&word)
    }

    /// What a line that begins with this verb asks; `rest` is what stands behind it.
    ///
    /// # Errors
    /// Says what is wrong with the words, and what would be right.
    pub(super) fn read(&self, rest: &str, known: Known<'_>) -> Result<Asked, String> {
        let words = rest.split_whitespace().collect();
        (self.read)(&Words { words, rest, verb: self.name, known })
            .map_err(|why| format!("{}: {why}; for example: {}", self.name, self.examples[0]))
    }
}

impl<'a> Words<'a> {
    /// The lines that the writer has put below the one that asks.
    fn below(&self) -> impl Iterator<Item = &'a str> {
        let mut lines = own_lines(self.known.text).into_iter().peekable();
        lines.next_if(|line| self.asks(line));
        lines
    }

    /// The text as it was written, without the line that asks and without a signature.
    fn text_below(&self) -> String {
        let is_separator = |line: &str| line.trim_end_matches('\r') == "-- ";
        let lines = self.known.text.lines().take_while(|line| !is_separator(line));
        let mut lines = lines.skip_while(|line| line.trim().is_empty()).peekable();
        lines.next_if(|line| self.asks(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    fn asks(&self, line: &str) -> bool {
        verb(line, self.known.home).is_some_and(|(verb, _)| verb.name == self.verb)
    }

    fn none(&self) -> Result<(), String> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(too_many(word)),
        }
    }

    fn only_job(&self) -> Result<JobId, String> {
        job(&self.words, self.known.job)
    }

    /// The server that is meant, and nothing else.
    fn only_server(&self) -> Result<ServerName, String> {
        let (server, more) = self.server()?;
        match more.first() {
            None => Ok(server),
            Some(word) => Err(too_many(word)),
        }
    }

    /// The server that is meant, and the words behind it.
    fn server(&self) -> Result<(ServerName, &[&str]), String> {
        let words = match self.words.first() {
            Some(word) if word.eq_ignore_ascii_case("server") => &self.words[1..],
            _ => &self.words[..],
        };
        let (name, more) = words.split_first().ok_or("the name of the server is missing")?;
        Ok((server(name)?, more))
    }
}

fn server(name: &str) -> Result<ServerName, String> {
    ServerName::new(name).map_err(|bad| bad.to_string())
}

fn too_many(word: &str) -> String {
    format!("\"{word}\" is one word too many")
}

/// The job that is meant: `12`, `#12`, `job 12`, or that of the address.
fn job(words: &[&str], address: Option<JobId>) -> Result<JobId, String> {
    let words = match words.first() {
        Some(word) if word.eq_ignore_ascii_case("job") => &words[1..],
        _ => words,
    };
    let written = match words {
        [] => None,
        [word] => Some(number(word).ok_or(format!("\"{word}\" is no number of a job"))?),
        [_, word, ..] => return Err(too_many(word)),
    };
    match (written, address) {
        (Some(written), Some(job)) if written != job => {
            Err(format!("the address says job {job} and the words say job {written}"))
        }
        (Some(job), _) | (None, Some(job)) => Ok(job),
        (None, None) => Err("the number of the job is missing".to_owned()),
    }
}

#[cfg(test)]
mod tests;
