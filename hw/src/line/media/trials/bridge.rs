//! Calls through a gateway.
