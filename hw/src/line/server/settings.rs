//! What is set at the line server: the configuration, and over it what was set since,
//! which is kept in the spool. What it means for a line, for the scheduler and for the
//! header line is read here in one place.

use std::{collections::BTreeMap, time::Duration};

use postfax_domain::{
    number::{Country, Number},
    route::Hours,
    settings::{Change, Name, Settings, Value},
};

use super::{
    keys,
    pace::{BatchLimits, Direction},
};
use crate::{
    line::{LineSettings, Speaker, header::Place},
    t30::{MAX_IDENT, Modems, Station},
};

/// What was set over the configuration: `None` stands for what was unset.
pub(super) type Overlay = BTreeMap<Name, Option<Value>>;

/// All that is set.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    lines: Vec<String>,
    configured: Settings,
    overlay: Overlay,
}

impl Book {
    /// The configuration of these lines with what was set over it. What cannot be, or is
    /// of a line that is not there, is named in the answer and passed over.
    pub fn new(lines: &[String], configured: &Settings, overlay: Overlay) -> (Self, Vec<String>) {
        // A line of which nothing is set is one all the same.
        let on = |line: &String| (Name::of_line(line, "on"), Value::Flag(true));
        let mut base = Settings(lines.iter().map(on).collect());
        let mut book = Self { lines: lines.to_vec(), overlay, ..Self::default() };
        let mut bad = vec![];
        for (name, value) in &configured.0 {
            match book.fits(name, Some(value)) {
                Ok(()) => drop(base.0.insert(name.clone(), value.clone())),
                Err(why) => bad.push(why),
            }
        }
        for (name, value) in &book.overlay {
            bad.extend(book.fits(name, value.as_ref()).err());
        }
        book.configured = base;
        (book, bad)
    }

    fn fits(&self, name: &Name, value: Option<&Value>) -> Result<(), String> {
        if let Some(line) = name.line.as_ref().filter(|line| !self.lines.contains(line)) {
            return Err(format!(
                "{name}: there is no line {line}; the lines are {}",
                self.lines.join(", ")
            ));
        }
        match value {
            Some(value) => keys::check(name, value),
            None => keys::SCHEMA.key(name).map(drop).map_err(|bad| bad.to_string()),
        }
    }

    /// All that is set, as far as it can be.
    pub fn settings(&self) -> Settings {
        let good =
            |(name, value): &(&Name, &Option<Value>)| self.fits(name, value.as_ref()).is_ok();
        let over = self.overlay.iter().filter(good);
        self.configured.with(over.map(|(name, value)| (name.clone(), value.clone())))
    }

    /// What is to be kept in the spool when these are set.
    pub fn with(&self, changes: &[Change]) -> Result<Self, String> {
        let mut new = self.clone();
        for Change { name, to, .. } in changes {
            self.fits(name, to.as_ref())?;
            if self.configured.get(name) == to.as_ref() {
                new.overlay.remove(name);
            } else {
                new.overlay.insert(name.clone(), to.clone());
            }
        }
        Ok(new)
    }

    /// What is kept in the spool.
    pub fn overlay(&self) -> &Overlay {
        &self.overlay
    }

    /// What it all means.
    pub fn meaning(&self) -> Meaning {
        let settings = self.settings();
        let of = Of { settings: &settings, line: None };
        Meaning {
            batch: BatchLimits {
                jobs: of.number("max_batch_jobs", 10) as usize,
                pages: of.number("max_batch_pages", 50),
                wait: Duration::from_millis(of.number("batch_wait_ms", 500).into()),
            },
            max_send_pages: of.number("max_send_pages", 2000),
            lines: self.lines.iter().map(|line| LineMeaning::read(&settings, line)).collect(),
        }
    }
}

/// What is set, as those need it who act by it.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    /// How many share a call.
    pub batch: BatchLimits,
    /// Most pages of a document.
    pub max_send_pages: u32,
    /// Each line, in the order of the lines.
    pub lines: Vec<LineMeaning>,
}

/// What is set of one line.
#[derive(Debug, Clone)]
pub(super) struct LineMeaning {
    /// What the line itself is told.
    pub line: LineSettings,
    /// What it is used for.
    pub direction: Direction,
    /// When it may call.
    pub hours: Option<Hours>,
    /// Of the lines that are free the one with the least number calls.
    pub priority: u8,
    /// Channels that are kept free.
    pub reserved: usize,
    /// Its telephone number, as it was written.
    pub fax_number: Option<String>,
    /// Whether a job may choose its identity.
    pub use_job_tsi: bool,
    /// Whether there is a header line where nobody asks for one.
    pub header: bool,
    /// Where it is put.
    pub header_place: Place,
    /// Who sends, in the header line.
    pub header_name: Option<String>,
}

