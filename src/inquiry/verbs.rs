//! The verbs that can be written in a mail. A new one is a line of [`VERBS`], a function
//! that reads its words, in the file of what it is about, and a phrase of the help.

mod book;
mod config;
pub(super) mod entry;
mod jobs;
mod pieces;
mod servers;
mod settings;

use jiff::tz::TimeZone;
use postfax_domain::names::{ClientName, JobId, ServerName};

use super::{
    Attached,
    asked::Asked,
    grammar::{number, own_lines},
};
use crate::{config::Phrase, requests::Ask};
pub(super) use settings::edited;

/// Something that can be asked.
pub(super) struct Verb {
    /// As it is written.
    pub(super) name: &'static str,
    /// What else people write for it.
    also: &'static [&'static str],
    /// What it is about.
    pub(super) topic: Topic,
    /// For the help.
    pub(super) examples: &'static [&'static str],
    /// For the help.
    pub(super) says: Phrase,
    read: fn(&Words<'_>) -> Result<Asked, String>,
}

/// What verbs are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Jobs,
    Inbound,
    Servers,
    Settings,
    Book,
    Supervisor,
    Rest,
}

/// All topics in the order of the help, with their headings, and the word of the command
/// line that may stand before their verbs: `settings get london-1`.
pub(super) const TOPICS: &[(Topic, Phrase, Option<&str>)] = &[
    (Topic::Jobs, Phrase::TopicJobs, Some("jobs")),
    (Topic::Inbound, Phrase::TopicInbound, Some("inbound")),
    (Topic::Servers, Phrase::TopicServers, Some("servers")),
    (Topic::Settings, Phrase::TopicSettings, Some("settings")),
    (Topic::Book, Phrase::TopicBook, Some("book")),
    (Topic::Supervisor, Phrase::TopicSupervisor, None),
    (Topic::Rest, Phrase::TopicRest, None),
];

/// What is known besides the words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The job that the address names.
    pub(super) job: Option<JobId>,
    /// Who asks.
    pub(super) client: &'a ClientName,
    /// Where their clock is.
    pub(super) zone: &'a TimeZone,
    /// What the address is for: verbs of this topic come before others of the same name.
    pub(super) home: Option<Topic>,
    /// The whole text of the mail.
    pub(super) text: &'a str,
    /// The files with contacts that came with it.
    pub(super) files: &'a [Attached<'a>],
}

/// The words behind a verb, and what is known besides.
struct Words<'a> {
    /// One by one.
    words: Vec<&'a str>,
    /// As they were written.
    rest: &'a str,
    /// The verb itself.
    verb: &'static str,
    known: Known<'a>,
}

