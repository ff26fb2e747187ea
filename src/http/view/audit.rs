//! How the audit log looks, and how it is asked for.

use postfax_domain::audit::{Chain, Entry, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{moment, who};

/// Which lines of the audit log are asked for. Absent means any.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct AuditFilter {
    /// Who has asked: a client, or `administrator`.
    #[param(example = "anna")]
    pub(in crate::http) who: Option<String>,
    /// What was asked, or a pattern (`jobs.*`).
    #[param(example = "jobs.*")]
    pub(in crate::http) request: Option<String>,
    /// Not before this moment.
    #[param(format = DateTime)]
    pub(in crate::http) since: Option<String>,
    /// At most so many, newest first; 50 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    pub(in crate::http) limit: Option<u32>,
    /// Only those before this line: the cursor of the next page.
    #[param(minimum = 0)]
    pub(in crate::http) before: Option<u64>,
}

/// The last line that the asker knows of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Known {
    /// `SEQ:HASH`, from the `head` of an earlier answer: whether the log still has it.
    #[param(pattern = "^[0-9]{1,18}:[0-9a-f]{64}$")]
    pub(in crate::http) head: Option<String>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AuditList {
    /// Newest first.
    pub(in crate::http) lines: Vec<AuditLine>,
    /// The next page is `before` this one; absent where there is none. That page may be
    /// empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) next: Option<u64>,
}

/// A line of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct AuditLine {
    /// Its number, counted from 1.
    seq: u64,
    /// When it was decided.
    #[schema(format = DateTime)]
    at: String,
    /// Who has asked: a client, or `administrator`.
    #[schema(example = "anna")]
    who: String,
    /// By which way: `socket`, `mail`, `http` or `supervisor`.
    #[schema(example = "http")]
    door: String,
    /// Where from.
    #[schema(example = "192.0.2.7")]
    from: String,
    /// What was asked.
    #[schema(example = "jobs.cancel")]
    request: String,
    /// About what; empty when about nothing in particular.
    #[schema(example = "job:12")]
    object: String,
    verdict: VerdictView,
    /// Why it was refused or not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What it was before, where something was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// What it is now, where something was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// What chains it to the line before.
    hash: String,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum VerdictView {
    /// It was done, or answered.
    Allowed,
    /// The asker may not.
    Refused,
    /// The asker may, and it could not be done.
    Failed,
}

impl From<Entry> for AuditLine {
    fn from(entry: Entry) -> Self {
        let Entry { seq, line, hash } = entry;
        let (verdict, why) = match line.verdict {
            Verdict::Allowed => (VerdictView::Allowed, None),
            Verdict::Refused(why) => (VerdictView::Refused, Some(why)),
            Verdict::Failed(why) => (VerdictView::Failed, Some(why)),
        };
        Self {
            seq,
            at: moment(line.at),
            who: who(&line.asker),
            door: line.asker.door.to_string(),
            from: line.asker.from,
            request: line.request,
            object: line.object,
            verdict,
            why,
            before: line.before,
            after: line.after,
            hash,
        }
    }
}

/// What was found when the whole log was read.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ChainView {
    /// Whether every line fits.
    whole: bool,
    /// How many lines fit.
    lines: u64,
    /// The last line that fits, as `SEQ:HASH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    /// The first line that does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<u64>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<Chain> for ChainView {
    fn from(chain: Chain) -> Self {
        Self {
            whole: chain.broken.is_none(),
            lines: chain.lines,
            head: chain.head.map(|head| head.to_string()),
            broken: chain.broken.as_ref().map(|broken| broken.seq),
            why: chain.broken.map(|broken| broken.why.to_string()),
        }
    }
}
