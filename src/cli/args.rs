//! What can be typed: the one definition that parsing, `--help`, the completions
//! and the manual pages all come from. Holds no behaviour.

pub(crate) mod book;
mod config;
mod lines;
mod orders;
pub(crate) mod pages;

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
pub(crate) use orders::{Alter, Audit, Inbound, Servers, Verify, Webhooks, time};
use postfax_domain::names::JobId;

pub(crate) use config::{Configure, What};
pub(crate) use lines::{Lines, LinesDeed};

use crate::requests::{AskJobs, Condition, Kind};

/// The file that Postfax is set up with, unless it is told otherwise.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/postfax/postfax.toml";

/// Over the options that every command has.
const ELSEWHERE: &str = "Where Postfax is";

const OVERVIEW: &str = "\
A first look:
  postfax demo                   see a fax go out and come in; needs no line, changes nothing
  postfax check                  is the configuration good?
  postfax status --watch         servers, lines and calls, as they change
  postfax jobs --state open      the faxes and mails that are not through yet
  postfax show 12                the story of job 12, from the mail to the receipt

Exit codes: 0 done; 1 what was asked for is not so; 2 wrong usage; 69 no running
Postfax; 70 a bug; 74 a file failed; 77 not permitted; 78 bad configuration.";

/// The supervising server between mail clients and fax servers
///
/// Postfax takes faxes by mail (write to NUMBER@your-fax-domain, attach the
/// pages), picks a fax server that may call there, follows the call and mails a
/// receipt. Faxes that come in become mails.
#[derive(Debug, Parser)]
#[command(name = "postfax", version, after_help = OVERVIEW, propagate_version = true)]
#[command(max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// The configuration file
    #[arg(long, short, global = true, value_name = "FILE", env = "POSTFAX_CONFIG")]
    #[arg(default_value = DEFAULT_CONFIG, help_heading = ELSEWHERE)]
    pub(crate) config: PathBuf,

    /// The socket of the running Postfax, if it is not the one that the configuration names
    #[arg(long, global = true, value_name = "PATH", env = "POSTFAX_SOCKET")]
    #[arg(help_heading = ELSEWHERE)]
    pub(crate) socket: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server, in the foreground, until it is told to stop
    #[command(after_help = "Example:\n  postfax serve --config /etc/postfax/postfax.toml\n\n\
        SIGTERM stops it cleanly, SIGHUP reads the configuration again.")]
    Serve,

    /// Say whether a configuration is good, and what is wrong with it where it is not
    #[command(after_help = "Example:\n  postfax check ./new.toml && postfax reload\n\n\
        Exits with 78 when the configuration is bad.")]
    Check {
        /// The file to check; the installed one when none is given
        file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },

    /// Print the DNS records for the keys that our mails are signed with (DKIM)
    #[command(after_help = "Example:\n  postfax dkim --json\n\n\
        Each line is a record of the zone; --json has names and values of any length.")]
    Dkim {
        /// The configuration; the installed one when none is given
        file: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },

    /// Show servers, lines, the queue and the calls under way
    #[command(after_help = "Example:\n  postfax status --watch\n\n\
        With --watch a terminal is redrawn at every change; anywhere else each change is a line.")]
    Status {
        /// Stay, and show every change
        #[arg(long, short)]
        watch: bool,
        #[command(flatten)]
        output: Output,
    },

    /// List jobs, newest first
    #[command(after_help = "Examples:\n  postfax jobs --state open\n  \
        postfax jobs --client anna --number '+33*' --limit 10\n  \
        postfax jobs --before 1000           the page after the one that ended with job 1000")]
    Jobs {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        output: Output,
    },

    /// Tell the story of a job, from the mail to the receipt
    #[command(after_help = "Example:\n  postfax show 12")]
    Show(OneJob),

    /// Stop a job, and the call if one is under way
    #[command(after_help = "Example:\n  postfax cancel 12")]
    Cancel(OneJob),

    /// Try a waiting job now, or send one that is over again
    #[command(after_help = "Example:\n  postfax retry 12\n\n\
        A job that is over is sent again as a new job, whose number is printed.")]
    Retry(OneJob),

    /// Keep a fax that waits from being called until it is released
    #[command(after_help = "Example:\n  postfax hold 12\n\n\
        Its time goes on: a fax on hold is given up when any other would be.")]
    Hold(OneJob),

    /// Let a fax go that is on hold
    #[command(after_help = "Example:\n  postfax release 12")]
    Release(OneJob),

    /// Change a fax that waits
    #[command(after_help = "Examples:\n  postfax alter 12 --priority 5 --not-before +2h\n  \
        postfax alter 12 --number '+33 1 40 00 00 00' --tries 3")]
    Alter(Alter),

    /// List received faxes that nobody has got, or give one to a client
    #[command(after_help = "Examples:\n  postfax inbound\n  postfax inbound assign 12 anna")]
    Inbound(Inbound),

    /// List the fax servers, or give one no new calls
    #[command(after_help = "Examples:\n  postfax servers\n  postfax servers drain london-1\n  \
        postfax servers resume london-1\n  postfax servers give-up london-1")]
    Servers(Servers),

    /// Show who has asked for what, and whether that log is whole
    #[command(
        after_help = "Examples:\n  postfax audit --who anna --request 'jobs.*' --since -2h\n  \
        postfax audit verify\n\n\
        Note the head that verify prints somewhere else: with --head it shows later whether \
        the end of the log was cut off."
    )]
    Audit(Audit),

    /// Say which fax server is chosen, and why, for a job or before anything is sent
    #[command(after_help = "Examples:\n  postfax explain 12\n  \
        postfax explain --from anna --to +33140000000\n\n\
        Exits with 1 when nobody may make the call.")]
    Explain(Explain),

    /// See and register the settings of the fax servers
    #[command(after_help = "Examples:\n  postfax settings get london-1\n  \
        postfax settings set london-1 max_dials=3")]
    Settings {
        #[command(subcommand)]
        command: super::settings::Settings,
    },

    /// Find, change, share, import and export the entries of the phone book
    #[command(after_help = "Examples:\n  postfax book find acme\n  \
        postfax book add 'Acme, accounts' '+44 20 7946 0100' --alias acme --with group:sales\n  \
        postfax book import contacts.vcf --dry-run")]
    Book {
        #[command(subcommand)]
        command: book::Book,
    },

    /// List the webhooks, or try at once what waits for one
    #[command(after_help = "Examples:\n  postfax webhooks\n  postfax webhooks retry crm")]
    Webhooks(Webhooks),

    /// Have the running Postfax read its configuration again
    #[command(after_help = "Example:\n  postfax check && postfax reload\n\n\
        A bad configuration is refused with 78, and the old one stays in force.")]
    Reload {
        #[command(flatten)]
        output: Output,
    },

    /// See, change and roll back the configuration of the running Postfax
    #[command(after_help = "Examples:\n  postfax config get client.anna\n  \
        postfax config set limits.max_pages=100 --reason 'long contracts'\n  \
        postfax config history\n  postfax config rollback 12\n\n\
        Exits with 78 when the new configuration would be bad, with 77 when you may not change \
        it so, and with 1 when --version is not the last one.")]
    Config(Configure),

    /// Show a whole installation at work on a machine with nothing set up
    #[command(after_help = "Example:\n  postfax demo --keep\n\n\
        Starts a telephone exchange in software, two fax servers, Postfax and a mailbox in a \
        temporary folder, and sends a fax through all of them.")]
    Demo(Demo),

    /// Start fax servers on a telephone exchange in software, to try things with
    #[command(after_help = "Example:\n  postfax lab --servers 2 --lines 2 --json\n\n\
        Prints where the servers listen and which numbers they have, and stays until it is \
        stopped with Ctrl-C.")]
    Lab(Lab),

    /// Run modems and SIP lines of our own, on this host or in a branch
    #[command(after_help = "Examples:\n  postfax lines check\n  postfax lines key\n  \
        postfax lines probe /dev/ttyACM0\n  postfax lines run\n\n\
        A line server is a process of its own with a file of its own; a supervisor uses it as a \
        server of kind line.")]
    Lines(Lines),

    /// Set the password of a client that sends mail through Postfax
    #[command(after_help = "Examples:\n  postfax passwd anna\n  postfax passwd --remove anna\n  \
        postfax passwd --list\n\n\
        Asks twice on a terminal; anywhere else the first line of the input is the password.")]
    Passwd(Passwd),

    /// Make, list and take back the tokens by which clients ask over HTTP
    #[command(after_help = "Examples:\n  postfax token create anna --name laptop --days 90\n  \
        postfax token list\n  postfax token revoke anna --name laptop\n\n\
        A new token is printed once; only its SHA-256 is kept. A running Postfax heeds the \
        change after postfax reload.")]
    Token(Token),

    /// Show what documents will look like as a fax, and what they will cost
    #[command(after_help = "Examples:\n  postfax pages letter.docx scan.pdf\n  \
        postfax pages --resolution superfine --paper a3 -o out.pdf plan.pdf\n  \
        postfax pages mail.eml --json\n\n\
        Needs no running Postfax. Exits with 1 when a mail with them would be refused.")]
    Pages(pages::Pages),

    /// Print the completions for a shell
    #[command(after_help = "Example:\n  \
        postfax completions bash > /etc/bash_completion.d/postfax")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page, or write one for each command into a folder
    #[command(after_help = "Examples:\n  postfax man | man -l -\n  \
        postfax man /usr/local/share/man/man1")]
    Man {
        /// The folder to write to
        dir: Option<PathBuf>,
    },

    /// Turn foreign bytes into pages; Postfax starts this itself, confined
    #[command(hide = true)]
    RenderChild {
        /// What the one that starts it says
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<std::ffi::OsString>,
    },
}

