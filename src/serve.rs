//! `postfax serve` and what else needs the configuration from the command line.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};

use crate::{
    cli::{
        self, Exit, Failure,
        args::{self, Output, Passwd, Verify},
        begin_log,
    },
    config::{self, Config},
    control::Control,
    daemon::{Daemon, DaemonError},
    http, ldap, listen,
    requests::{self, Ask, Reply},
    store,
};

/// Longest string of a TXT record in octets; values here are ASCII.
const MAX_STRING_BYTES: usize = 255;
/// Where passwords are when the configuration does not say.
const PASSWORDS: &str = "/etc/postfax/passwords";
/// Where tokens are when the configuration does not say.
const TOKENS: &str = "/etc/postfax/tokens";

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// [`Failure`] when the configuration is bad or something cannot be opened.
pub(crate) fn run(file: &Path) -> Result<Exit, Failure> {
    config::mend(file).map_err(|failed| Failure::file(file.display(), &failed))?;
    let config = load(file)?;
    // What people fax is nobody else's business.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    begin_log(std::io::stderr, false);
    for warning in &config.warnings {
        warn!("{warning}");
    }
    let inherited = listen::inherit();
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|failed| Failure::new(Exit::Bug, format!("cannot start: {failed}")))?;
    let served = runtime.block_on(serve(config, file.to_owned(), inherited));
    runtime.shutdown_background();
    served.map_err(|failed| Failure::new(Exit::File, failed.to_string()))?;
    Ok(Exit::Ok)
}

async fn serve(
    config: Config,
    file: PathBuf,
    inherited: listen::Inherited,
) -> Result<(), DaemonError> {
    let socket = config.control_socket.clone();
    let mut daemon = Daemon::open(config.clone()).await?;
    let doors = listen::smtp(&mut daemon, &config, inherited).await?;
    let inquiries = doors.inquiries();
    let ldap = ldap::open(&mut daemon, &config, &doors).await?;
    let control = Control::new(daemon.context(), file, doors.clone()).with_ldap(ldap);
    let control = Arc::new(control);
    control.note_version().await;
    inquiries.ask_of(&control);
    http::open(&mut daemon, config.http.as_ref(), control.clone(), &doors).await?;
    let what = socket.display().to_string();
    let door =
        requests::socket::bind(&socket).map_err(|source| DaemonError::Listen { what, source })?;
    let asking = tokio::spawn(requests::socket::serve(door, control.clone()));
    let signals = tokio::spawn(heed_signals(control, daemon.stop.clone()));
    // As a task: whoever wakes it from another one wakes no thread for it.
    if let Err(bug) = tokio::spawn(daemon.run()).await {
        std::panic::resume_unwind(bug.into_panic());
    }
    asking.abort();
    signals.abort();
    let _ = std::fs::remove_file(&socket);
    Ok(())
}

/// SIGTERM and SIGINT stop, SIGHUP reads the configuration again.
async fn heed_signals(control: Arc<Control>, stop: tokio::sync::watch::Sender<bool>) {
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let [Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)] = signals.map(signal) else {
        error!("signals cannot be heard");
        return;
    };
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match requests::answer(&*control, &signalled(), Ask::Reload).await {
                Reply::Reloaded(said) => info!("{said}"),
                Reply::Problem(why) => error!("the old configuration stays in force:\n{why}"),
                other => error!(?other, "a reload was answered strangely"),
            },
        }
    }
    stop.send_replace(true);
}

/// Whoever may send a signal to this process administers it.
fn signalled() -> Asker {
    Asker { who: Who::Administrator, door: Door::Supervisor, from: "SIGHUP".into() }
}

/// `postfax check`: everything that is wrong with a configuration, and its warnings.
///
/// # Errors
/// Never; what is wrong is printed.
pub(crate) fn check(file: &Path, output: Output) -> Result<Exit, Failure> {
    match config::load(file) {
        Ok(config) => {
            if output.json {
                print!("{}", config::report(&config.warnings, true));
            } else {
                print!("{}", config::report(&config.warnings, false));
                let setup = &config.setup;
                println!(
                    "{} is good: {} files, {} clients, {} servers, {} groups, {} dial rules, {} routes",
                    file.display(),
                    config.files.len(),
                    setup.clients.len(),
                    setup.servers.len(),
                    setup.groups.len(),
                    setup.dial.len(),
                    setup.routes.len()
                );
            }
            Ok(Exit::Ok)
        }
        Err(problems) => {
            print!("{}", config::report(&problems, output.json));
            Ok(Exit::BadConfiguration)
        }
    }
}

