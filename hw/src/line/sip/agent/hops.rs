//! Where requests go whose address alone does not say it: those for the domain of a trunk
//! go to the trunk, also the ones that the stack makes by itself (CANCEL must take the way
//! of its INVITE, RFC 3261 9.1).

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use async_trait::async_trait;
use rsipstack::{
    sip::{Transport, Uri},
    transaction::endpoint::TargetLocator,
    transport::SipAddr,
};

/// The most domains that are known at a time.
const MAX_DOMAINS: usize = 1_000;

/// Where this `host:port` is, of the addresses that are of the same kind as ours.
pub(in crate::line::sip) async fn look_up(host: &str, is_ipv4: bool) -> io::Result<SocketAddr> {
    let mut found = tokio::net::lookup_host(host).await?;
    let none = || io::Error::new(io::ErrorKind::NotFound, "no address of its kind");
    found.find(|address| address.is_ipv4() == is_ipv4).ok_or_else(none)
}

/// The next hops by `host` or `host:port` of an address.
#[derive(Clone)]
pub(super) struct Hops {
    carrier: Transport,
    known: Arc<RwLock<BTreeMap<String, SipAddr>>>,
}

impl Hops {
    pub(super) fn new(carrier: Transport) -> Self {
        Self { carrier, known: Arc::default() }
    }

    /// From now on requests for this address go there.
    pub(super) fn set(&self, address: &Uri, hop: &SipAddr) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_DOMAINS {
            known.clear();
        }
        known.insert(address.host_with_port.to_string(), hop.clone());
    }
}

#[async_trait]
impl TargetLocator for Hops {
    async fn locate(&self, uri: &Uri) -> rsipstack::Result<SipAddr> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(hop) = known.get(&uri.host_with_port.to_string()) {
            return Ok(hop.clone());
        }
        let mut address = SipAddr::try_from(uri)?;
        // There is one socket, and so one way to carry messages.
        address.r#type = Some(self.carrier);
        Ok(address)
    }
}
