//! One decision of the phone book at a time.

use std::collections::BTreeSet;

use super::*;
use crate::{
    authority::{Grant, Role, Verb, Who},
    dial::Party,
    names::{ClientName, GroupName, RoleName},
    number::Number,
    setup::Setup,
    supervisor::test_setup,
    time::Timestamp,
};

pub(super) const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub(super) fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

pub(super) fn who(name: &str) -> Who {
    match name {
        "admin" => Who::Administrator,
        "stranger" => Who::Stranger,
        name => Who::Client(client(name)),
    }
}

pub(super) fn party(name: &str) -> Party {
    match name.strip_prefix('@') {
        Some(group) => Party::Group(GroupName::new(group).unwrap()),
        None => Party::Client(client(name)),
    }
}

pub(super) fn parties(names: &[&str]) -> BTreeSet<Party> {
    names.iter().map(|name| party(name)).collect()
}

/// Anna in london, bob in paris, carl in both; dora writes the public book.
pub(super) fn setup() -> Setup {
    let mut setup = test_setup();
    let keeper = RoleName::new("keeper").unwrap();
    setup.roles.insert(keeper.clone(), Role { may: [Verb::BookWrite].into() });
    let mut dora = setup.clients[&client("anna")].clone();
    dora.groups.clear();
    dora.grants = vec![Grant { role: keeper, scope: "supervisor".parse().unwrap() }];
    setup.clients.insert(client("dora"), dora);
    setup
}

pub(super) fn fax(name: &str, alias: &str, number: &str) -> Content {
    Content {
        name: name.into(),
        company: String::new(),
        alias: Some(alias.to_owned()).filter(|alias| !alias.is_empty()),
        note: String::new(),
        tags: BTreeSet::new(),
        reach: Reach::Fax(Line {
            number: Number::try_from(number.to_owned()).unwrap(),
            subaddress: None,
            options: Options::default(),
        }),
        kept: String::new(),
    }
}

fn list(alias: &str, members: &[EntryId]) -> Content {
    let reach = Reach::List(members.to_vec());
    Content { reach, ..fax(alias, alias, "+442079460100") }
}

struct Room {
    book: Book,
    setup: Setup,
    uids: u32,
}

impl Room {
    fn new() -> Self {
        Self { book: Book::default(), setup: setup(), uids: 0 }
    }

    fn try_add(
        &mut self,
        by: &str,
        of: &str,
        label: Label,
        what: Content,
    ) -> Result<Change, Refused> {
        self.uids += 1;
        let owner = if of == "supervisor" { Owner::Supervisor } else { Owner::Client(client(of)) };
        let uid = format!("u{}", self.uids);
        self.write(by, &Order::Add { uid, owner, label, content: what })
    }

    /// Adds an entry as its owner, or as the administrator where that is the supervisor.
    fn add(&mut self, of: &str, label: Label, what: Content) -> EntryId {
        self.try_add(if of == "supervisor" { "admin" } else { of }, of, label, what).unwrap().id
    }

    fn write(&mut self, by: &str, order: &Order) -> Result<Change, Refused> {
        self.book.write(&self.setup, &who(by), order, NOW)
    }

    fn share(&mut self, by: &str, id: EntryId, sharing: Sharing) -> Result<Change, Refused> {
        self.write(by, &Order::Share { id, expected: None, sharing })
    }

    fn remove(&mut self, by: &str, id: EntryId) -> Result<Change, Refused> {
        self.write(by, &Order::Remove { id, expected: None })
    }

    fn names(&self, by: &str, text: &str) -> Vec<String> {
        let found = self.book.find(&self.setup, &who(by), text, 100);
        found.iter().map(|found| found.entry.content.name.clone()).collect()
    }

    fn numbers(&self, by: &str, word: &str) -> Result<Vec<String>, Unresolved> {
        let resolved = self.book.resolve(&self.setup, &who(by), word)?;
        Ok(resolved.reached.iter().map(|one| one.line.number.to_string()).collect())
    }

    fn sees(&self, by: &str, id: EntryId) -> Option<Rank> {
        self.book.get(&self.setup, &who(by), id).map(|seen| seen.rank)
    }
}

fn named(names: &[&str]) -> Label {
    Label::Named(parties(names))
}

