//! How fast mail is taken, beside a Postfix on the same machine, in the same run, under
//! the same load: `smtp-source` opens a connection for each message. Both have a
//! message on disk before they say 250. Postfix puts what it has taken on hold, so that
//! it spends nothing on delivery; ours makes pages of it meanwhile, as it always does.
//!
//! ```text
//! cargo bench --bench intake -- [--messages 5000] [--connections 50] [--bytes 4096]
//!                               [--rounds 3] [--json]
//! ```
//!
//! It needs Debian's `postfix` package, and root, as Postfix does.
#![allow(clippy::unwrap_used, reason = "a measurement that fails is none")]

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);

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
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 200
relay_domains = fax.example.com
alias_maps =
alias_database =
local_recipient_maps =
smtpd_end_of_data_restrictions = check_client_access static:HOLD
";

const MASTER: &str = "
127.0.0.1:@PORT@ inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
";

const POSTFAX: &str = r#"
[supervisor]
domain = "fax.example.com"
country = "GB"
state = "@FOLDER@/state"
control_socket = "@FOLDER@/control.sock"
postmaster = "it@example.com"
[[listener]]
address = "127.0.0.1:@PORT@"
role = "relay"
trust = ["127.0.0.0/8"]
[delivery]
relay = "smtp://127.0.0.1:1"
from = "fax@fax.example.com"
[limits]
max_connections_per_address = 500
max_mails_per_minute = 1000000
max_recipients_per_hour = 1000000
max_faxes_per_number_per_h = 1000000
[[group]]
name = "london"
[[server]]
name = "away"
kind = "hylafax"
url = "hylafax://postfax@127.0.0.1:1"
password_file = "away.pw"
groups = ["london"]
draining = true
[[client]]
name = "anna"
mail = ["anna@example.com"]
groups = ["london"]
"#;

/// What was asked for on the command line.
struct Load {
    messages: u32,
    connections: u32,
    bytes: u32,
    rounds: u32,
    json: bool,
}

/// What one server did.
#[derive(Default)]
struct Figures {
    /// Messages a second, of each round.
    rates: Vec<f64>,
    /// Memory at the end, shared pages counted by their share, in KiB.
    memory_kib: u64,
}

impl Figures {
    fn median(&self) -> f64 {
        let mut rates = self.rates.clone();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    }
}

fn main() {
    let load = Load::from_arguments();
    let folder = tempfile::Builder::new().prefix("intake").tempdir().unwrap();
    // Postfix works as another user in a part of this folder.
    open(folder.path());
    let postfix = Postfix::start(&folder.path().join("postfix"));
    let postfax = Postfax::start(&folder.path().join("postfax"));
    // One after the other, as pages that are made of the mails that ours has taken would
    // keep the other from its work.
    let mut theirs = load.rounds_of("Postfix", postfix.port);
    let mut ours = load.rounds_of("Postfax", postfax.port);
    theirs.memory_kib = memory_of_all(postfix.master());
    ours.memory_kib = memory_of_all(postfax.child.id());
    let sent = load.messages * load.rounds;
    assert_eq!(postfix.held(), sent, "Postfix has not got them all");
    assert_eq!(postfax.queued(), sent, "Postfax has not got them all");
    load.report(&theirs, &ours);
}

