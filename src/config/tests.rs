//! What the full configuration of `tests/config` means, and that the reference has
//! every key and no others.

use std::{collections::BTreeSet, fs, time::Duration};

use postfax_domain::{
    document::Resolution,
    options::CoverAsked,
    setup::{Format, OwnNumbers, Receipts},
};

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/good")
}

#[test]
fn the_reference_has_every_key_and_no_others() {
    assert_described("docs/configuration.md", raw::tables());
}

/// A page of the handbook describes each key of each table once, and no others.
pub(super) fn assert_described(page: &str, tables: Vec<(&'static str, &'static [&'static str])>) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let mut described: BTreeSet<(String, String)> = BTreeSet::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix('#') {
            table = title.trim_start_matches('#').trim().to_owned();
        } else if let Some(key) = line.strip_prefix("| `") {
            let key = key.split('`').next().unwrap().to_owned();
            assert!(described.insert((table.clone(), key.clone())), "{table} {key} twice");
        }
    }
    let written: BTreeSet<(String, String)> = tables
        .into_iter()
        .flat_map(|(table, keys)| keys.iter().map(move |key| (table.to_owned(), (*key).to_owned())))
        .collect();
    let missing: Vec<_> = written.difference(&described).collect();
    let invented: Vec<_> = described.difference(&written).collect();
    assert!(missing.is_empty() && invented.is_empty(), "missing {missing:?} invented {invented:?}");
}

#[test]
fn what_is_written_is_what_is_used() {
    let config = load_with(&folder().join("full/postfax.toml"), None).unwrap();
    let setup = &config.setup;
    assert_eq!(config.files.len(), 4, "the main file and three of conf.d");
    assert_eq!(config.hostname, "fax1.example.com");
    assert_eq!(config.control_socket, Path::new("/run/postfax/control.sock"));
    assert_eq!(config.listeners.len(), 6);
    assert_eq!(config.listeners[2].verify, [Verify::Dmarc]);
    assert!(config.listeners[2].trust[0].contains("10.1.3.4".parse().unwrap()));
    let path = "/run/postfax/lmtp.sock".into();
    let unix = UnixAddress { path, mode: 0o620, user: Some(0), group: Some(104) };
    assert_eq!(config.listeners[4].address, Address::Unix(unix));
    assert_eq!(config.listeners[4].users, [0, 102]);
    assert_eq!(config.listeners[5].address, Address::Systemd("relay".to_owned()));
    assert!(config.listeners[5].proxy[0].contains("10.0.0.5".parse().unwrap()));
    let client_ca = config.tls.as_ref().unwrap().client_ca.as_deref();
    assert_eq!(client_ca, Some(folder().join("full/tls/cert.pem").as_path()));
    assert_eq!(config.tls.as_ref().unwrap().key, folder().join("full/tls/key.pem"));
    assert_eq!((setup.dial.len(), setup.routes.len()), (3, 2));
    assert!(!format!("{config:?}").contains("relay password"));
}

#[test]
fn what_is_written_of_covers_is_used() {
    let config = load_with(&folder().join("full/postfax.toml"), None).unwrap();
    assert_eq!(
        (&config.cover.default, config.cover.template.as_str()),
        (&CoverAsked::Body, "sales")
    );
    assert_eq!(config.cover.templates.len(), 1);
    assert!(config.cover.logo.is_some());
    let anna = &config.letterheads[&ClientName::new("anna").unwrap()];
    assert_eq!(anna.asked.cover, Some(CoverAsked::Named("sales".into())));
    assert_eq!(anna.asked.resolution, Some(Resolution::Standard));
    assert_eq!(anna.full_name.as_deref(), Some("Anna Adams"));
    assert_eq!(anna.phone.as_ref().unwrap().as_str(), "+442079460199");
}

