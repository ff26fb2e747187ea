//! Sends a fax: the form becomes a mail of the client, and the desk of the mail doors
//! decides about it. So rules, quotas and refusals are those of the mail.

use std::{io::Write as _, sync::Arc};

use axum::{
    extract::{FromRequest as _, Multipart, Request, State},
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use postfax_domain::number::Number;
use postfax_gateway::{
    address::{self, Recipient as Meant},
    compose::{Attachment, Delimiters, Head, Letter, Source},
    desk::{Envelope, Mail, Mailbox, Peer, Rcpt, Release, Role, Welcome},
    message,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared,
    body::Key,
    door::Caller,
    form::{FaxForm, Form, no_room, size},
    once::{self, Answer},
    problem::{Code, Problem},
    routes::{Bodies, Conflicts, Refusals},
};
use crate::{config::Config, daemon::now, outbound};

/// A mail with fewer octets of documents is handed over in memory: then it is durable
/// with its jobs, and costs no file.
const MAX_HELD_BYTES: u64 = 64 << 10;

/// The jobs that were made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// One for each recipient, in their order, and of a list one for each of its numbers.
    jobs: Vec<AcceptedJob>,
}

/// The job of one number.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AcceptedJob {
    /// The recipient as it was written: a number, or a name of the phone book.
    #[schema(example = "+33140000000")]
    to: String,
    /// The number of the job.
    #[schema(example = 12)]
    job: u64,
}

/// Sends a fax. It is accepted for all recipients or for none.
#[utoipa::path(post, path = "/v1/faxes",
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key: the same fax.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$")),
    request_body(content = FaxForm, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "It is accepted, and durable.", body = Accepted,
            headers(("Location" = String, description = "The first of the jobs."))),
        Refusals, Conflicts, Bodies))]
pub(super) async fn send(
    State(shared): State<Shared>,
    caller: Caller,
    Key(key): Key,
    request: Request,
) -> Response {
    let config = shared.context.config.load_full();
    let Some(limits) = config.http.as_ref().map(|http| &http.limits) else {
        return Problem::new(Code::Busy, "the HTTP door is being closed").into_response();
    };
    let form = match read(&shared, &config, request).await {
        Ok(form) => form,
        Err(problem) => return problem.into_response(),
    };
    let print = form.print();
    let client = caller.client.clone();
    let id = message_id(&shared, &config, &caller, key.as_deref());
    let work = accept(&shared, &config, &caller, form, id);
    let request = key.map(|key| once::Request { client, key, print });
    shared.kept.once(limits, request.as_ref(), work).await
}

async fn read(shared: &Shared, config: &Config, request: Request) -> Result<Form, Problem> {
    if !is_form(request.headers()) {
        let words = "send the fax as multipart/form-data, as curl -F does";
        return Err(Problem::new(Code::UnsupportedMediaType, words));
    }
    let documents = &shared.context.reader.documents;
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
    if !documents.has_room_for(length) {
        return Err(no_room(&"the disk is nearly full"));
    }
    let parts = Multipart::from_request(request, &()).await;
    let parts = parts.map_err(|why| Problem::new(Code::BadRequest, why.body_text()))?;
    Form::read(parts, documents, config.intake.max_recipients).await
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("multipart/form-data")
}

/// A request with a key has the same one when it comes again, also after a restart.
fn message_id(shared: &Shared, config: &Config, caller: &Caller, key: Option<&str>) -> String {
    let reader = &shared.context.reader;
    let name = match key {
        None => reader.documents.new_name(),
        Some(key) => {
            let print = once::print(&[caller.client.as_str().as_bytes(), key.as_bytes()]);
            print[..16].iter().map(|octet| format!("{octet:02x}")).collect()
        }
    };
    format!("http-{name}.{}@{}", reader.installation, config.setup.domain)
}

/// Hands the fax to the desk, step by step as a mail client would.
async fn accept(
    shared: &Shared,
    config: &Arc<Config>,
    caller: &Caller,
    form: Form,
    id: String,
) -> Result<Answer, Problem> {
    let identity = Some(outbound::by_token(&caller.client));
    let peer = Peer { identity, tls: true, ..Peer::new(Role::Submission, caller.address) };
    let mail = mail(config, caller, &form)?;
    let granted = shared.desk.sender(&peer, &mail).await.map_err(|reply| Problem::from(&reply))?;
    let mut rcpts = Vec::with_capacity(form.to.len());
    for to in &form.to {
        let mailbox = mailbox(config, to)?;
        let mut rcpt =
            Rcpt { mailbox, notify: form.notify, orcpt: None, welcome: Welcome::default() };
        let asked = shared.desk.recipient(&peer, &mail, &rcpt).await;
        rcpt.welcome = asked.map_err(|reply| Problem::from(&reply))?;
        rcpts.push(rcpt);
    }
    let path = shared.desk.spool(&peer, &mail).await.map_err(|reply| Problem::from(&reply))?;
    let letter = letter(config, &mail, &rcpts, &form, id);
    let small = size(&form.documents) <= MAX_HELD_BYTES;
    let envelope = Envelope { mail, granted, rcpts, path, held: None, bytes: 0 };
    let envelope = write(envelope, letter, small, config.intake.max_message_bytes).await?;
    let desk = shared.desk.clone();
    // It is told to its end, also when the client is gone.
    let taking = tokio::spawn(async move { desk.message(&peer, envelope).await });
    let taken = taking.await.map_err(|bug| Problem::new(Code::Failed, bug.to_string()))?;
    let names = taken.map_err(|reply| Problem::from(&reply))?;
    let made = form.to.iter().zip(names).flat_map(|(to, names)| {
        let job = |name: String| name.parse().unwrap_or_default();
        names.into_iter().map(move |name| AcceptedJob { to: to.clone(), job: job(name) })
    });
    let accepted = Accepted { jobs: made.collect() };
    let location = accepted.jobs.first().map(|first| format!("/v1/jobs/{}", first.job));
    Ok(Answer::ok(&accepted).made(location.unwrap_or_default()))
}

