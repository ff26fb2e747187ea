//! Settings as a text that people edit and send back: TOML, with what each key is for
//! as comments. Pure, for every door that carries texts.
//!
//! A key that is not there, or that stands behind a `#`, is not set.

use std::collections::BTreeMap;

use postfax_domain::{
    names::ServerName,
    settings::{Key, Level, Name, Settings, State, Value},
    supervisor::Sheet,
    time::Timestamp,
};

/// How a text begins; behind it the name of the server.
pub(crate) const FIRST: &str = "# The settings of ";
/// How its last line begins, so that a text that was cut off is noticed; behind it the
/// name of the server.
pub(crate) const LAST: &str = "# End of the settings of ";
/// The words at the head of a text that are no settings.
const SERVER: &str = "server";
const VERSION: &str = "version";
/// The table of the lines.
const LINE: &str = "line";

/// What an edited text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edited {
    /// The server that it is for, if it says so.
    pub(crate) server: Option<ServerName>,
    /// The version that was edited, if it says so.
    pub(crate) version: Option<u64>,
    /// All that is to be set.
    pub(crate) settings: Settings,
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadText {
    /// It is no TOML.
    #[error("the text cannot be read: {0}")]
    NoToml(String),
    /// Something in it is not what stands at that place.
    #[error("{name}: {wanted}")]
    Unfit {
        /// The key.
        name: String,
        /// What would be right.
        wanted: String,
    },
}

/// The newest version as a text.
pub(crate) fn print(sheet: &Sheet) -> String {
    let latest = sheet.record.latest();
    let kind = sheet.schema.map_or("not configured any more", |schema| schema.kind);
    let author =
        comment(&format!("{} ({} {})", latest.author.who, latest.author.door, latest.author.from));
    let mut out = format!(
        "{FIRST}{}, {kind}.\n# Version {} by {author}, {}",
        sheet.server,
        latest.number,
        moment(latest.at)
    );
    if !latest.reason.is_empty() {
        out += &format!(": {}", comment(&latest.reason));
    }
    out += &format!("\n# {}\n", comment(&state(sheet.record.state())));
    out += "# A key that is absent or behind a # is not set: then the default holds.\n\n";
    out +=
        &format!("{SERVER} = {}\n{VERSION} = {}\n", quoted(sheet.server.as_str()), latest.number);
    section(&mut out, sheet, None, true);
    let mut lines: Vec<&str> = sheet.record.held().lines.iter().map(String::as_str).collect();
    lines.extend(latest.settings.lines());
    lines.sort_unstable();
    lines.dedup();
    for (at, line) in lines.iter().enumerate() {
        out += &format!("\n[{LINE}.{line}]\n");
        section(&mut out, sheet, Some(line), at == 0);
    }
    out += &format!("\n{LAST}{}.\n", sheet.server);
    out
}

/// The keys of one level, and what is set there beyond the schema.
fn section(out: &mut String, sheet: &Sheet, line: Option<&str>, explains: bool) {
    let settings = &sheet.record.latest().settings;
    let level = if line.is_some() { Level::Line } else { Level::Server };
    let keys = sheet.schema.map_or(&[][..], |schema| schema.keys);
    let keys: Vec<&Key> = keys.iter().filter(|key| key.level == level).collect();
    for key in &keys {
        let name = Name { line: line.map(str::to_owned), key: key.name.to_owned() };
        if explains {
            let wanted = comment(&key.kind.wanted());
            *out += &format!(
                "\n# {}\n# {wanted}; default: {}\n",
                comment(key.about),
                comment(key.default)
            );
        }
        match settings.get(&name) {
            Some(value) => *out += &format!("{} = {}\n", key.name, toml(value)),
            None => *out += &format!("# {} =\n", key.name),
        }
    }
    for (name, value) in &settings.0 {
        let is_known = keys.iter().any(|key| key.name == name.key);
        if name.line.as_deref() == line && !is_known {
            *out += &format!("{} = {}\n", name.key, toml(value));
        }
    }
}

/// What became of a version, as a sentence.
pub(crate) fn state(state: &State) -> String {
    match state {
        State::Applied { at } => format!("The server holds it, since {}.", moment(*at)),
        State::Pending => {
            "Pending: it is brought to the server as soon as that can be reached.".into()
        }
        State::Failed { at, why, again: None } => {
            format!("The server did not take it, {}: {why}", moment(*at))
        }
        State::Failed { at, why, again: Some(again) } => {
            let (at, again) = (moment(*at), moment(*again));
            format!(
                "The server did not take it, {at}: {why}. It is tried again by itself, {again}."
            )
        }
        State::Drifted { at, changes } => {
            let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
            format!("Changed at the server itself, noticed {}: {}", moment(*at), changes.join(", "))
        }
    }
}

