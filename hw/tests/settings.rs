//! Settings of real servers: what breaks in the middle is mended, what may not be
//! written is refused with words that help, and HylaFAX acts on what was set.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod settings_proxy;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

use postfax_domain::settings::{Change, Name, Value};
use postfax_hw::{
    driver::{Driver, SettingsError},
    hylafax::{Hylafax, Options as Login},
    lab::{Kind, Lab, Options, ServerDescription, hylafax},
};
use settings_proxy::Proxy;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

const FILES: [&str; 2] = ["config", "config.ttyFAX0"];
/// How many connections a test cuts at one real server, and at one station.
const CUTS: (usize, usize) = (50, 20);
/// How many stations are cut at the same time.
const WORKERS: u64 = 16;
/// After a cut at a station. Each takes some 25 connections, whose ports stay in use for
/// a minute: without a pause a quick machine has none left.
const PAUSE: Duration = Duration::from_secs(1);

fn runnable(what: &str) -> bool {
    let able = hylafax::installed() && hylafax::permitted();
    if !able {
        eprintln!("SKIPPED, NOT TESTED: {what} with real HylaFAX servers (package, root)");
    }
    able
}

async fn lab(folder: &Path, kind: Kind, servers: u32) -> Lab {
    let options =
        Options { servers, lines: 1, answering: 1, ..Options::new(folder.join("lab"), kind) };
    Lab::start(options).await.unwrap()
}

fn driver(server: &ServerDescription, port: u16) -> Hylafax {
    let login = Login::new(&server.host, port, &server.user, &server.password);
    Hylafax::new(Login {
        admin_password: Some(server.admin_password.clone()),
        reply_timeout: Duration::from_secs(5),
        ..login
    })
}

fn to(name: Name, to: Option<Value>) -> Change {
    Change { name, from: None, to }
}

/// A server key, and two of a line: two files.
fn changes() -> Vec<Change> {
    vec![
        to(Name::of_server("max_dials"), Some(Value::Number(7))),
        to(Name::of_line("ttyFAX0", "rings_before_answer"), Some(Value::Number(4))),
        to(Name::of_line("ttyFAX0", "header_line_format"), Some(Value::Text("a|\"b\"".into()))),
    ]
}

fn texts(etc: &Path) -> Vec<Vec<u8>> {
    FILES.iter().map(|file| fs::read(etc.join(file)).unwrap()).collect()
}

fn put(etc: &Path, texts: &[Vec<u8>]) {
    for (file, text) in FILES.iter().zip(texts) {
        fs::write(etc.join(file), text).unwrap();
    }
}

/// What came of the cuts.
#[derive(Debug, Default)]
struct Cuts {
    made: usize,
    journal_left: usize,
    done: usize,
    put_back: usize,
}

/// Sets through a proxy that cuts everything after `n` octets, for every `n` of this
/// worker's up to the end or, with a limit, for so many, evenly spread.
async fn cut_everywhere(kind: Kind, worker: u64, workers: u64, most: usize) -> Cuts {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), kind, 1).await;
    let server = &lab.description().servers[0];
    let (etc, safe) = (server.spool.join("etc"), folder.path().join("safe"));
    let old = texts(&etc);
    let proxy = Proxy::start(server.port, None).await;
    driver(server, proxy.port()).set(&changes(), &safe).await.unwrap();
    let (total, new) = (proxy.passed(), texts(&etc));
    assert!(old.iter().zip(&new).all(|(old, new)| old != new));
    let (begun, mut cuts) = (Instant::now(), Cuts::default());
    // Every n is met once: the steps go round with a stride that has no divisor of it.
    let stride = (0..).map(|n| 389 + 2 * n).find(|n| coprime(*n, total)).unwrap();
    for round in (worker..total).step_by(usize::try_from(workers).unwrap()).take(most) {
        put(&etc, &old);
        cut(server, round * stride % total, &safe, (&old, &new), &mut cuts).await;
        if kind == Kind::Station {
            sleep(PAUSE).await;
        }
    }
    eprintln!("{kind:?}: of {total} octets: {cuts:?} in {:?}", begun.elapsed());
    lab.stop().await;
    cuts
}

async fn cut(
    server: &ServerDescription,
    n: u64,
    safe: &Path,
    (old, new): (&[Vec<u8>], &[Vec<u8>]),
    cuts: &mut Cuts,
) {
    let proxy = Proxy::start(server.port, Some(n)).await;
    let said = driver(server, proxy.port()).set(&changes(), safe).await;
    drop(proxy);
    let journal = safe.join("settings.journal").exists();
    let read = driver(server, server.port).settings(safe).await;
    let now = texts(&server.spool.join("etc"));
    let shown: Vec<_> = now.iter().map(|text| String::from_utf8_lossy(text)).collect();
    assert!(now == old || now == new, "{n} octets: {said:?}, {journal}, {shown:#?}");
    let read = read.unwrap_or_else(|error| panic!("{n} octets: {error}"));
    let dials = read.get(&Name::of_server("max_dials"));
    assert_eq!(dials == Some(&Value::Number(7)), now == new, "{n} octets");
    assert!(!safe.join("settings.journal").exists(), "{n} octets");
    match said {
        Ok(_) => assert_eq!(now, new, "{n} octets"),
        Err(SettingsError::Undone(_) | SettingsError::Hindered(_)) => {
            assert_eq!(now, old, "{n} octets");
        }
        Err(SettingsError::Away(_)) => {}
        Err(SettingsError::Broken(why)) => panic!("{n} octets: {why}"),
    }
    cuts.made += 1;
    cuts.journal_left += usize::from(journal);
    cuts.done += usize::from(now == new);
    cuts.put_back += usize::from(journal && now == old);
}

