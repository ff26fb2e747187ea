//! What can be set at a HylaFAX server, and what HylaFAX itself calls it
//! (hylafax-config(5), and what the programs of 6.0.7 really read).
//!
//! Programs, scripts and files cannot be set from here, whoever asks: a key that
//! HylaFAX runs or opens is not in the list, and what is not in the list does not exist.
//!
//! No text may have a `'` either: `faxaddmodem` and `faxsetup`, which root runs, hand each
//! line of these files to the shell between two of them, and what stands behind a third
//! would be run.
//!
//! Why the delays after a failed call belong to the lines: faxsend reads them from the
//! file of the modem; faxq reads none of them but `JobReqOther`.

use postfax_domain::settings::{Characters, Key, Kind, Level, Schema, Value};

/// Most characters of a telephone prefix or code.
const MAX_PREFIX_CHARS: usize = 8;
/// Most characters of a header line's format: HylaFAX reads lines of 1022 octets.
const MAX_FORMAT_CHARS: usize = 200;
/// Most characters of a restriction in time.
const MAX_TIMES_CHARS: usize = 100;
/// A day, the longest delay before a job is tried again, in seconds.
const DAY_S: i64 = 86_400;

const FLAG: Kind = Kind::Flag;
const PREFIX: Kind = Kind::Text { max_chars: MAX_PREFIX_CHARS, of: Characters::Station };
/// T.30 5.3.6.2.4 to 5.3.6.2.6: twenty characters.
const STATION: Kind = Kind::Text { max_chars: 20, of: Characters::Station };
/// HylaFAX lets letters through where T.30 has digits, and many senders rely on it.
const IDENTITY: Kind = Kind::Text { max_chars: 20, of: Characters::Unquoted };
const FORMAT: Kind = Kind::Text { max_chars: MAX_FORMAT_CHARS, of: Characters::Unquoted };
const TIMES: Kind = Kind::Text { max_chars: MAX_TIMES_CHARS, of: Characters::Unquoted };
const VOLUME: Kind = Kind::Choice(&["off", "quiet", "low", "medium", "high"]);
const SPEED: Kind = Kind::Choice(&["2400", "4800", "7200", "9600", "12000", "14400"]);
const CODING: Kind = Kind::Choice(&["adaptive", "1-D MH", "2-D MR", "2-D MMR"]);
const AFTER_RTN: Kind = Kind::Choice(&["Retransmit", "Giveup", "Ignore", "Retransmit-Ignore"]);
const DELAY: Kind = Kind::Number { min: 1, max: DAY_S, unit: "s" };

const fn number(min: i64, max: i64, unit: &'static str) -> Kind {
    Kind::Number { min, max, unit }
}

/// One line for each key: level, name, HylaFAX's name, kind; default; what it is for.
macro_rules! keys {
    ($($level:ident $name:literal $tag:literal $kind:expr; $default:literal; $about:literal;)*) => {
        const KEYS: &[Key] = &[$(Key {
            name: $name,
            level: Level::$level,
            kind: $kind,
            default: $default,
            about: $about,
        }),*];
        const TAGS: &[(&str, &str)] = &[$(($name, $tag)),*];
    };
}

