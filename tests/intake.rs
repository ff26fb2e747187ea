//! Many clients at once, half of which die in the middle of a message: what was
//! answered with 250 is there once, also after the daemon was killed, and of the rest
//! nothing is there.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Mutex,
    time::{Duration, Instant},
};

use support::{lab::Description, postfax::Postfax, sink::Sink};

const CONNECTIONS: u32 = 50;
const MESSAGES: u32 = 10_000;
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(120);
const NUMBERS: u64 = 4_930_100_000;

/// What a client knows of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// 250 was heard.
    Taken,
    /// The client died before it had sent all of it.
    Torn,
    /// The client died after it had sent all of it, and heard nothing.
    Unheard,
}

/// Where in its message a client dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    Never,
    Within(usize),
    AfterTheDot,
}

struct Client {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Client {
    fn connect(port: u16) -> io::Result<Self> {
        let output = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        output.set_nodelay(true)?;
        output.set_read_timeout(Some(ANSWER))?;
        let mut client = Self { input: BufReader::new(output.try_clone()?), output };
        client.answer("220")?;
        client.say("EHLO load.example.com\r\n", "250")?;
        Ok(client)
    }

    fn say(&mut self, words: &str, code: &str) -> io::Result<()> {
        self.output.write_all(words.as_bytes())?;
        self.answer(code)
    }

    fn answer(&mut self, code: &str) -> io::Result<()> {
        loop {
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            return if line.starts_with(code) { Ok(()) } else { Err(io::Error::other(line)) };
        }
    }

    fn send(&mut self, number: u64, death: Death) -> io::Result<Fate> {
        self.say("MAIL FROM:<anna@example.com>\r\n", "250")?;
        self.say(&format!("RCPT TO:<+{number}@fax.example.com>\r\n"), "250")?;
        self.say("DATA\r\n", "354")?;
        let text = format!("{:=^66}\r\n", number).repeat(40);
        let mail = format!(
            "From: anna@example.com\r\nMessage-ID: <{number}@load.example.com>\r\n\
             Subject: {number}\r\n\r\n{text}.\r\n"
        );
        match death {
            Death::Within(at) => {
                let at = at % (mail.len() - 1);
                self.output.write_all(&mail.as_bytes()[..at])?;
                Ok(Fate::Torn)
            }
            Death::AfterTheDot => {
                self.output.write_all(mail.as_bytes())?;
                Ok(Fate::Unheard)
            }
            Death::Never => {
                self.say(&mail, "250")?;
                Ok(Fate::Taken)
            }
        }
    }
}

/// Half of the connections belong to clients that die with each message, most of them
/// in the middle of it.
fn deaths(connection: u32, message: u32) -> Death {
    match (connection % 2, message % 10) {
        (0, _) => Death::Never,
        (_, 0) => Death::AfterTheDot,
        _ => Death::Within((message * 977 + connection * 131) as usize),
    }
}

fn load(port: u16, connection: u32, fates: &Mutex<BTreeMap<u64, Fate>>) {
    let mut client = None;
    for message in 0..MESSAGES / CONNECTIONS {
        let number = NUMBERS + u64::from(connection * (MESSAGES / CONNECTIONS) + message);
        let death = deaths(connection, message);
        let open = client.get_or_insert_with(|| Client::connect(port).unwrap());
        let fate = open.send(number, death).unwrap();
        fates.lock().unwrap().insert(number, fate);
        if !matches!(death, Death::Never) {
            client = None;
        }
    }
}

fn queued(postfax: &Postfax) -> BTreeMap<u64, u32> {
    let mut found = BTreeMap::new();
    let mut before = u64::MAX >> 1;
    loop {
        let arguments = ["jobs", "--limit", "1000", "--before", &before.to_string()];
        let page = postfax.ask_json(&arguments);
        let jobs = page["jobs"].as_array().or(page.as_array()).unwrap();
        let Some(last) = jobs.last() else { return found };
        before = last["job"].as_u64().unwrap();
        for job in jobs {
            let number = job["to"].as_str().unwrap().trim_start_matches('+').parse().unwrap();
            *found.entry(number).or_default() += 1;
        }
    }
}

fn check(fates: &BTreeMap<u64, Fate>, queued: &BTreeMap<u64, u32>) {
    for (number, fate) in fates {
        let times = queued.get(number).copied().unwrap_or(0);
        match fate {
            Fate::Taken => assert_eq!(times, 1, "{number} was answered with 250"),
            Fate::Torn => assert_eq!(times, 0, "{number} never came whole"),
            Fate::Unheard => assert!(times <= 1, "{number} is there {times} times"),
        }
    }
    assert!(queued.keys().all(|number| fates.contains_key(number)), "nobody sent these");
}

#[test]
fn of_ten_thousand_messages_what_got_a_250_is_there_once() {
    let nobody = Description { servers: Vec::new(), numbers: Vec::new() };
    let sink = Sink::start();
    let more = r#"
[limits]
max_connections = 4000
max_connections_per_address = 4000
max_mails_per_minute = 1000000
max_recipients_per_hour = 1000000
max_faxes_per_number_per_h = 1000000

[[server]]
name = "away"
kind = "hylafax"
url = "hylafax://postfax@127.0.0.1:1"
password_file = "away.pw"
groups = ["london"]
draining = true
"#;
    let mut postfax = Postfax::prepare(&nobody, &sink, more);
    std::fs::write(postfax.file("away.pw"), "secret").unwrap();
    postfax.run();
    let fates = Mutex::new(BTreeMap::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (port, fates) = (postfax.relay, &fates);
            scope.spawn(move || load(port, connection, fates));
        }
    });
    let took = began.elapsed();
    let fates = fates.into_inner().unwrap();
    let taken = fates.values().filter(|fate| **fate == Fate::Taken).count();
    println!("{} messages, {taken} taken, in {:.1} s", fates.len(), took.as_secs_f64());
    assert_eq!(fates.len(), MESSAGES as usize);
    assert!(taken * 2 >= fates.len(), "half of the clients live");
    check(&fates, &queued(&postfax));
    assert!(postfax.kill());
    postfax.run();
    check(&fates, &queued(&postfax));
}
