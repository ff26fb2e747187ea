//! Work that several threads do and whose results come out in order. How far
//! they may run ahead is bounded, because each result is a whole page.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Renderers recurse as deep as documents nest.
const STACK_BYTES: usize = 8 << 20;
/// Results that may wait for an earlier one, for each thread.
const AHEAD: usize = 4;

struct Progress<T> {
    begun: usize,
    taken: usize,
    done: BTreeMap<usize, T>,
    /// Nobody wants more: one of us panicked, or who takes the results gave up.
    over: bool,
}

struct Shared<T> {
    progress: Mutex<Progress<T>>,
    changed: Condvar,
}

impl<T> Shared<T> {
    /// A panic elsewhere ends the work anyhow, so that what it left is never used.
    fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, progress: MutexGuard<'a, Progress<T>>) -> MutexGuard<'a, Progress<T>> {
        self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }
}

/// Says that the work is over when its thread panics, or nobody would wake the others.
struct Alarm<'a, T>(&'a Shared<T>);

impl<T> Drop for Alarm<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// Does `work` for 0 up to but not including `count` on so many threads, each with a
/// desk of its own, and gives the results to `take` in order, on this thread. Where no
/// thread can be had, this one does the work.
pub(super) fn in_order<D, T: Send, E>(
    threads: usize,
    count: usize,
    desk: impl Fn() -> D + Sync,
    work: impl Fn(&mut D, usize) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.min(count);
    let progress = Progress { begun: 0, taken: 0, done: BTreeMap::new(), over: false };
    let shared = Shared { progress: Mutex::new(progress), changed: Condvar::new() };
    let toil = || {
        let _alarm = Alarm(&shared);
        let mut desk = desk();
        while let Some(i) = next(&shared, count, threads * AHEAD) {
            let result = work(&mut desk, i);
            shared.lock().done.insert(i, result);
            shared.changed.notify_all();
        }
    };
    thread::scope(|scope| {
        let started = (1..=threads)
            .filter(|_| threads > 1)
            .take_while(|_| {
                let builder = thread::Builder::new().stack_size(STACK_BYTES);
                builder.spawn_scoped(scope, toil).is_ok()
            })
            .count();
        if started == 0 {
            let mut desk = desk();
            return (0..count).try_for_each(|i| take(work(&mut desk, i)));
        }
        while let Some(result) = earliest(&shared, count) {
            if let Err(error) = take(result) {
                shared.stop();
                return Err(error);
            }
        }
        Ok(())
    })
}

/// What a thread does next.
fn next<T>(shared: &Shared<T>, count: usize, ahead: usize) -> Option<usize> {
    let mut progress = shared.lock();
    while !progress.over && progress.begun < count && progress.begun >= progress.taken + ahead {
        progress = shared.wait(progress);
    }
    if progress.over || progress.begun == count {
        return None;
    }
    progress.begun += 1;
    Some(progress.begun - 1)
}

/// The next result in order; `None` when all are taken or the work is over.
fn earliest<T>(shared: &Shared<T>, count: usize) -> Option<T> {
    let mut progress = shared.lock();
    while progress.taken < count && !progress.over {
        let wanted = progress.taken;
        if let Some(result) = progress.done.remove(&wanted) {
            progress.taken += 1;
            shared.changed.notify_all();
            return Some(result);
        }
        progress = shared.wait(progress);
    }
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn slow_first(_: &mut (), i: usize) -> usize {
        thread::sleep(Duration::from_millis(if i.is_multiple_of(7) { 3 } else { 0 }));
        i
    }

    #[test]
    fn results_come_in_order_whatever_takes_long() {
        for threads in [0, 1, 2, 5] {
            let mut all = Vec::new();
            let done = in_order(
                threads,
                40,
                || (),
                slow_first,
                |i| {
                    all.push(i);
                    Ok::<(), ()>(())
                },
            );
            assert_eq!((done, all), (Ok(()), (0..40).collect()), "{threads}");
        }
    }

    #[test]
    fn who_gives_up_ends_the_work() {
        let took = in_order(
            2,
            1_000_000,
            || (),
            slow_first,
            |i| {
                if i == 5 { Err(i) } else { Ok(()) }
            },
        );
        assert_eq!(took, Err(5));
    }

    #[test]
    #[should_panic = "a scoped thread panicked"]
    fn a_panic_is_passed_on_and_nobody_waits_for_ever() {
        let work = |_: &mut (), i: usize| assert!(i != 3, "hostile page");
        let _ = in_order(2, 100, || (), work, |()| Ok::<(), ()>(()));
    }
}
