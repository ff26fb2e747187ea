//! The handbook is true as far as a test can tell: the example configurations are
//! good, the README shows the very file, and every command that is written down is
//! understood by the program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_postfax");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// A file that only its owner may read.
fn secret(path: &Path) {
    fs::write(path, "secret\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn check(file: &Path) -> (Option<i32>, String) {
    let output = Command::new(PROGRAM)
        .args(["check", "--json"])
        .arg(file)
        .env_remove("CREDENTIALS_DIRECTORY")
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// `/etc/postfax` as the README has it set up.
fn etc() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("postfax.toml");
    fs::write(&file, read("docs/examples/first.toml")).unwrap();
    secret(&folder.path().join("office-1.pw"));
    secret(&folder.path().join("office-1.admin"));
    (folder, file)
}

#[test]
fn the_first_configuration_is_good() {
    let (folder, file) = etc();
    assert_eq!(check(&file), (Some(0), "[]\n".into()), "good, and nothing to warn of");
    fs::remove_file(folder.path().join("office-1.pw")).unwrap();
    assert_eq!(check(&file).0, Some(78), "the check does look at it");
}

#[test]
fn with_logins_it_is_good_as_well() {
    let (folder, file) = etc();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    fs::write(folder.path().join("conf.d/login.toml"), read("docs/examples/login.toml")).unwrap();
    assert_eq!(check(&file).0, Some(78), "the certificate is missing");
    secret(&folder.path().join("tls/cert.pem"));
    secret(&folder.path().join("tls/key.pem"));
    let mut passwd = Command::new(PROGRAM)
        .args(["passwd", "anna", "--config"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut passwd.stdin.take().unwrap(), b"correct horse\n").unwrap();
    assert!(passwd.wait().unwrap().success());
    assert_eq!(check(&file), (Some(0), "[]\n".into()));
}

/// The blocks of a document that are in this language.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = document.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn what_is_added_to_the_first_configuration_is_good() {
    let (folder, file) = etc();
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    let more = folder.path().join("conf.d/more.toml");
    let mut tried = 0;
    for page in ["docs/mail-servers.md", "docs/logins.md"] {
        for block in blocks(&read(page), "toml") {
            fs::write(&more, &block).unwrap();
            assert_eq!(check(&file), (Some(0), "[]\n".into()), "{page}: {block}");
            tried += 1;
        }
    }
    assert!(tried >= 3, "only {tried} were found");
}

#[test]
fn the_readme_shows_the_first_configuration() {
    let (readme, example) = (read("README.md"), read("docs/examples/first.toml"));
    assert!(readme.contains(&format!("```toml\n{example}```\n")), "they differ");
}

/// The commands in `sh` blocks that call the program, each as a shell would get it.
fn commands(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut shell = false;
    for line in document.lines() {
        if line.starts_with("```") {
            shell = line == "```sh";
        } else if shell {
            let line = line.replace("cargo run --release -- ", "postfax ");
            for part in line.split(" && ").flat_map(|part| part.split(" | ")) {
                if part.starts_with("postfax ") {
                    found.push(part.split(" > ").next().unwrap().to_owned());
                }
            }
        }
    }
    found
}

#[test]
fn every_command_that_is_written_down_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let understood = |command: &str| {
        // Whatever stands before `--help` is parsed first, and nothing is done.
        let command = command.replacen("postfax", "\"$POSTFAX\"", 1);
        let output = Command::new("sh")
            .args(["-c", &format!("{command} --help")])
            .env("POSTFAX", PROGRAM)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.status.success() && !output.stdout.is_empty()
    };
    assert!(!understood("postfax frobnicate"), "an unknown command is noticed");
    assert!(!understood("postfax jobs --frobnicate"), "an unknown option is noticed");
    let mut tried = 0;
    let pages = [
        "commands",
        "configuration",
        "letters",
        "lines",
        "logins",
        "mail-servers",
        "pages",
        "phone-book",
        "settings",
        "story",
        "webhooks",
    ];
    let pages = pages.map(|page| format!("docs/{page}.md"));
    for document in pages.iter().map(String::as_str).chain(["README.md"]) {
        for command in commands(&read(document)) {
            assert!(understood(&command), "{document}: {command}");
            tried += 1;
        }
    }
    assert!(tried >= 8, "only {tried} commands were found");
}

#[test]
fn commands_are_found() {
    let text = "postfax no\n```sh\na | postfax b -c\ncargo run --release -- demo\nx && cargo run --release -- demo\n\
                postfax d > e\n```\npostfax no\n";
    assert_eq!(commands(text), ["postfax b -c", "postfax demo", "postfax demo", "postfax d"]);
}

#[test]
fn the_unit_runs_commands_that_there_are() {
    let unit = read("systemd/postfax.service");
    let lines = unit.lines().filter_map(|line| line.split_once("=/usr/local/bin/postfax "));
    let mut commands = 0;
    for (_, arguments) in lines {
        let output =
            Command::new(PROGRAM).args(arguments.split(' ')).arg("--help").output().unwrap();
        assert!(output.status.success(), "{arguments}");
        commands += 1;
    }
    assert_eq!(commands, 3, "check, serve, reload");
}
