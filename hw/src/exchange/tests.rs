//! Calls through a whole exchange: machines with machines as fast as they can, and a modem
//! whose program is the test.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    sync::MutexGuard,
    time::Instant,
};

use postfax_domain::outcome::Outcome;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::{alone::alone, *};

const WIDTH: usize = 1728;
const FROM: &str = "+15551000001";
const TO: &str = "+15551000002";

#[test]
fn three_pages_arrive_bit_by_bit() {
    for ecm in [true, false] {
        let world = World::new();
        let sender = world.machine(FROM);
        let mut receiver = world.machine(TO);
        let pages = [page(1143, 1), page(700, 2), page(2000, 3)];
        let tiff = world.tiff(&pages);
        let started = Instant::now();
        let (progress, mut told) = mpsc::channel(16);
        let call = sender.call(Sending {
            subaddress: Some("4711"),
            ecm,
            progress: Some(progress),
            ..sending(TO, &tiff)
        });
        let result = call.wait();
        let wall = started.elapsed();
        // In a build without optimisation, on a busy machine, it is still far faster than real time.
        assert!(wall * 10 < result.duration, "{:?} of audio took {wall:?}", result.duration);
        assert_eq!(result.outcome, Outcome::Delivered);
        assert_eq!(result.pages_confirmed, 3);
        assert_eq!(result.remote_id.as_deref(), Some(TO));
        assert_eq!(result.bit_rate, 14400);
        let fax = receiver.wait_received().unwrap();
        assert_eq!((fax.pages, fax.complete), (3, true));
        assert_eq!((fax.caller.as_str(), fax.called.as_str()), (FROM, TO));
        assert_eq!(fax.tsi.as_deref(), Some(FROM));
        assert_eq!(fax.subaddress.as_deref(), Some("4711"));
        assert_eq!(fax.bit_rate, 14400);
        assert_eq!(read(&fax.tiff), pages);
        let mut all = Vec::new();
        while let Ok(one) = told.try_recv() {
            all.push(one);
        }
        let pages = [1, 2, 3].map(CallProgress::Page);
        assert_eq!(all[..2], [CallProgress::Ringing, CallProgress::Connected]);
        assert_eq!(all[2..], pages);
    }
}

#[test]
fn a_machine_has_as_many_lines_as_it_has() {
    let world = World::with(|options| options.machine_speed = Some(20.0));
    let sender = world.exchange.machine(FROM, 3, FROM).unwrap();
    let receiver = world.machine(TO);
    let tiff = world.tiff(&[page(100, 1)]);
    let mut events = world.exchange.subscribe();
    let calls: Vec<MachineCall> = (0..4).map(|_| sender.call(sending(TO, &tiff))).collect();
    let first = calls[0].id();
    calls[0].hang_up();
    let outcomes: Vec<Outcome> = calls.into_iter().map(|call| call.wait().outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::Cancelled, Outcome::Delivered, Outcome::Busy, Outcome::LinesBusy]
    );
    assert!(world.exchange.calls().unwrap().len() <= 1);
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        assert_eq!((event.from.as_str(), event.to.as_str()), (FROM, TO));
        if event.call == first {
            told.push(event.what);
        }
    }
    assert_eq!(told, [Happening::Dialled, Happening::Ended]);
    drop(receiver);
}

#[test]
fn a_program_talks_to_its_modem() {
    let world = World::with(|options| options.speed = 20.0);
    let link = world.folder.path().join("ttyFAX0");
    world.exchange.modem(FROM, Some(&link)).unwrap();
    world.exchange.modem(TO, None).unwrap();
    for (number, behaviour) in [
        ("+15552000001", Behaviour::Busy),
        ("+15552000002", Behaviour::NoDialTone),
        ("+15552000003", Behaviour::NoAnswer),
        ("+15552000004", Behaviour::Congested),
        ("+15552000005", Behaviour::Voice),
    ] {
        world.exchange.number(number, behaviour).unwrap();
    }
    let mut program = OpenOptions::new().read(true).write(true).open(&link).unwrap();
    for (command, answer) in [
        ("ATE0", "OK"),
        ("ATI", "spandsp"),
        ("AT+FCLASS=?", "0,1"),
        ("AT+FCLASS=1", "OK"),
        ("AT+FTM=?", "24,48,72,73,74,96,97,98,121,122,145,146"),
        ("ATDT5552000001", "BUSY"),
        ("ATDT5552000002", "NO DIALTONE"),
        ("ATDT5552000003", "NO ANSWER"),
        ("ATDT5552000004", "NO CARRIER"),
        ("ATDT5552000005", "NO CARRIER"),
        ("ATDT5559999999", "NO CARRIER"),
        ("ATA", "NO CARRIER"),
        ("ATH", "OK"),
    ] {
        say(&mut program, command);
        hear(&mut program, answer);
    }
}

