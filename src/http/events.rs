//! Jobs as they change, as server-sent events (the HTML standard, 9.2): one event for
//! each job that the asker sees and that has changed.
//!
//! No history is kept. A stream begins with all open jobs as they are; one that is taken
//! up again after `Last-Event-ID`, which is a moment, also has those that have ended
//! since. So nobody misses how a job ended, and nobody is told of each step between.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    extract::State,
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::stream::{self, Stream};
use postfax_domain::{
    job::State as JobPlace,
    names::{ClientName, JobId},
    time::Timestamp,
};
use tokio::{sync::watch, time::sleep};

use super::{
    Shared,
    ask::ask,
    door::{self, Caller},
    problem::{Code, Problem},
    routes::Refusals,
    view::JobRow,
};
use crate::{
    daemon::now,
    requests::{self, Ask, AskJobs, Condition, MAX_JOBS, Summary},
};

/// Shortest time between two looks at the jobs.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Who is gone is noticed at the latest after this time.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// So many of the newest jobs are looked at besides the open ones: a job may have begun
/// and ended between two looks.
const NEWEST: u32 = 100;
/// The header of a stream that is taken up again.
const LAST: &str = "last-event-id";

/// Jobs as they change: events `job`, whose data is a job in one row. A comment comes
/// every 15 s when nothing happens.
#[utoipa::path(get, path = "/v1/events",
    params(("Last-Event-ID" = Option<u64>, Header, minimum = 0,
        description = "Also tell of the jobs that have ended since that event.")),
    responses((status = 200, description = "Events until either side has enough.",
        body = String, content_type = "text/event-stream"), Refusals))]
pub(super) async fn events(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let since = match headers.get(LAST).map(|id| id.to_str().ok().and_then(|id| id.parse().ok())) {
        None => None,
        Some(Some(id)) => Some(Timestamp(id)),
        Some(None) => {
            let words = "Last-Event-ID is the id of an event of this stream";
            return Err(Problem::new(Code::BadRequest, words));
        }
    };
    let place = shared.streams.take(&caller.client)?;
    // That somebody follows is on record; what they are told is the answer to it.
    ask(&shared, &caller, Ask::Follow).await?;
    let follower = Follower {
        changes: shared.daemon.changes(),
        stop: shared.stop.clone(),
        shared,
        caller,
        since,
        began: false,
        known: HashMap::new(),
        ready: VecDeque::new(),
        _place: place,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)))
}

/// How many follow, and how many of them are each client's: nobody takes all places.
#[derive(Debug)]
pub(super) struct Streams {
    most: usize,
    of_client: Arc<Mutex<HashMap<ClientName, usize>>>,
}

/// The place of one stream.
#[derive(Debug)]
struct Place {
    of_client: Arc<Mutex<HashMap<ClientName, usize>>>,
    client: ClientName,
}

impl Streams {
    pub(super) fn new(most: usize) -> Self {
        Self { most, of_client: Arc::default() }
    }

    /// A place for a client, which gets half of them at most.
    fn take(&self, client: &ClientName) -> Result<Place, Problem> {
        let mut places = self.of_client.lock().unwrap_or_else(PoisonError::into_inner);
        if places.values().sum::<usize>() >= self.most {
            let words = "too many follow events at once; try again in a moment";
            return Err(Problem::new(Code::Busy, words));
        }
        let own = places.entry(client.clone()).or_default();
        if *own >= self.most.div_ceil(2) {
            let words = format!("{client} follows events {own} times already: end one of them");
            return Err(Problem::new(Code::TooMany, words));
        }
        *own += 1;
        Ok(Place { of_client: self.of_client.clone(), client: client.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.of_client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = places.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                places.remove(&self.client);
            }
        }
    }
}

/// One stream.
struct Follower {
    shared: Shared,
    caller: Caller,
    changes: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    /// The last look, or the last event of an earlier stream: jobs that have ended since
    /// are told of.
    since: Option<Timestamp>,
    began: bool,
    /// What was told of the jobs that were there at the last look.
    known: HashMap<JobId, JobRow>,
    ready: VecDeque<Event>,
    _place: Place,
}

