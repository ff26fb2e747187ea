//! Why documents did not become pages, in sentences for the sender.

use crate::pages::rasterise::Refusal;

/// Why documents did not become pages.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A sound document that cannot be drawn.
    #[error("attachment {name} cannot be faxed: {what}")]
    Unsupported {
        /// The attachment.
        name: String,
        /// What it has or is.
        what: String,
    },
    /// A damaged document.
    #[error("attachment {name} cannot be read: {why}")]
    Broken {
        /// The attachment.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A document that asks for a password.
    #[error("attachment {name} is protected by a password")]
    Encrypted {
        /// The attachment.
        name: String,
    },
    /// More pages than a fax may have.
    #[error("{pages} pages, limit {limit}")]
    TooManyPages {
        /// Pages counted so far.
        pages: u32,
        /// The most.
        limit: u32,
    },
    /// More bytes or pixels than are taken.
    #[error("the attachments are too large to be faxed")]
    TooLarge,
    /// The time was up.
    #[error("attachment {name} takes too long to convert")]
    TimedOut {
        /// The attachment.
        name: String,
    },
    /// The child died.
    #[error("attachment {name} could not be converted")]
    Crashed {
        /// The attachment.
        name: String,
    },
    /// A document that another program would draw, which is not installed.
    #[error("attachment {name} cannot be faxed: {program} is not installed (package {package})")]
    Missing {
        /// The attachment.
        name: String,
        /// The program.
        program: &'static str,
        /// The package that brings it.
        package: &'static str,
    },
    /// The kernel cannot confine a process as is needed, and nobody allowed to go on.
    #[error("documents cannot be drawn safely here: {0}")]
    Unconfined(String),
    /// There were no documents, or no pages in them.
    #[error("message contains nothing to fax")]
    Nothing,
    /// Something of our own.
    #[error("pages cannot be made at the moment: {0}")]
    Local(#[from] std::io::Error),
}

impl RenderError {
    /// Whether the same mail may do better later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Crashed { .. } | Self::Unconfined(_) | Self::Local(_) => {
                true
            }
            Self::Unsupported { .. }
            | Self::Broken { .. }
            | Self::Encrypted { .. }
            | Self::TooManyPages { .. }
            | Self::TooLarge
            | Self::Missing { .. }
            | Self::Nothing => false,
        }
    }

    pub(super) fn refused(refusal: Refusal, name: String) -> Self {
        match refusal {
            Refusal::Unsupported(what) | Refusal::Lossy(what) => {
                Self::Unsupported { name, what: one_line(&what) }
            }
            Refusal::Broken(why) => Self::Broken { name, why: one_line(&why) },
            Refusal::Encrypted => Self::Encrypted { name },
            Refusal::TooManyPages { pages, limit } => Self::TooManyPages { pages, limit },
            Refusal::TooLarge => Self::TooLarge,
        }
    }
}

/// Characters of a child's sentence that go into a reply.
const MAX_SENTENCE: usize = 200;

/// What the child says may quote the document: no line breaks, no control
/// characters, not endless.
pub(super) fn one_line(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(MAX_SENTENCE).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fit_a_reply() {
        let said = Refusal::Broken(format!("evil\r\n250 ok\r\n{}", "x".repeat(5000)));
        let error = RenderError::refused(said, "a.pdf".into());
        let sentence = error.to_string();
        assert!(!sentence.contains(['\r', '\n']) && sentence.len() < 300, "{sentence}");
        assert!(!error.is_temporary());
    }
}
