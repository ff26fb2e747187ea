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
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::{number::Country, settings::Settings};
use postfax_hw::line::wire::Fingerprint;

use super::{
    credentials,
    check::Check,
    findings::Findings,
    problem::Problem,
    raw::Raw as Supervisors,
    read::Reader,
    secret::Secret,
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
pub(crate) struct LineSetup {
    /// What it is called.
    pub(crate) name: String,
    /// How numbers are dialled on it.
    pub(crate) dial: Dial,
    /// What it is.
    pub(crate) way: Way,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A modem on a serial port.
    Modem(Modem),
    /// A SIP trunk.
    Sip(Box<Sip>),
}

/// How E.164 numbers are dialled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dial {
    /// What stands for the `+`.
    pub(crate) international_prefix: Option<String>,
    /// The digits of our own country code: numbers with it are dialled nationally.
    pub(crate) country_code: Option<String>,
    /// What stands before a national number.
    pub(crate) national_prefix: String,
    /// What comes before everything, to get an outside line.
    pub(crate) outside_prefix: String,
}

/// A modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modem {
    /// Its device; absolute.
    pub(crate) device: PathBuf,
    /// How it is spoken to.
    pub(crate) class: Class,
    /// The speed of the serial port in bit/s; `None` leaves the choice to the program.
    pub(crate) speed_bps: Option<u32>,
}

/// The command set of a fax modem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The best that it has.
    Auto,
    /// EIA/TIA-578.
    One,
    /// ITU-T T.31.
    OneZero,
    /// The draft that many modems have.
    Two,
    /// EIA/TIA-592.
    TwoZero,
    /// ITU-T T.32.
    TwoOne,
}

/// A SIP trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sip {
    /// `HOST` or `HOST:PORT`.
    pub(crate) server: String,
    /// Our domain, where it is not the host of the trunk.
    pub(crate) domain: Option<String>,
    /// Where we listen.
    pub(crate) listen: SocketAddr,
    /// How messages are carried.
    pub(crate) transport: Transport,
    /// Who must have signed the trunk's certificate; absolute.
    pub(crate) ca_file: Option<PathBuf>,
    /// With whom we register; none for a trunk that knows us by our address.
    pub(crate) login: Option<SipLogin>,
    /// Our numbers, as the trunk writes them.
    pub(crate) numbers: Vec<String>,
    /// Who else may call us.
    pub(crate) peers: Vec<String>,
    /// Our address as the trunk sees it.
    pub(crate) external_address: Option<IpAddr>,
    /// First and last UDP port of media.
    pub(crate) media_ports: (u16, u16),
    /// Most calls at one time.
    pub(crate) channels: usize,
    /// The number that those see whom we call.
    pub(crate) caller: Option<String>,
    /// The name that goes with it.
    pub(crate) caller_name: Option<String>,
    /// The coding of audio that is preferred.
    pub(crate) law: Law,
    /// What is done about T.38.
    pub(crate) t38: T38,
    /// Where the messages of calls are written down; absolute.
    pub(crate) trace_folder: Option<PathBuf>,
}

/// Who registers with a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SipLogin {
    /// The user part of our address.
    pub(crate) user: String,
    /// The name that the password belongs to, where it is another.
    pub(crate) auth_user: Option<String>,
    /// The password.
    pub(crate) password: Secret,
}

/// How SIP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Datagrams.
    Udp,
    /// TCP.
    Tcp,
    /// TLS.
    Tls,
}

/// The two codings of telephone audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// A-law.
    Pcma,
    /// µ-law.
    Pcmu,
}

/// What is done about T.38.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum T38 {
    /// Calls stay audio.
    Never,
    /// It is taken when it is offered.
    Take,
    /// It is offered as well.
    Offer,
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
