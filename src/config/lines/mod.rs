//! The file of a line server, `/etc/postfax/lines.toml`: read and checked as the
//! configuration of the supervisor is, with the same messages. What can also be set from
//! the supervisor has the same name and meaning here as there, and is what holds as long as
//! nothing else was set.

mod check;
mod line;
mod raw;
#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{number::Country, settings::Settings};
use postfax_hw::line::{modem::ModemOptions, sip::TrunkOptions, wire::Fingerprint};

use super::{
    check::Check, credentials, findings::Findings, problem::Problem, raw::Raw as Supervisors,
    read::Reader,
};
use check::LinesCheck;
pub(super) use check::{fingerprint, listen_address};
use raw::Raw;

/// Largest file in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A line server as it is configured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LineHost {
    /// What it calls itself to the supervisor.
    pub(crate) name: String,
    /// The folder of its key and its spool; absolute.
    pub(crate) state: PathBuf,
    /// Where it stands, and how national numbers are read.
    pub(crate) country: Country,
    /// The time zone of its hours and header lines.
    pub(crate) timezone: jiff::tz::TimeZone,
    /// How it and the supervisor meet.
    pub(crate) meeting: Meeting,
    /// The key of the supervisor.
    pub(crate) supervisor: Fingerprint,
    /// How long calls may go on when it is told to stop.
    pub(crate) stop_after: Duration,
    /// Its lines, in order.
    pub(crate) lines: Vec<LineSetup>,
    /// What is set of the server and its lines as long as the supervisor sets nothing else.
    pub(crate) settings: Settings,
}

/// Who dials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Meeting {
    /// The supervisor does.
    Listen(SocketAddr),
    /// The line server does: this host and port.
    Connect(String, u16),
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineSetup {
    /// A modem on a serial port.
    Modem(Box<ModemOptions>),
    /// A SIP trunk.
    Sip(Box<TrunkOptions>),
}

/// Reads and checks the file.
///
/// # Errors
/// Everything that is wrong with it, and the warnings as well.
pub(crate) fn load(path: &Path) -> Result<(LineHost, Vec<Problem>), Vec<Problem>> {
    let mut findings = Findings::default();
    let text = match read(path) {
        Ok(text) => text,
        Err(why) => {
            findings.unreadable(path, &why, "name a file that can be read");
            return Err(findings.finish());
        }
    };
    let mut raw = Raw::default();
    let number = findings.text(path, text.clone());
    if !Reader::read(&mut findings, number, &text, &mut raw) {
        return Err(findings.finish());
    }
    let home = path.parent().unwrap_or(Path::new(""));
    let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
    let check = Check::new(&mut findings, home, credentials(), &Supervisors::default());
    match LinesCheck::new(check).host(&raw) {
        Some(host) if !findings.failed() => Ok((host, findings.finish())),
        _ => Err(findings.finish()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let size = std::fs::metadata(path).map_err(|bad| bad.to_string())?.len();
    if size > MAX_FILE_BYTES {
        return Err(format!("it has more than {MAX_FILE_BYTES} bytes"));
    }
    std::fs::read_to_string(path).map_err(|bad| bad.to_string())
}
