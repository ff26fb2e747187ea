//! The driver against a small off-ramp that loses connections where a real one hardly
//! ever does. How a real mail server takes it is shown in `tests/kinds.rs`.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use postfax_domain::{
    document::{Paper, Resolution},
    outcome::Outcome,
};
use postfax_gateway::{
    client::{Courier, Stage, StartTls, Trouble},
    message::{Limits, Message},
};
use postfax_hw::{
    conformance::{Bench, suite},
    driver::{Call, Driver, DriverError, Ended, Ticket},
    pages::{
        bitmap::{Bitmap, Size},
        same_pixels,
        tiff::{self, CodedPage, Density, FillOrder},
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use super::{OffRamp, Options, Profile, Reports, Sender, read_report};

/// An off-ramp in a few lines. It reports at once, before it answers.
#[derive(Default)]
struct Fake {
    port: u16,
    /// It takes the mail and hangs up instead of answering.
    loses: AtomicBool,
    /// It takes nothing now.
    refuses: AtomicBool,
    /// It never reports.
    silent: AtomicBool,
    mails: Mutex<Vec<String>>,
}

impl Fake {
    async fn start(reports: &Arc<Reports>) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let fake = Arc::new(Self { port, ..Self::default() });
        let (serving, reports) = (Arc::clone(&fake), Arc::clone(reports));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (serving, reports) = (Arc::clone(&serving), Arc::clone(&reports));
                tokio::spawn(async move { serving.serve(stream, &reports).await });
            }
        });
        fake
    }

    async fn serve(&self, stream: TcpStream, reports: &Arc<Reports>) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 fake ESMTP\r\n").await?;
        let (mut tag, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let answer = match &line[..4.min(line.len())] {
                "EHLO" => "250-fake\r\n250 DSN\r\n",
                "MAIL" => {
                    let path = line.split(['<', '>']).nth(1).unwrap_or_default();
                    path.strip_prefix("ret+")
                        .unwrap()
                        .split('@')
                        .next()
                        .unwrap()
                        .clone_into(&mut tag);
                    assert!(line.contains(" RET=HDRS"), "{line}");
                    "250 2.1.0 ok\r\n"
                }
                "RCPT" if self.refuses.load(Ordering::SeqCst) => "550 5.7.1 go away\r\n",
                "RCPT" if line.contains("<FAX=+15550199@offramp.example.com>") => {
                    "550 5.1.1 no such number\r\n"
                }
                "RCPT" => {
                    assert!(line.contains("<FAX=+15550101"), "{line}");
                    "250 2.1.5 ok\r\n"
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    let mut mail = String::new();
                    while !mail.ends_with("\r\n.\r\n") {
                        stream.read_line(&mut mail).await?;
                    }
                    self.mails.lock().unwrap().push(mail);
                    if !self.silent.load(Ordering::SeqCst) {
                        reports.heard(&tag, report("delivered", "2.1.5")).await?;
                    }
                    if self.loses.load(Ordering::SeqCst) {
                        return Ok(());
                    }
                    "250 2.0.0 taken\r\n"
                }
                "QUIT" => return stream.write_all(b"221 bye\r\n").await,
                _ => "250 2.0.0 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
        }
    }
}

fn report(action: &str, status: &str) -> (Outcome, String) {
    let raw = format!(
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nAction: {action}\r\nStatus: {status}\r\n\
         \r\n--b--\r\n"
    );
    let message = Message::parse(raw.into_bytes().into(), &Limits::default()).unwrap();
    read_report(&message).unwrap()
}

struct Try {
    folder: tempfile::TempDir,
    reports: Arc<Reports>,
    fake: Arc<Fake>,
}

