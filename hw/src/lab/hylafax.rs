//! Real HylaFAX servers, several on one machine, without systemd.
//!
//! Debian's packages are used as they are, but none of their folders: each
//! instance lives in mount and PID namespaces of its own, with a private spool,
//! configuration, lock folder and `/dev`, so that two of them never meet except
//! through the exchange. Nothing is mailed and nothing that was received is
//! deleted: the packages' scripts for that are replaced.
//!
//! Process 1 of the namespace holds the reading end of a pipe that we hold the
//! writing end of. When this process ends, however it ends, the pipe does too, and
//! the instance with it.

use std::{
    fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::LabError;

/// How long an instance may take until it answers and its lines are idle.
const START_LIMIT: Duration = Duration::from_secs(40);
/// How long an instance may take to end by itself before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// How often we look whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const PROGRAMS: [&str; 3] = ["/usr/sbin/faxq", "/usr/sbin/hfaxd", "/usr/sbin/faxgetty"];
const SPOOL: &str = "/var/spool/hylafax";
const SETTINGS: &str = "/etc/hylafax";
/// The folders of a spool that the daemons write to.
const FOLDERS: [&str; 14] = [
    "archive", "client", "config", "dev", "docq", "doneq", "info", "log", "pollq", "recvq",
    "sendq", "status", "tmp", "bin",
];
/// Scripts of the packages that mail or delete: here they do nothing.
const SILENCED: [&str; 5] = ["faxrcvd", "notify", "notify-4.1", "pollrcvd", "wedged"];

/// What one instance is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder for this instance alone. What is in it from an earlier run is kept:
    /// queue, received faxes, logs.
    pub dir: PathBuf,
    /// The port of the client protocol on 127.0.0.1.
    pub port: u16,
    /// The lines: the terminal of each modem, and its number (E.164). They are
    /// called `ttyFAX0`, `ttyFAX1`, ...
    pub modems: Vec<(PathBuf, String)>,
    /// How many of them, the first ones, only answer, so that no call of ours keeps
    /// them busy.
    pub answering: usize,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
    /// The password of `ADMIN`.
    pub admin_password: String,
    /// What the server calls itself towards other machines (TSI, CSI).
    pub station_id: String,
}

/// A running HylaFAX. Dropping it stops it.
#[derive(Debug)]
pub struct Hylafax {
    options: Options,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    process: Child,
    lifeline: ChildStdin,
}

/// Whether HylaFAX's server programs are on this machine.
#[must_use]
pub fn installed() -> bool {
    PROGRAMS.iter().all(|program| Path::new(program).exists())
        && Path::new(SETTINGS).join("setup.cache").exists()
}

/// Whether we may make namespaces and mount: instances need root.
#[must_use]
pub fn permitted() -> bool {
    rustix::process::geteuid().is_root()
}

impl Hylafax {
    /// Sets an instance up and returns when it answers and all its lines are idle.
    ///
    /// # Errors
    /// [`LabError::NotInstalled`], [`LabError::NeedsRoot`], [`LabError::Setup`], or
    /// [`LabError::NotReady`] with what the instance had to say.
    pub fn start(options: Options) -> Result<Self, LabError> {
        Self::start_with(options, |_, settings| settings)
    }

    /// The same with other settings of its lines: what `edit` makes of the file of each,
    /// counted from 0.
    ///
    /// # Errors
    /// As for [`Hylafax::start`].
    pub fn start_with(
        options: Options,
        edit: impl Fn(usize, String) -> String,
    ) -> Result<Self, LabError> {
        if !installed() {
            return Err(LabError::NotInstalled);
        }
        if !permitted() {
            return Err(LabError::NeedsRoot);
        }
        furnish(&options, edit)?;
        let mut server = Self { options, running: None };
        server.launch()?;
        Ok(server)
    }

