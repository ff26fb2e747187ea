//! Who is told what has become of a fax: NOTIFY (RFC 3461 5.2), the time limit of
//! the sender (RFC 2852 4) and the wish for a disposition notification (RFC 8098 2)
//! as one pure table. Says who is to be told what; the words are written elsewhere.
//!
//! | what happened | NOTIFY absent | has the keyword | lacks it, or NEVER |
//! |---|---|---|---|
//! | all pages confirmed | as the client wishes | SUCCESS: `delivered` | nothing |
//! | the same, but coarser than asked for | as the client wishes | SUCCESS: `delivered` | nothing |
//! | handed to a server that cannot tell | as the client wishes | SUCCESS: `relayed` | nothing |
//! | still tried after a while | `delayed` | DELAY: `delayed` | nothing |
//! | later than the sender wanted (BY, mode N) | `delayed` | DELAY: `delayed` | nothing |
//! | given up, with no page or some pages sent | `failed` | FAILURE: `failed` | nothing |
//! | given up at the sender's time (BY, mode R) | `failed` | FAILURE: `failed` | nothing |
//! | cancelled | `failed` | FAILURE: `failed` | nothing |
//!
//! A fax that went out while a list of its mail did not reach everybody is in part a failure:
//! whoever is told of failures is told of its success as well, and there of the list.
//!
//! To a null reverse-path nothing is ever mailed (RFC 5321 4.5.5); the postmaster is
//! told of what is lost. A disposition notification takes the place of a report only
//! where no report was asked for and none is sent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    job::{End, Job, Sent, State},
    outcome::{Class, Outcome},
    retry::RetryRules,
    setup::Receipts,
    time::Timestamp,
};

/// When a fax is to go out (RFC 4865).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Not before.
    pub at: Timestamp,
    /// As it was asked for: `for;SECONDS` or `until;TIME` (RFC 4865 5.1).
    pub asked: String,
}

/// By when a fax is to be there (RFC 2852).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverBy {
    /// The moment.
    pub at: Timestamp,
    /// Whether it is given up then (R), or only reported (N).
    pub give_back: bool,
    /// Whether each hop is to be reported.
    pub trace: bool,
}

/// What the sender wants to be told (RFC 3461 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notify {
    /// Not said.
    #[default]
    Unsaid,
    /// Nothing, ever.
    Never,
    /// These, and nothing else.
    On {
        /// When it has arrived.
        success: bool,
        /// When it has failed.
        failure: bool,
        /// When it takes long.
        delay: bool,
    },
}

impl Notify {
    /// What was asked for either of two recipients that are one fax: who asked to hear of
    /// it for one of them hears of it (RFC 3461 4.1).
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Never, one) | (one, Self::Never) => one,
            (Self::Unsaid, Self::Unsaid | Self::On { success: false, .. })
            | (Self::On { success: false, .. }, Self::Unsaid) => Self::Unsaid,
            (Self::Unsaid, Self::On { .. }) | (Self::On { .. }, Self::Unsaid) => {
                Self::On { success: true, failure: true, delay: true }
            }
            (
                Self::On { success, failure, delay },
                Self::On { success: or_success, failure: or_failure, delay: or_delay },
            ) => Self::On {
                success: success || or_success,
                failure: failure || or_failure,
                delay: delay || or_delay,
            },
        }
    }
}

/// What has happened to a fax, as far as its sender is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// The remote machine confirmed every page.
    Delivered,
    /// The same, but the pages went out coarser than they were made.
    Coarser,
    /// A server has it that cannot tell what becomes of it.
    Relayed,
    /// It is still tried, and that takes long.
    Late,
    /// It is still tried after the time by which the sender wanted it there (RFC 2852 mode N).
    Overdue,
    /// It was given up, and no page had arrived.
    Failed,
    /// It was given up after some pages had arrived.
    Partly,
    /// It was given up since the sender's time was over (RFC 2852 mode R).
    Expired,
    /// Someone stopped it.
    Cancelled,
}

/// What a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// How it ended: the one report of that kind.
    #[default]
    End,
    /// That it takes long.
    Late,
    /// That the time by which the sender wanted it there is over.
    Overdue,
    /// How it ended, as a disposition notification.
    Disposition,
}

/// A report that is due while a fax is still tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// When.
    pub at: Timestamp,
    /// Which: [`Report::Late`] or [`Report::Overdue`].
    pub report: Report,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The sender, by this report.
    Sender(Report),
    /// The postmaster, since the sender cannot be told of a loss.
    Postmaster,
    /// Nobody.
    Nobody,
}

