//! What an answer says: in the words of the asker's language what was asked, and below
//! it the answer as the command line would print it.

use postfax_domain::{
    audit::Asker,
    job::{Answered, AnsweredFile},
    names::ClientName,
    settings::Change,
};

use super::{
    Mail, Question, Service,
    asked::Asked,
    asker, book,
    card::{self, Different},
    edited::{self, Outcome, Stale},
    form::fold,
    verbs::{TOPICS, Topic, VERBS, Verb},
};
use crate::{
    cli,
    config::{Config, Phrase, Words},
    daemon::{Context, now},
    requests::{
        self, Ask, BookReply, Daemon, Reply,
        book::FileFormat,
        settings::{AskSettings, Shown, Told},
    },
};

/// The largest file that goes with an answer, in bytes: many a relay takes mails of 10 MB.
const MAX_FILE_BYTES: usize = 6 << 20;

/// The largest JSON that is written for people as well, in bytes.
const MAX_PRETTY_BYTES: usize = 1 << 20;
/// Lines of what became of a file that are said; the JSON has all of it.
const MAX_LINES: usize = 500;
/// So many of them are its last ones.
const LAST_LINES: usize = 10;

/// The answer to a question. It may do what was asked.
pub(super) async fn answer(
    context: &Context,
    daemon: &dyn Daemon,
    mail: &Mail<'_>,
    question: &Question,
) -> Answered {
    let config = context.config.load_full();
    let words = words(&config, mail.client);
    match &question.asked {
        Ok(Asked::Help) => Answered::text(help(&config, words, mail.service)),
        Err(why) => {
            let misread = words.say(Phrase::AnswerMisread, &[("problem", why)]);
            Answered::text(format!("{misread}\n\n{}", help(&config, words, mail.service)))
        }
        Ok(asked) => {
            let asker = asker(mail);
            let told = match asked {
                Asked::Save(save) => {
                    let reply = book::save(context, daemon, &asker, save).await;
                    plainly(&config, words, reply)
                }
                Asked::Edit(edited) => {
                    entry(&config, words, book::edit(daemon, &asker, edited).await)
                }
                Asked::Of(ask) => told(&config, words, daemon, &asker, ask).await,
                Asked::Help => Answered::text(""),
            };
            let asked = self::asked(words, &question.key(mail));
            let more = words.say(Phrase::AnswerMore, &[("domain", &config.setup.domain)]);
            let text = format!("{asked}\n\n{}\n{more}\n", told.text);
            Answered { text, ..told }
        }
    }
}

/// It was begun, and nobody knows whether it was done.
pub(super) fn unsure(config: &Config, client: &ClientName, question: &str) -> Answered {
    let words = words(config, client);
    let unsure = words.word(Phrase::AnswerUnsure);
    Answered::text(format!("{}\n\n{unsure}\n", asked(words, question)))
}

/// What is said for people, and the same for programs.
async fn told(
    config: &Config,
    words: &Words,
    daemon: &dyn Daemon,
    asker: &Asker,
    ask: &Ask,
) -> Answered {
    let Ask::Settings(AskSettings::SetText { server, text, .. }) = ask else {
        return plainly(config, words, requests::answer(daemon, asker, ask.clone()).await);
    };
    let sheet = |shown: Shown| Reply::Settings(Box::new(Told::Sheet(shown)));
    match edited::register(daemon, asker, server, text, ask.clone()).await {
        Outcome::Asked(reply) => plainly(config, words, reply),
        Outcome::Same(shown) => same(words, plainly(config, words, sheet(*shown))),
        Outcome::Stale(late) => {
            let Stale { problem, base, since, wanted, newest } = *late;
            let late = stale(words, base, &since, &wanted);
            let newest = plainly(config, words, sheet(newest));
            Answered { text: format!("{problem}\n\n{late}\n{}", newest.text), ..newest }
        }
    }
}

/// What became of an edited entry of the phone book.
fn entry(config: &Config, words: &Words, outcome: book::Outcome) -> Answered {
    let sheet = |sheet| Reply::Book(Box::new(BookReply::Entry(sheet)));
    match outcome {
        book::Outcome::Asked(reply) => plainly(config, words, reply),
        book::Outcome::Same(now) => same(words, plainly(config, words, sheet(now))),
        book::Outcome::Stale { problem, wanted, newest } => {
            let version = newest.entry.version.to_string();
            let head = words.say(Phrase::AnswerWanted, &[("version", &version)]);
            let line = |one: &Different| {
                let line = format!("  {}: {} -> {}", one.key, one.from, one.to);
                line.replace(char::is_control, " ") + "\n"
            };
            let wanted: String = wanted.iter().map(line).collect();
            let newest = plainly(config, words, sheet(newest));
            let text = format!("{problem}\n\n{head}\n{wanted}\n{}", newest.text);
            Answered { text, ..newest }
        }
    }
}

fn same(words: &Words, now: Answered) -> Answered {
    Answered { text: format!("{}\n\n{}", words.word(Phrase::AnswerSame), now.text), ..now }
}

/// A reply in words, and for programs.
fn plainly(config: &Config, words: &Words, reply: Reply) -> Answered {
    if let Reply::Book(book) = &reply
        && let BookReply::Exported { format, text, count, lost } = &**book
    {
        return exported(words, *format, text, *count, lost);
    }
    Answered { text: said(config, words, &reply), data: data(&reply), file: None }
}

