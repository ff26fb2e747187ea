//! Modems on serial lines.

mod at;
mod class1;
mod dialogue;
