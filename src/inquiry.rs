//! The mail door: a mail to `jobs@`, `settings@`, `book@` or `help@` the fax domain asks
//! something, and is answered by a mail. Whoever writes has been proven by [`outbound`],
//! as for a fax; what is asked is read here, asked of [`requests`], and noted as a job
//! that brings the answer, before the mail that asked is taken.
//!
//! ```text
//!   outbound ── Mail ─▶ inquiry ── Ask ──▶ requests::answer
//!                          │◀──── Reply ───────┘
//!                          └─ Cause::Answer, durable ─▶ letters ─▶ post
//! ```
//!
//! A mail that comes twice is answered once. What must not be done twice is noted
//! before it is done: when a crash came in between, the answer says that nobody knows.
//!
//! [`outbound`]: crate::outbound
//! [`requests`]: crate::requests

mod asked;
mod book;
mod card;
mod edited;
mod form;
mod grammar;
mod read;
mod verbs;
mod words;

use std::{
    borrow::Cow,
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
    job::{Answered, Cause, Inquiry, InquiryTopic, Job},
    names::{ClientName, JobId},
    supervisor::{Answer, Refusal, Request},
};
use tracing::{info, warn};

use asked::{Asked, Repeat};
pub(crate) use grammar::{Service, saves, service};
use read::read;
use sha2::{Digest as _, Sha256};

use crate::{
    crash,
    daemon::{Context, now},
    requests::Daemon,
};

/// Octets of the digest of an edited text by which it is known again.
const DIGEST_OCTETS: usize = 8;

/// How the names of files with contacts end.
const CONTACT_FILES: [&str; 7] = ["csv", "txt", "tsv", "vcf", "vcard", "ldif", "ldi"];
/// And of which type they are where they have no name.
const CONTACT_TYPES: [&str; 6] = [
    "text/csv",
    "text/tab-separated-values",
    "text/vcard",
    "text/x-vcard",
    "text/directory",
    "text/x-ldif",
];

/// Answers the mails that ask; shared by all listeners.
#[derive(Default)]
pub(crate) struct Inquiries {
    /// Who is asked; nobody for a moment after the start.
    daemon: OnceLock<Weak<dyn Daemon>>,
    /// What is being answered at this moment.
    open: Mutex<HashSet<Key>>,
}

/// By what a mail is recognised that comes twice.
type Key = (ClientName, String, String);

/// A mail that asks, as far as that matters here.
#[derive(Debug)]
pub(crate) struct Mail<'a> {
    /// Whose it is.
    pub(crate) client: &'a ClientName,
    /// Its return path, where the answer goes.
    pub(crate) from: String,
    /// To which of our addresses it came.
    pub(crate) service: Service,
    /// Its Message-ID.
    pub(crate) message_id: Option<String>,
    /// Its subject.
    pub(crate) subject: Option<String>,
    /// What its writer wrote.
    pub(crate) text: &'a str,
    /// Whether it says that it answers another mail.
    pub(crate) is_reply: bool,
    /// The files with contacts that are attached.
    pub(crate) files: &'a [Attached<'a>],
    /// What the first other file is called that is attached.
    pub(crate) other_file: Option<&'a str>,
}

/// A file that came with a mail.
#[derive(Debug)]
pub(crate) struct Attached<'a> {
    /// What stands in it.
    pub(crate) bytes: Cow<'a, [u8]>,
}

/// Whether a part of a mail may be a file with contacts, by its name or else its type.
pub(crate) fn may_be_contacts(name: Option<&str>, content_type: &str) -> bool {
    let ending = name.and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending);
    match ending {
        Some(ending) => CONTACT_FILES.iter().any(|known| ending.eq_ignore_ascii_case(known)),
        None => CONTACT_TYPES.contains(&content_type),
    }
}

/// Why a mail that asks is not taken now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// Nobody can be asked, or the same mail is being answered.
    #[error("{0}, try again later")]
    Later(&'static str),
    /// There is no room for the answer.
    #[error("{0}")]
    Refused(Refusal),
}

/// A question as it was read.
struct Question {
    /// Its words, for people.
    words: String,
    asked: Result<Asked, String>,
}

impl Inquiries {
    /// Says who is asked.
    pub(crate) fn ask_of<D: Daemon>(&self, daemon: &Arc<D>) {
        let daemon: Arc<dyn Daemon> = daemon.clone();
        // The first one stays.
        let _ = self.daemon.set(Arc::downgrade(&daemon));
    }

