//! The only door to spandsp, a C library of telephony signal processing: a Class 1
//! fax modem with its AT interpreter ([`T31Modem`]) and a whole fax machine
//! ([`FaxTerminal`]), both working on blocks of audio.
//!
//! This module knows nothing of calls or terminals, and is the only one with
//! `unsafe` code. What keeps it sound: the C objects are opaque and owned by one
//! wrapper each, neither wrapper can leave its thread, and the callbacks only
//! touch a record of their own, which the wrapper frees after the C object.
#![expect(unsafe_code, reason = "a C library is called; every block says why it is sound")]

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    marker::{PhantomData, PhantomPinned},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::NonNull,
};

use super::{
    frame::{EOR, Frame, PPS},
    line::{BLOCK, Block, LineEvent, Request, SILENCE},
};

/// Most characters of an identity or a sub-address (T.30 5.3.6.2.4).
const MAX_IDENT: usize = 20;
/// Most frames kept until [`FaxTerminal::take_frames`] fetches them.
const MAX_FRAMES: usize = 1024;

/// A Class 1 fax modem (T.31): AT commands on one side, audio on the other.
pub(super) struct T31Modem {
    state: NonNull<T31State>,
    desk: NonNull<ModemDesk>,
}

impl T31Modem {
    /// A modem on hook. `None` when there is no memory for one.
    pub(super) fn new() -> Option<Self> {
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
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let length = c_int::try_from(bytes.len()).expect("a read is far smaller than 2 GiB");
        // SAFETY: the pointer and length are those of one live slice, which is only read.
        unsafe { t31_at_rx(self.state.as_ptr(), bytes.as_ptr().cast(), length) };
    }

