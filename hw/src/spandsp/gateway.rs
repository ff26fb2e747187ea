//! A gateway between sound and T.38: a fax machine on a telephone line at one side, and
//! packets at the other. It does no T.30 of its own.

use std::{ffi::c_int, ptr::NonNull};

use super::{
    BLOCK, Block, SILENCE,
    ifp::{self, Ifp, Outgoing, T38Terms},
    raw_t38::{
        CoreState, GatewayState, t38_gateway_free, t38_gateway_get_t38_core_state,
        t38_gateway_init, t38_gateway_rx, t38_gateway_set_ecm_capability,
        t38_gateway_set_fill_bit_removal, t38_gateway_set_supported_modems,
        t38_gateway_set_transmit_on_idle, t38_gateway_tx,
    },
    t30::SetupError,
};

/// V.27ter and V.29.
const UP_TO_9600: c_int = 0x3;
/// And V.17.
const UP_TO_14400: c_int = 0x7;

/// A gateway for one call.
pub(crate) struct Gateway {
    // Freed before what its callbacks use.
    state: Owned,
    outgoing: Outgoing,
}

struct Owned(NonNull<GatewayState>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { t38_gateway_free(self.0.as_ptr()) };
    }
}

impl Gateway {
    /// A gateway that goes between two machines now. Without `ecm` it takes the correction
    /// of errors out of what they say that they can.
    pub(crate) fn new(terms: &T38Terms, ecm: bool) -> Result<Self, SetupError> {
        let outgoing = Outgoing::new();
        // SAFETY: a null state makes the library allocate one; the context outlives it.
        let state =
            unsafe { t38_gateway_init(std::ptr::null_mut(), ifp::sends, outgoing.context()) };
        let state = Owned(NonNull::new(state).ok_or(SetupError::Memory)?);
        let modems = if terms.max_bit_rate < 14_400 { UP_TO_9600 } else { UP_TO_14400 };
        // SAFETY: the state is live, and its core with it.
        unsafe {
            ifp::agree(core(&state), terms);
            let state = state.0.as_ptr();
            t38_gateway_set_transmit_on_idle(state, 1);
            t38_gateway_set_ecm_capability(state, ecm.into());
            t38_gateway_set_supported_modems(state, modems);
            t38_gateway_set_fill_bit_removal(state, terms.fill_bit_removal.into());
        }
        Ok(Self { state, outgoing })
    }

    /// Gives the next block of what it says on the line.
    pub(crate) fn speak(&mut self) -> Block {
        let mut block = SILENCE;
        // SAFETY: the library writes at most `BLOCK` samples.
        unsafe { t38_gateway_tx(self.state.0.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
        block
    }

    /// Takes the next block from the line.
    pub(crate) fn hear(&mut self, mut block: Block) {
        // SAFETY: the block is ours and has `BLOCK` samples.
        unsafe { t38_gateway_rx(self.state.0.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
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

/// The core of a gateway.
fn core(state: &Owned) -> NonNull<CoreState> {
    // SAFETY: the state is live.
    let core = unsafe { t38_gateway_get_t38_core_state(state.0.as_ptr()) };
    NonNull::new(core).expect("a T.38 gateway has a core")
}
