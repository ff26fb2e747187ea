//! Calls: mails and faxes through a supervisor and a line server, with a modem and a trunk
//! at a telephone exchange in this process. What the exchange's machines hold has happened.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use postfax_hw::exchange::{
    CallResult, Exchange, Machine, Options, ReceivedFax, Sending, sip::SipOptions,
};

use super::{
    NOBODY, PROGRAM, Process, run,
    support::{
        lab::Description,
        pages,
        postfax::{Postfax, free_port},
        sink::{Mail, Sink},
        wait_for,
    },
};

pub(super) const MODEM: &str = "+12125550101";
const TRUNK: &str = "+12125550102";
/// Where a call with one page is over at the latest, on a machine that is busy.
pub(super) const CALL_S: u64 = 120;

/// Both processes, their mailbox, and the other machines.
pub(super) struct House {
    pub(super) exchange: Exchange,
    device: PathBuf,
    pub(super) sink: Sink,
    pub(super) postfax: Postfax,
}

/// What the supervisor's configuration has of the line server, whose key is not known yet.
fn supervised(port: u16, trunk: bool) -> String {
    format!(
        r#"
[[server]]
name = "branch-1"
kind = "line"
url = "line://127.0.0.1:{port}"
key = "{NOBODY}"
groups = ["london"]
numbers = ["{MODEM}", "{TRUNK}"]
lines = {}
[[route]]
called = "{MODEM}"
to = ["anna"]
[[route]]
called = "{TRUNK}"
to = ["carl"]
"#,
        1 + usize::from(trunk)
    )
}

impl House {
    /// With a modem line, and a trunk where it is wanted; the supervisor runs, with `more`
    /// in its configuration.
    pub(super) fn open(trunk: bool, more: &str) -> Self {
        let sink = Sink::start();
        let (port, sip_port) = (free_port(), free_port());
        let more = supervised(port, trunk) + more;
        let nobody = Description { servers: vec![], numbers: vec![] };
        let postfax = Postfax::prepare(&nobody, &sink, &more);
        let exchange = Exchange::start(Options::new(&postfax.file("exchange"))).unwrap();
        let device = exchange.modem(MODEM, None).unwrap();
        let sip = exchange.sip(SipOptions::default()).unwrap();
        exchange.sip_number(TRUNK, 1, &format!("127.0.0.1:{sip_port}")).unwrap();
        for state in ["state", "lines"] {
            fs::DirBuilder::new().mode(0o700).create(postfax.file(state)).unwrap();
        }
        let mut lines = format!(
            r#"[lines]
country = "US"
state = "{}"
listen = "127.0.0.1:{port}"
supervisor = "{NOBODY}"
[[line]]
name = "modem"
kind = "modem"
device = "{}"
fax_number = "{MODEM}"
"#,
            postfax.file("lines").display(),
            device.display()
        );
        if trunk {
            lines += &format!(
                r#"[[line]]
name = "trunk"
kind = "sip"
server = "{sip}"
listen = "127.0.0.1:{sip_port}"
fax_number = "{TRUNK}"
numbers = ["{TRUNK}"]
channels = 1
"#
            );
        }
        fs::write(postfax.file("lines.toml"), &lines).unwrap();
        let mut house = Self { exchange, device, sink, postfax };
        let (supervisor, own) = (house.key(true), house.key(false));
        fs::write(house.postfax.file("lines.toml"), lines.replace(NOBODY, &supervisor)).unwrap();
        let config = fs::read_to_string(house.postfax.config()).unwrap();
        fs::write(house.postfax.config(), config.replace(NOBODY, &own)).unwrap();
        house.postfax.run();
        house
    }

