//! Jobs as the tests of the requests and of their rendering need them: one fax
//! that had a hard life, one that waits, one that came in.

use std::time::Duration;

use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
    destination::{Destination, FaxAddress, Mailbox},
    document::{Digest, Document, PageLedger, Paper, Quality, Resolution},
    fleet::{Decision, Health, Live, Standing},
    job::{Attempt, AttemptEnd, Carrier, Cause, End, Job, Notify, Sent, State},
    names::{ClientName, GroupName, JobId, ServerName},
    number::{Number, Pattern},
    options::{Asked, Remarks, Wanted},
    outcome::Outcome,
    retry::Tries,
    route::Arrival,
    settings,
    setup::{Client, Group, Server, Setup},
    supervisor::{ServerStatus, SettingsStatus, Status},
    time::{Timestamp, WallClock},
};

/// 2026-11-23 09:00:00 UTC.
pub(crate) const START: Timestamp = Timestamp(1_795_424_400_000);

/// So many seconds after the start.
pub(crate) fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

pub(crate) fn server(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub(crate) fn number(text: &str) -> Number {
    Number::try_from(text.to_owned()).unwrap()
}

pub(crate) fn decision() -> Decision {
    Decision {
        rule: Some(2),
        servers: vec![
            (server("paris-1"), Standing::Down("connection refused".into())),
            (server("london-1"), Standing::Able { forecast_s: 97.4, failures: 0 }),
            (server("berlin-1"), Standing::NoSharedGroup),
        ],
        chosen: Some(server("london-1")),
    }
}

fn document() -> Document {
    Document {
        digest: Digest("ab".repeat(32)),
        pages: 4,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        bytes: 120_000,
    }
}

fn sent(state: State) -> Job {
    let number = number("+33140000000");
    Job {
        id: JobId(12),
        cause: Cause::Sent(Box::new(Sent {
            client: ClientName::new("anna").unwrap(),
            reverse_path: Some("anna@example.com".into()),
            message_id: Some("<offer@example.com>".into()),
            subject: Some("Offer 4711".into()),
            message: "m12".into(),
            content: Digest("cd".repeat(32)),
            return_mail: false,
            envelope_id: None,
            original_recipient: None,
            notify: Notify::Unsaid,
            disposition: false,
            release: None,
            deliver_by: None,
            missed: Vec::new(),
            wanted: Wanted::default(),
        })),
        destination: Destination::Fax(FaxAddress {
            number,
            subaddress: None,
            attention: None,
            as_written: "0140000000@fax.example.com".into(),
            named: None,
            asked: Asked::default(),
        }),
        document: Some(document()),
        cover: None,
        remarks: Remarks::default(),
        trouble: None,
        state,
        created: START,
        expires: at(86_400),
        priority: 0,
        confirmed: 0,
        coarse: false,
        tries: Tries::default(),
        avoid: Default::default(),
        attempts: Vec::new(),
        planned: Vec::new(),
        delay_report: None,
        on_hold: false,
        tries_left: None,
    }
}

fn attempt(number: u32, started: Timestamp, ended: Option<AttemptEnd>) -> Attempt {
    Attempt {
        number,
        carrier: Carrier::Server(server("london-1")),
        decision: decision(),
        started,
        first_page: 0,
        ticket: Some(format!("{}", 16 + number)),
        ended,
        ledger: PageLedger::default(),
    }
}

fn busy() -> Attempt {
    let end =
        AttemptEnd { at: at(47), outcome: Outcome::Busy, said: "Busy signal detected".into() };
    attempt(1, at(3), Some(end))
}

/// It waits for its first attempt.
pub(crate) fn waiting() -> Job {
    sent(State::Waiting { due: START })
}

/// Its first call was busy, the second is at page 2 of 4.
pub(crate) fn carrying() -> Job {
    let mut job = sent(State::Carrying { cancelling: false });
    let mut second = attempt(2, at(227), None);
    second.ledger = PageLedger {
        confirmed: 2,
        remote_id: Some("MUELLER".into()),
        bit_rate: Some(14_400),
        duration: Duration::from_secs(41),
        quality: Some(Quality {
            carrier: "T.38".into(),
            ecm: true,
            coding: Some("MMR".into()),
            resent_frames: 3,
            bad_lines: 0,
            remote_model: None,
        }),
    };
    job.attempts = vec![busy(), second];
    job
}

/// Busy first, then delivered.
pub(crate) fn delivered() -> Job {
    let mut job = carrying();
    let end = AttemptEnd { at: at(300), outcome: Outcome::Delivered, said: String::new() };
    job.attempts[1].ended = Some(end);
    job.attempts[1].ledger.confirmed = 4;
    job.attempts[1].ledger.duration = Duration::from_secs(71);
    job.confirmed = 4;
    job.state = State::Ended { end: End::Delivered, at: at(300) };
    job
}

/// The receipt of the fax that was delivered.
pub(crate) fn receipt() -> Job {
    Job {
        id: JobId(13),
        cause: Cause::Receipt { of: JobId(12), report: Default::default() },
        destination: Destination::Mailbox(Mailbox {
            address: "anna@example.com".into(),
            client: Some(ClientName::new("anna").unwrap()),
        }),
        document: None,
        created: at(300),
        ..sent(State::Ended { end: End::Delivered, at: at(301) })
    }
}

/// A fax that came in for anna and waits for the mail server.
pub(crate) fn received() -> Job {
    let arrival = Arrival {
        server: server("london-1"),
        key: "fax00001.tif".into(),
        line: Some("ttyFAX0".into()),
        called: Some(number("+442079460100")),
        caller: Some(number("+4930123456")),
        caller_name: None,
        tsi: Some("MUELLER\u{1b}[2J".into()),
        subaddress: None,
        codes: Vec::new(),
        document: document(),
        received: START,
        local: WallClock { weekday: 0, minute: 540 },
        duration: Duration::from_secs(65),
        bit_rate: Some(9600),
        error: None,
    };
    Job {
        id: JobId(14),
        cause: Cause::Arrived(Box::new(arrival)),
        ..Job { destination: receipt().destination, ..sent(State::Waiting { due: at(60) }) }
    }
}

/// Two servers, one of them down, and one call under way.
pub(crate) fn status() -> Status {
    let up = Health::up("HylaFAX (tm) Version 6.0.7", vec!["ttyFAX0: Running and idle".into()]);
    let live = |health, busy| Live { health, since: START, busy, page_s: 18.0, failures: 0 };
    let settings = |state, since| Some(SettingsStatus { version: 3, state, since, unread: None });
    let applied = settings(settings::State::Applied { at: START }, START);
    let (why, again) = ("the disk is full".into(), Some(at(180)));
    let failed = settings(settings::State::Failed { at: at(60), why, again }, at(60));
    let one = |name: &str, draining, live, settings| ServerStatus {
        name: server(name),
        lines: 4,
        draining,
        drained: false,
        live,
        settings,
    };
    Status {
        servers: vec![
            one("london-1", false, live(up, 1), applied),
            one(
                "paris-1",
                true,
                live(Health::Down { why: "connection refused".into() }, 0),
                failed,
            ),
        ],
        faxes_preparing: 0,
        faxes_waiting: 3,
        faxes_on_hold: 0,
        faxes_calling: 1,
        mails_waiting: 2,
        mails_under_way: 0,
        unrouted: 1,
        under_way: vec![carrying()],
    }
}

/// London has anna and a server, paris has bert and two; in France.
pub(crate) fn setup() -> Setup {
    let groups = |name: &str| [GroupName::new(name).unwrap()].into();
    let client = |(name, group): (&str, &str)| {
        let client = Client {
            mail: vec![Pattern::new(&format!("{name}@example.com"))],
            groups: groups(group),
            grants: Vec::new(),
            receive: Default::default(),
            receipts: Default::default(),
            quota: Default::default(),
        };
        (ClientName::new(name).unwrap(), client)
    };
    let fax_server = |(name, group): (&str, &str)| {
        let new = Server {
            groups: groups(group),
            numbers: Vec::new(),
            lines: 4,
            draining: false,
            on_drift: Default::default(),
            takes: Default::default(),
            batch: 1,
        };
        (server(name), new)
    };
    Setup {
        domain: "fax.example.com".into(),
        country: "FR".parse().unwrap(),
        postmaster: "it@example.com".into(),
        groups: ["london", "paris"].map(|g| (GroupName::new(g).unwrap(), Group::default())).into(),
        servers: [("london-1", "london"), ("paris-1", "paris"), ("berlin-1", "paris")]
            .map(fax_server)
            .into(),
        clients: [("anna", "london"), ("bert", "paris")].map(client).into(),
        roles: Default::default(),
        dial: Vec::new(),
        routes: Vec::new(),
        webhooks: Default::default(),
        retry: Default::default(),
        limits: Default::default(),
    }
}

pub(crate) fn administrator() -> Asker {
    Asker { who: Who::Administrator, door: Door::Socket, from: "uid 0".into() }
}
