//! The connections to line servers: those that we dial, and the door for those that dial
//! in. A reload leaves alone what has not changed, so that whoever follows a call over one
//! of them hears nothing of it.

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use postfax_domain::names::ServerName;
use postfax_hw::line::{
    server::ABLE,
    wire::{Dialler, Door, Fingerprint, Identity, Options, Peer, Remote, Timing},
};
use tracing::info;

use crate::config::{Config, Kind, ServerAccess};

/// How one is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    key: Fingerprint,
    /// Whom to dial; none when it dials in.
    peer: Option<Peer>,
    /// What we call ourselves to it.
    us: String,
}

/// A line server and what keeps it connected.
struct Kept {
    way: Way,
    remote: Arc<Remote>,
    _dialler: Option<Dialler>,
}

/// All line servers, and the door.
pub struct LineServers {
    /// Where our key is.
    state: PathBuf,
    kept: Mutex<BTreeMap<ServerName, Kept>>,
    door: Mutex<Option<(SocketAddr, Door)>>,
}

/// What a configuration needs, opened but not in force.
pub struct Prepared {
    us: Option<Arc<Identity>>,
    ways: BTreeMap<ServerName, Way>,
    /// Where line servers are to dial in.
    address: Option<SocketAddr>,
    /// The door there, where it is another one.
    door: Option<Door>,
}

impl LineServers {
    /// None yet; our key is in this folder.
    pub fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), kept: Mutex::default(), door: Mutex::default() }
    }

    /// Opens what a configuration needs, and changes nothing.
    ///
    /// # Errors
    /// What cannot be opened, in words.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, io::Error> {
        let ways: BTreeMap<ServerName, Way> = config
            .servers
            .iter()
            .filter_map(|(name, access)| Some((name.clone(), way(access, &config.hostname)?)))
            .collect();
        let address = config.lines_door;
        if ways.is_empty() && address.is_none() {
            return Ok(Prepared { us: None, ways, address, door: None });
        }
        let us = Arc::new(Identity::open(&self.state)?);
        let is_there = self.door().as_ref().map(|(at, _)| *at) == address;
        let door = match address {
            Some(address) if !is_there => {
                let named = |error: io::Error| {
                    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
                };
                let listener = TcpListener::bind(address).map_err(named)?;
                listener.set_nonblocking(true)?;
                let listener = tokio::net::TcpListener::from_std(listener)?;
                Some(Door::open(listener, &us, Timing::default())?)
            }
            _ => None,
        };
        Ok(Prepared { us: Some(us), ways, address, door })
    }

    fn door(&self) -> std::sync::MutexGuard<'_, Option<(SocketAddr, Door)>> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it in force.
    pub fn change(&self, prepared: Prepared) {
        let Prepared { us, ways, address, door: new } = prepared;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|name, kept| ways.get(name) == Some(&kept.way));
        for (name, way) in ways {
            let Some(us) = us.clone() else { break };
            kept.entry(name.clone()).or_insert_with(|| {
                let remote = Remote::new(Options::new(name.as_str(), &way.us, ABLE));
                let dial = |peer: &Peer| {
                    Dialler::asking(us, peer.clone(), Timing::default(), remote.clone())
                };
                let dialler = way.peer.as_ref().map(dial);
                if dialler.is_none() {
                    remote.note("it has not dialled in yet");
                }
                Kept { way, remote, _dialler: dialler }
            });
        }
        let mut door = self.door();
        if let (Some(address), Some(new)) = (address, new) {
            let key = us.as_ref().map(|us| us.fingerprint().to_string()).unwrap_or_default();
            info!(%address, key, "line servers may dial in");
            *door = Some((address, new));
        } else if address.is_none() {
            *door = None;
        }
        if let Some((_, door)) = &*door {
            let in_person = kept.values().filter(|kept| kept.way.peer.is_none());
            door.admit_asked(in_person.map(|kept| (kept.way.key, kept.remote.clone())));
        }
    }

    /// The driver of one.
    pub fn driver(&self, name: &ServerName) -> Option<Arc<Remote>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(name).map(|kept| kept.remote.clone())
    }
}

