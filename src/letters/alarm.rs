//! A mail to the postmaster, when something needs a person.

use std::path::PathBuf;

use postfax_domain::{
    destination::Mailbox,
    job::{Alarm, Job},
    names::JobId,
};
use postfax_gateway::{
    compose::{Automatic, Delimiters, Letter},
    message,
};

use super::{LetterError, Written, message_id, zoned};
use crate::{config::Config, daemon::Context};

pub(super) async fn write(
    context: &Context,
    config: &Config,
    alarm: &Alarm,
    job: &Job,
    to: &Mailbox,
    path: PathBuf,
) -> Result<Written, LetterError> {
    let about = |id: JobId| format!("\n\nSee: postfax show {id}\n");
    let (subject, text) = match alarm {
        Alarm::Unrouted(id) => (
            format!("A received fax has nobody to go to (job {id})"),
            format!(
                "A fax has arrived that no route took, and the group of its server has no \
                 operator. It is kept.{}",
                about(*id)
            ),
        ),
        Alarm::Undeliverable(id) => (
            format!("A mail could not be delivered (job {id})"),
            format!(
                "The mail server did not take a mail, and there is nobody else to give it to. \
                 A received fax is kept.{}",
                about(*id)
            ),
        ),
        Alarm::Returned(id) => (
            format!("The mail with a received fax came back (job {id})"),
            format!(
                "The mail server took the mail and reported later that it could not be \
                 delivered. The fax goes to the operator instead.{}",
                about(*id)
            ),
        ),
        Alarm::Lost(id, server) => (
            format!("{server} was lost with a fax (job {id})"),
            format!(
                "{server} had taken a fax and then could not say what became of it. It may have \
                 been sent, so it is not sent again by itself.{}",
                about(*id)
            ),
        ),
    };
    let letter = Letter {
        from: message::Mailbox {
            name: Some("Postfax".into()),
            address: config.delivery.from.clone(),
        },
        to: message::Mailbox { name: None, address: to.address.clone() },
        subject,
        date: zoned(config, job.created),
        message_id: message_id(context, config, job),
        in_reply_to: None,
        headers: Vec::new(),
        automatic: Some(Automatic::Generated),
        text,
        html: None,
        inline: Vec::new(),
        attachments: Vec::new(),
        delimiters: Delimiters::Random,
    };
    letter.write_file(&path)?;
    Ok(Written { path, from: None, to: to.address.clone() })
}
