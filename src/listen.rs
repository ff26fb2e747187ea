//! Opens the doors to mail, and keeps them as the configuration has them: the listeners,
//! their sockets and their certificate. Decides nothing about mail.
//!
//! One task keeps them. It changes them when it is asked to (a reload), loads the
//! certificate again when its files have changed, and closes them when the daemon stops.

mod inherited;
mod socket;
mod watch;

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    mem,
    path::Path,
    sync::Arc,
    time::Duration,
};

use postfax_gateway::{
    auth::password::Checker,
    desk,
    server::{self, Census, Hosts, Options, tls::Keys},
    verify::Verifier,
};
use tokio::{
    sync::{mpsc, oneshot, watch as channel},
    task::JoinSet,
    time::sleep,
};
use tracing::{error, info, warn};

use crate::{
    config::{Address, Config, Intake, Listener, Role, Tls, Verify},
    daemon::{Context, Daemon, DaemonError},
    inquiry::Inquiries,
    outbound::{Door, FaxDesk},
};
pub(crate) use inherited::{Inherited, inherit};
use socket::Bound;
use watch::FileWatch;

/// Password checks at a time; each takes 19 MiB and some 25 ms.
const LOGINS_AT_ONCE: usize = 2;
/// How long a password that was right needs no other check.
const LOGIN_REMEMBERED: Duration = Duration::from_secs(60);
/// How long to wait when a certificate changes: its key is to change as well.
const SETTLE: Duration = Duration::from_millis(500);
/// Reloads that may wait for each other.
const ASKS: usize = 8;

/// The doors to mail, as others see them.
#[derive(Clone)]
pub(crate) struct Doors {
    asks: mpsc::Sender<Ask>,
    inquiries: Arc<Inquiries>,
    context: Arc<Context>,
    door: Arc<Door>,
    certificate: channel::Receiver<Option<Arc<Keys>>>,
}

/// To have the doors as a configuration says.
struct Ask {
    config: Arc<Config>,
    answer: oneshot::Sender<Result<(), DaemonError>>,
}

impl Doors {
    /// Has them as this configuration says, or leaves them as they are.
    ///
    /// # Errors
    /// [`DaemonError`] names the address or the file that is in the way.
    pub(crate) async fn change(&self, config: Arc<Config>) -> Result<(), DaemonError> {
        let (answer, answered) = oneshot::channel();
        let stopping = || DaemonError::System {
            what: "changing the listeners",
            source: std::io::Error::other("Postfax is stopping"),
        };
        self.asks.send(Ask { config, answer }).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }

    /// Who answers mails that ask something.
    pub(crate) fn inquiries(&self) -> Arc<Inquiries> {
        self.inquiries.clone()
    }

    /// The certificate in use, as it changes.
    pub(crate) fn certificate(&self) -> channel::Receiver<Option<Arc<Keys>>> {
        self.certificate.clone()
    }

    /// Who decides about mail that comes in by another door: the same rules and counts,
    /// and no host is trusted.
    pub(crate) fn desk(&self) -> FaxDesk {
        FaxDesk::new(self.context.clone(), Vec::new(), self.door.clone())
    }
}

/// Opens all listeners; `inherited` are the sockets that systemd has handed over.
///
/// # Errors
/// [`DaemonError`] names the address or the certificate.
pub(crate) async fn smtp(
    daemon: &mut Daemon,
    config: &Config,
    inherited: Inherited,
) -> Result<Doors, DaemonError> {
    let mut keeper = Keeper::new(daemon.context(), config, inherited);
    keeper.change(config).await?;
    keeper.name_idle_sockets();
    let (asks, asked) = mpsc::channel(ASKS);
    let stop = daemon.stop.subscribe();
    let doors = Doors {
        asks,
        inquiries: keeper.staff.inquiries.clone(),
        context: keeper.staff.context.clone(),
        door: keeper.staff.door.clone(),
        certificate: keeper.shown.subscribe(),
    };
    daemon.tasks.spawn(keeper.keep(asked, stop));
    Ok(doors)
}

/// Keeps the doors.
struct Keeper {
    inherited: Inherited,
    staff: Staff,
    census: Census,
    certificate: Option<Certificate>,
    /// The same for other doors than those to mail.
    shown: channel::Sender<Option<Arc<Keys>>>,
    watch: FileWatch,
    open: Vec<Open>,
    serving: JoinSet<()>,
}

/// Who stands behind every door.
struct Staff {
    context: Arc<Context>,
    door: Arc<Door>,
    verifier: Option<Arc<Verifier>>,
    inquiries: Arc<Inquiries>,
}

/// The certificate in use.
struct Certificate {
    files: Tls,
    /// Of what the files held when they were last looked at.
    digest: u64,
    keys: channel::Sender<Arc<Keys>>,
}

/// A listener that is served.
struct Open {
    listener: Listener,
    terms: Terms,
    sockets: Vec<Bound>,
    stop: channel::Sender<bool>,
}

/// What a server is told when it begins, besides its listener.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Terms {
    hostname: String,
    intake: Intake,
    encrypts: bool,
}

