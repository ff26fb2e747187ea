//! How fast mail leaves, measured through the whole daemon: jobs wait in the store of a
//! Postfax that was stopped, it is started, writes each mail, hands it to a mail server
//! of this program and saves what became of it. The clock runs from the first mail at
//! the mail server until the last job is over in the database.
//!
//! ```text
//! cargo bench --bench mail_out -- [--mails 5000] [--kind receipts|faxes]
//!                                 [--connections 4] [--json]
//! ```
#![allow(clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use postfax_domain::{
    destination::{Destination, Mailbox},
    document::Document,
    job::{Cause, End, Job, State},
    names::{ClientName, JobId, ServerName},
    route::Arrival,
    time::{Timestamp, WallClock},
};
use sqlx::{Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the database is asked whether all is done.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const CONFIG: &str = r#"
[supervisor]
domain = "fax.example.com"
country = "GB"
state = "@FOLDER@/state"
control_socket = "@FOLDER@/control.sock"
postmaster = "it@example.com"
[[listener]]
address = "127.0.0.1:@PORT@"
role = "relay"
trust = ["127.0.0.0/8"]
[delivery]
relay = "smtp://127.0.0.1:@SINK@"
from = "fax@fax.example.com"
connections = @CONNECTIONS@
[[group]]
name = "london"
[[client]]
name = "anna"
mail = ["anna@example.com"]
groups = ["london"]
[[server]]
name = "away"
kind = "hylafax"
url = "hylafax://x@127.0.0.1:9"
groups = ["london"]
"#;

/// Which mails are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Receipts,
    Faxes,
}

struct Asked {
    mails: u64,
    kind: Kind,
    connections: u32,
    json: bool,
}

fn asked() -> Asked {
    let mut asked = Asked { mails: 5000, kind: Kind::Receipts, connections: 4, json: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
        match word.as_str() {
            "--mails" => asked.mails = value().parse().unwrap(),
            "--connections" => asked.connections = value().parse().unwrap(),
            "--kind" => {
                asked.kind = match value().as_str() {
                    "receipts" => Kind::Receipts,
                    "faxes" => Kind::Faxes,
                    other => panic!("--kind is receipts or faxes, not {other}"),
                }
            }
            "--json" => asked.json = true,
            // Cargo says this to every measurement.
            "--bench" => {}
            other => panic!("{other} is not known"),
        }
    }
    asked
}

fn main() {
    let asked = asked();
    let folder = tempfile::tempdir().unwrap();
    let sink = Sink::start();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = CONFIG
        .replace("@FOLDER@", &folder.path().display().to_string())
        .replace("@PORT@", &port.to_string())
        .replace("@SINK@", &sink.port.to_string())
        .replace("@CONNECTIONS@", &asked.connections.to_string());
    fs::write(folder.path().join("postfax.toml"), config).unwrap();
    let mut daemon = Daemon::start(folder.path());
    submit(port);
    daemon.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fill(folder.path(), &asked));

    let daemon = Daemon::start(folder.path());
    let finished = runtime.block_on(all_done(folder.path(), asked.mails));
    let (taken, first, octets) = sink.seen();
    assert_eq!(taken as u64, asked.mails, "every mail once");
    let elapsed = finished.duration_since(first).as_secs_f64();
    let rate = asked.mails as f64 / elapsed;
    let (peak_kib, cpu_s) = daemon.cost();
    let connections = sink.connections.load(Ordering::SeqCst);
    if asked.json {
        let figures = serde_json::json!({
            "kind": format!("{:?}", asked.kind).to_lowercase(),
            "mails": asked.mails,
            "seconds": elapsed,
            "mails_per_s": rate,
            "octets": octets,
            "connections": connections,
            "peak_rss_kib": peak_kib,
            "cpu_s": cpu_s,
        });
        println!("{figures}");
    } else {
        println!(
            "{} {:?} in {elapsed:.2} s: {rate:.0} mails/s, {:.1} MiB, {connections} connections, \
             peak memory {:.1} MiB, {cpu_s:.2} s of processor time",
            asked.mails,
            asked.kind,
            octets as f64 / f64::from(1 << 20),
            peak_kib as f64 / 1024.0
        );
    }
}

