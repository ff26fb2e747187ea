//! What happens to the supervisor, what it wants done, and what of that is durable.

use std::{collections::BTreeMap, sync::Arc};

use super::{Answer, Request, Submission, Unfit, Work};
use crate::{
    audit::Line,
    book,
    document::PageLedger,
    fleet::Health,
    job::{AttemptEnd, Carrier, Job},
    names::{HookName, JobId, ServerName, Token},
    options::Made,
    route::Arrival,
    settings::{Held, NotPushed, Schema, Settings, Standing, Version},
    setup::Setup,
    webhook::{Settled, Standing as Hooked, Told},
};

/// What has happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A client offers a fax that is durable.
    Submitted(Box<Submission>, Token),
    /// The pages of a mail are made and durable, or cannot be made.
    Prepared {
        /// The mail.
        message: String,
        /// The pages of each fax that was ordered.
        made: Result<BTreeMap<JobId, Made>, Unfit>,
    },
    /// A server has taken an attempt.
    Placed {
        /// The job.
        job: JobId,
        /// Its attempt.
        attempt: u32,
        /// What the server calls it.
        ticket: String,
    },
    /// A call goes on.
    Progress {
        /// The job.
        job: JobId,
        /// Its attempt.
        attempt: u32,
        /// What was confirmed so far.
        ledger: PageLedger,
    },
    /// An attempt has ended.
    Ended {
        /// The job.
        job: JobId,
        /// Its attempt.
        attempt: u32,
        /// What was confirmed in it.
        ledger: PageLedger,
        /// When and how.
        end: AttemptEnd,
    },
    /// A fax was received and is durable here.
    Arrived(Box<Arrival>),
    /// A server was heard of, or not.
    Health(ServerName, Health),
    /// These servers can be set, by these schemas; who carries settings to them has
    /// just begun.
    Settable(BTreeMap<ServerName, &'static Schema>),
    /// The settings of a server were read.
    ReadBack(ServerName, Held),
    /// A server is there, and its settings cannot be read, for this reason.
    Unreadable(ServerName, String),
    /// A push of settings has ended: what the server holds, or why not those.
    Pushed(ServerName, u64, Result<Settings, NotPushed>),
    /// The next event of a hook has come to its end.
    Told(HookName, Settled),
    /// Another part of Postfax asks for something.
    Asked(Request, Token),
    /// Somebody asks for something. The line is completed with what became of it, and is
    /// durable together with it.
    Requested(Request, Box<Line>, Token),
    /// Somebody has asked for something that is not the supervisor's.
    Noted(Box<Line>, Token),
    /// The administrator has changed the setup.
    Reconfigured(Arc<Setup>),
    /// It is time, or the daemon has just started.
    Woke,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum Action {
    /// Make it durable, together with all others of the round.
    Save(Change),
    /// Answer whoever waits under this token.
    Promise(Token, Answer),
    /// Have a carrier carry the attempt that is under way.
    Carry(Box<Job>),
    /// Have the carrier stop it.
    Cancel(JobId, Carrier),
    /// Let the server drop its record of an attempt that is durable here.
    Forget(ServerName, String),
    /// Make the pages of a mail, and tell with [`Event::Prepared`].
    Prepare(Box<Work>),
    /// Let the server delete a received fax that is durable here.
    Release(ServerName, String),
    /// Try at once what waits for this hook.
    TellAgain(HookName),
    /// Have a server hold these settings, and tell with [`Event::Pushed`].
    Push {
        /// The server.
        server: ServerName,
        /// The version.
        version: u64,
        /// All that is to be set there.
        settings: Settings,
        /// What it may hold although nobody else has set anything there.
        known: Vec<Settings>,
    },
}

/// What is durable.
#[derive(Debug, Clone)]
pub enum Change {
    /// This job is now like this.
    Job(Box<Job>),
    /// This fax has arrived.
    Arrival(ServerName, String),
    /// This server is drained by order of somebody, or not any more.
    Drained(ServerName, bool),
    /// Somebody has asked for something.
    Audit(Box<Line>),
    /// An entry of the phone book has changed.
    Book(Box<book::Change>),
    /// The settings of this server now stand like this.
    Settings {
        /// The server.
        server: ServerName,
        /// The version that is new, if one is.
        new: Option<Box<Version>>,
        /// Everything but the versions.
        standing: Box<Standing>,
    },
    /// The events of this hook have come so far.
    Webhook {
        /// The hook.
        hook: HookName,
        /// The event that is new, if one is.
        new: Option<Box<Told>>,
        /// How far they have come.
        standing: Box<Hooked>,
    },
}
