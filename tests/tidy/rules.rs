//! The rules of the house as functions of a file's path and text. What comes back
//! is what breaks the rule, in words. Reads no file.

use std::collections::BTreeMap;

use super::code::{self, Path};

/// Most lines of a file, its test modules aside.
pub const MOST_LINES: usize = 500;
/// From here on a file is looked at with suspicion.
pub const MANY_LINES: usize = 400;
/// What the domain may be built of.
const OF_THE_DOMAIN: [&str; 6] =
    ["imbl", "memchr", "phonenumber", "serde", "thiserror", "unicode-normalization"];
/// What of the outside the domain must not know.
const OUTSIDE: [&str; 18] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::os",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::sync::mpsc",
    "SystemTime",
    "Instant",
    "tokio",
    "async",
    "await",
];
/// The one folder that may be unsafe: it speaks to a library in C.
const UNSAFE: &str = "hw/src/spandsp/";

fn names(path: &Path, wanted: &str) -> bool {
    let wanted: Vec<&str> = wanted.split("::").collect();
    path.segments.len() >= wanted.len() && path.segments.iter().zip(wanted).all(|(a, b)| a == b)
}

/// Every file says first what it is.
pub fn opens_with_words(_: &str, text: &str) -> Vec<String> {
    match text.starts_with("//! ") {
        true => Vec::new(),
        false => vec!["does not open with `//!` and what it is".into()],
    }
}

/// No file is longer than anybody wants to read. Files of tests may be.
pub fn is_short(path: &str, text: &str) -> Vec<String> {
    let of_tests = path.contains("/tests/") || path.ends_with("/tests.rs");
    let lines = code::lines_without_tests(text);
    match lines > MOST_LINES && !of_tests {
        true => vec![format!("has {lines} lines without its tests; {MOST_LINES} are the most")],
        false => Vec::new(),
    }
}

/// The arrows between the crates, the domain's purity, SQL in the store alone, and
/// unsafe code in one folder.
pub fn names_what_it_may(path: &str, text: &str) -> Vec<String> {
    let forbidden: &[&str] = match path {
        _ if path.starts_with("src/domain/") => {
            &["postfax", "postfax_cards", "postfax_gateway", "postfax_hw", "sqlx"]
        }
        _ if path.starts_with("gateway/src/") => {
            &["postfax", "postfax_cards", "postfax_hw", "sqlx"]
        }
        _ if path.starts_with("hw/src/") => {
            &["postfax", "postfax_cards", "postfax_gateway", "sqlx"]
        }
        _ if path.starts_with("cards/src/") => {
            &["postfax", "postfax_domain", "postfax_gateway", "postfax_hw", "sqlx", "tokio"]
        }
        _ if path.starts_with("src/store/") => &[],
        // A measurement begins with a store that is full already.
        _ if path.starts_with("benches/") => &[],
        _ => &["sqlx"],
    };
    let outside: &[&str] = if path.starts_with("src/domain/") { &OUTSIDE } else { &[] };
    let unsafe_word: &[&str] = if path.starts_with(UNSAFE) { &[] } else { &["unsafe"] };
    let all = [forbidden, outside, unsafe_word].concat();
    let mut broken = Vec::new();
    for found in code::paths(&code::without_words(text)) {
        if let Some(word) = all.iter().find(|word| names(&found, word)) {
            broken.push(format!("line {}: `{word}` must not be named here", found.line));
        }
    }
    broken
}

/// What a manifest depends on: the arrows once more, where Cargo sees them.
pub fn depends_on_what_it_may(path: &str, text: &str) -> Vec<String> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(bad) => return vec![bad.to_string()],
    };
    let table = |name: &str| manifest.get(name).and_then(toml::Value::as_table);
    let needed = |name: &str| table(name).into_iter().flat_map(toml::Table::keys);
    let all =
        || ["dependencies", "dev-dependencies", "build-dependencies"].into_iter().flat_map(needed);
    let mut broken = Vec::new();
    let mut forbid = |name: &String, why: &str| broken.push(format!("`{name}`: {why}"));
    for name in all() {
        match (path, name.as_str()) {
            ("cards/Cargo.toml", name_of_ours) if name_of_ours.starts_with("postfax") => {
                forbid(name, "an arrow that is none")
            }
            (
                "src/domain/Cargo.toml",
                "postfax" | "postfax-cards" | "postfax-gateway" | "postfax-hw",
            )
            | ("gateway/Cargo.toml", "postfax" | "postfax-cards" | "postfax-hw")
            | ("hw/Cargo.toml", "postfax" | "postfax-cards" | "postfax-gateway") => {
                forbid(name, "an arrow that is none")
            }
            ("Cargo.toml", _) => {}
            (_, "sqlx") => forbid(name, "only the store knows SQL"),
            _ => {}
        }
    }
    if path == "src/domain/Cargo.toml" {
        for name in needed("dependencies").filter(|n| !OF_THE_DOMAIN.contains(&n.as_str())) {
            forbid(name, "the domain is built of nothing that reaches outside");
        }
    }
    let lints = table("lints").and_then(|lints| lints.get("workspace"));
    if lints != Some(&toml::Value::Boolean(true)) {
        broken.push("the lints of the workspace are not switched on".into());
    }
    broken
}