    /// Gives the next block of what the modem says on the line.
    pub(super) fn speak(&mut self) -> Block {
        let mut block = SILENCE;
        // SAFETY: the library writes at most `BLOCK` samples.
        unsafe { t31_tx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
        block
    }

    /// Takes the next block from the line.
    pub(super) fn hear(&mut self, mut block: Block) {
        // SAFETY: the block is ours and has `BLOCK` samples.
        unsafe { t31_rx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
    }

    /// Tells what happened on the line; the modem answers its program.
    pub(super) fn happened(&mut self, event: LineEvent) {
        // SAFETY: the state is live.
        unsafe { t31_call_event(self.state.as_ptr(), event as c_int) };
    }

    /// Tells the program that the call did not come about, in any state of the modem.
    pub(super) fn no_carrier(&mut self) {
        const NO_CARRIER: c_int = 3;
        // SAFETY: the AT interpreter is the first member of the modem's state.
        unsafe { at_put_response_code(self.interpreter(), NO_CARRIER) };
    }

    /// Sets the number that the program is shown with the ring, if it asked for it.
    pub(super) fn set_caller(&mut self, number: &str) {
        let Ok(number) = CString::new(number) else { return };
        // SAFETY: both strings end with a zero and are copied by the library.
        unsafe {
            at_reset_call_info(self.interpreter());
            at_set_call_info(self.interpreter(), c"NMBR".as_ptr(), number.as_ptr());
        }
    }

    /// What is to be written to the program.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        // SAFETY: no callback runs now, so that nothing else holds the desk.
        std::mem::take(unsafe { &mut self.desk.as_mut().output })
    }

    /// What the program asked for since the last time.
    pub(super) fn take_requests(&mut self) -> Vec<Request> {
        // SAFETY: as in `take_output`.
        std::mem::take(unsafe { &mut self.desk.as_mut().requests })
    }

    /// Whether the modem takes bytes now (V.24 circuit 106).
    pub(super) fn clear_to_send(&self) -> bool {
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

/// How a fax machine is set up for one call.
#[derive(Debug, Clone, Default)]
pub(super) struct FaxSetup<'a> {
    /// It called (and sends), or it answered (and receives).
    pub(super) calling: bool,
    /// Its identity (TSI or CSI).
    pub(super) station_id: &'a str,
    /// The sub-address that it asks for (T.33).
    pub(super) subaddress: Option<&'a str>,
    /// The TIFF file that it sends, or makes.
    pub(super) file: &'a [u8],
    /// Whether it can correct errors.
    pub(super) ecm: bool,
    /// Whether it knows V.29 only.
    pub(super) old: bool,
}

impl<'a> FaxSetup<'a> {
    /// Sets the file.
    pub(super) fn with_file(self, file: &'a Path) -> Self {
        Self { file: file.as_os_str().as_bytes(), ..self }
    }
}

/// What spandsp counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statistics {
    /// Signalling rate in bit/s.
    pub(super) bit_rate: u32,
    /// Pages received and kept.
    pub(super) pages_received: u32,
}

/// A fax machine for one call: T.30 over audio, TIFF files on the other side.
pub(super) struct FaxTerminal {
    state: NonNull<FaxState>,
    t30: NonNull<T30State>,
    desk: NonNull<FaxDesk>,
}

impl FaxTerminal {
    /// A machine that goes on the line now. `None` when a text of the set-up cannot
    /// be used or there is no memory.
    pub(super) fn new(setup: &FaxSetup<'_>) -> Option<Self> {
        let station_id = ident(setup.station_id)?;
        let subaddress = setup.subaddress.map(ident);
        if subaddress == Some(None) {
            return None;
        }
        let file = CString::new(setup.file).ok()?;
        // SAFETY: a null state makes the library allocate one.
        let state = NonNull::new(unsafe { fax_init(std::ptr::null_mut(), setup.calling.into()) })?;
        // SAFETY: the T.30 engine is a part of the live state.
        let t30 = NonNull::new(unsafe { fax_get_t30_state(state.as_ptr()) })
            .expect("a fax machine has a T.30 engine");
        let desk = NonNull::from(Box::leak(Box::new(FaxDesk::default())));
        let machine = Self { state, t30, desk };
        let t30 = t30.as_ptr();
        // SAFETY: all pointers are live, texts end with a zero and are copied, and the desk
        // outlives the engine (see `drop`).
        unsafe {
            fax_set_transmit_on_idle(state.as_ptr(), 1);
            t30_set_tx_ident(t30, station_id.as_ptr());
            if let Some(Some(subaddress)) = &subaddress {
                t30_set_tx_sub_address(t30, subaddress.as_ptr());
            }
            t30_set_ecm_capability(t30, setup.ecm.into());
            t30_set_supported_modems(t30, if setup.old { V29_ONLY } else { ALL_MODEMS });
            t30_set_supported_compressions(t30, ALL_COMPRESSIONS);
            t30_set_supported_resolutions(t30, ALL_RESOLUTIONS);
            t30_set_supported_image_sizes(t30, ALL_SIZES);
            t30_set_supported_t30_features(t30, ALL_FEATURES);
            t30_set_rx_encoding(t30, RECEIVE_AS_MMR);
            if setup.calling {
                t30_set_tx_file(t30, file.as_ptr(), -1, -1);
            } else {
                t30_set_rx_file(t30, file.as_ptr(), -1);
            }
            t30_set_phase_e_handler(t30, fax_ends, desk.as_ptr().cast());
            t30_set_real_time_frame_handler(t30, fax_frame, desk.as_ptr().cast());
        }
        Some(machine)
    }

