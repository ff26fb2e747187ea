//! What lines ask.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use postfax_domain::{
    book::Sharing,
    dial::Party,
    names::HookName,
    settings::{Name, Value},
};

use super::*;
use crate::requests::{
    Ask, AskAlter, AskAudit, AskBook, AskConfig, AskInbound, AskJobs, Condition, Kind, Terms,
    book::{Exported, Fields, FileFormat},
    settings::AskSettings,
};

/// Below the line that asks.
const TEXT: &str = "\nGood morning.\n";

fn read(line: &str, job: Option<u64>) -> Result<Asked, String> {
    let anna = ClientName::new("anna").unwrap();
    let (verb, rest) = verb(line, None).unwrap_or_else(|| panic!("{line}"));
    let job = job.map(JobId);
    let zone = &TimeZone::UTC;
    verb.read(
        rest,
        Known { job, client: &anna, zone, home: None, text: TEXT, files: &[], other_file: None },
    )
}

fn jobs(change: impl FnOnce(&mut AskJobs)) -> Ask {
    let mut ask = AskJobs::default();
    change(&mut ask);
    Ask::Jobs(ask)
}

fn explain(to: &str, pages: u32) -> Ask {
    Ask::Explain { from: "anna".into(), to: to.into(), pages }
}

fn alter(change: impl FnOnce(&mut AskAlter)) -> Ask {
    let job = JobId(12);
    let mut ask =
        AskAlter { job, priority: None, tries: None, expires: None, due: None, number: None };
    change(&mut ask);
    Ask::Alter(ask)
}

fn london() -> ServerName {
    ServerName::new("london-1").unwrap()
}

fn set(pairs: &[(&str, Option<&str>)], version: Option<u64>, reason: &str) -> Ask {
    let pair = |(name, value): &(&str, Option<&str>)| {
        let value = value.map(|value| Value::Text(value.to_owned()));
        (name.parse::<Name>().unwrap(), value)
    };
    let set = pairs.iter().map(pair).collect();
    Ask::Settings(AskSettings::Set { server: london(), version, set, reason: reason.into() })
}

fn config_set(key: &str, value: Option<&str>, reason: &str) -> Ask {
    let set = crate::config::Set { key: key.into(), value: value.map(str::to_owned) };
    let terms = Terms { reason: reason.into(), ..Terms::default() };
    Ask::Config(AskConfig::Set { changes: vec![set], terms })
}

#[test]
fn what_is_written_about_jobs_is_what_is_asked() {
    let twelve = JobId(12);
    let due = postfax_domain::time::Timestamp(1_795_507_200_000);
    for (line, job, wanted) in [
        ("status", None, Ask::Status),
        ("Status.", None, Ask::Status),
        ("show 12", None, Ask::Show { job: twelve }),
        ("jobs show 12", None, Ask::Show { job: twelve }),
        ("SHOW #12.", None, Ask::Show { job: twelve }),
        ("cancel job 12", None, Ask::Cancel { job: twelve }),
        ("cancel", Some(12), Ask::Cancel { job: twelve }),
        ("cancel!", Some(12), Ask::Cancel { job: twelve }),
        ("cancel 12", Some(12), Ask::Cancel { job: twelve }),
        ("stop job", Some(12), Ask::Cancel { job: twelve }),
        ("retry 12", None, Ask::Retry { job: twelve }),
        ("hold 12", None, Ask::Hold { job: twelve }),
        ("release", Some(12), Ask::Release { job: twelve }),
        ("alter 12 priority=-4", None, alter(|ask| ask.priority = Some(-4))),
        (
            "alter #12 number = 01 40 00 00 00, tries=3",
            None,
            alter(|ask| {
                ask.number = Some("01 40 00 00 00".into());
                ask.tries = Some(3);
            }),
        ),
        (
            "alter due=2026-11-24 08:00 priority=2",
            Some(12),
            alter(|ask| {
                ask.due = Some(due);
                ask.priority = Some(2);
            }),
        ),
        ("alter 12 until=\"2026-11-24 08:00\"", None, alter(|ask| ask.expires = Some(due))),
        ("list", Some(12), jobs(|_| {})),
        ("jobs open", None, jobs(|ask| ask.state = Some(Condition::Open))),
        (
            "list Failed out 20 +33*",
            None,
            jobs(|ask| {
                ask.state = Some(Condition::Failed);
                ask.kind = Some(Kind::Out);
                ask.limit = Some(20);
                ask.number = Some("+33*".into());
            }),
        ),
        ("explain +33140000000", None, explain("+33140000000", 1)),
        ("explain 01 40 00 00 00", Some(12), explain("01 40 00 00 00", 1)),
        ("why 01 40 00 00 00 3 pages", None, explain("01 40 00 00 00", 3)),
        ("explain job 12", None, Ask::ExplainJob { job: twelve }),
        ("explain", Some(12), Ask::ExplainJob { job: twelve }),
    ] {
        assert_eq!(read(line, job), Ok(Asked::Of(wanted)), "{line}");
    }
    assert_eq!(read("help me", None), Ok(Asked::Help));
}

