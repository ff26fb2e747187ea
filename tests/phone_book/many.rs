//! Three clients and ten thousand entries with random labels, against a plain list that
//! knows who may see what: nobody reaches, finds or tells apart what is not theirs.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    OK, Site,
    support::{
        book::{Caller, add, ask_all_as},
        postfax::Postfax,
    },
};

const ENTRIES: usize = 10_000;
/// Names that entries have, and then some that none has.
const ALIASES: usize = 4_000;
const MISSING: usize = 400;
/// How many names each client sends to, and how many it looks up.
const SENT: usize = 1_200;
const LOOKED_UP: usize = 400;
/// Recipients of one connection: it takes no more than 200 refusals.
const OF_ONE_CONNECTION: usize = 150;
/// How many write the entries at the same time.
const WRITERS: usize = 16;
const CLIENTS: [(&str, &[&str]); 3] =
    [("anna", &["@london"]), ("bob", &["@paris"]), ("carl", &["@london", "@paris"])];

/// The same numbers in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

struct Entry {
    owner: &'static str,
    label: Vec<&'static str>,
    alias: String,
    number: String,
}

impl Entry {
    /// How near it is to a client; none: it is not there.
    fn rank(&self, client: &str, groups: &[&str]) -> Option<u8> {
        let names = |party: &&str| *party == client || groups.contains(party);
        match self.label[..] {
            _ if self.owner == client => Some(0),
            ["*"] => Some(2),
            _ if self.label.iter().any(names) => Some(1),
            _ => None,
        }
    }

    fn add(&self, postfax: &Postfax) {
        let name = format!("Name of {}", &self.number[1..]);
        let fields = json!({ "name": name, "alias": self.alias, "number": self.number });
        add(postfax, self.owner, &self.label, &fields);
    }
}

fn alias(number: usize) -> String {
    format!("a{number:05}x")
}

/// No owner has a name twice, and three of four names have several owners.
fn entries(dice: &mut Dice) -> Vec<Entry> {
    let mut taken = BTreeSet::new();
    let owners = ["anna", "bob", "carl", "public"];
    let mut entries = Vec::with_capacity(ENTRIES);
    while entries.len() < ENTRIES {
        let (owner, name) = (owners[dice.roll(4)], dice.roll(ALIASES));
        if !taken.insert((owner, name)) {
            continue;
        }
        let parties = ["anna", "bob", "carl", "@london", "@paris"];
        let mut label: Vec<&str> = parties.into_iter().filter(|_| dice.roll(4) == 0).collect();
        if dice.roll(8) == 0 {
            label = vec!["*"];
        }
        let number = format!("+44207946{:04}", entries.len());
        entries.push(Entry { owner, label, alias: alias(name), number });
    }
    entries
}

/// The numbers that a name means for a client: those of the nearest rank that has one.
fn nearest<'a>(entries: &'a [Entry], client: &str, groups: &[&str], alias: &str) -> Vec<&'a str> {
    let called = entries.iter().filter(|entry| entry.alias == alias);
    let ranked: Vec<_> =
        called.filter_map(|entry| Some((entry.rank(client, groups)?, &*entry.number))).collect();
    let first = ranked.iter().map(|(rank, _)| *rank).min();
    ranked.iter().filter(|(rank, _)| Some(*rank) == first).map(|(_, number)| *number).collect()
}

