//! Gives a letter to the mail relay and says what became of it.

use postfax_domain::outcome::Outcome;
use postfax_gateway::{
    client::{
        Authorities, Body, Courier, Delivery, Login, Mail, Rcpt, Relay, RelayError, StartTls,
    },
    sign::SignError,
};

use crate::{
    config::{Config, Starttls},
    daemon::Context,
    letters::Written,
};

/// The courier to the relay of the configuration.
///
/// # Errors
/// [`RelayError`] says what does not go together.
pub(crate) fn courier(config: &Config) -> Result<Courier, RelayError> {
    let delivery = &config.delivery;
    let login = delivery.login.as_ref().map(|login| Login {
        user: login.user.clone(),
        password: login.password.reveal().to_owned(),
    });
    let relay = Relay {
        starttls: match delivery.starttls {
            Starttls::Required => StartTls::Required,
            Starttls::Opportunistic => StartTls::Opportunistic,
            Starttls::Never => StartTls::Never,
        },
        login,
        authorities: Authorities::System,
        hello_name: config.hostname.clone(),
        ..delivery.relay.to_string().parse()?
    };
    Courier::new(relay, delivery.connections as usize)
}

/// Signs a letter with the keys of the configuration, if there are any.
///
/// # Errors
/// [`SignError`]
pub(crate) async fn sign(context: &Context, letter: &Written) -> Result<(), SignError> {
    let (signer, path) = (context.config.load().delivery.signer.clone(), letter.path.clone());
    let signing = tokio::task::spawn_blocking(move || signer.sign(&path)).await;
    signing.map_err(|bug| SignError::Mail(bug.to_string()))?
}

/// Delivers a letter.
pub(crate) async fn deliver(context: &Context, letter: &Written) -> (Outcome, String) {
    let mail = Mail {
        from: letter.from.clone(),
        recipients: vec![Rcpt::new(letter.to.clone())],
        ret: None,
        envid: None,
        body: Body::File(letter.path.clone()),
    };
    let delivered = context.courier.load().deliver(&mail).await;
    match delivered.into_iter().next() {
        Some((_, Delivery::Accepted(reply))) => (Outcome::MailAccepted, reply.to_string()),
        Some((_, Delivery::Deferred(trouble))) => (Outcome::MailDeferred, trouble.to_string()),
        Some((_, Delivery::Refused(reply))) => (Outcome::MailRefused, reply.to_string()),
        None => (Outcome::MailDeferred, "no answer".into()),
    }
}
