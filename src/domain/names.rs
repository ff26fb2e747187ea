//! The names that a configuration gives to things, and the numbers that the
//! supervisor gives to jobs. Each is a type of its own, so that a server can
//! never stand where a client is meant.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// Longest name that a configuration may give, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// A name that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{name}\" is no usable name: {why}")]
pub struct BadName {
    /// The name as it was written.
    pub name: String,
    /// What would be right.
    pub why: &'static str,
}

fn checked(name: &str) -> Result<Arc<str>, BadName> {
    let fail = |why| Err(BadName { name: name.to_owned(), why });
    if name.is_empty() {
        return fail("it is empty");
    }
    if name.len() > MAX_NAME_BYTES {
        return fail("it is longer than 64 bytes");
    }
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return fail("use letters, digits, '-', '_' and '.'");
    }
    Ok(name.into())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes a name made of 1 to 64 letters, digits, `-`, `_` and `.`.
            ///
            /// # Errors
            /// [`BadName`] says what is wrong with any other.
            pub fn new(name: &str) -> Result<Self, BadName> {
                checked(name).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::new(&name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A person or system that sends or receives faxes.
    ClientName
);
name!(
    /// Something that places and answers fax calls.
    ServerName
);
name!(
    /// A set of clients and servers; faxes pass only inside it.
    GroupName
);
name!(
    /// A named set of verbs that can be granted at a scope.
    RoleName
);

name!(
    /// Somebody who is told by HTTP of what has happened.
    HookName
);

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $type(pub u64);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// The number of a job, unique in one installation for ever.
    JobId
);
id!(
    /// Whoever waits for an answer of the supervisor; gone when the process ends.
    Token
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(ClientName::new("anna").unwrap().as_str(), "anna");
        assert!(ServerName::new("london-1").is_ok());
        for bad in ["", "a b", "né", &"x".repeat(65)] {
            assert!(GroupName::new(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<ClientName>("\"a b\"").is_err());
    }
}
