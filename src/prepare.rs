//! Makes the pages of a mail: finds the parts worth faxing, has the child process draw
//! them, and makes the result durable before anybody names it. Who asks for it and
//! what is said about a mail that cannot be faxed is decided elsewhere.
//!
//! Why pages are made at two moments: while a converter is idle they are made before
//! the mail client is told yes, so that what cannot be faxed is refused in the
//! dialogue, in words, by name. When all are busy the mail is taken first, since
//! taking it is a hundred times faster, and its pages are made from the durable copy;
//! then a receipt says what could not be faxed. What the mail itself shows (nothing to
//! fax, a kind of document that nobody here can draw) is always refused at once.

mod quote;

use std::{fmt::Write as _, io, path::PathBuf, sync::Arc, time::Duration};

use postfax_domain::{
    document::{Digest, Document, Resolution},
    outcome::Outcome,
    supervisor::{Event, Unfit},
};
use postfax_gateway::message::{Limits, Message, MessageError, Part};
use postfax_hw::{
    pages::Look,
    render::{self, RenderError, Rendered, Renderer, Source},
};
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use crate::{
    config::{Config, MAX_MESSAGE_BYTES, ReplyQuote},
    crash,
    daemon::Context,
    store::{Mail, StoreError},
};

/// The largest mail that any configuration lets in, with the fields that are put on top
/// of it, in octets.
const MAX_MAIL_BYTES: u64 = MAX_MESSAGE_BYTES + (1 << 20);
/// How often pages are tried whose making failed for a reason that may pass.
const TRIES: u32 = 3;
/// Pause before they are tried again.
const PAUSE: Duration = Duration::from_secs(10);
/// Pause while the disk takes nothing; that is not counted.
const DISK_PAUSE: Duration = Duration::from_secs(30);

/// Why a mail has no pages.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It is no message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It is signed or encrypted so that it cannot be read.
    #[error("{0}")]
    Locked(&'static str),
    /// It is not there any more.
    #[error("the message was not kept")]
    Gone,
    /// There is nothing in it.
    #[error("message contains nothing to fax: no attachment and no text")]
    Nothing,
    /// A part without content.
    #[error("{title} is empty")]
    Empty {
        /// The part.
        title: String,
    },
    /// A part that nobody here can draw.
    #[error(
        "{title} ({content_type}) is not supported: \
         send PDF, TIFF, PNG, JPEG, GIF, WebP, BMP or text"
    )]
    Unsupported {
        /// The part.
        title: String,
        /// What it says it is.
        content_type: String,
    },
    /// The child process says no.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The disk takes nothing.
    #[error("insufficient system storage")]
    Disk,
    /// It was our fault.
    #[error("the message could not be read")]
    Bug,
}

impl Trouble {
    /// What a receipt says of it.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Render(RenderError::TooManyPages { .. } | RenderError::TooLarge) => {
                Outcome::TooManyPages
            }
            _ => Outcome::BadDocument,
        }
    }

    /// Whether it may pass.
    fn may_pass(&self) -> bool {
        match self {
            Self::Render(bad) => bad.is_temporary(),
            Self::Bug => true,
            _ => false,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(failed: io::Error) -> Self {
        warn!(%failed, "a part of a mail could not be kept");
        Self::Disk
    }
}

impl From<StoreError> for Trouble {
    fn from(failed: StoreError) -> Self {
        warn!(%failed, "pages could not be kept");
        Self::Disk
    }
}

/// Reads a mail. How large it may be was decided when it came in.
///
/// # Errors
/// [`Trouble::Message`].
pub fn read(mail: Mail) -> Result<Message, Trouble> {
    Ok(match mail {
        Mail::Row(body) => Message::parse(body, &limits())?,
        Mail::File(path) => Message::read(&path, &limits())?,
    })
}

/// Reads a mail that nobody has taken.
///
/// # Errors
/// [`Trouble::Message`].
pub fn parse(mail: Vec<u8>) -> Result<Message, Trouble> {
    Ok(Message::parse(mail.into(), &limits())?)
}

fn limits() -> Limits {
    Limits { max_message_bytes: MAX_MAIL_BYTES, ..Limits::default() }
}

/// A mail, and what of it is to be faxed.
pub struct Contents {
    /// The mail.
    pub message: Message,
    /// SHA-256 of what is to be faxed.
    pub digest: Digest,
    /// The kinds of the attachments, in their order; none when the text is faxed.
    kinds: Vec<render::Kind>,
    /// The text that is faxed when nothing is attached.
    text: String,
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
        let mut text = String::new();
        if kinds.is_empty() {
            text = quote::text(quotes, &message);
            if text.trim().is_empty() {
                return Err(Trouble::Nothing);
            }
            hash.update(text.as_bytes());
        }
        let mut digest = String::new();
        for octet in hash.finalize() {
            // Writing to a text cannot fail.
            let _ = write!(digest, "{octet:02x}");
        }
        Ok(Self { message, digest: Digest(digest), kinds, text })
    }

    /// Writes the parts as files for the child process, each to the path that `place` gives
    /// for its name.
    ///
    /// # Errors
    /// [`Trouble::Disk`].
    pub fn spool(&self, place: impl Fn(&str) -> PathBuf) -> Result<Spooled, Trouble> {
        let mut spooled = Spooled(Vec::new());
        for (part, kind) in self.message.attachments().zip(&self.kinds) {
            let path = place(&part.number.to_string());
            part.write_to(&path)?;
            spooled.0.push(Source { path, name: part.title(), kind: *kind });
        }
        if spooled.0.is_empty() {
            let path = place("txt");
            std::fs::write(&path, &self.text)?;
            spooled.0.push(Source { path, name: "the text".into(), kind: render::Kind::Text });
        }
        Ok(spooled)
    }
}

