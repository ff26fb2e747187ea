//! Programs by other people at the far end of a call, with modems of the exchange: efax as
//! a program of Class 2 and 2.0, HylaFAX of Class 2, 2.0 and 2.1, mgetty and sendfax of
//! Class 2 and 2.0.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use postfax_domain::{document::Resolution, outcome::Outcome};

use super::{
    super::Class,
    assert_same, document, on_the_line, page,
    peers::{World, answers, calls, never, session},
};
use crate::{
    exchange::alone::alone,
    lab::{
        client::Client,
        error::free_port,
        hylafax::{self, Hylafax},
    },
    pages::{
        bitmap::Bitmap,
        ccitt::{Coding, decode, reverse_bits},
        tiff,
    },
    t30::Session,
};

const EFAX: &str = "/usr/bin/efax";
/// Programs measure real time, and a busy machine takes its own.
const SPEED: f64 = 5.0;
/// Most lines of a header that a sender prints above a page.
const HEADER_LINES: usize = 24;
/// The longest that a program takes.
const LIMIT_S: u64 = 100;
/// One more than a multiple of 4: HylaFAX cuts off the lines behind the last one that is
/// coded in one dimension, when it looks for an RTC in the last 20 bytes of a page.
const LINES: u32 = 301;
/// What efax sends must take it a second at least: it divides by the whole seconds that the
/// page took.
const EFAX_LINES: u32 = 700;
const EFAX_SPEED: f64 = 4.0;
/// HylaFAX draws its tag line over so many lines of a page at most, whatever the job says.
const TAG_LINES: usize = 40;

fn program(folder: &Path, path: &Path, arguments: &[&str]) -> Child {
    let log = |end: &str| {
        let name = path.file_name().unwrap().to_string_lossy();
        fs::File::create(folder.join(format!("{name}-{}.{end}", arguments.concat().len()))).unwrap()
    };
    Command::new("timeout")
        .args(["--kill-after=5", &LIMIT_S.to_string()])
        .arg(path)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log("out"))
        .stderr(log("err"))
        .spawn()
        .unwrap()
}

fn said(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".err") || name.ends_with(".out") {
            all += &format!(
                "--- {name}\n{}",
                String::from_utf8_lossy(&fs::read(entry.path()).unwrap())
            );
        }
    }
    all
}

/// The page arrived below at most so many lines, and nothing else did.
fn assert_below(arrived: &Bitmap, sent: &Bitmap, header: usize) {
    let rows = |page: &Bitmap| page.rows().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let (arrived, sent) = (rows(arrived), rows(sent));
    let above = arrived.len().checked_sub(sent.len()).expect("all lines arrived");
    assert!(above <= header, "{above} lines above the page");
    assert!(arrived[above..] == sent[..], "other pixels arrived");
}

fn sender(world: &World, name: &str, pages: usize) -> (Session, PathBuf) {
    let file = document(&world.folder, name, &vec![(Resolution::Fine, LINES); pages]);
    let sender =
        Session { calling: true, send: Some(file.clone()), ..session("+49 30 1234", false) };
    (sender, file)
}

fn receiver(world: &World, name: &str) -> (Session, PathBuf) {
    let file = world.path(name);
    (Session { receive: Some(file.clone()), ..session("+49 30 5678", false) }, file)
}

fn efax(world: &World, at: usize, class: Class, option: &str) {
    let [ours, theirs] = [format!("5557{at}1"), format!("5557{at}2")];
    let (our_modem, their_modem) = (world.modem(class, &ours), world.modem(class, &theirs));
    let device = their_modem.to_str().unwrap();
    let folder = world.path(&format!("efax-{at}"));
    fs::create_dir(&folder).unwrap();
    // It sends.
    let coded = folder.join("page.g3");
    fs::write(&coded, on_the_line(&page(1728, EFAX_LINES, 0))).unwrap();
    let (session, file) = receiver(world, &format!("from-efax-{at}.tif"));
    let answering = answers(our_modem.clone(), class, session, never);
    let number = format!("T{ours}");
    let head = [option, "-v", "ewinmcr", "-l", "+49 30 1", "-d", device];
    let coded = coded.to_str().unwrap().to_owned();
    let tail = ["-h", " ", "-t", number.as_str(), coded.as_str()];
    let status = program(&folder, Path::new(EFAX), &[&head[..], &tail].concat()).wait().unwrap();
    assert!(status.success(), "efax {status}: {}", said(&folder));
    let (ended, _) = answering.join().unwrap();
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{}", ended.said);
    assert_eq!(ended.remote.identity.as_deref(), Some("+49 30 1"));
    let arrived = tiff::read(&file).unwrap().decode(0).unwrap();
    assert_below(&arrived.page, &page(1728, EFAX_LINES, 0), HEADER_LINES);
    // It receives.
    let mut receiving = program(
        &folder,
        Path::new(EFAX),
        &[&head[..], &["-w", "-r", "got", "-i", "S0=1"]].concat(),
    );
    thread::sleep(Duration::from_secs(3));
    let (session, _) = sender(world, &format!("to-efax-{at}.tif"), 1);
    let (ended, _) = calls(&our_modem, class, session, &theirs);
    let status = receiving.wait().unwrap();
    assert_eq!(
        (ended.outcome, ended.pages),
        (Outcome::Delivered, 1),
        "{} {}",
        ended.said,
        said(&folder)
    );
    assert!(status.success(), "efax {status}: {}", said(&folder));
    let arrived = tiff::read(&folder.join("got.001")).unwrap().decode(0).unwrap();
    assert_below(&arrived.page, &page(1728, LINES, 0), 0);
}

