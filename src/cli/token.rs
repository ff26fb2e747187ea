//! `postfax token`: makes, lists and takes back the tokens by which clients ask over
//! HTTP. A token is printed once; only its SHA-256 is ever written. The file is
//! replaced as a whole, as that of the passwords is.

use std::{fmt::Write as _, path::Path, time::Duration};

use postfax_domain::{names::ClientName, time::Timestamp};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{
    Exit, Failure,
    args::{self, TokenDeed},
    ask::print,
    passwd::{content, replace},
};
use crate::config::{TOKEN_PREFIX, Token, moment};

/// Octets of chance in a token: 256 bits.
const SECRET_BYTES: usize = 32;
const DAY_S: u64 = 24 * 3600;

/// Does what was asked for with the file of tokens.
///
/// # Errors
/// When the file cannot be read or replaced, or the token is there already or is not.
pub(crate) fn token(asked: &args::Token, file: &Path) -> Result<Exit, Failure> {
    let old = content(file)?;
    match &asked.what {
        TokenDeed::List => {
            print(&listed(&old))?;
        }
        TokenDeed::Create { client, name, days } => {
            if tokens(&old).any(|token| is(&token, client, Some(name))) {
                let words = format!("{client} has a token \"{name}\" already");
                let hint = "give the new one another --name, or revoke the old one first";
                return Err(Failure::new(Exit::Usage, words).advise(hint));
            }
            let secret = secret()?;
            let line = kept(client, name, *days, &secret);
            let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
            let new = format!("{old}{gap}{line}\n");
            replace(file, &new).map_err(|error| Failure::file(file.display(), &error))?;
            print(&format!("{secret}\n"))?;
        }
        TokenDeed::Revoke { client, name } => {
            let stays = |line: &&str| {
                !Token::parse(line).is_ok_and(|token| is(&token, client, name.as_ref()))
            };
            let new: String = old.lines().filter(stays).map(|line| format!("{line}\n")).collect();
            let (before, after) = (tokens(&old).count(), tokens(&new).count());
            if before == after {
                let words = format!("{client} has no such token in {}", file.display());
                return Err(Failure::new(Exit::Usage, words));
            }
            replace(file, &new).map_err(|error| Failure::file(file.display(), &error))?;
            print(&format!("revoked: {}\n", before - after))?;
        }
    }
    Ok(Exit::Ok)
}

fn is(token: &Token, client: &ClientName, name: Option<&String>) -> bool {
    token.client == *client && name.is_none_or(|name| token.name == *name)
}

fn tokens(content: &str) -> impl Iterator<Item = Token> {
    content.lines().filter_map(|line| Token::parse(line).ok())
}

/// Hexadecimal, so that one word is all of it wherever it is copied from.
fn secret() -> Result<String, Failure> {
    let mut chance = [0; SECRET_BYTES];
    let filled = SystemRandom::new().fill(&mut chance);
    filled.map_err(|_| Failure::new(Exit::Bug, "the system gives no random numbers"))?;
    let mut secret = TOKEN_PREFIX.to_owned();
    for octet in chance {
        // Writing to a text cannot fail.
        let _ = write!(secret, "{octet:02x}");
    }
    Ok(secret)
}

fn kept(client: &ClientName, name: &str, days: Option<u32>, secret: &str) -> Token {
    let created = Timestamp(jiff::Timestamp::now().as_millisecond());
    let time = |days| Duration::from_secs(u64::from(days) * DAY_S);
    Token {
        client: client.clone(),
        name: name.to_owned(),
        digest: Token::digest(secret),
        created,
        expires: days.map(|days| created + time(days)),
    }
}

fn listed(content: &str) -> String {
    tokens(content).fold(String::new(), |list, token| {
        let Token { client, name, created, expires, .. } = token;
        let until = expires.map_or_else(|| "never".to_owned(), moment);
        list + &format!("{client}  {name}  made {}  ends {until}\n", moment(created))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna() -> ClientName {
        ClientName::new("anna").unwrap()
    }

    #[test]
    fn only_the_digest_is_kept_and_only_the_one_is_revoked() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tokens");
        std::fs::write(&file, "# ours").unwrap();
        let run = |what| token(&args::Token { what, file: None }, &file);
        let create =
            |name: &str, days| run(TokenDeed::Create { client: anna(), name: name.into(), days });
        create("laptop", None).unwrap();
        create("phone", Some(1)).unwrap();
        assert!(create("phone", None).unwrap_err().to_string().contains("already"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# ours\nanna laptop ") && !text.contains(TOKEN_PREFIX), "{text}");
        assert!(!listed(&text).contains(&text[15..40]), "no digest is listed");
        let revoke =
            |name: &str| run(TokenDeed::Revoke { client: anna(), name: Some(name.into()) });
        revoke("laptop").unwrap();
        assert!(revoke("laptop").is_err());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# ours\nanna phone "), "{text}");
    }

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), TOKEN_PREFIX.len() + 64);
        assert_ne!(one, other);
        let kept = kept(&anna(), "x", Some(2), &one);
        assert_eq!(kept.digest, Token::digest(&one));
        assert_eq!(kept.expires.unwrap().since(kept.created).as_secs(), 2 * DAY_S);
    }
}
