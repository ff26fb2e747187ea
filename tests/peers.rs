//! Every mail client and mail server can send a fax and get one: real programs of
//! other people, our real program, calls between fax servers of the laboratory. In
//! each story the pages that arrive are the pages that were sent, bit by bit.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    path::PathBuf,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use support::{
    dovecot::Dovecot,
    lab::{Lab, Servers},
    mta_postfix::PostfixServer,
    pages,
    postfax::{PASSWORD, Postfax, free_port},
    programs::{program, run},
    sink::{Mail, Sink},
    wait_for,
};

/// How long a fax and the mails about it may take, in seconds.
const PATIENCE_S: u64 = 60;

/// A site with two fax servers: what anna sends comes in again for bob.
struct Site {
    lab: Lab,
    sink: Sink,
    postfax: Postfax,
    /// The port where TLS comes first.
    submissions: u16,
    began: Instant,
    name: &'static str,
}

impl Site {
    fn start(name: &'static str) -> Self {
        Self::with_relay(name, None)
    }

    /// `relay` is where its mails go instead of the sink.
    fn with_relay(name: &'static str, relay: Option<&str>) -> Self {
        let began = Instant::now();
        let lab = Lab::start(Servers::Stations, 1);
        let sink = Sink::start();
        let submissions = free_port();
        let more = format!(
            "[[listener]]\naddress = \"127.0.0.1:{submissions}\"\nrole = \"submissions\"\n"
        );
        let mut postfax = Postfax::prepare(&lab.about, &sink, &more);
        if let Some(relay) = relay {
            set_relay(&postfax, relay);
        }
        postfax.run();
        postfax.wait_for_servers();
        Self { lab, sink, postfax, submissions, began, name }
    }

    fn number(&self) -> &str {
        self.lab.number_of(1)
    }

    fn recipient(&self) -> String {
        format!("FAX={}@fax.example.com", self.number())
    }

    /// A document of two pages.
    fn letter(&self, words: &str) -> PathBuf {
        let file = self.postfax.file("letter.pdf");
        fs::write(&file, pages::pdf(2, words)).unwrap();
        file
    }

    fn certificate(&self) -> PathBuf {
        self.postfax.file("cert.pem")
    }

    /// The `nth` fax that anna sent, from 0, with everything that must follow from
    /// it. `mails` are those to anna and to bob.
    fn follow(&self, nth: usize, mails: impl Fn(&str) -> Vec<Mail>) {
        self.follow_pages(2, nth, mails);
    }

    fn follow_pages(&self, pages: usize, nth: usize, mails: impl Fn(&str) -> Vec<Mail>) {
        let job = self.nth_job("sent", nth);
        let job = self.postfax.wait_for_end(job["id"].as_u64().unwrap(), PATIENCE_S);
        assert_eq!(job["state"]["ended"]["end"], "delivered", "{job:#}");
        assert_eq!(job["confirmed"], pages, "{job:#}");
        assert_eq!(job["attempts"].as_array().unwrap().len(), 1, "{job:#}");
        let sent = pages::pixels(&self.document(&job));
        assert_eq!(sent.len(), pages);

        let arrived = self.nth_job("arrived", nth);
        assert!(sent == pages::pixels(&self.document(&arrived)), "it arrived as it was sent");

        let id = job["cause"]["sent"]["message_id"].as_str().unwrap_or_default().to_owned();
        let is_receipt = |mail: &Mail| {
            mail.part("message/delivery-status").is_some()
                && (id.is_empty()
                    || mail.header("In-Reply-To").is_some_and(|about| about.contains(&id)))
        };
        let receipt = self.mail("the receipt", || mails("anna@example.com"), is_receipt);
        self.check_receipt(pages, &receipt);
        let fax = |mail: &Mail| mail.header("X-Fax-Pages").is_some();
        let fax = self.mail("the fax", || nth_of(mails("bob@example.com"), fax, nth), |_| true);
        assert_eq!(fax.header("X-Fax-Pages"), Some(pages.to_string()));
        let pdf = fax.part("application/pdf").expect("the pages are attached");
        assert!(sent == pages::pixels_of_pdf(&pdf), "the PDF shows what was sent");
        eprintln!("{}: fax {} after {:.1?}", self.name, nth + 1, self.began.elapsed());
    }

