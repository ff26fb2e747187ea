//! What senders, settings and the phone book ask of the pages: options in addresses and
//! header fields, pages of their own for each recipient, covers, and pages that are made
//! coarser since they would hold a line too long.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{collections::BTreeSet, time::Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use support::{
    lab::{Description, Lab, Servers},
    pages,
    postfax::Postfax,
    sink::Sink,
    wait_for,
    wire::Wire,
};

/// A mail by the relay port, from anna: what was said of each recipient and of the mail.
struct Sent {
    rcpts: Vec<String>,
    end: String,
}

impl Sent {
    /// The jobs that the last reply names.
    fn jobs(&self) -> Vec<u64> {
        let (_, ids) = self.end.split_once("queued as ").unwrap_or_else(|| panic!("{}", self.end));
        ids.split([',', ' ']).filter_map(|id| id.parse().ok()).collect()
    }
}

fn send(postfax: &Postfax, to: &[&str], mail: &str) -> Sent {
    let mut wire = Wire::connect(postfax.relay);
    wire.hear("220");
    wire.ask("EHLO client.example.com\r\n", "250");
    wire.ask("MAIL FROM:<anna@example.com>\r\n", "250");
    let mut rcpts = Vec::new();
    for to in to {
        wire.say(format!("RCPT TO:<{to}@fax.example.com>\r\n").as_bytes());
        rcpts.push(wire.reply().join("\n"));
    }
    let mut end = String::new();
    if rcpts.iter().any(|reply| reply.starts_with("250")) {
        wire.ask("DATA\r\n", "354");
        let head = "From: Anna Adams <anna@example.com>\nSubject: Offer\n";
        let mail = format!("{head}{mail}\n").replace('\n', "\r\n");
        wire.say(format!("{mail}.\r\n").as_bytes());
        end = wire.reply().join("\n");
    }
    wire.say(b"QUIT\r\n");
    Sent { rcpts, end }
}

/// A mail with a PDF of so many pages, and a text beside it.
fn with_pdf(fields: &str, count: usize) -> String {
    let pdf = BASE64.encode(pages::pdf(count, "a page"));
    format!(
        "{fields}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n\
         With kind regards\n--b\nContent-Type: application/pdf\n\
         Content-Transfer-Encoding: base64\n\n{pdf}\n--b--"
    )
}

fn digest(document: &Value) -> String {
    document["digest"].as_str().unwrap_or_else(|| panic!("{document:#}")).to_owned()
}

#[test]
fn each_recipient_gets_the_pages_that_were_asked_for_there() {
    let sink = Sink::start();
    let more = "[[group]]\nname = \"coarse\"\n\n[cover]\ntemplate = \"standard\"\n";
    let postfax = Postfax::start(&Description::unreachable(), &sink, more);
    let to = [
        "+12125550111",
        "+12125550112/resolution=standard",
        "+12125550113/res=98",
        "+12125550114/cp=on",
        "+12125550115/res=sharp",
        "+12125550116^NOCOVER^RETRIES=3",
    ];
    let sent = send(&postfax, &to, "X-Fax-Unheard-Of: yes\n\nGood morning");
    assert!(sent.rcpts[4].starts_with("553 5.1.3 res=sharp is not possible"), "{}", sent.rcpts[4]);
    let jobs: Vec<Value> = sent.jobs().into_iter().map(|id| postfax.job(id)).collect();
    assert_eq!(jobs.len(), 5, "{}", sent.end);
    let resolutions: Vec<&str> =
        jobs.iter().map(|job| job["document"]["resolution"].as_str().unwrap()).collect();
    assert_eq!(resolutions, ["fine", "standard", "standard", "fine", "fine"]);
    let of: Vec<String> = jobs.iter().map(|job| digest(&job["document"])).collect();
    assert_eq!((&of[1], &of[0]), (&of[2], &of[4]), "what is alike is drawn once");
    assert!(of[0] != of[1] && of[3] != of[0]);
    assert!(jobs[3]["cover"].is_null(), "the text is on the cover, and nowhere else");
    let refused = send(&postfax, &["+12125550111"], "X-Fax-Tone: loud\n\nGood morning");
    assert!(refused.end.starts_with("554 5.5.4 X-Fax-Tone: loud"), "{}", refused.end);
    let header = send(&postfax, &["+12125550117", "+12125550118/cp=off"], "X-Fax-Cover: on\n\nHi");
    let jobs = header.jobs();
    let texts = jobs.iter().map(|id| digest(&postfax.job(*id)["document"]));
    assert_eq!(texts.collect::<BTreeSet<_>>().len(), 2, "the address is heard before the header");
}

#[test]
fn a_cover_goes_first_and_counts_as_a_page() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "");
    postfax.wait_for_servers();
    let to = format!("{}/to=Bob_Brown/cp=on", lab.number_of(1));
    let sent = send(&postfax, &[&to], &with_pdf("", 2));
    let job = postfax.wait_for_end(sent.jobs()[0], 120);
    assert_eq!((&job["confirmed"], &job["document"]["pages"]), (&3.into(), &2.into()), "{job:#}");
    let receipt = sink.wait("the receipt", "anna@example.com", 30, |_| true);
    assert_eq!(receipt.status_field("X-Fax-Pages").as_deref(), Some("3/3"));
    sink.wait("the fax", "bob@example.com", 60, |_| true);
    let arrived = postfax.jobs().into_iter().find(|job| job["cause"].get("arrived").is_some());
    let arrived = postfax.document(&digest(&arrived.unwrap()["document"]));
    let [cover, pages] = ["cover", "document"].map(|of| postfax.document(&digest(&job[of])));
    let both: Vec<_> =
        [cover, pages].iter().flat_map(|file| support::pages::pixels(file)).collect();
    assert_eq!(support::pages::pixels(&arrived), both, "the cover, then the pages, bit by bit");
}

