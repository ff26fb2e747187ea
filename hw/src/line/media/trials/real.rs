//! Calls in real time.
