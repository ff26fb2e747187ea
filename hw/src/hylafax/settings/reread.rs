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
//! It takes a line a second or two, and faxgetty queues what it is ordered: were each of
//! many changes followed by an order, the line would answer nothing until long after the
//! last of them. So a line is ordered once in a while ([`Orders`]), the last time after
//! the last change.
//!
//! Nothing depends on it: what is set stands in the file, which is read after the next
//! call at the latest. So where a line might have such a program, nothing is ordered.
//!
//! HylaFAX knows by whole seconds whether a file has changed (`FaxConfig::updateConfig`):
//! what is written in the second in which it has read the file, it never reads. So no
//! change is made in the second of the one before ([`Edited`]).

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};
use tracing::info;

use super::{
    super::{Hylafax, Options, session::Session, wire::Fault},
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

/// From one order to a line to the next, in milliseconds: until then it is ready again.
const READY_MS: u64 = 3_000;
/// From one order to a line to the next but one, in milliseconds: in between a call that
/// rings is answered, unless it is to ring for longer.
const ORDERS_APART_MS: u64 = 20_000;

/// When each line was last ordered to read its file, or will be.
#[derive(Debug, Default)]
pub(in crate::hylafax) struct Orders(Mutex<HashMap<String, Given>>);

/// The order to a line that was last, or is to come, and the one before it.
#[derive(Debug, Clone, Copy)]
struct Given {
    last: Instant,
    before: Option<Instant>,
}

impl Given {
    /// When the next one may be given.
    fn next(self) -> Instant {
        let ready = self.last + Duration::from_millis(READY_MS);
        self.before
            .map_or(ready, |before| ready.max(before + Duration::from_millis(ORDERS_APART_MS)))
    }
}

impl Orders {
    /// When these lines are to be ordered to read what stands in their files now. A line is
    /// absent when it has an order before it that is not given yet: that one will do.
    fn plan<'a>(&self, lines: &[&'a str], now: Instant) -> BTreeMap<Instant, Vec<&'a str>> {
        let mut orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut plan: BTreeMap<Instant, Vec<&str>> = BTreeMap::new();
        for line in lines {
            let given = orders.get(*line).copied();
            if given.is_some_and(|given| given.last > now) {
                continue;
            }
            let at = given.map_or(now, |given| now.max(given.next()));
            let before = given.map(|given| given.last);
            orders.insert((*line).to_owned(), Given { last: at, before });
            plan.entry(at).or_default().push(line);
        }
        plan
    }
}

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
        let now = Instant::now();
        for (at, lines) in self.orders.plan(&lines, now) {
            let lines = lines.into_iter().map(str::to_owned).collect();
            let order = order_to_read(Arc::clone(&self.options), lines, at);
            if at > now {
                tokio::spawn(order);
            } else {
                order.await;
            }
        }
    }
}

/// Orders lines to read their files, when it is time.
async fn order_to_read(options: Arc<Options>, lines: Vec<String>, at: Instant) {
    sleep_until(at).await;
    let order = async {
        let mut session = Session::for_files(&options).await?;
        for line in &lines {
            // A line without a faxgetty is refused, and needs none.
            session.control.ask(&format!("ANSWER \"{line}\" \"extern\"")).await?;
        }
        Ok::<(), Fault>(())
    };
    if let Err(fault) = order.await {
        let server = options.server();
        info!(%server, ?lines, %fault, "the lines read their settings after the next call");
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
    fn many_changes_of_a_line_leave_it_time_to_answer() {
        let (orders, begun) = (Orders::default(), Instant::now());
        let after = |seconds: u64| begun + Duration::from_secs(seconds);
        for (second, lines, planned) in [
            (0, &["a", "b"][..], &[(0, &["a", "b"][..])][..]),
            (1, &["a"], &[(3, &["a"])]),
            // The order that is to come reads this change as well.
            (2, &["a"], &[]),
            // That order may have been given by now.
            (3, &["a"], &[(20, &["a"])]),
            (19, &["a", "c"], &[(19, &["c"])]),
            (20, &["a"], &[(23, &["a"])]),
            (70, &["a", "b"], &[(70, &["a", "b"])]),
        ] {
            let plan = orders.plan(lines, after(second));
            let wanted = planned.iter().map(|(at, lines)| (after(*at), lines.to_vec())).collect();
            assert_eq!(plan, wanted, "{second} s");
        }
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