#[test]
fn a_label_says_who_sees_an_entry() {
    let mut room = Room::new();
    use Rank::{Own, Public, Shared};
    for (owner, label, seen) in [
        ("anna", Label::private(), [Some(Own), None, None, None]),
        ("anna", named(&["bob"]), [Some(Own), Some(Shared), None, None]),
        ("anna", named(&["@paris"]), [Some(Own), Some(Shared), Some(Shared), None]),
        ("bob", named(&["@london", "dora"]), [Some(Shared), Some(Own), Some(Shared), Some(Shared)]),
        ("dora", Label::Everyone, [Some(Public), Some(Public), Some(Public), Some(Own)]),
        ("supervisor", Label::Everyone, [Some(Public); 4]),
        ("supervisor", named(&["@london"]), [Some(Shared), None, Some(Shared), Some(Public)]),
        ("supervisor", Label::private(), [None, None, None, Some(Public)]),
    ] {
        let id = room.add(owner, label.clone(), fax("Acme", "", "+442079460100"));
        let found = ["anna", "bob", "carl", "dora"].map(|name| room.sees(name, id));
        assert_eq!(found, seen, "{owner} {label:?}");
        assert_eq!((room.sees("admin", id), room.sees("stranger", id)), (Some(Public), None));
        // Who is in no setup sees nothing, not even what was theirs.
        room.setup.clients.retain(|name, _| name.as_str() != owner);
        assert!(room.sees(owner, id).is_none());
        room.setup = setup();
    }
}

#[test]
fn a_group_is_who_is_in_it_now() {
    let mut room = Room::new();
    let id = room.add("anna", named(&["@paris"]), fax("Acme", "acme", "+442079460100"));
    assert_eq!(room.numbers("bob", "acme").unwrap(), ["+442079460100"]);
    let token = room.book.token(&room.setup, &who("bob"));
    room.setup.clients.get_mut(&client("bob")).unwrap().groups.clear();
    assert_eq!(room.sees("bob", id), None);
    assert_eq!(room.numbers("bob", "acme"), Err(Unresolved::Unknown("acme".into())));
    assert_eq!(room.names("bob", "acme"), [""; 0]);
    assert!(room.book.since(&room.setup, &who("bob"), token).is_err());
}

#[test]
fn only_the_owner_changes_and_what_is_hidden_is_not_there() {
    let mut room = Room::new();
    let hidden = room.add("anna", Label::private(), fax("Acme", "acme", "+442079460100"));
    let shared = room.add("anna", named(&["bob"]), fax("Bell", "bell", "+442079460101"));
    let public = room.add("supervisor", Label::Everyone, fax("Cork", "cork", "+442079460102"));
    let gone = EntryId(999);
    let keeps =
        |refused: &Refused| matches!(refused, Refused::Missing(m) if m.verb == Verb::BookWrite);
    type Want<'a> = &'a dyn Fn(&Refused) -> bool;
    let not_there: Want<'_> = &|refused| *refused == Refused::NotThere;
    let not_yours: Want<'_> = &|refused| *refused == Refused::NotYours;
    for (by, id, want) in [
        ("bob", hidden, not_there),
        ("bob", gone, not_there),
        ("dora", hidden, not_there),
        ("stranger", public, not_there),
        ("bob", shared, not_yours),
        ("bob", public, &keeps),
    ] {
        let content = fax("New", "new", "+442079460103");
        for order in [
            Order::Change { id, expected: Some(77), content },
            Order::Share { id, expected: Some(77), sharing: Sharing::NotWith(parties(&["bob"])) },
            Order::Remove { id, expected: Some(77) },
        ] {
            let refused = room.write(by, &order).unwrap_err();
            assert!(want(&refused), "{by} {order:?}: {refused}");
        }
    }
    for (by, id) in [("anna", shared), ("dora", public), ("admin", hidden)] {
        let content = fax("New", "", "+442079460103");
        let old =
            room.write(by, &Order::Change { id, expected: Some(2), content: content.clone() });
        assert_eq!(old, Err(Refused::Version { now: 1 }));
        let change = room.write(by, &Order::Change { id, expected: Some(1), content }).unwrap();
        let mut fields = vec![Field::Name, Field::Alias, Field::Reach];
        fields.retain(|f| {
            *f != Field::Alias || change.before.as_ref().is_some_and(|e| e.content.alias.is_some())
        });
        assert_eq!((change.after.unwrap().version, change.noted.what), (2, What::Changed(fields)));
        assert_eq!(room.remove(by, id).unwrap().noted.version, 3);
    }
    assert!(room.book.is_empty());
}

