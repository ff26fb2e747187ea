//! Words about the settings of fax servers, and the edited text that is a question by
//! itself.

use std::collections::BTreeMap;

use postfax_domain::{
    names::ServerName,
    settings::{Name, Value},
};

use super::{
    Asked, Words,
    pieces::{pieces, reason, why},
    server, too_many, verb,
};
use crate::{
    inquiry::form::Form,
    requests::{Ask, settings::AskSettings},
};

fn of(ask: AskSettings) -> Asked {
    Asked::Of(Ask::Settings(ask))
}

/// `get london-1`.
pub(super) fn get(words: &Words<'_>) -> Result<Asked, String> {
    words.only_server().map(|server| of(AskSettings::Get { server }))
}

/// `set london-1 max_dials=3 line.ttyFAX0.ecm=no because ..`.
pub(super) fn set(words: &Words<'_>) -> Result<Asked, String> {
    let (text, reason) = reason(words.rest);
    let (head, pairs) = pieces(text);
    let server = named(head)?;
    let mut set: BTreeMap<Name, Option<Value>> = BTreeMap::new();
    let mut version = None;
    for (key, value) in pairs {
        if key == "version" {
            let wrong = |_| format!("\"{value}\" is no number of a version");
            version = Some(value.parse().map_err(wrong)?);
            continue;
        }
        let name: Name = key.parse().map_err(|bad| format!("{bad}"))?;
        let value = Some(value).filter(|value| !value.is_empty()).map(Value::Text);
        if set.insert(name, value).is_some() {
            return Err(format!("{key} stands there twice"));
        }
    }
    if set.is_empty() {
        let why = "what is to be set is missing: write KEY=VALUE, or send the whole text of the \
                   answer to get, edited, with its first and its last line";
        return Err(why.to_owned());
    }
    Ok(of(AskSettings::Set { server, version, set, reason }))
}

/// The server at the head of the words, alone.
fn named(head: &str) -> Result<ServerName, String> {
    let words: Vec<&str> = head.split_whitespace().collect();
    match words[..] {
        [] => Err("the name of the server is missing".to_owned()),
        [name] => server(name),
        [_, word, ..] => Err(format!("\"{word}\" is no KEY=VALUE, and a reason begins: because")),
    }
}

/// `history london-1`.
pub(super) fn history(words: &Words<'_>) -> Result<Asked, String> {
    words.only_server().map(|server| of(AskSettings::History { server }))
}

/// `diff london-1`, `diff london-1 3`, `diff london-1 3 5`.
pub(super) fn diff(words: &Words<'_>) -> Result<Asked, String> {
    let (server, more) = words.server()?;
    let (from, to) = match more {
        [] => (None, None),
        [from] => (Some(version(from)?), None),
        [from, to] => (Some(version(from)?), Some(version(to)?)),
        [_, _, word, ..] => return Err(too_many(word)),
    };
    Ok(of(AskSettings::Diff { server, from, to }))
}

/// `rollback london-1 3 because ..`.
pub(super) fn rollback(words: &Words<'_>) -> Result<Asked, String> {
    let (text, reason) = reason(words.rest);
    let words = Words { words: text.split_whitespace().collect(), rest: text, ..*words };
    let (server, more) = words.server()?;
    let to = match more {
        [] => return Err("the number of the version is missing".to_owned()),
        [to] => version(to)?,
        [_, word, ..] => return Err(too_many(word)),
    };
    Ok(of(AskSettings::Rollback { server, to, version: None, reason }))
}

/// `adopt london-1 because ..`.
pub(super) fn adopt(words: &Words<'_>) -> Result<Asked, String> {
    let (text, reason) = reason(words.rest);
    let words = Words { words: text.split_whitespace().collect(), rest: text, ..*words };
    words.only_server().map(|server| of(AskSettings::Adopt { server, reason }))
}

/// `push london-1`.
pub(super) fn push(words: &Words<'_>) -> Result<Asked, String> {
    words.only_server().map(|server| of(AskSettings::Push { server }))
}

fn version(word: &str) -> Result<u64, String> {
    let digits = word.trim_start_matches('v').trim_end_matches(['.', ',']);
    digits.parse().map_err(|_| format!("\"{word}\" is no number of a version"))
}

/// An edited text is to be registered: for the server that it names, which must be the
/// one that the line says with `set` or `get`. A reason stands in that line, or in one
/// of those that the writer has added.
///
/// # Errors
/// Says what is wrong with the text, or that the line means another server.
pub(in crate::inquiry) fn edited<'a>(
    form: Result<Form<ServerName>, String>,
    line: Option<&str>,
    added: impl IntoIterator<Item = &'a str>,
) -> Result<Asked, String> {
    let Form { of: server, toml } = form?;
    let mut said = String::new();
    if let Some((verb, rest)) = line.and_then(|line| verb(line, None))
        && ["get", "set"].contains(&verb.name)
    {
        let (text, because) = reason(rest);
        said = because;
        match text.split_whitespace().next().map(super::server) {
            // Prose may begin with a verb: "Set it as agreed".
            Some(Ok(other)) if other != server && text.split_whitespace().count() == 1 => {
                return Err(format!("the text has the settings of {server}, not of {other}"));
            }
            _ => {}
        }
    }
    if said.is_empty() {
        said = added.into_iter().find_map(why).unwrap_or_default();
    }
    let version = None;
    Ok(of(AskSettings::SetText { server, version, text: toml, reason: said }))
}
