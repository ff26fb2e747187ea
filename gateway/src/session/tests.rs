//! Dialogs with a session, without a socket.

mod chunks;
mod lmtp;
mod random;
mod terms;

use super::*;
use crate::{
    auth::scram::Keys,
    desk::{AuthRefusal, Granted, Identity, Welcome},
};

/// When all dialogs are held.
const NOW: &str = "2026-03-04T05:06:07Z";

/// A session with a desk that likes everything but `bad@` addresses and passwords.
struct Dialog {
    session: Session,
    said: String,
    written: Vec<u8>,
    messages: Vec<(Vec<u8>, usize)>,
    paused: Duration,
    disk_works: bool,
    /// Whether a spool file is open.
    spooling: bool,
    /// The priority that the desk grants at most.
    top_priority: i8,
    closed: bool,
}

impl Dialog {
    fn new(role: Role) -> Self {
        Self::with(role, Limits::default())
    }

    fn with(role: Role, limits: Limits) -> Self {
        let address = std::net::IpAddr::from([192, 0, 2, 7]);
        let mut peer = Peer::new(role, address);
        peer.tls = role == Role::Submissions;
        let mut session = Session::new(limits, "fax.example", peer, true);
        session.greet();
        let mut dialog = Self {
            session,
            said: String::new(),
            written: Vec::new(),
            messages: Vec::new(),
            paused: Duration::ZERO,
            disk_works: true,
            spooling: false,
            top_priority: 9,
            closed: false,
        };
        let spoken = if role == Role::Lmtp { "LMTP" } else { "ESMTP" };
        assert_eq!(dialog.run(), format!("220 fax.example {spoken} Postfax\r\n"));
        dialog
    }

    fn hello(role: Role) -> Self {
        let mut dialog = Self::new(role);
        let verb = if role == Role::Lmtp { "LHLO" } else { "EHLO" };
        dialog.say(&format!("{verb} my_printer\r\n"));
        dialog
    }

    fn say(&mut self, text: &str) -> String {
        self.session.feed(text.as_bytes());
        self.run()
    }

    fn run(&mut self) -> String {
        while !self.closed {
            match self.session.poll(NOW.parse().unwrap()) {
                Output::Send(reply) => self.said.push_str(std::str::from_utf8(&reply).unwrap()),
                Output::Pause(pause) => self.paused += pause,
                Output::Ask(question) => self.answer(question),
                Output::Secure => self.session.secured(Secured::default()),
                Output::Write(_) if !self.disk_works => self.session.disk_failed(),
                Output::Write(octets) => self.written.extend(octets),
                Output::Store => {
                    self.spooling = false;
                    self.session.stored(self.disk_works);
                }
                Output::Discard => {
                    self.spooling = false;
                    self.written.clear();
                }
                Output::Read(_) => break,
                Output::Close => self.closed = true,
            }
        }
        std::mem::take(&mut self.said)
    }