#[test]
fn what_is_written_about_received_faxes_is_what_is_asked() {
    let twelve = JobId(12);
    let anna = || ClientName::new("anna").unwrap();
    for (line, job, wanted) in [
        ("inbound", None, Ask::Inbound(AskInbound::default())),
        ("inbound list 5", None, Ask::Inbound(AskInbound { limit: Some(5), before: None })),
        ("assign 12 anna", None, Ask::Assign { job: twelve, client: anna() }),
        ("inbound assign job 12 to anna", None, Ask::Assign { job: twelve, client: anna() }),
        ("assign anna", Some(12), Ask::Assign { job: twelve, client: anna() }),
    ] {
        assert_eq!(read(line, job), Ok(Asked::Of(wanted)), "{line}");
    }
}

#[test]
fn what_is_written_about_servers_is_what_is_asked() {
    let settings = |ask| Ask::Settings(ask);
    let server = london;
    let because = |reason: &str| reason.to_owned();
    let diff = |from, to| settings(AskSettings::Diff { server: london(), from, to });
    let rollback = |reason: &str| {
        settings(AskSettings::Rollback {
            server: london(),
            to: 3,
            version: None,
            reason: because(reason),
        })
    };
    for (line, wanted) in [
        ("servers", Ask::Servers),
        ("servers list", Ask::Servers),
        ("drain london-1", Ask::Drain { server: server() }),
        ("servers drain server london-1", Ask::Drain { server: server() }),
        ("resume london-1", Ask::Resume { server: server() }),
        ("give-up london-1", Ask::GiveUp { server: server() }),
        ("get london-1", settings(AskSettings::Get { server: server() })),
        ("Settings london-1", settings(AskSettings::Get { server: server() })),
        ("settings get london-1", settings(AskSettings::Get { server: server() })),
        ("settings history london-1", settings(AskSettings::History { server: server() })),
        ("push london-1", settings(AskSettings::Push { server: server() })),
        ("adopt london-1", settings(AskSettings::Adopt { server: server(), reason: because("") })),
        (
            "adopt london-1 because it is better",
            settings(AskSettings::Adopt { server: server(), reason: because("it is better") }),
        ),
        ("diff london-1", diff(None, None)),
        ("diff london-1 3", diff(Some(3), None)),
        ("diff london-1 v3 5.", diff(Some(3), Some(5))),
        ("rollback london-1 3", rollback("")),
        ("rollback london-1 3 because of that", rollback("of that")),
        ("set london-1 max_dials=3", set(&[("max_dials", Some("3"))], None, "")),
        (
            "set london-1 max_dials = 3, line.a.ecm=no because: the carrier, again",
            set(
                &[("max_dials", Some("3")), ("line.a.ecm", Some("no"))],
                None,
                "the carrier, again",
            ),
        ),
        (
            "settings set london-1 version=4 name=\"two  words\" max_dials=",
            set(&[("name", Some("two  words")), ("max_dials", None)], Some(4), ""),
        ),
    ] {
        assert_eq!(read(line, Some(12)), Ok(Asked::Of(wanted)), "{line}");
    }
}

