//! The daemon is killed, hundreds of times: before each thing that it does and at
//! any moment, with faxes under way in both directions. Each fax that was taken is
//! sent exactly once, each that arrived is mailed at least once and known by its
//! Message-ID if twice, and none is lost.
//!
//! Why this can hold: whatever the outside sees stands between two notes on disk.
//! A mail is durable before its 250, and known by its Message-ID when it is offered
//! again. An attempt is durable before it is handed over, under a tag that the server
//! keeps; the server is asked for the tag before anything is handed over again, and is
//! let forget it only when the end is durable. A fax that arrived is durable, with its
//! key, before the server deletes it. A mail that we send is written anew, under the
//! same Message-ID, until its acceptance is durable.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use support::{
    lab::{Lab, Servers, alone},
    ledger::{Ledger, WAYS, Way},
    postfax::Postfax,
    sink::Sink,
    slow::Slow,
    wait_for,
};

/// Before which point the daemon kills itself.
const DIE_BEFORE: &str = "POSTFAX_DIE_BEFORE";
/// More points than a life with two faxes can have.
const MOST_POINTS: usize = 300;
/// How many lives are led at a time.
const HANDS: usize = 3;
/// A life that was killed is followed by one that is killed so early, in turn.
const AGAIN: usize = 11;
/// All points that have to be met.
const POINTS: [&str; 20] = [
    "pages",
    "keep mail",
    "offer",
    "commit",
    "promise",
    "reply",
    "carry",
    "submit",
    "placed",
    "ended",
    "let forget",
    "forget",
    "fetch",
    "keep",
    "tell",
    "let go",
    "release",
    "released",
    "deliver",
    "delivered",
];

/// The points at which a fax server has seen something of which we have no note yet.
const AROUND_SERVERS: [&str; 6] = ["placed", "ended", "forget", "keep", "released", "delivered"];

/// A collision of two calls is tried again at once.
const QUICK_RETRIES: &str = r#"
[retry]
busy = { delay_s = 1, tries = 50 }
no-answer = { delay_s = 1, tries = 50 }
no-fax-machine = { delay_s = 1, tries = 50 }
no-handshake = { delay_s = 1, tries = 50 }
mail-deferred = { delay_s = 1, tries = 1000 }
"#;

/// Fax servers, a mailbox, a daemon that is killed, and the book about all of it.
struct House {
    postfax: Postfax,
    ledger: Arc<Ledger>,
    sink: Sink,
    kills: usize,
    _lab: Lab,
}

impl House {
    fn new(name: &'static str, servers: Servers, lines: u32) -> Self {
        let lab = Lab::start(servers, lines);
        let sink = Sink::start();
        let postfax = Postfax::prepare(&lab.about, &sink, QUICK_RETRIES);
        let ledger = Arc::new(Ledger::new(name, &lab.about.servers, postfax.relay));
        Self { postfax, ledger, sink, kills: 0, _lab: lab }
    }

    /// A life that ends before a point, if it comes to it; whether it did.
    fn live_until(&mut self, point: &str, over: impl Fn(&Postfax) -> bool) -> bool {
        self.postfax.environment(&[(DIE_BEFORE, point)]);
        self.postfax.spawn();
        let died = wait_for("a life to end", 120, || {
            if self.postfax.has_ended() {
                return Some(true);
            }
            over(&self.postfax).then_some(false)
        });
        self.postfax.kill();
        self.kills += usize::from(died);
        died
    }

    /// A fax each way, and a life that ends before a point; then one that is cut short
    /// before its `again`th point while it makes good for it; then one that goes on to
    /// the end. Whether the first came to its point.
    fn die_at(&mut self, point: &str, again: usize) -> bool {
        let before = self.ledger.taken();
        let ledger = self.ledger.clone();
        let senders = WAYS.map(|way| {
            thread::spawn({
                let ledger = ledger.clone();
                move || ledger.send(way, 0)
            })
        });
        let quiet = |postfax: &Postfax| {
            ledger.taken() == before + 2
                && ledger.received() >= ledger.taken()
                && ledger.is_quiet(postfax).is_some()
        };
        let died = self.live_until(point, quiet);
        if died {
            self.live_until(&again.to_string(), quiet);
        }
        self.postfax.environment(&[]);
        self.postfax.spawn();
        wait_for("both faxes to be through", 120, || quiet(&self.postfax).then_some(()));
        self.postfax.kill();
        for sender in senders {
            sender.join().expect("both faxes are taken");
        }
        died
    }

    /// Lets everything come to its end, and looks.
    fn audit(&mut self, seconds: u64, quiet_for: Duration) {
        self.postfax.environment(&[]);
        self.postfax.run();
        self.ledger.drain(&self.postfax, seconds, quiet_for);
        self.ledger.audit(&self.postfax, &self.sink);
    }

    /// The points at which it was killed.
    fn points(&self) -> BTreeSet<String> {
        let log = self.postfax.log();
        log.lines()
            .filter_map(|line| line.strip_prefix("killed before: "))
            .map(Into::into)
            .collect()
    }
}

