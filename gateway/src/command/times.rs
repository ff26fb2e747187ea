//! What MAIL says about time: HOLDFOR and HOLDUNTIL (RFC 4865 4), BY (RFC 2852 4).
//! Reads what is written; whether a time can be kept is for others to say, as no
//! clock is read here.

/// FUTURERELEASE (RFC 4865 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// After this many seconds.
    For(u32),
    /// At this moment.
    Until(jiff::Timestamp),
}

/// DELIVERBY (RFC 2852 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverBy {
    /// The seconds from now; may be negative on a mail that was late before it came.
    pub seconds: i64,
    /// Whether it is to be given back when the time is over (R), instead of only
    /// reported (N).
    pub give_back: bool,
    /// Whether each hop is to be reported.
    pub trace: bool,
}

/// One to nine digits, as both RFCs have them.
fn number(digits: &str) -> Option<u32> {
    let good = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    good.then(|| digits.parse().ok()).flatten()
}

pub(super) fn hold_for(value: &str) -> Option<Release> {
    number(value).filter(|seconds| *seconds > 0).map(Release::For)
}

/// A date-time of RFC 3339 5.6, which always says its offset.
pub(super) fn hold_until(value: &str) -> Option<Release> {
    let is_part = |b: u8| b.is_ascii_digit() || b"-:.+TtZz".contains(&b);
    let has_time = value.as_bytes().get(10).is_some_and(|b| b.eq_ignore_ascii_case(&b'T'));
    if !has_time || !value.bytes().all(is_part) {
        return None;
    }
    value.parse().ok().map(Release::Until)
}

/// `["-" / "+"] 1*9DIGIT ";" ("N" / "R") ["T"]`. A mail that is to be given back
/// needs time left (RFC 2852 4).
pub(super) fn deliver_by(value: &str) -> Option<DeliverBy> {
    let (time, mode) = value.split_once(';')?;
    let late = time.starts_with('-');
    let seconds = i64::from(number(time.strip_prefix(['-', '+']).unwrap_or(time))?);
    let seconds = if late { -seconds } else { seconds };
    let (give_back, trace) = match mode.to_ascii_uppercase().as_str() {
        "R" => (true, false),
        "RT" => (true, true),
        "N" => (false, false),
        "NT" => (false, true),
        _ => return None,
    };
    (!give_back || seconds > 0).then_some(DeliverBy { seconds, give_back, trace })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds() {
        assert_eq!(hold_for("1"), Some(Release::For(1)));
        assert_eq!(hold_for("999999999"), Some(Release::For(999_999_999)));
        for bad in ["", "0", "+5", "-5", "5s", "1234567890", " 5"] {
            assert_eq!(hold_for(bad), None, "{bad}");
        }
        for good in ["2030-01-31T08:00:00Z", "2030-01-31t08:00:00.5z", "2030-01-31T09:00:00+01:00"]
        {
            let Some(Release::Until(moment)) = hold_until(good) else { panic!("{good}") };
            assert_eq!(moment.as_second(), 1_896_076_800, "{good}");
        }
        for bad in [
            "",
            "2030-01-31",
            "2030-01-31T08:00:00",
            "2030-02-31T08:00:00Z",
            "2030-01-31T08:00:00+01:00[Europe/Paris]",
            "20300131T080000",
            "soon",
        ] {
            assert_eq!(hold_until(bad), None, "{bad}");
        }
    }

    #[test]
    fn deadlines() {
        let by = |seconds, give_back, trace| Some(DeliverBy { seconds, give_back, trace });
        assert_eq!(deliver_by("600;R"), by(600, true, false));
        assert_eq!(deliver_by("+600;rt"), by(600, true, true));
        assert_eq!(deliver_by("-120;N"), by(-120, false, false));
        assert_eq!(deliver_by("0;nt"), by(0, false, true));
        for bad in ["", ";R", "600", "600;", "600;T", "600;RTT", "0;R", "-1;R", "--1;N", "1e3;N"] {
            assert_eq!(deliver_by(bad), None, "{bad}");
        }
    }
}
