//! An SMTP connection as it is on the wire: octets go out as they are, lines come in.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
    version::{TLS12, TLS13},
};

/// How long a reply may take.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// What is heard of a server that says nothing for so long.
const SILENCE: &str = "(nothing)";

/// Plain, encrypted, or over a unix socket.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Which versions of TLS a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Any,
    V12,
    V13,
}

impl Tls {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        const ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
        const ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];
        match self {
            Self::Any => rustls::DEFAULT_VERSIONS,
            Self::V12 => ONLY_12,
            Self::V13 => ONLY_13,
        }
    }
}

/// One connection.
pub struct Wire {
    stream: Box<dyn Stream>,
    pending: Vec<u8>,
    silent: bool,
}

impl Wire {
    /// A connection to a port of this machine.
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the listener is there");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }

    /// A connection over anything.
    pub fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), pending: Vec::new(), silent: false }
    }

    /// Does the handshake; the certificate is the one that is believed.
    pub fn secure(&mut self, certificate: &Path) {
        self.secure_by(certificate, Tls::Any);
    }

    /// The same with a version of TLS.
    pub fn secure_by(&mut self, certificate: &Path, tls: Tls) {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(tls.versions())
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("fax1.example.com").unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let plain = std::mem::replace(&mut self.stream, Box::new(io::Cursor::new(Vec::new())));
        let mut encrypted = StreamOwned::new(client, plain);
        encrypted.conn.complete_io(&mut encrypted.sock).expect("the handshake succeeds");
        self.stream = Box::new(encrypted);
    }

    /// Sends octets. Whoever has closed hears nothing; that shows when it is read.
    pub fn say(&mut self, octets: &[u8]) {
        let _ = self.stream.write_all(octets).and_then(|()| self.stream.flush());
    }

    /// The next line without its line end; none when the server has closed.
    pub fn line(&mut self) -> Option<String> {
        while !self.silent {
            if let Some(end) = self.pending.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.pending.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.pending.extend(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.silent = true;
                    return Some(SILENCE.to_owned());
                }
                Err(_) => return None,
            }
        }
        None
    }

    /// The lines of the next reply; none when the server has closed.
    pub fn reply(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line() {
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                break;
            }
        }
        lines
    }

    /// Everything that is said until the server closes.
    pub fn rest(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line()).collect()
    }

    /// Says one thing, hears one reply, and expects its code.
    pub fn ask(&mut self, text: &str, code: &str) -> Vec<String> {
        self.say(text.as_bytes());
        self.hear(code)
    }

    /// Hears one reply, and expects its code.
    pub fn hear(&mut self, code: &str) -> Vec<String> {
        let reply = self.reply();
        assert!(reply.last().is_some_and(|line| line.starts_with(code)), "{code}: {reply:?}");
        reply
    }
}
