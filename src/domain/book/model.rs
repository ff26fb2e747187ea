//! The phone book under random orders, against a plain list that is read from end to end
//! for every question; and against a book that never held what is hidden from the one who
//! asks: both have to answer alike.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

mod columns;
mod part;

use part::Part;

use super::{
    tests::{NOW, client, fax, parties, setup, who},
    *,
};
use crate::{
    names::{ClientName, GroupName},
    setup::Setup,
};

/// Carl writes the public book.
const CLIENTS: [&str; 3] = ["anna", "bob", "carl"];
const ASKERS: [&str; 5] = ["anna", "bob", "carl", "admin", "stranger"];
const GROUPS: [&str; 2] = ["london", "paris"];
const PARTIES: [&str; 5] = ["anna", "bob", "carl", "@london", "@paris"];
const ALIASES: [&str; 5] = ["", "acme", "Acme", "bell", "cork-1"];
const NAMES: [&str; 5] = ["Acme", "Bell Acme", "cork", "Abbey Bell", "Macme Cork"];
const WORDS: [&str; 12] =
    ["a", "me", "acme", "bell a", "b", "cork 1", "44", "0207", "1", "", "zz", "e bell"];

#[derive(Debug, Clone)]
struct Said {
    name: usize,
    alias: usize,
    number: u32,
    members: Option<Vec<usize>>,
}

#[derive(Debug, Clone)]
enum Labelled {
    Everyone,
    Named(Vec<usize>),
}

#[derive(Debug, Clone)]
enum Step {
    Add { by: usize, public: bool, label: Labelled, said: Said },
    Change { by: usize, which: usize, said: Said },
    Share { by: usize, which: usize, how: usize, with: Vec<usize> },
    Remove { by: usize, which: usize },
    Join { client: usize, group: usize },
    Leave { client: usize, group: usize },
}

fn said() -> impl Strategy<Value = Said> {
    let members = proptest::option::weighted(0.3, prop::collection::vec(0..12_usize, 0..4));
    (0..NAMES.len(), 0..ALIASES.len(), 0..6_u32, members)
        .prop_map(|(name, alias, number, members)| Said { name, alias, number, members })
}

fn some() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..PARTIES.len(), 0..3)
}

fn step() -> impl Strategy<Value = Step> {
    let label = prop_oneof![
        1 => Just(Labelled::Everyone),
        4 => some().prop_map(Labelled::Named),
    ];
    // The administrator writes as well, and a stranger tries.
    let by = || 0..ASKERS.len();
    prop_oneof![
        6 => (by(), prop::bool::weighted(0.2), label, said())
            .prop_map(|(by, public, label, said)| Step::Add { by, public, label, said }),
        3 => (by(), 0..12_usize, said())
            .prop_map(|(by, which, said)| Step::Change { by, which, said }),
        4 => (by(), 0..12_usize, 0..4_usize, some())
            .prop_map(|(by, which, how, with)| Step::Share { by, which, how, with }),
        2 => (by(), 0..12_usize).prop_map(|(by, which)| Step::Remove { by, which }),
        1 => (0..3_usize, 0..2_usize).prop_map(|(client, group)| Step::Join { client, group }),
        1 => (0..3_usize, 0..2_usize).prop_map(|(client, group)| Step::Leave { client, group }),
    ]
}

/// Everything there is, in the order in which it came.
type Model = BTreeMap<EntryId, Entry>;

fn content(said: &Said, ids: &[EntryId]) -> Content {
    let number = format!("+4420700000{:02}", said.number);
    let mut content = fax(NAMES[said.name], ALIASES[said.alias], &number);
    if let Some(members) = &said.members {
        let one = |at: &usize| ids.get(*at).copied().unwrap_or(EntryId(1_000 + *at as u64));
        let distinct: BTreeSet<EntryId> = members.iter().map(one).collect();
        content.reach = Reach::List(distinct.into_iter().collect());
    }
    content
}

