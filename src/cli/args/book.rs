//! What can be typed after `postfax book`. Holds no behaviour beyond reading what was typed.

use std::{collections::BTreeSet, path::PathBuf};

use clap::{Args as Group, Subcommand, ValueEnum, ValueHint};
use postfax_domain::{
    dial::Party,
    names::{ClientName, GroupName},
};

use super::{Output, client};

/// What to do with the phone book.
#[derive(Debug, Subcommand)]
pub(crate) enum Book {
    /// List the entries that fit, your own first; without words, all of them
    #[command(after_help = "Examples:\n  postfax book find acme\n  \
        postfax book find 7946 --limit 200")]
    Find {
        /// What to search: names, companies, aliases, numbers, tags; all words have to fit
        text: Vec<String>,
        /// At most so many
        #[arg(long, short, value_name = "COUNT")]
        limit: Option<u32>,
        #[command(flatten)]
        output: Output,
    },

    /// Show all that an entry says, and what was done to it
    #[command(after_help = "Examples:\n  postfax book show acme\n  \
        postfax book show '+44 20 7946 0100'")]
    Show(OneEntry),

    /// Add an entry, or a list of entries
    #[command(after_help = "Examples:\n  \
        postfax book add 'Acme, accounts' '+44 20 7946 0100' --alias acme --company 'Acme Ltd'\n  \
        postfax book add 'Acme, accounts' 02079460100 --with bert --with group:sales\n  \
        postfax book add 'All boards' --alias boards --member acme --member bell")]
    Add(Add),

    /// Change what an entry says; an empty text clears a field
    // Their --version is that of the entry.
    #[command(disable_version_flag = true)]
    #[command(after_help = "Examples:\n  postfax book change acme --number '+44 20 7946 0199'\n  \
        postfax book change acme --note '' --version 3\n\n\
        Exits with 1 when --version is not the last one.")]
    Change(Change),

    /// Let others refer to an entry as well
    #[command(disable_version_flag = true)]
    #[command(
        after_help = "Examples:\n  postfax book share acme --with bert --with group:sales\n  \
        postfax book share acme --everyone"
    )]
    Share {
        /// The entry: its alias, its number or its uid
        entry: String,
        #[command(flatten)]
        with: With,
        #[command(flatten)]
        over: Over,
        #[command(flatten)]
        output: Output,
    },

    /// Let others refer to an entry no more; nobody but the owner, when none are named
    #[command(disable_version_flag = true)]
    #[command(after_help = "Examples:\n  postfax book unshare acme --with bert\n  \
        postfax book unshare acme")]
    Unshare {
        /// The entry: its alias, its number or its uid
        entry: String,
        /// This client, or this group (group:NAME); can be given several times
        #[arg(long, value_name = "WHO", value_parser = party)]
        with: Vec<Party>,
        #[command(flatten)]
        over: Over,
        #[command(flatten)]
        output: Output,
    },

    /// Delete an entry
    #[command(disable_version_flag = true)]
    #[command(after_help = "Example:\n  postfax book delete acme")]
    Delete {
        /// The entry: its alias, its number or its uid
        entry: String,
        #[command(flatten)]
        over: Over,
        #[command(flatten)]
        output: Output,
    },

    /// Add and change what a file of contacts says: vCard, CSV or LDIF
    #[command(after_help = "Examples:\n  postfax book import contacts.csv --dry-run\n  \
        postfax book import contacts.vcf --with group:sales\n  \
        postfax book import - --format ldif < contacts.ldif\n\n\
        All of the file is imported, or nothing where something is wrong with it; then it exits \
        with 1.")]
    Import(Import),

    /// Write your entries to a file of contacts
    #[command(after_help = "Examples:\n  postfax book export contacts.vcf\n  \
        postfax book export --format csv > contacts.csv\n  \
        postfax book export everything.ldif --all")]
    Export(Export),
}

