//! Nobody smuggles a second mail through the first (CVE-2023-51764 and its kin): with
//! the real daemon over real sockets, nothing but CRLF.CRLF ends DATA, nothing but its
//! count ends a chunk, and not an octet of a message is taken for a command, whatever
//! the packets that it comes in.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use support::{lab::Description, postfax::Postfax, sink::Sink, wire::Wire};

/// Where a message might be thought to end: what stands before the dot, and after it.
const BEFORE: [&str; 7] = ["\n", "\r", "\r\n", "\n\r", "\r\r\n", "\n\n", "\r\n\r"];
const AFTER: [&str; 6] = ["\n", "\r", "\r\n", "\r\r\n", "\n\r", "\n\n"];
/// What a forger would have executed.
const FORGED: &str =
    "MAIL FROM:<bob@example.com>\r\nRCPT TO:<+12125550666@fax.example.com>\r\nDATA\r\n";
/// The number that must never be in the queue.
const FORGED_NUMBER: &str = "+12125550666";
/// Connections at a time; the daemon takes twenty from one address.
const AT_ONCE: usize = 12;
/// Between two packets, so that they are two.
const PAUSE: Duration = Duration::from_millis(1);

fn start() -> Postfax {
    let limits = "[limits]\nmax_mails_per_minute = 1000000\nmax_recipients_per_hour = 1000000\n\
                  max_faxes_per_number_per_h = 1000000\n";
    Postfax::start(&Description::unreachable(), &Sink::start(), limits)
}

/// A connection on which one mail of anna's has begun.
fn begun(postfax: &Postfax, parameters: &str) -> Wire {
    let mut wire = Wire::connect(postfax.relay);
    wire.hear("220");
    wire.ask("EHLO client.example.com\r\n", "250");
    let envelope = format!(
        "MAIL FROM:<anna@example.com>{parameters}\r\nRCPT TO:<+12125550199@fax.example.com>\r\n"
    );
    wire.ask(&envelope, "250");
    wire.hear("250");
    wire
}

/// The numbers in the queue.
fn queue(postfax: &Postfax) -> Vec<String> {
    let listed = postfax.ask_json(&["jobs", "--limit", "1000"]);
    let number = |job: &serde_json::Value| {
        let job = job.to_string();
        assert!(!job.contains(FORGED_NUMBER) && !job.contains("bob"), "smuggled: {job}");
        job
    };
    listed["jobs"].as_array().unwrap().iter().map(number).collect()
}

/// Does each of the tasks, some at a time.
fn each<T: Sync>(tasks: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(task) = tasks.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(task);
                }
            });
        }
    });
}

/// How octets are cut into packets.
#[derive(Debug, Clone, Copy)]
enum Cut {
    At(usize),
    Everywhere,
}

fn say(wire: &mut Wire, octets: &[u8], cut: Cut) {
    let pieces: Vec<&[u8]> = match cut {
        Cut::At(at) => vec![&octets[..at], &octets[at..]],
        Cut::Everywhere => octets.chunks(1).collect(),
    };
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        wire.say(piece);
        thread::sleep(PAUSE);
    }
}

/// Every end that is none, with what follows it.
fn forgeries() -> Vec<String> {
    let ends = BEFORE.iter().flat_map(|before| AFTER.iter().map(move |after| (before, after)));
    let ends = ends.filter(|(before, after)| !(before.ends_with("\r\n") && **after == "\r\n"));
    let mut ends: Vec<String> = ends.map(|(before, after)| format!("{before}.{after}")).collect();
    ends.extend(["\r\0\n.\r\n", "\r\n.\0\r\n", "\r\n.\r\0\n", "\n.\n.\n"].map(String::from));
    ends.into_iter().map(|end| format!("words{end}{FORGED}forged\r\n.\r\n")).collect()
}

/// Each forgery, cut everywhere at once, whole, and at every place in the false end
/// and beside it.
fn tasks() -> Vec<(String, Cut)> {
    let mut tasks = Vec::new();
    for forgery in forgeries() {
        tasks.push((forgery.clone(), Cut::Everywhere));
        let last = forgery.find("MAIL").unwrap() + 6;
        tasks.extend((0..=last).map(|at| (forgery.clone(), Cut::At(at))));
    }
    tasks
}

/// What one mail may be answered with after all this: that it is refused, and no more
/// unless the session goes on to its QUIT.
fn is_one_refusal(said: &[String]) -> bool {
    match said {
        [one] => one.starts_with("550 5.5.2"),
        [one, bye] => one.starts_with("554 5.6.0") && bye.starts_with("221"),
        _ => false,
    }
}