    fn check_receipt(&self, pages: usize, receipt: &Mail) {
        assert!(receipt.subject().starts_with("Fax delivered"), "{}", receipt.subject());
        let field = |name: &str| receipt.status_field(name);
        assert_eq!(field("Action").as_deref(), Some("delivered"));
        assert!(field("Status").unwrap().starts_with("2.1.5"));
        assert_eq!(field("X-Fax-Pages"), Some(format!("{pages}/{pages}")));
        let recipient = field("Final-Recipient").unwrap().replace(' ', "");
        assert_eq!(recipient, format!("rfc822;{}", self.recipient()));
        let text = receipt.text();
        assert!(text.contains(self.number()), "the words name the number: {text}");
        assert!(receipt.part("image/png").is_some(), "a picture of page one");
        let automatic = receipt.header("Auto-Submitted").unwrap_or_default();
        assert!(automatic.starts_with("auto-"), "nothing answers to a receipt: {automatic:?}");
    }

    fn mail(
        &self,
        what: &str,
        mails: impl Fn() -> Vec<Mail>,
        fits: impl Fn(&Mail) -> bool,
    ) -> Mail {
        wait_for(what, PATIENCE_S, || mails().into_iter().find(&fits))
    }

    /// The fax that is the `nth` of those that were sent or have arrived.
    fn nth_job(&self, cause: &str, nth: usize) -> Value {
        wait_for(&format!("fax {nth} that {cause}"), PATIENCE_S, || {
            let jobs = self.postfax.jobs().into_iter();
            jobs.filter(|job| job["cause"].get(cause).is_some()).nth(nth)
        })
    }

    fn document(&self, job: &Value) -> PathBuf {
        self.postfax.document(job["document"]["digest"].as_str().unwrap())
    }

    /// What the sink has for one address.
    fn at_sink(&self) -> impl Fn(&str) -> Vec<Mail> {
        |address| {
            let mails = self.sink.mails().into_iter();
            mails.filter(|mail| mail.to.iter().any(|to| to == address)).collect()
        }
    }
}

fn nth_of(mails: Vec<Mail>, fits: impl Fn(&Mail) -> bool, nth: usize) -> Vec<Mail> {
    mails.into_iter().filter(fits).skip(nth).take(1).collect()
}

fn set_relay(postfax: &Postfax, relay: &str) {
    let config = fs::read_to_string(postfax.config()).unwrap();
    let (before, rest) = config.split_once("\nrelay = \"").unwrap();
    let (_, after) = rest.split_once('"').unwrap();
    fs::write(postfax.config(), format!("{before}\nrelay = \"{relay}\"{after}")).unwrap();
}

/// A mail as a program writes it that only hands over what it is given.
fn mail(to: &str, id: &str, pdf: &[u8]) -> String {
    let encoded = STANDARD.encode(pdf);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "From: Anna <anna@example.com>\r\nTo: <{to}>\r\nSubject: A letter\r\n\
         Date: Mon, 3 Mar 2025 10:00:00 +0000\r\nMessage-ID: <{id}@client.example.com>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nPlease fax this.\r\n\
         --b\r\nContent-Type: application/pdf; name=letter.pdf\r\n\
         Content-Disposition: attachment; filename=letter.pdf\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    )
}

