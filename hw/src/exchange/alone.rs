//! For tests: modems in software keep the times of a telephone line, and starve each
//! other on a small machine.

use std::sync::{Mutex, MutexGuard, PoisonError};

static LINES: Mutex<()> = Mutex::new(());

/// Who holds this is the only one to use modems. A test that failed gives it back as well.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}
