//! Brings registered settings to the fax servers and reads back what these hold.
//!
//! One task for each server that can be set, so that a server is never read while it is
//! written. What follows from either is decided by the supervisor.

use std::{
    collections::{BTreeMap, HashMap},
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use postfax_domain::{
    names::ServerName,
    settings::{Held, NotPushed, NotTaken, Schema, Settings},
    supervisor::Event,
};
use postfax_hw::driver::{Driver, SettingsError};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tracing::{info, warn};

use crate::daemon::{Context, Drivers, now};

/// The folder in the state folder with one folder for each server.
const FOLDER: &str = "settings";
/// Pushes to one server that may wait. The supervisor orders one at a time; a task that
/// is slow to end leaves room for that of the next order.
const PUSH_QUEUE: usize = 4;
/// First and longest pause before a server that could not be read is read again.
const READ_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// What can be set at each server, as its driver says.
#[must_use]
pub fn schemas(drivers: &Drivers) -> BTreeMap<ServerName, &'static Schema> {
    let schema = |(name, driver): (&ServerName, &Arc<dyn Driver>)| {
        // A name of dots is a folder that is not the server's own.
        let is_folder = name.as_str().bytes().any(|b| b != b'.');
        driver.capabilities().schema.filter(|_| is_folder).map(|schema| (name.clone(), schema))
    };
    drivers.iter().filter_map(schema).collect()
}

/// The tasks that keep the settings of the servers; they end when this is dropped.
pub struct Keepers {
    keepers: HashMap<ServerName, Running>,
}

struct Running {
    push: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

/// A version that a server is to hold.
#[derive(Debug)]
pub struct Order {
    /// Its number.
    pub version: u64,
    /// All that is to be set.
    pub settings: Settings,
    /// What the server may hold; anything else was set by somebody else, and stays.
    pub known: Vec<Settings>,
}

impl Drop for Keepers {
    fn drop(&mut self) {
        for keeper in self.keepers.values() {
            keeper.task.abort();
        }
    }
}

impl Keepers {
    /// Begins to keep the settings of all servers that have any.
    #[must_use]
    pub fn start(context: &Context) -> Self {
        let config = context.config.load();
        let drivers = context.drivers.load();
        let folder = config.state.join(FOLDER);
        Self::of(&drivers, &folder, config.read_back, &context.events())
    }

    fn of(drivers: &Drivers, folder: &Path, every: Duration, events: &mpsc::Sender<Event>) -> Self {
        let kept = schemas(drivers);
        let keep = |(name, driver): (&ServerName, &Arc<dyn Driver>)| {
            let (push, orders) = mpsc::channel(PUSH_QUEUE);
            let keeper = Keeper {
                name: name.clone(),
                driver: driver.clone(),
                safe: folder.join(name.as_str()),
                every,
                events: events.clone(),
            };
            (name.clone(), Running { push, task: tokio::spawn(keeper.run(orders)) })
        };
        let keepers = drivers.iter().filter(|(name, _)| kept.contains_key(*name)).map(keep);
        Self { keepers: keepers.collect() }
    }

