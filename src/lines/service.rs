//! The process: starts the line server, heeds signals, stops it when its calls are over.

use std::{path::Path, sync::Arc};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::JoinHandle,
    time::interval,
};
use tracing::{error, info, warn};

use super::{bad, life::Life, notify, own_identity};
use crate::{
    cli::{Exit, Failure, begin_log},
    config::{
        self,
        lines::{self as file, LineHost},
    },
};

/// Runs the line server until it is told to stop.
///
/// # Errors
/// [`Failure`] when the file is bad or something cannot be opened.
pub(super) fn run(path: &Path) -> Result<Exit, Failure> {
    let (host, warnings) = file::load(path).map_err(|problems| bad(path, &problems))?;
    // What people fax is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    begin_log(std::io::stderr, false);
    for warning in &warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|failed| Failure::new(Exit::Bug, format!("cannot start: {failed}")))?;
    let served = runtime.block_on(serve(path, host));
    runtime.shutdown_background();
    served.map(|()| Exit::Ok)
}

/// The signals that are heeded.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn hear() -> Result<Self, Failure> {
        let heard = |kind| signal(kind).map_err(|error| Failure::file("signals", &error));
        Ok(Self {
            terminate: heard(SignalKind::terminate())?,
            interrupt: heard(SignalKind::interrupt())?,
            hangup: heard(SignalKind::hangup())?,
        })
    }

    /// Ends when we are told to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve(path: &Path, host: LineHost) -> Result<(), Failure> {
    let mut signals = Signals::hear()?;
    let mut life = begin(host).await?;
    let watchdog = watchdog();
    notify::say(notify::READY);
    loop {
        let reload = tokio::select! {
            _ = signals.hangup.recv() => true,
            _ = signals.terminate.recv() => false,
            _ = signals.interrupt.recv() => false,
        };
        if !reload {
            break;
        }
        match reloaded(path).await {
            Err(why) => error!("the old file stays in force:\n{why}"),
            Ok(new) if *life.host() == new => info!("nothing has changed"),
            Ok(new) if life.keeps_lines(&new) => match life.meet(new).await {
                Ok(()) => info!("the new file is in force"),
                Err(failed) => error!(%failed, "the old file stays in force"),
            },
            Ok(new) => match another(life, new, &mut signals).await? {
                Some(begun) => life = begun,
                None => {
                    info!("stopped");
                    return Ok(());
                }
            },
        }
    }
    notify::say(notify::STOPPING);
    // Told twice, it waits no longer.
    life.end(signals.stop()).await;
    if let Some(watchdog) = watchdog {
        watchdog.abort();
    }
    info!("stopped");
    Ok(())
}

async fn begin(host: LineHost) -> Result<Life, Failure> {
    let (us, fingerprint) = own_identity(&host.state)?;
    info!(name = host.name, key = %fingerprint, lines = host.lines.len(), "the line server begins");
    Life::begin(host, Arc::new(us)).await
}

/// Begins anew with other lines, once the calls under way are over. With what cannot be
/// begun, it goes on as before. None when it is told to stop meanwhile; also then calls may
/// come to their end, until it is told so twice.
async fn another(
    life: Life,
    new: LineHost,
    signals: &mut Signals,
) -> Result<Option<Life>, Failure> {
    let (old, mut spool, mut told) = (life.host().clone(), life.spool(), false);
    let hurry = async {
        signals.stop().await;
        told = true;
        notify::say(notify::STOPPING);
        info!("told to stop, and not to begin again");
        signals.stop().await;
    };
    life.end(hurry).await;
    if told {
        return Ok(None);
    }
    // Two lives cannot have one spool.
    tokio::select! {
        () = spool.free() => {}
        () = signals.stop() => return Ok(None),
    }
    match begin(new).await {
        Ok(life) => {
            info!("the new file is in force");
            Ok(Some(life))
        }
        Err(failed) => {
            error!(%failed, "the old file stays in force");
            begin(old).await.map(Some)
        }
    }
}

async fn reloaded(path: &Path) -> Result<LineHost, String> {
    let path = path.to_owned();
    let loading = tokio::task::spawn_blocking(move || file::load(&path));
    let loaded = loading.await.map_err(|bug| bug.to_string())?;
    let (host, warnings) = loaded.map_err(|problems| config::report(&problems, false))?;
    for warning in &warnings {
        warn!("{warning}");
    }
    Ok(host)
}

/// Tells systemd that we live, where it wants to hear it.
fn watchdog() -> Option<JoinHandle<()>> {
    let every = notify::watchdog()?;
    Some(tokio::spawn(async move {
        let mut every = interval(every);
        loop {
            every.tick().await;
            notify::say(notify::WATCHDOG);
        }
    }))
}