fn order(step: &Step, ids: &[EntryId], count: usize) -> Option<(&'static str, Order)> {
    let id = |which: &usize| ids.get(*which).copied().unwrap_or(EntryId(5_000));
    let named = |with: &[usize]| parties(&with.iter().map(|at| PARTIES[*at]).collect::<Vec<_>>());
    Some(match step {
        Step::Add { by, public, label, said } => {
            let owner = match ASKERS[*by] {
                name if !public && *by < CLIENTS.len() => Owner::Client(client(name)),
                _ => Owner::Supervisor,
            };
            let label = match label {
                Labelled::Everyone => Label::Everyone,
                Labelled::Named(with) => Label::Named(named(with)),
            };
            let (uid, content) = (format!("u{count}"), content(said, ids));
            (ASKERS[*by], Order::Add { uid, owner, label, content })
        }
        Step::Change { by, which, said } => {
            let (id, content) = (id(which), content(said, ids));
            (ASKERS[*by], Order::Change { id, expected: None, content })
        }
        Step::Share { by, which, how, with } => {
            let sharing = match how {
                0 => Sharing::With(named(with)),
                1 => Sharing::NotWith(named(with)),
                2 => Sharing::Everyone,
                _ => Sharing::Nobody,
            };
            (ASKERS[*by], Order::Share { id: id(which), expected: None, sharing })
        }
        Step::Remove { by, which } => {
            (ASKERS[*by], Order::Remove { id: id(which), expected: None })
        }
        Step::Join { .. } | Step::Leave { .. } => return None,
    })
}

fn naive_rank(setup: &Setup, by: &str, entry: &Entry) -> Option<Rank> {
    let own = Owner::Client(client(by));
    match by {
        "stranger" => None,
        "admin" => Some(Rank::Public),
        _ if entry.owner == own => Some(Rank::Own),
        _ => match &entry.label {
            Label::Named(all) if all.iter().any(|one| one.includes(&client(by), setup)) => {
                Some(Rank::Shared)
            }
            Label::Everyone => Some(Rank::Public),
            _ if entry.owner == Owner::Supervisor && by == "carl" => Some(Rank::Public),
            _ => None,
        },
    }
}

fn fields(entry: &Entry) -> Vec<String> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', " ");
    let mut fields = vec![plain(&entry.content.name)];
    fields.extend(entry.content.alias.as_deref().map(plain));
    if let Reach::Fax(line) = &entry.content.reach {
        let digits = line.number.as_str()[1..].to_owned();
        let national = format!("0{}", &digits[2..]);
        fields.extend([digits, national]);
    }
    fields
}

fn naive_fit(entry: &Entry, text: &str) -> Option<Fit> {
    let fields = fields(entry);
    let words: Vec<&str> = text.split(' ').collect();
    if !words.iter().all(|word| fields.iter().any(|field| field.contains(word))) {
        return None;
    }
    let longest = words.iter().map(|word| word.len()).max().unwrap_or(0);
    let word = *words.iter().find(|word| word.len() == longest)?;
    Some(match () {
        () if fields.iter().any(|field| field.starts_with(word)) => Fit::Field,
        () if fields.iter().any(|field| field.contains(&format!(" {word}"))) => Fit::Word,
        () => Fit::Inside,
    })
}

fn naive_find(setup: &Setup, by: &str, model: &Model, text: &str) -> Vec<(Rank, Fit, EntryId)> {
    let hit = |entry: &Entry| {
        let rank = naive_rank(setup, by, entry)?;
        let row: String = fields(entry).iter().map(|field| format!("\n{field}")).collect();
        Some((rank, naive_fit(entry, text)?, row, entry.id))
    };
    let mut hits: Vec<_> = model.values().filter_map(hit).collect();
    hits.sort();
    hits.into_iter().map(|(rank, fit, _, id)| (rank, fit, id)).collect()
}