#[test]
fn a_modem_answers_those_who_look_what_it_is() {
    let world = World::new();
    let path = world.exchange.modem(FROM, None).unwrap();
    let mut program = OpenOptions::new().read(true).write(true).open(path).unwrap();
    // With the echo, which is of what was typed.
    for (command, answer) in [
        ("AT", "AT\r\r\nOK\r\n"),
        ("ATZ1", "ATZ1\r\r\nOK\r\n"),
        ("at&f&d3", "at&f&d3\r\r\nOK\r\n"),
        ("ATS0=0Q0&D3&C1", "ATS0=0Q0&D3&C1\r\r\nOK\r\n"),
        ("AT+GMI", "AT+GMI\r\r\nwww.soft-switch.org\r\n\r\nOK\r\n"),
        ("AT+GMM", "AT+GMM\r\r\nspandsp\r\n\r\nOK\r\n"),
        ("AT+GMR", "AT+GMR\r\r\n0.0.6\r\n\r\nOK\r\n"),
        ("ATO", "ATO\r\r\nERROR\r\n"),
        ("AT&D7", "AT&D7\r\r\nERROR\r\n"),
        ("ATS0=1", "ATS0=1\r\r\nOK\r\n"),
        ("ATS0?", "ATS0?\r\r\n001\r\n\r\nOK\r\n"),
        ("+++ATH", "+++ATH\r\r\nOK\r\n"),
        ("ATE0", "ATE0\r\r\nOK\r\n"),
        ("AT+FCLASS=?", "\r\n0,1,1.0\r\n\r\nOK\r\n"),
    ] {
        say(&mut program, command);
        hear_just(&mut program, answer);
    }
    for number in 0..=9 {
        say(&mut program, &format!("ATI{number}"));
        let answer = if number == 3 { "www.soft-switch.org" } else { "spandsp" };
        hear_just(&mut program, &format!("\r\n{answer}\r\n\r\nOK\r\n"));
    }
}

#[test]
fn a_modem_answers_by_itself_when_it_is_told_to() {
    let world = World::with(|options| options.speed = 20.0);
    let paths = [FROM, TO].map(|number| world.exchange.modem(number, None).unwrap());
    let [mut caller, mut called] =
        paths.map(|path| OpenOptions::new().read(true).write(true).open(path).unwrap());
    for command in ["ATE0S0=1", "AT+VCID=1", "AT+FCLASS=1"] {
        say(&mut called, command);
        hear(&mut called, "OK\r\n");
    }
    let mut events = world.exchange.subscribe();
    say(&mut caller, "ATE0+FCLASS=1");
    hear(&mut caller, "OK\r\n");
    say(&mut caller, "ATDT1000002");
    hear(&mut called, &format!("NMBR={FROM}\r\n"));
    hear_just(&mut called, "\r\nRING\r\n");
    until(&mut events, Happening::Answered);
    say(&mut called, "");
    hear(&mut called, "OK\r\n");
    say(&mut called, "ATH");
    hear(&mut caller, "NO CARRIER\r\n");
}

#[test]
fn a_modem_rings_answers_and_hangs_up() {
    let world = World::with(|options| options.speed = 20.0);
    let paths = [FROM, TO].map(|number| world.exchange.modem(number, None).unwrap());
    let [mut caller, mut called] =
        paths.map(|path| OpenOptions::new().read(true).write(true).open(path).unwrap());
    for program in [&mut caller, &mut called] {
        say(program, "ATE0+FCLASS=1");
        hear(program, "OK");
    }
    say(&mut called, "AT+VCID=1");
    hear(&mut called, "OK");
    let mut events = world.exchange.subscribe();
    say(&mut caller, "ATDT1000002");
    hear(&mut called, "NMBR=");
    hear(&mut called, FROM);
    hear(&mut called, "RING");
    hear(&mut called, "RING");
    // The caller gives up by a key, and calls again.
    say(&mut caller, "");
    hear(&mut caller, "NO CARRIER");
    say(&mut caller, "ATDT1000002");
    hear(&mut called, "RING");
    say(&mut called, "ATA");
    until(&mut events, Happening::Answered);
    // The program closes its terminal in mid-call: the other side loses the carrier.
    drop(called);
    hear(&mut caller, "NO CARRIER");
    until(&mut events, Happening::Ended);
    assert_eq!(world.exchange.calls().unwrap(), []);
}