impl Keeper {
    fn new(context: Arc<Context>, config: &Config, inherited: Inherited) -> Self {
        let door = Arc::new(Door::new(Checker::new(LOGINS_AT_ONCE, LOGIN_REMEMBERED)));
        let intake = &config.intake;
        Self {
            inherited,
            staff: Staff { context, door, verifier: None, inquiries: Arc::default() },
            census: Census::new(intake.max_connections, intake.max_connections_per_address),
            certificate: None,
            shown: channel::Sender::new(None),
            watch: FileWatch::new(),
            open: Vec::new(),
            serving: JoinSet::new(),
        }
    }

    async fn keep(mut self, mut asked: mpsc::Receiver<Ask>, mut stop: channel::Receiver<bool>) {
        loop {
            tokio::select! {
                () = told(&mut stop) => break,
                Some(ask) = asked.recv() => {
                    let done = self.change(&ask.config).await;
                    // Whoever asked may have gone; it is done all the same.
                    let _ = ask.answer.send(done);
                }
                () = self.watch.changed() => {
                    sleep(SETTLE).await;
                    self.renew();
                }
                Some(ended) = self.serving.join_next() => report(ended),
            }
        }
        drop(asked);
        for open in mem::take(&mut self.open) {
            open.stop.send_replace(true);
        }
        while let Some(ended) = self.serving.join_next().await {
            report(ended);
        }
    }

    /// Has everything as the configuration says. What can fail comes first.
    async fn change(&mut self, config: &Config) -> Result<(), DaemonError> {
        let loaded = match &config.tls {
            // Before they are loaded: what changes in between is looked at again.
            Some(files) => Some((files.clone(), digest(files), keys(files)?)),
            None => None,
        };
        self.staff.call_verifier(config)?;
        let mut fresh = self.sockets_missing(config).await?;
        let intake = &config.intake;
        self.census.limit(intake.max_connections, intake.max_connections_per_address);
        self.certify(loaded);
        let terms = Terms {
            hostname: config.hostname.clone(),
            intake: intake.clone(),
            encrypts: self.certificate.is_some(),
        };
        let mut old = mem::take(&mut self.open);
        for listener in &config.listeners {
            let before = old.iter().position(|open| same_place(&open.listener, listener));
            let opened = match before.map(|at| old.remove(at)) {
                Some(open) if open.listener == *listener && open.terms == terms => open,
                Some(open) => {
                    open.stop.send_replace(true);
                    readmit(&open.listener, listener);
                    self.serve(listener, &terms, open.sockets)
                }
                None => self.serve(listener, &terms, fresh.remove(0)),
            };
            self.open.push(opened);
        }
        for gone in old {
            info!(address = %gone.listener.address, "no longer listening");
            gone.stop.send_replace(true);
        }
        Ok(())
    }

    /// Opens the sockets of those listeners that have none yet, in their order; those
    /// that have some must suit them as they are now.
    async fn sockets_missing(&self, config: &Config) -> Result<Vec<Vec<Bound>>, DaemonError> {
        let mut there: Vec<&Open> = self.open.iter().collect();
        let mut fresh = Vec::new();
        for listener in &config.listeners {
            let cannot = |source| {
                let what = listener.address.to_string();
                DaemonError::Listen { what, source }
            };
            match there.iter().position(|open| same_place(&open.listener, listener)) {
                Some(at) => {
                    socket::suit(listener, &there.remove(at).sockets).map_err(cannot)?;
                }
                None => {
                    fresh.push(socket::open(listener, &self.inherited).await.map_err(cannot)?);
                }
            }
        }
        Ok(fresh)
    }

    /// Serves a listener through its sockets.
    fn serve(&mut self, listener: &Listener, terms: &Terms, sockets: Vec<Bound>) -> Open {
        let stop = channel::Sender::new(false);
        for bound in &sockets {
            let address = bound.address();
            let socket = match bound.socket() {
                Ok(socket) => socket,
                Err(failed) => {
                    error!(%address, %failed, "the listener cannot be served");
                    continue;
                }
            };
            info!(%address, role = ?listener.role, "listening");
            let desk = Arc::new(self.staff.desk(listener));
            let options = self.options(listener, terms);
            let (role, stopped) = (role(listener.role), stop.subscribe());
            self.serving.spawn(async move {
                if let Err(failed) = server::serve(socket, role, options, desk, stopped).await {
                    error!(%address, %failed, "the listener ended");
                }
            });
        }
        Open { listener: listener.clone(), terms: terms.clone(), sockets, stop }
    }

