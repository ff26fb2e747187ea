//! The other kinds of fax server, from the mail of a client to its receipt: a device with
//! IPP, played by CUPS's own server, and a T.37 off-ramp, played by Postfix.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use support::{
    ippeve::{self, Ippeve},
    lab::Description,
    mta_offramp::OffRamp,
    pages,
    postfax::{Postfax, free_port},
    sink::{Mail, Sink},
    wait_for,
};

fn nobody() -> Description {
    Description { servers: Vec::new(), numbers: Vec::new() }
}

/// Sends a fax as anna, who wants to hear of everything; the number of its job.
fn send(postfax: &Postfax, to: &str) -> u64 {
    let file = postfax.file("letter.pdf");
    fs::write(&file, pages::pdf(2, "by another way")).unwrap();
    let to = format!("FAX={to}@fax.example.com");
    let id = format!("<{to}@client.example.com>");
    let notify = Some("SUCCESS,FAILURE,DELAY");
    let said = postfax.send_as("anna", "anna@example.com", &to, Some(&file), &id, notify);
    assert!(said.accepted, "{}", said.words);
    let jobs = postfax.jobs();
    let sent = |job: &&Value| job["destination"].get("fax").is_some();
    jobs.iter().rev().find(sent).unwrap()["id"].as_u64().unwrap()
}

fn outcome(postfax: &Postfax, job: u64, attempt: usize) -> String {
    wait_for(&format!("attempt {attempt} of job {job}"), 40, || {
        let outcome =
            postfax.job(job)["attempts"][attempt]["ended"]["outcome"].as_str()?.to_owned();
        Some(outcome)
    })
}

/// The receipt whose report says this of the number.
fn receipt(sink: &Sink, number: &str, action: &str) -> Mail {
    let about = |mail: &Mail| {
        let of = mail.status_field("Final-Recipient").unwrap_or_default();
        of.contains(number) && mail.status_field("Action").as_deref() == Some(action)
    };
    sink.wait(&format!("the receipt of {number}: {action}"), "anna@example.com", 30, about)
}

fn wait_until_up(postfax: &Postfax, servers: usize) {
    wait_for("the servers to be up", 30, || {
        let status = postfax.status();
        let all = status["servers"].as_array()?.clone();
        let up = all.iter().filter(|one| one["live"]["health"].get("up").is_some()).count();
        (up == servers).then_some(())
    });
}

#[test]
fn a_fax_goes_to_a_device_by_ipp_and_its_receipt_says_what_the_device_does_not_tell() {
    if !ippeve::is_there() {
        eprintln!(
            "SKIPPED, NOT TESTED: faxes by IPP (root; packages cups-ipp-utils, avahi-daemon, dbus)"
        );
        return;
    }
    let (device, sink) = (Ippeve::start(), Sink::start());
    let more = format!(
        "[[server]]\nname = \"mfp\"\nkind = \"ipp\"\nurl = \"ipp://localhost:{}/ipp/print\"\n\
         groups = [\"london\"]\nlines = 1\n",
        device.port
    );
    let postfax = Postfax::start(&nobody(), &sink, &more);
    wait_until_up(&postfax, 1);
    let job = send(&postfax, "+15550101");
    assert_eq!(outcome(&postfax, job, 0), "relayed");
    receipt(&sink, "+15550101", "relayed");
    let attributes = device.attributes();
    assert!(attributes.contains("tel:+15550101"), "{attributes}");
    let documents = device.documents();
    assert_eq!(documents.len(), 1, "{documents:?}");
    let digest = postfax.job(job)["document"]["digest"].as_str().unwrap().to_owned();
    let sent = fs::read(postfax.document(&digest)).unwrap();
    assert_eq!(fs::read(&documents[0]).unwrap(), sent, "the pages arrive as they are");
}