impl LineMeaning {
    fn read(settings: &Settings, line: &str) -> Self {
        let of = Of { settings, line: Some(line) };
        let fax_number = of.text("fax_number");
        let identity = of.text("station_identity").or_else(|| fax_number.clone());
        let identity: String = identity.unwrap_or_default().chars().take(MAX_IDENT).collect();
        let station = Station {
            ecm: of.flag("ecm", true),
            modems: match of.text("max_speed").as_deref() {
                Some("4800") => Modems { v27ter: true, v29: false, v17: false },
                Some("9600") => Modems { v27ter: true, v29: true, v17: false },
                _ => Modems::ALL,
            },
            ..Station::new(&identity)
        };
        let direction = match of.text("direction").as_deref() {
            Some("send") => Direction::Send,
            Some("receive") => Direction::Receive,
            _ => Direction::Both,
        };
        let rings = of.number("rings_before_answer", 1);
        let speaker = match of.text("speaker_volume").as_deref() {
            Some("quiet") => Speaker::Quiet,
            Some("low") => Speaker::Low,
            Some("medium") => Speaker::Medium,
            Some("high") => Speaker::High,
            _ => Speaker::Off,
        };
        Self {
            line: LineSettings {
                on: of.flag("on", true),
                station,
                rings: if direction.receives() { rings } else { 0 },
                max_calls: of.given("max_calls").map(|most| most as usize),
                speaker,
                init: of.text("init_string").unwrap_or_default(),
            },
            direction,
            hours: of.text("hours").and_then(|hours| hours.parse().ok()),
            priority: u8::try_from(of.number("modem_priority", 100)).unwrap_or(u8::MAX),
            reserved: of.number("reserved_channels", 0) as usize,
            fax_number,
            use_job_tsi: of.flag("use_job_tsi", true),
            header: of.flag("header_line", true),
            header_place: match of.text("header_line_place").as_deref() {
                Some("over") => Place::Over,
                _ => Place::Above,
            },
            header_name: of.text("header_name"),
        }
    }

    /// Whether pages to this number must have a header line, or are to have one. The law
    /// of the USA asks for it on every fax that is sent from there or to there (47 CFR
    /// 68.318(d)).
    pub fn has_header(&self, to: &Number, home: Option<Country>) -> bool {
        let usa: Country = "US".parse().expect("it is a country");
        let own = self.fax_number.as_ref().and_then(|own| {
            Number::parse(own, home.unwrap_or(usa)).ok().filter(|_| own.starts_with('+'))
        });
        self.header
            || home == Some(usa)
            || !to.is_abroad(usa)
            || own.is_some_and(|own| !own.is_abroad(usa))
    }
}

/// The values of one level.
struct Of<'a> {
    settings: &'a Settings,
    line: Option<&'a str>,
}

