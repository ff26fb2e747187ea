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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{
            Request, Saved,
            tests::{NOW, alarms, arrival, client, server, setup, submission, up},
        },
        *,
    };
    use crate::{
        authority::Who,
        fleet::Health,
        job::Cause,
        names::{JobId, Token},
        supervisor::Event as Happened,
        webhook::{EVENTS, Hook},
    };

    fn name(name: &str) -> HookName {
        HookName::new(name).unwrap()
    }

    fn hook(who: &str, max_waiting: u64) -> Hook {
        let events = EVENTS.iter().map(|(_, event)| *event).collect();
        let url = format!("https://{who}.example.com/");
        Hook { who: Who::Client(client(who)), events, url, max_waiting }
    }

    /// A hook for each of these clients, named like it.
    fn house(clients: &[&str], max_waiting: u64, saved: Saved) -> Supervisor {
        let mut setup = setup();
        let hooks = clients.iter().map(|who| (name(who), hook(who, max_waiting)));
        setup.webhooks = hooks.collect();
        Supervisor::restore(Arc::new(setup), saved)
    }

    /// The new events: to whom, number and name.
    fn told(actions: &[Action]) -> Vec<(String, u64, String)> {
        let new = actions.iter().filter_map(|action| match action {
            Action::Save(Change::Webhook { hook, new: Some(told), .. }) => {
                Some((hook.to_string(), told.sequence, told.event.to_string()))
            }
            _ => None,
        });
        new.collect()
    }

    fn line(hook: &str, sequence: u64, event: &str) -> (String, u64, String) {
        (hook.into(), sequence, event.into())
    }

    fn submit(supervisor: &mut Supervisor, from: &str, id: &str) -> Vec<Action> {
        let fax = Box::new(submission(from, "+442079460200", id));
        supervisor.handle(Happened::Submitted(fax, Token(1)), NOW)
    }

    fn ask(supervisor: &mut Supervisor, request: Request) -> Vec<Action> {
        supervisor.handle(Happened::Asked(request, Token(1)), NOW)
    }

    fn settle(supervisor: &mut Supervisor, hook: &str, settled: Settled) -> Vec<Action> {
        supervisor.handle(Happened::Told(name(hook), settled), NOW)
    }

    #[test]
    fn a_fax_is_told_step_by_step_to_those_who_see_it() {
        let mut house = house(&["anna", "bob"], 10, Saved::default());
        assert_eq!(told(&submit(&mut house, "anna", "a")), [line("anna", 1, "job.accepted")]);
        let job = JobId(1);
        let orders = [Request::Hold(job), Request::Release(job), Request::Cancel(job)];
        let heard = orders.map(|order| told(&ask(&mut house, order)));
        assert_eq!(
            heard.concat(),
            [
                line("anna", 2, "job.on-hold"),
                line("anna", 3, "job.released"),
                line("anna", 4, "job.cancelled"),
            ]
        );
        assert_eq!(told(&submit(&mut house, "bob", "b")), [line("bob", 1, "job.accepted")]);
    }

    #[test]
    fn a_received_fax_is_told_to_whoever_gets_it() {
        let mut house = house(&["anna", "carl"], 10, Saved::default());
        let arrives =
            |called: &str, key: &str| Happened::Arrived(Box::new(arrival("london-1", called, key)));
        let actions = house.handle(arrives("+442079460100", "1"), NOW);
        assert_eq!(told(&actions), [line("anna", 1, "job.arrived")]);
        let actions = house.handle(arrives("+442079460199", "2"), NOW);
        assert_eq!(told(&actions), [line("carl", 1, "job.arrived")], "the operator's");
    }

    #[test]
    fn servers_are_told_of_inside_their_groups_and_once() {
        let mut house = house(&["anna", "bob"], 10, Saved::default());
        let down = || Health::Down { why: "gone".into() };
        let heard = [up(), up(), down(), down(), up()]
            .map(|health| told(&house.handle(Happened::Health(server("london-1"), health), NOW)));
        assert_eq!(
            heard.concat(),
            [
                line("anna", 1, "server.up"),
                line("anna", 2, "server.down"),
                line("anna", 3, "server.up"),
            ]
        );
        let wants = |who: &str| {
            let about = About::Server(server("london-1"));
            house.setup.webhooks[&name(who)].wants(&house.setup, Event::Drifted, &about)
        };
        assert!(!wants("anna"), "she may not read settings");
    }

    #[test]
    fn events_that_were_taken_are_settled_and_numbers_go_on_in_another_life() {
        let mut first = house(&["anna"], 10, Saved::default());
        submit(&mut first, "anna", "a");
        submit(&mut first, "anna", "b");
        assert_eq!(first.standings()[&name("anna")].waiting(), 2);
        settle(&mut first, "anna", Settled::Taken(1));
        assert!(settle(&mut first, "anna", Settled::Taken(1)).is_empty(), "it is known");
        assert!(settle(&mut first, "anna", Settled::Taken(9)).is_empty(), "there is none");
        let standings = first.standings();
        assert_eq!(standings[&name("anna")], Standing { last: 2, settled: 1, gone: None });
        let mut second = house(&["anna"], 10, Saved { webhooks: standings, ..Saved::default() });
        assert_eq!(told(&submit(&mut second, "anna", "c")), [line("anna", 3, "job.accepted")]);
    }

    #[test]
    fn too_many_and_too_old_are_given_up_with_one_alarm_until_something_is_taken() {
        let mut house = house(&["anna"], 2, Saved::default());
        let trouble = |trouble| Alarm::Webhook { hook: name("anna"), trouble };
        let mut heard = Vec::new();
        for id in ["a", "b", "c", "d"] {
            heard.extend(alarms(&submit(&mut house, "anna", id)));
        }
        assert_eq!(heard, [trouble(Trouble::Full)]);
        let standing = house.standings()[&name("anna")].clone();
        assert_eq!((standing.last, standing.settled), (4, 2));
        settle(&mut house, "anna", Settled::Taken(3));
        let first = settle(&mut house, "anna", Settled::GivenUp(4));
        assert_eq!(alarms(&first), [trouble(Trouble::GivenUp)]);
        submit(&mut house, "anna", "e");
        let second = settle(&mut house, "anna", Settled::GivenUp(5));
        assert!(alarms(&second).is_empty(), "the postmaster knows");
    }

    #[test]
    fn one_that_is_gone_is_told_nothing_and_comes_back_with_a_gap() {
        let mut house = house(&["anna"], 10, Saved::default());
        submit(&mut house, "anna", "a");
        submit(&mut house, "anna", "b");
        let elsewhere = Settled::Gone("https://old.example.com/".into());
        assert!(settle(&mut house, "anna", elsewhere).is_empty(), "it has moved since");
        let gone = || Settled::Gone("https://anna.example.com/".into());
        let alarm = Alarm::Webhook { hook: name("anna"), trouble: Trouble::Gone };
        assert_eq!(alarms(&settle(&mut house, "anna", gone())), [alarm]);
        assert_eq!(house.standings()[&name("anna")].waiting(), 0);
        assert!(told(&submit(&mut house, "anna", "c")).is_empty());
        let actions = ask(&mut house, Request::RetryHook(name("anna")));
        assert!(actions.iter().any(|action| matches!(action, Action::TellAgain(_))));
        assert_eq!(told(&submit(&mut house, "anna", "d")), [line("anna", 4, "job.accepted")]);
        settle(&mut house, "anna", gone());
        let mut setup = (*house.setup).clone();
        setup.webhooks.get_mut(&name("anna")).unwrap().url = "https://new.example.com/".into();
        house.handle(Happened::Reconfigured(Arc::new(setup)), NOW);
        assert_eq!(told(&submit(&mut house, "anna", "e")), [line("anna", 5, "job.accepted")]);
    }

    #[test]
    fn what_waits_for_a_hook_that_is_no_more_is_forgotten_and_its_number_is_not() {
        let mut house = house(&["anna"], 10, Saved::default());
        submit(&mut house, "anna", "a");
        let with = house.setup.clone();
        let without =
            Arc::new(crate::setup::Setup { webhooks: BTreeMap::new(), ..(*with).clone() });
        let actions = house.handle(Happened::Reconfigured(without), NOW);
        let settled = actions.iter().any(|action| {
            matches!(action, Action::Save(Change::Webhook { standing, .. }) if standing.settled == 1)
        });
        assert!(settled, "{actions:?}");
        assert!(told(&submit(&mut house, "anna", "b")).is_empty());
        house.handle(Happened::Reconfigured(with), NOW);
        assert_eq!(told(&submit(&mut house, "anna", "c")), [line("anna", 2, "job.accepted")]);
    }

    #[test]
    fn mails_that_are_no_faxes_are_nobodys_business() {
        let mut house = house(&["anna"], 10, Saved::default());
        let mut actions = Vec::new();
        house.alarm(Alarm::Untold(JobId(1)), NOW, &mut actions);
        house.tell_hooks(NOW, &mut actions);
        assert!(told(&actions).is_empty());
        let is_alarm = |action: &Action| matches!(action, Action::Save(Change::Job(job)) if matches!(job.cause, Cause::Alarm(_)));
        assert!(actions.iter().any(is_alarm));
    }
}
