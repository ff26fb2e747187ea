//! `postfax demo`: a whole installation on a machine with nothing set up, and one
//! fax that walks through all of it.
//!
//! ```text
//!  anna ── mail ──▶ Postfax ──▶ london ~~ exchange ~~▶ paris ──▶ Postfax ── mail ──▶ bob
//!    ▲                 │
//!    └──── receipt ────┘
//! ```
//!
//! | file | what it is for |
//! |---|---|
//! | [`folder`] | where everything lies, and what of it stays |
//! | [`setting`] | the configuration, the certificate and the passwords |
//! | [`house`] | starts the fax servers, the mailbox and Postfax; stops them |
//! | [`mailbox`] | a mail server that keeps what it gets |
//! | [`paper`] | the letter that is sent |
//! | [`journey`] | sends the letter, follows it, and judges what came of it |
//! | [`asking`] | asks the running Postfax, through its socket like everyone else |
//! | [`show`] | what is printed |
//!
//! Nothing in here is used by a real installation, and nothing of the daemon is
//! built differently for it: it reads a configuration file like any other.

mod asking;
mod folder;
mod house;
mod journey;
mod mailbox;
mod paper;
mod setting;
mod show;

use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::{Exit, Failure, args::Demo, begin_log},
    requests::{Problem, Reply},
};
use folder::Folder;
use house::House;
use journey::Journey;
use show::Show;

/// Runs the demonstration.
///
/// # Errors
/// [`Failure`] when it cannot be set up, when the fax did not arrive as it was
/// sent, or when it was stopped before it could. With `--json` the failure is
/// printed as a line of JSON instead.
pub(crate) fn run(demo: Demo) -> Result<Exit, Failure> {
    let json = demo.output.json;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|failed| Failure::new(Exit::Bug, format!("cannot start: {failed}")))?;
    let ended = runtime.block_on(perform(&demo));
    runtime.shutdown_background();
    match ended {
        Err(failure) if json => {
            let reply = Reply::from(Problem::new(failure.code, failure.words));
            println!("{}", serde_json::to_string(&reply).expect("a problem is JSON"));
            Ok(failure.exit)
        }
        ended => ended,
    }
}

async fn perform(demo: &Demo) -> Result<Exit, Failure> {
    let folder = Folder::open(demo.dir.as_deref())?;
    log_to(&folder)?;
    let told = told_to_stop();
    tokio::pin!(told);
    let mut house = None;
    let mut show = Show::new(demo, Instant::now());
    let played = tokio::select! {
        played = play(demo, &folder, &mut show, &mut house) => played,
        () = &mut told => Err(Failure::new(Exit::No, "stopped before the fax was through")),
    };
    if let (Ok(journey), Some(house)) = (&played, &mut house) {
        show.result(&folder, house, journey);
        if demo.keep {
            tokio::select! {
                () = show.mails(house) => {}
                () = &mut told => {}
            }
        }
    }
    if let Some(house) = house {
        show.stopping();
        house.stop().await;
    }
    let ended = played.map_err(|failure| with_log(&folder, failure));
    folder.leave(demo.keep, ended.is_ok())?;
    ended.map(|_| Exit::Ok)
}

async fn play(
    demo: &Demo,
    folder: &Folder,
    show: &mut Show,
    house: &mut Option<House>,
) -> Result<Journey, Failure> {
    show.title(folder);
    let lab = house::lab(demo, folder).await?;
    show.servers(lab.description());
    let house = house.insert(House::open(lab, folder).await?);
    show.open(house);
    journey::travel(demo, folder, house, show).await
}

/// Everything that is logged goes to a file: the terminal belongs to the show.
fn log_to(folder: &Folder) -> Result<(), Failure> {
    let path = folder.log();
    let file =
        std::fs::File::create(&path).map_err(|failed| Failure::file(path.display(), &failed))?;
    begin_log(std::sync::Mutex::new(file), true);
    Ok(())
}

/// Ctrl-C, or a polite kill.
async fn told_to_stop() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals.map(signal) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// A failure, with the last words of the log where the folder does not stay.
fn with_log(folder: &Folder, failure: Failure) -> Failure {
    let log_end = folder.log_end();
    if failure.hint.is_some() || log_end.is_empty() {
        return failure;
    }
    let hint = if folder.stays() {
        format!("the log is {}", folder.log().display())
    } else {
        format!("run it again with --dir DIR to keep the log, which ends so:\n{log_end}")
    };
    failure.advise(hint)
}
