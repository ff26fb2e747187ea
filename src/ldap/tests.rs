//! The LDAP door against everything that could come in, and the fast way of a search
//! against the plain one.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::{Duration, Instant},
};

use postfax_domain::{
    authority::Who,
    book::{
        Book, Column, Content, Entry, EntryId, Label, Line, MAX_FOUND, Owner, Reach, Saved, Stamp,
    },
    dial::Party,
    names::{ClientName, GroupName},
    number::{Number, Pattern},
    quota::Quota,
    retry::RetryRules,
    setup::{Client, JobLimits, Receipts, Receive, Setup},
};
use proptest::prelude::*;

use super::{
    ber,
    dn::Name,
    filter::{Truth, tests::filter},
    frame::{self, BadMessage, Scope, Search, What},
    object::{Object, Place, Seen, View},
    plan::{Cover, cover},
    schema::Code,
    search::{Bounds, Found, Way, nothing_there, search},
};

/// A search with this filter, as it goes over the wire.
pub(super) fn search_message(filter: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::tagged(&mut out, ber::SEQUENCE, |out| {
        out.extend([2, 1, 1]);
        ber::tagged(out, 0x63, |out| {
            out.extend([4, 0, 10, 1, 2, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0]);
            out.extend_from_slice(filter);
            out.extend([0x30, 0]);
        });
    });
    out
}

fn client(name: &str) -> ClientName {
    ClientName::new(name).unwrap()
}

/// Anna is in a group, bob is not.
fn setup() -> Setup {
    let london = GroupName::new("london").unwrap();
    let member = |groups: BTreeSet<GroupName>| Client {
        mail: vec![Pattern::new("a@example.com")],
        groups,
        grants: vec![],
        receive: Receive::default(),
        receipts: Receipts::Always,
        quota: Quota::default(),
    };
    Setup {
        domain: "fax.example.com".into(),
        country: "GB".parse().unwrap(),
        postmaster: "it@example.com".into(),
        groups: [(london.clone(), Default::default())].into(),
        servers: Default::default(),
        clients: [
            (client("anna"), member([london].into())),
            (client("bob"), member(BTreeSet::new())),
        ]
        .into(),
        roles: Default::default(),
        dial: vec![],
        routes: vec![],
        webhooks: Default::default(),
        retry: RetryRules::default(),
        limits: JobLimits::default(),
    }
}

const NAMES: [&str; 16] = [
    "Acme Ltd",
    "Ab",
    "O'Brien & Co",
    "Müller",
    "straße 12",
    "Fax Example",
    "12 34",
    "T33S",
    "  Bell   Acme ",
    "com",
    "ΟΔΟΣ",
    "e\u{301}cole",
    "x",
    "東京ファクス",
    "ltd",
    "+44",
];

