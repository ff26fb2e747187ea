//! A mail server with manners of its own, that remembers every command; and a mail
//! server that offers a mail as it stands, whatever is in it.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::sink::Mail;

/// How one mail is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Taken.
    Take,
    /// Put off at RCPT, as greylisting does.
    Later,
    /// The connection closes in the middle of the message.
    CloseInData,
    /// Refused at RCPT.
    RefuseRecipient,
    /// Refused at the end of the message.
    RefuseMessage,
}

/// What has happened and what is to happen.
#[derive(Debug, Default)]
struct State {
    /// For the next mails, in their order; then every mail is treated like `always`.
    next: VecDeque<Manner>,
    always: Option<Manner>,
    commands: Vec<String>,
    mails: Vec<Mail>,
}

/// A mail server.
#[derive(Clone)]
pub struct Relay {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Relay {
    pub fn start(next: &[Manner], always: Manner) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").unwrap(), next, always)
    }

    pub fn start_on(listener: TcpListener, next: &[Manner], always: Manner) -> Self {
        let state = State {
            next: next.iter().copied().collect(),
            always: Some(always),
            ..State::default()
        };
        let port = listener.local_addr().unwrap().port();
        let relay = Self { port, state: Arc::new(Mutex::new(state)) };
        let accepting = relay.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        relay
    }

    /// Every mail from now on is treated like this.
    pub fn always(&self, manner: Manner) {
        let mut state = self.state.lock().unwrap();
        state.next.clear();
        state.always = Some(manner);
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    /// The commands so far that begin like this.
    pub fn commands(&self, verb: &str) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.commands.iter().filter(|line| line.starts_with(verb)).cloned().collect()
    }

    fn manner(&self) -> Manner {
        let mut state = self.state.lock().unwrap();
        state.next.pop_front().or(state.always).unwrap_or(Manner::Take)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut input = BufReader::new(stream.try_clone().ok()?);
        let mut output = stream;
        let mut say = move |text: &str| output.write_all(format!("{text}\r\n").as_bytes()).ok();
        say("220 relay ESMTP")?;
        let (mut from, mut to, mut manner) = (String::new(), Vec::new(), Manner::Take);
        loop {
            let line = line_of(&mut input)?;
            self.state.lock().unwrap().commands.push(line.clone());
            let inside = line.split_once('<').map_or("", |(_, rest)| rest);
            let address = inside.split_once('>').map_or("", |(address, _)| address).to_owned();
            match line.get(..4).unwrap_or_default() {
                "EHLO" => say(
                    "250-relay\r\n250-PIPELINING\r\n250-DSN\r\n250-SIZE 1000000\r\n250 8BITMIME",
                )?,
                "MAIL" => {
                    (from, to, manner) = (address, Vec::new(), self.manner());
                    say("250 2.1.0 ok")?
                }
                "RCPT" => match manner {
                    Manner::Later => say("451 4.7.1 greylisted, come again")?,
                    Manner::RefuseRecipient => say("550 5.1.1 nobody of that name")?,
                    _ => {
                        to.push(address);
                        say("250 2.1.5 ok")?
                    }
                },
                "DATA" if to.is_empty() => say("554 5.5.1 no valid recipients")?,
                "DATA" => {
                    say("354 go on")?;
                    let raw = match manner {
                        Manner::CloseInData => {
                            line_of(&mut input)?;
                            return None;
                        }
                        _ => message(&mut input)?,
                    };
                    if manner == Manner::RefuseMessage {
                        say("554 5.6.0 not such a mail")?;
                    } else {
                        let mail = Mail { from: from.clone(), to: to.clone(), raw };
                        self.state.lock().unwrap().mails.push(mail);
                        say("250 2.0.0 taken")?;
                    }
                }
                "QUIT" => {
                    say("221 bye")?;
                    return None;
                }
                _ => say("250 2.0.0 ok")?,
            }
        }
    }
}

fn line_of(input: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    (input.read_until(b'\n', &mut line).ok()? > 0)
        .then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn message(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut raw, mut line) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).ok()? == 0 {
            return None;
        }
        if line == b".\r\n" {
            return Some(raw);
        }
        raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// What was said to a mail: to its recipients, and to the message.
#[derive(Debug, Clone)]
pub struct Offered {
    pub recipients: Vec<String>,
    pub message: String,
}

/// Offers a mail to a port of this machine: LF becomes CRLF, dots are doubled.
pub fn offer(port: u16, from: &str, to: &[&str], text: &str) -> Offered {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    let mut answer = || loop {
        let line = line_of(&mut input).unwrap_or_else(|| "(closed)".into());
        if line.as_bytes().get(3) != Some(&b'-') {
            return line;
        }
    };
    answer();
    let mut ask = |line: &str| {
        output.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        answer()
    };
    ask("EHLO mail.elsewhere.example");
    let sender = ask(&format!("MAIL FROM:<{from}>"));
    assert!(sender.starts_with("250"), "MAIL FROM:<{from}>: {sender}");
    let recipients: Vec<String> = to.iter().map(|to| ask(&format!("RCPT TO:<{to}>"))).collect();
    let mut said = ask("DATA");
    if said.starts_with("354") {
        let lines = text.lines().map(|line| match line.strip_prefix('.') {
            Some(_) => format!(".{line}"),
            None => line.to_owned(),
        });
        let lines: Vec<String> = lines.collect();
        said = ask(&format!("{}\r\n.", lines.join("\r\n")));
    }
    ask("QUIT");
    Offered { recipients, message: said }
}
