//! Where a job goes: to a number, or to a mailbox.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{book::Owner, names::ClientName, number::Number, options::Asked};

/// Where a job goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "most jobs are faxes, and a job is boxed as a whole")]
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
    /// The entry of the phone book that was meant; none where a number was written. It says
    /// what stood there when the fax was taken, and is never looked up again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Named>,
    /// What the address asks of the pages, or the phone book where a name was written.
    #[serde(default, skip_serializing_if = "Asked::is_nothing")]
    pub asked: Asked,
}

/// By which entry of the phone book a number was meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name of the entry that has the number.
    pub entry: String,
    /// Its company; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub company: String,
    /// The name of the list that was written and holds the entry; none where the entry
    /// itself was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Whose alias was written.
    pub owner: Owner,
}

impl Named {
    /// The owner, where that is not the sender.
    #[must_use]
    pub fn owner_besides(&self, sender: &ClientName) -> Option<&Owner> {
        Some(&self.owner).filter(|owner| **owner != Owner::Client(sender.clone()))
    }
}

impl FaxAddress {
    /// The number as an address of the fax domain (RFC 3191 2, RFC 3192 2).
    #[must_use]
    pub fn number_address(&self, domain: &str) -> String {
        match &self.subaddress {
            None => format!("{}@{domain}", self.number),
            Some(subaddress) => format!("FAX={}/T33S={subaddress}@{domain}", self.number),
        }
    }

    /// Who gets it: as it was written, or the number where a name was.
    #[must_use]
    pub fn final_recipient(&self, domain: &str) -> String {
        match self.named {
            None => self.as_written.clone(),
            Some(_) => self.number_address(domain),
        }
    }

    /// The number, with the name of its entry and what was written where there is one.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.named {
            None => self.number.to_string(),
            Some(named) => format!("{} ({}, {})", named.entry, self.as_written, self.number),
        }
    }
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