/// Everything comes from the public registry.
pub fn comes_from_the_registry(_: &str, text: &str) -> Vec<String> {
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let sources = text.lines().filter(|line| line.starts_with("source = "));
    sources.filter(|line| *line != public).map(|line| format!("{line} is not public")).collect()
}

/// No promise to do something later, and nothing that only a tracker understands.
pub fn holds_no_notes(_: &str, text: &str) -> Vec<String> {
    // Put together, so that this file may stand under its own rule.
    let words =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];
    let tracker = concat!("issue", " #");
    let mut broken = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let has_word =
            |word: &&&str| line.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word);
        if let Some(word) = words.iter().find(has_word) {
            broken.push(format!("line {}: {word}", number + 1));
        }
        if line.to_lowercase().contains(tracker) {
            broken.push(format!("line {}: a number of a tracker", number + 1));
        }
    }
    broken
}

/// Hosts are examples, numbers, or places that anybody can visit.
pub fn points_at_public_places(_: &str, text: &str) -> Vec<String> {
    const PLACES: [&str; 8] = [
        // A namespace that address books know.
        "calendarserver.org",
        "github.com",
        "keepachangelog.com",
        "semver.org",
        "www.apache.org",
        "www.w3.org",
        "docs.rs",
        "sh.rustup.rs",
    ];
    let mut broken = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for scheme in [concat!("http", "://"), concat!("https", "://")] {
            for rest in line.split(scheme).skip(1) {
                let is_of_a_name = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
                let host = &rest[..rest.find(|c| !is_of_a_name(c)).unwrap_or(rest.len())];
                let example = host.ends_with("example.com") || host.ends_with("example.org");
                let public = host.contains('.') && host.contains(char::is_alphabetic);
                if public && !example && !PLACES.contains(&host) {
                    broken.push(format!("line {}: who is {host}?", number + 1));
                }
            }
        }
    }
    broken
}

/// The map: the rooms of the daemon, and who may go to whom.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Map {
    /// What the rooms table names.
    pub rooms: Vec<String>,
    /// For each room the rooms that it may name.
    pub arrows: BTreeMap<String, Vec<String>>,
}

fn names_in(cell: &str) -> Vec<String> {
    cell.split("[`").skip(1).filter_map(|rest| Some(rest.split_once("`]")?.0.to_owned())).collect()
}

/// Reads the map out of the crate doc of `src/main.rs`: the table under "The rooms",
/// and the table of arrows between rooms, whose head is `| from | to | why |`.
pub fn map(main: &str) -> Map {
    let mut map = Map::default();
    let mut among_arrows = false;
    for line in main.lines().filter_map(|line| line.strip_prefix("//! ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        match cells[..] {
            ["", "from", "to", "why", ""] => among_arrows = true,
            ["", from, to, _, ""] if among_arrows => {
                for room in names_in(from) {
                    map.arrows.entry(room).or_default().extend(names_in(to));
                }
            }
            ["", rooms, _, ""] => map.rooms.extend(names_in(rooms)),
            _ => among_arrows = false,
        }
    }
    map
}

/// The map names every module that there is, and no other.
pub fn map_is_whole(main: &str, entries: &[String]) -> Vec<String> {
    let map = map(main);
    let declared = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let declared: Vec<&str> = declared.collect();
    let mut broken = Vec::new();
    for room in &map.rooms {
        if !declared.contains(&room.as_str()) {
            broken.push(format!("the map has a room [`{room}`] that is no module"));
        }
    }
    for module in &declared {
        match map.rooms.iter().filter(|room| room == module).count() {
            1 => {}
            count => broken.push(format!("the map has `{module}` {count} times")),
        }
    }
    for entry in entries.iter().filter(|entry| !declared.contains(&entry.as_str())) {
        broken.push(format!("src/{entry} is no module of main"));
    }
    broken
}

/// The room of a file of `src/`, and the modules that `super` counts from.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The rooms that a file names besides its own.
pub fn rooms_named(path: &str, text: &str, rooms: &[String]) -> Vec<(usize, String)> {
    let module = module_of(path);
    let mut named = Vec::new();
    for found in code::paths(&code::without_words(text)) {
        let supers = found.segments.iter().take_while(|s| *s == "super").count();
        let room = match found.segments[0].as_str() {
            "crate" => found.segments.get(1),
            "super" if supers >= module.len() => found.segments.get(supers),
            _ => None,
        };
        if let Some(room) = room.filter(|room| rooms.contains(room) && **room != module[0]) {
            named.push((found.line, room.clone()));
        }
    }
    named
}

/// A room goes to no other room than the map lets it.
pub fn keeps_to_the_map(path: &str, text: &str, map: &Map) -> Vec<String> {
    let from = &module_of(path)[0];
    let allowed = map.arrows.get(from).cloned().unwrap_or_default();
    let named = rooms_named(path, text, &map.rooms);
    let strays = named.into_iter().filter(|(_, room)| !allowed.contains(room));
    strays
        .map(|(line, room)| format!("line {line}: the map has no arrow from {from} to {room}"))
        .collect()
}

/// A link of a document leads to a file of this repository that exists.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            let file = target.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") {
                found.push((number + 1, file.to_owned()));
            }
        }
    }
    found
}
