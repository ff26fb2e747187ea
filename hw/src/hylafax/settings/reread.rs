//! Has the programs that answer the lines read their files at once.
//!
//! Why by an order to answer: faxgetty reads its file when it sets its modem up, which it
//! does after each call, so that one that waits would answer the next call as it was set
//! before. The protocol has no order to read a file. But a faxgetty that is told to answer
//! by way of an external program, and has none (`EGettyArgs`), answers nothing, and sets
//! its modem up anew all the same. One that is in a call does not heed it; a telephone that
//! is just ringing is counted from its first ring once more. The accounting log gets a line
//! of it.
//!
//! Nothing depends on it: what is set stands in the file, which is read after the next
//! call at the latest. So where a line might have such a program, nothing is ordered.
//!
//! HylaFAX knows by whole seconds whether a file has changed (`FaxConfig::updateConfig`):
//! what is written in the second in which it has read the file, it never reads. So no
//! change is made in the second of the one before ([`Edited`]).

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::{
    super::{Hylafax, session::Session, wire::Fault},
    files::line_of_path,
    journal::Replaced,
    text::Text,
};

/// What names the external program of a line.
const PROGRAM: &str = "EGettyArgs";
/// What takes in another file, of which we know nothing.
const INCLUDE: &str = "Include";

/// From one change to the next, in milliseconds: the second has changed in any case.
const APART_MS: u64 = 1_100;

/// When files of settings were last changed.
#[derive(Debug, Default)]
pub(in crate::hylafax) struct Edited(Mutex<Option<Instant>>);

impl Edited {
    /// They were just changed.
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until another second has begun than that of the last change.
    pub(super) async fn in_another_second(&self) {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last {
            sleep_until(last + Duration::from_millis(APART_MS)).await;
        }
    }
}

impl Hylafax {
    /// Has the lines read their files that were replaced.
    pub(super) async fn have_read(&self, files: &[Replaced]) {
        let lines = files.iter().filter(|file| is_alone(&file.new));
        let lines: Vec<&str> = lines.filter_map(|file| line_of_path(&file.path)).collect();
        if lines.is_empty() {
            return;
        }
        if let Err(fault) = self.order_to_read(&lines).await {
            let error = self.error(fault);
            info!(?lines, %error, "the lines read their settings after the next call");
        }
    }

    async fn order_to_read(&self, lines: &[&str]) -> Result<(), Fault> {
        let mut session = Session::for_files(&self.options).await?;
        for line in lines {
            // A line without a faxgetty is refused, and needs none.
            session.control.ask(&format!("ANSWER \"{line}\" \"extern\"")).await?;
        }
        Ok(())
    }
}

/// Whether nothing but faxgetty itself answers a line with this file.
fn is_alone(file: &[u8]) -> bool {
    let text = Text::parse(file);
    text.get(PROGRAM).is_none_or(|program| program.trim().is_empty()) && text.get(INCLUDE).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_change_is_made_in_the_second_of_the_one_before() {
        let (begun, edited) = (Instant::now(), Edited::default());
        edited.in_another_second().await;
        assert_eq!(begun.elapsed(), Duration::ZERO, "the first is made at once");
        edited.now();
        tokio::time::advance(Duration::from_millis(300)).await;
        edited.in_another_second().await;
        assert!(begun.elapsed() > Duration::from_secs(1));
    }

    #[test]
    fn a_line_with_a_program_of_its_own_is_left_alone() {
        for (text, alone) in [
            ("RingsBeforeAnswer: 1\n", true),
            ("", true),
            ("EGettyArgs: \"\"\n", true),
            ("# EGettyArgs: x\n", true),
            ("EGettyArgs: \"-h %l dx_%s\"\n", false),
            ("egettyargs: x\n", false),
            ("Include: etc/common\n", false),
        ] {
            assert_eq!(is_alone(text.as_bytes()), alone, "{text}");
        }
    }
}
