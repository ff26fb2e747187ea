//! What can be set at a kind of fax server: its keys with their types, ranges and
//! defaults, and the check that a value is one of them.

use super::{Name, Settings, Value};

/// What can be set at a kind of fax server.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// The kind, as configurations write it.
    pub kind: &'static str,
    /// All keys, each once for each level.
    pub keys: &'static [Key],
}

/// One thing that can be set.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is called: small letters, digits and underscores.
    pub name: &'static str,
    /// Whether each line has its own.
    pub level: Level,
    /// What it can be set to.
    pub kind: Kind,
    /// What the server does when it is not set, in words.
    pub default: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
}

/// What a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The server as a whole.
    Server,
    /// Each of its lines.
    Line,
}

/// What a key can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Yes or no.
    Flag,
    /// A whole number.
    Number {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// What it counts: `rings`, `s`, `bit/s`.
        unit: &'static str,
    },
    /// A text on one line.
    Text {
        /// Most characters.
        max_chars: usize,
        /// What the characters must be, in words and as a test.
        of: Characters,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// What the characters of a text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// Anything that can be printed.
    Printable,
    /// Anything printable of ASCII.
    Ascii,
    /// The same without `'`, which ends a text in the shell scripts of a server.
    Unquoted,
    /// What a machine may call itself (T.30 5.3.6.2.4 to 5.3.6.2.6): digits, `+` and spaces.
    Station,
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    /// No such key at this level.
    #[error("there is no setting {name} at a server of kind {kind}{instead}")]
    Unknown {
        /// As it was written.
        name: Name,
        /// The kind of server.
        kind: &'static str,
        /// What may have been meant; empty when nothing comes near.
        instead: String,
    },
    /// The value is none for this key.
    #[error("{name} cannot be \"{value}\": {wanted}")]
    Unfit {
        /// The setting.
        name: Name,
        /// As it was written.
        value: String,
        /// What would be right.
        wanted: String,
    },
    /// The server has no such line.
    #[error("{name}: there is no line {line}; the lines are {lines}")]
    NoLine {
        /// The setting.
        name: Name,
        /// As it was written.
        line: String,
        /// Those that there are.
        lines: String,
    },
}

impl Characters {
    fn allow(self, c: char) -> bool {
        match self {
            Self::Printable => !c.is_control(),
            Self::Ascii => c.is_ascii_graphic() || c == ' ',
            Self::Unquoted => Self::Ascii.allow(c) && c != '\'',
            Self::Station => c.is_ascii_digit() || "+ ".contains(c),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Printable => "characters that can be printed",
            Self::Ascii => "ASCII characters",
            Self::Unquoted => "ASCII characters other than '",
            Self::Station => "digits, + and spaces",
        }
    }
}

impl Kind {
    /// What would be right, as it continues "it must be".
    #[must_use]
    pub fn wanted(&self) -> String {
        match self {
            Self::Flag => "yes or no".into(),
            Self::Number { min, max, unit: "" } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max, unit } => {
                format!("a whole number from {min} to {max} ({unit})")
            }
            Self::Text { max_chars, of } => format!("at most {max_chars} {}", of.words()),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }

    fn fits(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag, Value::Flag(_)) => true,
            (Self::Number { min, max, .. }, Value::Number(number)) => (min..=max).contains(&number),
            (Self::Text { max_chars, of }, Value::Text(text)) => {
                text.chars().count() <= *max_chars && text.chars().all(|c| of.allow(c))
            }
            (Self::Choice(words), Value::Text(text)) => words.contains(&text.as_str()),
            _ => false,
        }
    }

    fn read(&self, text: &str) -> Option<Value> {
        match self {
            Self::Flag => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" => Some(Value::Flag(true)),
                "no" | "false" | "off" => Some(Value::Flag(false)),
                _ => None,
            },
            Self::Number { .. } => text.parse().ok().map(Value::Number),
            Self::Text { .. } => Some(Value::Text(text.to_owned())),
            Self::Choice(words) => {
                let word = words.iter().find(|word| word.eq_ignore_ascii_case(text))?;
                Some(Value::Text((*word).to_owned()))
            }
        }
    }
}