    /// Answers a mail: when this returns, the job with the answer is durable.
    ///
    /// # Errors
    /// [`Unanswered`]: the mail has to come again.
    pub(crate) async fn take(&self, context: &Context, mail: &Mail<'_>) -> Result<u64, Unanswered> {
        let daemon = self.daemon.get().and_then(Weak::upgrade);
        let daemon = daemon.ok_or(Unanswered::Later("starting or stopping"))?;
        let question = read(mail, &context.config.load().timezone);
        let key = mail.message_id.clone().map(|id| (mail.client.clone(), id, question.key(mail)));
        let _turn = match &key {
            Some(key) => Some(self.turn(key).ok_or(Unanswered::Later("it is being answered"))?),
            None => None,
        };
        let known = match &key {
            Some(_) => self.answered_before(context, mail, &question).await?,
            None => None,
        };
        if let Some(job) = known {
            return finish(context, mail, &job).await;
        }
        let inquiry = Inquiry {
            client: mail.client.clone(),
            message_id: mail.message_id.clone(),
            subject: mail.subject.clone(),
            question: question.key(mail),
            about: question.about(),
            topic: question.topic(mail),
            answer: None,
        };
        // The words behind the verb may be numbers and addresses.
        let verb = question.words.split(' ').next().unwrap_or_default();
        info!(client = %mail.client, verb, "asked by mail");
        if question.repeat() != Repeat::Once {
            let answer = Some(words::answer(context, &*daemon, mail, &question).await);
            crash::point("asked");
            return inquire(context, mail, Inquiry { answer, ..inquiry }).await;
        }
        let id = inquire(context, mail, inquiry).await?;
        let answer = words::answer(context, &*daemon, mail, &question).await;
        crash::point("asked");
        tell(context, JobId(id), answer).await
    }

    fn turn(&self, key: &Key) -> Option<Turn<'_>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(key.clone()).then(|| Turn { of: self, key: key.clone() })
    }

    /// The job that answers the same question of the same mail, if there is one.
    async fn answered_before(
        &self,
        context: &Context,
        mail: &Mail<'_>,
        question: &Question,
    ) -> Result<Option<Job>, Unanswered> {
        let window = context.config.load().setup.limits.duplicate_window;
        let id = mail.message_id.as_deref().unwrap_or_default();
        let asked = question.key(mail);
        let found = context.reader.answer_to(mail.client, id, &asked, now() - window).await;
        found.map_err(|failed| {
            warn!(%failed, "an earlier answer could not be looked up");
            Unanswered::Later("the database is busy")
        })
    }
}

/// While this lives, nobody else answers the same question of the same mail.
struct Turn<'a> {
    of: &'a Inquiries,
    key: Key,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Question {
    /// By what it is known again: an address with a job asks something else.
    fn key(&self, mail: &Mail<'_>) -> String {
        match mail.service {
            Service::Any(Some(job)) | Service::Save(job) => format!("{} (job {job})", self.words),
            Service::Any(None) | Service::Book | Service::Help => self.words.clone(),
        }
    }

    fn repeat(&self) -> Repeat {
        self.asked.as_ref().map_or(Repeat::Harmless, Asked::repeat)
    }

    /// Which of our addresses a reply to the answer goes to: where the question went.
    fn topic(&self, mail: &Mail<'_>) -> InquiryTopic {
        match mail.service {
            Service::Book | Service::Save(_) => InquiryTopic::Book,
            Service::Any(_) | Service::Help => {
                self.asked.as_ref().map_or(InquiryTopic::Any, Asked::topic)
            }
        }
    }

    fn about(&self) -> Option<JobId> {
        self.asked.as_ref().ok().and_then(Asked::about)
    }
}

/// What a text is known by.
fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(DIGEST_OCTETS).map(|octet| format!("{octet:02x}")).collect()
}

/// The one who asks, as the log will know it.
fn asker(mail: &Mail<'_>) -> Asker {
    let from = mail.message_id.as_ref().map_or_else(String::new, |id| format!("<{id}>"));
    Asker { who: Who::Client(mail.client.clone()), door: Door::Mail, from }
}

/// What was begun and never answered is answered now: it may have been done.
async fn finish(context: &Context, mail: &Mail<'_>, job: &Job) -> Result<u64, Unanswered> {
    match &job.cause {
        Cause::Answer(inquiry) if inquiry.answer.is_none() && !job.is_ended() => {
            let unsure = words::unsure(&context.config.load(), mail.client, &inquiry.question);
            tell(context, job.id, unsure).await
        }
        _ => Ok(job.id.0),
    }
}

async fn inquire(context: &Context, mail: &Mail<'_>, inquiry: Inquiry) -> Result<u64, Unanswered> {
    let request = Request::Inquire { to: mail.from.clone(), inquiry: Box::new(inquiry) };
    match context.ask(request).await {
        Some(Answer::Accepted(jobs)) => Ok(jobs.first().map_or(0, |job| job.0)),
        Some(Answer::Refused(refusal)) => Err(Unanswered::Refused(refusal)),
        _ => Err(Unanswered::Later("going down")),
    }
}

async fn tell(context: &Context, job: JobId, answer: Answered) -> Result<u64, Unanswered> {
    match context.ask(Request::Answered(job, Box::new(answer))).await {
        // Where there is no such job any more, it was answered already.
        Some(Answer::Done(job) | Answer::NoSuchJob(job)) => Ok(job.0),
        _ => Err(Unanswered::Later("going down")),
    }
}

#[cfg(test)]
mod tests;
