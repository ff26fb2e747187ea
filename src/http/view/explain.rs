//! How the choice of a server looks, and how it is asked for.

use postfax_domain::fleet::{Decision, Standing};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::moment;
use crate::requests::{Explanation, Verdict};

/// What is asked to be explained: a job, or a call that nobody has made yet.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Question {
    /// The job; then nothing else is said.
    #[param(minimum = 0)]
    pub(in crate::http) job: Option<u64>,
    /// The client who would send; the asker when it is not said.
    pub(in crate::http) from: Option<String>,
    /// The number that would be called, or a name of the client's phone book.
    #[param(example = "+33140000000")]
    pub(in crate::http) to: Option<String>,
    /// How many pages; 1 when it is not said.
    #[param(minimum = 1, maximum = 10000)]
    pub(in crate::http) pages: Option<u32>,
}

/// Which servers could, would or did carry a fax, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ExplanationView {
    /// The job that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<u64>,
    from: String,
    to: String,
    pages: u32,
    /// What was decided for each attempt so far.
    past: Vec<Choice>,
    /// What would be decided at this moment; absent when nothing is to be decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Choice>,
}

/// One choice of a server.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(in crate::http) struct Choice {
    /// The attempt that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// When that began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    at: Option<String>,
    /// Why nobody may make the call; absent when it may be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<String>,
    /// The server that was chosen; absent when the call has to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<String>,
    /// What spoke for and against each server.
    servers: Vec<Standpoint>,
}

/// What speaks for or against a server.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Standpoint {
    #[schema(example = "london-1")]
    server: String,
    /// Why not; absent when it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<String>,
    /// Seconds until the last page would be through, when it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast_s: Option<f64>,
}

impl Choice {
    fn of(decision: &Decision) -> Self {
        let servers = decision.servers.iter().map(|(name, standing)| {
            let (against, forecast_s) = against(standing);
            Standpoint { server: name.to_string(), against, forecast_s }
        });
        let chosen = decision.chosen.as_ref().map(ToString::to_string);
        Self { chosen, servers: servers.collect(), ..Self::default() }
    }
}

fn against(standing: &Standing) -> (Option<String>, Option<f64>) {
    let why = match standing {
        Standing::Able { forecast_s, .. } => return (None, Some(*forecast_s)),
        Standing::NoSharedGroup => "no group in common with the sender".to_owned(),
        Standing::NotInRule => "the dial rule does not name it".to_owned(),
        Standing::Down(why) => format!("it cannot be reached: {why}"),
        Standing::TooFine(resolution) => {
            format!("it takes no pages at {}", resolution.as_str())
        }
        Standing::TooWide(paper) => format!("it takes no pages as wide as {}", paper.as_str()),
        Standing::Draining => "it gets no new work".to_owned(),
        Standing::NoFreeLine => "all its lines are in use".to_owned(),
        Standing::CalledByAnother => "another server is calling the number".to_owned(),
        Standing::Avoided { until } => format!("it is avoided until {}", moment(*until)),
    };
    (Some(why), None)
}

impl From<Explanation> for ExplanationView {
    fn from(told: Explanation) -> Self {
        let past = told.past.iter().map(|past| Choice {
            attempt: Some(past.attempt),
            at: Some(moment(past.at)),
            ..Choice::of(&past.decision)
        });
        let now = told.now.as_ref().map(|verdict| match verdict {
            Verdict::Permitted(decision) => Choice::of(decision),
            Verdict::Denied { why, .. } => {
                Choice { denied: Some(why.clone()), ..Choice::default() }
            }
        });
        Self {
            job: told.job.map(|id| id.0),
            from: told.from.to_string(),
            to: told.to.to_string(),
            pages: told.pages,
            past: past.collect(),
            now,
        }
    }
}
