//! What mails with a text of settings ask.

use jiff::tz::TimeZone;
use postfax_domain::names::ServerName;

use super::*;
use crate::requests::{
    Ask,
    settings::{
        AskSettings,
        text::{FIRST, LAST},
    },
};

const FORM: &str =
    "> # The settings of london-1, test.\n> version = 2\n> # End of the settings of london-1.\n";

fn ask(subject: &str, text: &str, is_reply: bool) -> Question {
    let client = ClientName::new("anna").unwrap();
    let mail = Mail {
        client: &client,
        from: "anna@example.com".into(),
        service: Service::Any(None),
        message_id: Some("1@x".into()),
        subject: Some(subject.into()),
        text,
        is_reply,
        files: &[],
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
