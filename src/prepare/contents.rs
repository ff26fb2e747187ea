//! What of a mail is to be faxed. Draws nothing.
//!
//! What is attached is faxed; where nothing is, the text is. A text that came as HTML
//! alone is drawn as HTML, since its tables and headings say something; where a plain text
//! says the same the plain text is taken, which was written to be read without them. What
//! cannot be laid out as HTML is faxed as its words.

use std::{fmt::Write as _, path::PathBuf};

use postfax_domain::document::Digest;
use postfax_gateway::message::{Message, Part};
use postfax_hw::render::{self, Source};
use sha2::{Digest as _, Sha256};

use super::{Trouble, quote};
use crate::config::ReplyQuote;

/// What the text is called where there is nothing else.
const TEXT: &str = "the text";

/// A mail, and what of it is to be faxed.
pub struct Contents {
    /// The mail.
    pub message: Message,
    /// SHA-256 of what is to be faxed.
    pub digest: Digest,
    /// The kinds of the attachments, in their order; none when the text is faxed.
    kinds: Vec<render::Kind>,
    /// What its sender wrote: faxed when nothing is attached, or as part of a cover.
    text: String,
    /// The same as HTML, where it is drawn so.
    html: Option<String>,
}

/// How a text is faxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it was written.
    Written,
    /// Only its words.
    Words,
}

impl Contents {
    /// Finds what is to be faxed. Takes its time: not for a task that others wait for.
    ///
    /// # Errors
    /// [`Trouble`] when the mail itself shows that it cannot be faxed.
    pub fn of(message: Message, quotes: ReplyQuote) -> Result<Self, Trouble> {
        if let Some(why) = message.protection().why_unreadable() {
            return Err(Trouble::Locked(why));
        }
        let mut hash = Sha256::new();
        let mut kinds = Vec::new();
        for part in message.attachments() {
            let bytes = part.bytes();
            if bytes.is_empty() {
                return Err(Trouble::Empty { title: part.title() });
            }
            let name = part.name.as_deref().unwrap_or("");
            let kind = render::Kind::detect(&part.content_type, name, &bytes);
            kinds.push(kind.ok_or_else(|| unsupported(part))?);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(&bytes);
        }
        let text = quote::text(quotes, &message);
        if kinds.is_empty() {
            if text.trim().is_empty() {
                return Err(Trouble::Nothing);
            }
            hash.update(text.as_bytes());
        }
        // What was cut out of its words would still be in its HTML, and so would be what
        // stands for pictures that are attachments.
        let plain = text.trim().is_empty() || quote::cuts(quotes, &message);
        let html = message.html().filter(|_| !plain);
        let mut digest = String::new();
        for octet in hash.finalize() {
            // Writing to a text cannot fail.
            let _ = write!(digest, "{octet:02x}");
        }
        Ok(Self { message, digest: Digest(digest), kinds, text, html })
    }

    /// What its sender wrote; empty when nothing was.
    #[must_use]
    pub fn words(&self) -> &str {
        self.text.trim()
    }

    /// Whether something goes out besides what its sender wrote.
    #[must_use]
    pub fn has_attachments(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// Its text, where it is drawn as HTML.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }

    /// What is drawn, by name.
    #[must_use]
    pub fn titles(&self) -> Vec<String> {
        let titles: Vec<String> = self.message.attachments().map(Part::title).collect();
        if titles.is_empty() { vec![TEXT.to_owned()] } else { titles }
    }

    /// Whether the text itself is what is drawn, as HTML.
    #[must_use]
    pub fn is_html(&self) -> bool {
        self.html.is_some() && !self.has_attachments()
    }

    /// Whether its text is a page of its own before its pictures.
    #[must_use]
    pub fn has_page_of_text(&self) -> bool {
        self.message.attachments().any(|part| part.is_text)
    }

    /// Writes the parts as files for the child process, each to the path that `place` gives
    /// for its name; without the page of its text where that stands on a cover.
    ///
    /// # Errors
    /// [`Trouble::Disk`].
    pub fn spool(
        &self,
        place: impl Fn(&str) -> PathBuf,
        form: Form,
        on_cover: bool,
    ) -> Result<Spooled, Trouble> {
        let mut spooled = Spooled(Vec::new());
        let parts = self.message.attachments().zip(&self.kinds);
        for (part, kind) in parts.filter(|(part, _)| !(on_cover && part.is_text)) {
            let path = place(&part.number.to_string());
            // Known before it is there, so that half of it goes as well.
            spooled.0.push(Source { path: path.clone(), name: part.title(), kind: *kind });
            part.write_to(&path)?;
        }
        if spooled.0.is_empty() {
            let path = place("txt");
            let (kind, text) = match &self.html {
                Some(html) if form == Form::Written => (render::Kind::Html, html),
                _ => (render::Kind::Text, &self.text),
            };
            spooled.0.push(Source { path: path.clone(), name: TEXT.to_owned(), kind });
            std::fs::write(&path, text)?;
        }
        Ok(spooled)
    }
}

/// Files that go when the work is over.
pub struct Spooled(Vec<Source>);

impl Spooled {
    /// One file.
    pub(super) fn of(source: Source) -> Self {
        Self(vec![source])
    }

    /// The files, in the order of the pages.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.0
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        for source in &self.0 {
            let _ = std::fs::remove_file(&source.path);
        }
    }
}

fn unsupported(part: &Part) -> Trouble {
    Trouble::Unsupported { title: part.title(), content_type: part.content_type.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use postfax_gateway::message::Limits;

    use super::*;

    fn contents(mail: &str, quotes: ReplyQuote) -> Contents {
        let mail = mail.replace('\n', "\r\n");
        let message = Message::parse(mail.into(), &Limits::default()).unwrap();
        Contents::of(message, quotes).unwrap()
    }

    #[test]
    fn html_is_drawn_where_no_plain_text_says_the_same() {
        let html = "Content-Type: text/html\n\n<h1>Offer</h1><p>of June</p>\n";
        assert!(contents(html, ReplyQuote::Keep).html().is_some());
        let reply = format!("In-Reply-To: <1@x>\n{html}");
        assert!(contents(&reply, ReplyQuote::Keep).html().is_some());
        assert!(contents(&reply, ReplyQuote::Cut).html().is_none(), "what is cut is only words");
        let both = |plain: &str| {
            format!(
                "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n{plain}\n--b\n\
                 Content-Type: text/html\n\n<p>Offer of June</p>\n--b--\n"
            )
        };
        assert!(contents(&both("Offer of June"), ReplyQuote::Keep).html().is_none());
        let empty = contents(&both("  \n\n"), ReplyQuote::Keep);
        assert!(empty.html().is_some(), "plain text that says nothing");
        assert_eq!(empty.words(), "Offer of June");
        assert!(contents("\nplain\n", ReplyQuote::Keep).html().is_none());
    }

    #[test]
    fn a_text_beside_an_attachment_is_kept_for_a_cover() {
        let mail = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nwith regards\n--b\n\
                    Content-Type: image/tiff\n\nII*\0\n--b--\n";
        let contents = contents(mail, ReplyQuote::Keep);
        assert!(contents.has_attachments() && contents.html().is_none());
        assert_eq!(contents.words(), "with regards");
    }
}
