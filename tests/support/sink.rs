//! A mailbox: takes every mail, or refuses for as long as it is told to.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use mail_parser::{Message, MessageParser, MimeHeaders};

use super::wait_for;

/// A mail as it was delivered.
#[derive(Debug, Clone)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub raw: Vec<u8>,
}

impl Mail {
    pub fn parsed(&self) -> Message<'_> {
        MessageParser::default().parse(&self.raw).expect("a mail can be parsed")
    }

    pub fn subject(&self) -> String {
        self.parsed().subject().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.parsed().header_raw(name)?.trim().to_owned();
        Some(value)
    }

    pub fn message_id(&self) -> String {
        self.parsed().message_id().unwrap_or_default().to_owned()
    }

    /// The text of the part with this content type.
    pub fn part(&self, content_type: &str) -> Option<Vec<u8>> {
        let parsed = self.parsed();
        let is = |part: &&mail_parser::MessagePart| {
            part.content_type().is_some_and(|t| {
                format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()) == content_type
            })
        };
        parsed.parts.iter().find(is).map(|part| part.contents().to_vec())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.part("text/plain").unwrap_or_default()).into_owned()
    }

    /// A field of the machine-readable part of a receipt.
    pub fn status_field(&self, name: &str) -> Option<String> {
        let status = self.part("message/delivery-status")?;
        let status = String::from_utf8_lossy(&status).replace("\r\n ", " ");
        status.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// A mail server that takes everything.
#[derive(Clone)]
pub struct Sink {
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
    refuse: Arc<AtomicU16>,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sink = Self {
            port: listener.local_addr().unwrap().port(),
            mails: Arc::default(),
            refuse: Arc::default(),
        };
        let accepting = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = accepting.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        sink
    }

    /// Answers RCPT with this code from now on; 0 takes everything again.
    pub fn refuse(&self, code: u16) {
        self.refuse.store(code, Ordering::SeqCst);
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// Waits for a mail to `to` that fits.
    pub fn wait(&self, what: &str, to: &str, seconds: u64, fits: impl Fn(&Mail) -> bool) -> Mail {
        wait_for(what, seconds, || {
            self.mails().into_iter().find(|mail| mail.to.iter().any(|t| t == to) && fits(mail))
        })
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut input = BufReader::new(stream.try_clone().ok()?);
        let mut output = stream;
        let mut say = move |text: &str| output.write_all(format!("{text}\r\n").as_bytes()).ok();
        say("220 sink ESMTP")?;
        let (mut from, mut to) = (String::new(), Vec::new());
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line).ok()? == 0 {
                return None;
            }
            let command = String::from_utf8_lossy(&line).trim_end().to_owned();
            let address = || {
                let inside = command.split_once('<').map_or("", |(_, rest)| rest);
                inside.split_once('>').map_or("", |(address, _)| address).to_owned()
            };
            match command.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
                "EHLO" => say("250-sink\r\n250-PIPELINING\r\n250-DSN\r\n250 8BITMIME")?,
                "MAIL" => {
                    (from, to) = (address(), Vec::new());
                    say("250 2.1.0 ok")?
                }
                "RCPT" => match self.refuse.load(Ordering::SeqCst) {
                    0 => {
                        to.push(address());
                        say("250 2.1.5 ok")?
                    }
                    code => say(&format!("{code} {}.2.0 not now", code / 100))?,
                },
                "DATA" if to.is_empty() => say("554 5.5.1 no valid recipients")?,
                "DATA" => {
                    say("354 go on")?;
                    let raw = read_data(&mut input)?;
                    let mail = Mail { from: from.clone(), to: to.clone(), raw };
                    self.mails.lock().unwrap().push(mail);
                    say("250 2.0.0 taken")?
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

fn read_data(input: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut raw = Vec::new();
    let mut line = Vec::new();
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
