//! Whether somebody may do something: the one place where that is decided. Pure, so
//! that every answer can be put into a table.
//!
//! A grant of `server:NAME` reaches that server and the jobs that it carried or received.
//! One of `group:NAME` reaches the servers and the clients of the group, and their jobs.
//! One of `supervisor` reaches everything.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{Scope, Verb};
use crate::{
    destination::Destination,
    job::{Carrier, Cause, Job},
    names::{ClientName, ServerName},
    setup::Setup,
};

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Who {
    /// Root on this host, or the user that runs Postfax: holds everything.
    Administrator,
    /// A client: holds what it was granted.
    Client(ClientName),
    /// Somebody who is no client: holds nothing.
    Stranger,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Administrator => f.write_str("the administrator"),
            Self::Client(name) => name.fmt(f),
            Self::Stranger => f.write_str("a stranger"),
        }
    }
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// One fax server.
    Server(&'a ServerName),
    /// One client.
    Client(&'a ClientName),
    /// A job: its sender and receiver may always see and stop it.
    Job(&'a Job),
    /// Everything.
    Supervisor,
}

/// A verb that was not held where it was needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{who} may not: that needs {verb} on {on}")]
pub struct Missing {
    /// Who asked.
    pub who: Who,
    /// What is missing.
    pub verb: Verb,
    /// The scopes of which one would do, in words.
    pub on: String,
}

/// Whether `who` may do `verb` to `target`.
///
/// # Errors
/// [`Missing`] names the verb, and the scopes at which it would suffice.
pub fn check(setup: &Setup, who: &Who, verb: Verb, target: Target<'_>) -> Result<(), Missing> {
    let name = match who {
        Who::Administrator => return Ok(()),
        Who::Client(name) => Some(name),
        Who::Stranger => None,
    };
    if let (Target::Job(job), Some(name)) = (target, name)
        && matches!(verb, Verb::JobsSee | Verb::JobsCancel)
        && parties(job).contains(&name)
    {
        return Ok(());
    }
    let scopes = scopes(setup, target);
    if name.is_some_and(|name| scopes.iter().any(|scope| holds(setup, name, verb, scope))) {
        return Ok(());
    }
    let on: Vec<String> = scopes.iter().map(Scope::to_string).collect();
    Err(Missing { who: who.clone(), verb, on: on.join(" or ") })
}

/// Whether a client was granted `verb` at exactly this scope or at the supervisor.
#[must_use]
pub fn holds(setup: &Setup, client: &ClientName, verb: Verb, scope: &Scope) -> bool {
    let Some(client) = setup.clients.get(client) else { return false };
    client.grants.iter().any(|grant| {
        (grant.scope == *scope || grant.scope == Scope::Supervisor)
            && setup.roles.get(&grant.role).is_some_and(|role| role.may.contains(&verb))
    })
}

/// Whether any client holds `verb` at the supervisor.
#[must_use]
pub fn someone_holds(setup: &Setup, verb: Verb) -> bool {
    setup.clients.keys().any(|client| holds(setup, client, verb, &Scope::Supervisor))
}

/// The scopes of which each reaches the target, the narrowest first.
fn scopes(setup: &Setup, target: Target<'_>) -> Vec<Scope> {
    let mut scopes = Vec::new();
    match target {
        Target::Server(name) => of_server(setup, name, &mut scopes),
        Target::Client(name) => of_client(setup, name, &mut scopes),
        Target::Job(job) => {
            for name in servers(job) {
                of_server(setup, name, &mut scopes);
            }
            for name in parties(job) {
                of_client(setup, name, &mut scopes);
            }
        }
        Target::Supervisor => {}
    }
    scopes.push(Scope::Supervisor);
    let mut seen = BTreeSet::new();
    scopes.retain(|scope| seen.insert(scope.clone()));
    scopes
}

fn of_server(setup: &Setup, name: &ServerName, scopes: &mut Vec<Scope>) {
    scopes.push(Scope::Server(name.clone()));
    let server = setup.servers.get(name);
    scopes.extend(server.into_iter().flat_map(|s| &s.groups).cloned().map(Scope::Group));
}

fn of_client(setup: &Setup, name: &ClientName, scopes: &mut Vec<Scope>) {
    let client = setup.clients.get(name);
    scopes.extend(client.into_iter().flat_map(|c| &c.groups).cloned().map(Scope::Group));
}

/// The clients whose job it is.
pub(super) fn parties(job: &Job) -> Vec<&ClientName> {
    let receiver = match &job.destination {
        Destination::Mailbox(mailbox) => mailbox.client.as_ref(),
        _ => None,
    };
    job.sender().map(|sent| &sent.client).into_iter().chain(receiver).collect()
}

/// The servers that carried or received it.
fn servers(job: &Job) -> Vec<&ServerName> {
    let received = match &job.cause {
        Cause::Arrived(fax) => Some(&fax.server),
        _ => None,
    };
    let carried = job.attempts.iter().filter_map(|attempt| match &attempt.carrier {
        Carrier::Server(name) => Some(name),
        Carrier::Mail => None,
    });
    received.into_iter().chain(carried).collect()
}

/// Something that a change would allow and that its author may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this would allow {to} {verb} on {reach}, which {author} may not do: nobody grants what they do not hold"
)]
pub struct Excess {
    /// Who changes something.
    pub author: Who,
    /// Who could then do more.
    pub to: ClientName,
    /// What.
    pub verb: Verb,
    /// To what: a scope as it is written.
    pub reach: String,
}

