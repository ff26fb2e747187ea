//! The house is tidy: the only test that reads sources. It holds the layout to what
//! the map in `src/main.rs` says, and files to the style of the house. What the
//! compiler and clippy can see (long functions, `unwrap`) is left to them.
//!
//! Each rule is a function of text, and each has a piece of bad text below that it
//! must catch.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "tidy/code.rs"]
mod code;
#[path = "tidy/rules.rs"]
mod rules;

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

type Rule = fn(&str, &str) -> Vec<String>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where nothing of ours is.
const ELSEWHERE: [&str; 2] = ["target", ".git"];

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !ELSEWHERE.contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// All files with one of these endings, by their path from the root, and their text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    let wanted = found
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.to_string_lossy().ends_with(ending)));
    let named = |path: PathBuf| {
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    wanted.map(named).collect()
}

/// Holds all files to a rule and panics with everything that breaks it.
fn hold(files: &[(String, String)], rule: impl Fn(&str, &str) -> Vec<String>) {
    assert!(!files.is_empty(), "a rule without files can break nothing");
    let broken: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            rule(path, text).into_iter().map(move |why| format!("{path}: {why}"))
        })
        .collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn main_rs() -> String {
    fs::read_to_string(root().join("src/main.rs")).unwrap()
}

/// The files of the daemon, which are not those of the domain.
fn daemon_files() -> Vec<(String, String)> {
    let mut files = files(&[".rs"]);
    files.retain(|(path, _)| {
        path.starts_with("src/") && !path.starts_with("src/domain/") && path != "src/main.rs"
    });
    files
}

#[test]
fn every_file_says_what_it_is() {
    hold(&files(&[".rs"]), rules::opens_with_words);
}

#[test]
fn no_file_is_too_long() {
    let files = files(&[".rs"]);
    for (path, text) in &files {
        let lines = code::lines_without_tests(text);
        if lines > rules::MANY_LINES {
            // Past the test harness, which shows nothing of tests that pass.
            let _ = writeln!(io::stdout(), "a smell: {path} has {lines} lines without its tests");
        }
    }
    hold(&files, rules::is_short);
}

#[test]
fn the_arrows_between_crates_are_kept() {
    hold(&files(&[".rs"]), rules::names_what_it_may);
    hold(&files(&["Cargo.toml"]), rules::depends_on_what_it_may);
    hold(&files(&["Cargo.lock"]), rules::comes_from_the_registry);
}

#[test]
fn notes_are_for_notebooks() {
    let endings = [".rs", ".md", ".toml", ".sh", ".sql", ".svg", ".service", ".ci/run"];
    hold(&files(&endings), rules::holds_no_notes);
    hold(&files(&endings), rules::points_at_public_places);
}

#[test]
fn the_map_is_true() {
    let (main, mut entries) = (main_rs(), Vec::new());
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if name != "main.rs" && name != "domain" {
            entries.push(name.trim_end_matches(".rs").to_owned());
        }
    }
    entries.sort();
    hold(&[("src/main.rs".into(), main)], |_, main| rules::map_is_whole(main, &entries));
}

#[test]
fn rooms_talk_only_along_the_arrows_of_the_map() {
    let map = rules::map(&main_rs());
    assert!(map.arrows.len() > 5, "the arrows were not read: {map:?}");
    hold(&daemon_files(), |path, text| rules::keeps_to_the_map(path, text, &map));
}