    fn answer(&mut self, question: Question) {
        let refuse = |bad: bool| if bad { Err(Reply::new(550, (7, 1), "no")) } else { Ok(()) };
        match question {
            Question::Authenticate(credentials) => {
                let good = credentials.password != "bad";
                let identity = Identity(credentials.user);
                let answer = good.then_some(identity).ok_or(AuthRefusal::WrongCredentials);
                self.session.authenticated(answer);
            }
            Question::Keys(user) => {
                let keys = Keys::of_nobody(b"secret", &user);
                self.session.keys(Ok((keys, "ours".to_owned())));
            }
            Question::Proof(proof) => {
                let answer = match proof {
                    Proof::Password { user } => Ok(Identity(user)),
                    Proof::Certificate { .. } => Ok(Identity("certified".to_owned())),
                    Proof::WrongPassword { .. } => Err(AuthRefusal::WrongCredentials),
                };
                self.session.authenticated(answer);
            }
            Question::Sender(mail) => {
                let bad = mail.from.as_ref().is_some_and(|from| from.local() == "bad");
                let priority = mail.priority.unwrap_or(0).min(self.top_priority);
                self.session.granted(refuse(bad).map(|()| Granted { priority }));
            }
            Question::Recipient(_, rcpt) => {
                let local = rcpt.mailbox.local();
                let welcome = match local.strip_prefix("list-") {
                    Some(count) => Welcome {
                        count: count.parse().unwrap(),
                        memo: Some(local.into()),
                        words: Some(format!("{count} of them")),
                    },
                    None => Welcome::default(),
                };
                self.session.welcomed(refuse(local == "bad").map(|()| welcome));
            }
            Question::Spool(mail) => {
                assert!(!self.spooling, "one spool file at a time");
                let bad = mail.from.as_ref().is_some_and(|from| from.local() == "full");
                self.spooling = !bad;
                let full = Err(Reply::new(452, (3, 1), "no room"));
                self.session.verdict(if bad { full } else { Ok(()) });
            }
            Question::Message(mail, rcpts) => {
                self.messages.push((std::mem::take(&mut self.written), rcpts.len()));
                let bad = mail.from.as_ref().is_some_and(|from| from.local() == "odd");
                let mut names = ["one", "two", "three", "four"].map(String::from).into_iter();
                let of = |rcpt: &Rcpt| names.by_ref().take(rcpt.welcome.count).collect();
                let names: Vec<Vec<String>> = rcpts.iter().map(of).collect();
                let odd = Err(Reply::new(554, (6, 0), "odd"));
                self.session.finished(if bad { odd } else { Ok(names) });
            }
        }
    }
}

/// The codes of the replies, one per reply.
fn codes(said: &str) -> Vec<u16> {
    let last = said.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    last.map(|line| line[..3].parse().unwrap()).collect()
}

const ENVELOPE: &str = "MAIL FROM:<a@b>\r\nRCPT TO:<+44@f>\r\n";

#[test]
fn a_message_from_hello_to_goodbye() {
    let mut dialog = Dialog::new(Role::Relay);
    let ehlo = dialog.say("EHLO mail.example\r\n");
    assert_eq!(
        ehlo,
        "250-fax.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n250-8BITMIME\r\n\
         250-SMTPUTF8\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n\
         250-BINARYMIME\r\n250-STARTTLS\r\n250-DELIVERBY 60\r\n250-MT-PRIORITY MIXER\r\n\
         250 LIMITS MAILMAX=1000 RCPTMAX=200\r\n"
    );
    assert_eq!(dialog.say("MAIL FROM:<a@b> SIZE=12\r\n"), "250 2.1.0 sender ok\r\n");
    assert_eq!(dialog.say("RCPT TO:<+44@f>\r\n"), "250 2.1.5 recipient ok\r\n");
    assert_eq!(dialog.say("DATA\r\n"), "354 end with <CRLF>.<CRLF>\r\n");
    assert_eq!(dialog.say("Subject: x\r\n\r\n..dot\r\n"), "");
    assert_eq!(dialog.say(".\r\n"), "250 2.0.0 queued as one\r\n");
    assert_eq!(dialog.messages, [(b"Subject: x\r\n\r\n.dot\r\n".to_vec(), 1)]);
    assert_eq!(dialog.session.protocol(), "ESMTP");
    assert_eq!(dialog.say("QUIT\r\n"), "221 2.0.0 goodbye\r\n");
    assert!(dialog.closed);
}

#[test]
fn groups_of_commands_are_answered_in_order() {
    let mut dialog = Dialog::hello(Role::Relay);
    let group = format!("RSET\r\n{ENVELOPE}RCPT TO:<bad@f>\r\nRCPT TO:<+49@f>\r\nDATA\r\n");
    assert_eq!(codes(&dialog.say(&group)), [250, 250, 250, 550, 250, 354]);
    // The next envelope may come with the end of a message (RFC 2920 3.1).
    let group = format!("text\r\n.\r\n{ENVELOPE}DATA\r\n");
    assert_eq!(codes(&dialog.say(&group)), [250, 250, 250, 354]);
    assert_eq!(codes(&dialog.say(".\r\nQUIT\r\n")), [250, 221]);
    assert_eq!(dialog.messages, [(b"text\r\n".to_vec(), 2), (Vec::new(), 1)]);
}

