//! What is asked of the phone book of the samples, by anna, bert and the administrator.

use postfax_domain::{audit::Asker, dial::Party, names::ClientName};

use super::*;
use crate::requests::{
    Ask, answer,
    book::{CoverChoice, EntryRow, ResolutionChoice},
    fake::Fake,
    samples,
};

fn asker(name: &str) -> Asker {
    let who = match name {
        "admin" => Who::Administrator,
        name => Who::Client(ClientName::new(name).unwrap()),
    };
    Asker { who, ..samples::administrator() }
}

async fn told(fake: &Fake, name: &str, ask: AskBook) -> Result<BookReply, Problem> {
    match answer(fake, &asker(name), Ask::Book(ask)).await {
        Reply::Book(reply) => Ok(*reply),
        Reply::Problem(problem) => Err(problem),
        other => panic!("{other:?}"),
    }
}

fn fields(name: &str, number: &str, alias: &str) -> Fields {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Fields { name: some(name), number: some(number), alias: some(alias), ..Fields::default() }
}

async fn add(fake: &Fake, name: &str, fields: Fields) -> EntrySheet {
    let ask = AskBook::Add { fields: Box::new(fields), owner: None, label: None };
    sheet(told(fake, name, ask).await.unwrap())
}

fn sheet(reply: BookReply) -> EntrySheet {
    match reply {
        BookReply::Entry(sheet) => *sheet,
        other => panic!("{other:?}"),
    }
}

async fn find(fake: &Fake, name: &str, text: &str) -> Vec<EntryRow> {
    let ask = AskBook::Find { text: text.into(), limit: None };
    match told(fake, name, ask).await.unwrap() {
        BookReply::Entries { entries, .. } => entries,
        other => panic!("{other:?}"),
    }
}

async fn show(fake: &Fake, name: &str, entry: &str) -> Result<EntrySheet, Problem> {
    told(fake, name, AskBook::Show { entry: entry.into() }).await.map(sheet)
}

fn change(entry: &str, version: Option<u64>, fields: Fields) -> AskBook {
    AskBook::Change { entry: entry.into(), version, fields: Box::new(fields) }
}

#[tokio::test]
async fn an_entry_is_added_named_changed_and_deleted() {
    let fake = Fake::default();
    let more = Fields {
        subaddress: Some("12".into()),
        cover: Some(CoverChoice::No),
        resolution: Some(ResolutionChoice::Superfine),
        note: Some(" rings twice \n".into()),
        ..fields("Acme", "01 40 00 00 00", "acme")
    };
    let added = add(&fake, "anna", more).await;
    let entry = &added.entry;
    assert_eq!(entry.address, "acme@fax.example.com");
    assert_eq!((entry.rank, entry.version, entry.may_change), (Rank::Own, 1, true));
    assert_eq!((entry.cover, entry.note.as_str()), (Some(false), "rings twice"));
    assert_eq!(entry.label, Some(Label::private()));
    assert_eq!(added.history[0].what, "added");
    for word in ["ACME", &entry.uid, "+33 1 40 00 00 00", "0140000000", " acme "] {
        assert_eq!(show(&fake, "anna", word).await.unwrap().entry.uid, entry.uid, "{word}");
    }
    let told_of = sheet(
        told(&fake, "anna", change("acme", Some(1), fields("", "0140000001", ""))).await.unwrap(),
    );
    assert_eq!(told_of.entry.number.unwrap().as_str(), "+33140000001");
    assert_eq!(told_of.entry.subaddress.as_deref(), Some("12"), "it was not to be different");
    assert_eq!(told_of.history[0].what, "changed: number or members");
    // What says the same is no change.
    let same = told(&fake, "anna", change("acme", None, fields("Acme", "", ""))).await.unwrap();
    assert_eq!(sheet(same).entry.version, 2);
    let stale = told(&fake, "anna", change("acme", Some(1), fields("B", "", ""))).await;
    let stale = stale.unwrap_err();
    assert_eq!((stale.code, stale.version), (Code::Stale, Some(2)));
    let delete = |version| AskBook::Delete { entry: "acme".into(), version };
    assert_eq!(told(&fake, "anna", delete(Some(1))).await.unwrap_err().code, Code::Stale);
    let deleted = told(&fake, "anna", delete(Some(2))).await.unwrap();
    assert_eq!(deleted, BookReply::Deleted { uid: entry.uid.clone(), name: "Acme".into() });
    assert_eq!(show(&fake, "anna", "acme").await.unwrap_err().code, Code::NoSuchEntry);
}

