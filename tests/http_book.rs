//! The phone book by HTTP, through the real program and real curl: three clients, each of
//! which sees only what is theirs; conditions and keys.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use serde_json::{Value, json};
use support::{
    http::{Heard, House, is, refused},
    lab::Description,
};

fn add(house: &House, token: &str, entry: &Value) -> Heard {
    house.json(token, "POST", "/v1/book", entry, &[])
}

fn patch(house: &House, token: &str, named: &str, fields: &Value, more: &[&str]) -> Heard {
    house.json(token, "PATCH", &format!("/v1/book/{named}"), fields, more)
}

fn share(house: &House, token: &str, named: &str, sharing: &Value) -> Heard {
    let path = format!("/v1/book/{named}/share");
    house.json(token, "POST", &path, &json!({ "sharing": sharing }), &[])
}

fn show(house: &House, token: &str, named: &str) -> Heard {
    house.curl(token, &format!("/v1/book/{named}"), &[])
}

fn delete(house: &House, token: &str, named: &str, more: &[&str]) -> Heard {
    let path = format!("/v1/book/{named}");
    house.curl(token, &path, &[&["-X", "DELETE"], more].concat())
}

/// The names that a search finds, in their order.
fn found(house: &House, token: &str, query: &str) -> Vec<String> {
    let entries = house.get(token, &format!("/v1/book{query}"))["entries"].clone();
    let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
    entries.as_array().unwrap().iter().map(name).collect()
}

/// What an answer says, but for the moment at which it was given.
fn said(heard: &Heard) -> (u16, Vec<String>, Vec<u8>) {
    let lines = heard.headers.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
    (heard.status, lines.map(str::to_owned).collect(), heard.body.clone())
}