#[test]
fn the_map_has_no_arrow_that_nobody_goes() {
    let map = rules::map(&main_rs());
    let mut gone = BTreeSet::new();
    for (path, text) in daemon_files() {
        let from = path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned();
        let named = rules::rooms_named(&path, &text, &map.rooms);
        gone.extend(named.into_iter().map(|(_, to)| (from.clone(), to)));
    }
    for (from, rooms) in &map.arrows {
        for to in rooms {
            assert!(gone.contains(&(from.clone(), to.clone())), "nobody goes from {from} to {to}");
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    hold(&files(&[".md"]), |path, text| {
        let folder = root().join(path).parent().unwrap().to_owned();
        let dead = |(_, target): &(usize, String)| !folder.join(target).exists();
        let dead = rules::links(text).into_iter().filter(dead);
        dead.map(|(line, target)| format!("line {line}: there is no {target}")).collect()
    });
}

/// What each rule must catch, by the file that it is in, and what it must let pass.
#[cfg(test)]
mod bad {
    use super::*;

    fn check(rule: Rule, path: &str, text: &str, want: &[&str]) {
        let broken = rule(path, text);
        assert_eq!(broken.len(), want.len(), "{path}: {text:?}: {broken:?}");
        for (said, want) in broken.iter().zip(want) {
            assert!(said.contains(want), "{path}: {said} has no {want:?}");
        }
    }

    #[test]
    fn opening_words() {
        for (text, want) in [
            ("//! What it is.\nuse std::fs;\n", &[][..]),
            ("use std::fs;\n//! Late.\n", &["does not open"]),
            ("// What it is.\n", &["does not open"]),
            ("//!\n", &["does not open"]),
            ("", &["does not open"]),
        ] {
            check(rules::opens_with_words, "src/a.rs", text, want);
        }
    }

    #[test]
    fn lengths() {
        let long = "x\n".repeat(501);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x\n".repeat(500),
            "    y\n".repeat(99)
        );
        check(rules::is_short, "src/a.rs", &long, &["has 501 lines"]);
        check(rules::is_short, "tests/a.rs", &long, &["has 501 lines"]);
        check(rules::is_short, "src/a/tests.rs", &long, &[]);
        check(rules::is_short, "src/a.rs", &tested, &[]);
        check(rules::is_short, "src/a.rs", &format!("{tested}x\n"), &["has 501 lines"]);
    }

    #[test]
    fn arrows_in_sources() {
        let rule = rules::names_what_it_may;
        for (path, text, want) in [
            ("gateway/src/a.rs", "use postfax_hw::pages;", &["postfax_hw"][..]),
            ("gateway/src/a.rs", "// postfax_hw is not known here\n", &[]),
            ("gateway/src/a.rs", "let a = \"postfax_hw\";", &[]),
            ("gateway/src/a.rs", "/* use postfax_hw::a; */ use postfax_domain::b;", &[]),
            ("hw/src/a.rs", "fn a() {\n postfax_gateway::go() }", &["line 2: `postfax_gateway`"]),
            ("hw/src/a.rs", "use {postfax_gateway::a, std::fs};", &["postfax_gateway"]),
            ("cards/src/a.rs", "use postfax_domain::number;", &["postfax_domain"]),
            ("hw/src/a.rs", "use postfax_cards::Card;", &["postfax_cards"]),
            ("src/a.rs", "use postfax_gateway::a; use postfax_hw::b;", &[]),
            ("src/domain/a.rs", "use postfax_hw::b;", &["postfax_hw"]),
            ("src/domain/a.rs", "use std::{collections::BTreeMap, fs};", &["std::fs"]),
            ("src/domain/a.rs", "use std::{time::{Duration, Instant}};", &["std::time::Instant"]),
            ("src/domain/a.rs", "use std::time::Duration;", &[]),
            ("src/domain/a.rs", "let t = std::time::SystemTime::now();", &["SystemTime"]),
            ("src/domain/a.rs", "let t = Instant::now();", &["Instant"]),
            ("src/domain/a.rs", "async fn a() {}", &["async"]),
            ("src/domain/a.rs", "fn a() { b.await }", &["await"]),
            ("src/domain/a.rs", "let home = std::env::var(\"HOME\");", &["std::env"]),
            ("src/domain/a.rs", "use std::sync::{Arc, Mutex};", &["std::sync::Mutex"]),
            ("src/domain/a.rs", "use std::net::IpAddr; use std::thread;", &["std::net", "thread"]),
            ("src/domain/a.rs", "use tokio::sync::mpsc;", &["tokio"]),
            ("src/carry.rs", "sqlx::query(\"\");", &["sqlx"]),
            ("src/store/mod.rs", "sqlx::query(\"\");", &[]),
            ("benches/a.rs", "sqlx::query(\"\");", &[]),
            ("src/a.rs", "unsafe { a() }", &["unsafe"]),
            ("src/a.rs", "#![deny(unsafe_code)]", &[]),
            ("hw/src/spandsp/fax.rs", "unsafe { a() }", &[]),
        ] {
            check(rule, path, text, want);
        }
    }

    #[test]
    fn arrows_in_manifests() {
        let rule = rules::depends_on_what_it_may;
        let lints = "[lints]\nworkspace = true\n";
        for (path, text, want) in [
            ("gateway/Cargo.toml", "[dependencies]\npostfax-hw = 1\n", &["postfax-hw"][..]),
            ("gateway/Cargo.toml", "[dev-dependencies]\npostfax-hw = 1\n", &["postfax-hw"]),
            ("hw/Cargo.toml", "[dependencies]\npostfax-gateway = 1\n", &["postfax-gateway"]),
            ("hw/Cargo.toml", "[dependencies]\nsqlx = 1\n", &["sqlx"]),
            ("hw/Cargo.toml", "[dependencies]\npostfax-cards = 1\n", &["postfax-cards"]),
            ("cards/Cargo.toml", "[dependencies]\npostfax-domain = 1\n", &["postfax-domain"]),
            ("Cargo.toml", "[dependencies]\nsqlx = 1\npostfax-hw = 1\n", &[]),
            ("src/domain/Cargo.toml", "[dependencies]\nserde = 1\njiff = 1\n", &["jiff"]),
            ("src/domain/Cargo.toml", "[dev-dependencies]\nproptest = 1\n", &[]),
        ] {
            check(rule, path, &format!("{text}{lints}"), want);
        }
        check(rule, "hw/Cargo.toml", "", &["lints"]);
        check(rule, "hw/Cargo.toml", "[lints", &["TOML"]);
    }

    #[test]
    fn the_registry() {
        let rule = rules::comes_from_the_registry;
        let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        check(rule, "Cargo.lock", public, &[]);
        let git = "source = \"git+https://example.com/a\"\n";
        check(rule, "Cargo.lock", git, &["not public"]);
    }

    #[test]
    fn notes() {
        let rule = rules::holds_no_notes;
        check(rule, "a.md", concat!("a\n// TO", "DO: later\n"), &["line 2"]);
        check(rule, "a.md", concat!("FIX", "ME"), &["line 1"]);
        check(rule, "a.md", concat!("see Issue", " #12"), &["tracker"]);
        check(rule, "a.md", "todo = \"warn\" in the TODOS", &[]);
    }

    #[test]
    fn places() {
        let rule = rules::points_at_public_places;
        check(
            rule,
            "a.md",
            concat!("see http", "://mail.example.com/ and http", "://127.0.0.1:1/"),
            &[],
        );
        check(
            rule,
            "a.md",
            concat!("a\nsee https", "://registry.corp/x"),
            &["line 2: who is registry.corp"],
        );
    }

    const MAP: &str = "//! | room | what |\n//! |---|---|\n//! | [`a`], [`b`] | two |\n//!\n\
                       //! | from | to | why |\n//! |---|---|---|\n//! | [`a`] | [`b`] | so |\n//!\n\
                       mod a;\nmod b;\n";

    #[test]
    fn a_map_that_is_not_whole() {
        let broken = |main: &str, entries: &[&str]| {
            let entries: Vec<String> = entries.iter().map(|e| (*e).to_owned()).collect();
            rules::map_is_whole(main, &entries).join("\n")
        };
        assert_eq!(broken(MAP, &["a", "b"]), "");
        assert!(broken(&format!("{MAP}mod c;\n"), &[]).contains("`c` 0 times"));
        assert!(broken(&MAP.replace("mod b;\n", ""), &[]).contains("[`b`] that is no module"));
        assert!(broken(MAP, &["a", "b", "c"]).contains("src/c is no module"));
    }

    #[test]
    fn a_room_that_strays() {
        let map = rules::map(MAP);
        assert_eq!(map.rooms, ["a", "b"]);
        for (path, text, strays) in [
            ("src/a.rs", "use crate::b;", 0),
            ("src/b.rs", "use crate::a;", 1),
            ("src/b.rs", "use crate::{c, a::{self, X}};", 1 + 1),
            ("src/b/c.rs", "use super::super::a;", 1),
            ("src/b/c.rs", "use super::a;", 0),
            ("src/b/mod.rs", "use super::a;", 1),
            ("src/b.rs", "use crate::b::c; // crate::a", 0),
            ("src/b.rs", "fn f(x: crate::a::X) {}", 1),
        ] {
            let broken = rules::keeps_to_the_map(path, text, &map);
            assert_eq!(broken.len(), strays, "{path}: {text}: {broken:?}");
        }
    }

    #[test]
    fn links_are_found() {
        let found = rules::links("a [b](c.md#d)\n[e](https://example.com) ![f](g/h.svg) [i](#j)");
        assert_eq!(found, [(1, "c.md".to_owned()), (2, "g/h.svg".to_owned())]);
    }

    #[test]
    fn code_without_words() {
        for (source, code) in [
            ("a \"b\\\"c\" d", "a        d"),
            ("r#\"a\"b\"# c", "         c"),
            ("'\"' 'a \"b\"", "    'a    "),
            ("'\\'' a", "     a"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("a // b\nc", "a     \nc"),
        ] {
            assert_eq!(super::code::without_words(source), code, "{source}");
        }
    }
}
