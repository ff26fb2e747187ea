//! Whom a recipient's address means: a number that the sender may have called, or a
//! refusal in words.

use postfax_domain::{
    destination::FaxAddress,
    fleet::{self, Denial},
    job::Notify,
    names::ClientName,
    number::Number,
    quota,
    setup::Setup,
    supervisor::{Answer, Recipient, Request},
};
use postfax_gateway::{
    address::{self, Recipient as Meant},
    desk::{Notify as Asked, Rcpt},
    reply::Reply,
};

use super::{
    FaxDesk,
    replies::{denied, used_up},
};
use crate::config::Config;

impl FaxDesk {
    pub(super) fn recipient_of(
        &self,
        setup: &Setup,
        client: &ClientName,
        rcpt: &Rcpt,
    ) -> Result<Recipient, Reply> {
        let mailbox = &rcpt.mailbox;
        let from = &self.config().delivery.from;
        if mailbox.to_string().eq_ignore_ascii_case(from) {
            let text = format!(
                "nobody reads mail to {from}: if you answer a fax, its caller withheld the number"
            );
            return Err(Reply::new(550, (1, 1), text));
        }
        let meant = address::parse(mailbox.local(), mailbox.domain(), &setup.domain)
            .map_err(|bad| bad.reply())?;
        let phone = match meant {
            Meant::Phone(phone) => phone,
            Meant::Alias(alias) => {
                return Err(Reply::new(
                    550,
                    (1, 1),
                    format!("there is no alias {alias} in the phone book"),
                ));
            }
            Meant::Postmaster | Meant::Service(_) => {
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
        let original = rcpt.orcpt.as_ref().map(|o| (o.kind.clone(), o.address.clone()));
        Ok(Recipient {
            address: FaxAddress {
                number,
                subaddress: phone.subaddress,
                attention: phone.attention,
                as_written: mailbox.to_string(),
            },
            notify: notify(rcpt.notify.as_ref()),
            original,
        })
    }
}

impl FaxDesk {
    /// Whether the client may call once more today, and send a page at least.
    pub(super) async fn has_quota(
        &self,
        config: &Config,
        client: &ClientName,
        to: Number,
    ) -> Result<(), Reply> {
        if !quota::limits(&config.setup, client) {
            return Ok(());
        }
        let request = Request::Explain { from: client.clone(), to, pages: 1 };
        match self.context.ask(request).await {
            Some(Answer::Explained(Err(Denial::UsedUp(quota)))) => {
                Err(used_up(&quota, &config.timezone))
            }
            _ => Ok(()),
        }
    }
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
