//! The `Received:` line that is put on top of every message (RFC 5321 4.4).

use std::net::IpAddr;

use jiff::{Zoned, fmt::rfc2822};

use crate::desk::{Peer, Rcpt};

/// What the line says.
pub(super) struct Trace<'a> {
    pub(super) peer: &'a Peer,
    /// This host.
    pub(super) hostname: &'a str,
    /// The protocol (RFC 3848).
    pub(super) protocol: &'a str,
    /// The name of the message here.
    pub(super) id: &'a str,
    pub(super) rcpts: &'a [Rcpt],
}

/// The line, folded, with its last CRLF.
pub(super) fn line(trace: &Trace<'_>, now: &Zoned) -> String {
    let helo = plain(&trace.peer.helo);
    let address = literal(trace.peer.address);
    let (host, protocol, id) = (trace.hostname, trace.protocol, plain(trace.id));
    // Several recipients are not named, as some of them may be blind copies (RFC 5321 7.2).
    let recipient = match trace.rcpts {
        [only] => format!("\r\n\tfor <{}>", only.mailbox),
        _ => String::new(),
    };
    let date = rfc2822::to_string(now).unwrap_or_else(|_| now.timestamp().to_string());
    format!(
        "Received: from {helo} ({address})\r\n\tby {host} (Postfax) with {protocol} id {id}\
         {recipient};\r\n\t{date}\r\n"
    )
}

fn literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
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
    use crate::desk::Role;

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
        let rcpt = Rcpt { mailbox: "+44@fax.example".parse().unwrap(), notify: None, orcpt: None };
        let rcpts = [rcpt.clone(), rcpt];
        let now: Zoned = "2026-03-04T05:06:07[UTC]".parse().unwrap();
        let trace = |peer: &Peer, rcpts: &[Rcpt]| {
            let hostname = "fax1.example";
            line(&Trace { peer, hostname, protocol: "ESMTPS", id: "7", rcpts }, &now)
        };
        assert_eq!(
            trace(&peer, &rcpts[..1]),
            "Received: from my??evil??printer ([IPv6:2001:db8::7])\r\n\
             \tby fax1.example (Postfax) with ESMTPS id 7\r\n\
             \tfor <+44@fax.example>;\r\n\tWed, 4 Mar 2026 05:06:07 +0000\r\n"
        );
        peer.address = "192.0.2.7".parse().unwrap();
        let several = trace(&peer, &rcpts);
        assert!(several.contains("([192.0.2.7])") && !several.contains("for"), "{several}");
    }
}