#[test]
fn a_text_that_has_no_place_on_the_cover_follows_it() {
    let sink = Sink::start();
    let servers = Description::unreachable();
    let mut postfax = Postfax::prepare(&servers, &sink, "[cover]\nfolder = \"covers\"\n");
    std::fs::create_dir(postfax.file("covers")).unwrap();
    std::fs::write(postfax.file("covers/short.txt"), "To: {to-name}\n").unwrap();
    postfax.run();
    let to = ["+12125550111/cp=short", "+12125550112/cp=standard"];
    let jobs = send(&postfax, &to, "\nGood morning").jobs();
    let [short, standard] = [0, 1].map(|at| postfax.job(jobs[at]));
    let pages = |job: &Value| (job["cover"]["pages"].clone(), job["document"]["pages"].clone());
    assert_eq!(pages(&short), (1.into(), 1.into()), "{short:#}");
    assert_eq!(pages(&standard), (Value::Null, 1.into()), "{standard:#}");
}

#[test]
fn a_text_before_pictures_is_on_the_cover_only() {
    let sink = Sink::start();
    let postfax = Postfax::start(&Description::unreachable(), &sink, "");
    // A PNG of 600 by 600 black dots.
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAlgAAAJYAQAAAACWHaVxAAAAQ0lEQVR42u3BAQ0AAADCoPdPbQ43\
                   oAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAvg2yIAABW5v6kQAA\
                   AABJRU5ErkJggg==";
    let mail = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n\
         Content-Type: text/html\n\n<p>Our plan:</p><img src=\"cid:plan\">\n--b\n\
         Content-Type: image/png\nContent-ID: <plan>\n\
         Content-Transfer-Encoding: base64\n\n{picture}\n--b--"
    );
    let jobs = send(&postfax, &["+12125550111/cp=on", "+12125550112"], &mail).jobs();
    let pages = jobs.iter().map(|id| postfax.job(*id)["document"]["pages"].clone());
    assert_eq!(pages.collect::<Vec<_>>(), [1, 2], "the picture; the text and the picture");
}

#[test]
fn many_covers_are_made_after_the_mail_was_taken() {
    let sink = Sink::start();
    let more = "[cover]\ndefault = \"body\"\n";
    let postfax = Postfax::start(&Description::unreachable(), &sink, more);
    let to: Vec<String> = (0..25).map(|n| format!("+121255502{n:02}")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let sent = send(&postfax, &to, &with_pdf("", 1));
    let jobs = wait_for("the covers", 60, || {
        let jobs: Vec<Value> = sent.jobs().into_iter().map(|id| postfax.job(id)).collect();
        jobs.iter().all(|job| job["state"].get("preparing").is_none()).then_some(jobs)
    });
    assert_eq!(jobs.len(), 25);
    let different = |of: &str| jobs.iter().map(|job| digest(&job[of])).collect::<BTreeSet<_>>();
    assert_eq!(different("cover").len(), 25, "each says whom it is for");
    assert_eq!(different("document").len(), 1, "the pages are everybody's");
}

#[test]
fn pages_that_would_hold_the_line_too_long_are_made_coarser_and_the_receipt_says_so() {
    let lab = Lab::start(Servers::Stations, 1);
    let sink = Sink::start();
    let postfax = Postfax::start(&lab.about, &sink, "[convert]\nmax_line_s = 1\n");
    postfax.wait_for_servers();
    let sent = send(&postfax, &[lab.number_of(1)], &with_pdf("", 1));
    let job = postfax.wait_for_end(sent.jobs()[0], 120);
    assert_eq!(job["document"]["resolution"], "standard");
    assert_eq!(job["remarks"]["stepped"]["asked"], "fine");
    let receipt = sink.wait("the receipt", "anna@example.com", 30, |_| true);
    let told = "The pages were made at standard resolution instead of fine";
    assert!(receipt.text().contains(told), "{}", receipt.text());
}

/// How long a thousand covers take; run by hand.
#[test]
#[ignore = "it measures"]
fn a_thousand_covers() {
    let sink = Sink::start();
    let more = "[cover]\ndefault = \"on\"\n[limits]\nmax_recipients = 2000\n\
                max_recipients_per_hour = 10_000\n";
    let postfax = Postfax::start(&Description::unreachable(), &sink, more);
    let to: Vec<String> = (0..1000).map(|n| format!("+1212556{n:04}")).collect();
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let sent = send(&postfax, &to, &with_pdf("", 2));
    let taken = begun.elapsed();
    let last = *sent.jobs().last().unwrap();
    wait_for("all covers", 300, || {
        let state = postfax.job(last)["state"].clone();
        state.get("preparing").is_none().then_some(())
    });
    eprintln!("taken after {taken:?}, 1,000 covers made after {:?}", begun.elapsed());
}