#[test]
fn what_may_not_be_followed_is_not() {
    for (before, text) in [
        ("", "EHLO x\r\nMAIL FROM:<a@b>\r\n"),
        ("", "HELO x\r\nM"),
        ("EHLO x\r\n", "STARTTLS\r\nEHLO y\r\n"),
        ("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", "DATA\r\ntext\r\n.\r\n"),
    ] {
        let mut dialog = Dialog::new(Role::Relay);
        for line in before.split_inclusive("\r\n") {
            dialog.say(line);
        }
        assert_eq!(codes(&dialog.say(text)), [554], "{text:?}");
        assert!(dialog.closed);
    }
    let mut dialog = Dialog::hello(Role::Submissions);
    assert_eq!(codes(&dialog.say("AUTH LOGIN\r\nYQ==\r\n")), [554]);
    let mut dialog = Dialog::hello(Role::Submissions);
    assert_eq!(codes(&dialog.say("AUTH LOGIN\r\n")), [334]);
    assert_eq!(codes(&dialog.say("YQ==\r\nYQ==\r\n")), [554]);
}

#[test]
fn early_talkers_are_turned_away() {
    let peer = Peer::new(Role::Relay, std::net::IpAddr::from([192, 0, 2, 7]));
    let mut session = Session::new(Limits::default(), "fax.example", peer, false);
    session.feed(b"EHLO x\r\n");
    session.greet();
    assert!(
        matches!(session.poll(NOW.parse().unwrap()), Output::Send(reply) if reply.starts_with(b"554 "))
    );
    assert_eq!(session.poll(NOW.parse().unwrap()), Output::Close);
}

#[test]
fn the_order_of_commands() {
    let mut dialog = Dialog::new(Role::Relay);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [503]);
    assert_eq!(codes(&dialog.say("NOOP\r\nVRFY x\r\nHELP\r\nEXPN x\r\n")), [250, 252, 214, 502]);
    assert_eq!(codes(&dialog.say("EHLO x\r\n")), [250]);
    assert_eq!(codes(&dialog.say("RCPT TO:<a@b>\r\n")), [503]);
    assert_eq!(codes(&dialog.say("DATA\r\n")), [503]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n")), [250, 503]);
    assert_eq!(codes(&dialog.say("DATA\r\n")), [503]);
    assert_eq!(codes(&dialog.say("RCPT TO:<bad@f>\r\nDATA\r\n")), [550, 554]);
    assert_eq!(codes(&dialog.say("RSET\r\nRCPT TO:<a@b>\r\n")), [250, 503]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<bad@b>\r\nRCPT TO:<a@b>\r\n")), [550, 503]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [250]);
    assert_eq!(codes(&dialog.say("STARTTLS\r\n")), [503], "not inside a transaction");
    assert_eq!(codes(&dialog.say("EHLO again\r\n")), [250]);
    assert_eq!(codes(&dialog.say("RCPT TO:<a@b>\r\n")), [503], "EHLO is a RSET");
    assert_eq!(codes(&dialog.say("AUTH PLAIN AGEAYg==\r\n")), [502]);
}

#[test]
fn submission_needs_tls_and_a_login() {
    let mut dialog = Dialog::hello(Role::Submission);
    assert!(!dialog.say("EHLO x\r\n").contains("AUTH"));
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [530]);
    assert_eq!(codes(&dialog.say("AUTH PLAIN AGEAYg==\r\n")), [530]);
    assert_eq!(codes(&dialog.say("STARTTLS\r\n")), [220]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [503], "all is forgotten");
    let ehlo = dialog.say("EHLO x\r\n");
    assert!(ehlo.contains("AUTH PLAIN LOGIN") && !ehlo.contains("STARTTLS"), "{ehlo}");
    let asked = dialog.say("MAIL FROM:<a@b>\r\n");
    assert_eq!(asked, "530 5.7.0 Authentication required\r\n");
    assert_eq!(codes(&dialog.say("AUTH CRAM-MD5\r\n")), [504]);
    assert_eq!(codes(&dialog.say("AUTH LOGIN\r\n")), [334]);
    assert_eq!(codes(&dialog.say("*\r\n")), [501]);
    assert_eq!(codes(&dialog.say("AUTH PLAIN AGEAYg==\r\n")), [235]);
    assert_eq!(dialog.session.peer().identity, Some(Identity("a".into())));
    assert_eq!(dialog.session.protocol(), "ESMTPSA");
    assert_eq!(codes(&dialog.say("AUTH PLAIN AGEAYg==\r\n")), [503]);
    assert_eq!(codes(&dialog.say("STARTTLS\r\n")), [503]);
    assert_eq!(codes(&dialog.say(ENVELOPE)), [250, 250]);
}

