//! A Dovecot of our own: mailboxes in a temporary folder, filled by LMTP over a
//! socket in that folder and over TCP on loopback. It needs root, as Dovecot does.

use std::{fs, os::unix::net::UnixStream, path::PathBuf};

use tempfile::TempDir;

use super::{
    postfax::free_port,
    programs::{open_folder, program, run},
    sink::Mail,
    wait_for,
};

/// Everyone has a mailbox; the user `mail` owns them all.
const CONFIG: &str = "
base_dir = @FOLDER@/run
state_dir = @FOLDER@/state
log_path = @FOLDER@/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 8
mail_location = maildir:@FOLDER@/mail/%d/%n
auth_username_format = %Lu
hostname = mail.example.com
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=@FOLDER@/mail/%d/%n allow_all_users=yes
}
service lmtp {
  unix_listener @FOLDER@/lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = @PORT@
  }
}
";

/// A running Dovecot; it stops with the test.
pub struct Dovecot {
    /// Where LMTP is spoken over TCP.
    pub port: u16,
    folder: TempDir,
}

impl Dovecot {
    pub fn start() -> Self {
        let folder = open_folder();
        let port = free_port();
        let path = folder.path().display().to_string();
        let config = CONFIG.replace("@FOLDER@", &path).replace("@PORT@", &port.to_string());
        fs::write(folder.path().join("dovecot.conf"), config).unwrap();
        let mail = folder.path().join("mail");
        fs::create_dir(&mail).unwrap();
        let mut chown = program("chown", "coreutils");
        chown.arg("mail:mail").arg(&mail);
        run(chown, b"");
        let lmtp = ["/usr/lib/dovecot/lmtp", "/usr/libexec/dovecot/lmtp"];
        let there = lmtp.iter().any(|file| std::path::Path::new(file).exists());
        assert!(there, "Dovecot's LMTP is missing: install the package dovecot-lmtpd");
        let server = Self { port, folder };
        let mut command = program("dovecot", "dovecot-core");
        command.arg("-c").arg(server.folder.path().join("dovecot.conf"));
        run(command, b"");
        wait_for("Dovecot to answer", 20, || UnixStream::connect(server.socket()).ok());
        server
    }

    /// Where LMTP is spoken on this machine alone.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lmtp")
    }

    /// The mails on disk of one mailbox, oldest first.
    pub fn mails(&self, address: &str) -> Vec<Mail> {
        let (user, domain) = address.split_once('@').unwrap();
        let new = self.folder.path().join("mail").join(domain).join(user).join("new");
        let Ok(found) = fs::read_dir(new) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = found.flatten().map(|file| file.path()).collect();
        paths.sort_by_key(|path| fs::metadata(path).and_then(|about| about.modified()).ok());
        let mail = |path: PathBuf| Mail {
            from: String::new(),
            to: vec![address.to_owned()],
            raw: fs::read(path).unwrap(),
        };
        paths.into_iter().map(mail).collect()
    }

    /// What it has written about its work.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what Dovecot said ---\n{}", self.log());
        }
        let mut command = program("dovecot", "dovecot-core");
        let _ = command.arg("-c").arg(self.folder.path().join("dovecot.conf")).arg("stop").output();
    }
}
