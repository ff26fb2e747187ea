//! Who is connected: counts connections, in all and by where they come from.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use super::socket::Caller;

/// Counts the connections of all listeners that share it; a clone counts the same.
#[derive(Debug, Clone)]
pub struct Census(Arc<Mutex<Seated>>);

#[derive(Debug)]
struct Seated {
    max: usize,
    max_per_address: usize,
    all: usize,
    by_origin: HashMap<Origin, usize>,
}

/// What counts as one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    /// An IPv4 address, or the /64 that one IPv6 host has.
    Network(IpAddr),
    /// A user of this host, at a unix socket.
    User(u32),
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub struct Seat {
    census: Census,
    origin: Option<Origin>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// There are as many as there may be.
    #[error("too many connections, try again later")]
    Everywhere,
    /// There are as many as there may be from there.
    #[error("too many connections from your address, try again later")]
    Address,
}

impl Census {
    /// Room for `max` connections, and for `max_per_address` of them from one IPv4
    /// address, one IPv6 /64 or one user of a unix socket.
    pub fn new(max: usize, max_per_address: usize) -> Self {
        let by_origin = HashMap::new();
        Self(Arc::new(Mutex::new(Seated { max, max_per_address, all: 0, by_origin })))
    }

    /// Other limits, for connections that come from now on.
    pub fn limit(&self, max: usize, max_per_address: usize) {
        self.with(|seated| {
            seated.max = max;
            seated.max_per_address = max_per_address;
        });
    }

    /// A place for a connection from this address, at a door that is none for mail.
    ///
    /// # Errors
    /// [`Full`] says where there are too many.
    pub fn seat(&self, address: IpAddr) -> Result<Seat, Full> {
        let mut seat = self.admit()?;
        seat.belongs_to(Caller { address, process: None })?;
        Ok(seat)
    }

    /// A place for someone of whom it is not known yet where they come from.
    pub(super) fn admit(&self) -> Result<Seat, Full> {
        self.with(|seated| {
            if seated.all >= seated.max {
                return Err(Full::Everywhere);
            }
            seated.all += 1;
            Ok(())
        })?;
        Ok(Seat { census: self.clone(), origin: None })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Seated) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Seat {
    /// Counts whose place it is.
    pub(super) fn belongs_to(&mut self, caller: Caller) -> Result<(), Full> {
        debug_assert!(self.origin.is_none(), "a place belongs to one caller");
        let origin = Origin::of(caller);
        self.census.with(|seated| {
            let most = seated.max_per_address;
            let here = seated.by_origin.entry(origin).or_default();
            if *here >= most {
                return Err(Full::Address);
            }
            *here += 1;
            Ok(())
        })?;
        self.origin = Some(origin);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let origin = self.origin;
        self.census.with(|seated| {
            seated.all -= 1;
            let Some(origin) = origin else { return };
            if let Some(here) = seated.by_origin.get_mut(&origin) {
                *here -= 1;
                if *here == 0 {
                    seated.by_origin.remove(&origin);
                }
            }
        });
    }
}

impl Origin {
    fn of(caller: Caller) -> Self {
        match (caller.process, caller.address.to_canonical()) {
            (Some(process), _) => Self::User(process.uid),
            (None, IpAddr::V4(v4)) => Self::Network(v4.into()),
            (None, IpAddr::V6(v6)) => {
                let network = v6.to_bits() & !u128::from(u64::MAX);
                Self::Network(Ipv6Addr::from_bits(network).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::Process;

    fn caller(address: &str, uid: Option<u32>) -> Caller {
        let process = uid.map(|uid| Process { uid, gid: uid });
        Caller { address: address.parse().unwrap(), process }
    }

    fn seat(census: &Census, address: &str, uid: Option<u32>) -> Result<Seat, Full> {
        let mut seat = census.admit()?;
        seat.belongs_to(caller(address, uid))?;
        Ok(seat)
    }

    #[test]
    fn places_are_counted_and_come_back() {
        let census = Census::new(3, 2);
        let first = seat(&census, "2001:db8::1", None).unwrap();
        let _second = seat(&census, "2001:db8::ffff", None).unwrap();
        assert_eq!(seat(&census, "2001:db8::1", None).unwrap_err(), Full::Address);
        let _third = seat(&census.clone(), "192.0.2.1", None).unwrap();
        assert_eq!(seat(&census, "::ffff:192.0.2.1", None).unwrap_err(), Full::Everywhere);
        drop(first);
        let _fourth = seat(&census, "::ffff:192.0.2.1", None).unwrap();
        census.limit(10, 2);
        assert_eq!(seat(&census, "192.0.2.1", None).unwrap_err(), Full::Address);
        census.limit(10, 3);
        assert!(seat(&census, "192.0.2.1", None).is_ok());
    }

    #[test]
    fn a_refusal_takes_no_place_and_users_are_told_apart() {
        let census = Census::new(4, 1);
        let _tcp = seat(&census, "127.0.0.1", None).unwrap();
        let _one = seat(&census, "127.0.0.1", Some(1)).unwrap();
        for _ in 0..10 {
            assert_eq!(seat(&census, "127.0.0.1", Some(1)).unwrap_err(), Full::Address);
        }
        let _two = seat(&census, "127.0.0.1", Some(2)).unwrap();
        let unknown = census.admit().unwrap();
        assert_eq!(census.admit().unwrap_err(), Full::Everywhere);
        drop(unknown);
        assert!(census.admit().is_ok());
    }
}