impl Schema {
    /// The key that a name means.
    ///
    /// # Errors
    /// [`BadSetting::Unknown`], with what may have been meant.
    pub fn key(&self, name: &Name) -> Result<&'static Key, BadSetting> {
        let level = if name.line.is_some() { Level::Line } else { Level::Server };
        let named = |key: &&Key| key.name == name.key;
        match self.keys.iter().find(|key| named(key) && key.level == level) {
            Some(key) => Ok(key),
            None => {
                let instead = match self.keys.iter().find(named).map(|key| key.level) {
                    Some(Level::Line) => format!("; each line has one: line.LINE.{}", name.key),
                    Some(Level::Server) => format!("; it is one of the whole server: {}", name.key),
                    None => String::new(),
                };
                Err(BadSetting::Unknown { name: name.clone(), kind: self.kind, instead })
            }
        }
    }

    /// Reads a value as a person writes it.
    ///
    /// # Errors
    /// [`BadSetting`] says what would be right.
    pub fn read(&self, name: &Name, text: &str) -> Result<Value, BadSetting> {
        let kind = self.key(name)?.kind;
        let value = kind.read(text).filter(|value| kind.fits(value));
        value.ok_or_else(|| unfit(name, text, kind))
    }

    /// Whether a value is one for this setting.
    ///
    /// # Errors
    /// [`BadSetting`] says what would be right.
    pub fn check(&self, name: &Name, value: &Value) -> Result<(), BadSetting> {
        let kind = self.key(name)?.kind;
        if kind.fits(value) { Ok(()) } else { Err(unfit(name, &value.to_string(), kind)) }
    }

    /// Whether all of these can be set at a server that has these lines.
    ///
    /// # Errors
    /// The first [`BadSetting`] in the order of the names.
    pub fn check_all(&self, settings: &Settings, lines: &[&str]) -> Result<(), BadSetting> {
        for (name, value) in &settings.0 {
            self.check(name, value)?;
            if let Some(line) = name.line.as_deref().filter(|line| !lines.contains(line)) {
                return Err(BadSetting::NoLine {
                    name: name.clone(),
                    line: line.to_owned(),
                    lines: if lines.is_empty() { "not known yet".into() } else { lines.join(", ") },
                });
            }
        }
        Ok(())
    }
}

fn unfit(name: &Name, value: &str, kind: Kind) -> BadSetting {
    let wanted = format!("it must be {}", kind.wanted());
    BadSetting::Unfit { name: name.clone(), value: value.to_owned(), wanted }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: Schema = Schema {
        kind: "test",
        keys: &[
            key("max_dials", Level::Server, Kind::Number { min: 1, max: 100, unit: "calls" }),
            key("ecm", Level::Line, Kind::Flag),
            key("speed", Level::Line, Kind::Choice(&["9600", "14400"])),
            key("identity", Level::Line, Kind::Text { max_chars: 20, of: Characters::Station }),
        ],
    };

    const fn key(name: &'static str, level: Level, kind: Kind) -> Key {
        Key { name, level, kind, default: "", about: "" }
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        for (name, text, value) in [
            ("max_dials", "3", Ok(Value::Number(3))),
            (
                "max_dials",
                "0",
                Err("max_dials cannot be \"0\": it must be a whole number from 1 to 100 (calls)"),
            ),
            ("max_dials", "three", Err("it must be a whole number")),
            ("line.a.ecm", "Off", Ok(Value::Flag(false))),
            ("line.a.ecm", "2", Err("it must be yes or no")),
            ("line.a.speed", "14400", Ok(Value::Text("14400".into()))),
            ("line.a.speed", "14401", Err("it must be one of 9600, 14400")),
            ("line.a.identity", "+44 20 7946", Ok(Value::Text("+44 20 7946".into()))),
            ("line.a.identity", "ACME", Err("at most 20 digits, + and spaces")),
            ("ecm", "yes", Err("each line has one: line.LINE.ecm")),
            ("line.a.max_dials", "3", Err("it is one of the whole server: max_dials")),
            ("colour", "red", Err("there is no setting colour at a server of kind test")),
        ] {
            let read = SCHEMA.read(&name.parse().unwrap(), text);
            match (read, value) {
                (Ok(read), Ok(value)) => assert_eq!(read, value),
                (Err(bad), Err(words)) => assert!(bad.to_string().contains(words), "{bad}"),
                (read, _) => panic!("{name} {text}: {read:?}"),
            }
        }
    }

    #[test]
    fn only_lines_that_are_there_can_be_set() {
        let settings = Settings([("line.b.ecm".parse().unwrap(), Value::Flag(true))].into());
        assert!(SCHEMA.check_all(&settings, &["a", "b"]).is_ok());
        let bad = SCHEMA.check_all(&settings, &["a", "c"]).unwrap_err().to_string();
        assert!(bad.contains("there is no line b; the lines are a, c"), "{bad}");
    }
}
