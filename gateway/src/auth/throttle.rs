//! How often logging in may fail, across connections: by the address that tries and
//! by the account that is tried. Failures are first answered later and later and in
//! the end not checked at all. Reads no clock: `now` is told.
//!
//! An account is never locked for an address that has logged in to it lately, so that
//! nobody can lock others out by guessing: such an address is only slowed, by its own
//! failures. What is remembered is bounded; what was touched longest ago goes first.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Most addresses, accounts and pairs of them that are remembered, each.
const MAX_REMEMBERED: usize = 20_000;
/// How many failures are answered without delay.
const FREE_FAILURES: f64 = 3.0;
/// The first delay; each further failure doubles it.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay.
const MAX_DELAY: Duration = Duration::from_secs(8);
/// How long an address is known after it has logged in.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// How many failures are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one address (of an IPv6 network of 64 bits), whatever the account.
    pub per_address: u32,
    /// Of one account, wherever they come from.
    pub per_account: u32,
    /// In this time as many are forgotten as were allowed.
    pub window: Duration,
}

/// Whether a login is to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is, after this time.
    After(Duration),
    /// It is not.
    Refused,
}

/// The failures of late.
#[derive(Debug)]
pub struct Throttle {
    limits: Limits,
    addresses: Table<Network>,
    accounts: Table<String>,
    pairs: Table<(Network, String)>,
    known: HashMap<(Network, String), Instant>,
}

/// Whoever has one address of it has all of it.
pub type Network = IpAddr;

impl Throttle {
    /// Nothing has failed yet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            addresses: Table::default(),
            accounts: Table::default(),
            pairs: Table::default(),
            known: HashMap::new(),
        }
    }

    /// Limits that were changed count from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether this address may try this account now.
    pub fn ask(&self, now: Instant, address: IpAddr, account: &str) -> Verdict {
        let key = (network(address), account.to_owned());
        let level =
            |count: Option<&Count>, most| count.map_or(0.0, |c| c.level(now, self.drain(most)));
        let Limits { per_address, per_account, .. } = self.limits;
        if self.known.get(&key).is_some_and(|at| since(now, *at) < KNOWN_FOR) {
            return Verdict::After(delay(level(self.pairs.0.get(&key), per_address)));
        }
        let by_address = level(self.addresses.0.get(&key.0), per_address);
        let by_account = level(self.accounts.0.get(&key.1), per_account);
        if by_address >= f64::from(per_address) || by_account >= f64::from(per_account) {
            return Verdict::Refused;
        }
        Verdict::After(delay(by_address.max(by_account)))
    }

    /// A login failed, also one to an account that does not exist.
    pub fn failed(&mut self, now: Instant, address: IpAddr, account: &str) {
        let key = (network(address), account.to_owned());
        let Limits { per_address, per_account, .. } = self.limits;
        let (by_address, by_account) = (self.drain(per_address), self.drain(per_account));
        self.addresses.add(now, key.0, by_address);
        self.accounts.add(now, key.1.clone(), by_account);
        self.pairs.add(now, key, by_address);
    }

    /// A login succeeded: what failed before was a slip, and is taken back as far as it
    /// was this address and this account.
    pub fn succeeded(&mut self, now: Instant, address: IpAddr, account: &str) {
        let key = (network(address), account.to_owned());
        let Limits { per_address, per_account, .. } = self.limits;
        let (by_address, by_account) = (self.drain(per_address), self.drain(per_account));
        if let Some(slips) = self.pairs.0.remove(&key) {
            let slips = slips.level(now, by_address);
            self.addresses.take_back(now, &key.0, slips, by_address);
            self.accounts.take_back(now, &key.1, slips, by_account);
        }
        if self.known.len() >= MAX_REMEMBERED && !self.known.contains_key(&key) {
            keep_newer_half(&mut self.known, |at| *at);
        }
        self.known.insert(key, now);
    }

    /// How many failures are forgotten in a second.
    fn drain(&self, most: u32) -> f64 {
        f64::from(most) / self.limits.window.as_secs_f64().max(1.0)
    }
}

/// Failures that drain away.
#[derive(Debug, Clone, Copy)]
struct Count {
    level: f64,
    at: Instant,
}

impl Count {
    fn level(&self, now: Instant, drain: f64) -> f64 {
        (self.level - since(now, self.at).as_secs_f64() * drain).max(0.0)
    }
}

#[derive(Debug)]
struct Table<K>(HashMap<K, Count>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    fn add(&mut self, now: Instant, key: K, drain: f64) {
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&key) {
            self.0.retain(|_, count| count.level(now, drain) > 0.0);
            if self.0.len() > MAX_REMEMBERED / 2 {
                keep_newer_half(&mut self.0, |count| count.at);
            }
        }
        let count = self.0.entry(key).or_insert(Count { level: 0.0, at: now });
        *count = Count { level: count.level(now, drain) + 1.0, at: now };
    }

    fn take_back(&mut self, now: Instant, key: &K, slips: f64, drain: f64) {
        if let Some(count) = self.0.get_mut(key) {
            *count = Count { level: (count.level(now, drain) - slips).max(0.0), at: now };
        }
    }
}

fn delay(failures: f64) -> Duration {
    if failures < FREE_FAILURES {
        return Duration::ZERO;
    }
    FIRST_DELAY.mul_f64((failures - FREE_FAILURES).floor().min(16.0).exp2()).min(MAX_DELAY)
}

