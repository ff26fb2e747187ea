//! A modem is brought to where a call can begin, and back from where it hangs: in steps,
//! the gentle ones first.

use std::{thread, time::Duration};

use super::{
    about::About,
    options::{Class, ModemOptions},
    port::PortError,
    talk::{LONG, SHORT, Talk},
};
use crate::line::call::{LineSettings, Speaker};

/// Silence before and after `+++` (V.250 leaves it to `S12`, of which 1 s is usual).
const GUARD: Duration = Duration::from_millis(1200);
/// How long a modem that lives takes to answer `AT`.
const ALIVE: Duration = Duration::from_millis(700);

/// What is wrong with a modem.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("the modem does not answer AT, not after a reset either: switch it off and on")]
    Silent,
    #[error("the modem refuses {0}")]
    Refuses(String),
    #[error("this is no fax modem: it has no class 1, 1.0, 2, 2.0 or 2.1")]
    NoFax,
    #[error("the modem has no class {0}")]
    NoSuchClass(Class),
}

/// Brings a modem to answer, whatever it does now.
pub(super) fn wake(talk: &mut Talk) -> Result<(), Trouble> {
    // It may have to find our speed first (V.250 4.3).
    for _ in 0..2 {
        if talk.ask("AT", ALIVE)?.is_ok() {
            return Ok(());
        }
    }
    talk.port.drop_dtr()?;
    talk.ask("AT", ALIVE)?;
    if talk.ask("ATZ", LONG)?.is_ok() {
        return Ok(());
    }
    // In the middle of data: of a fax, which these bytes end, or of a data call.
    talk.port.write(b"\x18\x10\x03")?;
    thread::sleep(GUARD);
    talk.port.write(b"+++")?;
    thread::sleep(GUARD);
    talk.port.discard();
    talk.ask("ATH0", SHORT)?;
    talk.port.drop_dtr()?;
    for _ in 0..2 {
        if talk.ask("AT", ALIVE)?.is_ok() {
            return Ok(());
        }
    }
    Err(Trouble::Silent)
}

/// Sets a modem up that answers, and asks what it is unless that is known.
pub(super) fn set_up(
    talk: &mut Talk,
    options: &ModemOptions,
    settings: &LineSettings,
    known: Option<&About>,
) -> Result<(About, Class), Trouble> {
    must(talk, "ATZ", LONG)?;
    must(talk, "ATE0V1Q0", SHORT)?;
    let about = match known {
        Some(about) => about.clone(),
        None => About::ask(talk)?,
    };
    let class = match options.class {
        Some(class) if about.classes.contains(&class) => class,
        Some(class) => return Err(Trouble::NoSuchClass(class)),
        None => about.best().ok_or(Trouble::NoFax)?,
    };
    // All results of calls; DCD and DTR as they are meant; flow control by wires.
    let mut commands: Vec<String> =
        ["ATX4", "AT&C1", "AT&D2", "AT+IFC=2,2", "ATS0=0"].map(str::to_owned).to_vec();
    commands.push(format!("ATS7={}", options.answer_limit.as_secs().clamp(1, 255)));
    commands.push(speaker(settings.speaker).to_owned());
    commands.extend(about.caller_id.clone());
    for command in &commands {
        wish(talk, command)?;
    }
    let own = settings.init.split(['\n', ';']).map(str::trim).filter(|init| !init.is_empty());
    for command in own.chain(options.init.iter().map(String::as_str)) {
        if !wish(talk, command)? {
            tracing::warn!(
                line = options.name,
                command,
                "the modem refuses a command of its settings"
            );
        }
    }
    into_class(talk, class, options.adaptive)?;
    Ok((about, class))
}

/// Puts it into its class, in which it also answers.
fn into_class(talk: &mut Talk, class: Class, adaptive: bool) -> Result<(), Trouble> {
    must(talk, &format!("AT+FCLASS={class}"), SHORT)?;
    if matches!(class, Class::One | Class::OneZero) {
        wish(talk, "AT+FAR=1")?;
    }
    if adaptive {
        wish(talk, "AT+FAE=1")?;
    }
    Ok(())
}

/// After a call: hangs up, and sees to it that the next one can begin.
pub(super) fn hang_up(
    talk: &mut Talk,
    options: &ModemOptions,
    class: Class,
) -> Result<(), Trouble> {
    if !talk.ask("ATH0", SHORT)?.is_ok() {
        talk.port.write(b"\x18\x10\x03")?;
        talk.port.drop_dtr()?;
        wake(talk)?;
        talk.ask("ATH0", SHORT)?;
        must(talk, "ATE0V1Q0", SHORT)?;
    }
    into_class(talk, class, options.adaptive)
}

fn must(talk: &mut Talk, command: &str, limit: Duration) -> Result<(), Trouble> {
    // Once more: the first one may have met something late.
    if talk.ask(command, limit)?.is_ok() || talk.ask(command, limit)?.is_ok() {
        return Ok(());
    }
    Err(Trouble::Refuses(command.to_owned()))
}

/// Not every modem has every command.
fn wish(talk: &mut Talk, command: &str) -> Result<bool, Trouble> {
    Ok(talk.ask(command, SHORT)?.is_ok())
}

fn speaker(speaker: Speaker) -> &'static str {
    match speaker {
        Speaker::Off => "ATM0",
        Speaker::Quiet => "ATM1L0",
        Speaker::Low => "ATM1L1",
        Speaker::Medium => "ATM1L2",
        Speaker::High => "ATM1L3",
    }
}
