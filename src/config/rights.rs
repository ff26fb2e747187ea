//! Who may make which change: nobody grants what they do not hold, nobody becomes
//! another, and somebody can always change things again. Only decides; that the author
//! may change the configuration at all was checked before.

use std::collections::{BTreeMap, BTreeSet};

use postfax_domain::{
    authority::{Verb, Who, excess, someone_holds},
    names::ClientName,
    setup::Setup,
};
use toml::Value;

use super::{Config, Text};

/// Keys of a client by which it shows who it is.
const IDENTITY: [&str; 4] = ["mail", "users", "certificates", "may_send_as"];
/// Keys by which somebody could become another, or read what is not theirs.
const ADMINISTRATORS: [(&str, &str); 7] = [
    ("supervisor.control_socket", "whoever can open it is an administrator"),
    ("supervisor.passwords_file", "it says who logs in as whom"),
    ("supervisor.state", "everything that is known is there"),
    ("listener", "its trust and users say who is believed"),
    ("tls", "its authority says whose certificates are believed"),
    ("dns.servers", "senders are proved by what they answer"),
    ("webhook", "it is told what another may see"),
];

/// Whether `who` may change `old` into `new`.
///
/// # Errors
/// Words that name the key or the grant.
pub(crate) fn permitted(
    who: &Who,
    old: (&Config, &[Text]),
    new: (&Config, &[Text]),
) -> Result<(), String> {
    let (before, after) = (&old.0.setup, &new.0.setup);
    if let Some(excess) = excess(before, after, who) {
        return Err(excess.to_string());
    }
    if someone_holds(before, Verb::ConfigWrite) && !someone_holds(after, Verb::ConfigWrite) {
        let verb = Verb::ConfigWrite;
        return Err(format!(
            "nobody would hold {verb} on supervisor any more: leave it to somebody"
        ));
    }
    let Who::Client(author) = who else { return Ok(()) };
    in_the_name_of(author, old.0, new.0)?;
    let (old, new) = (flat(old.1).unwrap_or_default(), flat(new.1).unwrap_or_default());
    changed(&old, &new).into_iter().try_for_each(|key| identity(author, before, key, after))
}

/// Whether `who` may touch the keys that differ. To be asked before anything is made of
/// the new texts: they may name files that are not theirs to look into.
///
/// # Errors
/// Words that name the key.
pub(crate) fn touchable(who: &Who, old: &[Text], new: &[Text]) -> Result<(), String> {
    let Who::Client(_) = who else { return Ok(()) };
    // What is no TOML is refused for that, and nothing is made of it.
    let Some(new) = flat(new) else { return Ok(()) };
    let old = flat(old).unwrap_or_default();
    let refused = |key: &str| Some((key.to_owned(), withheld(key, &old, &new)?));
    match changed(&old, &new).into_iter().find_map(refused) {
        Some((key, why)) => Err(format!("only an administrator changes {key}: {why}")),
        None => Ok(()),
    }
}

/// Why a key is for administrators alone, if it is.
fn withheld(key: &str, old: &Flat, new: &Flat) -> Option<&'static str> {
    let of = |table: &str| {
        key.strip_prefix(table).is_some_and(|r| r.is_empty() || r.starts_with(['.', '[']))
    };
    if let Some((_, why)) = ADMINISTRATORS.iter().find(|(table, _)| of(table)) {
        return Some(why);
    }
    if key.ends_with("_file") || key == "letters.folder" {
        return Some("it names a file of this host");
    }
    let beside = |name: &str| {
        let key =
            key.rsplit_once('.').map_or(name.to_owned(), |(table, _)| format!("{table}.{name}"));
        old.contains_key(&key) || new.contains_key(&key)
    };
    let secret = beside("password_file") || beside("admin_password_file");
    let place = key.starts_with("server.") && key.ends_with(".url")
        || ["delivery.relay", "delivery.fallback", "delivery.starttls", "delivery.verify"]
            .contains(&key);
    (secret && place).then_some("a password would be sent to another place")
}

