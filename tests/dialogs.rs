//! Every dialogue in `tests/dialogs/` is held with the real daemon, over real sockets,
//! and answered as it is written there.
//!
//! A dialogue is a text file. What it shows comes first, as comments; then its head:
//!
//! | line | meaning |
//! |---|---|
//! | `listener: relay` | where it is held: `relay`, `submission`, `submissions`, `lmtp`, `lmtp unix`, or `strangers`: a relay that does not trust this host |
//! | `house: ordinary` | with which configuration: a name of [`HOUSES`]; `ordinary` if none is given |
//! | `queue: 2` | how many jobs it adds to the queue; none if it does not say |
//!
//! and what is said, in its order:
//!
//! | line | meaning |
//! |---|---|
//! | `C: text` | the client says a line; those that follow one another go out in one piece |
//! | `C= text` | the same without a line end |
//! | `S: text` | the server says exactly this line, where `*` stands for anything |
//! | `S+ text` | so reads one line of the server's next reply; several say it of the same reply |
//! | `= TLS` | the TLS handshake is done; `= TLS 1.2` and `= TLS 1.3` name the version |
//! | `= closed` | the server closes and says nothing more |
//!
//! `C*20: text` and `S*20: text` stand for twenty such lines. The client's text may
//! hold `\r`, `\n`, `\0`, `\\` and `\xFF`. Lines that are empty or begin with `#` are
//! for people.
//!
//! The fax servers cannot be reached, so what is accepted stays in the queue. The
//! dialogues of one house are held one after the other with one daemon, in the order
//! of their names. `tests/dialogs/README.md` says which of them shows which reply and
//! which extension, and names every one.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "dialogs/house.rs"]
mod house;
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use house::{HOUSES, House};
use support::wire::Tls;

/// One line of a dialogue.
#[derive(Debug)]
enum Turn {
    Client(Vec<u8>),
    Exactly(String),
    OneOf(String),
    Tls(Tls),
    Closed,
}

/// A dialogue as it is written.
#[derive(Debug, Default)]
struct Dialogue {
    listener: String,
    house: String,
    queue: usize,
    /// Each with the number of its line.
    turns: Vec<(usize, Turn)>,
}

/// Reads a dialogue.
fn read(text: &str) -> Result<Dialogue, String> {
    let mut dialogue = Dialogue { house: "ordinary".into(), ..Dialogue::default() };
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let bad = || format!("line {number}: what is {line:?}?");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once([' ', ':']).ok_or_else(bad)?;
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        let (kind, times) = match word.split_once('*') {
            Some((kind, times)) => (kind, times.parse().map_err(|_| bad())?),
            None => (word, 1),
        };
        for _ in 0..times {
            let turn = match kind {
                "listener" => {
                    rest.clone_into(&mut dialogue.listener);
                    continue;
                }
                "house" => {
                    rest.clone_into(&mut dialogue.house);
                    continue;
                }
                "queue" => {
                    dialogue.queue = rest.parse().map_err(|_| bad())?;
                    continue;
                }
                "C" => Turn::Client([octets(rest).ok_or_else(bad)?, b"\r\n".to_vec()].concat()),
                "C=" => Turn::Client(octets(rest).ok_or_else(bad)?),
                "S" => Turn::Exactly(rest.to_owned()),
                "S+" => Turn::OneOf(rest.to_owned()),
                "=" if rest == "TLS" => Turn::Tls(Tls::Any),
                "=" if rest == "TLS 1.2" => Turn::Tls(Tls::V12),
                "=" if rest == "TLS 1.3" => Turn::Tls(Tls::V13),
                "=" if rest == "closed" => Turn::Closed,
                _ => return Err(bad()),
            };
            dialogue.turns.push((number, turn));
        }
    }
    let known = HOUSES.iter().any(|(name, _)| *name == dialogue.house);
    match dialogue.turns.is_empty() || dialogue.listener.is_empty() || !known {
        true => Err("it needs a listener, a house that there is, and something to say".into()),
        false => Ok(dialogue),
    }
}

/// The octets that a text stands for.
fn octets(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        octets.extend(plain.as_bytes());
        let (octet, length) = match escaped.as_bytes().first()? {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b'0' => (0, 1),
            b'\\' => (b'\\', 1),
            b'x' => (u8::from_str_radix(escaped.get(1..3)?, 16).ok()?, 3),
            _ => return None,
        };
        octets.push(octet);
        rest = &escaped[length..];
    }
    octets.extend(rest.as_bytes());
    Some(octets)
}

/// Whether a line reads so, where `*` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else { return pattern == line };
    let Some(mut line) = line.strip_prefix(head) else { return false };
    while let Some((middle, after)) = rest.split_once('*') {
        let Some((_, left)) = line.split_once(middle) else { return false };
        (line, rest) = (left, after);
    }
    line.ends_with(rest)
}

