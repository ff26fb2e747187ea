//! Every kind of question, about any thing, and what the model says of it.

use postfax_domain::{
    authority::Verb,
    names::{HookName, JobId},
};

use super::{
    super::{
        Ask, AskAlter, AskAudit, AskBook, AskConfig, AskInbound, AskJobs, Terms, samples,
        settings::AskSettings,
    },
    CLIENTS, JOBS, NOWHERE, Plan, SERVERS, Should, client,
};
use crate::config::Text;

/// Kinds of questions, as [`kind`] counts them.
pub(super) const KINDS: usize = 40;

/// The number of its kind: one that is new has to be asked below.
fn kind(ask: &Ask) -> usize {
    match ask {
        Ask::Show { .. } => 0,
        Ask::ExplainJob { .. } => 1,
        Ask::Cancel { .. } => 2,
        Ask::Retry { .. } => 3,
        Ask::Hold { .. } => 4,
        Ask::Release { .. } => 5,
        Ask::Alter(_) => 6,
        Ask::Assign { .. } => 7,
        Ask::Drain { .. } => 8,
        Ask::Resume { .. } => 9,
        Ask::GiveUp { .. } => 10,
        Ask::Explain { .. } => 11,
        Ask::Audit(_) => 12,
        Ask::VerifyAudit { .. } => 13,
        Ask::Reload => 14,
        Ask::Jobs(_) => 15,
        Ask::Inbound(_) => 16,
        Ask::Status => 17,
        Ask::Watch => 18,
        Ask::Servers => 19,
        Ask::Settings(AskSettings::Get { .. }) => 20,
        Ask::Settings(AskSettings::Set { .. }) => 21,
        Ask::Settings(AskSettings::SetText { .. }) => 22,
        Ask::Settings(AskSettings::History { .. }) => 23,
        Ask::Settings(AskSettings::Diff { .. }) => 24,
        Ask::Settings(AskSettings::Rollback { .. }) => 25,
        Ask::Settings(AskSettings::Adopt { .. }) => 26,
        Ask::Settings(AskSettings::Push { .. }) => 27,
        Ask::Config(AskConfig::Get { .. }) => 28,
        Ask::Config(AskConfig::Set { .. }) => 29,
        Ask::Config(AskConfig::Replace { .. }) => 30,
        Ask::Config(AskConfig::History) => 31,
        Ask::Config(AskConfig::Show { .. }) => 32,
        Ask::Config(AskConfig::Diff { .. }) => 33,
        Ask::Config(AskConfig::Rollback { .. }) => 34,
        Ask::Follow => 35,
        Ask::Pages { .. } => 36,
        Ask::Webhooks => 37,
        Ask::RetryWebhook { .. } => 38,
        // Who sees which entry has a model of its own.
        Ask::Book(_) => 39,
    }
}

#[test]
fn every_kind_of_question_is_asked() {
    for number in 0..KINDS {
        assert_eq!(kind(&asked(&Plan::default(), 0, number, 0).0), number);
    }
}

/// The request of this kind about this thing, and what the model says of it.
pub(super) fn asked(plan: &Plan, who: usize, kind: usize, thing: usize) -> (Ask, Should) {
    let allowed = |yes| if yes { Should::BeAnswered } else { Should::BeRefused };
    let everywhere = |verb| allowed(plan.may(who, verb, &[], &[]));
    match kind {
        0..=7 | 36 => about_job(plan, who, kind, thing),
        8..=10 | 20..=27 => about_server(plan, who, kind, thing),
        11 => {
            let from = thing % CLIENTS.len();
            let may = from == who || plan.may(who, Verb::JobsSee, &[], &[from]);
            let ask =
                Ask::Explain { from: CLIENTS[from].into(), to: "0140000000".into(), pages: 1 };
            (ask, allowed(may))
        }
        12 => (Ask::Audit(AskAudit::default()), everywhere(Verb::AuditSee)),
        13 => (Ask::VerifyAudit { head: None }, everywhere(Verb::AuditSee)),
        14 => (Ask::Reload, everywhere(Verb::ConfigWrite)),
        15 => (Ask::Jobs(AskJobs::default()), Should::BeAnswered),
        16 => (Ask::Inbound(AskInbound::default()), Should::BeAnswered),
        17 => (Ask::Status, Should::BeAnswered),
        18 => (Ask::Watch, Should::BeAnswered),
        19 => (Ask::Servers, Should::BeAnswered),
        35 => (Ask::Follow, Should::BeAnswered),
        39 => (Ask::Book(AskBook::Find { text: String::new(), limit: None }), Should::BeAnswered),
        37 => (Ask::Webhooks, everywhere(Verb::ConfigRead)),
        38 => {
            let webhook = HookName::new("crm").unwrap();
            (Ask::RetryWebhook { webhook }, everywhere(Verb::ConfigWrite))
        }
        _ => {
            let (ask, verb) = about_configuration(kind);
            (Ask::Config(ask), everywhere(verb))
        }
    }
}

