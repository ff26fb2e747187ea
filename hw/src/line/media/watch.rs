//! The limits of a session in time. T.30 has timers of its own; but steady noise keeps
//! them from running out, and so does a far end that always finds something to say.

use std::time::Duration;

use crate::t30::frame::{CFR, Frame, MCF, RTP};

/// How long nothing may come until it is told.
const QUIET: Duration = Duration::from_secs(30);
/// How long nothing may come until it is the end.
const SILENT: Duration = Duration::from_secs(60);
/// The longest time between two frames of T.30: its own longest timers are 35 s (T1) and,
/// where a machine is not ready again and again, they hear of that within 60 s (T5).
const NO_FRAME: Duration = Duration::from_secs(75);
/// The longest page, or part of one under error correction: a dense page of superfine lines at
/// 2,400 bit/s.
const NO_PAGE: Duration = Duration::from_secs(15 * 60);

/// Which limit a session went beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("the call lasted longer than {} s", .0.as_secs())]
    Long(Duration),
    #[error("nothing came from the other side for {} s", SILENT.as_secs())]
    Silent,
    #[error("no T.30 frame passed for {} s", .0.as_secs())]
    NoProgress(Duration),
}

/// What passed when.
#[derive(Debug)]
pub(super) struct Watch {
    began: Duration,
    limit: Duration,
    heard: Duration,
    framed: Duration,
    /// A page passes, as far as frames tell.
    page: bool,
    quiet: bool,
}

impl Watch {
    pub(super) fn new(limit: Duration, now: Duration) -> Self {
        Self { began: now, limit, heard: now, framed: now, page: false, quiet: false }
    }

    /// How long it has lasted.
    pub(super) fn lasted(&self, now: Duration) -> Duration {
        now.saturating_sub(self.began)
    }

    /// The session begins anew, within the same limit.
    pub(super) fn restart(&mut self, now: Duration) {
        *self = Self { began: self.began, ..Self::new(self.limit, now) };
    }

    /// A packet came.
    pub(super) fn hear(&mut self, now: Duration) {
        (self.heard, self.quiet) = (now, false);
    }

    /// A frame passed, in either direction.
    pub(super) fn frame(&mut self, frame: Frame, now: Duration) {
        self.framed = now;
        self.page = matches!(frame.fcf, CFR | MCF | RTP) || is_repeat(frame.fcf);
    }

    /// Whether it is to be told that nothing comes. `talks` : the other side always sends,
    /// as it does over audio; over T.38 it is silent while a page passes.
    pub(super) fn is_quiet(&mut self, talks: bool, now: Duration) -> bool {
        let quiet = (talks || !self.page) && now.saturating_sub(self.heard) >= QUIET;
        !std::mem::replace(&mut self.quiet, quiet) && quiet
    }

    /// Whether it is too much.
    pub(super) fn excess(&self, talks: bool, now: Duration) -> Option<Excess> {
        let between = if self.page { NO_PAGE } else { NO_FRAME };
        if self.lasted(now) >= self.limit {
            Some(Excess::Long(self.limit))
        } else if (talks || !self.page) && now.saturating_sub(self.heard) >= SILENT {
            Some(Excess::Silent)
        } else if now.saturating_sub(self.framed) >= between {
            Some(Excess::NoProgress(between))
        } else {
            None
        }
    }
}

/// PPR and CTR (T.30 annex A.4): parts of a page come again.
fn is_repeat(fcf: u8) -> bool {
    matches!(fcf, 0xBC | 0xC4)
}
