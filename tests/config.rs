//! What `postfax check` says of configurations: nothing of good ones, and of bad
//! ones every mistake at once, with its place and with what would be right.
//!
//! Beside each `bad/NAME.toml` stands `NAME.expect`. A line `at FILE:LINE:COLUMN KEY`
//! is a problem that must be reported, and there must be no others; `not TEXT` must
//! not be shown; every other line must be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Exit code for a configuration that cannot be used (`EX_CONFIG` of sysexits.h).
const BAD_CONFIGURATION: i32 = 78;

struct Checked {
    code: Option<i32>,
    stdout: String,
    all: String,
}

fn check(file: &Path, more: &[&str]) -> Checked {
    let output = Command::new(env!("CARGO_BIN_EXE_postfax"))
        .arg("check")
        .arg(file)
        .args(more)
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let all = stdout.clone() + &String::from_utf8(output.stderr).unwrap();
    Checked { code: output.status.code(), stdout, all }
}

/// The files of a folder, and those named `postfax.toml` in the folders below it.
fn configurations(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(kind);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let nested = path.join("postfax.toml");
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        } else if nested.is_file() {
            files.push(nested);
        }
    }
    files.sort();
    files
}

fn problems(checked: &Checked) -> Vec<serde_json::Value> {
    serde_json::from_str(&checked.stdout).unwrap_or_else(|e| panic!("{e}: {}", checked.stdout))
}

/// `FILE:LINE:COLUMN KEY`
fn place(problem: &serde_json::Value) -> String {
    let file = Path::new(problem["file"].as_str().unwrap()).file_name().unwrap();
    let key = problem["key"].as_str().unwrap_or_default();
    let place = format!("{}:{}:{} {key}", file.display(), problem["line"], problem["column"]);
    place.trim_end().to_owned()
}

#[test]
fn good_configurations_pass() {
    let files = configurations("good");
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let text = check(&file, &[]);
        assert_eq!(text.code, Some(0), "{}\n{}", file.display(), text.all);
        let json = check(&file, &["--json"]);
        assert_eq!(json.code, Some(0), "{}\n{}", file.display(), json.all);
        for problem in problems(&json) {
            assert_eq!(problem["level"], "warning", "{problem}");
        }
    }
}

#[test]
fn bad_configurations_are_told_all_that_is_wrong() {
    let files = configurations("bad");
    assert!(files.len() >= 20, "{files:?}");
    let failures: Vec<String> = files.iter().filter_map(|file| told(file).err()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Whether a bad file makes the check say what is expected, and nothing else.
fn told(file: &Path) -> Result<(), String> {
    let expect = match file.file_name().unwrap() == "postfax.toml" {
        true => file.with_file_name("expect"),
        false => file.with_extension("expect"),
    };
    let expect = fs::read_to_string(&expect).unwrap_or_else(|e| panic!("{expect:?}: {e}"));
    let (text, json) = (check(file, &[]), check(file, &["--json"]));
    let fail = |why: String| Err(format!("{}: {why}\n{}", file.display(), text.all));
    if (text.code, json.code) != (Some(BAD_CONFIGURATION), Some(BAD_CONFIGURATION)) {
        return fail(format!("exit codes {:?} {:?}", text.code, json.code));
    }
    let mut expected = BTreeSet::new();
    for line in expect.lines() {
        let shown = if let Some(at) = line.strip_prefix("at ") {
            expected.insert(at.trim_end().to_owned());
            text.all.contains(at.split(' ').next().unwrap())
        } else if let Some(hidden) = line.strip_prefix("not ") {
            !text.all.contains(hidden) && !json.all.contains(hidden)
        } else {
            text.all.contains(line)
        };
        if !shown {
            return fail(format!("not so: {line}"));
        }
    }
    let found = problems(&json);
    // How a checkout sets permissions is not ours to say.
    let found = found.iter().filter(|p| !p["message"].as_str().unwrap().contains("everyone"));
    let found: BTreeSet<String> = found.map(place).collect();
    let missing: Vec<_> = expected.difference(&found).collect();
    let unexpected: Vec<_> = found.difference(&expected).collect();
    match missing.is_empty() && unexpected.is_empty() {
        true => Ok(()),
        false => fail(format!("missing {missing:?}, unexpected {unexpected:?}")),
    }
}

#[test]
fn every_problem_says_what_would_be_right() {
    for file in configurations("bad") {
        for problem in problems(&check(&file, &["--json"])) {
            assert!(problem["help"].as_str().is_some_and(|help| help.len() > 5), "{problem}");
            assert!(problem["message"].as_str().is_some_and(|m| !m.contains('\n')), "{problem}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let checked = check(Path::new("/nowhere/postfax.toml"), &["--json"]);
    assert_eq!(checked.code, Some(BAD_CONFIGURATION));
    let problem = &problems(&checked)[0];
    assert_eq!(problem["file"], "/nowhere/postfax.toml");
    assert_eq!(problem["line"], serde_json::Value::Null);
    assert!(problem["message"].as_str().unwrap().contains("cannot be read"));
}

#[test]
fn a_secret_that_everyone_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let minimal = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good/minimal.toml");
    let text = fs::read_to_string(minimal).unwrap();
    let url = "url = \"hylafax://10.1.0.5\"";
    assert!(text.contains(url));
    let file = folder.path().join("postfax.toml");
    fs::write(&file, text.replace(url, &format!("{url}\npassword_file = \"a.pw\""))).unwrap();
    let secret = folder.path().join("a.pw");
    fs::write(&secret, "geheim\n").unwrap();
    for (mode, warnings) in [(0o640, 0), (0o644, 1)] {
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
        let checked = check(&file, &["--json"]);
        assert_eq!(checked.code, Some(0));
        let problems = problems(&checked);
        assert_eq!(problems.len(), warnings, "{problems:?}");
        assert!(!checked.all.contains("geheim"));
        if let Some(problem) = problems.first() {
            assert_eq!(problem["key"], "server.office-1.password_file");
            assert!(problem["help"].as_str().unwrap().contains("chmod o-rwx"));
        }
    }
}
