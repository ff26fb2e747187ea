//! Hears the tones by which fax machines make themselves known.

use std::{ffi::c_int, ptr::NonNull};

use super::raw_t38::{
    TONES_CED_OR_PREAMBLE, TONES_CNG, TonesState, modem_connect_tones_rx,
    modem_connect_tones_rx_free, modem_connect_tones_rx_get, modem_connect_tones_rx_init,
};

/// A listener for the tones of a calling fax machine, or of an answering one.
pub(crate) struct FaxTones(NonNull<TonesState>);

impl FaxTones {
    /// Listens for an answering machine (CED, or the flags of V.21) where we called, and for
    /// a calling one (CNG) otherwise. `None`: there is no memory for it.
    pub(crate) fn new(we_called: bool) -> Option<Self> {
        let tone = if we_called { TONES_CED_OR_PREAMBLE } else { TONES_CNG };
        // SAFETY: a null state makes the library allocate one; without a function nothing is
        // called back.
        let state = unsafe {
            modem_connect_tones_rx_init(
                std::ptr::null_mut(),
                tone,
                std::ptr::null(),
                std::ptr::null_mut(),
            )
        };
        NonNull::new(state).map(Self)
    }

    /// Takes what is heard. True: there it was.
    pub(crate) fn hear(&mut self, samples: &[i16]) -> bool {
        let Ok(len) = c_int::try_from(samples.len()) else { return false };
        // SAFETY: the state is live, and the library reads `len` samples.
        unsafe {
            modem_connect_tones_rx(self.0.as_ptr(), samples.as_ptr(), len);
            modem_connect_tones_rx_get(self.0.as_ptr()) != 0
        }
    }
}

impl Drop for FaxTones {
    fn drop(&mut self) {
        // SAFETY: it was made in `new` and is freed once.
        unsafe { modem_connect_tones_rx_free(self.0.as_ptr()) };
    }
}