fn about_job(plan: &Plan, who: usize, kind: usize, thing: usize) -> (Ask, Should) {
    let (at, of) = (thing % JOBS.len(), JOBS[thing % JOBS.len()]);
    let job = JobId(at as u64 + 1);
    let should = |held| match (held, plan.on_job(who, Verb::JobsSee, of)) {
        (true, _) => Should::BeAnswered,
        (false, true) => Should::BeRefused,
        (false, false) => Should::FindNothing,
    };
    let sees = should(plan.on_job(who, Verb::JobsSee, of));
    let stops = should(plan.on_job(who, Verb::JobsCancel, of));
    let (tries, due, number, expires) = (Some(1), None, None, None);
    match kind {
        0 => (Ask::Show { job }, sees),
        36 => (Ask::Pages { job }, sees),
        1 => (Ask::ExplainJob { job }, sees),
        2 => (Ask::Cancel { job }, stops),
        3 => (Ask::Retry { job }, stops),
        4 => (Ask::Hold { job }, stops),
        5 => (Ask::Release { job }, stops),
        6 => (Ask::Alter(AskAlter { job, priority: None, tries, expires, due, number }), stops),
        _ => {
            let arrived = of.server.filter(|_| of.sender.is_none());
            let servers: Vec<usize> = arrived.into_iter().collect();
            let may = plan.may(who, Verb::InboundSee, &servers, &[]);
            (Ask::Assign { job, client: client(0) }, should(may))
        }
    }
}

fn about_server(plan: &Plan, who: usize, kind: usize, thing: usize) -> (Ask, Should) {
    let at = thing % (NOWHERE + 1);
    let server = samples::server(SERVERS.get(at).copied().unwrap_or("nowhere"));
    let (reason, version, set) = (String::new(), None, Default::default());
    let (read, write) = (Verb::SettingsRead, Verb::SettingsWrite);
    let text = String::new();
    let (ask, verbs) = match kind {
        8 => (Ask::Drain { server }, vec![write]),
        9 => (Ask::Resume { server }, vec![write]),
        10 => (Ask::GiveUp { server }, vec![write]),
        20 => (Ask::Settings(AskSettings::Get { server }), vec![read]),
        21 => (Ask::Settings(AskSettings::Set { server, version, set, reason }), vec![write]),
        22 => {
            let ask = AskSettings::SetText { server, version, text, reason };
            (Ask::Settings(ask), vec![read, write])
        }
        23 => (Ask::Settings(AskSettings::History { server }), vec![read]),
        24 => (Ask::Settings(AskSettings::Diff { server, from: None, to: None }), vec![read]),
        25 => {
            let ask = AskSettings::Rollback { server, to: 1, version, reason };
            (Ask::Settings(ask), vec![write])
        }
        26 => (Ask::Settings(AskSettings::Adopt { server, reason }), vec![write]),
        _ => (Ask::Settings(AskSettings::Push { server }), vec![write]),
    };
    match verbs.into_iter().all(|verb| plan.may(who, verb, &[at], &[])) {
        true => (ask, Should::BeAnswered),
        false => (ask, Should::BeRefused),
    }
}

fn about_configuration(kind: usize) -> (AskConfig, Verb) {
    let (file, text, terms) = ("postfax.toml".into(), String::new(), Terms::default());
    let (read, write) = (Verb::ConfigRead, Verb::ConfigWrite);
    match kind {
        28 => (AskConfig::Get { key: None }, read),
        29 => (AskConfig::Set { changes: Vec::new(), terms }, write),
        30 => (AskConfig::Replace { text: Text { file, text }, terms }, write),
        31 => (AskConfig::History, read),
        32 => (AskConfig::Show { number: 1 }, read),
        33 => (AskConfig::Diff { from: 1, to: None }, read),
        _ => (AskConfig::Rollback { number: 1, terms }, write),
    }
}
