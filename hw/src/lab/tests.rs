//! Whole faxes through whole laboratories.

use std::time::{Duration, Instant};

use super::{
    Kind, Lab, Options,
    client::{Client, document},
    hylafax, tiff,
};

/// How long any call here may take, wait for its line included.
const LIMIT: Duration = Duration::from_secs(240);

fn lab(runtime: &tokio::runtime::Runtime, kind: Kind, dir: &std::path::Path) -> Lab {
    let options = Options { lines: 1, answering: 1, ..Options::new(dir.to_owned(), kind) };
    runtime.block_on(Lab::start(options)).unwrap()
}

/// How long a job may wait for a line before it is submitted anew: the scheduler of
/// HylaFAX 6.0.7 may have forgotten it, as the driver knows too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for the end of a job and gives its state, code and confirmed pages.
fn end(port: u16, id: &str) -> (String, String, String) {
    let begun = Instant::now();
    let mut nudged = begun;
    let mut client = Client::log_in(port);
    loop {
        let state = client.parameter(id, "STATE");
        if state == "DONE" || state == "FAILED" {
            let code = client.parameter(id, "STATUSCODE");
            return (state, code, client.parameter(id, "NPAGES"));
        }
        assert!(begun.elapsed() < LIMIT, "job {id} is {state}");
        if state == "READY" && nudged.elapsed() > PATIENCE {
            nudged = Instant::now();
            let mut other = Client::log_in(port);
            other.say(&format!("JSUSP {id}"));
            std::thread::sleep(Duration::from_millis(2_100));
            other.say(&format!("JSUBM {id}"));
        }
        std::thread::sleep(Duration::from_millis(250));
    }
}

/// Every line of each server sends to a line of the other at the same time.
fn faxes_cross(kind: Kind, rounds: usize) {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lab = lab(&runtime, kind, dir.path());
    let servers = lab.description().servers.clone();
    for round in 0..rounds {
        let begun = Instant::now();
        let mut jobs = vec![];
        for (from, to) in [(0, 1), (1, 0)] {
            let mut client = Client::log_in(servers[from].port);
            let number = &servers[to].numbers[0];
            jobs.push((from, client.submit(number, &document(3), &format!("tag-{round}-{from}"))));
        }
        for (from, id) in jobs {
            let ended = end(servers[from].port, &id);
            assert_eq!(ended, ("DONE".into(), "000".into(), "3".into()), "round {round}");
        }
        eprintln!("{kind:?}: two faxes of three pages at once: {:?}", begun.elapsed());
    }
    for (server, other) in [(0, 1), (1, 0)] {
        let mut client = Client::log_in(servers[server].port);
        client.say("RCVFMT \"%f|%p|%s|%j|%r|%z|\"");
        let begun = Instant::now();
        let complete = loop {
            let listed = client.list("recvq");
            let complete: Vec<String> = listed
                .lines()
                .filter(|line| line.contains("|3|") && !line.contains("|*|"))
                .map(str::to_owned)
                .collect();
            if complete.len() == rounds {
                break complete;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{listed}");
            std::thread::sleep(Duration::from_millis(250));
        };
        eprintln!("{kind:?}: received: {complete:?}");
        client.say("ADMIN letmeadmin");
        for line in &complete {
            let fields: Vec<&str> = line.split('|').collect();
            assert_eq!(fields[2], servers[other].name, "TSI of {line}");
            let file = client.fetch(&format!("RETR recvq/{}", fields[0]));
            assert_eq!(tiff::count_pages(&file), Some(3));
            assert!(client.say(&format!("DELE recvq/{}", fields[0])).starts_with("250 "));
        }
        assert_eq!(client.list("recvq"), "");
    }
    runtime.block_on(lab.stop());
}

#[test]
fn stations_send_each_other_faxes() {
    faxes_cross(Kind::Station, 2);
}

#[test]
fn real_hylafax_servers_send_each_other_faxes() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: faxes between real HylaFAX servers (package, root)");
        return;
    }
    faxes_cross(Kind::Hylafax, 1);
}