/// What a naive reader of the list would send to: numbers, and how many members could not
/// be used; or nothing, or those that may have been meant.
fn naive_resolve(
    setup: &Setup,
    by: &str,
    model: &Model,
    word: &str,
) -> Result<(Vec<String>, usize), Vec<String>> {
    let called = |entry: &&Entry| {
        entry.content.alias.as_ref().is_some_and(|alias| alias.eq_ignore_ascii_case(word))
    };
    let ranked = model.values().filter(called).filter_map(|e| Some((naive_rank(setup, by, e)?, e)));
    let mut by_rank: BTreeMap<Rank, Vec<&Entry>> = BTreeMap::new();
    for (rank, entry) in ranked {
        by_rank.entry(rank).or_default().push(entry);
    }
    let nearest = by_rank.into_values().next().unwrap_or_default();
    let [entry] = &nearest[..] else {
        return Err(nearest.iter().map(|entry| entry.uid.clone()).collect());
    };
    fn walk(
        setup: &Setup,
        by: &str,
        model: &Model,
        id: EntryId,
        seen: &mut Vec<EntryId>,
        out: &mut (Vec<String>, usize),
    ) {
        if seen.contains(&id) {
            return;
        }
        seen.push(id);
        match model.get(&id).filter(|entry| naive_rank(setup, by, entry).is_some()) {
            None => out.1 += 1,
            Some(entry) => match &entry.content.reach {
                Reach::Fax(line) if out.0.contains(&line.number.to_string()) => {}
                Reach::Fax(line) => out.0.push(line.number.to_string()),
                Reach::List(members) => {
                    members.iter().for_each(|id| walk(setup, by, model, *id, seen, out));
                }
            },
        }
    }
    let mut out = (Vec::new(), 0);
    walk(setup, by, model, entry.id, &mut Vec::new(), &mut out);
    Ok(out)
}

fn resolve(
    book: &Book,
    setup: &Setup,
    by: &str,
    word: &str,
) -> Result<(Vec<String>, usize), Vec<String>> {
    match book.resolve(setup, &who(by), word) {
        Ok(found) => {
            let numbers = found.reached.iter().map(|one| one.line.number.to_string()).collect();
            Ok((numbers, found.unusable))
        }
        Err(Unresolved::Nobody { unusable, .. }) => Ok((vec![], unusable)),
        Err(Unresolved::Ambiguous { among, .. }) => {
            Err(among.into_iter().map(|one| one.uid).collect())
        }
        Err(Unresolved::Unknown(_)) => Err(vec![]),
        Err(Unresolved::TooMany(word)) => panic!("{word} is not that long"),
    }
}

fn find(
    book: &Book,
    setup: &Setup,
    by: &str,
    text: &str,
    limit: usize,
) -> Vec<(Rank, Fit, EntryId)> {
    let found = book.find(setup, &who(by), text, limit);
    found.iter().map(|found| (found.rank, found.fit, found.entry.id)).collect()
}

/// Whether the model lets this be written, as far as that is a question of who writes.
fn naive_may(setup: &Setup, model: &Model, by: &str, order: &Order) -> Result<(), &'static str> {
    let keeps = matches!(by, "carl" | "admin");
    let (owner, will_be_public) = match order {
        Order::Add { owner, label, .. } => (owner.clone(), *label == Label::Everyone),
        Order::Change { id, .. } | Order::Share { id, .. } | Order::Remove { id, .. } => {
            let entry = model.get(id).filter(|entry| naive_rank(setup, by, entry).is_some());
            let entry = entry.ok_or("not there")?;
            let is_public = entry.label == Label::Everyone;
            let will_be = match order {
                Order::Share { sharing: Sharing::Everyone, .. } => true,
                Order::Share { sharing: Sharing::NotWith(_), .. } if is_public => {
                    return Err("any");
                }
                Order::Change { .. } => is_public,
                _ => false,
            };
            (entry.owner.clone(), will_be)
        }
    };
    match owner {
        _ if by == "admin" => Ok(()),
        _ if by == "stranger" => Err("not yours"),
        Owner::Client(owner) if owner.as_str() != by => Err("not yours"),
        Owner::Client(_) if will_be_public && !keeps => Err("missing"),
        Owner::Supervisor if !keeps => Err("missing"),
        _ => Ok(()),
    }
}

