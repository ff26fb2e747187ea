//! Brings the events of one hook, one at a time and in order.
//!
//! ```text
//!  next in the outbox ─▶ post ─┬─ taken ──▶ told to the supervisor ─▶ next
//!     ▲                        ├─ gone ───▶ told, and nothing more until somebody asks
//!     └── pause ── not yet ────┴─ later ──▶ too old? told that it is given up
//! ```
//!
//! Dying anywhere in here is harmless: what was not told to the supervisor is in the
//! outbox still, and goes out again under the same identifier.

use std::{sync::Arc, time::Duration};

use postfax_domain::{
    names::HookName,
    supervisor::Event,
    webhook::{Settled, Told},
};
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};
use tracing::{info, warn};

use super::{
    body::body,
    pause,
    post::{Post, Verdict, post},
    sign,
};
use crate::{
    config::Webhook,
    crash,
    daemon::{Context, now},
    requests::HookTrouble,
};

/// Pause after the store could not be read.
const READ_AGAIN: Duration = Duration::from_secs(5);

/// Tells one hook.
pub(super) struct Deliverer {
    context: Arc<Context>,
    name: HookName,
    hook: Webhook,
    hurry: Arc<Notify>,
    stop: watch::Receiver<bool>,
    changed: watch::Receiver<u64>,
    /// Up to this event the supervisor was told, and will have it saved.
    done: u64,
    /// Failures in a row.
    failures: u32,
}

impl Deliverer {
    pub(super) fn new(
        context: Arc<Context>,
        name: HookName,
        hook: Webhook,
        hurry: Arc<Notify>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let changed = context.changed.subscribe();
        Self { context, name, hook, hurry, stop, changed, done: 0, failures: 0 }
    }

    pub(super) async fn run(mut self) {
        while !*self.stop.borrow() {
            self.changed.borrow_and_update();
            match self.context.reader.next_told(&self.name, self.done).await {
                Ok(Some(told)) => self.bring(&told).await,
                Ok(None) => self.wait_for_news().await,
                Err(failed) => {
                    warn!(hook = %self.name, %failed, "the outbox could not be read");
                    self.show(failed.to_string(), READ_AGAIN);
                    self.pause(READ_AGAIN).await;
                }
            }
        }
    }

    /// Tries the event once, and waits where it was not taken.
    async fn bring(&mut self, told: &Told) {
        let sequence = told.sequence;
        let body = body(told);
        let identifier = sign::identifier(&self.context.reader.installation, &self.name, sequence);
        crash::point("post");
        match post(&self.hook, &Post { identifier, sequence, body: &body }).await {
            Verdict::Taken => {
                crash::point("note the post");
                self.context.hooks.write(&self.name, None);
                self.settle(sequence, Settled::Taken(sequence)).await;
            }
            Verdict::Gone => {
                warn!(hook = %self.name, sequence, "the hook is gone: it is told nothing more");
                self.settle(sequence, Settled::Gone(self.hook.url.to_string())).await;
                self.wait_for_order().await;
            }
            Verdict::Later(why, _) if now() >= told.at + self.hook.give_up => {
                warn!(hook = %self.name, sequence, why, "an event is given up");
                self.settle(sequence, Settled::GivenUp(sequence)).await;
            }
            Verdict::Later(why, asked) => self.later(sequence, why, asked).await,
        }
    }

    async fn later(&mut self, sequence: u64, why: String, asked: Option<Duration>) {
        self.failures = self.failures.saturating_add(1);
        let backoff = pause::backoff(self.hook.retry, self.failures, pause::chance());
        let wait = asked.unwrap_or(backoff);
        info!(hook = %self.name, sequence, why, failures = self.failures, ?wait, "not taken yet");
        self.show(why, wait);
        self.pause(wait).await;
    }

    /// Lets everybody see why it waits.
    fn show(&self, why: String, wait: Duration) {
        let at = now();
        let trouble = HookTrouble { failures: self.failures, why, at, next: at + wait };
        self.context.hooks.write(&self.name, Some(trouble));
    }

    async fn settle(&mut self, sequence: u64, settled: Settled) {
        self.context.tell(Event::Told(self.name.clone(), settled)).await;
        self.done = sequence;
        self.failures = 0;
    }

    /// Waits until something may have come into the outbox.
    async fn wait_for_news(&mut self) {
        tokio::select! {
            // The daemon keeps both senders.
            _ = self.changed.changed() => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
            // An order where nothing waits is not to count later.
            () = self.hurry.notified() => {}
        }
    }

    /// Waits until somebody wants it tried again.
    async fn wait_for_order(&mut self) {
        tokio::select! {
            () = self.hurry.notified() => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.hurry.notified() => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }
}