/// The first thing that somebody could do under `new` and not under `old`, and that
/// `author` may not do under `old`. A grant is one way to it; a role with more verbs, a
/// server in another group and a client's groups are others.
#[must_use]
pub fn excess(old: &Setup, new: &Setup, author: &Who) -> Option<Excess> {
    let own = match author {
        Who::Administrator => return None,
        Who::Client(by) => reach(old, by),
        Who::Stranger => BTreeSet::new(),
    };
    new.clients.keys().find_map(|client| {
        let had = reach(old, client);
        let known = |one: &(Verb, Reached)| covers(&had, one) || covers(&own, one);
        let (verb, beyond) = reach(new, client).into_iter().find(|one| !known(one))?;
        Some(Excess { author: author.clone(), to: client.clone(), verb, reach: beyond.to_string() })
    })
}

/// What a verb reaches: a scope that was granted, and each server and client in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reached {
    Scope(Scope),
    Client(ClientName),
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scope) => scope.fmt(f),
            Self::Client(name) => write!(f, "client:{name}"),
        }
    }
}

fn covers(reach: &BTreeSet<(Verb, Reached)>, (verb, reached): &(Verb, Reached)) -> bool {
    reach.contains(&(*verb, reached.clone()))
        || reach.contains(&(*verb, Reached::Scope(Scope::Supervisor)))
}

