//! Calls in real time, on sockets and threads as in earnest.

use std::{net::Ipv4Addr, net::UdpSocket, time::Instant};

use tokio::sync::mpsc;

use super::{super::impaired::Impaired, *};

/// Two sockets on this machine.
fn sockets() -> [(UdpSocket, SocketAddr); 2] {
    [(); 2].map(|()| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    })
}

/// The two flows between such sockets, by way of `hop` where there is one.
fn flows(kind: Kind, impairment: Option<Impairment>) -> ([Flow; 2], Option<Impaired>) {
    let [(one, at_one), (other, at_other)] = sockets();
    let hop =
        impairment.map(|impairment| Impaired::start([at_one, at_other], impairment, 1).unwrap());
    let [to_other, to_one] = match &hop {
        Some(hop) => hop.ends(),
        None => [at_other, at_one],
    };
    let flows = [
        Flow { socket: one, remote: to_other, kind },
        Flow { socket: other, remote: to_one, kind },
    ];
    (flows, hop)
}

/// Players, and what they tell.
struct Pair {
    desk: Desk,
    players: [Player; 2],
    tells: [mpsc::Receiver<Happening>; 2],
    /// Where their sockets are.
    at: [SocketAddr; 2],
    hop: Option<Impaired>,
}

impl Pair {
    fn start(desk: Desk, kind: Kind, impairment: Option<Impairment>) -> Self {
        let (flows, hop) = flows(kind, impairment);
        let at = flows.each_ref().map(|flow| flow.socket.local_addr().unwrap());
        let mut tells = Vec::new();
        let players: Vec<Player> = desk
            .sessions(true)
            .into_iter()
            .zip(flows)
            .map(|(session, flow)| {
                let (tell, told) = mpsc::channel(64);
                tells.push(told);
                Player::start(session, flow, LIMIT, tell).unwrap()
            })
            .collect();
        let (players, tells) = (players.try_into().unwrap(), tells.try_into().unwrap());
        Self { desk, players, tells, at, hop }
    }

    fn wait(mut self) -> Report {
        let began = Instant::now();
        let told = self.tells.each_mut().map(|tell| {
            let mut told = Vec::new();
            while let Some(happening) = tell.blocking_recv() {
                told.push(happening);
            }
            told
        });
        drop(self.players);
        report(&self.desk, told, began.elapsed())
    }
}

#[test]
fn players_keep_real_time_and_change_to_t38_in_mid_call() {
    let accidents = Impairment { loss: 0.02, reordered: 0.02, doubled: 0.02, ..Impairment::NONE };
    let plain = Pair::start(Desk::new(1, 100), audio(), None);
    let bad = Pair::start(Desk::new(1, 100), t38(), Some(accidents));
    let mut changed = Pair::start(Desk::new(1, 100), audio(), None);
    let mut moved = Pair::start(Desk::new(1, 100), audio(), Some(Impairment::NONE));
    // The calling side hears a fax machine, and both agree on T.38.
    while changed.tells[0].blocking_recv() != Some(Happening::FaxTone) {}
    let (flows, _) = flows(t38(), None);
    for (player, flow) in changed.players.iter().zip(flows) {
        player.change(flow);
    }
    // Whoever stood between them leaves, and they speak with another coding.
    while moved.tells[0].blocking_recv() != Some(Happening::FaxTone) {}
    for (player, other) in moved.players.iter().zip([1, 0]) {
        player.follow(moved.at[other], Kind::Audio(AudioPlan::new(Law::Pcmu)));
    }
    moved.hop = None;
    let stopped = Pair::start(Desk::new(1, 100), audio(), None);
    std::thread::sleep(Duration::from_secs(2));
    stopped.players[0].stop();
    drop(stopped.players);
    let mut told = stopped.tells;
    for told in &mut told {
        let ended = loop {
            match told.blocking_recv() {
                Some(Happening::Ended(ended)) => break ended,
                Some(_) => {}
                None => panic!("the end was not told"),
            }
        };
        assert_eq!((ended.outcome, ended.pages), (Outcome::Cancelled, 0));
    }
    for (name, pair) in [("plain", plain), ("bad", bad), ("changed", changed), ("moved", moved)] {
        let report = pair.wait();
        assert!(report.both(Outcome::Delivered) && report.equal, "{name} {report:?}");
        assert_eq!(steps(&report.told[0]), [(true, 0), (false, 1)], "{name}");
        if name == "changed" {
            let carrier = report.ended.map(|ended| ended.statistics.carrier);
            assert_eq!(carrier, [Some(crate::t30::Carrier::T38); 2]);
        }
    }
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // utime and stime, in hundredths of a second (proc(5)).
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Memory of this process in KiB.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn sixty_calls(kind: Kind) {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    let (cpu_before, memory_before) = (cpu(), memory("VmRSS"));
    let began = Instant::now();
    let pairs: Vec<Pair> = (0..60).map(|_| Pair::start(Desk::new(1, 1100), kind, None)).collect();
    std::thread::sleep(Duration::from_secs(20));
    let memory_within = memory("VmRSS");
    let reports: Vec<Report> = pairs.into_iter().map(Pair::wait).collect();
    let (wall, spent) = (began.elapsed(), cpu() - cpu_before);
    let good = reports.iter().filter(|r| r.both(Outcome::Delivered)).count();
    let equal = reports.iter().filter(|r| r.equal).count();
    let resent: u32 = reports.iter().map(|r| r.ended[0].statistics.resent_frames).sum();
    println!(
        "{kind:?}: 60 calls, 120 ends: {good} delivered, {equal} equal, {resent} frames \
         resent, {:.0} s of wall time, {:.1} s of processor ({:.2} % of a core for each end), \
         {} KiB for each end, load before: {}",
        wall.as_secs_f64(),
        spent.as_secs_f64(),
        spent.as_secs_f64() / wall.as_secs_f64() / 120.0 * 100.0,
        memory_within.saturating_sub(memory_before) / 120,
        load.trim(),
    );
    assert_eq!(good, 60);
}

#[test]
#[ignore = "a minute of real time: cargo test --workspace --lib sixty_calls_of_g711 -- --ignored --nocapture"]
fn sixty_calls_of_g711() {
    sixty_calls(audio());
}

#[test]
#[ignore = "a minute of real time: cargo test --workspace --lib sixty_calls_of_t38 -- --ignored --nocapture"]
fn sixty_calls_of_t38() {
    sixty_calls(t38());
}
