//! The phone book as addresses: whom a name means for whom, and what becomes of it. With
//! servers that nobody can reach, so that the jobs stay and can be looked at.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "phone_book/many.rs"]
mod many;
mod support;

use serde_json::{Value, json};
use support::{
    book::{Caller, add, ask, ask_all_as, fax, introduce, list, parties, share, told},
    http::House,
    lab::Description,
    postfax::Postfax,
    proof::Stage,
    sink::Sink,
};

const OK: &str = "250 2.1.5 recipient ok";
const ONE: &str = "+442079460101";
const TWO: &str = "+442079460102";
const THREE: &str = "+442079460103";

struct Site {
    postfax: Postfax,
    sink: Sink,
}

impl Site {
    fn start(more: &str) -> Self {
        let sink = Sink::start();
        let mut postfax = Postfax::prepare(&Description::unreachable(), &sink, more);
        introduce(&postfax);
        postfax.run();
        Self { postfax, sink }
    }

    fn told(&self, client: &str, local: &str) -> String {
        told(&self.postfax, client, local)
    }

    /// What is said of every name that means nothing.
    fn unknown(local: &str) -> String {
        format!("550 5.1.1 there is no alias {local} in the phone book")
    }

    /// Sends one mail to these; its jobs, in the order of the recipients.
    fn send(&self, client: &str, to: &[&str], message_id: &str) -> Vec<Value> {
        let mut caller = Caller::begin(&self.postfax, client);
        for local in to {
            let said = caller.rcpt(local).join("\n");
            assert!(said.starts_with("250 "), "{said}");
        }
        caller.data(message_id).into_iter().map(|id| self.postfax.job(id)).collect()
    }

    fn numbers(&self, client: &str, to: &[&str], message_id: &str) -> Vec<String> {
        self.send(client, to, message_id).iter().map(number).collect()
    }
}

