//! The laboratory: `postfax lab` with its exchange and fax servers.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
};

use serde::Deserialize;

/// What the laboratory says of itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Description {
    pub servers: Vec<Server>,
    pub numbers: Vec<TestNumber>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    pub name: String,
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub admin_password: String,
    pub numbers: Vec<String>,
    pub lines: u32,
    /// Its folder on this machine.
    pub spool: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
pub struct TestNumber {
    pub number: String,
    pub behaviour: String,
}

impl Description {
    /// Two servers that nobody can reach: what is sent to them stays in the queue.
    pub fn unreachable() -> Self {
        let nobody = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let [one, two] = nobody.map(|closed| closed.local_addr().unwrap().port());
        let server = |name: &str, port: u16, number: &str| Server {
            name: name.to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
            user: "nobody".to_owned(),
            password: "secret".to_owned(),
            admin_password: "secret".to_owned(),
            numbers: vec![number.to_owned()],
            lines: 1,
            spool: PathBuf::new(),
        };
        let servers = vec![server("one", one, "+12125550101"), server("two", two, "+12125550102")];
        Self { servers, numbers: Vec::new() }
    }
}

type Line = MutexGuard<'static, ()>;
static LINES: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Modems in software keep the times of a telephone line, and more than two laboratories
/// of them starve each other: who holds this may have one. A test that failed gives it
/// back as well.
fn one_of_two() -> Line {
    let free = LINES.iter().find_map(|line| match line.try_lock() {
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(line)) => Some(line.into_inner()),
        Ok(line) => Some(line),
    });
    free.unwrap_or_else(|| LINES[0].lock().unwrap_or_else(PoisonError::into_inner))
}

/// For a test that needs the whole machine.
pub fn alone() -> [Line; 2] {
    LINES.each_ref().map(|line| line.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A running laboratory; it ends when its standard input does, at the latest with
/// this process.
pub struct Lab {
    pub about: Description,
    child: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
    _line: Option<Line>,
}

/// Which fax servers stand in the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// Real HylaFAX servers.
    Hylafax,
    /// Stations of our own.
    Stations,
}

impl Lab {
    /// Starts a laboratory with two servers of `lines` lines each.
    pub fn start(servers: Servers, lines: u32) -> Self {
        let line_held = (servers == Servers::Hylafax).then(one_of_two);
        // Before all other work, where that is permitted, for the same reason.
        let mut command = Command::new("nice");
        command.args(["-n", "-10", env!("CARGO_BIN_EXE_postfax")]);
        command.args(["lab", "--json", "--until-eof", "--servers", "2"]);
        command.args(["--lines", &lines.to_string(), "--answering", &lines.to_string()]);
        match servers {
            Servers::Hylafax => command.args(["--kind", "real", "--speed", "10"]),
            Servers::Stations => command.args(["--kind", "station", "--speed", "100"]),
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the laboratory starts");
        let orders = child.stdin.take().unwrap();
        let mut replies = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        replies.read_line(&mut line).unwrap();
        let about = serde_json::from_str(&line)
            .unwrap_or_else(|bad| panic!("the laboratory said {line:?}: {bad}"));
        Self { about, child, orders, replies, _line: line_held }
    }

    /// Cuts the power of a server.
    pub fn stop(&mut self, server: &str) {
        self.order("stop", server, "is stopped");
    }

    /// Gives it back, and waits until the server can be used.
    pub fn start_again(&mut self, server: &str) {
        self.order("start", server, "runs");
    }

    fn order(&mut self, order: &str, server: &str, done: &str) {
        writeln!(self.orders, "{order} {server}").unwrap();
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("{server} {done}"));
    }

    /// The number that behaves in this way.
    pub fn number(&self, behaviour: &str) -> &str {
        let found = self.about.numbers.iter().find(|number| number.behaviour == behaviour);
        &found
            .unwrap_or_else(|| panic!("no number is {behaviour}: {:?}", self.about.numbers))
            .number
    }

    /// The number that the server answers on.
    pub fn number_of(&self, server: usize) -> &str {
        &self.about.servers[server].numbers[0]
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
