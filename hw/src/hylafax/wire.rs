//! The control connection of HylaFAX's client protocol: commands out, replies in.
//!
//! It is shaped like FTP's (RFC 959 4.2): a reply is three digits and a text, and
//! `NNN-` opens one of several lines. This file frames, limits and times; what the
//! commands mean is not known here.
//!
//! Why the length of a command is checked: hfaxd takes at most 512 octets, and
//! executes the rest of a longer one as a command of its own.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The longest command with its CR LF, in octets.
pub(super) const MAX_COMMAND_OCTETS: usize = 512;
/// The longest line of a reply, in octets.
const MAX_LINE_OCTETS: usize = 4096;
/// The most lines that one reply may have.
const MAX_REPLY_LINES: usize = 1000;
/// Silence after which the system asks whether the other side is still there, in seconds.
const KEEPALIVE_S: u64 = 60;

/// Why an exchange failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connection cannot be used (any more), in words.
    Broken(String),
    /// The server understood and refused.
    Refused(Reply),
    /// A file of ours.
    Local(std::path::PathBuf, std::io::Error),
}

impl Fault {
    pub(super) fn broken(why: impl std::fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken(why) => f.write_str(why),
            Self::Refused(reply) => reply.fmt(f),
            Self::Local(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// The three digits.
    pub(super) code: u16,
    /// The texts of its lines, without the digits where they had any.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Whether the answer is yes (2xx).
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// Whether more is to come (1xx).
    pub(super) fn is_preliminary(&self) -> bool {
        (100..200).contains(&self.code)
    }

    /// Whether the same may be done at another time (4xx, RFC 959 4.2.1).
    pub(super) fn may_pass(&self) -> bool {
        (400..500).contains(&self.code) && !self.says_forbidden() && !self.says_missing()
    }

    /// Its last line.
    pub(super) fn text(&self) -> &str {
        self.lines.last().map_or("", String::as_str)
    }

    /// Whether it says that a file or job does not exist, as far as words tell:
    /// hfaxd has one code for every reason.
    pub(super) fn says_missing(&self) -> bool {
        self.text().contains("No such file") || self.text().contains("does not exist")
    }

    /// Whether it says that our rights do not reach.
    pub(super) fn says_forbidden(&self) -> bool {
        self.text().contains("not permitted") || self.text().contains("Permission denied")
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code, self.text())
    }
}

/// Makes a value fit to be sent: no control characters, quotes or backslashes, at
/// most `max_octets` long, in quotation marks.
pub(super) fn quoted(value: &str, max_octets: usize) -> String {
    let mut out = String::from("\"");
    for c in value.trim().chars() {
        let c = match c {
            '"' => '\'',
            '\\' => '/',
            c if c.is_control() => ' ',
            c => c,
        };
        if out.len() + c.len_utf8() > max_octets + 1 {
            break;
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A control connection.
#[derive(Debug)]
pub(super) struct Control {
    stream: BufReader<TcpStream>,
    /// A command was sent and its last reply has not been read.
    pending: bool,
    /// Nothing more can be said on it.
    broken: bool,
    reply_limit: Duration,
}

impl Control {
    pub(super) async fn connect(
        host: &str,
        port: u16,
        connect_limit: Duration,
        reply_limit: Duration,
    ) -> Result<Self, Fault> {
        let stream = timeout(connect_limit, TcpStream::connect((host, port)))
            .await
            .map_err(|_| Fault::broken("connecting took too long"))?
            .map_err(Fault::broken)?;
        stream.set_nodelay(true).map_err(Fault::broken)?;
        let idle = Duration::from_secs(KEEPALIVE_S);
        let asked = rustix::net::sockopt::set_socket_keepalive(&stream, true)
            .and_then(|()| rustix::net::sockopt::set_tcp_keepidle(&stream, idle));
        asked.map_err(Fault::broken)?;
        Ok(Self { stream: BufReader::new(stream), pending: true, broken: false, reply_limit })
    }

    /// Whether the last exchange was finished, so that another may begin.
    pub(super) fn is_clean(&self) -> bool {
        !self.pending && !self.broken
    }

    /// The server's address as we see it.
    pub(super) fn peer(&self) -> Result<SocketAddr, Fault> {
        self.stream.get_ref().peer_addr().map_err(Fault::broken)
    }

    /// Our address as the server sees it.
    pub(super) fn local(&self) -> Result<SocketAddr, Fault> {
        self.stream.get_ref().local_addr().map_err(Fault::broken)
    }

    /// Sends a command and waits for its first reply, whatever it is.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Reply, Fault> {
        self.tell(command).await?;
        self.reply().await
    }

    /// As [`Self::ask`], but everything except 2xx is an error.
    pub(super) async fn demand(&mut self, command: &str) -> Result<Reply, Fault> {
        let reply = self.ask(command).await?;
        if reply.is_done() { Ok(reply) } else { Err(Fault::Refused(reply)) }
    }

    /// Sends a command.
    pub(super) async fn tell(&mut self, command: &str) -> Result<(), Fault> {
        if !self.is_clean() {
            return Err(Fault::broken("the connection was left in the middle of an exchange"));
        }
        if command.len() + 2 > MAX_COMMAND_OCTETS || command.contains(['\r', '\n']) {
            return Err(Fault::broken("a command is too long or has a line break in it"));
        }
        self.pending = true;
        let line = format!("{command}\r\n");
        let sent = timeout(self.reply_limit, self.stream.write_all(line.as_bytes())).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.give_up(error)),
            Err(_) => Err(self.give_up("the server takes no commands")),
        }
    }

    /// Waits for a whole reply within the usual time.
    pub(super) async fn reply(&mut self) -> Result<Reply, Fault> {
        self.reply_within(self.reply_limit).await
    }

    /// Waits for a whole reply.
    pub(super) async fn reply_within(&mut self, limit: Duration) -> Result<Reply, Fault> {
        let reply = match timeout(limit, self.read_reply()).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(why)) => return Err(self.give_up(why)),
            Err(_) => return Err(self.give_up("the server does not answer")),
        };
        if reply.code == 421 {
            // The server closes: for idleness, because it shuts down, or has no room.
            return Err(self.give_up(&reply));
        }
        self.pending = reply.is_preliminary();
        Ok(reply)
    }

    /// Makes the system throw away what it has not yet delivered when the
    /// connection is dropped, so that no command can arrive later.
    pub(super) fn forget_unsent(&mut self) {
        self.broken = true;
        let socket = self.stream.get_ref();
        let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
    }

    fn give_up(&mut self, why: impl std::fmt::Display) -> Fault {
        self.broken = true;
        Fault::broken(why)
    }

    async fn read_reply(&mut self) -> Result<Reply, String> {
        let first = self.line().await?;
        let (code, more, text) = split(&first).ok_or("the server talks no HylaFAX")?;
        let mut lines = vec![text.to_owned()];
        let mut going_on = more;
        while going_on {
            if lines.len() == MAX_REPLY_LINES {
                return Err("a reply has too many lines".into());
            }
            let line = self.line().await?;
            match split(&line) {
                Some((same, more, text)) if same == code => {
                    going_on = more;
                    lines.push(text.to_owned());
                }
                _ => lines.push(line),
            }
        }
        Ok(Reply { code, lines })
    }

    async fn line(&mut self) -> Result<String, String> {
        let mut line = Vec::new();
        loop {
            let chunk = self.stream.fill_buf().await.map_err(|error| error.to_string())?;
            if chunk.is_empty() {
                return Err("the server closed the connection".into());
            }
            let end = chunk.iter().position(|&octet| octet == b'\n');
            let take = end.map_or(chunk.len(), |at| at + 1);
            line.extend_from_slice(&chunk[..take]);
            self.stream.consume(take);
            if line.len() > MAX_LINE_OCTETS {
                return Err("a line of a reply is too long".into());
            }
            if end.is_some() {
                let text = String::from_utf8_lossy(&line);
                return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
            }
        }
    }
}

