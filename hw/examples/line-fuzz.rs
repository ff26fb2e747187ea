//! Everything that a stranger on a line can say, by chance and from words that mean
//! something, given for a while to what hears it: modems of all classes, RTP, T.38, SIP
//! and its descriptions, the line protocol, and devices with IPP. Nothing may panic, hang
//! or grow. It needs no fuzzer's compiler.
//!
//! ```text
//! cargo run --release --example line-fuzz -- --seconds 600 --seed 1 [--only sip]
//! ```
//!
//! It prints for each what was done, and ends with 1 where one case took too long; a panic
//! ends it at once and says its case, which can be had again by `--case NUMBER`.

#[path = "codec-fuzz/chance.rs"]
mod chance;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use chance::Chance;

/// Longest that one case may take.
const MAX_CASE: Duration = Duration::from_secs(5);
/// Most bytes of a case.
const MAX_BYTES: usize = 2048;
/// Cases of one target before it is the next one's turn.
const ROUND: u64 = 200;

/// Something that listens to strangers.
struct Target {
    name: &'static str,
    hear: fn(&[u8]),
    /// What chance alone would hardly say.
    words: &'static [&'static [u8]],
    cases: u64,
    slowest: Duration,
    taken: Duration,
}

const MODEM: &[&[u8]] = &[
    b"\r\nOK\r\n",
    b"\r\nCONNECT\r\n",
    b"\r\nNO CARRIER\r\n",
    b"\r\nERROR\r\n",
    b"\r\nRING\r\n",
    b"\r\nBUSY\r\n",
    b"+FRH:3\r\n",
    b"+FCERROR\r\n",
    b"NMBR=5551000\r\n",
    b"+FCON\r\n",
    b"+FCO\r\n",
    b"+FCSI:\"  100\"\r\n",
    b"+FDIS:1,3,0,2,0,0,0,0\r\n",
    b"+FIS:1,5,0,2,3,2,0,0,0\r\n",
    b"+FDCS:1,3,0,2,0,0,0,0\r\n",
    b"+FPTS:1\r\n",
    b"+FPS:1,50,0,0,0\r\n",
    b"+FET:2\r\n",
    b"+FHNG:0\r\n",
    b"+FHS:24\r\n",
    b"\x10\x03",
    b"\x10\x2E",
    b"\x11",
    b"\xFF\x13\x84\x10\x03",
];
const PACKETS: &[&[u8]] = &[
    &[0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 1],
    &[0x80, 0, 0, 2, 0, 0, 1, 64, 0, 0, 0, 1],
    &[0, 0, 1, 0x02, 0, 0],
    &[0, 1, 3, 0xC0, 0x01, 0x80, 0x00, 0x01, 0x02],
    &[0xFF, 0x13, 0x80],
];
const SIP: &[&[u8]] = &[
    b"v=0\r\n",
    b"o=- 1 1 IN IP4 127.0.0.1\r\n",
    b"s=-\r\nt=0 0\r\n",
    b"c=IN IP4 127.0.0.1\r\n",
    b"m=audio 4000 RTP/AVP 8 0\r\n",
    b"m=image 4002 udptl t38\r\n",
    b"a=T38FaxVersion:0\r\n",
    b"a=T38MaxBitRate:14400\r\n",
    b"a=T38FaxUdpEC:t38UDPRedundancy\r\n",
    b"a=rtpmap:8 PCMA/8000\r\n",
    b"a=ptime:20\r\n",
    b"a=sendrecv\r\n",
    b"INVITE sip:1@x SIP/2.0\r\n",
    b"SIP/2.0 200 OK\r\n",
    b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\n",
    b"Content-Length: 0\r\n\r\n",
    b"Reason: Q.850;cause=17\r\n",
];
const FRAMES: &[&[u8]] = &[
    &[0, 0, 0, 0],
    &[1, 0, 0, 0, 1, 0, 0, 0, 2],
    b"{\"submit\":{}}",
    b"{\"versions\":[1,1]}",
    b"null",
    b"{}",
    b"\"waiting\"",
];
/// Groups of an answer, and attributes with their tags and lengths.
const IPP: &[&[u8]] = &[
    &[1],
    &[2],
    &[3],
    &[4],
    b"\x41\x00\x0estatus-message\x00\x02no",
    b"\x44\x00\x16ipp-features-supported\x00\x06faxout",
    b"\x49\x00\x19document-format-supported\x00\x0aimage/tiff",
    b"\x23\x00\x0dprinter-state\x00\x04\x00\x00\x00\x03",
    b"\x42\x00\x16printer-fax-modem-name\x00\x01a",
    b"\x42\x00\x00\x00\x01b",
    b"\x21\x00\x06job-id\x00\x04\x00\x00\x00\x07",
    b"\x23\x00\x09job-state\x00\x04\x00\x00\x00\x09",
    b"\x21\x00\x12time-at-processing\x00\x04\x7f\xff\xff\xff",
    b"\x21\x00\x11time-at-completed\x00\x04\x80\x00\x00\x00",
    b"\x13\x00\x12time-at-processing\x00\x00",
    b"\x36\x00\x08job-name\x00\x06\x00\x02en\x00\x00",
    b"\x34\x00\x14destination-statuses\x00\x00",
    b"\x4a\x00\x00\x00\x10images-completed\x21\x00\x00\x00\x04\x00\x00\x00\x02",
    b"\x4a\x00\x00\x00\x13transmission-status\x23\x00\x00\x00\x04\x00\x00\x00\x09",
    b"\x4a\x00\x00\x00\x01m\x34\x00\x00\x00\x00",
    b"\x37\x00\x00\x00\x00",
];

