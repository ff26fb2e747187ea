//! How long a fax will occupy a line: a planning figure for forecasts and for
//! choosing a resolution, not a promise.

use std::time::Duration;

/// Ringing, answering, identification and training.
const SET_UP_S: u64 = 25;
/// What is said between two pages.
const PER_PAGE_S: u64 = 3;
/// What most machines agree on.
const USUAL_BITS_PER_S: u32 = 14_400;

/// Time on the line of `bytes` of coded pages at `bit_rate` bit/s, which is
/// 14,400 where it is not known.
#[must_use]
pub fn line_time(pages: u32, bytes: u64, bit_rate: Option<u32>) -> Duration {
    let rate = u64::from(bit_rate.filter(|rate| *rate > 0).unwrap_or(USUAL_BITS_PER_S));
    let payload = Duration::from_millis(bytes.saturating_mul(8_000) / rate);
    Duration::from_secs(SET_UP_S + PER_PAGE_S * u64::from(pages)).saturating_add(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_page_takes_less_than_a_minute() {
        assert_eq!(line_time(1, 18_000, None), Duration::from_secs(25 + 3 + 10));
        assert_eq!(line_time(2, 36_000, Some(28_800)), Duration::from_secs(25 + 6 + 10));
        assert_eq!(line_time(0, 0, Some(0)), Duration::from_secs(25));
        assert!(line_time(u32::MAX, u64::MAX, Some(1)) > Duration::from_secs(1 << 32));
    }
}
