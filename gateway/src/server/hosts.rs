//! A set of hosts, whoever knows it: the configuration's networks are not known here.

use std::{fmt, net::IpAddr, sync::Arc};

/// Some hosts; none, unless said otherwise.
#[derive(Clone, Default)]
pub struct Hosts(Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>);

impl Hosts {
    /// Those for which `contains` is true.
    pub fn that(contains: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(contains)))
    }

    /// Whether it is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.as_ref().is_some_and(|contains| contains(address))
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hosts(some)" } else { "Hosts(none)" })
    }
}
