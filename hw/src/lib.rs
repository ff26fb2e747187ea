//! Fax servers and pages. Knows no mail and none of the daemon.
//!
//! [`driver`] says what a fax server must be able to do, [`hylafax`] does it over
//! HylaFAX's client protocol and [`mod@ipp`] by IPP FaxOut, and [`conformance`] is the
//! suite that every kind passes; [`notes`] and [`hint`] help those that know little of a
//! fax later. [`pages`] makes the canonical pages of a fax out of documents, in the
//! confined child of [`render`]. [`exchange`] is a telephone exchange in software
//! for tests, the demo and everyone who has no line, and [`lab`] joins whole fax
//! servers to it.

pub mod conformance;
pub mod driver;
pub mod exchange;
pub mod hint;
pub mod hylafax;
pub mod ipp;
pub mod lab;
pub mod line;
pub mod notes;
pub mod pages;
pub mod render;
mod spandsp;
pub mod t30;
mod urgent;
