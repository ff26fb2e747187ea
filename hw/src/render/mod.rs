//! The confined child: foreign documents are drawn by the same binary in a
//! second process, which has no environment, no files, little memory and little
//! time. A document that crashes, hangs or explodes there costs its own fax an
//! honest refusal and nothing else.
//!
//! ```text
//! parent                                   child (`postfax render-child`)
//!   request header, documents   ──stdin──▶   limits itself, then draws
//!   TIFF-F, fsync, digest       ◀─stdout──   pages (MMR), warnings, refusal
//!   kills it when the time is up
//! ```
//!
//! The parent trusts nothing that comes back: sizes are checked, and all that
//! the child can do is to be the wrong picture.

mod child;
mod codes;
mod convert;
mod error;
mod parent;
mod protocol;
mod tools;

use std::path::{Path, PathBuf};

use postfax_domain::document::{Digest, Paper};

use crate::pages::Look;

pub use crate::pages::kind::Kind;
pub use child::child_main;
pub use error::RenderError;
pub use tools::{Conversion, Tool, Tools};

/// The hidden subcommand that makes the binary the child.
pub const CHILD_ARGUMENT: &str = "render-child";

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

/// Makes pages, by way of children.
#[derive(Debug, Clone)]
pub struct Renderer {
    exe: PathBuf,
    tools: Tools,
    scratch: PathBuf,
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
        Self { exe, tools, scratch: std::env::temp_dir() }
    }

    /// Where the programs of others get their scratch folders, each of which goes when
    /// its program has ended: the folder for temporary files, unless said here.
    #[must_use]
    pub fn with_scratch(self, scratch: PathBuf) -> Self {
        Self { scratch, ..self }
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
        convert::convert(self, conversion, input, "document", limits).await
    }

    /// What the QR codes on the pages of a TIFF-F say, page after page, from the top on;
    /// each once. Dropping the future kills the child.
    ///
    /// # Errors
    /// [`RenderError`]; that there are none is no error.
    pub async fn codes(&self, pages: &[u8], limits: &Limits) -> Result<Vec<String>, RenderError> {
        codes::read(&self.exe, pages, limits).await
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
        parent::render(&self.exe, sources, look, limits, out).await
    }
}

#[cfg(test)]
mod tests;
