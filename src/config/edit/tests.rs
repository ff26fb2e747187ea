//! What editing leaves as it was, and what it changes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

const MAIN: &str = "\
# The fax server of the branch.

# What is what.
[supervisor]
domain = \"fax.example.com\"   # ours

[limits]
max_pages = 10 # enough
# Nobody waits longer.
expire_s = 60

[[dial]]
to = \"+44*\"
via = [\n  \"a\", # first\n  \"b\",\n]

[retry]
busy = { delay_s = 240, tries = 8 }
";

const MORE: &str = "\
# The people.

# Anna is in London.
[[client]]
name = \"anna\"
mail = [\"anna@example.com\"]
receive = { format = \"both\" }

# Bert is not.
[[client]]
name = \"bert\"
quota.pages_a_day = 3

[[dial]]
to = \"*\"
";

fn texts() -> Vec<Text> {
    let text = |file: &str, text: &str| Text { file: file.into(), text: text.into() };
    vec![text("postfax.toml", MAIN), text("conf.d/more.toml", MORE)]
}

fn change(texts: &[Text], typed: &str) -> Result<Vec<Text>, String> {
    let (key, value) = typed.split_once('=').unwrap();
    let value = (!value.is_empty()).then(|| value.to_owned());
    edit(texts, &[Set { key: key.into(), value }])
}

#[test]
fn a_change_is_made_where_the_key_is_and_leaves_the_rest() {
    // What is typed, the file, what stands there before and after.
    for (typed, file, was, is) in [
        ("limits.max_pages=20", 0, "max_pages = 10 # enough", "max_pages = 20 # enough"),
        ("limits.max_jobs=5", 0, "expire_s = 60\n", "expire_s = 60\nmax_jobs = 5\n"),
        ("limits.expire_s=", 0, "# Nobody waits longer.\nexpire_s = 60\n", ""),
        ("supervisor.country=GB", 0, "# ours\n", "# ours\ncountry = \"GB\"\n"),
        ("dial[1].to=+33", 0, "to = \"+44*\"", "to = \"+33\""),
        ("dial[2].to=+33", 1, "to = \"*\"", "to = \"+33\""),
        ("dial[2].via=[\"a\"]", 1, "to = \"*\"\n", "to = \"*\"\nvia = [\"a\"]\n"),
        ("dial[2].via=a", 1, "to = \"*\"\n", "to = \"*\"\nvia = [\"a\"]\n"),
        ("retry.busy.delay_s=9", 0, "delay_s = 240", "delay_s = 9"),
        ("retry.busy.tries=", 0, "{ delay_s = 240, tries = 8 }", "{ delay_s = 240 }"),
        ("retry.no-answer.tries=2", 0, "tries = 8 }\n", "tries = 8 }\nno-answer = { tries = 2 }\n"),
        ("client.anna.receive.format=pdf", 1, "\"both\"", "\"pdf\""),
        ("client.anna.receive.language=fr", 1, "\"both\" }", "\"both\", language = \"fr\" }"),
        ("client.bert.quota.pages_a_day=4", 1, "pages_a_day = 3", "pages_a_day = 4"),
        ("client.bert.name=carl", 1, "name = \"bert\"", "name = \"carl\""),
        ("client.\"anna\".mail=a@b.c", 1, "[\"anna@example.com\"]", "[\"a@b.c\"]"),
        (
            "letters.language=de",
            0,
            "tries = 8 }\n",
            "tries = 8 }\n\n[letters]\nlanguage = \"de\"\n",
        ),
        (
            "client.carl={ groups = [\"x\"], mail = [\"c@d.e\"] }",
            1,
            "pages_a_day = 3\n",
            "pages_a_day = 3\n\n[[client]]\nname = \"carl\"\ngroups = [\"x\"]\nmail = [\"c@d.e\"]\n",
        ),
        ("dial[3]={to=\"+1*\"}", 1, "to = \"*\"\n", "to = \"*\"\n\n[[dial]]\nto = \"+1*\"\n"),
        ("group.london={}", 0, "tries = 8 }\n", "tries = 8 }\n\n[[group]]\nname = \"london\"\n"),
        (
            "client.bert=",
            1,
            "\n# Bert is not.\n[[client]]\nname = \"bert\"\nquota.pages_a_day = 3\n",
            "",
        ),
        (
            "client.anna=",
            1,
            "\n# Anna is in London.\n[[client]]\nname = \"anna\"\nmail = [\"anna@example.com\"]\nreceive = { format = \"both\" }\n",
            "",
        ),
        (
            "client.anna={mail=[\"n@e.w\"]}",
            1,
            "mail = [\"anna@example.com\"]\nreceive = { format = \"both\" }\n",
            "mail = [\"n@e.w\"]\n",
        ),
    ] {
        let old = texts();
        let new = change(&old, typed).unwrap_or_else(|why| panic!("{typed}: {why}"));
        assert_eq!(old[file].text.matches(was).count(), 1, "{typed}: {was:?}");
        assert_eq!(new[file].text, old[file].text.replace(was, is), "{typed}");
        assert_eq!(new[1 - file], old[1 - file], "{typed}");
        assert!(new[file].text.parse::<toml::Table>().is_ok(), "{typed}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_in_words() {
    for (typed, words) in [
        ("limits.max_page=1", "did you mean"),
        ("limit.max_pages=1", "there is no key \"limit\""),
        ("limits.max_pages.x=1", "after a single value"),
        ("limits[1].max_pages=1", "only one of these"),
        ("client.carl.mail=[\"a\"]", "there is no client \"carl\"; add one with client.carl={"),
        ("client={}", "name one of them"),
        ("dial.x.to=1", "count them"),
        ("dial[4]={to=\"*\"}", "the next free number is 3"),
        ("dial[0].to=1", "there is no dial[0]"),
        ("client.carl=5", "this is a table"),
        ("client.carl={name=\"bert\"}", "the name in the table is another one"),
        ("client.anna.mail=[\"a\"", "this is no TOML"),
        ("client.carl=", "there is no client"),
        ("limits.max_jobs=", "nothing is written there"),
        ("=1", "write a key"),
        ("limits.=1", "ends with a dot"),
        ("dial[x].to=1", "a number from 1"),
        ("client.\"anna.mail=1", "a quote is not closed"),
    ] {
        let why = change(&texts(), typed).expect_err(typed);
        assert!(why.contains(words), "{typed}: {why}");
    }
}

#[test]
fn what_stands_there_is_shown_with_its_file() {
    for (key, shown) in [
        ("limits.max_pages", &[("limits.max_pages", "postfax.toml", "10")][..]),
        (
            "client.anna.receive",
            &[("client.anna.receive", "conf.d/more.toml", "{ format = \"both\" }")],
        ),
        ("dial[2]", &[("dial[2]", "conf.d/more.toml", "to = \"*\"")]),
        ("dial[2].to", &[("dial[2].to", "conf.d/more.toml", "\"*\"")]),
    ] {
        let found: Vec<Found> = show(&texts(), key).unwrap();
        let found: Vec<(&str, PathBuf, &str)> =
            found.iter().map(|f| (f.key.as_str(), f.file.clone(), f.toml.as_str())).collect();
        let want: Vec<_> = shown.iter().map(|(k, f, t)| (*k, PathBuf::from(f), *t)).collect();
        assert_eq!(found, want, "{key}");
    }
    let all = show(&texts(), "client").unwrap();
    let keys: Vec<&str> = all.iter().map(|found| found.key.as_str()).collect();
    assert_eq!(keys, ["client.anna", "client.bert"]);
    assert!(show(&texts(), "client.carl").is_err() && show(&texts(), "limits.max_jobs").is_err());
}

#[test]
fn lines_keep_their_ends() {
    let text = Text { file: "a".into(), text: "# a\r\n[limits]\r\nmax_pages = 1\r\n".into() };
    let new = change(&[text], "limits.max_pages=2").unwrap();
    assert_eq!(new[0].text, "# a\r\n[limits]\r\nmax_pages = 2\r\n");
}

/// The example configurations.
fn examples() -> Vec<Vec<Text>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mains = [
        "tests/config/good/full/postfax.toml",
        "tests/config/good/minimal.toml",
        "tests/config/good/warnings.toml",
        "docs/examples/first.toml",
        "docs/examples/login.toml",
    ];
    mains.iter().map(|main| crate::config::read_texts(&root.join(main)).unwrap()).collect()
}

/// Every key of a configuration that holds a single value.
fn keys(texts: &[Text]) -> Vec<String> {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    let mut keys = Vec::new();
    let mut walk = vec![];
    for text in texts {
        walk.push((String::new(), toml::Value::Table(text.text.parse().unwrap())));
        while let Some((key, value)) = walk.pop() {
            match value {
                toml::Value::Table(table) => walk.extend(table.into_iter().map(|(name, value)| {
                    (if key.is_empty() { name } else { format!("{key}.{name}") }, value)
                })),
                toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
                    for value in list {
                        let count = counts.entry(key.clone()).or_default();
                        *count += 1;
                        let key = match value.get("name").and_then(toml::Value::as_str) {
                            Some(name) => format!("{key}.{name}"),
                            None => format!("{key}[{count}]"),
                        };
                        walk.push((key, value));
                    }
                }
                _ => keys.push(key),
            }
        }
    }
    keys
}

/// The lines of `old` without those that a change replaced, and the same of `new`.
fn unchanged(old: &str, new: &str) -> bool {
    let diff = similar::TextDiff::from_lines(old, new);
    let changed = diff.ops().iter().filter(|op| op.tag() != similar::DiffTag::Equal);
    let changed: Vec<_> = changed.collect();
    changed.len() == 1 && changed[0].new_range().len() == 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn editing_any_key_keeps_all_other_lines(which in 0..5_usize, at in 0..1000_usize, value in "[a-z]{12}") {
        let old = examples().swap_remove(which);
        let keys = keys(&old);
        let key = keys[at % keys.len()].clone();
        let set = Set { key: key.clone(), value: Some(format!("\"{value}\"")) };
        let new = edit(&old, &[set]).unwrap();
        let changed: Vec<usize> = (0..old.len()).filter(|n| old[*n] != new[*n]).collect();
        prop_assert_eq!(changed.len(), 1, "{}", key);
        let (old, new) = (&old[changed[0]].text, &new[changed[0]].text);
        prop_assert!(unchanged(old, new), "{}:\n{}", key, new);
        prop_assert!(new.contains(&value));
    }
}
