//! C17 to C22: numbers that clients refer to, each seeing what is theirs.

use std::fs;

use serde_json::{Value, json};

use super::{
    is_fax,
    support::{
        book::{self, ask_all_as, introduce},
        lab::{Description, Lab, Servers},
        pages,
        postfax::Postfax,
        sink::Sink,
        users::{ask_as, code, said},
    },
};

/// A number of nobody here.
const ELSEWHERE: &str = "+12025550177";

/// A phone book, its clients, and fax servers or none.
struct Directory {
    lab: Option<Lab>,
    sink: Sink,
    postfax: Postfax,
}

impl Directory {
    /// With fax servers that call each other through the exchange.
    fn start() -> Self {
        let lab = Lab::start(Servers::Stations, 1);
        let directory = Self::with(&lab.about.clone(), Some(lab));
        directory.postfax.wait_for_servers();
        directory
    }

    /// The supervising server, which reaches no fax server.
    fn alone() -> Self {
        Self::with(&Description::unreachable(), None)
    }

    fn with(servers: &Description, lab: Option<Lab>) -> Self {
        let sink = Sink::start();
        let mut postfax = Postfax::prepare(servers, &sink, "");
        introduce(&postfax);
        postfax.run();
        Self { lab, sink, postfax }
    }

    /// A number that anna's server may call, and that somebody answers.
    fn number(&self) -> String {
        match &self.lab {
            Some(lab) => lab.number_of(1).to_owned(),
            None => "+12025550102".to_owned(),
        }
    }

    /// Stores an entry by a command of a client, who shares it or keeps it.
    fn store(&self, client: &str, to: &[&str], name: &str, alias: &str, number: &str) {
        let uid = book::USERS.iter().find(|(known, _)| *known == client).unwrap().1;
        let mut add = vec!["book", "add", name, number, "--alias", alias];
        add.extend(to.iter().flat_map(|party| ["--with", party]));
        let output = ask_as(&self.postfax, uid, &add);
        assert_eq!(code(&output), 0, "{add:?}: {}", said(&output));
    }

    /// Who finds the entry, is shown it, and is let send to it; all others are told word
    /// for word what they are told of one that there is not.
    fn refer(&self, alias: &str) -> Vec<&'static str> {
        let refers = |client: &&str| {
            let asked = ["nobody-here", alias].map(|word| {
                let find = json!({ "ask": "book", "do": "find", "text": word });
                let show = json!({ "ask": "book", "do": "show", "entry": word });
                let mut told = ask_all_as(&self.postfax, client, &[find, show]);
                told.push(book::told(&self.postfax, client, word).into());
                told
            });
            let as_if_missing = |answer: &Value| answer.to_string().replace(alias, "nobody-here");
            let [missing, told] =
                asked.map(|all| all.iter().map(as_if_missing).collect::<Vec<_>>());
            let differ = missing.iter().zip(&told).filter(|(missing, told)| missing != told);
            match differ.count() {
                0 => false,
                3 => {
                    assert!(told[2].contains("250 2.1.5 recipient ok"), "{client}: {}", told[2]);
                    true
                }
                _ => panic!("{client} refers to {alias} through some doors: {told:?}"),
            }
        };
        ["anna", "bob", "carl"].into_iter().filter(refers).collect()
    }

    /// Numbers are stored, and a client sends to one by its name.
    fn holds_numbers(&self) -> u64 {
        self.store("anna", &[], "Paris office", "paris-office", &self.number());
        let file = self.postfax.file("letter.pdf");
        fs::write(&file, pages::pdf(1, "by name")).unwrap();
        let to = "Paris-Office@fax.example.com";
        let said = self.postfax.send("anna", "anna@example.com", to, Some(&file));
        assert!(said.accepted, "{}", said.words);
        let job = self.postfax.job(1);
        assert_eq!(job["destination"]["fax"]["number"].as_str(), Some(&*self.number()), "{job:#}");
        1
    }

    fn shows_public_and_private_entries(&self) {
        let public = ["book", "add", "Town", ELSEWHERE, "--alias", "town"];
        assert!(self.postfax.ask(&public).status.success());
        self.store("anna", &[], "Doctor", "doctor", &self.number());
        self.store("bob", &[], "Bank", "bank", ELSEWHERE);
        assert_eq!(self.refer("town"), ["anna", "bob", "carl"]);
        assert_eq!(self.refer("doctor"), ["anna"]);
        assert_eq!(self.refer("bank"), ["bob"]);
    }

    fn shows_entries_to_several(&self) {
        self.store("carl", &["anna"], "Shared", "shared", &self.number());
        self.store("bob", &["anna", "carl"], "All three", "three", ELSEWHERE);
        self.store("anna", &["group:london"], "Group", "group", ELSEWHERE);
        assert_eq!(self.refer("shared"), ["anna", "carl"]);
        assert_eq!(self.refer("three"), ["anna", "bob", "carl"]);
        assert_eq!(self.refer("group"), ["anna", "carl"]);
    }
}

/// Recipient information is stored, and clients refer to it: a fax to a name calls its
/// number.
#[test]
fn c17_numbers_are_stored_and_clients_refer_to_them() {
    let site = Directory::start();
    let id = site.holds_numbers();
    let job = site.postfax.wait_for_end(id, 90);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
    site.sink.wait("the fax", "bob@example.com", 60, is_fax);
    let receipt = site.sink.wait("the receipt", "anna@example.com", 60, |_| true);
    let number = site.number();
    let named = format!("To: Paris office (Paris-Office@fax.example.com, {number})");
    assert!(receipt.text().contains(&named), "{}", receipt.text());
}

/// Public entries that every client sees, and entries that only a named client sees.
#[test]
fn c18_some_entries_are_for_everyone_and_some_for_one_client() {
    let site = Directory::start();
    site.shows_public_and_private_entries();
    // Bob cannot fax to what is anna's, and she can.
    let send = |client: &str| {
        let from = format!("{client}@example.com");
        site.postfax.send(client, &from, "doctor@fax.example.com", None)
    };
    let refused = send("bob");
    assert!(!refused.accepted && refused.words.contains("550 5.1.1"), "{}", refused.words);
    assert!(send("anna").accepted);
    let job = site.postfax.wait_for_end(1, 90);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
}

/// Entries that several named clients see.
#[test]
fn c19_an_entry_is_for_several_named_clients() {
    let site = Directory::start();
    site.shows_entries_to_several();
    let said = site.postfax.send("anna", "anna@example.com", "shared@fax.example.com", None);
    assert!(said.accepted, "{}", said.words);
    let job = site.postfax.wait_for_end(1, 90);
    assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
}

/// The supervising server alone: it stores the numbers, over a restart, and holds what is
/// sent to their names.
#[test]
fn c20_the_supervisor_alone_stores_numbers_for_its_clients() {
    let mut site = Directory::alone();
    let id = site.holds_numbers();
    site.postfax.stop();
    site.postfax.run();
    assert_eq!(site.refer("paris-office"), ["anna"]);
    assert!(site.postfax.job(id)["state"].get("waiting").is_some());
}

/// The supervising server alone: it decides which entries are for everyone and which for
/// one client.
#[test]
fn c21_the_supervisor_alone_keeps_public_and_private_entries_apart() {
    Directory::alone().shows_public_and_private_entries();
}

/// The supervising server alone: it decides which entries are for several clients.
#[test]
fn c22_the_supervisor_alone_shows_an_entry_to_several_clients() {
    Directory::alone().shows_entries_to_several();
}
