//! The line server as a fax server like any other.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    outcome::Outcome,
    settings::{Change, Settings},
};
use tokio::sync::mpsc;

use super::{
    Core, LineServer, crash, hold,
    keys::SCHEMA,
    off,
    record::{Calling, State, Submission, is_tag},
    spool::{copy, now},
    table::Taken,
};
use crate::{
    driver::{
        Call, Capabilities, Condition, Driver, DriverError, Ended, LineCondition, Progress,
        SettingsError, Ticket, Waiting,
    },
    line::LineState,
    pages::tiff::{self, TiffError},
    t30::MAX_IDENT,
};

/// What a line server of this version can do.
pub const ABLE: Capabilities = Capabilities {
    confirms: true,
    finds: true,
    cancels: true,
    receives: true,
    batches: true,
    schema: Some(&SCHEMA),
};

#[async_trait]
impl Driver for LineServer {
    fn capabilities(&self) -> Capabilities {
        ABLE
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        let banner = format!("{} {}", self.0.options.name, env!("CARGO_PKG_VERSION"));
        Ok(Condition { banner, lines: self.0.conditions() })
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let call = call.clone();
        off(&self.0, move |core| core.submit(&call)).await
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        Ok(self.0.table.has(tag).then(|| Ticket(tag.to_owned())))
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let gone = || self.0.gone(&ticket.0);
        let mut state = self.0.table.watch(&ticket.0).ok_or_else(gone)?;
        let mut told = State::Queued { cancelled: false };
        loop {
            let new = state.borrow_and_update().clone();
            if let State::Ended(end) = new {
                let (outcome, said, ledger) = (end.outcome, end.said, end.ledger);
                return Ok(Ended { outcome, said, ledger });
            }
            for step in steps(&told, &new) {
                // Nobody has to listen.
                let _ = progress.send(step).await;
            }
            told = new;
            // It was forgotten meanwhile.
            state.changed().await.map_err(|_| gone())?;
        }
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        let tag = ticket.0.clone();
        if !self.0.table.has(&tag) {
            return Err(self.0.gone(&tag));
        }
        let cancelled = off(&self.0, move |core| core.table.cancel(&core.spool, &tag)).await;
        self.0.wake.notify_one();
        cancelled.map_err(|error| self.0.refused(Outcome::ServerFault, error))
    }

    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError> {
        let tag = ticket.0.clone();
        match off(&self.0, move |core| core.table.forget(&core.spool, &tag)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.0.refused(Outcome::ServerRefused, "it has not ended")),
            Err(error) => Err(self.0.refused(Outcome::ServerFault, error)),
        }
    }

    async fn arrival(&self, at_most: Duration) {
        self.0.received.arrival(at_most).await;
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        Ok(self.0.received.all())
    }

    async fn fetch(&self, fax: &Waiting, into: &Path) -> Result<(), DriverError> {
        if !self.0.received.has(&fax.name) {
            return Err(self.0.gone(&fax.name));
        }
        let (name, into) = (fax.name.clone(), into.to_owned());
        let copied = off(&self.0, move |core| copy(&core.spool.tiff(&name), &into)).await;
        copied.map_err(|error| DriverError::Local { path: error.path, source: error.source })
    }

    async fn release(&self, fax: &Waiting) -> Result<(), DriverError> {
        let name = fax.name.clone();
        let released = off(&self.0, move |core| {
            if !core.received.has(&name) {
                return Err(core.gone(&name));
            }
            crash::point("release");
            let gone = core.spool.release(&name);
            gone.map_err(|error| core.refused(Outcome::ServerFault, error))?;
            core.received.remove(&name);
            Ok(())
        });
        released.await
    }

    async fn settings(&self, _safe: &Path) -> Result<Settings, SettingsError> {
        Ok(off(&self.0, |core| hold(&core.book).settings()).await)
    }

    /// One file is replaced by a rename: there is no half of a change, and nothing to be
    /// kept in `safe`.
    async fn set(&self, changes: &[Change], _safe: &Path) -> Result<Settings, SettingsError> {
        let changes = changes.to_vec();
        off(&self.0, move |core| core.set(&changes)).await
    }
}

/// What has to be told of the way from one state to another.
fn steps(told: &State, new: &State) -> Vec<Progress> {
    let State::Calling(new) = new else { return vec![] };
    let none = Calling::default();
    let (old, was) = match told {
        State::Calling(old) => (old, true),
        _ => (&none, false),
    };
    let mut steps = vec![];
    if !was {
        steps.push(Progress::Dialling);
    }
    if new.connected && !old.connected {
        steps.push(Progress::Connected);
    }
    if new.ledger.confirmed > old.ledger.confirmed {
        steps.push(Progress::Pages(new.ledger.clone()));
    }
    steps
}

