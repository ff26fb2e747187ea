//! The demonstration, as a newcomer runs it: everything in one command, a fax that
//! arrives, and nothing left behind but its results.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

/// Modems in software keep the times of a telephone line: one demonstration at a time.
static LINES: Mutex<()> = Mutex::new(());

fn demo(temporary: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postfax"));
    // Whatever it makes and forgets would be seen in here.
    command.arg("demo").args(arguments).env("TMPDIR", temporary).env_remove("RUST_LOG");
    command
}

fn path(result: &Value, key: &str) -> PathBuf {
    result[key].as_str().unwrap_or_else(|| panic!("{key} in {result}")).into()
}

fn said(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    format!("{}: {stdout}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// Checks the line of results, and everything that it names.
fn check(line: &str) -> Value {
    let result: Value = serde_json::from_str(line).unwrap_or_else(|bad| panic!("{bad}: {line}"));
    assert_eq!(result["delivered"], true);
    assert_eq!(result["same_pixels"], true);
    assert_eq!(result["pages"], 2);
    let receipt = fs::read(path(&result, "receipt_mail")).unwrap();
    let receipt = MessageParser::default().parse(&receipt).unwrap();
    let about =
        receipt.parts.iter().find(|part| part.is_content_type("message", "delivery-status"));
    let about =
        String::from_utf8_lossy(about.expect("a part for machines").contents()).into_owned();
    assert!(about.contains("Action: delivered") && about.contains("Status: 2.1.5"), "{about}");
    let fax = fs::read(path(&result, "fax_mail")).unwrap();
    let fax = MessageParser::default().parse(&fax).unwrap();
    assert_eq!(fax.header_raw("X-Fax-Pages").map(str::trim), Some("2"));
    assert_eq!(fax.header_raw("X-Fax-Called").map(str::trim), result["number"].as_str());
    let sent = fs::read(path(&result, "sent_pdf")).unwrap();
    let received = fs::read(path(&result, "fax_pdf")).unwrap();
    assert!(sent.starts_with(b"%PDF-") && received.starts_with(b"%PDF-") && sent != received);
    assert!(fs::read(path(&result, "fax_picture")).unwrap().starts_with(b"\x89PNG\r\n"));
    result
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_fax_goes_out_and_comes_in_and_only_its_results_stay() {
    let _alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(temporary.path(), &["--json"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(output.stderr, b"", "nothing is said beside the results");
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(line.lines().count(), 1, "{line}");
    let result = check(&line);
    let folder = path(&result, "folder");
    assert_eq!(folder.parent(), Some(temporary.path()));
    assert_eq!(names(temporary.path()).len(), 1, "{:?}", names(temporary.path()));
    assert_eq!(names(&folder), ["fax-page-1.png", "fax.eml", "fax.pdf", "receipt.eml", "sent.pdf"]);
}

#[test]
fn a_newcomer_sees_every_step() {
    let _alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(temporary.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut rest = text.as_str();
    for words in [
        "without a telephone line",
        "london answers at +1555",
        "paris answers at +1555",
        "anna mails",
        "250 2.0.0 queued as 1",
        "london calls",
        "page 1 of 2 is confirmed",
        "page 2 of 2 is confirmed",
        "the call is over: delivered",
        "Delivered, 2 pages",
        "receipt.eml",
        "fax-page-1.png",
        "s in all",
    ] {
        let at = rest.find(words).unwrap_or_else(|| panic!("no {words:?}, in order, in {text}"));
        rest = &rest[at..];
    }
    assert!(!text.contains('\x1b'), "no escape sequences where no terminal is");
}

#[test]
fn it_can_be_kept_and_played_with_until_it_is_interrupted() {
    let _alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let temporary = tempfile::tempdir().unwrap();
    let mut child =
        demo(temporary.path(), &["--json", "--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let result = check(&line);
    let kept = &result["kept"];
    let busy = kept["numbers"].as_array().unwrap().iter().find(|n| n["behaviour"] == "busy");
    let busy = busy.expect("a number that is busy")["number"].as_str().unwrap();
    let anna = format!("anna:{}", kept["users"]["anna"].as_str().unwrap());
    let port = kept["submission_port"].to_string();
    let to = format!("{busy}@{}", kept["domain"].as_str().unwrap());
    let sending = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/send.py"))
        .args([&port, &anna, "anna@example.com", &to, "<again@example.com>"])
        .arg(path(&result, "sent_pdf"))
        .output()
        .expect("python3 runs");
    assert!(sending.status.success(), "{}", said(&sending));
    let asked = Command::new(env!("CARGO_BIN_EXE_postfax"))
        .args(["jobs", "--socket"])
        .arg(path(kept, "control_socket"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&asked.stdout).contains(busy), "{}", said(&asked));
    let mailbox = path(kept, "mailboxes").join("anna/new");
    let deadline = Instant::now() + Duration::from_secs(120);
    let failed = || {
        let mails = names(&mailbox).into_iter().map(|name| fs::read(mailbox.join(name)).unwrap());
        mails
            .map(|mail| String::from_utf8_lossy(&mail).into_owned())
            .any(|mail| mail.contains("Action: failed") && mail.contains("Status: 4.4.1"))
    };
    while !failed() {
        assert!(Instant::now() < deadline, "no receipt of the busy number came");
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert!(child.wait().unwrap().success(), "Ctrl-C is a good end of --keep");
    assert_eq!(names(temporary.path()), [""; 0], "everything is removed");
}

#[test]
fn a_folder_that_is_used_is_left_alone() {
    let _alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("mine"), "x").unwrap();
    let dir = temporary.path().to_str().unwrap();
    let output = demo(temporary.path(), &["--json", "--dir", dir]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(problem["problem"]["code"], "bad-request");
    assert_eq!(names(temporary.path()), ["mine"]);
}

#[test]
fn it_runs_with_two_real_hylafax_servers() {
    let _alone = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    let installed = Path::new("/usr/sbin/hfaxd").exists() && Path::new("/usr/sbin/faxq").exists();
    let temporary = tempfile::tempdir().unwrap();
    let output = demo(temporary.path(), &["--json", "--hylafax"]).output().unwrap();
    if output.status.code() == Some(77) || !installed {
        eprintln!("SKIPPED: real HylaFAX servers need the package hylafax-server, and root");
        let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(problem["problem"]["message"].is_string(), "{}", said(&output));
        assert_eq!(names(temporary.path()), [""; 0], "everything is removed");
        return;
    }
    assert!(output.status.success(), "{}", said(&output));
    check(&String::from_utf8(output.stdout).unwrap());
}
