//! Quotas: how much a client, or all clients of a group together, may send in a day.
//! What was used is counted in intervals of ten minutes and forgotten after 24 hours,
//! so that a quota comes back bit by bit and never at a stroke of midnight.
//!
//! A call is a fax to one number, however often it is dialled. What a client used
//! counts for each group that it was in then.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::{Add, AddAssign},
    time::Duration,
};

use crate::{
    destination::Destination,
    job::Job,
    names::{ClientName, GroupName},
    number::{Country, Number},
    setup::Setup,
    time::Timestamp,
};

/// How long what was used counts.
pub const DAY: Duration = Duration::from_secs(24 * 3600);
/// What was used in one interval, in milliseconds, is forgotten together.
const INTERVAL_MS: i64 = 10 * 60 * 1000;

/// How much may be used in 24 hours; what is not given is without limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Pages, counted for each number that they go to.
    pub pages_a_day: Option<u32>,
    /// Faxes.
    pub calls_a_day: Option<u32>,
    /// Faxes to numbers of other countries.
    pub calls_abroad_a_day: Option<u32>,
}

impl Quota {
    /// Whether it limits anything.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        *self != Self::default()
    }

    fn limits(self) -> [(Kind, Option<u32>); 3] {
        [
            (Kind::Pages, self.pages_a_day),
            (Kind::Calls, self.calls_a_day),
            (Kind::CallsAbroad, self.calls_abroad_a_day),
        ]
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pages.
    Pages,
    /// Faxes.
    Calls,
    /// Faxes to other countries.
    CallsAbroad,
}

/// What was used, or is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Pages.
    pub pages: u32,
    /// Faxes.
    pub calls: u32,
    /// Those of them to other countries.
    pub abroad: u32,
}

impl Used {
    /// What one fax uses.
    #[must_use]
    pub fn by_fax(to: &Number, pages: u32, home: Country) -> Self {
        Self { pages, calls: 1, abroad: to.is_abroad(home).into() }
    }

    fn of(self, kind: Kind) -> u32 {
        match kind {
            Kind::Pages => self.pages,
            Kind::Calls => self.calls,
            Kind::CallsAbroad => self.abroad,
        }
    }
}

impl Add for Used {
    type Output = Self;
    fn add(self, more: Self) -> Self {
        Self {
            pages: self.pages.saturating_add(more.pages),
            calls: self.calls.saturating_add(more.calls),
            abroad: self.abroad.saturating_add(more.abroad),
        }
    }
}

impl AddAssign for Used {
    fn add_assign(&mut self, more: Self) {
        *self = *self + more;
    }
}

/// Whose quota it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A client.
    Client(ClientName),
    /// All clients of a group together.
    Group(GroupName),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client {name}"),
            Self::Group(name) => write!(f, "group {name}"),
        }
    }
}

/// A quota that would be exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedUp {
    /// Whose.
    pub holder: Holder,
    /// What it is a quota of.
    pub kind: Kind,
    /// How much it is in 24 hours.
    pub limit: u32,
    /// From when on there is enough of it; `None` when it can never be enough.
    pub again: Option<Timestamp>,
}

impl fmt::Display for UsedUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Pages => "pages",
            Kind::Calls => "faxes",
            Kind::CallsAbroad => "faxes abroad",
        };
        let Self { holder, limit, again, .. } = self;
        match again {
            Some(_) => write!(f, "the quota of {holder} of {limit} {kind} a day is used up"),
            None => write!(f, "more than the whole quota of {holder} of {limit} {kind} a day"),
        }
    }
}

/// A fax of the last 24 hours, as an earlier life has left it.
#[derive(Debug, Clone)]
pub struct Spent {
    /// Who sent it.
    pub client: ClientName,
    /// When it was accepted.
    pub at: Timestamp,
    /// Where it goes.
    pub to: Number,
    /// How many pages it has.
    pub pages: u32,
}