/// More entries than one search of the book returns, so that it is cut off for some.
fn entries() -> Vec<Entry> {
    let name = |at: usize| NAMES[at % NAMES.len()];
    let entry = |at: usize| {
        let alias = match at % 5 {
            0 => None,
            1 => Some(format!("müller-{at}")),
            2 => Some(format!("o-b.{at}")),
            // No address has it: that of the number stands for it.
            3 => Some(format!("x..{at}.")),
            _ => Some(format!("{}{at}", ["acme", "fax", "t33s", "x"][at % 4])),
        };
        let line = Line {
            number: Number::try_from(format!("+442079{:06}", at * 97 % 1_000_000)).unwrap(),
            subaddress: at.is_multiple_of(3).then(|| format!("{}", 4300 + at % 50)),
            options: Default::default(),
        };
        let named: BTreeSet<Party> = match at % 7 {
            0 => [Party::Group(GroupName::new("london").unwrap())].into(),
            1 => [Party::Client(client("bob"))].into(),
            _ => BTreeSet::new(),
        };
        let is_list = at.is_multiple_of(11) && at > 2;
        Entry {
            id: EntryId(at as u64),
            // One that each owner has.
            uid: if [0, 3, 5].contains(&at) { "same".into() } else { format!("uid-{at}") },
            version: 1,
            stamp: Stamp(1_700_000_000_000 + at as u64),
            owner: match at % 4 {
                0 => Owner::Supervisor,
                1 => Owner::Client(client("bob")),
                _ => Owner::Client(client("anna")),
            },
            label: if at.is_multiple_of(4) { Label::Everyone } else { Label::Named(named) },
            content: Content {
                name: format!("{} {}", name(at), name(at / 16)),
                company: if at.is_multiple_of(2) { name(at / 3).into() } else { String::new() },
                alias: alias.filter(|_| !is_list || !at.is_multiple_of(5)),
                note: if at.is_multiple_of(9) { "Ask for Bell".into() } else { String::new() },
                tags: [name(at / 7).trim().to_owned()].into(),
                reach: if is_list {
                    Reach::List(vec![EntryId(at as u64 - 1), EntryId(at as u64 - 2)])
                } else {
                    Reach::Fax(line)
                },
                kept: String::new(),
            },
        }
    };
    (0..2600).map(entry).collect()
}

fn view(who: Who) -> View {
    static BOOK: OnceLock<Arc<Book>> = OnceLock::new();
    let book = BOOK.get_or_init(|| {
        let next = entries().len() as u64;
        let saved = Saved { entries: entries(), next, ..Saved::default() };
        Arc::new(Book::load(saved))
    });
    let place = Place::new(&[("dc".into(), "fax".into()), ("dc".into(), "example".into())]);
    View { book: book.clone(), setup: Arc::new(setup()), who, place: Arc::new(place) }
}

fn asked(base: &str, scope: Scope, text: &str) -> Search {
    Search {
        base: base.into(),
        scope,
        size_limit: 0,
        time_limit_s: 0,
        types_only: false,
        filter: filter(text),
        attributes: vec![],
    }
}

fn bounds(entries: usize) -> Bounds {
    let until = Instant::now() + Duration::from_secs(600);
    let quick = Duration::from_secs(600);
    Bounds { entries, until, quick, abandoned: Arc::new(AtomicBool::new(false)) }
}

fn ids(objects: &[Object]) -> BTreeSet<EntryId> {
    let id = |object: &Object| match object {
        Object::Entry(entry) => Some(entry.id),
        _ => None,
    };
    objects.iter().filter_map(id).collect()
}

const PARTS: [&str; 38] = [
    "a", "ac", "acme", "acme l", " ltd", "b", "o'b", "bri", "müller", "mu", "ss", "stra", "é",
    "école", "οδος", "東京", "京フ", "12", "2 3", "34", "+44", "4420", "007", "4312", "43", "33",
    "t33s", "fax", "example", "@fax", "e@f", "com", "-", "s 12", "44", "4420", "ltd", "0",
];

fn texts() -> impl Strategy<Value = String> {
    const KINDS: [&str; 16] = [
        "cn",
        "sn",
        "givenName",
        "displayName",
        "mail",
        "o",
        "fax",
        "telephoneNumber",
        "description",
        "mozillaNickname",
        "uid",
        "businessCategory",
        "objectClass",
        "nothing",
        "member",
        "title",
    ];
    let part = || prop::sample::select(&PARTS[..]);
    let value = prop_oneof![
        part().prop_map(str::to_owned),
        part().prop_map(|a| format!("{a}*")),
        part().prop_map(|a| format!("*{a}*")),
        part().prop_map(|a| format!("*{a}")),
        (part(), part()).prop_map(|(a, b)| format!("*{a}*{b}*")),
        (part(), part()).prop_map(|(a, b)| format!("{a}*{b}")),
        Just("*".to_owned()),
        Just("inetOrgPerson".to_owned()),
        Just("acme3@fax.example.com".to_owned()),
    ];
    let sign = prop_oneof![8 => Just("="), 1 => Just(">="), 1 => Just("<="), 1 => Just("~=")];
    let item = (prop::sample::select(&KINDS[..]), sign, value).prop_map(|(kind, sign, value)| {
        let value = if sign == "=" { value } else { value.replace('*', "a") };
        format!("({kind}{sign}{value})")
    });
    item.prop_recursive(3, 10, 4, |inner| {
        let many = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            many().prop_map(|all| format!("(&{})", all.concat())),
            many().prop_map(|all| format!("(|{})", all.concat())),
            inner.clone().prop_map(|one| format!("(!{one})")),
        ]
    })
}

