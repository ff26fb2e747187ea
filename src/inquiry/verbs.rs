//! The verbs that can be written in a mail. A new one is a line of [`VERBS`], a function
//! that reads its words, and a phrase of the help.

use clap::ValueEnum as _;
use postfax_domain::names::{ClientName, JobId};

use super::grammar::number;
use crate::{
    config::Phrase,
    requests::{Ask, AskJobs, Condition, Kind},
};

/// Pages that are asked about when a mail does not say.
const PAGES: u32 = 1;

/// Something that can be asked.
pub(super) struct Verb {
    /// As it is written.
    pub(super) name: &'static str,
    /// What else people write for it.
    also: &'static [&'static str],
    /// Whether asking twice does no more than asking once.
    pub(super) repeat: Repeat,
    /// For the help.
    pub(super) examples: &'static [&'static str],
    /// For the help.
    pub(super) says: Phrase,
    read: fn(&Words<'_>) -> Result<Asked, String>,
}

/// Whether something may be done once more when nobody knows whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It only reads, or comes to the same.
    Harmless,
    /// It is noted before it is done.
    Once,
}

/// What a mail asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    /// What can be asked?
    Help,
    /// Something of the running Postfax.
    Of(Ask),
}

/// The words behind a verb, and what is known besides.
pub(super) struct Words<'a> {
    words: Vec<&'a str>,
    /// The job that the address names.
    job: Option<JobId>,
    /// Who asks.
    client: &'a ClientName,
}

/// All verbs, in the order of the help.
pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "list",
        also: &["jobs"],
        repeat: Repeat::Harmless,
        examples: &["list", "list open", "list failed 20", "list +33140000000"],
        says: Phrase::HelpList,
        read: list,
    },
    Verb {
        name: "show",
        also: &[],
        repeat: Repeat::Harmless,
        examples: &["show 12"],
        says: Phrase::HelpShow,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Show { job })),
    },
    Verb {
        name: "cancel",
        also: &["stop"],
        // A call that is being stopped is stopped once more; what is over says so.
        repeat: Repeat::Harmless,
        examples: &["cancel 12"],
        says: Phrase::HelpCancel,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Cancel { job })),
    },
    Verb {
        name: "retry",
        also: &[],
        repeat: Repeat::Once,
        examples: &["retry 12"],
        says: Phrase::HelpRetry,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Retry { job })),
    },
    Verb {
        name: "explain",
        also: &["why"],
        repeat: Repeat::Harmless,
        examples: &["explain +33140000000", "explain +33140000000 3 pages", "explain job 12"],
        says: Phrase::HelpExplain,
        read: explain,
    },
    Verb {
        name: "status",
        also: &[],
        repeat: Repeat::Harmless,
        examples: &["status"],
        says: Phrase::HelpStatus,
        read: |words| words.none().map(|()| Asked::Of(Ask::Status)),
    },
    Verb {
        name: "help",
        also: &["?"],
        repeat: Repeat::Harmless,
        examples: &["help"],
        says: Phrase::HelpHelp,
        read: |_| Ok(Asked::Help),
    },
];

/// The verb that a line begins with, if it begins with one.
pub(super) fn verb(line: &str) -> Option<&'static Verb> {
    let first = line.split_whitespace().next()?.trim_end_matches([':', '.', '!', ',']);
    let first = first.to_lowercase();
    VERBS.iter().find(|verb| verb.name == first || verb.also.contains(&first.as_str()))
}

impl Verb {
    /// What a line that begins with this verb asks.
    ///
    /// # Errors
    /// Says what is wrong with the words behind it, and what would be right.
    pub(super) fn read(
        &self,
        line: &str,
        job: Option<JobId>,
        client: &ClientName,
    ) -> Result<Asked, String> {
        let words = line.split_whitespace().skip(1).collect();
        (self.read)(&Words { words, job, client })
            .map_err(|why| format!("{}: {why}; for example: {}", self.name, self.examples[0]))
    }
}