/// All verbs, in the order of the help.
pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "list",
        also: &["jobs"],
        topic: Topic::Jobs,
        examples: &["list", "list open", "list failed 20", "list +33140000000"],
        says: Phrase::HelpList,
        read: jobs::list,
    },
    Verb {
        name: "show",
        also: &[],
        topic: Topic::Jobs,
        examples: &["show 12"],
        says: Phrase::HelpShow,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Show { job })),
    },
    Verb {
        name: "cancel",
        also: &["stop"],
        topic: Topic::Jobs,
        examples: &["cancel 12"],
        says: Phrase::HelpCancel,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Cancel { job })),
    },
    Verb {
        name: "retry",
        also: &[],
        topic: Topic::Jobs,
        examples: &["retry 12"],
        says: Phrase::HelpRetry,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Retry { job })),
    },
    Verb {
        name: "hold",
        also: &[],
        topic: Topic::Jobs,
        examples: &["hold 12"],
        says: Phrase::HelpHold,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Hold { job })),
    },
    Verb {
        name: "release",
        also: &[],
        topic: Topic::Jobs,
        examples: &["release 12"],
        says: Phrase::HelpRelease,
        read: |words| words.only_job().map(|job| Asked::Of(Ask::Release { job })),
    },
    Verb {
        name: "alter",
        also: &["change"],
        topic: Topic::Jobs,
        examples: &[
            "alter 12 priority=5",
            "alter 12 number=+33140000000 tries=3",
            "alter 12 due=2026-11-24 08:00 expires=+6h",
        ],
        says: Phrase::HelpAlter,
        read: jobs::alter,
    },
    Verb {
        name: "explain",
        also: &["why"],
        topic: Topic::Jobs,
        examples: &["explain +33140000000", "explain +33140000000 3 pages", "explain job 12"],
        says: Phrase::HelpExplain,
        read: jobs::explain,
    },
    Verb {
        name: "inbound",
        also: &[],
        topic: Topic::Inbound,
        examples: &["inbound", "inbound 20"],
        says: Phrase::HelpInbound,
        read: jobs::inbound,
    },
    Verb {
        name: "assign",
        also: &[],
        topic: Topic::Inbound,
        examples: &["assign 12 anna"],
        says: Phrase::HelpAssign,
        read: jobs::assign,
    },
    Verb {
        name: "servers",
        also: &[],
        topic: Topic::Servers,
        examples: &["servers"],
        says: Phrase::HelpServers,
        read: servers::list,
    },
    Verb {
        name: "drain",
        also: &[],
        topic: Topic::Servers,
        examples: &["drain london-1"],
        says: Phrase::HelpDrain,
        read: |words| words.only_server().map(|server| Asked::Of(Ask::Drain { server })),
    },
    Verb {
        name: "resume",
        also: &[],
        topic: Topic::Servers,
        examples: &["resume london-1"],
        says: Phrase::HelpResume,
        read: |words| words.only_server().map(|server| Asked::Of(Ask::Resume { server })),
    },
    Verb {
        name: "give-up",
        also: &[],
        topic: Topic::Servers,
        examples: &["give-up london-1"],
        says: Phrase::HelpGiveUp,
        read: |words| words.only_server().map(|server| Asked::Of(Ask::GiveUp { server })),
    },
    Verb {
        name: "get",
        also: &["settings"],
        topic: Topic::Settings,
        examples: &["get london-1"],
        says: Phrase::HelpGet,
        read: settings::get,
    },
    Verb {
        name: "set",
        also: &[],
        topic: Topic::Settings,
        examples: &[
            "set london-1 max_dials=3 because the carrier blocks more",
            "set london-1 line.ttyFAX0.ecm=no max_tries=",
        ],
        says: Phrase::HelpSet,
        read: settings::set,
    },
    Verb {
        name: "history",
        also: &[],
        topic: Topic::Settings,
        examples: &["history london-1"],
        says: Phrase::HelpHistory,
        read: settings::history,
    },
    Verb {
        name: "diff",
        also: &[],
        topic: Topic::Settings,
        examples: &["diff london-1", "diff london-1 3 5"],
        says: Phrase::HelpDiff,
        read: settings::diff,
    },
    Verb {
        name: "rollback",
        also: &[],
        topic: Topic::Settings,
        examples: &["rollback london-1 3"],
        says: Phrase::HelpRollback,
        read: settings::rollback,
    },
    Verb {
        name: "adopt",
        also: &[],
        topic: Topic::Settings,
        examples: &["adopt london-1"],
        says: Phrase::HelpAdopt,
        read: settings::adopt,
    },
    Verb {
        name: "push",
        also: &[],
        topic: Topic::Settings,
        examples: &["push london-1"],
        says: Phrase::HelpPush,
        read: settings::push,
    },
    Verb {
        name: "find",
        also: &["search", "look-up", "lookup", "list", "book"],
        topic: Topic::Book,
        examples: &["find acme", "find +44 20 7946 0100"],
        says: Phrase::HelpFind,
        read: book::find,
    },
    Verb {
        name: "show",
        also: &["get"],
        topic: Topic::Book,
        examples: &["book show acme"],
        says: Phrase::HelpBookShow,
        read: book::show,
    },
    Verb {
        name: "add",
        also: &["new"],
        topic: Topic::Book,
        examples: &[
            "add Acme Ltd +44 20 7946 0100 alias acme",
            "add Suppliers alias suppliers members acme, +33 1 40 00 00 00 for group sales",
        ],
        says: Phrase::HelpAdd,
        read: book::add,
    },
    Verb {
        name: "change",
        also: &["alter", "set", "edit"],
        topic: Topic::Book,
        examples: &["book change acme number=+44 20 7946 0101 note="],
        says: Phrase::HelpChange,
        read: book::change,
    },
    Verb {
        name: "share",
        also: &[],
        topic: Topic::Book,
        examples: &["share acme with bert, group sales", "share acme with everyone"],
        says: Phrase::HelpShare,
        read: book::share,
    },
    Verb {
        name: "unshare",
        also: &[],
        topic: Topic::Book,
        examples: &["unshare acme with bert", "unshare acme"],
        says: Phrase::HelpUnshare,
        read: book::unshare,
    },
    Verb {
        name: "delete",
        also: &["remove"],
        topic: Topic::Book,
        examples: &["delete acme"],
        says: Phrase::HelpDelete,
        read: book::delete,
    },
    Verb {
        name: "save",
        also: &["remember"],
        topic: Topic::Book,
        examples: &["save Acme Ltd alias acme"],
        says: Phrase::HelpSave,
        read: book::save,
    },
    Verb {
        name: "import",
        also: &[],
        topic: Topic::Book,
        examples: &["import", "import dry-run", "import csv for everyone"],
        says: Phrase::HelpImport,
        read: book::import,
    },
    Verb {
        name: "export",
        also: &[],
        topic: Topic::Book,
        examples: &["export csv", "export vcard visible", "export ldif"],
        says: Phrase::HelpExport,
        read: book::export,
    },
    Verb {
        name: "config",
        also: &[],
        topic: Topic::Supervisor,
        examples: &[
            "config",
            "config get limits.max_pages",
            "config set limits.max_pages = 100",
            "config history",
            "config show 3",
            "config diff 3 5",
            "config rollback 3",
        ],
        says: Phrase::HelpConfig,
        read: config::config,
    },
    Verb {
        name: "audit",
        also: &[],
        topic: Topic::Supervisor,
        examples: &["audit", "audit who=anna request=settings.* 20", "audit verify"],
        says: Phrase::HelpAudit,
        read: servers::audit,
    },
    Verb {
        name: "webhooks",
        also: &[],
        topic: Topic::Supervisor,
        examples: &["webhooks", "webhooks retry crm"],
        says: Phrase::HelpWebhooks,
        read: servers::webhooks,
    },
    Verb {
        name: "reload",
        also: &[],
        topic: Topic::Supervisor,
        examples: &["reload"],
        says: Phrase::HelpReload,
        read: |words| words.none().map(|()| Asked::Of(Ask::Reload)),
    },
    Verb {
        name: "status",
        also: &[],
        topic: Topic::Rest,
        examples: &["status"],
        says: Phrase::HelpStatus,
        read: |words| words.none().map(|()| Asked::Of(Ask::Status)),
    },
    Verb {
        name: "help",
        also: &["?"],
        topic: Topic::Rest,
        examples: &["help"],
        says: Phrase::HelpHelp,
        read: |_| Ok(Asked::Help),
    },
];

