//! The journey of the letter: mailed to Postfax, followed page by page, and judged
//! by what came out at the other end: the receipt, and the fax as mail.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use postfax_domain::{
    document::Digest,
    fleet::Health,
    job::{Carrier, End, Job, State},
    names::JobId,
    time::Timestamp,
};
use postfax_gateway::{
    client::{Authorities, Body, Courier, Delivery, Login, Mail, Rcpt, Relay, Route, StartTls},
    compose::{Attachment, Delimiters, Head, Letter, Source},
    message::{self, Message},
};
use postfax_hw::pages;
use tokio::time::{sleep, timeout_at};

use super::{asking::Asking, folder::Folder, house::House, paper, setting, show::Show};
use crate::{
    cli::{Exit, Failure, args::Demo},
    requests::{Kind, confirmed},
};

/// How often the call is looked at.
const LOOK: Duration = Duration::from_millis(30);
/// How long all of it may take, besides the call.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the call may take at the speed of a real line.
const CALL_PATIENCE: Duration = Duration::from_secs(1800);

/// What came of it.
#[derive(Debug)]
pub(super) struct Journey {
    /// The job that sent the fax.
    pub(super) job: JobId,
    /// Pages that were sent, confirmed and received.
    pub(super) pages: u32,
    /// The number that was called.
    pub(super) number: String,
    /// What the receipt says to people.
    pub(super) receipt_subject: String,
    /// What the mail with the fax says.
    pub(super) fax_subject: String,
    /// The letter as it was sent.
    pub(super) sent_pdf: PathBuf,
    /// The mail with the receipt.
    pub(super) receipt: PathBuf,
    /// The mail with the fax.
    pub(super) fax: PathBuf,
    /// The pages of the fax.
    pub(super) fax_pdf: PathBuf,
    /// Page one as a picture.
    pub(super) picture: PathBuf,
    /// From the start of everything to the accepted mail.
    pub(super) accepted: Duration,
    /// From there to the beginning of the attempt.
    pub(super) queued: Duration,
    /// The call.
    pub(super) call: Duration,
    /// From the end of the call to both mails.
    pub(super) mailed: Duration,
    /// All of it.
    pub(super) total: Duration,
}

/// Sends the letter and waits until everything has come of it that should.
///
/// # Errors
/// [`Exit::No`] with the reason when the fax did not arrive as it was sent.
pub(super) async fn travel(
    demo: &Demo,
    folder: &Folder,
    house: &mut House,
    show: &mut Show,
) -> Result<Journey, Failure> {
    let call = CALL_PATIENCE.div_f64(demo.speed);
    let deadline = tokio::time::Instant::now() + PATIENCE + call;
    let walked = timeout_at(deadline, walk(folder, house, show)).await;
    walked.unwrap_or_else(|_| Err(no("it took too long, and was given up")))
}

async fn walk(folder: &Folder, house: &mut House, show: &mut Show) -> Result<Journey, Failure> {
    let mut asking = Asking::connect(&folder.socket()).await?;
    while !all_up(&mut asking).await? {
        sleep(LOOK).await;
    }
    let number = house.lab.description().servers[1].numbers[0].clone();
    let sent_pdf = folder.result("sent.pdf");
    show.mailing(&number);
    let reply = mail(folder, house, &number, &sent_pdf).await?;
    let accepted = show.since_start();
    show.accepted(&reply);
    let newest = asking.newest(Kind::Out).await?;
    let job = newest.ok_or_else(|| no("the mail was taken, and no fax came of it"))?;
    let sent = follow(&mut asking, job, show).await?;
    let ended = Instant::now();
    let (receipt, fax) = letters(house, show).await?;
    let mailed = ended.elapsed();
    let sent_pages = sent.document.as_ref().expect("a sent fax has pages");
    let (digest, subject) = arrived(&mut asking, &fax).await?;
    let fax_pdf = folder.result("fax.pdf");
    attached_pdf(&fax, &fax_pdf)?;
    compare(&folder.document(&sent_pages.digest), &folder.document(&digest))?;
    let picture = folder.result("fax-page-1.png");
    draw(&folder.document(&digest), &picture)?;
    let begun = sent.attempts.last().map_or(sent.created, |attempt| attempt.started);
    Ok(Journey {
        job,
        pages: sent_pages.pages,
        number,
        receipt_subject: delivered(&receipt)?,
        fax_subject: subject,
        sent_pdf,
        receipt: copy(&receipt, &folder.result("receipt.eml"))?,
        fax: copy(&fax, &folder.result("fax.eml"))?,
        fax_pdf,
        picture,
        accepted,
        queued: begun.since(sent.created),
        call: over_at(&sent).since(begun),
        mailed,
        total: show.since_start(),
    })
}

