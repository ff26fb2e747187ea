//! A fax machine whose line is audio: for telephone networks, and for G.711 over RTP.

use std::{ffi::c_int, ptr::NonNull};

use super::{
    BLOCK, Block, SILENCE,
    raw::{
        FaxState, fax_free, fax_get_t30_state, fax_init, fax_rx, fax_set_transmit_on_idle, fax_tx,
    },
    t30::{Engine, SetupError},
};
use crate::t30::Session;

/// A fax machine for one call: T.30 over audio, TIFF files on the other side.
pub(crate) struct FaxTerminal {
    // Freed before the engine's desk.
    state: Owned,
    engine: Engine,
}

struct Owned(NonNull<FaxState>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { fax_free(self.0.as_ptr()) };
    }
}

impl FaxTerminal {
    /// A machine that goes on the line now.
    pub(crate) fn new(session: &Session) -> Result<Self, SetupError> {
        // SAFETY: a null state makes the library allocate one.
        let state = unsafe { fax_init(std::ptr::null_mut(), session.calling.into()) };
        let state = Owned(NonNull::new(state).ok_or(SetupError::Memory)?);
        // SAFETY: the T.30 engine is a part of the live state, which is dropped first.
        let engine = unsafe {
            fax_set_transmit_on_idle(state.0.as_ptr(), 1);
            let t30 = NonNull::new(fax_get_t30_state(state.0.as_ptr()));
            Engine::attach(t30.expect("a fax machine has a T.30 engine"), session)?
        };
        Ok(Self { state, engine })
    }

    /// Its T.30 engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its T.30 engine, to be changed.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Gives the next block of what the machine says on the line.
    pub(crate) fn speak(&mut self) -> Block {
        let mut block = SILENCE;
        // SAFETY: the library writes at most `BLOCK` samples.
        unsafe { fax_tx(self.state.0.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
        block
    }

    /// Takes the next block from the line.
    pub(crate) fn hear(&mut self, mut block: Block) {
        // SAFETY: the block is ours and has `BLOCK` samples.
        unsafe { fax_rx(self.state.0.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
    }
}
