//! The T.30 engine within every fax machine of the library: how it is set up for a
//! session, and what it says of it. The front end that moves its bits is another's.

use std::{
    ffi::{CStr, CString, NulError, c_char, c_int, c_void},
    fs::File,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr::NonNull,
};

use postfax_domain::document::{Paper, Resolution};
use tracing::error;

use super::raw::{
    T30State, T30Stats, t30_call_active, t30_completion_code_to_str, t30_get_rx_ident,
    t30_get_rx_model, t30_get_rx_password, t30_get_rx_sub_address, t30_get_rx_vendor,
    t30_get_transfer_statistics, t30_set_ecm_capability, t30_set_phase_e_handler,
    t30_set_real_time_frame_handler, t30_set_rx_encoding, t30_set_rx_file,
    t30_set_supported_compressions, t30_set_supported_image_sizes, t30_set_supported_modems,
    t30_set_supported_resolutions, t30_set_supported_t30_features, t30_set_tx_file,
    t30_set_tx_ident, t30_set_tx_password, t30_set_tx_selective_polling_address,
    t30_set_tx_sub_address, t30_terminate,
};
use crate::t30::{
    Coding, MAX_IDENT, Modems, Remote, Session, Statistics,
    frame::{EOR, Frame, MCF, PPS, RTP},
};

/// What a page may need of a disk that is all but full, in bytes.
const ROOM_FOR_A_PAGE: u64 = 1 << 20;
/// Most frames kept until [`Engine::take_frames`] fetches them.
const MAX_FRAMES: usize = 1024;

/// Why a machine cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SetupError {
    /// A text is too long or has characters that T.30 does not carry.
    #[error(
        "\"{0}\" cannot be sent as an identity, a sub-address or a password: use at most 20 characters of ASCII"
    )]
    Text(String),
    /// A path has a zero in it.
    #[error("the path of a document has a zero in it")]
    Path(#[from] NulError),
    /// There is no memory for it.
    #[error("no memory for a fax machine")]
    Memory,
}

/// A T.30 engine, as part of a front end that owns the C object and outlives this.
pub(crate) struct Engine {
    t30: NonNull<T30State>,
    desk: NonNull<Desk>,
}

impl Engine {
    /// Sets a new engine up for a session.
    ///
    /// # Safety
    /// The engine must be live, and stay so until the last call of any other method: whoever
    /// owns it frees it *before* this is dropped, since this frees what its callbacks use.
    pub(super) unsafe fn attach(
        t30: NonNull<T30State>,
        session: &Session,
    ) -> Result<Self, SetupError> {
        let texts = Texts::of(session)?;
        let desk = Desk { receive: session.receive.clone(), ..Desk::default() };
        let desk = NonNull::from(Box::leak(Box::new(desk)));
        let engine = Self { t30, desk };
        let station = &session.station;
        let t30 = t30.as_ptr();
        // SAFETY: all pointers are live, texts end with a zero and are copied, and the desk
        // outlives the engine (see above).
        unsafe {
            t30_set_tx_ident(t30, texts.identity.as_ptr());
            if let Some(text) = &texts.subaddress {
                t30_set_tx_sub_address(t30, text.as_ptr());
            }
            if let Some(text) = &texts.password {
                t30_set_tx_password(t30, text.as_ptr());
            }
            if let Some(text) = &texts.poll {
                t30_set_tx_selective_polling_address(t30, text.as_ptr());
            }
            t30_set_ecm_capability(t30, station.ecm.into());
            t30_set_supported_modems(t30, modems(station.modems));
            t30_set_supported_compressions(t30, ALL_COMPRESSIONS);
            t30_set_supported_resolutions(t30, resolutions(station.finest));
            t30_set_supported_image_sizes(t30, sizes(station.widest));
            t30_set_supported_t30_features(t30, FEATURES);
            t30_set_rx_encoding(t30, RECEIVE_AS_MMR);
            if let Some(file) = &texts.send {
                t30_set_tx_file(t30, file.as_ptr(), -1, -1);
            }
            if let Some(file) = &texts.receive {
                t30_set_rx_file(t30, file.as_ptr(), -1);
            }
            t30_set_phase_e_handler(t30, ends, desk.as_ptr().cast());
            t30_set_real_time_frame_handler(t30, passes, desk.as_ptr().cast());
        }
        Ok(engine)
    }

