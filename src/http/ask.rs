//! Hands questions over to [`requests::answer`], which decides, conceals and keeps the
//! audit log; what changes something is told to its end, and once where it has a key.

use postfax_domain::names::ServerName;

use super::{
    Shared,
    body::Key,
    door::Caller,
    once::{self, Answer, Request},
    problem::{Code, Problem},
    view::{
        ChangedView, DeletedEntry, Done, Draining, EntryView, GivenUp, Hurried, RegisteredView,
        Reloaded, entry_path,
    },
};
use crate::requests::{
    self, Ask, AskBook, BookReply, ConfigReply, Reply,
    book::Imported,
    settings::{AskSettings, Told},
};
use axum::response::{IntoResponse as _, Response};

/// Answers, as far as the caller may ask.
pub(super) async fn ask(shared: &Shared, caller: &Caller, ask: Ask) -> Result<Reply, Problem> {
    match requests::answer(&*shared.daemon, &caller.asker(), ask).await {
        Reply::Problem(problem) => Err(problem.into()),
        reply => Ok(reply),
    }
}

/// Asks for something that changes something; once, where it has a key. It is told to its
/// end, also when the client is gone: else nobody would know whether it was done.
pub(super) async fn change(
    shared: &Shared,
    caller: &Caller,
    Key(key): Key,
    asked: Ask,
) -> Response {
    let config = shared.context.config.load_full();
    let Some(limits) = config.http.as_ref().map(|http| http.limits.clone()) else {
        return Problem::new(Code::Busy, "the HTTP door is being closed").into_response();
    };
    let print = once::print(&[&serde_json::to_vec(&asked).unwrap_or_default()]);
    let request = key.map(|key| Request { client: caller.client.clone(), key, print });
    let (shared, caller, place) = (shared.clone(), caller.clone(), place(&asked));
    let is_new = matches!(&asked, Ask::Book(AskBook::Add { .. }));
    let work = tokio::spawn(async move {
        let work = async { shown(ask(&shared, &caller, asked).await?, is_new) };
        match request {
            None => once::said(work.await),
            Some(request) => {
                let lasting =
                    once::lasting(&shared.context.reader, &limits, &request, &place, work);
                shared.kept.once(&limits, Some(&request), lasting).await
            }
        }
    });
    let done = work.await;
    done.unwrap_or_else(|bug| Problem::new(Code::Failed, bug.to_string()).into_response())
}

/// Where it can be seen whether something was done.
fn place(ask: &Ask) -> String {
    let of = |server: &ServerName| format!("/v1/servers/{server}");
    match ask {
        Ask::Cancel { job }
        | Ask::Retry { job }
        | Ask::Hold { job }
        | Ask::Release { job }
        | Ask::Assign { job, .. } => format!("/v1/jobs/{job}"),
        Ask::Alter(ask) => format!("/v1/jobs/{}", ask.job),
        Ask::Drain { server } | Ask::Resume { server } | Ask::GiveUp { server } => of(server),
        Ask::Settings(
            AskSettings::Set { server, .. }
            | AskSettings::SetText { server, .. }
            | AskSettings::Rollback { server, .. }
            | AskSettings::Adopt { server, .. }
            | AskSettings::Push { server },
        ) => format!("{}/settings", of(server)),
        Ask::Config(_) | Ask::Reload => "/v1/config/history".to_owned(),
        Ask::RetryWebhook { .. } => "/v1/webhooks".to_owned(),
        Ask::Book(
            AskBook::Change { entry, .. }
            | AskBook::Share { entry, .. }
            | AskBook::Delete { entry, .. },
        ) => entry_path(entry),
        Ask::Book(_) => "/v1/book".to_owned(),
        _ => "/v1/status".to_owned(),
    }
}

/// How the answer to a change looks, or to the making of something new.
fn shown(reply: Reply, is_new: bool) -> Result<Answer, Problem> {
    match reply {
        Reply::Done(done) => Ok(Answer::ok(&Done::from(done))),
        Reply::Reloaded(said) => Ok(Answer::ok(&Reloaded { said })),
        Reply::Draining { server, draining } => {
            Ok(Answer::ok(&Draining { server: server.to_string(), draining }))
        }
        Reply::GaveUp { server, jobs } => {
            let jobs = jobs.into_iter().map(|id| id.0).collect();
            Ok(Answer::ok(&GivenUp { server: server.to_string(), jobs }))
        }
        Reply::ToldAgain { webhook } => Ok(Answer::ok(&Hurried { webhook: webhook.to_string() })),
        Reply::Settings(told) => match *told {
            Told::Registered(done) => {
                let version = Some(done.version);
                Ok(Answer { version, ..Answer::ok(&RegisteredView::from(done)) })
            }
            _ => Err(unexpected()),
        },
        Reply::Config(reply) => match *reply {
            ConfigReply::Changed { version, diff, said } => {
                Ok(Answer { version, ..Answer::ok(&ChangedView { version, diff, said }) })
            }
            _ => Err(unexpected()),
        },
        Reply::Book(reply) => in_the_book(*reply, is_new),
        _ => Err(unexpected()),
    }
}

fn in_the_book(reply: BookReply, is_new: bool) -> Result<Answer, Problem> {
    match reply {
        BookReply::Entry(sheet) => {
            let view = EntryView::from(*sheet);
            let answer = Answer { version: Some(view.version()), ..Answer::ok(&view) };
            Ok(if is_new { answer.made(view.path()) } else { answer })
        }
        BookReply::Deleted { uid, name } => Ok(Answer::ok(&DeletedEntry { uid, name })),
        BookReply::Imported(told) => imported(*told),
        _ => Err(unexpected()),
    }
}

/// What was only tried has been told, whatever came of it.
fn imported(told: Imported) -> Result<Answer, Problem> {
    if told.done || told.dry_run {
        return Ok(Answer::ok(&told));
    }
    let words = "nothing was imported: the errors say what stands in the way";
    Err(Problem::new(Code::Refused, words).because(told.errors))
}

/// Something else was answered than was asked: a bug, which is told.
pub(super) fn unexpected() -> Problem {
    Problem::new(Code::Failed, "the answer is of another kind, which is a bug")
}
