//! The phone book by LDAP, through the real program, OpenLDAP's clients and Python's
//! ldap3: who logs in and how, what completes, who sees what, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    ldap::{BASE, Directory, heard, rewrite},
    postfax::PASSWORD,
    wait_for,
};

/// What is for everyone, for one, for a group, and a list.
fn book() -> Vec<Value> {
    let entry = |uid: &str, owner: &str, label: Value, name: &str, number: u32| {
        let number = format!("+1212555{number:04}");
        json!({ "uid": uid, "owner": owner, "label": label, "name": name, "number": number })
    };
    let mut acme = entry("acme", "", json!("everyone"), "Acme Buyers", 200);
    acme["alias"] = json!("acme");
    acme["company"] = json!("Acme Ltd");
    acme["note"] = json!("Opens at nine");
    let mut bell = entry("bell", "anna", json!([]), "Bell Müller", 201);
    bell["subaddress"] = json!("4312");
    vec![
        acme,
        bell,
        entry("annas", "anna", json!([]), "Acme Anna", 202),
        entry("bobs", "bob", json!([]), "Acme Bob", 203),
        entry("londons", "bob", json!(["@london"]), "Acme London", 204),
        entry("carls", "bob", json!(["carl"]), "Acme Carl", 205),
        json!({ "uid": "all", "owner": "anna", "label": "everyone", "name": "Acme Everybody",
                "alias": "everybody", "members": ["acme", "annas"] }),
    ]
}

fn values<'t>(said: &'t str, attribute: &str) -> BTreeSet<&'t str> {
    let prefix = format!("{attribute}: ");
    said.lines().filter_map(|line| line.strip_prefix(&prefix)).collect()
}

#[test]
fn clients_log_in_search_and_see_what_is_theirs() {
    let directory = Directory::start(&book(), "");
    completions(&directory);
    names_and_attributes(&directory);
    logins(&directory);
    everything_else_is_refused(&directory);
    reloads(&directory);
    let mut directory = directory;
    let begun = Instant::now();
    let mut idle = TcpStream::connect(("127.0.0.1", directory.ldap)).unwrap();
    directory.postfax.stop();
    assert!(begun.elapsed() < Duration::from_secs(10), "an idle connection kept the daemon");
    let mut notice = Vec::new();
    let _ = idle.read_to_end(&mut notice);
    assert!(!directory.postfax.log().contains("panicked"), "{}", directory.postfax.log());
}

/// The filters of Thunderbird and Outlook, as three clients.
fn completions(directory: &Directory) {
    let thunderbird = "(|(cn=*acme*)(mail=*acme*)(givenName=*acme*)(sn=*acme*))";
    let two_words = "(|(cn=*acme*b*)(mail=*acme*b*)(givenName=*acme*b*)(sn=*acme*b*))";
    let older = "(|(cn=acme*)(mail=acme*)(sn=acme*))";
    let outlook = "(&(mail=*)(|(mail=acme*)(|(cn=acme*)(|(sn=acme*)(|(givenName=acme*)(displayName=acme*))))))";
    let all = ["Acme Buyers", "Acme Everybody"];
    for (client, own) in [
        ("anna", &["Acme Anna", "Acme London"][..]),
        ("bob", &["Acme Bob", "Acme Carl", "Acme London"]),
        ("carl", &["Acme Carl", "Acme London"]),
    ] {
        let wanted: BTreeSet<&str> = all.iter().chain(own).copied().collect();
        for filter in [thunderbird, older, outlook, "(&(objectClass=*)(cn=acme*))"] {
            let (code, said) = directory.find(client, &[filter, "cn"]);
            assert_eq!((code, values(&said, "cn")), (0, wanted.clone()), "{client} {filter}");
        }
        let (_, said) = directory.find(client, &[two_words, "cn"]);
        assert!(values(&said, "cn").contains("Acme Buyers"), "{said}");
        // 4 is what a client takes for enough.
        let (code, said) = directory.find(client, &["-z", "2", thunderbird, "cn"]);
        assert_eq!((code, values(&said, "cn").len()), (4, 2), "{said}");
    }
}

