//! A receiver of webhooks, made of Python's own http.server and hmac.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{postfax::free_port, wait_for};

/// The secrets that a receiver holds its requests against, the first one in use.
pub const SECRETS: [&str; 2] = [
    "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "whsec_MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=",
];

/// A receiver; it ends with the test.
pub struct Hook {
    pub port: u16,
    folder: tempfile::TempDir,
    certificate: Option<(String, String)>,
    child: Option<Child>,
}

impl Hook {
    /// A receiver that takes everything, and runs.
    pub fn start() -> Self {
        let mut hook = Self::prepare();
        hook.run();
        hook
    }

    /// The same without running.
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hook = Self { port: free_port(), folder, certificate: None, child: None };
        hook.always("200");
        hook
    }

    /// The same by TLS.
    pub fn secured(certificate: &Path, key: &Path) -> Self {
        let path = |path: &Path| path.display().to_string();
        let mut hook = Self::prepare();
        hook.certificate = Some((path(certificate), path(key)));
        hook.run();
        hook
    }

    pub fn run(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/hook.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(self.port.to_string()).arg(self.folder.path());
        command.arg(SECRETS.join(","));
        if let Some((certificate, key)) = &self.certificate {
            command.args([certificate, key]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("python3 runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        self.child = Some(child);
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Answers like this once each, before what it always answers.
    pub fn next(&self, answers: &[&str]) {
        fs::write(self.folder.path().join("next"), answers.join("\n")).unwrap();
    }

    pub fn always(&self, answer: &str) {
        let new = self.folder.path().join("always.new");
        fs::write(&new, answer).unwrap();
        fs::rename(new, self.folder.path().join("always")).unwrap();
    }

    /// What was heard, in order.
    pub fn heard(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.path().join("heard")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What was heard and taken, in order.
    pub fn taken(&self) -> Vec<Value> {
        let taken = |one: &Value| one["said"].as_str().unwrap().starts_with('2');
        self.heard().into_iter().filter(taken).collect()
    }

    /// Waits for an event of this kind that is taken.
    pub fn wait(&self, kind: &str, seconds: u64) -> Value {
        wait_for(&format!("{kind} to be told"), seconds, || {
            self.taken().into_iter().find(|one| one["body"]["type"] == kind)
        })
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.stop();
    }
}
