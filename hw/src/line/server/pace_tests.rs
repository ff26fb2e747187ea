//! Tables and random states for the decision of who is called.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use postfax_domain::document::{Paper, Resolution};
use proptest::{collection::vec, prelude::*};

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);
/// Monday, noon.
const AT: Moment = Moment { now: NOW, wall: WallClock { weekday: 0, minute: 720 } };
const MANY: BatchLimits = BatchLimits { jobs: 10, pages: 20, wait: Duration::ZERO };
const ALONE: BatchLimits = BatchLimits { jobs: 1, ..MANY };

fn number(last: u32) -> Number {
    Number::try_from(format!("+4420794601{last:02}")).unwrap()
}

fn wanting(tag: &str, last: u32) -> Wanting {
    let shape = (Resolution::Fine, Paper::A4);
    Wanting {
        tag: tag.into(),
        kin: Kin::new(number(last), None, None, shape),
        pages: 2,
        priority: 127,
        since: Timestamp(0),
        not_before: Timestamp(0),
        give_up_at: NOW + Duration::from_secs(60),
    }
}

fn way() -> Way {
    Way {
        ready: true,
        direction: Direction::Both,
        hours: None,
        channels: 1,
        calls: 0,
        reserved: 0,
        priority: 100,
        not_before: Timestamp(0),
    }
}

/// What starts, as `line:tag+tag`.
fn starts(waiting: &[Wanting], ways: &[Way], limits: BatchLimits) -> Vec<String> {
    let plan = plan(waiting, ways, &BTreeSet::new(), limits, AT);
    plan.start.iter().map(|start| format!("{}:{}", start.line, start.tags.join("+"))).collect()
}

#[test]
fn the_most_urgent_and_then_the_oldest_goes_first() {
    let urgent = Wanting { priority: 1, since: Timestamp(9), ..wanting("urgent", 1) };
    let old = Wanting { since: Timestamp(1), ..wanting("old", 2) };
    let new = Wanting { since: Timestamp(2), ..wanting("new", 3) };
    let all = [new, old, urgent];
    assert_eq!(starts(&all, &[way()], MANY), ["0:urgent"]);
    assert_eq!(starts(&all, &[way(), way()], MANY), ["0:urgent", "1:old"]);
    let trunk = Way { channels: 5, ..way() };
    assert_eq!(starts(&all, &[trunk], MANY), ["0:urgent", "0:old", "0:new"]);
}

#[test]
fn lines_that_must_not_call_do_not() {
    let hours = |text: &str| Some(text.parse::<Hours>().unwrap());
    let job = [wanting("a", 1)];
    for (what, way, calls) in [
        ("it is free", way(), true),
        ("it is off or broken", Way { ready: false, ..way() }, false),
        ("it has a call", Way { calls: 1, ..way() }, false),
        ("it only answers", Way { direction: Direction::Receive, ..way() }, false),
        ("it only calls", Way { direction: Direction::Send, ..way() }, true),
        ("its hours", Way { hours: hours("Mo-Fr 08:00-18:00"), ..way() }, true),
        ("not its hours", Way { hours: hours("Sa 08:00-18:00"), ..way() }, false),
        (
            "its last channel is reserved",
            Way { channels: 2, calls: 1, reserved: 1, ..way() },
            false,
        ),
        ("another channel is", Way { channels: 3, calls: 1, reserved: 1, ..way() }, true),
        ("it was rung", Way { not_before: NOW + Duration::from_secs(1), ..way() }, false),
    ] {
        assert_eq!(!starts(&job, &[way], MANY).is_empty(), calls, "{what}");
    }
}

#[test]
fn the_line_with_the_least_number_calls_and_then_the_idlest() {
    let job = [wanting("a", 1)];
    let first = Way { priority: 1, ..way() };
    assert_eq!(starts(&job, &[way(), first], MANY), ["1:a"]);
    let busy = Way { channels: 4, calls: 2, ..way() };
    let idle = Way { channels: 4, calls: 1, ..way() };
    assert_eq!(starts(&job, &[busy, idle], MANY), ["1:a"]);
}