impl Follower {
    /// The next event; none when the stream is over.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.began {
                let (changes, stop) = (&mut self.changes, &mut self.stop);
                tokio::select! {
                    _ = stop.wait_for(|stop| *stop) => return None,
                    changed = changes.changed() => changed.ok()?,
                    // A token ends although nothing happens.
                    () = sleep(HEARTBEAT) => {}
                }
                sleep(LOOK_EVERY).await;
            }
            if !self.is_welcome() {
                return None;
            }
            self.changes.borrow_and_update();
            // The store is not well: whoever follows comes back.
            self.look().await.ok()?;
            self.began = true;
        }
    }

    /// Whether the token is still good.
    fn is_welcome(&self) -> bool {
        let config = self.shared.context.config.load();
        config.http.as_ref().is_some_and(|http| {
            let found = door::good(http, self.caller.digest, now());
            found.is_some_and(|token| token.client == self.caller.client)
        })
    }

    /// Finds the jobs that have changed since the last look.
    async fn look(&mut self) -> Result<(), Problem> {
        let moment = now();
        let open =
            AskJobs { state: Some(Condition::Open), limit: Some(MAX_JOBS), ..AskJobs::default() };
        let first = if self.since.is_some() && !self.began { MAX_JOBS } else { NEWEST };
        let newest = AskJobs { limit: Some(first), ..AskJobs::default() };
        let mut jobs = self.jobs(&open).await?;
        jobs.extend(self.jobs(&newest).await?);
        let mut ended = Vec::new();
        let open = self.known.iter().filter(|(_, row)| !row.state.is_over());
        for (id, _) in open.filter(|(id, _)| jobs.iter().all(|job| job.job != **id)) {
            // It has ended, and many others have come since.
            let before = Some(JobId(id.0.saturating_add(1)));
            let only = AskJobs { limit: Some(1), before, ..AskJobs::default() };
            ended.extend(self.jobs(&only).await?.into_iter().filter(|job| job.job == *id));
        }
        jobs.extend(ended);
        jobs.sort_by_key(|job| job.job);
        jobs.dedup_by_key(|job| job.job);
        self.known.retain(|id, _| jobs.iter().any(|job| job.job == *id));
        for job in &jobs {
            self.tell(job, moment);
        }
        self.since = Some(moment);
        Ok(())
    }

    async fn jobs(&self, ask: &AskJobs) -> Result<Vec<Summary>, Problem> {
        let asker = self.caller.asker();
        Ok(requests::jobs_once_more(&*self.shared.daemon, &asker, ask).await?)
    }

    fn tell(&mut self, job: &Summary, moment: Timestamp) {
        let row = JobRow::from(job);
        let news = match (self.known.get(&job.job), &job.state) {
            (Some(known), _) => *known != row,
            // It was over before the stream began, or before it was left.
            (None, JobPlace::Ended { at, .. }) => self.since.is_some_and(|since| *at >= since),
            (None, _) => true,
        };
        if news && let Ok(event) = Event::default().event("job").json_data(&row) {
            self.ready.push_back(event.id(moment.0.to_string()));
        }
        self.known.insert(job.job, row);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;

    #[test]
    fn no_client_takes_all_places() {
        let streams = Streams::new(5);
        let [anna, bob] = ["anna", "bob"].map(|name| ClientName::new(name).unwrap());
        let mut of_anna: Vec<Place> = (0..3).map(|_| streams.take(&anna).unwrap()).collect();
        let refused = |client| streams.take(client).unwrap_err().into_response().status().as_u16();
        assert_eq!(refused(&anna), 429);
        let _of_bob: Vec<Place> = (0..2).map(|_| streams.take(&bob).unwrap()).collect();
        assert_eq!(refused(&bob), 503);
        of_anna.pop();
        assert!(streams.take(&bob).is_ok());
        assert!(Streams::new(1).take(&anna).is_ok());
    }
}
