//! The keepers with a supervisor, and a fax server that does what a test wants.

use std::sync::Mutex;

use async_trait::async_trait;
use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
    fleet::Health,
    job::Cause,
    names::Token,
    settings::{Change, Key, Kind, Level, Name, OnDrift, Record, State, Value},
    setup::{JobLimits, Server, Setup},
    supervisor::{Action, Answer, AskSettings, Request, Saved, SettingsRequest, Supervisor},
};
use postfax_hw::driver::{
    Call, Capabilities, Condition, DriverError, Ended, Progress, Ticket, Waiting,
};

use super::*;

static SCHEMA: Schema = Schema {
    kind: "fake",
    keys: &[Key {
        name: "max_dials",
        level: Level::Server,
        kind: Kind::Number { min: 1, max: 100, unit: "calls" },
        default: "12",
        about: "Most calls for one fax.",
    }],
};

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Away,
    /// It goes away when something is set.
    Fragile,
    Refuses,
    /// It takes half of it.
    Breaks,
    /// It is there, and lets nobody look.
    Closed,
}

pub(crate) struct Fake {
    mood: Mutex<Mood>,
    holds: Mutex<Settings>,
    settable: bool,
}

impl Fake {
    /// One that holds three dials.
    pub(crate) fn new(mood: Mood) -> Self {
        Self { mood: mood.into(), holds: dials(3).into(), settable: true }
    }

    fn away() -> DriverError {
        DriverError::Unreachable { server: "fake".into(), why: "refused".into() }
    }

    /// From now on it is like this.
    pub(crate) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// What it really holds.
    pub(crate) fn holds(&self) -> Settings {
        self.holds.lock().unwrap().clone()
    }

    fn mood(&self) -> Mood {
        *self.mood.lock().unwrap()
    }
}

#[async_trait]
impl Driver for Fake {
    fn capabilities(&self) -> Capabilities {
        let schema = self.settable.then_some(&SCHEMA);
        Capabilities {
            confirms: true,
            finds: true,
            cancels: true,
            receives: true,
            batches: false,
            schema,
        }
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        match self.mood() {
            Mood::Away => Err(Self::away()),
            _ => Ok(Condition { banner: "fake".into(), lines: vec![] }),
        }
    }

    async fn settings(&self, safe: &Path) -> Result<Settings, SettingsError> {
        assert!(safe.is_dir(), "the driver gets a folder");
        match self.mood() {
            Mood::Away => Err(SettingsError::Away(Self::away())),
            Mood::Closed => Err(SettingsError::Hindered("nobody may read it".into())),
            _ => Ok(self.holds.lock().unwrap().clone()),
        }
    }

    async fn set(&self, changes: &[Change], _safe: &Path) -> Result<Settings, SettingsError> {
        let mut holds = self.holds.lock().unwrap();
        let wanted = holds.with(changes.iter().cloned().map(|change| (change.name, change.to)));
        match self.mood() {
            Mood::Away => return Err(SettingsError::Away(Self::away())),
            Mood::Fragile => {
                *self.mood.lock().unwrap() = Mood::Away;
                return Err(SettingsError::Away(Self::away()));
            }
            Mood::Closed => return Err(SettingsError::Hindered("nobody may read it".into())),
            Mood::Refuses => return Err(SettingsError::Undone("it said no".into())),
            Mood::Breaks => {
                *holds = dials(99);
                return Err(SettingsError::Broken("it broke off".into()));
            }
            Mood::Well => *holds = wanted,
        }
        Ok(holds.clone())
    }

    async fn submit(&self, _: &Call) -> Result<Ticket, DriverError> {
        Err(Self::away())
    }
    async fn find(&self, _: &str) -> Result<Option<Ticket>, DriverError> {
        Err(Self::away())
    }
    async fn follow(&self, _: &Ticket, _: mpsc::Sender<Progress>) -> Result<Ended, DriverError> {
        Err(Self::away())
    }
    async fn cancel(&self, _: &Ticket) -> Result<(), DriverError> {
        Err(Self::away())
    }
    async fn forget(&self, _: &Ticket) -> Result<(), DriverError> {
        Err(Self::away())
    }
    async fn arrival(&self, _: Duration) {}
    async fn waiting(&self) -> Result<Vec<Waiting>, DriverError> {
        Err(Self::away())
    }
    async fn fetch(&self, _: &Waiting, _: &Path) -> Result<(), DriverError> {
        Err(Self::away())
    }
    async fn release(&self, _: &Waiting) -> Result<(), DriverError> {
        Err(Self::away())
    }
}

