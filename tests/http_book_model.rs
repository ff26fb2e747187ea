//! Three clients and 10,000 entries with labels by chance, through the HTTP door of the
//! real program: what each of them finds, resolves and exports is what a model says that
//! may be seen, and nothing takes longer because it is hidden.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    process::Command,
};

use serde_json::Value;
use support::{http::House, lab::Description};

/// Entries of one file.
const ROWS: usize = 560;
/// Last names: each is in about a hundred entries.
const LAST: u64 = 100;
/// Numbers that there are.
const NUMBERS: u64 = 6000;
const CLIENTS: [&str; 3] = ["anna", "bob", "chief"];
/// Who writes each file, whose its entries are, and who else may refer to them.
const FILES: [(&str, &str, &str); 18] = [
    ("anna", "client:anna", "nobody"),
    ("anna", "client:anna", "client:bob"),
    ("anna", "client:anna", "group:london"),
    ("anna", "client:anna", "group:paris"),
    ("anna", "client:anna", "client:chief,group:paris"),
    ("bob", "client:bob", "nobody"),
    ("bob", "client:bob", "nobody"),
    ("bob", "client:bob", "client:anna"),
    ("bob", "client:bob", "group:london"),
    ("bob", "client:bob", "client:chief"),
    ("chief", "client:chief", "nobody"),
    ("chief", "client:chief", "everyone"),
    ("chief", "client:chief", "group:london"),
    ("chief", "client:chief", "client:anna,client:bob"),
    ("chief", "public", "everyone"),
    ("chief", "public", "everyone"),
    ("chief", "public", "group:paris"),
    ("chief", "public", "nobody"),
];

struct Entry {
    name: String,
    number: String,
    alias: String,
    owner: &'static str,
    label: &'static str,
}

/// Numbers that look like chance, the same each time (Knuth, MMIX).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// How near an entry is to a client, by the words of the design: 0 is their own, 1 is
/// shared with them, 2 is public.
fn rank(entry: &Entry, client: &str) -> Option<u8> {
    let group = if client == "bob" { "group:paris" } else { "group:london" };
    let own = format!("client:{client}");
    if entry.owner == own {
        Some(0)
    } else if entry.label.split(',').any(|party| party == own || party == group) {
        Some(1)
    } else if entry.label == "everyone" || (entry.owner == "public" && client == "chief") {
        Some(2)
    } else {
        None
    }
}

fn last(number: u64) -> String {
    format!("Last{number:02}")
}

/// Fills the book, a file at a time.
fn fill(house: &House, chance: &mut Chance) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut aliases: BTreeMap<&str, usize> = BTreeMap::new();
    for (writer, owner, label) in FILES {
        let mut table = String::from("Name,Fax,Alias\r\n");
        for _ in 0..ROWS {
            let count = aliases.entry(owner).or_default();
            *count += 1;
            let entry = Entry {
                name: format!("E{:05} {}", all.len(), last(chance.below(LAST))),
                number: format!("+4420794{:05}", chance.below(NUMBERS)),
                alias: format!("x{count:04}"),
                owner,
                label,
            };
            write!(table, "{},{},{}\r\n", entry.name, entry.number, entry.alias).unwrap();
            all.push(entry);
        }
        let file = house.postfax.file("import.csv");
        fs::write(&file, table).unwrap();
        let data = format!("@{}", file.display());
        let path = format!("/v1/book/import?owner={owner}&share={label}");
        let post = ["-X", "POST", "-H", "Content-Type: text/csv", "--data-binary", &data];
        let heard = house.curl(token(house, writer), &path, &post);
        let told = heard.json();
        assert_eq!(
            (heard.status, told["added"].as_array().map(Vec::len)),
            (200, Some(ROWS)),
            "{told}"
        );
    }
    all
}

fn token<'h>(house: &'h House, client: &str) -> &'h str {
    match client {
        "anna" => &house.anna,
        "bob" => &house.bob,
        _ => &house.chief,
    }
}

/// Asks for all of these over one connection: status, body and seconds of each.
fn many(house: &House, client: &str, paths: &[String]) -> Vec<(u16, String, f64)> {
    let folder = tempfile::tempdir().unwrap();
    let place = |at: usize| folder.path().join(at.to_string());
    let list: String = (0..).zip(paths).fold(String::new(), |mut list, (at, path)| {
        writeln!(list, "url = \"{}{path}\"\noutput = \"{}\"", house.url, place(at).display())
            .unwrap();
        list
    });
    let file = folder.path().join("list");
    fs::write(&file, list).unwrap();
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "200", "-w", "%{http_code} %{time_total}\\n"])
        .args(["-H", &format!("Authorization: Bearer {}", token(house, client)), "-K"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let heard = said.lines().enumerate().map(|(at, line)| {
        let (status, seconds) = line.split_once(' ').unwrap();
        let body = fs::read_to_string(place(at)).unwrap();
        (status.parse().unwrap(), body, seconds.parse().unwrap())
    });
    let heard: Vec<_> = heard.collect();
    assert_eq!(heard.len(), paths.len(), "{}", String::from_utf8_lossy(&output.stderr));
    heard
}

/// What a name or a number means to a client: one entry, none, or too many to say.
fn meant<'e>(
    all: &'e [Entry],
    client: &str,
    fits: impl Fn(&Entry) -> bool,
) -> (u16, Option<&'e str>) {
    let seen = all.iter().filter(|entry| fits(entry));
    let seen = seen.filter_map(|entry| Some((rank(entry, client)?, entry.name.as_str())));
    let mut seen: Vec<_> = seen.collect();
    seen.sort_unstable();
    match &seen[..] {
        [] => (404, None),
        [(nearest, _), (next, _), ..] if nearest == next => (400, None),
        [(_, name), ..] => (200, Some(name)),
    }
}

