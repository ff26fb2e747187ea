//! The pages of a job: what is sent, in its order, and how much it is. The cover and the
//! document are counted together here and nowhere else.

use super::Job;
use crate::document::{Document, Shape};

impl Job {
    /// What is sent, in its order: the cover, if there is one, and the document.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.cover.iter().chain(&self.document)
    }

    /// All its pages, those of the cover included; none as long as they are not made.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.documents().map(|document| document.pages).sum()
    }

    /// Size of all its coded pages in bytes.
    #[must_use]
    pub fn coded_bytes(&self) -> u64 {
        self.documents().map(|document| document.bytes).sum()
    }

    /// Pages that are still to be sent.
    #[must_use]
    pub fn pages_left(&self) -> u32 {
        self.pages().saturating_sub(self.confirmed)
    }

    /// What a server must be able to take of it.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match &self.document {
            Some(document) if !self.coarse => document.shape(),
            _ => Shape::PLAINEST,
        }
    }

    /// From now on its pages go out coarser.
    pub fn coarsen(&mut self) {
        self.coarse = true;
    }
}
