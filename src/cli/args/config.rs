//! What can be typed after `postfax config`. Holds no behaviour.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

use super::Output;
use crate::{config::Set, requests::Terms};

/// What to do with the configuration.
#[derive(Debug, Group)]
pub(crate) struct Configure {
    /// What to do
    #[command(subcommand)]
    pub(crate) what: What,
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Show what is written under a key, or all files
    Get {
        /// The key, such as limits.max_pages, client.anna or dial[2].via
        key: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Change keys, all or none, and put them in force
    #[command(disable_version_flag = true)]
    #[command(after_help = "Examples:\n  postfax config set limits.max_pages=100\n  \
        postfax config set 'client.bert={mail=[\"bert@example.com\"], groups=[\"london\"]}'\n  \
        postfax config set client.bert=      takes it away\n\n\
        Comments and the order of everything else stay as they are.")]
    Set {
        /// The keys, and their values in TOML; without a value the key goes
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = set)]
        changes: Vec<Set>,
        #[command(flatten)]
        terms: On,
        #[command(flatten)]
        output: Output,
    },
    /// Change a file in $EDITOR, and put it in force
    Edit {
        /// The file, such as conf.d/clients.toml; the main one when none is given
        file: Option<PathBuf>,
        /// Why, for the history
        #[arg(long, value_name = "WORDS", default_value = "")]
        reason: String,
        #[command(flatten)]
        output: Output,
    },
    /// List the versions that are kept, newest first
    History {
        #[command(flatten)]
        output: Output,
    },
    /// Show all that a version said
    Show {
        /// The version
        number: u64,
        #[command(flatten)]
        output: Output,
    },
    /// Show what differs between two versions
    Diff {
        /// The older version
        from: u64,
        /// The newer one; the last one when none is given
        to: Option<u64>,
        #[command(flatten)]
        output: Output,
    },
    /// Put an old version in force again, as a new version
    #[command(disable_version_flag = true)]
    Rollback {
        /// The old version
        number: u64,
        #[command(flatten)]
        terms: On,
        #[command(flatten)]
        output: Output,
    },
}

/// On what terms something is changed.
#[derive(Debug, Group)]
pub(crate) struct On {
    /// Why, for the history
    #[arg(long, value_name = "WORDS", default_value = "")]
    reason: String,
    /// Only if this is still the last version
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    /// Check it, show what would differ, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl From<On> for Terms {
    fn from(On { reason, version, dry_run }: On) -> Self {
        Self { reason, version, dry_run }
    }
}

fn set(text: &str) -> Result<Set, String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE, or KEY= to take it away")?;
    let value = Some(value.trim()).filter(|value| !value.is_empty()).map(str::to_owned);
    Ok(Set { key: key.trim().to_owned(), value })
}
