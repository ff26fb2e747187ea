//! Jobs as a list.

use postfax_domain::job::{End, State};

use super::{
    Paint, View, standing,
    table::{self, Cell, number, text},
};
use crate::requests::{Kind, Summary};

/// The longest name in a row, in characters.
const MAX_NAME_CHARS: usize = 24;

/// A table of jobs, in the order given.
pub(in crate::cli) fn jobs(view: &View, jobs: &[Summary]) -> String {
    if jobs.is_empty() {
        return "no such jobs\n".into();
    }
    let heading = ["JOB", "KIND", "STATE", "FROM", "TO", "PAGES", "TRIES", "AGE", "LAST OUTCOME"];
    table::table(view, "", &heading, jobs.iter().map(|job| row(view, job)).collect())
}

fn row(view: &View, job: &Summary) -> Vec<Cell> {
    let (word, paint) = match job.on_hold {
        true => ("on hold", Some(Paint::Attention)),
        false => standing(&job.state),
    };
    let pages = match (job.kind, job.pages) {
        (_, 0) => String::new(),
        (Kind::Out, pages) => format!("{}/{pages}", job.confirmed),
        (Kind::In | Kind::Receipt | Kind::Alarm | Kind::Forward | Kind::Answer, pages) => {
            pages.to_string()
        }
    };
    vec![
        number(job.job),
        text(kind(job.kind)),
        text(word).painted(paint),
        text(&job.from),
        text(to(job)),
        number(pages),
        number(job.attempts),
        text(view.age(job.created)),
        text(last(view, job)),
    ]
}

/// The number, and what its sender calls it.
fn to(job: &Summary) -> String {
    let Some(name) = &job.name else { return job.to.clone() };
    let mut short: String = name.chars().take(MAX_NAME_CHARS).collect();
    if short.len() < name.len() {
        short.push_str("...");
    }
    format!("{} {short}", job.to)
}

/// What a job is, in a word.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Out => "out",
        Kind::In => "in",
        Kind::Receipt => "receipt",
        Kind::Alarm => "alarm",
        Kind::Forward => "forward",
        Kind::Answer => "answer",
    }
}

/// The cause of the end, else what the last attempt came to and when the next one is.
fn last(view: &View, job: &Summary) -> String {
    let outcome = match job.state {
        State::Ended { end: End::Failed(cause), .. } => Some(cause),
        _ => job.last,
    };
    let said = outcome.map_or("", |outcome| outcome.text());
    match job.state {
        State::Waiting { due } if due > view.now => {
            let next = format!("next at {}", view.moment(due));
            if said.is_empty() { next } else { format!("{said}; {next}") }
        }
        _ => said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::render::tests::view, requests::samples};

    #[test]
    fn a_list_has_a_row_for_each() {
        let mut tired = samples::waiting();
        tired.attempts = samples::carrying().attempts[..1].to_vec();
        tired.state = State::Waiting { due: samples::at(1200) };
        let all = [
            samples::received(),
            samples::receipt(),
            samples::carrying(),
            samples::delivered(),
            tired,
        ];
        let all: Vec<_> = all.iter().map(Summary::of).collect();
        let expected = "\
JOB  KIND     STATE      FROM         TO                PAGES  TRIES  AGE     LAST OUTCOME
 14  in       waiting    +4930123456  anna@example.com      4      0  10 min
 13  receipt  delivered  job 12       anna@example.com             0  5 min
 12  out      carrying   anna         +33140000000        2/4      2  10 min  the line is busy
 12  out      delivered  anna         +33140000000        4/4      2  10 min  delivered
 12  out      waiting    anna         +33140000000        0/4      1  10 min  the line is busy; next at 10:20:00
";
        assert_eq!(jobs(&view(), &all), expected);
        assert_eq!(jobs(&view(), &[]), "no such jobs\n");
    }
}