/// Filters as mail clients write them, which ask for the same in several attributes: often
/// for what stands in every entry, but not there.
fn mail_client_filters() -> impl Strategy<Value = String> {
    const ATTRIBUTES: &[&[&str]] = &[
        &["cn", "mail", "givenName", "sn"],
        &["mail", "cn", "sn", "givenName", "displayName"],
        &["cn", "o", "mozillaNickname"],
        &["mail"],
        &["mozillaNickname", "businessCategory"],
        &["o", "fax"],
    ];
    let part = || prop::sample::select(&PARTS[..]);
    let value = prop_oneof![
        part().prop_map(|a| format!("{a}*")),
        part().prop_map(|a| format!("*{a}*")),
        (part(), part()).prop_map(|(a, b)| format!("*{a}*{b}*")),
    ];
    let attributes = prop::sample::select(ATTRIBUTES);
    (attributes, value, any::<bool>()).prop_map(|(attributes, value, people)| {
        let items: String = attributes.iter().map(|one| format!("({one}={value})")).collect();
        if people { format!("(&(mail=*)(|{items}))") } else { format!("(|{items})") }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_way_finds_what_the_plain_one_does(
        text in prop_oneof![texts(), mail_client_filters()],
        who in prop::sample::select(&["anna", "bob"][..]),
        limit in prop_oneof![Just(10_000_usize), 0..60_usize],
    ) {
        let view = view(Who::Client(client(who)));
        let wanted = filter(&text);
        let matching = |entry: &Arc<Entry>| {
            let object = Object::Entry(entry.clone());
            wanted.holds(&Seen { object: &object, view: &view }) == Truth::True
        };
        let plain = view.book.visible(&view.setup, &view.who);
        let plain: BTreeSet<EntryId> =
            plain.into_iter().filter(|(_, e)| matching(e)).map(|(_, e)| e.id).collect();
        let asked = asked("ou=book,dc=fax,dc=example", Scope::One, &text);
        for way in [Way::Fast, Way::Whole] {
            let Some(found) = search(&view, &asked, &bounds(limit), way) else {
                prop_assert_eq!(way, Way::Fast);
                continue;
            };
            let got = ids(&found.objects);
            prop_assert_eq!(got.len(), found.objects.len(), "{} twice", &text);
            prop_assert!(got.is_subset(&plain), "{} finds too much", &text);
            prop_assert_eq!(got.len(), plain.len().min(limit), "{}", &text);
            let code = if plain.len() > limit { Code::SizeLimitExceeded } else { Code::Success };
            prop_assert_eq!(found.done.code, code);
        }
    }

    #[test]
    fn whatever_comes_in_is_read_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        text in texts(),
    ) {
        let _ = frame::first(&octets, 1000);
        let _ = frame::read(&octets);
        // A good message with something else in it.
        let good = message(&text);
        prop_assert!(frame::read(&good).is_ok());
        for cut in [&good[..at.index(good.len())], &good[at.index(good.len())..]] {
            let _ = frame::read(cut);
        }
        let mut bad = good.clone();
        for octet in octets.iter().take(4) {
            let place = (at.index(good.len()) + usize::from(*octet)) % good.len();
            bad[place] = *octet;
            if let Ok(Some(length)) = frame::first(&bad, 100_000) {
                prop_assert!((2..=100_000).contains(&length));
            }
            let _ = frame::read(&bad);
        }
    }
}

/// The message of a search for this filter.
fn message(text: &str) -> Vec<u8> {
    let mut inner = Vec::new();
    super::filter::tests::put(&mut inner, text);
    search_message(&inner)
}

#[test]
fn lengths_are_bounded_before_anything_is_kept() {
    for (octets, wanted) in [
        (&b""[..], Ok(None)),
        (&[0x30], Ok(None)),
        (&[0x30, 5], Ok(Some(7))),
        (&[0x30, 0x82, 1], Ok(None)),
        (&[0x30, 0x82, 1, 0], Ok(Some(260))),
        (&[0x30, 0x82, 4, 0], Err(BadMessage::TooLong)),
        (&[0x30, 0x84, 0x80, 0, 0, 0], Err(BadMessage::TooLong)),
        (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Err(BadMessage::TooLong)),
        (&[0x30, 0x88, 0xff], Err(BadMessage::TooLong)),
        (&[0x30, 0x80], Err(BadMessage::NotLdap)),
        (b"GET / HTTP/1.1", Err(BadMessage::NotLdap)),
        (&[0x16, 3, 1], Err(BadMessage::NotLdap)),
    ] {
        assert_eq!(frame::first(octets, 1000), wanted, "{octets:x?}");
    }
}

#[test]
fn filters_are_not_deeper_than_they_may_be() {
    for (depth, good) in [(20, true), (100, false), (30_000, false)] {
        let mut nested = vec![0x87, 2, b'c', b'n'];
        for _ in 0..depth {
            let mut outer = Vec::new();
            ber::tagged(&mut outer, 0xa2, |out| out.extend_from_slice(&nested));
            nested = outer;
        }
        assert_eq!(frame::read(&search_message(&nested)).is_ok(), good, "{depth}");
    }
    // Lengths without end, one in the other.
    let endless = [0x30, 0x80].repeat(20_000);
    assert!(frame::read(&endless).is_err());
}

#[test]
fn ways_to_log_in_that_nobody_knows_are_refused_and_no_more() {
    let sicily = b"\x30\x0c\x02\x01\x05\x60\x07\x02\x01\x03\x04\x00\x8a\x00";
    let read = frame::read(sicily).unwrap();
    assert_eq!(read.id, 5);
    assert!(matches!(read.what, What::Bind { version: 3, .. }));
}

#[test]
fn what_is_hidden_is_as_what_is_not_there() {
    let base = |uid: &str| format!("uid={uid},ou=book,dc=fax,dc=example");
    // Entry 6 is anna's alone.
    let (anna, bob) = (view(Who::Client(client("anna"))), view(Who::Client(client("bob"))));
    let look = |view: &View, uid: &str, way| {
        search(view, &asked(&base(uid), Scope::Base, "(objectClass=*)"), &bounds(10), way)
    };
    for way in [Way::Fast, Way::Whole] {
        assert_eq!(ids(&look(&anna, "uid-6", way).unwrap().objects), [EntryId(6)].into());
        let hidden = look(&bob, "uid-6", way).unwrap();
        let unknown = look(&bob, "uid-999999", way).unwrap();
        assert_eq!(hidden, unknown);
        let name = Name::read(&base("x")).unwrap();
        assert_eq!(hidden, Found::nothing(nothing_there(&bob, &name)));
        let stranger = look(&view(Who::Stranger), "uid-6", way).unwrap();
        assert_eq!(stranger.done.code, Code::InsufficientAccessRights);
    }
}

#[test]
fn every_entry_has_a_name_that_leads_to_it_alone() {
    let view = view(Who::Client(client("anna")));
    let mut names = BTreeSet::new();
    for (_, entry) in view.book.visible(&view.setup, &view.who) {
        let object = Object::Entry(entry.clone());
        let name = Seen { object: &object, view: &view }.name();
        if entry.uid == "same" {
            let found = search(&view, &asked(&name, Scope::Base, "(cn=*)"), &bounds(9), Way::Whole);
            assert_eq!(ids(&found.unwrap().objects), [entry.id].into(), "{name}");
        }
        assert!(names.insert(name.clone()), "{name}");
    }
    assert!(names.iter().any(|name| name.starts_with("entryUUID=")), "two have one identifier");
}

#[test]
fn a_search_ends_when_its_time_is_over() {
    let view = view(Who::Client(client("anna")));
    let asked = asked("dc=fax,dc=example", Scope::Sub, "(description=nowhere)");
    let over = Bounds { until: Instant::now(), ..bounds(10) };
    let found = search(&view, &asked, &over, Way::Whole).unwrap();
    assert_eq!(found.done.code, Code::TimeLimitExceeded);
}

#[test]
fn what_mail_clients_ask_goes_the_fast_way() {
    use Column::{Address, Company, Name, Other};
    let domain = "fax.example.com";
    let person = &[Name, Address][..];
    for (text, wanted) in [
        ("(|(cn=*ac*me*)(mail=*ac*me*)(givenName=*ac*me*)(sn=*ac*me*))", Some(("ac me", person))),
        ("(|(cn=bel*)(mail=bel*)(sn=bel*))", Some(("bel", person))),
        ("(&(objectClass=person)(|(cn=bel*)(sn=bel*)))", Some(("bel", &[Name]))),
        (
            "(&(mail=*)(|(mail=bel*)(|(cn=bel*)(|(sn=bel*)(givenName=bel*)))))",
            Some(("bel", person)),
        ),
        ("(|(cn=*44*)(mail=*44*))", Some(("44", person))),
        ("(mail=acme@fax.example.com)", Some(("acme", &[Address]))),
        ("(|(o=bel)(mozillaNickname=bel))", Some(("bel", &[Address, Company]))),
        ("(fax=*20 79*)", Some(("2079", &[Other]))),
        ("(nothing=a)", Some(("", &[]))),
        ("(mail=*exam*)", None),
        ("(description=*bel*)", None),
        ("(!(cn=bel))", None),
        ("(cn=*)", None),
    ] {
        let wanted = wanted.map_or(Cover::All, |(words, columns)| {
            let texts = [(words.to_owned(), columns.iter().copied().collect())].into_iter();
            Cover::Found(texts.filter(|(words, _)| !words.is_empty()).collect())
        });
        assert_eq!(cover(&filter(text), domain), wanted, "{text}");
    }
}

#[test]
fn what_stands_in_every_entry_but_not_where_it_is_asked_for_is_found_the_fast_way() {
    let view = view(Who::Client(client("anna")));
    for text in [
        "(|(cn=*44*)(mail=*44*)(givenName=*44*)(sn=*44*))",
        "(|(cn=*4420*)(mozillaNickname=*4420*))",
        "(o=*44*)",
    ] {
        let asked = asked("ou=book,dc=fax,dc=example", Scope::One, text);
        let cut_off = view.book.find(&view.setup, &view.who, "44", MAX_FOUND).len();
        assert_eq!(cut_off, MAX_FOUND, "or the test tests nothing");
        let [fast, whole] =
            [Way::Fast, Way::Whole].map(|way| search(&view, &asked, &bounds(10_000), way));
        let holds = |entry: &&Arc<Entry>| {
            let object = Object::Entry(Arc::clone(entry));
            asked.filter.holds(&Seen { object: &object, view: &view }) == Truth::True
        };
        let visible = view.book.visible(&view.setup, &view.who);
        let wanted = visible.iter().map(|(_, entry)| *entry).filter(holds).map(|e| e.id).collect();
        assert_eq!(ids(&fast.unwrap().objects), wanted, "{text}");
        assert_eq!(ids(&whole.unwrap().objects), wanted, "{text}");
    }
}
