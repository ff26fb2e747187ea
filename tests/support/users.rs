//! Clients that are users of this host, as the socket knows them. Needs root, to be
//! other users.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use serde_json::Value;

use super::postfax::Postfax;

/// Lets every user of this host come to the program and to the socket of this daemon,
/// wherever it was built.
pub fn admit(postfax: &Postfax) {
    let program = postfax.file("postfax");
    fs::copy(env!("CARGO_BIN_EXE_postfax"), &program).unwrap();
    for path in [postfax.folder.path(), program.as_path()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// Runs a command as a user of this host.
pub fn ask_as(postfax: &Postfax, uid: u32, arguments: &[&str]) -> Output {
    let id = uid.to_string();
    Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .arg(postfax.file("postfax"))
        .args(arguments)
        .arg("--socket")
        .arg(postfax.file("control.sock"))
        .env_clear()
        .output()
        .unwrap()
}

/// The same, with the answer as JSON, and the exit code.
pub fn ask_json_as(postfax: &Postfax, uid: u32, arguments: &[&str]) -> (i32, Value) {
    let output = ask_as(postfax, uid, &[arguments, &["--json"]].concat());
    let answer = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|bad| panic!("{arguments:?} said {:?}: {bad}", said(&output)));
    (code(&output), answer)
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
