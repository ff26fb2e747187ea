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
//! they, pages please) → `postfax_hw::render` (a confined child makes the pages) →
//! [`store`] → the supervisor chooses a server → [`carry`] → `postfax_hw` (the call)
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
//! | [`config`] | the files of the administrator, read once into what the domain uses |
//! | [`serve`] | starts the daemon, heeds signals; `check` and what else needs only the configuration |
//! | [`daemon`] | owns the loop: events in, one commit, actions out; stops cleanly |
//! | [`store`] | what is durable: rows, documents, mails |
//! | [`listen`], [`outbound`] | the doors to mail; an accepted mail becomes jobs |
//! | [`inbound`] | the fax servers as they report by themselves: health, and what arrived |
//! | [`carry`], [`post`], [`letters`] | hands an attempt over and follows it; by mail; what that mail says |
//! | [`requests`], [`control`] | what can be asked of a running Postfax and the socket it is asked through; who answers |
//! | [`cli`] | what can be typed, and how answers look |
//! | [`crash`] | where tests may kill a debug build |
//! | [`demo`], [`lab`] | a whole installation, or only its fax servers, on a machine with nothing set up |
//!
//! # The arrows
//!
//! ```text
//! src ──▶ gateway ──▶ domain
//!  ├────▶ hw ───────▶ domain
//!  └────────────────▶ domain
//! ```
//!
//! # What is never found here
//!
//! - `gateway` knows no fax server, `hw` knows no mail, and neither knows `src`.
//! - The domain reads no clock, disk, network or environment, and takes no lock.
//! - No file of the edge talks to another one: all of them talk to [`daemon`].
//! - No SQL outside `store`, no reading of configuration outside [`config`].
//! - No reply of 250, no release of a received fax, before its save is on disk.
//! - No second call to a number that is being called; no call, and no delivery,
//!   between a client and a server that share no group.
//! - No submission after a crash before the server was asked for the last one.
//! - No foreign bytes made into pages outside the confined child.
//! - No thing that grows without a limit that has a name.
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
mod inbound;
mod lab;
mod letters;
mod listen;
mod outbound;
mod post;
mod requests;
mod serve;
mod store;

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
        command @ (Command::Status { .. }
        | Command::Jobs { .. }
        | Command::Show(_)
        | Command::Cancel(_)
        | Command::Retry(_)
        | Command::Explain(_)
        | Command::Reload { .. }) => {
            let socket = socket.unwrap_or_else(|| control_socket(&config));
            cli::ask(&socket, command)
        }
        Command::Demo(demo) => demo::run(demo),
        Command::Lab(lab) => lab::run(lab),
        Command::Passwd(who) => {
            let file = who.file.unwrap_or_else(|| serve::password_file(&config));
            cli::passwd(&who.client, &file)
        }
        Command::Completions { shell } => cli::completions(shell),
        Command::Man { dir } => cli::man(dir.as_deref()),
        Command::RenderChild { .. } => Ok(serve::render_child()),
    }
}

/// Where the Postfax listens that was set up with this configuration. One who may
/// not read the configuration, or broke it, can still ask at the usual place.
fn control_socket(config: &Path) -> PathBuf {
    serve::control_socket(config).unwrap_or_else(|| requests::DEFAULT_SOCKET.into())
}

/// Says what went wrong, and what can be done about it.
fn complain(failure: &Failure) {
    let mut report = miette::MietteDiagnostic::new(failure.to_string());
    report.help.clone_from(&failure.hint);
    eprintln!("{:?}", miette::Report::new(report));
}
