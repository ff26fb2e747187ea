//! What a mail asks, as a question: its words, and the text or the file that goes with
//! them. Pure.

use jiff::tz::TimeZone;
use postfax_domain::names::ServerName;

use super::{
    Mail, Question,
    asked::{Asked, Repeat},
    card, digest,
    form::{self, Form},
    grammar::{
        Candidates, MAX_QUESTION_CHARS, MAX_SHOWN_CHARS, Service, Written, candidates, own_lines,
        shown,
    },
    verbs::{self, Known, Topic, VERBS, Verb, entry, verb},
};
use crate::requests::{Ask, AskBook, settings::AskSettings};

/// What is said to a reply that asks nothing by itself.
const OLD: &str = "the subject is that of the mail that you answer, and what it asks is not done \
                   once more: write it into the first line";

impl Question {
    /// Whether an edited text in the same mail says more than these words do.
    fn gives_way(&self) -> bool {
        matches!(
            self.asked,
            Err(_)
                | Ok(Asked::Of(
                    Ask::Settings(AskSettings::Get { .. })
                        | Ask::Book(AskBook::Show { .. } | AskBook::Find { .. })
                ))
        )
    }
}

/// What a mail asks: the first of its lines that can be understood, else the first that
/// begins with a verb, so that the answer says what is wrong with it. A text of settings
/// or of an entry asks to be registered, unless its writer has asked for something else
/// above it.
pub(super) fn read(mail: &Mail<'_>, zone: &TimeZone) -> Question {
    let (job, home) = match mail.service {
        Service::Help => return help(),
        Service::Any(job) => (job, None),
        Service::Book => (None, Some(Topic::Book)),
        Service::Save(job) => (Some(job), Some(Topic::Book)),
    };
    let (client, text, files) = (mail.client, mail.text, mail.files);
    let known = Known { job, client, zone, home, text, files, other_file: mail.other_file };
    let subject = mail.subject.as_deref().unwrap_or_default();
    let written = Written { subject, text, is_reply: mail.is_reply };
    if let Service::Save(_) = mail.service {
        return saved(candidates(&written), known);
    }
    let settings = form::find(text, &form::SETTINGS);
    let entry = form::find(text, &card::ENTRY);
    let places = [settings.as_ref().map(|one| &one.place), entry.as_ref().map(|one| &one.place)];
    let Some(place) = places.into_iter().flatten().next() else {
        return of_lines(candidates(&written), known);
    };
    let rest = [&text[..place.start], &text[place.end..]].concat();
    let above = Known { text: &rest, ..known };
    let [first, _] = candidates(&Written { text: &rest, ..written }).lines;
    let meant = first.as_deref().and_then(|line| of_line(line, above));
    if let Some(question) = meant.filter(|question| !question.gives_way()) {
        return question;
    }
    match (settings, entry) {
        (Some(_), Some(_)) => Question {
            words: "change".to_owned(),
            asked: Err("there are a text of settings and one of the phone book".to_owned()),
        },
        (Some(found), None) => of_settings(found.form, first.as_deref(), &rest),
        (None, found) => of_entry(found.map(|found| found.form)),
    }
}

fn of_settings(
    form: Result<Form<ServerName>, String>,
    first: Option<&str>,
    rest: &str,
) -> Question {
    let asked = verbs::edited(form, first, own_lines(rest));
    let words = match &asked {
        Ok(Asked::Of(Ask::Settings(AskSettings::SetText { server, text, .. }))) => {
            format!("set {server} (text {})", digest(text))
        }
        _ => "set".to_owned(),
    };
    Question { words, asked }
}

fn of_entry(form: Option<Result<Form<String>, String>>) -> Question {
    let form = form.unwrap_or_else(|| Err("the text of the entry is missing".to_owned()));
    let toml = form.as_ref().map(|form| digest(&form.toml)).unwrap_or_default();
    let asked = form.and_then(|form| card::read(&form)).map(|edited| {
        // What an entry says may be long, and goes into the question as a digest.
        Asked::Edit(Box::new(edited))
    });
    let words = match &asked {
        Ok(Asked::Edit(edited)) => format!("change {} (text {toml})", shown(&edited.entry)),
        _ => "change".to_owned(),
    };
    Question { words, asked }
}

