//! What MAIL and RCPT ask for by extensions.

use super::*;

/// The first reply to MAIL with these parameters.
fn mail(role: Role, limits: &Limits, parameters: &str) -> String {
    let mut dialog = Dialog::with(role, limits.clone());
    dialog.top_priority = 4;
    dialog.say("EHLO x\r\n");
    if role == Role::Submissions {
        dialog.say("AUTH PLAIN AGEAYg==\r\n");
    }
    dialog.say(&format!("MAIL FROM:<a@b> {parameters}\r\n"))
}

#[test]
fn holding_a_mail() {
    let limits = Limits { max_hold_s: 3600, ..Limits::default() };
    let mut dialog = Dialog::with(Role::Submissions, limits.clone());
    let ehlo = dialog.say("EHLO x\r\n");
    assert!(ehlo.contains("250-FUTURERELEASE 3600 2026-03-04T06:06:07Z\r\n"), "{ehlo}");
    for (parameters, start) in [
        ("HOLDFOR=3600", "250 2.1.0"),
        ("HOLDFOR=3601", "501 5.5.4"),
        ("HOLDUNTIL=2026-03-04T06:06:07Z", "250 2.1.0"),
        ("HOLDUNTIL=2026-03-04T06:06:08Z", "501 5.5.4"),
        ("HOLDUNTIL=2026-03-04T08:06:07+02:00", "250 2.1.0"),
        ("HOLDUNTIL=2020-03-04T06:06:07Z", "250 2.1.0"),
        ("HOLDUNTIL=never", "501 5.5.4"),
        ("HOLDFOR=60 HOLDUNTIL=2026-03-04T05:30:00Z", "501 5.5.4"),
        ("HOLDFOR=600 BY=599;R", "501 5.5.4"),
        ("BY=599;N HOLDFOR=600", "501 5.5.4"),
        ("HOLDFOR=600 BY=600;R", "250 2.1.0"),
        ("HOLDUNTIL=2026-03-04T05:16:07Z BY=599;R", "501 5.5.4"),
        ("HOLDUNTIL=2026-03-04T05:16:07Z BY=600;R", "250 2.1.0"),
    ] {
        let said = mail(Role::Submissions, &limits, parameters);
        assert!(said.starts_with(start), "{parameters}: {said}");
    }
    let never = Limits { max_hold_s: 0, ..Limits::default() };
    for (role, limits) in [(Role::Relay, limits), (Role::Submissions, never)] {
        let mut dialog = Dialog::with(role, limits.clone());
        assert!(!dialog.say("EHLO x\r\n").contains("FUTURERELEASE"));
        for parameters in ["HOLDFOR=60", "HOLDUNTIL=2026-03-04T06:06:07Z"] {
            let said = mail(role, &limits, parameters);
            assert!(said.starts_with("555 5.5.4"), "{parameters}: {said}");
        }
    }
}

#[test]
fn delivery_in_time() {
    let limits = Limits { min_deliver_by_s: Some(300), ..Limits::default() };
    for (parameters, start) in [
        ("BY=300;R", "250 2.1.0"),
        ("BY=299;R", "555 5.5.4"),
        ("BY=0;R", "501 5.5.4"),
        ("BY=-5;RT", "501 5.5.4"),
        ("BY=5;N", "250 2.1.0"),
        ("BY=-5;NT", "250 2.1.0"),
        ("BY=5", "501 5.5.4"),
    ] {
        let said = mail(Role::Relay, &limits, parameters);
        assert!(said.starts_with(start), "{parameters}: {said}");
    }
    let without = Limits { min_deliver_by_s: None, ..Limits::default() };
    let mut dialog = Dialog::with(Role::Relay, without.clone());
    assert!(!dialog.say("EHLO x\r\n").contains("DELIVERBY"));
    assert!(mail(Role::Relay, &without, "BY=600;R").starts_with("555 5.5.4"));
}

#[test]
fn another_priority_is_told() {
    for (parameters, said) in [
        ("MT-PRIORITY=4", "250 2.1.0 sender ok\r\n"),
        ("MT-PRIORITY=-9", "250 2.1.0 sender ok\r\n"),
        ("MT-PRIORITY=6", "250 2.3.6 4 is the priority of this mail\r\n"),
        ("", "250 2.1.0 sender ok\r\n"),
        ("MT-PRIORITY=10", "501 5.5.2 give MT-PRIORITY once, from -9 to 9\r\n"),
    ] {
        assert_eq!(mail(Role::Relay, &Limits::default(), parameters), said, "{parameters}");
    }
}

#[test]
fn addresses_outside_ascii() {
    for (line, envelope_is_utf8, code) in [
        ("MAIL FROM:<\u{e9}@b>\r\n", false, 553),
        ("MAIL FROM:<\u{e9}@b> SMTPUTF8\r\n", false, 250),
        ("RCPT TO:<\u{e9}@b>\r\n", false, 553),
        ("RCPT TO:<\u{e9}@b>\r\n", true, 250),
        ("RCPT TO:<+44@b> ORCPT=utf-8;\u{e9}@b\r\n", false, 553),
        ("RCPT TO:<+44@b> ORCPT=utf-8;\u{e9}@b\r\n", true, 250),
        ("RCPT TO:<+44@b> ORCPT=utf-8;\\x{E9}@b\r\n", false, 250),
    ] {
        let mut dialog = Dialog::hello(Role::Relay);
        if line.starts_with("RCPT") {
            let utf8 = if envelope_is_utf8 { " SMTPUTF8" } else { "" };
            dialog.say(&format!("MAIL FROM:<a@b>{utf8}\r\n"));
        }
        let said = dialog.say(line);
        assert_eq!(codes(&said), [code], "{line}: {said}");
        assert!(code != 553 || said.starts_with("553 5.6.7"), "{said}");
    }
}

#[test]
fn postmaster_in_every_spelling() {
    for spelling in [
        "<Postmaster>",
        "<postmaster@fax.example>",
        "<POSTMASTER@FAX.example>",
        "postmaster",
        "<\"postmaster\">",
        "<@relay.example:PostMaster@fax.example>",
    ] {
        let mut dialog = Dialog::hello(Role::Relay);
        dialog.say("MAIL FROM:<a@b>\r\n");
        let said = dialog.say(&format!("RCPT TO:{spelling}\r\n"));
        assert_eq!(codes(&said), [250], "{spelling}: {said}");
        let asked = dialog.session.recipients();
        assert!(asked[0].mailbox.local().eq_ignore_ascii_case("postmaster"), "{spelling}");
    }
}
