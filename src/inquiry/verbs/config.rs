//! Words about the configuration of Postfax itself.

use super::{Asked, Words, pieces::reason, too_many, word};
use crate::{
    config::Set,
    requests::{Ask, AskConfig, Terms},
};

/// What can stand behind `config`.
const KNOWN: &str = "get, set, history, show, diff, rollback";

/// `config`, `config get KEY`, `config set KEY = VALUE because ..`, and its versions.
pub(super) fn config(words: &Words<'_>) -> Result<Asked, String> {
    let Some((verb, rest)) = word(words.rest) else {
        return Ok(Asked::Of(Ask::Config(AskConfig::Get { key: None })));
    };
    let more: Vec<&str> = rest.split_whitespace().collect();
    let ask = match verb.as_str() {
        "get" => match more[..] {
            [] => AskConfig::Get { key: None },
            [key] => AskConfig::Get { key: Some(key.to_owned()) },
            [_, word, ..] => return Err(too_many(word)),
        },
        "set" => set(rest)?,
        "history" => match more[..] {
            [] => AskConfig::History,
            [word, ..] => return Err(too_many(word)),
        },
        "show" => AskConfig::Show { number: only(&more)? },
        "diff" => match more[..] {
            [] => return Err("the number of a version is missing".to_owned()),
            [from] => AskConfig::Diff { from: number(from)?, to: None },
            [from, to] => AskConfig::Diff { from: number(from)?, to: Some(number(to)?) },
            [_, _, word, ..] => return Err(too_many(word)),
        },
        "rollback" => {
            let (text, reason) = reason(rest);
            let more: Vec<&str> = text.split_whitespace().collect();
            let terms = Terms { reason, ..Terms::default() };
            AskConfig::Rollback { number: only(&more)?, terms }
        }
        other => return Err(format!("\"{other}\" is none of {KNOWN}")),
    };
    Ok(Asked::Of(Ask::Config(ask)))
}

/// One key: its value is TOML, which may have anything in it.
fn set(rest: &str) -> Result<AskConfig, String> {
    let (text, reason) = reason(rest);
    let (key, value) = text.split_once('=').ok_or("write KEY = VALUE, or KEY = to take it away")?;
    let (key, value) = (key.trim(), value.trim());
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err(format!("\"{key}\" is no key: write KEY = VALUE"));
    }
    let value = Some(value.to_owned()).filter(|value| !value.is_empty());
    let changes = vec![Set { key: key.to_owned(), value }];
    Ok(AskConfig::Set { changes, terms: Terms { reason, ..Terms::default() } })
}

fn only(words: &[&str]) -> Result<u64, String> {
    match words {
        [] => Err("the number of a version is missing".to_owned()),
        [one] => number(one),
        [_, word, ..] => Err(too_many(word)),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("\"{word}\" is no number of a version"))
}
