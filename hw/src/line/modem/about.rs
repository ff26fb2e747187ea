//! What a modem is and can, as it says itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    at::Answer,
    options::Class,
    port::PortError,
    talk::{Reply, SHORT, Talk},
};
use crate::t30::Modems;

/// Most characters of a text about a modem.
const MAX_TEXT: usize = 80;
/// Commands that make modems show who calls; each maker has one (V.253 has the first).
const CALLER_ID: [&str; 4] = ["AT+VCID=1", "AT#CID=1", "AT%CCID=1", "AT#CLS=8#CID=1"];

/// What a modem is and can.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct About {
    /// Its maker.
    pub make: Option<String>,
    /// Its model.
    pub model: Option<String>,
    /// Its firmware.
    pub firmware: Option<String>,
    /// The classes of fax commands that it has.
    pub classes: Vec<Class>,
    /// In Class 1: the codes of what it can send (`+FTM=?`), such as 146.
    pub sends: Vec<u32>,
    /// The same of what it can receive (`+FRM=?`).
    pub receives: Vec<u32>,
    /// The command that makes it show who calls.
    pub caller_id: Option<String>,
    /// It notices a command where it awaits a page (`+FAR`).
    pub adaptive_reception: bool,
}

impl About {
    /// Asks a modem that answers.
    pub(super) fn ask(talk: &mut Talk) -> Result<Self, PortError> {
        let mut about = Self::default();
        let classes = talk.ask("AT+FCLASS=?", SHORT)?;
        about.classes = classes_of(&classes);
        let of_class_1 =
            [Class::One, Class::OneZero].into_iter().find(|class| about.classes.contains(class));
        if let Some(class) = of_class_1
            && talk.ask(&format!("AT+FCLASS={class}"), SHORT)?.is_ok()
        {
            about.sends = codes(&talk.ask("AT+FTM=?", SHORT)?);
            about.receives = codes(&talk.ask("AT+FRM=?", SHORT)?);
            about.adaptive_reception = talk.ask("AT+FAR=1", SHORT)?.is_ok();
        }
        about.make = first_text(talk, &["AT+FMI?", "AT+FMFR?", "AT+GMI"])?;
        about.model = first_text(talk, &["AT+FMM?", "AT+FMDL?", "AT+GMM", "ATI3", "ATI"])?;
        about.firmware = first_text(talk, &["AT+FMR?", "AT+FREV?", "AT+GMR"])?;
        talk.ask("AT+FCLASS=0", SHORT)?;
        for command in CALLER_ID {
            if talk.ask(command, SHORT)?.is_ok() {
                about.caller_id = Some(command.to_owned());
                break;
            }
        }
        Ok(about)
    }

    /// Reads a line as all that a modem may be asked for.
    pub(super) fn fuzz(line: &str) {
        let reply = Reply { lines: vec![line.to_owned()], end: Some(Answer::Ok) };
        let about = Self { classes: classes_of(&reply), sends: codes(&reply), ..Self::default() };
        let _text = about.to_string();
    }

    /// The best class, if it has any.
    #[must_use]
    pub fn best(&self) -> Option<Class> {
        Class::BEST.into_iter().find(|class| self.classes.contains(class))
    }

    /// How pages may be modulated in Class 1, in both directions; a modem that does not say
    /// can everything.
    #[must_use]
    pub fn modems(&self) -> Modems {
        let can = |codes: &[u32], of: &[u32]| {
            codes.is_empty() || of.iter().any(|code| codes.contains(code))
        };
        let both = |of: &[u32]| can(&self.sends, of) && can(&self.receives, of);
        Modems { v27ter: both(&[24, 48]), v29: both(&[72, 96]), v17: both(&[145, 146]) }
    }