impl Spent {
    /// What a job is to the quota of its sender; `None` for all but faxes out.
    #[must_use]
    pub fn of(job: &Job) -> Option<Self> {
        let (sent, Destination::Fax(fax)) = (job.sender()?, &job.destination) else { return None };
        Some(Self {
            client: sent.client.clone(),
            at: job.created,
            to: fax.number.clone(),
            pages: job.pages(),
        })
    }
}

/// What was used by everyone in the last 24 hours.
#[derive(Debug, Clone, Default)]
pub struct Ledger(BTreeMap<Holder, VecDeque<(Timestamp, Used)>>);

impl Ledger {
    /// What an earlier life has left.
    #[must_use]
    pub fn restore(setup: &Setup, spent: &[Spent], now: Timestamp) -> Self {
        let mut ledger = Self::default();
        let mut spent: Vec<&Spent> = spent.iter().collect();
        spent.sort_by_key(|fax| fax.at);
        for fax in spent.into_iter().filter(|fax| fax.at > now - DAY) {
            let used = Used::by_fax(&fax.to, fax.pages, setup.country);
            ledger.charge(setup, &fax.client, used, fax.at);
        }
        ledger
    }

    /// Notes what a client has used.
    pub fn charge(&mut self, setup: &Setup, client: &ClientName, used: Used, now: Timestamp) {
        for (holder, _) in holders(setup, client) {
            let intervals = self.0.entry(holder).or_default();
            while intervals.front().is_some_and(|(end, _)| *end + DAY <= now) {
                intervals.pop_front();
            }
            let end = Timestamp((now.0.div_euclid(INTERVAL_MS) + 1) * INTERVAL_MS);
            match intervals.back_mut() {
                Some((last, sum)) if *last >= end => *sum += used,
                _ => intervals.push_back((end, used)),
            }
        }
    }

    /// Whether a client may use so much more.
    ///
    /// # Errors
    /// The first quota that it would exceed.
    pub fn admit(
        &self,
        setup: &Setup,
        client: &ClientName,
        wanted: Used,
        now: Timestamp,
    ) -> Result<(), UsedUp> {
        for (holder, quota) in holders(setup, client) {
            for (kind, limit) in quota.limits() {
                let Some(limit) = limit.filter(|_| wanted.of(kind) > 0) else { continue };
                if let Err(again) = self.room(&holder, kind, limit, wanted.of(kind), now) {
                    return Err(UsedUp { holder, kind, limit, again });
                }
            }
        }
        Ok(())
    }

    /// Whether there is room, or from when on.
    fn room(
        &self,
        holder: &Holder,
        kind: Kind,
        limit: u32,
        wanted: u32,
        now: Timestamp,
    ) -> Result<(), Option<Timestamp>> {
        let intervals = self.0.get(holder).into_iter().flatten();
        let counting: Vec<_> = intervals.filter(|(end, _)| *end + DAY > now).collect();
        let used = counting.iter().map(|(_, used)| u64::from(used.of(kind))).sum::<u64>();
        let most = u64::from(limit);
        let mut sum = used + u64::from(wanted);
        if sum <= most {
            return Ok(());
        }
        let free = counting.iter().find(|(_, used)| {
            sum -= u64::from(used.of(kind));
            sum <= most
        });
        Err(free.map(|(end, _)| *end + DAY))
    }
}

/// The client and its groups, with their quotas.
fn holders<'a>(
    setup: &'a Setup,
    client: &'a ClientName,
) -> impl Iterator<Item = (Holder, Quota)> + 'a {
    let known = setup.clients.get(client).into_iter();
    known.flat_map(move |found| {
        let own = (Holder::Client(client.clone()), found.quota);
        let quota_of = |name| setup.groups.get(name).map_or(Quota::default(), |g| g.quota);
        let groups = found.groups.iter();
        let groups = groups.map(move |name| (Holder::Group(name.clone()), quota_of(name)));
        std::iter::once(own).chain(groups)
    })
}

