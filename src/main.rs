//! Postfax: the supervising server between mail clients and fax servers.
//!
//! # The map
//!
//! ```text
//!  mail clients                     postfax                      fax servers
//!
//!   a fax ───▶ gateway ─▶ outbound ──┐          ┌──▶ carry ─▶ hw ─▶ HylaFAX ─▶ ☎
//!                                    ▼          │
//!                          ┌────── daemon ──────┤
//!                          │  (the supervisor)  │
//!                          ▼         ▲          ▼
//!                        store       │         post ─▶ gateway ─▶ receipts, faxes
//!                                    │
//!   postfax ─▶ requests ─▶ control ──┼─── inbound ◀─ hw ◀─ HylaFAX ◀─ ☎
//!                                    │
//!                          config ───┘
//! ```
//!
//! **The core decides, the edge acts.** `postfax_domain::supervisor` takes events
//! and returns actions; [`daemon`] is the one task that owns it: it waits, hands
//! over what has happened, commits everything that is to be saved in one
//! transaction, and only then does the rest. A promise to the outside stands
//! after the save that makes it true.
//!
//! A fax **out** walks: `gateway` (the SMTP dialogue) → [`outbound`] (who is it, may
//! they, what is to be faxed) → [`store`] → [`prepare`] (a child process makes the
//! pages; before the store when one is idle) → the supervisor chooses a server → [`carry`] → `postfax_hw` (the call)
//! → a receipt of [`letters`] → [`post`] → `gateway` (the mail). A fax **in** walks:
//! `postfax_hw` (the fax waits at its server) → [`inbound`] (fetched, durable) → the
//! supervisor routes it, and only then the server lets go of it → [`carry`] →
//! [`letters`] → [`post`] → `gateway` (the mail).
//!
//! # The rooms
//!
//! | room | what it is for |
//! |---|---|
//! | `src/domain/` (a crate) | what is decided: numbers, jobs, outcomes, groups, rules, the supervisor |
//! | `gateway/` (a crate) | mail in and out: SMTP, addresses, messages, receipts as MIME |
//! | `hw/` (a crate) | fax servers and pages: drivers, the renderer, the telephone exchange in software |
//! | `cards/` (a crate) | contacts as text in and out: vCard, CSV, LDIF; for the phone book |
//! | [`config`] | the files of the administrator, read into what the domain uses, and changed key by key |
//! | [`serve`] | starts the daemon, heeds signals; `check` and what else needs only the configuration |
//! | [`daemon`] | owns the loop: events in, one commit, actions out; stops cleanly |
//! | [`store`] | what is durable: rows, documents, mails |
//! | [`outbound`] | an accepted mail becomes jobs: who may, whom it means, what is to be faxed |
//! | [`prepare`] | makes the pages of a mail, by way of `postfax_hw::render` |
//! | [`listen`] | opens the doors to mail and keeps them: sockets, certificates, what a reload changes |
//! | [`inbound`] | the fax servers as they report by themselves: health, and what arrived |
//! | [`settings`] | brings registered settings to the fax servers, and reads back what they hold |
//! | [`inquiry`] | the mail door: mail that asks something, and what it is answered |
//! | [`carry`] | hands one attempt over, follows it and tells how it ended |
//! | [`letters`] | what our mails say: a received fax, a receipt, an alarm |
//! | [`post`] | brings a letter to the mail relay |
//! | [`offramp`] | fax servers that take mail: a driver, and what they report |
//! | [`returns`] | the return path of a fax mail, and who may report to it |
//! | [`requests`] | what can be asked of a running Postfax, and the socket it is asked through |
//! | [`http`] | the same by HTTP, with tokens, and faxes sent, followed and fetched by it |
//! | [`ldap`] | the phone book by LDAP, only to be read |
//! | [`webhooks`] | tells those who want to know, by HTTP, what has happened |
//! | [`control`] | the running daemon answers [`requests`], and takes a new configuration |
//! | [`cli`] | what can be typed, and how answers look |
//! | [`lines`] | the other process: the line server, with modems and SIP lines of our own |
//! | [`crash`] | where tests may kill a debug build |
//! | [`demo`] | a whole installation on a machine with nothing set up |
//! | [`lab`] | only the fax servers of it, and the telephone exchange in software |
//!
//! # The arrows
//!
//! ```text
//! src ──▶ gateway ──▶ domain
//!  ├────▶ hw ───────▶ domain
//!  ├────▶ cards
//!  └────────────────▶ domain
//! ```
//!
//! Inside `src` the rooms meet in [`daemon`]. Who names whom besides is written here,
//! and `tests/tidy.rs` lets no other arrow be:
//!
//! | from | to | why |
//! |---|---|---|
//! | [`daemon`] | [`carry`], [`inbound`], [`post`], [`prepare`], [`settings`], [`webhooks`] | builds them, owns their tasks, hands them the actions |
//! | [`daemon`] | [`store`] | the only writer |
//! | [`carry`], [`inbound`], [`outbound`], [`letters`], [`post`], [`prepare`], [`settings`], [`webhooks`] | [`daemon`] | tell it what has happened; share its context |
//! | [`listen`], [`control`], [`serve`], [`demo`] | [`daemon`] | wire the doors and the signals to it |
//! | [`daemon`], [`inbound`], [`outbound`], [`letters`], [`post`], [`prepare`], [`listen`], [`control`], [`serve`], [`demo`] | [`config`] | what was configured |
//! | [`carry`] | [`letters`], [`post`] | an attempt by mail: written, then brought |
//! | [`post`] | [`letters`] | the shape of what is brought |
//! | [`letters`] | [`inquiry`] | the address that saves a number in the phone book |
//! | [`post`], [`outbound`] | [`returns`] | one writes return paths, one reads them |
//! | [`inbound`], [`daemon`], [`outbound`] | [`offramp`] | one builds the drivers, one shares what is reported, one takes the reports in |
//! | [`inbound`] | [`returns`] | where off-ramps report to |
//! | [`offramp`] | [`daemon`] | the time |
//! | [`returns`] | [`store`] | the secret that proves them |
//! | [`listen`] | [`outbound`] | the desk behind every listener |
//! | [`outbound`] | [`prepare`] | what of a mail is to be faxed, and its pages while a converter is idle |
//! | [`inbound`], [`outbound`], [`letters`], [`prepare`], [`control`] | [`store`] | its errors and its pages of jobs; they only read |
//! | [`serve`] | [`store`] | reads the audit log of a daemon that does not run |
//! | [`control`] | [`inbound`], [`listen`], [`post`] | a reload changes their parts |
//! | [`control`], [`cli`] | [`requests`] | the words of questions and answers |
//! | [`requests`], [`cli`] | [`config`] | keys and texts, as they are asked for and shown |
//! | [`outbound`], [`listen`] | [`inquiry`] | one brings the mails that ask, one shares who answers |
//! | [`inquiry`] | [`requests`], [`cli`] | the words of questions and answers, and how they look as text |
//! | [`inquiry`] | [`daemon`], [`config`], [`crash`] | notes the answer as a job; languages; the places where tests may kill |
//! | [`serve`], [`demo`] | [`listen`], [`requests`], [`control`] | open the doors, say who answers |
//! | [`serve`] | [`http`] | opens that door as well |
//! | [`http`] | [`config`], [`daemon`], [`requests`] | what is configured, what runs, what can be asked |
//! | [`http`] | [`listen`], [`outbound`] | the desk behind the mail doors, and their certificate |
//! | [`http`] | [`store`], [`crash`] | where the documents and kept answers are; the places where tests may kill |
//! | [`ldap`] | [`config`], [`daemon`] | what is configured, and the copy of the phone book |
//! | [`ldap`] | [`listen`], [`outbound`] | the desk behind the mail doors, and their certificate |
//! | [`serve`], [`control`] | [`ldap`] | one opens that door, one changes it at a reload |
//! | [`webhooks`] | [`config`], [`requests`] | where they are, what is said of their trouble, and how a job looks |
//! | [`webhooks`] | [`crash`] | the places where tests may kill |
//! | [`cli`] | [`config`] | how tokens are kept and called |
//! | [`cli`] | [`prepare`] | the parts of a file that are worth faxing are found as those of a mail |
//! | [`serve`], [`demo`], [`lab`], [`lines`] | [`cli`] | arguments, and how a command ends |
//! | [`lines`] | [`config`] | its own file, and where the supervisor keeps its key |
//! | [`daemon`], [`carry`], [`inbound`], [`outbound`], [`prepare`], [`config`], [`control`] | [`crash`] | the places where tests may kill |
//!
//! # What is never found here
//!
//! - `gateway` knows no fax server, `hw` knows no mail, and neither knows `src`.
//! - The domain reads no clock, disk, network or environment, and takes no lock.
//! - No room goes to another one except along the arrows above.
//! - No SQL outside [`store`], no reading or writing of configuration outside [`config`].
//! - No reply of 250, no release of a received fax, before its save is on disk.
//! - No second call to a number that is being called; no call, and no delivery,
//!   between a client and a server that share no group.
//! - No submission after a crash before the server was asked for the last one.
//! - No foreign document made into pages outside the child process that has little
//!   memory and little time.
//! - No thing that grows without a limit that has a name; the list of faxes that have
//!   arrived and the audit log are the exceptions.
//!
//! This file itself reads the arguments, hands over to a room, and turns what
//! comes back into words and an exit code.

