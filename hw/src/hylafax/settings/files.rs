//! The files of a server, over its protocol: which there are, what they hold, and how
//! one is replaced.
//!
//! Why everything is sent before the command: hfaxd empties a file when it has read
//! `STOR`, before it looks at the data. So the data connection is opened, all octets are
//! sent and our side is closed, and only then is the command sent: a server that has it
//! needs nothing more from us.
//!
//! Why `APPE` of nothing goes before: hfaxd opens the file for it as it does for `STOR`,
//! and changes nothing.

use super::super::{
    session::Session,
    wire::{Fault, Reply},
};

/// The largest file that is understood and written, in octets.
pub(super) const MAX_FILE_OCTETS: usize = 64 * 1024;
/// What is read of a file at most, in octets: one that is too large is to be told from a
/// connection that breaks.
const MAX_READ_OCTETS: u64 = 1 << 20;
/// The largest listing, in octets.
const MAX_LIST_OCTETS: u64 = 1 << 20;
/// Most characters of a line's name, as the names of settings have it.
const MAX_NAME: usize = postfax_domain::settings::MAX_LINE_NAME_BYTES;

/// The file of the scheduler.
pub(super) const SCHEDULER: &str = "/etc/config";
/// What the file of a line begins with.
const OF_LINE: &str = "config.";
/// What people call a file that they put aside.
const PUT_ASIDE: [&str; 14] = [
    "sav", "save", "saved", "bak", "backup", "old", "orig", "new", "tmp", "dist", "copy",
    "default", "sample", "example",
];

/// The file of a line.
pub(super) fn of_line(line: &str) -> String {
    format!("/etc/{OF_LINE}{line}")
}

/// The line that a path is about, if it is one.
pub(super) fn line_of_path(path: &str) -> Option<&str> {
    line_of(path.strip_prefix("/etc/")?)
}

/// The line that a file in `/etc` is about, if it is one.
fn line_of(file: &str) -> Option<&str> {
    let line = file.strip_prefix(OF_LINE)?;
    let plain = line.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    let by_people = PUT_ASIDE.iter().any(|word| word.eq_ignore_ascii_case(line));
    let by_packages = ["dpkg-", "ucf-"].iter().any(|begin| line.starts_with(begin));
    // A date: devices have letters.
    let is_date = line.bytes().all(|octet| !octet.is_ascii_alphabetic());
    let aside = by_people || by_packages || is_date;
    (plain && !aside && (1..=MAX_NAME).contains(&line.len())).then_some(line)
}

impl Session {
    /// The lines that have a file, in order.
    pub(super) async fn lines_with_files(&mut self) -> Result<Vec<String>, Fault> {
        self.control.demand("FILEFMT \"%f\"").await?;
        let text = self.receive_text("LIST /etc", MAX_LIST_OCTETS).await?;
        let lines = text.lines().filter_map(|file| line_of(file.trim()));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    }

    /// What a file holds. hfaxd remembers the sizes of files as long as a session lasts,
    /// so a file that has been written since is read in another session.
    pub(super) async fn read_file(&mut self, path: &str) -> Result<Vec<u8>, Fault> {
        self.receive_whole(&format!("RETR {path}"), MAX_READ_OCTETS).await
    }

    /// Whether a file may be written; nothing is.
    pub(super) async fn probe_file(&mut self, path: &str) -> Result<(), Fault> {
        self.store(&format!("APPE {path}"), &[]).await
    }

    /// Replaces what a file holds.
    pub(super) async fn write_file(&mut self, path: &str, octets: &[u8]) -> Result<(), Fault> {
        self.store(&format!("STOR {path}"), octets).await
    }
}

/// What a refusal to write means, for whoever can do something about it.
pub(super) fn refusal(path: &str, reply: &Reply) -> String {
    if reply.says_forbidden() {
        let file = path.trim_start_matches("/etc/");
        format!(
            "the server may not write {path} ({reply}): on its host, give the file to \
             HylaFAX's user with `chown uucp /etc/hylafax/{file}`"
        )
    } else {
        format!("the server does not write {path}: {reply}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_lines_are_lines() {
        for (file, line) in [
            ("config.ttyFAX0", Some("ttyFAX0")),
            ("config.term_10", Some("term_10")),
            ("config", None),
            ("config.", None),
            ("config.sav", None),
            ("config.BAK", None),
            ("config.dpkg-dist", None),
            ("config.2026-11-23", None),
            ("config.ttyFAX0.sav", None),
            ("config.ttyFAX0~", None),
            ("hosts.hfaxd", None),
            ("xconfig.ttyFAX0", None),
            ("config.a/../x", None),
        ] {
            assert_eq!(line_of(file), line, "{file}");
        }
        assert_eq!(line_of(&format!("config.{}", "x".repeat(33))), None);
        assert_eq!(of_line("ttyFAX0"), "/etc/config.ttyFAX0");
        assert_eq!(line_of_path(&of_line("ttyFAX0")), Some("ttyFAX0"));
        assert_eq!(line_of_path(SCHEDULER), None);
    }

    #[test]
    fn who_may_not_write_learns_whom_to_ask() {
        let reply = |text: &str| Reply { code: 553, lines: vec![text.into()] };
        let words = refusal("/etc/config", &reply("/etc/config: Permission denied."));
        assert!(words.contains("chown uucp /etc/hylafax/config`"), "{words}");
        let words = refusal("/etc/config", &reply("No space left on device"));
        assert!(!words.contains("chown"), "{words}");
    }
}
