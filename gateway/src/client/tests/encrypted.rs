//! TLS and logins against the scripted host.

use super::{sink::Sink, *};

fn relay(sink: &Sink, starttls: StartTls) -> Relay {
    let mut relay: Relay = sink.url().replace("127.0.0.1", "localhost").parse().unwrap();
    relay.starttls = starttls;
    relay.authorities = Authorities::File(sink.authority());
    relay
}

async fn result(relay: Relay) -> Delivery {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { connect: second, command: second, ..brief() };
    let courier = Courier::new(relay, 1).unwrap().with_timeouts(timeouts);
    courier.deliver(&mail(&["a@x"])).await.remove(0).1
}

#[tokio::test]
async fn a_relay_that_proves_its_name_is_trusted() {
    let cases = [("smtps", ""), ("smtp", "STARTTLS"), ("smtp", "STARTTLS\nPIPELINING")];
    for (scheme, extensions) in cases {
        let sink = Sink::start_tls(scheme, extensions, "localhost", &[]).await;
        let result = result(relay(&sink, StartTls::Required)).await;
        assert!(matches!(result, Delivery::Accepted(_)), "{scheme} {result:?}");
    }
}

#[tokio::test]
async fn a_relay_that_does_not_is_refused_where_tls_is_required() {
    for scheme in ["smtps", "smtp"] {
        let sink = Sink::start_tls(scheme, "STARTTLS", "other.example", &[]).await;
        let result = result(relay(&sink, StartTls::Required)).await;
        assert!(matches!(result, Delivery::Deferred(Trouble::Tls(_))), "{scheme} {result:?}");
    }
    let sink = Sink::start_tls("smtp", "STARTTLS", "other.example", &[]).await;
    let result = result(relay(&sink, StartTls::Opportunistic)).await;
    assert!(matches!(result, Delivery::Accepted(_)), "{result:?}");
    assert_eq!(lines(&sink.lines()), "EHLO STAR EHLO MAIL RCPT DATA");
}

#[tokio::test]
async fn without_an_offer_nothing_is_sent_where_tls_is_required() {
    let sink = Sink::start_tls("smtp", "", "localhost", &[]).await;
    let required = result(relay(&sink, StartTls::Required)).await;
    assert_eq!(required, Delivery::Deferred(Trouble::TlsNotOffered));
    assert_eq!(lines(&sink.lines()), "EHLO");
    let result = result(relay(&sink, StartTls::Opportunistic)).await;
    assert!(matches!(result, Delivery::Accepted(_)), "{result:?}");
}

