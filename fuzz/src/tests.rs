//! A short random corpus for every target. `POSTFAX_FUZZ_RUNS` says how many inputs
//! each gets.
#![allow(clippy::unwrap_used, reason = "a test may")]

use super::*;

/// Inputs for each target, unless the environment says another number.
const RUNS: u64 = 20_000;
/// Most words of one input.
const MAX_WORDS: u64 = 40;

/// Words that mean something to one parser or another.
const WORDS: &[&str] = &[
    "\r\n",
    "\r",
    "\n",
    ".",
    "\r\n.\r\n",
    " ",
    "\0",
    "\"",
    "\\",
    "<",
    ">",
    "@",
    "=",
    "+",
    "/",
    ";",
    "EHLO x\r\n",
    "LHLO x\r\n",
    "HELO x\r\n",
    "MAIL FROM:<a@b>\r\n",
    "MAIL FROM:<",
    "RCPT TO:<",
    "RCPT TO:<+44@fax.example.com>\r\n",
    "DATA\r\n",
    "RSET\r\n",
    "QUIT\r\n",
    "NOOP\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "AUTH SCRAM-SHA-256\r\n",
    "AUTH SCRAM-SHA-256 biwsbj1hbm5hLHI9YWJj\r\n",
    "AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YW5uYSxyPWFiYw==\r\n",
    "Yz1iaXdzLHI9YWJjbm9uY2UscD1BQUFB\r\n",
    "AUTH EXTERNAL =\r\n",
    "YQ==\r\n",
    "BDAT 9\r\n",
    "BDAT 9 LAST\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 5000 LAST\r\n",
    "BDAT ",
    "LAST",
    " SIZE=",
    " BODY=BINARYMIME",
    " SMTPUTF8",
    " HOLDFOR=",
    " HOLDUNTIL=2030-01-31T08:00:00Z",
    " BY=60;R",
    " MT-PRIORITY=",
    " NOTIFY=",
    "NEVER",
    " ORCPT=utf-8;",
    " ENVID=",
    "\\x{FC}",
    "+2B",
    "FAX=",
    "T33S=",
    "fax.example.com",
    "12",
    "\u{fc}",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: text/plain; charset=",
    "Content-Transfer-Encoding: base64\r\n",
    "--b\r\n",
    "--b--\r\n",
    "Subject: =?utf-8?Q?",
    "From: ",
    "[FAX:",
    "Content-Type: multipart/report; boundary=b\r\n",
    "Content-Type: message/delivery-status\r\n",
    "Final-Recipient: rfc822;a@b\r\n",
    "Action: failed\r\n",
    "Status: 5.1.1\r\n",
    "Diagnostic-Code: smtp; ",
    "]",
    // An EOL, RTC, EOFB, a white line of 1728, the heads of files and of their entries.
    "\0\x01",
    "\0\x10\x01\0\x10\x01",
    "\0\x10\x01\0\x10\x01\0\x10\x01\0\x10\x01",
    "M\x35",
    "II*\0\x08\0\0\0",
    "\x09\0\0\x01\x04\0\x01\0\0\0\x20\0\0\0",
    "\x01\x01\x04\0\x01\0\0\0\x09\0\0\0",
    "\x03\x01\x03\0\x01\0\0\0\x04\0\0\0",
    "\x03\x01\x03\0\x01\0\0\0\x03\0\0\0",
    "\x11\x01\x04\0\x01\0\0\0\x60\0\0\0",
    "\x17\x01\x04\0\x01\0\0\0\x10\0\0\0",
    "\x24\x01\x04\0\x01\0\0\0\x05\0\0\0",
];

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    /// Three octets, and then words and octets.
    fn input(&mut self) -> Vec<u8> {
        let mut input: Vec<u8> = (0..3).map(|_| self.octet()).collect();
        for _ in 0..self.throw(MAX_WORDS) {
            match self.throw(8) {
                0 => input.push(self.octet()),
                _ => {
                    let word = self.throw(WORDS.len() as u64);
                    input.extend(WORDS[usize::try_from(word).unwrap()].as_bytes());
                }
            }
        }
        input
    }

    fn octet(&mut self) -> u8 {
        u8::try_from(self.throw(256)).unwrap()
    }
}

fn runs() -> u64 {
    std::env::var("POSTFAX_FUZZ_RUNS").map_or(RUNS, |runs| runs.parse().unwrap())
}

fn feed(target: fn(&[u8])) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..runs() {
        let input = dice.input();
        target(&input);
        target(&input[3..]);
    }
}

#[test]
fn sessions() {
    feed(session);
}

#[test]
fn decoders() {
    feed(decoder);
}

#[test]
fn commands() {
    feed(command);
}

#[test]
fn addresses() {
    feed(address);
}

#[test]
fn messages() {
    feed(message);
}

#[test]
fn coded_lines() {
    feed(codec);
}

#[test]
fn files_of_pages() {
    feed(tiff);
    // A directory of three entries and more, so that chance finds pages.
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let entries: Vec<&str> = WORDS.iter().filter(|word| word.len() == 12).copied().collect();
    let mut read = 0;
    for _ in 0..runs() {
        let mut input = vec![0; 2];
        let count = 5 + dice.throw(5);
        input[0] = u8::try_from(count).unwrap();
        // Each entry once, in one order or another, with an octet wrong here and there.
        let first = dice.throw(entries.len() as u64);
        for at in first..first + count {
            let at = usize::try_from(at).unwrap() % entries.len();
            input.extend(entries[at].as_bytes());
        }
        input.extend([0; 4]);
        input.extend(dice.input());
        input.resize(200, 0x35);
        if dice.throw(2) == 0 {
            let at = usize::try_from(dice.throw(200)).unwrap();
            input[at] = dice.octet();
        }
        tiff(&input);
        let file = [&b"II*\0\x08\0\0\0"[..], &input].concat();
        read += u64::from(postfax_hw::pages::tiff::File::parse(file).is_ok());
    }
    assert!(read > runs() / 100, "chance found {read} files only");
}

#[test]
fn receipts() {
    feed(dsn);
}

#[test]
fn replies_are_told_from_other_text() {
    for (wire, good) in [
        ("250 2.0.0 ok\r\n", true),
        ("250-a\r\n250 b\r\n", true),
        ("250-a\r\n", false),
        ("250 a\r\n250 b\r\n", false),
        ("250-a\r\n550 b\r\n", false),
        ("250 a\n", false),
        ("250 a\rb\r\n", false),
        ("", false),
    ] {
        assert_eq!(is_reply(wire.as_bytes()), good, "{wire:?}");
    }
}
