//! What a mail client is told that is refused: one place for the codes (RFC 5321
//! 4.2, RFC 3463).

use postfax_domain::{fleet::Denial, supervisor::Refusal};
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
        Denial::NoRoute => Reply::new(550, (4, 4), text),
    }
}

pub(super) fn refused(refusal: &Refusal) -> Reply {
    match refusal {
        Refusal::Denied { denial, .. } => denied(denial),
        Refusal::TooManyPages { .. } => Reply::new(552, (3, 4), refusal.to_string()),
        Refusal::QueueFull => Reply::new(452, (3, 1), refusal.to_string()),
    }
}

pub(super) fn unfit(trouble: &Trouble) -> Reply {
    let text = trouble.to_string();
    match trouble {
        Trouble::Render(bad) => unconvertible(bad),
        Trouble::Unsupported { .. } => Reply::new(554, (6, 1), text),
        Trouble::Nothing | Trouble::Message(_) => Reply::new(554, (6, 0), text),
        Trouble::Disk => Reply::new(452, (3, 1), text),
        Trouble::Bug => Reply::new(451, (3, 0), text),
    }
}

fn unconvertible(bad: &RenderError) -> Reply {
    let text = bad.to_string();
    match bad {
        RenderError::Unsupported { .. } | RenderError::Encrypted { .. } => {
            Reply::new(554, (6, 1), text)
        }
        RenderError::TooManyPages { .. } | RenderError::TooLarge => Reply::new(552, (3, 4), text),
        RenderError::Nothing => Reply::new(554, (6, 0), text),
        RenderError::Broken { .. } => Reply::new(554, (6, 5), text),
        _ => Reply::new(451, (6, 5), text),
    }
}
