//! A fax server in memory that counts what it was asked to do.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{
    document::PageLedger,
    outcome::Outcome,
    settings::{Change, Characters, Key, Kind, Level, Name, Schema, Settings, Value},
    time::Timestamp,
};
use tokio::sync::{Notify, mpsc};

use crate::driver::{
    Call, Capabilities, Condition, Driver, DriverError, Ended, LineCondition, Progress,
    SettingsError, Ticket, Waiting,
};

static SCHEMA: Schema = Schema {
    kind: "line",
    keys: &[
        Key {
            name: "rings",
            level: Level::Line,
            kind: Kind::Number { min: 1, max: 9, unit: "rings" },
            default: "1",
            about: "Rings before it answers.",
        },
        Key {
            name: "station_id",
            level: Level::Server,
            kind: Kind::Text { max_chars: 20, of: Characters::Station },
            default: "none",
            about: "What it calls itself.",
        },
    ],
};

pub(super) const ABLE: Capabilities =
    Capabilities { schema: Some(&SCHEMA), ..crate::line::server::ABLE };

/// What is known of it.
#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
    pub(super) arrived: Notify,
    /// Calls go on as long as this is not told.
    pub(super) hold: Option<Notify>,
    /// No received fax is copied as long as somebody else has this.
    pub(super) copying: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    /// How often each tag was taken, and its pages.
    taken: HashMap<String, (u32, Vec<u8>)>,
    received: BTreeMap<String, Vec<u8>>,
    released: HashMap<String, u32>,
    settings: Settings,
    cancelled: Vec<String>,
    asked: u32,
}

impl Memory {
    pub(super) fn holding() -> Self {
        Self { hold: Some(Notify::new()), ..Self::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn receive(&self, key: &str, octets: &[u8]) {
        self.state().received.insert(key.to_owned(), octets.to_owned());
        self.arrived.notify_one();
    }

    /// How often a tag was taken, and the pages of the last time.
    pub(super) fn taken(&self, tag: &str) -> Option<(u32, Vec<u8>)> {
        self.state().taken.get(tag).cloned()
    }

    /// How often a received fax was let go of while it was there.
    pub(super) fn released(&self, key: &str) -> u32 {
        self.state().released.get(key).copied().unwrap_or(0)
    }

    pub(super) fn cancelled(&self) -> Vec<String> {
        self.state().cancelled.clone()
    }

    pub(super) fn set_to(&self) -> Settings {
        self.state().settings.clone()
    }

    pub(super) fn waits(key: &str) -> Waiting {
        Waiting {
            key: key.to_owned(),
            name: format!("{key}.tif"),
            line: Some("ttyACM0".into()),
            called: Some("+442079460100".into()),
            caller: None,
            caller_name: None,
            tsi: Some("+49 30 123456".into()),
            subaddress: None,
            pages: 1,
            received: Timestamp(1_700_000_000_000),
            duration: Duration::from_secs(31),
            bit_rate: Some(14_400),
            error: None,
        }
    }
}

fn gone(what: &str) -> DriverError {
    DriverError::Gone { server: "memory".into(), what: what.to_owned() }
}

#[async_trait]
impl Driver for Memory {
    fn capabilities(&self) -> Capabilities {
        ABLE
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        self.state().asked += 1;
        let line = LineCondition {
            name: "ttyACM0".into(),
            number: None,
            status: "ready".into(),
            usable: true,
            broken: false,
        };
        Ok(Condition { banner: "in memory".into(), lines: vec![line] })
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let octets = std::fs::read(&call.pages).unwrap();
        // As one that writes to a disk: others get their turn in the middle.
        tokio::task::yield_now().await;
        let mut state = self.state();
        let taken = state.taken.entry(call.tag.clone()).or_default();
        taken.0 += 1;
        taken.1 = octets;
        Ok(Ticket(format!("ticket of {}", call.tag)))
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        Ok(self.taken(tag).map(|_| Ticket(format!("ticket of {tag}"))))
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let tag = ticket.0.strip_prefix("ticket of ").unwrap_or_default();
        self.taken(tag).ok_or_else(|| gone("this submission"))?;
        let _ = progress.send(Progress::Dialling).await;
        let _ = progress.send(Progress::Connected).await;
        let mut ledger = PageLedger { confirmed: 1, ..PageLedger::default() };
        let _ = progress.send(Progress::Pages(ledger.clone())).await;
        if let Some(hold) = &self.hold {
            hold.notified().await;
        }
        ledger.confirmed = 2;
        let _ = progress.send(Progress::Pages(ledger.clone())).await;
        Ok(Ended { outcome: Outcome::Delivered, said: "MCF".into(), ledger })
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        self.state().cancelled.push(ticket.0.clone());
        Ok(())
    }

    async fn forget(&self, _: &Ticket) -> Result<(), DriverError> {
        Ok(())
    }

    async fn arrival(&self, at_most: Duration) {
        let _ = tokio::time::timeout(at_most, self.arrived.notified()).await;
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        Ok(self.state().received.keys().map(|key| Self::waits(key)).collect())
    }

    async fn fetch(&self, fax: &Waiting, into: &Path) -> Result<(), DriverError> {
        let octets = self.state().received.get(&fax.key).cloned();
        let octets = octets.ok_or_else(|| gone(&fax.name))?;
        let (copying, into) = (self.copying.clone(), into.to_owned());
        // As one that writes to a disk: it ends, whether anybody waits for it or not.
        let copy = tokio::task::spawn_blocking(move || {
            let _copying = copying.lock().unwrap();
            std::fs::write(into, octets).unwrap();
        });
        copy.await.unwrap();
        Ok(())
    }

    async fn release(&self, fax: &Waiting) -> Result<(), DriverError> {
        let mut state = self.state();
        state.received.remove(&fax.key).ok_or_else(|| gone(&fax.name))?;
        *state.released.entry(fax.key.clone()).or_default() += 1;
        Ok(())
    }

    async fn settings(&self, _: &Path) -> Result<Settings, SettingsError> {
        let mut settings = self.set_to();
        // One that only a newer program knows.
        settings.0.insert(Name::of_server("colour"), Value::Flag(true));
        Ok(settings)
    }

    async fn set(&self, changes: &[Change], _: &Path) -> Result<Settings, SettingsError> {
        let mut state = self.state();
        if changes.iter().any(|change| change.to == Some(Value::Number(99))) {
            return Err(SettingsError::Undone("99 is too many".into()));
        }
        let set = changes.iter().map(|change| (change.name.clone(), change.to.clone()));
        state.settings = state.settings.with(set);
        Ok(state.settings.clone())
    }
}
