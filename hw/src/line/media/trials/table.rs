//! What arrives over a bad network, and what it costs: the tables of
//! `docs/lines-measured.md`. Many calls in simulated time.

use std::{fmt::Write as _, time::Instant};

use super::{bridge, *};

/// Calls for each row.
const CALLS: u64 = 20;
/// Of a full page of A4 at the fine resolution each.
const LINES: u32 = 2200;
const PAGES: u32 = 1;

/// The ends of a call.
#[derive(Debug, Clone, Copy)]
enum Ends {
    Audio,
    T38,
    T38ToLine,
    LineToT38,
}

const MS: fn(u64) -> Duration = Duration::from_millis;

fn accidents() -> Vec<(&'static str, Impairment)> {
    let none = Impairment::NONE;
    vec![
        ("none", none),
        ("loss 0.1 %", Impairment { loss: 0.001, ..none }),
        ("loss 0.3 %", Impairment { loss: 0.003, ..none }),
        ("loss 1 %", Impairment { loss: 0.01, ..none }),
        ("loss 3 %", Impairment { loss: 0.03, ..none }),
        ("loss 5 %", Impairment { loss: 0.05, ..none }),
        ("jitter 40 ms", Impairment { jitter: MS(40), ..none }),
        ("reordered 5 %", Impairment { reordered: 0.05, ..none }),
        ("doubled 5 %", Impairment { doubled: 0.05, ..none }),
        (
            "loss 1 %, jitter 40 ms, reordered 2 %, doubled 1 %",
            Impairment { loss: 0.01, jitter: MS(40), reordered: 0.02, doubled: 0.01, ..none },
        ),
        ("delay 300 ms", Impairment { delay: MS(300), ..none }),
    ]
}

fn call(desk: &Desk, ends: Ends, ecm: bool, impairment: Impairment, seed: u64) -> Report {
    match ends {
        Ends::Audio => Call::new(desk, audio(), ecm, impairment, seed).run(desk),
        Ends::T38 => Call::new(desk, t38(), ecm, impairment, seed).run(desk),
        Ends::T38ToLine => bridge::call(desk, true, ecm, impairment, seed),
        Ends::LineToT38 => bridge::call(desk, false, ecm, impairment, seed),
    }
}

fn row(ends: Ends, ecm: bool, name: &str, impairment: Impairment) -> String {
    let (mut delivered, mut equal, mut wrong, mut resent, mut seconds) = (0, 0, 0, 0, 0.0);
    let mut rates = Vec::new();
    let mut failures: Vec<String> = Vec::new();
    let started = Instant::now();
    for seed in 1..=CALLS {
        let desk = Desk::new(PAGES, LINES);
        let report = call(&desk, ends, ecm, impairment, seed * 7919);
        let [sent, _] = &report.ended;
        seconds += report.lasted.as_secs_f64();
        if sent.outcome.is_success() {
            delivered += 1;
            equal += u64::from(report.equal);
            resent += sent.statistics.resent_frames;
            rates.push(sent.statistics.bit_rate);
        } else {
            failures.push(format!("{:?}", sent.outcome));
        }
        wrong += u64::from(sent.pages > report.ended[1].pages);
    }
    rates.sort_unstable();
    failures.sort_unstable();
    failures.dedup();
    let rate = rates.get(rates.len() / 2).copied().unwrap_or(0);
    let mut line = String::new();
    write!(
        line,
        "| {ends:?} | {} | {name} | {delivered} | {equal} | {:.0} | {:.1} | {rate} | {} | {:.2} |",
        if ecm { "yes" } else { "no" },
        seconds / CALLS as f64,
        f64::from(resent) / delivered.max(1) as f64,
        if failures.is_empty() { "–".to_owned() } else { failures.join(", ") },
        started.elapsed().as_secs_f64() / CALLS as f64,
    )
    .unwrap();
    assert_eq!(wrong, 0, "pages were confirmed that did not arrive: {line}");
    line
}

#[test]
#[ignore = "it is a measurement of some minutes: cargo test --workspace --lib the_table -- --ignored --nocapture"]
fn the_table_of_accidents() {
    println!(
        "| ends | ECM | accidents | delivered of {CALLS} | equal | s a call | resent | bit/s | else | CPU s |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for ends in [Ends::Audio, Ends::T38, Ends::T38ToLine, Ends::LineToT38] {
        for ecm in [true, false] {
            for (name, impairment) in accidents() {
                println!("{}", row(ends, ecm, name, impairment));
            }
        }
    }
}