mod carry;
mod cli;
mod config;
mod control;
mod crash;
mod daemon;
mod demo;
mod http;
mod inbound;
mod inquiry;
mod lab;
mod ldap;
mod letters;
mod lines;
mod listen;
mod offramp;
mod outbound;
mod post;
mod prepare;
mod requests;
mod returns;
mod serve;
mod settings;
mod store;
mod webhooks;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser as _;

use cli::{
    Exit, Failure,
    args::{Args, Command},
};

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&failure);
            failure.exit.into()
        }
    }
}

fn run(args: Args) -> Result<Exit, Failure> {
    let Args { config, socket, command } = args;
    match command {
        Command::Serve => serve::run(&config),
        Command::Check { file, output } => serve::check(file.as_deref().unwrap_or(&config), output),
        Command::Dkim { file, output } => serve::dkim(file.as_deref().unwrap_or(&config), output),
        command @ (Command::Status { .. }
        | Command::Jobs { .. }
        | Command::Show(_)
        | Command::Cancel(_)
        | Command::Retry(_)
        | Command::Hold(_)
        | Command::Release(_)
        | Command::Alter(_)
        | Command::Inbound(_)
        | Command::Servers(_)
        | Command::Explain(_)
        | Command::Webhooks(_)
        | Command::Book { .. }
        | Command::Settings { .. }
        | Command::Reload { .. }) => {
            let socket = socket.unwrap_or_else(|| control_socket(&config));
            cli::ask(&socket, command)
        }
        Command::Audit(audit) => {
            let socket = socket.unwrap_or_else(|| control_socket(&config));
            match audit.verify() {
                Some(verify) if verify.file.is_some() || !cli::is_running(&socket) => {
                    serve::verify_audit(&config, verify)
                }
                _ => cli::ask(&socket, Command::Audit(audit)),
            }
        }
        Command::Config(what) => {
            cli::configure(&socket.unwrap_or_else(|| control_socket(&config)), what)
        }
        Command::Demo(demo) => demo::run(demo),
        Command::Lab(lab) => lab::run(lab),
        Command::Lines(asked) => lines::run(&config, asked),
        Command::Passwd(who) => {
            let file = serve::passwords(&config, &who)?;
            cli::passwd(&who, &file)
        }
        Command::Token(asked) => {
            let file = serve::tokens(&config, &asked)?;
            cli::token(&asked, &file)
        }
        Command::Pages(asked) => cli::pages(&config, &asked),
        Command::Completions { shell } => cli::completions(shell),
        Command::Man { dir } => cli::man(dir.as_deref()),
        Command::RenderChild { .. } => Ok(serve::render_child()),
    }
}

/// Where the Postfax listens that was set up with this configuration. One who may
/// not read the configuration, or broke it, can still ask at the usual places.
fn control_socket(config: &Path) -> PathBuf {
    let shared = PathBuf::from(requests::SHARED_SOCKET);
    let usual = || if shared.exists() { shared.clone() } else { requests::DEFAULT_SOCKET.into() };
    serve::control_socket(config).unwrap_or_else(usual)
}

/// Says what went wrong, and what can be done about it.
fn complain(failure: &Failure) {
    let mut report = miette::MietteDiagnostic::new(failure.to_string());
    report.help.clone_from(&failure.hint);
    eprintln!("{:?}", miette::Report::new(report));
}
