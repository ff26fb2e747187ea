//! Files that are imported: what is matched, what is refused, and what changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use postfax_domain::{
    book::{Line, Options},
    document::Resolution,
    names::ClientName,
};
use proptest::prelude::*;

use super::*;
use crate::requests::{
    BookReply,
    book::{Exported, export},
    samples,
};

const NOW: Timestamp = Timestamp(1_795_424_400_000);

fn british() -> Setup {
    Setup { country: "GB".parse().unwrap(), ..samples::setup() }
}

fn anna() -> Who {
    Who::Client(ClientName::new("anna").unwrap())
}

fn owner() -> Owner {
    Owner::Client(ClientName::new("anna").unwrap())
}

fn ask(text: &str) -> AskImport {
    let file = BASE64_STANDARD.encode(text);
    AskImport { file, format: None, owner: None, label: None, dry_run: false }
}

fn planned(book: &Book, text: &str) -> Planned {
    let keeper = (&owner(), &Label::private());
    plan(book, &british(), &anna(), &ask(text), keeper, NOW).unwrap()
}

/// Imports a file as anna, and returns what was said of it.
fn import(book: &mut Book, text: &str) -> Imported {
    let Planned { orders, imported, .. } = planned(book, text);
    assert_eq!(imported.errors, Vec::<String>::new(), "{text}");
    book.write_all(&british(), &anna(), &orders, NOW).unwrap();
    imported
}

fn errors(book: &Book, text: &str) -> Vec<String> {
    planned(book, text).imported.errors
}

fn own(book: &Book) -> Vec<Entry> {
    let mut all: Vec<Entry> =
        book.visible(&british(), &anna()).into_iter().map(|(_, e)| Entry::clone(e)).collect();
    all.sort_by_key(|entry| entry.id);
    all
}

const THUNDERBIRD: &str = "First Name,Last Name,Display Name,Nickname,Primary Email,Work Phone,\
    Fax Number,Organization,Notes\r\n\
    Anna,Adams,Anna Adams,acme,anna@acme.example,020 7946 0001,020 7946 0100,Acme Ltd,\"rings, twice\"\r\n\
    Ben,Bell,Ben Bell,Big Ben,ben@bell.example,,+44 (0)20 7946 0200,Bell plc,\r\n\
    Carl,Cork,Carl Cork,,carl@cork.example,020 7946 0003,,,\r\n";

#[test]
fn a_table_of_thunderbird_is_added_and_then_the_same() {
    let mut book = Book::default();
    let first = import(&mut book, THUNDERBIRD);
    assert_eq!((first.added.len(), first.changed.len(), first.same), (2, 0, 0));
    assert!(first.notes.iter().any(|n| n.contains("row 4 (\"Carl Cork\")")), "{:?}", first.notes);
    assert!(first.notes.iter().any(|n| n.contains("Work Phone")), "{:?}", first.notes);
    assert!(first.notes.iter().any(|n| n.contains("\"Big Ben\"")), "{:?}", first.notes);
    let entries = own(&book);
    assert_eq!(entries[0].content.alias.as_deref(), Some("acme"));
    assert_eq!(entries[0].content.kept, "N:Adams;Anna;;;\nEMAIL;TYPE=internet:anna@acme.example");
    let second = import(&mut book, THUNDERBIRD);
    assert_eq!((second.added.len(), second.changed.len(), second.same), (0, 0, 2));
    let third = import(&mut book, &THUNDERBIRD.replace("Acme Ltd", "Acme plc"));
    assert_eq!((third.added.len(), third.same), (0, 1));
    assert_eq!(third.changed[0].fields, ["company"]);
}

