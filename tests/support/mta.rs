//! A mail server that hands mails on, as a real one does: it offers a mail again
//! with the same Message-ID until it hears a 250, whatever becomes of the
//! connection or of the other side meanwhile.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How long it waits before it comes again.
const COME_AGAIN: Duration = Duration::from_millis(40);

/// A mail with one PDF.
#[derive(Debug, Clone)]
pub struct Letter {
    pub from: String,
    pub to: String,
    pub message_id: String,
    pub pdf: Vec<u8>,
}

/// What one offer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// 250 after the mail.
    Taken,
    /// Not for ever: 4xx, or no answer.
    Later(String),
    /// 5xx.
    Refused(String),
}

/// Sends to the relay port of a Postfax on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Mta {
    pub port: u16,
}

impl Mta {
    /// Offers the mail until it is taken. Panics when it is refused, and after
    /// `seconds`.
    pub fn send(self, letter: &Letter, seconds: u64) {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            match self.offer(letter) {
                Offer::Taken => return,
                Offer::Refused(words) => panic!("{} was refused: {words}", letter.message_id),
                Offer::Later(why) => {
                    let id = &letter.message_id;
                    assert!(Instant::now() < deadline, "{id} is not taken in {seconds} s: {why}");
                }
            }
            std::thread::sleep(COME_AGAIN);
        }
    }

    /// Offers the mail once.
    pub fn offer(self, letter: &Letter) -> Offer {
        self.talk(letter).unwrap_or_else(|broken| Offer::Later(broken.to_string()))
    }

    fn talk(self, letter: &Letter) -> io::Result<Offer> {
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let stream = TcpStream::connect_timeout(&to, ANSWER)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let mut wire = Wire { input: BufReader::new(stream.try_clone()?), output: stream };
        let commands = [
            None,
            Some("EHLO mta.example.com".to_owned()),
            Some(format!("MAIL FROM:<{}>", letter.from)),
            Some(format!("RCPT TO:<{}>", letter.to)),
            Some("DATA".to_owned()),
        ];
        for command in commands {
            if let Some(command) = &command {
                wire.say(command)?;
            }
            if let Some(end) = wire.answer()? {
                return Ok(end);
            }
        }
        wire.say(&letter.text())?;
        wire.say(".")?;
        let end = wire.answer()?.unwrap_or(Offer::Taken);
        // It was taken, whatever becomes of the farewell.
        let _ = wire.say("QUIT");
        Ok(end)
    }
}

impl Letter {
    fn text(&self) -> String {
        let encoded = STANDARD.encode(&self.pdf);
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(76)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        format!(
            "From: <{}>\r\nTo: <{}>\r\nSubject: A letter\r\nMessage-ID: {}\r\n\
             MIME-Version: 1.0\r\nContent-Type: application/pdf; name=letter.pdf\r\n\
             Content-Disposition: attachment; filename=letter.pdf\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}",
            self.from,
            self.to,
            self.message_id,
            lines.join("\r\n")
        )
    }
}

struct Wire {
    input: BufReader<TcpStream>,
    output: TcpStream,
}

impl Wire {
    fn say(&mut self, line: &str) -> io::Result<()> {
        self.output.write_all(format!("{line}\r\n").as_bytes())
    }

    /// `None` when the other side agrees.
    fn answer(&mut self) -> io::Result<Option<Offer>> {
        loop {
            let mut line = String::new();
            if self.input.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            return Ok(match line.as_bytes().first() {
                Some(b'2' | b'3') => None,
                Some(b'5') => Some(Offer::Refused(line.trim().to_owned())),
                _ => Some(Offer::Later(line.trim().to_owned())),
            });
        }
    }
}
