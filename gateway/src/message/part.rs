//! A leaf part of a message. Does not know its neighbours.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use bytes::Bytes;

use super::body::{self, Encoding};

/// Octets, still encoded, that are enough for [`Part::head`].
const HEAD_ENCODED_BYTES: usize = 1536;

/// What a part is to the reader of the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A document that the sender attached.
    Attachment,
    /// A picture that belongs to the HTML body, such as a logo.
    Inline,
    /// What a program adds for other programs: a visiting card, an appointment, a
    /// key, an empty text. Not faxed beside anything else.
    Accessory,
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
    /// The subject of the message within the message in which it stands; empty where that
    /// has none.
    pub within: Option<String>,
    /// A sibling in a `multipart/alternative` says the same as plain text.
    pub(super) said_better: bool,
    /// What the sender wrote, as a page of its own since pictures follow it.
    pub is_text: bool,
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
        Cow::Owned(body::decoded(&self.raw, self.encoding))
    }

    /// The first octets of the part, decoded: about a thousand, fewer where there
    /// are fewer.
    pub(super) fn head(&self) -> Vec<u8> {
        let encoded = &self.raw[..self.raw.len().min(HEAD_ENCODED_BYTES)];
        body::decoded(encoded, self.encoding)
    }

    /// What it is called where something is said of it: `a.pdf`, `attachment 3`, `a.pdf in
    /// the mail 'offer'`.
    #[must_use]
    pub fn title(&self) -> String {
        let name = match &self.name {
            Some(name) => name.clone(),
            None if self.kind == Kind::Attachment => format!("attachment {}", self.number),
            None => format!("part {}", self.number),
        };
        match self.within.as_deref() {
            None => name,
            Some("") => format!("{name} in the forwarded mail"),
            Some(subject) => format!("{name} in the mail '{subject}'"),
        }
    }

    /// A page of words that stands in no part of the message as it is.
    pub(super) fn of_words(name: String, words: String) -> Self {
        Self {
            number: 0,
            name: Some(name),
            content_type: "text/plain".into(),
            disposition: Disposition::None,
            kind: Kind::Attachment,
            within: None,
            said_better: false,
            is_text: false,
            content_id: None,
            charset: Some("utf-8".into()),
            flow: None,
            encoding: Encoding::Identity,
            raw: words.into(),
        }
    }

    /// A file that stands in no part of the message as it is; its octets are to be added.
    pub(super) fn of_file(name: Option<String>) -> Self {
        let page = Self::of_words(String::new(), String::new());
        let content_type = "application/octet-stream".to_owned();
        Self { name, content_type, disposition: Disposition::Attachment, charset: None, ..page }
    }

    /// The octets as they stand in the message, still encoded: at least as many
    /// as there are decoded ones.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.raw.len()
    }

    /// The text of a text part: decoded, line ends `\n`, flowed lines joined
    /// (RFC 3676), signature separators kept, the armour of a clear signature left
    /// out.
    #[must_use]
    pub fn text(&self) -> String {
        let text = body::characters(&self.bytes(), self.charset.as_deref()).replace("\r\n", "\n");
        let text = match self.flow {
            Some(flow) => body::join_flowed(&text, flow),
            None => text,
        };
        body::without_clear_signature(text)
    }

    /// Writes the decoded octets to a new file; plain text as [`Self::text`] has
    /// it, in UTF-8, since a file does not say in which character set it is.
    ///
    /// # Errors
    /// The file cannot be created or written.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        if self.content_type == "text/plain" && is_words(&self.head()) {
            file.write_all(self.text().as_bytes())?;
            return file.flush();
        }
        body::decode(&self.raw, self.encoding, &mut file)?;
        file.flush()
    }
}

/// Whether this begins a text, and not a document whose name or type is wrong. The
/// escape is one of ISO-2022.
fn is_words(head: &[u8]) -> bool {
    let fits = |octet: &u8| *octet >= b' ' || matches!(octet, b'\t' | b'\r' | b'\n' | 0x0c | 0x1b);
    head.iter().all(fits) && !head.starts_with(b"%PDF-")
}