fn names_and_attributes(directory: &Directory) {
    let (_, said) = directory.find("anna", &["(cn=acme buyers)"]);
    for line in [
        "objectClass: inetOrgPerson",
        "sn: Buyers",
        "givenName: Acme",
        "mail: acme@fax.example.com",
        "o: Acme Ltd",
        "facsimileTelephoneNumber: +12125550200",
        "mozillaNickname: acme",
        "description: Opens at nine",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("entryUUID"), "{said}");
    let (_, said) = directory.find("anna", &["(fax=+1 212-555-0201)", "mail", "+"]);
    assert!(said.contains("mail: +12125550201/T33S=4312@fax.example.com"), "{said}");
    assert!(said.contains("entryUUID: ") && said.contains("modifyTimestamp: 2023"), "{said}");
    let (_, said) = directory.find("anna", &["(cn=acme buyers)", "1.1"]);
    assert_eq!(said.trim(), format!("dn: uid=acme,ou=book,{BASE}"));
    let (_, said) = directory.find("anna", &["-A", "(cn=acme buyers)", "mail"]);
    assert!(said.contains("mail:\n") && !said.contains('@'), "{said}");
    // Bob sees the list, and of its members what he sees.
    let member = |uid: &str| format!("uid={uid},ou=book,{BASE}");
    let (_, said) = directory.find("bob", &["(objectClass=groupOfNames)"]);
    assert!(said.contains("mail: everybody@fax.example.com"), "{said}");
    assert_eq!(values(&said, "member"), [member("acme").as_str()].into());
    // Hidden, and not there.
    let look = |client: &str, uid: &str| {
        let name = member(uid);
        let (code, said) = directory.find(client, &["-b", &name, "-s", "base", "(objectClass=*)"]);
        (code, said.replace(uid, "UID"))
    };
    assert_eq!(look("bob", "bobs").0, 0);
    assert_eq!(look("anna", "bobs").0, 32);
    assert_eq!(look("anna", "bobs"), look("anna", "nobodys"));
    let compare = |uid: &str| directory.as_anna(&["compare", &member(uid), "cn", "Acme Bob"]);
    assert_eq!((compare("bobs"), compare("nobodys")), (json!(32), json!(32)));
    assert_eq!((compare("acme"), json!(6)), (json!(5), json!(6)));
}

fn logins(directory: &Directory) {
    let ldaps = format!("ldaps://127.0.0.1:{}", directory.ldaps);
    let plain = format!("ldap://127.0.0.1:{}", directory.ldap);
    let whoami = |arguments: &[&str]| {
        heard(&directory.openldap("ldapwhoami", &[&["-x"], arguments].concat()))
    };
    let name = format!("dn:uid=anna,ou=clients,{BASE}");
    for user in ["anna", "anna@example.com", "cn=anna", &format!("uid=anna,{BASE}")] {
        let (code, said) = whoami(&["-H", &ldaps, "-D", user, "-w", PASSWORD]);
        assert_eq!((code, said.trim()), (0, name.as_str()), "{user}");
    }
    let (code, said) = whoami(&["-H", &plain, "-ZZ"]);
    assert_eq!((code, said.trim()), (0, "anonymous"));
    for (arguments, wanted) in [
        (&["-H", &plain, "-D", "anna", "-w", "wrong"][..], 49),
        (&["-H", &plain, "-D", "nobody", "-w", "wrong"], 49),
        (&["-H", &plain, "-D", "anna", "-w", ""], 53),
        (&["-P", "2", "-H", &plain, "-D", "anna", "-w", PASSWORD], 2),
    ] {
        assert_eq!(whoami(arguments).0, wanted, "{arguments:?}");
    }
    assert_eq!(directory.as_anna(&["start-tls"]).as_str(), None, "it is encrypted already");
    let started = directory.python(&plain, &name[3..], PASSWORD, &["start-tls"]);
    assert_eq!(started, json!(name));
    // The root and the schema are there for everybody, and nothing else.
    let info = directory.python(&plain, "", "", &["info"]);
    assert_eq!(info["contexts"], json!([BASE]));
    assert_eq!((&info["types"], &info["classes"]), (&json!(true), &json!(true)));
    for base in [BASE.to_owned(), format!("uid=acme,ou=book,{BASE}"), "cn=x".to_owned()] {
        let said = directory.python(&plain, "", "", &["code", &base, "(cn=*)", "SUBTREE"]);
        assert_eq!((&said[0], &said[4]), (&json!(50), &json!(0)), "{said}");
    }
    let lines = directory.postfax.ask_json(&["audit", "--request", "ldap.bind", "--limit", "100"]);
    let lines = lines["audit"].as_array().unwrap();
    let of = |name: &str| lines.iter().filter(|line| line.to_string().contains(name)).count();
    assert_eq!(of("\"allowed\""), 3, "one line for each of three clients: {lines:?}");
    assert_eq!(of("client:nobody"), 1, "{lines:?}");
    assert!(!lines.iter().any(|line| line.to_string().contains(PASSWORD)));
    assert!(!directory.postfax.log().contains(PASSWORD));
}

