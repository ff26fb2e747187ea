//! A Class 1 fax modem in software (T.31): AT commands on one side, audio on the other.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr::NonNull,
};

use super::{
    BLOCK, Block, SILENCE,
    raw::{
        AtState, T31State, at_put_response_code, at_reset_call_info, at_set_call_info, t31_at_rx,
        t31_call_event, t31_free, t31_init, t31_rx, t31_set_transmit_on_idle, t31_tx,
    },
};

/// What a modem's program asked the line for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// Dial this, as the program wrote it.
    Dial(String),
    /// Answer the call that rings.
    Answer,
    /// Hang up.
    HangUp,
}

/// What happened on a modem's line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum LineEvent {
    /// The telephone rings.
    Ring = 1,
    /// The call that was dialled was answered.
    Connected = 2,
    /// We answered the call that rang.
    Answered = 3,
    /// Busy tone.
    Busy = 4,
    /// No dial tone.
    NoDialTone = 5,
    /// Nobody answered.
    NoAnswer = 6,
    /// The other side is gone.
    HungUp = 7,
}

/// A Class 1 fax modem (T.31): AT commands on one side, audio on the other.
pub(crate) struct T31Modem {
    state: NonNull<T31State>,
    desk: NonNull<ModemDesk>,
}

impl T31Modem {
    /// A modem on hook. `None` when there is no memory for one.
    pub(crate) fn new() -> Option<Self> {
        let desk =
            NonNull::from(Box::leak(Box::new(ModemDesk { clear: true, ..Default::default() })));
        let context = desk.as_ptr().cast();
        // SAFETY: a null state makes the library allocate one; the desk outlives it (see `drop`).
        let state = unsafe {
            t31_init(
                std::ptr::null_mut(),
                modem_says,
                context,
                modem_asks,
                context,
                no_packets,
                context,
            )
        };
        let Some(state) = NonNull::new(state) else {
            // SAFETY: nothing else knows the desk.
            drop(unsafe { Box::from_raw(desk.as_ptr()) });
            return None;
        };
        // SAFETY: the state is live.
        unsafe { t31_set_transmit_on_idle(state.as_ptr(), 1) };
        Some(Self { state, desk })
    }

    /// Takes what the program wrote.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let length = c_int::try_from(bytes.len()).expect("a read is far smaller than 2 GiB");
        // SAFETY: the pointer and length are those of one live slice, which is only read.
        unsafe { t31_at_rx(self.state.as_ptr(), bytes.as_ptr().cast(), length) };
    }

    /// Gives the next block of what the modem says on the line.
    pub(crate) fn speak(&mut self) -> Block {
        let mut block = SILENCE;
        // SAFETY: the library writes at most `BLOCK` samples.
        unsafe { t31_tx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
        block
    }

    /// Takes the next block from the line.
    pub(crate) fn hear(&mut self, mut block: Block) {
        // SAFETY: the block is ours and has `BLOCK` samples.
        unsafe { t31_rx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
    }

    /// Tells what happened on the line; the modem answers its program.
    pub(crate) fn happened(&mut self, event: LineEvent) {
        // SAFETY: the state is live.
        unsafe { t31_call_event(self.state.as_ptr(), event as c_int) };
    }

    /// Tells the program that the call did not come about, in any state of the modem.
    pub(crate) fn no_carrier(&mut self) {
        const NO_CARRIER: c_int = 3;
        // SAFETY: the AT interpreter is the first member of the modem's state.
        unsafe { at_put_response_code(self.interpreter(), NO_CARRIER) };
    }

    /// Sets the number that the program is shown with the ring, if it asked for it.
    pub(crate) fn set_caller(&mut self, number: &str) {
        let Ok(number) = CString::new(number) else { return };
        // SAFETY: both strings end with a zero and are copied by the library.
        unsafe {
            at_reset_call_info(self.interpreter());
            at_set_call_info(self.interpreter(), c"NMBR".as_ptr(), number.as_ptr());
        }
    }

    /// What is to be written to the program.
    pub(crate) fn take_output(&mut self) -> Vec<u8> {
        // SAFETY: no callback runs now, so that nothing else holds the desk.
        std::mem::take(unsafe { &mut self.desk.as_mut().output })
    }

    /// What the program asked for since the last time.
    pub(crate) fn take_requests(&mut self) -> Vec<Request> {
        // SAFETY: as in `take_output`.
        std::mem::take(unsafe { &mut self.desk.as_mut().requests })
    }

    /// Whether the modem takes bytes now (V.24 circuit 106).
    pub(crate) fn clear_to_send(&self) -> bool {
        // SAFETY: as in `take_output`.
        unsafe { self.desk.as_ref().clear }
    }

    fn interpreter(&self) -> *mut AtState {
        self.state.as_ptr().cast()
    }
}

impl Drop for T31Modem {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once; the desk last.
        unsafe {
            t31_free(self.state.as_ptr());
            drop(Box::from_raw(self.desk.as_ptr()));
        }
    }
}

/// What a modem's callbacks leave for its wrapper.
#[derive(Default)]
struct ModemDesk {
    output: Vec<u8>,
    requests: Vec<Request>,
    clear: bool,
}

extern "C" fn modem_says(_: *mut AtState, desk: *mut c_void, text: *const u8, len: usize) -> c_int {
    // SAFETY: the library hands back the desk of `T31Modem::new` and a live buffer, and calls
    // only while the wrapper is inside one of its own calls and holds no reference.
    unsafe {
        let text = std::slice::from_raw_parts(text, len);
        (*desk.cast::<ModemDesk>()).output.extend_from_slice(text);
    }
    0
}

extern "C" fn modem_asks(
    _: *mut T31State,
    desk: *mut c_void,
    operation: c_int,
    number: *const c_char,
) -> c_int {
    // SAFETY: as in `modem_says`.
    let desk = unsafe { &mut *desk.cast::<ModemDesk>() };
    match operation {
        OPERATION_CALL => {
            // SAFETY: for a call, and only then, it is a text ended by a zero.
            let number = unsafe { CStr::from_ptr(number) }.to_string_lossy().into_owned();
            desk.requests.push(Request::Dial(number));
        }
        OPERATION_ANSWER => desk.requests.push(Request::Answer),
        OPERATION_HANGUP | OPERATION_ONHOOK => desk.requests.push(Request::HangUp),
        // Here the "number" is a truth value.
        OPERATION_CTS => desk.clear = !number.is_null(),
        _ => {}
    }
    0
}

extern "C" fn no_packets(
    _: *mut c_void,
    _: *mut c_void,
    _: *const u8,
    _: c_int,
    _: c_int,
) -> c_int {
    0
}

const OPERATION_CALL: c_int = 0;
const OPERATION_ANSWER: c_int = 1;
const OPERATION_HANGUP: c_int = 2;
const OPERATION_ONHOOK: c_int = 4;
const OPERATION_CTS: c_int = 7;
