//! The courier against a scripted host on loopback.

mod encrypted;
mod sink;

use sink::{Sink, lines};

use super::*;

/// The sink answers at once; only tests of silence come near these.
fn brief() -> Timeouts {
    let brief = Duration::from_millis(300);
    Timeouts { connect: brief, command: brief, data: brief, block: brief, verdict: brief }
}

fn courier(sink: &Sink) -> Courier {
    let relay: Relay = sink.url().parse().unwrap();
    Courier::new(relay, 2).unwrap().with_timeouts(brief())
}

fn mail(to: &[&str]) -> Mail {
    Mail {
        from: Some("gw@fax.example".to_owned()),
        recipients: to.iter().map(|address| Rcpt::new(*address)).collect(),
        ret: None,
        envid: None,
        body: Body::Bytes(Bytes::from_static(b"Subject: x\r\n\r\n.dot\r\n")),
    }
}

/// `A` accepted, `D` deferred, `R` refused.
fn letters(results: &[(String, Delivery)]) -> String {
    let letter = |(_, delivery): &(String, Delivery)| match delivery {
        Delivery::Accepted(_) => 'A',
        Delivery::Deferred(_) => 'D',
        Delivery::Refused(_) => 'R',
    };
    results.iter().map(letter).collect()
}

const EXTENSIONS: [&str; 2] = ["", "PIPELINING"];

#[tokio::test]
async fn a_mail_arrives_as_it_was_written() {
    for extensions in EXTENSIONS {
        let sink = Sink::start("smtp", extensions, &[]).await;
        let results = courier(&sink).deliver(&mail(&["a@x", "b@x"])).await;
        assert_eq!(letters(&results), "AA", "{results:?}");
        let (to, body) = sink.mails().remove(0);
        assert_eq!(to, ["a@x", "b@x"]);
        assert_eq!(body, "Subject: x\r\n\r\n..dot\r\n.\r\n");
    }
}