    /// The port of the client protocol on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.options.port
    }

    /// The spool folder, as the host sees it.
    #[must_use]
    pub fn spool(&self) -> PathBuf {
        self.options.dir.join("spool")
    }

    /// Whether the instance runs.
    pub fn is_alive(&mut self) -> bool {
        self.running.as_mut().is_some_and(|run| matches!(run.process.try_wait(), Ok(None)))
    }

    /// Ends every process of the instance; the spool stays.
    pub fn stop(&mut self) {
        if let Some(Running { mut process, lifeline }) = self.running.take() {
            drop(lifeline);
            let end = Instant::now() + STOP_LIMIT;
            while Instant::now() < end {
                if !matches!(process.try_wait(), Ok(None)) {
                    return;
                }
                thread::sleep(LOOK_EVERY);
            }
            end_by_force(&mut process);
        }
    }

    /// Kills every process of the instance at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut run) = self.running.take() {
            end_by_force(&mut run.process);
        }
    }

    /// Starts it again over the same spool, port and modems.
    ///
    /// # Errors
    /// As for [`Hylafax::start`].
    pub fn restart(&mut self) -> Result<(), LabError> {
        self.stop();
        self.launch()
    }

    fn launch(&mut self) -> Result<(), LabError> {
        clean_up_after_a_crash(&self.options)?;
        let mut process = command(&self.options)
            .spawn()
            .map_err(|source| LabError::setup("unshare (package util-linux)", source))?;
        let lifeline = process.stdin.take().expect("standard input was asked to be a pipe");
        self.running = Some(Running { process, lifeline });
        let end = Instant::now() + START_LIMIT;
        loop {
            let why = match self.lacking() {
                None => return Ok(()),
                Some(why) => why,
            };
            if !self.is_alive() || Instant::now() > end {
                self.kill();
                return Err(LabError::NotReady { what: self.name(), why: self.complaint(&why) });
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    fn name(&self) -> String {
        format!("HylaFAX on port {}", self.options.port)
    }

    /// What is still missing for it to be of use.
    fn lacking(&self) -> Option<String> {
        if !answers(self.options.port) {
            return Some(format!("nothing answers on port {}", self.options.port));
        }
        (0..self.options.modems.len()).find_map(|line| {
            let status = self.spool().join(format!("status/ttyFAX{line}"));
            let status = fs::read_to_string(status).unwrap_or_default();
            (!status.contains("idle")).then(|| format!("ttyFAX{line}: {}", status.trim()))
        })
    }

    fn complaint(&self, why: &str) -> String {
        let said = fs::read_to_string(self.options.dir.join("instance.log")).unwrap_or_default();
        format!("{why} {}", said.trim()).trim().to_owned()
    }
}

impl Drop for Hylafax {
    fn drop(&mut self) {
        self.stop();
    }
}

/// SIGKILL for `unshare`, whose `--kill-child` hands it to process 1 of the
/// namespace, and the kernel then to all others in it.
fn end_by_force(process: &mut Child) {
    // Both fail only for a process that has ended, which is what we want.
    let _ = process.kill();
    let _ = process.wait();
}

fn command(options: &Options) -> Command {
    let log = fs::File::create(options.dir.join("instance.log"))
        .map_or_else(|_| Stdio::null(), Stdio::from);
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "/bin/sh"])
        .arg(options.dir.join("instance.sh"))
        .arg(&options.dir)
        .arg(options.port.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log);
    for (line, (terminal, _)) in options.modems.iter().enumerate() {
        command.arg(format!("ttyFAX{line}={}", terminal.display()));
    }
    command
}

fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
        return false;
    };
    let mut code = [0; 3];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.read_exact(&mut code).is_ok()
        && &code == b"220"
        && stream.write_all(b"QUIT\r\n").is_ok()
}

/// Makes the folders and the configuration.
fn furnish(options: &Options, edit: impl Fn(usize, String) -> String) -> Result<(), LabError> {
    let spool = options.dir.join("spool");
    for folder in FOLDERS.map(|name| spool.join(name)) {
        make_folder(&folder)?;
    }
    for folder in [spool.join("etc"), options.dir.join("lock"), options.dir.join("dev")] {
        make_folder(&folder)?;
    }
    copy_all(Path::new(SETTINGS), &spool.join("etc"))?;
    copy_all(&Path::new(SPOOL).join("bin"), &spool.join("bin"))?;
    // Whichever program comes first would make these its own, and lock the others out.
    for counter in ["sendq", "docq", "recvq", "log"].map(|folder| spool.join(folder).join("seqf")) {
        if !counter.exists() {
            write(&counter, "1", 0o644)?;
        }
    }
    // The log of calls as well: clients read there which number was called.
    let calls = spool.join("log").join("xferfaxlog");
    if !calls.exists() {
        write(&calls, "", 0o644)?;
    }
    for script in SILENCED {
        write(&spool.join("bin").join(script), "#!/bin/sh\nexit 0\n", 0o755)?;
    }
    write(&options.dir.join("instance.sh"), include_str!("hylafax/instance.sh"), 0o755)?;
    let etc = spool.join("etc");
    let scheduler =
        include_str!("hylafax/scheduler.conf").replace("@CALLING@", &calling_modems(options));
    write(&etc.join("config"), &scheduler, 0o644)?;
    write(&etc.join("dialrules"), include_str!("hylafax/dialrules"), 0o644)?;
    for (line, (_, number)) in options.modems.iter().enumerate() {
        let text = include_str!("hylafax/modem.conf")
            .replace("@NUMBER@", number)
            .replace("@STATION@", &options.station_id);
        write(&etc.join(format!("config.ttyFAX{line}")), &edit(line, text), 0o644)?;
    }
    let hosts = format!(
        "^{}@:1001:{}:{}\n",
        options.user,
        encrypted(&options.password)?,
        encrypted(&options.admin_password)?
    );
    write(&etc.join("hosts.hfaxd"), &hosts, 0o600)?;
    run(Command::new("chown").arg("-R").arg("uucp:uucp").arg(&spool))
}

/// The modems that place calls, as a regular expression over their names. With `^` in
/// front HylaFAX finds none of them.
fn calling_modems(options: &Options) -> String {
    let names: Vec<String> =
        (options.answering..options.modems.len()).map(|line| format!("ttyFAX{line}")).collect();
    format!("({})$", names.join("|"))
}

