//! Not built yet.

use crate::cli::{Exit, Failure, args::Demo};

pub(crate) fn run(_demo: Demo) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Bug, "postfax demo is not built yet"))
}
