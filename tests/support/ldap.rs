//! A daemon with an LDAP door and a phone book, asked by OpenLDAP's clients and by
//! Python's ldap3.

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use super::{
    lab::Description,
    postfax::{PASSWORD, Postfax, free_port},
    sink::Sink,
};

pub const BASE: &str = "dc=fax,dc=example,dc=com";

/// A daemon with an LDAP door.
pub struct Directory {
    pub postfax: Postfax,
    pub ldap: u16,
    pub ldaps: u16,
    pub sink: Sink,
}

impl Directory {
    /// Starts a daemon whose phone book has these entries; `more` is added to its table
    /// `[ldap]` and after it.
    pub fn start(entries: &[Value], more: &str) -> Self {
        let sink = Sink::start();
        let (ldap, ldaps) = (free_port(), free_port());
        let table = format!(
            "\n[ldap]\nlisten = [\"ldap://127.0.0.1:{ldap}\", \"ldaps://127.0.0.1:{ldaps}\"]\n{more}\n"
        );
        let mut postfax = Postfax::prepare(&Description::unreachable(), &sink, &table);
        // The tables are there once it ran.
        postfax.run();
        postfax.stop();
        fill(&postfax, entries);
        postfax.run();
        Self { postfax, ldap, ldaps, sink }
    }

    /// OpenLDAP's clients; certificates are not looked at, as they are made for a name.
    pub fn openldap(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(arguments);
        command.env("LDAPTLS_REQCERT", "never").env("LDAPNOINIT", "1");
        command.stdin(Stdio::null()).output().expect("ldap-utils are installed")
    }

    /// `ldapsearch` by a client, over StartTLS; what it prints, and its code.
    pub fn find(&self, client: &str, arguments: &[&str]) -> (i32, String) {
        let url = format!("ldap://127.0.0.1:{}", self.ldap);
        let who = format!("uid={client},ou=clients,{BASE}");
        let common = ["-LLL", "-x", "-ZZ", "-o", "ldif-wrap=no", "-H", &url, "-D", &who];
        let all = [&common[..], &["-w", PASSWORD, "-b", BASE], arguments].concat();
        heard(&self.openldap("ldapsearch", &all))
    }

    /// What `tests/support/ldap.py` says.
    pub fn python(&self, url: &str, user: &str, password: &str, what: &[&str]) -> Value {
        // Debian's own, which has the module.
        let mut command = Command::new("timeout");
        command.args(["60", "/usr/bin/python3"]);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ldap.py"));
        let output = command.args([url, user, password]).args(what).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|bad| {
            panic!("{what:?}: {bad}: {}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// The same, as anna over TLS.
    pub fn as_anna(&self, what: &[&str]) -> Value {
        let url = format!("ldaps://127.0.0.1:{}", self.ldaps);
        self.python(&url, &format!("uid=anna,ou=clients,{BASE}"), PASSWORD, what)
    }
}

/// What a program printed, and its code.
pub fn heard(output: &Output) -> (i32, String) {
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said += &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap_or(-1), said)
}

/// Fills the phone book of a daemon that does not run.
pub fn fill(postfax: &Postfax, entries: &[Value]) {
    let mut child = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/book.py"))
        .arg(postfax.file("state/postfax.db"))
        .stdin(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut input = child.stdin.take().unwrap();
    let lines: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    input.write_all(lines.as_bytes()).unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
}

/// Changes the configuration.
pub fn rewrite(postfax: &Postfax, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(postfax.config()).unwrap();
    fs::write(postfax.config(), change(&text)).unwrap();
}