/// What an address is counted as: an IPv4 address stands for itself, an IPv6 address for the 64 bits of its network.
pub fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

fn since(now: Instant, before: Instant) -> Duration {
    now.saturating_duration_since(before)
}

/// Costs as much as all entries, once in as many new ones.
fn keep_newer_half<K: Hash + Eq, V>(table: &mut HashMap<K, V>, at: impl Fn(&V) -> Instant) {
    let mut times: Vec<Instant> = table.values().map(&at).collect();
    let middle = times.len() / 2;
    let (_, &mut middle, _) = times.select_nth_unstable(middle);
    table.retain(|_, value| at(value) > middle);
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { per_address: 10, per_account: 20, window: Duration::from_secs(600) };
    const GO: Verdict = Verdict::After(Duration::ZERO);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(throttle: &mut Throttle, now: Instant, address: &str, account: &str, times: u32) {
        for _ in 0..times {
            throttle.failed(now, ip(address), account);
        }
    }

    #[test]
    fn an_address_is_slowed_and_then_refused_until_it_is_forgotten() {
        let (mut throttle, now) = (Throttle::new(LIMITS), Instant::now());
        let mut seen = Vec::new();
        for _ in 0..11 {
            seen.push(throttle.ask(now, ip("192.0.2.1"), "anna"));
            throttle.failed(now, ip("192.0.2.1"), "anna");
        }
        let millis = [0, 0, 0, 500, 1000, 2000, 4000, 8000, 8000, 8000];
        let slowed = millis.map(|ms| Verdict::After(Duration::from_millis(ms)));
        assert_eq!(seen[..10], slowed);
        assert_eq!(seen[10], Verdict::Refused);
        assert_eq!(throttle.ask(now, ip("192.0.2.1"), "bob"), Verdict::Refused, "any account");
        assert_eq!(throttle.ask(now, ip("192.0.2.2"), "bob"), GO, "another address");
        let later = now + LIMITS.window + Duration::from_secs(61);
        assert_eq!(throttle.ask(later, ip("192.0.2.1"), "anna"), GO);
    }

    #[test]
    fn networks_stand_for_addresses() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let (mut throttle, now) = (Throttle::new(LIMITS), Instant::now());
            fail(&mut throttle, now, one, "anna", 10);
            let refused = throttle.ask(now, ip(other), "bob") == Verdict::Refused;
            assert_eq!(refused, same, "{one} {other}");
        }
    }

    #[test]
    fn an_account_is_refused_to_strangers_and_never_to_whom_it_knows() {
        let (mut throttle, now) = (Throttle::new(LIMITS), Instant::now());
        throttle.succeeded(now, ip("192.0.2.1"), "anna");
        for n in 0..20 {
            fail(&mut throttle, now, &format!("198.51.100.{n}"), "anna", 1);
        }
        assert_eq!(throttle.ask(now, ip("203.0.113.1"), "anna"), Verdict::Refused);
        assert_eq!(throttle.ask(now, ip("203.0.113.1"), "bob"), GO);
        assert_eq!(throttle.ask(now, ip("192.0.2.1"), "anna"), GO);
        // Whoever guesses from there is slowed, and locks nobody out.
        fail(&mut throttle, now, "192.0.2.1", "anna", 100);
        let known = throttle.ask(now, ip("192.0.2.1"), "anna");
        assert_eq!(known, Verdict::After(MAX_DELAY));
        let forgotten = now + KNOWN_FOR;
        fail(&mut throttle, forgotten, "192.0.2.1", "anna", 100);
        assert_eq!(throttle.ask(forgotten, ip("192.0.2.1"), "anna"), Verdict::Refused);
    }

    #[test]
    fn a_success_takes_back_the_slips_before_it_and_nothing_else() {
        let (mut throttle, now) = (Throttle::new(LIMITS), Instant::now());
        fail(&mut throttle, now, "192.0.2.1", "anna", 9);
        throttle.succeeded(now, ip("192.0.2.1"), "anna");
        assert_eq!(throttle.ask(now, ip("192.0.2.1"), "bob"), GO);
        // Who has an account cannot wash away guesses at another.
        fail(&mut throttle, now, "192.0.2.1", "bob", 10);
        throttle.succeeded(now, ip("192.0.2.1"), "anna");
        assert_eq!(throttle.ask(now, ip("192.0.2.1"), "bob"), Verdict::Refused);
    }

    #[test]
    fn memory_is_bounded_and_the_newest_stay() {
        let (mut throttle, now) = (Throttle::new(LIMITS), Instant::now());
        for n in 0..50_000_u32 {
            let now = now + Duration::from_millis(n.into());
            let address = IpAddr::from(n.to_be_bytes());
            throttle.failed(now, address, &n.to_string());
            throttle.succeeded(now, IpAddr::from((1_000_000 + n).to_be_bytes()), "anna");
        }
        assert!(throttle.addresses.0.len() <= MAX_REMEMBERED);
        assert!(throttle.accounts.0.len() <= MAX_REMEMBERED);
        assert!(throttle.pairs.0.len() <= MAX_REMEMBERED);
        assert!(throttle.known.len() <= MAX_REMEMBERED);
        assert!(throttle.accounts.0.contains_key("49999"));
    }
}
