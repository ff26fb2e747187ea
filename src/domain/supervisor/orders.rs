//! Orders: what people have done to faxes that wait, to received faxes that nobody
//! has got, and to fax servers. Who may order what was decided before; what can be
//! done, and across which groups, is decided here.

use std::{sync::Arc, time::Duration};

use super::{
    Action, Answer, Change, DuplicateKey, Refusal, Supervisor, Unable, requests::MAX_AHEAD_DAYS,
};
use crate::{
    destination::Destination,
    fleet::{self, Health},
    job::{Alteration, AttemptEnd, Carrier, Cause, Job, State},
    names::{ClientName, JobId, ServerName},
    number::Number,
    outcome::Outcome,
    quota::Used,
    time::Timestamp,
};

impl Supervisor {
    /// A fax that waits, or why it cannot be held or altered.
    fn waiting_fax(&self, id: JobId) -> Result<&Job, Answer> {
        let job = self.jobs.get(&id).ok_or(Answer::NoSuchJob(id))?;
        match job.state {
            State::Carrying { .. } => Err(Answer::UnderWay(id)),
            _ if job.is_waiting_fax() => Ok(job),
            _ => Err(Answer::Unable(Unable::NoFaxOut(id))),
        }
    }

    pub(super) fn hold(&mut self, id: JobId, actions: &mut Vec<Action>) -> Answer {
        match self.waiting_fax(id) {
            Err(answer) => return answer,
            Ok(job) if job.on_hold => return Answer::Unable(Unable::OnHold(id)),
            Ok(_) => {}
        }
        self.change(id, actions, Job::hold);
        Answer::Done(id)
    }

    pub(super) fn let_go(&mut self, id: JobId, actions: &mut Vec<Action>) -> Answer {
        match self.jobs.get(&id) {
            None => return Answer::NoSuchJob(id),
            Some(job) if !job.on_hold => return Answer::Unable(Unable::NotOnHold(id)),
            Some(_) => {}
        }
        self.change(id, actions, Job::let_go);
        Answer::Done(id)
    }

    pub(super) fn alter(
        &mut self,
        id: JobId,
        mut to: Alteration,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let job = match self.waiting_fax(id) {
            Ok(job) => job.clone(),
            Err(answer) => return answer,
        };
        if let Err(unable) = self.settle_times(&job, &mut to, now) {
            return Answer::Unable(unable);
        }
        if let Some(number) = &to.number
            && let Err(refusal) = self.call_instead(&job, number, now)
        {
            return Answer::Refused(refusal);
        }
        self.change(id, actions, |job| job.alter(&to));
        Answer::Done(id)
    }

    /// A fax that is to go out later is tried for as long as any other, and none for
    /// longer.
    fn settle_times(&self, job: &Job, to: &mut Alteration, now: Timestamp) -> Result<(), Unable> {
        let due = match (to.due, &job.state) {
            (Some(at), _) => at.max(now),
            (None, State::Preparing { due } | State::Waiting { due }) => (*due).max(now),
            (None, _) => now,
        };
        if to.due.is_some() && due > now + Duration::from_secs(MAX_AHEAD_DAYS * 24 * 3600) {
            return Err(Unable::TooFar(job.id));
        }
        let latest = due + self.setup.limits.expire;
        if to.due.is_some() && to.expires.is_none() {
            let by = job.sender().and_then(|sent| sent.deliver_by).filter(|by| by.give_back);
            to.expires = Some(by.map_or(latest, |by| by.at.min(latest)));
        }
        match to.expires {
            Some(at) if at <= due => Err(Unable::TooEarly(job.id)),
            Some(at) if at > latest => {
                Err(Unable::TooLate { job: job.id, most: self.setup.limits.expire })
            }
            _ => Ok(()),
        }
    }

