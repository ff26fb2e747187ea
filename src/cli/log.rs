//! Where the log of a process begins: what is written of it, and what never is, whatever
//! was asked for.

use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, filter::filter_fn, fmt::MakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The stack of SIP. It logs whole messages, with numbers and with the digests of passwords.
const SIP: &str = "rsipstack";

/// Writes what `RUST_LOG` asks for, or else everything from information upwards, from now
/// on and for the whole process; without colours where it goes to a file.
pub(crate) fn begin<W>(writer: W, to_file: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let mut log = tracing_subscriber::fmt().with_env_filter(filter);
    if to_file {
        log = log.with_ansi(false);
    }
    log.with_writer(writer).finish().with(filter_fn(may_be_written)).init();
}

/// Whether this may be written at all. A directive for a module of the stack would be
/// stronger than one for the stack in the same filter, so this stands beside it.
fn may_be_written(about: &Metadata<'_>) -> bool {
    !about.target().starts_with(SIP) || *about.level() == Level::ERROR
}
