//! Programs of other people that the stories run. One that is not there is named
//! with its package, and the story fails: nothing is skipped.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

/// How long a client may take to hand over one mail, in seconds.
const PATIENCE_S: &str = "60";

/// A command for `program`, which is ended when it takes too long.
pub fn program(program: &str, package: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    assert!(there, "{program} is missing: install the package {package}");
    let mut command = Command::new("timeout");
    command.env("PATH", path).args([PATIENCE_S, program]).stdin(Stdio::null());
    command
}

/// Runs a command with `input` and gives what it said; panics when it fails. What
/// goes on in the background keeps no pipe to us, since what it says goes to a file.
pub fn run(mut command: Command, input: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("input"), folder.path().join("output"));
    fs::write(&from, input).unwrap();
    let output = fs::File::create(&to).unwrap();
    let status = command
        .stdin(fs::File::open(&from).unwrap())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .status()
        .unwrap();
    let said = String::from_utf8_lossy(&fs::read(&to).unwrap()).into_owned();
    assert!(status.success(), "{command:?} ended with {status}: {said}");
    said
}

/// A temporary folder in which programs that have given up being root find their way.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path());
    folder
}

fn open(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}
