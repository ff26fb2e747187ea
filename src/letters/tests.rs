//! Receipts of every kind, as golden files in `tests/letters`. With
//! `POSTFAX_WRITE_GOLDEN=1` the files are written anew, to be looked at before they
//! are kept.

use std::{path::Path, time::Duration};

use postfax_domain::{
    book::Owner,
    destination::{Destination, FaxAddress, Named},
    document::{Digest, Document, PageLedger, Paper, Resolution},
    fleet::Decision,
    job::{
        Attempt, AttemptEnd, Carrier, Cause, DeliverBy, End, Job, Missed, Notify, Release, Sent,
        State,
    },
    names::{ClientName, JobId, ServerName},
    notice::Report,
    number::Number,
    options::{Asked, Remarks, Stepped, Wanted},
    outcome::Outcome,
    route::Arrival,
    time::{Timestamp, WallClock},
};
use postfax_gateway::{
    compose::{Delimiters, Head},
    message::Mailbox,
};

use super::{fax as received, findings::Findings, other::Other, receipt, story::Story};
use crate::config::{self, Config};

/// 1 July 2025, 08:00:00 UTC.
const START: Timestamp = Timestamp(1_751_356_800_000);

fn at(seconds: u64) -> Timestamp {
    START + Duration::from_secs(seconds)
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn config(language: &str) -> Config {
    let mut config = config::load(&folder().join("tests/config/good/minimal.toml")).unwrap();
    config.letters.language = language.to_owned();
    config.timezone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    config
}

fn attempt(number: u32, began: u64, outcome: Outcome, confirmed: u32, said: &str) -> Attempt {
    let ledger = PageLedger {
        confirmed,
        remote_id: (confirmed > 0).then(|| "+33 1 40 00".to_owned()),
        bit_rate: (confirmed > 0).then_some(14_400),
        duration: Duration::from_secs(41),
        quality: None,
    };
    Attempt {
        number,
        carrier: Carrier::Server(ServerName::new("office-1").unwrap()),
        decision: Decision::default(),
        started: at(began),
        first_page: 0,
        ticket: Some(format!("{}", 16 + number)),
        ended: Some(AttemptEnd { at: at(began + 44), outcome, said: said.to_owned() }),
        ledger,
    }
}

/// A fax of three pages that was busy at first.
fn fax(state: State, last: Outcome, confirmed: u32) -> Job {
    let sent = Sent {
        // Nobody who has chosen a language.
        client: ClientName::new("somebody").unwrap(),
        reverse_path: Some("anna@example.com".into()),
        message_id: Some("offer@example.com".into()),
        subject: Some("Angebot für Müller 見積".into()),
        message: "m12".into(),
        content: Digest("c".into()),
        return_mail: false,
        envelope_id: Some("A17-66".into()),
        original_recipient: Some(("rfc822".into(), "FAX=+33140000000@old.example.com".into())),
        notify: Notify::Unsaid,
        disposition: false,
        release: None,
        deliver_by: None,
        missed: Vec::new(),
        wanted: Wanted::default(),
    };
    let to = Destination::Fax(FaxAddress {
        number: Number::try_from("+33140000000".to_owned()).unwrap(),
        subaddress: None,
        attention: None,
        as_written: "FAX=+33140000000@fax.example.com".into(),
        named: None,
        asked: Asked::default(),
    });
    let day = Duration::from_secs(24 * 3600);
    let document = Document {
        digest: Digest("d".into()),
        pages: 3,
        resolution: Resolution::Fine,
        paper: Paper::A4,
        bytes: 30_000,
    };
    let said = if last.is_success() { "" } else { "No carrier detected" };
    Job {
        document: Some(document),
        state,
        confirmed,
        attempts: vec![
            attempt(1, 2, Outcome::Busy, 0, "Busy signal detected"),
            attempt(2, 226, last, confirmed, said),
        ],
        ..Job::new(JobId(12), Cause::Sent(Box::new(sent)), to, START, day)
    }
}

fn ended(end: End, last: Outcome, confirmed: u32) -> Job {
    fax(State::Ended { end, at: at(270) }, last, confirmed)
}

/// The same with a cover, and made at another resolution than was asked for.
fn stepped(mut job: Job) -> Job {
    job.cover = job.document.clone().map(|cover| Document { pages: 1, ..cover });
    job.confirmed = job.pages();
    let stepped = Stepped {
        asked: Resolution::Fine,
        made: Resolution::Standard,
        as_text: true,
        line_s: 1501,
    };
    let warnings = vec!["plan.pdf: 2 characters have no glyph: 🜁 🜂".into()];
    job.remarks = Remarks { stepped: Some(stepped), warnings };
    job
}

/// The same by a list of bob's, of which two members could not be used.
fn listed(mut job: Job) -> Job {
    let Destination::Fax(fax) = &mut job.destination else { panic!("a fax") };
    fax.as_written = "customers@fax.example.com".into();
    fax.subaddress = Some("4312".into());
    fax.named = Some(Named {
        entry: "Acme Ltd".into(),
        company: String::new(),
        list: Some("Customers".into()),
        owner: Owner::Client(ClientName::new("bob").unwrap()),
    });
    asked(job, |sent| {
        sent.original_recipient = None;
        sent.missed = vec![Missed { list: "Customers".into(), members: 2 }];
    })
}

fn failed(last: Outcome, confirmed: u32) -> Job {
    ended(End::Failed(last), last, confirmed)
}

fn asked(mut job: Job, change: impl FnOnce(&mut Sent)) -> Job {
    let Cause::Sent(sent) = &mut job.cause else { panic!("a fax") };
    change(sent);
    job
}

/// The receipt as it is mailed, but for the picture and the returned mail.
fn written(language: &str, job: &Job, report: Report) -> String {
    let config = config(language);
    let (Some(sent), Destination::Fax(to)) = (job.sender(), &job.destination) else {
        panic!("a fax")
    };
    let story = Story::new(&config, job, sent, to, report);
    let head = Head {
        from: Mailbox { name: None, address: "fax@fax.example.com".into() },
        to: Mailbox { name: None, address: "anna@example.com".into() },
        subject: story.subject(),
        date: super::zoned(&config, at(300)),
        message_id: "job-13.test@fax.example.com".into(),
        in_reply_to: None,
        language: Some(story.words.tag().to_owned()),
        headers: Vec::new(),
    };
    let text = story.page().text();
    let mut out = Vec::new();
    match report {
        Report::Disposition => {
            let mut notice = receipt::notification(&story, head, text, None, Vec::new());
            notice.delimiters = Delimiters::Seeded(1);
            notice.write(&mut out).unwrap();
        }
        _ => {
            let mut report = receipt::delivery_report(&story, head, text, None, Vec::new());
            report.delimiters = Delimiters::Seeded(1);
            report.write(&mut out).unwrap();
        }
    }
    String::from_utf8(out).unwrap().replace("\r\n", "\n")
}

#[test]
fn every_kind_of_receipt_is_as_in_its_golden_file() {
    let waiting = || fax(State::Waiting { due: at(500) }, Outcome::Disconnected, 2);
    let by = |give_back| Some(DeliverBy { at: at(260), give_back, trace: false });
    let delivered = || ended(End::Delivered, Outcome::Delivered, 3);
    let mut coarser = delivered();
    coarser.coarse = true;
    let mut expired = asked(failed(Outcome::Disconnected, 2), |sent| sent.deliver_by = by(true));
    expired.expires = at(260);
    let held = Release { at: at(3600), asked: "for;3600".into() };
    let cases = [
        ("delivered", delivered(), Report::End),
        ("coarser", coarser, Report::End),
        ("relayed", ended(End::Delivered, Outcome::Relayed, 3), Report::End),
        ("failed", failed(Outcome::NoFaxMachine, 0), Report::End),
        ("partly", failed(Outcome::Disconnected, 2), Report::End),
        ("expired", expired, Report::End),
        ("cancelled", ended(End::Cancelled, Outcome::Cancelled, 1), Report::End),
        ("late", waiting(), Report::Late),
        ("overdue", asked(waiting(), |sent| sent.deliver_by = by(false)), Report::Overdue),
        ("held", asked(delivered(), |sent| sent.release = Some(held)), Report::End),
        ("listed", listed(delivered()), Report::End),
        ("stepped", stepped(delivered()), Report::End),
        ("dispatched", delivered(), Report::Disposition),
        ("not-dispatched", failed(Outcome::NotInService, 0), Report::Disposition),
    ];
    let anew = std::env::var_os("POSTFAX_WRITE_GOLDEN").is_some();
    for (name, job, report) in &cases {
        for language in ["en", "de", "fr", "ja"] {
            // The machine's part is the same in all languages.
            if language != "en"
                && !matches!(*name, "delivered" | "partly" | "late" | "listed" | "stepped")
            {
                continue;
            }
            let path = folder().join(format!("tests/letters/{name}.{language}.eml"));
            let text = written(language, job, *report);
            if anew {
                std::fs::write(&path, &text).unwrap();
            }
            let golden = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(text, golden, "{}", path.display());
        }
    }
}

#[test]
fn the_status_says_what_has_happened() {
    let status = |job: &Job, report| {
        let text = written("en", job, report);
        let line = text.lines().find(|line| line.starts_with("Status: ")).unwrap();
        line["Status: ".len()..][..5].to_owned()
    };
    let waiting = |last| fax(State::Waiting { due: at(500) }, last, 0);
    assert_eq!(status(&waiting(Outcome::Busy), Report::Late), "4.4.1");
    // Two calls of a person who answers: a failure one day, and only a delay as yet.
    assert_eq!(status(&waiting(Outcome::NoFaxMachine), Report::Late), "4.0.0");
    assert_eq!(status(&waiting(Outcome::Busy), Report::Overdue), "4.4.7");
    assert_eq!(status(&failed(Outcome::NoFaxMachine, 0), Report::End), "5.1.1");
    assert_eq!(status(&failed(Outcome::Busy, 0), Report::End), "4.4.1");
}

#[test]
fn every_kind_is_said_in_every_language() {
    let waiting = fax(State::Waiting { due: at(500) }, Outcome::Disconnected, 2);
    for (job, report) in [
        (&failed(Outcome::Busy, 0), Report::End),
        (&failed(Outcome::Busy, 2), Report::End),
        (&ended(End::Cancelled, Outcome::Cancelled, 0), Report::End),
        (&waiting, Report::Late),
        (&waiting, Report::Overdue),
    ] {
        let subjects = ["en", "de", "fr", "ja"].map(|language| {
            let text = written(language, job, report);
            let lines = text.lines().skip_while(|line| !line.starts_with("Subject: "));
            lines.take(1).collect::<String>()
        });
        let mut different = subjects.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), 4, "{subjects:?}");
    }
}

