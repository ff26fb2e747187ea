//! How the server and its lines are.

use super::{queue::SEPARATOR, session::Session, wire::Fault};
use crate::driver::{Condition, LineCondition};

/// Columns of `LIST status`. `%r` is not among them: it kills a 6.0.7 server's
/// session.
pub(super) const FORMAT: &str = r#"MDMFMT "%m\037%n\037%s""#;
/// The largest listing, in bytes.
const MAX_LIST_BYTES: u64 = 1 << 20;
/// What a line says while it can place no call. Whatever it says while it is busy
/// is not here: a busy line can be used in a while.
const UNUSABLE: &[&str] =
    &["Initializing", "Waiting for modem to come ready", "Modem appears to be wedged", "No status"];
/// Those of them that do not pass by themselves when they last.
const BROKEN: &[&str] = &["Waiting for modem to come ready", "Modem appears to be wedged"];

impl Session {
    /// Asks for the condition of the server.
    pub(super) async fn condition(&mut self) -> Result<Condition, Fault> {
        let text = self.receive_text("LIST /status", MAX_LIST_BYTES).await?;
        Ok(Condition { banner: self.banner.clone(), lines: parse(&text) })
    }
}

fn parse(text: &str) -> Vec<LineCondition> {
    let scheduled = !text.lines().next().unwrap_or("").ends_with("Not running");
    let mut lines: Vec<LineCondition> = text
        .split("\r\n")
        .filter_map(|row| {
            let columns: Vec<&str> = row.split(SEPARATOR).map(str::trim).collect();
            let [name, number, status] = columns[..] else { return None };
            let down = UNUSABLE.iter().any(|words| status.starts_with(words));
            let status = match scheduled {
                true => status.to_owned(),
                false => format!("{status}; the server's scheduler is not running"),
            };
            Some(LineCondition {
                name: name.to_owned(),
                number: (!number.is_empty()).then(|| number.to_owned()),
                status,
                usable: scheduled && !down,
                broken: !scheduled || BROKEN.iter().any(|words| columns[2].starts_with(words)),
            })
        })
        .collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_usable_while_they_work_and_are_scheduled() {
        let rows = "ttyFAX1\u{1f}\u{1f}Waiting for modem to come ready\r\n\
            ttyFAX0\u{1f}+1 555 100\u{1f}Running and idle\r\n";
        let lines = parse(&format!("HylaFAX scheduler on vm: Running\r\n{rows}"));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].name, "ttyFAX0");
        assert_eq!(lines[0].number.as_deref(), Some("+1 555 100"));
        assert!(lines[0].usable && !lines[0].broken);
        assert_eq!(lines[1].number, None);
        assert!(!lines[1].usable && lines[1].broken);
        let lines = parse(&format!("HylaFAX scheduler on vm: Not running\r\n{rows}"));
        assert!(lines.iter().all(|line| !line.usable && line.broken));
        assert!(parse("junk\r\n\r\n").is_empty());
    }
}
