//! `postfax lab`: fax servers on a telephone exchange in software, for tests and for
//! everyone who has no line. It stays until it is told to stop, and takes orders
//! meanwhile: on its input `stop SERVER` cuts the power of a server, and `start SERVER`
//! gives it back. Each order is answered by a line.

use postfax_hw::lab::{self, Description, Kind};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
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
        let mut lab = lab::Lab::start(options)
            .await
            .map_err(|failed| Failure::new(Exit::Bug, failed.to_string()))?;
        say(lab.description(), wanted.output.json);
        serve(&mut lab, wanted.until_eof).await;
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
    println!("SIP: every number can be invited at {} (UDP), over G.711 and T.38.", about.sip);
    println!("Stop with Ctrl-C.");
}

/// Takes orders until it is to end.
async fn serve(lab: &mut lab::Lab, until_eof: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    loop {
        // Whoever has it in the background of a terminal gets no word out of that.
        let order = async {
            if until_eof { orders.next_line().await } else { std::future::pending().await }
        };
        let order = tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            order = order => order,
        };
        let Ok(Some(order)) = order else { return };
        println!("{}", obey(lab, &order).await);
    }
}

async fn obey(lab: &mut lab::Lab, order: &str) -> String {
    let done = match order.split_once(' ') {
        Some(("stop", name)) => lab.stop_server(name).await.map(|()| format!("{name} is stopped")),
        Some(("start", name)) => lab.start_server(name).await.map(|()| format!("{name} runs")),
        _ => Ok("write stop SERVER or start SERVER".to_owned()),
    };
    done.unwrap_or_else(|failed| failed.to_string())
}