    /// Whether the machine still wants the line.
    pub(crate) fn is_active(&self) -> bool {
        // SAFETY: the engine is live.
        unsafe { t30_call_active(self.t30.as_ptr()) != 0 && self.lost().is_none() }
    }

    /// Why the page that is being confirmed is not on disk: the line is to be dropped before
    /// the confirmation has gone out.
    pub(crate) fn lost(&self) -> Option<&str> {
        // SAFETY: as in `completion`.
        unsafe { self.desk.as_ref().lost.as_deref() }
    }

    /// Tells the machine that the line is gone. Its files are complete afterwards.
    pub(crate) fn terminate(&mut self) {
        // SAFETY: the engine is live.
        unsafe { t30_terminate(self.t30.as_ptr()) };
    }

    /// spandsp's completion code (`T30_ERR_...`), when the machine has finished.
    pub(crate) fn completion(&self) -> Option<i32> {
        // SAFETY: no callback runs now, so that nothing else holds the desk.
        unsafe { self.desk.as_ref().completion }
    }

    /// The same in the words of the library.
    pub(crate) fn said(&self) -> Option<String> {
        if let Some(lost) = self.lost() {
            return Some(lost.to_owned());
        }
        let completion = self.completion()?;
        // SAFETY: it gives a constant text for any number.
        unsafe { text(t30_completion_code_to_str(completion)) }
    }

    /// The frames that passed since the last time.
    pub(crate) fn take_frames(&mut self) -> Vec<Frame> {
        // SAFETY: as in `completion`.
        std::mem::take(unsafe { &mut self.desk.as_mut().frames })
    }

    /// What was counted so far.
    pub(crate) fn statistics(&self) -> Statistics {
        let mut stats = T30Stats::default();
        // SAFETY: the record begins as `t30_stats_t` of 0.0.6 does, all integers.
        unsafe { t30_get_transfer_statistics(self.t30.as_ptr(), &raw mut stats) };
        let count = |n: c_int| u32::try_from(n).unwrap_or(0);
        Statistics {
            carrier: None,
            bit_rate: count(stats.bit_rate),
            ecm: stats.error_correcting_mode != 0,
            coding: coding(stats.encoding),
            pages_sent: count(stats.pages_tx),
            pages_received: count(stats.pages_rx),
            bad_rows: count(stats.bad_rows),
            longest_bad_run: count(stats.longest_bad_row_run),
            resent_frames: count(stats.error_correcting_mode_retries),
        }
    }

    /// What the other machine said of itself.
    pub(crate) fn remote(&self) -> Remote {
        let t30 = self.t30.as_ptr();
        // SAFETY: the engine is live; what these give is read before anything else is called.
        unsafe {
            Remote {
                identity: text(t30_get_rx_ident(t30)),
                subaddress: text(t30_get_rx_sub_address(t30)),
                password: text(t30_get_rx_password(t30)),
                make: text(t30_get_rx_vendor(t30)),
                model: text(t30_get_rx_model(t30)),
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: it was made in `attach` and is freed once, after the engine.
        drop(unsafe { Box::from_raw(self.desk.as_ptr()) });
    }
}

/// The texts of a session as C has them.
struct Texts {
    identity: CString,
    subaddress: Option<CString>,
    password: Option<CString>,
    poll: Option<CString>,
    send: Option<CString>,
    receive: Option<CString>,
}

impl Texts {
    fn of(session: &Session) -> Result<Self, SetupError> {
        let some = |text: &Option<String>| text.as_deref().map(ident).transpose();
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes());
        Ok(Self {
            identity: ident(&session.station.identity)?,
            subaddress: some(&session.subaddress)?,
            password: some(&session.password)?,
            poll: some(&session.poll)?,
            send: session.send.as_deref().map(path).transpose()?,
            receive: session.receive.as_deref().map(path).transpose()?,
        })
    }
}

fn ident(text: &str) -> Result<CString, SetupError> {
    let short: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    if short.len() > MAX_IDENT {
        return Err(SetupError::Text(text.to_owned()));
    }
    Ok(CString::new(short)?)
}

/// # Safety
/// Null, or a text ended by a zero that lives until this returns.
unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// What the callbacks know, and what they leave for the wrapper.
#[derive(Default)]
struct Desk {
    /// Where received pages go.
    receive: Option<PathBuf>,
    /// How long that file was when a page was last kept, in bytes.
    kept: u64,
    lost: Option<String>,
    frames: Vec<Frame>,
    completion: Option<i32>,
}

impl Desk {
    /// The library has written the page that it is about to confirm, or has failed to and
    /// confirms it all the same: it is to be on disk before the other machine forgets it.
    fn keep(&mut self) {
        let Some(path) = &self.receive else { return };
        match durable(path) {
            // A confirmation that is said again finds the file as it was.
            Ok((len, room)) if len > self.kept || room >= ROOM_FOR_A_PAGE => self.kept = len,
            Ok((_, room)) => self.lose(format!("the disk is full: {room} bytes are left")),
            Err(failed) => self.lose(format!("a page cannot be kept: {failed}")),
        }
    }