/// What a mail to `book@` asks that has this line and this text.
fn book(line: &str, text: &str) -> Result<Ask, String> {
    let anna = ClientName::new("anna").unwrap();
    let home = Some(Topic::Book);
    let (verb, rest) = verb(line, home).unwrap_or_else(|| panic!("{line}"));
    let zone = &TimeZone::UTC;
    let other_file = text.strip_prefix("attached: ");
    let known = Known { job: None, client: &anna, zone, home, text, files: &[], other_file };
    match verb.read(rest, known)? {
        Asked::Of(ask) => Ok(ask),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn what_is_written_about_the_phone_book_is_what_is_asked() {
    let acme = || "acme".to_owned();
    let find = |text: &str| AskBook::Find { text: text.into(), limit: None };
    let number = |number: &str| Fields { number: Some(number.into()), ..Fields::default() };
    let change =
        |version, fields| AskBook::Change { entry: acme(), version, fields: Box::new(fields) };
    let share = |with| AskBook::Share { entry: acme(), version: None, with };
    let bert = || [Party::Client(ClientName::new("bert").unwrap())].into();
    let export = |format, what| AskBook::Export { format, what };
    let (csv, ldif) = (FileFormat::Csv, FileFormat::Ldif);
    for (line, wanted) in [
        ("find", find("")),
        ("list", find("")),
        ("Find Acme Ltd", find("Acme Ltd")),
        ("show acme", AskBook::Show { entry: acme() }),
        ("show entry \"acme\"", AskBook::Show { entry: acme() }),
        ("get +44 20 7946 0100", AskBook::Show { entry: "+44 20 7946 0100".into() }),
        ("change acme number=020 7946 0101", change(None, number("020 7946 0101"))),
        ("alter acme version=3 number = 1234", change(Some(3), number("1234"))),
        ("share acme with everyone", share(Sharing::Everyone)),
        ("share acme with bert", share(Sharing::With(bert()))),
        ("unshare acme from bert", share(Sharing::NotWith(bert()))),
        ("unshare acme", share(Sharing::Nobody)),
        ("delete acme", AskBook::Delete { entry: acme(), version: None }),
        ("remove acme version=2", AskBook::Delete { entry: acme(), version: Some(2) }),
        ("export csv", export(csv, Exported::Own)),
        ("export visible LDIF.", export(ldif, Exported::Visible)),
    ] {
        let wanted = Ok(Ask::Book(wanted));
        assert_eq!(book(line, ""), wanted, "{line}");
        // Elsewhere the noun tells which one is meant.
        assert_eq!(read(&format!("book {line}"), None), wanted.map(Asked::Of), "{line}");
    }
    assert_eq!(read("find acme", None), Ok(Asked::Of(Ask::Book(find("acme")))));
    assert_eq!(read("book acme", None), Ok(Asked::Of(Ask::Book(find("acme")))));
    assert_eq!(read("show 12", None), Ok(Asked::Of(Ask::Show { job: JobId(12) })));
    assert_eq!(book("jobs show 12", ""), Ok(Ask::Show { job: JobId(12) }));
    assert_eq!(book("status", ""), Ok(Ask::Status));
}

#[test]
fn an_entry_is_written_in_lines_as_well() {
    let text = "change acme\nnumber: 020 7946 0101\nalias:\n\nRegards\n";
    let Ok(Ask::Book(AskBook::Change { fields, .. })) = book("change acme", text) else { panic!() };
    assert_eq!(fields.number.as_deref(), Some("020 7946 0101"));
    assert_eq!(fields.alias.as_deref(), Some(""));
    for (line, text) in [
        ("add Acme Ltd 020 7946 0100", ""),
        ("add", "name: Acme Ltd\nnumber: 020 7946 0100\n"),
        ("add Acme Ltd", "Good morning.\n\nnumber: 020 7946 0100\n"),
    ] {
        let Ok(Ask::Book(AskBook::Add { fields, owner, label })) = book(line, text) else {
            panic!("{line}")
        };
        assert_eq!(fields.name.as_deref(), Some("Acme Ltd"), "{line}");
        assert_eq!(fields.number.as_deref(), Some("020 7946 0100"), "{line}");
        assert_eq!((owner, label), (None, None));
    }
}

#[test]
fn a_file_stands_in_the_mail_or_beside_it() {
    let import = |line: &str, text: &str| match book(line, text) {
        Ok(Ask::Book(AskBook::Import(import))) => *import,
        other => panic!("{line}: {other:?}"),
    };
    let table = "name,number\nAcme,020 7946 0100\n";
    for (line, text) in [
        ("import", table.to_owned()),
        ("import try", format!("import try\n{table}")),
        ("import dry-run", format!("\n{table}-- \nAnna\n")),
        ("import csv dry run for everyone", table.to_owned()),
    ] {
        let asked = import(line, &text);
        assert_eq!(asked.file, STANDARD.encode(table), "{line}");
        assert_eq!(asked.dry_run, line != "import", "{line}");
        assert_eq!(asked.format.is_some(), line.contains("csv"), "{line}");
        assert_eq!(asked.label.is_some(), line.contains("everyone"), "{line}");
    }
}

#[test]
fn what_is_wrong_about_the_phone_book_is_said() {
    for (line, words) in [
        ("show", "the entry is missing"),
        ("add", "the name is missing"),
        ("add Acme Ltd", "the number is missing"),
        ("change acme", "write FIELD=VALUE"),
        ("change acme colour=red", "\"colour\" is none of name"),
        ("change acme for=everyone", "is changed by: share"),
        ("share acme", "with whom is missing"),
        ("delete acme number=3", "\"number=\" does not belong here"),
        ("import", "the file is missing"),
        ("import word", "\"word\" is none of dry-run, csv"),
        ("export", "the format is missing"),
        ("export csv ldif", "\"ldif\" is one word too many"),
        ("save Acme", "the fax is missing"),
    ] {
        let why = book(line, "").unwrap_err();
        assert!(why.contains(words), "{line}: {why}");
    }
    // The words beside a file that cannot be read are not taken for the contacts.
    let why = book("import", "attached: Kontakte.xlsx").unwrap_err();
    assert!(why.contains("\"Kontakte.xlsx\" is no file of contacts"), "{why}");
}

#[test]
fn what_is_written_about_postfax_is_what_is_asked() {
    let audit = |who: Option<&str>, request: Option<&str>, limit| {
        let (who, request) = (who.map(str::to_owned), request.map(str::to_owned));
        Ask::Audit(AskAudit { who, request, limit, ..AskAudit::default() })
    };
    let config = |ask| Ask::Config(ask);
    let hash = "a".repeat(64);
    let head = format!("7:{hash}");
    let verify = format!("audit verify {head}");
    let why = || Terms { reason: "why not".into(), ..Terms::default() };
    for (line, wanted) in [
        ("audit", audit(None, None, None)),
        ("audit who=anna 20 request=jobs.*", audit(Some("anna"), Some("jobs.*"), Some(20))),
        ("audit verify", Ask::VerifyAudit { head: None }),
        (verify.as_str(), Ask::VerifyAudit { head: Some(head.parse().unwrap()) }),
        ("reload", Ask::Reload),
        ("webhooks", Ask::Webhooks),
        ("webhooks retry crm", Ask::RetryWebhook { webhook: HookName::new("crm").unwrap() }),
        ("config", config(AskConfig::Get { key: None })),
        ("config get client.anna", config(AskConfig::Get { key: Some("client.anna".into()) })),
        ("config set limits.max_pages = 100", config_set("limits.max_pages", Some("100"), "")),
        ("config set client.bert=", config_set("client.bert", None, "")),
        (
            "config set dial[2].refuse=\"no, because it costs\" because it does",
            config_set("dial[2].refuse", Some("\"no, because it costs\""), "it does"),
        ),
        ("config history", config(AskConfig::History)),
        ("config show 3", config(AskConfig::Show { number: 3 })),
        ("config diff 3", config(AskConfig::Diff { from: 3, to: None })),
        ("config diff 3 5", config(AskConfig::Diff { from: 3, to: Some(5) })),
        (
            "config rollback 3 because why not",
            config(AskConfig::Rollback { number: 3, terms: why() }),
        ),
    ] {
        assert_eq!(read(line, None), Ok(Asked::Of(wanted)), "{line}");
    }
}

#[test]
fn what_cannot_be_understood_says_why_and_what_would_be_right() {
    for (line, job, words) in [
        ("cancel", None, "missing; for example: cancel 12"),
        ("cancel it", None, "\"it\" is no number"),
        ("cancel 12 13", None, "\"13\" is one word too many"),
        ("cancel 13", Some(12), "the address says job 12"),
        ("status of my fax", None, "\"of\" is one word too many"),
        ("list 12a", None, "none of open, waiting"),
        ("explain", None, "missing"),
        ("explain +33 x pages", None, "\"x\" is no count"),
        ("alter 12", None, "what is to be different"),
        ("alter priority=5", None, "the number of the job is missing"),
        ("alter 12 priority=high", None, "\"high\" is no priority: write a number"),
        ("alter 12 colour=red", None, "\"colour\" is none of priority"),
        ("alter 12 due=tomorrow", None, "due: write a time such as"),
        ("inbound all", None, "\"all\" is no count"),
        ("assign 12", None, "the client is missing"),
        ("assign 12 13 anna", None, "\"13\" is one word too many"),
        ("assign", None, "missing"),
        ("servers london-1", None, "one word too many"),
        ("drain", None, "the name of the server is missing"),
        ("drain a/b", None, "no usable name"),
        ("get london-1 now", None, "\"now\" is one word too many"),
        ("set", None, "the name of the server"),
        ("set london-1", None, "write KEY=VALUE"),
        ("set london-1 max_dials 3", None, "\"max_dials\" is no KEY=VALUE"),
        ("set london-1 Max=3", None, "names no setting"),
        ("set london-1 a=3 a=4", None, "twice"),
        ("set london-1 version=x a=4", None, "\"x\" is no number of a version"),
        ("rollback london-1", None, "number of the version is missing"),
        ("rollback london-1 3 4", None, "\"4\" is one word too many"),
        ("diff london-1 x", None, "\"x\" is no number of a version"),
        ("config edit", None, "\"edit\" is none of get, set"),
        ("config set limits.max_pages 100", None, "write KEY = VALUE"),
        ("config set the pages = 100", None, "\"the pages\" is no key"),
        ("config rollback", None, "missing"),
        ("audit wh=anna", None, "\"wh\" is none of who"),
        ("audit everything", None, "\"everything\" is no count"),
        ("audit verify x", None, "write SEQ:HASH"),
        ("webhooks retry", None, "the name of the webhook is missing"),
        ("webhooks crm", None, "\"crm\" is one word too many"),
    ] {
        let why = read(line, job).unwrap_err();
        assert!(why.contains(words), "{line}: {why}");
    }
}

#[test]
fn only_verbs_are_verbs() {
    for line in ["", "Your fax", "canceled", "12 cancel", "Re: cancel"] {
        assert!(verb(line, None).is_none(), "{line}");
    }
}

#[test]
fn every_example_of_the_help_is_understood() {
    for example in VERBS.iter().flat_map(|verb| verb.examples) {
        assert!(read(example, Some(12)).is_ok(), "{example}");
    }
}
