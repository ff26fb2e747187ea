//! The setting: a configuration as an administrator would write it, with the
//! certificate and the passwords that belong to it.

use std::{
    fmt::Write as _,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::Stdio,
};

use postfax_hw::lab::Description;
use tokio::io::AsyncWriteExt as _;

use super::folder::Folder;
use crate::cli::{Exit, Failure};

/// The domain of fax addresses.
pub(super) const DOMAIN: &str = "fax.example.com";
/// Who sends.
pub(super) const SENDER: &str = "anna";
/// Who receives.
pub(super) const RECEIVER: &str = "bob";
/// Who is told when something is wrong.
pub(super) const POSTMASTER: &str = "it";
/// The password of both, on ports that only this machine reaches.
pub(super) const PASSWORD: &str = "letmein";
/// What may not be called.
pub(super) const BARRED: &str = "+19005550100";

/// Failures that the numbers of the exchange can cause: tried soon again, so that
/// nobody waits for their receipt.
const QUICK: [&str; 13] = [
    "busy",
    "no-answer",
    "no-fax-machine",
    "no-handshake",
    "no-dial-tone",
    "congestion",
    "disconnected",
    "stopped-answering",
    "page-rejected",
    "page-unconfirmed",
    "protocol-error",
    "transmission-errors",
    "remote-refused",
];

/// The ports of 127.0.0.1 where Postfax takes mail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// STARTTLS and a password.
    pub(super) submission: u16,
    /// Neither.
    pub(super) relay: u16,
}

/// The mail address of a person.
pub(super) fn address(name: &str) -> String {
    format!("{name}@example.com")
}

/// Writes everything that `postfax serve` would need, for mail that goes to the
/// mailbox at this port.
///
/// # Errors
/// [`Failure`] when it cannot be written.
pub(super) async fn write(
    folder: &Folder,
    servers: &Description,
    mailbox: u16,
) -> Result<Ports, Failure> {
    let ports = free_ports().map_err(|failed| Failure::file("127.0.0.1", &failed))?;
    let names = [DOMAIN, "localhost", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|failed| Failure::new(Exit::Bug, format!("no certificate: {failed}")))?;
    keep(&folder.file("cert.pem"), &made.cert.pem())?;
    keep(&folder.file("key.pem"), &made.signing_key.serialize_pem())?;
    for server in &servers.servers {
        keep(&folder.file(&format!("{}.password", server.name)), &server.password)?;
        keep(&folder.file(&format!("{}.admin", server.name)), &server.admin_password)?;
    }
    keep(&folder.config(), &configuration(&folder.work(), servers, ports, mailbox))?;
    for name in [SENDER, RECEIVER] {
        set_password(&folder.file("passwords"), name).await?;
    }
    Ok(ports)
}

fn configuration(work: &Path, servers: &Description, ports: Ports, mailbox: u16) -> String {
    let Ports { submission, relay } = ports;
    let (work, postmaster) = (work.display(), address(POSTMASTER));
    let mut text = format!(
        r#"# Written by `postfax demo`: a whole configuration, to be read and changed.

[supervisor]
domain = "{DOMAIN}"
country = "US"
state = "{work}/state"
control_socket = "{work}/control.sock"
postmaster = "{postmaster}"
passwords_file = "passwords"

# Mail clients log in here, under TLS.
[[listener]]
address = "127.0.0.1:{submission}"
role = "submission"

# Mail servers that are trusted hand over mail here.
[[listener]]
address = "127.0.0.1:{relay}"
role = "relay"
trust = ["127.0.0.0/8"]

[tls]
certificate = "cert.pem"
key = "key.pem"

# Receipts and received faxes leave by this mail server.
[delivery]
relay = "smtp://127.0.0.1:{mailbox}"
from = "fax@{DOMAIN}"
starttls = "never"

# The first rule that matches decides.
[[dial]]
to = "+1900*"
refuse = "premium-rate numbers are barred"
"#
    );
    text += &parties(servers);
    text += "\n# Soon again, and once: nobody wants to wait for minutes here.\n[retry]\n";
    for outcome in QUICK {
        writeln!(text, "{outcome} = {{ delay_s = 3, tries = 2 }}").expect("as above");
    }
    text
}

