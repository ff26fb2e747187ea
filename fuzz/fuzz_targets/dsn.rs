//! What a client says about receipts.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postfax_fuzz::dsn(octets));