/// What a mail to the address that saves a number asks: its line is a name, whatever word
/// it begins with.
fn saved(found: Candidates, known: Known<'_>) -> Question {
    let verb = VERBS.iter().find(|verb| verb.name == "save");
    let line = |line: String| {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let is_verb = ["save", "add"].contains(&word.to_lowercase().as_str());
        if is_verb { rest.trim().to_owned() } else { line }
    };
    let second_is_old = found.second_is_old;
    let [first, second] = found.lines.map(|one| one.map(line));
    // The subject of a mail before this one is no name.
    let lines = [first, second.filter(|_| !second_is_old)];
    let questions: Vec<Question> = lines
        .into_iter()
        .flatten()
        .filter_map(|line| {
            let verb = verb?;
            let bounded = line.chars().count() <= MAX_QUESTION_CHARS;
            let too_long = || format!("the line has more than {MAX_QUESTION_CHARS} characters");
            let asked = if bounded { verb.read(&line, known) } else { Err(too_long()) };
            Some(Question { words: worded("save", &line, known), asked })
        })
        .collect();
    let best = questions.iter().position(|question| question.asked.is_ok()).unwrap_or(0);
    questions.into_iter().nth(best).unwrap_or_else(|| Question {
        words: "save".to_owned(),
        asked: Err("the name is missing; for example: Acme Ltd alias acme".to_owned()),
    })
}

/// A question in words: the line that asks, and marks of what else belongs to it.
fn worded(verb: &str, line: &str, known: Known<'_>) -> String {
    let whole = if verb.is_empty() { line.to_owned() } else { format!("{verb} {line}") };
    match whole.chars().count() <= MAX_SHOWN_CHARS {
        true => shown(&whole),
        false => format!("{} .. ({})", shown(&whole), digest(known.text)),
    }
}

/// What a line asks, if it begins with a verb.
fn of_line(line: &str, known: Known<'_>) -> Option<Question> {
    let (verb, rest): (&Verb, &str) = verb(line, known.home)?;
    let asked = match line.chars().count() <= MAX_QUESTION_CHARS {
        true => verb.read(rest, known),
        // A value must not be cut off.
        false => Err(format!("the line has more than {MAX_QUESTION_CHARS} characters")),
    };
    let mut words = match line.chars().count() <= MAX_SHOWN_CHARS {
        true => shown(line),
        false => format!("{} .. ({})", shown(line), digest(line)),
    };
    // What it says besides the line is too long for a question.
    match &asked {
        Ok(Asked::Of(Ask::Book(AskBook::Import(import)))) => {
            words += &format!(" (file {})", digest(&import.file));
        }
        Ok(Asked::Of(Ask::Book(AskBook::Add { .. } | AskBook::Change { .. })))
        | Ok(Asked::Save(_))
            if own_lines(known.text).into_iter().any(|line| entry::field(line).is_some()) =>
        {
            words += &format!(" (text {})", digest(known.text));
        }
        _ => {}
    }
    Some(Question { words, asked })
}

/// What a mail without a text of settings asks.
fn of_lines(found: Candidates, known: Known<'_>) -> Question {
    let lines: Vec<&str> = found.lines.iter().flatten().map(String::as_str).collect();
    let tried = |(place, line): (usize, &Option<String>)| {
        let question = of_line(line.as_deref()?, known)?;
        // "Thank you" to the answer must not do once more what was asked for.
        let is_old = place > 0 && found.second_is_old;
        let again = is_old && question.repeat() != Repeat::Harmless;
        Some(if again { Question { asked: Err(OLD.to_owned()), ..question } } else { question })
    };
    let mut tried: Vec<Question> = found.lines.iter().enumerate().filter_map(tried).collect();
    let best = tried.iter().position(|question| question.asked.is_ok()).unwrap_or(0);
    if !tried.is_empty() {
        return tried.swap_remove(best);
    }
    match lines.first() {
        None => help(),
        Some(line) => {
            let first = line.split_whitespace().next().unwrap_or_default();
            let is_meant = |verb: &&Verb| known.home.is_none_or(|home| verb.topic == home);
            let mut known: Vec<&str> = Vec::new();
            for verb in VERBS.iter().filter(is_meant) {
                if !known.contains(&verb.name) {
                    known.push(verb.name);
                }
            }
            let why = format!("\"{}\" is none of {}", shown(first), known.join(", "));
            Question { words: shown(line), asked: Err(why) }
        }
    }
}

fn help() -> Question {
    Question { words: "help".into(), asked: Ok(Asked::Help) }
}
