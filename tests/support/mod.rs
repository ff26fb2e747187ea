//! What the stories need: a laboratory of fax servers, the daemon in a folder of
//! its own, a mailbox, and clients. Everything runs on this machine and ends with
//! the test.
#![allow(dead_code, reason = "each story uses a part of it")]

pub mod book;
pub mod book_mail;
pub mod dns;
pub mod dovecot;
pub mod hook;
pub mod http;
pub mod ippeve;
pub mod lab;
pub mod ldap;
pub mod ledger;
pub mod mta;
pub mod mta_base;
pub mod mta_offramp;
pub mod mta_postfix;
pub mod pages;
pub mod postfax;
pub mod programs;
pub mod proof;
pub mod relay;
pub mod sink;
pub mod slow;
pub mod text;
pub mod users;
pub mod wire;

use std::time::{Duration, Instant};

/// Waits until `seen` has a value, and panics with `what` when it takes longer than
/// `seconds`.
pub fn wait_for<T>(what: &str, seconds: u64, mut seen: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = seen() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {seconds} s in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
