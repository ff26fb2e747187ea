//! An entry of the phone book as a text that is edited in a reply, and what such a text
//! wants to be different. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use postfax_domain::document::Resolution;

use super::{
    digest,
    form::{Form, Frame},
    verbs::entry::{self, Draft},
};
use crate::requests::book::{EntrySheet, Fields};

/// How the first line of the text begins.
pub(super) const FIRST: &str = "# The phone-book entry ";
/// How the last line begins.
pub(super) const LAST: &str = "# End of the phone-book entry ";

/// Texts of entries, each known by a mark: a unique identifier may be so long that mail
/// programs break the line.
pub(super) const ENTRY: Frame<String> =
    Frame { first: FIRST, last: LAST, what: "the phone book", name: |name| Ok(name.to_owned()) };

/// What both kinds of entry have, in the order of the text.
const ALL: [&str; 5] = ["name", "company", "alias", "note", "tags"];
/// What an entry with a number has.
const FAX: [&str; 4] = ["number", "subaddress", "cover", "resolution"];
/// What a list has.
const LIST: [&str; 1] = ["members"];

/// An entry as its writer wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edited {
    /// The unique identifier of the entry.
    pub(super) entry: String,
    /// The version that was edited.
    pub(super) version: u64,
    /// What its fields are to say; what is not among them is to be empty.
    said: BTreeMap<String, String>,
}

/// A field that is to say something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Different {
    pub(super) key: &'static str,
    pub(super) from: String,
    pub(super) to: String,
}

/// What the fields of an entry say, each as a text; empty where there is nothing.
fn fields(sheet: &EntrySheet) -> Vec<(&'static str, String)> {
    let row = &sheet.entry;
    let text = |key: &str| match key {
        "name" => row.name.clone(),
        "company" => row.company.clone(),
        "alias" => row.alias.clone().unwrap_or_default(),
        "note" => row.note.clone(),
        "tags" => row.tags.iter().cloned().collect::<Vec<_>>().join(", "),
        "number" => row.number.as_ref().map(ToString::to_string).unwrap_or_default(),
        "subaddress" => row.subaddress.clone().unwrap_or_default(),
        "cover" => row.cover.map_or("usual", |cover| if cover { "yes" } else { "no" }).to_owned(),
        "resolution" => match row.resolution {
            None => "usual",
            Some(Resolution::Standard) => "standard",
            Some(Resolution::Fine) => "fine",
            Some(Resolution::Superfine) => "superfine",
        }
        .to_owned(),
        _ => sheet.members.iter().map(|one| one.uid.as_str()).collect::<Vec<_>>().join(", "),
    };
    let reach = if row.number.is_some() { &FAX[..] } else { &LIST[..] };
    ALL.iter().chain(reach).map(|key| (*key, text(key))).collect()
}

/// The text of an entry.
pub(super) fn print(sheet: &EntrySheet) -> String {
    let row = &sheet.entry;
    let mark = digest(&row.uid);
    let mut text = format!("{FIRST}{mark}.\n\nentry = {}\n", quoted(&row.uid));
    let _ = writeln!(text, "version = {}\n", row.version);
    for (key, value) in fields(sheet) {
        if key == "members" {
            for member in &sheet.members {
                let name = member.name.replace(char::is_control, " ");
                let _ = writeln!(text, "# {} is {name}", member.uid);
            }
        }
        let _ = writeln!(text, "{key} = {}", quoted(&value));
    }
    text + LAST + &mark + ".\n"
}

/// A text in quotation marks, on one line: TOML reads the escapes of JSON.
fn quoted(value: &str) -> String {
    let value = value.replace('\u{7f}', " ");
    serde_json::to_string(&value).unwrap_or_default()
}

/// What a text that came back says.
///
/// # Errors
/// Says which line is wrong.
pub(super) fn read(form: &Form<String>) -> Result<Edited, String> {
    let table: toml::Table =
        form.toml.parse().map_err(|bad: toml::de::Error| bad.message().to_owned())?;
    let mut said = BTreeMap::new();
    for (key, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(yes) => if yes { "yes" } else { "no" }.to_owned(),
            other => return Err(format!("{key}: write one line and not {}", other.type_str())),
        };
        said.insert(key, value);
    }
    let entry = said.remove("entry").ok_or("the line is missing that begins: entry =")?;
    let version = said.remove("version").ok_or("the line is missing that begins: version =")?;
    if digest(&entry) != form.of {
        return Err("the line that begins \"entry =\" was changed: leave it as it is".to_owned());
    }
    let wrong = |_| format!("\"{version}\" is no number of a version");
    let version = version.parse().map_err(wrong)?;
    // Each is read here, so that nothing is asked that cannot be meant.
    let mut draft = Draft::default();
    for (key, value) in &said {
        entry::named(&mut draft, key, value)?;
    }
    Ok(Edited { entry, version, said })
}

impl Edited {
    /// Where the text differs from the entry as it is now.
    pub(super) fn differs(&self, now: &EntrySheet) -> Vec<Different> {
        let mut differs = Vec::new();
        let known = fields(now);
        for (key, from) in known {
            let usual = if ["cover", "resolution"].contains(&key) { "usual" } else { "" };
            let to = self.said.get(key).map_or(usual, |to| to.trim()).to_owned();
            if same(key, &from) != same(key, &to) {
                differs.push(Different { key, from, to });
            }
        }
        // A list that is to have a number, or the other way round, is told by others.
        for key in FAX.iter().chain(&LIST) {
            let is_new = !fields(now).iter().any(|(known, _)| known == key);
            let to = self.said.get(*key).map(|to| to.trim()).unwrap_or_default();
            if is_new && !["", "usual"].contains(&to) {
                differs.push(Different { key, from: String::new(), to: to.to_owned() });
            }
        }
        differs
    }
}

/// Two texts that are the same after this mean the same.
fn same(key: &str, text: &str) -> String {
    match key {
        "tags" | "members" => text.split_whitespace().collect(),
        _ => text.to_owned(),
    }
}

/// What is to be asked for the differences.
///
/// # Errors
/// Says which field cannot say that.
pub(super) fn asked(differs: &[Different]) -> Result<Fields, String> {
    let mut draft = Draft::default();
    for Different { key, to, .. } in differs {
        entry::named(&mut draft, key, to)?;
    }
    Ok(draft.fields)
}