#[test]
fn a_fax_goes_to_an_off_ramp_by_mail_and_its_reports_become_receipts() {
    let sink = Sink::start();
    let (port, dumb) = (free_port(), free_port());
    let server = |name: &str, port: u16, more: &str| {
        format!(
            "[[server]]\nname = \"{name}\"\nkind = \"mail\"\nurl = \"smtp://127.0.0.1:{port}\"\n\
             domain = \"offramp.example.com\"\ngroups = [\"london\"]\n{more}\n"
        )
    };
    let more = [
        "[retry]\nbusy = { delay_s = 600, tries = 1 }\n".to_owned(),
        server("knowing", port, ""),
        server("dumb", dumb, "report_within_s = 2"),
        "[[dial]]\nto = \"+15550150\"\nvia = [\"dumb\"]\n".to_owned(),
        "[[dial]]\nto = \"*\"\nvia = [\"knowing\"]\n".to_owned(),
    ];
    let mut postfax = Postfax::prepare(&nobody(), &sink, &more.concat());
    let offramp = OffRamp::start(port, dumb, postfax.relay);
    postfax.run();
    wait_until_up(&postfax, 2);
    let jobs = ["+15550101", "+15550150", "+15550102", "+15550199", "+15550198"]
        .map(|number| (number, send(&postfax, number)));
    let expected = ["delivered", "relayed", "busy", "not-in-service", "mail-deferred"];
    for ((number, job), expected) in jobs.iter().zip(expected) {
        assert_eq!(outcome(&postfax, *job, 0), expected, "{number}");
    }
    receipt(&sink, "+15550101", "delivered");
    receipt(&sink, "+15550150", "relayed");
    receipt(&sink, "+15550102", "failed");
    receipt(&sink, "+15550199", "failed");
    let faxes = offramp.faxes();
    assert_eq!(faxes.len(), 2, "{faxes:#?}");
    for fax in &faxes {
        assert!(fax.contains("image/tiff") && !fax.contains("text/plain"), "{fax}");
    }
    // Nothing is kept of what is over; what was put off was not taken.
    wait_for("the records to go", 10, || {
        let left = fs::read_dir(postfax.file("state/offramp")).ok()?.count();
        (left == 0).then_some(())
    });
}

/// A device whose answer to Create-Job nobody can read; it has no jobs. How often it was
/// asked for one.
fn garbling_device() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, created) = (listener.local_addr().unwrap().port(), Arc::default());
    let count = Arc::clone(&created);
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            answer(stream, &count);
        }
    });
    (port, created)
}

fn answer(mut stream: TcpStream, created: &AtomicUsize) -> Option<()> {
    // The questions are short, and what matters stands at the beginning of the body.
    let mut asked = Vec::new();
    let operation = loop {
        let mut block = [0; 4096];
        let count = stream.read(&mut block).ok().filter(|count| *count > 0)?;
        asked.extend_from_slice(&block[..count]);
        let end = asked.windows(4).position(|four| four == b"\r\n\r\n").map(|end| end + 4);
        if let Some(body) = end.and_then(|end| asked.get(end..end + 4)) {
            break u16::from_be_bytes([body[2], body[3]]);
        }
    };
    let mut said = vec![2, 0, 0, 0, 0, 0, 0, 1];
    if operation == 0x000b {
        said.push(4);
        for (tag, name, value) in [
            (0x44, "ipp-features-supported", "faxout"),
            (0x46, "destination-uri-schemes-supported", "tel"),
            (0x49, "document-format-supported", "image/tiff"),
        ] {
            said.push(tag);
            for text in [name, value] {
                said.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
                said.extend_from_slice(text.as_bytes());
            }
        }
    }
    said.push(3);
    if operation == 0x0005 {
        created.fetch_add(1, Ordering::SeqCst);
        said = b"Hello, I am a web page".to_vec();
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", said.len());
    stream.write_all(&[head.as_bytes(), &said].concat()).ok()?;
    stream.shutdown(Shutdown::Write).ok()?;
    io::copy(&mut stream, &mut io::sink()).ok().map(drop)
}

#[test]
fn a_device_whose_answer_nobody_can_read_is_not_hammered() {
    let ((port, created), sink) = (garbling_device(), Sink::start());
    let more = format!(
        "[[server]]\nname = \"mfp\"\nkind = \"ipp\"\nurl = \"ipp://127.0.0.1:{port}/ipp/faxout\"\n\
         groups = [\"london\"]\n"
    );
    let postfax = Postfax::start(&nobody(), &sink, &more);
    wait_until_up(&postfax, 1);
    let job = send(&postfax, "+15550101");
    wait_for("a second try", 30, || (created.load(Ordering::SeqCst) > 1).then_some(()));
    thread::sleep(Duration::from_secs(2));
    let tries = created.load(Ordering::SeqCst);
    assert!(tries < 6, "{tries} tries in two seconds");
    // It has nothing, so that the fax can be stopped.
    assert!(postfax.ask(&["cancel", &job.to_string()]).status.success());
    assert_eq!(outcome(&postfax, job, 0), "cancelled");
}