fn way(access: &ServerAccess, us: &str) -> Option<Way> {
    let key = access.key.filter(|_| access.kind == Kind::Line)?;
    let (host, port) = (access.host.clone(), access.port);
    let peer = (!access.dials_in).then_some(Peer { host, port, key });
    Some(Way { key, peer, us: us.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reload_leaves_alone_what_has_not_changed() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/minimal.toml");
        let mut config = crate::config::load(&file).unwrap();
        let name = config.servers.keys().next().unwrap().clone();
        let access = config.servers.get_mut(&name).unwrap();
        let key = format!("sha256:{}", "0a".repeat(32)).parse().unwrap();
        (access.kind, access.key, access.dials_in) = (Kind::Line, Some(key), true);
        config.lines_door = Some("127.0.0.1:0".parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let servers = LineServers::new(folder.path());
        servers.change(servers.prepare(&config).unwrap());
        let (first, door) = (servers.driver(&name).unwrap(), address(&servers));
        servers.change(servers.prepare(&config).unwrap());
        assert!(Arc::ptr_eq(&first, &servers.driver(&name).unwrap()), "it is the same");
        assert_eq!(address(&servers), door, "the door was not opened anew");
        config.servers.get_mut(&name).unwrap().dials_in = false;
        servers.change(servers.prepare(&config).unwrap());
        assert!(!Arc::ptr_eq(&first, &servers.driver(&name).unwrap()), "it is reached otherwise");
        config.servers.clear();
        config.lines_door = None;
        servers.change(servers.prepare(&config).unwrap());
        assert!(servers.driver(&name).is_none() && servers.door().is_none());
    }

    #[tokio::test]
    async fn a_branch_that_is_called_otherwise_dials_in_again() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/minimal.toml");
        let mut config = crate::config::load(&file).unwrap();
        let name = config.servers.keys().next().unwrap().clone();
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ours_key = Identity::open(ours.path()).unwrap().fingerprint();
        let branch = Arc::new(Identity::open(theirs.path()).unwrap());
        let access = config.servers.get_mut(&name).unwrap();
        (access.kind, access.key, access.dials_in) = (Kind::Line, Some(branch.fingerprint()), true);
        config.lines_door = Some("127.0.0.1:0".parse().unwrap());
        let servers = LineServers::new(ours.path());
        servers.change(servers.prepare(&config).unwrap());
        let spool = theirs.path().join("spool");
        let options = postfax_hw::line::server::Options::new(&spool);
        let server = postfax_hw::line::server::LineServer::new(options, vec![]).unwrap();
        let host = postfax_hw::line::wire::Host::new(server, "branch", theirs.path()).unwrap();
        let (host_name, port) = ("127.0.0.1".to_owned(), address(&servers).port());
        let peer = Peer { host: host_name, port, key: ours_key };
        let _dialler = Dialler::asked(branch, peer, Timing::default(), host);
        is_up(&servers, &name).await;
        config.hostname = "other.example.com".into();
        servers.change(servers.prepare(&config).unwrap());
        is_up(&servers, &name).await;
        let renamed = ServerName::new("renamed").unwrap();
        let access = config.servers.remove(&name).unwrap();
        config.servers.insert(renamed.clone(), access);
        servers.change(servers.prepare(&config).unwrap());
        is_up(&servers, &renamed).await;
    }

    async fn is_up(servers: &LineServers, name: &ServerName) {
        let remote = servers.driver(name).unwrap();
        for _ in 0..1000 {
            if remote.is_up() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{name:?}: {:?}", remote.why_away());
    }

    fn address(servers: &LineServers) -> SocketAddr {
        servers.door().as_ref().unwrap().1.address()
    }
}
