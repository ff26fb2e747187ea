//! The phone book by CardDAV through the real program: vdirsyncer synchronises both ways,
//! and Python has the dialogues of Thunderbird, of iOS and macOS and of DAVx5.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use support::{
    http::token,
    lab::Description,
    postfax::{PASSWORD, Postfax, free_port},
    sink::Sink,
};

const CONFIG: &str = r#"
[http]
address = "127.0.0.1:@PORT@"
tokens_file = "tokens"
max_card_bytes = 65536
@HTTP@
[[role]]
name = "keeper"
may = ["book.write", "audit.see"]
"#;

/// A daemon with the door, and nothing in its book.
struct House {
    postfax: Postfax,
    url: String,
    _sink: Sink,
}

impl House {
    fn start(http: &str) -> Self {
        let mut house = Self::prepare(http);
        house.postfax.run();
        house
    }

    fn prepare(http: &str) -> Self {
        let (sink, port) = (Sink::start(), free_port());
        let more = CONFIG.replace("@PORT@", &port.to_string()).replace("@HTTP@", http);
        let postfax = Postfax::prepare(&Description::unreachable(), &sink, &more);
        let text = fs::read_to_string(postfax.config()).unwrap();
        let carl = "mail = [\"carl@example.com\"]\n";
        let keeper = format!("{carl}roles = [\"keeper@supervisor\"]\n");
        fs::write(postfax.config(), text.replace(carl, &keeper)).unwrap();
        Self { postfax, url: format!("http://127.0.0.1:{port}"), _sink: sink }
    }

    fn python(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["300", "python3"]);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/dav.py"));
        command.arg(&self.url).args(arguments);
        command
    }

    /// A dialogue that has to go as it is written; returns what it printed.
    fn dialogue(&self, arguments: &[&str]) -> String {
        let output = self.python(arguments).output().unwrap();
        let said = text(&output);
        assert!(output.status.success(), "{arguments:?}: {said}\n{}", self.log());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.postfax.file("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn address_books_find_read_and_change_it() {
    let mut house = House::prepare("");
    let token = token(&house.postfax, &["create", "anna"]);
    house.postfax.run();
    house.dialogue(&["discovery", &token]);
    for scenario in ["thunderbird", "apple", "davx5", "refusals", "owners"] {
        house.dialogue(&[scenario]);
    }
    let log = fs::read_to_string(house.postfax.file("log")).unwrap();
    assert!(!log.contains(PASSWORD) && !log.contains(&token), "a password is in the log");
}

#[test]
fn what_is_not_there_is_not_there() {
    let house = House::start("carddav = false");
    for (method, path) in
        [("PROPFIND", "/dav/"), ("GET", "/.well-known/carddav"), ("OPTIONS", "/dav/")]
    {
        let output = Command::new("curl")
            .args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", method])
            .args(["-u", &format!("anna:{PASSWORD}")])
            .arg(format!("{}{path}", house.url))
            .output()
            .unwrap();
        assert_eq!(text(&output), "404", "{method} {path}");
    }
}

#[test]
fn what_was_promised_survives_a_kill() {
    let mut house = House::start("");
    let mut kept = Vec::new();
    for round in 0..3_usize {
        let (start, count) = ((round * 1000).to_string(), "1000");
        let mut putting =
            house.python(&["fill", &start, count]).stdout(Stdio::piped()).spawn().unwrap();
        let mut promised = BufReader::new(putting.stdout.take().unwrap()).lines();
        for line in promised.by_ref().take(15 + round * 7) {
            kept.push(line.unwrap());
        }
        house.postfax.kill();
        kept.extend(promised.map_while(Result::ok));
        putting.wait().unwrap();
        house.postfax.run();
    }
    let etags = house.python(&["etags", "anna", "own"]).output().unwrap();
    let listed = text(&etags);
    for i in &kept {
        assert!(listed.contains(&format!("/k-{i}.vcf")), "{i} was promised and is not there");
    }
    // At most the one under way at each kill is there without a promise.
    let count = listed.lines().count();
    assert!((kept.len()..=kept.len() + 3).contains(&count), "{count}, {}", kept.len());
}

/// A folder of cards that vdirsyncer holds against a collection.
struct Folder<'a> {
    house: &'a House,
    place: PathBuf,
    client: &'a str,
    cards: PathBuf,
}

