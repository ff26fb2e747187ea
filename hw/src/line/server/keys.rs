//! What can be set at a line server. Keys that other kinds of server have as well have
//! the same names and meanings here.

use postfax_domain::{
    route::Hours,
    settings::{Characters, Key, Kind, Level, Name, Schema, Value},
};

/// Most characters of what hours are written with.
const MAX_HOURS_CHARS: usize = 100;
/// Most characters of an init string: what modems take on one line.
const MAX_INIT_CHARS: usize = 80;
/// Most characters of a name in the header line.
const MAX_NAME_CHARS: usize = 40;

const FLAG: Kind = Kind::Flag;
/// T.30 5.3.6.2.4 to 5.3.6.2.6: twenty characters.
const STATION: Kind = Kind::Text { max_chars: 20, of: Characters::Station };
/// Most machines let letters through where T.30 has digits, and many senders rely on it.
const IDENTITY: Kind = Kind::Text { max_chars: 20, of: Characters::Ascii };
const SPEED: Kind = Kind::Choice(&["4800", "9600", "14400"]);
const DIRECTION: Kind = Kind::Choice(&["both", "send", "receive"]);
const VOLUME: Kind = Kind::Choice(&["off", "quiet", "low", "medium", "high"]);
const PLACE: Kind = Kind::Choice(&["above", "over"]);
const HOURS: Kind = Kind::Text { max_chars: MAX_HOURS_CHARS, of: Characters::Ascii };
const INIT: Kind = Kind::Text { max_chars: MAX_INIT_CHARS, of: Characters::Ascii };
const NAME: Kind = Kind::Text { max_chars: MAX_NAME_CHARS, of: Characters::Printable };

const fn number(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Number { min, max, unit }
}

/// One line for each key: level, name, kind; default; what it is for.
macro_rules! keys {
    ($($level:ident $name:literal $kind:expr; $default:literal; $about:literal;)*) => {
        const KEYS: &[Key] = &[$(Key {
            name: $name,
            level: Level::$level,
            kind: $kind,
            default: $default,
            about: $about,
        }),*];
    };
}

keys! {
    Server "max_batch_jobs" number(1, 64, "jobs"); "10";
        "The most jobs to one number that are sent in one call; 1 sends each in a call of its own.";
    Server "max_batch_pages" number(1, 1000, "pages"); "50";
        "The most pages of several jobs in one call.";
    Server "batch_wait_ms" number(0, 60_000, "ms"); "500";
        "How long a job is held back, so that others to its number can share its call.";
    Server "max_send_pages" number(1, 2000, "pages"); "2000";
        "A document with more pages is not sent.";
    Line "on" FLAG; "yes";
        "Whether the line is used; when it is switched off its calls come to their end first.";
    Line "direction" DIRECTION; "both";
        "Whether the line calls, answers, or does both.";
    Line "hours" HOURS; "always";
        "When the line may call: Mo-Fr 08:00-18:00, Sa 09:00-12:00; it answers at any time.";
    Line "modem_priority" number(0, 255, ""); "100";
        "Of the lines that are free the one with the least number calls.";
    Line "max_calls" number(1, 1000, "calls"); "all channels";
        "The most calls at the same time on a trunk.";
    Line "reserved_channels" number(0, 999, "calls"); "0";
        "Channels of a trunk that are kept free for calls that come in.";
    Line "station_identity" IDENTITY; "the fax number";
        "What the line calls itself towards other machines (TSI, CSI).";
    Line "fax_number" STATION; "none";
        "The telephone number of the line; it stands in the header line.";
    Line "use_job_tsi" FLAG; "yes";
        "Whether a job may choose the identity that it is sent with.";
    Line "rings_before_answer" number(0, 20, "rings"); "1";
        "How often it rings before the line answers; 0 means that it never does.";
    Line "ecm" FLAG; "yes";
        "Whether errors may be corrected (T.30 annex A).";
    Line "max_speed" SPEED; "14400";
        "The most bit/s at which pages are sent and received.";
    Line "header_line" FLAG; "yes";
        "Whether pages that are sent get a header line; from and to the USA they always do.";
    Line "header_line_place" PLACE; "above";
        "Whether the header line is put above the page, or over its first lines.";
    Line "header_name" NAME; "the sender of the job";
        "Who sends, as it stands in the header line.";
    Line "speaker_volume" VOLUME; "off";
        "How loud the modem is until a call is through.";
    Line "init_string" INIT; "none";
        "What a modem is sent after its reset.";
}

/// What can be set at a line server.
pub static SCHEMA: Schema = Schema { kind: "line", keys: KEYS };

/// Whether a value is one for this setting, beyond what the schema says of it.
pub(super) fn check(name: &Name, value: &Value) -> Result<(), String> {
    SCHEMA.check(name, value).map_err(|bad| bad.to_string())?;
    match (name.key.as_str(), value) {
        ("hours", Value::Text(text)) if !text.trim().is_empty() => {
            text.parse::<Hours>().map(drop).map_err(|bad| format!("{name}: {bad}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    #[test]
    fn every_key_is_there_once_and_says_what_it_is_for() {
        for key in KEYS {
            let same = |other: &&Key| other.name == key.name && other.level == key.level;
            assert_eq!(KEYS.iter().filter(same).count(), 1, "{}", key.name);
            assert!(key.about.ends_with('.') && !key.default.is_empty(), "{}", key.name);
        }
    }

    #[test]
    fn hours_are_understood_or_refused() {
        let name = Name::of_line("a", "hours");
        for (text, good) in
            [("", true), ("Mo-Fr 08:00-18:00", true), ("always", false), ("Mo 25:00-26:00", false)]
        {
            assert_eq!(check(&name, &Value::Text(text.into())).is_ok(), good, "{text}");
        }
    }
}