fn everything_else_is_refused(directory: &Directory) {
    assert_eq!(directory.as_anna(&["writes"]), json!([53, 53, 53, 53]));
    let plain = format!("ldap://127.0.0.1:{}", directory.ldap);
    assert_eq!(directory.python(&plain, "", "", &["writes"]), json!([50, 50, 50, 50]));
    // Sorting (RFC 2891), and the lists of Outlook.
    for oid in ["1.2.840.113556.1.4.473", "2.16.840.1.113730.3.4.9", "1.2.3.4"] {
        assert_eq!(directory.as_anna(&["control", oid, "critical"]), json!(12), "{oid}");
        assert_eq!(directory.as_anna(&["control", oid, "no"]), json!(0), "{oid}");
    }
    // What is no LDAP is told so and closed; others go on meanwhile.
    let _slow = {
        let mut slow = TcpStream::connect(("127.0.0.1", directory.ldap)).unwrap();
        slow.write_all(&[0x30, 0x82, 1]).unwrap();
        slow
    };
    for octets in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x30, 0x80, 0x30, 0x80],
        &[0x30, 3, 2, 1, 0],
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", directory.ldap)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(octets).unwrap();
        let mut notice = Vec::new();
        let ended = stream.read_to_end(&mut notice);
        let told = String::from_utf8_lossy(&notice).into_owned();
        assert!(told.contains("1.3.6.1.4.1.1466.20036"), "{octets:x?}: {ended:?} {told:?}");
    }
    assert_eq!(directory.find("anna", &["(cn=acme buyers)", "1.1"]).0, 0);
}

fn reloads(directory: &Directory) {
    let reload = || {
        let output = directory.postfax.ask(&["reload"]);
        assert!(output.status.success(), "{}", heard(&output).1);
    };
    let is_open = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
    let addresses = format!(", \"ldaps://127.0.0.1:{}\"", directory.ldaps);
    rewrite(&directory.postfax, |text| text.replace(&addresses, ""));
    reload();
    wait_for("the address to be closed", 10, || (!is_open(directory.ldaps)).then_some(()));
    assert!(is_open(directory.ldap));
    let first = format!("127.0.0.1:{}\"]", directory.ldap);
    rewrite(&directory.postfax, |text| {
        text.replace(&first, &format!("127.0.0.1:{}\"{addresses}]", directory.ldap))
    });
    reload();
    wait_for("the address to be open", 10, || is_open(directory.ldaps).then_some(()));
    assert_eq!(directory.as_anna(&["bind"]), json!(0));
}

#[test]
fn thousands_come_in_pages_and_passwords_are_not_guessed() {
    let entry = |at: usize| {
        json!({ "uid": format!("n-{at}"), "owner": if at % 3 == 0 { "bob" } else { "" },
                "label": if at % 3 == 0 { json!([]) } else { json!("everyone") },
                "name": format!("Entry {at}"), "number": format!("+1212{:07}", at + 2_000_000) })
    };
    let entries: Vec<Value> = (0..6000).map(entry).collect();
    let limits = "max_entries = 500\n[limits]\nmax_login_failures_per_address = 3\n";
    let directory = Directory::start(&entries, limits);
    let pages = |filter: &str, size: &str| directory.as_anna(&["paged", filter, size]);
    assert_eq!(pages("(cn=*)", "300"), json!({"pages": 14, "seen": 4000, "different": 4000}));
    // A page is no longer than an answer may be.
    assert_eq!(pages("(cn=entry*)", "5000"), json!({"pages": 8, "seen": 4000, "different": 4000}));
    assert_eq!(
        pages("(cn=*99*)", "7")["seen"],
        json!((0..6000).filter(|at| at % 3 > 0 && at.to_string().contains("99")).count())
    );
    assert_eq!(directory.as_anna(&["limited", "(cn=*)", "0"]), json!([500, 4]));
    assert_eq!(directory.as_anna(&["limited", "(cn=*)", "20"]), json!([20, 4]));
    let url = format!("ldaps://127.0.0.1:{}", directory.ldaps);
    let bind = |password: &str| directory.python(&url, "anna", password, &["bind"]);
    let codes: Vec<Value> = (0..5).map(|_| bind("wrong")).collect();
    assert_eq!(codes[0], json!(49), "{codes:?}");
    assert_eq!(codes[4], json!(51), "{codes:?}");
    assert_eq!(bind(PASSWORD), json!(51), "the right one is not tried either");
}