#[test]
fn one_call_to_one_number_at_a_time() {
    let other = Wanting {
        kin: Kin { subaddress: Some("7".into()), ..wanting("", 1).kin },
        ..wanting("b", 1)
    };
    let all = [wanting("a", 1), other, wanting("c", 2)];
    assert_eq!(starts(&all, &[way(), way(), way()], MANY), ["0:a", "1:c"]);
    let calling = BTreeSet::from([number(1)]);
    let plan = plan(&all, &[way()], &calling, MANY, AT);
    assert_eq!(plan.start, [Start { line: 0, tags: vec!["c".into()] }]);
}

#[test]
fn those_that_have_all_in_common_share_a_call() {
    let with = |change: fn(&mut Wanting)| {
        let mut one = wanting("b", 1);
        change(&mut one);
        vec![wanting("a", 1), one]
    };
    for (what, all, limits, together) in [
        ("alike", with(|_| {}), MANY, "0:a+b"),
        ("switched off", with(|_| {}), ALONE, "0:a"),
        ("another number", with(|b| b.kin.number = number(9)), MANY, "0:a"),
        ("a sub-address", with(|b| b.kin.subaddress = Some("1".into())), MANY, "0:a"),
        ("another identity", with(|b| b.kin.station_id = Some("1".into())), MANY, "0:a"),
        ("another paper", with(|b| b.kin.shape.2 = Paper::A3), MANY, "0:a"),
        ("too many pages", with(|b| b.pages = 19), MANY, "0:a"),
        ("not yet", with(|b| b.not_before = NOW + Duration::from_secs(1)), MANY, "0:a"),
        ("another urgency", with(|b| b.priority = 200), MANY, "0:a+b"),
    ] {
        assert_eq!(starts(&all, &[way()], limits), [together], "{what}");
    }
    let long = [Wanting { pages: 500, ..wanting("a", 1) }, wanting("b", 1)];
    assert_eq!(starts(&long, &[way()], MANY), ["0:a"], "a single one may have more pages");
}

#[test]
fn what_has_no_time_left_is_not_called() {
    let late = Wanting { give_up_at: NOW, ..wanting("late", 1) };
    let plan = plan(&[late, wanting("a", 1)], &[way()], &BTreeSet::new(), MANY, AT);
    assert_eq!(plan.expired, ["late"]);
    assert_eq!(plan.start, [Start { line: 0, tags: vec!["a".into()] }]);
}

#[test]
fn it_wakes_when_something_may_have_changed() {
    let soon = NOW + Duration::from_secs(7);
    let end = NOW + Duration::from_secs(60);
    let closed = Way { hours: Some("Su 01:00-02:00".parse().unwrap()), ..way() };
    let later = Wanting { not_before: soon, ..wanting("a", 1) };
    let off = Way { ready: false, ..way() };
    for (what, job, way, wake) in [
        ("it has gone", wanting("a", 1), way(), None),
        ("its time", later, way(), Some(soon)),
        ("its end", wanting("a", 1), off, Some(end)),
        ("hours", wanting("a", 1), closed, Some(NOW + LOOK_AGAIN)),
        ("a pause of the line", wanting("a", 1), Way { not_before: soon, ..way() }, Some(soon)),
    ] {
        assert_eq!(plan(&[job], &[way], &BTreeSet::new(), MANY, AT).wake, wake, "{what}");
    }
}

#[test]
fn who_may_share_a_call_is_waited_for() {
    let wait = Duration::from_millis(500);
    let limits = BatchLimits { wait, ..MANY };
    let at = |tag, last, ago| Wanting { since: Timestamp(NOW.0 - ago), ..wanting(tag, last) };
    let decide = |jobs: &[Wanting], limits| plan(jobs, &[way()], &BTreeSet::new(), limits, AT);
    let early = decide(&[at("one", 1, 499), at("two", 1, 0)], limits);
    assert_eq!((early.start, early.wake), (vec![], Some(NOW + Duration::from_millis(1))));
    let settled = [at("one", 1, 500), at("two", 1, 0), at("other", 2, 0)];
    assert_eq!(starts(&settled, &[way()], limits), ["0:one+two"], "those that have come");
    let urgent = Wanting { priority: 1, ..at("urgent", 2, 0) };
    let jobs = [at("old", 1, 9000), urgent];
    assert_eq!(starts(&jobs, &[way()], limits), [""; 0], "the line is kept for it");
    assert_eq!(starts(&jobs, &[way(), way()], limits), ["1:old"]);
    assert_eq!(starts(&[at("later", 1, -9000)], &[way()], limits), ["0:later"], "a clock set back");
    let alone = BatchLimits { jobs: 1, ..limits };
    assert_eq!(starts(&jobs, &[way()], alone), ["0:urgent"], "there is nobody to wait for");
}

