//! A laboratory: whole fax servers joined to the virtual telephone exchange, for
//! the tests, the demonstration, and everyone who wants to try Postfax without a
//! telephone line. No line of a real telephone network is ever touched.
//!
//! [`hylafax`] runs real HylaFAX servers, [`station`] is a small server of our own that
//! speaks their protocol. [`Lab`] starts some of either, and says in a [`Description`]
//! where they are and which numbers there are (`numbers`).

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, spawn_blocking};

pub use self::error::LabError;
use self::{
    error::free_port,
    hylafax::Hylafax,
    numbers::{MAX_LINES, NAMES, TROUBLES},
    station::Station,
};
use crate::exchange::{Exchange, Machine, Options as ExchangeOptions, sip::SipOptions};

#[cfg(test)]
pub(crate) mod client;
pub(crate) mod error;
pub mod hylafax;
mod numbers;
pub mod station;
#[cfg(test)]
mod tests;
mod tiff;

/// Who may log in to a server of a laboratory. Nothing but 127.0.0.1 reaches it.
const USER: &str = "postfax";
const PASSWORD: &str = "letmein";
const ADMIN_PASSWORD: &str = "letmeadmin";

/// How long a telephone rings at least, in real time.
const RINGING: Duration = Duration::from_secs(12);

/// What the fax servers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// HylaFAX, as the distribution packages it. Needs the packages, and root.
    Hylafax,
    /// Our own.
    Station,
}

/// What a laboratory is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything is kept below this folder, and found again there.
    pub dir: PathBuf,
    /// How many servers, 1 to 8.
    pub servers: u32,
    /// How many lines each of them has that place calls; they answer as well, when
    /// they are free.
    pub lines: u32,
    /// How many more lines each of them has that only answer, so that calls to them
    /// find them free however busy the others are.
    pub answering: u32,
    /// What they are.
    pub kind: Kind,
    /// How many times faster than real time calls between two modems run; 10 is
    /// reliable with HylaFAX.
    pub speed: f64,
    /// The same for calls between two stations; `None`: as fast as they can, so that
    /// many a call has ended before anyone can stop it.
    pub station_speed: Option<f64>,
}

impl Options {
    /// Two servers of the kind, each with two lines that call and two that answer, at a
    /// speed that is reliable.
    #[must_use]
    pub fn new(dir: PathBuf, kind: Kind) -> Self {
        Self { dir, servers: 2, lines: 2, answering: 2, kind, speed: 10.0, station_speed: None }
    }

    fn all_lines(&self) -> u32 {
        self.lines + self.answering
    }
}

/// One server, as those who use it must know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescription {
    /// `london`
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Where it listens.
    pub host: String,
    /// The port of HylaFAX's client protocol.
    pub port: u16,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
    /// The password of `ADMIN`.
    pub admin_password: String,
    /// The numbers that it answers on, one for each line (E.164); first those of the
    /// lines that only answer.
    pub numbers: Vec<String>,
    /// How many lines place calls.
    pub lines: u32,
    /// How many more lines only answer.
    pub answering: u32,
    /// Its spool folder on this machine.
    pub spool: PathBuf,
}

/// One number of the exchange, and what happens to those who call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberDescription {
    /// In E.164.
    pub number: String,
    /// `fax`, or the way in which it fails: `busy`, `no-answer`, ...
    pub behaviour: String,
    /// The same for people.
    pub sentence: String,
}

/// What is where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The fax servers.
    pub servers: Vec<ServerDescription>,
    /// The numbers.
    pub numbers: Vec<NumberDescription>,
    /// Where the exchange speaks SIP: every number can be invited there, over G.711 and T.38.
    pub sip: SocketAddr,
}

/// A running laboratory. Dropping it stops it.
#[derive(Debug)]
pub struct Lab {
    // The servers end before the exchange does.
    servers: Vec<Server>,
    description: Description,
    exchange: Exchange,
}

#[derive(Debug)]
enum Server {
    Hylafax(Hylafax),
    Station { options: station::Options, state: StationState },
}

#[derive(Debug)]
enum StationState {
    Running(Station),
    Stopped(Vec<Machine>),
    /// It could not be started and its machines are lost.
    Broken,
}

impl Lab {
    /// Starts the exchange and all servers, and returns when they can be used.
    ///
    /// # Errors
    /// Any [`LabError`].
    pub async fn start(options: Options) -> Result<Self, LabError> {
        let most = u32::try_from(NAMES.len()).expect("there are eight names");
        let total = options.lines.saturating_add(options.answering);
        if !(1..=most).contains(&options.servers) || !(1..=MAX_LINES).contains(&total) {
            return Err(LabError::Size { servers: most, lines: MAX_LINES });
        }
        let mut exchange = ExchangeOptions::new(&options.dir.join("exchange"));
        exchange.speed = options.speed;
        exchange.machine_speed = options.station_speed;
        // A program needs seconds of real time to answer, however fast the line is.
        exchange.ringing_limit = exchange.ringing_limit.max(RINGING.mul_f64(options.speed));
        let exchange = Exchange::start(exchange)?;
        for trouble in &TROUBLES {
            exchange.number(trouble.number, trouble.behaviour)?;
        }
        let count = options.servers as usize;
        let servers = match options.kind {
            Kind::Hylafax => start_hylafax(&options, &exchange, count).await?,
            Kind::Station => start_stations(&options, &exchange, count).await?,
        };
        let sip = exchange.sip(SipOptions::default())?;
        let description = describe(&options, &servers, sip);
        Ok(Self { servers, description, exchange })
    }

