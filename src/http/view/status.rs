//! How the status and the fax servers look.

use postfax_domain::{
    fleet::{BrokenLine, Health},
    supervisor::{ServerStatus, SettingsStatus, Status},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{JobRow, moment, settings::StateView};
use crate::requests::Server;

/// How everything is, as far as the asker may know.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct StatusView {
    /// The servers that it may know of.
    servers: Vec<ServerView>,
    /// The jobs under way that it sees.
    under_way: Vec<JobRow>,
    /// How much there is to do, as far as it sees.
    queue: Queue,
}

/// How much there is to do.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Queue {
    /// Faxes whose pages are still to be made.
    faxes_preparing: usize,
    /// Faxes that wait.
    faxes_waiting: usize,
    /// Those of them that wait to be released.
    faxes_on_hold: usize,
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
    /// Whether it is configured to get no new work.
    draining: bool,
    /// Whether somebody has ordered that it gets no new work.
    drained: bool,
    /// How it is with its settings; absent where there are none, or the asker may not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<SettingsStatusView>,
}

/// How it is with the settings of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct SettingsStatusView {
    /// The newest version.
    version: u64,
    /// What became of it.
    #[serde(flatten)]
    state: StateView,
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// Why what the server holds is not known any more; absent where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread: Option<UnreadView>,
}

/// Settings that cannot be read, although their server is there.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct UnreadView {
    /// Since when.
    #[schema(format = DateTime)]
    since: String,
    /// Why.
    why: String,
}

impl From<&SettingsStatus> for SettingsStatusView {
    fn from(settings: &SettingsStatus) -> Self {
        Self {
            version: settings.version,
            state: StateView::from(&settings.state),
            since: moment(settings.since),
            unread: settings
                .unread
                .as_ref()
                .map(|unread| UnreadView { since: moment(unread.since), why: unread.why.clone() }),
        }
    }
}

/// A server, and whom it serves.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ServerDetail {
    /// How it is.
    pub(in crate::http) status: ServerView,
    /// The groups that it serves.
    groups: Vec<String>,
    /// The numbers that it answers on.
    numbers: Vec<String>,
}

impl From<&Server> for ServerDetail {
    fn from(server: &Server) -> Self {
        Self {
            status: ServerView::from(&server.status),
            groups: server.groups.iter().map(ToString::to_string).collect(),
            numbers: server.numbers.iter().map(|number| number.as_str().to_owned()).collect(),
        }
    }
}

/// The fax servers.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct ServerList {
    /// Those that the asker may know of.
    pub(in crate::http) servers: Vec<ServerDetail>,
}

/// Whether a server gets new work.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Draining {
    #[schema(example = "london-1")]
    pub(in crate::http) server: String,
    /// Whether it gets none.
    pub(in crate::http) draining: bool,
}

/// The jobs that were at a server that was given up, and have ended.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct GivenUp {
    #[schema(example = "london-1")]
    pub(in crate::http) server: String,
    pub(in crate::http) jobs: Vec<u64>,
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
            Health::Up { broken, .. } => {
                let why = |line: &BrokenLine| format!("{}: {}", line.line, line.why);
                let why = broken.iter().map(why).collect::<Vec<_>>().join("; ");
                (HealthView::Up, Some(why).filter(|why| !why.is_empty()))
            }
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
            drained: server.drained,
            settings: server.settings.as_ref().map(SettingsStatusView::from),
        }
    }
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> Self {
        Self {
            servers: status.servers.iter().map(ServerView::from).collect(),
            under_way: status.under_way.iter().map(JobRow::from).collect(),
            queue: Queue {
                faxes_preparing: status.faxes_preparing,
                faxes_waiting: status.faxes_waiting,
                faxes_on_hold: status.faxes_on_hold,
                faxes_calling: status.faxes_calling,
                mails_waiting: status.mails_waiting,
                mails_under_way: status.mails_under_way,
                unrouted: status.unrouted,
            },
        }
    }
}
