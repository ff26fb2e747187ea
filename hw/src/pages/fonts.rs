//! Font files that an administrator adds to our own: handed to the child process with
//! each document, since it opens no file.

use std::sync::OnceLock;

/// All of them together, in bytes.
pub const MAX_FONTS_BYTES: u64 = 64 << 20;

static GIVEN: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

/// Hands them over, once for a process.
pub fn give(fonts: Vec<Vec<u8>>) {
    // Whoever comes second has the same ones.
    let _ = GIVEN.set(fonts);
}

/// Those that were handed over, each a whole file, in order of preference.
#[must_use]
pub fn given() -> &'static [Vec<u8>] {
    GIVEN.get().map_or(&[], Vec::as_slice)
}