#[test]
fn what_is_written_of_mail_out_and_of_limits_is_used() {
    let config = load_with(&folder().join("full/postfax.toml"), None).unwrap();
    let setup = &config.setup;
    assert_eq!(config.delivery.relay.to_string(), "smtp://mail.example.com:587");
    assert_eq!(config.delivery.login.as_ref().unwrap().password.reveal(), "relay password");
    assert_eq!((config.delivery.connections, setup.limits.mail_lines), (16, 16));
    let published: Vec<_> = config.delivery.signer.published().map(|key| &key.name).collect();
    assert_eq!(published, ["fax1._domainkey.example.com"]);
    let servers: Vec<String> = config.dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.1.0.53:53", "[2001:db8::53]:5353"]);
    assert_eq!((config.dns.timeout_s, config.dns.tries, config.dns.cache_entries), (5, 3, 100));
    assert_eq!(config.delivery.fallback[0].to_string(), "smtps://mail2.example.com:465");
    assert_eq!((config.delivery.auth, config.delivery.returns), (Auth::Login, false));
    assert_eq!(config.delivery.ca_file.as_ref(), Some(&folder().join("full/tls/cert.pem")));
    assert_eq!(config.convert.reply_quote, ReplyQuote::Cut);
    assert_eq!(config.convert.max_line_s, 900);
    assert_eq!(config.convert.fonts, [folder().join("full/fonts/any.ttf")]);
    assert_eq!(config.convert.unconfined, Unconfined::Allow);
    assert_eq!((config.intake.max_received, setup.limits.max_per_number), (50, 200));
    assert_eq!((config.intake.max_hold_s, config.intake.min_deliver_by_s), (86_400, 120));
    assert_eq!(setup.limits.own_numbers, OwnNumbers::Never);
    assert_eq!(config.convert.resolution, Resolution::Superfine);
    assert_eq!((config.convert.memory_mb, config.convert.wall_s), (512, 90));
    assert_eq!((config.convert.cpu_s, config.convert.parallel), (20, 4));
    assert_eq!((config.intake.max_message_bytes, config.intake.max_recipients), (64 << 20, 100));
    assert_eq!(config.keep_days, 90);
    assert_eq!((config.letters.language.as_str(), config.letters.mdn), ("de", Mdn::OnRequest));
    let german = config.letters.languages.of("de");
    assert_eq!(german.word(Phrase::ReceiptSender), "Fax der Example GmbH");
    assert_eq!(german.word(Phrase::To), "An", "what is not replaced stays");
    assert_eq!(setup.limits.delay_notice, Duration::from_secs(1800));
    assert_eq!((setup.limits.max_pages, setup.limits.max_jobs), (500, 50_000));
    assert_eq!(setup.limits.expire, Duration::from_secs(43_200));
    assert_eq!(setup.limits.duplicate_window, Duration::ZERO);
    let rule = setup.retry.0["no-answer"];
    assert_eq!((rule.delay, rule.tries), (Duration::from_secs(300), 3));
    let anna = ClientName::new("anna").unwrap();
    assert!(config.access[&anna].password.as_ref().unwrap().hash.starts_with("$argon2id$"));
    let client = &setup.clients[&anna];
    assert_eq!((client.receive.format, client.receipts), (Format::Both, Receipts::Failures));
    assert_eq!((client.receive.language.as_str(), client.grants.len()), ("fr", 3));
    let london = ServerName::new("london-1").unwrap();
    assert!(setup.servers[&london].draining);
    assert_eq!(setup.servers[&london].numbers[1].as_str(), "+442079460101");
    let access = &config.servers[&london];
    assert_eq!((access.host.as_str(), access.port, access.poll_s), ("10.1.0.5", 4559, 10));
    assert_eq!(access.admin_password.as_ref().unwrap().reveal(), "london password");
    let mfp = &config.servers[&ServerName::new("mfp").unwrap()];
    assert_eq!((mfp.host.as_str(), mfp.port, mfp.encrypted), ("2001:db8::7", 631, true));
    assert_eq!(mfp.path, "/ipp/faxout");
}

#[test]
fn what_is_written_of_webhooks_is_used() {
    let config = load_with(&folder().join("full/postfax.toml"), None).unwrap();
    let name = HookName::new("crm").unwrap();
    let (hook, reached) = (&config.setup.webhooks[&name], &config.webhooks[&name]);
    assert_eq!((hook.who.to_string().as_str(), hook.max_waiting), ("anna", 500));
    let events: Vec<String> = hook.events.iter().map(ToString::to_string).collect();
    assert_eq!(events, ["job.delivered", "job.failed"]);
    assert_eq!(hook.url, "https://hooks.example.com:8443/fax?from=postfax");
    assert_eq!((reached.url.encrypted, reached.url.port), (true, 8443));
    assert_eq!(reached.keys.iter().map(Key::octets).collect::<Vec<_>>(), [[b'0'; 32], [b'1'; 32]]);
    assert_eq!(reached.ca_file.as_ref(), Some(&folder().join("full/tls/cert.pem")));
    assert_eq!((reached.retry.as_secs(), reached.give_up.as_secs()), (10, 86_400));
}

#[test]
fn what_is_not_written_is_as_in_the_core() {
    let config = load_with(&folder().join("minimal.toml"), None).unwrap();
    let core = postfax_domain::setup::JobLimits::default();
    assert_eq!(format!("{:?}", config.setup.limits), format!("{core:?}"));
    assert_eq!(config.control_socket, Path::new("/var/lib/postfax/control.sock"));
    assert_eq!(config.hostname, "fax.example.com");
    assert_eq!(config.delivery.starttls, Starttls::Opportunistic);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_fax_server_is_written_once() {
    let one = fs::read_to_string(folder().join("minimal.toml")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("postfax.toml");
    for (url, is_good) in [
        ("hylafax://postfax@10.1.9.9", true),
        ("hylafax://a@10.1.9.8", false),
        ("hylafax://10.1.9.8:77", true),
    ] {
        let server = |name: &str, url: &str| {
            format!(
                "\n[[server]]\nname = \"{name}\"\nkind = \"hylafax\"\nurl = \"{url}\"\ngroups = []\n"
            )
        };
        let both = server("first", "hylafax://postfax@10.1.9.8:4559") + &server("second", url);
        fs::write(&file, one.clone() + &both).unwrap();
        assert_eq!(load_with(&file, None).is_ok(), is_good, "{url}");
    }
}
