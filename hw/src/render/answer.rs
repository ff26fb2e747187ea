//! What a child answers, as its parent takes it: sizes are checked, sums are kept, and
//! what it says is never more than a sentence.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, BufReader},
    process::ChildStdout,
};

use super::{
    Progress, RenderError,
    error::one_line,
    protocol::{MAX_PAGE_BYTES, Reply, length, parse},
};
use crate::pages::{
    bitmap::Size,
    ccitt::Coding,
    rasterise::Refusal,
    tiff::{CodedPage, Density},
};

/// All coded pages of a call, in bytes.
const MAX_CODED_BYTES: u64 = 256 << 20;
/// Warnings of a document.
const MAX_WARNINGS: usize = 50;

/// What all documents of a call may have together.
pub(super) struct Budget {
    max_pages: u32,
    progress: Arc<Progress>,
    coded_bytes: AtomicU64,
}

impl Budget {
    /// What is taken of it is shown as `progress`.
    pub(super) fn new(max_pages: u32, progress: Arc<Progress>) -> Self {
        progress.pages.store(0, Ordering::Relaxed);
        progress.drawn.store(0, Ordering::Relaxed);
        Self { max_pages, progress, coded_bytes: AtomicU64::new(0) }
    }

    /// Pages that were kept do not count any more.
    pub(super) fn give_back(&self, drawn: &Drawn) {
        let pages = drawn.pages.len() as u32;
        self.progress.pages.fetch_sub(pages, Ordering::Relaxed);
        self.progress.drawn.fetch_sub(pages, Ordering::Relaxed);
        let bytes = drawn.pages.iter().map(|page| page.bytes.len() as u64).sum();
        self.coded_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Pages of one document.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) pages: Vec<CodedPage>,
    pub(super) warnings: Vec<String>,
    pub(super) blank: bool,
}

/// How a child left off.
pub(super) enum End {
    Done {
        blank: bool,
    },
    Refused(Refusal),
    Over(RenderError),
    /// It went without a last word, or said nonsense.
    Silent(io::Error),
}

/// What one child has answered so far. What it took of the budget is given back with
/// it, unless its pages are kept.
pub(super) struct Answer<'a> {
    budget: &'a Budget,
    density: Density,
    announced: u32,
    pages: Vec<CodedPage>,
    coded_bytes: u64,
    warnings: Vec<String>,
    kept: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(budget: &'a Budget, density: Density) -> Self {
        let (pages, warnings) = (Vec::new(), Vec::new());
        Self { budget, density, announced: 0, pages, coded_bytes: 0, warnings, kept: false }
    }

    /// The pages, which count from now on.
    pub(super) fn keep(mut self, blank: bool) -> Drawn {
        self.kept = true;
        // One that was announced and did not come is none.
        let missing = self.announced - self.pages.len() as u32;
        self.budget.progress.pages.fetch_sub(missing, Ordering::Relaxed);
        let (pages, warnings) = (&mut self.pages, &mut self.warnings);
        if blank && !pages.is_empty() {
            warnings.push("all its pages are blank".into());
        }
        Drawn { pages: std::mem::take(pages), warnings: std::mem::take(warnings), blank }
    }

    pub(super) async fn take(&mut self, from: ChildStdout) -> End {
        let mut from = BufReader::new(from);
        loop {
            match self.take_one(&mut from).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Silent(error),
            }
        }
    }

    async fn take_one(&mut self, from: &mut BufReader<ChildStdout>) -> io::Result<Option<End>> {
        let mut prefix = [0; 4];
        from.read_exact(&mut prefix).await?;
        let mut json = vec![0; length(prefix)?];
        from.read_exact(&mut json).await?;
        match parse(&json)? {
            Reply::Announces(pages) => return Ok(self.announce(pages).err().map(End::Over)),
            Reply::Page { width, lines, bytes } => {
                let size = match self.room(width, lines, bytes) {
                    Ok(size) => size,
                    Err(error) => return Ok(Some(End::Over(error))),
                };
                let mut coded = vec![0; bytes as usize];
                from.read_exact(&mut coded).await?;
                self.pages.push(CodedPage {
                    size,
                    density: self.density,
                    coding: Coding::Mmr,
                    inverted: false,
                    bytes: coded,
                });
                self.budget.progress.drawn.fetch_add(1, Ordering::Relaxed);
            }
            Reply::Warning(text) if self.warnings.len() < MAX_WARNINGS => {
                self.warnings.push(one_line(&text));
            }
            Reply::Warning(_) | Reply::Code(_) => {}
            Reply::Refused(refusal) => return Ok(Some(End::Refused(refusal))),
            Reply::Done { blank } => return Ok(Some(End::Done { blank })),
        }
        Ok(None)
    }

    fn announce(&mut self, pages: u32) -> Result<(), RenderError> {
        let limit = self.budget.max_pages;
        // A child never announces more than the limit; what does is none of ours.
        let pages = pages.min(limit.saturating_add(1));
        self.announced = self.announced.saturating_add(pages);
        let sum =
            self.budget.progress.pages.fetch_add(pages, Ordering::Relaxed).saturating_add(pages);
        if sum > limit { Err(RenderError::TooManyPages { pages: sum, limit }) } else { Ok(()) }
    }

    /// Only pages that were announced, and bytes within the limit of all documents.
    fn room(&mut self, width: u32, lines: u32, bytes: u32) -> Result<Size, RenderError> {
        let size = Size::new(width, lines).filter(|_| bytes <= MAX_PAGE_BYTES);
        let size = size.ok_or(RenderError::TooLarge)?;
        let bytes = u64::from(bytes);
        self.coded_bytes += bytes;
        let sum = self.budget.coded_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let expected = self.pages.len() < self.announced as usize;
        if sum > MAX_CODED_BYTES || !expected { Err(RenderError::TooLarge) } else { Ok(size) }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.budget.progress.pages.fetch_sub(self.announced, Ordering::Relaxed);
            let drawn = self.pages.len() as u32;
            self.budget.progress.drawn.fetch_sub(drawn, Ordering::Relaxed);
            self.budget.coded_bytes.fetch_sub(self.coded_bytes, Ordering::Relaxed);
        }
    }
}
