//! A Postfix that takes mails from `sendmail` alone and hands everything over in one way.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::support::mta_base::MtaBase;

const MASTER: &str = "
pickup unix n - n 1 1 pickup
lmtp unix - - n - - lmtp
";

/// A running Postfix; it stops with the test.
pub struct Mta(MtaBase);

impl Mta {
    /// Hands over in this way, such as `lmtp:inet:127.0.0.1:24`.
    pub fn start(way: &str) -> Self {
        let main = format!(
            "myhostname = mail.example.com\n\
             default_transport = {way}\n\
             minimal_backoff_time = 2s\n\
             queue_run_delay = 2s\n"
        );
        Self(MtaBase::start(&main, MASTER, &[], &[]))
    }

    /// Has it send a mail with one attachment.
    pub fn submit(&self, from: &str, to: &[&str], pdf: &Path) {
        let mut child = Command::new("sendmail")
            .arg("-C")
            .arg(self.0.config())
            .args(["-f", from, "--"])
            .args(to)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let encoded = STANDARD.encode(fs::read(pdf).unwrap());
        let lines: Vec<&str> =
            encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let text = format!(
            "From: <{from}>\nSubject: A letter\nMIME-Version: 1.0\n\
             Content-Type: application/pdf; name=letter.pdf\n\
             Content-Disposition: attachment; filename=letter.pdf\n\
             Content-Transfer-Encoding: base64\n\n{}\n",
            lines.join("\n")
        );
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{}", self.log());
    }

    /// What it has written about its work.
    pub fn log(&self) -> String {
        self.0.log()
    }
}