#[test]
fn the_first_ready_modem_of_a_group_rings_and_speed_zero_hangs_up() {
    let world = World::with(|options| options.speed = 20.0);
    let paths = [FROM, TO, TO].map(|number| world.exchange.modem(number, None).unwrap());
    let [mut caller, resetting, mut called] =
        paths.map(|path| OpenOptions::new().read(true).write(true).open(path).unwrap());
    set_speed(&resetting, 0);
    for program in [&mut caller, &mut called] {
        say(program, "ATE0+FCLASS=1");
        hear(program, "OK");
    }
    let mut events = world.exchange.subscribe();
    say(&mut caller, "ATDT1000002");
    hear(&mut called, "RING");
    say(&mut called, "ATA");
    until(&mut events, Happening::Answered);
    set_speed(&caller, 0);
    hear(&mut called, "NO CARRIER");
    until(&mut events, Happening::Ended);
    // Both are as good as new for the next call.
    set_speed(&caller, 38400);
    say(&mut called, "ATDT1000001");
    hear(&mut caller, "RING");
    say(&mut caller, "ATA");
    until(&mut events, Happening::Answered);
    // Anything stops the waiting for the other machine (T.31), and then it can hang up.
    say(&mut called, "");
    hear(&mut called, "OK");
    say(&mut called, "ATH");
    hear(&mut caller, "NO CARRIER");
}

fn set_speed(terminal: &File, speed: u32) {
    let mut settings = rustix::termios::tcgetattr(terminal).unwrap();
    settings.set_speed(speed).unwrap();
    let now = rustix::termios::OptionalActions::Now;
    rustix::termios::tcsetattr(terminal, now, &settings).unwrap();
}

/// Waits for something to happen, whatever else does.
fn until(events: &mut broadcast::Receiver<Event>, what: Happening) {
    while events.blocking_recv().unwrap().what != what {}
}

fn say(program: &mut File, command: &str) {
    program.write_all(format!("{command}\r").as_bytes()).unwrap();
}

/// Reads as much as `text` has, which it must be.
fn hear_just(program: &mut File, text: &str) {
    let heard = read_until(program, text, |heard| heard.len() == text.len());
    assert_eq!(String::from_utf8_lossy(&heard), text);
}

/// Reads up to and with `text`.
fn hear(program: &mut File, text: &str) {
    read_until(program, text, |heard| heard.ends_with(text.as_bytes()));
}

fn read_until(program: &mut File, text: &str, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut heard = Vec::new();
    let mut byte = [0];
    while !done(&heard) {
        let mut ready = [PollFd::new(&*program, PollFlags::IN)];
        let timeout = Timespec { tv_sec: 20, tv_nsec: 0 };
        let n = poll(&mut ready, Some(&timeout)).unwrap();
        assert!(n > 0, "waited for {text:?}, heard {:?}", String::from_utf8_lossy(&heard));
        program.read_exact(&mut byte).unwrap();
        heard.push(byte[0]);
    }
    heard
}

#[test]
fn misbehaving_numbers_are_told_apart() {
    let world = World::new();
    let sender = world.machine(FROM);
    let drop = Behaviour::DropAfter(Duration::from_secs(14));
    let tiff = world.tiff(&[page(1100, 1), page(1100, 2)]);
    for (at, (behaviour, outcome)) in [
        (Behaviour::Busy, Outcome::Busy),
        (Behaviour::NoAnswer, Outcome::NoAnswer),
        (Behaviour::NoDialTone, Outcome::NoDialTone),
        (Behaviour::Congested, Outcome::Congestion),
        (Behaviour::Voice, Outcome::NoFaxMachine),
        (drop, Outcome::Disconnected),
        (Behaviour::RejectPages, Outcome::PageRejected),
    ]
    .into_iter()
    .enumerate()
    {
        let number = format!("+1555200000{at}");
        world.exchange.number(&number, behaviour).unwrap();
        let result = sender.call(sending(&number, &tiff)).wait();
        assert_eq!(result.outcome, outcome, "{behaviour:?}");
        assert_eq!(result.pages_confirmed, 0, "{behaviour:?}");
    }
    // The last page of all is refused as well as any other, and so is an almost white one.
    let mut white = page(2200, 1);
    white[30 * WIDTH / 8..].fill(0);
    for page in [page(1100, 1), white, page(2200, 7), page(300, 5)] {
        let single = world.tiff(&[page]);
        let result = sender.call(sending("+15552000006", &single)).wait();
        assert_eq!((result.outcome, result.pages_confirmed), (Outcome::PageRejected, 0));
    }
    let unknown = sender.call(sending("+15559999999", &tiff)).wait();
    assert_eq!(unknown.outcome, Outcome::Congestion);
    let _receiver = world.machine(TO);
    let missing = sender.call(sending(TO, Path::new("/nowhere.tif"))).wait();
    assert_eq!(missing.outcome, Outcome::BadDocument);
    let junk = world.folder.path().join("junk.tif");
    std::fs::write(&junk, "no TIFF").unwrap();
    assert_eq!(sender.call(sending(TO, &junk)).wait().outcome, Outcome::BadDocument);
}

