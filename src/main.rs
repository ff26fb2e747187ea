//! Postfax.

use std::{path::Path, process::ExitCode};

#[expect(dead_code, reason = "the daemon that uses it is not there yet")]
mod config;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().position(|a| a == "--json").map(|at| arguments.remove(at));
    let [command, file] = arguments.as_slice() else { return ExitCode::from(64) };
    if command != "check" {
        return ExitCode::from(64);
    }
    let (problems, code) = match config::load(Path::new(file)) {
        Ok(config) => (config.warnings, ExitCode::SUCCESS),
        Err(problems) => (problems, ExitCode::from(78)),
    };
    print!("{}", config::report(&problems, json.is_some()));
    code
}
