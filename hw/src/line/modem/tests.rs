//! The whole line: over terminals of the exchange, in real time, several calls at once; and
//! over a terminal where a script plays the modem.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{document::Resolution, number::Number};
use rustix::{
    fs::{Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use super::*;
use crate::{
    exchange::{Behaviour, Exchange, Options, Sending, alone::alone},
    line::call::{Ring, Step},
    pages::{
        bitmap::{Bitmap, Size},
        sheet,
        tiff::{CodedPage, FillOrder, read, write},
    },
    t30::{Session, Station},
};

/// Takes every fax that comes in.
struct Taker {
    folder: PathBuf,
    name: String,
    done: mpsc::Sender<(Ring, Session, Ended)>,
}

#[async_trait]
impl Desk for Taker {
    async fn rings(&self, _: &Ring) -> Option<Session> {
        let file = self.folder.join(format!("got-{}.tif", self.name));
        Some(Session::receiving(Station::new(&self.name), file))
    }

    async fn received(&self, ring: &Ring, session: &Session, ended: Ended) {
        self.done.send((ring.clone(), session.clone(), ended)).await.unwrap();
    }
}

/// A line that runs.
struct Running {
    line: Arc<ModemLine>,
    received: mpsc::Receiver<(Ring, Session, Ended)>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(folder: &TempDir, name: &str, device: &Path) -> Self {
        let mut options = ModemOptions::new(name, device);
        options.lock_folder = folder.path().to_owned();
        Self::with(folder, options)
    }

    fn with(folder: &TempDir, options: ModemOptions) -> Self {
        let (done, received) = mpsc::channel(8);
        let (stop, stopping) = watch::channel(false);
        let name = options.name.clone();
        let line = ModemLine::new(options);
        let desk = Arc::new(Taker { folder: folder.path().to_owned(), name, done });
        let kept = Arc::clone(&line);
        let task = tokio::spawn(async move { kept.run(desk, stopping).await });
        Self { line, received, stop, task }
    }

    async fn is(&self, what: impl Fn(&LineState) -> bool) {
        let mut changes = self.line.changes();
        let wait = async {
            while !what(&self.line.state()) {
                changes.changed().await.unwrap();
            }
        };
        let waited = timeout(Duration::from_secs(20), wait).await;
        assert!(waited.is_ok(), "the line is {:?}", self.line.state());
    }

    async fn ready(&self) {
        self.is(|state| *state == LineState::Ready(0)).await;
    }

    fn order(number: &str, file: &Path) -> (Order, mpsc::Receiver<Step>, watch::Sender<bool>) {
        let (steps, told) = mpsc::channel(64);
        let (stopper, stop) = watch::channel(false);
        let order = Order {
            number: Number::parse(number, "US".parse().unwrap()).unwrap(),
            session: Session::sending(Station::new("+1 555 9"), file.to_owned()),
            limit: Duration::from_secs(120),
            steps,
            stop,
        };
        (order, told, stopper)
    }

    async fn call(&self, number: &str, file: &Path) -> (Ended, Vec<Step>) {
        let (order, mut told, _stopper) = Self::order(number, file);
        let ended = self.line.place(order).await;
        let mut steps = Vec::new();
        while let Some(step) = told.recv().await {
            steps.push(step);
        }
        (ended, steps)
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
        assert_eq!(self.line.state(), LineState::Off);
    }
}

fn page() -> Bitmap {
    let mut page = Bitmap::white(Size::new(1728, 200).unwrap());
    for y in 0..200 {
        page.blacken(y, 40 + y, 60 + 2 * y);
    }
    page
}

fn document(folder: &Path) -> PathBuf {
    let path = folder.join("sent.tif");
    let page = CodedPage::mmr(&page(), sheet::density(Resolution::Fine));
    std::fs::write(&path, write(&[page], FillOrder::HighestFirst)).unwrap();
    path
}

fn arrived(path: &Path) {
    let file = read(path).unwrap();
    assert_eq!(file.pages().len(), 1);
    assert!(file.decode(0).unwrap().page == page(), "other pixels arrived");
}

const NUMBERS: [&str; 6] = [
    "+12025550101",
    "+12025550102",
    "+12025550103",
    "+12025550104",
    "+12025550105",
    "+12025550106",
];
const MACHINE: &str = "+12025550120";
const DROPS: &str = "+12025550121";
const BUSY: &str = "+12025550122";
const NO_TONE: &str = "+12025550123";
const VOICE: &str = "+12025550124";
const NO_ANSWER: &str = "+12025550125";

#[expect(clippy::await_holding_lock, reason = "the turn lasts as long as the test")]
#[expect(clippy::too_many_lines, reason = "many calls in one world, at the same time")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_on_terminals_in_real_time() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(&folder.path().join("faxes"));
    options.ringing_limit = Duration::from_secs(12);
    options.voice = Duration::from_secs(12);
    let exchange = Exchange::start(options).unwrap();
    let lines = NUMBERS.map(|number| {
        let device = exchange.modem(number, None).unwrap();
        Running::start(&folder, &number[9..], &device)
    });
    let mut machine = exchange.machine(MACHINE, 2, "machine").unwrap();
    exchange.number(BUSY, Behaviour::Busy).unwrap();
    exchange.number(NO_TONE, Behaviour::NoDialTone).unwrap();
    exchange.number(NO_ANSWER, Behaviour::NoAnswer).unwrap();
    exchange.number(VOICE, Behaviour::Voice).unwrap();
    exchange.number(DROPS, Behaviour::DropAfter(Duration::from_secs(14))).unwrap();
    let sent = document(folder.path());
    for line in &lines {
        line.ready().await;
    }
    let [a, mut b, mut c, d, e, f] = lines;
    let sending = Sending {
        number: NUMBERS[2],
        tiff: &sent,
        subaddress: Some("42"),
        ecm: true,
        progress: None,
    };
    let incoming = machine.call(sending);
    let ((to_b, steps), to_machine, from_machine, dropped, voice, quick) = tokio::join!(
        a.call(NUMBERS[1], &sent),
        d.call(MACHINE, &sent),
        incoming.result(),
        e.call(DROPS, &sent),
        f.call(VOICE, &sent),
        async {
            // The line is in its call with `a` by now.
            tokio::time::sleep(Duration::from_secs(5)).await;
            b.call(MACHINE, &sent).await.0
        },
    );
    assert_eq!((quick.outcome, quick.pages), (Outcome::LinesBusy, 0));
    eprintln!("ours to ours: {to_b:?}\nto a machine: {:?}", to_machine.0);
    assert_eq!((to_b.outcome, to_b.pages), (Outcome::Delivered, 1));
    assert_eq!(to_b.statistics.bit_rate, 14400);
    assert!(matches!(
        steps[..],
        [Step::Dialling, Step::Connected, Step::Asked, Step::Pages { count: 1, .. }]
    ));
    let (ring, session, got) = b.received.recv().await.unwrap();
    assert_eq!(ring.caller.as_deref(), Some(NUMBERS[0]));
    assert_eq!((got.outcome, got.pages), (Outcome::Delivered, 1));
    arrived(&session.receive.unwrap());
    assert_eq!(to_machine.0.outcome, Outcome::Delivered);
    arrived(&machine.received().await.unwrap().tiff);
    assert_eq!((from_machine.outcome, from_machine.pages_confirmed), (Outcome::Delivered, 1));
    let (_, session, got) = c.received.recv().await.unwrap();
    assert_eq!(got.remote.subaddress.as_deref(), Some("42"));
    arrived(&session.receive.unwrap());
    eprintln!("dropped: {:?}\nvoice: {:?}", dropped.0, voice.0);
    assert!(!dropped.0.outcome.is_success() && dropped.0.pages == 0);
    assert_eq!(voice.0.outcome, Outcome::NoFaxMachine);

    let (order, _told, stopper) = Running::order(MACHINE, &sent);
    let (busy, no_tone, no_answer, cancelled, ()) = tokio::join!(
        a.call(BUSY, &sent),
        d.call(NO_TONE, &sent),
        e.call(NO_ANSWER, &sent),
        f.line.place(order),
        async {
            tokio::time::sleep(Duration::from_secs(7)).await;
            stopper.send(true).unwrap();
        },
    );
    assert_eq!(busy.0.outcome, Outcome::Busy);
    assert_eq!(no_tone.0.outcome, Outcome::NoDialTone);
    assert_eq!(no_answer.0.outcome, Outcome::NoAnswer);
    assert_eq!((cancelled.outcome, cancelled.pages), (Outcome::Cancelled, 0));
    for line in [a, b, c, d, e, f] {
        line.stop().await;
    }
    exchange.stop();
}

/// Nobody waits for the line any more: whatever its call is, it hangs up, and lets go of
/// the desk and all that is behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_given_up_in_a_call_hangs_up() {
    for (says_to_dial, call) in [("CONNECT", "ATDT12025550199"), ("RING", "ATA")] {
        let folder = tempfile::tempdir().unwrap();
        let script = Script::new();
        let (path, (saw, seen)) = (script.path.clone(), std::sync::mpsc::channel());
        script.play(move |command| {
            saw.send(command.to_owned()).ok();
            match command {
                "ATDT12025550199" => says(says_to_dial),
                "ATA" => says("CONNECT"),
                command => sound(command),
            }
        });
        let mut options = ModemOptions::new("scripted", &path);
        options.lock_folder = folder.path().to_owned();
        let mut line = Running::with(&folder, options);
        line.ready().await;
        let sent = document(folder.path());
        let (order, _told, _stopper) = Running::order("+12025550199", &sent);
        let placing = Arc::clone(&line.line);
        let placing = tokio::spawn(async move { placing.place(order).await });
        let wait = || seen.recv_timeout(Duration::from_secs(20)).unwrap();
        while wait() != call {}
        line.stop.send(true).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!line.task.is_finished(), "calls come to their end");
        line.task.abort();
        // What it was about to send stands before it.
        while !wait().ends_with("ATH0") {}
        let left = async { while line.received.recv().await.is_some() {} };
        timeout(Duration::from_secs(10), left).await.expect("the desk is let go of");
        placing.abort();
    }
}

