//! The confined child: foreign documents are drawn by the same binary in a
//! second process, which has no environment, no files, little memory and little
//! time. A document that crashes, hangs or explodes there costs its own fax an
//! honest refusal and nothing else.
//!
//! ```text
//! parent                                   child (`postfax render-child`)
//!   request header, document    ──stdin──▶   confines itself, then draws
//!   TIFF-F, fsync, digest       ◀─stdout──   pages (MMR), warnings, refusal
//!   kills it when the time is up
//!
//!   a document in a scratch folder           the same, but becomes a program
//!   what the program has made   ◀────────    of others: LibreOffice, poppler
//! ```
//!
//! Each document has a child of its own, and so many draw at once as there are cores.
//! What a child may use is one table, `cell`; a kernel that cannot enforce it is no
//! place to draw foreign documents, unless an administrator says so.
//!
//! The parent trusts nothing that comes back: sizes are checked, and all that
//! the child can do is to be the wrong picture.

mod answer;
mod cell;
mod child;
mod codes;
mod confine;
mod convert;
mod document;
mod error;
mod grey;
mod parent;
mod protocol;
mod running;
mod tools;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use postfax_domain::document::{Digest, Paper};

use self::{
    cell::{Cell, Program, Sort},
    convert::Foreign,
};
use crate::pages::Look;

pub use crate::pages::kind::Kind;
pub use child::{child_main, confined};
pub use confine::{Confinement, confinement};
pub use error::RenderError;
pub use tools::{Conversion, Tool, Tools};

/// The hidden subcommand that makes the binary the child.
pub const CHILD_ARGUMENT: &str = "render-child";

/// What a child ends with that could not be confined.
const EXIT_UNCONFINED: u8 = 120;

/// What a child may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Address space.
    pub memory_bytes: u64,
    /// Processor time.
    pub cpu_s: u64,
    /// Time on the wall; the parent keeps it.
    pub wall_s: u64,
    /// Pages of all documents of a call.
    pub max_pages: u32,
    /// Size of all documents of a call.
    pub max_input_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            cpu_s: 60,
            wall_s: 90,
            max_pages: 200,
            max_input_bytes: 64 << 20,
        }
    }
}

/// A document to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What the sender calls it, for messages.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// The canonical pages of a fax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The TIFF-F file.
    pub path: PathBuf,
    /// Its pages, at least 1.
    pub pages: u32,
    /// The narrowest paper that its widest page fits on.
    pub paper: Paper,
    /// Size of its coded pages in bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What the sender should know, a sentence each.
    pub warnings: Vec<String>,
}

/// How far one call of [`Renderer::render`] is; looked at from elsewhere while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    pages: AtomicU32,
    drawn: AtomicU32,
}

impl Progress {
    /// The pages of all documents that have been opened so far.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.pages.load(Ordering::Relaxed)
    }

    /// Those of them that are drawn.
    #[must_use]
    pub fn drawn(&self) -> u32 {
        self.drawn.load(Ordering::Relaxed)
    }
}

/// Makes pages, by way of children.
#[derive(Debug, Clone)]
pub struct Renderer {
    exe: PathBuf,
    tools: Tools,
    scratch: PathBuf,
    fonts: Vec<PathBuf>,
    threads: u32,
    allow_unconfined: bool,
    progress: Option<Arc<Progress>>,
}

impl Renderer {
    /// `exe` is a binary that calls [`child_main`] when its first argument is
    /// [`CHILD_ARGUMENT`]. It draws without the programs of others.
    #[must_use]
    pub fn new(exe: PathBuf) -> Self {
        Self::with_tools(exe, Tools::default())
    }

    /// The same, and programs of others help where they are installed.
    #[must_use]
    pub fn with_tools(exe: PathBuf, tools: Tools) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Self {
            exe,
            tools,
            scratch: std::env::temp_dir(),
            fonts: Vec::new(),
            threads,
            allow_unconfined: false,
            progress: None,
        }
    }

    /// Where the programs of others get their scratch folders, each of which goes when
    /// its program has ended: the folder for temporary files, unless said here.
    #[must_use]
    pub fn with_scratch(self, scratch: PathBuf) -> Self {
        Self { scratch, ..self }
    }

    /// Font files that text is set in where ours have no glyph, in order of preference;
    /// [`crate::pages::fonts::MAX_FONTS_BYTES`] in sum.
    #[must_use]
    pub fn with_fonts(self, fonts: Vec<PathBuf>) -> Self {
        Self { fonts, ..self }
    }

    /// How many documents or pages are drawn at once: as many as there are cores, unless
    /// said here.
    #[must_use]
    pub fn with_threads(self, threads: u32) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// Whether to draw also where the kernel cannot confine a child ([`confinement`]).
    #[must_use]
    pub fn allow_unconfined(self, allow_unconfined: bool) -> Self {
        Self { allow_unconfined, ..self }
    }

    /// Whoever else has `progress` sees how far this renderer is; for one that draws one
    /// fax at a time.
    #[must_use]
    pub fn with_progress(self, progress: Arc<Progress>) -> Self {
        Self { progress: Some(progress), ..self }
    }

    fn progress(&self) -> Arc<Progress> {
        self.progress.clone().unwrap_or_default()
    }

    /// Has a program of others convert one document, within the limits, in a scratch
    /// folder of its own. Dropping the future kills it.
    ///
    /// # Errors
    /// [`RenderError`]; [`RenderError::Missing`] names what is to be installed.
    pub async fn convert(
        &self,
        conversion: &Conversion,
        input: &[u8],
        limits: &Limits,
    ) -> Result<Vec<u8>, RenderError> {
        self.confines()?;
        let document = Foreign { bytes: input, name: "document" };
        convert::convert(self, conversion, document, limits, convert::deadline(limits)).await
    }

    /// What the QR codes on the pages of a TIFF-F say, page after page, from the top on;
    /// each once. Dropping the future kills the child.
    ///
    /// # Errors
    /// [`RenderError`]; that there are none is no error.
    pub async fn codes(&self, pages: &[u8], limits: &Limits) -> Result<Vec<String>, RenderError> {
        self.confines()?;
        codes::read(self, pages, limits).await
    }

    /// Draws all documents, in order, to one TIFF-F (MMR) at `out`, which is durable
    /// when this returns, though its name is not. Dropping the future kills the child.
    ///
    /// # Errors
    /// [`RenderError`], each a sentence for an SMTP reply. Nothing is left at `out`.
    pub async fn render(
        &self,
        sources: &[Source],
        look: Look,
        limits: &Limits,
        out: &Path,
    ) -> Result<Rendered, RenderError> {
        self.confines()?;
        parent::render(self, sources, look, limits, out).await
    }

    fn confines(&self) -> Result<(), RenderError> {
        match confinement().lack() {
            Some(lack) if !self.allow_unconfined => Err(RenderError::Unconfined(lack.to_owned())),
            _ => Ok(()),
        }
    }

    fn cell(&self, sort: Sort, limits: &Limits, threads: u32, program: Option<Program>) -> Cell {
        Cell {
            sort,
            memory_bytes: limits.memory_bytes,
            cpu_s: limits.cpu_s,
            threads,
            parent: std::process::id(),
            allow_unconfined: self.allow_unconfined,
            program,
        }
    }
}

#[cfg(test)]
mod tests;
