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
        let came_to_it = went.outcome.class() != Class::Wait && (place == current || of_all);
        match (came_to_it, was_cancelled) {
            // The one before it was to be stopped, and was confirmed at that moment.
            (true, false) if went.outcome == Outcome::Cancelled => {
                interrupted(shares[place], went.asked)
            }
            (true, _) => Fate::Ended(unfinished(went.outcome, pages.len())),
            (false, true) => Fate::Ended(Outcome::Cancelled),
            (false, false) => Fate::Back,
        }
    };
    (0..pages.len()).map(fate).collect()
}

/// What becomes of a submission in whose turn the call was stopped for another's sake.
fn interrupted(confirmed: u32, asked: bool) -> Fate {
    match (asked, confirmed) {
        (true, _) => Fate::Ended(Outcome::PageUnconfirmed),
        (false, 0) => Fate::Back,
        (false, _) => Fate::Ended(Outcome::Disconnected),
    }
}

/// The outcome of a submission that is not confirmed to its last page, whatever the line
/// thinks of a call that so many share.
fn unfinished(outcome: Outcome, together: usize) -> Outcome {
    match outcome {
        outcome if outcome.is_success() => Outcome::PageUnconfirmed,
        // Whose document it was is not known.
        Outcome::BadDocument if together > 1 => Outcome::ServerFault,
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use Fate::{Back, Ended};
    use Outcome::{
        BadDocument, Busy, Cancelled, Delivered, Disconnected, LinesBusy, PageUnconfirmed,
        ServerFault,
    };

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

    /// What becomes of three of two pages each, of which some were to be stopped.
    fn settled(stopped: &[usize], outcome: Outcome, confirmed: u32, asked: bool) -> [Fate; 3] {
        let cancelled = [0, 1, 2].map(|place| stopped.contains(&place));
        let fates = settle(&[2, 2, 2], &cancelled, Went { outcome, confirmed, asked });
        fates.try_into().expect("there are three")
    }

    #[test]
    fn each_of_a_call_has_its_own_end() {
        let lost = Ended(Disconnected);
        for (what, outcome, confirmed, fates) in [
            ("all of it", Delivered, 6, [Ended(Delivered); 3]),
            ("busy", Busy, 0, [Ended(Busy); 3]),
            ("no free line", LinesBusy, 0, [Back; 3]),
            ("broken in the second", Disconnected, 3, [Ended(Delivered), lost, Back]),
            ("broken behind the first", Disconnected, 2, [Ended(Delivered), lost, Back]),
            ("all is there, whatever came then", ServerFault, 6, [Ended(Delivered); 3]),
        ] {
            assert_eq!(settled(&[], outcome, confirmed, false), fates, "{what}");
        }
        let may_be_there = settled(&[], PageUnconfirmed, 0, true);
        assert_eq!(may_be_there, [Ended(PageUnconfirmed), Back, Back]);
        let promised = settled(&[], Delivered, 5, false);
        assert_eq!(promised, [Ended(Delivered), Ended(Delivered), Ended(PageUnconfirmed)]);
    }

    #[test]
    fn who_is_stopped_stops_no_other() {
        let stopped = Ended(Cancelled);
        for (what, who, outcome, confirmed, fates) in [
            ("the second, on the line", &[1][..], Cancelled, 3, [Ended(Delivered), stopped, Back]),
            ("the first, before it is answered", &[0, 2], Cancelled, 0, [stopped, Back, stopped]),
            (
                "the first, which was confirmed then",
                &[0],
                Cancelled,
                2,
                [Ended(Delivered), Back, Back],
            ),
            ("while no line is free", &[1], LinesBusy, 0, [Back, stopped, Back]),
            ("too late", &[0], Delivered, 6, [Ended(Delivered); 3]),
        ] {
            assert_eq!(settled(who, outcome, confirmed, false), fates, "{what}");
        }
        let asked = settled(&[0], Cancelled, 2, true);
        assert_eq!(asked, [Ended(Delivered), Ended(PageUnconfirmed), Back]);
        let later = settled(&[0], Cancelled, 3, false);
        assert_eq!(later, [Ended(Delivered), Ended(Disconnected), Back]);
    }

    #[test]
    fn a_document_that_the_line_cannot_read_accuses_nobody_of_several() {
        assert_eq!(settled(&[], BadDocument, 0, false), [Ended(ServerFault); 3]);
        let alone = Went { outcome: BadDocument, confirmed: 0, asked: false };
        assert_eq!(settle(&[2], &[false], alone), [Ended(BadDocument)]);
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