fn number(job: &Value) -> String {
    job["destination"]["fax"]["number"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_own_goes_before_what_is_shared_before_what_is_public() {
    let site = Site::start("");
    let postfax = &site.postfax;
    let annas = add(postfax, "anna", &[], &fax("Acme of anna", "acme", ONE));
    let bobs = add(postfax, "bob", &["carl"], &fax("Acme of bob", "Acme", TWO));
    add(postfax, "public", &["*"], &fax("Acme", "ACME", THREE));
    for (turn, (client, number, name, owner)) in [
        ("anna", ONE, "Acme of anna", json!({ "client": "anna" })),
        ("bob", TWO, "Acme of bob", json!({ "client": "bob" })),
        ("carl", TWO, "Acme of bob", json!({ "client": "bob" })),
    ]
    .into_iter()
    .enumerate()
    {
        let job = &site.send(client, &["aCMe"], &format!("first-{turn}"))[0];
        let to = &job["destination"]["fax"];
        assert_eq!(to["number"], number, "{client}");
        assert_eq!(to["named"], json!({ "entry": name, "owner": owner }));
        assert_eq!(to["as_written"], "aCMe@fax.example.com");
    }
    // What is taken back counts from the next recipient on.
    share(postfax, &bobs, &json!("nobody"));
    assert_eq!(site.numbers("carl", &["acme"], "second"), [THREE]);
    ask(postfax, &json!({ "do": "delete", "entry": annas })).unwrap();
    assert_eq!(site.numbers("anna", &["acme"], "third"), [THREE]);
    assert_eq!(site.numbers("bob", &["acme"], "third"), [TWO]);
}

#[test]
fn an_ambiguous_name_is_refused_with_what_the_sender_may_choose() {
    let site = Site::start("");
    let postfax = &site.postfax;
    let annas = json!({ "name": "Acme", "company": "Acme Ltd", "alias": "acme", "number": ONE,
                        "subaddress": "12" });
    add(postfax, "anna", &["carl"], &annas);
    let members = add(postfax, "public", &["*"], &fax("Cork", "cork", THREE));
    let bobs = add(postfax, "bob", &["@london"], &list("All of Acme", "acme", &[&members]));
    // Nobody else sees these.
    add(postfax, "public", &["bob"], &fax("Hidden", "acme", TWO));
    let said = site.told("carl", "acme");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "550-5.1.4 acme is 2 entries of the phone book; write to");
    let mut choices = [lines[1], lines[2]].map(|line| &line["550-5.1.4 ".len()..]);
    choices.sort_unstable();
    let uid = format!("{bobs}@fax.example.com for All of Acme (of bob)");
    let number = format!("{ONE}/T33S=12@fax.example.com for Acme, Acme Ltd (of anna)");
    let mut expected = [uid.as_str(), number.as_str()];
    expected.sort_unstable();
    assert_eq!((choices, lines.len()), (expected, 3), "{said}");
    assert!(!said.contains("Hidden"));
    // Each of the addresses means one of them.
    assert_eq!(site.numbers("carl", &[&bobs], "by-uid"), [THREE]);
    let chosen = format!("{ONE}/T33S=12");
    assert_eq!(
        site.send("carl", &[&chosen], "by-number")[0]["destination"]["fax"]["subaddress"],
        "12"
    );
    // The sub-address of an entry goes with it.
    assert_eq!(site.send("anna", &["acme"], "own")[0]["destination"]["fax"]["subaddress"], "12");
    // A unique identifier is no way around the label.
    assert_eq!(site.told("bob", "acme"), OK, "his own is nearer");
    share(postfax, &bobs, &json!("nobody"));
    assert_eq!(site.told("carl", &bobs), Site::unknown(&bobs));
}

#[test]
fn a_list_of_lists_is_one_job_for_each_number() {
    let site = Site::start("[limits]\nmax_recipients = 4\n");
    let postfax = &site.postfax;
    let add = |fields: &Value| add(postfax, "anna", &[], fields);
    let one = add(&fax("One", "one", ONE));
    let two = add(&fax("Two", "two", TWO));
    let three = add(&fax("Three", "three", THREE));
    let again = add(&fax("Two again", "again", TWO));
    let inner = add(&list("Inner", "inner", &[&two, &three]));
    let middle = add(&list("Middle", "middle", &[&inner, &one]));
    add(&list("Outer", "outer", &[&middle, &again, &one]));
    let jobs = site.send("anna", &["outer"], "lists");
    assert_eq!(jobs.iter().map(number).collect::<Vec<_>>(), [TWO, THREE, ONE]);
    let named = &jobs[0]["destination"]["fax"]["named"];
    assert_eq!(named["entry"], "Two");
    assert_eq!(named["list"], "Outer");
    assert_eq!(jobs[2]["destination"]["fax"]["as_written"], "outer@fax.example.com");
    // A number that a mail names twice is called once, as with numbers alone.
    let mut caller = Caller::begin(postfax, "anna");
    for local in ["inner", TWO] {
        assert_eq!(caller.rcpt(local), [OK]);
    }
    let ids = caller.data("twice");
    assert_eq!((ids.len(), ids[0]), (3, ids[2]), "{ids:?}");
    // What a list stands for counts: three of it and one, and not two more.
    let mut caller = Caller::begin(postfax, "anna");
    for (local, said) in [
        ("outer", OK),
        ("inner", "452 4.5.3 at most 4 recipients, send the others separately"),
        ("again", OK),
        ("one", "452 4.5.3 at most 4 recipients, send the others separately"),
    ] {
        assert_eq!(caller.rcpt(local), [said], "{local}");
    }
    let (four, five) = (add(&fax("Four", "four", "+442079460104")), "+442079460105");
    let five = add(&fax("Five", "five", five));
    add(&list("Long", "long", &[&middle, &four, &five]));
    assert_eq!(
        site.told("anna", "long"),
        "550 5.5.3 the list long reaches 5 fax machines, at most 4 at once: send to its parts"
    );
    // Nobody can make a list that holds itself.
    let loops =
        json!({ "do": "change", "entry": inner, "fields": { "members": ["one", "outer"] } });
    let why = ask(postfax, &loops).unwrap_err();
    assert!(why.to_string().contains("would hold itself"), "{why}");
}

#[test]
fn a_list_goes_to_all_or_says_to_whom_it_does_not() {
    let site = Site::start("");
    let postfax = &site.postfax;
    let one = add(postfax, "anna", &["carl"], &fax("One", "one", ONE));
    let two = add(postfax, "anna", &[], &fax("Two", "two", TWO));
    let barred = add(postfax, "anna", &[], &fax("Horoscopes", "stars", "+19005550100"));
    let all = list("All", "all", &[&one, &two]);
    let all = add(postfax, "anna", &["carl"], &all);
    add(postfax, "anna", &[], &list("Odd", "odd", &[&one, &barred]));
    let premium = "destination not permitted: premium-rate numbers are barred";
    assert_eq!(
        site.told("anna", "odd"),
        format!(
            "550 5.7.1 Horoscopes (+19005550100): {premium}; \
             nothing is sent to the list before it can go to all"
        )
    );
    assert_eq!(
        site.told("anna", "stars"),
        format!("550 5.7.1 Horoscopes (+19005550100): {premium}")
    );
    // What carl may not see is counted and not named; he is told of it once, in a receipt.
    let missed = r#"250 2.1.5 recipient ok, but 1 of the list "All" cannot be used"#;
    assert_eq!(site.told("carl", "all"), missed);
    let jobs = site.send("carl", &["all", THREE], "missed");
    assert_eq!(jobs.iter().map(number).collect::<Vec<_>>(), [ONE, THREE]);
    assert_eq!(jobs[0]["cause"]["sent"]["missed"], json!([{ "list": "All", "members": 1 }]));
    assert_eq!(jobs[1]["cause"]["sent"].get("missed"), None);
    let id = jobs[0]["id"].as_u64().unwrap().to_string();
    assert!(postfax.ask(&["cancel", &id]).status.success());
    let receipt = site.sink.wait("the receipt", "carl@example.com", 30, |_| true);
    let text = receipt.text();
    assert!(text.contains("1 of its members could not be used"), "{text}");
    assert!(text.contains(&format!("To: One (all@fax.example.com, {ONE})")), "{text}");
    assert!(text.contains("Phone book: entry of anna"), "{text}");
    let field = |name| receipt.status_field(name).unwrap().replace(' ', "");
    assert_eq!(field("Original-Recipient"), "rfc822;all@fax.example.com");
    assert_eq!(field("Final-Recipient"), format!("rfc822;{ONE}@fax.example.com"));
    // It is what a person sees of the job as well.
    let shown = postfax.ask(&["show", &id]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("One, by the list All (of anna)"), "{shown}");
    assert!(shown.contains("1 of the list All could not be used"), "{shown}");
    let listed = String::from_utf8_lossy(&postfax.ask(&["jobs"]).stdout).into_owned();
    assert!(listed.contains(&format!("{ONE} One")), "{listed}");
    // A list of nobody.
    share(postfax, &one, &json!("nobody"));
    let nobody = "550 5.2.4 the list \"all\" reaches nobody: 2 of its members cannot be used";
    assert_eq!(site.told("carl", "all"), nobody);
    ask(postfax, &json!({ "do": "delete", "entry": all })).unwrap();
    assert_eq!(site.told("carl", "all"), Site::unknown("all"));
}

#[test]
fn what_was_answered_to_a_recipient_is_what_is_sent() {
    let site = Site::start("");
    let postfax = &site.postfax;
    let uid = add(postfax, "anna", &["carl"], &fax("Acme", "acme", ONE));
    let mut carl = Caller::begin(postfax, "carl");
    assert_eq!(carl.rcpt("acme"), [OK]);
    let number = json!({ "do": "change", "entry": uid, "fields": { "number": TWO } });
    ask(postfax, &number).unwrap();
    share(postfax, &uid, &json!({ "not-with": parties(&["carl"]) }));
    let id = carl.data("answered")[0];
    assert_eq!(postfax.job(id)["destination"]["fax"]["number"], ONE);
    carl.mail("carl");
    assert_eq!(carl.rcpt("acme"), [Site::unknown("acme")]);
}

#[test]
fn who_leaves_a_group_leaves_what_is_shared_with_it() {
    let site = Site::start("");
    let postfax = &site.postfax;
    add(postfax, "bob", &["@paris"], &fax("Acme", "acme", ONE));
    assert_eq!(
        ["anna", "bob", "carl"].map(|client| site.told(client, "acme")),
        [Site::unknown("acme"), OK.to_owned(), OK.to_owned(),]
    );
    let set = postfax.ask(&["config", "set", "client.carl.groups=[\"london\"]"]);
    assert!(set.status.success(), "{set:?}");
    assert_eq!(site.told("carl", "acme"), Site::unknown("acme"));
    assert_eq!(site.told("bob", "acme"), OK);
}

#[test]
fn a_job_keeps_its_number_whatever_becomes_of_the_entry() {
    let mut site = Site::start("");
    let uid = add(&site.postfax, "anna", &[], &fax("Acme", "acme", ONE));
    let id = site.send("anna", &["acme"], "kept")[0]["id"].as_u64().unwrap();
    let number =
        json!({ "do": "change", "entry": uid, "fields": { "number": TWO, "name": "New" } });
    ask(&site.postfax, &number).unwrap();
    assert!(site.postfax.kill());
    site.postfax.run();
    assert_eq!(site.numbers("anna", &["acme"], "next"), [TWO], "the book is durable");
    let kept = site.postfax.job(id);
    assert!(site.postfax.ask(&["cancel", &id.to_string()]).status.success());
    let again = site.postfax.ask_json(&["retry", &id.to_string()])["done"]["new"].as_u64().unwrap();
    for job in [kept, site.postfax.job(again)] {
        assert_eq!(number_and_name(&job), (ONE.to_owned(), "Acme".to_owned()));
    }
}

fn number_and_name(job: &Value) -> (String, String) {
    let name = job["destination"]["fax"]["named"]["entry"].as_str().unwrap();
    (number(job), name.to_owned())
}

#[test]
fn explanations_are_of_the_book_of_the_one_who_would_send() {
    let site = Site::start("");
    let postfax = &site.postfax;
    let one = add(postfax, "anna", &[], &fax("Acme", "acme", ONE));
    let two = add(postfax, "anna", &["bob"], &fax("Bell", "bell", TWO));
    add(postfax, "anna", &[], &list("Both", "both", &[&one, &two]));
    let to = |from: &str, to: &str| {
        let question = json!({ "ask": "explain", "from": from, "to": to, "pages": 1 });
        ask_all_as(postfax, from, &[question]).remove(0)
    };
    assert_eq!(to("anna", "acme")["explained"]["to"], ONE);
    assert_eq!(to("bob", "bell")["explained"]["to"], TWO);
    let hidden = to("bob", "acme")["problem"]["message"].as_str().unwrap().to_owned();
    let missing = to("bob", "nope")["problem"]["message"].as_str().unwrap().to_owned();
    assert_eq!(hidden.replace("acme", "nope"), missing);
    let many = to("anna", "both")["problem"]["message"].to_string();
    assert!(many.contains(&format!("Acme ({ONE}), Bell ({TWO})")), "{many}");
    let typed = postfax.ask(&["explain", "--from", "anna", "--to", "acme"]);
    let typed = String::from_utf8_lossy(&typed.stdout).into_owned();
    assert!(typed.contains(&format!("from anna to {ONE}")), "{typed}");
}

#[test]
fn names_and_lists_are_recipients_by_http() {
    let house = House::start(&Description::unreachable(), "");
    let postfax = &house.postfax;
    let one = add(postfax, "anna", &[], &fax("Acme", "acme", ONE));
    let two = add(postfax, "bob", &["anna"], &fax("Bell", "bell", TWO));
    add(postfax, "anna", &[], &list("Both", "both", &[&one, &two]));
    let form = |to: &str| ["-F".to_owned(), format!("to={to}"), "-F".into(), "text=Words".into()];
    let send = |token: &str, to: &str| {
        let form = form(to);
        house.send(token, &form.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let sent = send(&house.anna, "both");
    assert_eq!(sent.status, 201, "{}", String::from_utf8_lossy(&sent.body));
    let jobs = sent.json()["jobs"].as_array().unwrap().clone();
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    let views: Vec<Value> = jobs
        .iter()
        .map(|job| {
            assert_eq!(job["to"], "both");
            house.get(&house.anna, &format!("/v1/jobs/{}", job["job"]))
        })
        .collect();
    assert_eq!(views[0]["summary"]["to"], ONE);
    assert_eq!(views[1]["entry"], json!({ "name": "Bell", "list": "Both", "owner": "anna" }));
    assert_eq!(views[1]["written"], "both@fax.example.com");
    let listed = house.get(&house.anna, "/v1/jobs");
    assert_eq!(listed["jobs"][0]["name"], "Bell", "{listed}");
    // Who sees the jobs of others does not see their phone books in them.
    let path = format!("/v1/jobs/{}", jobs[1]["job"]);
    let view = house.get(&house.chief, &path);
    assert_eq!((view.get("entry"), &view["written"]), (None, &json!(TWO)));
    assert_eq!(house.get(&house.chief, "/v1/jobs")["jobs"][0].get("name"), None);
    // What is hidden is not there.
    let (hidden, missing) = (send(&house.bob, "acme"), send(&house.bob, "nope"));
    assert_eq!((hidden.status, missing.status), (422, 422));
    let words = |heard: &support::http::Heard| heard.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(words(&hidden).replace("acme", "nope"), words(&missing));
}

#[test]
fn a_stranger_who_claims_to_be_a_client_learns_nothing_of_its_book() {
    let stage = Stage::set("");
    stage.domain("a.proofs.test", "ip4:127.0.0.1 -all", Some(""));
    add(&stage.postfax, "tess", &[], &fax("Acme", "acme", ONE));
    let (sink, postfax) = (&stage.sink, &stage.postfax);
    assert!(sink.mails().is_empty());
    let mut wire = support::wire::Wire::connect(stage.port);
    wire.hear("220");
    wire.ask("EHLO mail.proofs.test\r\n", "250");
    wire.ask("MAIL FROM:<tess@b.proofs.test>\r\n", "250");
    for local in ["acme", "nope"] {
        assert_eq!(wire.ask(&format!("RCPT TO:<{local}@fax.example.com>\r\n"), ""), [OK]);
    }
    wire.ask("DATA\r\n", "354");
    let mail = support::proof::mail("tess@b.proofs.test");
    let said = wire.ask(&format!("{mail}.\r\n"), "").join("\n");
    assert!(!said.starts_with('2') && !said.contains("phone book"), "{said}");
    // Who proves it sends to the own book, and hears then of what is not there.
    let mut proven = |local: &str| {
        wire.ask("MAIL FROM:<tess@a.proofs.test>\r\n", "250");
        wire.ask(&format!("RCPT TO:<{local}@fax.example.com>\r\n"), "250");
        wire.ask("DATA\r\n", "354");
        let mail = support::proof::mail("tess@a.proofs.test");
        wire.ask(&format!("{mail}.\r\n"), "").join("\n")
    };
    assert_eq!(proven("nope"), Site::unknown("nope"));
    let said = proven("acme");
    let id = said.strip_prefix("250 2.0.0 queued as ").unwrap_or_else(|| panic!("{said}"));
    assert_eq!(number(&postfax.job(id.parse().unwrap())), ONE);
}

#[test]
fn the_addresses_of_the_gateway_itself_are_no_names() {
    let site = Site::start("");
    for alias in ["jobs", "settings", "book", "help", "postmaster", "Help"] {
        let question = json!({ "do": "add", "fields": fax("Acme", alias, ONE) });
        let why = ask(&site.postfax, &question).unwrap_err();
        assert!(why.to_string().contains("this address answers requests"), "{why}");
    }
    // A mail that asks something is still one.
    assert_eq!(site.told("anna", "help"), OK);
    assert_eq!(site.told("anna", "postmaster"), OK);
}
