//! A Postfix of our own that is a T.37 off-ramp: a fax machine in a shell script behind
//! its pipe. Its configuration, queue and data are in a temporary folder. It needs root.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{
    programs::{open_folder, program, run},
    wait_for,
};

/// Reports go to Postfax; everything for the off-ramp's domain goes to the machine.
const MAIN: &str = "
compatibility_level = 3.6
queue_directory = @FOLDER@/queue
data_directory = @FOLDER@/data
maillog_file = @FOLDER@/maillog
maillog_file_prefixes = @FOLDER@
mail_owner = postfix
setgid_group = postdrop
myhostname = offramp.example.com
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relay_domains = offramp.example.com
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:@FOLDER@/etc/numbers, permit
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
alias_maps =
alias_database =
local_recipient_maps =
notify_classes =
transport_maps = inline:{ { offramp.example.com = machine: } }
relayhost = [127.0.0.1]:@POSTFAX@
machine_destination_recipient_limit = 1
";

const MASTER: &str = "
127.0.0.1:@PORT@ inet n - n - - smtpd
127.0.0.1:@DUMB@ inet n - n - - smtpd -o smtpd_discard_ehlo_keywords=dsn
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
machine unix - n n - - pipe flags=X user=nobody argv=/bin/sh @FOLDER@/machine ${recipient}
";

/// What the machine refuses from the first, and what it puts off.
const NUMBERS: &str = "/^FAX=.15550199@/ 550 5.1.1 no such number\n\
                       /^FAX=.15550198@/ 451 4.7.1 greylisted, come again\n";

/// Takes every fax but for one number, which is busy.
const MACHINE: &str = "case \"$1\" in\n\
    *15550102*) echo '5.4.1 Busy signal detected'; exit 69;;\n\
    esac\n\
    cat > \"@FOLDER@/faxes/$$.eml\"\n";

/// A running off-ramp; it stops with the test.
pub struct OffRamp {
    /// Where it reports.
    pub port: u16,
    /// Where it does not know of reports.
    pub dumb: u16,
    folder: TempDir,
}

impl OffRamp {
    /// Starts one that brings its reports to the port `postfax`.
    pub fn start(port: u16, dumb: u16, postfax: u16) -> Self {
        let folder = open_folder();
        for needed in ["etc", "data", "queue", "faxes"] {
            fs::create_dir(folder.path().join(needed)).unwrap();
        }
        let fill = |text: &str| {
            text.replace("@FOLDER@", &folder.path().display().to_string())
                .replace("@PORT@", &port.to_string())
                .replace("@DUMB@", &dumb.to_string())
                .replace("@POSTFAX@", &postfax.to_string())
        };
        for (name, text) in [
            ("etc/main.cf", MAIN),
            ("etc/master.cf", MASTER),
            ("etc/numbers", NUMBERS),
            ("machine", MACHINE),
        ] {
            fs::write(folder.path().join(name), fill(text)).unwrap();
        }
        for (owner, name) in [("postfix", "data"), ("nobody", "faxes")] {
            let mut chown = program("chown", "coreutils");
            chown.arg(owner).arg(folder.path().join(name));
            run(chown, b"");
        }
        let server = Self { port, dumb, folder };
        server.tell("start");
        for port in [port, dumb] {
            wait_for("the off-ramp to answer", 20, || {
                std::net::TcpStream::connect(("127.0.0.1", port)).ok()
            });
        }
        server
    }

    /// The mails that became faxes.
    pub fn faxes(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("faxes")).unwrap();
        let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    fn tell(&self, what: &str) {
        let mut command = program("postfix", "postfix");
        command.arg("-c").arg(self.folder.path().join("etc")).arg(what);
        run(command, b"");
    }
}

impl Drop for OffRamp {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("maillog")).unwrap_or_default();
            eprintln!("--- what the off-ramp said ---\n{log}");
        }
        let mut command = program("postfix", "postfix");
        let _ = command.arg("-c").arg(self.folder.path().join("etc")).arg("stop").output();
    }
}
