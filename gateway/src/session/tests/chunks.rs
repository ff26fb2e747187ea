//! BDAT (RFC 3030).

use super::*;

#[test]
fn a_message_in_chunks() {
    let mut dialog = Dialog::hello(Role::Relay);
    dialog.say(ENVELOPE);
    assert_eq!(dialog.say("BDAT 6\r\na\r\n.\r\n"), "250 2.0.0 6 octets taken\r\n");
    assert_eq!(dialog.say("BDAT 4 LAST\r\n..\r\n"), "250 2.0.0 queued as one\r\n");
    assert_eq!(dialog.messages, [(b"a\r\n.\r\n..\r\n".to_vec(), 1)], "no dot is stuffed");
    dialog.say(ENVELOPE);
    assert_eq!(codes(&dialog.say("BDAT 3\r\nab\rBDAT 0\r\nBDAT 1\r\n\nBDAT 0 LAST\r\n")), [250; 4]);
    assert_eq!(dialog.messages[1].0, b"ab\r\n", "a CRLF may lie across a border");
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [250], "the transaction is over");
}

#[test]
fn chunks_go_through_the_whole_group() {
    let mut dialog = Dialog::hello(Role::Relay);
    let group = format!("{ENVELOPE}BDAT 6\r\nQUIT\r\nBDAT 2 LAST\r\n\r\n{ENVELOPE}DATA\r\n");
    assert_eq!(codes(&dialog.say(&group)), [250, 250, 250, 250, 250, 250, 354]);
    assert_eq!(dialog.messages, [(b"QUIT\r\n\r\n".to_vec(), 1)]);
}

#[test]
fn chunks_without_a_place_are_read_and_refused() {
    let mut dialog = Dialog::new(Role::Relay);
    assert_eq!(codes(&dialog.say("BDAT 6\r\nQUIT\r\nNOOP\r\n")), [503, 250]);
    dialog.say("EHLO x\r\n");
    assert_eq!(codes(&dialog.say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")), [503, 250]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\nBDAT 6\r\nQUIT\r\n")), [250, 503]);
    assert_eq!(codes(&dialog.say("RCPT TO:<bad@f>\r\nBDAT 6 LAST\r\nQUIT\r\n")), [550, 503]);
    assert!(dialog.messages.is_empty() && !dialog.closed);
    let mut dialog = Dialog::hello(Role::Submission);
    assert_eq!(codes(&dialog.say("BDAT 6\r\nQUIT\r\nNOOP\r\n")), [530, 250]);
}

#[test]
fn chunks_and_data_do_not_mix() {
    let mut dialog = Dialog::hello(Role::Relay);
    dialog.say(ENVELOPE);
    assert_eq!(codes(&dialog.say("BDAT 3\r\na\r\n")), [250]);
    assert_eq!(codes(&dialog.say("RCPT TO:<+49@f>\r\n")), [503]);
    assert_eq!(codes(&dialog.say("MAIL FROM:<a@b>\r\n")), [503]);
    assert_eq!(codes(&dialog.say("DATA\r\n")), [503]);
    assert_eq!(codes(&dialog.say("RSET\r\n")), [250]);
    assert!(!dialog.spooling && dialog.written.is_empty(), "what has come is gone");
    dialog.say(ENVELOPE);
    assert_eq!(codes(&dialog.say("BDAT 3\r\nb\r\n")), [250]);
    assert_eq!(codes(&dialog.say("EHLO x\r\n")), [250]);
    assert!(!dialog.spooling);
    assert_eq!(codes(&dialog.say(&format!("{ENVELOPE}DATA\r\n"))), [250, 250, 354]);
    assert_eq!(codes(&dialog.say("c\r\n.\r\n")), [250]);
    assert_eq!(dialog.messages, [(b"c\r\n".to_vec(), 1)]);
}

#[test]
fn a_refused_chunk_refuses_what_follows_until_rset() {
    for (from, chunk, code) in [
        ("full@b", "BDAT 3\r\na\r\n", 452),
        ("a@b", "BDAT 3\r\n\0\r\n", 554),
        ("a@b", "BDAT 60000000\r\n", 552),
    ] {
        let mut dialog = Dialog::hello(Role::Relay);
        dialog.say(&format!("MAIL FROM:<{from}>\r\nRCPT TO:<+44@f>\r\n"));
        let mut said = dialog.say(chunk);
        while said.is_empty() {
            said = dialog.say(&"x".repeat(1_000_000));
        }
        assert_eq!(codes(&said), [code], "{chunk}");
        assert_eq!(codes(&dialog.say("BDAT 6\r\nQUIT\r\n")), [code], "{chunk}");
        assert_eq!(codes(&dialog.say("BDAT 6\r\nQUIT\r\nRSET\r\n")), [code, 250], "{chunk}");
        assert_eq!(codes(&dialog.say(ENVELOPE)), [250, 250], "{chunk}");
        assert_eq!(codes(&dialog.say("BDAT 3 LAST\r\na\r\n")), [250], "{chunk}");
        assert_eq!(dialog.messages, [(b"a\r\n".to_vec(), 1)]);
    }
}

