//! What mails ask that hold a text of settings or of an entry, or a name for a number.

use jiff::tz::TimeZone;
use postfax_domain::names::ServerName;

use super::*;
use crate::requests::{
    Ask,
    book::Fields,
    settings::{
        AskSettings,
        text::{FIRST, LAST},
    },
};

const FORM: &str =
    "> # The settings of london-1, test.\n> version = 2\n> # End of the settings of london-1.\n";

fn ask(subject: &str, text: &str, is_reply: bool) -> Question {
    ask_at(Service::Any(None), subject, text, is_reply)
}

fn ask_at(service: Service, subject: &str, text: &str, is_reply: bool) -> Question {
    let client = ClientName::new("anna").unwrap();
    let mail = Mail {
        client: &client,
        from: "anna@example.com".into(),
        service,
        message_id: Some("1@x".into()),
        subject: Some(subject.into()),
        text,
        is_reply,
        files: &[],
        other_file: None,
    };
    read(&mail, &TimeZone::UTC)
}

fn set(reason: &str) -> Result<Asked, String> {
    Ok(Asked::Of(Ask::Settings(AskSettings::SetText {
        server: ServerName::new("london-1").unwrap(),
        version: None,
        text: "version = 2\n".into(),
        reason: reason.into(),
    })))
}

#[test]
fn a_text_of_settings_asks_to_be_registered() {
    assert!(FORM.contains(FIRST) && FORM.contains(LAST));
    for (subject, above, is_reply, reason) in [
        ("Re: get london-1", "", true, ""),
        ("AW: get london-1", "On Monday, Fax wrote:\n", false, ""),
        (
            "Re: get london-1",
            "Hello,\nbecause the carrier blocks more\n\nFax wrote:\n",
            true,
            "the carrier blocks more",
        ),
        ("Re: get london-1", "set london-1 because of it\n\n", true, "of it"),
        ("Re: get london-1", "Set it as we agreed, please.\n", true, ""),
        ("Re: get london-1", "Show this to the carrier.\n", true, ""),
        ("Re: cancel 12", "", true, ""),
        ("set london-1", "", false, ""),
        ("set london-1 because why not", "Dear all,\n", false, "why not"),
        ("get london-1", "", false, ""),
        ("New settings", "Reason: it rains\n", false, "it rains"),
    ] {
        let question = ask(subject, &format!("{above}{FORM}"), is_reply);
        assert_eq!(question.asked, set(reason), "{subject} {above}");
        assert!(question.words.starts_with("set london-1 (text "), "{}", question.words);
        assert_eq!(question.repeat(), Repeat::Once);
    }
}

#[test]
fn what_its_writer_asks_above_the_text_comes_first() {
    for (subject, above, is_reply, words) in [
        ("Re: get london-1", "history london-1\n", true, "history london-1"),
        ("Re: get london-1", "set london-1 max_dials=3\n", true, "set london-1 max_dials=3"),
        ("status", "", false, "status"),
    ] {
        let question = ask(subject, &format!("{above}\n{FORM}"), is_reply);
        assert_eq!(question.words, words);
        assert!(question.asked.is_ok(), "{:?}", question.asked);
    }
}

