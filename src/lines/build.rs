//! Makes of what is configured what is used: lines, and the server that has them. The only
//! place that knows which kinds of line there are.

use std::{path::Path, sync::Arc};

use postfax_hw::line::{
    Line,
    modem::{self, ModemLine},
    server::{LineServer, Options},
    sip::{Trunk, TrunkOptions},
};

use crate::{
    cli::{Exit, Failure, args::Output},
    config::lines::{LineHost, LineSetup},
};

/// The spool in the state folder.
const SPOOL: &str = "spool";
/// What trunks remember, likewise.
const SIP: &str = "sip";

/// The server with all its lines.
///
/// # Errors
/// [`Failure`] says what cannot be opened or set.
pub(super) fn server(host: &LineHost) -> Result<Arc<LineServer>, Failure> {
    let options = Options {
        name: host.name.clone(),
        timezone: host.timezone.clone(),
        country: Some(host.country),
        configured: host.settings.clone(),
        ..Options::new(&host.state.join(SPOOL))
    };
    let lines = host.lines.iter().map(|setup| line(host, setup)).collect::<Result<_, _>>()?;
    LineServer::new(options, lines).map_err(|bad| Failure::new(Exit::File, bad.to_string()))
}

fn line(host: &LineHost, setup: &LineSetup) -> Result<Arc<dyn Line>, Failure> {
    match setup {
        LineSetup::Modem(options) => Ok(ModemLine::new((**options).clone())),
        LineSetup::Sip(options) => {
            let state_folder = Some(host.state.join(SIP).join(&options.name));
            let trunk = Trunk::new(TrunkOptions { state_folder, ..(**options).clone() });
            let bad =
                |bad| Failure::new(Exit::BadConfiguration, format!("{}: {bad}", options.name));
            Ok(Arc::new(trunk.map_err(bad)?))
        }
    }
}

/// Asks a modem what it is, and tells.
///
/// # Errors
/// [`Failure`] when it cannot be asked or does not answer.
pub(super) fn probe(device: &Path, output: Output) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Bug, error.to_string()))?;
    let found = runtime.block_on(modem::probe(device));
    let probe = found.map_err(|bad| Failure::new(Exit::No, bad.to_string()))?;
    if output.json {
        println!("{}", serde_json::to_string(&probe).expect("texts and numbers are JSON"));
    } else {
        print!("{probe}");
    }
    Ok(Exit::Ok)
}