    /// Has a server hold these settings.
    pub fn push(&self, server: &ServerName, order: Order) {
        let Some(keeper) = self.keepers.get(server) else { return };
        let version = order.version;
        if keeper.push.try_send(order).is_err() {
            // It stays pending, and is ordered again when the keepers begin anew.
            warn!(%server, version, "settings could not be handed over");
        }
    }
}

struct Keeper {
    name: ServerName,
    driver: Arc<dyn Driver>,
    /// A private folder for the driver's copies of what it replaces.
    safe: PathBuf,
    every: Duration,
    events: mpsc::Sender<Event>,
}

impl Keeper {
    async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let mut pause = READ_AGAIN.0;
        let mut next = Instant::now();
        loop {
            let event = tokio::select! {
                // An order is worth more than another look.
                biased;
                order = orders.recv() => {
                    let Some(order) = order else { return };
                    let end = self.push(&order).await;
                    self.log(order.version, &end);
                    Event::Pushed(self.name.clone(), order.version, end)
                }
                () = sleep_until(next) => match self.read().await {
                    Ok(held) => {
                        (pause, next) = (READ_AGAIN.0, Instant::now() + self.every);
                        Event::ReadBack(self.name.clone(), held)
                    }
                    Err(failed) => {
                        let is_first = pause == READ_AGAIN.0;
                        next = Instant::now() + pause;
                        pause = (pause * 2).min(READ_AGAIN.1);
                        if is_first {
                            warn!(server = %self.name, %failed, "its settings cannot be read");
                        }
                        // That it is away is told by those who watch it.
                        if let SettingsError::Away(_) = failed {
                            continue;
                        }
                        Event::Unreadable(self.name.clone(), failed.to_string())
                    }
                },
            };
            // The loop outlives everyone who tells; when it is gone the process is.
            let _ = self.events.send(event).await;
        }
    }

    async fn read(&self) -> Result<Held, SettingsError> {
        self.make_safe().map_err(|failed| SettingsError::Undone(failed.to_string()))?;
        let condition = self.driver.condition().await.map_err(SettingsError::Away)?;
        let lines = condition.lines.into_iter().map(|line| line.name).collect();
        let settings = self.driver.settings(&self.safe).await?;
        Ok(Held { settings, lines, at: now() })
    }

    /// Has the server hold these settings and no others. It is read first: what differs
    /// from what it holds now is all that is set, and that mends what an earlier life
    /// has left half done.
    async fn push(&self, order: &Order) -> Result<Settings, NotPushed> {
        let hindered = |why, held| NotPushed::from(NotTaken::Hindered { why, held });
        let refused = |why, held| NotPushed::from(NotTaken::Refused { why, held });
        self.make_safe().map_err(|bad| hindered(bad.to_string(), None))?;
        let held = match self.driver.settings(&self.safe).await {
            Ok(held) => held,
            Err(SettingsError::Away(_)) => return Err(NotTaken::Away.into()),
            Err(SettingsError::Undone(why)) => return Err(refused(why, None)),
            Err(SettingsError::Hindered(why) | SettingsError::Broken(why)) => {
                return Err(hindered(why, None));
            }
        };
        if !held.foreign_to(&order.known).is_empty() {
            return Err(NotPushed::Meddled { held });
        }
        let changes = held.differences(&order.settings);
        if changes.is_empty() {
            return Ok(held);
        }
        match self.driver.set(&changes, &self.safe).await {
            Ok(held) => Ok(held),
            Err(SettingsError::Away(_)) => Err(NotTaken::Away.into()),
            Err(SettingsError::Undone(why)) => Err(refused(why, Some(held))),
            Err(SettingsError::Hindered(why)) => Err(hindered(why, Some(held))),
            // What is broken is mended when it is read or set the next time.
            Err(SettingsError::Broken(why)) => {
                let held = self.driver.settings(&self.safe).await.ok();
                Err(hindered(why, held))
            }
        }
    }

    fn make_safe(&self) -> io::Result<()> {
        let named = |failed| io::Error::other(format!("{}: {failed}", self.safe.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(&self.safe).map_err(named)
    }

    fn log(&self, version: u64, end: &Result<Settings, NotPushed>) {
        let server = &self.name;
        match end {
            Ok(_) => info!(%server, version, "the server has these settings"),
            Err(NotPushed::NotTaken(NotTaken::Away)) => {
                info!(%server, version, "the server is away; it gets its settings when it is back");
            }
            Err(NotPushed::Meddled { .. }) => {
                warn!(%server, version, "somebody else has set something at the server");
            }
            Err(NotPushed::NotTaken(NotTaken::Refused { why, .. })) => {
                warn!(%server, version, %why, "the server did not take its settings");
            }
            Err(NotPushed::NotTaken(NotTaken::Hindered { why, .. })) => {
                warn!(%server, version, %why, "the server did not take its settings yet");
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