#[test]
fn what_everyone_sees_is_written_by_those_who_keep_the_public_book() {
    let mut room = Room::new();
    let content = || fax("Acme", "acme", "+442079460100");
    let missing = |change: Result<Change, Refused>| matches!(change, Err(Refused::Missing(_)));
    assert!(missing(room.try_add("anna", "anna", Label::Everyone, content())));
    assert!(missing(room.try_add("anna", "supervisor", Label::private(), content())));
    assert_eq!(room.try_add("anna", "bob", Label::private(), content()), Err(Refused::NotYours));
    let ghost = room.try_add("admin", "ghost", Label::private(), content());
    assert_eq!(ghost, Err(Refused::NoSuchOwner("ghost".into())));
    room.try_add("dora", "supervisor", Label::Everyone, content()).unwrap();
    let id = room.try_add("admin", "anna", Label::Everyone, content()).unwrap().id;
    // Its owner may not change what everyone sees, but may take it back.
    assert!(missing(room.write("anna", &Order::Change { id, expected: None, content: content() })));
    assert!(missing(room.share("anna", id, Sharing::Everyone)));
    assert_eq!(
        room.share("anna", id, Sharing::NotWith(parties(&["bob"]))),
        Err(Refused::ForEveryone)
    );
    let shared = room.share("anna", id, Sharing::With(parties(&["bob"]))).unwrap();
    assert_eq!(shared.noted.what, What::Shared(named(&["bob"])));
    assert_eq!((room.sees("bob", id), room.sees("carl", id)), (Some(Rank::Shared), None));
    let nobody = room.share("anna", id, Sharing::With(parties(&["ghost"]))).unwrap_err();
    assert_eq!(nobody.to_string(), "there is no client \"ghost\" to share the entry with");
    room.share("anna", id, Sharing::Nobody).unwrap();
    assert_eq!(room.sees("bob", id), None);
}

#[test]
fn an_alias_is_the_nearest_that_the_sender_sees() {
    let mut room = Room::new();
    let public = room.add("supervisor", Label::Everyone, fax("P", "Straße", "+442079460100"));
    room.add("carl", named(&["anna"]), fax("S", "STRASSE", "+442079460101"));
    room.add("anna", Label::private(), fax("O", "strasse", "+442079460102"));
    for (by, number) in [
        ("anna", "+442079460102"),
        ("bob", "+442079460100"),
        ("carl", "+442079460101"),
        ("dora", "+442079460100"),
    ] {
        assert_eq!(room.numbers(by, "ＳtraSSe").unwrap(), [number], "{by}");
    }
    assert_eq!(room.numbers("stranger", "strasse"), Err(Unresolved::Unknown("strasse".into())));
    // Two that are equally near, and a third that only others see.
    room.add("bob", named(&["dora"]), fax("B", "acme", "+442079460103"));
    room.add("carl", named(&["dora", "anna"]), fax("C", "Acme", "+442079460104"));
    room.add("anna", Label::private(), fax("A", "acme", "+442079460105"));
    let refused = room.numbers("dora", "acme").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "\"acme\" is 2 entries of the phone book: B (of bob); C (of carl)"
    );
    room.remove("admin", public).unwrap();
    assert!(room.numbers("bob", "strasse").is_err());
}

