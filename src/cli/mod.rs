//! The command line: what can be typed ([`args`]), how a running Postfax is asked
//! ([`client`]), and how its answers look ([`render`]). Nothing is decided here:
//! whoever has the socket can ask the same in the same words.

pub(crate) mod args;
mod ask;
mod book;
mod client;
mod configure;
mod exit;
mod log;
mod manual;
mod pages;
mod passwd;
mod render;
mod settings;
mod token;
mod watch;

pub(crate) use args::time;
pub(crate) use ask::{is_running, plain, run as ask, show};
pub(crate) use configure::configure;
pub(crate) use exit::{Exit, Failure};
pub(crate) use log::begin as begin_log;
pub(crate) use manual::{completions, man};
pub(crate) use pages::run as pages;
pub(crate) use passwd::passwd;
pub(crate) use token::token;
