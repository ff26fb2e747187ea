//! Unix sockets, proxies and client certificates, over real sockets.

use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::UnixStream;

use super::{
    super::*,
    house::{ENVELOPE, House, Visitor},
};
use crate::desk::Process;

const CLIENT: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x30\x39\0\x19";
const OWN: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn behind_proxy(options: &mut Options) {
    options.proxies = Hosts::that(|address| address.is_loopback());
}

async fn say(visitor: &mut Visitor, octets: &[u8]) {
    visitor.0.write_all(octets).await.unwrap();
}

async fn mail(guest: &mut Visitor) {
    guest.say(&format!("{ENVELOPE}DATA\r\n")).await;
    for code in [250, 250, 354] {
        guest.hear(code).await;
    }
    guest.ask("text\r\n.\r\n", 250).await;
}

async fn local_visit(path: &std::path::Path) -> Visitor {
    Visitor(Box::new(UnixStream::connect(path).await.unwrap()))
}

#[tokio::test]
async fn a_process_behind_a_unix_socket_is_known_by_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("smtp.sock");
    let house = House::local(&path, Role::Relay, |_| {});
    let mut guest = local_visit(&path).await;
    guest.hear(220).await;
    let offers = guest.ask("EHLO here\r\n", 250).await;
    assert!(!offers.contains("STARTTLS"), "{offers}");
    mail(&mut guest).await;
    let (peer, envelope) = house.desk.messages.lock().unwrap().pop().unwrap();
    let about = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&path).unwrap());
    assert_eq!(peer.process.map(|process| process.uid), Some(about));
    assert!(peer.address.is_loopback());
    let file = std::fs::read_to_string(envelope.path).unwrap();
    let origin = format!("Received: from here (unix socket, uid {about})\r\n");
    assert!(file.starts_with(&origin), "{file}");
}

#[tokio::test]
async fn other_users_are_turned_away_at_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("smtp.sock");
    let own = owner(folder.path());
    let _house = House::local(&path, Role::Relay, |o| o.users = vec![own.uid + 1]);
    local_visit(&path).await.hear(554).await;
    let path = folder.path().join("open.sock");
    let _house = House::local(&path, Role::Relay, |o| o.users = vec![own.uid + 1, own.uid]);
    local_visit(&path).await.hear(220).await;
}

/// Whom a file of ours belongs to is whom we are.
fn owner(path: &std::path::Path) -> Process {
    use std::os::unix::fs::MetadataExt;
    let about = std::fs::metadata(path).unwrap();
    Process { uid: about.uid(), gid: about.gid() }
}

#[tokio::test]
async fn who_a_proxy_says_it_is_is_who_it_is() {
    let house = House::open(Role::Relay, behind_proxy).await;
    let mut guest = house.visit().await;
    for part in CLIENT.chunks(5) {
        say(&mut guest, part).await;
        tokio::task::yield_now().await;
    }
    guest.hear(220).await;
    guest.ask("EHLO printer\r\n", 250).await;
    mail(&mut guest).await;
    let (peer, envelope) = house.desk.messages.lock().unwrap().pop().unwrap();
    assert_eq!(peer.address.to_string(), "192.0.2.7");
    let file = std::fs::read_to_string(envelope.path).unwrap();
    assert!(file.starts_with("Received: from printer ([192.0.2.7])\r\n"), "{file}");
    // The proxy's own connections are its own.
    let mut probe = house.visit().await;
    say(&mut probe, OWN).await;
    probe.hear(220).await;
}

#[tokio::test]
async fn a_proxy_comes_before_tls() {
    let house = House::open(Role::Submissions, behind_proxy).await;
    let mut guest = house.visit().await;
    say(&mut guest, CLIENT).await;
    guest.secure(&house).await.hear(220).await;
    assert!(house.visit().await.try_to_secure(&house.trust).await.is_err());
}

#[tokio::test]
async fn without_a_good_header_a_proxy_is_not_listened_to() {
    let house = House::open(Role::Relay, |options| {
        behind_proxy(options);
        options.timeouts.proxy_s = 1;
    })
    .await;
    for bad in [
        &b"EHLO x\r\n"[..],
        b"PROXY UNKNOWN\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0",
        b"\r\n\r\n\0",
    ] {
        let mut guest = house.visit().await;
        say(&mut guest, bad).await;
        assert_eq!(guest.rest().await, "", "{bad:?}");
    }
    assert_eq!(house.visit().await.rest().await, "", "it said nothing");
}