#[test]
fn swaks_sends_a_fax() {
    let site = Site::start("swaks");
    let file = site.letter("sent by swaks");
    let mut swaks = program("swaks", "swaks");
    swaks
        .args(["--server", "127.0.0.1", "--port", &site.submissions.to_string()])
        .args(["--tls-on-connect", "--auth", "LOGIN", "--auth-user", "anna"])
        .args(["--auth-password", PASSWORD, "--from", "anna@example.com"])
        .args(["--to", &site.recipient(), "--attach-type", "application/pdf"])
        .args(["--attach", &format!("@{}", file.display())]);
    let said = run(swaks, b"");
    assert!(said.contains("queued as 1"), "{said}");
    site.follow(0, site.at_sink());
}

#[test]
fn msmtp_sends_a_fax() {
    let site = Site::start("msmtp");
    let letter = fs::read(site.letter("sent by msmtp")).unwrap();
    let mut msmtp = program("msmtp", "msmtp");
    msmtp
        .args(["--host=127.0.0.1", &format!("--port={}", site.postfax.submission)])
        .args(["--auth=plain", "--user=anna", &format!("--passwordeval=echo '{PASSWORD}'")])
        .args(["--tls=on", "--tls-starttls=on", "--tls-host-override=fax1.example.com"])
        .arg(format!("--tls-trust-file={}", site.certificate().display()))
        .args(["--from=anna@example.com", "--", &site.recipient()]);
    run(msmtp, mail(&site.recipient(), "msmtp", &letter).as_bytes());
    site.follow(0, site.at_sink());
}

#[test]
fn python_sends_a_fax() {
    let site = Site::start("smtplib");
    let file = site.letter("sent by smtplib");
    let said = site.postfax.send("anna", "anna@example.com", &site.recipient(), Some(&file));
    assert!(said.accepted, "{} (needs the package python3)", said.words);
    site.follow(0, site.at_sink());
}

#[test]
fn curl_sends_a_fax_both_ways_of_tls() {
    let site = Site::start("curl");
    let ways = [("smtp", site.postfax.submission), ("smtps", site.submissions)];
    for (nth, (scheme, port)) in ways.into_iter().enumerate() {
        let letter = fs::read(site.letter(&format!("sent by curl over {scheme}"))).unwrap();
        let file = site.postfax.file("mail.eml");
        fs::write(&file, mail(&site.recipient(), scheme, &letter)).unwrap();
        let mut curl = program("curl", "curl");
        curl.args(["--silent", "--show-error", "--ssl-reqd", "--noproxy", "*", "--cacert"])
            .arg(site.certificate())
            .args(["--resolve", &format!("fax1.example.com:{port}:127.0.0.1")])
            .args(["--url", &format!("{scheme}://fax1.example.com:{port}/client.example.com")])
            .args(["--user", &format!("anna:{PASSWORD}"), "--mail-from", "anna@example.com"])
            .args(["--mail-rcpt", &site.recipient(), "--upload-file"])
            .arg(file);
        run(curl, b"");
        site.follow(nth, site.at_sink());
    }
}

#[test]
fn s_nail_sends_a_fax() {
    let site = Site::start("s-nail");
    let file = site.letter("sent by s-nail");
    let password = PASSWORD.replace(' ', "%20");
    let mut s_nail = program("s-nail", "s-nail");
    s_nail
        .env("HOME", site.postfax.folder.path())
        .args(["-:/", "-S", "v15-compat=yes", "-S", "smtp-use-starttls", "-S", "smtp-auth=plain"])
        .args(["-S", "tls-verify=ignore", "-S", "sendwait", "-S", "hostname=client.example.com"])
        .args(["-S", "from=anna@example.com", "-S"])
        .arg(format!("mta=smtp://anna:{password}@127.0.0.1:{}", site.postfax.submission))
        .args(["-s", "A letter", "-a"])
        .arg(file)
        .arg(site.recipient());
    run(s_nail, b"Please fax this.\n");
    site.follow(0, site.at_sink());
}

