//! What the driver does when a server misbehaves, shown by a fake one that follows
//! a script. How a server behaves well is shown by real ones, not here.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use postfax_domain::{
    document::{Paper, Resolution},
    outcome::Outcome,
    time::Timestamp,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{Hylafax, Options};
use crate::driver::{Call, Driver, DriverError, Ticket, Waiting};

/// What the fake does instead of what it should.
#[derive(Clone, Copy)]
enum Do {
    /// Answers this.
    Say(&'static str),
    /// Closes the connection.
    Close,
    /// Answers nothing.
    Hang,
    /// Answers without end, in one line or in many.
    Flood(&'static str),
    /// Sends data after the first text, and ends with the second.
    Send(&'static str, &'static str, &'static str),
    /// Reads a little of an upload and closes everything.
    CloseInUpload,
}

struct Fake {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(rules: &[(&'static str, Do)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (rules, all) = (rules.to_vec(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, rules.clone(), Arc::clone(&all)));
            }
        });
        Self { port, heard }
    }

    fn driver(&self) -> Hylafax {
        let mut options = Options::new("127.0.0.1", self.port, "gw", "secret");
        options.reply_timeout = Duration::from_millis(500);
        options.poll = Duration::from_millis(50);
        Hylafax::new(options)
    }

    fn heard(&self, command: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|line| line.starts_with(command)).count()
    }
}

/// Ends quietly when the driver hangs up.
async fn serve(stream: TcpStream, rules: Vec<(&'static str, Do)>, heard: Arc<Mutex<Vec<String>>>) {
    let mut stream = BufReader::new(stream);
    let mut data = None;
    let mut line = "(greeting)".to_owned();
    loop {
        heard.lock().unwrap().push(line.clone());
        let rule = rules.iter().find(|(prefix, _)| line.starts_with(prefix));
        let act = rule.map_or_else(|| usual(&line), |(_, act)| *act);
        if act_out(act, &line, &mut stream, &mut data).await.is_none() {
            return;
        }
        line.clear();
        match stream.read_line(&mut line).await {
            Ok(n) if n > 0 => line.truncate(line.trim_end().len()),
            _ => return,
        }
    }
}

fn usual(line: &str) -> Do {
    match line.split(' ').next().unwrap_or("") {
        "(greeting)" => Do::Say("220 fake ready."),
        "USER" => Do::Say("331 Password required."),
        "PASS" => Do::Say("230 Logged in."),
        "JNEW" => Do::Say("200 New job created: jobid: 7 groupid: 7."),
        "JPARM" => Do::Say("213 Set."),
        "EPSV" => Do::Say("229 "),
        "STOT" => Do::Say("150 FILE: /tmp/doc1.ps (Opening new data connection)."),
        "RETR" => Do::Say("550 No such file or directory."),
        "LIST" => Do::Send("150 Opening.", "", "226 Transfer complete."),
        "SITE" | "EPRT" | "PORT" => Do::Say("500 Not here."),
        _ => Do::Say("200 OK."),
    }
}

async fn act_out(
    act: Do,
    line: &str,
    stream: &mut BufReader<TcpStream>,
    data: &mut Option<TcpListener>,
) -> Option<()> {
    match act {
        Do::Close => return None,
        Do::Hang => sleep(Duration::from_secs(60)).await,
        Do::Flood(piece) => loop {
            stream.write_all(piece.as_bytes()).await.ok()?;
        },
        Do::Say("229 ") => {
            let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
            let port = listener.local_addr().ok()?.port();
            *data = Some(listener);
            stream.write_all(format!("229 Entering (|||{port}|)\r\n").as_bytes()).await.ok()?;
        }
        Do::Say(text) => {
            stream.write_all(format!("{text}\r\n").as_bytes()).await.ok()?;
            if line == "STOT" && text.starts_with('1') {
                let (mut upload, _) = data.take()?.accept().await.ok()?;
                upload.read_to_end(&mut Vec::new()).await.ok()?;
                stream.write_all(b"226 Transfer complete.\r\n").await.ok()?;
            }
        }
        Do::Send(first, text, last) => {
            let (mut download, _) = data.take()?.accept().await.ok()?;
            stream.write_all(format!("{first}\r\n").as_bytes()).await.ok()?;
            download.write_all(text.as_bytes()).await.ok()?;
            drop(download);
            stream.write_all(format!("{last}\r\n").as_bytes()).await.ok()?;
        }
        Do::CloseInUpload => {
            let (mut upload, _) = data.take()?.accept().await.ok()?;
            stream.write_all(b"150 FILE: /tmp/doc1.ps (Opening).\r\n").await.ok()?;
            let _ = upload.read(&mut [0; 16]).await;
            return None;
        }
    }
    Some(())
}

fn call(folder: &Path) -> Call {
    let pages = folder.join("pages.tif");
    std::fs::write(&pages, vec![7; 3_000_000]).unwrap();
    Call {
        tag: "t-1".into(),
        number: "+15550101".to_owned().try_into().unwrap(),
        subaddress: None,
        pages,
        pages_before: 0,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        sender: "anna".into(),
        station_id: None,
        priority: 127,
        give_up_after: Duration::from_secs(600),
    }
}

fn fax() -> Waiting {
    Waiting {
        key: "fax1.tif 1 100".into(),
        name: "fax1.tif".into(),
        line: None,
        called: None,
        caller: None,
        caller_name: None,
        tsi: None,
        subaddress: None,
        pages: 1,
        received: Timestamp(1000),
        duration: Duration::ZERO,
        bit_rate: None,
        error: None,
    }
}

async fn submit(rules: &[(&'static str, Do)]) -> (Fake, Result<Ticket, DriverError>) {
    let fake = Fake::start(rules).await;
    let folder = tempfile::tempdir().unwrap();
    let answer = fake.driver().submit(&call(folder.path())).await;
    (fake, answer)
}

#[tokio::test]
async fn a_script_without_mishaps_submits() {
    let (fake, answer) = submit(&[]).await;
    assert_eq!(answer.unwrap(), Ticket("7 t-1".into()));
    assert_eq!(fake.heard("JSUBM"), 1);
}

#[tokio::test]
async fn before_the_submission_nothing_can_have_been_taken() {
    for rule in [
        ("(greeting)", Do::Close),
        ("(greeting)", Do::Say("SSH-2.0-OpenSSH_9.2")),
        ("(greeting)", Do::Hang),
        ("(greeting)", Do::Flood("220 ready ")),
        ("USER", Do::Flood("331-more\r\n")),
        ("PASS", Do::Say("421 Going down.")),
        ("EPSV", Do::Say("229 Entering nothing at all")),
        ("STOT", Do::CloseInUpload),
        ("JNEW", Do::Say("200 New job created.")),
        ("JPARM DOCUMENT", Do::Close),
        ("JPARM MAXDIALS", Do::Hang),
    ] {
        let (fake, answer) = submit(&[rule]).await;
        assert!(matches!(answer, Err(DriverError::Unreachable { .. })), "{}: {answer:?}", rule.0);
        assert_eq!(fake.heard("JSUBM"), 0, "{}", rule.0);
    }
}

#[tokio::test]
async fn refusals_are_told_in_the_servers_words() {
    for (rule, is) in [
        (("PASS", Do::Say("530 Login incorrect.")), Outcome::ServerMisconfigured),
        (("STOT", Do::Say("553 No space left.")), Outcome::ServerRefused),
        (("JPARM DIALSTRING", Do::Say("503 Bad value.")), Outcome::ServerRefused),
        (("JSUBM", Do::Say("460 Failed to submit job 7.")), Outcome::ServerFault),
    ] {
        let (_fake, answer) = submit(&[rule]).await;
        let Err(DriverError::Refused { outcome, reply, .. }) = answer else {
            panic!("{}: {answer:?}", rule.0)
        };
        assert_eq!(outcome, is, "{reply}");
        let Do::Say(said) = rule.1 else { panic!() };
        assert_eq!(reply, said);
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_submission_is_unsure() {
    for act in [Do::Close, Do::Hang, Do::Say("yes"), Do::Say("421 Bye.")] {
        let (_fake, answer) = submit(&[("JSUBM", act)]).await;
        assert!(matches!(answer, Err(DriverError::Unsure { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_submission_is_taken_out_of_the_queue() {
    let refused = ("JSUBM", Do::Say("460 Failed to submit job 7: no scheduler."));
    let (fake, answer) = submit(&[refused]).await;
    assert!(matches!(answer, Err(DriverError::Refused { .. })), "{answer:?}");
    assert_eq!(fake.heard("JDELE 7"), 1);
    // Where that fails the job may go out yet.
    for kept in [Do::Say("504 Job 7 not deleted; use JSUSP first."), Do::Close] {
        let (_fake, answer) = submit(&[refused, ("JDELE", kept)]).await;
        assert!(matches!(answer, Err(DriverError::Unsure { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_refused_transfer_leaves_its_connection_for_the_next() {
    let fake = Fake::start(&[("LIST /status", Do::Say("550 Not now."))]).await;
    let driver = fake.driver();
    for _ in 0..3 {
        let answer = driver.condition().await;
        assert!(matches!(answer, Err(DriverError::Refused { .. })), "{answer:?}");
    }
    assert_eq!((fake.heard("USER"), fake.heard("EPSV"), fake.heard("LIST")), (1, 1, 3));
}

#[tokio::test]
async fn a_broken_session_is_not_used_again() {
    let fake = Fake::start(&[("LIST /status", Do::Close)]).await;
    let driver = fake.driver();
    for logins in 1..3 {
        assert!(matches!(driver.condition().await, Err(DriverError::Unreachable { .. })));
        assert_eq!(fake.heard("USER"), logins);
    }
}

#[tokio::test]
async fn a_session_that_died_while_it_lay_idle_is_not_noticed() {
    let fake = Fake::start(&[("NOOP", Do::Close)]).await;
    let driver = fake.driver();
    for _ in 0..2 {
        driver.condition().await.unwrap();
        sleep(Duration::from_millis(300)).await;
    }
    assert_eq!((fake.heard("USER"), fake.heard("NOOP")), (2, 1));
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_less_and_less() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let driver = Hylafax::new(Options::new("127.0.0.1", port, "gw", "secret"));
    let begin = Instant::now();
    for _ in 0..3 {
        assert!(matches!(driver.condition().await, Err(DriverError::Unreachable { .. })));
    }
    assert!(begin.elapsed() >= Duration::from_millis(700), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn half_a_fax_is_no_fax() {
    let whole = "150 Opening for /recvq/fax1.tif (5 bytes).";
    for (act, arrives) in [
        (Do::Send(whole, "12345", "226 Complete."), true),
        (Do::Send(whole, "123", "226 Complete."), false),
        (Do::Send(whole, "12345", "426 Data connection: broken."), false),
        (Do::Say("550 /recvq/fax1.tif: Operation not permitted."), false),
    ] {
        let fake = Fake::start(&[("RETR", act)]).await;
        let folder = tempfile::tempdir().unwrap();
        let into = folder.path().join("fax.tif");
        let answer = fake.driver().fetch(&fax(), &into).await;
        assert_eq!(answer.is_ok(), arrives, "{answer:?}");
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, usize::from(arrives));
    }
}

#[tokio::test]
async fn a_release_without_rights_says_what_to_do() {
    let denied = Do::Say("550 /recvq/fax1.tif: Operation not permitted.");
    let fake = Fake::start(&[("DELE", denied), ("SIZE", Do::Say("213 5"))]).await;
    let Err(DriverError::Refused { reply, .. }) = fake.driver().release(&fax()).await else {
        panic!("refused")
    };
    assert!(reply.contains("admin password"), "{reply}");
    let missing = ("SIZE", Do::Say("550 /recvq/fax1.tif: No such file or directory."));
    let fake = Fake::start(&[("DELE", denied), missing]).await;
    let answer = fake.driver().release(&fax()).await;
    assert!(matches!(answer, Err(DriverError::Gone { .. })), "{answer:?}");
}

#[tokio::test]
async fn the_log_is_read_from_near_its_end() {
    let line = "11/23/26 03:40\tSEND\t000000001\tttyFAX0\t7\t\"t-1\"\tanna\t\"+15550101\"\t\
        \"x\"\t2220073\t3\t0:00:07\t0:00:06\t\"\"\n";
    let fake = Fake::start(&[
        ("SIZE", Do::Say("213 9000000")),
        ("REST", Do::Say("350 Will restart.")),
        ("RETR /log", Do::Send("150 Opening (9000000 bytes).", line, "226 Complete.")),
    ])
    .await;
    let mut options = (*fake.driver().options).clone();
    options.admin_password = Some("admin".into());
    let driver = Hylafax::new(options);
    assert_eq!(driver.find("t-1").await.unwrap(), Some(Ticket("7 t-1".into())));
    assert_eq!(driver.find("t-2").await.unwrap(), None);
    let ended = driver.follow(&Ticket("7 t-1".into()), mpsc::channel(1).0).await.unwrap();
    assert_eq!((ended.outcome, ended.ledger.confirmed), (Outcome::Delivered, 3));
    // Any command after REST would undo it.
    let heard = fake.heard.lock().unwrap().clone();
    let rest = heard.iter().position(|line| line.starts_with("REST ")).unwrap();
    assert_eq!(heard[rest + 1], "RETR /log/xferfaxlog");
}

#[tokio::test]
async fn jobs_that_are_nowhere_or_anothers_are_lost() {
    let others = "state:7\njobtag:another\nnpages:3\ntotdials:1\nstatuscode:0\n";
    for rules in [vec![], vec![("RETR", Do::Send("150 Opening.", others, "226 Complete."))]] {
        let fake = Fake::start(&rules).await;
        let driver = fake.driver();
        let ticket = Ticket("7 t-1".into());
        let ended = driver.follow(&ticket, mpsc::channel(1).0).await.unwrap();
        assert_eq!(ended.outcome, Outcome::Unknown);
        let answer = driver.cancel(&ticket).await;
        assert!(matches!(answer, Err(DriverError::Gone { .. })), "{answer:?}");
        assert_eq!(fake.heard("JKILL"), 0);
    }
}

#[tokio::test]
async fn a_job_that_the_scheduler_never_heard_of_is_cleared_away() {
    let row = "7\u{1f}T\u{1f}t-1\r\n";
    let stillborn = "state:1\njobtag:t-1\nnpages:0\ntotdials:0\nstatuscode:0\n";
    let fake = Fake::start(&[
        ("LIST /sendq", Do::Send("150 Opening.", row, "226 Complete.")),
        ("RETR", Do::Send("150 Opening.", stillborn, "226 Complete.")),
    ])
    .await;
    assert_eq!(fake.driver().find("t-1").await.unwrap(), None);
    assert_eq!(fake.heard("JDELE 7"), 1);
}
