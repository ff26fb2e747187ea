//! T.4 and T.6.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postfax_fuzz::codec(octets));