#[tokio::test]
async fn what_is_not_for_somebody_is_not_there() {
    let fake = Fake::default();
    let added = add(&fake, "anna", fields("Acme", "0140000000", "acme")).await;
    let uid = added.entry.uid.clone();
    assert_eq!(find(&fake, "bert", "").await, []);
    for word in ["acme", &uid, "0140000000"] {
        for ask in [
            AskBook::Show { entry: word.into() },
            change(word, Some(7), fields("B", "", "")),
            AskBook::Share { entry: word.into(), version: None, with: Sharing::Everyone },
            AskBook::Delete { entry: word.into(), version: Some(9) },
        ] {
            let hidden = told(&fake, "bert", ask.clone()).await.unwrap_err();
            let nothing = told(&Fake::default(), "bert", ask).await.unwrap_err();
            assert_eq!(hidden, nothing, "word for word");
            assert_eq!(hidden.code, Code::NoSuchEntry);
        }
    }
    // Shared, it is there; its label and its history are not.
    let bert: std::collections::BTreeSet<Party> =
        [Party::Client(ClientName::new("bert").unwrap())].into();
    let share = |with| AskBook::Share { entry: "acme".into(), version: None, with };
    told(&fake, "anna", share(Sharing::With(bert.clone()))).await.unwrap();
    let seen = show(&fake, "bert", "acme").await.unwrap();
    assert_eq!((seen.entry.rank, seen.entry.may_change), (Rank::Shared, false));
    assert_eq!((seen.entry.label, seen.history), (None, vec![]));
    assert_eq!(seen.entry.owner.unwrap().as_str(), "anna");
    for ask in [
        change("acme", None, fields("B", "", "")),
        // What it says is not even looked at.
        change("acme", None, fields("", "no number", "")),
        share(Sharing::Nobody),
        AskBook::Delete { entry: "acme".into(), version: None },
    ] {
        assert_eq!(told(&fake, "bert", ask).await.unwrap_err().code, Code::NotPermitted);
    }
    told(&fake, "anna", share(Sharing::NotWith(bert))).await.unwrap();
    assert_eq!(show(&fake, "bert", &uid).await.unwrap_err().code, Code::NoSuchEntry);
    assert_eq!(show(&fake, "admin", &uid).await.unwrap().history.len(), 3);
}

