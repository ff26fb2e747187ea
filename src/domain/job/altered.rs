//! What people change about a fax that waits: whether it may go, when, how urgently,
//! how often it is tried, and whom it calls. Whether they may is decided elsewhere.

use super::{Job, State};
use crate::{
    destination::Destination, number::Number, options::Remarks, retry::Tries, time::Timestamp,
};

/// What is to be different; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alteration {
    /// 0 is ordinary, 9 most urgent, -9 least.
    pub priority: Option<i8>,
    /// After so many more attempts it is given up.
    pub tries: Option<u32>,
    /// When it is given up.
    pub expires: Option<Timestamp>,
    /// Not before this time.
    pub due: Option<Timestamp>,
    /// Whom it calls.
    pub number: Option<Number>,
}

impl Alteration {
    /// Whether anything would be different.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Job {
    /// Whether it is a fax to a number that no carrier has, and that is not over.
    #[must_use]
    pub fn is_waiting_fax(&self) -> bool {
        let waits = matches!(self.state, State::Preparing { .. } | State::Waiting { .. });
        waits && self.sender().is_some() && matches!(self.destination, Destination::Fax(_))
    }

    /// Keeps it from being called until it is let go. False when it does not wait, or is
    /// on hold already.
    pub fn hold(&mut self) -> bool {
        let held = self.is_waiting_fax() && !self.on_hold;
        self.on_hold |= held;
        held
    }

    /// Lets it be called again. False when it was not on hold.
    pub fn let_go(&mut self) -> bool {
        std::mem::take(&mut self.on_hold)
    }

    /// Changes a fax that waits. False when it does not wait.
    pub fn alter(&mut self, to: &Alteration) -> bool {
        if !self.is_waiting_fax() {
            return false;
        }
        self.priority = to.priority.unwrap_or(self.priority);
        self.expires = to.expires.unwrap_or(self.expires);
        self.tries_left = to.tries.or(self.tries_left);
        if let (State::Preparing { due } | State::Waiting { due }, Some(at)) =
            (&mut self.state, to.due)
        {
            *due = at;
        }
        if let (Destination::Fax(fax), Some(number)) = (&mut self.destination, &to.number) {
            fax.number = number.clone();
            // The entry of the phone book has another number.
            fax.named = None;
            self.forget_cover();
            // Another machine has none of the pages, and has failed at nothing yet.
            self.confirmed = 0;
            self.tries = Tries::default();
            self.avoid.clear();
        }
        true
    }

    /// A cover says whom it is for: that of another number is made anew, with the pages
    /// that go with it.
    fn forget_cover(&mut self) {
        let has_cover = self.sender().is_some_and(|sent| sent.wanted.cover.is_some());
        if let (true, State::Waiting { due }) = (has_cover, &self.state) {
            self.state = State::Preparing { due: *due };
            (self.document, self.cover, self.remarks) = (None, None, Remarks::default());
        }
    }

    /// Counts an attempt that did not end it. True when there are to be no more.
    pub(super) fn spend_try(&mut self) -> bool {
        let Some(left) = &mut self.tries_left else { return false };
        *left = left.saturating_sub(1);
        *left == 0
    }

    /// What people may change about it, in one line for the audit log; times in
    /// milliseconds since 1970.
    #[must_use]
    pub fn brief(&self) -> String {
        let state = match &self.state {
            State::Preparing { due } => format!("preparing from {}", due.0),
            State::Waiting { due } => format!("waiting from {}", due.0),
            State::Carrying { cancelling: false } => "carrying".into(),
            State::Carrying { cancelling: true } => "cancelling".into(),
            State::Held => "held".into(),
            State::Ended { end, .. } => format!("ended: {end:?}"),
        };
        let hold = if self.on_hold { ", on hold" } else { "" };
        let tries = self.tries_left.map(|left| format!(", {left} tries left")).unwrap_or_default();
        format!(
            "{state}{hold}, to {}, priority {}, until {}{tries}",
            self.destination, self.priority, self.expires.0
        )
    }
}
