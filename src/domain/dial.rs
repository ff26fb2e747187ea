//! Dial rules: which servers, in which order, may call which numbers for whom.

use serde::{Deserialize, Serialize};

use crate::{
    names::{ClientName, GroupName, ServerName},
    number::{Number, Pattern},
    setup::Setup,
};

/// One rule; the first that matches decides.
#[derive(Debug, Clone)]
pub struct DialRule {
    /// The numbers that it is about.
    pub to: Pattern,
    /// The senders that it is about; empty means everyone.
    pub from: Vec<Party>,
    /// What it says of them.
    pub verdict: Verdict,
}

/// Who is meant by a rule, or by the label of a phone-book entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// One client.
    Client(ClientName),
    /// Every client of a group.
    Group(GroupName),
}

/// What a dial rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// These servers and no others, in the order of preference.
    Via(Vec<ServerName>),
    /// Nobody calls there, for this reason.
    Refuse(String),
}

impl Party {
    /// Whether the client is meant.
    #[must_use]
    pub fn includes(&self, client: &ClientName, setup: &Setup) -> bool {
        match self {
            Self::Client(name) => name == client,
            Self::Group(group) => {
                setup.clients.get(client).is_some_and(|c| c.groups.contains(group))
            }
        }
    }
}

/// The first rule that is about this call, with its place in the configuration, counted from 1.
#[must_use]
pub fn first_match<'a>(
    setup: &'a Setup,
    from: &ClientName,
    to: &Number,
) -> Option<(usize, &'a DialRule)> {
    (1..).zip(&setup.dial).find(|(_, rule)| {
        rule.to.matches(to.as_str())
            && (rule.from.is_empty() || rule.from.iter().any(|party| party.includes(from, setup)))
    })
}