#[tokio::test]
async fn an_ambiguous_alias_is_refused_with_those_that_the_asker_sees() {
    let fake = Fake::default();
    let anna: std::collections::BTreeSet<Party> =
        [Party::Client(ClientName::new("anna").unwrap())].into();
    for (owner, label) in [
        (Some(Keeper::Public), Label::Everyone),
        (Some(Keeper::Client(ClientName::new("bert").unwrap())), Label::Named(anna)),
    ] {
        let company = Some(format!("Of {owner:?}").chars().take(9).collect());
        let fields = Fields { company, ..fields("Acme", "0140000000", "acme") };
        let ask = AskBook::Add { fields: Box::new(fields), owner, label: Some(label) };
        told(&fake, "admin", ask).await.unwrap();
    }
    // The administrator sees both equally near; anna sees what is shared before the public.
    let refused = show(&fake, "admin", "acme").await.unwrap_err();
    assert_eq!(refused.code, Code::BadRequest);
    for words in ["2 entries", "(of bert, uid ", "(of the supervisor, uid ", "name one by its uid"]
    {
        assert!(refused.message.contains(words), "{refused}");
    }
    let logged = format!("{:?}", fake.lines().last().unwrap().verdict);
    assert!(!logged.contains("uid") && logged.contains("several"), "{logged}");
    assert_eq!(show(&fake, "anna", "acme").await.unwrap().entry.rank, Rank::Shared);
    assert_eq!(show(&fake, "bert", "acme").await.unwrap().entry.rank, Rank::Own);
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let fake = Fake::default();
    add(&fake, "anna", fields("Acme", "0140000000", "acme")).await;
    let members = |names: &[&str]| Fields {
        members: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        ..fields("All", "", "all")
    };
    let both = Fields { number: Some("0140000000".into()), ..members(&["acme"]) };
    let sub = Fields { subaddress: Some("1".into()), ..members(&["acme"]) };
    for (new, code, words) in [
        (fields("", "0140000000", ""), Code::BadRequest, "the name is empty"),
        (fields("A", "", ""), Code::BadRequest, "say a number"),
        (fields("A", "12", ""), Code::BadRequest, "\"12\" cannot be used"),
        (fields("A", "0140000000", "a b"), Code::BadRequest, "cannot be an alias"),
        (fields("A", "0140000000", "book"), Code::BadRequest, "answers requests"),
        (fields("A", "0140000000", "Acme"), Code::BadRequest, "alias of another entry"),
        (both, Code::BadRequest, "not both"),
        (sub, Code::BadRequest, "a list has no sub-address"),
        (members(&["acme", "0140000000"]), Code::BadRequest, "in the list twice"),
        (members(&["nobody"]), Code::NoSuchEntry, "no entry \"nobody\""),
    ] {
        let ask = AskBook::Add { fields: Box::new(new), owner: None, label: None };
        let problem = told(&fake, "anna", ask).await.unwrap_err();
        assert_eq!(problem.code, code, "{problem}");
        assert!(problem.message.contains(words), "{problem}");
    }
    let find = AskBook::Find { text: "a".into(), limit: Some(0) };
    assert_eq!(told(&fake, "anna", find).await.unwrap_err().code, Code::BadRequest);
    let list = add(&fake, "anna", members(&["acme"])).await;
    assert_eq!((list.entry.members, list.members.len()), (Some(1), 1));
    let itself = told(&fake, "anna", change("all", None, members(&["all"]))).await.unwrap_err();
    assert!(itself.message.contains("would hold itself"), "{itself}");
}

#[tokio::test]
async fn many_are_found_a_few_at_a_time() {
    let fake = Fake::default();
    for at in 0..5 {
        add(&fake, "anna", fields(&format!("N{at}"), "0140000000", "")).await;
    }
    let ask = |limit| AskBook::Find { text: "n".into(), limit: Some(limit) };
    for (limit, count, is_more) in [(2, 2, true), (5, 5, false), (9, 5, false)] {
        let BookReply::Entries { entries, more } = told(&fake, "anna", ask(limit)).await.unwrap()
        else {
            panic!()
        };
        assert_eq!((entries.len(), more), (count, is_more), "{limit}");
    }
}

#[tokio::test]
async fn a_bad_file_is_on_record_without_what_stands_in_it() {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let fake = Fake::default();
    let import = |text: &str, dry_run| {
        let file = BASE64_STANDARD.encode(text);
        AskBook::Import(Box::new(AskImport {
            file,
            format: None,
            owner: None,
            label: None,
            dry_run,
        }))
    };
    let good = "Name,Alias,Fax\nAcme,acme,0140000000\n";
    for (text, dry_run, done) in [
        (good, true, false),
        ("Name,Fax\nA,my password is hush\n", false, false),
        ("Name,Alias,Fax\nA,hush,0140000000\nB,hush,0140000001\n", false, false),
        (good, false, true),
    ] {
        let reply = told(&fake, "anna", import(text, dry_run)).await.unwrap();
        let BookReply::Imported(file) = reply else { panic!("{reply:?}") };
        assert_eq!((file.done, file.dry_run), (done, dry_run), "{text}");
        assert_eq!(find(&fake, "anna", "").await.len(), usize::from(done));
    }
    let log = format!("{:?}", fake.lines());
    assert!(!log.contains("hush"), "{log}");
    assert!(log.contains("the file has errors: 1"), "{log}");
}
