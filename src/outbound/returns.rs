//! Mail that is no fax. Everybody may send a report on a fax mail of ours, and a letter
//! to the postmaster (RFC 5321 4.5.1); clients ask something. All of it is durable before
//! the 250.
//!
//! Reports are acted on and never answered; what comes to a return address and is no
//! report (somebody is on holiday) is taken and dropped.

use std::path::Path;

use postfax_domain::{
    job::{Cause, Forwarded},
    names::JobId,
    redacted::Redacted,
    supervisor::{Answer, Request, Returned, Said},
};
use postfax_gateway::{
    address::{self, Recipient as Meant},
    desk::{Envelope, Peer, Rcpt, Role},
    dsn::{Action, read},
    message::Message,
    reply::Reply,
};
use tracing::{info, warn};

use super::{
    FaxDesk,
    fit::{self, Loops},
    replies::{no_room, refused},
};
use crate::{
    daemon::tag_of,
    inquiry::{self, Service},
    offramp, prepare,
    returns::ReturnPath,
    store,
};

/// Whom an address means that is no fax machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// Whoever runs this.
    Postmaster,
    /// The return path of a fax mail.
    Return(ReturnPath),
    /// A client who asks something.
    Inquiry(Service),
}

/// Whether it is left to the recipients who may send: mail servers bring letters to the
/// postmaster and reports from anybody.
pub(super) fn is_asked_later(peer: &Peer) -> bool {
    peer.identity.is_none() && matches!(peer.role, Role::Relay | Role::Lmtp)
}

impl FaxDesk {
    /// Whom a recipient means, if it is no fax.
    ///
    /// # Errors
    /// The return address is forged, or so old that nobody knows its fax any more; or
    /// what follows `jobs+` is no number.
    pub(super) async fn special(&self, rcpt: &Rcpt) -> Result<Option<Special>, Reply> {
        let config = self.config();
        let (local, domain) = (rcpt.mailbox.local(), rcpt.mailbox.domain());
        if address::parse(local, domain, &config.setup.domain) == Ok(Meant::Postmaster) {
            return Ok(Some(Special::Postmaster));
        }
        if !domain.trim_end_matches('.').eq_ignore_ascii_case(&config.setup.domain) {
            return Ok(None);
        }
        if let Some(asked) = inquiry::service(local) {
            let unknown = |why: String| Reply::new(550, (1, 1), why);
            return asked.map(|service| Some(Special::Inquiry(service))).map_err(unknown);
        }
        let reader = &self.context.reader;
        let unknown = |why: &str| Reply::new(550, (1, 1), format!("no such return address: {why}"));
        match ReturnPath::read(local, &reader.secret) {
            None => Ok(None),
            Some(Err(forged)) => Err(unknown(&forged.to_string())),
            Some(Ok(path)) => match reader.job(path.job).await {
                Ok(Some(_)) => Ok(Some(Special::Return(path))),
                Ok(None) => Err(unknown("its fax is forgotten")),
                Err(failed) => {
                    warn!(%failed, "a return address could not be looked up");
                    Err(Reply::new(451, (3, 0), "try again later"))
                }
            },
        }
    }

    /// Takes a mail of which some recipients are no faxes: the faxes first, since only
    /// they can be refused for what the mail holds. The names of the jobs of each
    /// recipient, in the order of the recipients.
    pub(super) async fn take_any(
        &self,
        peer: &Peer,
        envelope: &mut Envelope,
    ) -> Result<Vec<Vec<u64>>, Reply> {
        let mut specials = Vec::with_capacity(envelope.rcpts.len());
        for rcpt in &envelope.rcpts {
            specials.push(self.special(rcpt).await?);
        }
        let only_faxes = specials.iter().all(Option::is_none);
        if !only_faxes || self.verifier_of(peer).is_some() {
            // These work on a file.
            envelope.settle().await.map_err(|failed| no_room(&failed))?;
        }
        let envelope = &*envelope;
        if only_faxes {
            return self.take(peer, envelope).await;
        }
        let documents = &self.context.reader.documents;
        let copy = Spooled(documents.spool(&format!("{}.eml", documents.new_name())));
        std::fs::hard_link(&envelope.path, &copy.0).map_err(|failed| no_room(&failed))?;
        let rcpts = envelope.rcpts.iter().zip(&specials);
        let faxes: Vec<Rcpt> =
            rcpts.filter(|(_, special)| special.is_none()).map(|(rcpt, _)| rcpt.clone()).collect();
        let faxed = !faxes.is_empty();
        let mut jobs = if faxes.is_empty() {
            let _ = std::fs::remove_file(&envelope.path);
            Vec::new()
        } else {
            self.take(peer, &Envelope { rcpts: faxes, ..envelope.clone() }).await?
        }
        .into_iter();
        if !faxed && specials.iter().flatten().any(|one| matches!(one, Special::Inquiry(_))) {
            self.prove_asker(peer, envelope, &copy.0).await?;
        }
        let mut named = Vec::with_capacity(specials.len());
        let mut forwarded = None;
        for special in specials {
            let taken = match (special, forwarded) {
                (None, _) => {
                    named.push(jobs.next().unwrap_or_default());
                    continue;
                }
                (Some(Special::Return(path)), _) => self.heard(path, envelope, &copy.0).await,
                (Some(Special::Inquiry(service)), _) => {
                    self.inquire(peer, envelope, &copy.0, service).await
                }
                (Some(Special::Postmaster), Some(job)) => Ok(job),
                (Some(Special::Postmaster), None) => self.forward(envelope, &copy.0).await,
            };
            if special == Some(Special::Postmaster) {
                forwarded = taken.as_ref().ok().copied();
            }
            named.push(match taken {
                Ok(job) => vec![job],
                Err(refusal) if faxed && !self.knows_again(envelope, &copy.0).await => {
                    warn!(%refusal, "a letter is dropped: with it its faxes would come again");
                    vec![0]
                }
                Err(refusal) => return Err(refusal),
            });
        }
        Ok(named)
    }