/// One entry.
#[derive(Debug, Group)]
pub(crate) struct OneEntry {
    /// The entry: its alias, its number or its uid
    pub(crate) entry: String,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// The version that is changed.
#[derive(Debug, Group)]
pub(crate) struct Over {
    /// Refuse when there is a newer version than this one
    #[arg(long, value_name = "NUMBER")]
    pub(crate) version: Option<u64>,
}

/// Who may refer to it.
#[derive(Debug, Group)]
#[group(required = true, multiple = true)]
pub(crate) struct With {
    /// This client, or this group (group:NAME); can be given several times
    #[arg(long, value_name = "WHO", value_parser = party, conflicts_with = "everyone")]
    pub(crate) with: Vec<Party>,
    /// Every client
    #[arg(long)]
    pub(crate) everyone: bool,
}

/// Whose new entries are to be, and who else may refer to them.
#[derive(Debug, Group)]
pub(crate) struct Keeping {
    /// This client owns it; you, when nobody is named
    #[arg(long, value_name = "CLIENT", value_parser = client, conflicts_with = "public")]
    pub(crate) owner: Option<ClientName>,
    /// Nobody owns it: those who may write the public book keep it
    #[arg(long)]
    pub(crate) public: bool,
    /// This client may refer to it, or this group (group:NAME); can be given several times
    #[arg(long, value_name = "WHO", value_parser = party, conflicts_with = "everyone")]
    pub(crate) with: Vec<Party>,
    /// Every client may refer to it
    #[arg(long)]
    pub(crate) everyone: bool,
}

/// What an entry says besides its name and number.
#[derive(Debug, Group)]
pub(crate) struct Says {
    /// The company
    #[arg(long, value_name = "TEXT")]
    pub(crate) company: Option<String>,
    /// What stands before the @ of the fax domain
    #[arg(long, short, value_name = "WORD")]
    pub(crate) alias: Option<String>,
    /// The sub-address (T.33): up to 20 digits
    #[arg(long, value_name = "DIGITS")]
    pub(crate) subaddress: Option<String>,
    /// A note
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// A word to find it by; can be given several times, and all that are there go
    #[arg(long, value_name = "WORD")]
    pub(crate) tag: Vec<String>,
    /// Whether a cover goes first when the sender says nothing else
    #[arg(long, value_enum, value_name = "CHOICE")]
    pub(crate) cover: Option<Cover>,
    /// The resolution when the sender says nothing else
    #[arg(long, value_enum, value_name = "CHOICE")]
    pub(crate) resolution: Option<Resolution>,
    /// An entry of a list; can be given several times, and all that are there go
    #[arg(long, value_name = "ENTRY")]
    pub(crate) member: Vec<String>,
}

/// A new entry.
#[derive(Debug, Group)]
pub(crate) struct Add {
    /// The name of a person, a place or a list
    pub(crate) name: String,
    /// The fax number; none for a list
    #[arg(required_unless_present = "member", conflicts_with = "member")]
    #[arg(allow_hyphen_values = false)]
    pub(crate) number: Option<String>,
    #[command(flatten)]
    pub(crate) says: Says,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What is to be different.
#[derive(Debug, Group)]
pub(crate) struct Change {
    /// The entry: its alias, its number or its uid
    pub(crate) entry: String,
    /// The name
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,
    /// The fax number
    #[arg(long, short, value_name = "NUMBER", conflicts_with = "member")]
    pub(crate) number: Option<String>,
    #[command(flatten)]
    pub(crate) says: Says,
    #[command(flatten)]
    pub(crate) over: Over,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A file to read.
#[derive(Debug, Group)]
pub(crate) struct Import {
    /// The file, or - for the input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// How it is written; found out when it is not said
    #[arg(long, short, value_enum)]
    pub(crate) format: Option<Format>,
    /// Only say what would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) keeping: Keeping,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A file to write.
#[derive(Debug, Group)]
pub(crate) struct Export {
    /// The file, or - for the output
    #[arg(default_value = "-", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// How it is written; when it is not said, by the ending of the file, else CSV
    #[arg(long, short, value_enum)]
    pub(crate) format: Option<Format>,
    /// Everything that you see, and not only your own
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// How a file of contacts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, as spreadsheets have it
    Csv,
    /// vCard 3.0, the widest understood
    #[value(alias = "vcard", alias = "vcf")]
    Vcard3,
    /// vCard 4.0
    Vcard4,
    /// What directories exchange
    Ldif,
}

/// Whether a cover goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cover {
    /// As it usually is
    Usual,
    /// It does
    Yes,
    /// It does not
    No,
}

/// Lines an inch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Resolution {
    /// As it usually is
    Usual,
    /// 98
    Standard,
    /// 196
    Fine,
    /// 391
    Superfine,
    /// 300 by 300 dots an inch
    #[value(name = "300x300")]
    Dots300,
    /// 400 by 400 dots an inch
    #[value(name = "400x400")]
    Dots400,
}

/// `bert`, `client:bert` or `group:sales`.
fn party(text: &str) -> Result<Party, String> {
    let bad = |what: &str| format!("that is no name of a {what}: write bert or group:sales");
    match text.split_once(':') {
        Some(("group", name)) => GroupName::new(name).map(Party::Group).map_err(|_| bad("group")),
        Some(("client", name)) => {
            ClientName::new(name).map(Party::Client).map_err(|_| bad("client"))
        }
        Some(_) => Err(bad("client or group")),
        None => ClientName::new(text).map(Party::Client).map_err(|_| bad("client")),
    }
}

impl With {
    /// Those who are named.
    pub(crate) fn parties(self) -> Option<BTreeSet<Party>> {
        (!self.everyone).then(|| self.with.into_iter().collect())
    }
}
