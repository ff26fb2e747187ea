//! `postfax lines`: the line server as a process of its own, which the supervisor uses like
//! any fax server. It shares nothing with the supervisor's daemon but the program: neither
//! its database nor its configuration.

mod build;
mod life;
mod notify;
mod service;

use std::{fs, io, os::unix::fs::DirBuilderExt as _, path::Path};

use postfax_hw::line::wire::{Fingerprint, Identity};

use crate::{
    cli::{
        Exit, Failure,
        args::{Lines, LinesDeed, Output},
    },
    config::{self, lines::LineHost},
};

/// Does what was asked. `supervisor` is the configuration of the supervisor of this host.
///
/// # Errors
/// [`Failure`] says what is wrong with the file, or with what it names.
pub(crate) fn run(supervisor: &Path, asked: Lines) -> Result<Exit, Failure> {
    let Lines { file, what } = asked;
    match what.unwrap_or(LinesDeed::Run) {
        LinesDeed::Run => service::run(&file),
        LinesDeed::Check { path, output } => check(path.as_deref().unwrap_or(&file), output),
        LinesDeed::Key { supervisor: false, output } => key(&load(&file)?.state, output),
        LinesDeed::Key { supervisor: true, output } => {
            let config = config::load(supervisor).map_err(|problems| bad(supervisor, &problems))?;
            key(&config.state, output)
        }
        LinesDeed::Probe { device, output } => build::probe(&device, output),
    }
}

fn load(file: &Path) -> Result<LineHost, Failure> {
    config::lines::load(file).map(|(host, _)| host).map_err(|problems| bad(file, &problems))
}

fn bad(file: &Path, problems: &[config::Problem]) -> Failure {
    eprint!("{}", config::report(problems, false));
    Failure::new(Exit::BadConfiguration, format!("{} cannot be used", file.display()))
}

fn check(file: &Path, output: Output) -> Result<Exit, Failure> {
    match config::lines::load(file) {
        Ok((host, warnings)) => {
            print!("{}", config::report(&warnings, output.json));
            if !output.json {
                println!("{} is good: {} lines", file.display(), host.lines.len());
            }
            Ok(Exit::Ok)
        }
        Err(problems) => {
            print!("{}", config::report(&problems, output.json));
            Ok(Exit::BadConfiguration)
        }
    }
}

/// Prints the fingerprint of the key in a state folder.
fn key(state: &Path, output: Output) -> Result<Exit, Failure> {
    let fingerprint = identity(state)?.fingerprint();
    if output.json {
        println!("{}", serde_json::json!({ "key": fingerprint.to_string() }));
    } else {
        println!("{fingerprint}");
    }
    Ok(Exit::Ok)
}

/// The key in a state folder that is there. The folder is not made here: it must be that of
/// the user whom the service runs as.
fn identity(state: &Path) -> Result<Identity, Failure> {
    Identity::open(state).map_err(|error| {
        let failure = Failure::file(state.display(), &error);
        match error.kind() {
            io::ErrorKind::NotFound => failure.advise(format!(
                "start the service once, which makes the folder, or make it yourself for the \
                 user that the service runs as: install -d -m 700 -o postfax {}",
                state.display()
            )),
            _ => failure,
        }
    })
}

/// Our key, with the folder made for ourselves where it is missing.
fn own_identity(state: &Path) -> Result<(Identity, Fingerprint), Failure> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    made.map_err(|error| Failure::file(state.display(), &error))?;
    let identity = identity(state)?;
    let fingerprint = identity.fingerprint();
    Ok((identity, fingerprint))
}
