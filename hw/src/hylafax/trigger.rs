//! Hints: what the server tells of its own accord (`SITE TRIGGER`).
//!
//! Hints only wake those who wait. What is true is read from the queues, because
//! hints can be lost, and because the server says *completed successfully* of failed
//! jobs as well.
//!
//! ```text
//! away --session opened--> calling back --data connection came--> armed
//!   ^                           |                                   |
//!   +------ after a while ------+------------- it ended ------------+
//! ```
//!
//! Why the server has to connect to us: in HylaFAX 6.0.7 a trigger over a passive
//! data connection is written to no descriptor. Where the server cannot reach us
//! this stays away, and everyone polls. The server connects from the port below its
//! own: two servers on one address need a gap between their ports.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::{broadcast, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{debug, info};

use super::{
    Options,
    session::{Rights, Session},
    wire::Fault,
};

/// Hints that a slow listener may be behind before it loses some.
const BACKLOG: usize = 256;
/// Pause after the server was away, in seconds.
const AWAY_S: u64 = 5;
/// Pause after the server could not connect to us, in seconds.
const CALL_BACK_FAILED_S: u64 = 300;
/// The longest line of an event, in octets.
const MAX_LINE_OCTETS: usize = 4096;

/// Something happened at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hint {
    /// To one job.
    Job(u32, Step),
    /// A received fax came to its end.
    Received,
    /// Hints flow from now on; what happened before is not known.
    Armed,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The remote machine answered.
    Connected,
    /// So many pages were sent and confirmed.
    Pages(u32),
    /// Anything else: look at the job.
    Other,
}

/// The source of hints. Its task starts with the first listener and ends with it.
#[derive(Debug)]
pub(super) struct Trigger {
    options: Arc<Options>,
    wires: Arc<Wires>,
    task: OnceLock<JoinHandle<()>>,
}

#[derive(Debug)]
struct Wires {
    hints: broadcast::Sender<Hint>,
    arrivals: watch::Sender<u64>,
    armed: AtomicBool,
}

impl Trigger {
    pub(super) fn new(options: Arc<Options>) -> Self {
        let wires = Wires {
            hints: broadcast::Sender::new(BACKLOG),
            arrivals: watch::Sender::new(0),
            armed: AtomicBool::new(false),
        };
        Self { options, wires: Arc::new(wires), task: OnceLock::new() }
    }

    /// All hints from now on.
    pub(super) fn hints(&self) -> broadcast::Receiver<Hint> {
        self.start();
        self.wires.hints.subscribe()
    }

    /// How often something arrived.
    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.start();
        self.wires.arrivals.subscribe()
    }

    /// Whether hints flow.
    pub(super) fn is_armed(&self) -> bool {
        self.wires.armed.load(Ordering::Relaxed)
    }

    fn start(&self) {
        self.task.get_or_init(|| {
            let (options, wires) = (Arc::clone(&self.options), Arc::clone(&self.wires));
            tokio::spawn(async move { stay_armed(&options, &wires).await })
        });
    }
}

impl Drop for Trigger {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

async fn stay_armed(options: &Options, wires: &Wires) {
    loop {
        let pause = match Session::open(options, Rights::User).await {
            Err(_) => AWAY_S,
            Ok(mut session) => match call_back(&mut session, options.reply_timeout).await {
                Ok(events) => {
                    wires.armed.store(true, Ordering::Relaxed);
                    wires.tell(Hint::Armed);
                    info!(server = %options.server(), "the server tells what happens");
                    listen(events, wires).await;
                    wires.armed.store(false, Ordering::Relaxed);
                    AWAY_S
                }
                Err(fault) => {
                    debug!(server = %options.server(), %fault, "no hints, polling instead");
                    CALL_BACK_FAILED_S
                }
            },
        };
        sleep(Duration::from_secs(pause)).await;
    }
}

impl Wires {
    fn tell(&self, hint: Hint) {
        if matches!(hint, Hint::Received | Hint::Armed) {
            self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
        }
        // Nobody may be listening.
        let _ = self.hints.send(hint);
    }
}

/// Has the server connect to us and tell what happens to jobs, calls and received
/// faxes.
async fn call_back(session: &mut Session, limit: Duration) -> Result<TcpStream, Fault> {
    let here = session.control.local()?.ip();
    let listener = TcpListener::bind((here, 0)).await.map_err(Fault::broken)?;
    let port = listener.local_addr().map_err(Fault::broken)?;
    session.control.demand("TYPE A").await?;
    session.control.demand(&active(port)).await?;
    let reply = session.control.ask(r#"SITE TRIGGER "J*S*R*""#).await?;
    if !reply.is_preliminary() {
        return Err(Fault::Refused(reply));
    }
    let (events, from) = timeout(limit, listener.accept())
        .await
        .map_err(|_| Fault::broken("no data connection came"))?
        .map_err(Fault::broken)?;
    if from.ip() != session.control.peer()?.ip() {
        return Err(Fault::broken("a stranger connected instead of the server"));
    }
    Ok(events)
}

/// `PORT` (RFC 959 4.1.2) or `EPRT` (RFC 2428 2).
fn active(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let [high, low] = address.port().to_be_bytes();
            format!("PORT {a},{b},{c},{d},{high},{low}")
        }
        IpAddr::V6(ip) => format!("EPRT \"|2|{ip}|{}|\"", address.port()),
    }
}

