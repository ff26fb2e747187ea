//! Words about jobs: those that are sent, and those that have arrived.

use clap::ValueEnum as _;
use postfax_domain::{names::ClientName, time::Timestamp};

use super::{Asked, Words, job, number, pieces::pieces, too_many};
use crate::{
    cli,
    requests::{Ask, AskAlter, AskInbound, AskJobs, Condition, Kind},
};

/// Pages that are asked about when a mail does not say.
const PAGES: u32 = 1;

/// `list`, and behind it in any order: a state, a kind, a number to call, how many.
pub(super) fn list(words: &Words<'_>) -> Result<Asked, String> {
    let mut ask = AskJobs::default();
    for word in &words.words {
        if let Ok(state) = Condition::from_str(word, true) {
            ask.state = Some(state);
        } else if let Ok(kind) = Kind::from_str(word, true) {
            ask.kind = Some(kind);
        } else if word.starts_with('+') || word.contains('*') {
            ask.number = Some((*word).to_owned());
        } else if let Ok(limit) = word.parse() {
            ask.limit = Some(limit);
        } else {
            let known =
                Condition::value_variants().iter().filter_map(|one| one.to_possible_value());
            let known: Vec<String> = known.map(|one| one.get_name().to_owned()).collect();
            return Err(format!(
                "\"{word}\" is none of {}, no number that begins with +, and no count",
                known.join(", ")
            ));
        }
    }
    Ok(Asked::Of(Ask::Jobs(ask)))
}

/// `explain NUMBER`, `explain NUMBER 3 pages`, `explain job 12`; a client asks for itself.
pub(super) fn explain(words: &Words<'_>) -> Result<Asked, String> {
    let about_job = match words.words.first() {
        None => true,
        Some(first) => first.eq_ignore_ascii_case("job") || first.starts_with('#'),
    };
    if about_job {
        return words.only_job().map(|job| Asked::Of(Ask::ExplainJob { job }));
    }
    let (to, pages) = match &words.words[..] {
        [to @ .., count, unit] if ["page", "pages"].contains(unit) => {
            let pages = count.parse().map_err(|_| format!("\"{count}\" is no count of pages"))?;
            (to, pages)
        }
        to => (to, PAGES),
    };
    let from = words.known.client.to_string();
    Ok(Asked::Of(Ask::Explain { from, to: to.join(" "), pages }))
}

/// `alter 12 priority=5 due=+2h`, in the words of the questions and of the command line.
pub(super) fn alter(words: &Words<'_>) -> Result<Asked, String> {
    let (head, pairs) = pieces(words.rest);
    let head: Vec<&str> = head.split_whitespace().collect();
    let job = job(&head, words.known.job)?;
    let mut ask =
        AskAlter { job, priority: None, tries: None, expires: None, due: None, number: None };
    if pairs.is_empty() {
        return Err("what is to be different is missing".to_owned());
    }
    for (key, value) in pairs {
        let wrong = |wanted| format!("\"{value}\" is no {key}: write {wanted}");
        let time = || -> Result<Option<Timestamp>, String> {
            cli::time(&value, words.known.zone).map(Some).map_err(|why| format!("{key}: {why}"))
        };
        match key.to_lowercase().as_str() {
            "priority" => {
                ask.priority = Some(value.parse().map_err(|_| wrong("a number from -9 to 9"))?);
            }
            "tries" => ask.tries = Some(value.parse().map_err(|_| wrong("a count"))?),
            "expires" | "until" => ask.expires = time()?,
            "due" | "not-before" => ask.due = time()?,
            "number" | "to" => ask.number = Some(value),
            _ => {
                return Err(format!("\"{key}\" is none of priority, number, tries, due, expires"));
            }
        }
    }
    Ok(Asked::Of(Ask::Alter(ask)))
}

/// `inbound`, `inbound 20`, `inbound list`.
pub(super) fn inbound(words: &Words<'_>) -> Result<Asked, String> {
    let mut ask = AskInbound::default();
    for word in words.words.iter().filter(|word| !word.eq_ignore_ascii_case("list")) {
        ask.limit = Some(word.parse().map_err(|_| format!("\"{word}\" is no count"))?);
    }
    Ok(Asked::Of(Ask::Inbound(ask)))
}

/// `assign 12 anna`, `assign job 12 to anna`; `assign anna` to the address of a job.
pub(super) fn assign(words: &Words<'_>) -> Result<Asked, String> {
    let mut before = words.words.clone();
    let client = before.pop().ok_or("the number of the job and the client are missing")?;
    if before.last().is_some_and(|word| word.eq_ignore_ascii_case("to")) {
        before.pop();
    }
    if before.is_empty() && number(client).is_some() {
        return Err("the client is missing".to_owned());
    }
    if let [_, _, word, ..] = before[..] {
        return Err(too_many(word));
    }
    let job = job(&before, words.known.job)?;
    let client = ClientName::new(client).map_err(|bad| bad.to_string())?;
    Ok(Asked::Of(Ask::Assign { job, client }))
}
