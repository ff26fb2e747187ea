//! Questions about the phone book, and their answers. Who sees and may change what is
//! decided by [`postfax_domain::book`] for each entry; nothing here decides it again.
//!
//! An entry is named by its unique identifier, by its alias, or by its number where only
//! one entry has it; what the asker may not see is not there.

pub(crate) mod contact;
mod export;
mod fields;
mod import;
pub(crate) mod rows;
pub(crate) mod schema;
mod uid;

pub(super) use export::export;
pub(super) use fields::{content, shown};
pub(super) use import::{Planned, plan};
pub(super) use uid::new as new_uid;

use std::collections::BTreeSet;

use postfax_domain::{
    book::{Label, Rank, Sharing},
    document::Resolution,
    names::ClientName,
    number::Number,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Entries of one answer, unless the asker says how many.
pub(crate) const USUAL_ENTRIES: usize = 50;

/// A question. On the wire: `{"ask":"book","do":"find","text":"acm"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
// A `version` that is misspelt must not be passed over: it guards what others have changed.
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum AskBook {
    /// Which entries fit? All words have to be in them; no words are everything. Answered
    /// by [`BookReply::Entries`].
    Find {
        /// What is searched: names, companies, aliases, numbers, tags.
        #[serde(default)]
        text: String,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    },
    /// What does an entry say, and what was done to it? Answered by [`BookReply::Entry`].
    Show {
        /// The entry.
        entry: String,
    },
    /// A new entry. Answered by [`BookReply::Entry`].
    Add {
        /// What it says; a name, and a number or members, are needed.
        fields: Box<Fields>,
        /// Whose it is to be; the asker's when absent, and nobody's when an administrator
        /// asks: then it is public.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Keeper>,
        /// Who else may refer to it. When absent, the owner alone, or everyone where it is
        /// nobody's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<Label>,
    },
    /// Change what an entry says. Answered by [`BookReply::Entry`].
    Change {
        /// The entry.
        entry: String,
        /// The version that the asker has seen; refused when there is a newer one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// What is to be different; absent means as it is.
        fields: Box<Fields>,
    },
    /// Change who may refer to an entry. Answered by [`BookReply::Entry`].
    Share {
        /// The entry.
        entry: String,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
        /// With whom.
        with: Sharing,
    },
    /// Delete an entry. Answered by [`BookReply::Deleted`].
    Delete {
        /// The entry.
        entry: String,
        /// As above.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    /// Add and change what a file says. Answered by [`BookReply::Imported`].
    Import(Box<AskImport>),
    /// Everything of the asker's, or everything that they see, as a file. Answered by
    /// [`BookReply::Exported`].
    Export {
        /// How it is written.
        format: FileFormat,
        /// What is exported.
        #[serde(default)]
        what: Exported,
    },
}

impl AskBook {
    /// Whether it changes something.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Find { .. } | Self::Show { .. } | Self::Export { .. } => false,
            Self::Import(import) => !import.dry_run,
            Self::Add { .. } | Self::Change { .. } | Self::Share { .. } | Self::Delete { .. } => {
                true
            }
        }
    }

    /// What the audit log calls it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Find { .. } => "book.find",
            Self::Show { .. } => "book.show",
            Self::Add { .. } => "book.add",
            Self::Change { .. } => "book.change",
            Self::Share { .. } => "book.share",
            Self::Delete { .. } => "book.delete",
            Self::Import(_) => "book.import",
            Self::Export { .. } => "book.export",
        }
    }

    /// The entry that it names.
    pub(super) fn entry(&self) -> Option<&str> {
        match self {
            Self::Show { entry }
            | Self::Change { entry, .. }
            | Self::Share { entry, .. }
            | Self::Delete { entry, .. } => Some(entry),
            Self::Find { .. } | Self::Add { .. } | Self::Import(_) | Self::Export { .. } => None,
        }
    }
}

/// Whose an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Keeper {
    /// A client.
    Client(ClientName),
    /// Nobody: those who may write the public book keep it.
    Public,
}

/// What an entry says, as people write it. An empty text clears a field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// Of a person, a place or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Acme, accounts")]
    pub(crate) name: Option<String>,
    /// The company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "Acme Ltd")]
    pub(crate) company: Option<String>,
    /// The number, as a person writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "020 7946 0100")]
    pub(crate) number: Option<String>,
    /// The T.33 sub-address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "12")]
    pub(crate) subaddress: Option<String>,
    /// What stands before the `@` of the fax domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "acme")]
    pub(crate) alias: Option<String>,
    /// A note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
    /// Words to find it by; all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<BTreeSet<String>>,
    /// Whether a cover goes first when the sender says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cover: Option<CoverChoice>,
    /// The resolution when the sender says nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resolution: Option<ResolutionChoice>,
    /// The entries of a list, each named as an entry is; all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<Vec<String>>,
}

/// Whether a cover goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CoverChoice {
    /// As it usually is.
    Usual,
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// Lines an inch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResolutionChoice {
    /// As it usually is.
    Usual,
    /// 98.
    Standard,
    /// 196.
    Fine,
    /// 391.
    Superfine,
    /// 300 by 300 dots.
    #[serde(rename = "300x300")]
    Dots300,
    /// 400 by 400 dots.
    #[serde(rename = "400x400")]
    Dots400,
}