/// The keywords of NOTIFY.
enum Keyword {
    Success,
    Failure,
    Delay,
}

impl Happened {
    /// How a fax ended, or that it is still tried.
    #[must_use]
    pub fn of(job: &Job, rules: &RetryRules) -> Self {
        let State::Ended { end, at } = &job.state else { return Self::Late };
        match end {
            End::Delivered if job.last_outcome() == Some(Outcome::Relayed) => Self::Relayed,
            End::Delivered if job.coarse => Self::Coarser,
            End::Delivered => Self::Delivered,
            End::Cancelled => Self::Cancelled,
            End::Failed(cause) if is_out_of_time(job, *at, *cause, rules) => Self::Expired,
            End::Failed(_) if job.confirmed > 0 => Self::Partly,
            End::Failed(_) => Self::Failed,
        }
    }

    fn keyword(self) -> Keyword {
        match self {
            Self::Delivered | Self::Coarser | Self::Relayed => Keyword::Success,
            Self::Late | Self::Overdue => Keyword::Delay,
            Self::Failed | Self::Partly | Self::Expired | Self::Cancelled => Keyword::Failure,
        }
    }

    fn report(self) -> Report {
        match self {
            Self::Late => Report::Late,
            Self::Overdue => Report::Overdue,
            _ => Report::End,
        }
    }

    fn is_loss(self) -> bool {
        matches!(self, Self::Failed | Self::Partly | Self::Expired)
    }
}

/// Whether it was the sender's time that ended the job, and not the last cause: the
/// time is over, or it would have been at the next try.
fn is_out_of_time(job: &Job, at: Timestamp, cause: Outcome, rules: &RetryRules) -> bool {
    let by = job.sender().and_then(|sent| sent.deliver_by).filter(|by| by.give_back);
    let Some(by) = by.filter(|by| by.at == job.expires) else { return false };
    let tries = job.tries.0.get(&cause.name()).copied().unwrap_or_default();
    let had_more = match cause.class() {
        Class::Later => tries < rules.of(cause).tries,
        Class::Wait => true,
        _ => false,
    };
    at >= by.at || had_more
}

/// Who is told what has happened to a fax that was sent like this, by a client who
/// wants receipts like that.
#[must_use]
pub fn told(happened: Happened, sent: &Sent, receipts: Receipts) -> Told {
    if sent.reverse_path.is_none() {
        return if happened.is_loss() { Told::Postmaster } else { Told::Nobody };
    }
    let missed = !sent.missed.is_empty();
    let wanted = match (sent.notify, happened.keyword()) {
        (Notify::Never, _) => false,
        (Notify::On { success, failure, .. }, Keyword::Success) => success || failure && missed,
        (Notify::On { failure, .. }, Keyword::Failure) => failure,
        (Notify::On { delay, .. }, Keyword::Delay) => delay,
        (Notify::Unsaid, Keyword::Success) => receipts == Receipts::Always || missed,
        (Notify::Unsaid, Keyword::Failure | Keyword::Delay) => true,
    };
    let no_report_asked_for = !matches!(sent.notify, Notify::On { .. });
    match happened.report() {
        report if wanted => Told::Sender(report),
        Report::End if sent.disposition && no_report_asked_for => Told::Sender(Report::Disposition),
        _ => Told::Nobody,
    }
}

/// Takes out what is due by now; of two reports the later one counts.
pub fn take_due(planned: &mut Vec<Planned>, now: Timestamp) -> Option<Report> {
    let due = planned.iter().filter(|planned| planned.at <= now);
    let report = due.max_by_key(|planned| planned.at).map(|planned| planned.report);
    planned.retain(|planned| planned.at > now);
    report
}