async fn all_up(asking: &mut Asking) -> Result<bool, Failure> {
    let servers = asking.status().await?.servers;
    Ok(servers.iter().all(|server| matches!(server.live.health, Health::Up { .. })))
}

/// Writes the letter and mails it as a mail client would: STARTTLS, a password,
/// and a certificate that is checked. What the server said.
async fn mail(folder: &Folder, house: &House, number: &str, pdf: &Path) -> Result<String, Failure> {
    let to = format!("{number}@{}", setting::DOMAIN);
    let now = jiff::Zoned::now();
    let date = now.strftime("%A, %-d %B %Y, %H:%M").to_string();
    let sender = setting::address(setting::SENDER);
    let letter = paper::letter(&format!("Anna <{sender}>"), number, &date);
    fs::write(pdf, letter).map_err(|failed| Failure::file(pdf.display(), &failed))?;
    let mut body = Vec::new();
    envelope(&to, pdf, now).write(&mut body).map_err(|why| bug(&why))?;
    let relay = Relay {
        route: Route::Smtp { host: "127.0.0.1".into(), port: house.ports.submission },
        starttls: StartTls::Required,
        login: Some(Login {
            user: setting::SENDER.into(),
            password: setting::PASSWORD.into(),
            mechanism: None,
        }),
        authorities: Authorities::File(folder.file("cert.pem")),
        hello_name: "localhost".into(),
    };
    let courier = Courier::new(relay, 1).map_err(|why| bug(&why))?;
    let mail = Mail {
        from: Some(sender),
        recipients: vec![Rcpt::new(to)],
        ret: None,
        envid: None,
        body: Body::Bytes(body.into()),
    };
    let deliveries = courier.deliver(&mail).await;
    courier.close().await;
    match deliveries.into_iter().next().expect("each recipient has a result").1 {
        Delivery::Accepted(reply) => Ok(reply.to_string()),
        Delivery::Refused(reply) => Err(no(format!("Postfax refused the mail: {reply}"))),
        Delivery::Deferred(why) => Err(no(format!("Postfax did not take the mail: {why}"))),
    }
}

/// The mail as a mail client writes it.
fn envelope(to: &str, pdf: &Path, now: jiff::Zoned) -> Letter {
    Letter {
        head: Head {
            from: message::Mailbox {
                name: Some("Anna".into()),
                address: setting::address(setting::SENDER),
            },
            to: message::Mailbox { name: None, address: to.to_owned() },
            subject: "A letter of two pages".into(),
            message_id: format!("{}@example.com", now.timestamp().as_millisecond()),
            date: now,
            in_reply_to: None,
            headers: Vec::new(),
            language: None,
        },
        automatic: None,
        text: String::new(),
        html: None,
        inline: Vec::new(),
        attachments: vec![Attachment {
            name: "letter.pdf".into(),
            content_type: "application/pdf".into(),
            content_id: None,
            source: Source::File(pdf.to_owned()),
        }],
        delimiters: Delimiters::Random,
    }
}

/// Shows the job until it is over, and gives it when it was delivered.
async fn follow(asking: &mut Asking, id: JobId, show: &mut Show) -> Result<Job, Failure> {
    let (mut attempt, mut page) = (0, 0);
    loop {
        let job = asking.job(id).await?;
        let pages = job.pages();
        if let Some(last) = job.attempts.last().filter(|last| last.number > attempt) {
            attempt = last.number;
            if let Carrier::Server(server) = &last.carrier {
                show.calling(server, attempt);
            }
        }
        while page < confirmed(&job) {
            page += 1;
            show.page(page, pages, job.attempts.last().map(|last| &last.ledger));
        }
        if let State::Ended { end, .. } = job.state {
            let said = job.attempts.last().and_then(|last| last.ended.as_ref());
            let said = said.map(|ended| ended.said.clone()).unwrap_or_default();
            show.ended(&job);
            return match end {
                End::Delivered => Ok(job),
                End::Failed(outcome) => {
                    Err(no(format!("the fax was not delivered: {} ({said})", outcome.row().text)))
                }
                End::Cancelled => Err(no("the fax was cancelled")),
            };
        }
        show.under_way(page, pages);
        sleep(LOOK).await;
    }
}

