//! The commands that ask a running Postfax: each becomes one question, and its
//! answer is printed as text for people or as the line of JSON that it came as.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::Path,
};

use jiff::tz::TimeZone;
use postfax_domain::{settings::State, time::Timestamp};

use super::{
    Exit, Failure,
    args::{Command, Explain},
    client::Client,
    render::{self, View},
    watch,
};
use crate::requests::{Ask, BookReply, Problem, Reply, Verdict, settings::Told};

/// Asks the Postfax at `socket` what `command` says, and prints the answer. With
/// `--json` a failure is printed in the same way, as the problem that it is.
///
/// # Errors
/// [`Failure`] when it could not be asked or has refused.
///
/// # Panics
/// On commands that ask nothing; those never come here.
pub(crate) fn run(socket: &Path, command: Command) -> Result<Exit, Failure> {
    let command = match command {
        Command::Book { command } => return super::book::run(socket, command),
        other => other,
    };
    let (ask, json) = question(command)?;
    let ended = match ask {
        Ask::Watch => Client::connect(socket).and_then(|mut client| watch::run(&mut client, json)),
        ask => answered(socket, &ask, json),
    };
    report(ended, json)
}

/// Asks once, and prints the answer.
pub(super) fn answered(socket: &Path, ask: &Ask, json: bool) -> Result<Exit, Failure> {
    answer(socket, ask, json).and_then(|(shown, exit)| print(&shown).map(|_| exit))
}

/// With `json` a failure is printed as the problem that it is.
pub(super) fn report(ended: Result<Exit, Failure>, json: bool) -> Result<Exit, Failure> {
    match ended {
        Err(failure) if json => {
            let problem = Problem::new(failure.code, failure.words);
            print(&as_json(&problem.into())).map(|_| failure.exit)
        }
        ended => ended,
    }
}

/// Whether a Postfax listens at this socket, whomever it lets in.
pub(crate) fn is_running(socket: &Path) -> bool {
    Client::connect(socket).map_or_else(|failure| failure.exit != Exit::Unreachable, |_| true)
}

/// Prints an answer that was found without asking.
///
/// # Errors
/// [`Failure`] when it cannot be printed.
pub(crate) fn show(reply: &Reply, json: bool) -> Result<Exit, Failure> {
    print(&if json { as_json(reply) } else { as_text(&view(), reply) })?;
    Ok(exit(reply))
}

/// What is to be asked, and whether the answer is for programs.
///
/// # Errors
/// [`Failure`] when a file cannot be read.
pub(super) fn question(command: Command) -> Result<(Ask, bool), Failure> {
    Ok(match command {
        Command::Status { watch, output } => {
            (if watch { Ask::Watch } else { Ask::Status }, output.json)
        }
        Command::Jobs { filter, output } => (Ask::Jobs(filter.into()), output.json),
        Command::Show(one) => (Ask::Show { job: one.job }, one.output.json),
        Command::Cancel(one) => (Ask::Cancel { job: one.job }, one.output.json),
        Command::Retry(one) => (Ask::Retry { job: one.job }, one.output.json),
        Command::Hold(one) => (Ask::Hold { job: one.job }, one.output.json),
        Command::Release(one) => (Ask::Release { job: one.job }, one.output.json),
        Command::Alter(alter) => {
            let json = alter.output.json;
            (alter.into(), json)
        }
        Command::Inbound(inbound) => inbound.into(),
        Command::Servers(servers) => servers.into(),
        Command::Webhooks(webhooks) => webhooks.into(),
        Command::Audit(audit) => audit.into(),
        Command::Explain(explain) => (explained(&explain), explain.output.json),
        Command::Book { command } => super::book::question(command)?,
        Command::Settings { command } => super::settings::question(command)?,
        Command::Reload { output } => (Ask::Reload, output.json),
        other => unreachable!("{other:?} asks nothing"),
    })
}

/// Asks once. What is to be shown, and how the command ends.
pub(super) fn answer(socket: &Path, ask: &Ask, json: bool) -> Result<(String, Exit), Failure> {
    let reply = Client::connect(socket)?.ask(ask)?;
    let shown = if json { as_json(&reply) } else { as_text(&view(), &reply) };
    Ok((shown, exit(&reply)))
}

/// Whether anyone still reads what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// As far as we know.
    There,
    /// It has closed its end, as `| head` does when it has enough.
    Gone,
}

/// Writes to the output. That the reader has gone is no failure.
pub(super) fn print(text: &str) -> Result<Reader, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::There),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::file("the output", &error)),
    }
}

/// The one who looks: now, here, on this terminal if it is one.
pub(super) fn view() -> View {
    let terminal = io::stdout().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    View { now, zone: TimeZone::system(), colour: terminal && !plain && !dumb, width: None }
}

/// The answer as the line of JSON that it came as.
pub(super) fn as_json(reply: &Reply) -> String {
    serde_json::to_string(reply).expect("an answer that was JSON can be written as JSON") + "\n"
}

fn explained(explain: &Explain) -> Ask {
    match (explain.job, &explain.from, &explain.to) {
        (Some(job), _, _) => Ask::ExplainJob { job },
        (None, Some(from), Some(to)) => {
            Ask::Explain { from: from.clone(), to: to.clone(), pages: explain.pages }
        }
        _ => unreachable!("the definition asks for a job or for both"),
    }
}

/// An answer as text without colours, for a mail.
pub(crate) fn plain(reply: &Reply, now: Timestamp, zone: TimeZone) -> String {
    as_text(&View { now, zone, colour: false, width: None }, reply)
}

fn as_text(view: &View, reply: &Reply) -> String {
    match reply {
        Reply::Status(status) => render::status(view, status),
        Reply::Jobs(jobs) => render::jobs(view, jobs),
        Reply::Job(story) => render::story(view, story),
        Reply::Done(done) => render::done(done),
        Reply::Explained(explanation) => render::explanation(view, explanation),
        Reply::Settings(told) => render::settings(view, told),
        Reply::Reloaded(words) => format!("{}\n", words.trim_end()),
        Reply::Servers(servers) => render::servers(view, servers),
        Reply::Draining { server, draining } => render::draining(server, *draining),
        Reply::GaveUp { server, jobs } => render::gave_up(server, jobs),
        Reply::Webhooks(hooks) => render::webhooks(view, hooks),
        Reply::ToldAgain { webhook } => format!("what waits for {webhook} is tried now\n"),
        Reply::Audit(entries) => render::audit(view, entries),
        Reply::Chain(chain) => render::chain(view, chain),
        Reply::Config(reply) => render::configuration(view, reply),
        Reply::Book(reply) => render::book(view, reply),
        Reply::Problem(problem) => format!("{problem}\n"),
    }
}

/// An explanation that nobody may call, and a log that is not whole, are a *no* to a script.
fn exit(reply: &Reply) -> Exit {
    match reply {
        Reply::Explained(explanation) => match explanation.now {
            Some(Verdict::Denied { .. }) => Exit::No,
            _ => Exit::Ok,
        },
        Reply::Chain(chain) if chain.broken.is_some() => Exit::No,
        Reply::Settings(told) => settings(told),
        Reply::Book(told) => match &**told {
            BookReply::Imported(file) if !file.errors.is_empty() => Exit::No,
            _ => Exit::Ok,
        },
        _ => Exit::Ok,
    }
}

/// What a server did not take is a *no*; what it gets later is not.
fn settings(told: &Told) -> Exit {
    match told {
        Told::Registered(done) if matches!(done.state, State::Failed { .. }) => Exit::No,
        _ => Exit::Ok,
    }
}
