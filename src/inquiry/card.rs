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
pub(super) const ENTRY: Frame<String> = Frame {
    first: FIRST,
    last: LAST,
    what: "the phone book",
    name: |name| Ok(name.trim_end_matches('.').to_owned()),
};

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
    said: BTreeMap<&'static str, String>,
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
        "resolution" => row.resolution.map_or("usual", Resolution::as_str).to_owned(),
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
    let mut said: BTreeMap<String, String> = BTreeMap::new();
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
    if draft.label.is_some() || draft.owner.is_some() {
        return Err("who may see an entry is changed by: share".to_owned());
    }
    let said = said.into_iter().filter_map(|(key, value)| Some((entry::key(&key)?, value)));
    Ok(Edited { entry, version, said: said.collect() })
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

#[cfg(test)]
mod tests {
    use postfax_domain::{book::Rank, number::Number};

    use super::*;
    use crate::{
        inquiry::form::{find, fold},
        requests::book::{EntryRow, Member},
    };

    fn sheet() -> EntrySheet {
        let entry = EntryRow {
            uid: "urn:uuid:1b2c, with \"marks\"".into(),
            version: 3,
            rank: Rank::Own,
            owner: None,
            label: None,
            may_change: true,
            name: "Acme \u{201c}Ltd\u{201d} \\ München".into(),
            company: String::new(),
            alias: Some("acme".into()),
            address: "acme@fax.example.com".into(),
            number: Number::try_from("+442079460100".to_owned()).ok(),
            subaddress: None,
            note: "A long note of many words that no line of a mail has room for.\nAnd more"
                .repeat(3),
            tags: ["paper", "supplier"].map(str::to_owned).into(),
            cover: Some(false),
            resolution: None,
            members: None,
        };
        EntrySheet { entry, members: Vec::new(), unusable: 0, history: Vec::new() }
    }

    fn back(text: &str) -> Result<Edited, String> {
        let found = find(text, &ENTRY).unwrap_or_else(|| panic!("nothing in {text}"));
        read(&found.form?)
    }

    #[test]
    fn a_text_that_comes_back_says_what_it_said() {
        let sheet = sheet();
        let text = fold(&print(&sheet));
        let quoted: String = text.lines().map(|line| format!("> {line}\r\n")).collect();
        for text in [text.clone(), quoted, format!("Hello\n{text}\n-- \nAnna\n")] {
            let edited = back(&text).unwrap();
            assert_eq!((edited.entry.as_str(), edited.version), (sheet.entry.uid.as_str(), 3));
            assert_eq!(edited.differs(&sheet), []);
        }
    }

    #[test]
    fn what_is_edited_is_what_is_asked() {
        let text = print(&sheet());
        let number = "number = \"+442079460100\"";
        for (from, to, key, value) in [
            (number, "number = 020 7946 0101", "number", "020 7946 0101"),
            (number, "number = +442079460101", "number", "+442079460101"),
            ("alias = \"acme\"\n", "", "alias", ""),
            ("alias = \"acme\"", "alias =", "alias", ""),
            ("company = \"\"", "company = Acme Ltd", "company", "Acme Ltd"),
            ("company = \"\"", "firm = „Acme Ltd“", "company", "Acme Ltd"),
            ("cover = \"no\"", "cover = true", "cover", "yes"),
            ("cover = \"no\"\n", "", "cover", "usual"),
            ("\"paper, supplier\"", "paper", "tags", "paper"),
        ] {
            assert!(text.contains(from), "{from}");
            let edited = back(&text.replace(from, to)).unwrap();
            let differs = edited.differs(&sheet());
            let [one] = &differs[..] else { panic!("{to}: {differs:?}") };
            assert_eq!((one.key, one.to.as_str()), (key, value), "{to}");
            assert!(asked(&differs).is_ok());
        }
    }

    #[test]
    fn a_list_has_members_and_no_number() {
        let mut list = sheet();
        list.entry.number = None;
        let member = |uid: &str| Member { uid: uid.into(), name: "\n# x".into(), number: None };
        list.members = vec![member("a"), member("b")];
        let text = print(&list);
        assert!(text.contains("members = \"a, b\"") && !text.contains("number ="), "{text}");
        assert_eq!(back(&text).unwrap().differs(&list), []);
        let differs = back(&text.replace("\"a, b\"", "\"b\"")).unwrap().differs(&list);
        assert_eq!(asked(&differs).unwrap().members, Some(vec!["b".to_owned()]));
        let differs = back(&text.replace("members =", "number =")).unwrap().differs(&list);
        assert_eq!(differs.iter().map(|one| one.key).collect::<Vec<_>>(), ["members", "number"]);
    }

    #[test]
    fn a_text_that_cannot_be_meant_says_why() {
        let text = print(&sheet());
        for (from, to, words) in [
            ("entry = ", "# entry = ", "begins: entry ="),
            ("entry = \"urn", "entry = \"x", "leave it as it is"),
            ("version = 3\n", "", "begins: version ="),
            ("version = 3", "version = three", "no number of a version"),
            ("alias =", "colour =", "\"colour\" is none of"),
            ("alias = \"acme\"", "alias = [1]", "write one line and not array"),
            ("cover = \"no\"", "cover = maybe", "write yes, no or usual"),
        ] {
            assert!(text.contains(from), "{from}");
            let why = back(&text.replace(from, to)).unwrap_err();
            assert!(why.contains(words), "{to}: {why}");
        }
    }
}