impl Of<'_> {
    fn value(&self, key: &str) -> Option<&Value> {
        let name = Name { line: self.line.map(str::to_owned), key: key.to_owned() };
        self.settings.get(&name)
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        match self.value(key) {
            Some(Value::Flag(flag)) => *flag,
            _ => default,
        }
    }

    fn given(&self, key: &str) -> Option<u32> {
        match self.value(key) {
            Some(Value::Number(number)) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    fn number(&self, key: &str, default: u32) -> u32 {
        self.given(key).unwrap_or(default)
    }

    /// A text that says something.
    fn text(&self, key: &str) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text.trim().to_owned()).filter(|t| !t.is_empty()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    fn set(list: &[(&str, Value)]) -> Settings {
        Settings(list.iter().map(|(name, value)| (name.parse().unwrap(), value.clone())).collect())
    }

    fn text(text: &str) -> Value {
        Value::Text(text.into())
    }

    fn book(configured: &[(&str, Value)]) -> Book {
        let (book, bad) = Book::new(&["a".into(), "b".into()], &set(configured), Overlay::new());
        assert_eq!(bad, [] as [String; 0]);
        book
    }

    fn to(name: &str, to: Option<Value>) -> Change {
        Change { name: name.parse().unwrap(), from: None, to }
    }

    #[test]
    fn what_was_set_lies_over_the_configuration() {
        let book =
            book(&[("max_batch_jobs", Value::Number(3)), ("line.a.ecm", Value::Flag(false))]);
        let changes = [
            to("max_batch_jobs", None),
            to("line.a.ecm", Some(Value::Flag(true))),
            to("line.b.hours", Some(text("Mo 08:00-09:00"))),
        ];
        let changed = book.with(&changes).unwrap();
        let wanted = set(&[
            ("line.a.on", Value::Flag(true)),
            ("line.b.on", Value::Flag(true)),
            ("line.a.ecm", Value::Flag(true)),
            ("line.b.hours", text("Mo 08:00-09:00")),
        ]);
        assert_eq!(changed.settings(), wanted);
        let again = serde_json::to_string(changed.overlay()).unwrap();
        let again: Overlay = serde_json::from_str(&again).unwrap();
        let lines = ["a".to_owned(), "b".to_owned()];
        let (again, bad) = Book::new(&lines, &set(&[("line.a.ecm", Value::Flag(false))]), again);
        assert_eq!((again.settings(), bad), (wanted, vec![]));
        let back = changed.with(&changed.settings().differences(&book.settings())).unwrap();
        assert!(back.overlay().is_empty());
    }

    #[test]
    fn what_cannot_be_is_named() {
        let book = book(&[]);
        for (name, value, said) in [
            ("line.c.ecm", Some(Value::Flag(true)), "there is no line c; the lines are a, b"),
            ("line.a.hours", Some(text("noon")), "are no hours"),
            ("line.a.ecm", Some(text("no")), "it must be yes or no"),
            ("colour", None, "there is no setting colour"),
        ] {
            let bad = book.with(&[to(name, value)]).unwrap_err();
            assert!(bad.contains(said), "{bad}");
        }
        let overlay = Overlay::from([("line.gone.ecm".parse().unwrap(), Some(Value::Flag(true)))]);
        let (book, bad) = Book::new(&["a".into()], &set(&[("line.a.hours", text("x"))]), overlay);
        assert_eq!(bad.len(), 2, "{bad:?}");
        assert_eq!(book.settings(), set(&[("line.a.on", Value::Flag(true))]));
    }

    #[test]
    fn a_line_is_told_what_is_set_of_it() {
        let meaning = book(&[
            ("line.a.station_identity", text("+44 20 7946 0100")),
            ("line.a.ecm", Value::Flag(false)),
            ("line.a.max_speed", text("9600")),
            ("line.a.direction", text("send")),
            ("line.a.rings_before_answer", Value::Number(3)),
            ("line.b.fax_number", text("+442079460101")),
            ("line.b.max_calls", Value::Number(2)),
            ("line.b.speaker_volume", text("low")),
            ("line.b.on", Value::Flag(false)),
        ])
        .meaning();
        let [a, b] = &meaning.lines[..] else { panic!("two lines") };
        assert_eq!(a.line.station.identity, "+44 20 7946 0100");
        assert!(!a.line.station.ecm && a.line.station.modems.v29 && !a.line.station.modems.v17);
        assert_eq!((a.direction, a.line.rings, a.line.max_calls), (Direction::Send, 0, None));
        assert_eq!((b.line.rings, b.line.max_calls), (1, Some(2)));
        assert_eq!(b.line.station.identity, "+442079460101");
        assert!(!b.line.on && b.line.speaker == Speaker::Low);
    }

    #[test]
    fn the_usa_ask_for_a_header_line() {
        let line = |flag, own: &str| {
            let own = ("line.a.fax_number", text(own));
            book(&[("line.a.header_line", Value::Flag(flag)), own]).meaning().lines[0].clone()
        };
        let number = |text: &str| Number::try_from(text.to_owned()).unwrap();
        for (flag, own, to, home, has) in [
            (false, "", "+442079460100", Some("GB"), false),
            (true, "", "+442079460100", Some("GB"), true),
            (false, "", "+12025550123", Some("GB"), true),
            (false, "", "+442079460100", Some("US"), true),
            (false, "+12025550123", "+442079460100", None, true),
            (false, "+442079460101", "+442079460100", None, false),
            (false, "02079460101", "+442079460100", Some("GB"), false),
        ] {
            let home = home.map(|home| home.parse().unwrap());
            let line = line(flag, own);
            assert_eq!(line.has_header(&number(to), home), has, "{own} {to} {home:?}");
        }
    }
}