    /// Another number is another fax, for the rules, for the quotas and for whoever
    /// sends the same mail again.
    fn call_instead(&mut self, job: &Job, to: &Number, now: Timestamp) -> Result<(), Refusal> {
        let (Some(sent), Destination::Fax(fax)) = (job.sender(), &job.destination) else {
            return Ok(());
        };
        fleet::permitted(&self.setup, &sent.client, to)
            .map_err(|denial| Refusal::Denied { number: to.clone(), denial })?;
        self.room_for_number(to, now)?;
        let home = self.setup.country;
        let abroad = u32::from(to.is_abroad(home) && !fax.number.is_abroad(home));
        let more = Used { abroad, ..Used::default() };
        self.quotas.admit(&self.setup, &sent.client, more, now).map_err(Refusal::UsedUp)?;
        self.quotas.charge(&self.setup, &sent.client, more, now);
        self.count_fax(to, now);
        if let Some(taken) = DuplicateKey::of_any(job).and_then(|key| self.accepted.remove(&key)) {
            let mut altered = job.clone();
            altered.alter(&Alteration { number: Some(to.clone()), ..Alteration::default() });
            self.accepted.extend(DuplicateKey::of_any(&altered).map(|key| (key, taken)));
        }
        Ok(())
    }

    /// Gives a received fax that nobody has got to a client. Nothing passes between a
    /// client and a server that share no group, whoever orders it.
    pub(super) fn assign(
        &mut self,
        id: JobId,
        client: ClientName,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let Some(job) = self.jobs.get(&id) else { return Answer::NoSuchJob(id) };
        let (State::Held, Cause::Arrived(fax)) = (&job.state, &job.cause) else {
            return Answer::Unable(Unable::NotUnrouted(id));
        };
        let server = fax.server.clone();
        if !self.setup.clients.contains_key(&client) {
            return Answer::Unable(Unable::NoSuchClient(client));
        }
        if !self.setup.share_group(&client, &server) {
            return Answer::Unable(Unable::NoSharedGroup { client, server });
        }
        let to = self.mailbox_of(&client);
        if to == Destination::Unrouted {
            return Answer::Unable(Unable::NoMailbox(client));
        }
        let time = self.setup.limits.mail_expire;
        self.change(id, actions, |job| {
            job.redirect(to, now, time);
            true
        });
        Answer::Done(id)
    }

    /// Gives a server no new work, or new work again. What was configured to be draining
    /// stays so.
    pub(super) fn drain(
        &mut self,
        server: ServerName,
        drained: bool,
        actions: &mut Vec<Action>,
    ) -> Answer {
        if !self.setup.servers.contains_key(&server) {
            return Answer::Unable(Unable::NoSuchServer(server));
        }
        let changed = match drained {
            true => self.drained.insert(server.clone()),
            false => self.drained.remove(&server),
        };
        if changed {
            actions.push(Action::Save(Change::Drained(server.clone(), drained)));
            self.put_in_force();
        }
        let draining = self.setup.servers.get(&server).is_some_and(|server| server.draining);
        Answer::Draining { server, draining }
    }

    /// Forgets that servers were drained that are no longer configured: one that gets
    /// the same name later is another server.
    pub(super) fn forget_drained(&mut self, actions: &mut Vec<Action>) {
        let configured = &self.configured.servers;
        for gone in self.drained.extract_if(.., |name| !configured.contains_key(name)) {
            actions.push(Action::Save(Change::Drained(gone, false)));
        }
    }

    /// What is in force is what was configured, and what was drained by order.
    pub(super) fn put_in_force(&mut self) {
        if self.drained.is_empty() {
            self.setup = self.configured.clone();
            return;
        }
        let mut setup = (*self.configured).clone();
        for (name, server) in &mut setup.servers {
            server.draining |= self.drained.contains(name);
        }
        self.setup = Arc::new(setup);
    }

