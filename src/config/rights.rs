//! Who may make which change: nobody grants what they do not hold, nobody becomes
//! another, and somebody can always change things again. Only decides; that the author
//! may change the configuration at all was checked before.

use std::collections::{BTreeMap, BTreeSet};

use postfax_domain::{
    authority::{Verb, Who, excess, someone_holds},
    names::ClientName,
    number::Pattern,
    setup::Setup,
};
use toml::de::{DeTable, DeValue};

use super::{Config, Text};

/// Keys of a client by which it shows who it is.
const IDENTITY: [&str; 4] = ["mail", "users", "certificates", "may_send_as"];
/// Keys by which somebody could become another, or read what is not theirs.
const ADMINISTRATORS: [(&str, &str); 9] = [
    ("supervisor.control_socket", "whoever can open it is an administrator"),
    ("supervisor.passwords_file", "it says who logs in as whom"),
    ("supervisor.state", "everything that is known is there"),
    ("listener", "its trust and users say who is believed"),
    ("tls", "its authority says whose certificates are believed"),
    ("dns.servers", "senders are proved by what they answer"),
    ("http.address", "the tokens of all clients cross it"),
    ("http.tls", "the tokens of all clients cross it"),
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
    stays_above(author, before, after)?;
    in_the_name_of(author, old.0, new.0)?;
    let (old, new) = (flat(old.1).unwrap_or_default(), flat(new.1).unwrap_or_default());
    changed(&old, &new).into_iter().try_for_each(|key| identity(author, before, key))
}

/// Whether `who` may touch the keys that differ. To be asked before anything is made of
/// the new texts: they may name files that are not theirs to look into.
///
/// # Errors
/// Words that name the key.
pub(crate) fn touchable(who: &Who, old: &[Text], new: &[Text]) -> Result<(), String> {
    let Who::Client(_) = who else { return Ok(()) };
    // What is no TOML is refused for that, and nothing is made of it. So it must be read
    // here just as it is read there: what only one of the two can read would get past.
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
    let names_files = ["letters.folder", "cover.folder", "cover.logo", "convert.fonts"];
    if key.ends_with("_file") || names_files.iter().any(|table| of(table)) {
        return Some("it names a file of this host");
    }
    if key == "convert.unconfined" {
        return Some("it decides what hostile documents can reach");
    }
    let beside = |name: &str| {
        let key =
            key.rsplit_once('.').map_or(name.to_owned(), |(table, _)| format!("{table}.{name}"));
        old.contains_key(&key) || new.contains_key(&key)
    };
    let secret = beside("password_file") || beside("admin_password_file");
    let place = key.starts_with("server.")
        && [".url", ".pin", ".starttls"].iter().any(|end| key.ends_with(end))
        || ["delivery.relay", "delivery.fallback", "delivery.starttls", "delivery.verify"]
            .contains(&key);
    (secret && place).then_some("a password would be sent to another place")
}

/// Refuses to bring a client that holds more than the author down to it, or to remove it:
/// in a second step the author could become that one, and have what is theirs.
fn stays_above(author: &ClientName, before: &Setup, after: &Setup) -> Result<(), String> {
    let mut above = before.clients.keys().filter(|name| holds_more(before, name, author));
    let falls =
        |name: &&ClientName| !after.clients.contains_key(*name) || !holds_more(after, name, author);
    match above.find(falls) {
        Some(client) => Err(format!(
            "{client} holds more than {author}, and would not any more; ask an administrator"
        )),
        None => Ok(()),
    }
}