/// The reports that will be due while a fax is tried that may begin at `due`: one
/// when it takes longer than `patience` (zero: none), one when the sender's time is
/// over. The second makes a later first one needless.
#[must_use]
pub fn planned(sent: &Sent, due: Timestamp, patience: Duration) -> Vec<Planned> {
    let is_told = |happened| matches!(told(happened, sent, Receipts::Always), Told::Sender(_));
    let by = sent.deliver_by.filter(|by| !by.give_back && is_told(Happened::Overdue));
    let overdue = by.map(|by| Planned { at: by.at, report: Report::Overdue });
    let late = Planned { at: due + patience, report: Report::Late };
    let late = (!patience.is_zero() && is_told(Happened::Late)).then_some(late);
    let needed = late.filter(|late| overdue.is_none_or(|overdue| late.at < overdue.at));
    needed.into_iter().chain(overdue).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;
    use crate::{
        destination::Destination,
        job::Cause,
        names::{ClientName, JobId},
    };

    const NOW: Timestamp = Timestamp(1_700_000_000_000);
    const NEVER: Notify = Notify::Never;
    const SUCCESS: Notify = Notify::On { success: true, failure: false, delay: false };
    const FAILURE: Notify = Notify::On { success: false, failure: true, delay: false };
    const DELAY: Notify = Notify::On { success: false, failure: false, delay: true };
    const UNSAID: Notify = Notify::Unsaid;

    const ALL: [Happened; 9] = [
        Happened::Delivered,
        Happened::Coarser,
        Happened::Relayed,
        Happened::Late,
        Happened::Overdue,
        Happened::Failed,
        Happened::Partly,
        Happened::Expired,
        Happened::Cancelled,
    ];

    fn sent(notify: Notify) -> Sent {
        Sent {
            client: ClientName::new("anna").unwrap(),
            reverse_path: Some("anna@example.com".into()),
            message_id: None,
            subject: None,
            message: "m".into(),
            content: crate::document::Digest("c".into()),
            return_mail: false,
            envelope_id: None,
            original_recipient: None,
            notify,
            disposition: false,
            release: None,
            deliver_by: None,
            missed: Vec::new(),
            wanted: crate::options::Wanted::default(),
        }
    }

    fn after_minutes(minutes: u64) -> Timestamp {
        NOW + Duration::from_secs(60 * minutes)
    }

    fn by(minutes: u64, give_back: bool) -> Option<DeliverBy> {
        Some(DeliverBy { at: after_minutes(minutes), give_back, trace: false })
    }

    #[test]
    fn every_cell_of_the_matrix() {
        use Happened::*;
        use Told::{Nobody, Sender};
        let (end, late, overdue) =
            (Sender(Report::End), Sender(Report::Late), Sender(Report::Overdue));
        // What happened; then NOTIFY absent, SUCCESS, FAILURE, DELAY, NEVER.
        let table = [
            (Delivered, [end, end, Nobody, Nobody, Nobody]),
            (Coarser, [end, end, Nobody, Nobody, Nobody]),
            (Relayed, [end, end, Nobody, Nobody, Nobody]),
            (Late, [late, Nobody, Nobody, late, Nobody]),
            (Overdue, [overdue, Nobody, Nobody, overdue, Nobody]),
            (Failed, [end, Nobody, end, Nobody, Nobody]),
            (Partly, [end, Nobody, end, Nobody, Nobody]),
            (Expired, [end, Nobody, end, Nobody, Nobody]),
            (Cancelled, [end, Nobody, end, Nobody, Nobody]),
        ];
        assert_eq!(table.map(|(happened, _)| happened), ALL);
        for (happened, row) in table {
            for (notify, wanted) in [UNSAID, SUCCESS, FAILURE, DELAY, NEVER].into_iter().zip(row) {
                let got = told(happened, &sent(notify), Receipts::Always);
                assert_eq!(got, wanted, "{happened:?} {notify:?}");
            }
        }
    }

    #[test]
    fn a_client_who_wants_failures_only_is_not_told_of_what_arrived() {
        for happened in ALL {
            let silent =
                matches!(happened, Happened::Delivered | Happened::Coarser | Happened::Relayed);
            let got = told(happened, &sent(UNSAID), Receipts::Failures);
            assert_eq!(got == Told::Nobody, silent, "{happened:?}");
            let asked = told(happened, &sent(SUCCESS), Receipts::Failures);
            assert_eq!(asked != Told::Nobody, silent, "{happened:?}: what was asked for counts");
        }
    }

    #[test]
    fn a_list_that_misses_somebody_is_a_failure_in_part() {
        use crate::job::Missed;
        for (notify, receipts, wanted) in [
            (UNSAID, Receipts::Failures, true),
            (FAILURE, Receipts::Failures, true),
            (DELAY, Receipts::Always, false),
            (NEVER, Receipts::Always, false),
        ] {
            let missed = vec![Missed { list: "All".into(), members: 1 }];
            let sent = Sent { missed, ..sent(notify) };
            let told = told(Happened::Delivered, &sent, receipts);
            assert_eq!(told == Told::Sender(Report::End), wanted, "{notify:?}");
        }
    }

    #[test]
    fn nothing_is_mailed_to_a_null_reverse_path() {
        for happened in ALL {
            for notify in [UNSAID, SUCCESS, FAILURE, DELAY, NEVER] {
                let sent = Sent { reverse_path: None, disposition: true, ..sent(notify) };
                let loss =
                    matches!(happened, Happened::Failed | Happened::Partly | Happened::Expired);
                let wanted = if loss { Told::Postmaster } else { Told::Nobody };
                assert_eq!(told(happened, &sent, Receipts::Always), wanted, "{happened:?}");
                assert_eq!(planned(&sent, NOW, Duration::from_secs(60)), []);
            }
        }
    }

    #[test]
    fn a_disposition_is_told_only_where_no_report_is_sent_or_asked_for() {
        let disposition = Told::Sender(Report::Disposition);
        for (notify, receipts, happened, wanted) in [
            (UNSAID, Receipts::Always, Happened::Delivered, Told::Sender(Report::End)),
            (UNSAID, Receipts::Failures, Happened::Delivered, disposition),
            (UNSAID, Receipts::Failures, Happened::Failed, Told::Sender(Report::End)),
            (NEVER, Receipts::Always, Happened::Delivered, disposition),
            (NEVER, Receipts::Always, Happened::Partly, disposition),
            (NEVER, Receipts::Always, Happened::Late, Told::Nobody),
            (NEVER, Receipts::Always, Happened::Overdue, Told::Nobody),
            (FAILURE, Receipts::Always, Happened::Delivered, Told::Nobody),
            (SUCCESS, Receipts::Always, Happened::Failed, Told::Nobody),
            (DELAY, Receipts::Always, Happened::Delivered, Told::Nobody),
        ] {
            let sent = Sent { disposition: true, ..sent(notify) };
            assert_eq!(told(happened, &sent, receipts), wanted, "{notify:?} {happened:?}");
        }
    }

    #[test]
    fn delays_are_planned_once_each_and_only_where_they_are_told() {
        let hour = Duration::from_secs(3600);
        let late = |minutes| Planned { at: after_minutes(minutes), report: Report::Late };
        let overdue = |minutes| Planned { at: after_minutes(minutes), report: Report::Overdue };
        for (notify, deliver_by, patience, wanted) in [
            (UNSAID, None, hour, vec![late(60)]),
            (DELAY, None, hour, vec![late(60)]),
            (FAILURE, None, hour, vec![]),
            (NEVER, by(10, false), hour, vec![]),
            (UNSAID, None, Duration::ZERO, vec![]),
            (UNSAID, by(90, false), Duration::ZERO, vec![overdue(90)]),
            (UNSAID, by(90, false), hour, vec![late(60), overdue(90)]),
            (UNSAID, by(10, false), hour, vec![overdue(10)]),
            (UNSAID, by(10, true), hour, vec![late(60)]),
            (SUCCESS, by(10, false), hour, vec![]),
        ] {
            let sent = Sent { deliver_by, ..sent(notify) };
            assert_eq!(planned(&sent, NOW, patience), wanted, "{notify:?} {deliver_by:?}");
        }
    }

    fn failed(cause: Outcome, tries: u32, at: u64, deliver_by: Option<DeliverBy>) -> Happened {
        let fax = Cause::Sent(Box::new(Sent { deliver_by, ..sent(UNSAID) }));
        let minutes = if deliver_by.is_some_and(|by| by.at == after_minutes(5)) { 5 } else { 10 };
        let time = Duration::from_secs(60 * minutes);
        let mut job = Job::new(JobId(1), fax, Destination::Unrouted, NOW, time);
        for _ in 0..tries {
            job.tries.count(cause);
        }
        job.state = State::Ended { end: End::Failed(cause), at: after_minutes(at) };
        Happened::of(&job, &RetryRules::default())
    }

    #[test]
    fn the_time_of_the_sender_is_the_cause_when_it_ended_the_job() {
        let in_five = by(5, true);
        for (cause, tries, at, deliver_by, wanted) in [
            (Outcome::Busy, 1, 5, in_five, Happened::Expired),
            // The next try would have come too late.
            (Outcome::Busy, 1, 4, in_five, Happened::Expired),
            (Outcome::LinesBusy, 9, 4, in_five, Happened::Expired),
            // All tries were used up, or there was no other.
            (Outcome::Busy, 12, 4, in_five, Happened::Failed),
            (Outcome::NotInService, 1, 4, in_five, Happened::Failed),
            // Only reported then, or our own limit was shorter.
            (Outcome::Busy, 1, 5, by(5, false), Happened::Failed),
            (Outcome::Busy, 1, 10, by(11, true), Happened::Failed),
            (Outcome::Busy, 1, 5, None, Happened::Failed),
        ] {
            assert_eq!(failed(cause, tries, at, deliver_by), wanted, "{cause:?} {tries} {at}");
        }
    }
}