async fn listen(events: TcpStream, wires: &Wires) {
    let mut events = BufReader::new(events);
    let mut line = Vec::new();
    loop {
        let Ok(chunk) = events.fill_buf().await else { return };
        if chunk.is_empty() {
            return;
        }
        let end = chunk.iter().position(|&octet| octet == b'\n');
        let take = end.map_or(chunk.len(), |at| at + 1);
        line.extend_from_slice(&chunk[..take]);
        events.consume(take);
        if line.len() > MAX_LINE_OCTETS {
            return;
        }
        if end.is_some() {
            if let Some(hint) = parse(&String::from_utf8_lossy(&line)) {
                wires.tell(hint);
            }
            line.clear();
        }
    }
}

/// `031825 118 JOB 42 (dest +1555 pri 127 com 7): SEND FAX: Connected ...`
fn parse(line: &str) -> Option<Hint> {
    let mut words = line.split_whitespace();
    let code: u16 = words.nth(1)?.parse().ok()?;
    // Events of faxes that come in begin at 132; 135 is a document, 136 the end.
    if matches!(code, 135 | 136) {
        return Some(Hint::Received);
    }
    if words.next()? != "JOB" {
        return None;
    }
    // Stations write `JOB 42: SEND FAX: ...`, without more about the job.
    let job = words.next()?.trim_end_matches(':').parse().ok()?;
    let step = match code {
        118 => Step::Connected,
        119 => pages(line).map_or(Step::Other, Step::Pages),
        _ => Step::Other,
    };
    Some(Hint::Job(job, step))
}

/// `... Page 2 sent in 0:12 ...`
fn pages(line: &str) -> Option<u32> {
    line.split_once(": Page ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read() {
        let job = "JOB 3 (dest +15550101 pri 127 com 000000004)";
        for (line, hint) in [
            (format!("031825 100 {job}: Created"), Some(Hint::Job(3, Step::Other))),
            (format!("031825 118 {job}: SEND FAX: Connected"), Some(Hint::Job(3, Step::Connected))),
            (
                format!("031825 119 {job}: SEND FAX: Page 2 sent in 0:12 (file docq/d) <A4>"),
                Some(Hint::Job(3, Step::Pages(2))),
            ),
            ("031825 126 JOB 3: SEND FAX: Done".into(), Some(Hint::Job(3, Step::Other))),
            ("031825 119 JOB 3: SEND FAX: Page 2 sent".into(), Some(Hint::Job(3, Step::Pages(2)))),
            ("031825 136 RECV FAX: Call ended".into(), Some(Hint::Received)),
            ("031825 132 RECV FAX: Call started".into(), None),
            ("031825 148 MODEM ttyFAX0: Assigned to job".into(), None),
            ("junk".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(&line), hint, "{line}");
        }
    }

    #[test]
    fn our_address_is_written_as_the_protocol_wants_it() {
        assert_eq!(active("127.0.0.1:5281".parse().unwrap()), "PORT 127,0,0,1,20,161");
        assert_eq!(active("[::1]:5281".parse().unwrap()), "EPRT \"|2|::1|5281|\"");
    }
}