#[test]
fn a_list_reaches_what_the_sender_sees_and_counts_the_rest() {
    let mut room = Room::new();
    let one = room.add("anna", named(&["bob"]), fax("1", "one", "+442079460101"));
    let two = room.add("anna", Label::private(), fax("2", "two", "+442079460102"));
    let same = room.add("anna", named(&["bob"]), fax("3", "three", "+442079460101"));
    let inner = room.add("anna", named(&["bob"]), list("inner", &[two, same]));
    let outer = room.add("anna", named(&["bob"]), list("outer", &[one, inner, two]));
    assert_eq!(room.numbers("anna", "outer").unwrap(), ["+442079460101", "+442079460102"]);
    let of_bob = room.book.resolve(&room.setup, &who("bob"), "outer").unwrap();
    assert_eq!((of_bob.reached.len(), of_bob.unusable), (1, 1));
    let entry = of_bob.entry.clone();
    let (seen, others) = room.book.members(&room.setup, &who("bob"), &entry);
    assert_eq!((seen.len(), others), (2, 1));
    // A member that is gone counts like one that is hidden.
    room.remove("anna", two).unwrap();
    assert_eq!(room.book.resolve(&room.setup, &who("bob"), "outer").unwrap().unusable, 1);
    assert_eq!(room.book.resolve(&room.setup, &who("anna"), "outer").unwrap().unusable, 1);
    // The owner may still change the rest, and nobody puts in what they do not see.
    let content = list("outer", &[two, one]);
    room.write("anna", &Order::Change { id: outer, expected: None, content }).unwrap();
    let hidden = room.add("anna", Label::private(), fax("4", "four", "+442079460104"));
    for id in [hidden, EntryId(999)] {
        let refused = room.try_add("bob", "bob", Label::private(), list("mine", &[id]));
        assert_eq!(refused, Err(Refused::NoSuchMember));
    }
    room.remove("anna", one).unwrap();
    let refused = room.numbers("bob", "outer").unwrap_err();
    assert_eq!(refused, Unresolved::Nobody { word: "outer".into(), unusable: 2 });
}

#[test]
fn a_list_never_holds_itself() {
    let mut room = Room::new();
    let leaf = room.add("anna", named(&["bob"]), fax("1", "one", "+442079460101"));
    let a = room.add("anna", named(&["bob"]), list("a", &[leaf]));
    let b = room.add("bob", named(&["anna"]), list("b", &[a]));
    for members in [vec![a], vec![leaf, b]] {
        let content = list("a", &members);
        let refused = room.write("anna", &Order::Change { id: a, expected: None, content });
        assert_eq!(refused, Err(Refused::HoldsItself));
    }
    // Where nobody who saves can see the loop, it ends when it is expanded.
    room.share("bob", b, Sharing::With(parties(&["carl"]))).unwrap();
    let c = room.add("carl", named(&["anna"]), list("c", &[b]));
    room.share("bob", b, Sharing::NotWith(parties(&["anna"]))).unwrap();
    let content = list("a", &[leaf, c]);
    room.write("anna", &Order::Change { id: a, expected: None, content }).unwrap();
    for name in ["anna", "bob", "carl", "admin"] {
        for alias in ["a", "b", "c"] {
            if let Ok(resolved) = room.book.resolve(&room.setup, &who(name), alias) {
                assert_eq!(resolved.reached.len(), 1, "{name} {alias}");
            }
        }
    }
    assert_eq!(room.numbers("admin", "c").unwrap().len(), 1);
}

#[test]
fn a_list_of_lists_has_an_end() {
    let mut room = Room::new();
    let mut lists = Vec::new();
    for at in 0..11_u32 {
        let fax = |n: u32| fax("x", "", &format!("+4420{:08}", at * 100 + n));
        let leaves: Vec<_> = (0..100).map(|n| room.add("anna", Label::private(), fax(n))).collect();
        lists.push(room.add("anna", Label::private(), list(&format!("l{at}"), &leaves)));
    }
    room.add("anna", Label::private(), list("ten", &lists[..10]));
    room.add("anna", Label::private(), list("all", &lists));
    assert_eq!(room.numbers("anna", "ten").unwrap().len(), 1000);
    assert_eq!(room.numbers("anna", "all"), Err(Unresolved::TooMany("all".into())));
}