/// `postfax audit verify` where no Postfax runs, or of another database. Only reads.
///
/// # Errors
/// [`Failure`] when the database cannot be found or read.
pub(crate) fn verify_audit(config: &Path, verify: &Verify) -> Result<Exit, Failure> {
    let file = match &verify.file {
        Some(file) => file.clone(),
        None => load(config)?.state.join(store::DATABASE),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|failed| Failure::new(Exit::Bug, format!("cannot start: {failed}")))?;
    let chain = runtime.block_on(store::verify_file(&file, verify.head.as_ref()));
    let chain = chain.map_err(|failed| Failure::new(Exit::File, failed.to_string()))?;
    cli::show(&Reply::Chain(chain), verify.output.json)
}

/// `postfax dkim`: what must be in the DNS for the signatures of our mails to hold.
///
/// # Errors
/// [`Failure`] when the configuration is bad.
pub(crate) fn dkim(file: &Path, output: Output) -> Result<Exit, Failure> {
    let config = load(file)?;
    let published = config.delivery.signer.published();
    if output.json {
        let records = published
            .map(|key| serde_json::json!({ "name": key.name, "type": "TXT", "value": key.value }));
        println!("{}", serde_json::Value::Array(records.collect()));
    } else {
        for key in published {
            println!("{}. IN TXT ( {} )", key.name, strings(&key.value));
        }
    }
    Ok(Exit::Ok)
}

/// A value in quoted strings, of which each holds 255 octets at most (RFC 1035 3.3.14).
fn strings(value: &str) -> String {
    let (mut parts, mut rest) = (Vec::new(), value);
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.len().min(MAX_STRING_BYTES));
        parts.push(format!("\"{part}\""));
        rest = after;
    }
    parts.join(" ")
}

fn load(file: &Path) -> Result<Config, Failure> {
    config::load(file).map_err(|problems| {
        eprint!("{}", config::report(&problems, false));
        Failure::new(Exit::BadConfiguration, format!("{} cannot be used", file.display()))
    })
}

/// The socket that a configuration names, where it can be read and is good.
pub(crate) fn control_socket(file: &Path) -> Option<PathBuf> {
    Some(config::load(file).ok()?.control_socket)
}

/// The file of passwords: as asked for, else the one that the configuration names, else
/// one beside it.
///
/// # Errors
/// [`Failure`] when the configuration has no such client. A password can be taken from
/// anybody, and a file that was asked for may be of another configuration.
pub(crate) fn passwords(config: &Path, who: &Passwd) -> Result<PathBuf, Failure> {
    if let Some(file) = &who.file {
        return Ok(file.clone());
    }
    let declared = config::declared(config);
    if let (Some(declared), Some(client), false) = (&declared, &who.client, who.remove)
        && let Some(help) = declared.instead_of(client.as_str())
    {
        let words = format!("there is no client \"{client}\" in {}", config.display());
        return Err(Failure::new(Exit::Usage, words).advise(help));
    }
    let beside = || config.parent().map_or_else(|| PASSWORDS.into(), |home| home.join("passwords"));
    Ok(declared.and_then(|declared| declared.passwords).unwrap_or_else(beside))
}

/// The file of tokens: as asked for, else the one that the configuration names, else one
/// beside it.
///
/// # Errors
/// [`Failure`] when a token is made for a client that the configuration does not have.
pub(crate) fn tokens(config: &Path, asked: &args::Token) -> Result<PathBuf, Failure> {
    if let Some(file) = &asked.file {
        return Ok(file.clone());
    }
    let declared = config::declared(config);
    if let (Some(declared), args::TokenDeed::Create { client, .. }) = (&declared, &asked.what)
        && let Some(help) = declared.instead_of(client.as_str())
    {
        let words = format!("there is no client \"{client}\" in {}", config.display());
        return Err(Failure::new(Exit::Usage, words).advise(help));
    }
    let beside = || config.parent().map_or_else(|| TOKENS.into(), |home| home.join("tokens"));
    Ok(declared.and_then(|declared| declared.tokens).unwrap_or_else(beside))
}

/// The confined child that draws documents.
pub(crate) fn render_child() -> Exit {
    match postfax_hw::render::child_main() {
        code if code == std::process::ExitCode::SUCCESS => Exit::Ok,
        _ => Exit::Bug,
    }
}