/// The servers, and the person behind each.
fn parties(servers: &Description) -> String {
    let mut text = String::new();
    for (server, person) in servers.servers.iter().zip([SENDER, RECEIVER]) {
        let (name, mail, numbers) = (&server.name, address(person), &server.numbers);
        let (user, host, port, lines) = (&server.user, &server.host, server.port, server.lines);
        write!(
            text,
            r#"
# {person} sends by {name}, and gets what arrives there.
[[group]]
name = "{name}"

[[client]]
name = "{person}"
mail = ["{mail}"]
groups = ["{name}"]

[[server]]
name = "{name}"
kind = "hylafax"
url = "hylafax://{user}@{host}:{port}"
password_file = "{name}.password"
admin_password_file = "{name}.admin"
groups = ["{name}"]
numbers = {numbers:?}
lines = {lines}
poll_s = 1

[[route]]
server = "{name}"
to = ["{person}"]
"#
        )
        .expect("a String takes every write");
    }
    text
}

/// Ports that nobody uses at this moment.
fn free_ports() -> io::Result<Ports> {
    // Both are held until both are known, so that they differ.
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(Ports { submission: first.local_addr()?.port(), relay: second.local_addr()?.port() })
}

/// Writes a file that only its owner reads.
fn keep(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        io::Write::write_all(&mut file?, text.as_bytes())
    };
    write().map_err(|failed| Failure::file(path.display(), &failed))
}

/// `postfax passwd`, as an administrator would call it from a script.
async fn set_password(file: &Path, name: &str) -> Result<(), Failure> {
    let failed = |failed: io::Error| Failure::file("postfax passwd", &failed);
    let mut child = tokio::process::Command::new(std::env::current_exe().map_err(failed)?)
        .args(["passwd", name, "--file"])
        .arg(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(PASSWORD.as_bytes()).await.map_err(failed)?;
    drop(input);
    let ended = child.wait().await.map_err(failed)?;
    match ended.success() {
        true => Ok(()),
        false => Err(Failure::new(Exit::Bug, format!("the password of {name} was not set"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn description() -> Description {
        let server = |name: &str, port: u16, number: &str| {
            serde_json::json!({
                "name": name, "kind": "station", "host": "127.0.0.1", "port": port,
                "user": "u", "password": "p", "admin_password": "a", "numbers": [number],
                "lines": 1, "answering": 1, "spool": "/tmp",
            })
        };
        let servers =
            [server("london", 4559, "+15551000101"), server("paris", 4560, "+15551000201")];
        serde_json::from_value(serde_json::json!({
            "servers": servers, "numbers": [], "sip": "127.0.0.1:5060",
        }))
        .unwrap()
    }

    #[test]
    fn the_configuration_is_good_and_warns_of_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["london.password", "london.admin", "paris.password", "paris.admin"] {
            keep(&dir.path().join(name), "secret").unwrap();
        }
        for name in ["cert.pem", "key.pem", "passwords"] {
            keep(&dir.path().join(name), "").unwrap();
        }
        let file = dir.path().join("postfax.toml");
        let ports = Ports { submission: 2587, relay: 2525 };
        keep(&file, &configuration(dir.path(), &description(), ports, 2526)).unwrap();
        let config = config::load(&file).map_err(|bad| config::report(&bad, false)).unwrap();
        let warnings = config::report(&config.warnings, false);
        // The passwords are set later, by a child.
        assert!(!warnings.contains("postfax.toml:1:"), "{warnings}");
        assert_eq!(config.setup.servers.len(), 2);
        assert_eq!(config.setup.clients.len(), 2);
    }
}