#[test]
#[ignore = "real programs: how long it takes and whether it passes is to be measured"]
fn efax_sends_to_us_and_receives_from_us() {
    if !Path::new(EFAX).exists() {
        eprintln!("SKIPPED, NOT TESTED: efax with Class 2 modems: {EFAX} is not installed");
        return;
    }
    let _alone = alone();
    let world = World::new(EFAX_SPEED);
    thread::scope(|scope| {
        let world = &world;
        scope.spawn(move || efax(world, 0, Class::Two, "-o2"));
        scope.spawn(move || efax(world, 1, Class::TwoZero, "-o0"));
    });
}

fn end_of_job(port: u16, id: &str) -> (String, String) {
    let mut client = Client::log_in(port);
    let end = Instant::now() + Duration::from_secs(LIMIT_S);
    loop {
        let state = client.parameter(id, "STATE");
        if state == "DONE" || state == "FAILED" {
            return (state, client.parameter(id, "STATUS"));
        }
        assert!(Instant::now() < end, "job {id} is {state}");
        thread::sleep(Duration::from_millis(250));
    }
}

fn logs(spool: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(spool.join("log")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with('c') {
            all += &String::from_utf8_lossy(&fs::read(entry.path()).unwrap());
        }
    }
    all
}

#[test]
#[ignore = "a minute with real HylaFAX servers and modems of three classes"]
fn hylafax_sends_to_us_and_receives_from_us() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: HylaFAX with Class 2 modems (package, root)");
        return;
    }
    let _alone = alone();
    let world = World::new(SPEED);
    let numbers = ["+15551000201", "+15551000202", "+15551000203"];
    let modems = Class::ALL.iter().zip(numbers);
    let modems = modems.map(|(class, number)| (world.modem(*class, number), number.to_owned()));
    let options = hylafax::Options {
        dir: world.path("hylafax"),
        port: free_port().unwrap(),
        modems: modems.collect(),
        answering: 0,
        user: "postfax".into(),
        password: "letmein".into(),
        admin_password: "letmeadmin".into(),
        station_id: "hylafax".into(),
    };
    let server = Hylafax::start_with(options, |line, settings| {
        let class = ["Class2", "Class2.0", "Class2.1"][line];
        settings.replace("Class1\n", &format!("{class}\n"))
    });
    let server = server.unwrap();
    let mut seen = 0;
    for (at, class) in Class::ALL.into_iter().enumerate() {
        let begun = Instant::now();
        let ours = format!("+1555100030{at}");
        let modem = world.modem(class, &ours);
        let (session, sent) = sender(&world, &format!("to-hylafax-{at}.tif"), 3);
        let (ended, _) = calls(&modem, class, session, numbers[at]);
        let log = || logs(&server.spool());
        assert_eq!(
            (ended.outcome, ended.pages),
            (Outcome::Delivered, 3),
            "{} {}",
            ended.said,
            log()
        );
        assert_eq!(ended.remote.identity.as_deref(), Some("hylafax"));
        seen += 1;
        let got = received(&server.spool(), seen);
        assert_same(&sent, &got);
        eprintln!("{class:?}: three pages to HylaFAX in {:?}", begun.elapsed());

        let begun = Instant::now();
        let (session, file) = receiver(&world, &format!("from-hylafax-{at}.tif"));
        let answering = answers(modem, class, session, never);
        let mut client = Client::log_in(server.port());
        let document = fs::read(&sent).unwrap();
        let id = client.submit(&ours, &document, "class2");
        let (state, status) = end_of_job(server.port(), &id);
        assert_eq!(state, "DONE", "{status} {}", log());
        let (ended, _) = answering.join().unwrap();
        assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 3), "{}", ended.said);
        assert_under_tag_lines(&sent, &file);
        eprintln!("{class:?}: three pages from HylaFAX in {:?}", begun.elapsed());
    }
}

