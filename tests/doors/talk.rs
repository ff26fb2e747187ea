//! A mail client that says what it is told, plain or under TLS.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SignatureScheme, StreamOwned,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{
        CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, pem::PemObject as _,
    },
    sign::CertifiedKey,
};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(20);

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

pub struct Talk(Box<dyn Wire>);

impl Talk {
    pub fn tcp(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        Self(Box::new(stream))
    }

    pub fn over(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        Self(Box::new(stream))
    }

    /// Under TLS from the first octet.
    pub fn tls(port: u16, client: &Arc<ClientConfig>) -> io::Result<Self> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        let name = ServerName::try_from("fax1.example.com").unwrap();
        let mut connection = ClientConnection::new(client.clone(), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(Self(Box::new(StreamOwned::new(connection, stream))))
    }

    pub fn say(&mut self, octets: &[u8]) {
        self.0.write_all(octets).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads one reply, however many lines it has.
    pub fn hear(&mut self, beginning: &str) -> String {
        let mut reply = Vec::new();
        loop {
            let mut octet = [0];
            self.0.read_exact(&mut octet).unwrap_or_else(|end| {
                panic!("{beginning} wanted: {end} after {}", String::from_utf8_lossy(&reply))
            });
            reply.push(octet[0]);
            let start = reply[..reply.len() - 1].iter().rposition(|b| *b == b'\n');
            let line = &reply[start.map_or(0, |at| at + 1)..];
            if line.ends_with(b"\r\n") && line.get(3) == Some(&b' ') {
                break;
            }
        }
        let reply = String::from_utf8(reply).unwrap();
        assert!(reply.starts_with(beginning), "{beginning} wanted: {reply}");
        reply
    }

    pub fn ask(&mut self, line: &str, beginning: &str) -> String {
        self.say(format!("{line}\r\n").as_bytes());
        self.hear(beginning)
    }

    /// Whatever comes until the server closes.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset is an end as well; a server that keeps silent is not.
        if let Err(end) = self.0.read_to_end(&mut rest) {
            assert_eq!(end.kind(), io::ErrorKind::ConnectionReset, "{end}");
        }
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// An authority that signs certificates of clients.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

pub fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority { issuer: Issuer::new(params, key), pem }
}

/// A certificate and its key in a new folder.
pub fn made_for(host: &str, folder: &Path) {
    fs::create_dir(folder).unwrap();
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
}

fn roots(certificate: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    roots
}

/// A client that believes this certificate and no other.
pub fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(certificate))
        .with_no_client_auth();
    Arc::new(config)
}

/// Shows a certificate to everyone who asks, and remembers that it was asked.
#[derive(Debug)]
pub struct Asked {
    own: Arc<CertifiedKey>,
    asked: Arc<AtomicBool>,
}

impl Asked {
    /// A client with a certificate of this authority.
    pub fn client(server: &Path, from: &Authority) -> (Arc<ClientConfig>, Arc<AtomicBool>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["printer.example.com".to_owned()]).unwrap();
        let made = params.signed_by(&key, &from.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(ring::default_provider());
        let chain = vec![made.der().clone()];
        let own = Arc::new(CertifiedKey::from_der(chain, key, &provider).unwrap());
        let asked = Arc::new(AtomicBool::new(false));
        let resolver = Arc::new(Self { own, asked: asked.clone() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots(server))
            .with_client_cert_resolver(resolver);
        (Arc::new(config), asked)
    }
}

impl ResolvesClientCert for Asked {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::SeqCst);
        Some(self.own.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