/// An exchange and its folder.
struct World {
    exchange: Exchange,
    folder: TempDir,
    _alone: MutexGuard<'static, ()>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let alone = alone();
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(&folder.path().join("faxes"));
        change(&mut options);
        Self { exchange: Exchange::start(options).unwrap(), folder, _alone: alone }
    }

    fn machine(&self, number: &str) -> Machine {
        self.exchange.machine(number, 2, number).unwrap()
    }

    fn tiff(&self, pages: &[Vec<u8>]) -> PathBuf {
        let path = self.folder.path().join("sent.tif");
        std::fs::write(&path, tiff(pages)).unwrap();
        path
    }
}

fn sending<'a>(number: &'a str, tiff: &'a Path) -> Sending<'a> {
    Sending { number, tiff, subaddress: None, ecm: true, progress: None }
}

/// Rows of a page, one bit a pixel, 1 is black: lines that a text could have.
fn page(rows: usize, seed: u32) -> Vec<u8> {
    let mut bits = vec![0; rows * WIDTH / 8];
    let mut state = seed;
    for (at, byte) in bits.iter_mut().enumerate() {
        let (row, column) = (at / (WIDTH / 8), at % (WIDTH / 8));
        if row % 30 < 12 && (20..190).contains(&column) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = [0, 0, 0x0F, 0xFF, 0x18][(state >> 24) as usize % 5];
        }
    }
    bits
}

/// An uncompressed TIFF of pages at 204 by 196 (RFC 3949 without the coding).
fn tiff(pages: &[Vec<u8>]) -> Vec<u8> {
    const TAGS: u16 = 12;
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    for (at, page) in pages.iter().enumerate() {
        let here = u32::try_from(file.len()).unwrap();
        let rationals = here + 2 + u32::from(TAGS) * 12 + 4;
        let data = rationals + 16;
        let length = u32::try_from(page.len()).unwrap();
        let rows = length / (WIDTH as u32 / 8);
        let next = if at + 1 == pages.len() { 0 } else { data + length };
        file.extend(TAGS.to_le_bytes());
        for (tag, kind, value) in [
            (254u16, 4u16, 2u32),
            (256, 4, WIDTH as u32),
            (257, 4, rows),
            (258, 3, 1),
            (259, 3, 1),
            (262, 3, 0),
            (273, 4, data),
            (278, 4, rows),
            (279, 4, length),
            (282, 5, rationals),
            (283, 5, rationals + 8),
            (296, 3, 2),
        ] {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file.extend(next.to_le_bytes());
        for value in [204u32, 1, 196, 1] {
            file.extend(value.to_le_bytes());
        }
        file.extend(page);
    }
    file
}

/// The pages of a received file, one bit a pixel, 1 is black.
fn read(path: &Path) -> Vec<Vec<u8>> {
    let mut file = std::fs::read(path).unwrap();
    turn_bits(&mut file);
    let mut decoder = tiff::decoder::Decoder::new(std::io::Cursor::new(file)).unwrap();
    let mut pages = Vec::new();
    loop {
        let tiff::decoder::DecodingResult::U8(page) = decoder.read_image().unwrap() else {
            panic!("not bytes");
        };
        // The decoder makes 0 black.
        pages.push(page.into_iter().map(|byte| !byte).collect());
        if !decoder.more_images() {
            return pages;
        }
        decoder.next_image().unwrap();
    }
}

/// Turns the bytes of strips whose lowest bit comes first (FillOrder 2), and writes the rows of
/// a strip where there are said to be as many as can be: the decoder reads neither.
fn turn_bits(file: &mut [u8]) {
    let long =
        |file: &[u8], at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let mut directory = long(file, 4);
    while directory != 0 {
        let entries = usize::from(u16::from_le_bytes([file[directory], file[directory + 1]]));
        let value = |file: &[u8], tag: u16| {
            let mut at = (0..entries).map(|entry| directory + 2 + entry * 12);
            at.find(|at| file[*at..*at + 2] == tag.to_le_bytes()).unwrap() + 8
        };
        let (order, start, length) = (value(file, 266), value(file, 273), value(file, 279));
        assert_eq!(file[order], 2);
        file[order] = 1;
        let (rows, in_strip) = (value(file, 257), value(file, 278));
        let rows: [u8; 4] = file[rows..rows + 4].try_into().unwrap();
        file[in_strip..in_strip + 4].copy_from_slice(&rows);
        let (start, length) = (long(file, start), long(file, length));
        for byte in &mut file[start..start + length] {
            *byte = byte.reverse_bits();
        }
        directory = long(file, directory + 2 + entries * 12);
    }
}