/// A fax of one page, so that there is a document and a mail to tell of.
fn submit(port: u16) {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    let text = "From: anna@example.com\r\nSubject: A letter\r\nMessage-ID: <a@b>\r\n\r\n\
                Dear Sir, this is a letter of one page.\r\n.";
    for line in [
        "",
        "EHLO bench",
        "MAIL FROM:<anna@example.com>",
        "RCPT TO:<+442079460100@fax.example.com>",
        "DATA",
        text,
        "QUIT",
    ] {
        if !line.is_empty() {
            output.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        }
        let mut answer = "xxx-".to_owned();
        while answer.as_bytes()[3] == b'-' {
            answer.clear();
            input.read_line(&mut answer).unwrap();
        }
        assert!(answer.starts_with(['2', '3']), "{line}: {answer}");
    }
}

fn options(folder: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(folder.join("state/postfax.db"))
}

fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp(i64::try_from(since.as_millis()).unwrap())
}

/// Ends the fax and leaves the mails that are to be sent.
async fn fill(folder: &Path, asked: &Asked) {
    let mut database = SqliteConnection::connect_with(&options(folder)).await.unwrap();
    let row = sqlx::query("SELECT body FROM jobs WHERE kind = 'sent'");
    let row = row.fetch_one(&mut database).await.unwrap();
    let mut fax: Job = serde_json::from_str(row.get("body")).unwrap();
    fax.state = State::Ended { end: End::Delivered, at: now() };
    let document = fax.document.clone().unwrap();
    let mut round = database.begin().await.unwrap();
    sqlx::query("UPDATE jobs SET state = 'ended', ended = $1, body = $2 WHERE id = $3")
        .bind(now().0)
        .bind(serde_json::to_string(&fax).unwrap())
        .bind(fax.id.0 as i64)
        .execute(&mut *round)
        .await
        .unwrap();
    for number in 0..asked.mails {
        let id = JobId(fax.id.0 + 1 + number);
        let (kind, of, job) = match asked.kind {
            Kind::Receipts => ("receipt", Some(fax.id.0 as i64), receipt(id, fax.id)),
            Kind::Faxes => ("arrived", None, arrived(id, &document)),
        };
        sqlx::query(
            "INSERT INTO jobs (id, kind, state, created, receipt_of, digest, body) \
             VALUES ($1, $2, 'waiting', $3, $4, $5, $6)",
        )
        .bind(id.0 as i64)
        .bind(kind)
        .bind(job.created.0)
        .bind(of)
        .bind(job.document.as_ref().map(|document| document.digest.to_string()))
        .bind(serde_json::to_string(&job).unwrap())
        .execute(&mut *round)
        .await
        .unwrap();
    }
    round.commit().await.unwrap();
    database.close().await.unwrap();
}

fn mailbox() -> Mailbox {
    Mailbox { address: "anna@example.com".into(), client: Some(ClientName::new("anna").unwrap()) }
}

fn receipt(id: JobId, of: JobId) -> Job {
    Job::mail(id, Cause::Receipt { of, report: Default::default() }, mailbox(), now(), PATIENCE)
}

fn arrived(id: JobId, document: &Document) -> Job {
    let server: ServerName = ServerName::new("away").unwrap();
    let arrival = Arrival {
        server,
        key: format!("fax{id}.tif"),
        line: None,
        called: None,
        caller: None,
        caller_name: None,
        tsi: Some("+44 20 7946 0100".into()),
        subaddress: None,
        codes: Vec::new(),
        document: document.clone(),
        received: now(),
        local: WallClock { weekday: 0, minute: 0 },
        duration: Duration::from_secs(40),
        bit_rate: Some(14_400),
        error: None,
    };
    let cause = Cause::Arrived(Box::new(arrival));
    let to = Destination::Mailbox(mailbox());
    Job { document: Some(document.clone()), ..Job::new(id, cause, to, now(), PATIENCE) }
}

