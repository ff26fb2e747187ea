//! A mail that asks something comes from a client, proven as for a fax, and from no
//! program: nobody answers what answers by itself (RFC 3834 2).

use std::{path::Path, sync::Arc};

use postfax_gateway::{
    desk::{Envelope, Mail, Peer},
    message::{Kind, Message, Part, Precedence},
    reply::Reply,
};

use super::{
    FaxDesk,
    door::What,
    fit::{Loops, acceptable},
    replies::refused,
    who::says_the_truth,
};
use crate::{
    config::Config,
    inquiry::{self, Attached, Inquiries, Service, Unanswered},
};

impl FaxDesk {
    /// The same desk, with those who answer what clients ask by mail.
    #[must_use]
    pub(crate) fn answering(mut self, inquiries: Arc<Inquiries>) -> Self {
        self.inquiries = inquiries;
        self
    }

    /// Whether somebody may ask by mail: a client who can be answered.
    pub(super) fn may_ask(&self, config: &Config, peer: &Peer, mail: &Mail) -> Result<(), Reply> {
        let client = self.client(config, peer, mail)?;
        return_path(mail)?;
        self.count(config, peer, self.known(peer, &client), What::Recipients(1))
    }

    /// Has a host that nobody vouches for prove who asks, in a mail that is no fax.
    pub(super) async fn prove_asker(
        &self,
        peer: &Peer,
        envelope: &Envelope,
        file: &Path,
    ) -> Result<(), Reply> {
        let config = self.config();
        let client = self.client(&config, peer, &envelope.mail)?;
        let envelope = Envelope { path: file.to_owned(), ..envelope.clone() };
        self.prove(&config.setup, peer, &envelope, &client).await
    }

    /// Has a mail answered that asks something. The job that brings the answer.
    pub(super) async fn inquire(
        &self,
        peer: &Peer,
        envelope: &Envelope,
        file: &Path,
        service: Service,
    ) -> Result<u64, Reply> {
        let config = self.config();
        let client = self.client(&config, peer, &envelope.mail)?;
        let from = return_path(&envelope.mail)?;
        let unreadable = || Reply::new(554, (6, 0), "the message cannot be read");
        let message = self.read_message(file, envelope.bytes).await.ok_or_else(unreadable)?;
        says_the_truth(&config, peer, &client, &message)?;
        acceptable(&Loops::of(&config, &self.context.reader.installation), &message)?;
        from_a_person(&message)?;
        let is_contacts = |part: &&Part| {
            !matches!(part.kind, Kind::TextBody | Kind::HtmlBody)
                && inquiry::may_be_contacts(part.name.as_deref(), &part.content_type)
        };
        let contacts = message.parts.iter().filter(is_contacts);
        // Some programs attach the pictures of a signature.
        let is_other = |part: &&Part| {
            part.kind == Kind::Attachment
                && !part.content_type.starts_with("image/")
                && !is_contacts(part)
        };
        let other_file = message.parts.iter().find(is_other);
        let other_file = other_file.map(|part| part.name.as_deref().unwrap_or(&part.content_type));
        let files: Vec<_> = contacts.map(|part| Attached { bytes: part.bytes() }).collect();
        let mail = inquiry::Mail {
            client: &client,
            from,
            service,
            message_id: message.message_id(),
            subject: message.subject(),
            text: &message.text(),
            files: &files,
            other_file,
            is_reply: ["In-Reply-To", "References"]
                .iter()
                .any(|name| message.header(name).is_some()),
        };
        self.inquiries.take(&self.context, &mail).await.map_err(|why| match why {
            Unanswered::Refused(refusal) => refused(&refusal, &config.timezone),
            Unanswered::Later(_) => Reply::new(451, (3, 2), why.to_string()),
        })
    }
}

/// Where the answer goes: nowhere but to the return path (RFC 3834 4).
fn return_path(mail: &Mail) -> Result<String, Reply> {
    let nobody = || Reply::new(550, (7, 1), "there is no return path to answer to");
    mail.from.as_ref().map(ToString::to_string).ok_or_else(nobody)
}

/// Lists and bulk mail are never answered (RFC 3834 2); other programs were refused
/// already, as for a fax.
fn from_a_person(message: &Message) -> Result<(), Reply> {
    let bulk = matches!(message.precedence(), Precedence::Bulk | Precedence::Junk);
    match message.is_from_list() || bulk {
        true => Err(Reply::new(550, (7, 1), "mail of lists is not answered: write yourself")),
        false => Ok(()),
    }
}
