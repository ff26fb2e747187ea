//! T.37 off-ramps: fax servers that take mail (RFC 3965, RFC 2532). A fax is a mail with a
//! TIFF-F to `FAX=+NUMBER@host`; what became of it comes back as a report (RFC 3464) to a
//! return path of the attempt's own.
//!
//! ```text
//! submit ─▶ record (durable) ─▶ DATA ─▶ 250 ─▶ accepted ──┐
//!                                │ lost at its end        ▼
//!                                └──────────▶ follow: report? ─▶ delivered, failed
//!                                                  │ none in time
//!                                                  └─▶ relayed, or unknown when lost
//! ```
//! [`letter`] writes the mail, [`reports`] keeps what is known of each and [`heard`] reads
//! what comes back; [`causes`] gives refusals their names.
//!
//! Why the record is all there is: nobody can ask a mail server what became of a mail. One
//! that was lost between the end of its data and the answer may have been taken, so it is
//! not sent again, unless the off-ramp is known to drop what it has seen (RFC 4161 2.1).
//! Then the same mail is sent until it is accepted or reported on: a refusal of the second
//! says nothing of the first.

mod causes;
mod heard;
mod letter;
mod reports;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use postfax_domain::{
    document::PageLedger,
    outcome::Outcome,
    settings::{Change, Settings},
};
use postfax_gateway::client::{Body, Courier, Delivery, Mail, Notify, Rcpt, Ret, Stage, Trouble};
use postfax_hw::driver::{
    Call, Capabilities, Condition, Driver, DriverError, Ended, LineCondition, Progress,
    SettingsError, Ticket,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::daemon::now;

pub(crate) use self::{
    heard::read as read_report,
    letter::{Profile, Sender},
    reports::Reports,
};
use self::{
    letter::Unmade,
    reports::{Record, Standing},
};

/// How long an off-ramp that has answered is taken to be there.
const FRESH: Duration = Duration::from_secs(60);
/// How long a follower sleeps at most: clocks may be set.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// What an off-ramp is.
pub(crate) struct Options {
    /// What it is called in errors: `smtp://10.1.0.8:25`.
    pub(crate) server: String,
    /// The domain of its addresses.
    pub(crate) domain: String,
    /// Which TIFF it reads.
    pub(crate) profile: Profile,
    /// Whether its *delivered* means that the far machine confirmed the pages.
    pub(crate) confirms: bool,
    /// Whether it drops a mail whose Message-ID it has seen.
    pub(crate) drops_duplicates: bool,
    /// Whether it is asked for a disposition notification as well.
    pub(crate) mdn: bool,
    /// How long its report is waited for.
    pub(crate) report_within: Duration,
    /// Who writes to it.
    pub(crate) sender: Sender,
}

/// An off-ramp.
pub(crate) struct OffRamp {
    options: Arc<Options>,
    courier: Courier,
    reports: Arc<Reports>,
    answered: Mutex<Option<Instant>>,
}

impl OffRamp {
    /// A driver for one off-ramp, to which `courier` brings mail. Nothing is connected
    /// before the first request.
    #[must_use]
    pub(crate) fn new(options: Options, courier: Courier, reports: Arc<Reports>) -> Self {
        Self { options: Arc::new(options), courier, reports, answered: Mutex::new(None) }
    }

    fn local(&self, source: std::io::Error) -> DriverError {
        DriverError::Local { path: self.reports.folder().to_owned(), source }
    }

    fn gone(&self, what: &str) -> DriverError {
        DriverError::Gone { server: self.options.server.clone(), what: what.to_owned() }
    }

    fn refused(&self, reply: String, outcome: Outcome) -> DriverError {
        DriverError::Refused { server: self.options.server.clone(), reply, outcome }
    }

    fn unsure(&self, why: impl std::fmt::Display) -> DriverError {
        DriverError::Unsure { server: self.options.server.clone(), why: why.to_string() }
    }

    fn has_answered(&self) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        *answered = Some(Instant::now());
    }

    async fn record(&self, tag: &str) -> Result<Option<Record>, DriverError> {
        self.reports.get(tag).await.map_err(|bad| self.local(bad))
    }

    async fn forget_tag(&self, tag: &str) -> Result<(), DriverError> {
        self.reports.forget(tag).await.map_err(|bad| self.local(bad))
    }

    async fn letter(&self, call: &Call) -> Result<(Body, u32), DriverError> {
        let (options, call_of) = (Arc::clone(&self.options), call.clone());
        let written = tokio::task::spawn_blocking(move || letter::write(&options, &call_of)).await;
        let bug = |bug| DriverError::Local {
            path: call.pages.clone(),
            source: std::io::Error::other(bug),
        };
        match written.map_err(bug)? {
            Ok(written) => Ok(written),
            Err(Unmade::Local(source)) => {
                Err(DriverError::Local { path: call.pages.clone(), source })
            }
            Err(Unmade::Profile(why)) => Err(self.refused(why, Outcome::FormatUnsendable)),
            Err(Unmade::Bad(why)) => Err(self.refused(why, Outcome::BadDocument)),
        }
    }

    /// What it means that a mail was not taken for certain.
    fn trouble(&self, trouble: &Trouble) -> DriverError {
        let why = trouble.to_string();
        match trouble {
            // From the last octet on it may have the mail (RFC 5321 4.1.1.4).
            Trouble::Closed(Stage::End | Stage::Verdict)
            | Trouble::Timeout(Stage::End | Stage::Verdict)
            | Trouble::Garbled(Stage::Verdict) => self.unsure(why),
            Trouble::Said(_) => self.refused(why, Outcome::MailDeferred),
            Trouble::Message(_) => self.refused(why, Outcome::LocalTrouble),
            _ => DriverError::Unreachable { server: self.options.server.clone(), why },
        }
    }

    /// Sends a fax once. Its record is begun first, unless it `was_begun` before: a report
    /// may have come meanwhile.
    async fn send(&self, call: &Call, was_begun: bool) -> Result<(), DriverError> {
        let tag = &call.tag;
        let (body, pages) = self.letter(call).await?;
        let _sending = self.reports.send();
        if !was_begun {
            let begun = Record::begun(now(), pages);
            self.reports.begin(tag, begun).await.map_err(|bad| self.local(bad))?;
        }
        let to = letter::address(call, &self.options.domain);
        let notify = Notify::On { success: self.options.confirms, failure: true, delay: false };
        let mail = Mail {
            from: Some((self.options.sender.return_path)(tag)),
            recipients: vec![Rcpt { notify: Some(notify), ..Rcpt::new(to) }],
            // The pages are here still.
            ret: Some(Ret::Headers),
            envid: Some(tag.clone()),
            body,
        };
        match self.courier.deliver(&mail).await.into_iter().next() {
            Some((_, Delivery::Accepted(reply))) => {
                self.has_answered();
                let noted = self.reports.accepted(tag, reply.to_string()).await;
                noted.map_err(|bad| self.unsure(bad))
            }
            Some((_, Delivery::Refused(reply))) => {
                let outcome = causes::refused(reply.code, reply.status.as_deref());
                Err(self.refused(reply.to_string(), outcome))
            }
            Some((_, Delivery::Deferred(trouble))) => Err(self.trouble(&trouble)),
            None => Err(self.trouble(&Trouble::Closed(Stage::Connect))),
        }
    }
}

