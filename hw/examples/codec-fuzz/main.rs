//! The codec and the reader of TIFF-F, fed for a while with pages, damaged pages and
//! noise, beside two decoders that others wrote. What all read without complaint must
//! be the same page; nothing may panic, hang or grow. It needs no fuzzer's compiler.
//!
//! ```text
//! cargo run --release --example codec-fuzz -- --seconds 600 --seed 1
//! ```
//!
//! It prints what it did, and ends with 1 where something was wrong. A case that was
//! wrong can be had again by `--seed SEED --case NUMBER`.
#![allow(clippy::unwrap_used, reason = "a panic here is what it looks for")]

mod chance;
mod others;
mod pages;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use chance::Chance;
use pages::{options, page};
use postfax_hw::pages::{
    bitmap::{Bitmap, MAX_LINES, Size},
    ccitt::{Coding, decode, encode_with, lines_of},
    tiff::{CodedPage, Density, File, FillOrder, write},
};

/// Longest that one case may take.
const MAX_CASE: Duration = Duration::from_secs(5);
/// Most memory that all of it may take, in KiB.
const MAX_KIB: u64 = 512 << 10;
/// So many disagreements are printed whole.
const PRINTED: u64 = 5;

/// What was done and seen.
#[derive(Default)]
struct Count {
    case: u64,
    sound: u64,
    damaged: u64,
    noise: u64,
    files: u64,
    /// Opinions of others that were asked for and agreed.
    agreed: u64,
    /// Bytes without meaning that both sides took for a page.
    agreed_by_chance: u64,
    /// The others would not read what we read.
    only_ours: u64,
    disagreed: u64,
    fax_alone: u64,
    wrong: u64,
    slowest: Duration,
}

