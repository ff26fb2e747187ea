//! Which jobs are meant: the question as it was written becomes a [`JobFilter`]
//! that a store can look up and that can be held against any job.

use postfax_domain::{
    audit::Line,
    authority::Who,
    destination::Destination,
    job::{Cause, End, Job, State},
    names::{BadName, ClientName, JobId},
    number::{Country, Number, Pattern},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::{AskAudit, AskInbound, AskJobs, Code, Kind, Problem};

/// Most jobs in one answer.
pub(crate) const MAX_JOBS: u32 = 1000;
/// Jobs in one answer when no number was given.
const DEFAULT_JOBS: u32 = 50;

/// Where a job stands, as one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    /// Not over yet
    Open,
    /// Waiting for its time or for a free line
    Waiting,
    /// Waiting to be released
    OnHold,
    /// A call or a delivery is under way
    Carrying,
    /// A received fax that nobody may have
    Held,
    /// Over, in whatever way
    Ended,
    /// All of it arrived
    Delivered,
    /// It did not arrive
    Failed,
    /// Someone stopped it
    Cancelled,
}

impl Condition {
    /// Whether a job that stands so is meant.
    pub(crate) fn includes(self, job: &Job) -> bool {
        match (self, &job.state) {
            (Self::OnHold, state) => job.on_hold && !matches!(state, State::Ended { .. }),
            (Self::Open, state) => !matches!(state, State::Ended { .. }),
            (Self::Waiting, State::Preparing { .. } | State::Waiting { .. })
            | (Self::Carrying, State::Carrying { .. })
            | (Self::Held, State::Held)
            | (Self::Ended, State::Ended { .. }) => true,
            (Self::Delivered, State::Ended { end, .. }) => *end == End::Delivered,
            (Self::Failed, State::Ended { end, .. }) => matches!(end, End::Failed(_)),
            (Self::Cancelled, State::Ended { end, .. }) => *end == End::Cancelled,
            _ => false,
        }
    }
}

/// Which jobs are meant. A condition that is absent always holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobFilter {
    /// Where they stand.
    pub(crate) condition: Option<Condition>,
    /// What they are.
    pub(crate) kind: Option<Kind>,
    /// Who sends or receives.
    pub(crate) client: Option<ClientName>,
    /// The number called or calling.
    pub(crate) number: Option<Pattern>,
    /// At most so many, newest first; 1 to [`MAX_JOBS`].
    pub(crate) limit: u32,
    /// Only those with a smaller number than this one.
    pub(crate) before: Option<JobId>,
}

impl JobFilter {
    /// Reads the question; national numbers as dialled in `country`.
    ///
    /// # Errors
    /// A [`Problem`] says which part of it cannot be understood.
    pub(crate) fn parse(ask: &AskJobs, country: Country) -> Result<Self, Problem> {
        let bad = |message: String| Problem::new(Code::BadRequest, message);
        let client = ask.client.as_deref().map(ClientName::new).transpose();
        let number = ask.number.as_deref().map(|text| pattern(text, country)).transpose()?;
        let limit = limit(ask.limit)?;
        Ok(Self {
            condition: ask.state,
            kind: ask.kind,
            client: client.map_err(|why| bad(why.to_string()))?,
            number,
            limit,
            before: ask.before,
        })
    }

    /// The received faxes that nobody has got.
    ///
    /// # Errors
    /// As [`JobFilter::parse`].
    pub(crate) fn inbound(ask: &AskInbound, country: Country) -> Result<Self, Problem> {
        let AskInbound { limit, before } = *ask;
        let (state, kind) = (Some(Condition::Held), Some(Kind::In));
        let held = AskJobs { state, kind, limit, before, ..AskJobs::default() };
        Self::parse(&held, country)
    }

    /// Whether this job is meant; the limit aside.
    pub(crate) fn matches(&self, job: &Job) -> bool {
        self.condition.is_none_or(|condition| condition.includes(job))
            && self.kind.is_none_or(|kind| kind == Kind::of(job))
            && self.client.as_ref().is_none_or(|client| involves(job, client))
            && self.number.as_ref().is_none_or(|pattern| calls(job, pattern))
            && self.before.is_none_or(|before| job.id < before)
    }
}

/// What those who hold everything are called in a filter.
const ADMINISTRATOR: &str = "administrator";
/// What all those are called who are no clients.
const STRANGER: &str = "stranger";

/// Which lines of the audit log are meant. A condition that is absent always holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuditFilter {
    /// Who has asked.
    pub(crate) who: Option<Who>,
    /// What was asked.
    pub(crate) request: Option<Pattern>,
    /// Not before this time.
    pub(crate) since: Timestamp,
    /// At most so many, newest first; 1 to [`MAX_JOBS`].
    pub(crate) limit: u32,
    /// Only those before this line.
    pub(crate) before: Option<u64>,
}

impl AuditFilter {
    /// Reads the question.
    ///
    /// # Errors
    /// A [`Problem`] says which part of it cannot be understood.
    pub(crate) fn parse(ask: &AskAudit) -> Result<Self, Problem> {
        let who = match ask.who.as_deref() {
            None => None,
            Some(ADMINISTRATOR) => Some(Who::Administrator),
            Some(STRANGER) => Some(Who::Stranger),
            Some(name) => {
                let name = ClientName::new(name);
                let bad = |why: BadName| Problem::new(Code::BadRequest, why.to_string());
                Some(Who::Client(name.map_err(bad)?))
            }
        };
        Ok(Self {
            who,
            request: ask.request.as_deref().map(Pattern::new),
            since: ask.since.unwrap_or(Timestamp(i64::MIN)),
            limit: limit(ask.limit)?,
            before: ask.before,
        })
    }

