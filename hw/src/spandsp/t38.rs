//! A fax machine whose line is T.38: packets in place of sound.

use std::{ffi::c_int, ptr::NonNull};

use super::{
    BLOCK,
    ifp::{self, Ifp, Outgoing, T38Terms},
    raw_t38::{
        CoreState, TerminalState, t38_terminal_free, t38_terminal_get_t30_state,
        t38_terminal_get_t38_core_state, t38_terminal_init, t38_terminal_send_timeout,
        t38_terminal_set_fill_bit_removal,
    },
    t30::{Engine, SetupError},
};
use crate::t30::Session;

/// A fax machine for one call: T.30 over T.38, TIFF files on the other side.
pub(crate) struct T38Terminal {
    // Freed before what its callbacks use.
    state: Owned,
    engine: Engine,
    outgoing: Outgoing,
}

struct Owned(NonNull<TerminalState>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { t38_terminal_free(self.0.as_ptr()) };
    }
}

impl T38Terminal {
    /// A machine that goes on the line now.
    pub(crate) fn new(session: &Session, terms: &T38Terms) -> Result<Self, SetupError> {
        let outgoing = Outgoing::new();
        // SAFETY: a null state makes the library allocate one; the context outlives it.
        let state = unsafe {
            t38_terminal_init(
                std::ptr::null_mut(),
                session.calling.into(),
                ifp::sends,
                outgoing.context(),
            )
        };
        let state = Owned(NonNull::new(state).ok_or(SetupError::Memory)?);
        // SAFETY: the T.30 engine is a part of the live state, which is dropped first.
        let engine = unsafe {
            ifp::agree(core(&state), terms);
            t38_terminal_set_fill_bit_removal(state.0.as_ptr(), terms.fill_bit_removal.into());
            let t30 = NonNull::new(t38_terminal_get_t30_state(state.0.as_ptr()));
            Engine::attach(t30.expect("a fax machine has a T.30 engine"), session)?
        };
        Ok(Self { state, engine, outgoing })
    }

    /// Its T.30 engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its T.30 engine, to be changed.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Lets the time of one block pass.
    pub(crate) fn pass(&mut self) {
        // SAFETY: the state is live.
        unsafe { t38_terminal_send_timeout(self.state.0.as_ptr(), BLOCK as c_int) };
    }

    /// Takes a packet of the other side, in the order of its numbers.
    pub(crate) fn receive(&mut self, ifp: &[u8], sequence: u16) {
        // SAFETY: the core is a part of the live state.
        unsafe { ifp::receive(core(&self.state), ifp, sequence) };
    }

    /// What is to be sent.
    pub(crate) fn take_packets(&mut self) -> Vec<Ifp> {
        self.outgoing.take()
    }
}

/// The core of a terminal.
fn core(state: &Owned) -> NonNull<CoreState> {
    // SAFETY: the state is live.
    let core = unsafe { t38_terminal_get_t38_core_state(state.0.as_ptr()) };
    NonNull::new(core).expect("a T.38 terminal has a core")
}
