//! Logging in: a name as people type it and a mail password become a client, or a refusal
//! that does not say which of the two was wrong. Failures are counted together with those
//! at the doors to mail.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use postfax_domain::{
    audit::{Asker, Door, Line, Verdict},
    authority::Who,
    names::ClientName,
};
use postfax_gateway::desk::AuthRefusal;
use tokio::time::timeout;
use tracing::warn;

use super::{Shared, ber::Done, dn::Name, frame::Proof, object::Place, schema::Code};
use crate::{config::Config, daemon::now};

/// How long a client that logs in again from the same address is not noted again.
const NOTED_FOR: Duration = Duration::from_secs(10 * 60);
/// Most clients and addresses of which that is known.
const MAX_NOTED: usize = 10_000;
/// How long the audit log may take to save a line.
const NOTE_TIMEOUT: Duration = Duration::from_secs(10);
/// As much of a name that nobody has as goes into the log, in characters.
const MAX_WRITTEN: usize = 64;

/// Who logged in, and the password that it was by: when that changes, it counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) client: ClientName,
    epoch: Option<u64>,
}

impl Login {
    pub(super) fn still_holds(&self, config: &Config) -> bool {
        config.setup.clients.contains_key(&self.client) && epoch(config, &self.client) == self.epoch
    }
}

fn epoch(config: &Config, client: &ClientName) -> Option<u64> {
    config.access_of(client).password.as_ref().map(|password| password.epoch())
}

/// Whom the log knows already.
#[derive(Default)]
pub(super) struct Noted(Mutex<HashMap<(ClientName, IpAddr), Instant>>);

impl Noted {
    /// Whether that has to be noted now.
    fn is_new(&self, client: &ClientName, address: IpAddr, now: Instant) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NOTED {
            known.retain(|_, until| *until > now);
        }
        let key = (client.clone(), address);
        if known.get(&key).is_some_and(|until| *until > now) {
            return false;
        }
        if known.len() < MAX_NOTED {
            known.insert(key, now + NOTED_FOR);
        }
        true
    }

    /// The line could not be saved.
    fn forget(&self, client: &ClientName, address: IpAddr) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&(client.clone(), address));
    }
}

/// One who wants to log in.
pub(super) struct Attempt<'a> {
    pub(super) address: IpAddr,
    /// Whether nobody on the way can read the password.
    pub(super) safe: bool,
    pub(super) version: u8,
    pub(super) name: &'a str,
    pub(super) proof: Proof,
}

/// Logs in, or out where there is no name (RFC 4513 5.1.1).
pub(super) async fn bind(
    shared: &Shared,
    place: &Place,
    attempt: Attempt<'_>,
) -> (Option<Login>, Done) {
    let refused = |code, words: &str| (None, Done::new(code, words));
    if attempt.version != 3 {
        return refused(Code::ProtocolError, "only LDAPv3 is spoken here");
    }
    let Proof::Simple(password) = &attempt.proof else {
        return refused(Code::AuthMethodNotSupported, "log in with a name and a password");
    };
    match (attempt.name.trim().is_empty(), password.is_empty()) {
        (true, true) => return (None, Done::well()),
        // RFC 4513 5.1.2: a forgotten password is no anonymous login.
        (false, true) => return refused(Code::UnwillingToPerform, "the password is empty"),
        (_, false) if !attempt.safe => {
            let words = "encrypt first, by StartTLS or ldaps: the password crossed the network in \
                         the clear";
            return refused(Code::ConfidentialityRequired, words);
        }
        (_, false) => {}
    }
    let user = user(attempt.name, place);
    // Before it is looked at: a password that changes meanwhile is another one.
    let before = shared.context.config.load_full();
    let Ok(password) = std::str::from_utf8(password) else {
        return refused(Code::InvalidCredentials, "name or password is wrong");
    };
    let found = shared.desk.client_by_password(attempt.address, &user, password).await;
    match found {
        Ok(client) => {
            if note_login(shared, &client, attempt.address).await.is_err() {
                return refused(Code::Unavailable, "nothing can be saved at this moment");
            }
            let epoch = epoch(&before, &client);
            (Some(Login { client, epoch }), Done::well())
        }
        Err(AuthRefusal::WrongCredentials) => {
            let written: String = user.chars().take(MAX_WRITTEN).collect();
            warn!(address = %attempt.address, "a login by LDAP was refused");
            let who = Who::Stranger;
            let verdict = Verdict::Refused("name or password is wrong".into());
            // Refused it is in any case.
            let _ = note(shared, line(who, attempt.address, &written, verdict)).await;
            refused(Code::InvalidCredentials, "name or password is wrong")
        }
        Err(AuthRefusal::TooManyTries) => {
            refused(Code::Busy, "too many failed logins, try again later")
        }
        Err(AuthRefusal::Unavailable) => {
            refused(Code::Unavailable, "logins cannot be checked at the moment")
        }
    }
}

