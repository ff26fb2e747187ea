//! Gives a letter to the mail relay and says what became of it.

use postfax_domain::{
    destination::Destination,
    job::{Cause, Forwarded, Job},
    outcome::Outcome,
};
use postfax_gateway::{
    client::{
        Authorities, Body, Courier, Delivery, Login, Mail, Mechanism, Notify, Rcpt, Relay,
        RelayError, Ret, StartTls,
    },
    sign::SignError,
};

use crate::{
    config::{self, Auth, Config, Starttls},
    daemon::Context,
    letters::Written,
    returns::ReturnPath,
};

/// The courier to the relays of the configuration.
///
/// # Errors
/// [`RelayError`] says what does not go together.
pub(crate) fn courier(config: &Config) -> Result<Courier, RelayError> {
    let delivery = &config.delivery;
    let relays = std::iter::once(&delivery.relay).chain(&delivery.fallback);
    let relays = relays.map(|url| relay(config, url)).collect::<Result<Vec<_>, _>>()?;
    Courier::to_any(relays, delivery.connections as usize)
}

fn relay(config: &Config, url: &config::address::Relay) -> Result<Relay, RelayError> {
    let delivery = &config.delivery;
    let login = delivery.login.as_ref().map(|login| Login {
        user: login.user.clone(),
        password: login.password.reveal().to_owned(),
        mechanism: match delivery.auth {
            Auth::Any => None,
            Auth::Plain => Some(Mechanism::Plain),
            Auth::Login => Some(Mechanism::Login),
        },
    });
    Ok(Relay {
        starttls: match delivery.starttls {
            Starttls::Required => StartTls::Required,
            Starttls::Opportunistic => StartTls::Opportunistic,
            Starttls::Never => StartTls::Never,
        },
        login,
        authorities: match (&delivery.ca_file, delivery.verify) {
            (_, false) => Authorities::Anybody,
            (Some(file), true) => Authorities::File(file.clone()),
            (None, true) => Authorities::System,
        },
        hello_name: config.hostname.clone(),
        ..url.to_string().parse()?
    })
}

/// Signs a letter with the keys of the configuration, if there are any.
///
/// # Errors
/// [`SignError`]
pub(crate) async fn sign(context: &Context, letter: &mut Written) -> Result<(), SignError> {
    let (signer, mut body) = (context.config.load().delivery.signer.clone(), letter.body.clone());
    if signer.is_empty() {
        return Ok(());
    }
    let signing = tokio::task::spawn_blocking(move || signer.sign(&mut body).map(|()| body)).await;
    letter.body = signing.map_err(|bug| SignError::Mail(bug.to_string()))??;
    Ok(())
}

/// Delivers a letter.
///
/// A fax mail asks for a report of its failure (RFC 2532 2.1.1) and of nothing else, to
/// a return path that names its job; a receipt asks for none (RFC 3461 6.1).
pub(crate) async fn deliver(context: &Context, job: &Job, letter: &Written) -> (Outcome, String) {
    let config = context.config.load();
    let attempt = job.under_way().map_or(0, |attempt| attempt.number);
    let is_fax = matches!(job.cause, Cause::Arrived(_));
    let path = ReturnPath { job: job.id, attempt };
    let from = match &letter.from {
        Some(_) if is_fax && config.delivery.returns => {
            Some(path.address(&context.reader.secret, &config.setup.domain))
        }
        from => from.clone(),
    };
    let notify = match (&from, is_fax) {
        (Some(_), true) => Notify::On { success: false, failure: true, delay: false },
        _ => Notify::Never,
    };
    let to = Rcpt { notify: Some(notify), ..Rcpt::new(letter.to.clone()) };
    let mail = Mail {
        from,
        recipients: vec![to],
        // The pages are here still: nobody needs them back.
        ret: is_fax.then_some(Ret::Headers),
        envid: is_fax.then(|| format!("{}-{attempt}", job.id)),
        body: letter.body.clone(),
    };
    bring(context, &mail).await
}

/// Passes a mail on as it came, with the return path that it had.
pub(crate) async fn forward(context: &Context, job: &Job, mail: &Forwarded) -> (Outcome, String) {
    let Destination::Mailbox(to) = &job.destination else {
        return (Outcome::MailRefused, "the mail goes to no mailbox".into());
    };
    let mail = Mail {
        from: mail.from.clone(),
        recipients: vec![Rcpt::new(to.address.clone())],
        ret: None,
        envid: None,
        body: Body::File(context.reader.documents.mail(&mail.message)),
    };
    bring(context, &mail).await
}

async fn bring(context: &Context, mail: &Mail) -> (Outcome, String) {
    let delivered = context.courier.load_full().deliver(mail).await;
    match delivered.into_iter().next() {
        Some((_, Delivery::Accepted(reply))) => (Outcome::MailAccepted, reply.to_string()),
        Some((_, Delivery::Deferred(trouble))) => (Outcome::MailDeferred, trouble.to_string()),
        Some((_, Delivery::Refused(reply))) => (Outcome::MailRefused, reply.to_string()),
        None => (Outcome::MailDeferred, "no answer".into()),
    }
}
