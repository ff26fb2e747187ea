//! A leaf part of a message. Does not know its neighbours.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use bytes::Bytes;

use super::body::{self, Encoding};

/// What a part is to the reader of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A document that the sender attached.
    Attachment,
    /// A picture that belongs to the HTML body.
    Inline,
    /// Text that the sender wrote.
    TextBody,
    /// The same as HTML, or HTML that the sender wrote.
    HtmlBody,
    /// Another form of a body or of a document that is in a better part.
    Alternative,
    /// A detached signature.
    Signature,
}

/// What `Content-Disposition` says (RFC 2183).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The field is absent.
    None,
    /// `inline`.
    Inline,
    /// `attachment`, or a word that nobody knows (RFC 2183 2.8).
    Attachment,
}

/// A leaf of the tree of parts.
#[derive(Debug, Clone)]
pub struct Part {
    /// Counts from 1 in the order of the message.
    pub number: usize,
    /// The file name, decoded and without folders.
    pub name: Option<String>,
    /// In lower case, without parameters.
    pub content_type: String,
    /// As the field says.
    pub disposition: Disposition,
    /// What the part is to the reader.
    pub kind: Kind,
    pub(super) content_id: Option<String>,
    pub(super) charset: Option<String>,
    pub(super) flow: Option<body::Flow>,
    pub(super) encoding: Encoding,
    pub(super) raw: Bytes,
}

impl Part {
    /// The octets of the part, decoded.
    #[must_use]
    pub fn bytes(&self) -> Cow<'_, [u8]> {
        if self.encoding == Encoding::Identity {
            return Cow::Borrowed(&self.raw);
        }
        let mut decoded = Vec::with_capacity(self.raw.len());
        body::decode(&self.raw, self.encoding, &mut decoded).expect("a Vec takes every write");
        Cow::Owned(decoded)
    }

    /// The octets as they stand in the message, still encoded: at least as many
    /// as there are decoded ones.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.raw.len()
    }

    /// The text of a text part: decoded, line ends `\n`, flowed lines joined
    /// (RFC 3676), signature separators kept.
    #[must_use]
    pub fn text(&self) -> String {
        let text = body::characters(&self.bytes(), self.charset.as_deref()).replace("\r\n", "\n");
        match self.flow {
            Some(flow) => body::join_flowed(&text, flow),
            None => text,
        }
    }

    /// Writes the decoded octets to a new file.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        body::decode(&self.raw, self.encoding, &mut file)?;
        file.flush()
    }
}
