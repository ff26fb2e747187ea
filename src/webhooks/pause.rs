//! How long it is until a receiver is tried again. Reads no clock.

use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

/// The longest wait, whatever the receiver asks for.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
/// The shortest wait that a receiver may ask for.
const SHORTEST: Duration = Duration::from_secs(1);

/// The wait after so many failures in a row: `first`, doubled with each failure, at most
/// an hour, less up to a quarter of it by `chance` (0 to 255), so that receivers that
/// were away together are not called together.
pub(super) fn backoff(first: Duration, failures: u32, chance: u8) -> Duration {
    let doubled = 2_u32.checked_pow(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let longest = first.saturating_mul(doubled).min(LONGEST);
    longest - longest / 4 / 255 * u32::from(chance)
}

/// A number that nobody foresees.
pub(super) fn chance() -> u8 {
    let mut octet = [0];
    // Without chance all wait equally long, which does no harm.
    let _ = SystemRandom::new().fill(&mut octet);
    octet[0]
}

/// How long a receiver asks to be left alone (`Retry-After`, RFC 9110 10.2.3), within our
/// bounds: seconds, or a date that is compared with `now`.
pub(super) fn asked(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let wait = match header.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(header.trim()).ok()?.timestamp();
            at.duration_since(now).try_into().unwrap_or_default()
        }
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let first = Duration::from_secs(5);
        for (failures, seconds) in [
            (1, 5),
            (2, 10),
            (3, 20),
            (10, 2560),
            (11, 3600),
            (12, 3600),
            (40, 3600),
            (u32::MAX, 3600),
        ] {
            assert_eq!(backoff(first, failures, 0).as_secs(), seconds, "{failures}");
            let least = backoff(first, failures, 255).as_secs_f64();
            let quarter_less = Duration::from_secs(seconds).as_secs_f64() * 0.75;
            assert!((least - quarter_less).abs() < 0.001, "{failures}: {least}");
            let some = backoff(first, failures, 100);
            assert!(some > backoff(first, failures, 200) && some < backoff(first, failures, 0));
        }
    }

    #[test]
    fn a_receiver_is_left_alone_within_bounds() {
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        for (header, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(1)),
            ("999999", Some(3600)),
            ("Mon, 23 Nov 2026 09:01:00 GMT", Some(60)),
            ("Mon, 23 Nov 2026 08:00:00 GMT", Some(1)),
            ("Mon, 23 Nov 2099 08:00:00 GMT", Some(3600)),
            ("soon", None),
            ("-5", None),
        ] {
            let found = asked(header, now).map(|wait| wait.as_secs());
            assert_eq!(found, seconds, "{header}");
        }
    }
}
