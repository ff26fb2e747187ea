//! A T.30 engine whose signals are made and heard by someone else's modem: what the engine
//! wants of the line comes out as [`Want`]s, and what the modem heard goes in. It knows
//! neither AT commands nor ports.

use std::{
    ffi::{c_int, c_void},
    ptr::NonNull,
    time::Duration,
};

use super::{
    raw::{
        T30State, t30_free, t30_front_end_status, t30_hdlc_accept, t30_init, t30_non_ecm_get_bit,
        t30_non_ecm_put_bit, t30_timer_update,
    },
    t30::{Engine, SetupError},
};
use crate::t30::Session;

/// Most wants kept until [`BareTerminal::take_wants`] fetches them.
const MAX_WANTS: usize = 1024;
/// The engine's clock, in ticks a second.
const TICKS_PER_S: u128 = 8000;

/// How a signal is modulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modulation {
    /// Commands and responses, 300 bit/s.
    V21,
    V27ter,
    V29,
    V17,
}

/// A signal on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) modulation: Modulation,
    /// In bit/s.
    pub(crate) bit_rate: u32,
    /// With the short training of V.17.
    pub(crate) short: bool,
    /// It carries HDLC frames, and not plain bits.
    pub(crate) framed: bool,
}

/// What the engine sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saying {
    Nothing,
    /// Silence of so long; then [`BareTerminal::step_complete`].
    Pause(Duration),
    /// The tone of a machine that answers; then [`BareTerminal::step_complete`].
    AnswerTone,
    /// The tone of a machine that calls.
    CallingTone,
    /// A signal; [`BareTerminal::step_complete`] after each frame, after
    /// [`Want::FramesEnd`], and after the last plain bit.
    Signal(Signal),
    /// The session is over.
    Done,
}

/// What the engine wants of the line. The last of each kind counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// To hear this, or nothing.
    Hear(Option<Signal>),
    /// To say this.
    Say(Saying),
    /// To send this frame, without its check sequence.
    Frame(Vec<u8>),
    /// To end the signal behind the last frame.
    FramesEnd,
}

/// What happened to the signal that is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Heard {
    /// It is gone.
    CarrierDown = -1,
    /// There is one.
    CarrierUp = -2,
    /// The modem is trained to it.
    Trained = -4,
    /// Flags of HDLC are in it.
    Framing = -6,
}

/// Plain bits ended.
const END_OF_DATA: c_int = -7;
const SEND_STEP_COMPLETE: c_int = 0;

/// A T.30 engine without a line of its own.
pub(crate) struct BareTerminal {
    // Freed in this order: the C object, the engine's desk, ours.
    state: Owned,
    engine: Engine,
    desk: Desk,
    /// Time that was passed on is counted in whole ticks; this is the rest.
    rest: Duration,
}

struct Owned(NonNull<T30State>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { t30_free(self.0.as_ptr()) };
    }
}

/// What the engine's callbacks leave for the wrapper.
struct Desk(NonNull<Vec<Want>>);

impl Drop for Desk {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once, after the C object.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl BareTerminal {
    /// An engine that begins now.
    pub(crate) fn new(session: &Session) -> Result<Self, SetupError> {
        let desk = Desk(NonNull::from(Box::leak(Box::default())));
        let context = desk.0.as_ptr().cast();
        // SAFETY: a null state makes the library allocate one; it calls the handlers while it
        // does, with the desk, which outlives it.
        let state = unsafe {
            t30_init(
                std::ptr::null_mut(),
                session.calling.into(),
                hears,
                context,
                says,
                context,
                sends,
                context,
            )
        };
        let state = Owned(NonNull::new(state).ok_or(SetupError::Memory)?);
        // SAFETY: the engine is live, and dropped before what this gives.
        let engine = unsafe { Engine::attach(state.0, session) }?;
        Ok(Self { state, engine, desk, rest: Duration::ZERO })
    }

    /// Its T.30 engine.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its T.30 engine, to be changed.
    pub(crate) fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// What it wanted since the last time.
    pub(crate) fn take_wants(&mut self) -> Vec<Want> {
        // SAFETY: no callback runs now, so that nothing else holds the desk.
        std::mem::take(unsafe { self.desk.0.as_mut() })
    }