/// Refuses to let anybody send in the name of a client that holds more than the author,
/// or to give an address to another that such a one sends from.
fn in_the_name_of(author: &ClientName, old: &Config, new: &Config) -> Result<(), String> {
    let above = |name: &ClientName, takes: &dyn Fn(&Pattern) -> bool| {
        let others = old.setup.clients.iter().filter(|(other, _)| *other != name);
        let met = others.filter(|(_, other)| other.mail.iter().any(takes));
        met.map(|(other, _)| other)
            .find(|other| *other != author && holds_more(&old.setup, other, author))
    };
    for (name, access) in &new.access {
        let had = old.access.get(name).map_or(&[][..], |access| &access.may_send_as);
        let mut added = access.may_send_as.iter().filter(|pattern| !had.contains(pattern));
        let found = added.find_map(|pattern| above(name, &|mail| pattern.meets(mail)));
        if let Some(other) = found {
            return Err(format!(
                "client.{name}.may_send_as would let {name} send as {other}, who holds more than \
                 {author}; ask an administrator"
            ));
        }
    }
    for (name, client) in &new.setup.clients {
        let had = old.setup.clients.get(name).map_or(&[][..], |client| &client.mail);
        let mut added = client.mail.iter().filter(|pattern| !had.contains(pattern));
        // From a full address nothing is taken: it counts before a pattern, and is one client's.
        let takes = |own: &Pattern, mail: &Pattern| mail.as_str().contains('*') && own.meets(mail);
        if let Some(other) = added.find_map(|own| above(name, &|mail| takes(own, mail))) {
            return Err(format!(
                "client.{name}.mail would take mail from {other}, who holds more than {author}; \
                 ask an administrator"
            ));
        }
    }
    Ok(())
}

/// Refuses to change how a client that holds more than the author shows who it is.
fn identity(author: &ClientName, before: &Setup, key: &str) -> Result<(), String> {
    let Some((client, what)) = key.strip_prefix("client.").and_then(|key| key.rsplit_once('.'))
    else {
        return Ok(());
    };
    let Ok(client) = ClientName::new(client) else { return Ok(()) };
    if !IDENTITY.contains(&what) || client == *author {
        return Ok(());
    }
    if holds_more(before, &client, author) {
        return Err(format!(
            "{client} holds more than {author}, and who changes {key} could act as {client}; \
             ask an administrator"
        ));
    }
    Ok(())
}

/// Whether a client may do anything that the other may not.
fn holds_more(setup: &Setup, client: &ClientName, than: &ClientName) -> bool {
    // Most hold nothing, and a copy of everything is no small thing.
    if setup.clients.get(client).is_none_or(|client| client.grants.is_empty()) {
        return false;
    }
    let mut without = setup.clone();
    if let Some(client) = without.clients.get_mut(client) {
        client.grants.clear();
    }
    excess(&without, setup, &Who::Client(than.clone())).is_some()
}

/// Every value by its key, as problems name it. Where two entries have one name, which is
/// an error that is found later, both have their say.
type Flat = BTreeMap<String, Vec<String>>;

/// Nothing when one of them is no TOML. Read as [`super::read`] does it, to the last
/// number that is too large.
fn flat(texts: &[Text]) -> Option<Flat> {
    let mut flat = Flat::new();
    let mut counts = BTreeMap::new();
    for text in texts {
        let (table, errors) = DeTable::parse_recoverable(&text.text);
        if !errors.is_empty() {
            return None;
        }
        flatten_table("", table.get_ref(), &mut counts, &mut flat);
    }
    Some(flat)
}

fn flatten_table(
    key: &str,
    table: &DeTable<'_>,
    counts: &mut BTreeMap<String, usize>,
    flat: &mut Flat,
) {
    for (name, value) in table {
        let name = name.get_ref();
        let key = if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
        flatten(&key, value.get_ref(), counts, flat);
    }
}