#[test]
fn a_file_empties_no_field() {
    let mut book = Book::default();
    import(&mut book, THUNDERBIRD);
    let before = own(&book);
    let again = import(&mut book, "Name,Fax\nAnna Adams,020 7946 0100\n");
    assert_eq!((again.added.len(), again.changed.len(), again.same), (0, 0, 1));
    assert_eq!(own(&book), before);
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_imported() {
    let mut book = Book::default();
    for (text, words) in [
        (
            "Name,Fax\nAcme,020 7946 0100\nBell,call us\n",
            vec!["row 3, column \"Fax\": \"call us\" is no number", "write the number with"],
        ),
        ("Name,Fax\nAcme,12\n", vec!["row 2 (\"Acme\"): the fax number \"12\" cannot be used"]),
        (
            "Name,Alias,Fax\nA,acme,02079460100\nB,ACME,02079460101\n",
            vec!["row 3 (\"B\"): \"ACME\" is the alias of another entry"],
        ),
        (
            "UID,Name,Fax\n1,A,02079460100\n1,B,02079460101\n",
            vec!["row 3 (\"B\"): it has the unique identifier of row 2 (\"A\")"],
        ),
        ("Name,Fax\nA,\"0207\n", vec!["row 2: a quote is opened", "put a cell in quotes"]),
        (
            "BEGIN:VCARD\nVERSION:3.0\nFN:A\nTEL;TYPE=FAX:02079460100\nEND:VCARD\nBEGIN:VCARD\nFN:B\n",
            vec!["line 6: the card that begins here has no end"],
        ),
        (
            "dn: cn=A\ncn: A\nfax: 02079460100\n\ncn: B\n",
            vec!["line 5: the record does not begin with `dn:`"],
        ),
    ] {
        let told = errors(&book, text);
        assert_eq!(told.len(), 1, "{told:?}");
        for words in words {
            assert!(told[0].contains(words), "{text}: {told:?}");
        }
    }
    let many: String = (0..300).map(|at| format!("N{at},x1y{at}2\n")).collect();
    let told = errors(&book, &format!("Name,Fax\n{many}"));
    assert_eq!(told.len(), MAX_TOLD + 1);
    assert_eq!(told[MAX_TOLD], "and 200 more errors");
    assert!(planned(&book, "Name,Fax\nAcme,020 7946 0100\n").orders.len() == 1);
    import(&mut book, "Name,Fax\nAcme,020 7946 0100\n");
    let keeper = (&Owner::Supervisor, &Label::Everyone);
    let public = plan(&book, &british(), &anna(), &ask("Name,Fax\nB,02079460101\n"), keeper, NOW);
    assert_eq!(public.err().map(|problem| problem.code), Some(Code::NotPermitted));
    let png = AskImport { file: BASE64_STANDARD.encode("\u{0}\u{1}png"), ..ask("") };
    let keeper = (&owner(), &Label::private());
    let refused = plan(&book, &british(), &anna(), &png, keeper, NOW).err().unwrap();
    assert_eq!(refused.code, Code::BadRequest);
}

#[test]
fn entries_are_matched_by_uid_then_alias_then_name_and_number() {
    let mut book = Book::default();
    import(
        &mut book,
        "UID,Name,Alias,Fax\nu1,Acme,acme,02079460100\nu2,Bell,bell,02079460101\nu3,Cork,,02079460102\n",
    );
    // One takes the alias of the other, which is named by its uid and has a new one.
    let file =
        "UID,Name,Alias,Fax\nu1,Acme,a2,02079460100\n,New,acme,02079460109\n,CORK,,02079460102\n";
    let told = import(&mut book, file);
    assert_eq!((told.added.len(), told.changed.len(), told.same), (1, 2, 0), "{told:?}");
    let names: BTreeMap<String, String> = own(&book)
        .into_iter()
        .map(|e| (e.content.name, e.content.alias.unwrap_or_default()))
        .collect();
    let names: Vec<(&str, &str)> = names.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(names, [("Acme", "a2"), ("Bell", "bell"), ("CORK", ""), ("New", "acme")]);
}

#[test]
fn lists_come_with_their_members_whatever_the_order() {
    let mut book = Book::default();
    let card = |uid: &str, name: &str, fax: &str| {
        format!(
            "BEGIN:VCARD\nVERSION:4.0\nUID:{uid}\nFN:{name}\nTEL;TYPE=\"work,fax\":{fax}\nEND:VCARD\n"
        )
    };
    let list = |uid: &str, name: &str, members: &[&str]| {
        let members: String = members.iter().map(|m| format!("MEMBER:urn:uuid:{m}\n")).collect();
        format!("BEGIN:VCARD\nVERSION:4.0\nKIND:group\nUID:{uid}\nFN:{name}\n{members}END:VCARD\n")
    };
    let file = list("l2", "All", &["l1", "b"])
        + &list("l1", "Some", &["a", "nobody", "without"])
        + &card("a", "A", "02079460100")
        + "BEGIN:VCARD\nVERSION:4.0\nUID:without\nFN:No fax\nEND:VCARD\n"
        + &card("b", "B", "02079460101");
    let told = import(&mut book, &file);
    assert_eq!(told.added.len(), 4);
    let strange: Vec<&String> = told.notes.iter().filter(|n| n.contains("neither")).collect();
    assert_eq!(strange.len(), 1, "{:?}", told.notes);
    assert!(strange[0].contains("1 member is") && strange[0].contains("nobody"), "{strange:?}");
    let by_name = |name: &str| own(&book).into_iter().find(|e| e.content.name == name).unwrap();
    let ids = |names: &[&str]| Reach::List(names.iter().map(|name| by_name(name).id).collect());
    assert_eq!(by_name("Some").content.reach, ids(&["A"]));
    assert_eq!(by_name("All").content.reach, ids(&["Some", "B"]));
    let again = import(&mut book, &file);
    assert_eq!((again.added.len(), again.changed.len(), again.same), (0, 0, 4));
    let told = errors(&Book::default(), &(list("l1", "X", &["l2"]) + &list("l2", "Y", &["l1"])));
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("would hold itself"), "{told:?}");
    // There already: they are made to hold each other.
    let told = errors(&book, &list("l1", "Some", &["l2"]));
    assert!(told[0].contains("would hold itself"), "{told:?}");
}