#[test]
fn a_text_that_cannot_be_meant_says_why() {
    let cut = FORM.lines().next().unwrap();
    for (subject, text, words) in [
        ("Re: get london-1", cut.to_owned(), "the last line of the text"),
        ("set paris-1", FORM.to_owned(), "the text has the settings of london-1, not of paris-1"),
    ] {
        let question = ask(subject, &text, false);
        let why = question.asked.unwrap_err();
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn another_text_is_another_question() {
    let words = |text: &str| ask("Re: get london-1", text, true).words;
    let other = FORM.replace("version = 2", "version = 2\n> max_dials = 3");
    assert_ne!(words(FORM), words(&other));
    assert_eq!(words(FORM), words(&FORM.replace('\n', "\r\n").replace("> ", ">> ")));
}

#[test]
fn a_line_that_is_too_long_is_refused_and_not_cut_off() {
    let long = format!("set london-1 name={}", "x".repeat(2000));
    let why = ask(&long, "", false).asked.unwrap_err();
    assert!(why.contains("more than 1000 characters"), "{why}");
    let words =
        |end: &str| ask(&format!("set london-1 name={}{end}", "x".repeat(300)), "", false).words;
    assert_ne!(words("a"), words("b"), "two questions, though they are shown alike");
}

#[test]
fn thanks_for_an_answer_do_nothing_once_more() {
    for (subject, text, done) in [
        ("Re: set london-1 max_dials=3", "Thank you!\n", false),
        ("Re: config rollback 3", "", false),
        ("AW: drain london-1", "Danke\n> london-1 gets no new calls\n", false),
        ("Re: retry 12", "Thanks\n", false),
        ("Re: retry 12", "retry 12\n", true),
        ("retry 12", "Thanks\n", true),
        ("Re: status", "Thanks\n", true),
        ("Re: cancel 12", "Thanks\n", true),
    ] {
        let question = ask(subject, text, true);
        assert_eq!(question.asked.is_ok(), done, "{subject}: {:?}", question.asked);
    }
}

/// A text of an entry, quoted; the mark is that of its unique identifier.
fn entry() -> String {
    let mark = digest("acme-uid");
    let (first, last) = (card::FIRST, card::LAST);
    format!(
        "> {first}{mark}.\n> entry = \"acme-uid\"\n> version = 2\n> name = \"Acme\"\n> {last}{mark}.\n"
    )
}

#[test]
fn a_text_of_an_entry_asks_to_be_kept() {
    for service in [Service::Book, Service::Any(None)] {
        for (subject, above, kept) in [
            ("Re: show acme", "", true),
            ("Re: show acme", "Please change this.\n\nFax wrote:\n", true),
            ("Re: show acme", "Thank you!\n", true),
            ("Re: show acme", "delete acme\n", false),
        ] {
            let question = ask_at(service, subject, &format!("{above}{}", entry()), true);
            let is_edit = matches!(question.asked, Ok(Asked::Edit(_)));
            assert_eq!(is_edit, kept, "{subject} {above}: {:?}", question.asked);
            assert_eq!(question.repeat(), Repeat::Once);
            assert_eq!(question.words.starts_with("change acme-uid (text "), kept);
        }
    }
    let both = format!("{FORM}\n{}", entry());
    let why = ask("Re: show acme", &both, true).asked.unwrap_err();
    assert!(why.contains("a text of settings and one of the phone book"), "{why}");
    let words = |text: &str| ask("Re: show acme", text, true).words;
    assert_ne!(words(&entry()), words(&entry().replace("Acme", "Acme Ltd")));
}

#[test]
fn a_name_is_saved_whatever_word_it_begins_with() {
    let save = |subject: &str, text: &str, is_reply| {
        let question = ask_at(Service::Save(JobId(12)), subject, text, is_reply);
        match question.asked {
            Ok(Asked::Save(save)) => {
                assert_eq!(save.job, JobId(12));
                assert_eq!((save.label, save.owner), (None, None), "{subject}");
                let Fields { name, number, alias, .. } = save.fields;
                Ok([name, number, alias].map(Option::unwrap_or_default))
            }
            Ok(other) => panic!("{other:?}"),
            Err(why) => Err(why),
        }
    };
    for (subject, text, is_reply, wanted) in [
        ("Acme Ltd", "Good morning.", false, ["Acme Ltd", "", ""]),
        ("Show Room alias show", "", false, ["Show Room", "", "show"]),
        ("save +442079460100", "Acme Ltd alias acme\n", false, ["Acme Ltd", "", "acme"]),
        ("save +442079460100 Acme Ltd", "Regards\n", false, ["Acme Ltd", "+442079460100", ""]),
        ("save +442079460100", "name: Acme\nalias: a\n", false, ["Acme", "+442079460100", "a"]),
        ("Re: Fax from +442079460100, 1 page", "Acme\n> x", true, ["Acme", "", ""]),
        ("", "add Acme Ltd\n", false, ["Acme Ltd", "", ""]),
    ] {
        let wanted = Ok(wanted.map(str::to_owned));
        assert_eq!(save(subject, text, is_reply), wanted, "{subject} {text}");
    }
    for (subject, text, is_reply) in
        [("", "", false), ("Re: Fax from Acme", "> x", true), ("save +442079460100", "", false)]
    {
        let why = save(subject, text, is_reply).unwrap_err();
        assert!(why.contains("the name is missing"), "{subject}: {why}");
    }
}

#[test]
fn what_is_long_is_asked_by_its_digest() {
    let at = |subject: &str, text: &str| ask_at(Service::Book, subject, text, false);
    let table = |rows: usize| format!("name,number\n{}", "Acme,+442079460100\n".repeat(rows));
    let question = at("import", &table(10_000));
    assert!(question.words.starts_with("import (file ") && question.words.len() < 64);
    assert_ne!(question.words, at("import", &table(9_999)).words);
    assert_eq!(question.repeat(), Repeat::Once);
    assert_eq!(at("import dry-run", &table(1)).repeat(), Repeat::Harmless);
    let add = |number: &str| at("add Acme", &format!("number: {number}\n")).words;
    assert_ne!(add("+442079460100"), add("+442079460101"));
    assert_eq!(at("add Acme +442079460100", "Regards").words, "add Acme +442079460100");
}
