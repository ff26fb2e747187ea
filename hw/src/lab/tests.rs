//! Whole faxes through whole laboratories.

use std::time::{Duration, Instant};

use postfax_domain::settings::{Change, Name, Value};

use super::{
    Kind, Lab, Options,
    client::{Client, document},
    hylafax, tiff,
};
use crate::{
    driver::Driver,
    exchange::alone::alone,
    hylafax::{Hylafax, Options as Login},
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
    let _alone = alone();
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

/// A job may ask for fewer calls than the server allows, and gets no more; and the delay
/// between them is that of the line.
#[test]
fn a_real_hylafax_dials_no_more_often_than_it_is_set_to() {
    if !(hylafax::installed() && hylafax::permitted()) {
        eprintln!("SKIPPED, NOT TESTED: max_dials at a real HylaFAX server (package, root)");
        return;
    }
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lab = lab(&runtime, Kind::Hylafax, dir.path());
    let about = lab.description();
    let server = &about.servers[0];
    let login = Login::new(&server.host, server.port, &server.user, &server.password);
    let password = Some(server.admin_password.clone());
    let driver = Hylafax::new(Login { admin_password: password, ..login });
    let changes =
        [(Name::of_server("max_dials"), 2), (Name::of_line("ttyFAX1", "delay_busy_s"), 5)]
            .map(|(name, to)| Change { name, from: None, to: Some(Value::Number(to)) });
    runtime.block_on(driver.set(&changes, &dir.path().join("safe"))).unwrap();
    let busy = about.numbers.iter().find(|number| number.behaviour == "busy").unwrap();
    let begun = Instant::now();
    let mut client = Client::log_in(server.port);
    let id = client.submit_for(5, &busy.number, &document(1), "dials");
    let (state, code, _) = end(server.port, &id);
    let dials = Client::log_in(server.port).parameter(&id, "TOTDIALS");
    eprintln!("max_dials: {state} {code} after {dials} calls in {:?}", begun.elapsed());
    assert_eq!((state.as_str(), dials.trim()), ("FAILED", "2"));
    // With HylaFAX's own delay it would be three minutes.
    assert!(begun.elapsed() < Duration::from_secs(120));
    runtime.block_on(lab.stop());
}