/// Removes what a killed instance leaves behind and a new one would trip over:
/// locks that name process numbers of a namespace that is gone, pipes nobody reads,
/// and the old word that a line is idle.
fn clean_up_after_a_crash(options: &Options) -> Result<(), LabError> {
    let spool = options.dir.join("spool");
    let mut stale = vec![];
    for folder in [options.dir.join("lock"), spool.join("client"), spool.join("status")] {
        let entries = fs::read_dir(&folder)
            .map_err(|source| LabError::setup(folder.display().to_string(), source))?;
        stale.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
    }
    let entries = fs::read_dir(&spool)
        .map_err(|source| LabError::setup(spool.display().to_string(), source))?;
    stale.extend(
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("FIFO"))
            .map(|entry| entry.path()),
    );
    for path in stale {
        if path.is_file() || path.file_name().is_some_and(|name| name != "any.info") {
            fs::remove_file(&path)
                .map_err(|source| LabError::setup(path.display().to_string(), source))?;
        }
    }
    Ok(())
}

/// A password as `hosts.hfaxd` wants it. Perl is on every Debian machine and reaches
/// crypt(3); the password goes through its input, where no process list shows it.
fn encrypted(password: &str) -> Result<String, LabError> {
    const PROGRAM: &str = r#"chomp($p = <STDIN>); @c = ("a".."z", "0".."9");
        print crypt($p, "\$6\$" . join("", map { $c[rand @c] } 1..12) . "\$");"#;
    let fail = |source| LabError::setup("perl", source);
    let mut child = Command::new("perl")
        .args(["-e", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(fail)?;
    let mut input = child.stdin.take().expect("standard input was asked to be a pipe");
    input.write_all(password.as_bytes()).map_err(fail)?;
    drop(input);
    let output = child.wait_with_output().map_err(fail)?;
    let hash = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if hash.starts_with("$6$") {
        Ok(hash)
    } else {
        Err(LabError::setup("crypt(3)", io::Error::other("it gave no hash")))
    }
}

fn copy_all(from: &Path, into: &Path) -> Result<(), LabError> {
    run(Command::new("cp").arg("-a").arg("--no-target-directory").arg(from).arg(into))
}

fn make_folder(folder: &Path) -> Result<(), LabError> {
    fs::create_dir_all(folder)
        .map_err(|source| LabError::setup(folder.display().to_string(), source))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), LabError> {
    let fail = |source| LabError::setup(path.display().to_string(), source);
    // What was copied may be a link or not writable: begin anew.
    if path.symlink_metadata().is_ok() {
        fs::remove_file(path).map_err(fail)?;
    }
    fs::write(path, text).map_err(fail)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(fail)
}

fn run(command: &mut Command) -> Result<(), LabError> {
    let what = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| LabError::setup(what.clone(), source))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::setup(what, io::Error::other(said)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says loudly why a test with real programs did not run.
    fn runnable() -> bool {
        let reason = match (installed(), permitted()) {
            (true, true) => return true,
            (false, _) => "HylaFAX is not installed",
            (_, false) => "it needs root",
        };
        eprintln!("SKIPPED, NOT TESTED: no real HylaFAX was started: {reason}");
        false
    }

    fn options(dir: &Path, name: &str) -> Options {
        Options {
            dir: dir.join(name),
            port: super::super::error::free_port().unwrap(),
            modems: vec![],
            answering: 0,
            user: "postfax".into(),
            password: "letmein".into(),
            admin_password: "letmeadmin".into(),
            station_id: name.into(),
        }
    }

    fn dialog(port: u16, lines: &[&str]) -> Vec<String> {
        use std::io::{BufRead, BufReader};
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut stream = stream;
        let mut heard = vec![replies.next().unwrap().unwrap()];
        for line in lines {
            write!(stream, "{line}\r\n").unwrap();
            heard.push(replies.next().unwrap().unwrap());
        }
        heard
    }

    #[test]
    fn two_instances_run_side_by_side_and_end_when_told() {
        if !runnable() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut london = Hylafax::start(options(dir.path(), "london")).unwrap();
        let mut paris = Hylafax::start(options(dir.path(), "paris")).unwrap();
        for server in [&mut london, &mut paris] {
            let heard =
                dialog(server.port(), &["USER postfax", "PASS letmein", "ADMIN letmeadmin"]);
            let codes: Vec<&str> = heard.iter().map(|line| &line[..3]).collect();
            assert_eq!(codes, ["220", "331", "230", "230"], "{heard:?}");
            assert!(server.is_alive());
        }
        let heard = dialog(paris.port(), &["USER postfax", "PASS wrong"]);
        assert!(heard[2].starts_with("530"), "{heard:?}");

        london.stop();
        assert!(!london.is_alive());
        assert!(!answers(london.port()));
        paris.kill();
        assert!(!answers(paris.port()));
        paris.restart().unwrap();
        assert!(answers(paris.port()));
    }
}
