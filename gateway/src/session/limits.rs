//! What bounds one connection.

use std::time::Duration;

use crate::data::Bounds;

/// The limits of one connection.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest message in octets.
    pub max_message_bytes: u64,
    /// Longest line of a message with its CRLF, in octets; RFC 5321 4.5.3.1.6 asks for 1000.
    pub max_line_bytes: usize,
    /// How much of a refused message is read in search of its end, in octets.
    pub max_discard_bytes: u64,
    /// Most recipients of one message; RFC 5321 4.5.3.1.8 asks for 100.
    pub max_recipients: usize,
    /// Most messages of one connection.
    pub max_messages: u32,
    /// Most commands between two messages that bring no message nearer: NOOP, RSET,
    /// VRFY, HELP, HELO and EHLO.
    pub max_idle_commands: u32,
    /// Most mistakes of one connection.
    pub max_errors: u32,
    /// Most refusals by the desk on one connection.
    pub max_refusals: u32,
    /// Most failed logins of one connection.
    pub max_auth_failures: u32,
    /// How long a mail may be held before it goes out, in seconds, at most 999 999 999
    /// (RFC 4865 3); 0 offers no FUTURERELEASE.
    pub max_hold_s: u32,
    /// The least time that a mail which is to be given back may have, in seconds
    /// (RFC 2852 3); none offers no DELIVERBY.
    pub min_deliver_by_s: Option<u32>,
    /// How long the answer to a failed login is held back, in milliseconds.
    pub auth_delay_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_bytes: 50 << 20,
            max_line_bytes: 65_536,
            max_discard_bytes: 200 << 20,
            max_recipients: 200,
            max_messages: 1000,
            max_idle_commands: 100,
            max_errors: 20,
            max_refusals: 200,
            max_auth_failures: 3,
            max_hold_s: 30 * 24 * 3600,
            min_deliver_by_s: Some(60),
            auth_delay_ms: 2000,
        }
    }
}

impl Limits {
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            max_message_bytes: self.max_message_bytes,
            max_line_bytes: self.max_line_bytes,
            max_discard_bytes: self.max_discard_bytes,
        }
    }

    pub(super) fn auth_delay(&self) -> Duration {
        Duration::from_millis(self.auth_delay_ms)
    }
}
