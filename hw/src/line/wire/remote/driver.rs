//! The requests of a [`Driver`], asked from far away.

use std::{
    path::Path,
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::settings::{Change, Level, Name, Schema, Settings};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    super::{
        asking::Unheard,
        message::{Answer, Ask, milliseconds},
    },
    ANSWER_LIMIT, Lost, Remote,
};
use crate::driver::{
    Call, Capabilities, Condition, Driver, DriverError, Ended, Progress, SettingsError, Ticket,
    Waiting,
};

/// How much later than it should an answer to [`Ask::Arrival`] may come.
const ARRIVAL_GRACE: Duration = Duration::from_secs(10);

impl Remote {
    /// The settings that this version knows.
    fn known(&self, settings: Settings) -> Settings {
        let Some(schema) = self.options.able.schema else { return settings };
        let is_known = |name: &Name| has(schema, name);
        Settings(settings.0.into_iter().filter(|(name, _)| is_known(name)).collect())
    }
}

fn has(schema: &Schema, name: &Name) -> bool {
    let level = if name.line.is_some() { Level::Line } else { Level::Server };
    schema.keys.iter().any(|key| key.name == name.key && key.level == level)
}

#[async_trait]
impl Driver for Remote {
    fn capabilities(&self) -> Capabilities {
        *self.able.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        match self.ask(Ask::Condition).await? {
            Answer::Condition(condition) => Ok(condition),
            other => Err(self.strange(&other)),
        }
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let link = self.link(self.by()).await?;
        let whole = AtomicBool::new(false);
        match self.hand_over(&link, call, &whole).await {
            Ok(Answer::Ticket(Some(ticket))) => Ok(ticket),
            Ok(other) => Err(self.strange(&other)),
            Err(Lost::Because(error)) => Err(error),
            Err(Lost::Connection) => {
                let (server, why) = (self.options.server.clone(), "the connection broke".into());
                Err(match whole.load(Ordering::SeqCst) {
                    true => DriverError::Unsure { server, why },
                    false => DriverError::Unreachable { server, why },
                })
            }
        }
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        match self.ask(Ask::Find { tag: tag.to_owned() }).await? {
            Answer::Ticket(ticket) => Ok(ticket),
            other => Err(self.strange(&other)),
        }
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let ask = Ask::Follow { ticket: ticket.clone() };
        match self.ask_until(&ask, None, Some(&progress)).await? {
            Answer::Ended { outcome, said, ledger } => Ok(Ended { outcome, said, ledger }),
            other => Err(self.strange(&other)),
        }
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        self.done(Ask::Cancel { ticket: ticket.clone() }).await
    }

    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError> {
        self.done(Ask::Forget { ticket: ticket.clone() }).await
    }

    async fn arrival(&self, at_most: Duration) {
        let ask = Ask::Arrival { at_most_ms: milliseconds(at_most) };
        let waiting = async {
            let Ok(link) = self.link(Instant::now() + at_most).await else { return };
            if let Some(mut request) = link.ask(&ask) {
                // When the connection breaks there may be something new behind it.
                let _ = request.answer(None).await;
            }
        };
        let _ = timeout(at_most + ARRIVAL_GRACE, waiting).await;
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        match self.ask(Ask::Waiting).await? {
            Answer::Waiting(waiting) => Ok(waiting),
            other => Err(self.strange(&other)),
        }
    }

    async fn fetch(&self, fax: &Waiting, into: &Path) -> Result<(), DriverError> {
        let ask = Ask::Fetch { fax: fax.clone() };
        let fetched = loop {
            let mut request = match self.begin(&ask, self.by()).await {
                Ok(request) => request,
                Err(error) => break Err(error),
            };
            match self.receive(&mut request, into).await {
                Ok(()) => break Ok(()),
                Err(Lost::Connection) => self.let_go(request.link()),
                Err(Lost::Because(error)) => break Err(error),
            }
        };
        if fetched.is_err() {
            // What is not whole is not kept.
            let _ = tokio::fs::remove_file(into).await;
        }
        fetched
    }

    async fn release(&self, fax: &Waiting) -> Result<(), DriverError> {
        self.done(Ask::Release { fax: fax.clone() }).await
    }

    async fn settings(&self, _: &Path) -> Result<Settings, SettingsError> {
        match self.ask(Ask::Settings).await.map_err(SettingsError::Away)? {
            Answer::Settings(settings) => Ok(self.known(settings)),
            Answer::NotSet(why) => Err(why.error(self.options.server.clone())),
            other => Err(SettingsError::Away(self.strange(&other))),
        }
    }

    async fn set(&self, changes: &[Change], _: &Path) -> Result<Settings, SettingsError> {
        let link = self.link(self.by()).await;
        let link = link.map_err(SettingsError::Away)?;
        let lost = || SettingsError::Away(self.unreachable("the connection broke"));
        let ask = Ask::Set { changes: changes.to_vec() };
        let mut request = link.ask(&ask).ok_or_else(lost)?;
        let answer = timeout(ANSWER_LIMIT, request.answer(None)).await;
        match self.judged(answer.unwrap_or(Err(Unheard::Lost))) {
            Ok(Answer::Settings(settings)) => Ok(self.known(settings)),
            Ok(Answer::NotSet(why)) => Err(why.error(self.options.server.clone())),
            Ok(other) => Err(SettingsError::Away(self.strange(&other))),
            Err(Lost::Connection) => Err(lost()),
            Err(Lost::Because(error)) => Err(SettingsError::Away(error)),
        }
    }
}
