//! What a modem is and can, or what is wrong with it, for someone who has just plugged one
//! in. Nothing is dialled, nothing stays changed.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    about::About,
    care::{self, Trouble},
    options::LOCKS,
    port::{Port, PortError},
    talk::{LONG, SHORT, Talk},
};

/// The speeds at which a modem is looked for, in bit/s; nearly all take the first.
const SPEEDS: [u32; 5] = [115_200, 57_600, 38_400, 19_200, 9_600];

/// A modem that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Where it is.
    pub device: PathBuf,
    /// The speed at which it answered, in bit/s.
    pub speed: u32,
    /// What it says of itself.
    #[serde(flatten)]
    pub about: About,
    /// What it is best driven with; `None`: it is no fax modem.
    pub best_class: Option<super::Class>,
}

/// Why nothing is known of a modem.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// In words for people.
    #[error("{0}")]
    Trouble(String),
    /// It answers at no speed.
    #[error(
        "{0} does not answer AT at any speed from 115200 to 9600 bit/s: is it a modem, and is it on?"
    )]
    Silent(PathBuf),
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "device:         {}", self.device.display())?;
        writeln!(f, "speed:          {} bit/s", self.speed)?;
        write!(f, "{}", self.about)
    }
}

/// Asks the modem at a device what it is. It must not be in use.
///
/// # Errors
/// [`ProbeError`]: no permission, in use by whom, no answer.
pub async fn probe(device: &Path) -> Result<Probe, ProbeError> {
    let device = device.to_owned();
    let asked = tokio::task::spawn_blocking(move || ask(&device, Path::new(LOCKS))).await;
    asked.unwrap_or_else(|panic| Err(ProbeError::Trouble(panic.to_string())))
}

pub(super) fn ask(device: &Path, locks: &Path) -> Result<Probe, ProbeError> {
    let port_error = |error: PortError| ProbeError::Trouble(error.to_string());
    let port = Port::open(device, SPEEDS[0], locks).map_err(port_error)?;
    let mut talk = Talk::new(port);
    for speed in SPEEDS {
        talk.port.set_speed(speed).map_err(port_error)?;
        match care::wake(&mut talk) {
            Ok(()) => {}
            Err(Trouble::Silent) => continue,
            Err(other) => return Err(ProbeError::Trouble(other.to_string())),
        }
        talk.ask("ATZ", LONG).map_err(port_error)?;
        talk.ask("ATE0V1Q0", SHORT).map_err(port_error)?;
        let about = About::ask(&mut talk).map_err(port_error)?;
        talk.ask("ATZ", LONG).map_err(port_error)?;
        let best_class = about.best();
        return Ok(Probe { device: device.to_owned(), speed, about, best_class });
    }
    Err(ProbeError::Silent(device.to_owned()))
}
