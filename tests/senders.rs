//! Who may send, and how much: logins of real clients and of one of our own, what is
//! refused in which words, and what comes back after a while. No fax server answers
//! here, so whatever is accepted waits.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use support::{
    lab::Description,
    postfax::{PASSWORD, Postfax},
    sink::Sink,
    wait_for,
};

const HOME: &str = "<+12025550123@fax.example.com>";
const ABROAD: &str = "<+442079460100@fax.example.com>";
/// A server that is down: what may be sent to it waits.
const SERVER: &str = r#"
[[server]]
name = "london-1"
kind = "hylafax"
url = "hylafax://postfax@127.0.0.1:1"
groups = ["london"]
"#;

fn start(more: &str) -> Postfax {
    let nothing = Description { servers: Vec::new(), numbers: Vec::new() };
    Postfax::start(&nothing, &Sink::start(), &format!("{SERVER}{more}"))
}

/// A conversation in SMTP.
struct Talk {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Talk {
    fn from(address: &str, port: u16) -> Self {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/talk.py"))
            .args([&port.to_string(), address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut talk = Self { child, stdin, stdout };
        assert!(talk.hear().starts_with("220 "));
        talk.say("EHLO client.example.com");
        talk
    }

    /// To the submission port, encrypted.
    fn submit(postfax: &Postfax, address: &str) -> Self {
        let mut talk = Self::from(address, postfax.submission);
        assert!(talk.say("!starttls").starts_with("250-"));
        talk
    }

    /// The same, logged in.
    fn as_client(postfax: &Postfax, client: &str) -> Self {
        let mut talk = Self::submit(postfax, "127.0.0.1");
        let said = talk.say(&format!("!plain {client} {PASSWORD}"));
        assert!(said.starts_with("235 2.7.0 "), "{said}");
        talk
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn say(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        self.hear()
    }

    /// Says it and panics unless the reply begins so.
    fn expect(&mut self, line: &str, reply: &str) -> String {
        let said = self.say(line);
        assert!(said.starts_with(reply), "{line:?} was answered {said:?} instead of {reply:?}");
        said
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_password(config: &Path, client: &str, password: &str) -> (bool, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_postfax"))
        .args(["passwd", client, "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One who is refused does not read.
    let _ = child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes());
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn real_clients_log_in_by_what_they_can() {
    let postfax = start("");
    let mut talk = Talk::submit(&postfax, "127.0.0.1");
    let ehlo = talk.say("EHLO again.example.com");
    assert!(ehlo.contains("SCRAM-SHA-256 PLAIN LOGIN"), "{ehlo}");
    talk.expect(&format!("!scram anna {PASSWORD}"), "235 2.7.0 ");
    talk.expect("MAIL FROM:<anna@example.com>", "250 2.1.0 ");
    talk.expect(&format!("RCPT TO:{HOME}"), "250 2.1.5 ");
    talk.expect("!message Anna <anna@example.com>", "250 2.0.0 ");

    for mechanism in ["PLAIN", "LOGIN"] {
        let swaks = Command::new("swaks")
            .args(["--server", "127.0.0.1", "--port", &postfax.submission.to_string(), "--tls"])
            .args(["--auth", mechanism, "--auth-user", "anna", "--auth-password", PASSWORD])
            .args(["--from", "anna@example.com", "--to", "FAX=+12025550123@fax.example.com"])
            .output()
            .expect("swaks runs");
        assert!(swaks.status.success(), "{}", String::from_utf8_lossy(&swaks.stdout));
    }
    let said = postfax.send("anna", "anna@example.com", "+12025550123@fax.example.com", None);
    assert!(said.accepted, "{}", said.words);

    for (password, good) in [(PASSWORD, true), ("wrong", false)] {
        let mut msmtp = Command::new("msmtp")
            .args(["--host=127.0.0.1", &format!("--port={}", postfax.submission), "--tls=on"])
            .args(["--tls-certcheck=off", "--auth=scram-sha-256", "--user=anna", "--debug"])
            .args([&format!("--passwordeval=echo {password}"), "--from=anna@example.com"])
            .arg("+12025550123@fax.example.com")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("msmtp runs");
        let mail = b"From: anna@example.com\nSubject: A fax\n\nA few words.\n";
        let _ = msmtp.stdin.take().unwrap().write_all(mail);
        let output = msmtp.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), good, "{said}{:?}", output.stderr);
        assert!(said.contains("--> AUTH SCRAM-SHA-256"), "{said}");
        assert!(said.contains(if good { "235 2.7.0 " } else { "535 5.7.8 " }), "{said}");
    }
}

#[test]
fn who_is_unknown_is_not_told_from_who_errs() {
    let postfax = start("[limits]\nmax_login_failures = 20\n");
    // Bob's password was set by an older version.
    let file = postfax.file("passwords");
    let old: Vec<String> = fs::read_to_string(&file)
        .unwrap()
        .lines()
        .map(|line| match line.strip_prefix("bob:") {
            Some(secrets) => format!("bob:{}", secrets.split(':').next().unwrap()),
            None => line.to_owned(),
        })
        .collect();
    fs::write(&file, old.join("\n") + "\n").unwrap();
    assert!(postfax.ask(&["reload"]).status.success());
    let mut said = Vec::new();
    for (n, line) in [
        "!scram anna wrong",
        "!scram nobody wrong",
        &format!("!scram bob {PASSWORD}"),
        "!plain anna wrong",
        "!plain nobody wrong",
    ]
    .iter()
    .enumerate()
    {
        let mut talk = Talk::submit(&postfax, &format!("127.0.1.{}", n + 1));
        said.push(talk.say(line));
    }
    assert!(said.iter().all(|reply| *reply == said[0]), "{said:#?}");
    assert!(said[0].starts_with("535 5.7.8 "), "{}", said[0]);
    Talk::as_client(&postfax, "bob");

    // The quickest of a few of each, with a limit that only a missing check would break.
    let quickest = |user: &str, net: u8| {
        let times = (1..4).map(|n| {
            let mut talk = Talk::submit(&postfax, &format!("127.0.{net}.{n}"));
            let said = talk.say(&format!("!timed !plain {user}{n} wrong"));
            said.split(' ').next().unwrap().parse::<f64>().unwrap()
        });
        times.fold(f64::MAX, f64::min)
    };
    let unknown = quickest("nobody", 2);
    let times = (1..3).map(|n| {
        let mut talk = Talk::submit(&postfax, &format!("127.0.3.{n}"));
        let said = talk.say("!timed !plain carl wrong");
        said.split(' ').next().unwrap().parse::<f64>().unwrap()
    });
    let known = times.fold(f64::MAX, f64::min);
    println!("refused after: unknown user {unknown:.4} s, wrong password {known:.4} s");
    assert!((unknown - known).abs() < 1.0, "{unknown} {known}");
}

#[test]
fn a_client_sends_as_itself_only() {
    let more = r#"
[[client]]
name = "mfp"
mail = ["mfp@example.com"]
groups = ["london"]
may_send_as = ["*@scan.example.com"]
"#;
    let postfax = start(more);
    assert!(set_password(&postfax.config(), "mfp", PASSWORD).0);
    assert!(postfax.ask(&["reload"]).status.success());
    let mut talk = Talk::from("127.0.0.1", postfax.submission);
    talk.expect("MAIL FROM:<anna@example.com>", "530 5.7.0 ");
    talk.expect("!starttls", "250");
    talk.expect("MAIL FROM:<anna@example.com>", "530 5.7.0 ");

    let mut talk = Talk::as_client(&postfax, "anna");
    let said = talk.expect("MAIL FROM:<bob@example.com>", "550 5.7.1 sender not authorised");
    assert!(said.contains("anna") && said.contains("bob@example.com"), "{said}");
    for (path, from, reply) in [
        ("<anna@example.com>", "\"Scanner 3\" <anna@example.com>", "250 2.0.0 "),
        ("<anna@example.com>", "ANNA@EXAMPLE.COM", "250 2.0.0 "),
        ("<>", "anna@example.com", "250 2.0.0 "),
        ("<anna@example.com>", "Bob <bob@example.com>", "550 5.7.1 "),
        ("<anna@example.com>", "anna@example.com, bob@example.com", "550 5.7.1 "),
        ("<>", "it@scan.example.com", "550 5.7.1 "),
    ] {
        talk.expect(&format!("MAIL FROM:{path}"), "250 2.1.0 ");
        talk.expect(&format!("RCPT TO:{HOME}"), "250 2.1.5 ");
        talk.expect(&format!("!message {from}"), reply);
    }
    let mut talk = Talk::as_client(&postfax, "mfp");
    for (from, reply) in [("it@scan.example.com", "250 2.0.0 "), ("it@example.com", "550 5.7.1 ")] {
        talk.expect("MAIL FROM:<mfp@example.com>", "250 2.1.0 ");
        talk.expect(&format!("RCPT TO:{HOME}"), "250 2.1.5 ");
        talk.expect(&format!("!message {from}"), reply);
    }
    let mut talk = Talk::from("127.0.0.1", postfax.relay);
    // Anybody may write to the postmaster: what is refused is refused at RCPT.
    for (from, reply) in [
        ("otto@example.com", "550 5.7.1 sender not authorised"),
        ("", "550 5.7.1 notifications are not faxed"),
        ("anna@example.com", "250 2.1.5 "),
    ] {
        talk.expect(&format!("MAIL FROM:<{from}>"), "250 2.1.0 ");
        talk.expect(&format!("RCPT TO:{HOME}"), reply);
        talk.expect("RSET", "250 ");
    }
}

#[test]
fn guessing_is_slowed_refused_and_logged_and_locks_nobody_out() {
    let limits =
        "[limits]\nmax_login_failures_per_address = 4\nmax_login_failures_per_account = 6\n";
    let postfax = start(limits);
    let mut known = Talk::submit(&postfax, "127.0.0.3");
    known.expect(&format!("!plain anna {PASSWORD}"), "235 ");

    let mut guess = Talk::submit(&postfax, "127.0.0.2");
    guess.expect("!plain anna one", "535 5.7.8 ");
    guess.expect("!plain anna two", "535 5.7.8 ");
    guess.expect("!scram anna three", "535 5.7.8 ");
    // The third is the last of a connection.
    guess.expect("!hear", "421 4.7.0 ");
    let mut guess = Talk::submit(&postfax, "127.0.0.2");
    guess.expect("!plain anna four", "535 5.7.8 ");
    // A little is forgotten every minute, so one more may be looked at.
    let fifth = guess.say("!plain anna five");
    if fifth.starts_with("535") {
        guess.expect("!plain anna six", "421 4.7.0 ");
    } else {
        assert!(fifth.starts_with("421 4.7.0 "), "{fifth}");
    }
    // The right password is not looked at any more, and neither is any account.
    let mut guess = Talk::submit(&postfax, "127.0.0.2");
    guess.expect(&format!("!plain bob {PASSWORD}"), "421 4.7.0 ");

    for (n, word) in ["six", "seven", "eight"].iter().enumerate() {
        let mut other = Talk::submit(&postfax, &format!("127.0.2.{}", n + 1));
        let said = other.say(&format!("!plain anna {word}"));
        assert!(said.starts_with("535 ") || said.starts_with("421 "), "{said}");
    }
    let mut stranger = Talk::submit(&postfax, "127.0.0.4");
    stranger.expect(&format!("!plain anna {PASSWORD}"), "421 4.7.0 ");
    let mut stranger = Talk::submit(&postfax, "127.0.0.4");
    stranger.expect(&format!("!plain bob {PASSWORD}"), "235 ");
    let mut known = Talk::submit(&postfax, "127.0.0.3");
    known.expect(&format!("!plain anna {PASSWORD}"), "235 ");

    let log = postfax.log();
    let line = "login refused: address=127.0.0.2 user=… reason=\"user name or password is wrong\"";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("address=127.0.0.2 user=… reason=\"too many failed logins"), "{log}");
}

/// A name in other letters is another name, whether there is such a client or not; an
/// address in other letters is the same.
#[test]
fn salts_do_not_tell_who_is_a_client() {
    let postfax = start("");
    let salt = |user: &str| {
        let mut talk = Talk::submit(&postfax, "127.0.1.9");
        let first = BASE64.encode(format!("n,,n={user},r=nonce"));
        let said = talk.say(&format!("AUTH SCRAM-SHA-256 {first}"));
        let said = String::from_utf8(BASE64.decode(said.strip_prefix("334 ").unwrap()).unwrap());
        said.unwrap().split(',').nth(1).unwrap().to_owned()
    };
    for (one, other, same) in [
        ("anna", "ANNA", false),
        ("bob", "BOB", false),
        ("nobody", "NOBODY", false),
        ("anna@example.com", "Anna@Example.com", true),
        ("nobody@example.com", "Nobody@Example.com", true),
    ] {
        assert_eq!(salt(one) == salt(other), same, "{one} {other}");
    }
}

#[test]
fn holding_and_hurrying_are_bounded_by_the_configuration() {
    let postfax = start("[limits]\nmax_hold_s = 60\nmin_deliver_by_s = 600\n");
    let mut talk = Talk::as_client(&postfax, "anna");
    let offers = talk.say("EHLO client.example.com");
    assert!(offers.contains(" 250-DELIVERBY 600 /"), "{offers}");
    assert!(offers.contains(" 250-FUTURERELEASE 60 2"), "{offers}");
    talk.expect("MAIL FROM:<anna@example.com> HOLDFOR=61", "501 5.5.4 ");
    talk.expect("MAIL FROM:<anna@example.com> BY=599;R", "555 5.5.4 ");
    talk.expect("MAIL FROM:<anna@example.com> HOLDFOR=60 BY=600;R", "250 ");
    let postfax = start("[limits]\nmax_hold_s = 0\n");
    let mut talk = Talk::as_client(&postfax, "anna");
    let offers = talk.say("EHLO client.example.com");
    assert!(offers.contains("DELIVERBY 60 ") && !offers.contains("FUTURERELEASE"), "{offers}");
    talk.expect("MAIL FROM:<anna@example.com> HOLDFOR=60", "555 5.5.4 ");
}

#[test]
fn a_letter_that_finds_no_room_has_no_fax_sent_twice() {
    // Room for two jobs, of which letters may take one.
    let postfax = start("[limits]\nmax_jobs = 2\n");
    let mut talk = Talk::from("127.0.0.1", postfax.relay);
    talk.expect("MAIL FROM:<anna@example.com>", "250 ");
    talk.expect(&format!("RCPT TO:{HOME}"), "250 ");
    talk.expect("RCPT TO:<postmaster>", "250 ");
    let said = talk.say("!message anna@example.com");
    assert!(said.starts_with("250 2.0.0 "), "whoever is refused sends it again: {said}");
    assert_eq!(postfax.jobs().len(), 1, "the fax is taken");
    talk.expect("MAIL FROM:<anna@example.com>", "250 ");
    talk.expect("RCPT TO:<postmaster>", "250 ");
    talk.expect("!message anna@example.com", "452 4.3.1 ");
}

#[test]
fn rates_are_kept_by_client() {
    let more = r#"
[limits]
max_mails_per_minute = 2
[[client]]
name = "dora"
mail = ["dora@example.com"]
groups = ["london"]
max_mails_per_minute = 50
max_recipients_per_hour = 3
"#;
    let postfax = start(more);
    let mut talk = Talk::from("127.0.0.1", postfax.relay);
    for reply in ["250 ", "250 ", "450 4.7.0 rate limit, retry after "] {
        talk.expect("MAIL FROM:<anna@example.com>", reply);
        talk.expect("RSET", "250 ");
    }
    let said = talk.say("MAIL FROM:<anna@example.com>");
    let seconds: u32 = said.split(' ').nth(6).unwrap().parse().unwrap_or_else(|_| panic!("{said}"));
    assert!((20..=30).contains(&seconds), "{said}");
    talk.expect("MAIL FROM:<dora@example.com>", "250 ");
    for reply in ["250 ", "250 ", "250 ", "450 4.7.0 rate limit, retry after "] {
        talk.expect(&format!("RCPT TO:{HOME}"), reply);
    }
}

#[test]
fn quotas_are_kept_over_a_restart() {
    let more = r#"
[[client]]
name = "dora"
mail = ["dora@example.com"]
groups = ["london"]
quota = { calls_a_day = 3, calls_abroad_a_day = 1 }
[[client]]
name = "emil"
mail = ["emil@example.com"]
groups = ["small"]
[[group]]
name = "small"
quota = { pages_a_day = 2 }
[[server]]
name = "small-1"
kind = "hylafax"
url = "hylafax://postfax@127.0.0.1:2"
groups = ["small"]
"#;
    let mut postfax = start(more);
    let fax = |postfax: &Postfax, from: &str, to: &str| {
        let mut talk = Talk::from("127.0.0.1", postfax.relay);
        talk.expect(&format!("MAIL FROM:<{from}>"), "250 ");
        let said = talk.say(&format!("RCPT TO:{to}"));
        if said.starts_with("250") { talk.say(&format!("!message {from}")) } else { said }
    };
    let dora = "dora@example.com";
    assert!(fax(&postfax, dora, ABROAD).starts_with("250 2.0.0 "));
    let refused = "452 4.2.2 the quota of client dora of 1 faxes abroad a day is used up, again";
    let said = fax(&postfax, dora, ABROAD);
    assert!(said.starts_with(refused) && said.ends_with("UTC"), "{said}");
    assert!(fax(&postfax, dora, HOME).starts_with("250 2.0.0 "));
    postfax.stop();
    postfax.run();
    assert!(fax(&postfax, dora, ABROAD).starts_with(refused), "the abroad one counts still");
    assert!(fax(&postfax, dora, HOME).starts_with("250 2.0.0 "));
    let refused = "452 4.2.2 the quota of client dora of 3 faxes a day is used up, again from 20";
    assert!(fax(&postfax, dora, HOME).starts_with(refused));
    let explained = postfax.ask(&["explain", "--from", "dora", "--to", "+12025550123"]);
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(said.contains("of client dora of 3 faxes a day is used up, again from 20"), "{said}");

    let emil = "emil@example.com";
    let mut talk = Talk::from("127.0.0.1", postfax.relay);
    talk.expect(&format!("MAIL FROM:<{emil}>"), "250 ");
    for number in 1..=3 {
        talk.expect(&format!("RCPT TO:<+1202555012{number}@fax.example.com>"), "250 ");
    }
    let said = talk.say(&format!("!message {emil}"));
    let whole = "550 5.7.1 more than the whole quota of group small of 2 pages a day";
    assert!(said.starts_with(whole), "{said}");
    for reply in ["250 2.0.0 ", "250 2.0.0 ", "452 4.2.2 the quota of group small of 2 pages a day"]
    {
        let said = fax(&postfax, emil, HOME);
        assert!(said.starts_with(reply), "{said}");
    }
}

#[test]
fn who_was_removed_or_changed_is_refused_at_the_next_mail() {
    let postfax = start("");
    let mut anna = Talk::as_client(&postfax, "anna");
    let mut bob = Talk::as_client(&postfax, "bob");
    let mut carl = Talk::as_client(&postfax, "carl");
    anna.expect("MAIL FROM:<anna@example.com>", "250 ");
    anna.expect("RSET", "250 ");
    assert!(set_password(&postfax.config(), "anna", "another").0);
    let passwords = fs::read_to_string(postfax.file("passwords")).unwrap();
    let kept: Vec<&str> = passwords.lines().filter(|line| !line.starts_with("bob:")).collect();
    fs::write(postfax.file("passwords"), kept.join("\n") + "\n").unwrap();
    let config = fs::read_to_string(postfax.config()).unwrap();
    let bobs = "[[client]]\nname = \"bob\"\nmail = [\"bob@example.com\"]\ngroups = [\"paris\"]\n";
    assert!(config.contains(bobs));
    fs::write(postfax.config(), config.replace(bobs, "")).unwrap();
    let reload = postfax.ask(&["reload"]);
    assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
    anna.expect("MAIL FROM:<anna@example.com>", "421 4.7.0 your login has changed");
    bob.expect("MAIL FROM:<bob@example.com>", "550 5.7.1 ");
    carl.expect("MAIL FROM:<carl@example.com>", "250 ");
    let mut anna = Talk::submit(&postfax, "127.0.0.1");
    anna.expect("!scram anna another", "235 ");
}

#[test]
fn a_password_is_for_a_client() {
    let postfax = start("");
    let (set, said) = set_password(&postfax.config(), "ana", PASSWORD);
    assert!(!set);
    assert!(said.contains("did you mean \"anna\"?"), "{said}");
    let list = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_postfax"));
        command.arg("passwd").args(arguments).arg("--config").arg(postfax.config());
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list(&["--list"]).contains("anna  SCRAM-SHA-256 PLAIN LOGIN\n"));
    assert!(list(&["anna", "--remove"]).contains("anna has no password any more"));
    assert!(!list(&["--list"]).contains("anna"));
    assert!(postfax.ask(&["reload"]).status.success());
    wait_for("anna to be unknown", 10, || {
        let mut talk = Talk::submit(&postfax, "127.0.0.1");
        talk.say(&format!("!plain anna {PASSWORD}")).starts_with("535 ").then_some(())
    });
}