/// A scanner that knows no EHLO, leaves out brackets, and writes neither a Message-ID
/// nor a date that is right.
#[test]
fn a_scanner_that_knows_little_sends_a_fax() {
    let site = Site::start("scanner");
    let mail =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/canon-scan.eml"));
    let mut output = TcpStream::connect(("127.0.0.1", site.postfax.relay)).unwrap();
    output.set_read_timeout(Some(Duration::from_secs(PATIENCE_S))).unwrap();
    let mut answers = BufReader::new(output.try_clone().unwrap()).lines();
    for (say, expected) in [
        (String::new(), "220"),
        ("HELO iR-ADV\r\n".into(), "250"),
        ("MAIL FROM:anna@example.com\r\n".into(), "250"),
        (format!("RCPT TO: {}\r\n", site.recipient()), "250"),
        ("DATA\r\n".into(), "354"),
        (mail.unwrap().replace('\n', "\r\n") + ".\r\n", "250"),
        ("QUIT\r\n".into(), "221"),
    ] {
        output.write_all(say.as_bytes()).unwrap();
        let answer = answers.next().unwrap().unwrap();
        assert!(answer.starts_with(expected), "{say}: {answer}");
    }
    site.follow_pages(1, 0, site.at_sink());
}

#[test]
fn postfix_brings_a_fax_and_delivers_one() {
    let port = free_port();
    let site = Site::with_relay("postfix", Some(&format!("smtp://127.0.0.1:{port}")));
    let postfix = PostfixServer::start(port, site.postfax.relay, site.sink.port);
    let letter = fs::read(site.letter("sent through Postfix")).unwrap();
    let mut client = program("curl", "curl");
    let file = site.postfax.file("mail.eml");
    fs::write(&file, mail(&site.recipient(), "postfix", &letter)).unwrap();
    client
        .args(["--silent", "--show-error", "--noproxy", "*"])
        .args(["--url", &format!("smtp://127.0.0.1:{port}/client.example.com")])
        .args(["--mail-from", "anna@example.com", "--mail-rcpt", &site.recipient()])
        .arg("--upload-file")
        .arg(file);
    run(client, b"");
    site.follow(0, site.at_sink());
    let log = postfix.log();
    let about = |words: &str| log.lines().any(|line| line.contains(words));
    assert!(about("status=sent (250 2.0.0 queued as 1"), "it handed the fax over: {log}");
    let passed_on = |to: &str| {
        let line = format!("to=<{to}>, relay=127.0.0.1[127.0.0.1]:{}", site.sink.port);
        log.lines().any(|said| said.contains(&line) && said.contains("status=sent"))
    };
    assert!(passed_on("anna@example.com"), "the receipt went through it: {log}");
    assert!(passed_on("bob@example.com"), "the fax went through it: {log}");
    assert!(about("from=<>"), "receipts have no return path: {log}");
}

#[test]
fn dovecot_keeps_faxes_and_receipts_in_its_mailboxes() {
    let dovecot = Dovecot::start();
    let unix = format!("lmtp+unix://{}", dovecot.socket().display());
    let site = Site::with_relay("dovecot", Some(&unix));
    for (nth, relay) in [unix, format!("lmtp://127.0.0.1:{}", dovecot.port)].iter().enumerate() {
        if nth > 0 {
            set_relay(&site.postfax, relay);
            let said = site.postfax.ask(&["reload"]);
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        }
        let file = site.letter(&format!("kept by Dovecot over {relay}"));
        let to = site.recipient();
        let said = site.postfax.send("anna", "anna@example.com", &to, Some(&file));
        assert!(said.accepted, "{}", said.words);
        site.follow(nth, |address| dovecot.mails(address));
    }
    let mails = |address: &str| dovecot.mails(address);
    assert_eq!((mails("anna@example.com").len(), mails("bob@example.com").len()), (2, 2));
    for mail in mails("bob@example.com") {
        let to = mail.header("Delivered-To").unwrap();
        assert_eq!(to.trim_matches(['<', '>']), "bob@example.com");
    }
    for mail in mails("anna@example.com") {
        assert_eq!(mail.header("Return-Path").as_deref(), Some("<>"));
    }
    assert!(site.sink.mails().is_empty(), "nothing went elsewhere");
}