impl Load {
    fn from_arguments() -> Self {
        let mut load =
            Self { messages: 5000, connections: 50, bytes: 4096, rounds: 3, json: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|text| text.parse().ok());
            let place = match argument.as_str() {
                "--messages" => &mut load.messages,
                "--connections" => &mut load.connections,
                "--bytes" => &mut load.bytes,
                "--rounds" => &mut load.rounds,
                "--json" => {
                    load.json = true;
                    continue;
                }
                // cargo says so to every benchmark.
                "--bench" => continue,
                other => panic!("{other} is not known here; see the head of benches/intake.rs"),
            };
            *place = number().unwrap_or_else(|| panic!("{argument} needs a number"));
        }
        load
    }

    fn rounds_of(&self, name: &str, port: u16) -> Figures {
        let mut figures = Figures::default();
        for round in 1..=self.rounds {
            let rate = self.send(port);
            eprintln!("{name}, round {round} of {}: {rate:.0}/s", self.rounds);
            figures.rates.push(rate);
        }
        figures
    }

    /// Sends all messages, and says how many a second were taken.
    fn send(&self, port: u16) -> f64 {
        let began = Instant::now();
        let status = Command::new("smtp-source")
            .args(["-s", &self.connections.to_string(), "-m", &self.messages.to_string()])
            .args(["-l", &self.bytes.to_string(), "-f", "anna@example.com"])
            .args(["-t", "+442079460100@fax.example.com", &format!("127.0.0.1:{port}")])
            .status()
            .expect("smtp-source is in Debian's package postfix");
        assert!(status.success(), "a message was refused");
        f64::from(self.messages) / began.elapsed().as_secs_f64()
    }

    fn report(&self, theirs: &Figures, ours: &Figures) {
        let ratio = ours.median() / theirs.median();
        let memory = theirs.memory_kib as f64 / ours.memory_kib as f64;
        if self.json {
            let report = serde_json::json!({
                "messages": self.messages, "connections": self.connections, "bytes": self.bytes,
                "postfix": { "rates": theirs.rates, "memory_kib": theirs.memory_kib },
                "postfax": { "rates": ours.rates, "memory_kib": ours.memory_kib },
                "ratio": ratio, "memory_ratio": memory,
            });
            println!("{report}");
            return;
        }
        for (name, figures) in [("Postfix", theirs), ("Postfax", ours)] {
            let (rate, memory) = (figures.median(), figures.memory_kib / 1024);
            println!("{name}  {rate:6.0} messages/s  {memory:4} MiB");
        }
        println!("Postfax takes {ratio:.2} times as many in 1/{memory:.1} of the memory");
    }
}

/// A Postfix of our own; the one of the system is not touched.
struct Postfix {
    port: u16,
    folder: std::path::PathBuf,
}

impl Postfix {
    fn start(folder: &Path) -> Self {
        let port = free_port();
        for part in ["etc", "queue", "data"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        open(folder);
        write(&folder.join("etc/main.cf"), MAIN, folder, port);
        write(&folder.join("etc/master.cf"), MASTER, folder, port);
        run(Command::new("chown").arg("postfix").arg(folder.join("data")));
        let postfix = Self { port, folder: folder.to_owned() };
        postfix.tell("start");
        wait_for(port);
        postfix
    }

    fn tell(&self, what: &str) {
        run(Command::new("postfix").arg("-c").arg(self.folder.join("etc")).arg(what));
    }

    fn master(&self) -> u32 {
        let pid = fs::read_to_string(self.folder.join("queue/pid/master.pid")).unwrap();
        pid.trim().parse().unwrap()
    }

    fn held(&self) -> u32 {
        let mut folders = vec![self.folder.join("queue/hold")];
        let mut held = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { held += 1 }
            }
        }
        held
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.tell("stop");
    }
}

struct Postfax {
    port: u16,
    config: std::path::PathBuf,
    child: Child,
}

impl Postfax {
    fn start(folder: &Path) -> Self {
        let port = free_port();
        fs::create_dir_all(folder).unwrap();
        let config = folder.join("postfax.toml");
        write(&config, POSTFAX, folder, port);
        fs::write(folder.join("away.pw"), "secret").unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_postfax"))
            .arg("--config")
            .arg(&config)
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        wait_for(port);
        Self { port, config, child }
    }

    fn queued(&self) -> u32 {
        let output = Command::new(env!("CARGO_BIN_EXE_postfax"))
            .arg("--config")
            .arg(&self.config)
            .args(["status", "--json"])
            .output()
            .unwrap();
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let count = |key: &str| {
            let found = status[key].as_u64().or(status["status"][key].as_u64());
            u32::try_from(found.unwrap()).unwrap()
        };
        count("faxes_waiting") + count("faxes_preparing")
    }
}

impl Drop for Postfax {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The memory of a process and of all below it, in KiB.
fn memory_of_all(root: u32) -> u64 {
    let mut family = vec![root];
    let mut total = 0;
    while let Some(pid) = family.pop() {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
        total +=
            pss.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0);
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    total
}

fn write(path: &Path, text: &str, folder: &Path, port: u16) {
    let folder = folder.display().to_string();
    let text = text.replace("@FOLDER@", &folder).replace("@PORT@", &port.to_string());
    fs::write(path, text).unwrap();
}

fn open(folder: &Path) {
    run(Command::new("chmod").arg("755").arg(folder));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(port: u16) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
            let mut greeting = String::new();
            let _ = BufReader::new(stream).read_line(&mut greeting);
            if greeting.starts_with("220") {
                return;
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("nobody greets on port {port}");
}