/// The book as it would be if there were nothing but what one sees.
fn restricted(setup: &Setup, by: &str, model: &Model) -> Book {
    let seen = model.values().filter(|entry| naive_rank(setup, by, entry).is_some());
    Book::load(Saved { entries: seen.cloned().collect(), next: 100, ..Saved::default() })
}

/// What one knows who has synchronised ever since.
#[derive(Debug, Default, Clone)]
struct Replica {
    has: BTreeMap<EntryId, u64>,
    token: Option<SyncToken>,
    groups: BTreeSet<GroupName>,
}

impl Replica {
    fn follow(&mut self, book: &Book, setup: &Setup, by: &str) {
        let groups =
            setup.clients.get(&client(by)).map_or_else(BTreeSet::new, |c| c.groups.clone());
        let is_same_sight = self.groups == groups;
        let now: BTreeMap<_, _> =
            book.visible(setup, &who(by)).iter().map(|(_, e)| (e.id, e.version)).collect();
        let token = book.token(setup, &who(by));
        if is_same_sight && self.token.is_some() {
            // The token says no more than what there is to see.
            assert_eq!(self.has == now, self.token == Some(token), "{by}");
        }
        match self.token.map(|token| book.since(setup, &who(by), token)) {
            Some(Ok(since)) => {
                for (_, entry) in &since.changed {
                    assert_ne!(self.has.insert(entry.id, entry.version), Some(entry.version));
                }
                for gone in since.gone {
                    assert!(self.has.remove(&gone.id).is_some(), "{by} never saw {gone:?}");
                }
                assert_eq!(since.token, token);
                // A token is a text, outside.
                self.token = Some(since.token.to_string().parse().unwrap());
            }
            Some(Err(Stale)) => {
                assert!(!is_same_sight, "{by} could have gone on");
                self.has = now.clone();
                self.token = Some(token);
            }
            None => (self.has, self.token) = (now.clone(), Some(token)),
        }
        assert_eq!(self.has, now, "{by}");
        self.groups = groups;
    }
}

fn compare(book: &Book, setup: &Setup, model: &Model) {
    for by in ASKERS {
        let asker = who(by);
        let seen: BTreeSet<(Rank, EntryId)> = model
            .values()
            .filter_map(|entry| Some((naive_rank(setup, by, entry)?, entry.id)))
            .collect();
        let visible = book.visible(setup, &asker);
        assert_eq!(visible.len(), seen.len(), "{by} counts what is not theirs");
        assert_eq!(visible.iter().map(|(rank, e)| (*rank, e.id)).collect::<BTreeSet<_>>(), seen);
        let alone = restricted(setup, by, model);
        for text in WORDS {
            let want = naive_find(setup, by, model, text);
            assert_eq!(find(book, setup, by, text, 100), want, "{by} finds {text}");
            let first: Vec<_> = want.iter().take(2).cloned().collect();
            assert_eq!(find(book, setup, by, text, 2), first, "{by} finds two of {text}");
            assert_eq!(find(&alone, setup, by, text, 100), want, "{by} finds {text} alone");
            columns::compare(book, setup, by, model, text);
        }
        for word in ["acme", "ACME", "bell", "Cork-1", "44", "u1"] {
            let want = naive_resolve(setup, by, model, word);
            assert_eq!(resolve(book, setup, by, word), want, "{by} sends to {word}");
            let same = book.resolve(setup, &asker, word);
            assert_eq!(same, alone.resolve(setup, &asker, word), "{by} {word}");
        }
        for entry in model.values() {
            let rank = naive_rank(setup, by, entry);
            let got = book.get(setup, &asker, entry.id);
            assert_eq!(got.map(|seen| (seen.rank, &**seen.entry)), rank.map(|rank| (rank, entry)));
            let by_uid = book.by_uid(setup, &asker, &entry.uid).map(|seen| seen.entry.id);
            assert_eq!(by_uid, rank.map(|_| entry.id));
            let members = |book: &Book| {
                let (seen, others) = book.members(setup, &asker, entry);
                (seen.iter().map(|e| e.id).collect::<Vec<_>>(), others)
            };
            assert_eq!(members(book), members(&alone));
        }
    }
}

