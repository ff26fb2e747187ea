//! What somebody gets to see of servers and jobs. What they may not see does not exist
//! for them.

use super::{
    Target, Verb, Who,
    check::{check, holds, parties},
};
use crate::{
    authority::Scope,
    job::Job,
    names::{ClientName, ServerName},
    setup::Setup,
};

/// The eyes of one who asks.
#[derive(Debug, Clone)]
pub struct Sight<'a> {
    setup: &'a Setup,
    who: &'a Who,
    jobs: Jobs,
}

/// Which jobs somebody sees, as far as that can be said without looking at them: a list
/// may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jobs {
    All,
    Granted,
    Own,
}

impl<'a> Sight<'a> {
    /// What `who` gets to see.
    #[must_use]
    pub fn new(setup: &'a Setup, who: &'a Who) -> Self {
        let jobs = match who {
            Who::Administrator => Jobs::All,
            Who::Stranger => Jobs::Granted,
            Who::Client(name) if holds(setup, name, Verb::JobsSee, &Scope::Supervisor) => Jobs::All,
            Who::Client(name) => {
                let grants = setup.clients.get(name).map_or(&[][..], |client| &client.grants);
                let sees =
                    |role| setup.roles.get(role).is_some_and(|r| r.may.contains(&Verb::JobsSee));
                if grants.iter().any(|grant| sees(&grant.role)) { Jobs::Granted } else { Jobs::Own }
            }
        };
        Self { setup, who, jobs }
    }

    /// The client that sees only its own jobs, if that is all it sees.
    #[must_use]
    pub fn only_of(&self) -> Option<&'a ClientName> {
        match (self.jobs, self.who) {
            (Jobs::Own, Who::Client(name)) => Some(name),
            _ => None,
        }
    }

    /// Whether a job exists for them: their own, and those that they were granted.
    #[must_use]
    pub fn job(&self, job: &Job) -> bool {
        match (self.jobs, self.who) {
            (Jobs::All, _) => true,
            (Jobs::Own, Who::Client(name)) => parties(job).contains(&name),
            _ => check(self.setup, self.who, Verb::JobsSee, Target::Job(job)).is_ok(),
        }
    }

    /// Whether they may know by which entry of the phone book a fax was sent: the entry may be
    /// one that only its sender sees.
    #[must_use]
    pub fn names(&self, job: &Job) -> bool {
        match self.who {
            Who::Administrator => true,
            Who::Client(name) => job.sender().is_some_and(|sent| sent.client == *name),
            Who::Stranger => false,
        }
    }

    /// Whether a server exists for them: one that they share a group with, or whose
    /// settings or jobs they may see.
    #[must_use]
    pub fn server(&self, name: &ServerName) -> bool {
        let shares = match self.who {
            Who::Administrator => true,
            Who::Client(client) => self.setup.share_group(client, name),
            Who::Stranger => false,
        };
        shares || self.inside(name)
    }

    /// Whether they may know what a server says of its lines, which names numbers that
    /// others call.
    #[must_use]
    pub fn inside(&self, name: &ServerName) -> bool {
        let may = |verb| check(self.setup, self.who, verb, Target::Server(name)).is_ok();
        may(Verb::JobsSee) || may(Verb::SettingsRead)
    }

    /// Whether they may know how a server is set.
    #[must_use]
    pub fn settings(&self, name: &ServerName) -> bool {
        check(self.setup, self.who, Verb::SettingsRead, Target::Server(name)).is_ok()
    }
}
