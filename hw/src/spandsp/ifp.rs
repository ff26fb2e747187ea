//! The packets of T.38 between the C library and whoever transports them.

use std::{
    ffi::{c_int, c_void},
    ptr::NonNull,
};

use super::raw_t38::{
    CoreState, t38_core_rx_ifp_packet, t38_set_fastest_image_data_rate, t38_set_fill_bit_removal,
    t38_set_max_datagram_size, t38_set_t38_version,
};

/// Most packets kept until they are fetched.
const MAX_PACKETS: usize = 256;
/// The longest packet that is given to the library, which has room for 2,048 bytes.
const MAX_IFP: usize = 1500;

/// What was agreed on with the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct T38Terms {
    /// Version of T.38: 0 to 3.
    pub(crate) version: u8,
    /// Bit/s of pages at most.
    pub(crate) max_bit_rate: u32,
    /// Bytes of a datagram at most.
    pub(crate) max_datagram: u16,
    /// Bits that only fill time are left out.
    pub(crate) fill_bit_removal: bool,
}

/// A packet to send (IFP, T.38 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ifp {
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// How often it is to be sent: important ones more than once.
    pub(crate) times: u8,
}

/// Packets on their way out, as a record that the callback of a C object fills. Whoever owns
/// the object frees it *before* this is dropped.
pub(super) struct Outgoing(NonNull<Vec<Ifp>>);

impl Outgoing {
    pub(super) fn new() -> Self {
        Self(NonNull::from(Box::leak(Box::new(Vec::new()))))
    }

    /// What [`sends`] is to be given.
    pub(super) fn context(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    /// The packets since the last time.
    pub(super) fn take(&mut self) -> Vec<Ifp> {
        // SAFETY: no callback runs now, so that nothing else holds the record.
        std::mem::take(unsafe { self.0.as_mut() })
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once, after the C object.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

pub(super) extern "C" fn sends(
    _: *mut CoreState,
    outgoing: *mut c_void,
    ifp: *const u8,
    len: c_int,
    times: c_int,
) -> c_int {
    let Ok(len) = usize::try_from(len) else { return -1 };
    // SAFETY: the library hands back the record of `Outgoing`, and calls only while the
    // wrapper is inside one of its own calls and holds no reference; the packet has `len` bytes.
    let (outgoing, ifp) =
        unsafe { (&mut *outgoing.cast::<Vec<Ifp>>(), std::slice::from_raw_parts(ifp, len)) };
    if outgoing.len() < MAX_PACKETS {
        // The low byte counts (`t38_set_redundancy_control`).
        outgoing.push(Ifp { bytes: ifp.to_owned(), times: (times & 0xFF) as u8 });
    }
    0
}

/// Tells a core what was agreed on.
///
/// # Safety
/// The core is live.
pub(super) unsafe fn agree(core: NonNull<CoreState>, terms: &T38Terms) {
    let core = core.as_ptr();
    // SAFETY: as above.
    unsafe {
        t38_set_t38_version(core, terms.version.into());
        t38_set_fastest_image_data_rate(core, c_int::try_from(terms.max_bit_rate).unwrap_or(14400));
        t38_set_max_datagram_size(core, terms.max_datagram.into());
        t38_set_fill_bit_removal(core, terms.fill_bit_removal.into());
    }
}

/// Hands a packet that came to a core. What is no packet is dropped by it.
///
/// # Safety
/// The core is live.
pub(super) unsafe fn receive(core: NonNull<CoreState>, ifp: &[u8], sequence: u16) {
    if ifp.is_empty() || ifp.len() > MAX_IFP {
        return;
    }
    // SAFETY: as above, and the library reads `len` bytes.
    unsafe { t38_core_rx_ifp_packet(core.as_ptr(), ifp.as_ptr(), ifp.len() as c_int, sequence) };
}