#[test]
fn what_is_typed_completes() {
    let mut room = Room::new();
    let tagged = |name: &str, company: &str, tag: &str, number: &str| Content {
        company: company.into(),
        tags: [tag.to_owned()].into(),
        ..fax(name, "", number)
    };
    room.add(
        "supervisor",
        Label::Everyone,
        tagged("Acme", "Müller & Söhne", "roof", "+442079460100"),
    );
    room.add("anna", Label::private(), tagged("Jim Acmeson", "O'Neill", "wine", "+33142685300"));
    room.add("bob", named(&["anna"]), tagged("Zacme", "Ost-West", "wein", "+390401234567"));
    room.add("bob", Label::private(), tagged("Acme of Bob", "Müller", "roof", "+442079460199"));
    for (text, want) in [
        ("acme", &["Jim Acmeson", "Zacme", "Acme"][..]),
        ("ACME jim", &["Jim Acmeson"]),
        ("muller", &["Acme"]),
        ("müller söh", &["Acme"]),
        ("o'n", &["Jim Acmeson"]),
        ("oneill", &["Jim Acmeson"]),
        ("west", &["Zacme"]),
        ("ost-w", &["Zacme"]),
        ("w", &["Jim Acmeson", "Zacme"]),
        ("020 7946", &["Acme"]),
        ("+44 (0)20 7946-0100", &["Acme"]),
        ("0044207946", &["Acme"]),
        ("01 42 68", &["Jim Acmeson"]),
        ("0401234", &["Zacme"]),
        ("9460199", &[]),
        ("bob", &[]),
        ("", &["Jim Acmeson", "Zacme", "Acme"]),
        ("...", &["Jim Acmeson", "Zacme", "Acme"]),
    ] {
        assert_eq!(room.names("anna", text), want, "{text}");
    }
    assert_eq!(room.names("stranger", ""), [""; 0]);
    assert_eq!(room.names("admin", "").len(), 4);
    let one = room.book.find(&room.setup, &who("anna"), "acme", 1);
    assert_eq!((one.len(), one[0].rank, one[0].fit), (1, Rank::Own, Fit::Word));
}

#[test]
fn bad_entries_are_named() {
    let good = || fax("Acme", "acme", "+442079460100");
    type Spoil<'a> = &'a dyn Fn(&mut Content);
    let subaddress = |digits: &str| {
        let digits = digits.to_owned();
        move |content: &mut Content| {
            let Reach::Fax(line) = &mut content.reach else { panic!("it is a fax") };
            line.subaddress = Some(digits.clone());
        }
    };
    let table: [(Spoil<'_>, &str); 14] = [
        (&|c| c.name = " ".into(), "the name is empty"),
        (&|c| c.name = "x".repeat(201), "the name is too long: at most 200 bytes"),
        (&|c| c.company = "a\nb".into(), "the company holds a control character"),
        (&|c| c.note = "x".repeat(2001), "the note is too long"),
        (&|c| c.note = "\u{7}".into(), "the note holds a control character"),
        (&|c| c.alias = Some("442079".into()), "\"442079\" cannot be an alias"),
        (&|c| c.alias = Some("".into()), "cannot be an alias"),
        (&|c| c.alias = Some("a b".into()), "cannot be an alias"),
        (&|c| c.alias = Some("-a".into()), "cannot be an alias"),
        (&|c| c.alias = Some("Book".into()), "this address answers requests"),
        (&|c| c.tags = (0..21).map(|n| n.to_string()).collect(), "too many tags: at most 20"),
        (&subaddress("12a"), "a sub-address is 1 to 20 digits"),
        (&subaddress(""), "a sub-address is 1 to 20 digits"),
        (&|c| c.reach = Reach::List(vec![EntryId(1), EntryId(1)]), "names an entry twice"),
    ];
    for (spoil, want) in table {
        let mut content = good();
        spoil(&mut content);
        let bad = content.check().unwrap_err().to_string();
        assert!(bad.contains(want), "{bad}");
        let refused = Room::new().try_add("anna", "anna", Label::private(), content);
        assert!(matches!(refused, Err(Refused::Bad(_))), "{refused:?}");
    }
    assert_eq!(good().check(), Ok(()));
}

#[test]
fn an_owner_calls_two_entries_differently() {
    let mut room = Room::new();
    let content = |alias| fax("Acme", alias, "+442079460100");
    let id = room.add("anna", Label::private(), content("acme"));
    let refused = room.try_add("anna", "anna", Label::private(), content("ACME"));
    assert_eq!(refused, Err(Refused::AliasTaken("ACME".into())));
    // What another owner has does not matter, seen or not.
    room.add("bob", Label::private(), content("acme"));
    room.write("anna", &Order::Change { id, expected: None, content: content("Acme") }).unwrap();
    let add = |owner: &str| Order::Add {
        uid: "u1".into(),
        owner: Owner::Client(client(owner)),
        label: Label::private(),
        content: content(""),
    };
    assert_eq!(room.write("anna", &add("anna")), Err(Refused::UidTaken));
    room.write("bob", &add("bob")).unwrap();
    let of = |by| room.book.by_uid(&room.setup, &who(by), "u1").map(|s| s.entry.owner.to_string());
    assert_eq!(of("anna").as_deref(), Some("anna"));
    assert_eq!(of("bob").as_deref(), Some("bob"));
    assert_eq!(of("carl"), None);
}

#[test]
fn a_number_has_a_name_for_those_who_see_one() {
    let mut room = Room::new();
    let number = "+442079460100";
    room.add("supervisor", Label::Everyone, fax("Acme", "", number));
    room.add("anna", Label::private(), fax("Jim of Acme", "", number));
    let one = room.add("anna", Label::private(), fax("Fax", "f", number));
    room.add("anna", Label::private(), list("all", &[one]));
    let number = Number::try_from(number.to_owned()).unwrap();
    let names = |by| -> Vec<String> {
        let found = room.book.by_number(&room.setup, &who(by), &number);
        found.iter().map(|entry| entry.content.name.clone()).collect()
    };
    assert_eq!(names("anna"), ["Jim of Acme", "Fax"]);
    assert_eq!(names("bob"), ["Acme"]);
    assert_eq!(names("stranger"), [""; 0]);
}

#[test]
fn what_is_saved_is_what_is_read() {
    let mut room = Room::new();
    let mut content = fax("Acme", "acme", "+442079460100");
    content.tags.insert("roof".into());
    let first = room.add("anna", named(&["bob", "@london"]), content);
    room.add("supervisor", Label::Everyone, list("all", &[first]));
    let gone = room.add("anna", Label::private(), fax("Old", "", "+442079460100"));
    let removed = room.remove("anna", gone).unwrap();
    for entry in room.book.entries.values() {
        let saved = serde_json::to_string(&**entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&saved).unwrap(), **entry, "{saved}");
    }
    let tombstone = removed.tombstone.unwrap();
    let saved = serde_json::to_string(&tombstone).unwrap();
    assert_eq!(serde_json::from_str::<Tombstone>(&saved).unwrap(), tombstone);
    let saved = serde_json::to_string(&removed.noted).unwrap();
    assert_eq!(serde_json::from_str::<Noted>(&saved).unwrap(), removed.noted);
    // Another entry of the same name outside is not the same version of it.
    let etag = |id| room.book.get(&room.setup, &who("anna"), id).unwrap().entry.etag();
    assert_ne!(etag(first), removed.before.unwrap().etag());
}