/// Words and noise, some of it repeated, cut or flipped.
fn case(words: &[&[u8]], chance: &mut Chance) -> Vec<u8> {
    let mut said = vec![chance.byte()];
    for _ in 0..1 + chance.place(60) {
        match chance.place(8) {
            0 => said.extend((0..chance.place(40)).map(|_| chance.byte())),
            1 => said.extend(std::iter::repeat_n(chance.byte(), chance.place(80))),
            2 => {
                let at = chance.place(said.len());
                said[at] ^= 1 << chance.place(8);
            }
            3 => {
                let from = chance.place(said.len());
                let again: Vec<u8> = said[from..].iter().take(64).copied().collect();
                said.extend(again);
            }
            _ => {
                let word = words[chance.place(words.len())];
                // Packets stand behind their length where they are cut by it.
                if chance.place(3) == 0 {
                    said.push(word.len() as u8);
                }
                said.extend(word);
            }
        }
        if chance.place(12) == 0 {
            said.truncate(1 + chance.place(said.len()));
        }
    }
    said.truncate(MAX_BYTES);
    said
}

/// Everybody who listens.
fn targets() -> Vec<Target> {
    use postfax_hw::line;
    let target = |name, hear, words| Target {
        name,
        hear,
        words,
        cases: 0,
        slowest: Duration::ZERO,
        taken: Duration::ZERO,
    };
    vec![
        target("modem", line::modem::fuzz_one as fn(&[u8]), MODEM),
        target("class2", line::modem::fuzz_class2, MODEM),
        target("media", line::media::fuzz_one, PACKETS),
        target("sip", line::sip::fuzz_one, SIP),
        target("wire", line::wire::fuzz_one, FRAMES),
        target("ipp", heard_by_ipp, IPP),
    ]
}

fn main() -> ExitCode {
    let mut targets = targets();
    if let Some(only) = text("--only") {
        targets.retain(|target| target.name == only);
    }
    let seed = number("--seed").unwrap_or(1);
    let end = Duration::from_secs(number("--seconds").unwrap_or(60));
    let only_case = number("--case");
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        LAST.with_borrow(|(name, case)| eprintln!("--only {name} --seed {seed} --case {case}"));
        usual(panic);
    }));
    let begun = Instant::now();
    let mut wrong = false;
    while begun.elapsed() < end {
        for target in &mut targets {
            for _ in 0..ROUND {
                let number = only_case.unwrap_or(target.cases);
                let said = case(target.words, &mut Chance::new(seed, number));
                // A panic says where it was.
                LAST.with_borrow_mut(|last| *last = (target.name, number));
                let at = Instant::now();
                (target.hear)(&said);
                let took = at.elapsed();
                target.cases += 1;
                target.taken += took;
                if took > target.slowest {
                    target.slowest = took;
                }
                if took > MAX_CASE {
                    eprintln!("{} --seed {seed} --case {number} took {took:?}", target.name);
                    wrong = true;
                }
                if only_case.is_some() {
                    break;
                }
            }
        }
        if only_case.is_some() {
            break;
        }
    }
    for Target { name, cases, slowest, taken, .. } in &targets {
        println!("{name}: {cases} cases in {:.0} s, the slowest {slowest:?}", taken.as_secs_f64());
    }
    println!("most memory: {} KiB", most_memory());
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Chance would hardly make a header and an end: what comes is read with both as well.
fn heard_by_ipp(said: &[u8]) {
    let header = [2, 0, 0, 0, 0, 0, 0, 1, 4];
    postfax_hw::ipp::fuzz_one(said);
    postfax_hw::ipp::fuzz_one(&[&header, &said[1..], &[3]].concat());
}

thread_local! {
    /// The case that is heard now.
    static LAST: std::cell::RefCell<(&'static str, u64)> = const { std::cell::RefCell::new(("", 0)) };
}

/// Most memory that this process had, in KiB, as Linux says.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|kib| kib.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn text(name: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != name).nth(1)
}

fn number(name: &str) -> Option<u64> {
    text(name)?.parse().ok()
}