/// Holds a dialogue, and says where it went otherwise.
fn hold(dialogue: &Dialogue, house: &House) -> Result<(), String> {
    let mut wire = house.connect(&dialogue.listener)?;
    let mut unsaid = Vec::new();
    let mut reply: Option<Vec<String>> = None;
    for (number, turn) in &dialogue.turns {
        if !matches!(turn, Turn::OneOf(_)) {
            reply = None;
        }
        if !matches!(turn, Turn::Client(_)) && !unsaid.is_empty() {
            wire.say(&std::mem::take(&mut unsaid));
        }
        match turn {
            Turn::Client(octets) => unsaid.extend(octets),
            Turn::Tls(version) => wire.secure_by(&house.postfax.file("cert.pem"), *version),
            Turn::Closed => match wire.line() {
                None => {}
                Some(line) => return Err(format!("line {number}: not closed, said {line:?}")),
            },
            Turn::Exactly(pattern) => match wire.line() {
                Some(line) if matches(pattern, &line) => {}
                other => return Err(format!("line {number}: {pattern:?} wanted, {other:?} said")),
            },
            Turn::OneOf(pattern) => {
                let lines = reply.get_or_insert_with(|| wire.reply());
                if !lines.iter().any(|line| matches(pattern, line)) {
                    return Err(format!("line {number}: no {pattern:?} in {lines:#?}"));
                }
            }
        }
    }
    match unsaid.is_empty() {
        true => Ok(()),
        false => Err("the client has the last word, and nobody sees the answer".into()),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogs")
}

/// The files of the dialogues, in the order of their names.
fn files() -> BTreeSet<PathBuf> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "txt")).collect()
}

/// The dialogues by their houses and names.
fn dialogues() -> BTreeMap<String, Vec<(String, Dialogue)>> {
    let mut houses: BTreeMap<String, Vec<(String, Dialogue)>> = BTreeMap::new();
    for path in files() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let dialogue = read(&fs::read_to_string(&path).unwrap());
        let dialogue = dialogue.unwrap_or_else(|why| panic!("{name}: {why}"));
        houses.entry(dialogue.house.clone()).or_default().push((name, dialogue));
    }
    houses
}

#[test]
fn every_dialogue_is_answered_as_it_is_written() {
    let mut failed = Vec::new();
    let mut held = 0;
    for (house, dialogues) in dialogues() {
        let house = House::open(&house);
        for (name, dialogue) in dialogues {
            held += 1;
            let before = house.jobs();
            if let Err(why) = hold(&dialogue, &house) {
                failed.push(format!("{name}: {why}"));
                continue;
            }
            let added = house.jobs() - before;
            if added != dialogue.queue {
                failed.push(format!("{name}: {added} jobs were added, not {}", dialogue.queue));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {held} failed:\n{}\n", failed.len(), failed.join("\n"));
    assert!(held > 0, "there are dialogues");
}

/// The files that a line of the README names: links to files of this folder.
fn named(text: &str) -> BTreeSet<String> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| link.ends_with(".txt")).map(str::to_owned).collect()
}

#[test]
fn the_table_names_every_dialogue_and_no_other() {
    let table = named(&fs::read_to_string(folder().join("README.md")).unwrap());
    let there: BTreeSet<String> = files()
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    let unnamed: Vec<_> = there.difference(&table).collect();
    let missing: Vec<_> = table.difference(&there).collect();
    assert!(unnamed.is_empty(), "not in the table: {unnamed:?}");
    assert!(missing.is_empty(), "not in the folder: {missing:?}");
    assert_eq!(named("a [b](c.txt) [d](e.md), [f](g.txt)").len(), 2);
}

#[test]
fn patterns() {
    for (pattern, line, fits) in [
        ("250 ok", "250 ok", true),
        ("250 ok", "250 okay", false),
        ("250 *", "250 ok", true),
        ("250*ok", "250 2.0.0 ok", true),
        ("250*ok", "250 2.0.0 okay", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b*", "xxbxxaxx", false),
        ("a*a", "a", false),
    ] {
        assert_eq!(matches(pattern, line), fits, "{pattern} {line}");
    }
    assert_eq!(octets(r"a\r\n\0\xff\\").unwrap(), b"a\r\n\0\xff\\");
    assert!(octets(r"\q").is_none());
    let other = "listener: relay\nC: a\nS: 250\nX: b\n";
    assert!(read(other).unwrap_err().contains("line 4"));
    assert!(read("listener: relay\n").is_err(), "nothing is said");
    assert!(read("listener: relay\nhouse: nowhere\nS: 220\n").is_err());
}
