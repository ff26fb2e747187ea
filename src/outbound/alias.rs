//! A name becomes the numbers that its sender means by it, as the phone book has it for
//! them. What they may not see is answered like what is not there: the same words, found
//! out by the same steps on their own shelves.
//!
//! It is looked up once, when the recipient is named: what was answered then is carried to
//! the end of the message and is what gets the fax, whatever others do to the book
//! meanwhile. A sender who must prove first who they are is answered after the proof, since
//! every answer before would tell a stranger what is in the book.

use postfax_domain::{
    authority::Who,
    book::{Book, Candidate, Options, Reached, Resolved, Unresolved},
    destination::{FaxAddress, Named},
    fleet,
    job::Missed,
    names::ClientName,
    options::{Asked, CoverAsked},
    setup::Setup,
};
use postfax_gateway::{
    desk::{Rcpt, Welcome},
    reply::Reply,
};
use serde::{Deserialize, Serialize};

use super::{FaxDesk, replies::denied};
use crate::config::Config;

/// Most entries that are named to one who has to choose.
const MAX_NAMED: usize = 20;

/// What one recipient means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meant {
    /// Where its faxes go; at least one.
    pub(super) faxes: Vec<FaxAddress>,
    /// What of a list cannot be reached.
    pub(super) missed: Option<Missed>,
}

impl Meant {
    /// What the session brings back.
    pub(super) fn of(welcome: &Welcome) -> Option<Self> {
        serde_json::from_str(welcome.memo.as_deref()?).ok()
    }

    /// The yes to it.
    pub(super) fn welcome(&self) -> Welcome {
        let count = self.faxes.len();
        let memo = serde_json::to_string(self).ok().map(Into::into);
        let words = self.missed.as_ref().map(|Missed { list, members }| {
            format!("recipient ok, but {members} of the list \"{list}\" cannot be used")
        });
        Welcome { count, memo, words }
    }
}

impl FaxDesk {
    /// What a name means when this client sends to it.
    pub(super) fn named(
        &self,
        config: &Config,
        client: &ClientName,
        rcpt: &Rcpt,
        alias: &str,
    ) -> Result<Meant, Reply> {
        let (setup, book) = (&config.setup, self.context.book.load());
        let resolved = resolve(&book, setup, client, alias)
            .map_err(|why| unresolved(&why, alias, &setup.domain))?;
        let most = config.intake.max_recipients;
        if resolved.reached.len() > most {
            let text = format!(
                "the list {alias} reaches {} fax machines, at most {most} at once: send to its parts",
                resolved.reached.len()
            );
            return Err(Reply::new(550, (5, 3), text));
        }
        permitted(setup, client, &resolved)?;
        Ok(meant(resolved, &rcpt.mailbox.to_string()))
    }
}

/// An alias, or the unique identifier of an entry: that tells apart what has the same alias.
fn resolve(
    book: &Book,
    setup: &Setup,
    client: &ClientName,
    word: &str,
) -> Result<Resolved, Unresolved> {
    let who = Who::Client(client.clone());
    match book.resolve(setup, &who, word) {
        Err(Unresolved::Unknown(_)) => book.resolve_uid(setup, &who, word),
        found => found,
    }
}

/// Whether the client may call all of them. A list of which one member may not be called is
/// refused as a whole: the mail program would show it as sent, and the fax that never left
/// would be missed by nobody. The member is one that the client sees, or it would not be
/// among those reached.
fn permitted(setup: &Setup, client: &ClientName, resolved: &Resolved) -> Result<(), Reply> {
    for Reached { id, name, line, .. } in &resolved.reached {
        let Err(denial) = fleet::permitted(setup, client, &line.number) else { continue };
        let reply = denied(&denial);
        let whole = match resolved.entry.id == *id {
            true => "",
            false => "; nothing is sent to the list before it can go to all",
        };
        let text = format!("{name} ({}): {}{whole}", line.number, reply.text());
        let status = reply.status().map_or((7, 1), |status| (status.subject, status.detail));
        return Err(Reply::new(reply.code(), status, text));
    }
    Ok(())
}

fn meant(resolved: Resolved, as_written: &str) -> Meant {
    let Resolved { entry: top, reached, unusable } = resolved;
    let list = |reached: &Reached| (reached.id != top.id).then(|| top.content.name.clone());
    let fax = |reached: Reached| FaxAddress {
        asked: asked(&reached.line.options),
        named: Some(Named {
            list: list(&reached),
            entry: reached.name,
            company: reached.company,
            owner: top.owner.clone(),
        }),
        number: reached.line.number,
        subaddress: reached.line.subaddress,
        attention: None,
        as_written: as_written.to_owned(),
    };
    let faxes = reached.into_iter().map(fax).collect();
    let missed = Missed { list: top.content.name.clone(), members: unusable };
    Meant { faxes, missed: (unusable > 0).then_some(missed) }
}

/// How faxes go to an entry when nobody else says anything.
fn asked(options: &Options) -> Asked {
    let cover = options.cover.map(|cover| if cover { CoverAsked::On } else { CoverAsked::Off });
    Asked { cover, resolution: options.resolution, ..Asked::default() }
}

fn unresolved(why: &Unresolved, alias: &str, domain: &str) -> Reply {
    match why {
        Unresolved::Unknown(_) => {
            Reply::new(550, (1, 1), format!("there is no alias {alias} in the phone book"))
        }
        Unresolved::Ambiguous { among, .. } => {
            let mut text =
                format!("{alias} is {} entries of the phone book; write to", among.len());
            for candidate in among.iter().take(MAX_NAMED) {
                text += &format!("\n{}", choice(candidate, domain));
            }
            if among.len() > MAX_NAMED {
                text += &format!("\nor one of {} others", among.len() - MAX_NAMED);
            }
            Reply::new(550, (1, 4), text)
        }
        // RFC 3463 3.3: a mailing list that cannot be expanded.
        Unresolved::Nobody { .. } => Reply::new(550, (2, 4), why.to_string()),
        Unresolved::TooMany(_) => Reply::new(550, (5, 3), why.to_string()),
    }
}

/// The address that means this one alone, and what it is.
fn choice(candidate: &Candidate, domain: &str) -> String {
    let Candidate { uid, name, company, owner, line } = candidate;
    let address = match line {
        Some(line) => line.address(domain),
        None => format!("{uid}@{domain}"),
    };
    let company = if company.is_empty() { String::new() } else { format!(", {company}") };
    format!("{address} for {name}{company} (of {owner})")
}
