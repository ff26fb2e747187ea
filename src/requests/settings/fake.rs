//! One server with settings, for tests.

use postfax_domain::{
    names::ServerName,
    settings::{Characters, Held, Key, Kind, Level, Name, Record, Schema, Settings, Value},
    supervisor::{Answer, AskSettings, SettingsRefusal, SettingsRequest, Sheet},
};

use crate::requests::samples;

static SCHEMA: Schema = Schema {
    kind: "test",
    keys: &[
        Key {
            name: "max_dials",
            level: Level::Server,
            kind: Kind::Number { min: 1, max: 100, unit: "calls" },
            default: "12",
            about: "Most calls for one fax.",
        },
        Key {
            name: "name",
            level: Level::Server,
            kind: Kind::Text { max_chars: 9, of: Characters::Ascii },
            default: "none",
            about: "What it is called.",
        },
        Key {
            name: "rings",
            level: Level::Line,
            kind: Kind::Number { min: 1, max: 9, unit: "rings" },
            default: "1",
            about: "When it answers.",
        },
        Key {
            name: "ecm",
            level: Level::Line,
            kind: Kind::Flag,
            default: "yes",
            about: "Error correction.",
        },
    ],
};

/// london-1: three dials as it was found, and five since.
pub(crate) fn sheet() -> Sheet {
    let set = |name: &str, value| (name.parse::<Name>().unwrap(), value);
    let settings = Settings(
        [
            set("max_dials", Value::Number(3)),
            set("line.ttyFAX0.rings", Value::Number(2)),
            set("line.ttyFAX1.ecm", Value::Flag(false)),
            set("line.ttyFAX1.odd", Value::Text("from \"elsewhere\"".into())),
        ]
        .into(),
    );
    let held =
        Held { settings: settings.clone(), lines: vec!["ttyFAX0".into()], at: samples::START };
    let mut record = Record::adopt(held, samples::administrator());
    let settings = settings.with([(Name::of_server("max_dials"), Some(Value::Number(5)))]);
    let reason = "two lines\nof reason".to_owned();
    record.register(settings, samples::administrator(), reason, samples::at(60));
    let server = ServerName::new("london-1").unwrap();
    Sheet { server, schema: Some(&SCHEMA), record }
}

/// As the supervisor would answer; its server takes everything that is pushed at once.
pub(crate) fn settings(request: SettingsRequest) -> Answer {
    let mut sheet = sheet();
    if request.server != sheet.server {
        return Answer::NotSet(SettingsRefusal::UnknownServer(request.server));
    }
    let now = samples::at(120);
    match request.what {
        AskSettings::Get => {}
        AskSettings::Register { base: Some(1), .. } => {
            let author = request.by.who;
            return Answer::NotSet(SettingsRefusal::Stale { base: 1, current: 2, author });
        }
        AskSettings::Register { changes, reason, .. } => {
            let settings = sheet.record.latest().settings.with(changes);
            sheet.record.register(settings.clone(), request.by, reason, now);
            sheet.record.pushed(3, Ok(settings), now);
        }
        AskSettings::Rollback { to, .. } => {
            let server = request.server;
            let refusal = SettingsRefusal::NoSuchVersion { server, version: to, first: 1, last: 2 };
            return Answer::NotSet(refusal);
        }
        AskSettings::Adopt { reason } => sheet.record.adopt_held(request.by, reason, now),
        AskSettings::Push => {
            let settings = sheet.record.latest().settings.clone();
            sheet.record.pushed(2, Ok(settings), now);
        }
    }
    Answer::Settings(Box::new(sheet))
}