impl Core {
    fn gone(&self, what: &str) -> DriverError {
        DriverError::Gone { server: self.options.name.clone(), what: what.to_owned() }
    }

    fn refused(&self, outcome: Outcome, why: impl std::fmt::Display) -> DriverError {
        let server = self.options.name.clone();
        DriverError::Refused { server, reply: why.to_string(), outcome }
    }

    /// Takes a submission; it is durable when this returns.
    pub(super) fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let refused = |outcome, why: &dyn std::fmt::Display| self.refused(outcome, why);
        if !is_tag(&call.tag) {
            return Err(refused(Outcome::ServerRefused, &"its tag is none"));
        }
        let ticket = Ticket(call.tag.clone());
        if self.table.has(&call.tag) {
            return Ok(ticket);
        }
        let (pages, bytes) = self.look_at(call)?;
        let limits = &self.options.limits;
        let full = self.table.full(limits, bytes).or_else(|| self.spool.full(limits, bytes));
        if let Some(why) = full {
            return Err(refused(Outcome::ServerFault, &format!("the spool is full: {why}")));
        }
        crash::point("submit");
        let submission = Submission::new(call, now(), pages, bytes);
        let local = |error| self.refused(Outcome::ServerFault, error);
        let staged = self.spool.stage(&submission, &call.pages).map_err(local)?;
        crash::point("staged");
        let taken = self.table.enter(&self.spool, &staged, submission).map_err(local)?;
        crash::point("queued");
        self.wake.notify_one();
        match taken {
            Taken::Kept => Ok(ticket),
            Taken::Unsure(error) => Err(DriverError::Unsure {
                server: self.options.name.clone(),
                why: error.to_string(),
            }),
        }
    }

    /// Whether it can be sent: its pages, and their bytes.
    fn look_at(&self, call: &Call) -> Result<(u32, u64), DriverError> {
        let local = |source| DriverError::Local { path: call.pages.clone(), source };
        let too_long = |text: &str| text.chars().count() > MAX_IDENT;
        if call.subaddress.as_deref().is_some_and(too_long) {
            let why = format!("a sub-address has at most {MAX_IDENT} characters");
            return Err(self.refused(Outcome::ServerRefused, why));
        }
        let bytes = std::fs::metadata(&call.pages).map_err(local)?.len();
        let whole = || -> Result<u32, TiffError> {
            let file = tiff::read(&call.pages)?;
            for index in 0..file.pages().len() {
                file.coded(index)?;
            }
            Ok(file.pages().len() as u32)
        };
        let pages = match whole() {
            Ok(pages) => pages,
            Err(TiffError::Io { path, source }) => return Err(DriverError::Local { path, source }),
            Err(error) => return Err(self.refused(Outcome::BadDocument, error)),
        };
        let most = self.meaning().max_send_pages;
        if pages > most {
            let why = format!("it has {pages} pages, and no more than {most} are sent");
            return Err(self.refused(Outcome::TooManyPages, why));
        }
        Ok((pages, bytes))
    }

    /// Sets these, and tells the lines. Calls that go on keep what they began with.
    fn set(&self, changes: &[Change]) -> Result<Settings, SettingsError> {
        let mut book = hold(&self.book);
        let new = book.with(changes).map_err(SettingsError::Undone)?;
        crash::point("settings");
        let kept = self.spool.write_settings(new.overlay());
        kept.map_err(|error| SettingsError::Hindered(error.to_string()))?;
        *book = new;
        self.meaning.send_replace(std::sync::Arc::new(book.meaning()));
        self.configure();
        self.wake.notify_one();
        Ok(book.settings())
    }

    /// How the lines are.
    fn conditions(&self) -> Vec<LineCondition> {
        let meaning = self.meaning();
        let condition = |(line, own): (
            &std::sync::Arc<dyn crate::line::Line>,
            &super::settings::LineMeaning,
        )| {
            let state = line.state();
            let status = match &state {
                _ if !own.line.on => "Switched off".to_owned(),
                LineState::Starting => "Being set up".into(),
                LineState::Ready(0) => "Running and idle".into(),
                LineState::Ready(1) => "Running with a call".into(),
                LineState::Ready(calls) => format!("Running with {calls} calls"),
                LineState::Off => "Switched off".into(),
                LineState::Failed(why) => format!("Failed: {why}"),
            };
            let ready = matches!(state, LineState::Ready(_));
            LineCondition {
                name: line.name().to_owned(),
                number: own.fax_number.clone(),
                status,
                usable: ready && own.line.on && own.direction.sends(),
                broken: own.line.on && matches!(state, LineState::Failed(_)),
            }
        };
        self.lines.iter().zip(&meaning.lines).map(condition).collect()
    }
}
