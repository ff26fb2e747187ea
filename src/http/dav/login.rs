//! Who asks: HTTP Basic (RFC 7617) with the mail password of a client, or with one of its
//! tokens in the place of the password. Passwords are never logged.
//!
//! Why address books are not made to use a token alone: most know nothing but a user name
//! and a password, and the client has one. It is checked by those who check it for mail,
//! who count and slow failures together, and who remember for a minute what was right: a
//! password that was changed is forgotten at once.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use postfax_domain::{names::ClientName, redacted::Redacted, setup::Setup};
use postfax_gateway::desk::AuthRefusal;
use tracing::warn;

use super::{
    super::{Shared, door},
    answer::Failure,
};
use crate::{
    config::{TOKEN_PREFIX, Token},
    daemon::now,
};

/// Who was let in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) client: ClientName,
    pub(super) address: IpAddr,
}

/// Lets in who has a good password or token.
///
/// # Errors
/// [`Failure`] asks for them.
pub(super) async fn let_in(
    shared: &Shared,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Visitor, Failure> {
    let config = shared.context.config.load_full();
    let Some(http) = &config.http else { return Err(Failure::new(StatusCode::NOT_FOUND, "")) };
    // RFC 6352 3 wants TLS; a password is never asked for where others could read it.
    if !http.tls && !is_local(address) {
        let words = "passwords are only taken by https: see tls in [http] of the configuration";
        return Err(Failure::new(StatusCode::FORBIDDEN, words));
    }
    let ask = || Failure::new(StatusCode::UNAUTHORIZED, "log in with your name and password");
    let (user, password) = basic(headers).ok_or_else(ask)?;
    if password.starts_with(TOKEN_PREFIX) {
        let token = door::good(http, Token::digest(&password), now());
        if let Some(token) = token.filter(|token| is_called(&config.setup, &token.client, &user)) {
            return Ok(Visitor { client: token.client.clone(), address });
        }
    }
    match shared.passwords.client_by_password(address, &user, &password).await {
        Ok(client) => Ok(Visitor { client, address }),
        Err(why) => Err(refused(address, &user, &why)),
    }
}

/// The log has the line that tools read which bar addresses (`docs/logins.md`).
fn refused(address: IpAddr, user: &str, why: &AuthRefusal) -> Failure {
    let (address, user) = (address.to_canonical(), Redacted(user));
    warn!("login refused: address={address} user={user} reason=\"{why}\"");
    let status = match why {
        AuthRefusal::WrongCredentials => StatusCode::UNAUTHORIZED,
        AuthRefusal::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
        AuthRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    };
    Failure::new(status, why.to_string())
}

/// Whether an address is one of this host.
fn is_local(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Whether a client calls itself so: by its name, or by one of its mail addresses.
fn is_called(setup: &Setup, client: &ClientName, user: &str) -> bool {
    client.as_str() == user || setup.client_of(user) == Some(client)
}

/// RFC 7617 2: the user name has no colon, the password may.
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    // Most send UTF-8, as we ask for; others Latin-1 (RFC 7617 2.1).
    let text = String::from_utf8(decoded)
        .unwrap_or_else(|bad| bad.into_bytes().into_iter().map(char::from).collect());
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn names_and_passwords_are_read() {
        for (value, wants) in [
            ("Basic YW5uYTpzZWNyZXQ=", Some(("anna", "secret"))),
            ("basic  YW5uYTphOmI=", Some(("anna", "a:b"))),
            ("Basic YW5uYTrp", Some(("anna", "é"))),
            ("Basic YW5uYTrDqQ==", Some(("anna", "é"))),
            ("Basic YW5uYQ==", None),
            ("Basic !", None),
            ("Bearer YW5uYTpzZWNyZXQ=", None),
        ] {
            let value = HeaderValue::from_static(value);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            let read = basic(&headers);
            let read = read.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
            assert_eq!(read, wants);
        }
        assert!(is_local("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_local("192.0.2.1".parse().unwrap()));
    }
}
