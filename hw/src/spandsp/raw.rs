//! The functions of spandsp 0.0.6 as its headers declare them (`spandsp/t30.h`, `fax.h`,
//! `t31.h`, `at_interpreter.h`, `t30_api.h`). Nothing here is safe by itself.

use std::ffi::{c_char, c_int, c_void};

macro_rules! opaque {
    ($($name:ident)*) => { $(
        #[repr(C)]
        pub(super) struct $name {
            _opaque: [u8; 0],
            _neither_sent_nor_moved:
                std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }
    )* };
}
pub(super) use opaque;

opaque!(T31State AtState FaxState T30State);

/// `t30_stats_t` of 0.0.6.
#[repr(C)]
#[derive(Default)]
pub(super) struct T30Stats {
    pub(super) bit_rate: c_int,
    pub(super) error_correcting_mode: c_int,
    pub(super) pages_tx: c_int,
    pub(super) pages_rx: c_int,
    pub(super) pages_in_file: c_int,
    pub(super) x_resolution: c_int,
    pub(super) y_resolution: c_int,
    pub(super) width: c_int,
    pub(super) length: c_int,
    pub(super) image_size: c_int,
    pub(super) encoding: c_int,
    pub(super) bad_rows: c_int,
    pub(super) longest_bad_row_run: c_int,
    pub(super) error_correcting_mode_retries: c_int,
    pub(super) current_status: c_int,
    /// The library writes what its header declares and no more; room for another version.
    spare: [c_int; 4],
}

pub(super) type AtOutput = extern "C" fn(*mut AtState, *mut c_void, *const u8, usize) -> c_int;
pub(super) type ModemControl =
    extern "C" fn(*mut T31State, *mut c_void, c_int, *const c_char) -> c_int;
pub(super) type PacketOutput =
    extern "C" fn(*mut c_void, *mut c_void, *const u8, c_int, c_int) -> c_int;
pub(super) type PhaseE = extern "C" fn(*mut T30State, *mut c_void, c_int);
pub(super) type SetSignal = extern "C" fn(*mut c_void, c_int, c_int, c_int, c_int);
pub(super) type SendFrame = extern "C" fn(*mut c_void, *const u8, c_int);
pub(super) type FrameWatch = extern "C" fn(*mut T30State, *mut c_void, c_int, *const u8, c_int);

unsafe extern "C" {
    pub(super) fn t31_init(
        state: *mut T31State,
        output: AtOutput,
        output_context: *mut c_void,
        control: ModemControl,
        control_context: *mut c_void,
        packets: PacketOutput,
        packets_context: *mut c_void,
    ) -> *mut T31State;
    pub(super) fn t31_free(state: *mut T31State) -> c_int;
    pub(super) fn t31_set_transmit_on_idle(state: *mut T31State, on: c_int);
    pub(super) fn t31_at_rx(state: *mut T31State, text: *const c_char, len: c_int) -> c_int;
    pub(super) fn t31_tx(state: *mut T31State, samples: *mut i16, len: c_int) -> c_int;
    pub(super) fn t31_rx(state: *mut T31State, samples: *mut i16, len: c_int) -> c_int;
    pub(super) fn t31_call_event(state: *mut T31State, event: c_int);
    pub(super) fn at_put_response_code(state: *mut AtState, code: c_int);
    pub(super) fn at_reset_call_info(state: *mut AtState);
    pub(super) fn at_set_call_info(state: *mut AtState, name: *const c_char, value: *const c_char);

    pub(super) fn fax_init(state: *mut FaxState, calling: c_int) -> *mut FaxState;
    pub(super) fn fax_free(state: *mut FaxState) -> c_int;
    pub(super) fn fax_get_t30_state(state: *mut FaxState) -> *mut T30State;
    pub(super) fn fax_set_transmit_on_idle(state: *mut FaxState, on: c_int);
    pub(super) fn fax_tx(state: *mut FaxState, samples: *mut i16, len: c_int) -> c_int;
    pub(super) fn fax_rx(state: *mut FaxState, samples: *mut i16, len: c_int) -> c_int;

    pub(super) fn t30_init(
        state: *mut T30State,
        calling: c_int,
        hear: SetSignal,
        hear_context: *mut c_void,
        say: SetSignal,
        say_context: *mut c_void,
        send: SendFrame,
        send_context: *mut c_void,
    ) -> *mut T30State;
    pub(super) fn t30_free(state: *mut T30State) -> c_int;
    pub(super) fn t30_front_end_status(state: *mut c_void, status: c_int);
    pub(super) fn t30_hdlc_accept(state: *mut c_void, frame: *const u8, len: c_int, ok: c_int);
    pub(super) fn t30_non_ecm_get_bit(state: *mut c_void) -> c_int;
    pub(super) fn t30_non_ecm_put_bit(state: *mut c_void, bit: c_int);
    pub(super) fn t30_timer_update(state: *mut T30State, ticks: c_int);

    pub(super) fn t30_set_tx_ident(state: *mut T30State, text: *const c_char) -> c_int;
    pub(super) fn t30_set_tx_sub_address(state: *mut T30State, text: *const c_char) -> c_int;
    pub(super) fn t30_set_tx_password(state: *mut T30State, text: *const c_char) -> c_int;
    pub(super) fn t30_set_tx_selective_polling_address(
        state: *mut T30State,
        text: *const c_char,
    ) -> c_int;
    pub(super) fn t30_set_tx_file(
        state: *mut T30State,
        file: *const c_char,
        from: c_int,
        to: c_int,
    );
    pub(super) fn t30_set_rx_file(state: *mut T30State, file: *const c_char, to: c_int);
    pub(super) fn t30_set_ecm_capability(state: *mut T30State, on: c_int) -> c_int;
    pub(super) fn t30_set_rx_encoding(state: *mut T30State, encoding: c_int) -> c_int;
    pub(super) fn t30_set_supported_modems(state: *mut T30State, set: c_int) -> c_int;
    pub(super) fn t30_set_supported_compressions(state: *mut T30State, set: c_int) -> c_int;
    pub(super) fn t30_set_supported_resolutions(state: *mut T30State, set: c_int) -> c_int;
    pub(super) fn t30_set_supported_image_sizes(state: *mut T30State, set: c_int) -> c_int;
    pub(super) fn t30_set_supported_t30_features(state: *mut T30State, set: c_int) -> c_int;
    pub(super) fn t30_set_phase_e_handler(
        state: *mut T30State,
        handler: PhaseE,
        context: *mut c_void,
    );
    pub(super) fn t30_set_real_time_frame_handler(
        state: *mut T30State,
        handler: FrameWatch,
        context: *mut c_void,
    );
    pub(super) fn t30_call_active(state: *mut T30State) -> c_int;
    pub(super) fn t30_completion_code_to_str(completion: c_int) -> *const c_char;
    pub(super) fn t30_terminate(state: *mut T30State);
    pub(super) fn t30_get_transfer_statistics(state: *mut T30State, stats: *mut T30Stats);
    pub(super) fn t30_get_rx_ident(state: *mut T30State) -> *const c_char;
    pub(super) fn t30_get_rx_sub_address(state: *mut T30State) -> *const c_char;
    pub(super) fn t30_get_rx_password(state: *mut T30State) -> *const c_char;
    pub(super) fn t30_get_rx_vendor(state: *mut T30State) -> *const c_char;
    pub(super) fn t30_get_rx_model(state: *mut T30State) -> *const c_char;
}