/// The verb that a line begins with, if it begins with one, and the words behind it. Where
/// the address says what it is about, that goes before other verbs of the same name.
pub(super) fn verb(line: &str, home: Option<Topic>) -> Option<(&'static Verb, &str)> {
    let (first, rest) = word(line)?;
    let topic = TOPICS.iter().find(|(.., noun)| *noun == Some(first.as_str()));
    if let (Some((topic, ..)), Some((second, behind))) = (topic, word(rest)) {
        let verb = VERBS.iter().find(|verb| verb.is_called(&second) && verb.topic == *topic);
        if let Some(verb) = verb {
            return Some((verb, behind));
        }
    }
    let called = |verb: &&&Verb| verb.is_called(&first);
    let at_home = VERBS.iter().filter(|verb| Some(verb.topic) == home).collect::<Vec<_>>();
    let verb = at_home.iter().find(called).copied();
    Some((verb.or_else(|| VERBS.iter().find(|verb| verb.is_called(&first)))?, rest))
}

/// The first word in lower case without the marks behind it, and the rest.
fn word(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    let first = line[..end].trim_end_matches([':', '.', '!', ',']).to_lowercase();
    (!first.is_empty()).then(|| (first, line[end..].trim()))
}

impl Verb {
    fn is_called(&self, word: &str) -> bool {
        self.name == word || self.also.contains(&word)
    }

