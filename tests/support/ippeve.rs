//! A real IPP server (`ippeveprinter` of CUPS) that says it faxes. It will not start
//! without Avahi, which will not without D-Bus: both run for it alone, on loopback.
//! It needs root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{postfax::free_port, programs::open_folder, wait_for};

const BUS: &str = r#"<busconfig><type>system</type><listen>unix:path=@FOLDER@/bus</listen>
<auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/><allow user="*"/></policy></busconfig>
"#;
const AVAHI: &str = "[server]\nuse-ipv4=yes\nuse-ipv6=no\nallow-interfaces=lo\nenable-dbus=yes\n\
                     [wide-area]\nenable-wide-area=no\n[publish]\npublish-workstation=no\n";
/// What a fax device says besides (PWG 5100.15).
const ATTRIBUTES: &str = r#"
ATTR keyword ipp-features-supported "faxout"
ATTR uriScheme destination-uri-schemes-supported "tel"
ATTR keyword destination-uris-supported "destination-uri","t33-subaddress"
ATTR boolean confirmation-sheet-print-default false
ATTR integer number-of-retries-default 3
ATTR text printer-make-and-model "Test Fax"
ATTR mimeMediaType document-format-supported "application/pdf","image/tiff"
ATTR enum operations-supported 2,4,5,6,8,9,10,11,57,59,60
ATTR boolean printer-is-accepting-jobs true
"#;
/// Keeps what was sent, with the attributes of its job, and takes its time.
const COMMAND: &str = "#!/bin/sh\nenv | grep ^IPP_ > \"@FOLDER@/kept.$$.env\"\n\
                       sleep 1\ncp \"$1\" \"@FOLDER@/kept.$$.doc\"\n";

/// A running server; it stops with the test, and what it needs with it.
pub struct Ippeve {
    pub port: u16,
    folder: TempDir,
    children: Vec<Child>,
}

/// Whether all of it is installed, and may be run.
pub fn is_there() -> bool {
    let there = |path: &str| Path::new(path).exists();
    there("/usr/sbin/ippeveprinter")
        && there("/usr/sbin/avahi-daemon")
        && there("/usr/bin/dbus-daemon")
        && rustix::process::geteuid().is_root()
}

impl Ippeve {
    pub fn start() -> Self {
        let folder = open_folder();
        let at = folder.path().display().to_string();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text.replace("@FOLDER@", &at)).unwrap();
            path
        };
        let (bus, avahi) = (put("bus.conf", BUS), put("avahi.conf", AVAHI));
        let (attributes, command) = (put("attributes", ATTRIBUTES), put("command", COMMAND));
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&command, executable).unwrap();
        let mut server = Self { port: free_port(), folder, children: Vec::new() };
        let mut dbus = Command::new("dbus-daemon");
        dbus.arg(format!("--config-file={}", bus.display())).args(["--nofork", "--nopidfile"]);
        server.run(dbus, "bus");
        let socket = server.folder.path().join("bus");
        wait_for("D-Bus", 10, || socket.exists().then_some(()));
        // It writes its process id where the system's would.
        let own = "mkdir -p /run/avahi-daemon && mount -t tmpfs none /run/avahi-daemon && \
                   exec avahi-daemon --no-drop-root --no-chroot --no-rlimits -f \"$0\"";
        let mut daemon = Command::new("unshare");
        daemon.args(["-m", "sh", "-c", own]).arg(&avahi);
        server.run(daemon, "avahi");
        let log = server.folder.path().join("avahi.log");
        wait_for("Avahi", 10, || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            said.contains("startup complete").then_some(())
        });
        let mut printer = Command::new("/usr/sbin/ippeveprinter");
        printer.args(["-r", "off", "-n", "localhost", "-p", &server.port.to_string()]);
        printer.arg("-a").arg(&attributes).arg("-c").arg(&command);
        printer.arg("-d").arg(server.folder.path()).arg("Fax");
        server.run(printer, "printer");
        let port = server.port;
        wait_for("ippeveprinter", 10, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        server
    }

    fn run(&mut self, mut command: Command, name: &str) {
        let log = fs::File::create(self.folder.path().join(format!("{name}.log"))).unwrap();
        let child = command
            .env(
                "DBUS_SYSTEM_BUS_ADDRESS",
                format!("unix:path={}/bus", self.folder.path().display()),
            )
            .env("PATH", std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|bad| panic!("{name}: {bad}"));
        self.children.push(child);
    }

    /// The documents that it was sent.
    pub fn documents(&self) -> Vec<PathBuf> {
        self.kept(".doc")
    }

    /// The attributes of its jobs, as the command saw them.
    pub fn attributes(&self) -> String {
        let all = self.kept(".env");
        all.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    fn kept(&self, extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let paths = entries.flatten().map(|entry| entry.path());
        paths.filter(|path| path.to_string_lossy().ends_with(extension)).collect()
    }
}

impl Drop for Ippeve {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["bus", "avahi", "printer"] {
                let log = self.folder.path().join(format!("{name}.log"));
                let said = fs::read_to_string(log).unwrap_or_default();
                eprintln!("--- what {name} said ---\n{said}");
            }
        }
        for mut child in self.children.drain(..).rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