/// The modem's side of a terminal, where a script plays the modem.
struct Script {
    master: std::fs::File,
    path: PathBuf,
}

impl Script {
    fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap().into();
        // Raw from the start, so that nothing is echoed before the line opens it.
        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let mut settings = rustix::termios::tcgetattr(&slave).unwrap();
        settings.make_raw();
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(&slave, now, &settings).unwrap();
        // The terminal has to stay open, or reading fails until someone opens it.
        std::mem::forget(slave);
        Self { master: master.into(), path }
    }

    /// Answers commands until it says no more; gives all commands that it saw.
    fn play(
        self,
        mut answer: impl FnMut(&str) -> Option<String> + Send + 'static,
    ) -> std::thread::JoinHandle<Vec<String>> {
        use std::io::Read;
        std::thread::spawn(move || {
            let (mut master, mut line, mut seen) = (self.master, String::new(), Vec::new());
            let mut byte = [0];
            while matches!(master.read(&mut byte), Ok(1)) {
                if byte[0] != b'\r' {
                    line.push(char::from(byte[0]));
                    continue;
                }
                let command = std::mem::take(&mut line);
                seen.push(command.clone());
                let Some(says) = answer(&command) else { return seen };
                master.write_all(says.as_bytes()).unwrap();
            }
            seen
        })
    }
}