pub(crate) fn dials(number: i64) -> Settings {
    Settings([(Name::of_server("max_dials"), Value::Number(number))].into())
}

fn london() -> ServerName {
    ServerName::new("london-1").unwrap()
}

fn setup(on_drift: OnDrift) -> Setup {
    let server = Server {
        groups: Default::default(),
        numbers: vec![],
        lines: 1,
        draining: false,
        on_drift,
        takes: Default::default(),
        batch: 1,
    };
    Setup {
        domain: "fax.example.com".into(),
        country: "GB".parse().unwrap(),
        postmaster: "it@example.com".into(),
        groups: Default::default(),
        servers: [(london(), server)].into(),
        clients: Default::default(),
        roles: Default::default(),
        dial: vec![],
        routes: vec![],
        webhooks: Default::default(),
        retry: Default::default(),
        limits: JobLimits::default(),
    }
}

/// A supervisor and its keepers, in a folder of their own.
struct House {
    server: Arc<Fake>,
    supervisor: Supervisor,
    events: mpsc::Receiver<Event>,
    keepers: Keepers,
    alarms: usize,
    folder: tempfile::TempDir,
}

impl House {
    fn new(on_drift: OnDrift) -> Self {
        let server = Arc::new(Fake::new(Mood::Well));
        let drivers: Drivers = [(london(), server.clone() as Arc<dyn Driver>)].into();
        let folder = tempfile::tempdir().unwrap();
        let (tell, events) = mpsc::channel(64);
        let keepers = Keepers::of(&drivers, folder.path(), Duration::from_secs(60), &tell);
        let saved = Saved::default();
        let mut supervisor = Supervisor::restore(Arc::new(setup(on_drift)), saved);
        supervisor.handle(Event::Settable(schemas(&drivers)), now());
        Self { server, supervisor, events, keepers, alarms: 0, folder }
    }

    fn act(&mut self, event: Event) -> Option<Record> {
        let mut answer = None;
        for action in self.supervisor.handle(event, now()) {
            match action {
                Action::Push { server, version, settings, known } => {
                    self.keepers.push(&server, Order { version, settings, known });
                }
                Action::Promise(_, Answer::Settings(sheet)) => answer = Some(sheet.record),
                Action::Carry(job) if matches!(job.cause, Cause::Alarm(_)) => self.alarms += 1,
                _ => {}
            }
        }
        answer
    }

