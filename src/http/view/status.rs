//! How the status looks: less for those who see less.

use postfax_domain::{
    fleet::Health,
    job::Job,
    supervisor::{ServerStatus, Status},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{JobRow, moment};

/// How everything is, as far as the asker may know.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StatusView {
    /// The servers that it shares a group with.
    servers: Vec<ServerView>,
    /// The jobs under way that it sees.
    under_way: Vec<JobRow>,
    /// How much there is to do in all, for those who see all jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Queue>,
}

/// How much there is to do.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Queue {
    /// Faxes whose pages are still to be made.
    faxes_preparing: usize,
    /// Faxes that wait.
    faxes_waiting: usize,
    /// Faxes with a call under way.
    faxes_calling: usize,
    /// Mails that wait.
    mails_waiting: usize,
    /// Mails that are being delivered.
    mails_under_way: usize,
    /// Received faxes that nobody has got.
    unrouted: usize,
}

/// How a server is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ServerView {
    #[schema(example = "london-1")]
    name: String,
    health: HealthView,
    /// What was wrong, when it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// How many calls it can place at once.
    lines: u32,
    /// Calls that it has now.
    busy: u32,
    /// Whether it is to get no new work.
    draining: bool,
}

/// Whether a server answers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::http) enum HealthView {
    /// Not heard of yet.
    Unknown,
    /// It answers.
    Up,
    /// It does not.
    Down,
}

impl From<&ServerStatus> for ServerView {
    fn from(server: &ServerStatus) -> Self {
        let (health, why) = match &server.live.health {
            Health::Unknown => (HealthView::Unknown, None),
            Health::Up { .. } => (HealthView::Up, None),
            Health::Down { why } => (HealthView::Down, Some(why.clone())),
        };
        Self {
            name: server.name.to_string(),
            health,
            why,
            since: moment(server.live.since),
            lines: server.lines,
            busy: server.live.busy,
            draining: server.draining,
        }
    }
}

impl StatusView {
    /// The status, less what the asker may not know.
    pub(in crate::http) fn new(
        status: &Status,
        knows: impl Fn(&ServerStatus) -> bool,
        sees: impl Fn(&Job) -> bool,
        sees_all: bool,
    ) -> Self {
        let servers = status.servers.iter().filter(|server| knows(server));
        let jobs = status.under_way.iter().filter(|job| sees(job));
        Self {
            servers: servers.map(ServerView::from).collect(),
            under_way: jobs.map(JobRow::from).collect(),
            queue: sees_all.then_some(Queue {
                faxes_preparing: status.faxes_preparing,
                faxes_waiting: status.faxes_waiting,
                faxes_calling: status.faxes_calling,
                mails_waiting: status.mails_waiting,
                mails_under_way: status.mails_under_way,
                unrouted: status.unrouted,
            }),
        }
    }
}
