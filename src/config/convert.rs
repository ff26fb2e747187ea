//! Checks `[convert]`: how pages are made, and what making them may cost.

use std::path::PathBuf;

use postfax_domain::document::Resolution;

use super::{check::Check, findings::Placed, raw, read::Entry};

const REPLY_QUOTES: &[(&str, ReplyQuote)] = &[("keep", ReplyQuote::Keep), ("cut", ReplyQuote::Cut)];
const UNCONFINED: &[(&str, Unconfined)] =
    &[("refuse", Unconfined::Refuse), ("allow", Unconfined::Allow)];
/// How long pages may hold a line. Thirty scanned pages of text take 1,045 s (56 kB each at
/// 14,400 bit/s) and are never made coarser.
const MAX_LINE_S: u64 = 1200;

/// How pages are made, and what making them may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Convert {
    /// The resolution of a fax whose sender did not choose one.
    pub(crate) resolution: Resolution,
    /// Memory of one conversion, in MiB.
    pub(crate) memory_mb: u64,
    /// How long one conversion may last, in seconds.
    pub(crate) wall_s: u64,
    /// Processor time of one conversion, in seconds.
    pub(crate) cpu_s: u64,
    /// How many conversions run at once.
    pub(crate) parallel: usize,
    /// What of the mail that it answers goes out with a reply.
    pub(crate) reply_quote: ReplyQuote,
    /// How long pages may hold a line before they are made coarser, in seconds; 0 is for
    /// ever.
    pub(crate) max_line_s: u64,
    /// Fonts besides our own, in the order in which they are tried; absolute.
    pub(crate) fonts: Vec<PathBuf>,
    /// What is done where the system cannot confine the children.
    pub(crate) unconfined: Unconfined,
}

/// What is done where the system cannot confine the children that read documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Unconfined {
    /// No document is read.
    #[default]
    Refuse,
    /// They are read all the same.
    Allow,
}

/// What becomes of the original that a reply quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ReplyQuote {
    /// It is faxed with the reply.
    #[default]
    Keep,
    /// Only what was added is faxed.
    Cut,
}

impl Check<'_> {
    pub(super) fn convert(&mut self, raw: &raw::Convert) -> Convert {
        Convert {
            resolution: self.resolution(raw.resolution.given()).unwrap_or_default(),
            memory_mb: self.count(&raw.memory_mb, 1024, 128..=65_536),
            wall_s: self.count(&raw.wall_s, 60, 1..=3600),
            cpu_s: self.count(&raw.cpu_s, 30, 1..=3600),
            parallel: self.size(&raw.parallel, 2, 1..=256),
            reply_quote: self.choice(raw.reply_quote.given(), REPLY_QUOTES).unwrap_or_default(),
            max_line_s: self.count(&raw.max_line_s, MAX_LINE_S, 0..=86_400),
            fonts: self.fonts(&raw.fonts),
            unconfined: self.choice(raw.unconfined.given(), UNCONFINED).unwrap_or_default(),
        }
    }

    fn fonts(&mut self, raw: &Entry<Vec<Placed<String>>>) -> Vec<PathBuf> {
        let nothing = Vec::new();
        let written = raw.given().map_or(&nothing, |list| &list.value);
        let mut fonts = Vec::with_capacity(written.len());
        for named in written {
            let path = self.beside(&named.value);
            if let Err(error) = std::fs::File::open(&path) {
                let message = format!("{} cannot be read: {error}", path.display());
                self.findings.error(&named.place, message, "name a file such as a .ttf or .otf");
            }
            fonts.push(path);
        }
        fonts
    }
}
