//! Whom a recipient's address means: a number that the sender may have called, a name
//! for the phone book, or a refusal in words.

use postfax_domain::{
    destination::FaxAddress,
    fleet,
    job::Notify,
    names::ClientName,
    number::Number,
    options::Wanted,
    quota,
    supervisor::{Answer, Recipient, Request},
};
use postfax_gateway::{
    address::{self, Recipient as Spelled},
    desk::{Notify as Asked, Peer, Rcpt},
    reply::Reply,
};

use super::{
    FaxDesk,
    alias::Meant,
    door::What,
    options,
    replies::{denied, used_up},
};
use crate::config::Config;

/// What an address says.
#[expect(clippy::large_enum_variant, reason = "one for each recipient, and soon taken apart")]
pub(super) enum Addressed {
    /// A fax machine.
    Number(FaxAddress),
    /// A name for the phone book.
    Alias(String),
}

impl FaxDesk {
    /// What the address of a recipient says. A number is one that the client may call.
    pub(super) fn meant(
        &self,
        config: &Config,
        client: &ClientName,
        rcpt: &Rcpt,
    ) -> Result<Addressed, Reply> {
        let (setup, mailbox) = (&config.setup, &rcpt.mailbox);
        let from = &config.delivery.from;
        if mailbox.to_string().eq_ignore_ascii_case(from) {
            let text = format!(
                "nobody reads mail to {from}: if you answer a fax, its caller withheld the number"
            );
            return Err(Reply::new(550, (1, 1), text));
        }
        let spelled = address::parse(mailbox.local(), mailbox.domain(), &setup.domain)
            .map_err(|bad| bad.reply())?;
        let phone = match spelled {
            Spelled::Phone(phone) => phone,
            Spelled::Alias(alias) => return Ok(Addressed::Alias(alias)),
            Spelled::Postmaster | Spelled::Service(_) => {
                return Err(Reply::new(
                    550,
                    (1, 1),
                    format!("nobody reads mail here: write to {}", setup.postmaster),
                ));
            }
        };
        let number = Number::parse(&phone.text, setup.country)
            .map_err(|bad| Reply::new(553, (1, 3), bad.to_string()))?;
        fleet::permitted(setup, client, &number).map_err(|denial| denied(&denial))?;
        let asked = options::of_address(&config.cover, &phone.qualifiers)?;
        Ok(Addressed::Number(FaxAddress {
            number,
            subaddress: phone.subaddress,
            attention: phone.attention,
            as_written: mailbox.to_string(),
            named: None,
            asked,
        }))
    }

    /// Where the faxes of a whole mail go: as it was answered to its recipients, of whom
    /// the client has proven by now that they are its own.
    pub(super) fn all_meant(
        &self,
        config: &Config,
        peer: &Peer,
        client: &ClientName,
        rcpts: &[Rcpt],
    ) -> Result<Vec<Meant>, Reply> {
        let mut all = Vec::with_capacity(rcpts.len());
        for rcpt in rcpts {
            all.push(match Meant::of(&rcpt.welcome) {
                Some(meant) => meant,
                None => match self.meant(config, client, rcpt)? {
                    Addressed::Number(fax) => Meant { faxes: vec![fax], missed: None },
                    Addressed::Alias(alias) => {
                        let meant = self.named(config, client, rcpt, &alias)?;
                        // One was counted before it was known who sends.
                        let more = What::Recipients(meant.faxes.len() - 1);
                        self.count(config, peer, Some(client), more)?;
                        meant
                    }
                },
            });
        }
        let (count, most) = (
            all.iter().map(|meant| meant.faxes.len()).sum::<usize>(),
            config.intake.max_recipients,
        );
        if count > most {
            let text =
                format!("{count} recipients with those of the lists, at most {most} at once");
            return Err(Reply::new(554, (5, 3), text));
        }
        Ok(all)
    }

    /// Whether the client may call all of these today, and send each a page at least.
    pub(super) async fn has_quota(
        &self,
        config: &Config,
        client: &ClientName,
        to: Vec<Number>,
    ) -> Result<(), Reply> {
        if !quota::limits(&config.setup, client) {
            return Ok(());
        }
        match self.context.ask(Request::Afford { from: client.clone(), to }).await {
            Some(Answer::Afforded(Err(quota))) => Err(used_up(&quota, &config.timezone)),
            _ => Ok(()),
        }
    }
}

/// One for each number, in the order of the recipients.
pub(super) fn recipients(
    rcpts: &[Rcpt],
    meant: &[Meant],
    wanted: impl Fn(&FaxAddress) -> Wanted,
) -> Vec<Recipient> {
    let of = |(rcpt, meant): (&Rcpt, &Meant)| {
        let original = rcpt.orcpt.as_ref().map(|o| (o.kind.clone(), o.address.clone()));
        let notify = notify(rcpt.notify.as_ref());
        let fax = |fax: &FaxAddress| Recipient {
            address: fax.clone(),
            notify,
            original: original.clone(),
            wanted: wanted(fax),
            made: None,
        };
        meant.faxes.iter().map(fax).collect::<Vec<_>>()
    };
    rcpts.iter().zip(meant).flat_map(of).collect()
}

fn notify(asked: Option<&Asked>) -> Notify {
    match asked {
        None => Notify::Unsaid,
        Some(Asked::Never) => Notify::Never,
        Some(Asked::On { success, failure, delay }) => {
            Notify::On { success: *success, failure: *failure, delay: *delay }
        }
    }
}
