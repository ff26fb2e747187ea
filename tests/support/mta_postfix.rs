//! A Postfix of our own: its configuration, queue and data are in a temporary
//! folder, its port is on loopback, and the one of the system is never touched. It
//! needs root, as Postfix does.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{
    programs::{open_folder, program, run},
    wait_for,
};

/// The mail server of a site: what is for the fax domain goes to Postfax, anything
/// else to the mailboxes.
const MAIN: &str = "
compatibility_level = 3.6
queue_directory = @FOLDER@/queue
data_directory = @FOLDER@/data
maillog_file = @FOLDER@/maillog
maillog_file_prefixes = @FOLDER@
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
alias_maps =
alias_database =
local_recipient_maps =
notify_classes =
transport_maps = inline:{ { fax.example.com = fax:[127.0.0.1]:@FAX@ } }
relayhost = [127.0.0.1]:@MAILBOXES@
minimal_backoff_time = 2s
queue_run_delay = 2s
";

/// `fax` is the client towards Postfax: it talks under TLS or not at all.
const MASTER: &str = "
127.0.0.1:@PORT@ inet n - n - - smtpd
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
fax unix - - n - - smtp -o smtp_tls_security_level=encrypt
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// A running Postfix; it stops with the test.
pub struct PostfixServer {
    pub port: u16,
    folder: TempDir,
}

impl PostfixServer {
    /// Starts one that brings the mail of the fax domain to the port `fax`, and all
    /// other mail to `mailboxes`.
    pub fn start(port: u16, fax: u16, mailboxes: u16) -> Self {
        let folder = open_folder();
        let config = folder.path().join("etc");
        let data = folder.path().join("data");
        for needed in [&config, &data, &folder.path().join("queue")] {
            fs::create_dir(needed).unwrap();
        }
        let fill = |text: &str| {
            text.replace("@FOLDER@", &folder.path().display().to_string())
                .replace("@PORT@", &port.to_string())
                .replace("@FAX@", &fax.to_string())
                .replace("@MAILBOXES@", &mailboxes.to_string())
        };
        fs::write(config.join("main.cf"), fill(MAIN)).unwrap();
        fs::write(config.join("master.cf"), fill(MASTER)).unwrap();
        let mut chown = program("chown", "coreutils");
        chown.arg("postfix").arg(&data);
        run(chown, b"");
        let server = Self { port, folder };
        server.tell("start");
        wait_for("Postfix to answer", 20, || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        server
    }

    /// What it has written about its work.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("maillog")).unwrap_or_default()
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    fn tell(&self, what: &str) {
        let mut command = program("postfix", "postfix");
        command.arg("-c").arg(self.config()).arg(what);
        run(command, b"");
    }
}

impl Drop for PostfixServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what Postfix said ---\n{}", self.log());
        }
        let mut command = program("postfix", "postfix");
        let _ = command.arg("-c").arg(self.config()).arg("stop").output();
    }
}
