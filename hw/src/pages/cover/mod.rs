//! Cover pages: what goes before a fax and says from whom and to whom it is.
//!
//! A cover reaches the child as a document of its own kind, [`Cover`] in JSON: the
//! text of a template, what its fields stand for, and a logo. [`Template`] reads a
//! template, also where a configuration is checked; `rasterise::cover` draws it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

mod read;
pub(crate) mod template;

pub use template::{Template, TemplateError};

/// Everything that a cover page is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cover {
    /// The template, as an administrator wrote it, or [`Template::built_in`].
    pub template: String,
    /// A picture (PNG, JPEG, GIF, WebP, BMP), in base64.
    pub logo: Option<String>,
    /// What the fields stand for; one that is missing stands for nothing.
    pub fields: BTreeMap<Field, String>,
    /// What the sender wrote, faxed as part of the cover; it may take more pages.
    pub message: String,
    /// What the message is written in.
    #[serde(default)]
    pub written: Written,
    /// Pages that follow the cover.
    pub pages_after: u32,
}

/// What a message is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Written {
    /// Plain text.
    #[default]
    Plain,
    /// HTML, as of a mail that has no plain text.
    Html,
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

impl Field {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ToName,
        Self::ToCompany,
        Self::ToNumber,
        Self::FromName,
        Self::FromCompany,
        Self::FromMail,
        Self::FromNumber,
        Self::Subject,
        Self::Date,
        Self::Reference,
    ];

    /// What a template calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToName => "to-name",
            Self::ToCompany => "to-company",
            Self::ToNumber => "to-number",
            Self::FromName => "from-name",
            Self::FromCompany => "from-company",
            Self::FromMail => "from-mail",
            Self::FromNumber => "from-number",
            Self::Subject => "subject",
            Self::Date => "date",
            Self::Reference => "reference",
        }
    }
}

#[cfg(test)]
mod tests;
