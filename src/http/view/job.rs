//! How jobs look, with all that is known of them and in pages; a row of them is [`JobRow`].

use postfax_domain::{
    book::Owner,
    destination::{Destination, FaxAddress, Named},
    document::{Document, Quality},
    job::{Attempt, Carrier, Cause, Job, Missed, State},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{JobRow, moment};
use crate::requests::{Condition, Kind, Summary, row::word};

/// Which jobs are asked for. Absent means any.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Filter {
    /// Where they stand.
    #[param(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) state: Option<Condition>,
    /// What they are.
    #[param(inline)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) kind: Option<Kind>,
    /// The client who sends or receives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) client: Option<String>,
    /// The number called or calling, or a pattern (`+33*`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) number: Option<String>,
    /// At most so many, newest first; 50 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) limit: Option<u32>,
    /// Only jobs with a smaller number: the cursor of the next page.
    #[param(minimum = 0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) before: Option<u64>,
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct JobList {
    /// Newest first.
    pub(in crate::http) jobs: Vec<JobRow>,
    /// The next page is `before` this one; absent where there is none. That page may be
    /// empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<u64>,
}

/// One job and all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct JobStory {
    /// In one row.
    summary: JobRow,
    /// Subject of the mail or of the request that it came with.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    /// The recipient as the sender wrote it: a number, or a name of the phone book.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "acme@fax.example.com")]
    written: Option<String>,
    /// The entry of the phone book that was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryCalled>,
    /// Lists of its mail that did not reach everybody; one fax of a mail tells of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missed: Vec<ListMissed>,
    /// 0 is ordinary, 9 most urgent, -9 least.
    priority: i8,
    /// When we give up.
    #[schema(format = DateTime)]
    expires: String,
    /// Not before this time, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    due: Option<String>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended: Option<String>,
    /// Why no pages could be made, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// SHA-256 of the pages, in hexadecimal, once they are made.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    /// Its attempts, oldest first.
    attempts: Vec<AttemptView>,
    /// The receipts that tell its sender of it, oldest first.
    receipts: Vec<JobRow>,
}

/// By which entry of the phone book a number was meant, as it was when the fax was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EntryCalled {
    /// The entry that has the number.
    #[schema(example = "Acme Ltd")]
    name: String,
    /// The list that was written; absent where the entry itself was.
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    /// Whose alias was written; absent where it is nobody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
}

impl From<&Named> for EntryCalled {
    fn from(named: &Named) -> Self {
        let owner = match &named.owner {
            Owner::Client(name) => Some(name.to_string()),
            Owner::Supervisor => None,
        };
        Self { name: named.entry.clone(), list: named.list.clone(), owner }
    }
}

/// A list of which some members could not be used.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ListMissed {
    /// The list.
    list: String,
    /// How many of its members.
    members: usize,
}

impl From<&Missed> for ListMissed {
    fn from(missed: &Missed) -> Self {
        Self { list: missed.list.clone(), members: missed.members }
    }
}

/// The fax machine that a job goes to.
fn fax(job: &Job) -> Option<&FaxAddress> {
    match &job.destination {
        Destination::Fax(fax) => Some(fax),
        Destination::Mailbox(_) | Destination::Unrouted => None,
    }
}

/// One try of one carrier.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AttemptView {
    /// Counted from 1.
    attempt: u32,
    /// The fax server; absent for a mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[schema(format = DateTime)]
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    ended: Option<String>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "delivered")]
    outcome: Option<String>,
    /// The carrier's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<String>,
    /// Pages that were confirmed in it.
    confirmed: u32,
    /// What the remote machine calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_id: Option<String>,
    /// Signalling rate in bit/s.
    #[serde(skip_serializing_if = "Option::is_none")]
    bit_rate: Option<u32>,
    /// How long the call has lasted, in seconds.
    duration_s: u64,
    /// How well it went on the line, when the server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<QualityView>,
}

/// How well a call went on the line (T.30).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quality)]
pub(in crate::http) struct QualityView {
    /// What carried it: `modem`, `T.38` or `G.711`.
    #[schema(example = "T.38")]
    carrier: String,
    /// Whether errors were corrected.
    ecm: bool,
    /// How the pages were coded on the line: `MH`, `MR` or `MMR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "MMR")]
    coding: Option<String>,
    /// Frames that had to be sent again under error correction.
    resent_frames: u32,
    /// Bad lines of pages that came without error correction.
    bad_lines: u32,
    /// The remote machine's make and model, where it names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_model: Option<String>,
}

impl From<&Quality> for QualityView {
    fn from(quality: &Quality) -> Self {
        let Quality { carrier, ecm, coding, resent_frames, bad_lines, remote_model } =
            quality.clone();
        Self { carrier, ecm, coding, resent_frames, bad_lines, remote_model }
    }
}

impl From<&Attempt> for AttemptView {
    fn from(attempt: &Attempt) -> Self {
        let ended = attempt.ended.as_ref();
        Self {
            attempt: attempt.number,
            server: match &attempt.carrier {
                Carrier::Server(name) => Some(name.to_string()),
                Carrier::Mail => None,
            },
            started: moment(attempt.started),
            ended: ended.map(|end| moment(end.at)),
            outcome: ended.map(|end| word(end.outcome)),
            said: ended.map(|end| end.said.clone()),
            confirmed: attempt.ledger.confirmed,
            remote_id: attempt.ledger.remote_id.clone(),
            bit_rate: attempt.ledger.bit_rate,
            duration_s: attempt.ledger.duration.as_secs(),
            quality: attempt.ledger.quality.as_ref().map(QualityView::from),
        }
    }
}

impl JobStory {
    pub(in crate::http) fn new(job: &Job, receipts: &[Summary]) -> Self {
        Self {
            summary: JobRow::from(job),
            subject: job.sender().and_then(|sent| sent.subject.clone()),
            written: fax(job).map(|fax| fax.as_written.clone()),
            entry: fax(job).and_then(|fax| fax.named.as_ref()).map(EntryCalled::from),
            missed: job
                .sender()
                .map_or(&[][..], |sent| &sent.missed)
                .iter()
                .map(ListMissed::from)
                .collect(),
            priority: job.priority,
            expires: moment(job.expires),
            due: job.due().map(moment),
            ended: match job.state {
                State::Ended { at, .. } => Some(moment(at)),
                _ => None,
            },
            trouble: job.trouble.clone(),
            document: documents(job).last().map(|pages| pages.digest.to_string()),
            attempts: job.attempts.iter().map(AttemptView::from).collect(),
            receipts: receipts.iter().map(JobRow::from).collect(),
        }
    }
}

/// The pages of a job: those that it sends, its cover first, or those that have arrived.
pub(in crate::http) fn documents(job: &Job) -> Vec<&Document> {
    match &job.cause {
        Cause::Arrived(fax) => vec![&fax.document],
        _ => job.documents().collect(),
    }
}