/// Code, whether more lines follow, text.
fn split(line: &str) -> Option<(u16, bool, &str)> {
    let digits = line.get(..3)?;
    if !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let code = digits.parse().ok().filter(|code| (100..600).contains(code))?;
    match line.as_bytes().get(3) {
        None => Some((code, false, "")),
        Some(b' ') => Some((code, false, &line[4..])),
        Some(b'-') => Some((code, true, &line[4..])),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_may_not() {
        for (code, text, passes) in [
            (426, "Data connection: Broken pipe.", true),
            (451, "Requested action aborted.", true),
            (450, "etc/config: Permission denied.", false),
            (450, "etc/config: No such file or directory.", false),
            (550, "etc/config: Operation not permitted.", false),
            (504, "Value not accepted.", false),
        ] {
            let reply = Reply { code, lines: vec![text.to_owned()] };
            assert_eq!(reply.may_pass(), passes, "{reply}");
        }
    }

    #[test]
    fn lines_of_replies_are_split() {
        for (line, is) in [
            ("220 ready.", Some((220, false, "ready."))),
            ("217-Job state:", Some((217, true, "Job state:"))),
            ("226", Some((226, false, ""))),
            ("    SENDTIME: NOW", None),
            ("2200 x", None),
            ("999 x", None),
            ("SSH-2.0-OpenSSH", None),
            ("22", None),
            ("22é", None),
        ] {
            assert_eq!(split(line), is, "{line}");
        }
    }

    #[test]
    fn values_cannot_break_out_of_their_quotes() {
        for (value, is) in [
            ("Anna", "\"Anna\""),
            ("a\"b\\c", "\"a'b/c\""),
            ("a\r\nJKILL 1", "\"a  JKILL 1\""),
            ("", "\"\""),
            ("äöü", "\"äö\""),
        ] {
            assert_eq!(quoted(value, if value == "äöü" { 5 } else { 80 }), is);
        }
        assert_eq!(quoted(&"x".repeat(900), 200).len(), 202);
    }
}