#[async_trait]
impl Driver for OffRamp {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            confirms: self.options.confirms,
            finds: true,
            cancels: false,
            receives: false,
            batches: false,
            schema: None,
        }
    }

    async fn condition(&self) -> Result<Condition, DriverError> {
        let last = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() > FRESH) {
            let server = self.options.server.clone();
            let greeted = self.courier.greet().await;
            greeted.map_err(|why| DriverError::Unreachable { server, why: why.to_string() })?;
            self.has_answered();
        }
        let line = LineCondition {
            name: "mail".into(),
            number: None,
            status: "takes mail".into(),
            usable: true,
            broken: false,
        };
        Ok(Condition { banner: self.options.server.clone(), lines: vec![line] })
    }

    fn drops_duplicates(&self) -> bool {
        self.options.drops_duplicates
    }

    async fn submit(&self, call: &Call) -> Result<Ticket, DriverError> {
        let was_begun = match self.find(&call.tag).await {
            Ok(Some(ticket)) => return Ok(ticket),
            Ok(None) => false,
            Err(DriverError::Unsure { .. }) => true,
            Err(failed) => return Err(failed),
        };
        match self.send(call, was_begun).await {
            Ok(()) => Ok(Ticket(call.tag.clone())),
            Err(unsure @ DriverError::Unsure { .. }) => Err(unsure),
            // The one that was sent before may have arrived.
            Err(failed) if was_begun => Err(self.unsure(failed)),
            Err(failed) => {
                self.forget_tag(&call.tag).await?;
                Err(failed)
            }
        }
    }

    async fn find(&self, tag: &str) -> Result<Option<Ticket>, DriverError> {
        let Some(record) = self.record(tag).await? else { return Ok(None) };
        let may_be_repeated = self.options.drops_duplicates
            && record.standing() == Standing::Begun
            && now() < record.at + self.options.report_within;
        match may_be_repeated {
            true => Err(self.unsure("the connection was lost at the end of the mail")),
            false => Ok(Some(Ticket(tag.to_owned()))),
        }
    }

    async fn follow(
        &self,
        ticket: &Ticket,
        _progress: mpsc::Sender<Progress>,
    ) -> Result<Ended, DriverError> {
        let mut changes = self.reports.changes();
        loop {
            changes.mark_unchanged();
            let record = self.record(&ticket.0).await?;
            let record = record.ok_or_else(|| self.gone(&format!("a mail {}", ticket.0)))?;
            if let Some(ended) = self.ended(&record) {
                return Ok(ended);
            }
            let left = self.deadline(&record).since(now()).min(LOOK_EVERY);
            // The sender lives as long as we do.
            let _ = timeout(left, changes.changed()).await;
        }
    }

    async fn cancel(&self, ticket: &Ticket) -> Result<(), DriverError> {
        // Nobody can call a mail back; how it ends is heard all the same.
        match self.record(&ticket.0).await? {
            Some(_) => Ok(()),
            None => Err(self.gone(&format!("a mail {}", ticket.0))),
        }
    }

    async fn forget(&self, ticket: &Ticket) -> Result<(), DriverError> {
        self.forget_tag(&ticket.0).await
    }

    async fn settings(&self, _safe: &Path) -> Result<Settings, SettingsError> {
        Ok(Settings::default())
    }

    async fn set(&self, _: &[Change], _safe: &Path) -> Result<Settings, SettingsError> {
        Err(SettingsError::Undone("nothing can be set at a fax server that takes mail".into()))
    }
}

