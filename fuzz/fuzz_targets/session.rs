//! Whole sessions, of whatever a client may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postfax_fuzz::session(octets));
