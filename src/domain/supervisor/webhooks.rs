//! Who is told of what has happened: events in the outboxes of the hooks, and what
//! becomes of them. They are saved in the round that makes them true.
//!
//! ```text
//!  job before, job after ─▶ event ─▶ waits ─┬─ taken ─────────────▶ settled
//!                                           ├─ too old, too many ─▶ settled, with an alarm
//!                                           └─ gone: all of them ─▶ settled, with an alarm
//! ```
//!
//! Why numbers are counted on while a hook is gone, and when events are given up: a gap
//! is how whoever comes back notices that something was missed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Answer, Change, Supervisor, Unable};
use crate::{
    job::{Alarm, Job},
    names::{HookName, ServerName},
    time::Timestamp,
    webhook::{About, Event, Settled, Stage, Standing, Told, Trouble, event},
};

/// The hooks as they stand.
#[derive(Debug, Default)]
pub(super) struct Outboxes {
    standings: BTreeMap<HookName, Standing>,
    /// What this round has to tell.
    news: Vec<(HookName, Event, About)>,
    /// Hooks of whose trouble the postmaster knows already.
    alarmed: BTreeSet<HookName>,
}

impl Outboxes {
    pub(super) fn restore(standings: BTreeMap<HookName, Standing>) -> Self {
        Self { standings, ..Self::default() }
    }
}

impl Supervisor {
    /// Saves a job that has changed, and notes whom that concerns. `before` is where it
    /// stood, if it was there.
    pub(super) fn save(&mut self, before: Option<&Stage>, job: &Job, actions: &mut Vec<Action>) {
        actions.push(Action::Save(Change::Job(Box::new(job.clone()))));
        if self.setup.webhooks.is_empty() {
            return;
        }
        if let Some(event) = Stage::of(job).and_then(|after| event(before, &after)) {
            self.note(event, About::Job(Box::new(job.clone())));
        }
    }

    /// Notes something about a server.
    pub(super) fn note_server(&mut self, event: Event, server: &ServerName) {
        self.note(event, About::Server(server.clone()));
    }

    fn note(&mut self, event: Event, about: About) {
        let wants = self.setup.webhooks.iter().filter(|(_, h)| h.wants(&self.setup, event, &about));
        let news = wants.map(|(name, _)| (name.clone(), event, about.clone()));
        self.outboxes.news.extend(news);
    }

    /// Puts the news of a round into the outboxes.
    pub(super) fn tell_hooks(&mut self, now: Timestamp, actions: &mut Vec<Action>) {
        for (name, event, about) in std::mem::take(&mut self.outboxes.news) {
            let Some(hook) = self.setup.webhooks.get(&name) else { continue };
            let standing = self.outboxes.standings.entry(name.clone()).or_default();
            standing.last += 1;
            let told = Told { sequence: standing.last, event, at: now, about };
            let is_gone = standing.gone.is_some();
            let is_full = !is_gone && standing.waiting() > hook.max_waiting;
            if is_gone {
                standing.settled = standing.last;
            } else if is_full {
                standing.settled = standing.last.saturating_sub(hook.max_waiting);
            }
            let new = (!is_gone).then(|| Box::new(told));
            actions.push(saved(&name, standing, new));
            if is_full {
                self.trouble(&name, Trouble::Full, now, actions);
            }
        }
    }

    /// The next event of a hook has come to its end.
    pub(super) fn told(
        &mut self,
        name: &HookName,
        settled: Settled,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        let is_there = self.setup.webhooks.get(name).map(|hook| hook.url.clone());
        let Some(standing) = self.outboxes.standings.get_mut(name) else { return };
        let trouble = match settled {
            Settled::Taken(sequence) | Settled::GivenUp(sequence)
                if sequence <= standing.settled || sequence > standing.last =>
            {
                return;
            }
            Settled::Taken(sequence) => {
                standing.settled = sequence;
                None
            }
            Settled::GivenUp(sequence) => {
                standing.settled = sequence;
                Some(Trouble::GivenUp)
            }
            // It has moved since.
            Settled::Gone(url) if is_there.as_ref() != Some(&url) => return,
            Settled::Gone(url) => {
                standing.settled = standing.last;
                standing.gone = Some(url);
                Some(Trouble::Gone)
            }
        };
        actions.push(saved(name, standing, None));
        match trouble {
            None => drop(self.outboxes.alarmed.remove(name)),
            Some(trouble) => self.trouble(name, trouble, now, actions),
        }
    }

    /// Forgets what waits for hooks that are no more, and tries those again that have
    /// moved.
    pub(super) fn mind_hooks(&mut self, actions: &mut Vec<Action>) {
        for (name, standing) in &mut self.outboxes.standings {
            let hook = self.setup.webhooks.get(name);
            let has_moved =
                hook.is_some_and(|hook| standing.gone.as_ref().is_some_and(|url| *url != hook.url));
            let is_left = hook.is_none() && standing.waiting() > 0;
            if has_moved {
                standing.gone = None;
            }
            if is_left {
                standing.settled = standing.last;
            }
            if has_moved || is_left {
                actions.push(saved(name, standing, None));
            }
        }
    }

    /// How far the events of each hook have come.
    pub(super) fn standings(&self) -> BTreeMap<HookName, Standing> {
        let of = |name| self.outboxes.standings.get(name).cloned().unwrap_or_default();
        self.setup.webhooks.keys().map(|name| (name.clone(), of(name))).collect()
    }

    /// Has what waits for a hook tried at once, also when it was gone.
    pub(super) fn retry_hook(&mut self, name: HookName, actions: &mut Vec<Action>) -> Answer {
        if !self.setup.webhooks.contains_key(&name) {
            return Answer::Unable(Unable::NoSuchHook(name));
        }
        let standing = self.outboxes.standings.entry(name.clone()).or_default();
        if standing.gone.take().is_some() {
            actions.push(saved(&name, standing, None));
        }
        actions.push(Action::TellAgain(name.clone()));
        Answer::ToldAgain(name)
    }

    /// One alarm for each time that a hook is in trouble: the next comes after something
    /// was taken.
    fn trouble(
        &mut self,
        hook: &HookName,
        trouble: Trouble,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        if self.outboxes.alarmed.insert(hook.clone()) || trouble == Trouble::Gone {
            self.alarm(Alarm::Webhook { hook: hook.clone(), trouble }, now, actions);
        }
    }
}

fn saved(hook: &HookName, standing: &Standing, new: Option<Box<Told>>) -> Action {
    Action::Save(Change::Webhook { hook: hook.clone(), new, standing: Box::new(standing.clone()) })
}