    /// What a line that begins with this verb asks; `rest` is what stands behind it.
    ///
    /// # Errors
    /// Says what is wrong with the words, and what would be right.
    pub(super) fn read(&self, rest: &str, known: Known<'_>) -> Result<Asked, String> {
        let words = rest.split_whitespace().collect();
        (self.read)(&Words { words, rest, verb: self.name, known })
            .map_err(|why| format!("{}: {why}; for example: {}", self.name, self.examples[0]))
    }
}

impl<'a> Words<'a> {
    /// The lines that the writer has put below the one that asks.
    fn below(&self) -> impl Iterator<Item = &'a str> {
        let mut lines = own_lines(self.known.text).into_iter().peekable();
        lines.next_if(|line| self.asks(line));
        lines
    }

    /// The text as it was written, without the line that asks and without a signature.
    fn text_below(&self) -> String {
        let is_separator = |line: &str| line.trim_end_matches('\r') == "-- ";
        let lines = self.known.text.lines().take_while(|line| !is_separator(line));
        let mut lines = lines.skip_while(|line| line.trim().is_empty()).peekable();
        lines.next_if(|line| self.asks(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    fn asks(&self, line: &str) -> bool {
        verb(line, self.known.home).is_some_and(|(verb, _)| verb.name == self.verb)
    }

    fn none(&self) -> Result<(), String> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(too_many(word)),
        }
    }

    fn only_job(&self) -> Result<JobId, String> {
        job(&self.words, self.known.job)
    }

    /// The server that is meant, and nothing else.
    fn only_server(&self) -> Result<ServerName, String> {
        let (server, more) = self.server()?;
        match more.first() {
            None => Ok(server),
            Some(word) => Err(too_many(word)),
        }
    }

    /// The server that is meant, and the words behind it.
    fn server(&self) -> Result<(ServerName, &[&str]), String> {
        let words = match self.words.first() {
            Some(word) if word.eq_ignore_ascii_case("server") => &self.words[1..],
            _ => &self.words[..],
        };
        let (name, more) = words.split_first().ok_or("the name of the server is missing")?;
        Ok((server(name)?, more))
    }
}

fn server(name: &str) -> Result<ServerName, String> {
    ServerName::new(name).map_err(|bad| bad.to_string())
}

fn too_many(word: &str) -> String {
    format!("\"{word}\" is one word too many")
}

/// The job that is meant: `12`, `#12`, `job 12`, or that of the address.
fn job(words: &[&str], address: Option<JobId>) -> Result<JobId, String> {
    let words = match words.first() {
        Some(word) if word.eq_ignore_ascii_case("job") => &words[1..],
        _ => words,
    };
    let written = match words {
        [] => None,
        [word] => Some(number(word).ok_or(format!("\"{word}\" is no number of a job"))?),
        [_, word, ..] => return Err(too_many(word)),
    };
    match (written, address) {
        (Some(written), Some(job)) if written != job => {
            Err(format!("the address says job {job} and the words say job {written}"))
        }
        (Some(job), _) | (None, Some(job)) => Ok(job),
        (None, None) => Err("the number of the job is missing".to_owned()),
    }
}

#[cfg(test)]
mod tests;