keys! {
    Server "max_dials" "MaxDials" number(1, 999, "calls"); "12";
        "The most calls for one job; a job that asks for more gets no more than these.";
    Server "max_tries" "MaxTries" number(1, 999, "calls"); "3";
        "The most calls for one job that reach a fax machine.";
    Server "max_concurrent_calls" "MaxConcurrentCalls" number(1, 100, "calls"); "1";
        "The most calls to one number at the same time.";
    Server "max_batch_jobs" "MaxBatchJobs" number(1, 64, "jobs"); "64";
        "The most jobs to one number that are sent in one call.";
    Server "max_send_pages" "MaxSendPages" number(1, 65_535, "pages"); "4096";
        "A document with more pages is not sent.";
    Server "time_of_day" "TimeOfDay" TIMES; "Any";
        "When calls may be placed, as UUCP writes it: Any, or Wk0800-1800,SaSu.";
    Server "delay_other_s" "JobReqOther" DELAY; "300";
        "How long the scheduler waits before it tries again after other troubles.";
    Server "area_code" "AreaCode" PREFIX; "none";
        "The area code where the server stands, for its dialling rules.";
    Server "country_code" "CountryCode" PREFIX; "none";
        "The country code where the server stands, for its dialling rules.";
    Server "long_distance_prefix" "LongDistancePrefix" PREFIX; "none";
        "What is dialled before a number outside the area.";
    Server "international_prefix" "InternationalPrefix" PREFIX; "none";
        "What is dialled before a number outside the country.";
    Line "station_identity" "LocalIdentifier" IDENTITY; "the fax number";
        "What the line calls itself towards other machines (TSI, CSI).";
    Line "fax_number" "FAXNumber" STATION; "none";
        "The telephone number of the line.";
    Line "rings_before_answer" "RingsBeforeAnswer" number(0, 20, "rings"); "0";
        "How often it rings before the line answers; 0 means that it never does.";
    Line "ecm" "Class1ECMSupport" FLAG; "yes";
        "Whether errors may be corrected (T.30 annex A); for modems of class 1 and 1.0.";
    Line "ecm_frame_octets" "Class1ECMFrameSize" Kind::Choice(&["64", "256"]); "256";
        "The size of a frame with error correction; for modems of class 1 and 1.0.";
    Line "min_speed" "ModemMinSpeed" SPEED; "2400";
        "A call that comes to agree on less bit/s than this is given up.";
    Line "speaker_volume" "SpeakerVolume" VOLUME; "quiet";
        "How loud the modem is until a call is through.";
    Line "modem_priority" "ModemPriority" number(0, 255, ""); "255";
        "Of the lines that are free the one with the least number calls.";
    Line "max_recv_pages" "MaxRecvPages" number(1, 65_535, "pages"); "no limit";
        "A fax that has more pages is cut off.";
    Line "use_job_tsi" "UseJobTSI" FLAG; "no";
        "Whether a job may choose the identity that it is sent with.";
    Line "header_line_format" "TagLineFormat" FORMAT; "From %%n|%c|Page %%P of %%T";
        "What stands at the top of each page that is sent; fields are parted by |.";
    Line "use_job_header_line" "UseJobTagLine" FLAG; "yes";
        "Whether a job may bring a header line of its own.";
    Line "recv_data_format" "RecvDataFormat" CODING; "adaptive";
        "How pages are coded that are received without error correction.";
    Line "percent_good_lines" "PercentGoodLines" number(0, 100, "%"); "95";
        "A page with a smaller part of good rows is refused; 0 checks nothing.";
    Line "max_consecutive_bad_lines" "MaxConsecutiveBadLines" number(0, 1000, "rows"); "5";
        "A page with more bad rows one after another is refused; 0 checks nothing.";
    Line "save_unconfirmed_pages" "SaveUnconfirmedPages" FLAG; "yes";
        "Whether a page is kept that came in without its sender knowing.";
    Line "after_rtn" "RTNHandlingMethod" AFTER_RTN; "Retransmit-Ignore";
        "What is done when the other machine says that a page was bad (RTN).";
    Line "delay_busy_s" "JobReqBusy" DELAY; "180";
        "How long a job waits for its next call when the number was busy.";
    Line "delay_no_answer_s" "JobReqNoAnswer" DELAY; "300";
        "How long a job waits for its next call when nobody answered.";
    Line "delay_no_carrier_s" "JobReqNoCarrier" DELAY; "300";
        "How long a job waits for its next call when no machine was heard.";
    Line "delay_no_handshake_s" "JobReqNoFCon" DELAY; "300";
        "How long a job waits for its next call when the machines did not understand each other.";
    Line "delay_data_s" "JobReqDataConn" DELAY; "300";
        "How long a job waits for its next call when a data modem answered.";
    Line "delay_error_s" "JobReqError" DELAY; "300";
        "How long a job waits for its next call when the modem reported an error.";
    Line "delay_protocol_s" "JobReqProto" DELAY; "60";
        "How long a job waits for its next call when the transmission failed.";
    Line "delay_other_s" "JobReqOther" DELAY; "300";
        "How long a job waits for its next call after other troubles of the line.";
    Line "area_code" "AreaCode" PREFIX; "none";
        "The area code of the line, for its dialling rules.";
    Line "country_code" "CountryCode" PREFIX; "none";
        "The country code of the line, for its dialling rules.";
    Line "long_distance_prefix" "LongDistancePrefix" PREFIX; "none";
        "What the line dials before a number outside the area.";
    Line "international_prefix" "InternationalPrefix" PREFIX; "none";
        "What the line dials before a number outside the country.";
}