/// Refuses to let anybody send in the name of a client that holds more than the author.
fn in_the_name_of(author: &ClientName, old: &Config, new: &Config) -> Result<(), String> {
    for (name, access) in &new.access {
        let had = old.access.get(name).map_or(&[][..], |access| &access.may_send_as);
        for pattern in access.may_send_as.iter().filter(|pattern| !had.contains(pattern)) {
            let others = old.setup.clients.iter().filter(|(other, _)| *other != name);
            let as_whom = others
                .filter(|(_, other)| other.mail.iter().any(|mail| pattern.matches(mail.as_str())))
                .find(|(other, _)| *other != author && holds_more(&old.setup, other, author));
            if let Some((other, _)) = as_whom {
                return Err(format!(
                    "client.{name}.may_send_as would let {name} send as {other}, who holds more \
                     than {author}; ask an administrator"
                ));
            }
        }
    }
    Ok(())
}

/// Refuses to change how a client that holds more than the author shows who it is.
fn identity(author: &ClientName, before: &Setup, key: &str, after: &Setup) -> Result<(), String> {
    let Some((client, what)) = key.strip_prefix("client.").and_then(|key| key.rsplit_once('.'))
    else {
        return Ok(());
    };
    let Ok(client) = ClientName::new(client) else { return Ok(()) };
    if !IDENTITY.contains(&what) || client == *author {
        return Ok(());
    }
    // One that goes altogether is nobody's.
    if after.clients.contains_key(&client) && holds_more(before, &client, author) {
        return Err(format!(
            "{client} holds more than {author}, and who changes {key} could act as {client}; \
             ask an administrator"
        ));
    }
    Ok(())
}

/// Whether a client may do anything that the other may not.
fn holds_more(setup: &Setup, client: &ClientName, than: &ClientName) -> bool {
    let mut without = setup.clone();
    if let Some(client) = without.clients.get_mut(client) {
        client.grants.clear();
    }
    excess(&without, setup, &Who::Client(than.clone())).is_some()
}

/// Every value by its key, as problems name it.
type Flat = BTreeMap<String, String>;

fn flat(texts: &[Text]) -> Option<Flat> {
    let mut flat = Flat::new();
    let mut counts = BTreeMap::new();
    for text in texts {
        let table = text.text.parse::<toml::Table>().ok()?;
        flatten("", &Value::Table(table), &mut counts, &mut flat);
    }
    Some(flat)
}

fn flatten(key: &str, value: &Value, counts: &mut BTreeMap<String, usize>, flat: &mut Flat) {
    match value {
        Value::Table(table) => {
            for (name, value) in table {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&key, value, counts, flat);
            }
        }
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_table) => {
            for value in list {
                let count = counts.entry(key.to_owned()).or_default();
                *count += 1;
                let name = value.get("name").and_then(Value::as_str);
                let key = match name {
                    Some(name) => format!("{key}.{name}"),
                    None => format!("{key}[{count}]"),
                };
                flatten(&key, value, counts, flat);
            }
        }
        single => drop(flat.insert(key.to_owned(), single.to_string())),
    }
}

fn changed<'a>(old: &'a Flat, new: &'a Flat) -> Vec<&'a str> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{Set, edit, load_texts};

    const CONFIG: &str = r#"
