//! Several submissions to one number in one call: which go together, whose page of the
//! call is whose, and what became of each.
//!
//! They are one document to T.30, so that all but the last page are confirmed behind an
//! MPS: a confirmation like any other (T.30 5.3.6.1.7).

use postfax_domain::{
    document::{Paper, Resolution},
    number::Number,
    outcome::{Class, Outcome},
};

use super::pace::{BatchLimits, ByKin, Wanting};

/// What submissions must have in common to share a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kin {
    /// Whom to call.
    pub number: Number,
    /// T.33 sub-address.
    pub subaddress: Option<String>,
    /// The identity that they are sent with.
    pub station_id: Option<String>,
    /// Lines and dots an inch, and the width: what T.30 agrees on once for a call.
    pub shape: (u32, u32, Paper),
}

impl Kin {
    pub fn new(
        number: Number,
        subaddress: Option<String>,
        station_id: Option<String>,
        (resolution, paper): (Resolution, Paper),
    ) -> Self {
        let shape = (resolution.lines_per_inch(), resolution.dots_per_inch(), paper);
        Self { number, subaddress, station_id, shape }
    }
}

/// Those that are due, in their order, by what they have in common.
pub(super) fn by_kin<'a>(due: &[&'a Wanting]) -> ByKin<'a> {
    let mut all = ByKin::new();
    for one in due {
        all.entry(&one.kin).or_default().push(one);
    }
    all
}

/// What goes out in one call with the first one: it, and after it those that may.
pub(super) fn gather<'a>(
    first: &'a Wanting,
    all: &ByKin<'a>,
    limits: BatchLimits,
) -> Vec<&'a Wanting> {
    let mut together = vec![first];
    let mut pages = first.pages;
    for one in all.get(&first.kin).into_iter().flatten() {
        if together.len() >= limits.jobs {
            break;
        }
        let more = pages.saturating_add(one.pages);
        if one.tag != first.tag && more <= limits.pages {
            together.push(one);
            pages = more;
        }
    }
    together
}

/// Whose pages are confirmed when so many of the call are: for each its share, and which
/// one is on the line.
pub(super) fn share(pages: &[u32], confirmed: u32) -> (Vec<u32>, usize) {
    let mut left = confirmed;
    let shares: Vec<u32> = pages
        .iter()
        .map(|own| {
            let share = left.min(*own);
            left -= share;
            share
        })
        .collect();
    let current = shares.iter().zip(pages).position(|(share, own)| share < own);
    (shares, current.unwrap_or(pages.len()))
}

/// What became of one submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is over.
    Ended(Outcome),
    /// Its turn did not come: it waits as before, and this does not count as its call.
    Back,
}

/// How a call went, as far as it decides about its submissions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Went {
    /// How the call ended.
    pub outcome: Outcome,
    /// Pages that were confirmed in all.
    pub confirmed: u32,
    /// The confirmation of a page was awaited when it ended.
    pub asked: bool,
}

/// What became of each of them. `cancelled` says who was to be stopped.
pub(super) fn settle(pages: &[u32], cancelled: &[bool], went: Went) -> Vec<Fate> {
    let (shares, current) = share(pages, went.confirmed);
    // Nothing was said to anyone: what is true of the call is true of all of them.
    let of_all = went.confirmed == 0
        && !went.asked
        && !matches!(went.outcome.class(), Class::Cancelled | Class::Wait);
    let fate = |place: usize| {
        if shares[place] >= pages[place] {
            return Fate::Ended(Outcome::Delivered);
        }
        let was_cancelled = cancelled.get(place).copied().unwrap_or(false);
        if went.outcome.class() == Class::Wait {
            return if was_cancelled { Fate::Ended(Outcome::Cancelled) } else { Fate::Back };
        }
        if place == current || of_all {
            return Fate::Ended(unfinished(went.outcome));
        }
        if was_cancelled { Fate::Ended(Outcome::Cancelled) } else { Fate::Back }
    };
    (0..pages.len()).map(fate).collect()
}

/// The outcome of a submission that is not confirmed to its last page, whatever the line
/// thinks of the call.
fn unfinished(outcome: Outcome) -> Outcome {
    if outcome.is_success() { Outcome::PageUnconfirmed } else { outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_call_belong_to_one_each() {
        for (pages, confirmed, shares, current) in [
            (&[2, 3][..], 0, &[0, 0][..], 0),
            (&[2, 3], 1, &[1, 0], 0),
            (&[2, 3], 2, &[2, 0], 1),
            (&[2, 3], 4, &[2, 2], 1),
            (&[2, 3], 5, &[2, 3], 2),
            (&[2, 3], 9, &[2, 3], 2),
        ] {
            assert_eq!(share(pages, confirmed), (shares.to_vec(), current), "{confirmed}");
        }
    }

    #[test]
    fn each_of_a_call_has_its_own_end() {
        use Fate::{Back, Ended};
        use Outcome::{
            Busy, Cancelled, Delivered, Disconnected, LinesBusy, PageUnconfirmed, ServerFault,
        };
        let none = [false; 3];
        for (what, cancelled, outcome, confirmed, asked, fates) in [
            ("all of it", none, Delivered, 6, false, [Ended(Delivered); 3]),
            ("busy", none, Busy, 0, false, [Ended(Busy); 3]),
            ("no free line", none, LinesBusy, 0, false, [Back; 3]),
            (
                "no free line, and not wanted",
                [false, true, false],
                LinesBusy,
                0,
                false,
                [Back, Ended(Cancelled), Back],
            ),
            (
                "broken in the second",
                none,
                Disconnected,
                3,
                false,
                [Ended(Delivered), Ended(Disconnected), Back],
            ),
            (
                "broken behind the first",
                none,
                Disconnected,
                2,
                false,
                [Ended(Delivered), Ended(Disconnected), Back],
            ),
            (
                "the first page may be there",
                none,
                PageUnconfirmed,
                0,
                true,
                [Ended(PageUnconfirmed), Back, Back],
            ),
            (
                "a line that promises too much",
                none,
                Delivered,
                5,
                false,
                [Ended(Delivered), Ended(Delivered), Ended(PageUnconfirmed)],
            ),
            (
                "all is there, whatever came then",
                none,
                ServerFault,
                6,
                false,
                [Ended(Delivered); 3],
            ),
            (
                "the second was stopped",
                [false, true, false],
                Cancelled,
                3,
                false,
                [Ended(Delivered), Ended(Cancelled), Back],
            ),
            (
                "the first was stopped before it was answered",
                [true, false, true],
                Cancelled,
                0,
                false,
                [Ended(Cancelled), Back, Ended(Cancelled)],
            ),
        ] {
            let went = Went { outcome, confirmed, asked };
            assert_eq!(settle(&[2, 2, 2], &cancelled, went), fates, "{what}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_delivered_that_was_not_confirmed(
            pages in proptest::collection::vec(1_u32..5, 1..6),
            confirmed in 0_u32..30,
            row in 0..postfax_domain::outcome::TABLE.len(),
            asked: bool,
        ) {
            let outcome = postfax_domain::outcome::TABLE[row].outcome;
            let fates = settle(&pages, &vec![false; pages.len()], Went { outcome, confirmed, asked });
            let mut before = 0;
            for (own, fate) in pages.iter().zip(fates) {
                before += own;
                let whole = confirmed >= before;
                proptest::prop_assert_eq!(whole, fate == Fate::Ended(Outcome::Delivered));
                if let Fate::Ended(outcome) = fate {
                    proptest::prop_assert_eq!(whole, outcome.is_success());
                }
            }
        }
    }
}
