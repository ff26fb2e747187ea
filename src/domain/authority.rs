//! Authority: what a client may do beyond sending and receiving.
//!
//! A verb on a scope, granted through a role. Every client may always see and
//! cancel its own jobs; that is not a grant.

mod check;
mod sight;

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::names::{GroupName, RoleName, ServerName};

pub use check::{Excess, Missing, Target, Who, check, excess, holds, someone_holds};
pub use sight::Sight;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// Something that a client may be allowed to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Verb { $($(#[$doc])* #[serde(rename = $text)] $name),* }

        impl Verb {
            /// All verbs.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The verb as configurations write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

verbs! {
    /// See the settings of fax servers.
    SettingsRead = "settings.read",
    /// Change the settings of fax servers.
    SettingsWrite = "settings.write",
    /// See the supervisor's configuration.
    ConfigRead = "config.read",
    /// Change the supervisor's configuration.
    ConfigWrite = "config.write",
    /// See the jobs of others.
    JobsSee = "jobs.see",
    /// Stop the jobs of others.
    JobsCancel = "jobs.cancel",
    /// See received faxes that nobody got.
    InboundSee = "inbound.see",
    /// Change public phone-book entries.
    BookWrite = "book.write",
    /// See the audit log.
    AuditSee = "audit.see",
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|verb| verb.as_str() == text).ok_or(())
    }
}

/// What a grant reaches.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// One fax server.
    Server(ServerName),
    /// A group: its servers and its clients.
    Group(GroupName),
    /// Everything.
    Supervisor,
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("server", name)) => {
                ServerName::new(name).map(Self::Server).map_err(|bad| bad.to_string())
            }
            Some(("group", name)) => {
                GroupName::new(name).map(Self::Group).map_err(|bad| bad.to_string())
            }
            None if text == "supervisor" => Ok(Self::Supervisor),
            _ => Err(format!("\"{text}\" is no scope: use server:NAME, group:NAME or supervisor")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => write!(f, "server:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Supervisor => f.write_str("supervisor"),
        }
    }
}

/// A named set of verbs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// What it allows.
    pub may: BTreeSet<Verb>,
}

/// A role at a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: RoleName,
    /// Where it holds.
    pub scope: Scope,
}
