//! How orders to jobs are given, and how it looks that they were followed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::requests;

/// What is to be different about a fax that waits. Absent means as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Alteration {
    /// 0 is ordinary, 9 most urgent, -9 least; no more than the client may have.
    #[schema(minimum = -9, maximum = 9)]
    pub(in crate::http) priority: Option<i8>,
    /// After so many more attempts it is given up.
    #[schema(minimum = 1, maximum = 1000)]
    pub(in crate::http) tries: Option<u32>,
    /// When it is given up.
    #[schema(format = DateTime)]
    pub(in crate::http) expires: Option<String>,
    /// Not before this moment.
    #[schema(format = DateTime)]
    pub(in crate::http) due: Option<String>,
    /// Whom it calls.
    #[schema(example = "+33140000000")]
    pub(in crate::http) number: Option<String>,
}

/// Who is to get a received fax.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Assignment {
    /// The client.
    #[schema(example = "anna")]
    pub(in crate::http) client: String,
}

/// What was done to a job.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Done {
    /// The job that was meant.
    pub(in crate::http) job: u64,
    /// What was done to it.
    pub(in crate::http) what: Deed,
    /// The new job, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http) new: Option<u64>,
}

/// What was done.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) enum Deed {
    /// It is stopped.
    Cancelled,
    /// A call is under way: its server was told to stop it.
    Cancelling,
    /// It is tried now.
    Hurried,
    /// It is sent again, as a new job.
    SentAgain,
    /// It is not called before it is released.
    OnHold,
    /// It may be called again.
    Released,
    /// It is as it was asked to be.
    Altered,
    /// A client gets it.
    Assigned,
}

impl From<requests::Done> for Done {
    fn from(done: requests::Done) -> Self {
        let what = match done.what {
            requests::Deed::Cancelled => Deed::Cancelled,
            requests::Deed::Cancelling => Deed::Cancelling,
            requests::Deed::Hurried => Deed::Hurried,
            requests::Deed::SentAgain => Deed::SentAgain,
            requests::Deed::OnHold => Deed::OnHold,
            requests::Deed::Released => Deed::Released,
            requests::Deed::Altered => Deed::Altered,
            requests::Deed::Assigned => Deed::Assigned,
        };
        Self { job: done.job.0, what, new: done.new.map(|id| id.0) }
    }
}