/// A file that was asked for, unless it is too large for a mail.
fn exported(
    words: &Words,
    format: FileFormat,
    text: &str,
    count: usize,
    lost: &[String],
) -> Answered {
    let count = count.to_string();
    let is_large = text.len() > MAX_FILE_BYTES;
    let phrase = if is_large { Phrase::BookTooLarge } else { Phrase::BookExported };
    let lost: String = lost.iter().map(|one| format!("  {one}\n")).collect();
    let (name, content_type) = match format {
        FileFormat::Csv => ("phone-book.csv", "text/csv; charset=utf-8"),
        FileFormat::Vcard3 | FileFormat::Vcard4 => ("phone-book.vcf", "text/vcard; charset=utf-8"),
        FileFormat::Ldif => ("phone-book.ldif", "text/x-ldif; charset=utf-8"),
    };
    let file = (!is_large).then(|| AnsweredFile {
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        text: text.to_owned(),
    });
    let said = words.say(phrase, &[("count", &count)]);
    Answered { text: format!("{said}\n{lost}"), data: None, file }
}

fn said(config: &Config, words: &Words, reply: &Reply) -> String {
    let plain = cli::plain(reply, now(), config.timezone.clone());
    match reply {
        Reply::Settings(told) if matches!(**told, Told::Sheet(_)) => {
            format!("{}\n\n{}", words.word(Phrase::AnswerEdit), fold(&plain))
        }
        Reply::Book(book) => match &**book {
            BookReply::Entry(sheet) if sheet.entry.may_change => {
                let form = fold(&card::print(sheet));
                format!("{plain}\n{}\n\n{form}", words.word(Phrase::BookEdit))
            }
            BookReply::Imported(_) => bounded(&plain),
            _ => plain,
        },
        _ => plain,
    }
}

/// A text of which people read the beginning and the end.
fn bounded(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= MAX_LINES {
        return text.to_owned();
    }
    let (head, tail) = (&lines[..MAX_LINES - LAST_LINES], &lines[lines.len() - LAST_LINES..]);
    let lines = head.iter().chain([&".."]).chain(tail);
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// What has changed since a text was made, and what its writer had wanted.
fn stale(words: &Words, base: u64, since: &[Change], wanted: &[Change]) -> String {
    let version = base.to_string();
    let part = |phrase, changes: &[Change]| {
        let line = |change: &Change| format!("  {change}").replace(char::is_control, " ") + "\n";
        let changes: String = changes.iter().map(line).collect();
        format!("{}\n{changes}", words.say(phrase, &[("version", &version)]))
    };
    format!("{}\n{}", part(Phrase::AnswerSince, since), part(Phrase::AnswerWanted, wanted))
}

/// What programs may want of an answer; a sentence says all by itself.
fn data(reply: &Reply) -> Option<String> {
    match reply {
        Reply::Done(_) | Reply::Problem(_) | Reply::Reloaded(_) => None,
        _ => {
            let pretty = serde_json::to_string_pretty(reply).ok();
            let short = || serde_json::to_string(reply).ok();
            let json = pretty.filter(|json| json.len() <= MAX_PRETTY_BYTES).or_else(short);
            json.filter(|json| json.len() <= MAX_FILE_BYTES)
        }
    }
}

fn words<'c>(config: &'c Config, client: &ClientName) -> &'c Words {
    let client = config.setup.clients.get(client);
    let language = client.map_or(&config.letters.language, |client| &client.receive.language);
    config.letters.languages.of(language)
}

fn asked(words: &Words, question: &str) -> String {
    words.say(Phrase::AnswerAsked, &[("question", question)])
}

/// Every verb with its examples, by what it is about: what the address is for comes first.
fn help(config: &Config, words: &Words, asked: Service) -> String {
    let domain = [("domain", config.setup.domain.as_str())];
    let verb = |verb: &Verb| {
        let examples: String = verb.examples.iter().map(|one| format!("  {one}\n")).collect();
        format!("{examples}      {}\n", words.word(verb.says))
    };
    let topic = |(topic, heading, _): &(Topic, Phrase, Option<&str>)| {
        let verbs: Vec<String> = VERBS.iter().filter(|one| one.topic == *topic).map(verb).collect();
        format!("{}\n\n{}", words.say(*heading, &domain), verbs.join("\n"))
    };
    let is_first = |(topic, ..): &&(Topic, Phrase, Option<&str>)| match asked {
        Service::Book | Service::Save(_) => *topic == Topic::Book,
        Service::Any(_) | Service::Help => false,
    };
    let (first, rest): (Vec<_>, Vec<_>) = TOPICS.iter().partition(is_first);
    let topics: Vec<String> = first.into_iter().chain(rest).map(topic).collect();
    let (head, reply) =
        (words.say(Phrase::AnswerHelp, &domain), words.say(Phrase::AnswerReply, &domain));
    format!("{head}\n\n{}\n{reply}\n", topics.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Languages;

    #[test]
    fn every_language_explains_every_verb() {
        let languages = Languages::built_in();
        let english = languages.of("en");
        for tag in ["de", "fr", "ja"] {
            let words = languages.of(tag);
            for verb in VERBS {
                assert_ne!(words.word(verb.says), "", "{tag} {}", verb.name);
                assert_ne!(words.word(verb.says), english.word(verb.says), "{tag} {}", verb.name);
            }
        }
    }

    #[test]
    fn the_help_has_every_verb_once() {
        for verb in VERBS {
            let topics = TOPICS.iter().filter(|(topic, ..)| *topic == verb.topic);
            assert_eq!(topics.count(), 1, "{}", verb.name);
        }
    }
}
