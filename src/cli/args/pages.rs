//! What can be typed to see what documents will look like. Holds no behaviour beyond
//! reading what was typed.

use std::path::PathBuf;

use clap::Args as Group;
use postfax_domain::document::{Paper, Resolution, Tone};

use super::Output;

/// Most documents of one command.
const MAX_FILES: usize = 1000;

/// Which documents, and how they are to look.
#[derive(Debug, Group)]
pub(crate) struct Pages {
    /// The documents: any kind that can be faxed, mails (.eml) among them; - is the input
    #[arg(required = true, num_args = 1..=MAX_FILES, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the pages to this file: .tif, .pdf, or .png (one file for each page); - writes a
    /// TIFF-F to the output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// standard, fine, superfine, 300x300 or 400x400; else what the configuration says
    #[arg(long, short, value_name = "RESOLUTION", value_parser = resolution)]
    pub(crate) resolution: Option<Resolution>,
    /// The widest paper that a page may have: a4, b4 or a3
    #[arg(long, short, default_value = "a4", value_parser = paper)]
    pub(crate) paper: Paper,
    /// How grey becomes black and white: auto, text or photo
    #[arg(long, short, default_value = "auto", value_parser = tone)]
    pub(crate) tone: Tone,
    /// Draw all pages on the terminal; by itself only the first of each document is drawn there
    #[arg(long, overrides_with = "no_preview", conflicts_with = "json")]
    pub(crate) preview: bool,
    /// Draw no page
    #[arg(long)]
    pub(crate) no_preview: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

fn resolution(text: &str) -> Result<Resolution, String> {
    let all = || Resolution::ALL.map(Resolution::as_str).join(", ");
    Resolution::named(text).ok_or_else(|| format!("write one of {}", all()))
}

fn paper(text: &str) -> Result<Paper, String> {
    Paper::named(text).ok_or_else(|| "write a4, b4 or a3".to_owned())
}

fn tone(text: &str) -> Result<Tone, String> {
    Tone::named(text).ok_or_else(|| "write auto, text or photo".to_owned())
}
