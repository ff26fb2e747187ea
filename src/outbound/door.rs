//! What all listeners share about who comes in: the checking of passwords, how often
//! logins failed, and how many mails and recipients came lately. It remembers; what
//! follows from it is decided where it is asked.

use std::{
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use postfax_domain::{
    names::ClientName,
    rate::{Rate, Rates},
    time::Timestamp,
};
use postfax_gateway::{
    auth::{
        password::Checker,
        throttle::{self, Throttle, Verdict},
    },
    reply::Reply,
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{Access, Intake};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// How much of all mails together is in memory while they are read, in MiB; what is
/// decoded of them comes on top.
const READING_MIB: u32 = 128;
/// In this time as many failed logins are forgotten as are allowed.
const LOGIN_WINDOW: Duration = Duration::from_secs(15 * 60);

/// Shared by all listeners.
#[derive(Debug)]
pub struct Door {
    pub(super) checker: Checker,
    throttle: Mutex<Throttle>,
    mails: Mutex<Rates<Sender>>,
    recipients: Mutex<Rates<Sender>>,
    /// A place for each MiB of the mails that are being read.
    reading: Semaphore,
}

/// Whose mails are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sender {
    Client(ClientName),
    Address(IpAddr),
}

/// What has come.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Mail,
    /// So many recipients, those of a list one by one.
    Recipients(usize),
}

/// Whose it is.
pub(super) struct Whose<'a> {
    /// The client, as soon as it is known, and how far it may go.
    pub(super) client: Option<(&'a ClientName, &'a Access)>,
    /// Where it came from, if that counts.
    pub(super) address: Option<IpAddr>,
}

impl Door {
    /// Nothing has come yet.
    #[must_use]
    pub fn new(checker: Checker) -> Self {
        let limits = throttle::Limits { per_address: 1, per_account: 1, window: LOGIN_WINDOW };
        let throttle = Mutex::new(Throttle::new(limits));
        let reading = Semaphore::new(READING_MIB as usize);
        Self { checker, throttle, mails: Mutex::default(), recipients: Mutex::default(), reading }
    }

    /// Room to read a mail of so many octets; waits until there is some. The largest has
    /// it all for itself.
    pub(super) async fn room_for(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let whole = u32::try_from(bytes >> 20).unwrap_or(READING_MIB);
        self.reading.acquire_many(whole.saturating_add(1).min(READING_MIB)).await.ok()
    }

    /// How long a login is to wait before it is checked; `None` when it is not checked.
    pub(super) fn patience(
        &self,
        intake: &Intake,
        address: IpAddr,
        account: &str,
    ) -> Option<Duration> {
        let mut throttle = locked(&self.throttle);
        throttle.set_limits(throttle::Limits {
            per_address: intake.max_login_failures_per_address,
            per_account: intake.max_login_failures_per_account,
            window: LOGIN_WINDOW,
        });
        match throttle.ask(Instant::now(), address, account) {
            Verdict::After(pause) => Some(pause),
            Verdict::Refused => None,
        }
    }

    pub(super) fn login_failed(&self, address: IpAddr, account: &str) {
        locked(&self.throttle).failed(Instant::now(), address, account);
    }

    pub(super) fn login_succeeded(&self, address: IpAddr, account: &str) {
        locked(&self.throttle).succeeded(Instant::now(), address, account);
    }

    /// Takes what has come from the rates of a client and of an address, or nothing.
    pub(super) fn take(
        &self,
        intake: &Intake,
        whose: &Whose<'_>,
        what: What,
        now: Timestamp,
    ) -> Result<(), Reply> {
        let (rates, more) = match what {
            What::Mail => (&self.mails, 1),
            What::Recipients(count) => (&self.recipients, u32::try_from(count).unwrap_or(u32::MAX)),
        };
        let client = whose.client.map(|(client, access)| {
            (Sender::Client(client.clone()), rate_of_client(intake, access, what))
        });
        let address = whose.address.map(|address| {
            (Sender::Address(throttle::network(address)), rate_of_address(intake, what))
        });
        let mut rates = locked(rates);
        let both: Vec<_> = client.into_iter().chain(address).collect();
        for (sender, rate) in &both {
            rates.ask_for(now, sender, *rate, more).map_err(too_fast)?;
        }
        for (sender, rate) in both {
            rates.note_of(now, sender, rate, more);
        }
        Ok(())
    }
}

fn rate_of_client(intake: &Intake, access: &Access, what: What) -> Rate {
    match what {
        What::Mail => Rate {
            most: access.mails_per_minute.unwrap_or(intake.max_mails_per_minute),
            period: MINUTE,
        },
        What::Recipients(_) => Rate {
            most: access.recipients_per_hour.unwrap_or(intake.max_recipients_per_hour),
            period: HOUR,
        },
    }
}

fn rate_of_address(intake: &Intake, what: What) -> Rate {
    match what {
        What::Mail => Rate { most: intake.max_mails_per_minute_per_address, period: MINUTE },
        What::Recipients(_) => {
            Rate { most: intake.max_recipients_per_hour_per_address, period: HOUR }
        }
    }
}

fn too_fast(wait: Duration) -> Reply {
    let seconds = wait.as_secs_f64().ceil().max(1.0);
    Reply::new(450, (7, 0), format!("rate limit, retry after {seconds} s"))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