/// Orders something, and holds what comes of it against what the model says of it.
fn write(
    book: &mut Book,
    setup: &Setup,
    model: &mut Model,
    by: &str,
    order: &Order,
) -> Option<EntryId> {
    let planned = book.plan(setup, &who(by), order, NOW);
    let alone = restricted(setup, by, model).plan(setup, &who(by), order, NOW);
    let told = |plan: &Result<Change, Refused>| {
        let change = plan.as_ref().map_err(Clone::clone)?;
        Ok::<_, Refused>(change.after.as_ref().map(|e| (e.label.clone(), e.content.clone())))
    };
    assert_eq!(told(&planned), told(&alone), "{by} learns of what is hidden: {order:?}");
    match (naive_may(setup, model, by, order), &planned) {
        (Ok(()), Ok(_)) => {}
        (Err("any"), Err(_)) => {}
        (Err("not there"), Err(Refused::NotThere)) => {}
        (Err("not yours"), Err(Refused::NotYours)) => {}
        (Err("missing"), Err(Refused::Missing(_))) => {}
        (Ok(()), Err(Refused::AliasTaken(_) | Refused::NoSuchMember | Refused::HoldsItself)) => {}
        (may, planned) => panic!("{by} {order:?}: {planned:?}, {may:?}"),
    }
    let change = planned.ok()?;
    book.apply(&change);
    match &change.after {
        Some(after) => drop(model.insert(change.id, Entry::clone(after))),
        None => drop(model.remove(&change.id)),
    }
    change.before.is_none().then_some(change.id)
}

/// The two books hold the same, and so does one that is loaded from what was saved.
fn reload(book: &Book, model: &Model) -> Book {
    Book::load(Saved {
        entries: model.values().cloned().collect(),
        tombstones: book.tombstones.values().cloned().collect(),
        last: book.last,
        next: book.next.0,
        floor: book.floor,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_sees_resolves_or_counts_what_is_not_theirs(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut setup = setup();
        let dora = setup.clients.remove(&client("dora")).unwrap();
        setup.clients.get_mut(&client("carl")).unwrap().grants = dora.grants;
        let (mut book, mut model, mut ids) = (Book::default(), Model::new(), Vec::new());
        let mut replicas = vec![Replica::default(); ASKERS.len()];
        let mut parts = vec![vec![Part::default(); 3]; ASKERS.len()];
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Join { client: name, group } | Step::Leave { client: name, group } => {
                    let name: ClientName = client(CLIENTS[*name]);
                    let groups = &mut setup.clients.get_mut(&name).unwrap().groups;
                    let group = GroupName::new(GROUPS[*group]).unwrap();
                    match step {
                        Step::Join { .. } => groups.insert(group),
                        _ => groups.remove(&group),
                    };
                }
                _ => {
                    let Some((by, order)) = order(step, &ids, at) else { continue };
                    ids.extend(write(&mut book, &setup, &mut model, by, &order));
                }
            }
            compare(&book, &setup, &model);
            for (by, replica) in ASKERS.iter().zip(&mut replicas) {
                replica.follow(&book, &setup, by);
            }
            for (by, parts) in ASKERS.iter().zip(&mut parts) {
                for (rank, part) in [Rank::Own, Rank::Shared, Rank::Public].into_iter().zip(parts) {
                    part.follow(&book, &setup, by, rank);
                }
            }
        }
        let loaded = reload(&book, &model);
        compare(&loaded, &setup, &model);
        for by in ASKERS {
            prop_assert_eq!(loaded.token(&setup, &who(by)), book.token(&setup, &who(by)));
        }
        prop_assert_eq!((loaded.last, loaded.next), (book.last, book.next));
    }
}