#[test]
fn lists_that_name_each_other_by_the_thousand_are_not_followed_to_the_end() {
    let mut room = Room::new();
    // Each names a thousand others, which makes nine million members to follow.
    let entry = |at: u64| {
        let members: Vec<EntryId> = (at.saturating_sub(1000)..at).map(EntryId).collect();
        let content = match at {
            0 => fax("Acme", "", "+442079460100"),
            _ => list(&format!("l{at}"), &members),
        };
        Entry {
            id: EntryId(at),
            uid: at.to_string(),
            version: 1,
            stamp: Stamp(at),
            owner: Owner::Client(client("anna")),
            label: Label::private(),
            content,
        }
    };
    let entries = (0..MAX_OWNED as u64 - 1).map(entry).collect();
    room.book = Book::load(Saved { entries, ..Saved::default() });
    let last = format!("l{}", MAX_OWNED - 2);
    assert_eq!(room.numbers("anna", &last), Err(Unresolved::TooMany(last)), "before its end");
    assert_eq!(room.numbers("anna", "l300").unwrap().len(), 1);
    room.add("anna", Label::private(), list("top", &[EntryId(MAX_OWNED as u64 - 2)]));
}

#[test]
fn nobody_owns_more_than_the_limit() {
    let mut room = Room::new();
    let entry = |at: u64| Entry {
        id: EntryId(at),
        uid: at.to_string(),
        version: 1,
        stamp: Stamp(at),
        owner: Owner::Client(client("anna")),
        label: Label::private(),
        content: fax("x", "", "+442079460100"),
    };
    let entries = (0..MAX_OWNED as u64).map(entry).collect();
    room.book = Book::load(Saved { entries, ..Saved::default() });
    let content = fax("Acme", "", "+442079460100");
    let refused = room.try_add("anna", "anna", Label::private(), content.clone());
    assert_eq!(refused, Err(Refused::TooManyOwned));
    let id = room.add("bob", Label::private(), content);
    assert_eq!(id, EntryId(MAX_OWNED as u64));
}