fn says(text: &str) -> Option<String> {
    Some(format!("\r\n{text}\r\n"))
}

/// What a modem of Class 1 says to its set-up.
fn sound(command: &str) -> Option<String> {
    match command {
        "AT+FCLASS=?" => says("0,1\r\n\r\nOK"),
        "AT+FTM=?" | "AT+FRM=?" => says("24,48,72,96\r\n\r\nOK"),
        "AT+FMM?" => says("Scripted 9600\r\n\r\nOK"),
        "AT+VCID=1" | "AT%CCID=1" | "AT#CLS=8#CID=1" => says("ERROR"),
        _ => says("OK"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_that_hangs_is_reset_and_one_that_is_pulled_is_out_of_service() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new();
    let path = script.path.clone();
    let mut dials = 0;
    let played = script.play(move |command| match command {
        // In mid-call it forgets its manners until it is reset.
        "ATDT12025550199" => {
            dials += 1;
            match dials {
                1 => says("CONNECT"),
                2 => says("RING"),
                _ => None,
            }
        }
        "ATH0" if dials == 1 => Some(String::new()),
        "ATA" => says("NO CARRIER"),
        command => sound(command),
    });
    let mut options = ModemOptions::new("scripted", &path);
    options.lock_folder = folder.path().to_owned();
    let line = Running::with(&folder, options);
    line.ready().await;
    let probe = probe::ask(&path, folder.path()).unwrap_err().to_string();
    assert!(
        probe.contains("in use by") && probe.contains(&std::process::id().to_string()),
        "{probe}"
    );
    let sent = document(folder.path());
    let (mut order, _told, stopper) = Running::order("+12025550199", &sent);
    order.limit = Duration::from_secs(2);
    let silent = line.line.place(order).await;
    drop(stopper);
    assert!(!silent.outcome.is_success(), "{silent:?}");
    line.ready().await;
    // A call comes in instead of the dialling, and is answered when the other has ended.
    let (glare, _) = line.call("+12025550199", &sent).await;
    assert_eq!(glare.outcome, Outcome::LinesBusy);
    line.is(|state| *state == LineState::Ready(0)).await;
    let (gone, _) = line.call("+12025550199", &sent).await;
    assert_eq!(gone.outcome, Outcome::ServerFault, "{gone:?}");
    line.is(|state| matches!(state, LineState::Failed(why) if why.contains("unplugged"))).await;
    let (refused, _) = line.call("+12025550199", &sent).await;
    assert_eq!(refused.outcome, Outcome::ServerFault);
    let seen = played.join().unwrap();
    assert!(seen.iter().any(|command| command == "ATA"), "{seen:?}");
    assert!(seen.iter().filter(|command| *command == "ATZ").count() >= 1, "{seen:?}");
    line.stop().await;
}
