//! A DNS server on loopback, by UDP and TCP, that says what a test wants it to say
//! (RFC 1035 4). It knows TXT and A, and answers nothing else.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket},
    sync::{Arc, Mutex},
    time::Duration,
};

const A: u16 = 1;
const TXT: u16 = 16;
/// Longest reply by UDP without an agreement on more (RFC 1035 4.2.1).
const MAX_UDP_BYTES: usize = 512;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const TRUNCATED: u16 = 0x0200;

/// What is said of a name.
#[derive(Debug, Clone)]
pub enum Says {
    Txt(String),
    A(Ipv4Addr),
    /// SERVFAIL.
    Fails,
    /// Nothing at all.
    IsSilent,
}

/// A running server; it ends with the test.
#[derive(Clone)]
pub struct Dns {
    pub port: u16,
    names: Arc<Mutex<HashMap<String, Vec<Says>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dns {
    pub fn start() -> Self {
        let (tcp, udp) = std::iter::repeat_with(|| {
            let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
            let udp = UdpSocket::bind(tcp.local_addr().unwrap()).ok()?;
            Some((tcp, udp))
        })
        .take(100)
        .flatten()
        .next()
        .expect("one port of a hundred is free for both");
        let port = udp.local_addr().unwrap().port();
        let dns = Self { port, names: Arc::default(), asked: Arc::default() };
        let (by_udp, by_tcp) = (dns.clone(), dns.clone());
        std::thread::spawn(move || by_udp.serve_udp(&udp));
        std::thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let serving = by_tcp.clone();
                std::thread::spawn(move || serving.serve_tcp(stream));
            }
        });
        dns
    }

    /// Adds to what is said of a name.
    pub fn say(&self, name: &str, says: Says) {
        self.names.lock().unwrap().entry(name.to_ascii_lowercase()).or_default().push(says);
    }

    pub fn txt(&self, name: &str, text: &str) {
        self.say(name, Says::Txt(text.to_owned()));
    }

    /// Every question so far: `udp TXT example.com`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn serve_udp(&self, socket: &UdpSocket) {
        let mut buffer = [0; 2048];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let Some(mut reply) = self.answer("udp", &buffer[..count]) else { continue };
            if reply.len() > MAX_UDP_BYTES {
                let end = 12 + question(&reply).map_or(0, |(_, _, length)| length);
                reply.truncate(end);
                reply[2] |= (TRUNCATED >> 8) as u8;
                reply[6..12].fill(0);
            }
            let _ = socket.send_to(&reply, from);
        }
    }

    fn serve_tcp(&self, mut stream: TcpStream) -> Option<()> {
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length).ok()?;
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).ok()?;
            let reply = self.answer("tcp", &query)?;
            let length = u16::try_from(reply.len()).ok()?.to_be_bytes();
            stream.write_all(&[&length[..], &reply].concat()).ok()?;
        }
    }

    fn answer(&self, by: &str, query: &[u8]) -> Option<Vec<u8>> {
        let (name, kind, length) = question(query)?;
        let word = match kind {
            A => "A".to_owned(),
            TXT => "TXT".to_owned(),
            other => other.to_string(),
        };
        self.asked.lock().unwrap().push(format!("{by} {word} {name}"));
        let said = self.names.lock().unwrap().get(&name).cloned();
        let mut answers = Vec::new();
        let mut code = if said.is_none() { NXDOMAIN } else { 0 };
        for says in said.unwrap_or_default() {
            match says {
                Says::IsSilent => return None,
                Says::Fails => code = SERVFAIL,
                Says::Txt(text) if kind == TXT => answers.push(strings(&text)),
                Says::A(address) if kind == A => answers.push(address.octets().to_vec()),
                Says::Txt(_) | Says::A(_) => {}
            }
        }
        // A reply, with recursion as it was asked for.
        let flags = 0x8180 | code;
        let count = u16::try_from(answers.len()).unwrap();
        let mut reply = query[..2].to_vec();
        for word in [flags, 1, count, 0, 0] {
            reply.extend(word.to_be_bytes());
        }
        reply.extend(&query[12..12 + length]);
        for data in answers {
            // The name of the question, the kind, class IN, and a minute to live.
            for word in [0xc00c, kind, 1, 0, 60, u16::try_from(data.len()).unwrap()] {
                reply.extend(word.to_be_bytes());
            }
            reply.extend(data);
        }
        Some(reply)
    }
}

/// The name in small letters, the kind, and the length of the question.
fn question(message: &[u8]) -> Option<(String, u16, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?);
    Some((labels.join("."), kind, at + 4 - 12))
}

fn strings(text: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for part in text.as_bytes().chunks(255) {
        data.push(u8::try_from(part.len()).unwrap());
        data.extend(part);
    }
    data
}
