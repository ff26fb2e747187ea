//! A conversation held over a pseudo-terminal, as simply as can be.

use std::{
    os::fd::AsFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
};

use super::super::{Class2, Dialogue, Out};
use crate::line::call::{Ended, Step};

/// The longest that one call of a test lasts.
const LIMIT: Duration = Duration::from_secs(120);

/// An open terminal.
pub(super) struct Port(rustix::fd::OwnedFd);

impl Port {
    pub(super) fn open(path: &Path) -> Self {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Self(rustix::fs::open(path, flags, Mode::empty()).unwrap())
    }

    fn wait(&self, flags: PollFlags, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), flags)];
        poll(&mut fds, Some(&left)).ok();
    }

    fn read(&self) -> Vec<u8> {
        let mut bytes = [0; 4096];
        rustix::io::read(&self.0, &mut bytes).map_or(vec![], |n| bytes[..n].to_vec())
    }

    /// Waits until the modem rings.
    pub(super) fn wait_for_ring(&self) {
        let end = Instant::now() + LIMIT;
        let mut heard = Vec::new();
        while !heard.windows(4).any(|four| four == b"RING") {
            assert!(Instant::now() < end, "it does not ring");
            self.wait(PollFlags::IN, end);
            heard.extend(self.read());
        }
    }

    /// Holds a conversation; `stop` looks at each step and may end it.
    pub(super) fn hold(
        self,
        mut call: Class2,
        mut stop: impl FnMut(&Step) -> Stop,
    ) -> (Ended, Vec<Step>) {
        let end = Instant::now() + LIMIT;
        let (mut waiting, mut steps) = (Vec::new(), Vec::new());
        let mut todo = call.begin(Instant::now());
        loop {
            for out in std::mem::take(&mut todo) {
                match out {
                    Out::Write(bytes) => waiting.extend(bytes),
                    Out::Ended(ended) => return (ended, steps),
                    Out::Step(step) => {
                        match stop(&step) {
                            Stop::No => {}
                            Stop::Politely => todo.extend(call.stop(Instant::now())),
                            Stop::Dead => return (call.lost(Instant::now()), steps),
                        }
                        steps.push(step);
                    }
                }
            }
            if !todo.is_empty() {
                continue;
            }
            let mut flags = PollFlags::IN;
            flags.set(PollFlags::OUT, !waiting.is_empty());
            self.wait(flags, call.deadline().unwrap().min(end));
            assert!(Instant::now() < end, "a call does not end");
            if !waiting.is_empty()
                && let Ok(written) = rustix::io::write(&self.0, &waiting)
            {
                waiting.drain(..written);
                if waiting.is_empty() {
                    todo.extend(call.drained(Instant::now()));
                }
            }
            let bytes = self.read();
            if !bytes.is_empty() {
                todo.extend(call.input(&bytes, Instant::now()));
            }
            if call.deadline().is_some_and(|deadline| Instant::now() >= deadline) {
                todo.extend(call.timeout(Instant::now()));
            }
        }
    }
}

/// Whether a call ends early.
pub(super) enum Stop {
    No,
    /// Someone gives it up.
    Politely,
    /// The program dies.
    Dead,
}
