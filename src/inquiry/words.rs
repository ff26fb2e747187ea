//! What an answer says: in the words of the asker's language what was asked, and below
//! it the answer as the command line would print it.

use postfax_domain::{audit::Asker, job::Answered, names::ClientName, settings::Change};

use super::{
    Mail, Question,
    asked::Asked,
    asker,
    edited::{self, Outcome, Stale},
    form::fold,
    verbs::{TOPICS, Topic, VERBS, Verb},
};
use crate::{
    cli,
    config::{Config, Phrase, Words},
    daemon::{Context, now},
    requests::{
        self, Ask, Daemon, Reply,
        settings::{AskSettings, Shown, Told},
    },
};

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
        Ok(Asked::Help) => Answered { text: help(&config, words), data: None },
        Err(why) => {
            let misread = words.say(Phrase::AnswerMisread, &[("problem", why)]);
            let text = format!("{misread}\n\n{}", help(&config, words));
            Answered { text, data: None }
        }
        Ok(Asked::Of(ask)) => {
            let (said, data) = told(&config, words, daemon, &asker(mail), ask).await;
            let asked = asked(words, &question.key(mail));
            let more = words.say(Phrase::AnswerMore, &[("domain", &config.setup.domain)]);
            let text = format!("{asked}\n\n{said}\n{more}\n");
            Answered { text, data }
        }
    }
}

/// It was begun, and nobody knows whether it was done.
pub(super) fn unsure(config: &Config, client: &ClientName, question: &str) -> Answered {
    let words = words(config, client);
    let text = format!("{}\n\n{}\n", asked(words, question), words.word(Phrase::AnswerUnsure));
    Answered { text, data: None }
}

/// What is said for people, and the same for programs.
async fn told(
    config: &Config,
    words: &Words,
    daemon: &dyn Daemon,
    asker: &Asker,
    ask: &Ask,
) -> (String, Option<String>) {
    let Ask::Settings(AskSettings::SetText { server, text, .. }) = ask else {
        let reply = requests::answer(daemon, asker, ask.clone()).await;
        return (said(config, words, &reply), data(&reply));
    };
    let sheet = |shown: Shown| Reply::Settings(Box::new(Told::Sheet(shown)));
    match edited::register(daemon, asker, server, text, ask.clone()).await {
        Outcome::Asked(reply) => (said(config, words, &reply), data(&reply)),
        Outcome::Same(shown) => {
            let same = words.word(Phrase::AnswerSame);
            let reply = sheet(*shown);
            (format!("{same}\n\n{}", said(config, words, &reply)), data(&reply))
        }
        Outcome::Stale(late) => {
            let Stale { problem, base, since, wanted, newest } = *late;
            let late = stale(words, base, &since, &wanted);
            let reply = sheet(newest);
            (format!("{problem}\n\n{late}\n{}", said(config, words, &reply)), data(&reply))
        }
    }
}

fn said(config: &Config, words: &Words, reply: &Reply) -> String {
    let plain = cli::plain(reply, now(), config.timezone.clone());
    match reply {
        Reply::Settings(told) if matches!(**told, Told::Sheet(_)) => {
            format!("{}\n\n{}", words.word(Phrase::AnswerEdit), fold(&plain))
        }
        _ => plain,
    }
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
        _ => serde_json::to_string_pretty(reply).ok(),
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

/// Every verb with its examples, by what it is about.
fn help(config: &Config, words: &Words) -> String {
    let domain = [("domain", config.setup.domain.as_str())];
    let verb = |verb: &Verb| {
        let examples: String = verb.examples.iter().map(|one| format!("  {one}\n")).collect();
        format!("{examples}      {}\n", words.word(verb.says))
    };
    let topic = |(topic, heading, _): &(Topic, Phrase, Option<&str>)| {
        let verbs: Vec<String> = VERBS.iter().filter(|one| one.topic == *topic).map(verb).collect();
        format!("{}\n\n{}", words.say(*heading, &domain), verbs.join("\n"))
    };
    let topics: Vec<String> = TOPICS.iter().map(topic).collect();
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
