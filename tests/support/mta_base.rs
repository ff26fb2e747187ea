//! What every Postfix of ours has: its configuration, queue and data in a temporary
//! folder, and no port but on loopback. The one of the system is never touched. It needs
//! root, as Postfix does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    programs::{open_folder, program, run},
    wait_for,
};

const MAIN: &str = "
compatibility_level = 3.6
queue_directory = @FOLDER@/queue
data_directory = @FOLDER@/data
maillog_file = @FOLDER@/maillog
maillog_file_prefixes = @FOLDER@
mail_owner = postfix
setgid_group = postdrop
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
alias_maps =
alias_database =
local_recipient_maps =
notify_classes =
";

const MASTER: &str = "
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix; it stops with the test.
pub struct MtaBase {
    folder: TempDir,
}

impl MtaBase {
    /// With these lines in its `main.cf` and `master.cf` beside those that all have, and
    /// with these files; `@FOLDER@` in them is where it lives. It is up when these ports
    /// answer.
    pub fn start(main: &str, master: &str, files: &[(&str, &str)], ports: &[u16]) -> Self {
        let folder = open_folder();
        for needed in ["etc", "queue", "data"] {
            fs::create_dir(folder.path().join(needed)).unwrap();
        }
        let mta = Self { folder };
        mta.owns("postfix", "data");
        let (main, master) = ([MAIN, main].concat(), [MASTER, master].concat());
        let own = [("etc/main.cf", main.as_str()), ("etc/master.cf", master.as_str())];
        for (name, text) in own.iter().chain(files) {
            let text = text.replace("@FOLDER@", &mta.folder().display().to_string());
            fs::write(mta.folder().join(name), text).unwrap();
        }
        run(mta.command("start"), b"");
        for port in ports {
            wait_for("Postfix to answer", 20, || {
                std::net::TcpStream::connect(("127.0.0.1", *port)).ok()
            });
        }
        mta
    }

    /// Gives a file or folder of it to this user.
    pub fn owns(&self, user: &str, name: &str) {
        let mut chown = program("chown", "coreutils");
        chown.arg(user).arg(self.folder().join(name));
        run(chown, b"");
    }

    /// Where it lives.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where its configuration is.
    pub fn config(&self) -> PathBuf {
        self.folder().join("etc")
    }

    /// What it has written about its work.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("maillog")).unwrap_or_default()
    }

    fn command(&self, what: &str) -> Command {
        let mut command = program("postfix", "postfix");
        command.arg("-c").arg(self.config()).arg(what);
        command
    }
}

impl Drop for MtaBase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what Postfix said ---\n{}", self.log());
        }
        let _ = self.command("stop").output();
    }
}
