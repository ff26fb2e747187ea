//! The exchange's thread: it waits for programs, commands and clocks, and lets each
//! call go on when its time has come. Who is called how is decided in [`switch`](super::switch).

use std::{
    fmt, io,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{Arc, mpsc as std_mpsc},
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::{mpsc, oneshot};

use super::{
    Behaviour, CallInfo, ExchangeError, FaxClass,
    machine::{CallProgress, CallResult, ReceivedFax},
    modem::{Did, Modem, ModemId},
    sip::{self, Ring},
    switch::Switch,
};

/// How often a program in a call is asked whether it has dropped DTR.
const DTR_EVERY: Duration = Duration::from_millis(100);

/// What an answer to a command comes back by.
pub(super) type Reply<T> = std_mpsc::SyncSender<Result<T, ExchangeError>>;

/// What the exchange is told to do.
pub(super) enum Command {
    AddModem {
        class: FaxClass,
        number: String,
        link: Option<PathBuf>,
        reply: Reply<PathBuf>,
    },
    AddNumber {
        number: String,
        behaviour: Behaviour,
        reply: Reply<()>,
    },
    AddMachine {
        number: String,
        lines: u32,
        station_id: String,
        reply: Reply<mpsc::Receiver<ReceivedFax>>,
    },
    Send {
        id: u64,
        from: String,
        to: String,
        tiff: PathBuf,
        subaddress: Option<String>,
        ecm: bool,
        progress: Option<mpsc::Sender<CallProgress>>,
        result: oneshot::Sender<CallResult>,
    },
    AddDoor(mpsc::UnboundedSender<Ring>),
    AddSipNumber {
        number: String,
        lines: u32,
        target: String,
        reply: Reply<()>,
    },
    Sip(u64, sip::Order),
    HangUp(u64),
    List(Reply<Vec<CallInfo>>),
    Stop,
}

/// Where commands are handed in.
#[derive(Clone)]
pub(super) struct Desk {
    commands: std_mpsc::Sender<Command>,
    bell: Arc<UnixStream>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Desk")
    }
}

impl Desk {
    /// Hands a command in.
    pub(super) fn send(&self, command: Command) -> Result<(), ExchangeError> {
        self.commands.send(command).map_err(|_| ExchangeError::Stopped)?;
        // A full bell rings already.
        (&*self.bell).write_all(&[0]).ok();
        Ok(())
    }

    /// Hands a command in and waits for the answer.
    pub(super) fn ask<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, ExchangeError> {
        let (reply, answer) = std_mpsc::sync_channel(1);
        self.send(command(reply))?;
        answer.recv().map_err(|_| ExchangeError::Stopped)?
    }
}

/// The thread's own: the other end of a [`Desk`].
pub(super) struct Engine {
    commands: std_mpsc::Receiver<Command>,
    bell: UnixStream,
    switch: Switch,
    dtr_checked: Instant,
    /// Whose terminals have something for us, and whether their programs are gone.
    ready: Vec<(ModemId, bool)>,
}

/// Makes a desk and its engine's parts.
pub(super) fn desk() -> io::Result<(Desk, std_mpsc::Receiver<Command>, UnixStream)> {
    let (bell, rings) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    rings.set_nonblocking(true)?;
    let (commands, orders) = std_mpsc::channel();
    Ok((Desk { commands, bell: Arc::new(bell) }, orders, rings))
}

impl Engine {
    /// An engine that serves a desk.
    pub(super) fn new(
        commands: std_mpsc::Receiver<Command>,
        bell: UnixStream,
        switch: Switch,
    ) -> Self {
        Self { commands, bell, switch, dtr_checked: Instant::now(), ready: Vec::new() }
    }

    /// Runs until it is told to stop, or nobody is left who could tell.
    pub(super) fn run(mut self) {
        loop {
            match self.obey() {
                Orders::Done => {}
                Orders::Stop => return,
            }
            self.check_programs();
            self.switch.run_calls(Instant::now());
            self.wait();
        }
    }

