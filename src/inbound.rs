//! The fax servers as they report by themselves: how they are, and what arrived.
//!
//! One task for each server. A fax that waits there is fetched and made durable
//! here; then the codes on it are read, by which it may be routed; and only when the
//! supervisor has it as well is the server told to let go.
//! A server that cannot let go keeps its copy, which is recognised by its key.

mod kinds;
mod lines;

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::tz::TimeZone;
use postfax_domain::{
    document::{Document, Paper, Resolution},
    fleet::{BrokenLine, Health},
    names::ServerName,
    number::{Country, Number},
    route::Arrival,
    supervisor::Event,
    time::{Timestamp, WallClock},
};
use postfax_hw::{
    driver::{Condition, Driver, DriverError, LineCondition, Waiting},
    hylafax::{self, Hylafax},
    pages::{self, received::Received},
    render::Limits,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::{info, warn};

use crate::{
    config::{Config, Kind, Secret},
    crash,
    daemon::{Context, Drivers},
    offramp::Reports,
    store::{Reader, StoreError},
};

pub use lines::LineServers;

/// How often a server is asked how it is.
const CONDITION_EVERY: Duration = Duration::from_secs(15);
/// First and longest pause before a server that is away is asked again.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Faxes that may wait to be let go of.
const RELEASE_QUEUE: usize = 1024;
/// Faxes of one server that may wait for the supervisor. Less than [`RELEASE_QUEUE`],
/// so that no order to let go of one is ever dropped.
const MOST_TOLD: usize = 256;

/// Builds the driver of every server.
#[must_use]
pub fn drivers(
    config: &Config,
    lines: &LineServers,
    reports: &Arc<Reports>,
    reader: &Reader,
) -> Drivers {
    let mut drivers = Drivers::new();
    for (name, access) in &config.servers {
        match access.kind {
            Kind::Hylafax => {
                let secret = |secret: &Secret| secret.reveal().to_owned();
                let password = access.password.as_ref().map(secret).unwrap_or_default();
                let options = hylafax::Options {
                    admin_password: access.admin_password.as_ref().map(secret),
                    poll: Duration::from_secs(access.poll_s),
                    ..hylafax::Options::new(&access.host, access.port, &access.user, &password)
                };
                drivers.insert(name.clone(), Arc::new(Hylafax::new(options)));
            }
            Kind::Line => {
                if let Some(remote) = lines.driver(name) {
                    drivers.insert(name.clone(), remote);
                }
            }
            Kind::Ipp | Kind::Mail => match kinds::driver(config, name, access, reports, reader) {
                Ok(driver) => drop(drivers.insert(name.clone(), driver)),
                // The check has looked at its files; they went since.
                Err(bad) => warn!(server = %name, %bad, "this server cannot be used"),
            },
        }
    }
    drivers
}

/// The tasks that watch the servers; they end when this is dropped.
pub struct Watchers {
    watches: HashMap<ServerName, Watch>,
}

struct Watch {
    release: mpsc::Sender<String>,
    task: JoinHandle<()>,
}

impl Drop for Watchers {
    fn drop(&mut self) {
        for watch in self.watches.values() {
            watch.task.abort();
        }
    }
}

impl Watchers {
    /// Begins to watch all servers.
    #[must_use]
    pub fn start(context: Arc<Context>) -> Self {
        let drivers = context.drivers.load_full();
        let watch = |(name, driver): (&ServerName, &Arc<dyn Driver>)| {
            let (release, released) = mpsc::channel(RELEASE_QUEUE);
            let watcher = Watcher {
                context: context.clone(),
                name: name.clone(),
                driver: driver.clone(),
                released,
                in_hand: HashMap::new(),
                told: HashSet::new(),
                lines: Vec::new(),
            };
            let task = tokio::spawn(watcher.run());
            (name.clone(), Watch { release, task })
        };
        Self { watches: drivers.iter().map(watch).collect() }
    }

    /// Lets the server delete a fax that is durable here.
    pub fn release(&self, server: &ServerName, key: String) {
        if let Some(watch) = self.watches.get(server) {
            // It is never full; and what is not let go of is met again by the next life.
            let _ = watch.release.try_send(key);
        }
    }
}

struct Watcher {
    context: Arc<Context>,
    name: ServerName,
    driver: Arc<dyn Driver>,
    released: mpsc::Receiver<String>,
    /// Fetched and told, by key.
    in_hand: HashMap<String, Waiting>,
    /// Those that the supervisor has as well.
    told: HashSet<String>,
    lines: Vec<LineCondition>,
}

impl Watcher {
    async fn run(mut self) {
        let mut pause = ASK_AGAIN.0;
        loop {
            match self.round().await {
                Ok(()) => {
                    pause = ASK_AGAIN.0;
                    self.wait().await;
                }
                Err(failed) => {
                    let why = failed.to_string();
                    self.context.tell(Event::Health(self.name.clone(), Health::Down { why })).await;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ASK_AGAIN.1);
                }
            }
        }
    }

    /// Waits for something to arrive, or to be let go of.
    async fn wait(&mut self) {
        let driver = self.driver.clone();
        tokio::select! {
            () = driver.arrival(CONDITION_EVERY) => {}
            Some(key) = self.released.recv() => { self.told.insert(key); }
        }
        while let Ok(key) = self.released.try_recv() {
            self.told.insert(key);
        }
    }

    /// Why a fax is let go of a whole round after it was told: what the supervisor
    /// has said by then was said after its commit. Dying anywhere in here is harmless:
    /// what was not told is still waiting, and what was told and not let go of is
    /// fetched once more, known by its key, and only then let go of.
    async fn round(&mut self) -> Result<(), DriverError> {
        let Condition { banner, lines } = self.driver.condition().await?;
        let up = health(banner, &lines);
        self.lines = lines;
        self.context.tell(Event::Health(self.name.clone(), up)).await;
        self.let_go().await;
        let waiting = self.driver.waiting().await?;
        let keys: HashSet<&String> = waiting.iter().map(|fax| &fax.key).collect();
        self.in_hand.retain(|key, _| keys.contains(key));
        self.told.retain(|key| self.in_hand.contains_key(key));
        for fax in waiting {
            if self.in_hand.len().saturating_sub(self.told.len()) >= MOST_TOLD {
                break;
            }
            if !self.in_hand.contains_key(&fax.key) {
                self.take_or_leave(fax).await?;
            }
        }
        Ok(())
    }

    /// A fax that cannot be had holds up no other; only a server that is away does.
    async fn take_or_leave(&mut self, fax: Waiting) -> Result<(), DriverError> {
        let name = fax.name.clone();
        match self.take(fax).await {
            Err(away @ DriverError::Unreachable { .. }) => Err(away),
            Err(failed) => {
                warn!(server = %self.name, fax = %name, %failed, "a fax waits and cannot be fetched");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Fetches one fax and tells the supervisor.
    async fn take(&mut self, fax: Waiting) -> Result<(), DriverError> {
        let documents = &self.context.reader.documents;
        let spool = documents.spool(&format!("{}.in.tif", documents.new_name()));
        crash::point("fetch");
        let fetched = self.driver.fetch(&fax, &spool).await;
        let spool = Spooled(spool);
        fetched?;
        crash::point("keep");
        let document = match keep(&self.context, &spool.0, &fax).await {
            Ok(document) => document,
            Err(failed) => {
                // The server keeps it; the next look finds it again.
                warn!(server = %self.name, %failed, "a fax could not be kept");
                return Ok(());
            }
        };
        let codes = codes(&self.context, &document).await;
        let arrival = Arrival { codes, ..self.arrival(&fax, document) };
        info!(server = %self.name, pages = arrival.document.pages, "a fax has arrived");
        self.in_hand.insert(fax.key.clone(), fax);
        crash::point("tell");
        self.context.tell(Event::Arrived(Box::new(arrival))).await;
        Ok(())
    }

    async fn let_go(&mut self) {
        for key in self.told.clone() {
            let Some(fax) = self.in_hand.get(&key) else { continue };
            crash::point("release");
            let released = self.driver.release(fax).await;
            crash::point("released");
            match released {
                Ok(()) | Err(DriverError::Gone { .. }) => {
                    self.in_hand.remove(&key);
                    self.told.remove(&key);
                }
                Err(failed) => {
                    warn!(server = %self.name, %failed, "the server keeps a fax that is durable here");
                }
            }
        }
    }

    fn arrival(&self, fax: &Waiting, document: Document) -> Arrival {
        let config = self.context.config.load();
        let setup = &config.setup;
        let read = |text: &String| number(text, setup.country);
        let line = |name: &String| self.lines.iter().find(|line| line.name == *name);
        let of_line = || line(fax.line.as_ref()?)?.number.as_ref().and_then(read);
        let only = || match setup.servers.get(&self.name).map(|server| &server.numbers[..]) {
            Some([number]) => Some(number.clone()),
            _ => None,
        };
        Arrival {
            server: self.name.clone(),
            key: fax.key.clone(),
            line: fax.line.clone(),
            called: fax.called.as_ref().and_then(read).or_else(of_line).or_else(only),
            caller: fax.caller.as_ref().and_then(read),
            caller_name: fax.caller_name.clone(),
            tsi: fax.tsi.clone(),
            subaddress: fax.subaddress.clone(),
            codes: Vec::new(),
            document,
            received: fax.received,
            local: wall_clock(fax.received, &config.timezone),
            duration: fax.duration,
            bit_rate: fax.bit_rate,
            error: fax.error.clone(),
        }
    }
}

/// How a server is that answers. One that tells of no line may have some all the same.
fn health(banner: String, lines: &[LineCondition]) -> Health {
    let broken = lines.iter().filter(|line| line.broken);
    let broken =
        broken.map(|line| BrokenLine { line: line.name.clone(), why: line.status.clone() });
    Health::Up {
        banner,
        lines: lines.iter().map(|line| format!("{}: {}", line.name, line.status)).collect(),
        broken: broken.collect(),
        can_call: lines.is_empty() || lines.iter().any(|line| line.usable),
    }
}

/// A file that goes with its name; one that was kept is not there any more.
struct Spooled(PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A number as a telephone network tells it: often without its `+`.
fn number(text: &str, country: Country) -> Option<Number> {
    Number::parse(text, country).ok()
}

fn wall_clock(at: Timestamp, zone: &TimeZone) -> WallClock {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_zoned(zone.clone());
    let weekday = u8::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(i32::from(at.hour()) * 60 + i32::from(at.minute())).unwrap_or(0);
    WallClock { weekday, minute }
}

/// Names a fetched fax by its digest and puts it where documents are. What our
/// own reader does not understand is kept all the same: somebody may.
async fn keep(context: &Arc<Context>, spool: &Path, fax: &Waiting) -> Result<Document, StoreError> {
    let kept = spool.to_owned();
    let (documents, spool, said) = (context.reader.documents.clone(), spool.to_owned(), fax.pages);
    let keeping = tokio::task::spawn_blocking(move || {
        let at = |source| StoreError::File { path: spool.clone(), source };
        let (digest, bytes) = pages::rest::digest(&spool).map_err(at)?;
        let (pages, resolution, paper) = match pages::rest::inspect(&spool) {
            Ok(seen) => (seen.pages, seen.resolution, seen.paper),
            Err(_) => (said.max(1), Resolution::Fine, Paper::A4),
        };
        documents.keep_document(&spool, &digest)?;
        Ok(Document { digest, pages, resolution, paper, bytes })
    });
    keeping.await.unwrap_or_else(|bug| {
        Err(StoreError::File { path: kept, source: std::io::Error::other(bug) })
    })
}

/// What the codes on the first pages say, by which the fax may be routed. It is durable
/// by now, and waits only so long; one whose codes cannot be read has none.
async fn codes(context: &Arc<Context>, document: &Document) -> Vec<String> {
    let config = context.config.load_full();
    let rules = &config.received;
    if !rules.codes {
        return Vec::new();
    }
    let limits = Limits {
        memory_bytes: config.convert.memory_mb << 20,
        cpu_s: rules.code_wait_s,
        wall_s: rules.code_wait_s,
        max_pages: rules.code_pages,
        ..Limits::default()
    };
    let path = context.reader.documents.document(&document.digest);
    let most = rules.code_pages as usize;
    let looked = async {
        let first = tokio::task::spawn_blocking(move || Received::first_pages(&path, most)).await;
        let first = first.map_err(|bug| bug.to_string())?.map_err(|bad| bad.to_string())?;
        let renderer = context.renderer.load_full();
        renderer.codes(&first, &limits).await.map_err(|failed| failed.to_string())
    };
    let wait = Duration::from_secs(rules.code_wait_s);
    let looked = tokio::time::timeout(wait, looked).await;
    looked.unwrap_or_else(|_| Err("it takes too long".into())).unwrap_or_else(|why| {
        warn!(why, "the codes on a received fax cannot be read");
        Vec::new()
    })
}
