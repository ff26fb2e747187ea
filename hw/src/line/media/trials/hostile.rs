//! What hostile packets do.