fn expect(reply: &[String], alias: &str, numbers: &[&str]) {
    match numbers {
        [] => assert_eq!(reply, [Site::unknown(alias)]),
        [_] => assert_eq!(reply, [OK]),
        _ => {
            let head = format!("550-5.1.4 {alias} is {} entries", numbers.len());
            assert!(reply[0].starts_with(&head), "{reply:?}");
            let said: BTreeSet<&str> = reply[1..]
                .iter()
                .map(|line| line["550-5.1.4 ".len()..].split_once('@').unwrap().0)
                .collect();
            assert_eq!(said, numbers.iter().copied().collect());
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Names recipients only, and takes each back.
fn send(site: &Site, entries: &[Entry], (client, groups): (&str, &[&str]), dice: &mut Dice) {
    let (mut hidden, mut missing, mut means) = (Vec::new(), Vec::new(), [0; 3]);
    let mut caller = None;
    for turn in 0..SENT {
        if turn % OF_ONE_CONNECTION == 0 {
            caller = Some(Caller::begin(&site.postfax, client));
        }
        let caller = caller.as_mut().unwrap();
        let name = alias(dice.roll(ALIASES + MISSING));
        let numbers = nearest(entries, client, groups, &name);
        let began = Instant::now();
        let reply = caller.rcpt(&name);
        let took = began.elapsed();
        expect(&reply, &name, &numbers);
        means[numbers.len().min(2)] += 1;
        if numbers.is_empty() {
            let is_hidden = entries.iter().any(|entry| entry.alias == name);
            if is_hidden { hidden.push(took) } else { missing.push(took) }
        }
        if turn % 50 == 49 {
            caller.reset();
            caller.mail(client);
        }
    }
    assert!(means.iter().all(|count| *count > 10), "each kind is there: {means:?}");
    assert!(hidden.len() > 10 && missing.len() > 10);
    eprintln!(
        "{client}: {means:?} mean nothing, one, several; {} hidden take {:?}, {} missing {:?}",
        hidden.len(),
        median(hidden.clone()),
        missing.len(),
        median(missing.clone()),
    );
}

/// Looks names up, as a user of this host does.
fn look_up(site: &Site, entries: &[Entry], (client, groups): (&str, &[&str]), dice: &mut Dice) {
    let names: Vec<String> = (0..LOOKED_UP).map(|_| alias(dice.roll(ALIASES + MISSING))).collect();
    let questions = |ask: fn(&str, &str) -> Value| -> Vec<Value> {
        let questions: Vec<Value> = names.iter().map(|name| ask(client, name)).collect();
        ask_all_as(&site.postfax, client, &questions)
    };
    let found = questions(|_, name| json!({ "ask": "book", "do": "find", "text": name }));
    let shown = questions(|_, name| json!({ "ask": "book", "do": "show", "entry": name }));
    let explained = questions(
        |client, name| json!({ "ask": "explain", "from": client, "to": name, "pages": 1 }),
    );
    for (at, name) in names.iter().enumerate() {
        let seen: BTreeSet<&str> = entries
            .iter()
            .filter(|entry| entry.alias == *name && entry.rank(client, groups).is_some())
            .map(|entry| &*entry.number)
            .collect();
        let rows = found[at]["book"]["entries"]["entries"].as_array().unwrap();
        let rows: BTreeSet<&str> = rows.iter().map(|row| row["number"].as_str().unwrap()).collect();
        assert_eq!(rows, seen, "{client} finds {name}");
        assert_eq!(found[at]["book"]["entries"]["more"], false);
        let numbers = nearest(entries, client, groups, name);
        match numbers[..] {
            [number] => {
                assert_eq!(shown[at]["book"]["entry"]["entry"]["number"], number, "{}", shown[at]);
                assert_eq!(explained[at]["explained"]["to"], number, "{}", explained[at]);
            }
            _ => {
                assert!(explained[at].get("explained").is_none(), "{}", explained[at]);
                let problem = &shown[at]["problem"];
                let code = if numbers.is_empty() { "no-such-entry" } else { "bad-request" };
                assert_eq!(problem["code"], code, "{problem}");
                if numbers.is_empty() {
                    let nothing = format!("there is no entry \"{name}\" in the phone book");
                    assert_eq!(problem["message"], nothing);
                }
            }
        }
    }
}

#[test]
fn three_clients_and_ten_thousand_entries() {
    let site =
        Site::start("[limits]\nmax_recipients_per_hour = 1000000\nmax_mails_per_minute = 100000\n");
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let entries = entries(&mut dice);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for part in entries.chunks(ENTRIES.div_ceil(WRITERS)) {
            let postfax = &site.postfax;
            scope.spawn(move || part.iter().for_each(|entry| entry.add(postfax)));
        }
    });
    eprintln!("{ENTRIES} entries are written in {:?}", began.elapsed());
    for (client, groups) in CLIENTS {
        send(&site, &entries, (client, groups), &mut dice);
        look_up(&site, &entries, (client, groups), &mut dice);
    }
    assert!(site.postfax.jobs().is_empty(), "nothing was sent");
}