    /// What is where.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The exchange, to watch its calls or to add numbers.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Stops one server; its spool stays. HylaFAX is killed in the middle of whatever it
    /// does, as by a power cut.
    ///
    /// # Errors
    /// [`LabError::NoSuchServer`].
    pub async fn stop_server(&mut self, name: &str) -> Result<(), LabError> {
        match self.server(name)? {
            Server::Hylafax(server) => server.kill(),
            Server::Station { state, .. } => state.stop().await,
        }
        Ok(())
    }

    /// Starts a stopped server again, over its spool and at its port.
    ///
    /// # Errors
    /// [`LabError::NoSuchServer`], and whatever keeps it from starting.
    pub async fn start_server(&mut self, name: &str) -> Result<(), LabError> {
        match self.server(name)? {
            Server::Hylafax(server) => tokio::task::block_in_place(|| server.restart()),
            Server::Station { options, state } => {
                state.stop().await;
                if let StationState::Stopped(machines) =
                    std::mem::replace(state, StationState::Broken)
                {
                    *state =
                        StationState::Running(Station::start(options.clone(), machines).await?);
                }
                Ok(())
            }
        }
    }

    /// Stops the servers, and then the exchange.
    pub async fn stop(mut self) {
        for server in &mut self.servers {
            match server {
                Server::Hylafax(server) => server.stop(),
                Server::Station { state, .. } => state.stop().await,
            }
        }
        self.exchange.stop();
    }

    fn server(&mut self, name: &str) -> Result<&mut Server, LabError> {
        let at = self.description.servers.iter().position(|server| server.name == name);
        at.and_then(|at| self.servers.get_mut(at))
            .ok_or_else(|| LabError::NoSuchServer(name.to_owned()))
    }
}

impl StationState {
    async fn stop(&mut self) {
        *self = match std::mem::replace(self, Self::Broken) {
            Self::Running(station) => Self::Stopped(station.stop().await),
            other => other,
        };
    }
}

async fn start_hylafax(
    options: &Options,
    exchange: &Exchange,
    count: usize,
) -> Result<Vec<Server>, LabError> {
    let mut starting = JoinSet::new();
    for (at, name) in NAMES.iter().enumerate().take(count) {
        let mut modems = vec![];
        for line in 0..options.all_lines() {
            let number = numbers::of_line(at, line);
            modems.push((exchange.modem(&number, None)?, number));
        }
        let server = hylafax::Options {
            dir: options.dir.join(name),
            port: free_port()?,
            modems,
            answering: options.answering as usize,
            user: USER.into(),
            password: PASSWORD.into(),
            admin_password: ADMIN_PASSWORD.into(),
            station_id: (*name).into(),
        };
        // Each takes seconds, most of them asleep.
        starting.spawn(async move {
            let started = spawn_blocking(move || Hylafax::start(server)).await;
            (at, started.expect("starting a server does not panic"))
        });
    }
    let mut servers = vec![];
    while let Some(started) = starting.join_next().await {
        let (at, server) = started.expect("the task only waits");
        servers.push((at, server?));
    }
    servers.sort_by_key(|(at, _)| *at);
    Ok(servers.into_iter().map(|(_, server)| Server::Hylafax(server)).collect())
}

async fn start_stations(
    options: &Options,
    exchange: &Exchange,
    count: usize,
) -> Result<Vec<Server>, LabError> {
    let mut servers = vec![];
    for (at, name) in NAMES.iter().enumerate().take(count) {
        let mut machines = vec![];
        for line in 0..options.all_lines() {
            let number = numbers::of_line(at, line);
            machines.push(exchange.machine(&number, 1, name)?);
        }
        let mut options = station::Options {
            dir: options.dir.join(name),
            port: 0,
            answering: options.answering as usize,
            user: USER.into(),
            password: PASSWORD.into(),
            admin_password: ADMIN_PASSWORD.into(),
            station_id: (*name).into(),
        };
        let station = Station::start(options.clone(), machines).await?;
        options.port = station.port();
        servers.push(Server::Station { options, state: StationState::Running(station) });
    }
    Ok(servers)
}

fn describe(options: &Options, servers: &[Server], sip: SocketAddr) -> Description {
    let mut numbers = vec![];
    let mut described = vec![];
    for (at, (server, name)) in servers.iter().zip(NAMES).enumerate() {
        let (port, spool) = match server {
            Server::Hylafax(server) => (server.port(), server.spool()),
            Server::Station { options, .. } => (options.port, options.dir.clone()),
        };
        let own: Vec<String> =
            (0..options.all_lines()).map(|line| numbers::of_line(at, line)).collect();
        numbers.extend(own.iter().enumerate().map(|(line, number)| NumberDescription {
            number: number.clone(),
            behaviour: "fax".into(),
            sentence: if line < options.answering as usize {
                format!("Line ttyFAX{line} of {name} answers; it places no calls.")
            } else {
                format!("Line ttyFAX{line} of {name} answers, unless it is placing a call.")
            },
        }));
        described.push(ServerDescription {
            name: name.into(),
            kind: options.kind,
            host: Ipv4Addr::LOCALHOST.to_string(),
            port,
            user: USER.into(),
            password: PASSWORD.into(),
            admin_password: ADMIN_PASSWORD.into(),
            numbers: own,
            lines: options.lines,
            answering: options.answering,
            spool,
        });
    }
    numbers.extend(TROUBLES.iter().map(|trouble| NumberDescription {
        number: trouble.number.into(),
        behaviour: trouble.name.into(),
        sentence: trouble.sentence.into(),
    }));
    Description { servers: described, numbers, sip }
}
