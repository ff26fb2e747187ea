//! How many faxes a number gets within an hour: what no person sends is a loop of
//! programs, and each turn of it costs a call. And how many alarms the postmaster gets:
//! who is told of everything ten thousand times is told nothing.

use std::{collections::HashMap, time::Duration};

use super::{DuplicateKey, Refusal, Submission, Supervisor};
use crate::{names::JobId, number::Number, time::Timestamp};

const HOUR: Duration = Duration::from_secs(3600);
/// The numbers are looked through for old ones when there are so many, and again when
/// they have doubled.
const FIRST_WALK: usize = 4096;

/// For each number when its hour began, and the faxes in it.
#[derive(Debug, Default)]
pub(super) struct Hourly {
    taken: HashMap<Number, (Timestamp, u32)>,
    walk_at: usize,
}

impl Hourly {
    /// Counts what an earlier life has accepted, so far as it is known.
    pub(super) fn restore(accepted: &[(DuplicateKey, JobId, Timestamp)]) -> Self {
        let mut hourly = Self::default();
        for (key, _, at) in accepted {
            hourly.count(&key.number, *at);
        }
        hourly
    }

    fn count(&mut self, number: &Number, now: Timestamp) {
        if self.taken.len() >= self.walk_at.max(FIRST_WALK) {
            self.taken.retain(|_, (began, _)| *began + HOUR > now);
            self.walk_at = self.taken.len() * 2;
        }
        let (began, count) = self.taken.entry(number.clone()).or_insert((now, 0));
        if *began + HOUR <= now {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
    }

    fn so_far(&self, number: &Number, now: Timestamp) -> u32 {
        let counted = self.taken.get(number).filter(|(began, _)| *began + HOUR > now);
        counted.map_or(0, |(_, count)| *count)
    }
}

/// Alarms that are mailed within an hour; the last of them says that there are more.
const MAX_ALARMS_PER_HOUR: u32 = 50;

/// When the hour of alarms began, and the alarms in it. A restart forgets them, which
/// does no harm: nobody restarts fifty times.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    began: Timestamp,
    count: u32,
}

/// Whether an alarm is mailed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It is.
    Free,
    /// It is the last one for now.
    Last,
    /// It is not.
    None,
}

impl Alarms {
    /// Counts one more.
    pub(super) fn take(&mut self, now: Timestamp) -> Room {
        if self.began + HOUR <= now {
            (self.began, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(1);
        match self.count {
            ..MAX_ALARMS_PER_HOUR => Room::Free,
            MAX_ALARMS_PER_HOUR => Room::Last,
            _ => Room::None,
        }
    }
}

impl Supervisor {
    /// Whether each number of a submission may get another fax in this hour.
    pub(super) fn not_too_often(
        &self,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let recipients = submission.recipients.iter();
        recipients.map(|to| &to.address.number).try_for_each(|to| self.room_for_number(to, now))
    }

    /// Whether this number may get another fax in this hour.
    pub(super) fn room_for_number(&self, number: &Number, now: Timestamp) -> Result<(), Refusal> {
        let limit = self.setup.limits.max_per_number;
        if self.hourly.so_far(number, now) >= limit {
            return Err(Refusal::TooOften { number: number.clone(), limit });
        }
        Ok(())
    }

    pub(super) fn count_fax(&mut self, number: &Number, now: Timestamp) {
        self.hourly.count(number, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Country;

    #[test]
    fn the_postmaster_is_told_that_there_is_more_and_then_left_alone_for_an_hour() {
        let mut alarms = Alarms::default();
        let start = Timestamp(1_700_000_000_000);
        for _ in 1..MAX_ALARMS_PER_HOUR {
            assert_eq!(alarms.take(start), Room::Free);
        }
        assert_eq!(alarms.take(start + Duration::from_secs(3598)), Room::Last);
        assert_eq!(alarms.take(start + Duration::from_secs(3599)), Room::None);
        assert_eq!(alarms.take(start + HOUR), Room::Free);
    }

    #[test]
    fn an_hour_is_counted_and_then_forgotten() {
        let country: Country = "GB".parse().unwrap();
        let number = |n: u32| Number::parse(&format!("+4420{n:08}"), country).unwrap();
        let mut hourly = Hourly::default();
        let start = Timestamp(1_000_000);
        for _ in 0..3 {
            hourly.count(&number(79_460_100), start);
        }
        let within = start + Duration::from_secs(3599);
        let after = start + HOUR;
        assert_eq!(hourly.so_far(&number(79_460_100), within), 3);
        assert_eq!(hourly.so_far(&number(79_460_101), within), 0);
        assert_eq!(hourly.so_far(&number(79_460_100), after), 0);
        hourly.count(&number(79_460_100), after);
        assert_eq!(hourly.so_far(&number(79_460_100), after), 1);
        let later = after + HOUR;
        for n in 0..2 * u32::try_from(FIRST_WALK).unwrap() {
            hourly.count(&number(79_460_100 + n), later + Duration::from_secs(10 * u64::from(n)));
        }
        assert!(hourly.taken.len() <= FIRST_WALK, "old numbers are forgotten");
    }
}