/// Whether anything that this client sends is counted against a limit.
#[must_use]
pub fn limits(setup: &Setup, client: &ClientName) -> bool {
    holders(setup, client).any(|(_, quota)| quota.is_limit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::test_setup;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn client(name: &str) -> ClientName {
        ClientName::new(name).unwrap()
    }

    /// Anna has a quota of her own, and all of london another.
    fn setup() -> Setup {
        let mut setup = test_setup();
        let anna = setup.clients.get_mut(&client("anna")).unwrap();
        anna.quota = Quota { calls_a_day: Some(3), ..Quota::default() };
        let london = setup.groups.get_mut(&GroupName::new("london").unwrap()).unwrap();
        london.quota =
            Quota { pages_a_day: Some(10), calls_abroad_a_day: Some(1), calls_a_day: None };
        setup
    }

    fn fax(pages: u32, abroad: bool) -> Used {
        Used { pages, calls: 1, abroad: abroad.into() }
    }

    #[test]
    fn a_quota_is_used_up_and_comes_back() {
        let (setup, anna) = (setup(), client("anna"));
        let mut ledger = Ledger::default();
        for hour in 0..3 {
            let now = NOW + HOUR * hour;
            assert_eq!(ledger.admit(&setup, &anna, fax(1, false), now), Ok(()));
            ledger.charge(&setup, &anna, fax(1, false), now);
        }
        let now = NOW + HOUR * 3;
        let refused = ledger.admit(&setup, &anna, fax(1, false), now).unwrap_err();
        assert_eq!(refused.to_string(), "the quota of client anna of 3 faxes a day is used up");
        let again = refused.again.unwrap();
        assert!(again > NOW + DAY && again <= NOW + DAY + HOUR / 6, "{again:?}");
        let before = Timestamp(again.0 - 1);
        assert!(ledger.admit(&setup, &anna, fax(1, false), before).is_err());
        assert_eq!(ledger.admit(&setup, &anna, fax(1, false), again), Ok(()));
        let two = Used { calls: 2, ..fax(1, false) };
        let later = ledger.admit(&setup, &anna, two, now).unwrap_err().again.unwrap();
        assert!(later > again, "for two faxes two must be forgotten");
        let four = Used { calls: 4, ..fax(1, false) };
        let refused = ledger.admit(&setup, &anna, four, now).unwrap_err();
        assert_eq!(refused.again, None);
        let words = "more than the whole quota of client anna of 3 faxes a day";
        assert_eq!(refused.to_string(), words);
    }

    #[test]
    fn a_group_shares_its_quota() {
        let setup = setup();
        let (anna, bob, carl) = (client("anna"), client("bob"), client("carl"));
        let mut ledger = Ledger::default();
        ledger.charge(&setup, &anna, fax(9, true), NOW);
        for (who, wanted, good) in [
            (&carl, fax(1, false), true),
            (&carl, fax(2, false), false),
            (&carl, fax(0, true), false),
            (&bob, fax(100, true), true),
        ] {
            assert_eq!(ledger.admit(&setup, who, wanted, NOW).is_ok(), good, "{who} {wanted:?}");
        }
        assert!(limits(&setup, &carl) && !limits(&setup, &bob));
    }

    #[test]
    fn an_earlier_life_counts() {
        let (setup, anna) = (setup(), client("anna"));
        let spent = |hours| Spent {
            client: anna.clone(),
            at: NOW - HOUR * hours,
            to: Number::try_from("+442079460100".to_owned()).unwrap(),
            pages: 1,
        };
        for (faxes, good) in [
            (vec![spent(1), spent(2)], true),
            (vec![spent(2), spent(1), spent(3)], false),
            (vec![spent(30), spent(1), spent(3)], true),
        ] {
            let ledger = Ledger::restore(&setup, &faxes, NOW);
            assert_eq!(ledger.admit(&setup, &anna, fax(1, false), NOW).is_ok(), good);
        }
    }

    #[test]
    fn memory_is_bounded_by_the_intervals_of_a_day() {
        let (setup, anna) = (setup(), client("anna"));
        let mut ledger = Ledger::default();
        for minute in 0..10_000 {
            let now = NOW + Duration::from_secs(60 * minute);
            ledger.charge(&setup, &anna, fax(1, false), now);
        }
        assert!(ledger.0.values().all(|intervals| intervals.len() <= 146));
    }
}