#[test]
fn nobody_sees_resolves_or_counts_what_is_not_theirs() {
    let house = House::start(&Description::unreachable(), "");
    let mut chance = Chance(5);
    let all = fill(&house, &mut chance);
    assert!(all.len() >= 10_000);
    for client in CLIENTS {
        what_is_found(&house, &all, client);
        let mut asked: BTreeMap<u16, usize> = BTreeMap::new();
        let word = |at| match at % 2 {
            0 => format!("x{:04}", 1 + chance.below(5 * ROWS as u64)),
            _ => format!("+4420794{:05}", chance.below(NUMBERS)),
        };
        let words: Vec<String> = (0..800).map(word).collect();
        let paths: Vec<String> = words.iter().map(|word| format!("/v1/book/{word}")).collect();
        for (word, (status, body, _)) in words.iter().zip(many(&house, client, &paths)) {
            let (expected, name) =
                meant(&all, client, |entry| entry.alias == *word || entry.number == *word);
            let told: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (status, told["entry"]["name"].as_str()),
                (expected, name),
                "{client} {word}: {told}"
            );
            *asked.entry(status).or_default() += 1;
            for hidden in all.iter().filter(|entry| rank(entry, client).is_none()) {
                assert!(!body.contains(&hidden.name), "{client} {word}: {body}");
            }
        }
        assert!([200, 400, 404].iter().all(|status| asked[status] >= 20), "{client}: {asked:?}");
    }
    hidden_takes_as_long_as_unknown(&house, &all);
}

/// Searches and an export hold what the client may see, all of it and nothing else.
fn what_is_found(house: &House, all: &[Entry], client: &str) {
    let seen = |word: &str| -> BTreeSet<&str> {
        let seen = all.iter().filter(|entry| rank(entry, client).is_some());
        seen.map(|entry| entry.name.as_str()).filter(|name| name.contains(word)).collect()
    };
    let exported =
        house.curl(token(house, client), "/v1/book/export?format=vcard4&what=visible", &[]);
    let cards = String::from_utf8(exported.body).unwrap();
    let names: BTreeSet<&str> = cards.lines().filter_map(|line| line.strip_prefix("FN:")).collect();
    assert_eq!(names, seen(""), "{client}");
    let words: Vec<String> = (0..LAST).map(last).collect();
    let paths: Vec<String> =
        words.iter().map(|word| format!("/v1/book?q={word}&limit=999")).collect();
    for (word, (status, body, _)) in words.iter().zip(many(house, client, &paths)) {
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &told["more"]), (200, &Value::Bool(false)), "{client} {word}");
        let entries = told["entries"].as_array().unwrap();
        let names: BTreeSet<&str> = entries.iter().map(|e| e["name"].as_str().unwrap()).collect();
        assert_eq!((names.len(), &names), (entries.len(), &seen(word)), "{client} {word}");
        let ranks = entries.iter().map(|entry| entry["rank"].as_str().unwrap());
        let places: Vec<_> =
            ranks.map(|r| ["own", "shared", "public"].iter().position(|w| *w == r)).collect();
        assert!(places.is_sorted(), "{client} {word}: {places:?}");
    }
    // Of what does not fit an answer, only what is seen is counted.
    let count = seen("").len();
    for (limit, more) in [(999, count > 999), (1, count > 1)] {
        let told = house.get(token(house, client), &format!("/v1/book?limit={limit}"));
        assert_eq!(
            (told["entries"].as_array().unwrap().len(), &told["more"]),
            (limit, &Value::Bool(more))
        );
    }
}

/// Numbers that others have and numbers that nobody has, in turn: neither takes longer.
fn hidden_takes_as_long_as_unknown(house: &House, all: &[Entry]) {
    let is_hidden =
        |entry: &&Entry| meant(all, "bob", |other| other.number == entry.number) == (404, None);
    let hidden = all.iter().filter(is_hidden).take(300).map(|entry| entry.number.clone());
    let unknown = (NUMBERS..).map(|number| format!("+4420794{number:05}"));
    let both = hidden.zip(unknown).flat_map(|(hidden, unknown)| [hidden, unknown]);
    let paths: Vec<String> = both.map(|number| format!("/v1/book/{number}")).collect();
    assert_eq!(paths.len(), 600);
    let mut took = [Vec::new(), Vec::new()];
    for (at, (status, _, seconds)) in many(house, "bob", &paths).into_iter().enumerate() {
        assert_eq!(status, 404);
        took[at % 2].push(seconds);
    }
    let [hidden, unknown] = took.map(|mut all| {
        all.sort_unstable_by(f64::total_cmp);
        all[all.len() / 2]
    });
    println!("half of the answers within {hidden} s where hidden, {unknown} s where unknown");
    let apart = (hidden - unknown).abs() / hidden.max(unknown);
    assert!(apart < 0.2, "{hidden} s where hidden, {unknown} s where unknown");
}
