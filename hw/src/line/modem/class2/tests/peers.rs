//! Modems of the telephone exchange.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use postfax_domain::{document::Resolution, outcome::Outcome};
use tempfile::TempDir;

use super::{
    super::{Class, Class2},
    assert_same, document,
    port::{Port, Stop},
};
use crate::{
    exchange::{Behaviour, Exchange, FaxClass, Options, alone::alone},
    line::call::{Ended, Step},
    t30::{Session, Station},
};

const LIMIT: Duration = Duration::from_secs(600);
/// How long a telephone rings at least, in real time.
const RINGING: Duration = Duration::from_secs(12);
/// Nobody at either end measures time in audio: calls may be fast.
const SPEED: f64 = 20.0;

pub(super) fn of(class: Class) -> FaxClass {
    match class {
        Class::Two => FaxClass::Two,
        Class::TwoZero => FaxClass::TwoZero,
        Class::TwoOne => FaxClass::TwoOne,
    }
}

pub(super) struct World {
    pub(super) exchange: Exchange,
    pub(super) folder: TempDir,
}

impl World {
    pub(super) fn new(speed: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(&folder.path().join("faxes"));
        // A program needs seconds of real time to answer, however fast the line is.
        let ringing_limit = options.ringing_limit.max(RINGING.mul_f64(speed));
        let options = Options { speed, ringing_limit, ..options };
        Self { exchange: Exchange::start(options).unwrap(), folder }
    }

    pub(super) fn modem(&self, class: Class, number: &str) -> PathBuf {
        self.exchange.modem_of(of(class), number, None).unwrap()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub(super) fn session(identity: &str, ecm: bool) -> Session {
    let station = Station { ecm, ..Station::new(identity) };
    Session { receive: None, ..Session::receiving(station, PathBuf::new()) }
}

/// Answers on a modem with this session.
pub(super) fn answers(
    modem: PathBuf,
    class: Class,
    session: Session,
    stop: impl FnMut(&Step) -> Stop + Send + 'static,
) -> thread::JoinHandle<(Ended, Vec<Step>)> {
    let port = Port::open(&modem);
    thread::spawn(move || {
        port.wait_for_ring();
        let call = Class2::answering(class, session, LIMIT).unwrap();
        port.hold(call, stop)
    })
}

pub(super) fn calls(
    modem: &Path,
    class: Class,
    session: Session,
    number: &str,
) -> (Ended, Vec<Step>) {
    let call = Class2::calling(class, session, number, LIMIT).unwrap();
    Port::open(modem).hold(call, |_| Stop::No)
}

pub(super) fn never(_: &Step) -> Stop {
    Stop::No
}

/// One fax of three pages from one class to another.
fn one_fax(world: &World, at: usize, from: Class, to: Class, ecm: bool) {
    let [caller, called] = [format!("5551{at:02}1"), format!("5551{at:02}2")];
    let (from_modem, to_modem) = (world.modem(from, &caller), world.modem(to, &called));
    let pages = [(Resolution::Fine, 300), (Resolution::Fine, 200), (Resolution::Standard, 250)];
    let sent = document(&world.folder, &format!("sent-{at}.tif"), &pages);
    let got = world.path(&format!("got-{at}.tif"));
    let receiver = Session { receive: Some(got.clone()), ..session("+49 30 5678", ecm) };
    let answering = answers(to_modem, to, receiver, never);
    let sender = Session { calling: true, send: Some(sent.clone()), ..session("+49 30 1234", ecm) };
    let (ended, steps) = calls(&from_modem, from, sender, &called);
    let (received, _) = answering.join().unwrap();
    assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 3), "{from:?}: {}", ended.said);
    assert_eq!(ended.remote.identity.as_deref(), Some("+49 30 5678"));
    assert_eq!((ended.statistics.bit_rate, ended.statistics.ecm), (14_400, ecm));
    assert_eq!(steps.iter().filter(|step| **step == Step::Asked).count(), 3);
    assert_eq!((received.outcome, received.pages), (Outcome::Delivered, 3), "{}", received.said);
    assert_eq!(received.remote.identity.as_deref(), Some("+49 30 1234"));
    assert_same(&sent, &got);
}

#[test]
fn all_classes_fax_to_all_classes() {
    let _alone = alone();
    let world = World::new(SPEED);
    thread::scope(|scope| {
        for (at, from) in Class::ALL.into_iter().enumerate() {
            let to = Class::ALL[(at + 1) % 3];
            let world = &world;
            scope.spawn(move || one_fax(world, 2 * at, from, from, false));
            scope.spawn(move || one_fax(world, 2 * at + 1, from, to, true));
        }
    });
}