    fn key(&self, supervisor: bool) -> String {
        let (file, config) = (self.postfax.file("lines.toml"), self.postfax.config());
        let (file, config) = (file.to_str().unwrap(), config.to_str().unwrap());
        let mut arguments = vec!["lines", "key", "--file", file, "--config", config];
        arguments.extend(supervisor.then_some("--supervisor"));
        let output = run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The line server; it dies where `die` says.
    pub(super) fn lines(&self, die: &str) -> Process {
        let path = self.postfax.file("lines.log");
        let log = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        let child = Command::new(PROGRAM)
            .args(["lines", "--file"])
            .arg(self.postfax.file("lines.toml"))
            .env("POSTFAX_LINES_DIE_BEFORE", die)
            .env("RUST_LOG", "info,rsipstack=trace")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Process(child.unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.postfax.file("lines.log")).unwrap_or_default()
    }

    fn says(&self, what: &str) {
        wait_for(what, 30, || self.log().contains(what).then_some(()));
    }

    pub(super) fn wait_until_up(&self) {
        wait_for("the line server to be up", 60, || {
            let health = self.postfax.status()["servers"][0]["live"]["health"].clone();
            health.get("up").map(drop)
        });
    }

    /// Mails a page of its own to this number.
    fn mail(&self, from: &str, number: &str, text: &str) {
        self.mail_pdf(from, number, text, &pages::pdf(1, text));
    }

    /// Mails this document under a name of its own.
    pub(super) fn mail_pdf(&self, from: &str, number: &str, name: &str, content: &[u8]) {
        let pdf = self.postfax.file(&format!("{name}.pdf"));
        fs::write(&pdf, content).unwrap();
        let to = format!("FAX={number}@fax.example.com");
        let said = self.postfax.send("-", &format!("{from}@example.com"), &to, Some(&pdf));
        assert!(said.accepted, "{}", said.words);
    }

    fn receipt(&self, client: &str) -> Mail {
        let to = format!("{client}@example.com");
        let is = |mail: &Mail| mail.status_field("Action").is_some_and(|is| is != "delayed");
        self.sink.wait("a receipt", &to, CALL_S, is)
    }

    pub(super) fn delivered(&self, client: &str) {
        let receipt = self.receipt(client);
        let action = receipt.status_field("Action");
        assert_eq!(action.as_deref(), Some("delivered"), "{}", receipt.text());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- what the line server said ---\n{}", self.log());
        }
    }
}

fn takes(machine: &mut Machine) -> ReceivedFax {
    let fax = machine.wait_received().expect("the exchange runs");
    assert!(fax.complete && fax.pages == 1, "{fax:?}");
    fax
}

fn sends(machine: &Machine, number: &str, tiff: &Path) -> CallResult {
    machine.call(Sending { number, tiff, subaddress: None, ecm: true, progress: None }).wait()
}

#[test]
fn mails_and_faxes_go_through_a_modem_and_a_trunk() {
    let house = House::open(true, "");
    let probe =
        |more: &[&str]| run(&[&["lines", "probe", house.device.to_str().unwrap()], more].concat());
    let (text, json) = (probe(&[]), probe(&["--json"]));
    eprintln!("{}{}", String::from_utf8_lossy(&text.stdout), String::from_utf8_lossy(&json.stdout));
    assert!(text.status.success(), "{}", String::from_utf8_lossy(&text.stderr));
    let probe: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert!(probe.is_object(), "{probe}");
    let mut machines =
        ["+12125550111", "+12125550112"].map(|n| house.exchange.machine(n, 2, "far").unwrap());
    let _lines = house.lines("");
    house.wait_until_up();
    house.mail("anna", "+12125550111", "one");
    house.mail("carl", "+12125550112", "two");
    for client in ["anna", "carl"] {
        house.delivered(client);
    }
    let faxes = machines.each_mut().map(takes);
    eprintln!("{faxes:?}");
    thread::scope(|calls| {
        for (at, number) in [MODEM, TRUNK].into_iter().enumerate() {
            let (machine, fax) = (&machines[at], &faxes[at].tiff);
            calls.spawn(move || {
                let ended = sends(machine, number, fax);
                assert_eq!(ended.pages_confirmed, 1, "{number}: {ended:?}");
            });
        }
    });
    for (client, number) in [("anna", MODEM), ("carl", TRUNK)] {
        let to = format!("{client}@example.com");
        let came = |mail: &Mail| mail.header("X-Fax-Called").is_some();
        let fax = house.sink.wait("a received fax", &to, 30, came);
        assert_eq!(fax.header("X-Fax-Called").as_deref(), Some(number));
        assert_eq!(fax.header("X-Fax-Pages").as_deref(), Some("1"));
    }
    assert!(!house.log().contains("SIP/2.0"), "messages of SIP are in the log");
    assert!(!house.log().contains("rsipstack"), "the stack of SIP logs");
}

#[test]
fn a_supervisor_that_is_killed_in_a_call_finds_how_it_ended() {
    let mut house = House::open(false, "");
    let mut machine = house.exchange.machine("+12125550111", 1, "far").unwrap();
    let mut events = house.exchange.subscribe();
    let _lines = house.lines("");
    house.wait_until_up();
    house.mail("anna", "+12125550111", "one");
    wait_for("the answer", CALL_S, || {
        let what = events.try_recv().ok()?.what;
        (what == postfax_hw::exchange::Happening::Answered).then_some(())
    });
    house.postfax.kill();
    takes(&mut machine);
    house.postfax.run();
    house.delivered("anna");
    assert_eq!(calls_of(&mut events), 0, "nobody calls a second time");
}

#[test]
fn a_line_server_that_is_killed_before_it_dials_calls_in_its_next_life() {
    let house = House::open(false, "");
    let mut machine = house.exchange.machine("+12125550111", 1, "far").unwrap();
    let mut lines = house.lines("call");
    house.wait_until_up();
    house.mail("anna", "+12125550111", "one");
    wait_for("its end", CALL_S, || lines.ended());
    let _lines = house.lines("");
    takes(&mut machine);
    house.delivered("anna");
}

