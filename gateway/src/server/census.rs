//! Who is connected: counts connections, in all and by address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

/// Counts the connections of one listener.
#[derive(Debug)]
pub(super) struct Census {
    max: usize,
    max_per_address: usize,
    seated: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    census: Arc<Census>,
    address: IpAddr,
}

/// Why there is no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("too many connections, try again later")]
    Everywhere,
    #[error("too many connections from your address, try again later")]
    Address,
}

impl Census {
    pub(super) fn new(max: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max, max_per_address, seated: Mutex::default() })
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        let address = network(address);
        let mut seated = self.seated.lock().unwrap_or_else(PoisonError::into_inner);
        if seated.values().sum::<usize>() >= self.max {
            return Err(Full::Everywhere);
        }
        let here = seated.entry(address).or_default();
        if *here >= self.max_per_address {
            return Err(Full::Address);
        }
        *here += 1;
        Ok(Seat { census: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seated = self.census.seated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(here) = seated.get_mut(&self.address) {
            *here -= 1;
            if *here == 0 {
                seated.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, or the /64 that one IPv6 host has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_come_back() {
        let census = Census::new(3, 2);
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let same: IpAddr = "2001:db8::ffff".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let first = census.admit(one).unwrap();
        let _second = census.admit(same).unwrap();
        assert_eq!(census.admit(one).unwrap_err(), Full::Address);
        let _third = census.admit(other).unwrap();
        assert_eq!(census.admit(mapped).unwrap_err(), Full::Everywhere);
        drop(first);
        assert_eq!(network(mapped), other);
        assert!(census.admit(mapped).is_ok());
    }
}
