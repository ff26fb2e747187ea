//! Words about fax servers, webhooks and the audit log.

use postfax_domain::names::HookName;

use super::{Asked, Words, too_many};
use crate::{
    cli,
    requests::{Ask, AskAudit},
};

/// `servers`, `servers list`.
pub(super) fn list(words: &Words<'_>) -> Result<Asked, String> {
    match words.words[..] {
        [] => Ok(Asked::Of(Ask::Servers)),
        [word] if word.eq_ignore_ascii_case("list") => Ok(Asked::Of(Ask::Servers)),
        [word, ..] => Err(too_many(word)),
    }
}

/// `webhooks`, `webhooks retry NAME`.
pub(super) fn webhooks(words: &Words<'_>) -> Result<Asked, String> {
    match words.words[..] {
        [] => Ok(Asked::Of(Ask::Webhooks)),
        [word, name] if word.eq_ignore_ascii_case("retry") => {
            let webhook = HookName::new(name).map_err(|bad| bad.to_string())?;
            Ok(Asked::Of(Ask::RetryWebhook { webhook }))
        }
        [word] if word.eq_ignore_ascii_case("retry") => {
            Err("the name of the webhook is missing".to_owned())
        }
        [_, word, ..] | [word] => Err(too_many(word)),
    }
}

/// `audit`, and behind it in any order `who=`, `request=`, `since=` and how many;
/// `audit verify`, and perhaps the last line that the asker knows of.
pub(super) fn audit(words: &Words<'_>) -> Result<Asked, String> {
    if let Some((first, more)) = words.words.split_first()
        && first.eq_ignore_ascii_case("verify")
    {
        let head = match more {
            [] => None,
            [head] => Some(head.parse().map_err(str::to_owned)?),
            [_, word, ..] => return Err(too_many(word)),
        };
        return Ok(Asked::Of(Ask::VerifyAudit { head }));
    }
    let mut ask = AskAudit::default();
    for word in &words.words {
        match word.split_once('=') {
            Some(("who", value)) => ask.who = Some(value.to_owned()),
            Some(("request", value)) => ask.request = Some(value.to_owned()),
            Some(("since", value)) => ask.since = Some(cli::time(value, words.known.zone)?),
            Some((key, _)) => {
                return Err(format!("\"{key}\" is none of who, request, since"));
            }
            None => {
                let wrong =
                    |_| format!("\"{word}\" is no count and not verify, who=, request= or since=");
                ask.limit = Some(word.parse().map_err(wrong)?);
            }
        }
    }
    Ok(Asked::Of(Ask::Audit(ask)))
}