    /// Whether this line is meant; times and the limit aside.
    pub(crate) fn matches(&self, line: &Line) -> bool {
        self.who.as_ref().is_none_or(|who| *who == line.asker.who)
            && self.request.as_ref().is_none_or(|pattern| pattern.matches(&line.request))
    }
}

fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(DEFAULT_JOBS);
    if (1..=MAX_JOBS).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::BadRequest, format!("the limit must be 1 to {MAX_JOBS}")))
}

fn pattern(text: &str, country: Country) -> Result<Pattern, Problem> {
    if text.contains('*') {
        return Ok(Pattern::new(text));
    }
    match Number::parse(text, country) {
        Ok(number) => Ok(Pattern::new(number.as_str())),
        Err(why) => Err(Problem::new(Code::BadRequest, format!("\"{text}\": {why}"))),
    }
}

fn involves(job: &Job, client: &ClientName) -> bool {
    let sends = job.sender().is_some_and(|sent| &sent.client == client);
    let receives = match &job.destination {
        Destination::Mailbox(mailbox) => mailbox.client.as_ref() == Some(client),
        _ => false,
    };
    sends || receives
}

fn calls(job: &Job, pattern: &Pattern) -> bool {
    let called = match &job.destination {
        Destination::Fax(fax) => pattern.matches(fax.number.as_str()),
        _ => false,
    };
    let arrived = match &job.cause {
        Cause::Arrived(fax) => {
            [&fax.caller, &fax.called].into_iter().flatten().any(|n| pattern.matches(n.as_str()))
        }
        _ => false,
    };
    called || arrived
}

#[cfg(test)]
mod tests {
    use postfax_domain::time::Timestamp;

    use super::*;
    use crate::requests::samples;

    fn parse(ask: &AskJobs) -> Result<JobFilter, Problem> {
        JobFilter::parse(ask, "FR".parse().unwrap())
    }

    #[test]
    fn numbers_are_read_in_the_country() {
        let ask = AskJobs { number: Some("01 40 00 00 00".into()), ..Default::default() };
        let filter = parse(&ask).unwrap();
        assert_eq!(filter.number, Some(Pattern::new("+33140000000")));
        assert!(filter.matches(&samples::waiting()));
        let ask = AskJobs { number: Some("+49*".into()), ..Default::default() };
        assert!(!parse(&ask).unwrap().matches(&samples::waiting()));
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        let wrong = [
            (AskJobs { number: Some("x1".into()), ..Default::default() }, "\"x1\""),
            (AskJobs { client: Some("a b".into()), ..Default::default() }, "no usable name"),
            (AskJobs { limit: Some(0), ..Default::default() }, "1 to 1000"),
            (AskJobs { limit: Some(1001), ..Default::default() }, "1 to 1000"),
        ];
        for (ask, words) in wrong {
            let problem = parse(&ask).unwrap_err();
            assert_eq!(problem.code, Code::BadRequest);
            assert!(problem.message.contains(words), "{}", problem.message);
        }
    }

    #[test]
    fn every_condition_includes_what_it_says() {
        let at = Timestamp(0);
        let states = [
            State::Preparing { due: at },
            State::Waiting { due: at },
            State::Carrying { cancelling: false },
            State::Held,
            State::Ended { end: End::Delivered, at },
            State::Ended { end: End::Failed(postfax_domain::outcome::Outcome::Busy), at },
            State::Ended { end: End::Cancelled, at },
        ];
        let table = [
            (Condition::Open, "1111000"),
            (Condition::Waiting, "1100000"),
            (Condition::Carrying, "0010000"),
            (Condition::Held, "0001000"),
            (Condition::Ended, "0000111"),
            (Condition::Delivered, "0000100"),
            (Condition::Failed, "0000010"),
            (Condition::Cancelled, "0000001"),
        ];
        for (condition, expected) in table {
            let job = |state: &State| Job { state: state.clone(), ..samples::waiting() };
            let found: String = states
                .iter()
                .map(|state| if condition.includes(&job(state)) { '1' } else { '0' })
                .collect();
            assert_eq!(found, expected, "{condition:?}");
        }
        let mut held = samples::waiting();
        assert!(!Condition::OnHold.includes(&held));
        held.hold();
        assert!(Condition::OnHold.includes(&held) && Condition::Waiting.includes(&held));
    }

    #[test]
    fn clients_are_found_on_both_sides() {
        let anna = AskJobs { client: Some("anna".into()), ..Default::default() };
        let filter = parse(&anna).unwrap();
        assert!(filter.matches(&samples::waiting()));
        assert!(filter.matches(&samples::received()));
        let bert = AskJobs { client: Some("bert".into()), ..Default::default() };
        assert!(!parse(&bert).unwrap().matches(&samples::waiting()));
    }

    #[test]
    fn kinds_and_ages_are_told_apart() {
        let ask = AskJobs { kind: Some(Kind::In), ..Default::default() };
        assert!(parse(&ask).unwrap().matches(&samples::received()));
        assert!(!parse(&ask).unwrap().matches(&samples::waiting()));
        let id = samples::waiting().id;
        let ask = AskJobs { before: Some(id), ..Default::default() };
        assert!(!parse(&ask).unwrap().matches(&samples::waiting()));
    }
}