fn arrival() -> Arrival {
    let number = |text: &str| Some(Number::try_from(text.to_owned()).unwrap());
    Arrival {
        server: ServerName::new("office-1").unwrap(),
        key: "fax00001.tif".into(),
        line: None,
        called: number("+442079460100"),
        caller: number("+4930123456"),
        caller_name: None,
        tsi: Some("MUELLER\u{1b}[2J\nTo: nobody".into()),
        subaddress: None,
        codes: Vec::new(),
        document: Document {
            digest: Digest("d".into()),
            pages: 1,
            resolution: Resolution::Fine,
            paper: Paper::A4,
            bytes: 1,
        },
        received: START,
        local: WallClock { weekday: 1, minute: 600 },
        duration: Duration::from_secs(65),
        bit_rate: Some(9600),
        error: Some("RSPREC error".into()),
    }
}

#[test]
fn a_received_fax_is_announced_in_every_language() {
    let said = |language: &str| {
        let config = config(language);
        let words = config.letters.languages.of(language);
        let mut fax = arrival();
        let nobody = Other::default();
        let text = received::page(&config, words, &fax, &nobody, &Findings::default()).text();
        let incomplete = received::subject(words, &fax, &nobody);
        (fax.caller, fax.tsi, fax.error) = (None, None, None);
        (text, incomplete, received::subject(words, &fax, &nobody))
    };
    let (text, _, subject) = said("en");
    assert_eq!(
        text,
        "A fax has arrived: 1 page.\n\n\
         From: +4930123456 (MUELLER [2J To: nobody)\n\
         To: +442079460100\n\
         Station: MUELLER [2J To: nobody\n\
         Received: 2025-07-01 10:00:00 CEST\n\
         Duration: 65 s\n\
         Speed: 9600 bit/s\n\
         Server: office-1\n\
         Problem: RSPREC error. Pages may be missing or damaged.\n\n\
         A reply to this mail goes back as a fax.\n"
    );
    assert_eq!(subject, "Fax from an unknown number, 1 page");
    for (language, first, line, subject) in [
        (
            "de",
            "Ein Fax ist eingegangen: 1 Seite.\n",
            "An: ",
            "Fax von unbekannter Nummer, 1 Seite",
        ),
        ("fr", "Un fax est arrivé : 1 page.\n", "À : ", "Fax de numéro inconnu, 1 page"),
        (
            "ja",
            "ファクスを受信しました：1 ページ。\n",
            "宛先：",
            "不明な番号からのファクス、1 ページ",
        ),
    ] {
        let (text, incomplete, plain) = said(language);
        assert!(text.starts_with(first), "{text}");
        assert!(text.contains(&format!("\n{line}+442079460100\n")), "{text}");
        assert_eq!(plain, subject);
        assert!(incomplete.contains("+4930123456") && incomplete != plain, "{incomplete}");
    }
}

