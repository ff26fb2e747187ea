//! Asks the running Postfax through its socket, one line of JSON for each question,
//! as every other program would. Knows no shortcut into the daemon.

use std::path::Path;

use postfax_domain::{job::Job, names::JobId, supervisor::Status};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use crate::{
    cli::{Exit, Failure},
    requests::{Ask, AskJobs, Kind, Reply},
};

/// Longest answer in bytes: the stories of a few faxes are far below.
const MAX_ANSWER_BYTES: u64 = 4 << 20;

/// A connection to the running Postfax.
pub(super) struct Asking {
    stream: BufReader<UnixStream>,
}

impl Asking {
    /// Connects.
    ///
    /// # Errors
    /// [`Exit::Unreachable`].
    pub(super) async fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).await.map_err(|why| broken(&why))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// How everything is.
    ///
    /// # Errors
    /// [`Failure`], as for every question.
    pub(super) async fn status(&mut self) -> Result<Status, Failure> {
        match self.ask(&Ask::Status).await? {
            Reply::Status(status) => Ok(*status),
            other => Err(strange(&other)),
        }
    }

    /// One job.
    pub(super) async fn job(&mut self, job: JobId) -> Result<Job, Failure> {
        match self.ask(&Ask::Show { job }).await? {
            Reply::Job(story) => Ok(story.job),
            other => Err(strange(&other)),
        }
    }

    /// The newest job of this kind, if there is one.
    pub(super) async fn newest(&mut self, kind: Kind) -> Result<Option<JobId>, Failure> {
        let wanted = AskJobs { kind: Some(kind), limit: Some(1), ..AskJobs::default() };
        match self.ask(&Ask::Jobs(wanted)).await? {
            Reply::Jobs(jobs) => Ok(jobs.first().map(|job| job.job)),
            other => Err(strange(&other)),
        }
    }

    async fn ask(&mut self, ask: &Ask) -> Result<Reply, Failure> {
        let mut line = serde_json::to_vec(ask).expect("a question can be written as JSON");
        line.push(b'\n');
        self.stream.write_all(&line).await.map_err(|why| broken(&why))?;
        let mut answer = String::new();
        let reading = (&mut self.stream).take(MAX_ANSWER_BYTES).read_line(&mut answer).await;
        reading.map_err(|why| broken(&why))?;
        match serde_json::from_str(&answer) {
            Ok(Reply::Problem(problem)) => Err(problem.into()),
            Ok(reply) => Ok(reply),
            Err(why) => Err(broken(&why.into())),
        }
    }
}

fn broken(why: &std::io::Error) -> Failure {
    Failure::new(Exit::Unreachable, format!("Postfax does not answer: {why}"))
}

fn strange(reply: &Reply) -> Failure {
    Failure::new(Exit::Bug, format!("Postfax gave another answer than was asked for: {reply:?}"))
}