#[test]
fn sub_address_password_and_polling_pass() {
    let _alone = alone();
    let world = World::new(SPEED);
    for (at, class) in [(0, Class::Two), (1, Class::TwoZero)] {
        let [caller, called] = [format!("5552{at}1"), format!("5552{at}2")];
        let (from, to) = (world.modem(class, &caller), world.modem(class, &called));
        let offered = document(&world.folder, "offered.tif", &[(Resolution::Fine, 200); 2]);
        let got = world.path("polled.tif");
        let answering = answers(
            to,
            class,
            Session { send: Some(offered.clone()), ..session("offers", false) },
            never,
        );
        let password = (class != Class::Two).then(|| "0815".to_owned());
        let polls = Session {
            calling: true,
            receive: Some(got.clone()),
            password: password.clone(),
            ..session("polls", false)
        };
        let (ended, _) = calls(&from, class, polls, &called);
        let (gave, _) = answering.join().unwrap();
        assert_eq!((ended.outcome, ended.pages), (Outcome::Delivered, 2), "{}", ended.said);
        assert_eq!((gave.outcome, gave.pages), (Outcome::Delivered, 2), "{}", gave.said);
        assert_eq!(
            (gave.remote.identity.as_deref(), gave.remote.password),
            (Some("polls"), password)
        );
        assert_same(&offered, &got);
    }
    let (from, to) = (world.modem(Class::TwoOne, "55531"), world.modem(Class::TwoOne, "55532"));
    let receiver = Session { receive: Some(world.path("sub.tif")), ..session("1", true) };
    let answering = answers(to, Class::TwoOne, receiver, never);
    let sender = Session {
        calling: true,
        send: Some(document(&world.folder, "sub-sent.tif", &[(Resolution::Fine, 50)])),
        subaddress: Some("4711".into()),
        ..session("2", true)
    };
    assert_eq!(calls(&from, Class::TwoOne, sender, "55532").0.outcome, Outcome::Delivered);
    assert_eq!(answering.join().unwrap().0.remote.subaddress.as_deref(), Some("4711"));
}

#[test]
fn a_program_that_dies_ends_the_call_at_the_other_side() {
    let _alone = alone();
    let world = World::new(SPEED);
    world.exchange.number("55540", Behaviour::Busy).unwrap();
    world.exchange.number("55541", Behaviour::NoDialTone).unwrap();
    world.exchange.number("55542", Behaviour::Voice).unwrap();
    let file = document(&world.folder, "sent.tif", &[(Resolution::Fine, 400); 3]);
    let sender = Session { calling: true, send: Some(file), ..session("1", false) };
    thread::scope(|scope| {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            let (world, sender) = (&world, &sender);
            scope.spawn(move || {
                let modem = world.modem(class, &format!("5555{at}"));
                for (number, outcome) in [
                    ("55540", Outcome::Busy),
                    ("55541", Outcome::NoDialTone),
                    ("55542", Outcome::NoHandshake),
                    ("99999", Outcome::NoFaxMachine),
                ] {
                    let (ended, _) = calls(&modem, class, sender.clone(), number);
                    assert_eq!(ended.outcome, outcome, "{number}: {}", ended.said);
                }
                // The receiver dies, or gives up, when it is connected or has the first page.
                let called = format!("5556{at}");
                let to = world.modem(class, &called);
                for (pages, polite) in [(0, false), (0, true), (1, false), (1, true)] {
                    let stops = move |step: &Step| {
                        let there = match step {
                            Step::Connected => pages == 0,
                            Step::Pages { count, .. } => *count == pages,
                            _ => false,
                        };
                        match (there, polite) {
                            (false, _) => Stop::No,
                            (true, false) => Stop::Dead,
                            (true, true) => Stop::Politely,
                        }
                    };
                    let receive = Some(world.path(&format!("broken-{at}.tif")));
                    let receiver = Session { receive, ..session("2", false) };
                    let answering = answers(to.clone(), class, receiver, stops);
                    let (ended, _) = calls(&modem, class, sender.clone(), &called);
                    let (gone, _) = answering.join().unwrap();
                    assert!(!ended.outcome.is_success(), "{:?}", ended.outcome);
                    assert_eq!(gone.pages, pages);
                    assert!(ended.pages <= pages, "{} pages", ended.pages);
                }
            });
        }
    });
}
