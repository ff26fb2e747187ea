//! Messages as they come in.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postfax_fuzz::message(octets));