async fn note_login(shared: &Shared, client: &ClientName, address: IpAddr) -> Result<(), ()> {
    if !shared.noted.is_new(client, address, Instant::now()) {
        return Ok(());
    }
    let who = Who::Client(client.clone());
    let saved = note(shared, line(who, address, client.as_str(), Verdict::Allowed)).await;
    if saved.is_err() {
        shared.noted.forget(client, address);
    }
    saved
}

async fn note(shared: &Shared, line: Line) -> Result<(), ()> {
    match timeout(NOTE_TIMEOUT, shared.context.note(line)).await {
        Ok(Some(_)) => Ok(()),
        _ => Err(()),
    }
}

fn line(who: Who, address: IpAddr, user: &str, verdict: Verdict) -> Line {
    Line {
        at: now(),
        asker: Asker { who, door: Door::Ldap, from: address.to_string() },
        request: "ldap.bind".into(),
        object: format!("client:{user}"),
        verdict,
        before: None,
        after: None,
    }
}

/// Whom a name means: `uid=anna,ou=clients,BASE`, `uid=anna,BASE`, `cn=anna`, or what they
/// log in with elsewhere. A name that is none of these is nobody's, which takes as long.
fn user(name: &str, place: &Place) -> String {
    let name = name.trim();
    let read = Name::read(name).unwrap_or_default();
    let Some((first, rest)) = read.0.split_first() else { return name.to_owned() };
    let below = rest.strip_suffix(&place.base_name.0[..]);
    let fits = rest.is_empty()
        || below.is_some_and(|between| match between {
            [] => true,
            [folder] => folder.only("ou").is_some(),
            _ => false,
        });
    let value = ["uid", "cn", "mail"].into_iter().find_map(|kind| first.only(kind));
    value.filter(|_| fits).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_type_them() {
        let place = Place::new(&[("dc".into(), "fax".into()), ("dc".into(), "example".into())]);
        for (name, whom) in [
            ("anna", "anna"),
            (" anna@example.com ", "anna@example.com"),
            ("uid=anna,ou=clients,dc=fax,dc=example", "anna"),
            ("UID=anna, OU=people, DC=Fax, DC=Example", "anna"),
            ("cn=anna,dc=fax,dc=example", "anna"),
            ("cn=anna", "anna"),
            ("mail=anna@example.com", "anna@example.com"),
            ("uid=anna,ou=clients,dc=other", "uid=anna,ou=clients,dc=other"),
            ("ou=anna", "ou=anna"),
            ("a=b@example.com", "a=b@example.com"),
        ] {
            assert_eq!(user(name, &place), whom, "{name}");
        }
    }

    #[test]
    fn one_line_for_many_logins_of_a_client_from_one_address() {
        let (noted, now) = (Noted::default(), Instant::now());
        let anna = ClientName::new("anna").unwrap();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!(noted.is_new(&anna, one, now) && !noted.is_new(&anna, one, now));
        assert!(noted.is_new(&anna, other, now));
        assert!(noted.is_new(&anna, one, now + NOTED_FOR));
        noted.forget(&anna, other);
        assert!(noted.is_new(&anna, other, now));
    }
}
