//! `postfax lab`: fax servers on a telephone exchange in software, for tests and for
//! everyone who has no line. It stays until it is told to stop.

use postfax_hw::lab::{self, Description, Kind};
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

use crate::cli::{
    Exit, Failure,
    args::{Lab, LabKind},
};

/// Runs a laboratory.
///
/// # Errors
/// [`Failure`] when it cannot be set up.
pub(crate) fn run(wanted: Lab) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|failed| Failure::new(Exit::Bug, format!("cannot start: {failed}")))?;
    let temporary = tempfile::tempdir().map_err(|failed| Failure::file("a folder", &failed))?;
    let kind = match wanted.kind {
        LabKind::Real => Kind::Hylafax,
        LabKind::Station => Kind::Station,
    };
    let dir = wanted.dir.unwrap_or_else(|| temporary.path().to_owned());
    let options = lab::Options {
        servers: wanted.servers,
        lines: wanted.lines,
        answering: wanted.answering,
        speed: wanted.speed,
        ..lab::Options::new(dir, kind)
    };
    runtime.block_on(async {
        let lab = lab::Lab::start(options)
            .await
            .map_err(|failed| Failure::new(Exit::Bug, failed.to_string()))?;
        say(lab.description(), wanted.output.json);
        wait(wanted.until_eof).await;
        lab.stop().await;
        Ok::<(), Failure>(())
    })?;
    runtime.shutdown_background();
    Ok(Exit::Ok)
}

fn say(about: &Description, json: bool) {
    if json {
        println!("{}", serde_json::to_string(about).expect("a description is JSON"));
        return;
    }
    println!("Fax servers (HylaFAX's client protocol):");
    for server in &about.servers {
        println!(
            "  {:<10} {}:{}  user {}, password {}, admin password {}, numbers {}",
            server.name,
            server.host,
            server.port,
            server.user,
            server.password,
            server.admin_password,
            server.numbers.join(" ")
        );
    }
    println!("Numbers:");
    for number in &about.numbers {
        println!("  {:<14} {}", number.number, number.sentence);
    }
    println!("Stop with Ctrl-C.");
}

async fn wait(until_eof: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let closed = async {
        if !until_eof {
            return std::future::pending().await;
        }
        let mut byte = [0];
        let mut stdin = tokio::io::stdin();
        while matches!(stdin.read(&mut byte).await, Ok(1)) {}
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = closed => {}
    }
}