/// What can be set at a HylaFAX server.
pub static SCHEMA: Schema = Schema { kind: "hylafax", keys: KEYS };

/// What HylaFAX calls a key of the schema.
pub(super) fn tag(name: &str) -> Option<&'static str> {
    TAGS.iter().find(|(key, _)| *key == name).map(|(_, tag)| *tag)
}

/// A value as HylaFAX understands what stands in its file.
pub(super) fn read(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Flag => Value::Flag(["on", "yes", "true"].contains(&&*text.to_ascii_lowercase())),
        Kind::Number { .. } => Value::Number(c_number(text)),
        Kind::Choice(words) => {
            let word = words.iter().find(|word| word.eq_ignore_ascii_case(text));
            Value::Text(word.map_or(text, |word| word).to_owned())
        }
        Kind::Text { .. } => Value::Text(text.to_owned()),
    }
}

/// A value as it is written into a file, without quotes.
pub(super) fn write(value: &Value) -> String {
    match value {
        Value::Flag(true) => "Yes".into(),
        Value::Flag(false) => "No".into(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

/// A number as C's strtol with base 0 reads it: decimal, 0x for hexadecimal, 0 for
/// octal; up to what is no digit, and 0 when nothing is.
fn c_number(text: &str) -> i64 {
    let text = text.trim_start();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (base, digits) = match hexadecimal {
        Some(rest) => (16, rest),
        None if text.starts_with('0') => (8, text),
        None => (10, text),
    };
    let mut number: i64 = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(base)) {
        number = number.saturating_mul(i64::from(base)).saturating_add(i64::from(digit));
    }
    if negative { -number } else { number }
}

#[cfg(test)]
mod tests {
    use postfax_domain::settings::Name;

    use super::*;

    #[test]
    fn every_key_is_there_once_and_says_what_it_is_for() {
        for (at, key) in KEYS.iter().enumerate() {
            let same = |other: &&Key| other.name == key.name && other.level == key.level;
            assert_eq!(KEYS.iter().filter(same).count(), 1, "{}", key.name);
            assert!(key.about.ends_with('.') && !key.default.is_empty(), "{}", key.name);
            // A name has one meaning, whatever its level.
            assert_eq!(tag(key.name), Some(TAGS[at].1));
        }
    }

    #[test]
    fn nothing_can_be_set_that_is_run_or_opened() {
        for (name, tag) in TAGS {
            let tag = tag.to_ascii_lowercase();
            for word in ["cmd", "file", "dir", "rules", "font", "args", "hook", "include", "mode"] {
                let harmless = ["modemminspeed", "modempriority"].contains(&&*tag);
                assert!(harmless || !tag.contains(word), "{name}: {tag}");
            }
        }
    }

    #[test]
    fn no_text_ends_the_quotes_that_faxaddmodem_puts_around_it() {
        for key in KEYS.iter().filter(|key| matches!(key.kind, Kind::Text { .. })) {
            let name = match key.level {
                Level::Server => Name::of_server(key.name),
                Level::Line => Name::of_line("ttyFAX0", key.name),
            };
            assert!(SCHEMA.read(&name, "+1 2").is_ok(), "{name}");
            assert!(SCHEMA.read(&name, "';touch x;'").is_err(), "{name}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in [
            ("12", 12),
            ("0x1F", 31),
            ("010", 8),
            ("0", 0),
            ("-3", -3),
            ("+7", 7),
            ("5s", 5),
            ("unlimited", 0),
            ("", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(c_number(text), number, "{text}");
        }
    }

    #[test]
    fn values_are_read_as_hylafax_does() {
        for (kind, text, value) in [
            (FLAG, "ON", Value::Flag(true)),
            (FLAG, "1", Value::Flag(false)),
            (VOLUME, "Quiet", Value::Text("quiet".into())),
            (VOLUME, "deafening", Value::Text("deafening".into())),
            (DELAY, "0x10", Value::Number(16)),
            (IDENTITY, "ACME", Value::Text("ACME".into())),
        ] {
            assert_eq!(read(kind, text), value, "{text}");
        }
        assert_eq!(write(&Value::Flag(true)), "Yes");
        assert_eq!(write(&Value::Number(5)), "5");
    }
}
