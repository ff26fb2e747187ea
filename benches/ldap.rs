//! How fast the LDAP door completes what somebody types, with a hundred thousand entries:
//! from the search that leaves the client to the end of its answer, over a socket of this
//! machine, for one who sees all of them.
//!
//! ```text
//! cargo bench --bench ldap -- [--entries 100000] [--rounds 40]
//! ```
//!
//! It runs the real program with a store of its own, and no encryption.
#![allow(clippy::unwrap_used, reason = "a measurement that fails is none")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::json;
use support::{
    ldap::{BASE, Directory},
    postfax::PASSWORD,
};

/// What completion has to take at most, at the 99th percentile.
const TARGET: Duration = Duration::from_millis(10);
/// How many completions a mail client asks for.
const LIMIT: u8 = 100;

/// A client that knows just enough of BER.
struct Client {
    stream: TcpStream,
    come: Vec<u8>,
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], content].concat()
}

impl Client {
    fn bind(port: u16, user: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut client = Self { stream, come: Vec::new() };
        let name = tagged(4, format!("uid={user},ou=clients,{BASE}").as_bytes());
        let password = tagged(0x80, PASSWORD.as_bytes());
        client.say(&tagged(0x60, &[&[2, 1, 3], &name[..], &password].concat()));
        // ENUMERATED 0 is success.
        let answer = client.message();
        assert!(answer.windows(3).any(|octets| octets == [10, 1, 0]), "{answer:x?}");
        client
    }

    fn say(&mut self, operation: &[u8]) {
        let message = tagged(0x30, &[&[2, 1, 1], operation].concat());
        self.stream.write_all(&message).unwrap();
    }

    /// What the next message holds.
    fn message(&mut self) -> Vec<u8> {
        loop {
            if let Some((header, length)) = length(&self.come)
                && self.come.len() >= header + length
            {
                let rest = self.come.split_off(header + length);
                return std::mem::replace(&mut self.come, rest).split_off(header);
            }
            let mut some = [0; 64 << 10];
            let count = self.stream.read(&mut some).unwrap();
            assert!(count > 0, "the door closed");
            self.come.extend_from_slice(&some[..count]);
        }
    }

    /// How many entries complete this; the parts of a filter have to be in it in order.
    fn complete(&mut self, words: &[&str], prefix: bool) -> usize {
        let item = |attribute: &str| {
            let part = |(at, word): (usize, &&str)| {
                tagged(if prefix && at == 0 { 0x80 } else { 0x81 }, word.as_bytes())
            };
            let parts: Vec<u8> = words.iter().enumerate().flat_map(part).collect();
            tagged(0xa4, &[tagged(4, attribute.as_bytes()), tagged(0x30, &parts)].concat())
        };
        let items: Vec<u8> = ["cn", "mail", "givenName", "sn"].into_iter().flat_map(item).collect();
        let wanted: Vec<u8> = ["cn", "mail", "sn", "givenName", "objectClass"]
            .into_iter()
            .flat_map(|name| tagged(4, name.as_bytes()))
            .collect();
        let search = [
            tagged(4, BASE.as_bytes()),
            vec![10, 1, 2, 10, 1, 0, 2, 1, LIMIT, 2, 1, 0, 1, 1, 0],
            tagged(0xa1, &items),
            tagged(0x30, &wanted),
        ];
        self.say(&tagged(0x63, &search.concat()));
        let mut found = 0;
        loop {
            // After the number of the message: an entry, or the end.
            match self.message()[3] {
                0x64 => found += 1,
                0x65 => return found,
                other => panic!("an answer of {other:x}"),
            }
        }
    }
}

fn length(come: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*come.get(1)?);
    if first < 0x80 {
        return Some((2, first));
    }
    let octets = come.get(2..2 + first - 0x80)?;
    Some((2 + octets.len(), octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet))))
}

fn number(name: &str, otherwise: usize) -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).map_or(otherwise, |value| value.parse().unwrap())
}

/// Words that look like chance and are the same each time.
fn word(seed: usize) -> String {
    const PARTS: [&str; 24] = [
        "an", "ber", "car", "do", "el", "fin", "ga", "hol", "is", "jo", "kra", "lu", "mar", "no",
        "ost", "pe", "qui", "ros", "sen", "tho", "ul", "ver", "wil", "zu",
    ];
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11;
    (0..2 + mixed % 2).map(|at| PARTS[(mixed >> (8 * at)) % 24]).collect()
}

fn main() {
    let (count, rounds) = (number("--entries", 100_000), number("--rounds", 40));
    let entry = |at: usize| {
        json!({ "uid": format!("{at:08x}-0000-4000-8000-000000000000"), "label": "everyone",
                "name": format!("{} {}", word(at), word(at + count)),
                "company": format!("{} Ltd", word(at + 2 * count)),
                "alias": format!("{}-{at}", word(at + 3 * count)),
                "number": format!("+4420{:08}", at * 997 % 100_000_000) })
    };
    let entries: Vec<_> = (0..count).map(entry).collect();
    let directory = Directory::start(&entries, "");
    let mut client = Client::bind(directory.ldap, "anna");
    let mut worst = Duration::ZERO;
    let texts: &[(&str, bool, &[&[&str]])] = &[
        ("one letter", false, &[&["a"], &["b"], &["k"], &["w"], &["z"]]),
        ("two letters", false, &[&["an"], &["be"], &["zu"], &["qu"], &["ol"]]),
        ("three and more", false, &[&["mar"], &["anber"], &["quiros"], &["tholu"], &["ost"]]),
        ("two words", false, &[&["mar", "ost"], &["an", "be"], &["zu", "wil"]]),
        ("digits", false, &[&["44"], &["2079"], &["997"], &["0001"]]),
        ("in the domain", false, &[&["exam"], &["fax"], &["com"]]),
        ("nothing there", false, &[&["xyzzy"], &["qqq"], &["zzz"]]),
        ("begins with", true, &[&["a"], &["be"], &["mar"], &["tholu"], &["zuq"]]),
    ];
    for (kind, prefix, texts) in texts {
        let (mut took, mut found) = (Vec::new(), 0);
        for _ in 0..rounds {
            for words in *texts {
                let begun = Instant::now();
                found += client.complete(words, *prefix);
                took.push(begun.elapsed());
            }
        }
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)];
        println!(
            "  {kind:15} median {:>9.3?}  99 % {:>9.3?}  most {:>9.3?}  found {}",
            at(50),
            at(99),
            took[took.len() - 1],
            found / rounds / texts.len(),
        );
        worst = worst.max(at(99));
    }
    println!("99 % within {worst:.3?}, of at most {TARGET:?}, with {count} entries");
}
