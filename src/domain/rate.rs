//! Rates: how much may come in a period. What was used drains away evenly, so that a
//! whole period's worth may come at once and then as much as drains.

use std::{collections::HashMap, hash::Hash, time::Duration};

use crate::time::Timestamp;

/// Most senders that are remembered; those that have nothing left to drain go first.
const MAX_REMEMBERED: usize = 20_000;

/// How many in which time; `most` is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub most: u32,
    /// In this time.
    pub period: Duration,
}

/// What senders have used of a rate.
#[derive(Debug)]
pub struct Rates<K>(HashMap<K, Count>);

#[derive(Debug, Clone, Copy)]
struct Count {
    level: f64,
    at: Timestamp,
    /// When nothing of it will be left.
    empty: Timestamp,
}

impl<K> Default for Rates<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq> Rates<K> {
    /// Whether one more may come now; how long until one may, if not.
    ///
    /// # Errors
    /// The time until then.
    pub fn ask(&self, now: Timestamp, key: &K, rate: Rate) -> Result<(), Duration> {
        self.ask_for(now, key, rate, 1)
    }

    /// Whether so many more may come now, all at once. More than may ever come in a period
    /// may come to one of whom nothing is left to drain.
    ///
    /// # Errors
    /// The time until they may.
    pub fn ask_for(&self, now: Timestamp, key: &K, rate: Rate, more: u32) -> Result<(), Duration> {
        let level = self.0.get(key).map_or(0.0, |count| count.level(now, rate));
        let over = level + f64::from(more.min(rate.most)) - f64::from(rate.most);
        // A hair's breadth is no reason to wait.
        if over <= 1e-6 { Ok(()) } else { Err(rate.takes(over)) }
    }

    /// Notes that one more has come.
    pub fn note(&mut self, now: Timestamp, key: K, rate: Rate) {
        self.note_of(now, key, rate, 1);
    }

    /// Notes that so many more have come.
    pub fn note_of(&mut self, now: Timestamp, key: K, rate: Rate, more: u32) {
        if self.0.len() >= MAX_REMEMBERED && !self.0.contains_key(&key) {
            self.0.retain(|_, count| count.empty > now);
            if self.0.len() > MAX_REMEMBERED / 2 {
                self.keep_fuller_half();
            }
        }
        let level = self.0.get(&key).map_or(0.0, |count| count.level(now, rate)) + f64::from(more);
        self.0.insert(key, Count { level, at: now, empty: now + rate.takes(level) });
    }

    fn keep_fuller_half(&mut self) {
        let mut ends: Vec<Timestamp> = self.0.values().map(|count| count.empty).collect();
        let middle = ends.len() / 2;
        let (_, &mut middle, _) = ends.select_nth_unstable(middle);
        self.0.retain(|_, count| count.empty > middle);
    }
}

impl Rate {
    fn takes(self, level: f64) -> Duration {
        self.period.mul_f64(level / f64::from(self.most.max(1)))
    }
}

impl Count {
    fn level(&self, now: Timestamp, rate: Rate) -> f64 {
        let since = now.since(self.at).as_secs_f64();
        let drained = since * f64::from(rate.most) / rate.period.as_secs_f64();
        (self.level - drained).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_period_s_worth_at_once_and_then_as_it_drains() {
        let (mut rates, now) = (Rates::default(), Timestamp(1_700_000_000_000));
        let rate = Rate { most: 6, period: MINUTE };
        for _ in 0..6 {
            assert_eq!(rates.ask(now, &"anna", rate), Ok(()));
            rates.note(now, "anna", rate);
        }
        let wait = rates.ask(now, &"anna", rate).unwrap_err();
        assert_eq!(wait.as_secs_f64().round(), 10.0);
        assert_eq!(rates.ask(now, &"bob", rate), Ok(()));
        assert!(rates.ask(now + Duration::from_secs(9), &"anna", rate).is_err());
        assert_eq!(rates.ask(now + Duration::from_secs(10), &"anna", rate), Ok(()));
        assert_eq!(rates.ask(now, &"anna", Rate { most: 7, ..rate }), Ok(()), "a raised limit");
    }

    #[test]
    fn many_come_together_or_not_at_all() {
        let (mut rates, now) = (Rates::default(), Timestamp(1_700_000_000_000));
        let rate = Rate { most: 6, period: MINUTE };
        assert_eq!(rates.ask_for(now, &"anna", rate, 4), Ok(()));
        rates.note_of(now, "anna", rate, 4);
        let wait = rates.ask_for(now, &"anna", rate, 3).unwrap_err();
        assert_eq!(wait.as_secs_f64().round(), 10.0);
        assert_eq!(rates.ask_for(now, &"anna", rate, 2), Ok(()), "nothing of it was noted");
        // More than the rate waits until nothing else is left, and drains for as long.
        assert!(rates.ask_for(now, &"anna", rate, 12).is_err());
        assert_eq!(rates.ask_for(now, &"bob", rate, 12), Ok(()));
        rates.note_of(now, "bob", rate, 12);
        assert!(rates.ask(now + MINUTE, &"bob", rate).is_err());
        assert_eq!(rates.ask(now + MINUTE + MINUTE, &"bob", rate), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut rates, now) = (Rates::default(), Timestamp(1_700_000_000_000));
        let rate = Rate { most: 6, period: MINUTE };
        for n in 0..50_000_u64 {
            rates.note(now + Duration::from_millis(n), n, rate);
        }
        assert!(rates.0.len() <= MAX_REMEMBERED);
    }
}
