//! Webhooks on the wire.

use serde::Serialize;
use utoipa::ToSchema;

use super::moment;
use crate::requests::{HookTrouble, Webhook};

/// The webhooks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WebhookList {
    /// All of them, by name.
    pub(in crate::http) webhooks: Vec<WebhookView>,
}

/// Who is told of what happens.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct WebhookView {
    #[schema(example = "crm")]
    name: String,
    /// It is told what this client may see.
    client: String,
    /// The number of the last event there was; 0 when there was none.
    last: u64,
    /// Up to this one they were taken, or given up.
    settled: u64,
    /// How many wait.
    waiting: u64,
    /// Whether it has answered that nothing is wanted there any more.
    gone: bool,
    /// What is wrong at this moment; absent when nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleView>,
}

/// Why a webhook does not get its events.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct TroubleView {
    /// How often it has failed in a row.
    failures: u32,
    /// What came of the last attempt.
    why: String,
    /// When that was.
    #[schema(format = DateTime)]
    at: String,
    /// When it is tried again.
    #[schema(format = DateTime)]
    next: String,
}

/// What waits for a webhook is tried now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct Hurried {
    #[schema(example = "crm")]
    pub(in crate::http) webhook: String,
}

impl From<Webhook> for WebhookView {
    fn from(hook: Webhook) -> Self {
        Self {
            name: hook.name.to_string(),
            client: hook.client,
            last: hook.last,
            settled: hook.settled,
            waiting: hook.waiting,
            gone: hook.gone,
            trouble: hook.trouble.map(TroubleView::from),
        }
    }
}

impl From<HookTrouble> for TroubleView {
    fn from(trouble: HookTrouble) -> Self {
        Self {
            failures: trouble.failures,
            why: trouble.why,
            at: moment(trouble.at),
            next: moment(trouble.next),
        }
    }
}
