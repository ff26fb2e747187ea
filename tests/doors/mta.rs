//! A Postfix with a configuration and a queue of its own, in a temporary folder. It needs
//! root, takes mails from `sendmail` alone and hands everything over in one way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

const MAIN: &str = "
compatibility_level = 3.6
queue_directory = @FOLDER@/queue
data_directory = @FOLDER@/data
maillog_file = @FOLDER@/maillog
maillog_file_prefixes = @FOLDER@
myhostname = mail.example.com
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = @WAY@
notify_classes =
minimal_backoff_time = 2s
queue_run_delay = 2s
";

const MASTER: &str = "
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix; it stops with the test.
pub struct Mta {
    folder: tempfile::TempDir,
}

impl Mta {
    /// Hands over in this way, such as `lmtp:inet:127.0.0.1:24`.
    pub fn start(way: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        for needed in ["etc", "queue", "data"] {
            fs::create_dir(path.join(needed)).unwrap();
        }
        chown(path.join("data"), Some(postfix_uid()), None).unwrap();
        let main = MAIN.replace("@FOLDER@", &path.display().to_string()).replace("@WAY@", way);
        fs::write(path.join("etc/main.cf"), main).unwrap();
        fs::write(path.join("etc/master.cf"), MASTER).unwrap();
        let mta = Self { folder };
        mta.tell("start");
        mta
    }

    /// Has it send a mail with one attachment.
    pub fn submit(&self, from: &str, to: &[&str], pdf: &Path) {
        let mut child = Command::new("sendmail")
            .arg("-C")
            .arg(self.folder.path().join("etc"))
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
        fs::read_to_string(self.folder.path().join("maillog")).unwrap_or_default()
    }

    fn tell(&self, what: &str) {
        let output = self.command(what).output().unwrap();
        assert!(output.status.success(), "{what}: {output:?} {}", self.log());
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.folder.path().join("etc")).arg(what);
        command
    }
}

impl Drop for Mta {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what Postfix said ---\n{}", self.log());
        }
        let _ = self.command("stop").output();
    }
}

fn postfix_uid() -> u32 {
    let output = Command::new("id").args(["-u", "postfix"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}