/// What MAIL FROM would say.
fn mail(config: &Config, caller: &Caller, form: &Form) -> Result<Mail, Problem> {
    let own = config.setup.clients.get(&caller.client).and_then(|client| client.mailbox());
    let bad = |words: String| Problem::new(Code::BadRequest, words);
    let from = form.from.as_deref().or(own).ok_or_else(|| {
        bad(format!("{} has no address of its own: say which by from", caller.client))
    })?;
    let from: Mailbox = from.parse().map_err(|why| bad(format!("from: {why}")))?;
    let intake = &config.intake;
    let wait_ms = match &form.release {
        None => 0,
        Some(Release::For(seconds)) => i64::from(*seconds) * 1000,
        Some(Release::Until(moment)) => moment.as_millisecond() - now().0,
    };
    if wait_ms > i64::from(intake.max_hold_s) * 1000 {
        let words = format!("a fax is held for {} s at most", intake.max_hold_s);
        return Err(Problem::new(Code::Refused, words));
    }
    let least = i64::from(intake.min_deliver_by_s);
    if form.deliver_by.is_some_and(|by| by.seconds < least) {
        let words = format!("a fax has {least} s at least");
        return Err(Problem::new(Code::Refused, words));
    }
    Ok(Mail {
        from: Some(from),
        size: Some(size(&form.documents)),
        release: form.release.clone(),
        deliver_by: form.deliver_by,
        priority: form.priority,
        ..Mail::default()
    })
}

/// What RCPT TO would say: a number and a name of the phone book are addresses of the
/// fax domain.
fn mailbox(config: &Config, to: &str) -> Result<Mailbox, Problem> {
    let refused = |why: String| Problem::new(Code::Refused, format!("to: {why}"));
    let domain = &config.setup.domain;
    let text = to.trim();
    let written = match Number::parse(text, config.setup.country) {
        _ if text.contains('@') => text.to_owned(),
        Ok(number) => format!("FAX={}@{domain}", number.as_str()),
        Err(_) => format!("{text}@{domain}"),
    };
    let mailbox: Mailbox = written.parse().map_err(|why: &str| refused(why.to_owned()))?;
    match address::parse(mailbox.local(), mailbox.domain(), domain) {
        Ok(Meant::Phone(_) | Meant::Alias(_)) => Ok(mailbox),
        Ok(Meant::Postmaster | Meant::Service(_)) => {
            Err(refused("that is no fax: write a mail".to_owned()))
        }
        Err(bad) => Err(refused(bad.to_string())),
    }
}

fn letter(config: &Config, mail: &Mail, rcpts: &[Rcpt], form: &Form, id: String) -> Letter {
    let named = |address: Option<String>| message::Mailbox {
        name: None,
        address: address.unwrap_or_default(),
    };
    let attached = form.documents.iter().map(|upload| Attachment {
        name: upload.name.clone(),
        content_type: upload.content_type.clone(),
        content_id: None,
        source: Source::File(upload.path.clone()),
    });
    Letter {
        head: Head {
            from: named(mail.from.as_ref().map(ToString::to_string)),
            to: named(rcpts.first().map(|rcpt| rcpt.mailbox.to_string())),
            subject: form.subject.clone().unwrap_or_default(),
            date: jiff::Zoned::now().with_time_zone(config.timezone.clone()),
            message_id: id,
            in_reply_to: None,
            language: None,
            headers: form.options.clone(),
        },
        automatic: None,
        text: form.text.clone().unwrap_or_default(),
        html: None,
        inline: Vec::new(),
        attachments: attached.collect(),
        delimiters: Delimiters::Random,
    }
}

/// Writes the mail where the desk wants it: to its file, for good, or into memory.
async fn write(
    mut envelope: Envelope,
    letter: Letter,
    small: bool,
    max_bytes: u64,
) -> Result<Envelope, Problem> {
    let writing = tokio::task::spawn_blocking(move || {
        if small {
            let mut bytes = Vec::new();
            letter.write(&mut bytes).map_err(|bad| no_room(&bad))?;
            envelope.bytes = bytes.len() as u64;
            envelope.held = Some(bytes.into());
        } else {
            let file = std::fs::File::create(&envelope.path).map_err(|bad| no_room(&bad))?;
            let mut file = std::io::BufWriter::new(file);
            let written = letter.write(&mut file).map_err(|bad| no_room(&bad));
            let flushed = written.and_then(|()| file.flush().map_err(|bad| no_room(&bad)));
            let kept = flushed.and_then(|()| keep(&envelope.path));
            envelope.bytes = kept.inspect_err(|_| drop(std::fs::remove_file(&envelope.path)))?;
        }
        if envelope.bytes > max_bytes {
            let _ = std::fs::remove_file(&envelope.path);
            let words = format!("as a mail it is larger than {max_bytes} octets");
            return Err(Problem::new(Code::TooLarge, words));
        }
        Ok(envelope)
    });
    writing.await.map_err(|bug| Problem::new(Code::Failed, bug.to_string()))?
}

/// Makes a file durable, and says its size.
fn keep(path: &std::path::Path) -> Result<u64, Problem> {
    let synced = std::fs::File::open(path).and_then(|file| {
        file.sync_data()?;
        file.metadata()
    });
    synced.map(|file| file.len()).map_err(|bad| no_room(&bad))
}