#[tokio::test]
async fn others_must_not_send_such_a_header() {
    let house = House::open(Role::Relay, |o| {
        o.proxies = Hosts::that(|address| address.is_ipv6());
        o.timeouts.greeting_wait_ms = 2000;
    })
    .await;
    let mut guest = house.visit().await;
    say(&mut guest, CLIENT).await;
    guest.hear(554).await;
}

#[tokio::test]
async fn clients_of_a_proxy_are_counted_each_by_itself() {
    let house = House::open(Role::Relay, |options| {
        behind_proxy(options);
        options.census = Census::new(3, 1);
    })
    .await;
    let client = |last: u8| {
        let mut header = CLIENT.to_vec();
        header[19] = last;
        header
    };
    let (mut first, mut same, mut second) =
        (house.visit().await, house.visit().await, house.visit().await);
    say(&mut first, &client(1)).await;
    first.hear(220).await;
    say(&mut same, &client(1)).await;
    same.hear(421).await;
    say(&mut second, &client(2)).await;
    second.hear(220).await;
}

#[tokio::test]
async fn listeners_that_share_a_census_share_its_places() {
    let census = Census::new(1, 20);
    let one = House::open(Role::Relay, |o| o.census = census.clone()).await;
    let other = House::open(Role::Relay, |o| o.census = census.clone()).await;
    let guest = one.guest().await;
    other.visit().await.hear(421).await;
    drop(guest);
    sleep(Duration::from_millis(100)).await;
    other.guest().await;
}

struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority() -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Ca { issuer: Issuer::new(params, key), pem }
}

/// A server that believes the authority's clients, and one that trusts the server.
fn keys(ca: &Ca) -> (Arc<tls::Keys>, rustls::RootCertStore) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["fax.example".to_owned()]).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let cert = file("cert", &made.cert.pem());
    let key = file("key", &made.signing_key.serialize_pem());
    let ca = file("ca", &ca.pem);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (tls::load(&cert, &key, Some(&ca)).unwrap(), roots)
}

fn client(
    roots: &rustls::RootCertStore,
    version: &'static rustls::SupportedProtocolVersion,
    ca: Option<&Ca>,
) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots.clone());
    let Some(ca) = ca else { return Arc::new(config.with_no_client_auth()) };
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["printer.example".to_owned()]).unwrap();
    let made = params.signed_by(&key, &ca.issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Arc::new(config.with_client_auth_cert(vec![made.der().clone()], key).unwrap())
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_and_not_required() {
    let (believed, unknown) = (authority(), authority());
    let (keys, roots) = keys(&believed);
    let house = House::open(Role::Submissions, |_| {}).await;
    house.certificates.send_replace(keys);
    for (version, suite) in [
        (&rustls::version::TLS13, "tls TLS_AES_256_GCM_SHA384 (TLSv1.3)"),
        (&rustls::version::TLS12, "(TLSv1.2)"),
    ] {
        for (shown, names) in [
            (Some(&believed), Some(vec!["printer.example".to_owned()])),
            (Some(&unknown), None),
            (None, None),
        ] {
            let client = client(&roots, version, shown);
            let mut guest = house.visit().await.try_to_secure(&client).await.unwrap();
            guest.hear(220).await;
            guest.ask("EHLO x\r\n", 250).await;
            guest.ask("AUTH PLAIN AGFubmEAc2VjcmV0\r\n", 235).await;
            mail(&mut guest).await;
            let (peer, envelope) = house.desk.messages.lock().unwrap().pop().unwrap();
            assert_eq!(peer.certificate.map(|certificate| certificate.names), names);
            let file = std::fs::read_to_string(envelope.path).unwrap();
            assert!(file.contains(suite), "{file}");
        }
    }
}

/// Both ends come to the same keying material, and only under TLS 1.3.
#[tokio::test]
async fn the_exporter_is_that_of_the_other_side() {
    let (keys, roots) = keys(&authority());
    let name = rustls_pki_types::ServerName::try_from("fax.example").unwrap();
    for (version, bound) in [(&rustls::version::TLS13, true), (&rustls::version::TLS12, false)] {
        let (here, there) = tokio::io::duplex(1 << 16);
        let connector = tokio_rustls::TlsConnector::from(client(&roots, version, None));
        let within = Duration::from_secs(10);
        let (server, client) = tokio::join!(
            handshake::shake(Box::new(here), &keys, within),
            connector.connect(name.clone(), there),
        );
        let (server, client) = (server.unwrap_or_else(|why| panic!("{why}")), client.unwrap());
        let label = b"EXPORTER-Channel-Binding";
        let material = client.get_ref().1.export_keying_material([0; 32], label, None).unwrap();
        assert_eq!(server.secured.exporter, bound.then_some(material));
    }
}