/// Numbers by chance, the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn seeded() -> Self {
        let given = std::env::var("POSTFAX_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
        let seed = given.unwrap_or_else(clock);
        eprintln!("POSTFAX_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Kills the daemon of a house `kills` times while clients send all the time: at moments
/// by chance, of which every third is soon after its start, and every fourth time at one
/// of the `points`, if it comes to it within a while.
fn kill_on(house: &mut House, mut chance: Chance, kills: usize, longest_ms: u64, points: &[&str]) {
    let enough = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..2 * WAYS.len())
        .map(|client| {
            let (enough, ledger) = (enough.clone(), house.ledger.clone());
            let pause = Duration::from_millis(longest_ms + chance.below(longest_ms));
            thread::spawn(move || send_on(&ledger, client, pause, &enough))
        })
        .collect();
    for kill in 0..kills {
        let point = (kill % 4 == 3).then(|| points.get(kill / 4 % points.len().max(1))).flatten();
        let point = point.map(|point| (DIE_BEFORE, *point));
        house.postfax.environment(point.as_slice());
        house.postfax.spawn();
        let at = match (point, kill % 3) {
            (Some(_), _) => 2 * longest_ms,
            (None, 0) => chance.below(longest_ms / 4),
            (None, _) => chance.below(longest_ms),
        };
        let until = Instant::now() + Duration::from_millis(at);
        while Instant::now() < until && !house.postfax.has_ended() {
            thread::sleep(Duration::from_millis(1));
        }
        let as_wanted = house.postfax.kill() || point.is_some();
        assert!(as_wanted, "the daemon ended by itself: {}", house.postfax.log());
        house.kills += 1;
    }
    enough.store(true, Ordering::SeqCst);
    house.postfax.environment(&[]);
    house.postfax.run();
    for client in clients {
        client.join().expect("all letters are taken");
    }
    house.postfax.kill();
}

/// One letter after the other; each fifth is offered only once.
fn send_on(ledger: &Ledger, client: usize, pause: Duration, enough: &AtomicBool) {
    let way: Way = WAYS[client % WAYS.len()];
    let mut turn = 0;
    while !enough.load(Ordering::SeqCst) {
        turn += 1;
        if turn % 5 == 0 {
            ledger.offer_once(way, client / 2);
        } else {
            ledger.send(way, client / 2);
        }
        thread::sleep(pause);
    }
}

#[test]
fn killed_at_every_boundary_and_at_random_nothing_is_lost_or_sent_twice() {
    let _alone = alone();
    let began = Instant::now();
    // First each kind of point by its name, then each point of a whole life.
    let next = AtomicUsize::new(0);
    let points = Mutex::new(BTreeSet::new());
    let at_points = AtomicUsize::new(0);
    let at_random = AtomicUsize::new(0);
    thread::scope(|scope| {
        for name in ["first", "second", "third"].into_iter().take(HANDS) {
            let (next, points, at_points) = (&next, &points, &at_points);
            scope.spawn(move || {
                let mut house = House::new(name, Servers::Stations, 1);
                loop {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    let Some(turn) = turn.checked_sub(POINTS.len()) else {
                        assert!(house.die_at(POINTS[turn], 1 + turn % AGAIN), "{}", POINTS[turn]);
                        continue;
                    };
                    assert!(turn < MOST_POINTS, "a life has no end");
                    if !house.die_at(&(turn + 1).to_string(), 1 + turn % AGAIN) {
                        break;
                    }
                }
                house.audit(60, Duration::from_secs(1));
                points.lock().unwrap().extend(house.points());
                at_points.fetch_add(house.kills, Ordering::SeqCst);
            });
        }
        scope.spawn(|| {
            let mut house = House::new("random", Servers::Stations, 2);
            kill_on(&mut house, Chance::seeded(), 120, 1200, &[]);
            house.audit(120, Duration::from_secs(1));
            eprintln!("{} faxes at random", house.ledger.received());
            at_random.fetch_add(house.kills, Ordering::SeqCst);
        });
    });
    let (at_points, at_random) = (at_points.into_inner(), at_random.into_inner());
    eprintln!(
        "killed {at_points} times around {} boundaries and {at_random} times at random, in {} s",
        next.into_inner() - HANDS,
        began.elapsed().as_secs()
    );
    let points = points.into_inner().unwrap();
    let missed: Vec<&&str> = POINTS.iter().filter(|point| !points.contains(**point)).collect();
    assert!(missed.is_empty(), "never killed before {missed:?}, but before {points:?}");
    assert!(at_points + at_random >= 200, "{at_points} + {at_random} kills");
}

#[test]
fn killed_while_real_servers_call_each_other_nothing_is_lost_or_sent_twice() {
    let began = Instant::now();
    let mut house = House::new("hylafax", Servers::Hylafax, 2);
    kill_on(&mut house, Chance::seeded(), 24, 8000, &AROUND_SERVERS);
    house.audit(240, Duration::from_secs(4));
    eprintln!(
        "killed {} times with {} faxes through HylaFAX, in {} s; at points: {:?}",
        house.kills,
        house.ledger.received(),
        began.elapsed().as_secs(),
        house.points()
    );
}

#[test]
fn a_second_daemon_leaves_the_first_alone() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    let growing = postfax.file("state/spool/growing");
    fs::write(&growing, "half a mail").unwrap();
    let second = postfax.serve_again();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(words.contains("in use by another Postfax"), "{words}");
    assert!(growing.exists(), "what the first is writing is still there");
}

/// The order to send is on its way to the server when the daemon dies, and the server
/// reads it when the next daemon has already asked whether it has the fax.
#[test]
fn an_order_that_outlives_the_daemon_is_not_given_twice() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let mut about = lab.about.clone();
    let slow = Slow::start(about.servers[0].port, "JSUBM", Duration::from_millis(1500));
    about.servers[0].port = slow.port;
    let mut postfax = Postfax::prepare(&about, &sink, QUICK_RETRIES);
    let ledger = Ledger::new("slow", &about.servers, postfax.relay);
    postfax.run();
    postfax.wait_for_servers();
    ledger.send(WAYS[0], 0);
    wait_for("the order", 30, || (slow.met() == 1).then_some(()));
    assert!(postfax.kill());
    postfax.run();
    ledger.drain(&postfax, 60, Duration::from_secs(4));
    ledger.audit(&postfax, &sink);
    assert_eq!(slow.met(), 1, "it was given once");
}