    /// What is left of these for the modem.
    pub(super) fn limit(&self, modems: Modems) -> Modems {
        let Modems { v27ter, v29, v17 } = self.modems();
        Modems { v27ter: modems.v27ter && v27ter, v29: modems.v29 && v29, v17: modems.v17 && v17 }
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unknown = || "not known".to_owned();
        let text = |text: &Option<String>| text.clone().unwrap_or_else(unknown);
        let list = |all: Vec<String>| if all.is_empty() { unknown() } else { all.join(", ") };
        let classes = self.classes.iter().map(Class::to_string).collect();
        let codes = |codes: &[u32]| list(codes.iter().map(u32::to_string).collect());
        writeln!(f, "maker:          {}", text(&self.make))?;
        writeln!(f, "model:          {}", text(&self.model))?;
        writeln!(f, "firmware:       {}", text(&self.firmware))?;
        writeln!(f, "fax classes:    {}", list(classes))?;
        writeln!(f, "sends (+FTM):   {}", codes(&self.sends))?;
        writeln!(f, "receives (+FRM): {}", codes(&self.receives))?;
        writeln!(f, "caller ID:      {}", self.caller_id.as_deref().unwrap_or("no"))?;
        let best = self.best().map_or("none: it is no fax modem".to_owned(), |c| c.to_string());
        write!(f, "best class:     {best}")
    }
}

/// `0,1,1.0,2.0`, `(0-2)`, `(0,1,2.1)`.
fn classes_of(reply: &Reply) -> Vec<Class> {
    if !reply.is_ok() {
        return Vec::new();
    }
    let mut found: Vec<Class> = Vec::new();
    for line in &reply.lines {
        let line = line.strip_prefix("+FCLASS:").unwrap_or(line);
        for word in line.split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')) {
            match word.split_once('-') {
                // A range of whole classes.
                Some((from, to)) => {
                    let range = [("1", Class::One), ("2", Class::Two)];
                    found.extend(range.iter().filter(|(n, _)| from <= *n && *n <= to).map(|r| r.1));
                }
                None => found.extend(word.parse::<Class>().ok()),
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The numbers in an answer such as `(24,48,72-73,96)`.
fn codes(reply: &Reply) -> Vec<u32> {
    if !reply.is_ok() {
        return Vec::new();
    }
    let numbers = |line: &String| -> Vec<u32> {
        line.split(|c: char| !c.is_ascii_digit()).filter_map(|word| word.parse().ok()).collect()
    };
    let known = |code: &u32| (24..=146).contains(code);
    let mut codes: Vec<u32> = reply.lines.iter().flat_map(numbers).filter(known).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The first of some questions that brings a text.
fn first_text(talk: &mut Talk, questions: &[&str]) -> Result<Option<String>, PortError> {
    for question in questions {
        let reply = talk.ask(question, SHORT)?;
        if reply.end != Some(Answer::Ok) {
            continue;
        }
        let printable = |line: &String| -> String {
            let line = line.split_once(": ").map_or(line.as_str(), |(_, text)| text);
            line.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
        };
        let text = reply.lines.iter().map(printable).find(|text| !text.trim().is_empty());
        if let Some(text) = text {
            return Ok(Some(text.trim().trim_matches('"').to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Reply {
        Reply { lines: vec![line.to_owned()], end: Some(Answer::Ok) }
    }

    #[test]
    fn classes_and_codes_are_read_as_modems_write_them() {
        use Class::{One, OneZero, Two, TwoOne, TwoZero};
        for (line, classes) in [
            ("0,1,1.0", &[One, OneZero][..]),
            ("(0,1,2,2.0,8)", &[One, Two, TwoZero]),
            ("+FCLASS: (0-2)", &[One, Two]),
            ("0,1,2.1", &[One, TwoOne]),
            ("0", &[]),
            ("", &[]),
            ("-,--,1.0.0,2-1,99999999999999999999", &[]),
        ] {
            assert_eq!(classes_of(&reply(line)), classes, "{line}");
        }
        assert_eq!(codes(&reply("(3,24,48,72-74,96)")), [24, 48, 72, 74, 96]);
        let about = About { sends: vec![24, 48, 72, 96], ..About::default() };
        assert_eq!(about.modems(), Modems { v27ter: true, v29: true, v17: false });
        assert_eq!(About::default().modems(), Modems::ALL);
    }
}