    fn lose(&mut self, why: String) {
        error!(why, "hanging up before a page is confirmed that is not on disk");
        self.lost.get_or_insert(why);
    }
}

/// Puts a file on disk; its length, and what the disk has left, in bytes.
fn durable(path: &Path) -> io::Result<(u64, u64)> {
    let file = File::open(path)?;
    file.sync_all()?;
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    let disk = rustix::fs::fstatvfs(&file)?;
    Ok((file.metadata()?.len(), disk.f_bavail.saturating_mul(disk.f_frsize)))
}

extern "C" fn ends(_: *mut T30State, desk: *mut c_void, completion: c_int) {
    // SAFETY: the library hands back the desk of `Engine::attach`, and calls only while the
    // wrapper is inside one of its own calls and holds no reference.
    let desk = unsafe { &mut *desk.cast::<Desk>() };
    // Terminating a finished call must not hide how it ended.
    desk.completion.get_or_insert(completion);
}

extern "C" fn passes(
    _: *mut T30State,
    desk: *mut c_void,
    incoming: c_int,
    frame: *const u8,
    len: c_int,
) {
    let Ok(len) = usize::try_from(len) else { return };
    // SAFETY: as in `ends`; the frame has `len` bytes.
    let (desk, frame) =
        unsafe { (&mut *desk.cast::<Desk>(), std::slice::from_raw_parts(frame, len)) };
    let Some(&fcf) = frame.get(2) else { return };
    let fcf = fcf & 0xFE;
    if incoming == 0 && matches!(fcf, MCF | RTP) {
        desk.keep();
    }
    if desk.frames.len() < MAX_FRAMES {
        let fcf2 = frame.get(3).filter(|_| matches!(fcf, PPS | EOR)).map(|fcf2| fcf2 & 0xFE);
        desk.frames.push(Frame { received: incoming != 0, fcf, fcf2 });
    }
}

fn modems(modems: Modems) -> c_int {
    let Modems { v27ter, v29, v17 } = modems;
    c_int::from(v27ter) | c_int::from(v29) << 1 | c_int::from(v17) << 2
}

/// R8 at all densities of lines, then what is finer (`T30_SUPPORT_..._RESOLUTION`).
fn resolutions(finest: Resolution) -> c_int {
    let standard = 0x0002_0001;
    match finest {
        Resolution::Standard => standard,
        Resolution::Fine => standard | 0x2,
        Resolution::Superfine => standard | 0x6,
        Resolution::Dots300 => standard | 0x0010_0006,
        Resolution::Dots400 => standard | 0x0034_0006,
    }
}

/// Widths, and all lengths (`T30_SUPPORT_..._WIDTH`, `_LENGTH`).
fn sizes(widest: Paper) -> c_int {
    const ALL_LENGTHS: c_int = 0x001F_0000;
    ALL_LENGTHS
        | match widest {
            Paper::A4 => 0x1,
            Paper::B4 => 0x3,
            Paper::A3 => 0x7,
        }
}

fn coding(encoding: c_int) -> Option<Coding> {
    match encoding {
        1 => Some(Coding::Mh),
        2 => Some(Coding::Mr),
        3 => Some(Coding::Mmr),
        _ => None,
    }
}

/// MH, MR and MMR.
const ALL_COMPRESSIONS: c_int = 0x0E;
/// Identification, selective polling, polled sub-address, sub-addressing. Not the repetition of
/// commands (CRP): after a frame that was damaged the library asks for it at both sides at
/// once, and neither hears the other until the call fails.
const FEATURES: c_int = 0x0017;
const RECEIVE_AS_MMR: c_int = 3;