fn flatten(key: &str, value: &DeValue<'_>, counts: &mut BTreeMap<String, usize>, flat: &mut Flat) {
    match value {
        DeValue::Table(table) => flatten_table(key, table, counts, flat),
        DeValue::Array(list)
            if !list.is_empty()
                && list.iter().all(|one| matches!(one.get_ref(), DeValue::Table(_))) =>
        {
            for value in list.iter() {
                let count = counts.entry(key.to_owned()).or_default();
                *count += 1;
                let name = match value.get_ref() {
                    DeValue::Table(table) => table.get("name").map(|name| name.get_ref()),
                    _ => None,
                };
                let key = match name {
                    Some(DeValue::String(name)) => format!("{key}.{name}"),
                    _ => format!("{key}[{count}]"),
                };
                flatten(&key, value.get_ref(), counts, flat);
            }
        }
        single => flat.entry(key.to_owned()).or_default().push(written(single)),
    }
}

/// A value without the place where it stands.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        DeValue::Array(list) => {
            let list: Vec<String> = list.iter().map(|one| written(one.get_ref())).collect();
            format!("[{}]", list.join(", "))
        }
        DeValue::Table(table) => {
            let one = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                format!("{key:?} = {}", written(value.get_ref()))
            };
            format!("{{{}}}", table.iter().map(one).collect::<Vec<_>>().join(", "))
        }
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
[http]
address = "127.0.0.1:0"
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
[[client]]
name = "head"
mail = ["*@head.example.com"]
groups = ["london"]
roles = ["auditor@supervisor"]
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
            (&["client.boss="], Some("boss holds more than anna, and would not any more")),
            (&["client.boss.roles=keeper@supervisor"], Some("would not any more")),
            (&["role.auditor.may=[\"config.read\"]"], Some("would not any more")),
            (&["client.dora="], None),
            (&["server.two.url=hylafax://10.0.0.9"], None),
            (&["delivery.relay=smtp://127.0.0.1:2627"], None),
            (&["client.boss.mail=anna2@example.com"], Some("could act as boss")),
            (&["client.boss.users=0"], Some("could act as boss")),
            (&["client.boss.certificates=name:mine.example.com"], Some("could act as boss")),
            (&["client.dora.may_send_as=boss@example.com"], Some("would let dora send as boss")),
            (&["client.anna.may_send_as=*@example.com"], Some("would let anna send as boss")),
            (&["client.dora.may_send_as=d@example.com"], None),
            (
                &["client.dora.may_send_as=ceo@head.example.com"],
                Some("would let dora send as head"),
            ),
            (&["client.dora.may_send_as=*@*.example.com"], Some("would let dora send as head")),
            (&["client.dora.mail=*@example.com"], None),
            (&["client.anna.mail=ceo@head.example.com"], Some("would take mail from head")),
            (&["client.anna.mail=*@*.example.com"], Some("would take mail from head")),
            (&["http.tls=false"], Some("the tokens of all clients")),
            (&["http.max_connections=7"], None),
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
    fn nothing_gets_past_that_is_read_in_another_way() {
        let text = |text: &str| vec![Text { file: "postfax.toml".into(), text: text.into() }];
        let anna = Who::Client(ClientName::new("anna").unwrap());
        let secret = "passwords_file = \"/etc/shadow\"";
        let server = "[[server]]\nname = \"two\"\npassword_file = \"/etc/shadow\"\n[[server]]";
        for (new, withheld) in [
            (CONFIG.replace("[[listener]]", &format!("{secret}\n[[listener]]")), true),
            // No number of ours, and yet TOML.
            (
                CONFIG
                    .replace("[[listener]]", &format!("{secret}\n[[listener]]"))
                    .replace("max_pages = 5", "max_pages = 99999999999999999999"),
                true,
            ),
            // The last one of a name looks as it did.
            (CONFIG.replacen("[[server]]", server, 1), true),
            (CONFIG.replacen("name = \"one\"", "name = 1", 1), true),
            (CONFIG.replace("max_pages = 5", "max_pages = 99999999999999999999"), false),
            (CONFIG.replace("[limits]", "# moved\n\n[limits]"), false),
            (CONFIG.replace("[limits]", "[limits"), false),
        ] {
            let heard = touchable(&anna, &text(CONFIG), &text(&new));
            assert_eq!(heard.is_err(), withheld, "{heard:?}: {new}");
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
