//! How the phone book looks on the wire, where it looks otherwise than at the other doors;
//! and which media types its files have.

use axum::http::HeaderValue;
use postfax_domain::{
    book::{Label, Sharing},
    dial::Party,
    names::{ClientName, GroupName},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::moment;
use crate::{
    http::problem::{Code, Problem},
    requests::book::{
        EntryRow, EntrySheet, Exported, Fields, FileFormat, HistoryLine, Keeper, Member, schema,
    },
};

/// What is searched.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Search {
    /// All of these words are in the entry: in its name, company, alias, number or tags. No
    /// words are everything.
    #[serde(default)]
    #[param(example = "acm")]
    pub(in crate::http) q: String,
    /// At most so many; 50 when it is not said.
    #[param(minimum = 1, maximum = 999)]
    pub(in crate::http) limit: Option<u32>,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EntryList {
    /// The asker's own first, then those that are shared with them, then those of everyone;
    /// of each the best fits first.
    pub(in crate::http) entries: Vec<EntryRow>,
    /// Whether more fit: more words find them, or an export.
    pub(in crate::http) more: bool,
}

/// An entry and all that the asker may know of it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct EntryView {
    entry: EntryRow,
    /// The members of a list that the asker sees, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    members: Vec<Member>,
    /// How many others the list names: they are gone, or not for the asker.
    #[serde(skip_serializing_if = "is_none")]
    unusable: usize,
    /// What was done to it, newest first; only for those who may change it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    history: Vec<HistoryView>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is called with a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// What was done to an entry.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryView {
    /// The version that it made.
    version: u64,
    #[schema(format = DateTime)]
    at: String,
    /// Who did it.
    #[schema(example = "anna")]
    by: String,
    /// What was done, in words.
    what: String,
}

impl From<HistoryLine> for HistoryView {
    fn from(line: HistoryLine) -> Self {
        Self { version: line.version, at: moment(line.at), by: line.by, what: line.what }
    }
}

impl EntryView {
    pub(in crate::http) fn version(&self) -> u64 {
        self.entry.version
    }

    /// Where it is.
    pub(in crate::http) fn path(&self) -> String {
        entry_path(&self.entry.uid)
    }
}

impl From<EntrySheet> for EntryView {
    fn from(sheet: EntrySheet) -> Self {
        let EntrySheet { entry, members, unusable, history } = sheet;
        Self { entry, members, unusable, history: history.into_iter().map(Into::into).collect() }
    }
}

/// The path of an entry (RFC 3986 2.1, 3.3).
pub(in crate::http) fn entry_path(named: &str) -> String {
    let mut path = String::from("/v1/book/");
    for octet in named.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~:@+".contains(&octet) {
            path.push(char::from(octet));
        } else {
            path.push_str(&format!("%{octet:02X}"));
        }
    }
    path
}

/// A new entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewEntry {
    #[serde(flatten)]
    pub(in crate::http) fields: Fields,
    #[serde(flatten)]
    pub(in crate::http) standing: Standing,
}

/// Whose a new entry is, and who else may refer to it.
#[derive(Debug, Deserialize, ToSchema)]
pub(in crate::http) struct Standing {
    /// Whose it is to be; the asker's when it is not said.
    #[schema(schema_with = schema::keeper, required = false)]
    pub(in crate::http) owner: Option<Keeper>,
    /// Who else may refer to it; the owner alone when it is not said, or everyone where it
    /// is public.
    #[schema(schema_with = schema::label, required = false)]
    pub(in crate::http) label: Option<Label>,
}

/// What an entry says and how it stands, in one object: an object that refuses what it does
/// not know cannot be composed of two (JSON Schema 2020-12 Core 10.3.2.3).
impl PartialSchema for NewEntry {
    fn schema() -> RefOr<Schema> {
        match (Fields::schema(), Standing::schema()) {
            (RefOr::T(Schema::Object(mut all)), RefOr::T(Schema::Object(more))) => {
                all.properties.extend(more.properties);
                all.required.push("name".to_owned());
                all.description = Some("A new entry.".to_owned());
                RefOr::T(Schema::Object(all))
            }
            (fields, _) => fields,
        }
    }
}