impl<'a> Folder<'a> {
    fn new(house: &'a House, name: &str, client: &'a str) -> Self {
        let place = house.postfax.file(name);
        let cards = place.join("own");
        fs::create_dir_all(&cards).unwrap();
        let folder = place.display();
        let config = format!(
            r#"
[general]
status_path = "{folder}/status"
[pair book]
a = "here"
b = "there"
collections = ["own"]
conflict_resolution = "b wins"
[storage here]
type = "filesystem"
path = "{folder}"
fileext = ".vcf"
[storage there]
type = "carddav"
url = "{}"
username = "{client}"
password = "{PASSWORD}"
"#,
            house.url
        );
        fs::write(place.join("config"), config).unwrap();
        let it = Self { house, place, client, cards };
        it.vdirsyncer(&["discover", "book"]);
        it
    }

    fn vdirsyncer(&self, arguments: &[&str]) -> String {
        let output = Command::new("timeout")
            .args(["120", "vdirsyncer", "-v", "WARNING", "-c"])
            .arg(self.place.join("config"))
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("vdirsyncer runs");
        let said = text(&output);
        assert!(output.status.success(), "{}: {said}\n{}", self.client, self.house.log());
        said
    }

    /// What was brought is told again the second time, as it stands here: with the address
    /// that faxes, and when it was changed.
    fn sync(&self) {
        self.vdirsyncer(&["sync", "book"]);
        self.vdirsyncer(&["sync", "book"]);
    }

    /// Each card by its name (`FN`).
    fn cards(&self) -> BTreeMap<String, (PathBuf, String)> {
        let files = fs::read_dir(&self.cards).unwrap().map(|file| file.unwrap().path());
        let cards = files.filter(|path| path.extension().is_some_and(|end| end == "vcf"));
        let named = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap();
            let name = text.lines().find_map(|line| line.strip_prefix("FN:")).unwrap().to_owned();
            (name, (path, text))
        };
        cards.map(named).collect()
    }

    fn names(&self) -> Vec<String> {
        self.cards().into_keys().collect()
    }

    fn write(&self, uid: &str, name: &str, number: &str) {
        let file = format!("{}.vcf", uid.replace('/', "-"));
        fs::write(self.cards.join(file), card(uid, name, number)).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let (path, text) = self.cards().remove(name).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

fn card(uid: &str, name: &str, number: &str) -> String {
    format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\n\
         TEL;TYPE=WORK,FAX:{number}\r\nX-HOUSE;TYPE=a:kept\r\nEND:VCARD\r\n"
    )
}

#[test]
fn vdirsyncer_synchronises_both_ways() {
    let house = House::start("");
    let (one, two) = (Folder::new(&house, "one", "anna"), Folder::new(&house, "two", "anna"));
    let bob = Folder::new(&house, "three", "bob");
    one.write("a-1", "Acme", "+1 212 555 0100");
    one.write("b 2/x", "Bell", "+1 212 555 0101");
    two.write("c-3", "Cork", "+1 212 555 0102");
    bob.write("a-1", "Of bob", "+1 212 555 0103");
    for folder in [&one, &two, &one, &bob] {
        folder.sync();
    }
    assert_eq!(one.names(), ["Acme", "Bell", "Cork"]);
    assert_eq!(one.names(), two.names());
    assert_eq!(bob.names(), ["Of bob"]);
    let (_, text) = two.cards().remove("Acme").unwrap();
    assert!(text.contains("X-HOUSE;TYPE=a:kept") && text.contains("+12125550100"), "{text}");
    assert!(text.contains("+12125550100@fax.example.com"), "it completes: {text}");
    // Changed here, changed there, deleted on both sides.
    one.replace("Acme", "FN:Acme", "FN:Acme Ltd");
    two.replace("Cork", "+12125550102", "+12125550199");
    one.sync();
    two.sync();
    one.sync();
    assert_eq!(one.names(), ["Acme Ltd", "Bell", "Cork"]);
    assert_eq!(two.names(), one.names());
    assert!(one.cards()["Cork"].1.contains("+12125550199"));
    fs::remove_file(&one.cards()["Bell"].0).unwrap();
    fs::remove_file(&two.cards()["Cork"].0).unwrap();
    one.sync();
    two.sync();
    one.sync();
    assert_eq!((one.names(), two.names()), (vec!["Acme Ltd".into()], vec!["Acme Ltd".into()]));
    // A conflict: the server's card wins, as the client is told to do, and nothing is
    // written over unseen.
    one.replace("Acme Ltd", "FN:Acme Ltd", "FN:Acme one");
    two.replace("Acme Ltd", "FN:Acme Ltd", "FN:Acme two");
    one.sync();
    two.sync();
    assert_eq!((one.names(), two.names()), (vec!["Acme one".into()], vec!["Acme one".into()]));
    assert_eq!(bob.names(), ["Of bob"]);
    for folder in [&one, &two, &bob] {
        folder.sync();
        let before = folder.cards();
        folder.sync();
        assert_eq!(folder.cards(), before, "nothing to do");
    }
}