    /// Gives the next block of what the machine says on the line.
    pub(super) fn speak(&mut self) -> Block {
        let mut block = SILENCE;
        // SAFETY: the library writes at most `BLOCK` samples.
        unsafe { fax_tx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
        block
    }

    /// Takes the next block from the line.
    pub(super) fn hear(&mut self, mut block: Block) {
        // SAFETY: the block is ours and has `BLOCK` samples.
        unsafe { fax_rx(self.state.as_ptr(), block.as_mut_ptr(), BLOCK as c_int) };
    }

    /// Whether the machine still wants the line.
    pub(super) fn is_active(&self) -> bool {
        // SAFETY: the engine is live.
        unsafe { t30_call_active(self.t30.as_ptr()) != 0 }
    }

    /// Tells the machine that the line is gone. Its files are complete afterwards.
    pub(super) fn terminate(&mut self) {
        // SAFETY: the engine is live.
        unsafe { t30_terminate(self.t30.as_ptr()) };
    }

    /// spandsp's completion code (`T30_ERR_...`), when the machine has finished.
    pub(super) fn completion(&self) -> Option<i32> {
        // SAFETY: no callback runs now, so that nothing else holds the desk.
        unsafe { self.desk.as_ref().completion }
    }

    /// The frames that passed since the last time.
    pub(super) fn take_frames(&mut self) -> Vec<Frame> {
        // SAFETY: as in `completion`.
        std::mem::take(unsafe { &mut self.desk.as_mut().frames })
    }

    /// What was counted so far.
    pub(super) fn statistics(&self) -> Statistics {
        let mut stats = T30Stats::default();
        // SAFETY: the record has the layout of `t30_stats_t` of 0.0.6, all integers.
        unsafe { t30_get_transfer_statistics(self.t30.as_ptr(), &raw mut stats) };
        Statistics {
            bit_rate: u32::try_from(stats.bit_rate).unwrap_or(0),
            pages_received: u32::try_from(stats.pages_rx).unwrap_or(0),
        }
    }

    /// The other machine's identity (TSI or CSI), if it gave one.
    pub(super) fn remote_id(&self) -> Option<String> {
        // SAFETY: the engine is live.
        self.text(unsafe { t30_get_rx_ident(self.t30.as_ptr()) })
    }

    /// The sub-address that the other machine asked for, if it did.
    pub(super) fn subaddress(&self) -> Option<String> {
        // SAFETY: the engine is live.
        self.text(unsafe { t30_get_rx_sub_address(self.t30.as_ptr()) })
    }

    fn text(&self, text: *const c_char) -> Option<String> {
        if text.is_null() {
            return None;
        }
        // SAFETY: the library keeps it, ended by a zero, as long as the engine lives.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Drop for FaxTerminal {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once; the desk last.
        unsafe {
            fax_free(self.state.as_ptr());
            drop(Box::from_raw(self.desk.as_ptr()));
        }
    }
}

fn ident(text: &str) -> Option<CString> {
    let short: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    if short.len() > MAX_IDENT {
        return None;
    }
    CString::new(short).ok()
}

/// What a modem's callbacks leave for its wrapper.
#[derive(Default)]
struct ModemDesk {
    output: Vec<u8>,
    requests: Vec<Request>,
    clear: bool,
}

/// What a fax machine's callbacks leave for its wrapper.
#[derive(Default)]
struct FaxDesk {
    frames: Vec<Frame>,
    completion: Option<i32>,
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

extern "C" fn fax_ends(_: *mut T30State, desk: *mut c_void, completion: c_int) {
    // SAFETY: as in `modem_says`, with the desk of `FaxTerminal::new`.
    let desk = unsafe { &mut *desk.cast::<FaxDesk>() };
    // Terminating a finished call must not hide how it ended.
    desk.completion.get_or_insert(completion);
}

extern "C" fn fax_frame(
    _: *mut T30State,
    desk: *mut c_void,
    incoming: c_int,
    frame: *const u8,
    len: c_int,
) {
    let Ok(len) = usize::try_from(len) else { return };
    // SAFETY: as in `fax_ends`; the frame has `len` bytes.
    let (desk, frame) =
        unsafe { (&mut *desk.cast::<FaxDesk>(), std::slice::from_raw_parts(frame, len)) };
    let Some(&fcf) = frame.get(2) else { return };
    let fcf = fcf & 0xFE;
    if desk.frames.len() < MAX_FRAMES {
        let fcf2 = frame.get(3).filter(|_| matches!(fcf, PPS | EOR)).map(|fcf2| fcf2 & 0xFE);
        desk.frames.push(Frame { received: incoming != 0, fcf, fcf2 });
    }
}

const OPERATION_CALL: c_int = 0;
const OPERATION_ANSWER: c_int = 1;
const OPERATION_HANGUP: c_int = 2;
const OPERATION_ONHOOK: c_int = 4;
const OPERATION_CTS: c_int = 7;

/// V.27ter, V.29 and V.17.
const ALL_MODEMS: c_int = 0x07;
const V29_ONLY: c_int = 0x02;
/// MH, MR and MMR.
const ALL_COMPRESSIONS: c_int = 0x0E;
/// Standard, fine and superfine lines; 204 dots an inch across.
const ALL_RESOLUTIONS: c_int = 0x0002_0007;
/// A4, B4 and A3 widths; all lengths.
const ALL_SIZES: c_int = 0x001F_0007;
/// Identification, sub-addressing and command repeat.
const ALL_FEATURES: c_int = 0x0811;
const RECEIVE_AS_MMR: c_int = 3;

macro_rules! opaque {
    ($($name:ident)*) => { $(
        #[repr(C)]
        struct $name {
            _opaque: [u8; 0],
            _neither_sent_nor_moved: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )* };
}
opaque!(T31State AtState FaxState T30State);

/// `t30_stats_t` of 0.0.6.
#[repr(C)]
#[derive(Default)]
struct T30Stats {
    bit_rate: c_int,
    error_correcting_mode: c_int,
    pages_tx: c_int,
    pages_rx: c_int,
    rest: [c_int; 12],
}

type AtOutput = extern "C" fn(*mut AtState, *mut c_void, *const u8, usize) -> c_int;
type ModemControl = extern "C" fn(*mut T31State, *mut c_void, c_int, *const c_char) -> c_int;
type PacketOutput = extern "C" fn(*mut c_void, *mut c_void, *const u8, c_int, c_int) -> c_int;
type PhaseE = extern "C" fn(*mut T30State, *mut c_void, c_int);
type FrameWatch = extern "C" fn(*mut T30State, *mut c_void, c_int, *const u8, c_int);

unsafe extern "C" {
    fn t31_init(
        state: *mut T31State,
        output: AtOutput,
        output_context: *mut c_void,
        control: ModemControl,
        control_context: *mut c_void,
        packets: PacketOutput,
        packets_context: *mut c_void,
    ) -> *mut T31State;
    fn t31_free(state: *mut T31State) -> c_int;
    fn t31_set_transmit_on_idle(state: *mut T31State, on: c_int);
    fn t31_at_rx(state: *mut T31State, text: *const c_char, len: c_int) -> c_int;
    fn t31_tx(state: *mut T31State, samples: *mut i16, len: c_int) -> c_int;
    fn t31_rx(state: *mut T31State, samples: *mut i16, len: c_int) -> c_int;
    fn t31_call_event(state: *mut T31State, event: c_int);
    fn at_put_response_code(state: *mut AtState, code: c_int);
    fn at_reset_call_info(state: *mut AtState);
    fn at_set_call_info(state: *mut AtState, name: *const c_char, value: *const c_char);

    fn fax_init(state: *mut FaxState, calling: c_int) -> *mut FaxState;
    fn fax_free(state: *mut FaxState) -> c_int;
    fn fax_get_t30_state(state: *mut FaxState) -> *mut T30State;
    fn fax_set_transmit_on_idle(state: *mut FaxState, on: c_int);
    fn fax_tx(state: *mut FaxState, samples: *mut i16, len: c_int) -> c_int;
    fn fax_rx(state: *mut FaxState, samples: *mut i16, len: c_int) -> c_int;

    fn t30_set_tx_ident(state: *mut T30State, text: *const c_char) -> c_int;
    fn t30_set_tx_sub_address(state: *mut T30State, text: *const c_char) -> c_int;
    fn t30_set_tx_file(state: *mut T30State, file: *const c_char, from: c_int, to: c_int);
    fn t30_set_rx_file(state: *mut T30State, file: *const c_char, to: c_int);
    fn t30_set_ecm_capability(state: *mut T30State, on: c_int) -> c_int;
    fn t30_set_rx_encoding(state: *mut T30State, encoding: c_int) -> c_int;
    fn t30_set_supported_modems(state: *mut T30State, set: c_int) -> c_int;
    fn t30_set_supported_compressions(state: *mut T30State, set: c_int) -> c_int;
    fn t30_set_supported_resolutions(state: *mut T30State, set: c_int) -> c_int;
    fn t30_set_supported_image_sizes(state: *mut T30State, set: c_int) -> c_int;
    fn t30_set_supported_t30_features(state: *mut T30State, set: c_int) -> c_int;
    fn t30_set_phase_e_handler(state: *mut T30State, handler: PhaseE, context: *mut c_void);
    fn t30_set_real_time_frame_handler(
        state: *mut T30State,
        handler: FrameWatch,
        context: *mut c_void,
    );
    fn t30_call_active(state: *mut T30State) -> c_int;
    fn t30_terminate(state: *mut T30State);
    fn t30_get_transfer_statistics(state: *mut T30State, stats: *mut T30Stats);
    fn t30_get_rx_ident(state: *mut T30State) -> *const c_char;
    fn t30_get_rx_sub_address(state: *mut T30State) -> *const c_char;
}
