//! The functions of spandsp 0.0.6 for T.38 and for tones, as its headers declare them
//! (`spandsp/t38_core.h`, `t38_terminal.h`, `t38_gateway.h`, `modem_connect_tones.h`).
//! Nothing here is safe by itself.

use std::ffi::{c_int, c_void};

use super::raw::{T30State, opaque};

opaque!(CoreState TerminalState GatewayState TonesState);

pub(super) type IfpOutput =
    extern "C" fn(*mut CoreState, *mut c_void, *const u8, c_int, c_int) -> c_int;

/// CNG.
pub(super) const TONES_CNG: c_int = 1;
/// CED, or the flags that T.30 frames begin with.
pub(super) const TONES_CED_OR_PREAMBLE: c_int = 7;

unsafe extern "C" {
    pub(super) fn t38_core_rx_ifp_packet(
        core: *mut CoreState,
        ifp: *const u8,
        len: c_int,
        sequence: u16,
    ) -> c_int;
    pub(super) fn t38_set_t38_version(core: *mut CoreState, version: c_int);
    pub(super) fn t38_set_fastest_image_data_rate(core: *mut CoreState, rate: c_int);
    pub(super) fn t38_set_max_datagram_size(core: *mut CoreState, bytes: c_int);
    pub(super) fn t38_set_fill_bit_removal(core: *mut CoreState, on: c_int);

    pub(super) fn t38_terminal_init(
        state: *mut TerminalState,
        calling: c_int,
        output: IfpOutput,
        context: *mut c_void,
    ) -> *mut TerminalState;
    pub(super) fn t38_terminal_free(state: *mut TerminalState) -> c_int;
    pub(super) fn t38_terminal_get_t30_state(state: *mut TerminalState) -> *mut T30State;
    pub(super) fn t38_terminal_get_t38_core_state(state: *mut TerminalState) -> *mut CoreState;
    pub(super) fn t38_terminal_set_fill_bit_removal(state: *mut TerminalState, on: c_int);
    pub(super) fn t38_terminal_send_timeout(state: *mut TerminalState, samples: c_int) -> c_int;

    pub(super) fn t38_gateway_init(
        state: *mut GatewayState,
        output: IfpOutput,
        context: *mut c_void,
    ) -> *mut GatewayState;
    pub(super) fn t38_gateway_free(state: *mut GatewayState) -> c_int;
    pub(super) fn t38_gateway_get_t38_core_state(state: *mut GatewayState) -> *mut CoreState;
    pub(super) fn t38_gateway_set_transmit_on_idle(state: *mut GatewayState, on: c_int);
    pub(super) fn t38_gateway_set_ecm_capability(state: *mut GatewayState, on: c_int);
    pub(super) fn t38_gateway_set_supported_modems(state: *mut GatewayState, set: c_int);
    pub(super) fn t38_gateway_set_fill_bit_removal(state: *mut GatewayState, on: c_int);
    pub(super) fn t38_gateway_tx(state: *mut GatewayState, samples: *mut i16, len: c_int) -> c_int;
    pub(super) fn t38_gateway_rx(state: *mut GatewayState, samples: *mut i16, len: c_int) -> c_int;

    pub(super) fn modem_connect_tones_rx_init(
        state: *mut TonesState,
        tone: c_int,
        report: *const c_void,
        context: *mut c_void,
    ) -> *mut TonesState;
    pub(super) fn modem_connect_tones_rx_free(state: *mut TonesState) -> c_int;
    pub(super) fn modem_connect_tones_rx(
        state: *mut TonesState,
        samples: *const i16,
        len: c_int,
    ) -> c_int;
    pub(super) fn modem_connect_tones_rx_get(state: *mut TonesState) -> c_int;
}
