//! Dialogs that nobody would think of: whatever a client sends, and however it is cut
//! into packets.

use proptest::prelude::*;

use super::*;

const ROLES: [Role; 4] = [Role::Relay, Role::Submission, Role::Submissions, Role::Lmtp];

/// What a client might send, in its senses or not.
fn talk() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO x\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<+44@f>\r\n",
        "DATA\r\n",
        "text\r\n",
        ".\r\n",
        "\r\n",
        ".",
        "\r",
        "\n",
        "RSET\r\n",
        "STARTTLS\r\n",
        "AUTH LOGIN\r\n",
        "YQ==\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "MAIL FROM:<\"a\\",
        "RCPT TO:<@",
        "=",
        "\0",
        "LHLO x\r\n",
        "BDAT 4\r\n",
        "BDAT 5 LAST\r\n",
        "BDAT 0 LAST\r\n",
        "BDAT\r\n",
        "MAIL FROM:<a@b> BODY=BINARYMIME SMTPUTF8 HOLDFOR=9 BY=60;R MT-PRIORITY=3\r\n",
    ]);
    let piece = prop_oneof![
        9 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_talk_breaks_a_session(
        talk in talk(),
        piece in 1_usize..60,
        role in prop::sample::select(ROLES.to_vec()),
        disk_works: bool,
    ) {
        let mut dialog = Dialog::new(role);
        dialog.disk_works = disk_works;
        for piece in talk.chunks(piece) {
            dialog.session.feed(piece);
            dialog.run();
            prop_assert!(dialog.session.input.pending().len() < MAX_COMMAND_BYTES);
        }
        let ends = talk.windows(5).filter(|window| window == b"\r\n.\r\n").count();
        let lasts = talk.windows(4).filter(|window| window == b"LAST").count();
        prop_assert!(dialog.messages.len() <= ends + lasts);
        prop_assert!(disk_works || dialog.messages.is_empty());
        if matches!(role, Role::Submission | Role::Submissions) {
            prop_assert!(dialog.messages.is_empty() || dialog.session.peer().identity.is_some());
        }
    }

    #[test]
    fn packets_do_not_matter(piece in 1_usize..200) {
        let commands = format!("RSET\r\n{ENVELOPE}RCPT TO:<bad@f>\r\nNOOP\r\nDATA\r\n");
        let texts = [commands, format!("a\r\n..\r\n.b\r\n.\r\nNOOP\r\n{ENVELOPE}DATA\r\n"),
            "\r\n.\r\nQUIT\r\n".to_owned()];
        let mut dialog = Dialog::hello(Role::Relay);
        let mut said = String::new();
        for text in texts {
            for piece in text.as_bytes().chunks(piece) {
                dialog.session.feed(piece);
                said.push_str(&dialog.run());
            }
        }
        let expected = [250, 250, 250, 550, 250, 354, 250, 250, 250, 250, 354, 250, 221];
        prop_assert_eq!(codes(&said), expected);
        prop_assert_eq!(&dialog.messages, &[(b"a\r\n.\r\nb\r\n".to_vec(), 1), (b"\r\n".to_vec(), 1)]);
    }
}

/// A group of commands as RFC 2920 allows them: what must be last is last.
fn group() -> impl Strategy<Value = String> {
    let command = prop::sample::select(vec![
        "RSET\r\n".to_owned(),
        "MAIL FROM:<a@b>\r\n".into(),
        "MAIL FROM:<bad@b>\r\n".into(),
        "MAIL FROM:<full@b>\r\n".into(),
        "MAIL FROM:<odd@b> BODY=BINARYMIME\r\n".into(),
        "RCPT TO:<+44@f>\r\n".into(),
        "RCPT TO:<bad@f>\r\n".into(),
        "RCPT TO:<+49@f>\r\n".into(),
        "NOOP\r\n".into(),
        "BDAT 6\r\nQUIT\r\n".into(),
        "BDAT 7\r\n\r\n.\r\n\r\n".into(),
        "BDAT 3\r\na\nb".into(),
        "BDAT 0 LAST\r\n".into(),
        "BDAT 8 LAST\r\nRSET\r\n\r\n".into(),
        "BDAT 300\r\n".to_owned() + &"NOOP\r\n".repeat(50),
        "nonsense\r\n".into(),
    ]);
    let last = prop::sample::select(vec!["", "DATA\r\n", "EHLO x\r\n", "LHLO x\r\n"]);
    let commands = prop::collection::vec(command, 0..8);
    (commands, last).prop_map(|(commands, last)| commands.concat() + last)
}