#[tokio::test]
async fn each_answer_at_each_stage_has_its_result() {
    // What is answered to which line, and what becomes of a@x and b@x.
    let cases = [
        (("greeting", "421 busy"), "DD"),
        (("greeting", "554 no service"), "DD"),
        (("EHLO", "421 busy"), "DD"),
        (("EHLO", "550 go away"), "DD"),
        (("MAIL", "451 4.3.0 later"), "DD"),
        (("MAIL", "421 bye"), "DD"),
        (("MAIL", "530 5.7.0 log in first"), "DD"),
        (("MAIL", "550 5.7.1 no"), "RR"),
        (("RCPT TO:<a", "450 4.2.1 later"), "DA"),
        (("RCPT TO:<a", "550 5.1.1 unknown"), "RA"),
        (("RCPT TO:<a", "552 too many"), "RA"),
        (("RCPT TO:<b", "552 too many"), "AD"),
        (("RCPT TO:<b", "552 5.2.2 full"), "AR"),
        (("RCPT TO:<b", "421 bye"), "DD"),
        (("RCPT", "550 5.1.1 unknown"), "RR"),
        (("DATA", "451 4.3.0 later"), "DD"),
        (("DATA", "554 5.5.1 no"), "RR"),
        (("DATA", "250 what"), "DD"),
        ((".", "451 4.3.0 later"), "DD"),
        ((".", "421 bye"), "DD"),
        ((".", "554 5.6.0 spam"), "RR"),
        ((".", "250 2.0.0 ok"), "AA"),
    ];
    for extensions in EXTENSIONS {
        for ((on, say), expected) in cases {
            let sink = Sink::start("smtp", extensions, &[(on, say)]).await;
            let results = courier(&sink).deliver(&mail(&["a@x", "b@x"])).await;
            assert_eq!(letters(&results), expected, "{extensions} {on} {say} {results:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_connection_defers_at_every_stage() {
    let stages = [
        ("greeting", Stage::Greeting),
        ("EHLO", Stage::Hello),
        ("MAIL", Stage::Sender),
        ("RCPT", Stage::Recipient),
        ("DATA", Stage::Data),
        (".", Stage::Verdict),
    ];
    for extensions in EXTENSIONS {
        for (on, stage) in stages {
            for (say, trouble) in [
                (sink::HANG_UP, Trouble::Closed(stage)),
                (sink::SILENCE, Trouble::Timeout(stage)),
                ("hello there", Trouble::Garbled(stage)),
                ("250-ok\r\n550 ok", Trouble::Garbled(stage)),
            ] {
                let sink = Sink::start("smtp", extensions, &[(on, say)]).await;
                let results = courier(&sink).deliver(&mail(&["a@x", "b@x"])).await;
                let expected = Delivery::Deferred(trouble.clone());
                let all = results.iter().all(|(_, delivery)| *delivery == expected);
                assert!(all, "{extensions} {on} {say} {results:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_is_cut_off_before_its_end_was_not_taken() {
    for say in [sink::HANG_UP, sink::SILENCE] {
        let sink = Sink::start("smtp", "PIPELINING", &[("in the message", say)]).await;
        let mut mail = mail(&["a@x"]);
        // More than the system holds for a peer that does not read.
        mail.body = Body::Bytes("0123456789abcde\n".repeat(2 << 20).into());
        let results = courier(&sink).deliver(&mail).await;
        let trouble = match say {
            sink::HANG_UP => Trouble::Closed(Stage::Message),
            _ => Trouble::Timeout(Stage::Message),
        };
        assert_eq!(results[0].1, Delivery::Deferred(trouble));
    }
}

#[tokio::test]
async fn nobody_listens() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let courier = Courier::new(url.parse().unwrap(), 1).unwrap();
    let results = courier.deliver(&mail(&["a@x"])).await;
    assert!(matches!(results[0].1, Delivery::Deferred(Trouble::Unreachable(_))), "{results:?}");
}

#[tokio::test]
async fn lmtp_gives_each_recipient_its_own_verdict() {
    let rules = [
        ("RCPT TO:<c", "550 5.1.1 unknown"),
        (".<b", "452 4.2.2 full"),
        (".<d", "550 5.2.1 no"),
        (".<e", sink::HANG_UP),
    ];
    for extensions in EXTENSIONS {
        let sink = Sink::start("lmtp", extensions, &rules).await;
        let courier = courier(&sink);
        let results = courier.deliver(&mail(&["a@x", "b@x", "c@x", "d@x"])).await;
        assert_eq!(letters(&results), "ADRR", "{results:?}");
        let results = courier.deliver(&mail(&["a@x", "e@x", "b@x"])).await;
        assert_eq!(letters(&results), "ADD", "{results:?}");
        assert!(sink.lines().iter().any(|line| line == "LHLO localhost"));
    }
}

#[tokio::test]
async fn lmtp_over_a_socket_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let sink = Sink::start_unix(&path, "PIPELINING", &[]).await;
    let results = courier(&sink).deliver(&mail(&["a@x"])).await;
    assert_eq!(letters(&results), "A", "{results:?}");
}

#[tokio::test]
async fn extensions_are_used_only_where_they_are_offered() {
    let mut mail = mail(&["a@x"]);
    mail.ret = Some(Ret::Headers);
    mail.envid = Some("A+1 =".to_owned());
    mail.recipients[0].notify = Some(Notify::On { success: true, failure: true, delay: false });
    mail.recipients[0].orcpt = Some(("rfc822".to_owned(), "FAX=+39@gw".to_owned()));
    mail.body = Body::Bytes("Subject: ü\n\n.".into());
    let sink = Sink::start("smtp", "DSN\nSIZE 1000\n8BITMIME", &[]).await;
    assert_eq!(letters(&courier(&sink).deliver(&mail).await), "A");
    let asked = sink.lines();
    let sender = "MAIL FROM:<gw@fax.example> SIZE=18 BODY=8BITMIME RET=HDRS ENVID=A+2B1+20+3D";
    assert_eq!(asked[1], sender);
    let to = "RCPT TO:<a@x> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;FAX+3D+2B39@gw";
    assert_eq!(asked[2], to);
    let sink = Sink::start("smtp", "", &[]).await;
    let results = courier(&sink).deliver(&mail).await;
    let Delivery::Refused(reply) = &results[0].1 else { panic!("{results:?}") };
    assert_eq!(reply.status.as_deref(), Some("5.6.3"));
    mail.body = Body::Bytes("Subject: u\n".into());
    mail.from = None;
    assert_eq!(letters(&courier(&sink).deliver(&mail).await), "A");
    assert!(sink.lines().contains(&"MAIL FROM:<>".to_owned()));
    assert!(sink.lines().contains(&"RCPT TO:<a@x>".to_owned()));
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_sent() {
    let sink = Sink::start("smtp", "SIZE 10", &[]).await;
    let results = courier(&sink).deliver(&mail(&["a@x"])).await;
    assert!(matches!(&results[0].1, Delivery::Refused(reply) if reply.code == 552), "{results:?}");
    assert_eq!(lines(&sink.lines()), "EHLO");
}

#[tokio::test]
async fn an_address_cannot_add_a_command() {
    let sink = Sink::start("smtp", "", &[]).await;
    let to = ["a@x>\r\nRSET", "a b@x", "", "a@x> SIZE=1", "\u{fc}@x", "good@x"];
    let results = courier(&sink).deliver(&mail(&to)).await;
    assert_eq!(letters(&results), "RRRRRA", "{results:?}");
    assert_eq!(lines(&sink.lines()), "EHLO MAIL RCPT DATA");
}

#[tokio::test]
async fn connections_are_used_again_and_replaced_when_stale() {
    let sink = Sink::start("smtp", "PIPELINING", &[]).await;
    let courier = courier(&sink);
    for _ in 0..3 {
        assert_eq!(letters(&courier.deliver(&mail(&["a@x"])).await), "A");
    }
    assert_eq!(sink.connections(), 1);
    sink.hang_up_all();
    assert_eq!(letters(&courier.deliver(&mail(&["a@x"])).await), "A");
    assert_eq!(sink.connections(), 2);
    courier.close().await;
    assert!(sink.lines().contains(&"QUIT".to_owned()));
    assert_eq!(sink.mails().len(), 4);
}

#[tokio::test]
async fn a_refused_mail_leaves_the_connection_fit_for_the_next() {
    let sink = Sink::start("smtp", "PIPELINING", &[("RCPT TO:<bad", "550 no")]).await;
    let courier = courier(&sink);
    assert_eq!(letters(&courier.deliver(&mail(&["bad@x"])).await), "R");
    assert_eq!(letters(&courier.deliver(&mail(&["a@x"])).await), "A");
    assert_eq!(sink.connections(), 1);
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_to_many_goes_in_several_transactions() {
    let sink = Sink::start("smtp", "PIPELINING", &[("RCPT TO:<r149@", "550 no")]).await;
    let addresses: Vec<String> = (0..250).map(|n| format!("r{n}@x")).collect();
    let to: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let results = courier(&sink).deliver(&mail(&to)).await;
    assert_eq!(results.len(), 250);
    assert_eq!(letters(&results).replace('A', ""), "R");
    assert!(matches!(results[149].1, Delivery::Refused(_)));
    assert_eq!(sink.mails().len(), 3);
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    let sink = Sink::start("smtp", "", &[]).await;
    let courier = std::sync::Arc::new(courier(&sink));
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let courier = std::sync::Arc::clone(&courier);
            tokio::spawn(async move { letters(&courier.deliver(&mail(&["a@x"])).await) })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "A");
    }
    assert!(sink.connections() <= 2, "{}", sink.connections());
}

#[tokio::test]
async fn a_file_is_streamed_and_a_missing_one_is_no_empty_mail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    let text = "Subject: x\n\n".to_owned() + &".0123456789\n".repeat(50_000);
    std::fs::write(&path, &text).unwrap();
    let sink = Sink::start("smtp", "PIPELINING", &[]).await;
    let courier = Courier::new(sink.url().parse().unwrap(), 1).unwrap();
    let mut mail = mail(&["a@x"]);
    mail.body = Body::File(path.clone());
    assert_eq!(letters(&courier.deliver(&mail).await), "A");
    let sent = text.replace("\n.", "\n..").replace('\n', "\r\n") + ".\r\n";
    assert!(sink.mails()[0].1 == sent);
    std::fs::remove_file(path).unwrap();
    let results = courier.deliver(&mail).await;
    assert!(matches!(results[0].1, Delivery::Deferred(Trouble::Message(_))), "{results:?}");
    assert_eq!(sink.mails().len(), 1);
}

#[tokio::test]
async fn an_old_host_is_greeted_in_the_old_way() {
    let sink = Sink::start("smtp", "", &[("EHLO", "500 what?")]).await;
    assert_eq!(letters(&courier(&sink).deliver(&mail(&["a@x"])).await), "A");
    assert_eq!(lines(&sink.lines()), "EHLO HELO MAIL RCPT DATA");
}