impl OffRamp {
    /// Until when a report is waited for: not at all where none would tell more.
    fn deadline(&self, record: &Record) -> postfax_domain::time::Timestamp {
        let wait = if self.options.confirms || self.options.mdn {
            self.options.report_within
        } else {
            Duration::ZERO
        };
        record.at + wait
    }

    /// How a mail has ended, when it has.
    fn ended(&self, record: &Record) -> Option<Ended> {
        let plain = |outcome: Outcome, said: String| {
            Some(Ended { outcome, said, ledger: PageLedger::default() })
        };
        if let Some(heard) = &record.heard {
            return match heard.outcome {
                Outcome::Delivered if self.options.confirms => {
                    let confirmed = record.pages;
                    let ledger = PageLedger { confirmed, ..PageLedger::default() };
                    Some(Ended { outcome: Outcome::Delivered, said: heard.said.clone(), ledger })
                }
                Outcome::Delivered => plain(Outcome::Relayed, heard.said.clone()),
                outcome => plain(outcome, heard.said.clone()),
            };
        }
        if now() < self.deadline(record) {
            return None;
        }
        match &record.accepted {
            Some(reply) if self.options.confirms => {
                plain(Outcome::Relayed, format!("{reply}; no report came in time"))
            }
            Some(reply) => plain(Outcome::Relayed, reply.clone()),
            None => {
                let said = "the connection was lost at the end of the mail, and no report came";
                plain(Outcome::Unknown, said.into())
            }
        }
    }
}
