//! The daemon in a folder of its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::Value;

use super::{lab::Description, sink::Sink, wait_for};

/// More clients, one for each language.
pub const LANGUAGES: &str = r#"
[[client]]
name = "greta"
mail = ["greta@example.com"]
receive = { language = "de" }
[[client]]
name = "pierre"
mail = ["pierre@example.com"]
receive = { language = "fr" }
[[client]]
name = "yuki"
mail = ["yuki@example.com"]
receive = { language = "ja" }
"#;

pub const PASSWORD: &str = "correct horse";

/// Two groups and the clients in them; the servers are added.
const CONFIG: &str = r#"
[supervisor]
domain = "fax.example.com"
hostname = "fax1.example.com"
country = "US"
timezone = "UTC"
state = "@FOLDER@/state"
control_socket = "@FOLDER@/control.sock"
postmaster = "it@example.com"
passwords_file = "passwords"

[[listener]]
address = "127.0.0.1:@SUBMISSION@"
role = "submission"

[[listener]]
address = "127.0.0.1:@RELAY@"
role = "relay"
trust = ["127.0.0.0/8"]

[tls]
certificate = "@FOLDER@/cert.pem"
key = "@FOLDER@/key.pem"

[delivery]
relay = "smtp://127.0.0.1:@SINK@"
from = "fax@fax.example.com"

[[group]]
name = "london"
[[group]]
name = "paris"

[[client]]
name = "anna"
mail = ["anna@example.com"]
groups = ["london"]
[[client]]
name = "bob"
mail = ["bob@example.com"]
groups = ["paris"]
[[client]]
name = "carl"
mail = ["carl@example.com"]
groups = ["london", "paris"]

[[dial]]
to = "+1900*"
refuse = "premium-rate numbers are barred"
"#;

/// A running `postfax serve`.
pub struct Postfax {
    pub folder: tempfile::TempDir,
    pub submission: u16,
    pub relay: u16,
    child: Option<Child>,
    environment: Vec<(String, String)>,
}

static NEXT_MAIL: AtomicU64 = AtomicU64::new(1);

/// What the client heard.
#[derive(Debug)]
pub struct Said {
    pub accepted: bool,
    pub words: String,
}

impl Postfax {
    /// Writes the configuration of two groups, `london` with anna and the first
    /// server and `paris` with bob and the second, and starts the daemon with it.
    /// `more` is added to the file.
    pub fn start(servers: &Description, sink: &Sink, more: &str) -> Self {
        let mut postfax = Self::prepare(servers, sink, more);
        postfax.run();
        postfax
    }

    /// The same without starting.
    pub fn prepare(servers: &Description, sink: &Sink, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (submission, relay) = (free_port(), free_port());
        certificate(folder.path());
        let postfax = Self { folder, submission, relay, child: None, environment: Vec::new() };
        fs::write(postfax.file("passwords"), "").unwrap();
        postfax.write_config(servers, sink, more);
        for client in ["anna", "bob", "carl"] {
            postfax.set_password(client);
        }
        postfax
    }

    fn write_config(&self, servers: &Description, sink: &Sink, more: &str) {
        let mut config = CONFIG
            .replace("@FOLDER@", &self.folder.path().display().to_string())
            .replace("@SUBMISSION@", &self.submission.to_string())
            .replace("@RELAY@", &self.relay.to_string())
            .replace("@SINK@", &sink.port.to_string());
        for (server, (group, client)) in
            servers.servers.iter().zip([("london", "anna"), ("paris", "bob")])
        {
            let name = &server.name;
            fs::write(self.file(&format!("{name}.pw")), &server.password).unwrap();
            fs::write(self.file(&format!("{name}.admin")), &server.admin_password).unwrap();
            for secret in ["pw", "admin"] {
                private(&self.file(&format!("{name}.{secret}")));
            }
            let numbers = &server.numbers;
            config += &format!(
                r#"
[[server]]
name = "{name}"
kind = "hylafax"
url = "hylafax://{}@{}:{}"
password_file = "{name}.pw"
admin_password_file = "{name}.admin"
groups = ["{group}"]
numbers = {numbers:?}
lines = {}
poll_s = 1
"#,
                server.user, server.host, server.port, server.lines
            );
            for number in numbers {
                config += &format!("[[route]]\ncalled = \"{number}\"\nto = [\"{client}\"]\n");
            }
        }
        fs::write(self.config(), config + more).unwrap();
    }