impl ToSchema for NewEntry {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Fields::schemas(schemas);
        Standing::schemas(schemas);
    }
}

/// Who else may refer to an entry.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Share {
    /// With everyone, with nobody, with these too, or with these no more.
    #[schema(schema_with = schema::sharing)]
    pub(in crate::http) sharing: Sharing,
}

/// It is deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http) struct DeletedEntry {
    /// It was called this outside.
    pub(in crate::http) uid: String,
    /// Its name.
    pub(in crate::http) name: String,
}

/// How a file is to be taken.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct Taken {
    /// Only say what would change.
    #[serde(default)]
    pub(in crate::http) dry_run: bool,
    /// Whose new entries are to be: `public`, or `client:` and a name; the asker's when it
    /// is not said.
    #[param(example = "public")]
    owner: Option<String>,
    /// Who else may refer to new entries: `everyone`, `nobody`, or clients and groups with
    /// commas between them.
    #[param(example = "client:bob,group:london")]
    share: Option<String>,
}

impl Taken {
    /// # Errors
    /// [`Code::BadRequest`] says what would be right.
    pub(in crate::http) fn owner(&self) -> Result<Option<Keeper>, Problem> {
        let read = |text: &str| match text.split_once(':') {
            None if text == "public" => Ok(Keeper::Public),
            Some(("client", name)) => {
                ClientName::new(name).map(Keeper::Client).map_err(|why| bad(&why.to_string()))
            }
            _ => Err(bad("owner is public, or client: and a name")),
        };
        self.owner.as_deref().map(read).transpose()
    }

    /// # Errors
    /// As above.
    pub(in crate::http) fn label(&self) -> Result<Option<Label>, Problem> {
        let read = |text: &str| match text {
            "everyone" => Ok(Label::Everyone),
            "nobody" => Ok(Label::private()),
            _ => text.split(',').map(party).collect::<Result<_, _>>().map(Label::Named),
        };
        self.share.as_deref().map(read).transpose()
    }
}

fn party(text: &str) -> Result<Party, Problem> {
    match text.trim().split_once(':') {
        Some(("client", name)) => {
            ClientName::new(name).map(Party::Client).map_err(|why| bad(&why.to_string()))
        }
        Some(("group", name)) => {
            GroupName::new(name).map(Party::Group).map_err(|why| bad(&why.to_string()))
        }
        _ => Err(bad("share is everyone, nobody, or a list such as client:bob,group:london")),
    }
}

fn bad(words: &str) -> Problem {
    Problem::new(Code::BadRequest, words)
}

/// Which file is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::http) struct ExportWanted {
    /// How it is written; a table when it is not said.
    #[param(inline)]
    pub(in crate::http) format: Option<FileFormat>,
    /// What is in it; what the asker owns when it is not said.
    #[serde(default)]
    #[param(inline)]
    pub(in crate::http) what: Exported,
}

/// How a file is written that has this media type; `None` where that is to be found out.
///
/// # Errors
/// [`Code::UnsupportedMediaType`] names those that are known.
pub(in crate::http) fn written_as(media: &str) -> Result<Option<FileFormat>, Problem> {
    let mut parts = media.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    match essence.as_str() {
        "text/csv" => Ok(Some(FileFormat::Csv)),
        // Which version it is stands in each card (RFC 6350 6.7.9): either is read.
        "text/vcard" | "text/x-vcard" | "text/directory" => Ok(Some(FileFormat::Vcard4)),
        "application/octet-stream" => Ok(None),
        "text/x-ldif" | "text/ldif" => Ok(Some(FileFormat::Ldif)),
        _ => Err(Problem::new(
            Code::UnsupportedMediaType,
            "send the file as text/csv, text/vcard, text/x-ldif, or application/octet-stream",
        )),
    }
}

