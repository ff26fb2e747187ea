//! The phone book at the command line: the real program, three clients that are users of
//! this host, and the administrator. Needs root, to be other users.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    lab::Description,
    postfax::Postfax,
    sink::Sink,
    users::{admit, ask_as, ask_json_as, code, said},
};

/// Users of this host: anna in London, bob in Paris, carl in both.
const ANNA: u32 = 64_011;
const BOB: u32 = 64_012;
const CARL: u32 = 64_013;

/// A Postfax whose fax servers cannot be reached.
fn set_up() -> Postfax {
    let mut postfax = Postfax::prepare(&Description::unreachable(), &Sink::start(), "");
    let mut config = fs::read_to_string(postfax.config()).unwrap();
    for (name, uid) in [("anna", ANNA), ("bob", BOB), ("carl", CARL)] {
        let named = format!("[[client]]\nname = \"{name}\"");
        config = config.replace(&named, &format!("{named}\nusers = [\"{uid}\"]"));
    }
    fs::write(postfax.config(), config).unwrap();
    admit(&postfax);
    postfax.run();
    postfax
}

fn ok(output: Output) -> String {
    assert_eq!(code(&output), 0, "{}", said(&output));
    said(&output)
}

/// Who finds this, by the names of what is found.
fn found(postfax: &Postfax, uid: u32, text: &str) -> Vec<String> {
    let (code, answer) = ask_json_as(postfax, uid, &["book", "find", text]);
    assert_eq!(code, 0, "{answer}");
    let entries = answer["book"]["entries"]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect()
}

fn sheet(postfax: &Postfax, uid: u32, entry: &str) -> Value {
    let (code, answer) = ask_json_as(postfax, uid, &["book", "show", entry]);
    assert_eq!(code, 0, "{answer}");
    answer["book"]["entry"].clone()
}

