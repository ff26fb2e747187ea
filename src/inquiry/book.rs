//! What is asked of the phone book in more than one step: an edited entry, of which
//! nothing is overwritten that others have changed meanwhile, and the number of a fax
//! that is to stand in it.

use postfax_domain::{
    audit::Asker,
    authority::Who,
    destination::Destination,
    job::{Cause, Job},
    names::{ClientName, JobId},
    number::{Country, Number},
};
use tracing::warn;

use super::{
    asked::Save,
    card::{self, Different, Edited},
};
use crate::{
    daemon::Context,
    requests::{
        self, Ask, AskBook, BookReply, Code, Daemon, Problem, Reply,
        book::{EntrySheet, Fields},
    },
};

/// What became of an edited entry.
pub(super) enum Outcome {
    /// It was asked for, and this is the answer.
    Asked(Reply),
    /// It says what the entry says already.
    Same(Box<EntrySheet>),
    /// It was made of a version that is not the newest any more.
    Stale {
        /// The refusal.
        problem: Problem,
        /// What its writer had wanted, compared with the newest version.
        wanted: Vec<Different>,
        /// The newest version.
        newest: Box<EntrySheet>,
    },
}

/// Has an entry changed as its edited text says.
pub(super) async fn edit(daemon: &dyn Daemon, asker: &Asker, edited: &Edited) -> Outcome {
    let show = Ask::Book(AskBook::Show { entry: edited.entry.clone() });
    let newest = match requests::answer(daemon, asker, show).await {
        Reply::Book(reply) => match *reply {
            BookReply::Entry(sheet) => sheet,
            other => return Outcome::Asked(Reply::Book(Box::new(other))),
        },
        reply => return Outcome::Asked(reply),
    };
    let wanted = edited.differs(&newest);
    if wanted.is_empty() && newest.entry.version == edited.version {
        return Outcome::Same(newest);
    }
    let fields = match card::asked(&wanted) {
        Ok(fields) => Box::new(fields),
        Err(why) => return Outcome::Asked(Problem::new(Code::BadRequest, why).into()),
    };
    let (entry, version) = (edited.entry.clone(), Some(edited.version));
    let change = Ask::Book(AskBook::Change { entry, version, fields });
    match requests::answer(daemon, asker, change).await {
        Reply::Problem(problem) if problem.code == Code::Stale => {
            Outcome::Stale { problem, wanted, newest }
        }
        reply => Outcome::Asked(reply),
    }
}

/// Has the number of a fax saved, for the client who has sent or got it. For everybody
/// else there is no such fax.
pub(super) async fn save(
    context: &Context,
    daemon: &dyn Daemon,
    asker: &Asker,
    save: &Save,
) -> Reply {
    let (number, subaddress) = match line(context, asker, save.job).await {
        Ok(line) => line,
        Err(problem) => return problem.into(),
    };
    let country = context.config.load().setup.country;
    if let Some(written) = &save.fields.number
        && Number::parse(written, country).as_ref() != Ok(&number)
    {
        let why = format!("the number of job {} is {number}, and not {written}", save.job);
        return Problem::new(Code::BadRequest, why).into();
    }
    let mut fields = Fields { number: Some(number.to_string()), ..save.fields.clone() };
    fields.subaddress = fields.subaddress.or(subaddress);
    let (fields, owner, label) = (Box::new(fields), save.owner.clone(), save.label.clone());
    requests::answer(daemon, asker, Ask::Book(AskBook::Add { fields, owner, label })).await
}

async fn line(context: &Context, asker: &Asker, id: JobId) -> Result<Line, Problem> {
    let job = context.reader.job(id).await.map_err(|failed| {
        warn!(%failed, "the fax of a number could not be looked up");
        Problem::new(Code::Busy, "the database is busy, try again")
    })?;
    let country = context.config.load().setup.country;
    let known = job.and_then(|job| client_and_line(&job, country));
    let known = known.filter(|(client, _)| asker.who == Who::Client(client.clone()));
    let (_, line) = known.ok_or_else(|| Problem::no_such_job(id))?;
    line.ok_or_else(|| {
        Problem::new(Code::WrongState, format!("the caller of job {id} has withheld the number"))
    })
}

/// A number, and the sub-address behind it.
type Line = (Number, Option<String>);

/// Who has sent this fax, or has got it, and what is at the other end.
fn client_and_line(job: &Job, country: Country) -> Option<(ClientName, Option<Line>)> {
    match (&job.cause, &job.destination) {
        (Cause::Sent(sent), Destination::Fax(to)) => {
            let line = (to.number.clone(), to.subaddress.clone());
            Some((sent.client.clone(), Some(line)))
        }
        (Cause::Arrived(fax), Destination::Mailbox(to)) => {
            Some((to.client.clone()?, fax.calling(country).map(|number| (number, None))))
        }
        _ => None,
    }
}