#[test]
fn failed_logins_are_slow_and_few() {
    let mut dialog = Dialog::hello(Role::Submissions);
    let wrong = "AUTH PLAIN AGEAYmFk\r\n";
    assert_eq!(codes(&dialog.say(wrong)), [535]);
    assert_eq!(dialog.paused, Duration::from_secs(2));
    assert_eq!(codes(&dialog.say(wrong)), [535]);
    assert_eq!(codes(&dialog.say(wrong)), [535, 421]);
    assert!(dialog.closed);
}

#[test]
fn smuggled_messages_are_refused_at_any_split() {
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r\n\n.\r\n"] {
        let forged = format!("text{end}MAIL FROM:<evil@x>\r\nRCPT TO:<+4490@f>\r\nDATA\r\n");
        let text = format!("{forged}more\r\n.\r\n");
        for split in 0..text.len() {
            let mut dialog = Dialog::hello(Role::Relay);
            dialog.say(&format!("{ENVELOPE}DATA\r\n"));
            let mut said = dialog.say(&text[..split]);
            said.push_str(&dialog.say(&text[split..]));
            assert_eq!(said, "550 5.5.2 bare <CR> or <LF> not allowed\r\n", "{end:?} {split}");
            assert!(dialog.closed && dialog.messages.is_empty());
        }
    }
}

#[test]
fn bare_line_ends_among_commands_end_the_session() {
    for text in ["NOOP\n", "NOOP\r", "NOOP\rNOOP\r\n", "RSET\r\r\n"] {
        let mut dialog = Dialog::hello(Role::Relay);
        let said = dialog.say(text) + &dialog.say("NOOP\r\n");
        assert_eq!(codes(&said), [521], "{text:?}");
        assert!(dialog.closed);
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        max_message_bytes: 100,
        max_recipients: 2,
        max_errors: 3,
        max_messages: 2,
        max_discard_bytes: 1000,
        ..Limits::default()
    };
    let fresh = || {
        let mut dialog = Dialog::with(Role::Relay, limits.clone());
        dialog.say("EHLO x\r\n");
        dialog
    };
    let mut dialog = fresh();
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b> SIZE=101\r\n")), [552]);
    let three = format!("{ENVELOPE}RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n");
    assert_eq!(codes(&dialog.say(&three)), [250, 250, 250, 452, 354]);
    let large = "0123456789\r\n".repeat(20);
    assert_eq!(dialog.say(&large), "");
    assert_eq!(codes(&dialog.say(".\r\nNOOP\r\n")), [552, 250]);
    dialog.say(&format!("{ENVELOPE}DATA\r\n"));
    assert_eq!(codes(&dialog.say("x\r\n.\r\nMAIL FROM:<a@b>\r\n")), [250, 421]);

    let mut dialog = fresh();
    assert_eq!(codes(&dialog.say(&"NOOP\r\n".repeat(150))).last(), Some(&421));
    let mut dialog = fresh();
    assert_eq!(codes(&dialog.say("A\r\nB\r\nC\r\nD\r\nE\r\n")), [500, 500, 500, 421]);
    let mut dialog = fresh();
    dialog.say(&format!("{ENVELOPE}DATA\r\n"));
    assert_eq!(codes(&dialog.say(&"x".repeat(2000))), [552]);
    assert!(dialog.closed, "does not read for ever");
    let mut dialog = fresh();
    let long = format!("NOOP {}\r\nNOOP\r\n", "x".repeat(5000));
    assert_eq!(codes(&dialog.say(&long)), [500, 250]);
}

