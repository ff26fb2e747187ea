//! Cover pages: what goes before a fax and says from whom and to whom it is.
//!
//! A cover reaches the child as a document of its own kind, [`Cover`] in JSON: the
//! text of a template, what its fields stand for, and a logo.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that a cover page is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cover {
    /// The template, as an administrator wrote it.
    pub template: String,
    /// A picture of any kind that pages are made of, in base64.
    pub logo: Option<String>,
    /// What the fields stand for; one that is missing stands for nothing.
    pub fields: BTreeMap<Field, String>,
    /// What the sender wrote, faxed as part of the cover; it may take more pages.
    pub message: String,
    /// Pages that follow the cover.
    pub pages_after: u32,
}

/// What a template may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The recipient, from the address or the phone book.
    ToName,
    /// Its company.
    ToCompany,
    /// Its number, as people write it.
    ToNumber,
    /// The sender.
    FromName,
    /// Its company.
    FromCompany,
    /// Its mail address.
    FromMail,
    /// The number that it is called back at.
    FromNumber,
    /// The subject of the mail.
    Subject,
    /// When the mail was taken, in the sender's language.
    Date,
    /// What the sender's office calls it: a billing code or a reference.
    Reference,
}
