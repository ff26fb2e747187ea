//! Threads that keep the times of a telephone line go before other work: a fax machine that
//! answers a tenth of a second late has lost its call.

/// How far before other work (`nice`).
const NICE: i32 = -10;

/// Lets the calling thread, and what it starts, go before other work. Where that is not
/// permitted it goes as all do.
pub(crate) fn keep_time() {
    // On Linux this is of the calling thread alone (sched(7)).
    rustix::process::setpriority_process(None, NICE).ok();
}
