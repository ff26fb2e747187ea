//! What is asked of the pages of a fax, by whom first, and what they became.
//!
//! Everybody may leave something open: the address, the header of the mail, the phone
//! book, the client's settings and the configuration are asked in this order
//! ([`Asked::or`]), and what then stands is settled for good when the fax is taken
//! ([`Wanted`]), so that a reload changes no fax that is on its way.

use serde::{Deserialize, Serialize};

use crate::document::{Document, Paper, Resolution, Tone};

/// Whether a cover goes first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CoverAsked {
    /// None.
    Off,
    /// By the template of whoever is asked next.
    On,
    /// The same, where the mail has a text to stand on it.
    Body,
    /// By the template of this name.
    Named(String),
}

/// What one of those who are asked says; what is absent is left to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Dots an inch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// How grey becomes black and white.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// The widest paper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paper: Option<Paper>,
    /// Whether a cover goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<CoverAsked>,
    /// What the sender's office calls the fax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who sends, for the cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The company of the recipient, for the cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

impl Asked {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The same, and where it says nothing what `next` says.
    #[must_use]
    pub fn or(self, next: &Self) -> Self {
        Self {
            resolution: self.resolution.or(next.resolution),
            tone: self.tone.or(next.tone),
            paper: self.paper.or(next.paper),
            cover: self.cover.or_else(|| next.cover.clone()),
            reference: self.reference.or_else(|| next.reference.clone()),
            from: self.from.or_else(|| next.from.clone()),
            company: self.company.or_else(|| next.company.clone()),
        }
    }
}

/// What the pages of one fax are to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Dots an inch.
    pub resolution: Resolution,
    /// What was asked for instead, where no fax server takes it that may call there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finer: Option<Resolution>,
    /// How grey becomes black and white.
    pub tone: Tone,
    /// The widest paper.
    pub paper: Paper,
    /// What was asked for instead, where no fax server takes it that may call there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wider: Option<Paper>,
    /// The template of the cover that goes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<String>,
    /// What the sender's office calls the fax.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Who sends, where the address or the header says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The company of the recipient, where the address says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
}

/// The pages of one fax, durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What is faxed; the cover itself where the mail is all on it.
    pub document: Document,
    /// What goes before it.
    pub cover: Option<Document>,
    /// What the sender is told of the making.
    pub remarks: Remarks,
}

impl Made {
    /// All pages, those of the cover included.
    #[must_use]
    pub fn pages(&self) -> u32 {
        self.document.pages + self.cover.as_ref().map_or(0, |cover| cover.pages)
    }
}

impl From<Document> for Made {
    fn from(document: Document) -> Self {
        Self { document, cover: None, remarks: Remarks::default() }
    }
}

/// What the sender is told of how the pages were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remarks {
    /// That they were made to cost less than as they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stepped: Option<Stepped>,
    /// What may not look as it was meant, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Remarks {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why pages are not as they were asked for: they would have held a line too long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stepped {
    /// Dots an inch, as asked for.
    pub asked: Resolution,
    /// Dots an inch, as made.
    pub made: Resolution,
    /// Whether pictures are made by a threshold, like text, as well.
    pub as_text: bool,
    /// How long they would have taken on the line, in seconds.
    pub line_s: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_who_says_something_is_heard() {
        let address = Asked { cover: Some(CoverAsked::Off), ..Asked::default() };
        let header = Asked {
            cover: Some(CoverAsked::On),
            resolution: Some(Resolution::Superfine),
            ..Asked::default()
        };
        let client = Asked {
            resolution: Some(Resolution::Standard),
            tone: Some(Tone::Photo),
            ..Asked::default()
        };
        let settled = address.or(&header).or(&client);
        assert_eq!(settled.cover, Some(CoverAsked::Off));
        assert_eq!(settled.resolution, Some(Resolution::Superfine));
        assert_eq!((settled.tone, settled.paper), (Some(Tone::Photo), None));
        assert!(!settled.is_nothing() && Asked::default().is_nothing());
    }
}
