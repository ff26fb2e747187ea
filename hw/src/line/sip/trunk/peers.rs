//! Who may call a trunk: its server, and those who were named. Names are looked up again
//! and again; one that is not known for a while keeps the addresses that it had.

use std::{collections::BTreeMap, io};

use super::with_port;
use crate::line::sip::{
    agent::{Allowed, Net},
    options::{Transport, TrunkOptions},
};

/// Peers by the name that they were given, with their networks as last known.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers(BTreeMap<String, Vec<Net>>);

impl Peers {
    /// Those of these options, looked up now. False: some are not known now.
    pub(super) async fn look_up(mut self, options: &TrunkOptions) -> (Self, bool) {
        let mut all_known = true;
        for peer in options.peers.iter().chain([&options.server]) {
            if let Err(error) = self.keep(peer, networks(peer, options.transport).await) {
                tracing::warn!(%peer, %error, "a SIP peer is not known by name");
                all_known = false;
            }
        }
        (self, all_known)
    }

    fn keep(&mut self, peer: &str, found: io::Result<Vec<Net>>) -> io::Result<()> {
        self.0.insert(peer.to_owned(), found?);
        Ok(())
    }

    /// All of them.
    pub(super) fn allowed(&self) -> Allowed {
        Allowed::Only(self.0.values().flatten().copied().collect())
    }
}

async fn networks(peer: &str, transport: Transport) -> io::Result<Vec<Net>> {
    if let Some(net) = Net::parse(peer) {
        return Ok(vec![net]);
    }
    let found = tokio::net::lookup_host(with_port(peer, transport)).await?;
    Ok(found.map(|address| Net::from(address.ip())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[tokio::test]
    async fn a_name_that_is_not_known_for_a_while_keeps_its_addresses() {
        let net = |text| Net::parse(text).unwrap();
        let mut peers = Peers::default();
        peers.keep("sip.example.com", Ok(vec![net("192.0.2.1"), net("192.0.2.2")])).unwrap();
        peers.keep("sip.example.com", Err(io::ErrorKind::NotFound.into())).unwrap_err();
        peers.keep("other.example.com", Err(io::ErrorKind::NotFound.into())).unwrap_err();
        let known = Allowed::Only(vec![net("192.0.2.1"), net("192.0.2.2")]);
        assert_eq!(peers.allowed(), known);
        peers.keep("sip.example.com", Ok(vec![net("192.0.2.3")])).unwrap();
        assert_eq!(peers.allowed(), Allowed::Only(vec![net("192.0.2.3")]));

        let mut options = TrunkOptions::new("t", "192.0.2.4:5080");
        options.peers = vec!["198.51.100.0/24".into()];
        let (peers, all_known) = Peers::default().look_up(&options).await;
        let named = Allowed::Only(vec![net("192.0.2.4"), net("198.51.100.0/24")]);
        assert_eq!((peers.allowed(), all_known), (named, true));
    }
}