    fn set_password(&self, client: &str) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_postfax"))
            .args(["passwd", client, "--file"])
            .arg(self.file("passwords"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(
            child.stdin.as_mut().unwrap(),
            format!("{PASSWORD}\n").as_bytes(),
        )
        .unwrap();
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.file("postfax.toml")
    }

    /// Sets a variable for the next start.
    pub fn environment(&mut self, variables: &[(&str, &str)]) {
        self.environment =
            variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    }

    /// Starts the daemon without waiting for it.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "one daemon at a time");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.file("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_postfax"))
            .arg("serve")
            .arg("--config")
            .arg(self.config())
            .envs(self.environment.iter().map(|(k, v)| (k, v)))
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Starts a second daemon with the same configuration, and waits until it ends.
    pub fn serve_again(&self) -> Output {
        let mut command = Command::new("timeout");
        command.args(["30", env!("CARGO_BIN_EXE_postfax"), "serve", "--config"]);
        command.arg(self.config()).output().unwrap()
    }

    /// Starts the daemon and waits until it answers.
    pub fn run(&mut self) {
        self.spawn();
        wait_for("the daemon to answer", 20, || {
            let exited = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(exited.is_none(), "the daemon ended: {}", self.log());
            self.ask(&["status"]).status.success().then_some(())
        });
    }

    /// Waits until both servers are up.
    pub fn wait_for_servers(&self) {
        wait_for("both servers to be up", 60, || {
            let status = self.status();
            let servers = status["servers"].as_array()?.clone();
            let up = |server: &Value| server["live"]["health"].get("up").is_some();
            (servers.len() == 2 && servers.iter().all(up)).then_some(())
        });
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    /// Kills the daemon as a power cut would. True when it was still alive.
    pub fn kill(&mut self) -> bool {
        let mut child = self.child.take().expect("it runs");
        let alive = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        alive
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.child {
            Some(child) => child.try_wait().unwrap().is_some(),
            None => true,
        }
    }

    /// Tells the daemon to stop and waits until it has.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        child.wait().unwrap();
    }

    /// Runs a command of the program against this daemon.
    pub fn ask(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_postfax"))
            .args(arguments)
            .arg("--socket")
            .arg(self.file("control.sock"))
            .output()
            .unwrap()
    }

    /// The same, with the answer as JSON.
    pub fn ask_json(&self, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        all.push("--json");
        let output = self.ask(&all);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|bad| {
            panic!(
                "{arguments:?} said {:?} {:?}: {bad}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    /// Asks over the control socket itself, which is quicker than a command; `None`
    /// when nobody answers.
    pub fn question(&self, question: &Value) -> Option<Value> {
        let mut stream = UnixStream::connect(self.file("control.sock")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        stream.write_all(format!("{question}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok()?;
        serde_json::from_str(&answer).ok()
    }

    /// One job as JSON.
    pub fn job(&self, id: u64) -> Value {
        self.ask_json(&["show", &id.to_string()])["job"]["job"].clone()
    }

    /// Waits until a job is over and gives it.
    pub fn wait_for_end(&self, id: u64, seconds: u64) -> Value {
        wait_for(&format!("job {id} to end"), seconds, || {
            let job = self.job(id);
            job["state"].get("ended").is_some().then_some(job)
        })
    }

    /// Sends a mail with Python's smtplib: logged in to the submission port, or
    /// through the relay port when `login` is `-`.
    pub fn send(&self, login: &str, from: &str, to: &str, attachment: Option<&Path>) -> Said {
        let number = NEXT_MAIL.fetch_add(1, Ordering::SeqCst);
        let id = format!("<{number}.{}@client.example.com>", std::process::id());
        self.send_as(login, from, to, attachment, &id, None)
    }

    pub fn send_as(
        &self,
        login: &str,
        from: &str,
        to: &str,
        attachment: Option<&Path>,
        message_id: &str,
        notify: Option<&str>,
    ) -> Said {
        let port = if login == "-" { self.relay } else { self.submission };
        let login = match login {
            "-" => "-".to_owned(),
            client => format!("{client}:{PASSWORD}"),
        };
        let attachment = attachment.map_or("-".into(), |path| path.display().to_string());
        let mut command = Command::new("python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/send.py"));
        command.args([&port.to_string(), &login, from, to, message_id, &attachment]);
        command.args(notify);
        let output = command.output().expect("python3 runs");
        Said {
            accepted: output.status.success(),
            words: String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        }
    }

    /// The file of a document.
    pub fn document(&self, digest: &str) -> PathBuf {
        self.file("state/documents").join(format!("{digest}.tif"))
    }

    /// How everything is.
    pub fn status(&self) -> Value {
        self.ask_json(&["status"])["status"].clone()
    }

    /// All jobs, oldest first, with all that is known of them.
    pub fn jobs(&self) -> Vec<Value> {
        let listed = self.ask_json(&["jobs", "--limit", "1000"]);
        let listed = listed["jobs"].as_array().unwrap();
        listed.iter().rev().map(|job| self.job(job["job"].as_u64().unwrap())).collect()
    }
}

impl Postfax {
    /// Says what is known, for a test that failed.
    fn lament(&self) {
        let show = |id: u32| self.ask(&["show", &id.to_string()]);
        let shown = (1..20).map(show).take_while(|output| output.status.success());
        for story in shown {
            eprintln!("{}", String::from_utf8_lossy(&story.stdout));
        }
        eprintln!("--- what the daemon said ---\n{}", self.log());
    }
}

impl Drop for Postfax {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lament();
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A port that nobody listens on, and that the system gives to no connection that
/// goes out: a daemon that was killed must find it free again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let start = u64::from(std::process::id()) * 64;
    let ports = std::iter::repeat_with(|| start + NEXT.fetch_add(1, Ordering::SeqCst));
    let mut ports = ports.map(|port| 16_000 + u16::try_from(port % 16_000).unwrap());
    ports.by_ref().take(1000).find(free).expect("one port of a thousand is free")
}

fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(vec!["fax1.example.com".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    private(&folder.join("key.pem"));
}

fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