impl Try {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reports = Reports::open(folder.path().join("offramp"));
        let fake = Fake::start(&reports).await;
        Self { folder, reports, fake }
    }

    /// A driver of a new life, which reads what is durable.
    fn driver(&self, change: impl FnOnce(&mut Options)) -> OffRamp {
        let mut options = Options {
            server: format!("smtp://127.0.0.1:{}", self.fake.port),
            domain: "offramp.example.com".into(),
            profile: Profile::S,
            confirms: true,
            drops_duplicates: false,
            mdn: false,
            report_within: Duration::from_secs(20),
            sender: Sender {
                from: "fax@fax.example.com".into(),
                domain: "fax.example.com".into(),
                return_path: Box::new(|tag| format!("ret+{tag}@fax.example.com")),
            },
        };
        change(&mut options);
        let url = format!("smtp://127.0.0.1:{}", self.fake.port);
        let mut relay: postfax_gateway::client::Relay = url.parse().unwrap();
        relay.starttls = StartTls::Never;
        OffRamp::new(options, Courier::new(relay, 4).unwrap(), Arc::clone(&self.reports))
    }

    fn pages(&self) -> PathBuf {
        let mut page = Bitmap::white(Size::new(1728, 400).unwrap());
        page.blacken(100, 10, 900);
        let page = CodedPage::mmr(&page, Density { x: 204.0, y: 196.0 });
        let path = self.folder.path().join("sent.tif");
        let octets = tiff::write(&[page.clone(), page], FillOrder::HighestFirst);
        std::fs::write(&path, octets).unwrap();
        path
    }

    fn call(&self, tag: &str, number: &str) -> Call {
        Call {
            tag: tag.to_owned(),
            number: number.to_owned().try_into().unwrap(),
            subaddress: Some("007".into()),
            pages: self.pages(),
            pages_before: 0,
            resolution: Resolution::Fine,
            paper: Paper::A4,
            sender: "anna".into(),
            station_id: None,
            priority: 127,
            give_up_after: Duration::from_secs(60),
        }
    }
}

async fn follow(driver: &OffRamp, ticket: &Ticket) -> Result<Ended, DriverError> {
    let (tell, _told) = mpsc::channel(4);
    let followed = driver.follow(ticket, tell);
    tokio::time::timeout(Duration::from_secs(10), followed).await.unwrap()
}

