//! The webhooks: who wants to be told of what has happened is told, by a POST that is
//! signed, in order, and again until it is taken.
//!
//! ```text
//!  supervisor ─▶ outbox (store) ─▶ deliver ─▶ post ─▶ the receiver
//!       ▲                            │  ▲
//!       └── taken, given up, gone ───┘  └─ pause: later
//! ```
//!
//! One task for each hook, so that a receiver that is away keeps nobody waiting but
//! itself. What is told to whom, and what follows when nobody takes it, is decided by the
//! supervisor; an event leaves the outbox only when the supervisor knows that it was taken.

mod body;
mod deliver;
mod pause;
mod post;
mod sign;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use postfax_domain::names::HookName;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{config::Webhook, daemon::Context, requests::HookTrouble};

/// What is wrong with each hook at this moment; empty where all is well.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<HookName, HookTrouble>>);

impl Board {
    /// What is wrong, by the name of the hook.
    #[must_use]
    pub(crate) fn troubles(&self) -> BTreeMap<HookName, HookTrouble> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, hook: &HookName, trouble: Option<HookTrouble>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match trouble {
            Some(trouble) => drop(board.insert(hook.clone(), trouble)),
            None => drop(board.remove(hook)),
        }
    }
}

/// The tasks that tell the hooks; they end when this is dropped.
pub struct Hooks {
    context: Arc<Context>,
    running: BTreeMap<HookName, Running>,
    stop: watch::Sender<bool>,
}

struct Running {
    hook: Webhook,
    /// Somebody wants it tried now.
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hooks {
    /// Begins to tell the hooks of the configuration.
    #[must_use]
    pub fn start(context: Arc<Context>) -> Self {
        let mut hooks = Self { context, running: BTreeMap::new(), stop: watch::Sender::new(false) };
        hooks.heed();
        hooks
    }

    /// Heeds the configuration in force: a hook that is as it was goes on undisturbed.
    pub fn heed(&mut self) {
        let config = self.context.config.load_full();
        let context = self.context.clone();
        self.running.retain(|name, running| {
            let stays = config.webhooks.get(name) == Some(&running.hook);
            if !stays {
                context.hooks.write(name, None);
            }
            stays
        });
        for (name, hook) in &config.webhooks {
            if self.running.contains_key(name) {
                continue;
            }
            let hurry = Arc::new(Notify::new());
            let deliverer = deliver::Deliverer::new(
                self.context.clone(),
                name.clone(),
                hook.clone(),
                hurry.clone(),
                self.stop.subscribe(),
            );
            let task = tokio::spawn(deliverer.run());
            self.running.insert(name.clone(), Running { hook: hook.clone(), hurry, task });
        }
    }

    /// Tries at once what waits for a hook.
    pub fn hurry(&self, name: &HookName) {
        if let Some(running) = self.running.get(name) {
            running.hurry.notify_one();
        }
    }

    /// Begins nothing new, and waits for what is under way: a receiver that has taken an
    /// event is not to be told of it once more for our stopping.
    pub async fn stop(&mut self) {
        self.stop.send_replace(true);
        for running in self.running.values_mut() {
            // That it was aborted or has failed changes nothing here.
            let _ = (&mut running.task).await;
        }
        self.running.clear();
    }
}
