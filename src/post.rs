//! Gives a letter to the mail relay and says what became of it.

use postfax_domain::outcome::Outcome;
use postfax_gateway::client::{Courier, Delivery, Mail, Rcpt, Source};

use crate::{daemon::Context, letters::Written};

/// Delivers a letter.
pub async fn deliver(context: &Context, letter: &Written) -> (Outcome, String) {
    let mail = Mail {
        from: letter.from.clone(),
        recipients: vec![Rcpt { address: letter.to.clone(), ..Rcpt::default() }],
        body: Source::File(letter.path.clone()),
        ..Mail::default()
    };
    let delivered = context.courier.load().deliver(&mail).await;
    match delivered.into_iter().next() {
        Some((_, Delivery::Accepted(reply))) => (Outcome::MailAccepted, reply),
        Some((_, Delivery::Deferred(reply))) => (Outcome::MailDeferred, reply),
        Some((_, Delivery::Refused(reply))) => (Outcome::MailRefused, reply),
        None => (Outcome::MailDeferred, "no answer".into()),
    }
}