impl House {
    /// What an administrator does with the phone book.
    fn book(&self, arguments: &[&str]) {
        let output = self.postfax.ask(&[&["book"], arguments].concat());
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
}

#[test]
fn shares_come_and_go() {
    let house = House::start("");
    house.dialogue(&["one", "anna", "own", "s-1"]);
    let step = |orders: &[&[&str]], is: &str, shared: &str, public: &str| {
        let tokens = house.dialogue(&["tokens", "bob"]);
        let tokens: Vec<&str> = tokens.split(' ').collect();
        for order in orders {
            house.book(order);
        }
        house.dialogue(&["shares", is, "s-1", tokens[0], shared, tokens[1], public]);
    };
    step(&[], "hidden", "nothing", "nothing");
    // What others share and change is nothing to bob.
    step(&[&["share", "s-1", "--with", "carl"]], "hidden", "nothing", "nothing");
    step(&[&["change", "s-1", "--note", "x"]], "hidden", "nothing", "nothing");
    step(&[&["share", "s-1", "--with", "bob"]], "shared", "there", "nothing");
    step(&[&["change", "s-1", "--note", "y"]], "shared", "there", "nothing");
    step(&[&["share", "s-1", "--everyone"]], "public", "gone", "there");
    step(&[&["unshare", "s-1"]], "hidden", "nothing", "gone");
    step(&[&["share", "s-1", "--with", "group:paris"]], "shared", "there", "nothing");
    let again: &[&[&str]] =
        &[&["share", "s-1", "--with", "bob"], &["change", "s-1", "--note", "z"]];
    step(again, "shared", "there", "nothing");
    step(&[&["delete", "s-1"]], "hidden", "gone", "nothing");
    // Another group is another view: everything is read again.
    house.dialogue(&["one", "anna", "own", "s-2"]);
    house.book(&["share", "s-2", "--with", "group:london"]);
    let tokens = house.dialogue(&["tokens", "bob"]);
    let token = tokens.split(' ').next().unwrap();
    let config = fs::read_to_string(house.postfax.config()).unwrap();
    let (old, new) =
        ("groups = [\"paris\"]\n[[client]]", "groups = [\"paris\", \"london\"]\n[[client]]");
    assert_eq!(config.matches(old).count(), 1);
    fs::write(house.postfax.config(), config.replace(old, new)).unwrap();
    assert!(house.postfax.ask(&["reload"]).status.success());
    house.dialogue(&["shares", "shared", "s-2"]);
    house.dialogue(&["stale", "shared", token]);
}

/// Three clients and entries with all kinds of labels: each sees what a plain list says
/// that they see, and for the rest there is no difference to what never was.
#[test]
fn a_plain_list_says_the_same() {
    let house = House::start("");
    let count = std::env::var("POSTFAX_CARDS").map_or(1000, |count| count.parse().unwrap());
    // Each owner has its own count of identifiers, so that they meet.
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    let mut expected = serde_json::json!({});
    let mut all = Vec::new();
    for ((owner, label), entries) in by_chance(count) {
        let mut cards = String::new();
        for _ in 0..entries {
            let next = used.entry(owner).or_default();
            *next += 1;
            let (uid, name) = (format!("u{next}"), format!("{owner} {next}"));
            cards += &card(&uid, &name, &format!("+1212555{:04}", *next % 10_000));
            for client in CLIENTS {
                if let Some(path) = path_for(client, owner, label, &uid) {
                    let book = path.split('/').nth(4).unwrap().to_owned();
                    expected[client][book][path] = name.clone().into();
                }
            }
            all.push([owner.to_owned(), uid]);
        }
        let file = house.postfax.file("cards.vcf");
        fs::write(&file, cards).unwrap();
        let file = file.display().to_string();
        let owned = if owner == "public" { vec!["--public"] } else { vec!["--owner", owner] };
        let labelled = match label {
            "" => vec![],
            "everyone" => vec!["--everyone"],
            party => vec!["--with", party],
        };
        house.book(&[&["import", file.as_str()][..], &owned, &labelled].concat());
    }
    let model = house.postfax.file("model.json");
    let text = serde_json::json!({ "expected": expected, "all": all }).to_string();
    fs::write(&model, text).unwrap();
    eprintln!("{}", house.dialogue(&["model", &model.display().to_string()]));
}

const CLIENTS: [&str; 3] = ["anna", "bob", "carl"];

/// How many entries there are of each owner and label.
fn by_chance(count: usize) -> BTreeMap<(&'static str, &'static str), usize> {
    let owners = ["anna", "bob", "carl", "public"];
    let labels = ["", "anna", "bob", "carl", "group:london", "group:paris", "everyone"];
    let mut entries = BTreeMap::new();
    let mut seed = 12_345_u64;
    for _ in 0..count {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(seed >> 33).unwrap();
        let key = (owners[at % owners.len()], labels[at / owners.len() % labels.len()]);
        *entries.entry(key).or_default() += 1;
    }
    entries
}

/// Where a client finds an entry; `None`: it does not see it. Carl keeps the public book,
/// and what is nobody's and named for nobody is everyone's.
fn path_for(client: &str, owner: &str, label: &str, uid: &str) -> Option<String> {
    let groups = [("anna", "london"), ("bob", "paris"), ("carl", "london"), ("carl", "paris")];
    let is_in = |group: &str| groups.contains(&(client, group));
    let is_named = label == client || label.strip_prefix("group:").is_some_and(is_in);
    let is_nobodys = owner == "public";
    let is_for_all = label == "everyone" || (is_nobodys && label.is_empty());
    let (book, file) = match () {
        () if owner == client => ("own", format!("{uid}.vcf")),
        () if is_named && is_nobodys => ("shared", format!("~~{uid}.vcf")),
        () if is_named => ("shared", format!("~{owner}~{uid}.vcf")),
        () if is_nobodys && (is_for_all || client == "carl") => ("public", format!("{uid}.vcf")),
        () if is_for_all => ("public", format!("~{owner}~{uid}.vcf")),
        () => return None,
    };
    Some(format!("/dav/books/{client}/{book}/{file}"))
}

/// What `litmus` finds of the basics of WebDAV that this door has: the rest of it copies
/// and moves files of any kind, which an address book has not.
#[test]
fn litmus_finds_no_fault_with_the_basics() {
    let house = House::start("");
    let output = Command::new("timeout")
        .args(["60", "litmus", "-k"])
        .arg(format!("{}/dav/books/anna/own/", house.url))
        .args(["anna", PASSWORD])
        .env("TESTS", "http")
        .current_dir(house.postfax.folder.path())
        .output()
        .expect("litmus runs");
    let said = text(&output);
    assert!(Path::new("/usr/bin/litmus").exists() && output.status.success(), "{said}");
}

#[test]
fn greedy_questions_have_an_end() {
    let house = House::start("");
    let number = |i: usize| format!("+1212{:07}", 5_550_000 + i);
    let cards = (0..9000).map(|i| card(&format!("e-{i}"), &format!("Entry {i}"), &number(i)));
    let file = house.postfax.file("cards.vcf");
    fs::write(&file, cards.collect::<String>()).unwrap();
    house.book(&["import", &file.display().to_string(), "--owner", "anna"]);
    house.dialogue(&["greedy"]);
}

#[test]
#[ignore = "a measurement: ten thousand entries"]
fn a_large_book_is_read_in_chunks() {
    let house = House::start("");
    let cards: String = (0..9990)
        .map(|i| {
            card(&format!("l-{i}"), &format!("Large {i}"), &format!("+1212{:07}", 5_550_000 + i))
        })
        .collect();
    let file = house.postfax.file("cards.vcf");
    fs::write(&file, cards).unwrap();
    house.book(&["import", &file.display().to_string(), "--owner", "anna"]);
    eprintln!("{}", house.dialogue(&["large"]));
}