    /// So much time has passed.
    pub(crate) fn pass(&mut self, time: Duration) {
        let time = time + self.rest;
        let ticks = time.as_nanos() * TICKS_PER_S / 1_000_000_000;
        let used = ticks * 1_000_000_000 / TICKS_PER_S;
        self.rest = time.saturating_sub(Duration::from_nanos(u64::try_from(used).unwrap_or(0)));
        let ticks = c_int::try_from(ticks).unwrap_or(c_int::MAX);
        // SAFETY: the engine is live.
        unsafe { t30_timer_update(self.state.0.as_ptr(), ticks) };
    }

    /// What it said last is out.
    pub(crate) fn step_complete(&mut self) {
        // SAFETY: the engine is live.
        unsafe { t30_front_end_status(self.context(), SEND_STEP_COMPLETE) };
    }

    /// Something happened to a signal of frames (`framed`) or of plain bits.
    pub(crate) fn heard(&mut self, what: Heard, framed: bool) {
        let status = what as c_int;
        // SAFETY: the engine is live; a negative length or bit is a status, and no pointer
        // is looked at.
        unsafe {
            if framed {
                t30_hdlc_accept(self.context(), std::ptr::null(), status, 1);
            } else {
                t30_non_ecm_put_bit(self.context(), status);
            }
        }
    }

    /// A frame came, without its check sequence, which was right or not.
    pub(crate) fn frame(&mut self, frame: &[u8], good: bool) {
        let Ok(len) = c_int::try_from(frame.len()) else { return };
        // SAFETY: the frame has `len` bytes, which are copied.
        unsafe { t30_hdlc_accept(self.context(), frame.as_ptr(), len, good.into()) };
    }

    /// Plain bits came, the lowest of each byte first.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            for bit in 0..8 {
                // SAFETY: the engine is live.
                unsafe { t30_non_ecm_put_bit(self.context(), c_int::from(byte >> bit & 1)) };
            }
        }
    }

    /// Gives at most so many bytes of plain bits, the lowest of each byte first, and whether
    /// those were the last.
    pub(crate) fn get(&mut self, most: usize) -> (Vec<u8>, bool) {
        let mut bytes = Vec::with_capacity(most);
        while bytes.len() < most {
            let mut byte = 0;
            for at in 0..8 {
                // SAFETY: the engine is live.
                match unsafe { t30_non_ecm_get_bit(self.context()) } {
                    END_OF_DATA => {
                        if at > 0 {
                            bytes.push(byte);
                        }
                        return (bytes, true);
                    }
                    bit => byte |= u8::from(bit != 0) << at,
                }
            }
            bytes.push(byte);
        }
        (bytes, false)
    }

    fn context(&self) -> *mut c_void {
        self.state.0.as_ptr().cast()
    }
}

fn signal(kind: c_int, bit_rate: c_int, short: c_int, framed: c_int) -> Option<Signal> {
    let modulation = match kind {
        4 => Modulation::V21,
        5 => Modulation::V27ter,
        6 => Modulation::V29,
        7 => Modulation::V17,
        _ => return None,
    };
    let bit_rate = u32::try_from(bit_rate).unwrap_or(0);
    Some(Signal { modulation, bit_rate, short: short != 0, framed: framed != 0 })
}

fn wants(desk: *mut c_void, want: Want) {
    // SAFETY: the library hands back the desk of `BareTerminal::new`, and calls only while the
    // wrapper is inside one of its own calls and holds no reference.
    let desk = unsafe { &mut *desk.cast::<Vec<Want>>() };
    if desk.len() < MAX_WANTS {
        desk.push(want);
    }
}

extern "C" fn hears(desk: *mut c_void, kind: c_int, bit_rate: c_int, short: c_int, framed: c_int) {
    wants(desk, Want::Hear(signal(kind, bit_rate, short, framed)));
}

extern "C" fn says(desk: *mut c_void, kind: c_int, bit_rate: c_int, short: c_int, framed: c_int) {
    let saying = match kind {
        // Its length stands in another's place.
        1 => Saying::Pause(Duration::from_millis(u64::try_from(short).unwrap_or(0))),
        2 => Saying::AnswerTone,
        3 => Saying::CallingTone,
        9 => Saying::Done,
        _ => signal(kind, bit_rate, short, framed).map_or(Saying::Nothing, Saying::Signal),
    };
    wants(desk, Want::Say(saying));
}

extern "C" fn sends(desk: *mut c_void, frame: *const u8, len: c_int) {
    let want = match usize::try_from(len) {
        Ok(len) if len > 0 && !frame.is_null() => {
            // SAFETY: the frame has `len` bytes.
            Want::Frame(unsafe { std::slice::from_raw_parts(frame, len) }.to_vec())
        }
        _ => Want::FramesEnd,
    };
    wants(desk, want);
}
