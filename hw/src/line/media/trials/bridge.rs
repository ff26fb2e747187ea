//! Calls between a machine on T.38 and one on a telephone line, by way of a gateway.

use std::collections::VecDeque;

use super::{
    super::{bridge::Bridge, watch::Watch},
    *,
};
use crate::{
    spandsp::{FaxTerminal, SILENCE},
    t30::{self, Tally},
};

/// The line's delay in each direction: 80 ms.
const LINE_DELAY: usize = 4;

/// A fax machine on a line of sound, without packets.
struct Machine {
    terminal: FaxTerminal,
    tally: Tally,
    there: VecDeque<crate::spandsp::Block>,
    back: VecDeque<crate::spandsp::Block>,
    until: Option<Duration>,
    ended: Option<Ended>,
    watch: Watch,
}

impl Machine {
    fn new(session: &Session) -> Self {
        let delay = || std::iter::repeat_n(SILENCE, LINE_DELAY).collect();
        Self {
            terminal: FaxTerminal::new(session).unwrap(),
            tally: Tally::default(),
            there: delay(),
            back: delay(),
            until: None,
            ended: None,
            watch: Watch::new(LIMIT, Duration::ZERO),
        }
    }

    /// 20 ms at the far end of the gateway's line.
    fn pass(&mut self, bridge: &mut Bridge, now: Duration, out: &mut Vec<Vec<u8>>) {
        self.there.push_back(bridge.speak(now, out));
        self.back.push_back(self.terminal.speak());
        self.terminal.hear(self.there.pop_front().unwrap());
        bridge.hear(self.back.pop_front().unwrap(), out);
        for frame in self.terminal.engine_mut().take_frames() {
            self.tally.count(frame);
            self.watch.frame(frame, now);
        }
        self.watch.hear(now);
        let over = !self.terminal.engine().is_active() || self.watch.excess(true, now).is_some();
        if over && self.until.is_none() {
            self.until = Some(now + Duration::from_secs(1));
            let engine = self.terminal.engine_mut();
            engine.terminate();
            let outcome = match self.tally.complete {
                true => Outcome::Delivered,
                false => t30::sent(engine.completion(), &self.tally),
            };
            self.ended = Some(Ended {
                pages: self.tally.confirmed,
                statistics: engine.statistics(),
                ..Ended::failed(outcome, engine.said().unwrap_or_default())
            });
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

/// A call from T.38 to the line, or the other way round.
pub(super) fn call(
    desk: &Desk,
    t38_calls: bool,
    ecm: bool,
    impairment: Impairment,
    seed: u64,
) -> Report {
    let plan = T38Plan::default();
    let [caller, called] = desk.sessions(ecm);
    let (packets, line) = if t38_calls { (caller, called) } else { (called, caller) };
    let mut talk = Talk::new(packets, Kind::T38(plan), LIMIT, Duration::ZERO).unwrap();
    let mut machine = Machine::new(&line);
    let mut bridge = Bridge::new(&plan, ecm).unwrap();
    let mut hops = [seed, !seed].map(|seed| Hop::new(impairment, seed));
    let mut told = Vec::new();
    let mut now = Duration::ZERO;
    while !talk.is_over() || !machine.is_over(now) {
        step(&mut talk, &mut hops, 0, now);
        told.extend(talk.take_happenings());
        now += TICK / 2;
        while let Some(packet) = hops[0].receive(now) {
            bridge.take(&packet, now);
        }
        let mut out = Vec::new();
        machine.pass(&mut bridge, now, &mut out);
        for packet in out {
            hops[1].send(&packet, now);
        }
        now += TICK / 2;
    }
    let ended = machine.ended.take().unwrap();
    // It closes its file.
    drop(machine);
    let machine_told = vec![Happening::Ended(ended)];
    let told = if t38_calls { [told, machine_told] } else { [machine_told, told] };
    report(desk, told, now)
}

#[test]
fn pages_arrive_through_a_gateway() {
    let desk = Desk::new(2, 300);
    for (t38_calls, ecm) in [(true, true), (true, false), (false, true), (false, false)] {
        let report = call(&desk, t38_calls, ecm, Impairment::NONE, 1);
        assert!(report.both(Outcome::Delivered), "{t38_calls} {ecm} {report:?}");
        assert!(report.equal, "{t38_calls} {ecm}");
        assert_eq!(report.ended[0].statistics.ecm, ecm);
    }
}