#[test]
fn clients_keep_share_and_use_a_book() {
    let mut postfax = set_up();
    let said_so = ok(ask_as(
        &postfax,
        ANNA,
        &["book", "add", "Acme, accounts", "+44 20 7946 0100", "--alias", "acme", "--tag", "law"],
    ));
    assert!(said_so.contains("faxes to     acme@fax.example.com"), "{said_so}");
    assert!(said_so.contains("for          its owner alone"), "{said_so}");
    let uid = sheet(&postfax, ANNA, "acme")["entry"]["uid"].as_str().unwrap().to_owned();

    // What others do not see is not there, word for word.
    for word in ["acme", &uid, "+442079460100"] {
        for command in ["show", "delete"] {
            let hidden = ask_as(&postfax, BOB, &["book", command, word]);
            assert_eq!(code(&hidden), 1);
            let nothing = ask_as(&postfax, BOB, &["book", command, "nobody"]);
            assert_eq!(said(&hidden).replace(word, "nobody"), said(&nothing));
        }
    }
    assert_eq!(found(&postfax, BOB, ""), [""; 0]);

    sharing(&postfax);

    // A change of what was seen, and not over what others have written meanwhile.
    let stale = ["book", "change", "acme", "--company", "Acme Ltd", "--version", "1"];
    assert_eq!(code(&ask_as(&postfax, ANNA, &stale)), 1);
    let seen = ["book", "change", "acme", "--company", "Acme Ltd", "--version", "5"];
    ok(ask_as(&postfax, ANNA, &seen));
    let history = sheet(&postfax, ANNA, "acme")["history"].clone();
    let what: Vec<&str> =
        history.as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(
        what,
        [
            "changed: company",
            "now for its owner alone",
            "now for group:paris",
            "now for client:bob group:paris",
            "now for client:bob",
            "added",
        ]
    );

    // The administrator keeps the public book; lists; an alias of two.
    ok(postfax.ask(&["book", "add", "Acme, public", "+442079460111", "--alias", "acme"]));
    assert_eq!(found(&postfax, BOB, ""), ["Acme, public"]);
    assert_eq!(sheet(&postfax, ANNA, "acme")["entry"]["name"], "Acme, accounts", "her own first");
    let list = ["book", "add", "Both", "--alias", "both", "--member", &uid, "--member"];
    ok(ask_as(&postfax, ANNA, &[&list[..], &["+442079460111"]].concat()));
    let members = sheet(&postfax, ANNA, "both")["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 2, "{members}");
    let two = postfax.ask(&["book", "show", "acme"]);
    assert_eq!(code(&two), 2);
    assert!(said(&two).contains("2 entries") && said(&two).contains("of anna"), "{}", said(&two));

    // All of it is there after kill -9, with its history.
    postfax.kill();
    postfax.run();
    let again = sheet(&postfax, ANNA, &uid);
    assert_eq!(again["history"], history);
    ok(ask_as(&postfax, ANNA, &["book", "delete", &uid]));
    let both = sheet(&postfax, ANNA, "both");
    assert_eq!((both["members"].as_array().unwrap().len(), &both["unusable"]), (1, &1.into()));
}

/// Anna shares her entry with one client, with a group, not with everyone; and takes it back.
fn sharing(postfax: &Postfax) {
    ok(ask_as(postfax, ANNA, &["book", "share", "acme", "--with", "bob"]));
    assert_eq!(found(postfax, BOB, "accounts"), ["Acme, accounts"]);
    assert_eq!(found(postfax, CARL, "acme"), [""; 0]);
    ok(ask_as(postfax, ANNA, &["book", "share", "acme", "--with", "group:paris"]));
    assert_eq!(found(postfax, CARL, "7946"), ["Acme, accounts"]);
    let table = ok(ask_as(postfax, CARL, &["book", "find"]));
    assert!(
        table.starts_with("NAME            COMPANY  ALIAS  NUMBER         OWNER  FOR"),
        "{table}"
    );
    assert!(!table.contains("bob"), "the label is not for carl: {table}");
    assert_eq!(code(&ask_as(postfax, BOB, &["book", "change", "acme", "--note", "x"])), 77);
    assert_eq!(code(&ask_as(postfax, ANNA, &["book", "share", "acme", "--everyone"])), 77);
    ok(ask_as(postfax, ANNA, &["book", "unshare", "acme", "--with", "bob"]));
    assert_eq!(found(postfax, BOB, ""), ["Acme, accounts"], "still of the group");
    ok(ask_as(postfax, ANNA, &["book", "unshare", "acme"]));
    assert_eq!(found(postfax, BOB, ""), [""; 0]);
}

const THUNDERBIRD: &str = "First Name,Last Name,Display Name,Nickname,Primary Email,\
    Secondary Email,Screen Name,Work Phone,Home Phone,Fax Number,Pager Number,Mobile Number,\
    Organization,Notes\r\n\
    Anna,Müller,Anna Müller,mueller,a.mueller@bell.example,,,+49 30 123450,,+49 30 123459,,,\
    Bell GmbH,\"Montags, dienstags\"\r\n\
    Ben,Cork,Ben Cork,,ben@cork.example,,,,,020 7946 0200,,07700 900123,Cork plc,\r\n\
    Dora,Dent,Dora Dent,,dora@dent.example,,,020 7946 0300,,,,,,\r\n";

const OUTLOOK: &str = "\"First Name\",\"Last Name\",\"Company\",\"Business Fax\",\"Home Fax\",\
    \"E-mail Address\",\"Categories\"\r\n\
    \"Eve\",\"Ellis\",\"Ellis & Sons\",\"+44 (0)20 7946 0400\",\"020 7946 0401\",\"eve@ellis.example\",\
    \"Law;Key\"\r\n";

#[test]
fn files_of_address_books_come_in_and_go_out() {
    let postfax = set_up();
    let file = |name: &str, text: &str| {
        let path = postfax.file(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let thunderbird = file("thunderbird.csv", THUNDERBIRD);
    let would = ok(ask_as(&postfax, ANNA, &["book", "import", &thunderbird, "--dry-run"]));
    assert!(would.contains("+ Anna Müller, +4930123459"), "{would}");
    assert!(would.contains("row 4 (\"Dora Dent\")"), "{would}");
    assert!(would.contains("2 to add, 0 to change"), "{would}");
    assert_eq!(found(&postfax, ANNA, ""), [""; 0], "nothing is done yet");
    let done =
        ok(ask_as(&postfax, ANNA, &["book", "import", &thunderbird, "--with", "group:london"]));
    assert!(done.contains("2 added, 0 changed, 0 the same"), "{done}");
    assert_eq!(found(&postfax, CARL, "muller"), ["Anna Müller"]);
    let again = ok(ask_as(&postfax, ANNA, &["book", "import", &thunderbird]));
    assert!(again.contains("0 added, 0 changed, 2 the same"), "{again}");

    // One bad row, and nothing of the file is imported.
    let outlook = file(
        "outlook.csv",
        &(OUTLOOK.to_owned() + "\"X\",\"Y\",\"\",\"call me\",\"\",\"\",\"\"\r\n"),
    );
    let bad = ask_as(&postfax, ANNA, &["book", "import", &outlook]);
    assert_eq!(code(&bad), 1);
    assert!(said(&bad).contains("row 3, column \"Business Fax\": \"call me\""), "{}", said(&bad));
    assert!(said(&bad).contains("nothing is imported: 1 error"), "{}", said(&bad));
    assert_eq!(found(&postfax, ANNA, "ellis"), [""; 0]);
    let outlook = file("outlook.csv", OUTLOOK);
    ok(ask_as(&postfax, ANNA, &["book", "import", &outlook]));
    let eve = sheet(&postfax, ANNA, "+442079460400");
    assert_eq!(eve["entry"]["tags"], serde_json::json!(["Key", "Law"]));
    let audit = said(&postfax.ask(&["audit", "--request", "book.import"]));
    assert!(audit.contains("the file has errors") && !audit.contains("call me"), "{audit}");

    // Out in each format, and in again by the input: nothing is different.
    for (format, begin) in [
        ("csv", "\u{feff}UID,Name,"),
        ("vcard3", "BEGIN:VCARD\r\nVERSION:3.0"),
        ("vcard4", "BEGIN:VCARD\r\nVERSION:4.0"),
        ("ldif", "version: 1\n"),
    ] {
        let out = ask_as(&postfax, ANNA, &["book", "export", "--format", format]);
        assert_eq!(code(&out), 0);
        assert!(String::from_utf8_lossy(&out.stderr).contains("3 entries exported"));
        let text = String::from_utf8(out.stdout).unwrap();
        assert!(text.starts_with(begin), "{text}");
        let told = by_input(&postfax, &text);
        let told = &told["book"]["imported"];
        assert_eq!((&told["same"], &told["added"]), (&3.into(), &Value::Array(vec![])), "{told:#}");
        assert_eq!(told["changed"], Value::Array(vec![]), "{told:#}");
    }
    let whole = postfax.file("all.ldif").display().to_string();
    ok(postfax.ask(&["book", "export", &whole, "--all"]));
    assert!(fs::read_to_string(&whole).unwrap().contains("facsimileTelephoneNumber: +4930123459"));
}

/// What the administrator is told who imports a text by the input, for anna.
fn by_input(postfax: &Postfax, text: &str) -> Value {
    let mut import = Command::new(postfax.file("postfax"))
        .args(["book", "import", "-", "--owner", "anna", "--json", "--socket"])
        .arg(postfax.file("control.sock"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let answer = import.wait_with_output().unwrap();
    serde_json::from_slice(&answer.stdout).unwrap()
}

/// A table of so many entries, whose names begin so.
fn table(of: &str, count: usize) -> String {
    let rows = (0..count).map(|at| {
        let number = 20_000_000 + at;
        format!("{of}-{at},{of} and Sons Ltd,{of}{at}x,+4420{number},a note on {at}\r\n")
    });
    "Name,Company,Alias,Fax,Note\r\n".to_owned() + &rows.collect::<String>()
}

#[test]
fn ten_thousand_entries_come_through_the_socket() {
    let postfax = set_up();
    let file = postfax.file("many.csv");
    fs::write(&file, table("n", 10_000)).unwrap();
    let import = ["book", "import", file.to_str().unwrap(), "--json"];
    let begin = Instant::now();
    let (code, told) = ask_json_as(&postfax, ANNA, &import[..3]);
    let first = begin.elapsed();
    assert_eq!((code, told["book"]["imported"]["done"].as_bool()), (0, Some(true)));
    assert_eq!(told["book"]["imported"]["added"].as_array().unwrap().len(), 10_000);
    let begin = Instant::now();
    let (_, told) = ask_json_as(&postfax, ANNA, &import[..3]);
    eprintln!(
        "10,000 entries: imported in {first:?}, and again without change in {:?}",
        begin.elapsed()
    );
    assert_eq!(told["book"]["imported"]["same"], 10_000);
    // One more than a client may own.
    fs::write(&file, table("more", 1)).unwrap();
    let full = ask_as(&postfax, ANNA, &import[..3]);
    assert!(said(&full).contains("one client owns 10000 entries at most"), "{}", said(&full));
}

#[test]
fn an_import_that_is_killed_is_whole_or_not_there() {
    const COUNT: u64 = 1500;
    let mut postfax = set_up();
    let mut ends = Vec::new();
    for (round, wait) in [60_u64, 150, 300, 500, 800, 1300, 2500, 0].into_iter().enumerate() {
        let file = postfax.file(&format!("{round}.csv"));
        fs::write(&file, table(&format!("r{round}"), COUNT as usize)).unwrap();
        let mut import = Command::new(postfax.file("postfax"))
            .args(["book", "import", "--socket"])
            .arg(postfax.file("control.sock"))
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut promised = None;
        match wait {
            // The last one comes to its end, however slow the machine is.
            0 => promised = Some(import.wait().unwrap().success()),
            wait => std::thread::sleep(Duration::from_millis(wait)),
        }
        postfax.kill();
        let promised = promised.unwrap_or_else(|| import.wait().unwrap().success());
        postfax.run();
        let answer = postfax.ask_json(&["book", "export"]);
        let count = answer["book"]["exported"]["count"].as_u64().unwrap();
        assert_eq!(count % COUNT, 0, "half a file after {wait} ms");
        let before = ends.last().map_or(0, |(count, _)| *count);
        assert!(!promised || count == before + COUNT, "what was said to be done is there");
        ends.push((count, promised));
    }
    assert!(ends.iter().any(|(count, _)| *count > 0), "none came to its end: {ends:?}");
    assert!(ends.iter().any(|(_, promised)| !promised), "none was killed: {ends:?}");
}