/// Waits for the receipt at the sender and the fax at the receiver.
async fn letters(house: &mut House, show: &mut Show) -> Result<(PathBuf, PathBuf), Failure> {
    let (mut receipt, mut fax) = (None, None);
    loop {
        let letter = house.mailbox.next().await;
        let mail = read(&letter.path)?;
        show.letter(&letter, &mail);
        match letter.person {
            setting::SENDER if mail.is_report() => receipt = Some(letter.path),
            setting::RECEIVER => fax = Some(letter.path),
            _ => {}
        }
        if let (Some(receipt), Some(fax)) = (&receipt, &fax) {
            return Ok((receipt.clone(), fax.clone()));
        }
    }
}

/// The pages of the fax that came in, and the subject of the mail that brought it.
async fn arrived(asking: &mut Asking, fax: &Path) -> Result<(Digest, String), Failure> {
    let job = asking.newest(Kind::In).await?.ok_or_else(|| no("Postfax knows of no fax in"))?;
    let document = asking.job(job).await?.document;
    let digest = document.ok_or_else(|| no("the fax that came in has no pages"))?.digest;
    Ok((digest, read(fax)?.subject().unwrap_or_default()))
}

/// The subject of the receipt, if it says that the fax was delivered (RFC 3464 2.3.3).
fn delivered(receipt: &Path) -> Result<String, Failure> {
    let mail = read(receipt)?;
    let status = mail.parts.iter().find(|part| part.content_type == "message/delivery-status");
    let status = status.map(|part| String::from_utf8_lossy(&part.bytes()).into_owned());
    let status = status.ok_or_else(|| no("the receipt has no part for machines"))?;
    let action = status.lines().find_map(|line| line.strip_prefix("Action:")).map(str::trim);
    match action {
        Some("delivered") => Ok(mail.subject().unwrap_or_default()),
        other => Err(no(format!("the receipt says {:?}", other.unwrap_or("nothing")))),
    }
}

fn attached_pdf(fax: &Path, out: &Path) -> Result<(), Failure> {
    let mail = read(fax)?;
    let pdf = mail.attachments().find(|part| part.content_type == "application/pdf");
    let pdf = pdf.ok_or_else(|| no("the mail with the fax has no PDF"))?;
    pdf.write_to(out).map_err(|failed| Failure::file(out.display(), &failed))
}

fn compare(sent: &Path, received: &Path) -> Result<(), Failure> {
    match pages::same_pixels(sent, received) {
        Ok(true) => Ok(()),
        Ok(false) => Err(no("the received pages are not those that were sent")),
        Err(bad) => Err(no(format!("the pages cannot be compared: {bad}"))),
    }
}

fn draw(fax: &Path, out: &Path) -> Result<(), Failure> {
    let png = pages::preview::png(fax, 0).map_err(|bad| no(bad.to_string()))?;
    fs::write(out, png).map_err(|failed| Failure::file(out.display(), &failed))
}

fn copy(from: &Path, to: &Path) -> Result<PathBuf, Failure> {
    fs::copy(from, to).map_err(|failed| Failure::file(to.display(), &failed))?;
    Ok(to.to_owned())
}

fn read(path: &Path) -> Result<Message, Failure> {
    Message::read(path, &message::Limits::default())
        .map_err(|bad| no(format!("{}: {bad}", path.display())))
}

fn over_at(job: &Job) -> Timestamp {
    let last = job.attempts.last().and_then(|attempt| attempt.ended.as_ref());
    last.map_or(job.created, |ended| ended.at)
}

fn bug(why: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Bug, format!("the letter cannot be sent: {why}"))
}

fn no(words: impl Into<String>) -> Failure {
    Failure::new(Exit::No, words)
}
