//! What the fuzzer calls: for each parser of octets from outside one function that
//! takes any octets, and panics where a promise is broken. The targets in
//! `fuzz_targets/` only pass octets on; `cargo test --lib` runs the same functions
//! over a short random corpus with an ordinary compiler.
//!
//! With a nightly compiler and cargo-fuzz: `cargo +nightly fuzz run session`.

mod dialogue;
mod pages;

pub use dialogue::session;
pub use pages::{codec, tiff};
use postfax_gateway::{
    address,
    command::{self, Command, xtext},
    data::{Bounds, Chunks, Decoder, Octets, Progress, Violation},
    dsn::read,
    message::{Limits, Message},
};

/// The domain that is ours.
const OURS: &str = "fax.example.com";
/// Small enough to be reached.
const BOUNDS: Bounds =
    Bounds { max_message_bytes: 4096, max_line_bytes: 200, max_discard_bytes: 16_384 };

/// The end of data, whole and in pieces of a length that the first octet says: it ends
/// at the first CRLF.CRLF or nowhere, and nothing with a bare CR or LF is clean. A
/// message in chunks is judged by the same rules.
pub fn decoder(octets: &[u8]) {
    let Some((first, input)) = octets.split_first() else { return };
    let (end, whole, violation) = decoded(input, input.len().max(1));
    let pieces = decoded(input, usize::from(*first) + 1);
    let given_up = input.len() as u64 > BOUNDS.max_discard_bytes;
    assert!(given_up || (pieces.0, pieces.2) == (end, violation), "packets matter");
    // How much of a message had come when it went wrong is of no consequence.
    assert!(violation.is_some() || pieces.1 == whole, "packets matter to the text");
    let framed = [b"\r\n", input].concat();
    let expected = framed.windows(5).position(|window| window == b"\r\n.\r\n").map(|at| at + 3);
    assert!(given_up || end == expected, "ended at {end:?}, not at {expected:?}");
    if end.is_some() && violation.is_none() {
        assert_eq!(checked(&whole, whole.len().max(1)), None, "clean in one way only");
    }
    assert_eq!(checked(input, input.len().max(1)), checked(input, usize::from(*first) + 1));
}

fn decoded(input: &[u8], piece: usize) -> (Option<usize>, Vec<u8>, Option<Violation>) {
    let mut decoder = Decoder::new(BOUNDS);
    let (mut body, mut before) = (Vec::new(), 0);
    for piece in input.chunks(piece) {
        match decoder.feed(piece, &mut body) {
            Progress::End(taken) => return (Some(before + taken), body, decoder.violation()),
            Progress::More => before += piece.len(),
            Progress::GiveUp => break,
        }
    }
    (None, body, decoder.violation())
}

fn checked(input: &[u8], piece: usize) -> Option<Violation> {
    let mut chunks = Chunks::new(BOUNDS, Octets::Text);
    let mut body = Vec::new();
    for piece in input.chunks(piece) {
        chunks.feed(piece, &mut body);
    }
    chunks.end();
    assert!(chunks.violation().is_some() || body == input, "clean text is kept as it is");
    chunks.violation()
}

/// A command line: read or refused, and a refusal is a reply. An address that was read
/// reads back the same.
pub fn command(octets: &[u8]) {
    match command::parse(octets) {
        Ok(Command::Rcpt(rcpt)) => {
            let written = rcpt.mailbox.as_written();
            let again = command::parse(format!("RCPT TO:<{written}>").as_bytes());
            let Ok(Command::Rcpt(again)) = again else { panic!("{written} was an address") };
            assert_eq!(again.mailbox, rcpt.mailbox);
        }
        Ok(_) => {}
        Err(error) => assert!(is_reply(&error.reply().wire())),
    }
}

/// The local part and the domain of an address, parted at the last `@`.
pub fn address(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    let (local, domain) = text.rsplit_once('@').unwrap_or((&text, OURS));
    match address::parse(local, domain, OURS) {
        Ok(address::Recipient::Phone(phone)) => {
            let digits = phone.text.strip_prefix('+').unwrap_or(&phone.text);
            assert!((1..=20).contains(&digits.len()), "{}", phone.text);
            assert!(digits.bytes().all(|b| b.is_ascii_digit()), "{}", phone.text);
        }
        Ok(_) => {}
        Err(error) => assert!(is_reply(&error.reply().wire())),
    }
}

/// A message, and everything that is ever asked of one, also as a report on ours.
pub fn message(octets: &[u8]) {
    let raw = bytes::Bytes::copy_from_slice(octets);
    let Ok(message) = Message::parse(raw, &Limits::default()) else { return };
    let _ = (message.subject(), message.message_id(), message.from(), message.date());
    let _ = (message.auto_submitted(), message.precedence(), message.is_from_list());
    let _ = (message.received_count(), message.received_by("fax1.example.com"));
    let _ = (message.mailboxes("To"), message.header("X-Fax-Cover"), message.x_headers("X-Fax-"));
    let _ = (message.is_report(), message.protection(), message.text());
    for part in message.attachments() {
        let _ = (part.bytes().len(), part.encoded_len(), part.text());
    }
    let _ = read::read(&message);
}

/// What is said about receipts: xtext in both its kinds, the parameters that hold it
/// (RFC 3461 4, RFC 6533 3), and what others report on our mail (RFC 3464).
pub fn dsn(octets: &[u8]) {
    let text = String::from_utf8_lossy(octets);
    assert_eq!(
        xtext::decode(&xtext::encode(&text)).is_some(),
        text.bytes().all(|b| matches!(b, b' '..=b'~')),
    );
    if let Some(plain) = xtext::decode(&text) {
        assert_eq!(xtext::decode(&xtext::encode(&plain)), Some(plain));
    }
    if let Some(plain) = xtext::decode_utf8(&text) {
        assert!(!plain.contains(char::is_control));
    }
    for notice in read::notices(octets) {
        assert!(!notice.words().is_empty(), "a report says something");
    }
    for head in ["MAIL FROM:<a@b> ", "MAIL FROM:<a@b> RET=FULL ENVID=", "RCPT TO:<a@b> ORCPT="] {
        command(&[head.as_bytes(), octets].concat());
    }
}

/// Whether it is one reply: lines of one code, of at most 512 octets, of printable
/// ASCII, of which the last says that it is the last.
fn is_reply(wire: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(wire) else { return false };
    let Some(text) = text.strip_suffix("\r\n") else { return false };
    let lines: Vec<&str> = text.split("\r\n").collect();
    let good = |(index, line): (usize, &&str)| {
        let mark = if index + 1 == lines.len() { b' ' } else { b'-' };
        let digits = line.len() > 3 && line.bytes().take(3).all(|b| b.is_ascii_digit());
        digits
            && line.as_bytes()[3] == mark
            && line[..3] == lines[0][..3]
            && line.len() <= 510
            && line.bytes().all(|b| matches!(b, b' '..=b'~'))
    };
    lines.iter().enumerate().all(good)
}

#[cfg(test)]
mod tests;