#[test]
fn no_false_end_of_data_is_taken_for_one() {
    let postfax = start();
    let tasks = tasks();
    assert!(tasks.len() > 500, "{}", tasks.len());
    each(&tasks, |(forgery, cut)| {
        let mut wire = begun(&postfax, "");
        wire.ask("DATA\r\n", "354");
        say(&mut wire, forgery.as_bytes(), *cut);
        wire.say(b"QUIT\r\n");
        let said = wire.rest();
        assert!(is_one_refusal(&said), "{forgery:?} {cut:?}: {said:?}");
    });
    assert_eq!(queue(&postfax).len(), 0, "nothing was taken");
}

#[test]
fn no_line_of_a_chunk_is_a_command() {
    let postfax = start();
    each(&tasks(), |(forgery, cut)| {
        let mut wire = begun(&postfax, "");
        let head = format!("BDAT {} LAST\r\n", forgery.len());
        let cut = match cut {
            Cut::At(at) => Cut::At(at + head.len()),
            Cut::Everywhere => Cut::Everywhere,
        };
        say(&mut wire, format!("{head}{forgery}").as_bytes(), cut);
        wire.say(b"QUIT\r\n");
        let said = wire.rest();
        assert!(is_one_refusal(&said), "{forgery:?} {cut:?}: {said:?}");
    });
    assert_eq!(queue(&postfax).len(), 0, "nothing was taken");
}

/// What is no command line, or is one that nobody can count on.
#[test]
fn no_half_of_a_command_line_is_one() {
    let postfax = start();
    let envelope = "MAIL FROM:<bob@example.com>\r\n";
    let mut tasks = Vec::new();
    for head in [
        "NOOP\n",
        "NOOP\r",
        "RSET\r\r\n",
        "RSET\n\r\n",
        "BDAT 5\n",
        "BDAT 0x20 LAST\r\n",
        "BDAT -1 LAST\r\n",
        "BDAT\r\n",
        "BDAT 99999999999999999999 LAST\r\n",
        "BDAT 5 LAST LAST\r\n",
        "BDAT  5\r\n",
    ] {
        let text = format!("{head}{envelope}");
        tasks.push((text.clone(), Cut::Everywhere));
        tasks.extend((0..=head.len() + 4).map(|at| (text.clone(), Cut::At(at))));
    }
    each(&tasks, |(text, cut)| {
        let mut wire = begun(&postfax, "");
        say(&mut wire, text.as_bytes(), *cut);
        let said = wire.rest();
        let refused = said.len() == 1 && (said[0].starts_with("521") || said[0].starts_with("501"));
        assert!(refused, "{text:?} {cut:?}: {said:?}");
    });
    assert_eq!(queue(&postfax).len(), 0, "nothing was taken");
}

/// Mails that are in order although they look like the others: each is one.
#[test]
fn what_is_in_order_is_taken_once() {
    let postfax = start();
    let head = "From: anna@example.com\r\n\r\n";
    let quoted = format!("{head}words\r\n..\r\n{FORGED}forged\r\n.\r\n");
    let strict = format!("{head}words\r\n.\r\n{FORGED}forged\r\n.\r\n");
    let loose = format!("{head}words\n.\n{FORGED}forged\r.\r");
    let mut tasks = vec![];
    for cut in [Cut::Everywhere, Cut::At(head.len() + 8), Cut::At(0)] {
        tasks.push(("DATA", &quoted, cut));
        tasks.push(("BDAT", &strict, cut));
        tasks.push((" BODY=BINARYMIME", &loose, cut));
    }
    each(&tasks, |(how, text, cut)| {
        let mut wire = begun(&postfax, if how.starts_with(' ') { how } else { "" });
        match *how {
            "DATA" => {
                wire.ask("DATA\r\n", "354");
            }
            _ => wire.say(format!("BDAT {} LAST\r\n", text.len()).as_bytes()),
        }
        say(&mut wire, text.as_bytes(), *cut);
        wire.say(b"QUIT\r\n");
        let said = wire.rest();
        assert_eq!(said.len(), 2, "{how} {cut:?}: {said:?}");
        assert!(said[0].starts_with("250 2.0.0 queued as "), "{how} {cut:?}: {said:?}");
    });
    assert_eq!(queue(&postfax).len(), tasks.len());
}