impl Words<'_> {
    fn none(&self) -> Result<(), String> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(format!("\"{word}\" is one word too many")),
        }
    }

    /// The job that is meant: `12`, `#12`, `job 12`, or that of the address.
    fn only_job(&self) -> Result<JobId, String> {
        let words = match self.words.first() {
            Some(word) if word.eq_ignore_ascii_case("job") => &self.words[1..],
            _ => &self.words[..],
        };
        let written = match words {
            [] => None,
            [word] => Some(number(word).ok_or(format!("\"{word}\" is no number of a job"))?),
            [_, word, ..] => return Err(format!("\"{word}\" is one word too many")),
        };
        match (written, self.job) {
            (Some(written), Some(job)) if written != job => {
                Err(format!("the address says job {job} and the words say job {written}"))
            }
            (Some(job), _) | (None, Some(job)) => Ok(job),
            (None, None) => Err("the number of the job is missing".to_owned()),
        }
    }
}

/// `list`, and behind it in any order: a state, a kind, a number to call, how many.
fn list(words: &Words<'_>) -> Result<Asked, String> {
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
fn explain(words: &Words<'_>) -> Result<Asked, String> {
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
    let from = words.client.to_string();
    Ok(Asked::Of(Ask::Explain { from, to: to.join(" "), pages }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, job: Option<u64>) -> Result<Asked, String> {
        let anna = ClientName::new("anna").unwrap();
        verb(line).unwrap_or_else(|| panic!("{line}")).read(line, job.map(JobId), &anna)
    }

    fn jobs(change: impl FnOnce(&mut AskJobs)) -> Ask {
        let mut ask = AskJobs::default();
        change(&mut ask);
        Ask::Jobs(ask)
    }

    fn explain(to: &str, pages: u32) -> Ask {
        Ask::Explain { from: "anna".into(), to: to.into(), pages }
    }

    #[test]
    fn what_is_written_is_what_is_asked() {
        let twelve = JobId(12);
        for (line, job, wanted) in [
            ("status", None, Ask::Status),
            ("Status.", None, Ask::Status),
            ("show 12", None, Ask::Show { job: twelve }),
            ("SHOW #12.", None, Ask::Show { job: twelve }),
            ("cancel job 12", None, Ask::Cancel { job: twelve }),
            ("cancel", Some(12), Ask::Cancel { job: twelve }),
            ("cancel!", Some(12), Ask::Cancel { job: twelve }),
            ("cancel 12", Some(12), Ask::Cancel { job: twelve }),
            ("stop job", Some(12), Ask::Cancel { job: twelve }),
            ("retry 12", None, Ask::Retry { job: twelve }),
            ("list", Some(12), jobs(|_| {})),
            ("jobs open", None, jobs(|ask| ask.state = Some(Condition::Open))),
            (
                "list Failed out 20 +33*",
                None,
                jobs(|ask| {
                    ask.state = Some(Condition::Failed);
                    ask.kind = Some(Kind::Out);
                    ask.limit = Some(20);
                    ask.number = Some("+33*".into());
                }),
            ),
            ("explain +33140000000", None, explain("+33140000000", 1)),
            ("explain 01 40 00 00 00", Some(12), explain("01 40 00 00 00", 1)),
            ("why 01 40 00 00 00 3 pages", None, explain("01 40 00 00 00", 3)),
            ("explain job 12", None, Ask::ExplainJob { job: twelve }),
            ("explain", Some(12), Ask::ExplainJob { job: twelve }),
        ] {
            assert_eq!(read(line, job), Ok(Asked::Of(wanted)), "{line}");
        }
        assert_eq!(read("help me", None), Ok(Asked::Help));
    }

    #[test]
    fn what_cannot_be_understood_says_why_and_what_would_be_right() {
        for (line, job, words) in [
            ("cancel", None, "missing; for example: cancel 12"),
            ("cancel it", None, "\"it\" is no number"),
            ("cancel 12 13", None, "\"13\" is one word too many"),
            ("cancel 13", Some(12), "the address says job 12"),
            ("status of my fax", None, "\"of\" is one word too many"),
            ("list 12a", None, "none of open, waiting"),
            ("explain", None, "missing"),
            ("explain +33 x pages", None, "\"x\" is no count"),
        ] {
            let why = read(line, job).unwrap_err();
            assert!(why.contains(words), "{line}: {why}");
        }
    }

    #[test]
    fn only_verbs_are_verbs() {
        for line in ["", "Your fax", "canceled", "12 cancel", "Re: cancel"] {
            assert!(verb(line).is_none(), "{line}");
        }
    }

    #[test]
    fn every_example_of_the_help_is_understood() {
        for example in VERBS.iter().flat_map(|verb| verb.examples) {
            assert!(read(example, None).is_ok(), "{example}");
        }
    }
}
