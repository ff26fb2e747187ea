//! What a mail client is told that is refused: one place for the codes (RFC 5321
//! 4.2, RFC 3463).

use jiff::tz::TimeZone;
use postfax_domain::{fleet::Denial, quota::UsedUp, supervisor::Refusal};
use postfax_gateway::reply::Reply;
use postfax_hw::render::RenderError;
use tracing::warn;

use crate::prepare::Trouble;

pub(super) fn unauthorised(why: &str) -> Reply {
    Reply::new(550, (7, 1), format!("sender not authorised: {why}"))
}

pub(super) fn no_room(failed: &dyn std::fmt::Display) -> Reply {
    warn!(%failed, "a mail could not be kept");
    Reply::new(452, (3, 1), "insufficient system storage")
}

pub(super) fn denied(denial: &Denial) -> Reply {
    let text = denial.to_string();
    match denial {
        Denial::Barred { .. } | Denial::NoServerPermitted | Denial::UnknownClient => {
            Reply::new(550, (7, 1), text)
        }
        Denial::OwnNumber(_) => Reply::new(550, (4, 6), text),
        Denial::NoRoute => Reply::new(550, (4, 4), text),
        Denial::UsedUp(_) => Reply::new(452, (2, 2), text),
    }
}

/// A quota that comes back is worth another try; one that is too small never is.
pub(super) fn used_up(quota: &UsedUp, zone: &TimeZone) -> Reply {
    let Some(again) = quota.again else { return Reply::new(550, (7, 1), quota.to_string()) };
    let moment = jiff::Timestamp::from_millisecond(again.0).unwrap_or_default();
    let time = moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    Reply::new(452, (2, 2), format!("{quota}, again from {time}"))
}

pub(super) fn refused(refusal: &Refusal, zone: &TimeZone) -> Reply {
    match refusal {
        Refusal::Denied { denial, .. } => denied(denial),
        Refusal::TooManyPages { .. } => Reply::new(552, (3, 4), refusal.to_string()),
        Refusal::UsedUp(quota) => used_up(quota, zone),
        Refusal::TooOften { .. } => Reply::new(450, (7, 0), refusal.to_string()),
        Refusal::QueueFull => Reply::new(452, (3, 1), refusal.to_string()),
    }
}

pub(super) fn unfit(trouble: &Trouble) -> Reply {
    let text = trouble.to_string();
    match trouble {
        Trouble::Render(bad) => unconvertible(bad),
        Trouble::Unsupported { .. } | Trouble::Locked(_) => Reply::new(554, (6, 1), text),
        Trouble::Nothing | Trouble::Empty { .. } | Trouble::Message(_) => {
            Reply::new(554, (6, 0), text)
        }
        Trouble::Disk => Reply::new(452, (3, 1), text),
        Trouble::Bug | Trouble::Gone => Reply::new(451, (3, 0), text),
    }
}

fn unconvertible(bad: &RenderError) -> Reply {
    let text = bad.to_string();
    match bad {
        RenderError::Unsupported { .. }
        | RenderError::Encrypted { .. }
        | RenderError::Missing { .. } => Reply::new(554, (6, 1), text),
        RenderError::TooManyPages { .. } | RenderError::TooLarge => Reply::new(552, (3, 4), text),
        RenderError::Nothing => Reply::new(554, (6, 0), text),
        RenderError::Broken { .. } => Reply::new(554, (6, 5), text),
        _ => Reply::new(451, (6, 5), text),
    }
}