#[test]
fn others_are_not_matched_and_not_seen() {
    let mut book = Book::default();
    let setup = british();
    let bert = ClientName::new("bert").unwrap();
    let file = "UID,Name,Alias,Fax\nu1,Acme,acme,02079460100\n";
    let keeper = (&Owner::Client(bert.clone()), &Label::private());
    let berts = plan(&book, &setup, &Who::Client(bert), &ask(file), keeper, NOW).unwrap();
    book.write_all(&setup, &Who::Administrator, &berts.orders, NOW).unwrap();
    let told = import(&mut book, file);
    assert_eq!(told.added.len(), 1);
    assert_eq!(own(&book).len(), 1);
}

fn word() -> impl Strategy<Value = String> {
    "[A-Za-z0-9;,:\\\\\"'=+@$ äß日\\n]{0,12}".prop_map(|text| text.trim().to_owned())
}

fn content(at: usize) -> impl Strategy<Value = Content> {
    let options =
        (prop::option::of(any::<bool>()), 0..4_usize).prop_map(|(cover, lines)| Options {
            cover,
            resolution: [
                None,
                Some(Resolution::Standard),
                Some(Resolution::Fine),
                Some(Resolution::Superfine),
            ][lines],
        });
    let line = ("[1-9][0-9]{6}", prop::option::of("[0-9]{1,5}"), options).prop_map(
        |(digits, subaddress, options)| {
            let number = format!("+4420{digits}").try_into().unwrap();
            Line { number, subaddress, options }
        },
    );
    let kept = prop::sample::select(vec![
        "",
        "ADR:;;1 High St;London;;;",
        "N:Adams;Anna;Q.;Dr.;",
        "EMAIL;TYPE=home:a@example.com\nEMAIL:b@example.com",
        "TEL;TYPE=fax:0",
        "TEL;TYPE=fax;TYPE=home:0",
        "TEL;TYPE=fax;TYPE=home:+44 20 7946 0111\nTEL;TYPE=fax;TYPE=pref;TYPE=work:0",
        "NICKNAME:Big Bob,other\nORG:;Sales;Export",
    ]);
    let tags = prop::collection::btree_set("[a-z;,äß]{1,6}", 0..3);
    (word(), word(), any::<bool>(), word(), tags, line, kept).prop_map(
        move |(name, company, has_alias, note, tags, line, kept)| {
            let plain = |text: String| text.replace('\n', " ");
            let content = Content {
                // Two with one name and number are one to a table.
                name: format!("{at} {}", plain(name)).trim().to_owned(),
                company: plain(company),
                alias: has_alias.then(|| format!("a{at}")),
                note,
                tags,
                reach: Reach::Fax(line),
                kept: kept.to_owned(),
            };
            contact::settled(content, &british())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_exported_changes_nothing_when_it_is_imported(
        contents in (content(0), content(1), content(2), content(3)),
        lists in prop::collection::vec(prop::collection::btree_set(0..4_usize, 1..4), 0..3),
    ) {
        let (setup, mut book) = (british(), Book::default());
        let (a, b, c, d) = contents;
        let add = |book: &mut Book, at: usize, content: Content| {
            let uid = format!("u-{at}");
            let order = Order::Add { uid, owner: owner(), label: Label::private(), content };
            book.write(&setup, &anna(), &order, NOW).unwrap().id
        };
        let ids: Vec<EntryId> =
            [a, b, c, d].into_iter().enumerate().map(|(at, c)| add(&mut book, at, c)).collect();
        for (at, members) in lists.into_iter().enumerate() {
            let content = Content {
                name: format!("List {at}"),
                company: String::new(),
                alias: Some(format!("list-{at}")),
                note: "of\nsome".into(),
                tags: BTreeSet::new(),
                reach: Reach::List(members.into_iter().map(|at| ids[at]).collect()),
                kept: String::new(),
            };
            add(&mut book, 10 + at, content);
        }
        let before = own(&book);
        for format in [FileFormat::Vcard3, FileFormat::Vcard4, FileFormat::Csv, FileFormat::Ldif] {
            let BookReply::Exported { text, count, .. } =
                export(&book, &setup, &anna(), format, Exported::Own)
            else { panic!() };
            prop_assert_eq!(count, before.len());
            let keeper = (&owner(), &Label::private());
            let ask = AskImport { format: Some(format), ..ask(&text) };
            let Planned { orders, imported, .. } =
                plan(&book, &setup, &anna(), &ask, keeper, NOW).unwrap();
            prop_assert_eq!(&imported.errors, &Vec::<String>::new(), "{}", text);
            prop_assert_eq!(orders, vec![], "{:?}\n{}", imported.changed, text);
            prop_assert_eq!(imported.same, before.len());
            // Into an empty book it comes as it was, as far as the format holds it.
            let mut other = Book::default();
            let planned = plan(&other, &setup, &anna(), &ask, keeper, NOW).unwrap();
            prop_assert_eq!(&planned.imported.errors, &Vec::<String>::new(), "{}", text);
            other.write_all(&setup, &anna(), &planned.orders, NOW).unwrap();
            prop_assert_eq!(other.len(), before.len());
            let again = plan(&other, &setup, &anna(), &ask, keeper, NOW).unwrap();
            prop_assert_eq!(again.orders, vec![], "{:?}\n{}", again.imported.changed, text);
            if matches!(format, FileFormat::Vcard3 | FileFormat::Vcard4) {
                let all: Vec<Entry> = own(&other);
                for (entry, was) in all.iter().zip(&before) {
                    prop_assert_eq!(&entry.content, &was.content);
                    prop_assert_eq!(&entry.uid, &was.uid);
                }
            }
        }
    }
}

/// Figures for the notes: `cargo test --bin postfax -- --ignored --nocapture ten_thousand`.
#[test]
#[ignore = "it measures"]
fn ten_thousand_entries_are_planned_and_written() {
    let setup = british();
    let rows: String = (0..10_000)
        .map(|at| format!("n{at},Sons Ltd,a{at}x,+4420{},a note\n", 20_000_000 + at))
        .collect();
    let text = format!("Name,Company,Alias,Fax,Note\n{rows}");
    let mut book = Book::default();
    for what in ["new", "the same"] {
        let begin = std::time::Instant::now();
        let Planned { orders, imported, .. } = planned(&book, &text);
        let planned = begin.elapsed();
        assert_eq!(imported.errors, Vec::<String>::new());
        let begin = std::time::Instant::now();
        book.write_all(&setup, &anna(), &orders, NOW).unwrap();
        println!(
            "{what}: {} orders, planned in {planned:?}, written in {:?}",
            orders.len(),
            begin.elapsed()
        );
    }
}

#[test]
fn aliases_go_from_one_entry_to_another_in_one_file() {
    let mut book = Book::default();
    let rows = |aliases: [&str; 3]| {
        let row = |at: usize| format!("u{at},Name {at},{},020 7946 010{at},\r\n", aliases[at]);
        format!("UID,Name,Alias,Fax 1,Lists\r\n{}{}{}", row(0), row(1), row(2))
    };
    import(&mut book, &rows(["acme", "bell", "cork"]));
    for aliases in [["bell", "acme", "cork"], ["cork", "bell", "acme"], ["acme", "cork", "bell"]] {
        let said = import(&mut book, &rows(aliases));
        assert_eq!(said.added.len(), 0, "{aliases:?}");
        let now = own(&book).into_iter().map(|entry| entry.content.alias.unwrap());
        assert_eq!(now.collect::<Vec<_>>(), aliases);
        assert_eq!(import(&mut book, &rows(aliases)).same, 3);
    }
    // A new entry may have the old alias of one that stands below it, and its list holds it.
    let table = "UID,Name,Alias,Fax 1,Lists\r\n,New,acme,020 7946 0109,Boards\r\n\
                 u0,Name 0,amber,020 7946 0100,Boards\r\n";
    assert_eq!(import(&mut book, table).added.len(), 2);
    let all = own(&book);
    let id =
        |alias: &str| all.iter().find(|e| e.content.alias.as_deref() == Some(alias)).unwrap().id;
    let list = all.iter().find(|entry| entry.content.name == "Boards").unwrap();
    assert_eq!(list.content.reach, Reach::List(vec![id("acme"), id("amber")]));
    // What nobody gives up is refused as before.
    let taken = "UID,Name,Alias,Fax 1\r\nu1,Name 1,amber,020 7946 0101\r\n";
    assert_eq!(errors(&book, taken).len(), 1);
}

#[test]
fn a_table_that_a_spreadsheet_has_saved_changes_no_number() {
    let mut book = Book::default();
    let row = |number: &str| format!("UID,Name,Alias,Fax 1\r\nu1,Berlin,berlin,{number}\r\n");
    import(&mut book, &row("+4930901820"));
    let number = |book: &Book| match &own(book)[0].content.reach {
        Reach::Fax(line) => line.number.to_string(),
        Reach::List(_) => String::new(),
    };
    assert_eq!(import(&mut book, &row("4930901820")).same, 1);
    assert_eq!(number(&book), "+4930901820");
    // Found by its alias as well; another number is another number.
    let by_alias = "Name,Alias,Fax 1\r\nBerlin,berlin,4930901820\r\n";
    assert_eq!(import(&mut book, by_alias).same, 1);
    assert_eq!(import(&mut book, &row("+4930901821")).changed.len(), 1);
    assert_eq!(number(&book), "+4930901821");
    assert_eq!(import(&mut book, &row("020 7946 0100")).changed.len(), 1);
    assert_eq!(number(&book), "+442079460100");
}