    /// Passes a mail on to the postmaster as it came, with the `Received:` line that it
    /// has got here.
    async fn forward(&self, envelope: &Envelope, file: &Path) -> Result<u64, Reply> {
        let config = self.config();
        // What cannot be taken apart can still be passed on.
        if let Some(message) = self.read_message(file, envelope.bytes).await {
            fit::no_loop(&Loops::of(&config, &self.context.reader.installation), &message)?;
        }
        let documents = &self.context.reader.documents;
        let name = documents.new_name();
        let kept = documents.spool(&format!("{name}.eml"));
        std::fs::hard_link(file, &kept).map_err(|failed| no_room(&failed))?;
        documents.keep_mail(&kept, &name).map_err(|failed| no_room(&failed))?;
        let from = envelope.mail.from.as_ref().map(ToString::to_string);
        let request = Request::Forward(Box::new(Forwarded { from, message: name }));
        match self.context.ask(request).await {
            Some(Answer::Accepted(jobs)) => Ok(jobs.first().map_or(0, |job| job.0)),
            Some(Answer::Refused(refusal)) => Err(refused(&refusal, &config.timezone)),
            _ => Err(Reply::new(451, (3, 2), "going down, try again later")),
        }
    }

    /// Reads what came to the return path of a fax mail, and acts on it.
    async fn heard(
        &self,
        path: ReturnPath,
        envelope: &Envelope,
        file: &Path,
    ) -> Result<u64, Reply> {
        let ReturnPath { job, attempt } = path;
        let later = || Reply::new(451, (3, 0), "try again later");
        let known = self.context.reader.job(job).await.map_err(|failed| {
            warn!(%failed, "the fax of a report could not be read");
            later()
        })?;
        let Some(known) = known else { return Ok(job.0) };
        // A report has the null return path (RFC 3464 2, RFC 8098 3); all else is an answer.
        let message = match envelope.mail.from {
            None => self.read_message(file, envelope.bytes).await,
            Some(_) => None,
        };
        if matches!(known.cause, Cause::Sent(_)) {
            return self.heard_of_off_ramp(path, message.as_ref(), envelope, file).await;
        }
        let Some(said) = message.and_then(|message| said(&read::read(&message))) else {
            let from = envelope.mail.from.as_ref().map(ToString::to_string).unwrap_or_default();
            info!(%job, from = %Redacted(&from), "an answer to a fax mail is no report; dropped");
            return Ok(job.0);
        };
        // What it says has addresses in it; the job keeps it.
        info!(%job, attempt, failed = matches!(said, Said::Failed(_)), "a report on a fax mail");
        let report = Returned { job: known, attempt, said };
        match self.context.ask(Request::Returned(Box::new(report))).await {
            Some(Answer::Done(JobId(job))) => Ok(job),
            _ => Err(later()),
        }
    }
}

impl FaxDesk {
    /// What an off-ramp reports of a fax that it was given by mail. What fails when nobody
    /// waits for it any more, since the sender was told that it was relayed, is read by the
    /// postmaster.
    async fn heard_of_off_ramp(
        &self,
        ReturnPath { job, attempt }: ReturnPath,
        message: Option<&Message>,
        envelope: &Envelope,
        file: &Path,
    ) -> Result<u64, Reply> {
        let Some(report) = message.and_then(offramp::read_report) else {
            info!(%job, attempt, "a mail about a fax at an off-ramp says nothing new; dropped");
            return Ok(job.0);
        };
        let outcome = report.0;
        info!(%job, attempt, outcome = %outcome.name(), "an off-ramp has reported");
        let tag = tag_of(&self.context, job, attempt);
        match self.context.reports.heard(&tag, report).await {
            Ok(false) if !outcome.is_success() => self.forward(envelope, file).await,
            Ok(_) => Ok(job.0),
            Err(failed) => {
                warn!(%job, %failed, "a report could not be kept");
                Err(no_room(&failed))
            }
        }
    }

    /// Whether faxes of a mail that is sent again are not faxed again.
    async fn knows_again(&self, envelope: &Envelope, file: &Path) -> bool {
        let window = self.config().setup.limits.duplicate_window;
        let message = self.read_message(file, envelope.bytes).await;
        !window.is_zero() && message.is_some_and(|message| message.message_id().is_some())
    }

    /// A mail as it lies there, once there is room for it in memory.
    pub(super) async fn read_message(&self, file: &Path, bytes: u64) -> Option<Message> {
        let _room = self.door.room_for(bytes).await;
        let file = file.to_owned();
        let read = tokio::task::spawn_blocking(move || prepare::read(store::Mail::File(file)));
        read.await.ok()?.ok()
    }
}

/// The worst that the notices say.
fn said(notices: &[read::Notice]) -> Option<Said> {
    let failed = notices.iter().find(|notice| notice.action == Action::Failed);
    match (failed, notices.first()) {
        (Some(failed), _) => Some(Said::Failed(failed.words())),
        (None, Some(first)) => Some(Said::Noted(first.words())),
        (None, None) => None,
    }
}

/// A second name of a file, which goes when the work is over.
struct Spooled(std::path::PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
