//! How orders to jobs are given, and how it looks that they were followed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::requests::{self, Deed};

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

impl From<requests::Done> for Done {
    fn from(done: requests::Done) -> Self {
        Self { job: done.job.0, what: done.what, new: done.new.map(|id| id.0) }
    }
}