fn coprime(a: u64, b: u64) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_leaves_no_half_change_at_a_station() {
    cut_stations(CUTS.1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "every single octet takes minutes; the test above takes some"]
async fn a_connection_cut_at_any_octet_leaves_no_half_change_at_a_station() {
    cut_stations(usize::MAX).await;
}

async fn cut_stations(most: usize) {
    // Most of the time they wait.
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(cut_everywhere(Kind::Station, worker, WORKERS, most));
    }
    let all = workers.join_all().await;
    assert!(all.iter().any(|cuts| cuts.done > 0) && all.iter().any(|cuts| cuts.put_back > 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_leaves_no_half_change_at_a_real_hylafax() {
    if runnable("cut connections") {
        let cuts = cut_everywhere(Kind::Hylafax, 0, 1, CUTS.0).await;
        assert!(cuts.done > 0 && cuts.put_back > 0, "{cuts:?}");
    }
}

/// One of the two files may not be written: neither is, and the words say what to do.
async fn refused(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), kind, 1).await;
    let server = &lab.description().servers[0];
    let etc = server.spool.join("etc");
    let safe = folder.path().join("safe");
    let direct = driver(server, server.port);
    // The journal comes before the first change, so look at both orders.
    for closed in FILES {
        let path = etc.join(closed);
        match kind {
            Kind::Hylafax => give("root", &path),
            Kind::Station => fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap(),
        }
        let old = texts(&etc);
        let error = direct.set(&changes(), &safe).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, SettingsError::Undone(_)), "{said}");
        assert!(said.contains(&format!("`chown uucp /etc/hylafax/{closed}`")), "{said}");
        assert_eq!(texts(&etc), old);
        assert!(!safe.join("settings.journal").exists());
        match kind {
            Kind::Hylafax => give("uucp", &path),
            Kind::Station => fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap(),
        }
    }
    let settings = direct.set(&changes(), &safe).await.unwrap();
    for Change { name, to, .. } in changes() {
        assert_eq!(settings.get(&name), to.as_ref(), "{name}");
    }
    lab.stop().await;
}

fn give(user: &str, path: &Path) {
    assert!(Command::new("chown").arg(user).arg(path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_written_is_named_and_nothing_changes_at_a_station() {
    refused(Kind::Station).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_be_written_is_named_and_nothing_changes_at_a_real_hylafax() {
    if runnable("refused files") {
        refused(Kind::Hylafax).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_wrote_after_a_break_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Kind::Station, 1).await;
    let server = &lab.description().servers[0];
    let (etc, safe) = (server.spool.join("etc"), folder.path().join("safe"));
    let old = texts(&etc);
    let proxy = Proxy::start(server.port, None).await;
    driver(server, proxy.port()).set(&changes(), &safe).await.unwrap();
    let total = proxy.passed();
    // Cut so that the journal stays, then an administrator writes one of the files.
    for n in (total / 3..total).step_by(16) {
        put(&etc, &old);
        let proxy = Proxy::start(server.port, Some(n)).await;
        drop(driver(server, proxy.port()).set(&changes(), &safe).await);
        drop(proxy);
        if safe.join("settings.journal").exists() {
            sleep(Duration::from_millis(200)).await;
            fs::write(etc.join("config"), "# by hand\nMaxDials: 3\n").unwrap();
            let read = driver(server, server.port).settings(&safe).await.unwrap();
            assert_eq!(read.get(&Name::of_server("max_dials")), Some(&Value::Number(3)));
            assert!(!safe.join("settings.journal").exists());
            lab.stop().await;
            return;
        }
    }
    panic!("no cut left a journal");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_no_server_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let lab = lab(folder.path(), Kind::Station, 1).await;
    let server = &lab.description().servers[0];
    let large = "# a comment\n".repeat(6000);
    fs::write(server.spool.join("etc/config.ttyFAX0"), large).unwrap();
    let safe = folder.path().join("safe");
    let driver = driver(server, server.port);
    for said in [driver.settings(&safe).await, driver.set(&changes(), &safe).await] {
        let Err(SettingsError::Undone(why)) = said else { panic!("{said:?}") };
        assert!(why.contains("/etc/config.ttyFAX0 has more than 65536 octets"), "{why}");
    }
    lab.stop().await;
}

#[tokio::test]
async fn without_an_administrators_password_nothing_can_be_set() {
    let login = Login::new("127.0.0.1", 1, "postfax", "letmein");
    let driver = Hylafax::new(login);
    assert!(driver.capabilities().schema.is_none());
    let folder = tempfile::tempdir().unwrap();
    let asked = timeout(Duration::from_secs(5), driver.settings(folder.path())).await.unwrap();
    assert!(matches!(asked, Err(SettingsError::Undone(_))), "{asked:?}");
}
