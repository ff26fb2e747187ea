//! A modem that says anything: for tests.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Class, Class2, Dialogue, Out};
use crate::t30::{Session, Station};

/// Most turns of one conversation.
const TURNS: usize = 4096;

/// A call with a modem that says `data`, of which the first byte chooses the call. It panics
/// when the call does not end within its times.
pub(super) fn one(data: &[u8]) {
    let Some((choice, mut rest)) = data.split_first() else { return };
    let class = Class::ALL[usize::from(choice % 3)];
    let station = Station::new("fuzz");
    let limit = Duration::from_secs(600);
    let nowhere = PathBuf::from("/nonexistent/fuzz.tif");
    let session = Session::receiving(station, nowhere);
    let call = match choice / 3 % 2 {
        0 => Class2::answering(class, session, limit),
        _ => Class2::calling(class, Session { calling: true, ..session }, "1", limit),
    };
    let Ok(call) = call else { return };
    run(call, |_| {
        let piece = rest.len().min(1 + usize::from(choice >> 4));
        let (first, others) = rest.split_at(piece);
        rest = others;
        first.to_vec()
    });
}

/// Runs a call with a modem that says something each time it is asked; of nothing, time
/// passes.
pub(super) fn run(mut call: Class2, mut modem: impl FnMut(&[Out]) -> Vec<u8>) -> Vec<Out> {
    let mut now = Instant::now();
    let mut all = call.begin(now);
    let mut fresh = 0;
    for _ in 0..TURNS {
        if matches!(all.last(), Some(Out::Ended(_))) {
            assert!(call.deadline().is_none(), "a call that is over waits for something");
            return all;
        }
        let said = modem(&all[fresh..]);
        fresh = all.len();
        if said.is_empty() {
            let drained = call.drained(now);
            if drained.is_empty() {
                now = call.deadline().expect("a call waits for something");
                all.extend(call.timeout(now));
            }
            all.extend(drained);
        } else {
            all.extend(call.input(&said, now));
        }
    }
    panic!("a call did not end");
}