    fn options(&self, listener: &Listener, terms: &Terms) -> Options {
        let intake = &terms.intake;
        let mut options = Options::new(&terms.hostname);
        options.limits.max_message_bytes = intake.max_message_bytes;
        options.limits.max_recipients = intake.max_recipients;
        options.limits.max_auth_failures = intake.max_login_failures;
        options.limits.max_hold_s = intake.max_hold_s;
        options.limits.min_deliver_by_s = Some(intake.min_deliver_by_s);
        options.timeouts.command_s = intake.command_timeout_s;
        options.timeouts.data_block_s = intake.data_timeout_s;
        options.census = self.census.clone();
        let proxies = listener.proxy.clone();
        options.proxies =
            Hosts::that(move |address| proxies.iter().any(|network| network.contains(address)));
        options.users = listener.users.clone();
        if listener.verify.is_empty() {
            // Whoever logs in or is trusted need not prove its patience.
            options.timeouts.greeting_wait_ms = 0;
        }
        options.tls = self.certificate.as_ref().map(|certificate| certificate.keys.subscribe());
        options
    }

    /// Uses what was loaded. Connections that are open keep what they have.
    fn certify(&mut self, loaded: Option<(Tls, u64, Arc<Keys>)>) {
        if loaded.is_none() {
            self.shown.send_replace(None);
        }
        self.certificate = loaded.map(|(files, digest, keys)| {
            let sender = match self.certificate.take() {
                Some(before) => before.keys,
                None => channel::Sender::new(keys.clone()),
            };
            sender.send_replace(keys.clone());
            self.shown.send_replace(Some(keys));
            Certificate { files, digest, keys: sender }
        });
        self.watch_certificate();
    }

    /// Loads the certificate again, when there is something new.
    fn renew(&mut self) {
        // The way to the files may be another one now.
        self.watch_certificate();
        let Some(certificate) = &mut self.certificate else { return };
        let digest = digest(&certificate.files);
        if mem::replace(&mut certificate.digest, digest) == digest {
            return;
        }
        match keys(&certificate.files) {
            Ok(keys) => {
                certificate.keys.send_replace(keys.clone());
                self.shown.send_replace(Some(keys));
                info!("the new certificate is in use");
            }
            Err(why) => error!("the new certificate cannot be used, the old one stays: {why}"),
        }
    }

    fn watch_certificate(&mut self) {
        self.watch.watch(self.certificate.iter().flat_map(|certificate| paths(&certificate.files)));
    }

    /// Sockets of systemd that nobody serves: who connects there waits for ever.
    fn name_idle_sockets(&self) {
        let named = self.open.iter().filter_map(|open| match &open.listener.address {
            Address::Systemd(name) => Some(name.as_str()),
            Address::Tcp(_) | Address::Unix(_) => None,
        });
        let named: BTreeSet<&str> = named.collect();
        for name in self.inherited.names().filter(|name| !named.contains(name)) {
            warn!(name, "systemd hands over a socket that no listener takes");
        }
    }
}

impl Staff {
    /// Who decides for a listener.
    fn desk(&self, listener: &Listener) -> FaxDesk {
        let verifier = self.verifier.clone();
        FaxDesk::new(self.context.clone(), listener.trust.clone(), self.door.clone())
            .verifying(verifier.filter(|_| listener.verify.contains(&Verify::Dmarc)))
            .answering(self.inquiries.clone())
    }

    /// Has somebody who checks the mails of strangers, where a listener takes some.
    fn call_verifier(&mut self, config: &Config) -> Result<(), DaemonError> {
        let wanted = config.listeners.iter().any(|listener| !listener.verify.is_empty());
        if wanted && self.verifier.is_none() {
            self.verifier = Some(Arc::new(Verifier::new(&config.dns, &config.hostname)?));
        }
        Ok(())
    }
}

fn role(role: Role) -> desk::Role {
    match role {
        Role::Submission => desk::Role::Submission,
        Role::Submissions => desk::Role::Submissions,
        Role::Relay => desk::Role::Relay,
        Role::Lmtp => desk::Role::Lmtp,
    }
}

/// Whether a socket of the one serves the other: the owner and mode of a unix socket can
/// be changed.
fn same_place(one: &Listener, other: &Listener) -> bool {
    match (&one.address, &other.address) {
        (Address::Unix(one), Address::Unix(other)) => one.path == other.path,
        (one, other) => one == other,
    }
}

/// Gives a unix socket that stays open to whom it belongs now.
fn readmit(before: &Listener, now: &Listener) {
    if let Address::Unix(unix) = &now.address
        && before.address != now.address
        && let Err(failed) = socket::admit(unix)
    {
        error!(address = %now.address, %failed, "a restart is needed");
    }
}

fn keys(files: &Tls) -> Result<Arc<Keys>, DaemonError> {
    let client_ca = files.client_ca.as_deref();
    Ok(server::tls::load(&files.certificate, &files.key, client_ca)?)
}

fn paths(files: &Tls) -> impl Iterator<Item = &Path> {
    let always = [files.certificate.as_path(), files.key.as_path()];
    always.into_iter().chain(files.client_ca.as_deref())
}

/// Tells whether the files hold something else than before.
fn digest(files: &Tls) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths(files) {
        std::fs::read(path).ok().hash(&mut hasher);
    }
    hasher.finish()
}

/// Ends when the daemon stops.
async fn told(stop: &mut channel::Receiver<bool>) {
    let _either = stop.wait_for(|stop| *stop).await;
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(%error, "a listener ended in a bug");
    }
}
