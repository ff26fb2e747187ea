//! The HTTP door through the real program and real curl: faxes sent, followed and
//! fetched, who is let in, what is refused and how, and its description as public tools
//! read it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::Value;
use support::{
    http::{House, token},
    lab::{Description, Lab, Servers},
    wait_for,
};

/// Set to a folder made by `python3 -m venv` that has `openapi-spec-validator` and
/// `schemathesis`.
const TOOLS: &str = "POSTFAX_OPENAPI_TOOLS";

/// Follows the events into a file.
fn follow(house: &House, token: &str, file: &Path) -> Follower {
    let child = Command::new("curl")
        .args(["-sSN", "--max-time", "120", "-o"])
        .arg(file)
        .args(["-H", &format!("Authorization: Bearer {token}")])
        .arg(format!("{}/v1/events", house.url))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Follower(child)
}

/// Ends with the test.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn states(events: &str) -> Vec<String> {
    let rows = events.lines().filter_map(|line| line.strip_prefix("data: "));
    let rows = rows.map(|row| serde_json::from_str::<Value>(row).unwrap());
    rows.map(|row| row["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_fax_is_sent_followed_and_fetched() {
    let lab = Lab::start(Servers::Stations, 1);
    let house = House::start(&lab.about, "");
    house.postfax.wait_for_servers();
    let folder = tempfile::tempdir().unwrap();
    let (mine, others) = (folder.path().join("anna"), folder.path().join("bob"));
    let _following = [follow(&house, &house.anna, &mine), follow(&house, &house.bob, &others)];
    let to = format!("to={}", lab.number_of(1));
    let sent =
        house.send(&house.anna, &["-F", &to, "-F", "text=Hello by HTTP", "-F", "subject=Hi"]);
    assert_eq!(sent.status, 201, "{}", String::from_utf8_lossy(&sent.body));
    let id = sent.json()["jobs"][0]["job"].as_u64().unwrap();
    let path = format!("/v1/jobs/{id}");
    assert_eq!(sent.header("location"), Some(path.as_str()));
    let job = wait_for("the fax to be delivered", 60, || {
        let job = house.curl(&house.anna, &path, &[]).json();
        (job["summary"]["state"] == "delivered").then_some(job)
    });
    assert_eq!(job["summary"]["pages"], 1);
    assert_eq!(job["subject"], "Hi");
    assert_eq!(job["attempts"][0]["outcome"], "delivered");
    for (query, accept, begins) in [
        ("?format=tiff", "*/*", &b"II*\0"[..]),
        ("", "image/tiff", b"II*\0"),
        ("", "*/*", b"%PDF-"),
        ("?format=png&page=1", "*/*", b"\x89PNG"),
    ] {
        let accept = format!("Accept: {accept}");
        let pages = house.curl(&house.anna, &format!("{path}/pages{query}"), &["-H", &accept]);
        assert_eq!(pages.status, 200, "{query}");
        assert!(pages.body.starts_with(begins), "{query}: {:?}", &pages.body[..8]);
    }
    let beyond = house.curl(&house.anna, &format!("{path}/pages?format=png&page=2"), &[]);
    assert_eq!((beyond.status, beyond.problem().as_str()), (400, "bad-request"));
    let strange = house.curl(&house.anna, &format!("{path}/pages"), &["-H", "Accept: text/html"]);
    assert_eq!((strange.status, strange.problem().as_str()), (406, "not-acceptable"));
    for path in [path.clone(), format!("{path}/pages"), format!("/v1/explain?job={id}")] {
        let hidden = house.curl(&house.bob, &path, &[]);
        assert_eq!((hidden.status, hidden.problem().as_str()), (404, "no-such-job"), "{path}");
    }
    let hidden = house.curl(&house.bob, &format!("{path}/cancel"), &["-X", "POST"]);
    assert_eq!((hidden.status, hidden.problem().as_str()), (404, "no-such-job"));
    let events = wait_for("the events of it", 10, || {
        let text = fs::read_to_string(&mine).unwrap_or_default();
        states(&text).contains(&"delivered".to_owned()).then_some(text)
    });
    assert!(events.contains("event: job") && events.contains("id: "), "{events}");
    let told = fs::read_to_string(&others).unwrap_or_default();
    assert!(!told.contains(&format!("\"job\":{id},")), "{told}");
    let over = house.curl(&house.anna, &format!("{path}/cancel"), &["-X", "POST"]);
    assert_eq!((over.status, over.problem().as_str()), (409, "wrong-state"));
    let listed = house.curl(&house.anna, "/v1/jobs?kind=out", &[]).json();
    assert_eq!(listed["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(
        house.curl(&house.bob, "/v1/jobs?kind=out", &[]).json()["jobs"],
        serde_json::json!([])
    );
    received_pages_are_for_their_receiver(&house);
}

/// A fax from one server to the other arrives for the client of that number.
fn received_pages_are_for_their_receiver(house: &House) {
    let id = wait_for("the fax to arrive", 60, || {
        let listed = house.curl(&house.bob, "/v1/jobs?kind=in", &[]).json();
        listed["jobs"][0]["job"].as_u64()
    });
    let pages = format!("/v1/jobs/{id}/pages?format=pdf");
    assert!(house.curl(&house.bob, &pages, &[]).body.starts_with(b"%PDF-"));
    assert_eq!(house.curl(&house.anna, &pages, &[]).status, 404);
}

#[test]
fn who_has_no_good_token_is_kept_out() {
    let house = House::start(&Description::unreachable(), "");
    assert_eq!(house.curl("", "/v1/health", &[]).json()["status"], "ok");
    let wrong = house.anna.replace(char::is_numeric, "0");
    for token in ["", "x", &wrong] {
        let heard = house.curl(token, "/v1/status", &[]);
        assert_eq!((heard.status, heard.problem().as_str()), (401, "unauthenticated"));
        assert!(heard.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")));
    }
    assert_eq!(house.curl(&house.anna, "/v1/status", &[]).status, 200);
    // One that is over.
    let tokens = house.postfax.file("tokens");
    let text = fs::read_to_string(&tokens).unwrap();
    let bobs: String = text
        .lines()
        .map(|line| if line.starts_with("bob ") { line.replace(" never", " 2020-01-01T00:00:00Z") } else { line.to_owned() } + "\n")
        .collect();
    fs::write(&tokens, bobs).unwrap();
    token(&house.postfax, &["revoke", "anna"]);
    let reload = |token: &str| house.curl(token, "/v1/reload", &["-X", "POST"]);
    let denied = reload(&house.anna);
    assert_eq!((denied.status, denied.problem().as_str()), (403, "not-permitted"));
    assert_eq!(reload(&house.chief).status, 200);
    for gone in [&house.anna, &house.bob] {
        assert_eq!(house.curl(gone, "/v1/jobs", &[]).status, 401);
    }
    // Who fails is slowed, and who has a good token is heard all the same.
    assert_eq!(house.curl(&house.chief, "/v1/jobs", &[]).status, 200);
}

#[test]
fn all_that_goes_wrong_has_one_form() {
    let house = House::start(&Description::unreachable(), "max_body_bytes = 65536");
    let large = tempfile::NamedTempFile::new().unwrap();
    fs::write(large.path(), vec![b'x'; 100_000]).unwrap();
    let large = format!("document=@{}", large.path().display());
    let to = "to=+12125550199";
    for (path, arguments, status, code) in [
        ("/", &[][..], 404, "not-found"),
        ("/v2/jobs", &[], 404, "not-found"),
        ("/v1/jobs/99", &[], 404, "no-such-job"),
        ("/v1/jobs/twelve", &[], 400, "bad-request"),
        ("/v1/jobs/99999999999999999999", &[], 400, "bad-request"),
        ("/v1/jobs?limit=0", &[], 400, "bad-request"),
        ("/v1/jobs?colour=red", &[], 400, "bad-request"),
        ("/v1/jobs?number=x", &[], 400, "bad-request"),
        ("/v1/jobs", &["-X", "DELETE"], 405, "method-not-allowed"),
        ("/v1/explain", &[], 400, "bad-request"),
        ("/v1/explain?from=bob&to=%2B12125550199", &[], 403, "not-permitted"),
        (
            "/v1/faxes",
            &["-d", "{}", "-H", "Content-Type: application/json"],
            415,
            "unsupported-media-type",
        ),
        ("/v1/faxes", &["-d", "x", "-H", "Content-Type: multipart/form-data"], 400, "bad-request"),
        ("/v1/faxes", &["-F", to], 400, "bad-request"),
        ("/v1/faxes", &["-F", to, "-F", "colour=red"], 400, "bad-request"),
        ("/v1/faxes", &["-F", to, "-F", &large], 413, "too-large"),
        ("/v1/faxes", &["-F", "to=12", "-F", "text=x"], 422, "refused"),
        ("/v1/faxes", &["-F", "to=postmaster", "-F", "text=x"], 422, "refused"),
        ("/v1/faxes", &["-F", "to=+19005550100", "-F", "text=x"], 403, "not-permitted"),
        (
            "/v1/faxes",
            &["-F", to, "-F", "text=x", "-F", "from=bob@example.com"],
            403,
            "not-permitted",
        ),
        ("/v1/faxes", &["-F", to, "-F", "document=PK;type=application/zip"], 422, "refused"),
        ("/v1/events", &["-H", "Last-Event-ID: x"], 400, "bad-request"),
    ] {
        let heard = house.curl(&house.anna, path, arguments);
        assert_eq!(
            (heard.status, heard.problem().as_str()),
            (status, code),
            "{path} {arguments:?}"
        );
    }
    assert_eq!(house.curl(&house.anna, "/v1/jobs", &[]).json()["jobs"], serde_json::json!([]));
}

#[test]
fn what_is_sent_twice_with_one_key_is_done_once() {
    let mut house = House::start(&Description::unreachable(), "");
    let key = ["-H", "Idempotency-Key: one"];
    let fax = |text: &str| {
        let text = format!("text={text}");
        let form = ["-F", "to=+12125550199", "-F", &text];
        house.send(&house.anna, &[&key[..], &form].concat())
    };
    let first = fax("hello");
    assert_eq!(first.status, 201);
    assert_eq!(fax("hello").json(), first.json());
    let other = fax("goodbye");
    assert_eq!((other.status, other.problem().as_str()), (422, "key-used"));
    let id = first.json()["jobs"][0]["job"].as_u64().unwrap();
    let cancel = format!("/v1/jobs/{id}/cancel");
    let cancelled =
        |token: &str| house.curl(token, &cancel, &["-X", "POST", "-H", "Idempotency-Key: two"]);
    let done = cancelled(&house.anna);
    assert_eq!((done.status, done.json()["what"].as_str()), (200, Some("cancelled")));
    assert_eq!(cancelled(&house.anna).json(), done.json(), "and not that it is over");
    for text in ["a", "b", "c"] {
        let text = format!("text={text}");
        assert_eq!(house.send(&house.anna, &["-F", "to=+12125550199", "-F", &text]).status, 201);
    }
    pages_of_a_list(&house);
    // The key outlives the daemon, as far as the fax goes.
    let lasting = |house: &House| {
        let form = ["-H", "Idempotency-Key: three", "-F", "to=+12125550199", "-F", "text=lasting"];
        house.send(&house.anna, &form).json()
    };
    let before = lasting(&house);
    house.postfax.stop();
    house.postfax.run();
    assert_eq!(lasting(&house), before);
}

/// The `Link` of each page leads to the next one, and each job is on one of them.
fn pages_of_a_list(house: &House) {
    let (mut path, mut seen) = (Some("/v1/jobs?kind=out&limit=3".to_owned()), Vec::new());
    while let Some(page) = path {
        let heard = house.curl(&house.anna, &page, &[]);
        let jobs = heard.json()["jobs"].as_array().unwrap().clone();
        seen.extend(jobs.iter().map(|job| job["job"].as_u64().unwrap()));
        path = heard.header("link").map(|link| {
            let (target, rel) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
            assert_eq!(rel, "; rel=\"next\"");
            target.to_owned()
        });
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
}

#[test]
fn it_is_encrypted_with_the_certificate_of_the_mail_doors() {
    let house = House::start(&Description::unreachable(), "tls = true");
    let host = house.url.trim_start_matches("https://127.0.0.1").to_owned();
    let url = format!("https://fax1.example.com{host}/v1/status");
    let resolve = format!("fax1.example.com{host}:127.0.0.1");
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "20", "--resolve", &resolve, "--cacert"])
        .arg(house.postfax.file("cert.pem"))
        .args(["-H", &format!("Authorization: Bearer {}", house.anna), &url])
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(status["servers"][0]["name"], "one");
    let clear = Command::new("curl")
        .args(["-s", "--max-time", "5", &house.url.replace("https", "http")])
        .output()
        .unwrap();
    assert!(!clear.status.success(), "nothing is answered in the clear");
}

#[test]
fn public_tools_find_no_fault_with_the_description() {
    let Some(tools) = std::env::var_os(TOOLS) else {
        println!("skipped: {TOOLS} names no folder with openapi-spec-validator and schemathesis");
        return;
    };
    let tools = Path::new(&tools).join("bin");
    // The tools try without a token as well, which would slow them.
    let patient = "[limits]\nmax_login_failures_per_address = 10000";
    let house = House::start(&Description::unreachable(), patient);
    for text in ["a", "b"] {
        let text = format!("text={text}");
        assert_eq!(house.send(&house.chief, &["-F", "to=+12125550199", "-F", &text]).status, 201);
    }
    let described = house.curl("", "/openapi.json", &[]);
    assert!(described.json()["openapi"].as_str().unwrap().starts_with("3.1"));
    let file = house.postfax.file("openapi.json");
    // A server that there is.
    let body = String::from_utf8(described.body).unwrap().replace("london-1", "one");
    fs::write(&file, body).unwrap();
    let valid = Command::new(tools.join("openapi-spec-validator")).arg(&file).output().unwrap();
    assert!(valid.status.success(), "{}", String::from_utf8_lossy(&valid.stdout));
    let began = Instant::now();
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_headers_conformance,response_schema_conformance";
    let output = Command::new("timeout")
        .arg("300")
        .arg(tools.join("schemathesis"))
        .args(["run", "--url", &house.url, "--checks", checks, "--max-examples", "25"])
        .args([
            "--seed",
            "1",
            // A stream has no end, which a tool would wait for.
            "--exclude-path",
            "/v1/events",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args(["-H", &format!("Authorization: Bearer {}", house.chief)])
        .arg(&file)
        .current_dir(house.postfax.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("schemathesis took {} s", began.elapsed().as_secs());
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