/// How the answer is printed.
#[derive(Debug, Clone, Copy, Default, Group)]
pub(crate) struct Output {
    /// Print one line of JSON instead of text for people
    #[arg(long)]
    pub(crate) json: bool,
}

/// One job.
#[derive(Debug, Group)]
pub(crate) struct OneJob {
    /// The number of the job
    #[arg(value_parser = job_id)]
    pub(crate) job: JobId,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which jobs.
#[derive(Debug, Group)]
pub(crate) struct Filter {
    /// Only those that stand so
    #[arg(long, short, value_enum)]
    state: Option<Condition>,
    /// Only faxes out, faxes in, or receipts
    #[arg(long, short, value_enum)]
    kind: Option<Kind>,
    /// Only those that this client sends or receives
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Only those to or from this number, or numbers like this: '+33*'
    #[arg(long, short, value_name = "NUMBER")]
    number: Option<String>,
    /// At most so many
    #[arg(long, short, value_name = "COUNT", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(crate::requests::MAX_JOBS)))]
    limit: u32,
    /// Only those older than this job
    #[arg(long, value_name = "JOB", value_parser = job_id)]
    before: Option<JobId>,
}

impl From<Filter> for AskJobs {
    fn from(filter: Filter) -> Self {
        let Filter { state, kind, client, number, limit, before } = filter;
        Self { state, kind, client, number, limit: Some(limit), before }
    }
}

/// What to explain.
#[derive(Debug, Group)]
pub(crate) struct Explain {
    /// The number of the job
    #[arg(value_parser = job_id, required_unless_present_all = ["from", "to"])]
    #[arg(conflicts_with_all = ["from", "to", "pages"])]
    pub(crate) job: Option<JobId>,
    /// The client who would send
    #[arg(long, value_name = "CLIENT", requires = "to")]
    pub(crate) from: Option<String>,
    /// The number that would be called, or a name of the client's phone book
    #[arg(long, value_name = "NUMBER", requires = "from")]
    pub(crate) to: Option<String>,
    /// How many pages it would be
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    pub(crate) pages: u32,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How the demonstration runs.
#[derive(Debug, Group)]
pub(crate) struct Demo {
    /// Leave everything running afterwards, to be tried with any mail client
    #[arg(long)]
    pub(crate) keep: bool,
    /// Use two real HylaFAX servers, where HylaFAX is installed
    #[arg(long)]
    pub(crate) hylafax: bool,
    /// Keep all files, logs and all, in this folder, which must be new or empty
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// How many times faster than a real telephone line; stations in software need no
    /// time for pages and heed it only while it rings
    #[arg(long, value_name = "FACTOR", default_value_t = 10.0, value_parser = speed)]
    pub(crate) speed: f64,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What the laboratory is made of.
#[derive(Debug, Group)]
pub(crate) struct Lab {
    /// Keep all files here instead of in a temporary folder
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// How many fax servers
    #[arg(long, default_value_t = 2, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) servers: u32,
    /// How many lines each of them has for calls in both directions
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) lines: u32,
    /// How many more lines each of them has that only answer
    #[arg(long, default_value_t = 1, value_name = "COUNT")]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=16))]
    pub(crate) answering: u32,
    /// What the fax servers are
    #[arg(long, value_enum, default_value_t = LabKind::Station)]
    pub(crate) kind: LabKind,
    /// How many times faster than a real telephone line
    #[arg(long, value_name = "FACTOR", default_value_t = 10.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Stop when the input is closed as well, so that it ends with the one that started it;
    /// until then a line `stop SERVER` or `start SERVER` on the input does that
    #[arg(long)]
    pub(crate) until_eof: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What a laboratory's fax servers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabKind {
    /// HylaFAX, as it is installed on this machine; needs root
    Real,
    /// Stations in software, which need nothing installed
    Station,
}

/// Whose password, and where it is kept.
#[derive(Debug, Group)]
pub(crate) struct Passwd {
    /// The name of the client
    #[arg(value_parser = client, required_unless_present = "list", conflicts_with = "list")]
    pub(crate) client: Option<postfax_domain::names::ClientName>,
    /// Take the client's password away
    #[arg(long, conflicts_with = "list")]
    pub(crate) remove: bool,
    /// Show who has a password, and by what it can be checked
    #[arg(long)]
    pub(crate) list: bool,
    /// The file of passwords, instead of the one that the configuration names
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What is done with tokens, and where they are kept.
#[derive(Debug, Group)]
pub(crate) struct Token {
    /// What to do
    #[command(subcommand)]
    pub(crate) what: TokenDeed,
    /// The file of tokens, instead of the one that the configuration names
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenDeed {
    /// Make a token for a client, and print it once
    #[command(after_help = "Example:\n  postfax token create anna --name laptop --days 90")]
    Create {
        /// The name of the client
        #[arg(value_parser = client)]
        client: postfax_domain::names::ClientName,
        /// What it is called
        #[arg(long, default_value = "token", value_parser = crate::config::token_name)]
        name: String,
        /// For how many days it is good; without, until it is revoked
        #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: Option<u32>,
    },
    /// List the tokens: whose, since when, until when
    #[command(after_help = "Example:\n  postfax token list")]
    List,
    /// Take back a token of a client, or all of them
    #[command(after_help = "Example:\n  postfax token revoke anna --name laptop")]
    Revoke {
        /// The name of the client
        #[arg(value_parser = client)]
        client: postfax_domain::names::ClientName,
        /// Which one; without, all of them
        #[arg(long, value_parser = crate::config::token_name)]
        name: Option<String>,
    },
}

fn job_id(text: &str) -> Result<JobId, String> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    digits.parse().map(JobId).map_err(|_| "a job has a number, such as 12".into())
}

fn client(text: &str) -> Result<postfax_domain::names::ClientName, String> {
    postfax_domain::names::ClientName::new(text).map_err(|bad| bad.to_string())
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.1..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("use a number from 0.1 to 1000".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("postfax").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_should_be_understood_is() {
        for line in [
            "serve",
            "serve --config x.toml",
            "check",
            "check x.toml --json",
            "status --watch",
            "jobs --state open --kind out --client anna --number +33* --limit 3 --before 9",
            "show 12 --json",
            "show #12",
            "cancel 12 --socket /tmp/s",
            "--socket /tmp/s retry 12",
            "hold 12",
            "release 12 --json",
            "alter 12 --priority -3 --tries 2 --until +2h --not-before +1h --number 0140000000",
            "inbound",
            "inbound list --limit 3",
            "inbound assign 12 anna --json",
            "servers --json",
            "servers drain london-1",
            "servers resume london-1",
            "servers give-up london-1",
            "audit --who anna --request jobs.* --since -2h --limit 3 --before 9",
            "audit verify --file /tmp/x.db",
            "explain 12",
            "explain --from anna --to +33140000000 --pages 3",
            "reload",
            "config get",
            "config get client.anna --json",
            "config set a.b=1 c= --reason why --version 3 --dry-run",
            "config edit conf.d/a.toml",
            "config history",
            "config show 3",
            "config diff 1 2",
            "config rollback 3",
            "demo --keep --hylafax --speed 20",
            "lab --servers 3 --lines 2 --kind real --until-eof --json",
            "passwd anna --file p",
            "token create anna --name laptop --days 90 --file t",
            "token list",
            "token revoke anna",
            "pages a.pdf b.eml - -o - --resolution 300x300 --paper A3 --tone photo",
            "pages a.pdf --json",
            "pages a.pdf --preview --out x.png",
            "pages a.pdf -r superfine -p b4 -t text --no-preview",
            "completions zsh",
            "man",
            "man /tmp/m",
            "render-child --some thing",
        ] {
            if let Err(why) = parse(line) {
                panic!("{line}: {why}");
            }
        }
    }

    #[test]
    fn what_should_not_be_is_usage() {
        for line in [
            "",
            "frobnicate",
            "show",
            "show twelve",
            "explain",
            "explain --from anna",
            "explain 12 --from anna --to +33140000000",
            "jobs --limit 0",
            "jobs --state asleep",
            "demo --speed 0",
            "passwd a/b",
            "alter 12 --priority 10",
            "inbound assign 12",
            "servers drain",
            "audit verify --head 12",
            "audit --since yesterday",
            "config",
            "config set",
            "config set a.b",
            "pages",
            "pages a.pdf --resolution 17",
            "pages a.pdf --paper a5",
            "pages a.pdf --json --preview",
            "token create a/b",
            "token create anna --days 0",
            "token create anna --name a/b",
        ] {
            let refused = parse(line).expect_err(line);
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn every_command_has_a_sentence_and_an_example() {
        for command in Args::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no sentence");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("postfax {name}")), "{name} has no example");
        }
    }

    #[test]
    fn a_filter_says_what_was_typed() {
        let args = parse("jobs --state failed --limit 7").unwrap();
        let Command::Jobs { filter, .. } = args.command else { panic!("{args:?}") };
        let ask = AskJobs { state: Some(Condition::Failed), limit: Some(7), ..Default::default() };
        assert_eq!(AskJobs::from(filter), ask);
    }
}