/// Files that go when the work is over.
pub struct Spooled(Vec<Source>);

impl Spooled {
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

/// The pages of a mail, durable. The caller holds one of the converters.
///
/// # Errors
/// [`Trouble`].
pub async fn pages(
    context: &Arc<Context>,
    config: &Config,
    contents: &Arc<Contents>,
) -> Result<Document, Trouble> {
    let documents = &context.reader.documents;
    let name = documents.new_name();
    let spooling = (context.clone(), contents.clone(), name.clone());
    let spooled = tokio::task::spawn_blocking(move || {
        let (context, contents, name) = spooling;
        contents.spool(|part| context.reader.documents.spool(&format!("{name}.{part}")))
    });
    let spooled = spooled.await.map_err(|_| Trouble::Bug)??;
    let resolution = resolution(&contents.message).unwrap_or(config.convert.resolution);
    let out = documents.spool(&format!("{name}.tif"));
    let limits = render::Limits {
        memory_bytes: config.convert.memory_mb << 20,
        cpu_s: config.convert.cpu_s,
        wall_s: config.convert.wall_s,
        max_pages: config.setup.limits.max_pages,
        max_input_bytes: config.intake.max_message_bytes,
    };
    let renderer = Renderer::new(context.exe.clone());
    let look = Look { resolution, ..Look::default() };
    let rendered = renderer.render(&spooled.0, look, &limits, &out).await?;
    for warning in &rendered.warnings {
        info!(%warning, "a page may not look as it was meant");
    }
    documents.keep_document(&rendered.path, &rendered.digest)?;
    let Rendered { digest, pages, bytes, paper, .. } = rendered;
    Ok(Document { digest, pages, resolution, paper, bytes })
}

/// Makes the pages of a mail that was taken before, and tells the supervisor.
pub async fn run(context: Arc<Context>, mail: String) {
    let making = tokio::spawn(make(context.clone(), mail.clone()));
    let made = making.await.unwrap_or_else(|bug| {
        let said = format!("the pages could not be made: {bug}");
        Err(Unfit { outcome: Outcome::BadDocument, said })
    });
    crash::point("prepared");
    context.tell(Event::Prepared { message: mail, made }).await;
}

async fn make(context: Arc<Context>, mail: String) -> Result<Document, Unfit> {
    let mut tries = 0;
    loop {
        let trouble = match attempt(&context, &mail).await {
            Ok(document) => return Ok(document),
            Err(trouble) => trouble,
        };
        let full = matches!(trouble, Trouble::Disk);
        tries += u32::from(!full);
        if !full && (tries >= TRIES || !trouble.may_pass()) {
            return Err(Unfit { outcome: trouble.outcome(), said: trouble.to_string() });
        }
        warn!(%mail, %trouble, "its pages are tried again");
        tokio::time::sleep(if full { DISK_PAUSE } else { PAUSE }).await;
    }
}

async fn attempt(context: &Arc<Context>, mail: &str) -> Result<Document, Trouble> {
    let _converter = context.converters.acquire().await.map_err(|_| Trouble::Bug)?;
    let mail = context.reader.mail(mail).await?.ok_or(Trouble::Gone)?;
    let quotes = context.config.load().convert.reply_quote;
    let reading = tokio::task::spawn_blocking(move || Contents::of(read(mail)?, quotes));
    let contents = reading.await.map_err(|_| Trouble::Bug)??;
    pages(context, &context.config.load_full(), &Arc::new(contents)).await
}

fn unsupported(part: &Part) -> Trouble {
    Trouble::Unsupported { title: part.title(), content_type: part.content_type.clone() }
}

fn resolution(message: &Message) -> Option<Resolution> {
    Resolution::named(&message.header("X-Fax-Resolution")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_as_large_as_the_configuration_lets_in_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("large.eml");
        let mut mail = b"Subject: large\r\nContent-Type: image/tiff\r\n\r\n".to_vec();
        mail.resize(70 << 20, b'x');
        std::fs::write(&path, mail).unwrap();
        let read = read(Mail::File(path.clone())).unwrap();
        assert_eq!(read.subject().as_deref(), Some("large"));
    }
}
