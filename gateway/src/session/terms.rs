//! What a sender asks for beyond the sending: that a mail be no larger than we take,
//! released later, or be there in time. Refused here is what no desk could grant.

use super::Session;
use crate::{
    command::{CommandError, DeliverBy, Mail, Release},
    desk::Granted,
    reply::Reply,
};

impl Session {
    /// Why the terms of a mail cannot be met, if so.
    pub(super) fn unmet(&self, mail: &Mail) -> Option<Reply> {
        if mail.size.is_some_and(|size| size > self.limits.max_message_bytes) {
            return Some(self.too_large());
        }
        let release = mail.release.as_ref();
        release
            .and_then(|release| self.unreleasable(release))
            .or_else(|| mail.deliver_by.and_then(|by| self.undeliverable(by, release)))
    }

    pub(super) fn too_large(&self) -> Reply {
        let most = self.limits.max_message_bytes;
        Reply::new(552, (3, 4), format!("a message has at most {most} octets"))
    }

    /// RFC 4865 4. A moment that is past means at once.
    fn unreleasable(&self, release: &Release) -> Option<Reply> {
        let keyword = match release {
            Release::For(_) => "HOLDFOR",
            Release::Until(_) => "HOLDUNTIL",
        };
        if !self.holds_mail() {
            return Some(CommandError::UnknownParameter(keyword.to_owned()).reply());
        }
        let most = self.limits.max_hold_s;
        let held_too_long = match release {
            Release::For(seconds) => *seconds > most,
            Release::Until(moment) => *moment > self.latest_release(),
        };
        held_too_long.then(|| {
            Reply::new(501, (5, 4), format!("{keyword}: a mail is held {most} seconds at most"))
        })
    }

    /// RFC 2852 4, and RFC 4865 5.2: the deadline is not before the release.
    fn undeliverable(&self, by: DeliverBy, release: Option<&Release>) -> Option<Reply> {
        let Some(least) = self.limits.min_deliver_by_s else {
            return Some(CommandError::UnknownParameter("BY".to_owned()).reply());
        };
        let held = match release {
            None => i64::MIN,
            Some(Release::For(seconds)) => i64::from(*seconds),
            Some(Release::Until(moment)) => moment.as_second() - self.now.as_second(),
        };
        if by.seconds < held {
            return Some(Reply::new(501, (5, 4), "BY: the deadline is before the release"));
        }
        (by.give_back && by.seconds < i64::from(least)).then(|| {
            let text = format!("BY: {least} seconds are the least that a mail may be given");
            Reply::new(555, (5, 4), text)
        })
    }
}

/// What is said to a sender who may send. Another priority than the one that was asked
/// for is told (RFC 6710 4.1).
pub(super) fn welcome(mail: &Mail, granted: Granted) -> Reply {
    match mail.priority {
        Some(asked) if asked != granted.priority => {
            let text = format!("{} is the priority of this mail", granted.priority);
            Reply::new(250, (3, 6), text)
        }
        _ => Reply::new(250, (1, 0), "sender ok"),
    }
}
