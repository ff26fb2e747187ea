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