#[tokio::test]
async fn a_failed_handshake_leads_to_clear_text_only_where_that_is_allowed() {
    let sink = Sink::start("smtp", "STARTTLS", &[]).await;
    let mut relay: Relay = sink.url().parse().unwrap();
    let opportunistic = result(relay.clone()).await;
    assert!(matches!(opportunistic, Delivery::Accepted(_)), "{opportunistic:?}");
    relay.starttls = StartTls::Required;
    let required = result(relay).await;
    assert!(matches!(required, Delivery::Deferred(Trouble::Tls(_))), "{required:?}");
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn octets_before_the_handshake_are_an_attack() {
    let rules = [("STARTTLS", "220 go\r\n250 injected")];
    let sink = Sink::start_tls("smtp", "STARTTLS", "localhost", &rules).await;
    for starttls in [StartTls::Opportunistic, StartTls::Required] {
        let result = result(relay(&sink, starttls)).await;
        assert_eq!(result, Delivery::Deferred(Trouble::Garbled(Stage::StartTls)));
    }
}

#[tokio::test]
async fn logins() {
    let cases = [
        ("PLAIN LOGIN", "AUTH PLAIN AHUAcA=="),
        ("LOGIN", "AUTH LOGIN"),
        ("PLAIN", "AUTH PLAIN AHUAcA=="),
    ];
    let login = Some(Login { user: "u".to_owned(), password: "p".to_owned(), mechanism: None });
    for (mechanism, expected) in cases {
        let auth = format!("AUTH {mechanism}");
        let sink = Sink::start_tls("smtps", &auth, "localhost", &[]).await;
        let relay = Relay { login: login.clone(), ..relay(&sink, StartTls::Required) };
        let accepted = result(relay).await;
        assert!(matches!(accepted, Delivery::Accepted(_)), "{mechanism} {accepted:?}");
        assert_eq!(sink.lines()[1], expected);
    }
    let rules = [("AUTH", "535 5.7.8 wrong")];
    let sink = Sink::start_tls("smtps", "AUTH PLAIN", "localhost", &rules).await;
    let relay = Relay { login, ..relay(&sink, StartTls::Required) };
    let refused = result(relay).await;
    assert!(matches!(refused, Delivery::Deferred(Trouble::Said(_))), "{refused:?}");
}

#[tokio::test]
async fn the_one_login_that_is_set_up_is_used_or_none() {
    for (offered, wanted, expected) in [
        ("PLAIN LOGIN", Mechanism::Login, Some("AUTH LOGIN")),
        ("PLAIN LOGIN", Mechanism::Plain, Some("AUTH PLAIN AHUAcA==")),
        ("PLAIN", Mechanism::Login, None),
    ] {
        let auth = format!("AUTH {offered}");
        let sink = Sink::start_tls("smtps", &auth, "localhost", &[]).await;
        let login = Login { user: "u".into(), password: "p".into(), mechanism: Some(wanted) };
        let relay = Relay { login: Some(login), ..relay(&sink, StartTls::Required) };
        let result = result(relay).await;
        match expected {
            Some(line) => assert_eq!(sink.lines()[1], line, "{result:?}"),
            None => assert_eq!(result, Delivery::Deferred(Trouble::LoginNotOffered)),
        }
    }
}

#[tokio::test]
async fn a_name_is_not_asked_for_where_anybody_is_believed() {
    for scheme in ["smtps", "smtp"] {
        let sink = Sink::start_tls(scheme, "STARTTLS", "other.example", &[]).await;
        let relay = Relay { authorities: Authorities::Anybody, ..relay(&sink, StartTls::Required) };
        let result = result(relay).await;
        assert!(matches!(result, Delivery::Accepted(_)), "{scheme} {result:?}");
    }
}

/// Whether a host at `localhost` with a certificate of its own for `name`, which no
/// authority signed, is believed.
async fn is_believed(
    name: &str,
    authorities: impl FnOnce(&rcgen::Certificate, &std::path::Path) -> Authorities,
) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&key).unwrap();
    let mut relay: Relay = "smtps://localhost".parse().unwrap();
    relay.authorities = authorities(&certificate, &folder.path().join("relay.pem"));
    let client = tls::connector(&relay).unwrap().unwrap();
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (near, far) = tokio::io::duplex(64 << 10);
    let server = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(server));
    let far = tokio::spawn(async move { server.accept(far).await.is_ok() });
    let asked = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    // Kept until the other side has done as well: it has a last word to write.
    let shaken = client.connect(asked, near).await;
    assert_eq!(far.await.unwrap(), shaken.is_ok(), "{name}");
    shaken.is_ok()
}

/// A certificate that somebody made with one command is its own authority, which no
/// host may be.
#[tokio::test]
async fn the_very_certificate_of_a_host_is_believed_for_its_name_and_no_other() {
    for (name, believed) in [("localhost", true), ("other.example", false)] {
        let in_a_file = |certificate: &rcgen::Certificate, pem: &std::path::Path| {
            std::fs::write(pem, certificate.pem()).unwrap();
            Authorities::File(pem.to_owned())
        };
        assert_eq!(is_believed(name, in_a_file).await, believed, "{name}");
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_believed_whatever_its_name_and_no_other_is() {
    for (change, believed) in [(0, true), (1, false)] {
        let pinned = |certificate: &rcgen::Certificate, _: &std::path::Path| {
            let found = ::ring::digest::digest(&::ring::digest::SHA256, certificate.der());
            let mut pin: [u8; 32] = found.as_ref().try_into().unwrap();
            pin[31] ^= change;
            Authorities::Pinned(pin)
        };
        assert_eq!(is_believed("a-printer", pinned).await, believed, "{change}");
    }
}

#[tokio::test]
async fn where_one_relay_is_away_the_next_is_asked_at_once() {
    let sink = Sink::start("smtp", "", &[]).await;
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let relays = [format!("smtp://{away}"), sink.url()].map(|url| url.parse().unwrap());
    let courier = Courier::to_any(relays.to_vec(), 1).unwrap().with_timeouts(brief());
    for _ in 0..2 {
        let result = courier.deliver(&mail(&["a@x"])).await.remove(0).1;
        assert!(matches!(result, Delivery::Accepted(_)), "{result:?}");
    }
    assert_eq!(sink.mails().len(), 2);
}
