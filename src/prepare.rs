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

mod contents;
mod cover;
mod pages;
mod quote;

use std::{collections::BTreeMap, io, path::Path, sync::Arc, time::Duration};

use postfax_domain::{
    names::JobId,
    options::Made,
    outcome::Outcome,
    supervisor::{Event, Order, Unfit, Work},
};
use postfax_gateway::message::{Limits, Message, MessageError};
use postfax_hw::render::{RenderError, Renderer, Tools};
use tracing::warn;

use crate::{
    config::{Config, MAX_MESSAGE_BYTES, Unconfined},
    crash,
    daemon::Context,
    store::{Mail, StoreError},
};

pub use contents::Contents;
pub use pages::{Fax, MAX_COVERS_AT_ONCE, Press, drawing_limits, in_best_form};

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
         send PDF, TIFF, a picture, text, HTML or an office document"
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

/// What makes pages, as it is configured, with the programs of others that are installed
/// now; `exe` is this program.
#[must_use]
pub fn renderer(config: &Config, exe: &Path) -> Renderer {
    Renderer::with_tools(exe.to_owned(), Tools::find())
        .with_fonts(config.convert.fonts.clone())
        .allow_unconfined(config.convert.unconfined == Unconfined::Allow)
}

/// Makes the pages of a mail that was taken before, and tells the supervisor.
pub async fn run(context: Arc<Context>, work: Work) {
    let message = work.message.clone();
    let making = tokio::spawn(make(context.clone(), work));
    let made = making.await.unwrap_or_else(|bug| {
        let said = format!("the pages could not be made: {bug}");
        Err(Unfit { outcome: Outcome::BadDocument, said })
    });
    crash::point("prepared");
    context.tell(Event::Prepared { message, made }).await;
}

async fn make(context: Arc<Context>, work: Work) -> Result<BTreeMap<JobId, Made>, Unfit> {
    let mut tries = 0;
    loop {
        let trouble = match attempt(&context, &work).await {
            Ok(made) => return Ok(made),
            Err(trouble) => trouble,
        };
        let full = matches!(trouble, Trouble::Disk);
        tries += u32::from(!full);
        if !full && (tries >= TRIES || !trouble.may_pass()) {
            return Err(Unfit { outcome: trouble.outcome(), said: trouble.to_string() });
        }
        warn!(mail = %work.message, %trouble, "its pages are tried again");
        tokio::time::sleep(if full { DISK_PAUSE } else { PAUSE }).await;
    }
}

async fn attempt(context: &Arc<Context>, work: &Work) -> Result<BTreeMap<JobId, Made>, Trouble> {
    let _converter = context.converters.acquire().await.map_err(|_| Trouble::Bug)?;
    let mail = context.reader.mail(&work.message).await?.ok_or(Trouble::Gone)?;
    let config = context.config.load_full();
    let quotes = config.convert.reply_quote;
    let reading = tokio::task::spawn_blocking(move || Contents::of(read(mail)?, quotes));
    let contents = reading.await.map_err(|_| Trouble::Bug)??;
    let (client, contents) = (work.client.clone(), Arc::new(contents));
    let press = Press { context: context.clone(), config, client, contents };
    let faxes: Vec<Fax> = work.orders.iter().map(fax).collect();
    let made = press.pages(&faxes).await?;
    Ok(work.orders.iter().map(|order| order.job).zip(made).collect())
}

fn fax(order: &Order) -> Fax {
    Fax { to: order.to.clone(), wanted: order.wanted.clone(), taken: order.taken }
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