#[test]
fn a_full_disk_makes_no_commands_of_the_text() {
    let mut dialog = Dialog::hello(Role::Relay);
    dialog.disk_works = false;
    dialog.say(&format!("{ENVELOPE}DATA\r\n"));
    assert_eq!(dialog.say("text\r\n"), "");
    assert_eq!(dialog.say("RSET\r\nQUIT\r\n"), "");
    assert_eq!(codes(&dialog.say(".\r\n")), [452]);
    assert_eq!(codes(&dialog.say("NOOP\r\n")), [250]);
    assert!(dialog.messages.is_empty());
}

#[test]
fn other_protocols_are_shown_the_door() {
    let mut dialog = Dialog::new(Role::Relay);
    assert_eq!(codes(&dialog.say("GET / HTTP/1.1\r\nHost: x\r\n")).len(), 1);
    assert!(dialog.closed);
}

#[test]
fn a_proof_is_offered_where_it_can_be_checked_and_bound() {
    let mut dialog = Dialog::new(Role::Submissions);
    dialog.session.offer_proofs(true);
    let ehlo = dialog.say("EHLO x\r\n");
    assert!(ehlo.contains("AUTH SCRAM-SHA-256 PLAIN LOGIN\r\n"), "{ehlo}");
    assert_eq!(codes(&dialog.say("AUTH SCRAM-SHA-256-PLUS\r\n")), [504]);
    let exporter = Some([7; EXPORTER_BYTES]);
    dialog.session.encrypted(Secured { exporter, certificate: None });
    let ehlo = dialog.say("EHLO x\r\n");
    assert!(ehlo.contains("AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n"), "{ehlo}");
    // y,,n=anna,r=abc: the client did not see -PLUS.
    let asked = dialog.say("AUTH SCRAM-SHA-256 eSwsbj1hbm5hLHI9YWJj\r\n");
    assert!(asked.starts_with("535 5.7.8 "), "{asked}");
    // n,,n=anna,r=abc, and a proof of 32 zeros.
    let challenge = dialog.say("AUTH SCRAM-SHA-256 biwsbj1hbm5hLHI9YWJj\r\n");
    assert!(challenge.starts_with("334 cj1hYmNvdXJzLHM9"), "r=abcours,s=...: {challenge}");
    let last =
        "Yz1iaXdzLHI9YWJjb3VycyxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9";
    assert_eq!(codes(&dialog.say(&format!("{last}\r\n"))), [535]);
    assert!(dialog.paused >= Duration::from_secs(2));
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [530]);
}

#[test]
fn a_certificate_is_shown_and_asked_for() {
    let mut dialog = Dialog::new(Role::Submissions);
    let certificate = Certificate { fingerprint: "ab".repeat(32), names: Vec::new() };
    dialog.session.encrypted(Secured { certificate: Some(certificate), exporter: None });
    let ehlo = dialog.say("EHLO x\r\n");
    assert!(ehlo.contains("AUTH EXTERNAL PLAIN LOGIN\r\n"), "{ehlo}");
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [250], "the desk knows it");
    assert_eq!(codes(&dialog.say("RSET\r\nAUTH EXTERNAL =\r\n")), [250, 235]);
    assert_eq!(dialog.session.peer().identity, Some(Identity("certified".into())));
}