#[test]
fn an_import_is_whole_or_nothing() {
    let mut room = Room::new();
    let id = room.add("anna", Label::private(), fax("Old", "old", "+442079460100"));
    let add = |uid: &str, alias: &str| Order::Add {
        uid: uid.into(),
        owner: Owner::Client(client("anna")),
        label: Label::private(),
        content: fax(alias, alias, "+442079460101"),
    };
    let change = Order::Change { id, expected: None, content: fax("X", "x", "+442079460102") };
    let remove = Order::Remove { id, expected: None };
    let write = |room: &Room, book: &mut Book, orders: &[Order]| {
        let anna = who("anna");
        book.write_all(&room.setup, &anna, orders, NOW).map(|all| all.len())
    };
    let bad = [add("i1", "a"), change.clone(), remove.clone(), add("i2", "A")];
    let refused = Err((3, Refused::AliasTaken("A".into())));
    let mut book = room.book.clone();
    assert_eq!(write(&room, &mut book, &bad), refused);
    let good = [add("i1", "a"), change, remove, add("i2", "b")];
    assert_eq!((book.len(), book.tombstones.len()), (1, 0));
    assert_eq!(write(&room, &mut book, &good), Ok(4));
    assert_eq!((room.names("anna", ""), room.book.tombstones.len()), (vec!["Old".to_owned()], 0));
    assert_eq!(room.numbers("anna", "old").unwrap(), ["+442079460100"]);
    room.book = book;
    assert_eq!(room.names("anna", ""), ["a", "b"]);
}

#[test]
fn what_has_changed_is_told_to_those_who_could_see_it() {
    let mut room = Room::new();
    let token = |room: &Room, by| room.book.token(&room.setup, &who(by));
    let since = |room: &Room, by, token| {
        let since = room.book.since(&room.setup, &who(by), token).unwrap();
        let changed: Vec<_> = since.changed.iter().map(|(_, e)| e.content.name.clone()).collect();
        let gone: Vec<_> = since.gone.iter().map(|one| one.uid.clone()).collect();
        (changed.join(" "), gone.join(" "))
    };
    let (anna, bob) = (token(&room, "anna"), token(&room, "bob"));
    let id = room.add("anna", Label::private(), fax("A", "", "+442079460100"));
    assert_eq!(since(&room, "anna", anna), ("A".into(), String::new()));
    // Bob learns nothing of it, not even that there was something.
    assert_eq!(token(&room, "bob"), bob);
    room.share("anna", id, Sharing::With(parties(&["bob", "@paris"]))).unwrap();
    assert_eq!(since(&room, "bob", bob), ("A".into(), String::new()));
    let bob = token(&room, "bob");
    // He still sees it through his group.
    room.share("anna", id, Sharing::NotWith(parties(&["bob"]))).unwrap();
    assert_eq!(since(&room, "bob", bob), ("A".into(), String::new()));
    room.share("anna", id, Sharing::Nobody).unwrap();
    assert_eq!(since(&room, "bob", bob), (String::new(), "u1".into()));
    let bob = token(&room, "bob");
    room.remove("anna", id).unwrap();
    assert_eq!(token(&room, "bob"), bob);
    assert_eq!(since(&room, "anna", anna), (String::new(), "u1".into()));
    let written = anna.to_string();
    assert_eq!((written.parse(), "x".parse::<SyncToken>()), (Ok(anna), Err(NoSuchToken)));
}

#[test]
fn what_has_gone_is_not_remembered_for_ever() {
    let mut room = Room::new();
    let first = room.book.token(&room.setup, &who("anna"));
    for _ in 0..=MAX_TOMBSTONES {
        let id = room.add("anna", Label::private(), fax("A", "", "+442079460100"));
        room.remove("anna", id).unwrap();
    }
    assert_eq!(room.book.tombstones.len(), MAX_TOMBSTONES);
    assert!(room.book.since(&room.setup, &who("anna"), first).is_err());
    // Whoever saw nothing of it starts over once, and then goes on.
    let bob = room.book.token(&room.setup, &who("bob"));
    assert!(room.book.since(&room.setup, &who("bob"), bob).is_ok());
    let line = Noted {
        id: EntryId(1),
        version: MAX_HISTORY + 3,
        at: NOW,
        by: who("anna"),
        what: What::Deleted,
    };
    assert_eq!(line.forgets(), 3);
}