#[test]
fn mails_to_one_number_that_wait_for_the_line_go_out_in_one_call() {
    let house = House::open(false, "");
    let mut first = house.exchange.machine("+12125550111", 1, "far").unwrap();
    let mut second = house.exchange.machine("+12125550112", 1, "far").unwrap();
    let _lines = house.lines("");
    house.wait_until_up();
    house.mail("carl", "+12125550111", "one");
    wait_for("the call", CALL_S, || house.log().contains("jobs=1").then_some(()));
    for text in ["two", "three", "four"] {
        house.mail("anna", "+12125550112", text);
    }
    takes(&mut first);
    let fax = second.wait_received().unwrap();
    assert!(fax.complete && fax.pages == 3, "{fax:?}");
    let receipts = wait_for("three receipts", 30, || {
        let mut mails = house.sink.mails();
        mails.retain(|mail| {
            mail.to == ["anna@example.com"] && mail.status_field("Action").is_some()
        });
        (mails.len() == 3).then_some(mails)
    });
    for receipt in receipts {
        assert_eq!(receipt.status_field("Action").as_deref(), Some("delivered"));
        eprintln!("{}", receipt.subject());
    }
    for job in house.postfax.jobs().iter().filter(|job| job["document"]["pages"] == 1) {
        assert_eq!(job["confirmed"], 1, "{job:#}");
    }
}

#[test]
#[ignore = "a call: cargo test --workspace --test lines -- --ignored calls"]
fn a_fax_that_comes_while_the_supervisor_is_away_is_delivered_later() {
    let mut house = House::open(false, "");
    let mut machine = house.exchange.machine("+12125550111", 2, "far").unwrap();
    let _lines = house.lines("");
    house.wait_until_up();
    house.mail("anna", "+12125550111", "one");
    house.delivered("anna");
    let fax = takes(&mut machine).tiff;
    house.postfax.kill();
    let ended = sends(&machine, MODEM, &fax);
    assert_eq!(ended.pages_confirmed, 1, "{ended:?}");
    house.postfax.run();
    let came = |mail: &Mail| mail.header("X-Fax-Called").is_some();
    let mail = house.sink.wait("the fax", "anna@example.com", 60, came);
    assert_eq!(mail.header("X-Fax-Pages").as_deref(), Some("1"));
    assert_eq!(house.sink.mails().iter().filter(|mail| came(mail)).count(), 1);
}

/// A house in whose line server a call goes on when it is told to use its line otherwise.
fn reloaded_in_a_call(more: &str) -> (House, Machine, Process) {
    let house = House::open(false, "");
    let machine = house.exchange.machine("+12125550111", 1, "far").unwrap();
    let mut events = house.exchange.subscribe();
    let file = house.postfax.file("lines.toml");
    let text = fs::read_to_string(&file).unwrap().replace("[[line]]", &format!("{more}[[line]]"));
    fs::write(&file, &text).unwrap();
    let lines = house.lines("");
    house.wait_until_up();
    house.mail("anna", "+12125550111", "one");
    wait_for("the answer", CALL_S, || {
        let what = events.try_recv().ok()?.what;
        (what == postfax_hw::exchange::Happening::Answered).then_some(())
    });
    fs::write(&file, format!("{text}header_name = \"Another\"\n")).unwrap();
    lines.signal("HUP");
    house.says("calls under way may come to their end");
    (house, machine, lines)
}

#[test]
fn a_line_server_that_is_told_to_stop_while_it_reloads_lets_its_call_end() {
    let (house, mut machine, mut lines) = reloaded_in_a_call("");
    lines.signal("TERM");
    house.says("told to stop, and not to begin again");
    takes(&mut machine);
    let code = wait_for("its end", 20, || lines.ended());
    assert_eq!(code, 0, "{}", house.log());
    assert!(!house.log().contains("cut off"), "{}", house.log());
    let _lines = house.lines("");
    house.delivered("anna");
}

#[test]
fn a_reload_that_has_waited_long_enough_cuts_off_a_call_and_goes_on() {
    let (house, _machine, mut lines) = reloaded_in_a_call("stop_after_s = 1\n");
    house.says("calls that still go on are cut off");
    house.says("the new file is in force");
    assert_eq!(lines.ended(), None, "{}", house.log());
    house.wait_until_up();
}

/// How often was dialled since the events were last read.
fn calls_of(events: &mut tokio::sync::broadcast::Receiver<postfax_hw::exchange::Event>) -> usize {
    let all = std::iter::from_fn(|| events.try_recv().ok());
    all.filter(|event| event.what == postfax_hw::exchange::Happening::Dialled).count()
}