#[test]
fn the_name_of_a_station_stays_in_its_comment() {
    let config = config("en");
    for (tsi, said) in [
        ("+49 30 1234", "+49 30 1234"),
        (") by evil.example; (", "  by evil.example;  "),
        ("a\\) \"b\" =?utf-8?q?x?=", "a    b   ?utf-8?q?x? "),
        ("M\u{fc}ller\r\nBcc: x", "M ller  Bcc: x"),
        (&"9".repeat(2000), &"9".repeat(40)),
    ] {
        let mut fax = arrival();
        fax.tsi = Some(tsi.to_owned());
        let headers = received::headers(&config, &fax, &Findings::default());
        let (_, line) = headers.iter().find(|(name, _)| name == "Received").unwrap();
        let comment = format!("from +4930123456 (TSI \"{said}\") by ");
        assert!(line.starts_with(&comment), "{line:?}");
    }
}

#[test]
fn a_large_mail_does_not_come_back_with_its_receipt() {
    let config = config("en");
    let whole = |job: Job, full: bool, bytes: u64| {
        let job = asked(job, |sent| sent.return_mail = full);
        let (Some(sent), Destination::Fax(to)) = (job.sender(), &job.destination) else {
            panic!("a fax")
        };
        receipt::returns_whole(&Story::new(&config, &job, sent, to, Report::End), bytes)
    };
    let lost = || failed(Outcome::Busy, 0);
    assert!(whole(lost(), true, 1 << 20));
    assert!(!whole(lost(), true, 40 << 20), "the relay would not take the receipt");
    assert!(!whole(lost(), false, 10), "nobody asked for it");
    assert!(!whole(ended(End::Delivered, Outcome::Delivered, 3), true, 10), "it arrived");
}

