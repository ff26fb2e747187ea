//! LMTP (RFC 2033).

use super::*;

#[test]
fn a_reply_for_each_recipient() {
    let mut dialog = Dialog::new(Role::Lmtp);
    assert_eq!(codes(&dialog.say("EHLO x\r\n")), [500]);
    assert_eq!(codes(&dialog.say("HELO x\r\n")), [500]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [503]);
    let lhlo = dialog.say("LHLO mail.example\r\n");
    for offer in ["PIPELINING", "ENHANCEDSTATUSCODES", "CHUNKING", "LIMITS"] {
        assert!(lhlo.contains(offer), "{offer} in {lhlo}");
    }
    assert!(!lhlo.contains("AUTH") && !lhlo.contains("FUTURERELEASE"), "{lhlo}");
    assert_eq!(codes(&dialog.say("AUTH PLAIN AGEAYg==\r\n")), [502]);
    let group = format!("{ENVELOPE}RCPT TO:<bad@f>\r\nRCPT TO:<+49@f>\r\nDATA\r\n");
    assert_eq!(codes(&dialog.say(&group)), [250, 250, 550, 250, 354]);
    assert_eq!(dialog.session.protocol(), "LMTP");
    assert_eq!(
        dialog.say("text\r\n.\r\n"),
        "250 2.1.5 queued as one\r\n250 2.1.5 queued as two\r\n"
    );
    dialog.say(&format!("{ENVELOPE}RCPT TO:<+49@f>\r\n"));
    assert_eq!(codes(&dialog.say("BDAT 3\r\na\r\nBDAT 0 LAST\r\n")), [250, 250, 250]);
    assert_eq!(dialog.messages, [(b"text\r\n".to_vec(), 2), (b"a\r\n".to_vec(), 2)]);
}

#[test]
fn a_list_has_one_reply_and_counts_as_what_it_stands_for() {
    let limits = Limits { max_recipients: 4, ..Limits::default() };
    for role in [Role::Lmtp, Role::Relay] {
        let mut dialog = Dialog::with(role, limits.clone());
        dialog.say(if role == Role::Lmtp { "LHLO x\r\n" } else { "EHLO x\r\n" });
        let list = "MAIL FROM:<a@b>\r\nRCPT TO:<list-3@f>\r\n";
        assert!(dialog.say(list).ends_with("250 2.1.5 3 of them\r\n"));
        // Five are too many, four are not, and then no more is asked.
        let more = "RCPT TO:<list-2@f>\r\nRCPT TO:<+49@f>\r\nRCPT TO:<bad@f>\r\n";
        let said = dialog.say(more);
        assert_eq!(codes(&said), [452, 250, 452], "{said}");
        assert!(said.starts_with("452 4.5.3 at most 4 recipients"), "{said}");
        dialog.say("DATA\r\n");
        let said = dialog.say("text\r\n.\r\n");
        match role {
            Role::Lmtp => assert!(
                said.ends_with(
                    "250 2.1.5 queued as one, two, three\r\n250 2.1.5 queued as four\r\n"
                ),
                "{said}"
            ),
            _ => assert!(said.ends_with("250 2.0.0 queued as one, two, three, four\r\n"), "{said}"),
        }
    }
}

#[test]
fn a_refusal_for_each_recipient() {
    let envelope = format!("{ENVELOPE}RCPT TO:<+49@f>\r\n");
    let odd = "MAIL FROM:<odd@b>\r\nRCPT TO:<+44@f>\r\nRCPT TO:<+49@f>\r\n";
    let mut dialog = Dialog::hello(Role::Lmtp);
    for (envelope, text, code) in [(odd, "a\r\n", 554), (&envelope, "\0\r\n", 554)] {
        dialog.say(&format!("{envelope}DATA\r\n"));
        assert_eq!(codes(&dialog.say(&format!("{text}.\r\n"))), [code, code]);
        dialog.say(envelope);
        let chunk = format!("BDAT {} LAST\r\n{text}", text.len());
        assert_eq!(codes(&dialog.say(&chunk)), [code, code]);
    }
    dialog.say(&envelope);
    let chunks = "BDAT 3\r\n\0\r\nBDAT 6 LAST\r\nQUIT\r\n";
    assert_eq!(codes(&dialog.say(chunks)), [554, 554, 554], "one, and then one for each");
    dialog.say(&format!("{envelope}DATA\r\n"));
    assert_eq!(codes(&dialog.say("a\nb\r\n.\r\n")), [550, 550]);
    assert!(dialog.closed);
    let mut dialog = Dialog::hello(Role::Lmtp);
    dialog.disk_works = false;
    dialog.say(&format!("{envelope}DATA\r\n"));
    assert_eq!(codes(&dialog.say("a\r\n.\r\n")), [452, 452]);
}

#[test]
fn no_recipients_no_message() {
    let mut dialog = Dialog::hello(Role::Lmtp);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\nDATA\r\n")), [250, 503]);
    assert_eq!(codes(&dialog.say("RCPT TO:<bad@f>\r\nDATA\r\n")), [550, 503]);
    let mut dialog = Dialog::hello(Role::Relay);
    assert_eq!(codes(&dialog.say("LHLO x\r\n")), [500]);
}

#[test]
fn the_words_of_a_received_line() {
    for (role, verb, utf8, word) in [
        (Role::Relay, "HELO", "", "SMTP"),
        (Role::Relay, "EHLO", "", "ESMTP"),
        (Role::Relay, "EHLO", " SMTPUTF8", "UTF8SMTP"),
        (Role::Submissions, "EHLO", "", "ESMTPSA"),
        (Role::Submissions, "EHLO", " SMTPUTF8", "UTF8SMTPSA"),
        (Role::Lmtp, "LHLO", "", "LMTP"),
        (Role::Lmtp, "LHLO", " SMTPUTF8", "UTF8LMTP"),
    ] {
        let mut dialog = Dialog::new(role);
        dialog.say(&format!("{verb} x\r\n"));
        if role == Role::Submissions {
            dialog.say("AUTH PLAIN AGEAYg==\r\n");
        }
        dialog.say(&format!("MAIL FROM:<a@b>{utf8}\r\n"));
        assert_eq!(dialog.session.protocol(), word);
    }
    let mut dialog = Dialog::hello(Role::Lmtp);
    dialog.say("STARTTLS\r\n");
    dialog.say("LHLO x\r\n");
    assert_eq!(dialog.session.protocol(), "LMTPS");
}