/// The media type of a file, and what its name ends with.
pub(in crate::http) fn file_type(format: FileFormat) -> (&'static str, &'static str) {
    match format {
        FileFormat::Csv => ("text/csv; charset=utf-8; header=present", "csv"),
        FileFormat::Vcard3 => ("text/vcard; charset=utf-8; version=3.0", "vcf"),
        FileFormat::Vcard4 => ("text/vcard; charset=utf-8; version=4.0", "vcf"),
        FileFormat::Ldif => ("text/x-ldif; charset=utf-8", "ldif"),
    }
}

/// What a file cannot hold, as a header: a list of strings (RFC 9651 3.1); nothing where it
/// holds all.
pub(in crate::http) fn lost_header(lost: &[String]) -> Option<HeaderValue> {
    let quoted = |text: &String| {
        let plain: String = text.chars().filter(|c| (' '..='~').contains(c)).collect();
        format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
    };
    let all: Vec<String> = lost.iter().map(quoted).collect();
    HeaderValue::try_from(all.join(", ")).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_entry_is_one_object_that_refuses_what_it_does_not_know() {
        let read = |text: &str| serde_json::from_str::<NewEntry>(text);
        let good = read(r#"{"name":"Acme","number":"12","owner":"public","label":"everyone"}"#);
        let good = good.unwrap();
        assert_eq!(good.fields.name.as_deref(), Some("Acme"));
        assert_eq!(good.standing.owner, Some(Keeper::Public));
        assert_eq!(good.standing.label, Some(Label::Everyone));
        assert!(read(r#"{"name":"Acme"}"#).unwrap().standing.owner.is_none());
        let unknown = read(r#"{"name":"Acme","colour":"red"}"#).unwrap_err();
        assert!(unknown.to_string().contains("colour"), "{unknown}");
        assert!(read(r#"{"name":"Acme","owner":"anna"}"#).is_err());
    }

    #[test]
    fn owners_and_labels_are_read() {
        let taken = |owner: &str, share: &str| Taken {
            dry_run: false,
            owner: Some(owner.to_owned()),
            share: Some(share.to_owned()),
        };
        let anna = Keeper::Client(ClientName::new("anna").unwrap());
        for (owner, read) in
            [("public", Some(Keeper::Public)), ("client:anna", Some(anna)), ("anna", None)]
        {
            assert_eq!(taken(owner, "").owner().ok().flatten(), read, "{owner}");
        }
        let bob = Party::Client(ClientName::new("bob").unwrap());
        let both = [bob, Party::Group(GroupName::new("london").unwrap())];
        for (share, read) in [
            ("everyone", Some(Label::Everyone)),
            ("nobody", Some(Label::private())),
            ("client:bob, group:london", Some(Label::Named(both.into()))),
            ("bob", None),
            ("", None),
        ] {
            assert_eq!(taken("", share).label().ok().flatten(), read, "{share}");
        }
    }

    #[test]
    fn names_are_encoded_in_paths() {
        for (name, path) in [
            ("urn:uuid:1-2", "/v1/book/urn:uuid:1-2"),
            ("+442079460100", "/v1/book/+442079460100"),
            ("a b/c?d#e", "/v1/book/a%20b%2Fc%3Fd%23e"),
            ("Größe", "/v1/book/Gr%C3%B6%C3%9Fe"),
        ] {
            assert_eq!(entry_path(name), path);
        }
    }

    #[test]
    fn media_types_name_formats() {
        for (media, format) in [
            ("text/csv; charset=utf-8", Some(Some(FileFormat::Csv))),
            ("Text/vCard;version=3.0", Some(Some(FileFormat::Vcard4))),
            ("application/octet-stream", Some(None)),
            ("text/x-ldif", Some(Some(FileFormat::Ldif))),
            ("application/json", None),
            ("", None),
        ] {
            assert_eq!(written_as(media).ok(), format, "{media}");
        }
    }

    #[test]
    fn what_is_lost_is_a_list_of_strings() {
        let header = |lost: &[&str]| {
            let lost: Vec<String> = lost.iter().map(|text| (*text).to_owned()).collect();
            lost_header(&lost).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(header(&[]), None);
        assert_eq!(header(&["a, b", "c\"\\\n"]).as_deref(), Some(r#""a, b", "c\"\\""#));
    }
}