    /// Ends the calls of a server that was lost for good, as lost. Whoever carries them
    /// goes on telling the server to stop, for the case that it comes back.
    pub(super) fn give_up(
        &mut self,
        server: ServerName,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) -> Answer {
        let is_its = |job: &&Job| {
            let carrier = job.under_way().map(|attempt| &attempt.carrier);
            matches!(carrier, Some(Carrier::Server(name)) if *name == server)
        };
        let lost: Vec<Job> = self.jobs.values().filter(is_its).cloned().collect();
        let health = self.fleet.0.get(&server).map(|live| &live.health);
        if matches!(health, Some(Health::Up { .. })) {
            return Answer::Unable(Unable::StillUp(server));
        }
        if lost.is_empty() && !self.setup.servers.contains_key(&server) {
            return Answer::Unable(Unable::NoSuchServer(server));
        }
        for job in &lost {
            let Some(attempt) = job.under_way() else { continue };
            actions.push(Action::Cancel(job.id, attempt.carrier.clone()));
            let said = "the fax server was given up by an administrator".into();
            let end = AttemptEnd { at: now, outcome: Outcome::Unknown, said };
            let mut follows = Vec::new();
            self.ended(job.id, attempt.number, attempt.ledger.clone(), end, &mut follows);
            // The server still has to be told to stop before it may forget.
            follows.retain(|action| !matches!(action, Action::Forget(..)));
            actions.extend(follows);
        }
        Answer::GaveUp { server, jobs: lost.iter().map(|job| job.id).collect() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::{
        super::{
            Event, Request, Saved,
            tests::{NOW, arrival, client, server, setup, submission, up},
        },
        *,
    };
    use crate::{
        audit::{Asker, Door, Line, Verdict},
        authority::Who,
        document::PageLedger,
        names::Token,
        setup::Setup,
    };

    const NUMBER: &str = "+442079460111";

    fn restored(setup: &Setup, drained: &[&str]) -> Supervisor {
        let drained = drained.iter().map(|name| server(name)).collect();
        let saved = Saved { drained, at: NOW, ..Saved::default() };
        Supervisor::restore(Arc::new(setup.clone()), saved)
    }

    /// Job 1 of anna waits, since no server is up.
    fn waiting() -> Supervisor {
        let mut supervisor = restored(&setup(), &[]);
        let mail = submission("anna", NUMBER, "<1@example.com>");
        supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
        supervisor
    }

    fn ask(supervisor: &mut Supervisor, request: Request) -> (Answer, Vec<Action>) {
        let mut actions = supervisor.handle(Event::Asked(request, Token(2)), NOW);
        let at = actions.iter().position(|action| matches!(action, Action::Promise(..))).unwrap();
        let Action::Promise(_, answer) = actions.remove(at) else { unreachable!() };
        (answer, actions)
    }

    fn calls(actions: &[Action]) -> Vec<JobId> {
        let called = |action: &Action| match action {
            Action::Carry(job) => Some(job.id),
            _ => None,
        };
        actions.iter().filter_map(called).collect()
    }

    fn is_done(answer: &Answer) -> bool {
        matches!(answer, Answer::Done(JobId(1)))
    }

    #[test]
    fn a_fax_on_hold_is_called_when_it_is_released_and_not_before() {
        let mut supervisor = waiting();
        assert!(is_done(&ask(&mut supervisor, Request::Hold(JobId(1))).0));
        let again = ask(&mut supervisor, Request::Hold(JobId(1))).0;
        assert!(matches!(again, Answer::Unable(Unable::OnHold(_))));
        let hurried = ask(&mut supervisor, Request::Retry(JobId(1))).0;
        assert!(matches!(hurried, Answer::Unable(Unable::OnHold(_))));
        let actions = supervisor.handle(Event::Health(server("london-1"), up()), NOW);
        assert_eq!(calls(&actions), []);
        let (answer, actions) = ask(&mut supervisor, Request::Release(JobId(1)));
        assert!(is_done(&answer));
        assert_eq!(calls(&actions), [JobId(1)]);
        let held = ask(&mut supervisor, Request::Hold(JobId(1))).0;
        assert!(matches!(held, Answer::UnderWay(_)));
    }

    #[test]
    fn the_time_of_a_fax_on_hold_goes_on() {
        let mut supervisor = waiting();
        ask(&mut supervisor, Request::Hold(JobId(1)));
        let late = supervisor.job(JobId(1)).unwrap().expires;
        supervisor.handle(Event::Woke, late);
        assert!(supervisor.job(JobId(1)).is_none(), "it has ended");
    }

    #[test]
    fn an_alteration_is_held_against_the_rules_again() {
        let to = |number: &str| Some(Number::try_from(number.to_owned()).unwrap());
        let after = |seconds: u64| Some(NOW + Duration::from_secs(seconds));
        let none = Alteration::default;
        let day = 24 * 3600;
        let table: [(Alteration, Option<&str>); 8] = [
            (Alteration { number: to("+442079460122"), ..none() }, None),
            (Alteration { number: to("+449012345678"), ..none() }, Some("barred")),
            (Alteration { priority: Some(9), tries: Some(1), ..none() }, None),
            (Alteration { due: after(5 * day), ..none() }, None),
            (Alteration { due: after(31 * day), ..none() }, Some("put off for more than 30 days")),
            (Alteration { expires: after(day + 60), ..none() }, Some("86400 s are the most")),
            (Alteration { expires: Some(NOW), ..none() }, Some("before it may go out")),
            (Alteration { due: after(60), expires: after(30), ..none() }, Some("before it may")),
        ];
        for (to, refused) in table {
            let mut supervisor = waiting();
            let before = supervisor.job(JobId(1)).unwrap().clone();
            let answer = ask(&mut supervisor, Request::Alter(JobId(1), to.clone())).0;
            let found = supervisor.job(JobId(1)).unwrap();
            match (answer.verdict(), refused) {
                (Verdict::Allowed, None) => assert_ne!(*found, before, "{to:?}"),
                (Verdict::Failed(why), Some(words)) => {
                    assert!(why.contains(words), "{why}");
                    assert_eq!(*found, before, "{to:?}");
                }
                (verdict, _) => panic!("{to:?}: {verdict:?}"),
            }
        }
    }

    #[test]
    fn a_fax_with_one_try_left_is_tried_once() {
        let mut supervisor = waiting();
        let to = Alteration { tries: Some(1), ..Alteration::default() };
        ask(&mut supervisor, Request::Alter(JobId(1), to));
        supervisor.handle(Event::Health(server("london-1"), up()), NOW);
        let end = AttemptEnd { at: NOW, outcome: Outcome::Busy, said: String::new() };
        let ledger = PageLedger::default();
        supervisor.handle(Event::Ended { job: JobId(1), attempt: 1, ledger, end }, NOW);
        assert!(supervisor.job(JobId(1)).is_none(), "it has ended");
    }

    #[test]
    fn a_received_fax_goes_to_nobody_of_another_group() {
        let mut rules = setup();
        rules.routes.clear();
        let mut supervisor = restored(&rules, &[]);
        // Nobody operates paris.
        let fax = Box::new(arrival("paris-1", "+33140000000", "1"));
        supervisor.handle(Event::Arrived(fax), NOW);
        let assign = |name: &str| Request::Assign { job: JobId(1), client: client(name) };
        let across = ask(&mut supervisor, assign("anna")).0;
        assert!(matches!(across, Answer::Unable(Unable::NoSharedGroup { .. })), "{across:?}");
        let nobody = ask(&mut supervisor, assign("nobody")).0;
        assert!(matches!(nobody, Answer::Unable(Unable::NoSuchClient(_))));
        let (answer, actions) = ask(&mut supervisor, assign("bob"));
        assert!(is_done(&answer));
        assert_eq!(calls(&actions), [JobId(1)]);
        let again = ask(&mut supervisor, assign("bob")).0;
        assert!(matches!(again, Answer::Unable(Unable::NotUnrouted(_))));
    }

    #[test]
    fn a_drained_server_gets_nothing_also_after_a_restart_and_a_reload() {
        let mut supervisor = restored(&setup(), &["london-1"]);
        supervisor.handle(Event::Reconfigured(Arc::new(setup())), NOW);
        supervisor.handle(Event::Health(server("london-1"), up()), NOW);
        let mail = submission("anna", NUMBER, "<1@example.com>");
        let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
        assert_eq!(calls(&actions), []);
        let (_, actions) = ask(&mut supervisor, Request::Drain(server("london-1"), false));
        let saved = matches!(&actions[0], Action::Save(Change::Drained(name, false)) if *name == server("london-1"));
        assert!(saved, "{actions:?}");
        assert_eq!(calls(&actions), [JobId(1)]);
    }

    #[test]
    fn a_drained_server_that_leaves_the_configuration_is_forgotten() {
        let forgets = |actions: &[Action]| {
            let change = |action: &Action| match action {
                Action::Save(Change::Drained(name, false)) => Some(name.clone()),
                _ => None,
            };
            actions.iter().filter_map(change).collect::<Vec<_>>()
        };
        let mut without = setup();
        without.servers.remove(&server("london-1"));
        let mut supervisor = restored(&setup(), &["london-1", "london-2"]);
        assert_eq!(forgets(&supervisor.handle(Event::Woke, NOW)), []);
        let actions = supervisor.handle(Event::Reconfigured(Arc::new(without.clone())), NOW);
        assert_eq!(forgets(&actions), [server("london-1")]);
        supervisor.handle(Event::Reconfigured(Arc::new(setup())), NOW);
        let draining = |name| supervisor.setup.servers[&server(name)].draining;
        assert_eq!((draining("london-1"), draining("london-2")), (false, true));
        // So is one that left while nobody looked.
        let mut next_life = restored(&without, &["london-1", "london-2"]);
        assert_eq!(forgets(&next_life.handle(Event::Woke, NOW)), [server("london-1")]);
    }

    #[test]
    fn what_is_configured_to_drain_cannot_be_resumed() {
        let mut rules = setup();
        rules.servers.get_mut(&server("london-1")).unwrap().draining = true;
        let mut supervisor = restored(&rules, &["london-1"]);
        let answer = ask(&mut supervisor, Request::Drain(server("london-1"), false)).0;
        assert!(matches!(answer, Answer::Draining { draining: true, .. }), "{answer:?}");
    }

    #[test]
    fn a_server_that_is_given_up_sets_its_numbers_free() {
        let mut supervisor = waiting();
        supervisor.handle(Event::Health(server("london-1"), up()), NOW);
        assert!(supervisor.job(JobId(1)).unwrap().under_way().is_some());
        let give_up = || Request::GiveUp(server("london-1"));
        let answer = ask(&mut supervisor, give_up()).0;
        assert!(matches!(answer, Answer::Unable(Unable::StillUp(_))), "{answer:?}");
        let down = Health::Down { why: "test".into() };
        supervisor.handle(Event::Health(server("london-1"), down), NOW);
        let (answer, actions) = ask(&mut supervisor, give_up());
        assert!(matches!(answer, Answer::GaveUp { jobs, .. } if jobs == [JobId(1)]));
        assert!(actions.iter().any(|action| matches!(action, Action::Cancel(JobId(1), _))));
        assert!(supervisor.job(JobId(1)).is_none(), "it has ended as lost");
        supervisor.handle(Event::Health(server("london-2"), up()), NOW);
        let mail = submission("anna", NUMBER, "<2@example.com>");
        let actions = supervisor.handle(Event::Submitted(Box::new(mail), Token(1)), NOW);
        assert_eq!(calls(&actions).len(), 1, "the number is free");
    }

    #[test]
    fn the_line_of_an_order_is_saved_with_it() {
        let mut supervisor = waiting();
        let asker = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        let line = Line {
            at: Timestamp(0),
            asker,
            request: "jobs.cancel".into(),
            object: "job:1".into(),
            verdict: Verdict::Allowed,
            before: None,
            after: None,
        };
        for (allowed, before) in [(true, true), (false, false)] {
            let order =
                Event::Requested(Request::Cancel(JobId(1)), Box::new(line.clone()), Token(2));
            let actions = supervisor.handle(order, NOW);
            let is_line = |action: &Action| matches!(action, Action::Save(Change::Audit(_)));
            let at = actions.iter().position(is_line).unwrap();
            assert!(matches!(actions[at + 1], Action::Promise(..)), "told after it is saved");
            let Action::Save(Change::Audit(saved)) = &actions[at] else { unreachable!() };
            assert_eq!((saved.at, saved.verdict == Verdict::Allowed), (NOW, allowed));
            assert_eq!((saved.before.is_some(), saved.after.is_some()), (before, before));
        }
    }
}
