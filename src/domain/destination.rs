//! Where a job goes: to a number, or to a mailbox.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{names::ClientName, number::Number};

/// Where a job goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Destination {
    /// A fax machine.
    Fax(FaxAddress),
    /// A mailbox, by way of the mail relay.
    Mailbox(Mailbox),
    /// Nobody yet: a fax that no route took. It waits for an administrator.
    Unrouted,
}

/// A fax machine, and what is behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaxAddress {
    /// The number to call.
    pub number: Number,
    /// T.33 sub-address (RFC 3192 2).
    pub subaddress: Option<String>,
    /// Whom the fax is for, where the address said so.
    pub attention: Option<String>,
    /// The recipient exactly as the mail client wrote it (RFC 3464 2.3.2).
    pub as_written: String,
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailbox {
    /// The mail address.
    pub address: String,
    /// The client that it belongs to, where it is one.
    pub client: Option<ClientName>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fax(fax) => fax.number.fmt(f),
            Self::Mailbox(mailbox) => f.write_str(&mailbox.address),
            Self::Unrouted => f.write_str("(unrouted)"),
        }
    }
}
