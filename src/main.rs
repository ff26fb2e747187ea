//! Postfax.
fn main() {}
