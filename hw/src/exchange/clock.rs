//! How fast the audio of one call runs.
//!
//! Two programs with their own timers set the pace: a Class 1 program measures in
//! real time, a machine of ours in audio. So modem to modem may be sped up as far
//! as both programs bear it, modem to machine never runs faster than real time,
//! and machine to machine runs as fast as it is let.

use std::time::{Duration, Instant};

/// How much audio a block holds.
pub(super) const BLOCK_TIME: Duration = Duration::from_millis(20);
/// A call that lags more than this behind its clock drops the lag.
const MOST_LAG: Duration = Duration::from_millis(500);
/// Most blocks of one call in one round, so that others get their turn.
const ROUND: u32 = 10;

/// How many blocks last so long, in audio.
pub(super) fn blocks(time: Duration) -> u64 {
    u64::try_from(time.as_millis() / BLOCK_TIME.as_millis()).unwrap_or(u64::MAX)
}

/// The clock of one call.
#[derive(Debug)]
pub(super) struct Clock {
    /// Wall time of a block; zero: as fast as possible.
    period: Duration,
    next: Instant,
}

impl Clock {
    /// A clock that starts now, `speed` times as fast as real time; `None`: as fast as possible.
    pub(super) fn start(speed: Option<f64>, now: Instant) -> Self {
        let period = speed.map_or(Duration::ZERO, |speed| BLOCK_TIME.div_f64(speed));
        Self { period, next: now }
    }

    /// When the next block is due.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// How many blocks to do now. They count as done.
    pub(super) fn due(&mut self, now: Instant) -> u32 {
        if self.period.is_zero() {
            self.next = now;
            return ROUND;
        }
        if now.saturating_duration_since(self.next) > MOST_LAG {
            self.next = now;
        }
        let mut due = 0;
        while self.next <= now && due < ROUND {
            self.next += self.period;
            due += 1;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_keeps_its_pace_and_drops_a_long_lag() {
        let start = Instant::now();
        let mut clock = Clock::start(Some(2.0), start);
        assert_eq!(clock.due(start), 1);
        assert_eq!(clock.due(start + Duration::from_millis(9)), 0);
        assert_eq!(clock.due(start + Duration::from_millis(40)), 4);
        let late = start + Duration::from_secs(60);
        assert_eq!(clock.due(late), 1);
        assert_eq!(clock.next(), late + Duration::from_millis(10));
    }

    #[test]
    fn without_a_speed_there_is_always_something_to_do() {
        let now = Instant::now();
        let mut clock = Clock::start(None, now);
        assert_eq!(clock.due(now), ROUND);
        assert_eq!(clock.due(now), ROUND);
    }
}