#[test]
fn a_full_disk_is_told_at_once_and_at_the_end() {
    let mut dialog = Dialog::hello(Role::Relay);
    dialog.say(ENVELOPE);
    dialog.disk_works = false;
    assert_eq!(codes(&dialog.say("BDAT 6\r\nQUIT\r\nBDAT 0 LAST\r\n")), [452, 452]);
    dialog.say(ENVELOPE);
    assert_eq!(codes(&dialog.say("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")), [452, 250]);
    assert!(dialog.messages.is_empty());
}

#[test]
fn bare_line_ends_end_the_session() {
    for chunk in [
        "BDAT 4 LAST\r\na\n.\n",
        "BDAT 2 LAST\r\na\r",
        "BDAT 2\r\na\rBDAT 2\r\nb\n",
        "BDAT 3\r\na\rb",
    ] {
        let mut dialog = Dialog::hello(Role::Relay);
        dialog.say(ENVELOPE);
        let said = dialog.say(&format!("{chunk}NOOP\r\n"));
        assert_eq!(codes(&said).last(), Some(&550), "{chunk:?}: {said}");
        assert!(dialog.closed && dialog.messages.is_empty(), "{chunk:?}");
    }
}

#[test]
fn binary_messages_are_kept_as_they_are() {
    let mut dialog = Dialog::hello(Role::Relay);
    let envelope = "MAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<+44@f>\r\n";
    dialog.say(envelope);
    assert_eq!(codes(&dialog.say("DATA\r\n")), [503], "only in chunks");
    let text = "\0\n\r.\r\n";
    assert_eq!(codes(&dialog.say(&format!("BDAT {} LAST\r\n{text}", text.len()))), [250]);
    assert_eq!(dialog.messages, [(text.as_bytes().to_vec(), 1)]);
}

#[test]
fn a_chunk_that_cannot_be_counted_ends_the_session() {
    for line in ["BDAT\r\n", "BDAT x LAST\r\n", "BDAT 5 5\r\n"] {
        let mut dialog = Dialog::hello(Role::Relay);
        dialog.say(ENVELOPE);
        assert_eq!(codes(&dialog.say(&format!("{line}NOOP\r\n"))), [501], "{line}");
        assert!(dialog.closed);
    }
}

#[test]
fn refused_chunks_are_not_read_for_ever() {
    let limits = Limits { max_message_bytes: 100, max_discard_bytes: 1000, ..Limits::default() };
    let mut dialog = Dialog::with(Role::Relay, limits);
    dialog.say("EHLO x\r\n");
    dialog.say(ENVELOPE);
    let chunk = format!("BDAT 400\r\n{}", "x".repeat(400));
    assert_eq!(codes(&dialog.say(&chunk)), [552]);
    assert_eq!(codes(&dialog.say(&chunk)), [552]);
    assert_eq!(codes(&dialog.say(&chunk)), [552]);
    assert!(dialog.closed);
    assert_eq!(codes(&dialog.say("NOOP\r\n")), [0_u16; 0]);
}

#[test]
fn empty_chunks_only_keep_a_connection_busy() {
    let mut dialog = Dialog::hello(Role::Relay);
    dialog.say(ENVELOPE);
    assert_eq!(codes(&dialog.say(&"BDAT 0\r\n".repeat(150))).last(), Some(&421));
}

#[test]
fn what_is_waited_for() {
    let mut dialog = Dialog::hello(Role::Relay);
    let mut wait = |text: &str| {
        dialog.say(text);
        dialog.session.poll(NOW.parse().unwrap())
    };
    assert_eq!(wait("BDAT 6\r\n"), Output::Read(Wait::Refused));
    assert_eq!(wait("QUIT\r\n"), Output::Read(Wait::Command));
    assert_eq!(wait(&format!("{ENVELOPE}BDAT 6\r\nQ")), Output::Read(Wait::Body));
    assert_eq!(wait("UIT\r\n"), Output::Read(Wait::Body), "a message is under way");
    assert_eq!(wait("BDA"), Output::Read(Wait::RestOfLine));
    assert_eq!(wait("T 1 LAST\r\n\0"), Output::Read(Wait::Command));
}