#[test]
fn a_mail_says_which_pages_are_damaged_and_which_are_left_out() {
    use super::findings::Damaged;
    use postfax_hw::pages::received::LeftOut;
    let damaged = |page| Damaged { page, bad: 14, longest: 3, missing: 2, lines: 1143 };
    let findings = Findings {
        pdf: true,
        damaged: (2..40).map(damaged).collect(),
        left_out: vec![(3, LeftOut::Blank), (5, LeftOut::Duplicate)],
        read: Some((1, 4)),
    };
    let mut fax = arrival();
    (fax.error, fax.codes) = (None, vec!["INV-7".into()]);
    let said = |language: &str, findings: &Findings| {
        let config = config(language);
        let words = config.letters.languages.of(language);
        received::page(&config, words, &fax, &Other::default(), findings).text()
    };
    let text = said("en", &findings);
    for line in [
        "Code: INV-7",
        "Damaged on the telephone line:",
        "  page 2: 16 of 1143 lines",
        "  ...",
        "Left out of the PDF:",
        "  page 3: nothing is on it",
        "  page 5: the same page came again",
    ] {
        assert!(text.lines().any(|one| one == line), "{line:?} is not in {text}");
    }
    assert!(text.contains("A red bar in the margin") && !text.contains("page 22:"), "{text}");
    let tiff = Findings { pdf: false, ..findings.clone() };
    assert!(!said("en", &tiff).contains("red bar"), "only the PDF has one");
    let mut about_pdf = ["en", "de", "fr", "ja"].map(|language| {
        let text = said(language, &findings);
        let lines = text.lines().filter(|line| line.contains("PDF"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    about_pdf.sort();
    assert!(about_pdf.iter().all(|lines| lines.len() == 2), "{about_pdf:?}");
    assert!(about_pdf.windows(2).all(|two| two[0] != two[1]), "{about_pdf:?}");
    let headers = received::headers(&config("en"), &fax, &findings);
    let values = |name: &str| -> Vec<&str> {
        headers.iter().filter(|(one, _)| one == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(values("X-Fax-Quality"), ["damaged"]);
    assert_eq!(values("X-Fax-Damage")[0], "page=2; bad=14; longest=3; missing=2; lines=1143");
    assert_eq!(values("X-Fax-Damage").len(), 20);
    assert_eq!(values("X-Fax-Left-Out"), ["page=3; why=blank", "page=5; why=duplicate"]);
    assert_eq!(
        (values("X-Fax-Code"), values("X-Fax-Text")),
        (vec!["INV-7"], vec!["pages=1; of=4"])
    );
}
