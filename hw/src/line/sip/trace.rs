//! The messages of a call, and what happened to its media, written down for those who
//! look for a fault. Bounded, and without secrets: what proves a password is left out.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use rsipstack::{
    sip::{HeadersExt as _, SipMessage},
    transaction::endpoint::MessageInspector,
    transport::SipAddr,
};

/// The most that is written of one call, in octets.
const MAX_OCTETS: usize = 512 * 1024;
/// The most calls that are followed at once.
const MAX_CALLS: usize = 256;
/// The most files that are kept; the oldest go.
const MAX_FILES: usize = 500;
/// Fields that prove a password, or that one could try passwords on.
const SECRET: [&str; 5] = [
    "authorization",
    "proxy-authorization",
    "www-authenticate",
    "proxy-authenticate",
    "authentication-info",
];

/// The calls that are followed.
#[derive(Debug)]
pub struct Traces {
    folder: PathBuf,
    calls: Mutex<BTreeMap<String, String>>,
}

impl Traces {
    /// Writes into this folder, which it makes.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: &Path) -> io::Result<Arc<Self>> {
        fs::create_dir_all(folder)?;
        Ok(Arc::new(Self { folder: folder.to_owned(), calls: Mutex::default() }))
    }

    /// Adds a line of our own to a call that is followed.
    pub fn note(&self, call_id: &str, what: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = calls.get_mut(call_id) {
            add(text, &format!("* {what}\n"));
        }
    }

    fn message(&self, message: &SipMessage, arrow: &str, other: Option<&SipAddr>) {
        let Ok(id) = message.call_id_header() else { return };
        let begins = matches!(message, SipMessage::Request(request)
            if request.method == rsipstack::sip::Method::Invite);
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if begins && calls.len() < MAX_CALLS && !calls.contains_key(id.value()) {
            calls.insert(id.value().to_owned(), String::new());
        }
        if let Some(text) = calls.get_mut(id.value()) {
            let other = other.map(ToString::to_string).unwrap_or_default();
            let message = without_secrets(&String::from_utf8_lossy(&message.to_bytes()));
            add(text, &format!("{arrow} {other}\n{message}\n"));
        }
    }

    /// A call is over: writes its file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(&self, call_id: &str) -> io::Result<()> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(text) = calls.remove(call_id) else { return Ok(()) };
        drop(calls);
        let seconds = seconds_now();
        // The other side chooses the Call-ID: only harmless characters of it make a name.
        let id: String = call_id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
        fs::write(self.folder.join(format!("{seconds}-{id}.sip")), text)?;
        self.tidy()
    }

    fn tidy(&self) -> io::Result<()> {
        let ours = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "sip");
        let entries = fs::read_dir(&self.folder)?.filter_map(Result::ok);
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(ours).collect();
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.iter().take(surplus).try_for_each(fs::remove_file)
    }
}

fn seconds_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn add(text: &mut String, more: &str) {
    if text.len() + more.len() > MAX_OCTETS {
        if !text.ends_with("...\n") {
            text.push_str("...\n");
        }
        return;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let _ = write!(text, "{}.{:03} {more}", now.as_secs(), now.subsec_millis());
}

fn without_secrets(message: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    for line in message.lines() {
        let name = line.split(':').next().unwrap_or_default().trim().to_ascii_lowercase();
        match SECRET.contains(&name.as_str()) {
            true => kept.push_str(&format!("{name}: (left out)")),
            false => kept.push_str(line),
        }
        kept.push('\n');
    }
    kept
}

/// Reads along with the stack.
pub(super) struct Tap(pub(super) Arc<Traces>);

impl MessageInspector for Tap {
    fn before_send(&self, message: SipMessage, to: Option<&SipAddr>) -> SipMessage {
        self.0.message(&message, "->", to);
        message
    }

    fn after_received(&self, message: SipMessage, from: Option<&SipAddr>) -> SipMessage {
        self.0.message(&message, "<-", from);
        message
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    const INVITE: &str = "INVITE sip:2@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n\
        From: <sip:1@x>;tag=1\r\nTo: <sip:2@x>\r\nCall-ID: ../a b\r\nCSeq: 1 INVITE\r\n\
        Authorization: Digest response=\"5ec\"\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn a_call_is_written_down_without_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let traces = Traces::new(folder.path()).unwrap();
        let tap = Tap(Arc::clone(&traces));
        let message = SipMessage::try_from(INVITE.as_bytes()).unwrap();
        tap.after_received(message.clone(), None);
        tap.before_send(message, None);
        traces.note("../a b", "T.38 begins");
        traces.note("another", "nothing");
        traces.finish("../a b").unwrap();
        traces.finish("another").unwrap();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1);
        let text = fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
        assert_eq!(text.matches("INVITE sip:2@").count(), 2, "{text}");
        assert!(text.contains("* T.38 begins") && text.contains("authorization: (left out)"));
        assert!(!text.contains("5ec"), "{text}");
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut text = String::new();
        for _ in 0..20_000 {
            add(&mut text, &"x".repeat(100));
        }
        assert!(text.len() <= MAX_OCTETS + 8 && text.ends_with("...\n"));
    }
}
