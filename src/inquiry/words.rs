//! What an answer says: in the words of the asker's language what was asked, and below
//! it the answer as the command line would print it.

use postfax_domain::{job::Answered, names::ClientName};

use super::{Mail, Question, asker, verbs::Asked, verbs::VERBS};
use crate::{
    cli,
    config::{Config, Phrase, Words},
    daemon::{Context, now},
    requests::{self, Daemon, Reply},
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
            let reply = requests::answer(daemon, &asker(mail), ask.clone()).await;
            let said = cli::plain(&reply, now(), config.timezone.clone());
            let asked = asked(words, &question.key(mail));
            let more = words.say(Phrase::AnswerMore, &[("domain", &config.setup.domain)]);
            let text = format!("{asked}\n\n{said}\n{more}\n");
            Answered { text, data: data(&reply) }
        }
    }
}

/// It was begun, and nobody knows whether it was done.
pub(super) fn unsure(config: &Config, client: &ClientName, question: &str) -> Answered {
    let words = words(config, client);
    let text = format!("{}\n\n{}\n", asked(words, question), words.word(Phrase::AnswerUnsure));
    Answered { text, data: None }
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

/// Every verb with its examples.
fn help(config: &Config, words: &Words) -> String {
    let domain = [("domain", config.setup.domain.as_str())];
    let verb = |verb: &super::Verb| {
        let examples: String = verb.examples.iter().map(|one| format!("  {one}\n")).collect();
        format!("{examples}      {}\n", words.word(verb.says))
    };
    let verbs: Vec<String> = VERBS.iter().map(verb).collect();
    let (head, reply) =
        (words.say(Phrase::AnswerHelp, &domain), words.say(Phrase::AnswerReply, &domain));
    format!("{head}\n\n{}\n{reply}\n", verbs.join("\n"))
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
}