#[tokio::test]
async fn the_driver_keeps_its_promises() {
    let here = Try::new().await;
    let sent = here.pages();
    for (confirms, run) in [(true, "reporting"), (false, "silent")] {
        here.fake.silent.store(!confirms, Ordering::SeqCst);
        let driver = here.driver(|options| options.confirms = confirms);
        let bench = Bench {
            folder: here.folder.path(),
            safe: here.folder.path(),
            run,
            pages: &sent,
            page_count: 2,
            resolution: Resolution::Fine,
            good: "+15550101".to_owned().try_into().unwrap(),
            busy: None,
            no_answer: None,
            receiver: None,
            same_pixels: &|one, other| same_pixels(one, other).map_err(|bad| bad.to_string()),
            call_limit: Duration::from_secs(10),
        };
        let steps = suite(&driver, &bench).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(steps.len(), 4, "{steps:#?}");
    }
    let mail = here.fake.mails.lock().unwrap()[0].clone();
    let message = Message::parse(mail.into_bytes().into(), &Limits::default()).unwrap();
    assert_eq!(message.message_id().as_deref(), Some("reporting.good@fax.example.com"));
    assert_eq!(message.content_type(), "image/tiff");
    let arrived = here.folder.path().join("arrived.tif");
    std::fs::write(&arrived, &*message.parts[0].bytes()).unwrap();
    assert!(same_pixels(&sent, &arrived).unwrap());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_settled_by_the_report_or_not_at_all() {
    let here = Try::new().await;
    here.fake.loses.store(true, Ordering::SeqCst);
    for (silent, within, expected) in [(false, 20, Outcome::Delivered), (true, 0, Outcome::Unknown)]
    {
        here.fake.silent.store(silent, Ordering::SeqCst);
        let driver = here.driver(|options| options.report_within = Duration::from_secs(within));
        let tag = format!("lost-{silent}");
        let unsure = driver.submit(&here.call(&tag, "+15550101")).await.unwrap_err();
        assert!(matches!(unsure, DriverError::Unsure { .. }), "{unsure}");
        // Another life asks, and sends nothing again.
        let driver = here.driver(|options| options.report_within = Duration::from_secs(within));
        let ticket = driver.find(&tag).await.unwrap().expect("it may have been taken");
        assert_eq!(follow(&driver, &ticket).await.unwrap().outcome, expected);
        driver.forget(&ticket).await.unwrap();
    }
    assert_eq!(here.fake.mails.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn where_duplicates_are_dropped_a_lost_one_is_sent_again_until_it_is_accepted() {
    let here = Try::new().await;
    let is_unsure = |said: Result<Option<Ticket>, DriverError>| {
        assert!(matches!(said, Err(DriverError::Unsure { .. })), "{said:?}");
    };
    here.fake.silent.store(true, Ordering::SeqCst);
    let driver = here.driver(|options| options.drops_duplicates = true);
    assert!(driver.drops_duplicates());
    for reported in [false, true] {
        let tag = format!("again-{reported}");
        let call = here.call(&tag, "+15550101");
        here.fake.loses.store(true, Ordering::SeqCst);
        is_unsure(driver.submit(&call).await.map(Some));
        is_unsure(driver.find(&tag).await);
        // What is said to the second says nothing of the first.
        here.fake.refuses.store(true, Ordering::SeqCst);
        is_unsure(driver.submit(&call).await.map(Some));
        let unreadable = Call { pages: here.folder.path().join("none"), ..call.clone() };
        is_unsure(driver.submit(&unreadable).await.map(Some));
        is_unsure(driver.find(&tag).await);
        here.fake.refuses.store(false, Ordering::SeqCst);
        here.fake.loses.store(false, Ordering::SeqCst);
        if reported {
            assert!(here.reports.heard(&tag, report("failed", "5.1.1")).await.unwrap());
        }
        let ticket = driver.submit(&call).await.unwrap();
        assert_eq!(driver.find(&tag).await.unwrap(), Some(ticket.clone()));
        if reported {
            assert_eq!(follow(&driver, &ticket).await.unwrap().outcome, Outcome::NotInService);
        }
    }
    let mails = here.fake.mails.lock().unwrap().clone();
    assert_eq!(mails.len(), 3, "what was reported on is not sent again");
    let id =
        |mail: &str| mail.lines().find(|line| line.starts_with("Message-ID")).map(str::to_owned);
    assert!(id(&mails[0]).is_some() && id(&mails[0]) == id(&mails[1]));
}

#[tokio::test]
async fn a_lost_mail_that_is_never_accepted_has_an_end() {
    let here = Try::new().await;
    here.fake.silent.store(true, Ordering::SeqCst);
    here.fake.loses.store(true, Ordering::SeqCst);
    let driver = here.driver(|options| {
        options.drops_duplicates = true;
        options.report_within = Duration::ZERO;
    });
    driver.submit(&here.call("tag", "+15550101")).await.unwrap_err();
    let ticket = driver.find("tag").await.unwrap().expect("it may have been taken");
    assert_eq!(follow(&driver, &ticket).await.unwrap().outcome, Outcome::Unknown);
}

#[tokio::test]
async fn a_mail_may_have_been_taken_from_its_last_octet_on() {
    let here = Try::new().await;
    let driver = here.driver(|_| {});
    for (trouble, unsure) in [
        (Trouble::Closed(Stage::Data), false),
        (Trouble::Closed(Stage::Message), false),
        (Trouble::Timeout(Stage::Message), false),
        (Trouble::Closed(Stage::End), true),
        (Trouble::Timeout(Stage::End), true),
        (Trouble::Closed(Stage::Verdict), true),
        (Trouble::Garbled(Stage::Verdict), true),
    ] {
        let failed = driver.trouble(&trouble);
        assert_eq!(matches!(failed, DriverError::Unsure { .. }), unsure, "{failed}");
        assert_eq!(matches!(failed, DriverError::Unreachable { .. }), !unsure, "{failed}");
    }
}

#[tokio::test]
async fn what_is_refused_is_not_there_and_a_report_that_comes_late_finds_nobody() {
    let here = Try::new().await;
    let driver = here.driver(|_| {});
    let taken = driver.submit(&here.call("sub", "+15550101")).await.unwrap();
    let plain = Call { subaddress: None, ..here.call("plain", "+15550199") };
    let refused = driver.submit(&plain).await.unwrap_err();
    assert!(
        matches!(refused, DriverError::Refused { outcome: Outcome::NotInService, .. }),
        "{refused}"
    );
    assert_eq!(driver.find("plain").await.unwrap(), None);
    assert!(!here.reports.heard("plain", report("failed", "5.1.1")).await.unwrap());
    // The first report stands.
    assert!(here.reports.heard("sub", report("failed", "4.4.1")).await.unwrap());
    assert_eq!(follow(&driver, &taken).await.unwrap().outcome, Outcome::Delivered);
}

#[tokio::test]
async fn pages_beyond_the_profile_go_elsewhere() {
    let here = Try::new().await;
    let page = Bitmap::white(Size::new(2432, 400).unwrap());
    let page = CodedPage::mmr(&page, Density { x: 204.0, y: 196.0 });
    let wide = here.folder.path().join("wide.tif");
    std::fs::write(&wide, tiff::write(&[page], FillOrder::HighestFirst)).unwrap();
    for (profile, fits) in [(Profile::S, false), (Profile::F, true)] {
        let driver = here.driver(|options| options.profile = profile);
        let tag = format!("wide-{fits}");
        let call = Call { pages: wide.clone(), ..here.call(&tag, "+15550101") };
        match driver.submit(&call).await {
            Ok(_) => assert!(fits),
            Err(DriverError::Refused { outcome: Outcome::FormatUnsendable, .. }) => assert!(!fits),
            Err(other) => panic!("{other}"),
        }
    }
}