    fn obey(&mut self) -> Orders {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Stop) | Err(std_mpsc::TryRecvError::Disconnected) => {
                    return Orders::Stop;
                }
                Ok(command) => self.carry_out(command),
                Err(std_mpsc::TryRecvError::Empty) => return Orders::Done,
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        let switch = &mut self.switch;
        // Whoever asked may be gone by now: replies are sent for what they are worth.
        match command {
            Command::AddModem { class, number, link, reply } => {
                reply.send(switch.add_modem(class, &number, link.as_deref())).ok();
            }
            Command::AddNumber { number, behaviour, reply } => {
                reply.send(switch.add_number(&number, behaviour)).ok();
            }
            Command::AddMachine { number, lines, station_id, reply } => {
                reply.send(switch.add_machine(&number, lines, &station_id)).ok();
            }
            Command::Send { id, from, to, tiff, subaddress, ecm, progress, result } => {
                let order = super::switch::Order { id, from, to, tiff, subaddress, ecm, progress };
                if let Err((outcome, result)) = switch.send(order, result) {
                    result.send(CallResult::failed(outcome)).ok();
                }
            }
            Command::AddDoor(rings) => switch.add_door(rings),
            Command::AddSipNumber { number, lines, target, reply } => {
                reply.send(switch.add_sip_number(&number, lines, target)).ok();
            }
            Command::Sip(id, order) => switch.sip(id, order),
            Command::HangUp(id) => switch.cancel(id),
            Command::List(reply) => {
                reply.send(Ok(switch.list())).ok();
            }
            Command::Stop => {}
        }
    }

    /// Takes what programs wrote, and sees who is gone.
    fn check_programs(&mut self) {
        for (id, gone) in std::mem::take(&mut self.ready) {
            self.check_program(id, gone);
        }
        if self.dtr_checked.elapsed() < DTR_EVERY {
            return;
        }
        self.dtr_checked = Instant::now();
        let dropped = |(id, modem): (&ModemId, &mut Modem)| {
            (modem.call.is_some() && modem.is_dropped()).then_some(*id)
        };
        let dropped: Vec<ModemId> = self.switch.modems().iter_mut().filter_map(dropped).collect();
        for id in dropped {
            self.switch.program_left(id);
        }
    }

    fn check_program(&mut self, id: ModemId, gone: bool) {
        loop {
            let Some(modem) = self.switch.modems().get_mut(&id) else { return };
            modem.flush();
            if !modem.listens() {
                if gone {
                    self.switch.program_left(id);
                }
                return;
            }
            match modem.read() {
                None => return,
                Some(Did::Left) => return self.switch.program_left(id),
                Some(Did::Wrote { requests, gives_up }) => {
                    self.switch.requested(id, requests, gives_up);
                }
            }
        }
    }

    /// Sleeps until there is something to do. A modem without a call costs nothing meanwhile.
    fn wait(&mut self) {
        let now = Instant::now();
        let mut until = self.switch.next_due();
        if self.switch.modems().values().any(|modem| modem.call.is_some()) {
            let dtr = self.dtr_checked + DTR_EVERY;
            until = Some(until.map_or(dtr, |due| due.min(dtr)));
        }
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(now);
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() }
        });
        let bell = &self.bell;
        let mut fds = vec![PollFd::new(bell, PollFlags::IN)];
        let mut ids = Vec::new();
        for (id, modem) in self.switch.modems().iter() {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, modem.listens());
            flags.set(PollFlags::OUT, modem.terminal().is_waiting());
            fds.push(PollFd::from_borrowed_fd(modem.terminal().fd(), flags));
            ids.push(*id);
        }
        // An interrupted wait is a short one.
        poll(&mut fds, timeout.as_ref()).ok();
        let rang = !fds[0].revents().is_empty();
        let ready = ids.into_iter().zip(fds[1..].iter().map(PollFd::revents));
        self.ready = ready
            .filter(|(_, events)| !events.is_empty())
            .map(|(id, events)| (id, events.contains(PollFlags::HUP)))
            .collect();
        drop(fds);
        if rang {
            let mut rings = [0; 64];
            while matches!(self.bell.read(&mut rings), Ok(n) if n > 0) {}
        }
    }
}

enum Orders {
    Done,
    Stop,
}
