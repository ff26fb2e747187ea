//! Modems on serial lines: Class 1 and 1.0, where T.30 is ours, and the classes where it is
//! the modem's.
//!
//! ```text
//!  ModemLine ─ Shared ─ Keeper (a thread) ─┬─ care, talk ── AT, idle ──┐
//!   (Line)                                 ├─ incoming                 ├─ Port ─ tty
//!                                          └─ drive ─ Dialogue ────────┘
//!                                                     └ Class1
//! ```
//!
//! A dialogue knows bytes and time, the port knows neither calls nor commands, and the
//! keeper is the only one who waits.

mod about;
mod at;
mod care;
mod class1;
mod class2;
mod dialogue;
mod drive;
mod fuzz;
mod incoming;
mod keeper;
mod lock;
mod options;
mod port;
mod probe;
mod shared;
mod talk;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    io::Write,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc},
};

use async_trait::async_trait;
use postfax_domain::outcome::Outcome;
use tokio::{
    runtime::Handle,
    sync::{oneshot, watch},
};

pub use self::{
    about::About,
    lock::Holder,
    options::{Class, ModemOptions, UnknownClass},
    probe::{Probe, ProbeError, probe},
};
use self::{
    keeper::{Command, Keeper},
    shared::Shared,
};
use super::call::{Desk, Ended, Line, LineSettings, LineState, Order};

#[doc(hidden)]
pub use class2::fuzz_one as fuzz_class2;

/// Takes bytes as what a modem says; nothing may break.
#[doc(hidden)]
pub fn fuzz_one(data: &[u8]) {
    fuzz::fuzz_one(data);
}

/// A modem as a line: one call at a time.
pub struct ModemLine {
    options: ModemOptions,
    shared: Arc<Shared>,
    thread: Mutex<Option<Thread>>,
}

/// How the thread is reached that keeps the modem.
#[derive(Clone)]
struct Thread {
    commands: std_mpsc::Sender<Command>,
    bell: Arc<UnixStream>,
}

impl Thread {
    fn tell(&self, command: Command) {
        // It may have ended; then the reply's sender is dropped, and that says so.
        if self.commands.send(command).is_ok() {
            // A full bell rings already.
            (&*self.bell).write_all(&[0]).ok();
        }
    }
}

impl fmt::Debug for ModemLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModemLine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl ModemLine {
    /// A line that does nothing until it is run.
    #[must_use]
    pub fn new(options: ModemOptions) -> Arc<Self> {
        Arc::new(Self { options, shared: Arc::new(Shared::new()), thread: Mutex::new(None) })
    }

    fn thread(&self) -> Option<Thread> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn start(
        &self,
        desk: Arc<dyn Desk>,
        stop: watch::Receiver<bool>,
    ) -> std::io::Result<oneshot::Receiver<()>> {
        let (bell, rings) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        rings.set_nonblocking(true)?;
        let (commands, orders) = std_mpsc::channel();
        let (kept, ended) = oneshot::channel();
        let keeper = Keeper {
            options: self.options.clone(),
            shared: Arc::clone(&self.shared),
            desk,
            runtime: Handle::current(),
            commands: orders,
            bell: rings,
            stop,
            kept,
        };
        std::thread::Builder::new().name(format!("modem {}", self.options.name)).spawn(
            move || {
                crate::urgent::keep_time();
                keeper.run();
            },
        )?;
        let thread = Thread { commands, bell: Arc::new(bell) };
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(ended)
    }
}

#[async_trait]
impl Line for ModemLine {
    fn name(&self) -> &str {
        &self.options.name
    }

    fn channels(&self) -> usize {
        1
    }

    fn state(&self) -> LineState {
        self.shared.state()
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes()
    }

    fn configure(&self, settings: LineSettings) {
        if self.shared.configure(settings)
            && let Some(thread) = self.thread()
        {
            thread.tell(Command::Look);
        }
    }

    async fn run(&self, desk: Arc<dyn Desk>, mut stop: watch::Receiver<bool>) {
        let mut ended = match self.start(desk, stop.clone()) {
            Ok(ended) => ended,
            Err(error) => {
                let why = format!("no thread for the modem: {error}");
                self.shared.set(LineState::Failed(why));
                return;
            }
        };
        let stopped = stop.wait_for(|stop| *stop);
        tokio::select! {
            // The thread ends by itself only when it is told to, or by a panic.
            _ = &mut ended => return self.forget(),
            // Also when nobody is left who could say so.
            _ = stopped => {}
        }
        if let Some(thread) = self.thread() {
            thread.tell(Command::Look);
        }
        ended.await.ok();
        self.forget();
    }

    async fn place(&self, order: Order) -> Ended {
        if !self.shared.reserve() {
            return self.shared.refusal();
        }
        let Some(thread) = self.thread() else { return self.shared.refusal() };
        let (reply, ended) = oneshot::channel();
        thread.tell(Command::Place(Box::new(order), reply));
        ended.await.unwrap_or_else(|_| {
            Ended::failed(Outcome::ServerFault, "the line was stopped before the call began")
        })
    }
}

impl ModemLine {
    fn forget(&self) {
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.shared.set(LineState::Off);
    }
}
