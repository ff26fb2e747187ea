//! Hands a fax over: Create-Job, note, Send-Document. Until the document is sent the
//! device has nothing to dial for.

use std::{
    sync::PoisonError,
    time::{SystemTime, UNIX_EPOCH},
};

use ipp::{
    model::{DelimiterTag, Operation},
    parser::IppParseError,
    value::IppValue,
};
use postfax_domain::{document::Resolution, outcome::Outcome};

use super::{
    Ipp, JobTicket,
    document::{self, Document, Unmade},
    http::{self, Fault},
    message::Answer,
    printer::{Format, Printer},
};
use crate::driver::{Call, DriverError};

/// RFC 8011 B.1.2: granted, but something was ignored or put in place of another.
const AS_ASKED: u16 = 0x0000;

impl Ipp {
    pub(super) async fn hand_over(&self, call: &Call) -> Result<JobTicket, DriverError> {
        let printer = self.known().await?;
        let format = printer.format();
        let document = self.document(call, format).await?;
        let created = self.create(call, &printer).await;
        if created.is_err() {
            // It may not be any more what it was when we asked.
            *self.printer.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        let job = created?;
        let until = now_s() + call.give_up_after.as_secs();
        let ticket = JobTicket { job, pages: document.pages, until, tag: call.tag.clone() };
        if let Err(failed) = self.note(&ticket).await {
            self.take_back(&ticket).await;
            return Err(failed);
        }
        match self.send(&ticket, format, &document).await {
            Ok(()) => Ok(ticket),
            Err(fault) if fault.has_taken_nothing() => {
                self.take_back(&ticket).await;
                Err(self.error(fault))
            }
            // It may have all of it: whoever asks finds out.
            Err(fault @ Fault::Broken(_)) => Err(self.unsure(fault)),
            Err(fault) => {
                let failed = self.error(fault);
                match self.find_job(&call.tag).await {
                    Ok(None) => Err(failed),
                    _ => {
                        Err(DriverError::Unsure { server: self.server(), why: failed.to_string() })
                    }
                }
            }
        }
    }

    async fn document(&self, call: &Call, format: Format) -> Result<Document, DriverError> {
        let path = call.pages.clone();
        let made = tokio::task::spawn_blocking(move || document::make(&path, format)).await;
        let local = |source| DriverError::Local { path: call.pages.clone(), source };
        match made.map_err(|bug| local(std::io::Error::other(bug)))? {
            Ok(document) => Ok(document),
            Err(Unmade::Local(source)) => Err(local(source)),
            Err(Unmade::Bad(bad)) => Err(self.refusal(bad, Outcome::BadDocument)),
        }
    }

    /// Creates the job without a document; its number.
    async fn create(&self, call: &Call, printer: &Printer) -> Result<i32, DriverError> {
        let mut question = self.question(Operation::CreateJob);
        question.ask("job-name", IppValue::new_name_without_language(&call.tag));
        let destination = self.destination(call, printer)?;
        question.job("destination-uris", Ok(IppValue::Array(vec![destination])));
        if printer.takes("number-of-retries") {
            question.job("number-of-retries", Ok(IppValue::Integer(0)));
        }
        if printer.takes("confirmation-sheet-print") {
            question.job("confirmation-sheet-print", Ok(IppValue::Boolean(false)));
        }
        let quality = quality(call.resolution);
        if printer.takes_quality(quality) {
            question.job("print-quality", Ok(IppValue::Enum(quality)));
        }
        let answer = self.ask(&question).await.map_err(|fault| self.unsure(fault))?;
        let job = answer.first(DelimiterTag::JobAttributes).number("job-id");
        let Some(job) = job else {
            return Err(self.refusal("it gave no job number", Outcome::ServerFault));
        };
        if let Some(ignored) = ignored(&answer) {
            // Without a document it would be ended by itself, but later.
            let _ = self.cancel_job(job).await;
            let words = format!("it ignores {ignored} of the destination");
            return Err(self.refusal(words, Outcome::ServerMisconfigured));
        }
        Ok(job)
    }

    /// PWG 5100.15: the number, what is dialled before it, and the sub-address.
    fn destination(&self, call: &Call, printer: &Printer) -> Result<IppValue, DriverError> {
        let bad = |bad: IppParseError| self.refusal(bad, Outcome::BadDialString);
        let member = |name: &str, value| name.try_into().map(|name| (name, value));
        let uri = IppValue::new_uri(format!("tel:{}", call.number.as_str())).map_err(bad)?;
        let mut members = vec![member("destination-uri", uri).map_err(bad)?];
        if let Some(before) = &self.options.pre_dial {
            if !printer.takes_member("pre-dial-string") {
                let words = "it takes no pre-dial-string, which pre_dial needs";
                return Err(self.refusal(words, Outcome::ServerMisconfigured));
            }
            let before = IppValue::new_text_without_language(before).map_err(bad)?;
            members.push(member("pre-dial-string", before).map_err(bad)?);
        }
        if let Some(subaddress) = &call.subaddress {
            let number = subaddress.parse().ok().filter(|number: &i32| {
                // An integer: 007 and 7 are not the same sub-address.
                printer.takes_member("t33-subaddress") && number.to_string() == *subaddress
            });
            let words = "it cannot send this sub-address (T.33)";
            let number = number.ok_or_else(|| self.refusal(words, Outcome::FormatUnsendable))?;
            members.push(member("t33-subaddress", IppValue::Integer(number)).map_err(bad)?);
        }
        Ok(IppValue::Collection(members.into_iter().collect()))
    }

    async fn send(
        &self,
        ticket: &JobTicket,
        format: Format,
        document: &Document,
    ) -> Result<(), Fault> {
        let mut question = self.question(Operation::SendDocument);
        question.ask("job-id", Ok(IppValue::Integer(ticket.job)));
        question.ask("document-format", IppValue::new_mime_media_type(format.media_type()));
        question.ask("last-document", Ok(IppValue::Boolean(true)));
        http::ask(&self.options, &question, &document.octets).await.map(drop)
    }

    /// Ends a job that got no document. Should that fail, the device ends it by itself
    /// (multiple-operation-time-out).
    async fn take_back(&self, ticket: &JobTicket) {
        let _ = self.cancel_job(ticket.job).await;
        let _ = self.drop_note(&ticket.tag).await;
    }
}

/// What of the destination a device says that it ignores, if anything (RFC 8011 4.1.7).
fn ignored(answer: &Answer) -> Option<String> {
    if answer.status == AS_ASKED {
        return None;
    }
    let unsupported = answer.first(DelimiterTag::UnsupportedAttributes);
    if !unsupported.has("destination-uris") {
        return None;
    }
    let members = unsupported.collections("destination-uris");
    let names: Vec<&str> =
        members.flat_map(|one| one.0.iter().map(|member| member.name.as_str())).collect();
    Some(if names.is_empty() { "all".into() } else { names.join(", ") })
}

/// print-quality (RFC 8011 5.2.13): by it devices choose the resolution of the call.
fn quality(resolution: Resolution) -> i32 {
    match resolution {
        Resolution::Standard => 3,
        Resolution::Fine => 4,
        Resolution::Superfine | Resolution::Dots300 | Resolution::Dots400 => 5,
    }
}

pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