    fn ask(&mut self, what: AskSettings) -> Option<Record> {
        let by = Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() };
        let request = SettingsRequest { server: london(), by, what };
        self.act(Event::Asked(Request::Settings(Box::new(request)), Token(1)))
    }

    fn register(&mut self, number: i64) {
        let changes = vec![(Name::of_server("max_dials"), Some(Value::Number(number)))];
        let what = AskSettings::Register { base: None, changes, reason: String::new() };
        self.ask(what).expect("it is registered");
    }

    fn be(&self, mood: Mood) {
        self.server.be(mood);
    }

    /// Waits for the next thing that a keeper tells.
    async fn next(&mut self) {
        let event = self.events.recv().await.expect("the keepers tell something");
        self.act(event);
    }

    fn state(&mut self) -> State {
        self.ask(AskSettings::Get).expect("it was read").state().clone()
    }

    fn holds(&self) -> Settings {
        self.server.holds()
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_gets_its_settings_without_a_hand() {
    let mut house = House::new(OnDrift::Report);
    house.next().await;
    assert!(matches!(house.state(), State::Applied { .. }), "adopted");
    assert!(house.folder.path().join("london-1").is_dir());
    for leaves in [Mood::Away, Mood::Fragile] {
        house.be(leaves);
        let number = if leaves == Mood::Away { 5 } else { 6 };
        house.register(number);
        house.next().await;
        assert_eq!(house.state(), State::Pending);
        house.be(Mood::Well);
        house.act(Event::Health(london(), Health::up("", vec![])));
        house.next().await;
        assert!(matches!(house.state(), State::Applied { .. }), "{leaves:?}");
        assert_eq!(house.holds(), dials(number));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_is_read_and_gets_what_is_pending() {
    let mut house = House::new(OnDrift::Report);
    house.next().await;
    house.be(Mood::Away);
    house.register(5);
    house.next().await;
    tokio::time::sleep(Duration::from_secs(300)).await;
    house.be(Mood::Well);
    // It is read, and then written.
    house.next().await;
    house.next().await;
    assert!(matches!(house.state(), State::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_push_that_fails_says_why_and_what_the_server_holds() {
    for (mood, words, holds) in [(Mood::Refuses, "it said no", 3), (Mood::Breaks, "broke off", 99)]
    {
        let mut house = House::new(OnDrift::Report);
        house.next().await;
        house.be(mood);
        house.register(5);
        house.next().await;
        let record = house.ask(AskSettings::Get).unwrap();
        let State::Failed { why, .. } = record.state() else { panic!("{record:?}") };
        assert!(why.contains(words), "{why}");
        assert_eq!(record.held().settings, dials(holds));
        house.be(Mood::Well);
        house.ask(AskSettings::Push);
        house.next().await;
        assert!(matches!(house.state(), State::Applied { .. }));
        assert_eq!(house.holds(), dials(5));
    }
}

#[tokio::test(start_paused = true)]
async fn drift_is_noticed_by_reading_back() {
    for (on_drift, versions, holds) in
        [(OnDrift::Report, 1, 9), (OnDrift::Adopt, 2, 9), (OnDrift::Push, 1, 3)]
    {
        let mut house = House::new(on_drift);
        house.next().await;
        *house.server.holds.lock().unwrap() = dials(9);
        house.next().await;
        if on_drift == OnDrift::Push {
            house.next().await;
        }
        let record = house.ask(AskSettings::Get).unwrap();
        assert_eq!((record.versions().count(), house.alarms), (versions, 1), "{on_drift:?}");
        assert_eq!(house.holds(), dials(holds), "{on_drift:?}");
        let drifted = matches!(record.state(), State::Drifted { .. });
        assert_eq!(drifted, on_drift == OnDrift::Report, "{:?}", record.state());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_lets_nobody_look_is_told_of_once() {
    let mut house = House::new(OnDrift::Report);
    house.next().await;
    house.be(Mood::Closed);
    for _ in 0..3 {
        house.next().await;
    }
    assert_eq!(house.alarms, 1);
    house.be(Mood::Away);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert!(house.events.try_recv().is_err(), "that it is away is not told here");
    house.be(Mood::Well);
    house.next().await;
    assert!(matches!(house.state(), State::Applied { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_just_before_a_push_is_not_overwritten() {
    let mut house = House::new(OnDrift::Report);
    house.next().await;
    *house.server.holds.lock().unwrap() = dials(9);
    house.register(5);
    house.next().await;
    let State::Failed { why, again: None, .. } = house.state() else { panic!("it failed") };
    assert!(why.contains("max_dials: 3 -> 9"), "{why}");
    assert_eq!((house.holds(), house.alarms), (dials(9), 1));
    house.ask(AskSettings::Push);
    house.next().await;
    assert_eq!(house.holds(), dials(5));
}

#[tokio::test]
async fn only_servers_that_can_be_set_are_kept() {
    let fake = |settable| Arc::new(Fake { settable, ..Fake::new(Mood::Well) }) as Arc<dyn Driver>;
    let name = |name: &str| ServerName::new(name).unwrap();
    let drivers: Drivers =
        [(name("a"), fake(true)), (name("b"), fake(false)), (name(".."), fake(true))].into();
    let kept: Vec<String> = schemas(&drivers).keys().map(ToString::to_string).collect();
    assert_eq!(kept, ["a"]);
}
