//! Fax modems on serial ports.

mod class2;
mod dialogue;
