//! Changes of the configuration that the audit log has not heard of: they are in force
//! before their line is saved, and Postfax was killed in between. The next start says
//! what it finds. Changes nothing else.

use std::path::PathBuf;

use postfax_domain::{
    audit::{Asker, Door, Entry, Line, Verdict},
    authority::Who,
    names::ClientName,
    time::Timestamp,
};
use tracing::warn;

use super::{
    Control,
    configure::{BY_HAND, FIRST, difference},
};
use crate::{
    config::Text,
    requests::{Problem, changed_to},
    store::Version,
};

/// The newest lines that are looked at: a change that was cut short is not older.
const LINES: u32 = 500;

impl Control {
    /// Has lines saved for the changes that have none.
    pub(super) async fn tell_unheard(&self) {
        match self.unheard().await {
            // The daemon does not run yet: it saves them as its first deed.
            Ok(lines) => {
                let context = self.context.clone();
                tokio::spawn(async move {
                    for line in lines {
                        context.note(line).await;
                    }
                });
            }
            Err(problem) => warn!("the audit log was not looked at: {problem}"),
        }
    }

    async fn unheard(&self) -> Result<Vec<Line>, Problem> {
        let reader = &self.context.reader;
        let versions = reader.versions().await.map_err(super::configure::failed)?;
        let heard = reader.audit(Timestamp(i64::MIN), None, LINES).await;
        let heard = heard.map_err(super::configure::failed)?;
        let texts = |version: &Version| -> Vec<Text> {
            let mut texts: Vec<Text> = serde_json::from_str(&version.body).unwrap_or_default();
            for text in &mut texts {
                text.file = self.home().join(PathBuf::from(&text.file));
            }
            texts
        };
        let mut lines: Vec<Line> = versions
            .windows(2)
            .filter(|pair| is_unheard(&pair[0], &heard))
            .map(|pair| line(&pair[0], &difference(&texts(&pair[1]), &texts(&pair[0]))))
            .collect();
        lines.reverse();
        Ok(lines)
    }
}

/// Whether somebody asked for it and none of the newest lines says so.
fn is_unheard(version: &Version, heard: &[Entry]) -> bool {
    let is_all = heard.len() < LINES as usize;
    let since = heard.last().map_or(i64::MIN, |entry| entry.line.at.0);
    let recent = is_all || version.at.0 > since;
    let asked = ![BY_HAND, FIRST].contains(&version.reason.as_str());
    let begin = changed_to(version.number, "");
    let says_so = |entry: &Entry| entry.line.after.as_ref().is_some_and(|a| a.starts_with(&begin));
    recent && asked && version.settled && !heard.iter().any(says_so)
}

fn line(version: &Version, diff: &str) -> Line {
    let who = match ClientName::new(&version.author) {
        Ok(client) => Who::Client(client),
        Err(_) => Who::Administrator,
    };
    Line {
        at: Timestamp::default(),
        asker: Asker { who, door: Door::Supervisor, from: "found at the start".into() },
        request: "config.found".into(),
        object: String::new(),
        verdict: Verdict::Allowed,
        before: None,
        after: Some(changed_to(version.number, diff)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64, author: &str, reason: &str) -> Version {
        let (author, reason) = (author.to_owned(), reason.to_owned());
        let at = Timestamp(i64::try_from(number).unwrap());
        Version { number, at, author, reason, body: "[]".into(), settled: true }
    }

    fn heard(version: u64, at: i64) -> Entry {
        let new = super::tests::version(version, "anna", "");
        let line = Line { at: Timestamp(at), ..line(&new, "+a") };
        Entry { seq: version, line, hash: String::new() }
    }

    #[test]
    fn what_somebody_asked_for_and_no_line_says_is_found() {
        for (version, unheard) in [
            (version(3, "anna", ""), false),
            (version(2, "anna", ""), true),
            (version(30, "the administrator", "paper"), true),
            (version(2, "the administrator", BY_HAND), false),
            (version(1, "the administrator", FIRST), false),
            (Version { settled: false, ..version(2, "anna", "") }, false),
        ] {
            assert_eq!(is_unheard(&version, &[heard(3, 3)]), unheard, "{version:?}");
        }
        let many: Vec<Entry> = (0..u64::from(LINES)).map(|_| heard(9, 5)).collect();
        assert!(is_unheard(&version(7, "anna", ""), &many));
        assert!(!is_unheard(&version(4, "anna", ""), &many), "its line may be an older one");
        assert_eq!(line(&version(2, "anna", ""), "").asker.who.to_string(), "anna");
        let root = line(&version(2, "the administrator", ""), "");
        assert_eq!(root.asker.who, Who::Administrator);
    }
}
