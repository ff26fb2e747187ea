//! The command line: what can be typed ([`args`]), how a running Postfax is asked
//! ([`client`]), and how its answers look ([`render`]). Nothing is decided here:
//! whoever has the socket can ask the same in the same words.

pub(crate) mod args;
mod ask;
mod client;
mod exit;
mod manual;
mod passwd;
mod render;
mod watch;

pub(crate) use ask::{plain, run as ask};
pub(crate) use exit::{Exit, Failure};
pub(crate) use manual::{completions, man};
pub(crate) use passwd::passwd;
