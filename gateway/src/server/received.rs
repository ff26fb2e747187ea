//! The `Received:` line that is put on top of every message (RFC 5321 4.4). It
//! tells addresses as they are: no name is looked up, since a name that the client's
//! own side publishes proves nothing and asking for it would hold up every mail.

use std::net::IpAddr;

use jiff::{Zoned, fmt::rfc2822};

use super::handshake::Cipher;
use crate::desk::{Peer, Rcpt};

/// What the line says.
pub(super) struct Trace<'a> {
    pub(super) peer: &'a Peer,
    /// This host.
    pub(super) hostname: &'a str,
    /// The protocol (RFC 3848).
    pub(super) protocol: &'a str,
    /// How the connection is encrypted.
    pub(super) cipher: Option<&'a Cipher>,
    /// The name of the message here.
    pub(super) id: &'a str,
    pub(super) rcpts: &'a [Rcpt],
    /// What the mail was granted, if it asked for a priority (RFC 6710).
    pub(super) priority: Option<i8>,
}

/// The line, folded, with its last CRLF.
pub(super) fn line(trace: &Trace<'_>, now: &Zoned) -> String {
    let helo = plain(&trace.peer.helo);
    let origin = origin(trace.peer);
    let (host, protocol, id) = (trace.hostname, trace.protocol, plain(trace.id));
    // Several recipients are not named, as some of them may be blind copies (RFC 5321 7.2).
    let recipient = match trace.rcpts {
        [only] => format!("\r\n\tfor <{}>", only.mailbox),
        _ => String::new(),
    };
    // RFC 6710 4.2: the priority that holds from here on, not the one that was asked for.
    let priority = match trace.priority {
        Some(priority) => format!("\r\n\tPRIORITY {priority}"),
        None => String::new(),
    };
    let cipher = match trace.cipher {
        // RFC 8314 4.3.
        Some(Cipher { version, suite }) => format!("\r\n\ttls {suite} ({version})"),
        None => String::new(),
    };
    let date = rfc2822::to_string(now).unwrap_or_else(|_| now.timestamp().to_string());
    format!(
        "Received: from {helo} ({origin})\r\n\tby {host} (Postfax) with {protocol} id {id}\
         {recipient}{priority}{cipher};\r\n\t{date}\r\n"
    )
}

/// Where it came from. A process on this host has no address, only a user; then this is
/// a comment instead (RFC 5322 3.2.2).
fn origin(peer: &Peer) -> String {
    match (peer.process, peer.address) {
        (Some(process), _) => format!("unix socket, uid {}", process.uid),
        (None, IpAddr::V4(v4)) => format!("[{v4}]"),
        (None, IpAddr::V6(v6)) => format!("[IPv6:{v6}]"),
    }
}

/// A client's name for itself may hold anything printable; comments and quotes in it
/// would make the line say something else.
fn plain(name: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    name.chars().map(|c| if keep(c) { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Process, Role};

    #[test]
    fn the_line_names_the_way() {
        let mut peer = Peer {
            address: "2001:db8::7".parse().unwrap(),
            tls: true,
            role: Role::Submission,
            helo: "my (evil) printer".into(),
            identity: None,
            certificate: None,
            process: None,
        };
        let rcpt = Rcpt {
            mailbox: "+44@fax.example".parse().unwrap(),
            notify: None,
            orcpt: None,
            welcome: Default::default(),
        };
        let rcpts = [rcpt.clone(), rcpt];
        let now: Zoned = "2026-03-04T05:06:07[UTC]".parse().unwrap();
        let suite = "TLS_AES_256_GCM_SHA384".to_owned();
        let cipher = Cipher { version: "TLSv1.3", suite };
        let trace = |peer: &Peer, rcpts: &[Rcpt]| {
            let (hostname, protocol, id) = ("fax1.example", "ESMTPS", "7");
            let cipher = peer.tls.then_some(&cipher);
            let priority = peer.tls.then_some(-4);
            line(&Trace { peer, hostname, protocol, cipher, id, rcpts, priority }, &now)
        };
        assert_eq!(
            trace(&peer, &rcpts[..1]),
            "Received: from my??evil??printer ([IPv6:2001:db8::7])\r\n\
             \tby fax1.example (Postfax) with ESMTPS id 7\r\n\
             \tfor <+44@fax.example>\r\n\tPRIORITY -4\r\n\ttls TLS_AES_256_GCM_SHA384 (TLSv1.3);\r\n\tWed, 4 Mar 2026 05:06:07 +0000\r\n"
        );
        peer.address = "192.0.2.7".parse().unwrap();
        let several = trace(&peer, &rcpts);
        assert!(several.contains("([192.0.2.7])") && !several.contains("for"), "{several}");
        peer.tls = false;
        peer.process = Some(Process { uid: 102, gid: 104 });
        let local = trace(&peer, &rcpts);
        assert!(local.contains("printer (unix socket, uid 102)\r\n"), "{local}");
        assert!(!local.contains("tls"), "{local}");
        assert!(!local.contains("PRIORITY"), "none was asked for: {local}");
    }
}