#[test]
fn an_entry_is_made_found_changed_shared_and_deleted() {
    let house = House::start(&Description::unreachable(), "");
    let acme = json!({"name": "Acme", "number": "(212) 555-0100", "alias": "acme", "company":
        "Acme Ltd", "tags": ["customer"], "cover": "yes", "resolution": "superfine"});
    let made = add(&house, &house.anna, &acme);
    let told = is(&made, 201);
    let entry = &told["entry"];
    let uid = entry["uid"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location"), Some(format!("/v1/book/{uid}").as_str()));
    assert_eq!((made.header("etag"), &entry["version"]), (Some("\"1\""), &json!(1)));
    assert_eq!((&entry["number"], &entry["rank"]), (&json!("+12125550100"), &json!("own")));
    assert_eq!(entry["address"], "acme@fax.example.com");
    assert_eq!((&entry["cover"], &entry["resolution"]), (&json!(true), &json!("superfine")));
    assert_eq!((&entry["label"], &entry["may_change"]), (&json!({"named": []}), &json!(true)));
    assert!(entry.get("id").is_none(), "{entry}");
    for named in [uid.as_str(), "acme", "ACME", "+12125550100", "%2B12125550100"] {
        let shown = show(&house, &house.anna, named);
        assert_eq!(is(&shown, 200)["entry"], *entry, "{named}");
        assert_eq!(shown.header("etag"), Some("\"1\""));
    }
    for (query, fits) in
        [("?q=acm", true), ("?q=ltd+cust", true), ("?q=5550", true), ("?q=x", false)]
    {
        assert_eq!(found(&house, &house.anna, query) == ["Acme"], fits, "{query}");
    }
    changed_by_who_has_seen_it(&house);
    for (fields, status, code, words) in [
        (json!({"colour": "red"}), 400, "bad-request", "colour"),
        (json!({"number": "12"}), 400, "bad-request", "12"),
        (json!({"name": ""}), 400, "bad-request", "name"),
    ] {
        refused(&patch(&house, &house.anna, "acme", &fields, &[]), status, code, words);
    }
    let stale = delete(&house, &house.anna, "acme", &["-H", "If-Match: \"1\""]);
    assert_eq!((stale.status, stale.problem().as_str()), (412, "stale"));
    let gone = is(&delete(&house, &house.anna, "acme", &["-H", "If-Match: \"4\""]), 200);
    assert_eq!(gone, json!({"uid": uid, "name": "Acme"}));
    refused(&show(&house, &house.anna, "acme"), 404, "no-such-entry", "");
    refused(&delete(&house, &house.anna, &uid, &[]), 404, "no-such-entry", "");
    assert_eq!(found(&house, &house.anna, ""), [""; 0]);
}

/// Version 1 becomes 2, is shared as 3 and shared no more as 4.
fn changed_by_who_has_seen_it(house: &House) {
    let seen = |version: u32| format!("If-Match: \"{version}\"");
    let fields = json!({"note": "invoices", "company": "", "tags": []});
    let done = patch(house, &house.anna, "acme", &fields, &["-H", &seen(1)]);
    let entry = &is(&done, 200)["entry"];
    assert_eq!((done.header("etag"), done.header("location")), (Some("\"2\""), None));
    assert_eq!((&entry["note"], entry.get("company")), (&json!("invoices"), None));
    assert_eq!((entry.get("tags"), &entry["name"]), (None, &json!("Acme")));
    let late = patch(house, &house.anna, "acme", &json!({"note": "x"}), &["-H", &seen(1)]);
    assert_eq!((late.status, late.problem().as_str()), (412, "stale"));
    assert_eq!((late.header("etag"), &late.json()["version"]), (Some("\"2\""), &json!(2)));
    let weak = ["-H", "If-Match: W/\"2\""];
    assert_eq!(patch(house, &house.anna, "acme", &json!({"note": "x"}), &weak).status, 412);

    let with_bob = json!({"with": [{"client": "bob"}]});
    let shared = is(&share(house, &house.anna, "acme", &with_bob), 200);
    assert_eq!(shared["entry"]["label"], json!({"named": [{"client": "bob"}]}));
    let bobs = is(&show(house, &house.bob, "acme"), 200);
    assert_eq!(
        (&bobs["entry"]["rank"], &bobs["entry"]["may_change"]),
        (&json!("shared"), &json!(false))
    );
    assert_eq!((&bobs["entry"]["owner"], bobs["entry"].get("label")), (&json!("anna"), None));
    assert_eq!(bobs.get("history"), None, "{bobs}");
    refused(
        &patch(house, &house.bob, "acme", &json!({"note": "x"}), &[]),
        403,
        "not-permitted",
        "",
    );
    refused(&share(house, &house.bob, "acme", &json!("nobody")), 403, "not-permitted", "");
    refused(&delete(house, &house.bob, "acme", &[]), 403, "not-permitted", "");
    refused(&show(house, &house.chief, "acme"), 404, "no-such-entry", "");
    let nobody = json!({"with": [{"client": "zoe"}]});
    refused(&share(house, &house.anna, "acme", &nobody), 400, "bad-request", "zoe");
    is(&share(house, &house.anna, "acme", &json!({"not-with": [{"client": "bob"}]})), 200);
    refused(&show(house, &house.bob, "acme"), 404, "no-such-entry", "");
    let history = is(&show(house, &house.anna, "acme"), 200)["history"].clone();
    let lines = history.as_array().unwrap();
    let versions: Vec<u64> = lines.iter().map(|line| line["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [4, 3, 2, 1], "{history}");
    for line in lines {
        assert!(line["by"].as_str().unwrap().contains("anna"), "{line}");
        assert!(line["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{line}");
    }
}

#[test]
fn what_a_client_may_not_see_is_answered_as_what_there_is_not() {
    let house = House::start(&Description::unreachable(), "");
    let number = "+12125550199";
    let ask = |token: &str, named: &str| -> Vec<Heard> {
        let late = ["-H", "If-Match: \"99\""];
        vec![
            show(&house, token, named),
            patch(&house, token, named, &json!({"note": "mine"}), &[]),
            patch(&house, token, named, &json!({"note": "mine"}), &late),
            share(&house, token, named, &json!("everyone")),
            delete(&house, token, named, &[]),
            delete(&house, token, named, &late),
        ]
    };
    let searches = ["", "?q=hidden", "?q=Secret", "?q=5550", "?q=Secret&limit=1"];
    let heard = |uid: &str| -> Vec<_> {
        let asked = ["hidden", number, uid].into_iter().flat_map(|named| ask(&house.bob, named));
        let path = |query: &&str| format!("/v1/book{query}");
        let searched = searches.iter().map(|query| house.curl(&house.bob, &path(query), &[]));
        let exported = house.curl(&house.bob, "/v1/book/export?what=visible", &[]);
        let listed = add(&house, &house.bob, &json!({"name": "All", "members": ["hidden"]}));
        let all = asked.chain(searched).chain([exported, listed]);
        all.map(|heard| said(&heard)).collect()
    };
    let before = heard("no-such-uid");
    let entry = json!({"name": "Secret", "number": number, "alias": "hidden", "note": "x"});
    let made = is(&add(&house, &house.anna, &entry), 201);
    let uid = made["entry"]["uid"].as_str().unwrap();
    let there = heard(uid);
    assert_eq!(is(&show(&house, &house.anna, uid), 200)["entry"]["version"], 1);
    is(&delete(&house, &house.anna, uid, &[]), 200);
    assert_eq!(there, heard(uid), "as when it is gone");
    assert_eq!((&there[..12], &there[18..]), (&before[..12], &before[18..]), "as before");
    let statuses: Vec<u16> = there.iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses[..18], [404; 18]);
    assert_eq!(statuses[18..24], [200; 6]);
    // The alias is free for bob, and each has their own.
    is(&add(&house, &house.anna, &entry), 201);
    let bobs = json!({"name": "Mine", "number": "(212) 555-0111", "alias": "hidden"});
    assert_eq!(is(&add(&house, &house.bob, &bobs), 201)["entry"]["version"], 1);
    assert_eq!(is(&show(&house, &house.anna, "hidden"), 200)["entry"]["name"], "Secret");
    assert_eq!(is(&show(&house, &house.bob, "hidden"), 200)["entry"]["name"], "Mine");
    assert_eq!(is(&show(&house, &house.anna, "hidden"), 200)["entry"]["version"], 1);
}

#[test]
fn what_everyone_sees_is_written_by_those_who_may() {
    let house = House::start(&Description::unreachable(), "");
    let entry = |name: &str, more: Value| {
        let mut entry = json!({"name": name, "number": "(212) 555-0100"});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    for more in [json!({"owner": "public"}), json!({"label": "everyone"})] {
        let denied = add(&house, &house.anna, &entry("Taxi", more));
        refused(&denied, 403, "not-permitted", "book.write on supervisor");
    }
    let others = add(&house, &house.anna, &entry("Taxi", json!({"owner": {"client": "bob"}})));
    assert_eq!((others.status, others.problem().as_str()), (403, "not-permitted"));
    let public =
        add(&house, &house.chief, &entry("Taxi", json!({"owner": "public", "alias": "taxi"})));
    let public = is(&public, 201);
    assert_eq!(
        (public["entry"].get("owner"), &public["entry"]["label"]),
        (None, &json!("everyone"))
    );
    let of_london = entry("Depot", json!({"label": {"named": [{"group": "london"}]}}));
    is(&add(&house, &house.chief, &of_london), 201);
    is(&add(&house, &house.anna, &entry("Acme", json!({}))), 201);
    is(&add(&house, &house.bob, &entry("Bistro", json!({}))), 201);
    // Own before shared before public.
    assert_eq!(found(&house, &house.anna, ""), ["Acme", "Depot", "Taxi"]);
    assert_eq!(found(&house, &house.bob, ""), ["Bistro", "Taxi"]);
    assert_eq!(found(&house, &house.chief, ""), ["Depot", "Taxi"]);
    let first = house.get(&house.anna, "/v1/book?limit=2");
    assert_eq!((first["entries"].as_array().unwrap().len(), &first["more"]), (2, &json!(true)));
    assert_eq!(house.get(&house.anna, "/v1/book?limit=3")["more"], json!(false));
    refused(
        &patch(&house, &house.anna, "taxi", &json!({"name": "X"}), &[]),
        403,
        "not-permitted",
        "book.write",
    );
    is(&patch(&house, &house.chief, "taxi", &json!({"name": "Cabs"}), &[]), 200);
    // A number is the nearest entry that has it, where only one is.
    assert_eq!(is(&show(&house, &house.anna, "+12125550100"), 200)["entry"]["name"], "Acme");
    is(&add(&house, &house.bob, &entry("Cafe", json!({}))), 201);
    let number = show(&house, &house.bob, "+12125550100");
    refused(&number, 400, "bad-request", "name one by its uid");
    a_list_names_entries(&house);
    for path in ["?limit=0", "?limit=1000", "?colour=red", "?limit=x"] {
        let heard = house.curl(&house.anna, &format!("/v1/book{path}"), &[]);
        assert_eq!((heard.status, heard.problem().as_str()), (400, "bad-request"), "{path}");
    }
    refused(
        &add(&house, &house.anna, &json!({"number": "(212) 555-0100"})),
        400,
        "bad-request",
        "name",
    );
    let colour = add(&house, &house.anna, &entry("X", json!({"colour": "red"})));
    refused(&colour, 400, "bad-request", "colour");
    let form = house.curl(&house.anna, "/v1/book", &["-d", "name=x"]);
    refused(&form, 415, "unsupported-media-type", "application/json");
    assert_eq!(house.curl("", "/v1/book", &[]).status, 401);
    let put = house.curl(&house.anna, "/v1/book/taxi", &["-X", "PUT"]);
    assert_eq!((put.status, put.problem().as_str()), (405, "method-not-allowed"));
}

fn a_list_names_entries(house: &House) {
    let acme = json!({"alias": "acme", "number": "(212) 555-0122"});
    let uid = |heard: &Heard| is(heard, 200)["entry"]["uid"].clone();
    let path = house.get(&house.anna, "/v1/book?q=acme")["entries"][0]["uid"].clone();
    is(&patch(house, &house.anna, path.as_str().unwrap(), &acme, &[]), 200);
    let list = json!({"name": "Suppliers", "alias": "suppliers", "members": ["acme", "taxi"]});
    let list = is(&add(house, &house.anna, &list), 201);
    let members: Vec<&Value> =
        list["members"].as_array().unwrap().iter().map(|m| &m["uid"]).collect();
    let [acme, taxi] = ["acme", "taxi"].map(|named| uid(&show(house, &house.anna, named)));
    assert_eq!(members, [&acme, &taxi]);
    assert_eq!((&list["entry"]["members"], list["entry"].get("number")), (&json!(2), None));
    let itself = patch(house, &house.anna, "suppliers", &json!({"members": ["suppliers"]}), &[]);
    refused(&itself, 400, "bad-request", "the list would hold itself");
    // Shared with bob, who does not see acme.
    is(&share(house, &house.anna, "suppliers", &json!({"with": [{"client": "bob"}]})), 200);
    let bobs = is(&show(house, &house.bob, "suppliers"), 200);
    assert_eq!(bobs["members"].as_array().unwrap().len(), 1, "{bobs}");
    assert_eq!((&bobs["members"][0]["uid"], &bobs["unusable"]), (&taxi, &json!(1)));
    is(&delete(house, &house.anna, "suppliers", &[]), 200);
}

#[test]
fn what_has_a_key_is_written_once_also_over_a_crash() {
    let mut house = House::start(&Description::unreachable(), "");
    let make = |house: &House, name: &str, key: &str| {
        let entry = json!({"name": name, "number": "(212) 555-0100"});
        let key = format!("Idempotency-Key: {key}");
        house.json(&house.anna, "POST", "/v1/book", &entry, &["-H", &key])
    };
    let first = make(&house, "Acme", "one");
    is(&first, 201);
    for _ in 0..2 {
        let again = make(&house, "Acme", "one");
        assert_eq!((again.status, again.json()), (201, first.json()));
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("etag"), Some("\"1\""));
        assert!(house.postfax.kill());
        house.postfax.run();
    }
    assert_eq!(found(&house, &house.anna, ""), ["Acme"]);
    refused(&make(&house, "Other", "one"), 422, "key-used", "another request");

    // Done, and never answered.
    house.die_at("request done", |house| make(house, "Bistro", "two"));
    refused(&make(&house, "Bistro", "two"), 409, "outcome-unknown", "/v1/book");
    assert_eq!(found(&house, &house.anna, "?q=bistro"), ["Bistro"], "done, and once");
    // Begun, and never done.
    house.die_at("request begun", |house| make(house, "Cafe", "three"));
    refused(&make(&house, "Cafe", "three"), 409, "outcome-unknown", "another key");
    assert_eq!(found(&house, &house.anna, "?q=cafe"), [""; 0]);
    // A file is taken in once as well, and a change is made once.
    let path = first.header("location").unwrap().to_owned();
    let alter = |house: &House| {
        let more = ["-H", "Idempotency-Key: four", "-H", "If-Match: \"1\""];
        house.json(&house.anna, "PATCH", &path, &json!({"note": "x"}), &more)
    };
    let changed = alter(&house);
    is(&changed, 200);
    assert!(house.postfax.kill());
    house.postfax.run();
    let again = alter(&house);
    assert_eq!((again.status, again.header("etag")), (200, Some("\"2\"")), "{}", again.json());
    assert_eq!(again.json(), changed.json());
    house.die_at("request done", |house| {
        house.curl(&house.anna, &path, &["-X", "DELETE", "-H", "Idempotency-Key: five"])
    });
    let gone = house.curl(&house.anna, &path, &["-X", "DELETE", "-H", "Idempotency-Key: five"]);
    refused(&gone, 409, "outcome-unknown", &path);
    assert_eq!(house.curl(&house.anna, &path, &[]).status, 404);
    let log = house.get(&house.chief, "/v1/audit?request=book.add&limit=100");
    let allowed = log["lines"].as_array().unwrap().iter().filter(|l| l["verdict"] == "allowed");
    assert_eq!(allowed.count(), 2, "{log}");
}