/// To the minute and in UTC, as all times of answers.
pub(crate) fn moment(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A text that stays behind its `#`.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn toml(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => quoted(text),
    }
}

/// Reads what was edited. Whether the settings can be is not decided here.
///
/// # Errors
/// [`BadText`] names the place.
pub(crate) fn parse(text: &str) -> Result<Edited, BadText> {
    let table: toml::Table =
        text.parse().map_err(|bad: toml::de::Error| BadText::NoToml(bad.to_string()))?;
    let mut edited = Edited { server: None, version: None, settings: Settings::default() };
    for (key, node) in table {
        match (key.as_str(), node) {
            (SERVER, toml::Value::String(name)) => {
                let name = ServerName::new(&name).map_err(|bad| unfit(SERVER, &bad.to_string()))?;
                edited.server = Some(name);
            }
            (VERSION, toml::Value::Integer(number)) => {
                let number = u64::try_from(number).map_err(|_| unfit(VERSION, "a number"))?;
                edited.version = Some(number);
            }
            (SERVER, _) => return Err(unfit(SERVER, "the name of the server, in quotes")),
            (VERSION, _) => return Err(unfit(VERSION, "the number of the version")),
            (LINE, toml::Value::Table(lines)) => {
                for (line, node) in lines {
                    let place = format!("{LINE}.{line}");
                    let toml::Value::Table(keys) = node else {
                        return Err(unfit(&place, "write a table: [line.NAME]"));
                    };
                    for (key, node) in keys {
                        take(&mut edited.settings.0, &format!("{place}.{key}"), node)?;
                    }
                }
            }
            (LINE, _) => return Err(unfit(LINE, "write a table for each: [line.NAME]")),
            (key, node) => take(&mut edited.settings.0, key, node)?,
        }
    }
    Ok(edited)
}

fn take(
    settings: &mut BTreeMap<Name, Value>,
    name: &str,
    node: toml::Value,
) -> Result<(), BadText> {
    let value = match node {
        toml::Value::Boolean(flag) => Value::Flag(flag),
        toml::Value::Integer(number) => Value::Number(number),
        toml::Value::String(text) => Value::Text(text),
        _ => return Err(unfit(name, "write true or false, a whole number, or a text in quotes")),
    };
    let parsed: Name = name.parse().map_err(|bad| unfit(name, &format!("{bad}")))?;
    settings.insert(parsed, value);
    Ok(())
}

fn unfit(name: &str, wanted: &str) -> BadText {
    BadText::Unfit { name: name.to_owned(), wanted: wanted.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::settings::fake;

    #[test]
    fn a_text_comes_back_as_it_went() {
        let sheet = fake::sheet();
        let text = print(&sheet);
        let edited = parse(&text).unwrap();
        assert_eq!(edited.server.as_ref(), Some(&sheet.server));
        assert_eq!(edited.version, Some(2));
        assert_eq!(edited.settings, sheet.record.latest().settings);
    }

    #[test]
    fn it_says_what_each_key_is_for() {
        let text = print(&fake::sheet());
        for part in [
            "# The settings of london-1, test.\n# Version 2 by the administrator (socket uid 0), ",
            "2026-11-23 09:01 UTC: two lines of reason\n# Pending: ",
            "\nserver = \"london-1\"\nversion = 2\n",
            "\n# Most calls for one fax.\n# a whole number from 1 to 100 (calls); default: 12\nmax_dials = 5\n",
            "# name =\n",
            "\n[line.ttyFAX0]\n",
            "\nrings = 2\n",
            "\n[line.ttyFAX1]\n# rings =\necm = false\nodd = \"from \\\"elsewhere\\\"\"\n",
        ] {
            let text = text.replace('\'', "");
            assert!(
                text.contains(part)
                    || text.contains(
                        &part.replace("\"from \\\"elsewhere\\\"\"", "from \"elsewhere\"")
                    ),
                "{part:?} is not in:\n{text}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, words) in [
            ("max_dials = ", "cannot be read"),
            ("max_dials = 1.5", "max_dials: write true or false, a whole number"),
            ("version = \"2\"", "version: the number"),
            ("version = -2", "version: a number"),
            ("server = 2", "server: the name"),
            ("line = 2", "line: write a table"),
            ("line.a = 2", "line.a: write a table"),
            ("[line.\"a/b\"]\necm = true", "names no setting"),
            ("[other]\necm = true", "other: write true"),
            ("Max = 2", "names no setting"),
        ] {
            let why = parse(text).unwrap_err().to_string();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
