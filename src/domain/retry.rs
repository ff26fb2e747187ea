//! When a job is tried again: a pure function of the time, the tries so far and
//! the outcome. The table of [`crate::outcome`] has the delays and budgets; an
//! administrator may change them for each outcome.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    outcome::{Class, Outcome},
    time::Timestamp,
};

/// First delay of a mail that could not be delivered; it doubles from try to try.
const MAIL_FIRST_DELAY: Duration = Duration::from_secs(60);
/// Longest delay between two tries of a mail (RFC 5321 4.5.4.1 asks for half an hour).
const MAIL_LONGEST_DELAY: Duration = Duration::from_secs(30 * 60);

/// What an administrator has said of one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Delay before the next attempt.
    pub delay: Duration,
    /// How many attempts may end in this way.
    pub tries: u32,
}

/// Delays and budgets, by the name of the outcome; what is absent is as in the table.
#[derive(Debug, Clone, Default)]
pub struct RetryRules(pub BTreeMap<String, Rule>);

impl RetryRules {
    /// The delay and budget of an outcome.
    #[must_use]
    pub fn of(&self, outcome: Outcome) -> Rule {
        self.0
            .get(&outcome.name())
            .copied()
            .unwrap_or(Rule { delay: outcome.delay(), tries: outcome.row().tries })
    }
}

/// How often a job has ended in each way.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tries(pub BTreeMap<String, u32>);

impl Tries {
    /// Counts an attempt and says how many have ended in this way.
    pub fn count(&mut self, outcome: Outcome) -> u32 {
        let tries = self.0.entry(outcome.name()).or_default();
        *tries += 1;
        *tries
    }
}

/// What follows after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Any server may try again at this time.
    Later(Timestamp),
    /// Any other server may try at once; this one not before the time given.
    Elsewhere(Timestamp),
    /// At once, with coarser pages.
    Reformat,
    /// No more.
    Stop,
}

/// What follows after the attempt that was just counted as the `tries`th of its
/// outcome.
#[must_use]
pub fn next(
    rules: &RetryRules,
    outcome: Outcome,
    tries: u32,
    now: Timestamp,
    expires: Timestamp,
) -> Next {
    let rule = rules.of(outcome);
    let class = outcome.class();
    let counted = !matches!(class, Class::Wait);
    if counted && tries >= rule.tries {
        return Next::Stop;
    }
    let later = now + delay(rule, outcome, tries);
    match class {
        Class::Done | Class::Never | Class::Cancelled => Next::Stop,
        Class::Later | Class::Wait if later >= expires => Next::Stop,
        Class::Later | Class::Wait => Next::Later(later),
        Class::Elsewhere if now >= expires => Next::Stop,
        Class::Elsewhere => Next::Elsewhere(later),
        Class::Reformat => Next::Reformat,
    }
}

fn delay(rule: Rule, outcome: Outcome, tries: u32) -> Duration {
    if outcome != Outcome::MailDeferred {
        return rule.delay;
    }
    let first = rule.delay.min(MAIL_FIRST_DELAY);
    first.saturating_mul(1 << tries.saturating_sub(1).min(10)).min(MAIL_LONGEST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::TABLE;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn next_of(outcome: Outcome, tries: u32) -> Next {
        next(&RetryRules::default(), outcome, tries, NOW, Timestamp::NEVER)
    }

    #[test]
    fn every_outcome_follows_its_class() {
        for row in TABLE {
            let after = NOW + Duration::from_secs(row.delay_s);
            let expected = match row.class {
                _ if row.tries == 1 => Next::Stop,
                Class::Done | Class::Never | Class::Cancelled => Next::Stop,
                Class::Later | Class::Wait => Next::Later(after),
                Class::Elsewhere => Next::Elsewhere(after),
                Class::Reformat => Next::Reformat,
            };
            assert_eq!(next_of(row.outcome, 1), expected, "{:?}", row.outcome);
            if row.tries < u32::MAX {
                assert_eq!(next_of(row.outcome, row.tries), Next::Stop, "{:?}", row.outcome);
            }
        }
    }

    #[test]
    fn a_retry_after_the_end_of_the_job_is_none() {
        let soon = NOW + Duration::from_secs(1);
        assert_eq!(next(&RetryRules::default(), Outcome::Busy, 1, NOW, soon), Next::Stop);
    }

    #[test]
    fn an_administrator_may_change_the_table() {
        let rule = Rule { delay: Duration::from_secs(7), tries: 2 };
        let rules = RetryRules([("busy".to_owned(), rule)].into());
        let after = NOW + Duration::from_secs(7);
        assert_eq!(next(&rules, Outcome::Busy, 1, NOW, Timestamp::NEVER), Next::Later(after));
        assert_eq!(next(&rules, Outcome::Busy, 2, NOW, Timestamp::NEVER), Next::Stop);
    }

    #[test]
    fn mail_backs_off_to_half_an_hour() {
        let minutes = |tries| match next_of(Outcome::MailDeferred, tries) {
            Next::Later(at) => at.since(NOW).as_secs() / 60,
            other => panic!("{other:?}"),
        };
        assert_eq!([1, 2, 3, 4, 5, 6, 20].map(minutes), [1, 2, 4, 8, 16, 30, 30]);
    }
}
