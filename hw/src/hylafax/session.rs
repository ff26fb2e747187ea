//! A session: a control connection that is logged in and knows our columns, and
//! the [`Desk`] that lends one session for one purpose.
//!
//! A session that was given back in the middle of an exchange, whose connection
//! broke, or that is old is closed instead of being lent again. Why age matters:
//! hfaxd remembers jobs and received faxes for the life of a session, and what it
//! remembers can be out of date.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::TcpStream,
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep_until},
};

use super::{
    Options, lines, queue, received,
    wire::{Control, Fault},
};

/// A session is closed when it is older than this, in seconds.
const MAX_AGE_S: u64 = 300;
/// A session that lay idle for so long is asked whether it lives, in milliseconds.
const IDLE_MS: u64 = 200;
/// First delay after a failed connection, in milliseconds; it doubles each time.
const BACK_OFF_MS: u64 = 250;
/// The longest of these delays, in milliseconds.
const MAX_BACK_OFF_MS: u64 = 5_000;

/// Whether a session may do what administrators may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Its own jobs, and files that anyone may read.
    User,
    /// All of it, where a password for that was given.
    Admin,
}

/// A logged-in session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) control: Control,
    /// Connected to where the server listens for the next transfer.
    pub(super) spare: Option<TcpStream>,
    pub(super) connect_limit: Duration,
    /// Whether `ADMIN` was accepted.
    pub(super) is_admin: bool,
    /// What the server said first.
    pub(super) banner: String,
    /// Not to be used again, because of what the server remembers.
    pub(super) stale: bool,
    opened: Instant,
    used: Instant,
}

impl Session {
    /// Connects, logs in, and sets our columns.
    pub(super) async fn open(options: &Options, rights: Rights) -> Result<Self, Fault> {
        let mut session = Self::log_in(options, rights).await?;
        session.control.demand("TZONE GMT").await?;
        for format in [queue::FORMAT, received::FORMAT, lines::FORMAT] {
            session.control.demand(format).await?;
        }
        Ok(session)
    }

    /// An administrator's session that knows no columns, for a short visit.
    pub(super) async fn for_files(options: &Options) -> Result<Self, Fault> {
        Self::log_in(options, Rights::Admin).await
    }

    async fn log_in(options: &Options, rights: Rights) -> Result<Self, Fault> {
        let (connect_limit, reply_limit) = (options.connect_timeout, options.reply_timeout);
        let mut control =
            Control::connect(&options.host, options.port, connect_limit, reply_limit).await?;
        let mut greeting = control.reply().await?;
        while greeting.is_preliminary() {
            greeting = control.reply().await?;
        }
        if !greeting.is_done() {
            return Err(Fault::Refused(greeting));
        }
        let hello = control.ask(&format!("USER {}", login(&options.user))).await?;
        if hello.code == 331 {
            control.demand(&format!("PASS {}", login(&options.password))).await?;
        } else if !hello.is_done() {
            return Err(Fault::Refused(hello));
        }
        let is_admin = match (rights, &options.admin_password) {
            (Rights::Admin, Some(password)) => {
                control.demand(&format!("ADMIN {}", login(password))).await?;
                true
            }
            _ => false,
        };
        for command in ["TYPE I", "MODE S"] {
            control.demand(command).await?;
        }
        let now = Instant::now();
        Ok(Self {
            control,
            spare: None,
            connect_limit,
            is_admin,
            banner: greeting.text().to_owned(),
            stale: false,
            opened: now,
            used: now,
        })
    }

    fn is_fit(&self) -> bool {
        self.control.is_clean()
            && !self.stale
            && self.opened.elapsed() < Duration::from_secs(MAX_AGE_S)
    }
}

/// A name or password exactly as it is, in the quotes of the protocol.
fn login(word: &str) -> String {
    let plain: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}

#[derive(Debug, Default)]
struct Shelf {
    idle: Option<Session>,
    failures: u32,
    not_before: Option<Instant>,
}

/// Lends one session at a time, for one purpose.
#[derive(Debug)]
pub(super) struct Desk {
    options: Arc<Options>,
    rights: Rights,
    turn: Semaphore,
    shelf: Mutex<Shelf>,
}

impl Desk {
    pub(super) fn new(options: Arc<Options>, rights: Rights) -> Self {
        Self { options, rights, turn: Semaphore::new(1), shelf: Mutex::default() }
    }

    /// A session that works, as far as one can know: the one that was given back,
    /// or a new one. After failures the next connection waits a little.
    pub(super) async fn borrow(&self) -> Result<Loan<'_>, Fault> {
        let turn = self.turn.acquire().await.map_err(Fault::broken)?;
        let idle = self.shelf().idle.take();
        if let Some(mut session) = idle.filter(Session::is_fit) {
            let lay = session.used.elapsed();
            if lay < Duration::from_millis(IDLE_MS) || session.control.demand("NOOP").await.is_ok()
            {
                return Ok(Loan { desk: self, session: Some(session), _turn: turn });
            }
        }
        let not_before = self.shelf().not_before;
        if let Some(moment) = not_before {
            sleep_until(moment).await;
        }
        let opened = Session::open(&self.options, self.rights).await;
        let mut shelf = self.shelf();
        match opened {
            Ok(session) => {
                shelf.failures = 0;
                shelf.not_before = None;
                drop(shelf);
                Ok(Loan { desk: self, session: Some(session), _turn: turn })
            }
            Err(fault) => {
                let doubled = BACK_OFF_MS << shelf.failures.min(10);
                let delay = Duration::from_millis(doubled.min(MAX_BACK_OFF_MS));
                shelf.failures = shelf.failures.saturating_add(1);
                shelf.not_before = Some(Instant::now() + delay);
                Err(fault)
            }
        }
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A borrowed session; dropping it gives it back, or closes it when it is not fit
/// to be lent again.
#[derive(Debug)]
pub(super) struct Loan<'a> {
    desk: &'a Desk,
    session: Option<Session>,
    _turn: SemaphorePermit<'a>,
}

impl Deref for Loan<'_> {
    type Target = Session;
    fn deref(&self) -> &Session {
        self.session.as_ref().expect("the session leaves only when the loan is dropped")
    }
}

impl DerefMut for Loan<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("the session leaves only when the loan is dropped")
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        if let Some(mut session) = self.session.take().filter(Session::is_fit) {
            session.used = Instant::now();
            self.desk.shelf().idle = Some(session);
        }
    }
}
