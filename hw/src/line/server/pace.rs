//! Which submission is called now, and on which line: a function of what waits, of how
//! the lines are, and of the time. It reads no clock and does nothing.
//!
//! The most urgent goes first, then the oldest. No number is called twice at a time,
//! whatever the lines. What cannot go out now holds up nothing behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use postfax_domain::{
    number::Number,
    route::Hours,
    time::{Timestamp, WallClock},
};

use super::batch::{self, Kin};

/// The longest that a line, or a number that was called, is left alone.
pub(super) const MAX_REST: Duration = Duration::from_secs(60);
/// How long until hours are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What a line is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// It calls and answers.
    #[default]
    Both,
    /// It only calls.
    Send,
    /// It only answers.
    Receive,
}

impl Direction {
    /// Whether it places calls.
    #[must_use]
    pub fn sends(self) -> bool {
        self != Self::Receive
    }

    /// Whether it answers.
    #[must_use]
    pub fn receives(self) -> bool {
        self != Self::Send
    }
}

/// A submission that waits.
#[derive(Debug, Clone)]
pub(super) struct Wanting {
    /// Its tag.
    pub tag: String,
    /// With what it can share a call.
    pub kin: Kin,
    /// How many pages it has.
    pub pages: u32,
    /// 0 is the most urgent.
    pub priority: u8,
    /// When it was taken.
    pub since: Timestamp,
    /// It is not called before this.
    pub not_before: Timestamp,
    /// It is not called after this.
    pub give_up_at: Timestamp,
}

/// A line, as far as it matters whether it can call.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// It is on and works.
    pub ready: bool,
    /// What it is used for.
    pub direction: Direction,
    /// When it may call; `None`: at any time.
    pub hours: Option<Hours>,
    /// Calls that it can have at one time.
    pub channels: usize,
    /// Calls that are on it.
    pub calls: usize,
    /// Channels that are kept free for calls that come in.
    pub reserved: usize,
    /// Of the lines that can call, the one with the least number does.
    pub priority: u8,
    /// It does not call before this: it was rung when it was about to.
    pub not_before: Timestamp,
}

impl Way {
    fn has_room(&self) -> bool {
        self.channels > self.calls.saturating_add(self.reserved)
    }

    fn is_open(&self, wall: WallClock) -> bool {
        self.hours.as_ref().is_none_or(|hours| hours.include(wall))
    }
}

/// How many submissions and pages may share a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    /// 1: none do.
    pub jobs: usize,
    /// Of all of them together; a single one may have more.
    pub pages: u32,
    /// How long one is held back for others, which come one after the other.
    pub wait: Duration,
}

impl BatchLimits {
    /// Until when one is held back, if it is; a clock that was set back holds up nobody.
    fn held(self, one: &Wanting, now: Timestamp) -> Option<Timestamp> {
        let until = one.since + self.wait;
        (self.jobs > 1 && one.since <= now && now < until).then_some(until)
    }
}

/// A moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub now: Timestamp,
    /// The same for hours.
    pub wall: WallClock,
}

/// A call to place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// The line, by its place.
    pub line: usize,
    /// What is sent, in this order.
    pub tags: Vec<String>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Plan {
    /// Calls to place.
    pub start: Vec<Start>,
    /// Submissions whose time is over.
    pub expired: Vec<String>,
    /// When to look again, if nothing happens before.
    pub wake: Option<Timestamp>,
}

/// Decides. `calling` are the numbers that are being called.
pub(super) fn plan(
    waiting: &[Wanting],
    ways: &[Way],
    calling: &BTreeSet<Number>,
    limits: BatchLimits,
    at: Moment,
) -> Plan {
    let mut plan = Plan::default();
    let mut ways = ways.to_vec();
    let mut calling = calling.clone();
    let mut order: Vec<&Wanting> = vec![];
    for one in waiting {
        if one.give_up_at <= at.now {
            plan.expired.push(one.tag.clone());
        } else {
            order.push(one);
        }
    }
    order.sort_by(|a, b| (a.priority, a.since, &a.tag).cmp(&(b.priority, b.since, &b.tag)));
    let due: Vec<&Wanting> =
        order.iter().copied().filter(|one| !rests(one.not_before, at.now)).collect();
    let relatives = batch::by_kin(&due);
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    for one in &due {
        if taken.contains(one.tag.as_str()) || calling.contains(&one.kin.number) {
            continue;
        }
        let Some(line) = choose(&ways, at) else { break };
        ways[line].calls += 1;
        calling.insert(one.kin.number.clone());
        if limits.held(one, at.now).is_some() {
            // Nobody takes its line meanwhile.
            continue;
        }
        let together = batch::gather(one, &relatives, limits);
        taken.extend(together.iter().map(|one| one.tag.as_str()));
        let tags = together.iter().map(|one| one.tag.clone()).collect();
        plan.start.push(Start { line, tags });
    }
    let left = order.into_iter().filter(|one| !taken.contains(one.tag.as_str()));
    plan.wake = left.map(|one| wake(one, &ways, limits, at)).min();
    plan
}

/// Whether something is left alone until then; nothing is for longer than it can be, which a
/// clock that was set back would do.
fn rests(until: Timestamp, now: Timestamp) -> bool {
    now < until && until <= now + MAX_REST
}

/// The line that calls next.
fn choose(ways: &[Way], at: Moment) -> Option<usize> {
    let can = |way: &Way| {
        way.ready
            && way.direction.sends()
            && way.has_room()
            && !rests(way.not_before, at.now)
            && way.is_open(at.wall)
    };
    let free = ways.iter().enumerate().filter(|(_, way)| can(way));
    free.min_by_key(|(place, way)| (way.priority, way.calls, *place)).map(|(place, _)| place)
}

/// When to look at a submission again that does not go out now.
fn wake(one: &Wanting, ways: &[Way], limits: BatchLimits, at: Moment) -> Timestamp {
    let mut wake = one.give_up_at;
    if rests(one.not_before, at.now) {
        wake = wake.min(one.not_before);
    }
    if let Some(until) = limits.held(one, at.now) {
        wake = wake.min(until);
    }
    for way in ways.iter().filter(|way| way.ready && way.direction.sends()) {
        if rests(way.not_before, at.now) {
            wake = wake.min(way.not_before);
        }
        if !way.is_open(at.wall) {
            wake = wake.min(at.now + LOOK_AGAIN);
        }
    }
    wake
}

/// Submissions that are due, by with what they can share a call.
pub(super) type ByKin<'a> = BTreeMap<&'a Kin, Vec<&'a Wanting>>;

#[cfg(test)]
#[path = "pace_tests.rs"]
mod tests;