fn reach(setup: &Setup, client: &ClientName) -> BTreeSet<(Verb, Reached)> {
    let mut reach = BTreeSet::new();
    let Some(client) = setup.clients.get(client) else { return reach };
    for grant in &client.grants {
        let Some(role) = setup.roles.get(&grant.role) else { continue };
        let mut reached = BTreeSet::from([Reached::Scope(grant.scope.clone())]);
        if let Scope::Group(group) = &grant.scope {
            let servers = setup.servers.iter().filter(|(_, server)| server.groups.contains(group));
            reached.extend(servers.map(|(name, _)| Reached::Scope(Scope::Server(name.clone()))));
            let clients = setup.clients.iter().filter(|(_, client)| client.groups.contains(group));
            reached.extend(clients.map(|(name, _)| Reached::Client(name.clone())));
        }
        for verb in &role.may {
            reach.extend(reached.iter().map(|one| (*verb, one.clone())));
        }
    }
    reach
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::{Grant, Role},
        names::{GroupName, RoleName},
        supervisor::test_setup,
    };

    fn client(name: &str) -> ClientName {
        ClientName::new(name).unwrap()
    }

    fn role(may: &[Verb]) -> Role {
        Role { may: may.iter().copied().collect() }
    }

    /// Anna administers london-1, Bert all of london, Carl everything, and Dora nothing.
    fn setup() -> Setup {
        let mut setup = test_setup();
        let first = setup.clients.values().next().unwrap().clone();
        let group = |name: &str| GroupName::new(name).unwrap();
        setup.clients.clear();
        setup.roles = [
            ("writer", role(&[Verb::SettingsRead, Verb::SettingsWrite, Verb::JobsSee])),
            ("reader", role(&[Verb::SettingsRead])),
            ("chief", role(&[Verb::ConfigWrite])),
        ]
        .map(|(name, role)| (RoleName::new(name).unwrap(), role))
        .into();
        for (name, grants) in [
            ("anna", &["writer@server:london-1"][..]),
            ("bert", &["reader@group:london", "writer@group:paris"]),
            ("carl", &["writer@supervisor", "chief@supervisor"]),
            ("dora", &[]),
        ] {
            let grant = |text: &&str| {
                let (role, scope) = text.split_once('@').unwrap();
                Grant { role: RoleName::new(role).unwrap(), scope: scope.parse().unwrap() }
            };
            let grants = grants.iter().map(grant).collect();
            let groups = [group("london")].into();
            let new = crate::setup::Client { grants, groups, ..first.clone() };
            setup.clients.insert(client(name), new);
        }
        let any = setup.servers.values().next().unwrap().clone();
        setup.servers.clear();
        for (name, of) in [("london-1", "london"), ("london-2", "london"), ("paris-1", "paris")] {
            let server = crate::setup::Server { groups: [group(of)].into(), ..any.clone() };
            setup.servers.insert(ServerName::new(name).unwrap(), server);
        }
        setup
    }

    #[test]
    fn what_is_granted_is_allowed_and_nothing_else() {
        let setup = setup();
        use Verb::{ConfigWrite, SettingsRead, SettingsWrite};
        for (who, verb, server, missing) in [
            ("anna", SettingsWrite, Some("london-1"), None),
            (
                "anna",
                SettingsWrite,
                Some("london-2"),
                Some("server:london-2 or group:london or supervisor"),
            ),
            ("anna", SettingsWrite, None, Some("supervisor")),
            ("bert", SettingsRead, Some("london-2"), None),
            (
                "bert",
                SettingsWrite,
                Some("london-2"),
                Some("server:london-2 or group:london or supervisor"),
            ),
            ("bert", SettingsWrite, Some("paris-1"), None),
            ("carl", SettingsWrite, Some("paris-1"), None),
            ("carl", ConfigWrite, None, None),
            ("carl", Verb::AuditSee, None, Some("supervisor")),
            (
                "dora",
                SettingsRead,
                Some("london-1"),
                Some("server:london-1 or group:london or supervisor"),
            ),
            ("nobody", SettingsRead, Some("london-1"), Some("supervisor")),
            ("anna", SettingsRead, Some("gone"), Some("server:gone or supervisor")),
        ] {
            let server = server.map(|name| ServerName::new(name).unwrap());
            let target = server.as_ref().map_or(Target::Supervisor, Target::Server);
            let asker = Who::Client(client(who));
            let found = check(&setup, &asker, verb, target);
            match (found, missing) {
                (Ok(()), None) => {}
                (Err(found), Some(on)) => {
                    assert!(found.on.contains(on), "{who} {verb:?}: {found}");
                    assert!(found.to_string().contains(verb.as_str()), "{found}");
                }
                (found, _) => panic!("{who} {verb:?} {target:?}: {found:?}"),
            }
            assert_eq!(check(&setup, &Who::Administrator, verb, target), Ok(()));
            assert!(check(&setup, &Who::Stranger, verb, target).is_err());
        }
    }

    #[test]
    fn nobody_grants_what_they_do_not_hold() {
        let old = setup();
        let grant = |setup: &mut Setup, to: &str, role: &str, scope: &str| {
            let grant = Grant { role: RoleName::new(role).unwrap(), scope: scope.parse().unwrap() };
            setup.clients.get_mut(&client(to)).unwrap().grants.push(grant);
        };
        type Change<'a> = &'a dyn Fn(&mut Setup);
        let table: [(&str, Change<'_>, Option<&str>); 7] = [
            ("anna", &|s| grant(s, "dora", "reader", "server:london-1"), None),
            (
                "anna",
                &|s| grant(s, "dora", "reader", "server:london-2"),
                Some("settings.read on server:london-2"),
            ),
            ("anna", &|s| grant(s, "dora", "reader", "group:london"), Some("settings.read on")),
            (
                "anna",
                &|s| grant(s, "dora", "chief", "supervisor"),
                Some("config.write on supervisor"),
            ),
            ("carl", &|s| grant(s, "dora", "chief", "supervisor"), None),
            // A role that everybody has is as good as a grant.
            (
                "bert",
                &|s| {
                    let reader = RoleName::new("reader").unwrap();
                    s.roles.get_mut(&reader).unwrap().may.insert(Verb::AuditSee);
                },
                Some("audit.see on"),
            ),
            // So is a server that moves into a group.
            (
                "dora",
                &|s| {
                    let paris = ServerName::new("london-1").unwrap();
                    let group = GroupName::new("paris").unwrap();
                    s.servers.get_mut(&paris).unwrap().groups.insert(group);
                },
                Some("settings.write on server:london-1"),
            ),
        ];
        for (author, change, refused) in table {
            let mut new = old.clone();
            change(&mut new);
            let found = excess(&old, &new, &Who::Client(client(author))).map(|e| e.to_string());
            match (&found, refused) {
                (None, None) => {}
                (Some(found), Some(words)) => assert!(found.contains(words), "{found}"),
                _ => panic!("{author}: {found:?} where {refused:?} was expected"),
            }
            assert_eq!(excess(&old, &new, &Who::Administrator), None);
        }
    }

    #[test]
    fn somebody_must_hold_it() {
        let mut setup = setup();
        assert!(someone_holds(&setup, Verb::ConfigWrite));
        setup.clients.remove(&client("carl"));
        assert!(!someone_holds(&setup, Verb::ConfigWrite));
        assert!(!someone_holds(&setup, Verb::SettingsWrite), "a scope is not everything");
    }
}