/// HylaFAX's pages arrived below its tag line.
fn assert_under_tag_lines(sent: &Path, got: &Path) {
    let [sent, got] = [sent, got].map(|path| tiff::read(path).unwrap());
    assert_eq!(sent.pages().len(), got.pages().len());
    for index in 0..sent.pages().len() {
        let [sent, got] = [&sent, &got].map(|file| file.decode(index).unwrap());
        assert!(got.damage.is_none(), "page {index}: {:?}", got.damage);
        let [sent, got] = [&sent.page, &got.page]
            .map(|page| page.rows().skip(TAG_LINES).map(<[u8]>::to_vec).collect::<Vec<_>>());
        assert_eq!(sent.len(), got.len(), "lines of page {index}");
        assert!(sent == got, "other pixels arrived on page {index}");
    }
}

/// The file of the fax that HylaFAX received as its `count`th.
fn received(spool: &Path, count: usize) -> PathBuf {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let entries = fs::read_dir(spool.join("recvq")).unwrap();
        let mut faxes: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "tif"))
            .collect();
        faxes.sort();
        if faxes.len() >= count && tiff::read(&faxes[count - 1]).is_ok_and(|f| f.pages().len() == 3)
        {
            // It may still be written.
            thread::sleep(Duration::from_millis(500));
            return faxes.swap_remove(count - 1);
        }
        assert!(Instant::now() < end, "HylaFAX did not keep a fax: {faxes:?}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "POSTFAX_MGETTY names a folder that hw/tests/peers/mgetty.sh has filled"]
fn mgetty_and_sendfax_take_class_2_modems() {
    let Some(folder) = std::env::var_os("POSTFAX_MGETTY").map(PathBuf::from) else {
        eprintln!("SKIPPED, NOT TESTED: mgetty with Class 2 modems: no POSTFAX_MGETTY");
        return;
    };
    let _alone = alone();
    let world = World::new(SPEED);
    let device = |path: &Path| path.strip_prefix("/dev").unwrap().to_str().unwrap().to_owned();
    for (at, class, name) in [(0, Class::Two, "cls2"), (1, Class::TwoZero, "c2.0")] {
        let [ours, theirs] = [format!("5558{at}1"), format!("5558{at}2")];
        let (our_modem, their_modem) = (world.modem(class, &ours), world.modem(class, &theirs));
        let theirs_device = device(&their_modem);
        let logs = world.path(&format!("mgetty-{at}"));
        fs::create_dir(&logs).unwrap();
        let coded = world.path("page.g3");
        fs::write(&coded, on_the_line(&page(1728, LINES, 0))).unwrap();
        let (session, file) = receiver(&world, &format!("from-mgetty-{at}.tif"));
        let answering = answers(our_modem.clone(), class, session, never);
        let arguments =
            ["-C", name, "-l", theirs_device.as_str(), ours.as_str(), coded.to_str().unwrap()];
        let status = program(&logs, &folder.join("sendfax"), &arguments).wait().unwrap();
        assert!(status.success(), "sendfax {status}: {}", said(&logs));
        let (ended, _) = answering.join().unwrap();
        assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 1), "{}", ended.said);
        let arrived = tiff::read(&file).unwrap().decode(0).unwrap();
        assert_below(&arrived.page, &page(1728, LINES, 0), 0);
        eprintln!("{class:?}: a page from sendfax");

        let spool = folder.join("spool");
        for old in fs::read_dir(&spool).unwrap() {
            fs::remove_file(old.unwrap().path()).unwrap();
        }
        let mut answering =
            program(&logs, &folder.join("mgetty"), &["-C", name, "-b", theirs_device.as_str()]);
        thread::sleep(Duration::from_secs(8));
        let (session, _) = sender(&world, &format!("to-mgetty-{at}.tif"), 1);
        let (ended, _) = calls(&our_modem, class, session, &theirs);
        assert_eq!(
            (ended.outcome, ended.pages),
            (Outcome::Delivered, 1),
            "{} {}",
            ended.said,
            said(&logs)
        );
        answering.wait().unwrap();
        let got: Vec<PathBuf> =
            fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(got.len(), 1);
        let mut bytes = fs::read(&got[0]).unwrap();
        let size = page(1728, LINES, 0).size();
        // mgetty asks for one dimension, and keeps what the line had, in either order of bits.
        let coding = Coding::Mh { aligned: false };
        let straight = decode(&bytes, coding, size);
        reverse_bits(&mut bytes);
        let reversed = decode(&bytes, coding, size);
        eprintln!("{class:?}: {:?} {:?} {:?}", got[0], straight.damage, reversed.damage);
        let best =
            if straight.damage.lines() <= reversed.damage.lines() { straight } else { reversed };
        assert!(best.damage.is_none());
        assert!(best.page == page(1728, LINES, 0), "other pixels arrived");
    }
}