/// Waits until every mail's job is over, and says when that was.
async fn all_done(folder: &Path, mails: u64) -> Instant {
    let options = options(folder).read_only(true);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let open: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM jobs WHERE state <> 'ended'")
            .fetch_one(&mut database)
            .await
            .unwrap();
        if open == 0 {
            return Instant::now();
        }
        assert!(Instant::now() < deadline, "{open} of {mails} mails are left");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// A running `postfax serve`.
struct Daemon(Child);

impl Daemon {
    fn start(folder: &Path) -> Self {
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_postfax"))
            .args(["serve", "--config"])
            .arg(folder.join("postfax.toml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut daemon = Self(child);
        let deadline = Instant::now() + PATIENCE;
        while std::os::unix::net::UnixStream::connect(folder.join("control.sock")).is_err() {
            let ended = daemon.0.try_wait().unwrap();
            let said = || fs::read_to_string(folder.join("log")).unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{}", said());
            std::thread::sleep(Duration::from_millis(5));
        }
        daemon
    }

    fn stop(&mut self) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        self.0.wait().unwrap();
    }

    /// Peak memory in KiB and processor time in seconds.
    fn cost(&self) -> (u64, f64) {
        let read =
            |what: &str| fs::read_to_string(format!("/proc/{}/{what}", self.0.id())).unwrap();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak = peak.split_whitespace().next().unwrap().parse().unwrap();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // User and system time, in hundredths of a second.
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        (peak, ticks / 100.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A mail server that counts.
struct Sink {
    port: u16,
    count: Arc<AtomicUsize>,
    octets: Arc<AtomicUsize>,
    first: Arc<Mutex<Option<Instant>>>,
    connections: Arc<AtomicUsize>,
}

impl Sink {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sink = Self {
            port,
            count: Arc::default(),
            octets: Arc::default(),
            first: Arc::default(),
            connections: Arc::default(),
        };
        let (count, octets) = (sink.count.clone(), sink.octets.clone());
        let (first, connections) = (sink.first.clone(), sink.connections.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (count, octets, first) = (count.clone(), octets.clone(), first.clone());
                std::thread::spawn(move || serve(stream, &count, &octets, &first));
            }
        });
        sink
    }

    fn seen(&self) -> (usize, Instant, usize) {
        let first = self.first.lock().unwrap().expect("a mail came");
        (self.count.load(Ordering::SeqCst), first, self.octets.load(Ordering::SeqCst))
    }
}

fn serve(
    stream: TcpStream,
    count: &AtomicUsize,
    octets: &AtomicUsize,
    first: &Mutex<Option<Instant>>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut input = BufReader::with_capacity(64 << 10, stream.try_clone().ok()?);
    let mut output = stream;
    output.write_all(b"220 sink ESMTP\r\n").ok()?;
    let (mut line, mut replies) = (Vec::new(), Vec::new());
    let mut in_message = false;
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        match line.get(..4).unwrap_or_default() {
            _ if in_message && line == b".\r\n" => {
                in_message = false;
                count.fetch_add(1, Ordering::SeqCst);
                replies.extend_from_slice(b"250 2.0.0 taken\r\n");
            }
            _ if in_message => {
                octets.fetch_add(line.len(), Ordering::Relaxed);
            }
            b"EHLO" => replies.extend_from_slice(
                b"250-sink\r\n250-PIPELINING\r\n250-DSN\r\n250-SIZE 99999999\r\n250 8BITMIME\r\n",
            ),
            b"DATA" => {
                in_message = true;
                first.lock().unwrap().get_or_insert_with(Instant::now);
                replies.extend_from_slice(b"354 go on\r\n");
            }
            _ => replies.extend_from_slice(b"250 2.0.0 ok\r\n"),
        }
        if input.buffer().is_empty() && !replies.is_empty() {
            output.write_all(&replies).ok()?;
            replies.clear();
        }
    }
}