fn main() -> ExitCode {
    let seconds = number("--seconds").unwrap_or(60);
    let seed = number("--seed").unwrap_or(1);
    let begun = Instant::now();
    let mut count = Count { case: number("--case").unwrap_or(0), ..Count::default() };
    let only = number("--case").is_some();
    loop {
        let started = Instant::now();
        let mut chance = Chance::new(seed, count.case);
        let kind = chance.below(8);
        match kind {
            0 | 1 => sound(&mut chance, &mut count),
            2..=4 => damaged(&mut chance, &mut count),
            5 => noise(&mut chance, &mut count),
            _ => files(&mut chance, &mut count),
        }
        let took = started.elapsed();
        if took > MAX_CASE {
            count.wrong += 1;
            println!("case {}, kind {kind}, took {took:.1?}", count.case);
        }
        count.slowest = count.slowest.max(took);
        count.case += 1;
        if only || begun.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    report(&count, seed, begun.elapsed())
}

/// Prints what was wrong, the first few times, with the case that it was.
fn say(count: &Count, what: impl Fn() -> String) {
    if count.wrong + count.disagreed <= PRINTED {
        println!("case {}: {}", count.case, what());
    }
}

fn report(count: &Count, seed: u64, took: Duration) -> ExitCode {
    let memory = status("VmHWM:");
    println!(
        "seed {seed}: {} cases in {took:.0?}, {:.0} s of processor",
        count.case,
        processor_s()
    );
    println!("  sound pages     {:>9}, of others' opinions {} agreed", count.sound, count.agreed);
    println!(
        "  damaged pages   {:>9}, noise {}, files {}",
        count.damaged, count.noise, count.files
    );
    println!(
        "  read by chance  {:>9} alike, {} by us alone, {} otherwise, {} otherwise by fax alone",
        count.agreed_by_chance, count.only_ours, count.disagreed, count.fax_alone
    );
    println!("  slowest case    {:>9.1?}, most memory {memory} KiB", count.slowest);
    let good = count.wrong == 0 && memory <= MAX_KIB;
    println!("  {}", if good { "nothing was wrong" } else { "SOMETHING WAS WRONG" });
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A page there and back, and by way of the others.
fn sound(chance: &mut Chance, count: &mut Count) {
    let page = page(chance);
    let options = options(chance);
    let coding = Coding::ALL[chance.below(6) as usize];
    let bytes = encode_with(&page, coding, &options);
    let ours = decode(&bytes, coding, page.size());
    count.sound += 1;
    if ours.page != page || !ours.damage.is_none() {
        count.wrong += 1;
        let (size, damage) = (page.size(), ours.damage);
        say(count, || format!("not the same page: {coding:?} {options:?} {size:?} {damage:?}"));
    }
    for (name, theirs) in others::read(&bytes, coding, page.size()) {
        match theirs {
            Some(theirs) if theirs == page => count.agreed += 1,
            // It takes long fill for damage.
            None if name == "hayro-ccitt" && options.min_line_bits > 0 => count.only_ours += 1,
            what => {
                count.wrong += 1;
                let what = what.map(|_| "another page");
                say(count, || {
                    format!("{name}: {what:?}: {coding:?} {options:?} {:?}", page.size())
                });
            }
        }
    }
    let theirs = others::mmr(&page);
    let ours = decode(&theirs, Coding::Mmr, page.size());
    if ours.page != page || !ours.damage.is_none() {
        count.wrong += 1;
        say(count, || format!("not what was written elsewhere: {:?}", ours.damage));
    }
    if theirs == encode_with(&page, Coding::Mmr, &options) {
        count.agreed += 1;
    }
}

/// A sound page of which some bytes are changed, lost or doubled.
fn damaged(chance: &mut Chance, count: &mut Count) {
    let page = page(chance);
    let coding = Coding::ALL[chance.below(6) as usize];
    let mut bytes = encode_with(&page, coding, &options(chance));
    hurt(chance, &mut bytes);
    count.damaged += 1;
    any_bytes(&bytes, coding, page.size(), count);
}

fn noise(chance: &mut Chance, count: &mut Count) {
    let length = chance.below(4000) as usize;
    // Sparse ones make ends of line, dense ones make vertical modes.
    let bytes: Vec<u8> = match chance.below(3) {
        0 => (0..length).map(|_| chance.byte()).collect(),
        1 => (0..length).map(|_| chance.byte() & chance.byte() & chance.byte()).collect(),
        _ => (0..length).map(|_| chance.byte() | chance.byte()).collect(),
    };
    let size = Size::new(1 + chance.below(5000) as u32, 1 + chance.below(3000) as u32).unwrap();
    let coding = Coding::ALL[chance.below(6) as usize];
    count.noise += 1;
    any_bytes(&bytes, coding, size, count);
}

fn any_bytes(bytes: &[u8], coding: Coding, size: Size, count: &mut Count) {
    let ours = decode(bytes, coding, size);
    assert_eq!(ours.page.size(), size);
    assert!(ours.damage.lines() <= size.lines() && ours.damage.longest <= ours.damage.bad_lines);
    let again = decode(&encode_with(&ours.page, coding, &Default::default()), coding, size);
    assert_eq!(again.page, ours.page, "what was read from damage is a page like any other");
    assert!(lines_of(bytes, coding, size.width()).unwrap_or(1) <= MAX_LINES);
    if !ours.damage.is_none() {
        return;
    }
    for (name, theirs) in others::read(bytes, coding, size) {
        match theirs {
            Some(theirs) if theirs == ours.page => count.agreed_by_chance += 1,
            None => count.only_ours += 1,
            // It takes damage for the end of the page, and says nothing.
            Some(_) if name == "fax" => count.fax_alone += 1,
            Some(theirs) => {
                count.disagreed += 1;
                let place = where_not(&ours.page, &theirs);
                say(count, || {
                    format!("{name} reads otherwise: {coding:?} {size:?} {place}\n  {}", hex(bytes))
                });
            }
        }
    }
}

/// A file of some pages, hurt: refused, or read within its bounds.
fn files(chance: &mut Chance, count: &mut Count) {
    let pages: Vec<CodedPage> = (0..1 + chance.below(3))
        .map(|_| {
            let page = page(chance);
            let coding = Coding::ALL[chance.below(6) as usize];
            let bytes = encode_with(&page, coding, &options(chance));
            let density = Density { x: 204.0, y: 196.0 };
            CodedPage { size: page.size(), density, coding, inverted: false, bytes }
        })
        .collect();
    let order = [FillOrder::HighestFirst, FillOrder::LowestFirst][chance.below(2) as usize];
    let mut bytes = write(&pages, order);
    // The directories are what matters; elsewhere is coded data.
    for _ in 0..1 + chance.below(6) {
        let at =
            if chance.below(3) > 0 { chance.below(240) } else { chance.below(bytes.len() as u64) };
        let at = (at as usize).min(bytes.len() - 1);
        bytes[at] = [0, 1, 0xff, chance.byte()][chance.below(4) as usize];
    }
    if chance.below(4) == 0 {
        hurt(chance, &mut bytes);
    }
    count.files += 1;
    let Ok(file) = File::parse(bytes) else { return };
    for index in 0..file.pages().len() {
        let (decoded, coded) = (file.decode(index), file.coded(index));
        assert_eq!(decoded.is_ok(), coded.is_ok());
        if let (Ok(decoded), Some(size)) = (decoded, file.pages()[index].fax_size()) {
            assert_eq!(decoded.page.size(), size);
        }
    }
}

fn hurt(chance: &mut Chance, bytes: &mut Vec<u8>) {
    for _ in 0..1 + chance.below(4) {
        if bytes.is_empty() {
            return;
        }
        let at = chance.below(bytes.len() as u64) as usize;
        let end = (at + 1 + chance.below(40) as usize).min(bytes.len());
        match chance.below(7) {
            0..=2 => bytes[at] ^= 1 << chance.below(8),
            3 => bytes[at] = chance.byte(),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => bytes.truncate(at),
        }
    }
}

fn where_not(ours: &Bitmap, theirs: &Bitmap) -> String {
    let rows = ours.rows().zip(theirs.rows());
    let first = rows.enumerate().find(|(_, (a, b))| a != b).map(|(y, _)| y);
    format!("from line {first:?} on")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().take(400).map(|byte| format!("{byte:02x}")).collect()
}

fn number(name: &str) -> Option<u64> {
    std::env::args().skip_while(|argument| argument != name).nth(1)?.parse().ok()
}

fn status(field: &str) -> u64 {
    let all = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = all.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Time on a processor, from the clock of 100 ticks a second that Linux counts it in.
fn processor_s() -> f64 {
    let all = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = all.rsplit(") ").next().unwrap_or_default();
    let field = |at: usize| after.split(' ').nth(at).and_then(|f| f.parse::<f64>().ok());
    (field(11).unwrap_or(0.0) + field(12).unwrap_or(0.0)) / 100.0
}