/// What is said after 354: a message that ends, with lines that look like commands.
fn text() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "QUIT\r\n",
        "MAIL FROM:<evil@x>\r\n",
        "RCPT TO:<+4490@f>\r\n",
        "DATA\r\n",
        "BDAT 5 LAST\r\n",
        "STARTTLS\r\n",
        "..\r\n",
        "\r\n",
        ".QUIT\r\n",
        "\0\r\n",
        "QUIT\n",
    ]);
    prop::collection::vec(line, 0..8).prop_map(|lines| {
        let text = lines.concat();
        let whole = text.is_empty() || text.ends_with("\r\n");
        text + if whole { ".\r\n" } else { "\r\n.\r\n" }
    })
}

/// Holds a dialog in groups, each in pieces of so many octets.
fn hold(role: Role, groups: &[(String, String)], piece: usize, disk_works: bool) -> Dialog {
    let limits = Limits { max_message_bytes: 250, max_errors: 50, ..Limits::default() };
    let mut dialog = Dialog::with(role, limits);
    dialog.disk_works = disk_works;
    let verb = if role == Role::Lmtp { "LHLO x\r\n" } else { "EHLO x\r\n" };
    let mut said = dialog.say(verb);
    for (commands, text) in groups {
        let mut answers = String::new();
        for octets in commands.as_bytes().chunks(piece) {
            dialog.session.feed(octets);
            answers.push_str(&dialog.run());
        }
        said.push_str(&answers);
        if answers.ends_with("354 end with <CRLF>.<CRLF>\r\n") {
            for octets in text.as_bytes().chunks(piece) {
                dialog.session.feed(octets);
                said.push_str(&dialog.run());
            }
        }
    }
    dialog.said = said;
    dialog
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_split_has_the_same_answers(
        groups in prop::collection::vec((group(), text()), 1..6),
        piece in 1_usize..40,
        role in prop::sample::select(vec![Role::Relay, Role::Lmtp]),
        disk_works: bool,
    ) {
        let whole = hold(role, &groups, usize::MAX, disk_works);
        let split = hold(role, &groups, piece, disk_works);
        prop_assert_eq!(&whole.said, &split.said);
        prop_assert_eq!(whole.messages, split.messages);
        prop_assert_eq!(whole.closed, split.closed);
    }

    #[test]
    fn no_line_of_a_message_is_a_command(
        text in text(),
        piece in 1_usize..40,
        disk_works: bool,
        chunked: bool,
    ) {
        let mut dialog = Dialog::hello(Role::Relay);
        let bare = text.contains("QUIT\n");
        let message = match chunked {
            true => format!("BDAT {}\r\n{text}BDAT 0 LAST\r\n", text.len()),
            false => {
                dialog.say(&format!("{ENVELOPE}DATA\r\n"));
                text.clone()
            }
        };
        if chunked {
            dialog.say(ENVELOPE);
        }
        dialog.disk_works = disk_works;
        let mut said = String::new();
        for octets in message.as_bytes().chunks(piece) {
            dialog.session.feed(octets);
            said.push_str(&dialog.run());
        }
        let good = disk_works && !bare && !text.contains('\0');
        let expected = match (chunked, bare, good) {
            (_, true, _) => vec![550],
            (true, false, true) => vec![250, 250],
            (true, false, false) if disk_works => vec![554, 554],
            (true, false, false) if text.contains('\0') => vec![554, 554],
            (true, false, false) => vec![452, 452],
            (false, false, true) => vec![250],
            (false, false, false) if text.contains('\0') => vec![554],
            (false, false, false) => vec![452],
        };
        prop_assert_eq!(codes(&said), expected, "{}", said);
        prop_assert_eq!(dialog.messages.len(), usize::from(good));
        if !bare {
            prop_assert_eq!(codes(&dialog.say("NOOP\r\n")), [250]);
        }
    }
}
