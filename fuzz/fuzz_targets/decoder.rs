//! The end of data, and the checks of chunks.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postfax_fuzz::decoder(octets));
