//! Questions about settings and their answers, from the wire to the words.

use super::*;
use crate::requests::{Ask, fake::Fake, samples};

async fn told(ask: AskSettings) -> Result<Told, Problem> {
    let asker = samples::administrator();
    match super::super::answer(&Fake::default(), &asker, Ask::Settings(ask)).await {
        Reply::Settings(told) => Ok(*told),
        Reply::Problem(problem) => Err(problem),
        other => panic!("{other:?}"),
    }
}

fn london() -> ServerName {
    samples::server("london-1")
}

#[test]
fn the_words_on_the_wire_are_these() {
    let server = london();
    let set = [
        ("line.ttyFAX0.rings".parse().unwrap(), Some(Value::Number(2))),
        ("max_dials".parse().unwrap(), None),
    ];
    let reason = "why".to_owned();
    for (ask, line) in [
        (
            AskSettings::Get { server: server.clone() },
            r#"{"ask":"settings","do":"get","server":"london-1"}"#,
        ),
        (
            AskSettings::Set { server, version: Some(2), set: set.into(), reason },
            r#"{"ask":"settings","do":"set","server":"london-1","version":2,"set":{"max_dials":null,"line.ttyFAX0.rings":2},"reason":"why"}"#,
        ),
    ] {
        let ask = Ask::Settings(ask);
        assert_eq!(serde_json::to_string(&ask).unwrap(), line);
        assert_eq!(serde_json::from_str::<Ask>(line).unwrap(), ask);
    }
}

#[test]
fn a_version_that_is_misspelt_is_not_passed_over() {
    let line = r#"{"ask":"settings","do":"set","server":"london-1","verison":2,"set":{}}"#;
    let bad = serde_json::from_str::<Ask>(line).unwrap_err().to_string();
    assert!(bad.contains("verison"), "{bad}");
}

#[tokio::test]
async fn answers_survive_the_wire() {
    let server = london;
    for ask in [
        AskSettings::Get { server: server() },
        AskSettings::History { server: server() },
        AskSettings::Diff { server: server(), from: None, to: None },
        AskSettings::Push { server: server() },
    ] {
        let reply = Reply::Settings(Box::new(told(ask).await.unwrap()));
        let line = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
    }
}

#[tokio::test]
async fn an_edited_text_is_a_set_of_changes() {
    let Told::Sheet(shown) = told(AskSettings::Get { server: london() }).await.unwrap() else {
        panic!()
    };
    let text =
        shown.text.replace("max_dials = 5", "max_dials = \"7\"").replace("ecm = false\n", "");
    let ask = |text: String, version| {
        let (server, reason) = (london(), String::new());
        told(AskSettings::SetText { server, version, text, reason })
    };
    let Told::Registered(done) = ask(text.clone(), None).await.unwrap() else { panic!() };
    let changes: Vec<String> = done.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["max_dials: 5 -> 7", "line.ttyFAX1.ecm: no -> (not set)"]);
    assert_eq!((done.version, done.state), (3, State::Applied { at: samples::at(120) }));
    for (text, version, words) in [
        (text.clone(), Some(1), "version 1 is not the newest: that is 2"),
        (text.replace("london-1", "paris-1"), None, "the settings of paris-1, not of london-1"),
        (text.replace("version = 2", ""), None, "which version"),
        ("version = ".into(), None, "cannot be read"),
    ] {
        let problem = ask(text, version).await.unwrap_err();
        assert!(problem.message.contains(words), "{problem}");
    }
}

#[tokio::test]
async fn versions_are_listed_and_compared() {
    let Told::History(entries) = told(AskSettings::History { server: london() }).await.unwrap()
    else {
        panic!()
    };
    let numbers: Vec<(u64, usize)> =
        entries.iter().map(|entry| (entry.number, entry.changes.len())).collect();
    assert_eq!(numbers, [(2, 1), (1, 0)]);
    for (from, to, sides, changes) in [
        (None, None, (Side::Version(2), Side::Held), 1),
        (Some(1), None, (Side::Version(1), Side::Version(2)), 1),
        (Some(2), Some(1), (Side::Version(2), Side::Version(1)), 1),
        (Some(1), Some(1), (Side::Version(1), Side::Version(1)), 0),
    ] {
        let ask = AskSettings::Diff { server: london(), from, to };
        let Told::Diff(diff) = told(ask).await.unwrap() else { panic!() };
        assert_eq!(((diff.from, diff.to), diff.changes.len()), (sides, changes));
    }
}

#[tokio::test]
async fn what_cannot_be_done_has_a_code() {
    let nowhere = samples::server("nowhere");
    let rollback =
        AskSettings::Rollback { server: london(), to: 9, version: None, reason: String::new() };
    for (ask, code) in [
        (AskSettings::Get { server: nowhere }, Code::NoSuchServer),
        (AskSettings::Diff { server: london(), from: Some(7), to: None }, Code::NoSuchServer),
        (rollback, Code::NoSuchServer),
    ] {
        assert_eq!(told(ask).await.unwrap_err().code, code);
    }
}