impl From<Option<Resolution>> for ResolutionChoice {
    fn from(resolution: Option<Resolution>) -> Self {
        match resolution {
            None => Self::Usual,
            Some(Resolution::Standard) => Self::Standard,
            Some(Resolution::Fine) => Self::Fine,
            Some(Resolution::Superfine) => Self::Superfine,
            Some(Resolution::Dots300) => Self::Dots300,
            Some(Resolution::Dots400) => Self::Dots400,
        }
    }
}

impl From<ResolutionChoice> for Option<Resolution> {
    fn from(choice: ResolutionChoice) -> Self {
        match choice {
            ResolutionChoice::Usual => None,
            ResolutionChoice::Standard => Some(Resolution::Standard),
            ResolutionChoice::Fine => Some(Resolution::Fine),
            ResolutionChoice::Superfine => Some(Resolution::Superfine),
            ResolutionChoice::Dots300 => Some(Resolution::Dots300),
            ResolutionChoice::Dots400 => Some(Resolution::Dots400),
        }
    }
}

/// A file with contacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskImport {
    /// The file, in Base64 (RFC 4648 4).
    pub(crate) file: String,
    /// How it is written; found out when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) format: Option<FileFormat>,
    /// Whose new entries are to be, as in [`AskBook::Add`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<Keeper>,
    /// Who else may refer to new entries, as in [`AskBook::Add`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<Label>,
    /// Only say what would change.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// How a file of contacts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FileFormat {
    /// A table (RFC 4180).
    Csv,
    /// vCard 3 (RFC 2426).
    Vcard3,
    /// vCard 4 (RFC 6350).
    Vcard4,
    /// LDIF (RFC 2849).
    Ldif,
}

/// What is exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Exported {
    /// What the asker owns; of an administrator, what is nobody's.
    #[default]
    Own,
    /// Everything that the asker sees.
    Visible,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BookReply {
    /// Entries, the asker's own first.
    Entries {
        /// The entries.
        entries: Vec<EntryRow>,
        /// Whether more fit.
        more: bool,
    },
    /// An entry as it is now.
    Entry(Box<EntrySheet>),
    /// It is deleted.
    Deleted {
        /// It was called this outside.
        uid: String,
        /// Its name.
        name: String,
    },
    /// What became of a file.
    Imported(Box<Imported>),
    /// A file.
    Exported {
        /// How it is written.
        format: FileFormat,
        /// Its text.
        text: String,
        /// How many entries it holds.
        count: usize,
        /// What this format cannot hold, in words.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lost: Vec<String>,
    },
}

/// An entry in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct EntryRow {
    /// Names it outside (RFC 6350 6.7.6).
    pub(crate) uid: String,
    /// Counted from 1 with every change.
    pub(crate) version: u64,
    /// How near it is to the asker.
    #[schema(schema_with = schema::rank)]
    pub(crate) rank: Rank,
    /// Whose it is; absent when it is nobody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "anna")]
    pub(crate) owner: Option<ClientName>,
    /// Who else may refer to it; only for those who may change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::label, required = false)]
    pub(crate) label: Option<Label>,
    /// Whether the asker may change it.
    pub(crate) may_change: bool,
    /// Its name.
    pub(crate) name: String,
    /// The company; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) company: String,
    /// What stands before the `@` of the fax domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// The address that faxes.
    #[schema(example = "acme@fax.example.com")]
    pub(crate) address: String,
    /// The number; absent of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "+442079460100")]
    pub(crate) number: Option<Number>,
    /// The T.33 sub-address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subaddress: Option<String>,
    /// The note; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) tags: BTreeSet<String>,
    /// Whether a cover goes first, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cover: Option<bool>,
    /// The resolution, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::resolution, required = false)]
    pub(crate) resolution: Option<Resolution>,
    /// How many entries a list names; absent where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) members: Option<usize>,
}

/// An entry and all that the asker may know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntrySheet {
    /// The entry.
    pub(crate) entry: EntryRow,
    /// The members of a list that the asker sees, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) members: Vec<Member>,
    /// How many others the list names: they are gone, or not for the asker.
    #[serde(default)]
    pub(crate) unusable: usize,
    /// What was done to it, the newest first; only for those who may change it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) history: Vec<HistoryLine>,
}

/// A member of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Member {
    /// Names it outside.
    pub(crate) uid: String,
    /// Its name.
    pub(crate) name: String,
    /// Its number; absent of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "+442079460100")]
    pub(crate) number: Option<Number>,
}

/// What was done to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HistoryLine {
    /// The version that it made.
    pub(crate) version: u64,
    /// When.
    pub(crate) at: Timestamp,
    /// Who did it, in words.
    pub(crate) by: String,
    /// What was done, in words.
    pub(crate) what: String,
}

/// What became of a file, or would.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Imported {
    /// Whether it was only tried.
    pub(crate) dry_run: bool,
    /// Whether it was done; not where something is wrong with it.
    pub(crate) done: bool,
    /// New entries.
    pub(crate) added: Vec<ImportedEntry>,
    /// Entries that say something else.
    pub(crate) changed: Vec<ImportedEntry>,
    /// How many were there already and say the same.
    pub(crate) same: usize,
    /// What stands in the way, and where in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<String>,
    /// What is left out or read otherwise than it stands there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// An entry of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct ImportedEntry {
    /// Its name.
    pub(crate) name: String,
    /// Its number; absent of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "+442079460100")]
    pub(crate) number: Option<Number>,
    /// What is different, in words; empty when it is new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<String>,
}
