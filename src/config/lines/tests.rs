//! What `lines.toml` means, and that its reference has every key and no others.

use std::path::Path;

use postfax_domain::settings::{Level, Name, Value};
use postfax_hw::line::{modem::Class, server::SCHEMA, sip::T38Use};

use super::*;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_reference_has_every_key_and_no_others() {
    crate::config::tests::assert_described("docs/lines.md", raw::tables());
}

#[test]
fn what_can_be_set_can_be_configured_by_the_same_name() {
    let tables = raw::tables();
    for key in SCHEMA.keys {
        let table = usize::from(key.level == Level::Line);
        assert!(
            tables[table].1.contains(&key.name),
            "{} is no key of {}",
            key.name,
            tables[table].0
        );
    }
}

#[test]
fn what_is_written_is_what_is_used() {
    let (host, _) = load(&root().join("tests/config/lines/good.toml")).unwrap();
    assert_eq!(host.meeting, Meeting::Connect("fax.example.com".into(), 4580));
    assert_eq!((host.name.as_str(), host.stop_after), ("branch-1", Duration::from_secs(600)));
    let set = |name: &str| host.settings.get(&name.parse::<Name>().unwrap()).cloned();
    assert_eq!(set("max_batch_jobs"), Some(Value::Number(5)));
    assert_eq!(set("line.ttyACM0.max_speed"), Some(Value::Text("9600".into())));
    assert_eq!(set("line.ttyACM0.rings_before_answer"), Some(Value::Number(2)));
    let LineSetup::Modem(modem) = &host.lines[0] else { panic!("a modem") };
    let dial = &modem.dial;
    assert_eq!((dial.outside_prefix.as_str(), dial.country_code.as_deref()), ("9,", Some("44")));
    assert_eq!(
        (modem.class, modem.device.as_path()),
        (Some(Class::One), Path::new("/dev/ttyACM0"))
    );
    let LineSetup::Sip(sip) = &host.lines[1] else { panic!("a trunk") };
    assert_eq!(sip.registrations[0].password, "secret");
    assert_eq!((sip.channels, sip.media_ports, sip.t38), (8, (20_000, 20_099), T38Use::Offer));
    assert!(!format!("{host:?}").contains("secret"));
}