prop_compose! {
    fn any_wanting()(
        last in 0_u32..4, sub in 0_u8..2, pages in 1_u32..8, priority in 0_u8..3,
        since in 0_i64..5, pause in -2_i64..3, end in -1_i64..4,
    ) -> Wanting {
        let mut one = wanting("", last);
        one.kin.subaddress = (sub > 0).then(|| "7".into());
        Wanting {
            pages, priority, since: Timestamp(since),
            not_before: Timestamp(NOW.0 + pause), give_up_at: Timestamp(NOW.0 + end * 2), ..one
        }
    }
}

prop_compose! {
    fn any_way()(
        ready: bool, direction in 0..3, channels in 0_usize..4, calls in 0_usize..4,
        reserved in 0_usize..3, priority in 0_u8..3, pause in -1_i64..2, open: bool,
    ) -> Way {
        let direction = [Direction::Both, Direction::Send, Direction::Receive][direction as usize];
        let hours = (!open).then(|| "Su 01:00-02:00".parse().unwrap());
        let not_before = Timestamp(NOW.0 + pause);
        Way { ready, direction, hours, channels, calls, reserved, priority, not_before }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_rules_hold_whatever_the_state(
        jobs in vec(any_wanting(), 0..12), ways in vec(any_way(), 0..4),
        busy in vec(0_u32..4, 0..2), most in 1_usize..4,
    ) {
        let jobs: Vec<Wanting> = jobs.into_iter().enumerate()
            .map(|(i, job)| Wanting { tag: format!("t{i}"), ..job }).collect();
        let of = |tag: &String| jobs.iter().find(|job| job.tag == *tag).unwrap();
        let calling: BTreeSet<Number> = busy.into_iter().map(number).collect();
        let limits = BatchLimits { jobs: most, pages: 6, ..MANY };
        let plan = plan(&jobs, &ways, &calling, limits, AT);
        let mut seen = BTreeSet::new();
        let mut numbers = calling.clone();
        let mut calls: Vec<usize> = ways.iter().map(|way| way.calls).collect();
        for start in &plan.start {
            let way = &ways[start.line];
            calls[start.line] += 1;
            prop_assert!(calls[start.line] + way.reserved <= way.channels);
            prop_assert!(way.ready && way.direction.sends() && way.hours.is_none());
            prop_assert!(way.not_before <= NOW);
            prop_assert!((1..=most).contains(&start.tags.len()));
            let first = of(&start.tags[0]);
            prop_assert!(numbers.insert(first.kin.number.clone()), "called twice at a time");
            let pages: u32 = start.tags.iter().map(|tag| of(tag).pages).sum();
            prop_assert!(pages <= 6 || start.tags.len() == 1);
            for tag in &start.tags {
                let job = of(tag);
                prop_assert!(seen.insert(tag.clone()), "called twice");
                prop_assert!(job.kin == first.kin);
                prop_assert!(job.not_before <= NOW && job.give_up_at > NOW);
                prop_assert!((first.priority, first.since) <= (job.priority, job.since));
            }
        }
        for job in &jobs {
            let expired = plan.expired.contains(&job.tag);
            prop_assert_eq!(expired, job.give_up_at <= NOW);
            let waits = !expired && !seen.contains(&job.tag);
            // Nobody is forgotten.
            prop_assert!(!waits || plan.wake.is_some_and(|at| NOW < at && at <= job.give_up_at));
            // Nothing is idle that could call.
            let due = waits && job.not_before <= NOW && !numbers.contains(&job.kin.number);
            let free = ways.iter().zip(&calls).any(|(way, calls)| {
                way.ready && way.direction.sends() && way.hours.is_none()
                    && way.not_before <= NOW && way.channels > calls + way.reserved
            });
            prop_assert!(!(due && free));
        }
    }
}