[supervisor]
domain = "fax.example.com"
country = "GB"
postmaster = "it@example.com"
[[listener]]
address = "127.0.0.1:2525"
role = "relay"
trust = ["127.0.0.1"]
[delivery]
relay = "smtp://127.0.0.1:2626"
from = "fax@fax.example.com"
[limits]
max_pages = 5
[[group]]
name = "london"
[[server]]
name = "one"
kind = "hylafax"
url = "hylafax://10.0.0.1"
password_file = "one.pw"
groups = ["london"]
[[server]]
name = "two"
kind = "hylafax"
url = "hylafax://10.0.0.2"
groups = ["london"]
[[role]]
name = "keeper"
may = ["config.read", "config.write"]
[[role]]
name = "auditor"
may = ["audit.see"]
[[client]]
name = "anna"
mail = ["anna@example.com"]
groups = ["london"]
roles = ["keeper@supervisor"]
[[client]]
name = "boss"
mail = ["boss@example.com"]
groups = ["london"]
roles = ["keeper@supervisor", "auditor@supervisor"]
[[client]]
name = "dora"
mail = ["dora@example.com"]
groups = ["london"]
"#;

    /// What anna and the administrator hear when they change these keys.
    fn heard(typed: &[&str]) -> [Result<(), String>; 2] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one.pw"), "secret").unwrap();
        fs::write(folder.path().join("two.pw"), "secret").unwrap();
        fs::write(folder.path().join("passwords"), "").unwrap();
        let old = vec![Text { file: folder.path().join("postfax.toml"), text: CONFIG.into() }];
        let changes = typed.iter().map(|typed| {
            let (key, value) = typed.split_once('=').unwrap();
            Set { key: key.into(), value: (!value.is_empty()).then(|| value.to_owned()) }
        });
        let new = edit(&old, &changes.collect::<Vec<_>>()).unwrap();
        let (before, after) = (load_texts(&old).unwrap(), load_texts(&new).unwrap());
        let anna = Who::Client(ClientName::new("anna").unwrap());
        [anna, Who::Administrator].map(|who| {
            touchable(&who, &old, &new)?;
            permitted(&who, (&before, &old), (&after, &new))
        })
    }

    #[test]
    fn nobody_becomes_another() {
        for (typed, refused) in [
            (&["limits.max_pages=9"][..], None),
            (&["client.dora.mail=d@example.com"], None),
            (&["client.anna.mail=a@example.com"], None),
            (&["client.boss.receipts=failures"], None),
            (&["client.boss="], None),
            (&["server.two.url=hylafax://10.0.0.9"], None),
            (&["delivery.relay=smtp://127.0.0.1:2627"], None),
            (&["client.boss.mail=anna2@example.com"], Some("could act as boss")),
            (&["client.boss.users=0"], Some("could act as boss")),
            (&["client.boss.certificates=name:mine.example.com"], Some("could act as boss")),
            (&["client.dora.may_send_as=boss@example.com"], Some("would let dora send as boss")),
            (&["client.anna.may_send_as=*@example.com"], Some("would let anna send as boss")),
            (&["client.dora.may_send_as=d@example.com"], None),
            (&["client.dora.roles=keeper@supervisor"], None),
            (&["client.dora.roles=auditor@supervisor"], Some("nobody grants")),
            (&["role.keeper.may=[\"config.write\", \"audit.see\"]"], Some("nobody grants")),
            (&["supervisor.control_socket=/tmp/x.sock"], Some("supervisor.control_socket")),
            (&["supervisor.passwords_file=passwords"], Some("who logs in as whom")),
            (&["supervisor.state=/tmp/x"], Some("supervisor.state")),
            (&["listener[1].trust=10.0.0.0/8"], Some("listener[1].trust")),
            (&["listener[1]="], Some("only an administrator changes listener[1]")),
            (&["dns.servers=10.0.0.53"], Some("dns.servers")),
            (&["server.two.password_file=one.pw"], Some("it names a file")),
            (&["server.one.url=hylafax://10.0.0.9"], Some("a password would be sent")),
        ] {
            let [anna, administrator] = heard(typed);
            assert_eq!(administrator, Ok(()), "{typed:?}");
            match (anna, refused) {
                (Ok(()), None) => {}
                (Err(why), Some(words)) => assert!(why.contains(words), "{typed:?}: {why}"),
                (anna, refused) => panic!("{typed:?}: {anna:?} where {refused:?} was expected"),
            }
        }
    }

    #[test]
    fn somebody_can_always_change_it_again() {
        let gone = &["client.anna.roles=", "client.boss.roles=auditor@supervisor"][..];
        for typed in [gone, &["client.anna=", "client.boss="]] {
            for heard in heard(typed) {
                let why = heard.unwrap_err();
                assert!(why.contains("nobody would hold config.write"), "{why}");
            }
        }
    }
}
