//! A host that nobody vouches for proves by SPF, DKIM and DMARC who sends, or is
//! refused in words; and what we send is signed so that others can tell. The DNS is
//! a server of our own on loopback; mails are signed, and our signatures verified, by
//! dkimpy, which knows nothing of our code.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{
    dns::Says,
    proof::{Stage, Step, dkimpy, mail, mail_with, public_key},
};

const HERE: &str = "ip4:127.0.0.1 -all";
const ELSEWHERE: &str = "ip4:192.0.2.1 -all";

#[test]
fn spf_proves_what_is_aligned() {
    let stage = Stage::set("");
    stage.domain("spf.proofs.test", HERE, Some(""));
    let job = stage.accepted("a@spf.proofs.test", &mail("A <A@Spf.Proofs.test>"), "tess");
    let mails = stage.postfax.file("state/mail");
    let kept = fs::read_dir(&mails).unwrap().flatten().map(|entry| fs::read(entry.path()).unwrap());
    let kept: Vec<String> = kept.map(|mail| String::from_utf8_lossy(&mail).into_owned()).collect();
    let field = "Authentication-Results: fax1.example.com;\r\n\
                 \tspf=pass smtp.mailfrom=spf.proofs.test;\r\n\
                 \tdmarc=pass header.from=spf.proofs.test\r\nReceived: ";
    assert!(kept.iter().any(|mail| mail.starts_with(field)), "job {job}: {kept:?}");

    stage.domain("wrong.proofs.test", ELSEWHERE, Some(""));
    stage.refused(
        "a@wrong.proofs.test",
        &mail("a@wrong.proofs.test"),
        Step::End,
        "550 5.7.26 wrong.proofs.test is not proven to be behind this mail: SPF fail for \
         wrong.proofs.test; no DKIM signature",
    );
    // SPF passes, and for a domain that has nothing to do with the author's.
    stage.refused(
        "a@spf.proofs.test",
        &mail("a@wrong.proofs.test"),
        Step::End,
        "550 5.7.26 wrong.proofs.test is not proven to be behind this mail: SPF pass for \
         spf.proofs.test, which is not aligned with wrong.proofs.test; no DKIM signature",
    );
}

#[test]
fn a_claim_is_refused_before_anything_is_looked_up() {
    let stage = Stage::set("");
    stage.refused(
        "mallory@elsewhere.test",
        &mail("mallory@elsewhere.test"),
        Step::Rcpt,
        "550 5.7.1 sender not authorised: no client has the address mallory@elsewhere.test",
    );
    stage.refused(
        "",
        &mail("a@spf.proofs.test"),
        Step::Rcpt,
        "550 5.7.1 notifications are not faxed",
    );
    assert_eq!(stage.dns.asked(), Vec::<String>::new());
}

#[test]
fn a_client_proves_only_itself() {
    let stage = Stage::set("");
    stage.domain("example.com", HERE, Some(""));
    stage.accepted("anna@example.com", &mail("anna@example.com"), "anna");
    stage.refused(
        "anna@example.com",
        &mail("bob@example.com"),
        Step::End,
        "550 5.7.1 sender not authorised: the From address is not one of anna, whose address \
         MAIL FROM is",
    );
    // The rights are those of the claim: bob has no server of his own here.
    let (step, said) = stage.send("bob@example.com", &mail("bob@example.com"));
    assert_eq!((step, &said[..9]), (Step::Rcpt, "550 5.7.1"), "{said}");
}

#[test]
fn a_claim_uses_up_nothing_of_the_client_until_it_is_proven() {
    let limits = "[limits]\nmax_mails_per_minute = 1\nmax_recipients_per_hour = 1\n";
    let stage = Stage::set(limits);
    stage.domain("example.com", HERE, Some(""));
    stage.domain("wrong.proofs.test", ELSEWHERE, Some(""));
    for _ in 0..3 {
        let (step, said) = stage.send("anna@example.com", &mail("a@wrong.proofs.test"));
        assert_eq!((step, &said[..10]), (Step::End, "550 5.7.26"), "{said}");
    }
    stage.accepted("anna@example.com", &mail("anna@example.com"), "anna");
    let (step, said) = stage.send("anna@example.com", &mail("anna@example.com"));
    assert_eq!((step, &said[..9]), (Step::End, "450 4.7.0"), "{said}");
}

#[test]
fn strangers_may_not_write_to_the_postmaster_without_end() {
    let stage = Stage::set("[limits]\nmax_mails_per_minute_per_address = 2\n");
    let stranger = mail("mallory@elsewhere.test");
    for step in [Step::Rcpt, Step::Rcpt, Step::Mail] {
        let (refused_at, said) = stage.send("mallory@elsewhere.test", &stranger);
        assert_eq!(refused_at, step, "{said}");
    }
    let (_, said) = stage.send("mallory@elsewhere.test", &stranger);
    assert!(said.starts_with("450 4.7.0 rate limit, retry after "), "{said}");
}

#[test]
fn dkim_proves_what_is_aligned_and_untouched() {
    let stage = Stage::set("");
    for kind in ["rsa", "ed25519"] {
        let domain = format!("{kind}.proofs.test");
        let from = format!("a@{domain}");
        stage.domain(&domain, ELSEWHERE, Some(""));
        stage.key(&domain, "s1", kind);
        let signed = stage.sign(&mail(&from), &domain, kind);
        stage.accepted(&from, &signed, "tess");
        let refused = |mail: &str, why: &str| {
            let words = format!(
                "550 5.7.26 {domain} is not proven to be behind this mail: SPF fail for {domain}; \
                 DKIM signature by {domain} fail: {why}"
            );
            stage.refused(&from, mail, Step::End, &words);
        };
        refused(&signed.replace("Pages of a fax", "Pages of another fax"), "the body was altered");
        refused(
            &signed.replace("Subject: A proof", "Subject: Another"),
            "the header was altered or the key is another one",
        );
        refused(
            &stage.sign_fields(&mail(&from), &domain, kind, "From,To").replace("s=s1;", "s=s2;"),
            "its key is not in the DNS",
        );
    }
    let by_tcp = |asked: &String| asked == "tcp TXT s1._domainkey.rsa.proofs.test";
    assert!(
        stage.dns.asked().iter().any(by_tcp),
        "what is too long for UDP: {:?}",
        stage.dns.asked()
    );

    // A good signature of a domain that anybody may have.
    stage.key("forger.test", "s1", "rsa");
    let forged = stage.sign(&mail("a@rsa.proofs.test"), "forger.test", "rsa");
    stage.refused(
        "a@rsa.proofs.test",
        &forged,
        Step::End,
        "550 5.7.26 rsa.proofs.test is not proven to be behind this mail: SPF fail for \
         rsa.proofs.test; DKIM signature by forger.test pass, which is not aligned with \
         rsa.proofs.test",
    );
    // Of two signatures one is enough.
    let both = stage.sign(&forged, "rsa.proofs.test", "rsa");
    stage.accepted("a@rsa.proofs.test", &both, "tess");
}

#[test]
fn the_author_is_one_and_is_signed() {
    let stage = Stage::set("");
    stage.domain("one.proofs.test", HERE, Some(""));
    let several = "550 5.7.26 the message has more than one From address: it needs exactly one";
    for from in [
        "From: a@one.proofs.test\r\nFrom: b@one.proofs.test\r\n",
        "From: a@one.proofs.test\r\nfrom : a@one.proofs.test\r\n",
        "From: a@one.proofs.test, b@one.proofs.test\r\n",
    ] {
        stage.refused("a@one.proofs.test", &mail_with(from), Step::End, several);
    }
    let none = "550 5.7.26 the message has no From with an address";
    for from in ["", "From: nobody\r\n", "From:\r\n"] {
        stage.refused("a@one.proofs.test", &mail_with(from), Step::End, none);
    }
}

#[test]
fn the_record_says_how_strict_alignment_is() {
    let stage = Stage::set("");
    stage.domain("relaxed.proofs.test", ELSEWHERE, Some(""));
    stage.domain("strict.proofs.test", ELSEWHERE, Some("; aspf=s; adkim=s"));
    for domain in ["relaxed", "strict"] {
        stage.domain(&format!("news.{domain}.proofs.test"), HERE, None);
        stage.key(&format!("news.{domain}.proofs.test"), "s1", "ed25519");
    }
    stage.accepted("a@news.relaxed.proofs.test", &mail("a@relaxed.proofs.test"), "tess");
    stage.refused(
        "a@news.strict.proofs.test",
        &mail("a@strict.proofs.test"),
        Step::End,
        "550 5.7.26 strict.proofs.test is not proven to be behind this mail: SPF pass for \
         news.strict.proofs.test, which is not aligned with strict.proofs.test; no DKIM signature",
    );
    let signed = |domain: &str| {
        let mail = mail(&format!("a@{domain}.proofs.test"));
        stage.sign(&mail, &format!("news.{domain}.proofs.test"), "ed25519")
    };
    stage.accepted("a@relaxed.proofs.test", &signed("relaxed"), "tess");
    stage.refused(
        "a@strict.proofs.test",
        &signed("strict"),
        Step::End,
        "550 5.7.26 strict.proofs.test is not proven to be behind this mail: SPF fail for \
         strict.proofs.test; DKIM signature by news.strict.proofs.test pass, which is not aligned \
         with strict.proofs.test",
    );
    // The other way round: the record of the organisation counts for what is below it.
    stage.domain("org.proofs.test", HERE, Some(""));
    stage.accepted("a@org.proofs.test", &mail("a@sub.org.proofs.test"), "tess");
}

#[test]
fn without_a_record_only_the_very_domain_is_aligned() {
    let stage = Stage::set("");
    stage.domain("plain.proofs.test", HERE, None);
    stage.accepted("a@plain.proofs.test", &mail("a@plain.proofs.test"), "tess");
    stage.domain("news.plain.proofs.test", HERE, None);
    stage.refused(
        "a@news.plain.proofs.test",
        &mail("a@plain.proofs.test"),
        Step::End,
        "550 5.7.26 plain.proofs.test is not proven to be behind this mail: SPF pass for \
         news.plain.proofs.test, which is not aligned with plain.proofs.test; no DKIM signature; \
         plain.proofs.test has no DMARC record",
    );
    stage.refused(
        "a@nothing.proofs.test",
        &mail("a@nothing.proofs.test"),
        Step::End,
        "550 5.7.26 nothing.proofs.test is not proven to be behind this mail: SPF none for \
         nothing.proofs.test; no DKIM signature; nothing.proofs.test has no DMARC record",
    );
    stage.key("plain.proofs.test", "s1", "rsa");
    let signed = stage.sign(&mail("a@plain.proofs.test"), "plain.proofs.test", "rsa");
    stage.accepted("a@nothing.proofs.test", &signed, "tess");
}

#[test]
fn what_the_dns_does_not_say_is_asked_again_later() {
    let stage = Stage::set("");
    let later = |domain: &str, code: &str| {
        format!(
            "{code} whether {domain} is behind this mail cannot be found out at the moment, try \
             again later: SPF "
        )
    };
    for (name, says) in [("fails", Says::Fails), ("silent", Says::IsSilent)] {
        let domain = format!("{name}.proofs.test");
        let from = format!("a@{domain}");
        stage.dns.say(&domain, says.clone());
        stage.domain(&domain, "", Some(""));
        let began = Instant::now();
        let words =
            later(&domain, "451 4.7.24") + &format!("temperror for {domain}; no DKIM signature");
        stage.refused(&from, &mail(&from), Step::End, &words);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());

        // The key cannot be had, and SPF says no.
        let domain = format!("key-{name}.proofs.test");
        let from = format!("a@{domain}");
        stage.domain(&domain, ELSEWHERE, Some(""));
        stage.dns.say(&format!("s1._domainkey.{domain}"), says.clone());
        let signed = stage.sign(&mail(&from), &domain, "ed25519");
        let words = later(&domain, "451 4.4.3")
            + &format!(
                "fail for {domain}; DKIM signature by {domain} unknown: the DNS does not give its key"
            );
        stage.refused(&from, &signed, Step::End, &words);

        // The policy cannot be had.
        let domain = format!("policy-{name}.proofs.test");
        let from = format!("a@{domain}");
        stage.domain(&domain, HERE, None);
        stage.dns.say(&format!("_dmarc.{domain}"), says);
        let (step, said) = stage.send(&from, &mail(&from));
        assert_eq!((step, &said[..9]), (Step::End, "451 4.4.3"), "{said}");
    }
    assert!(stage.jobs().is_empty());
}

#[test]
fn records_that_are_wrong_are_named() {
    let stage = Stage::set("");
    stage.domain("permerror.proofs.test", "include -all", Some(""));
    stage.refused(
        "a@permerror.proofs.test",
        &mail("a@permerror.proofs.test"),
        Step::End,
        "550 5.7.26 permerror.proofs.test is not proven to be behind this mail: SPF permerror for \
         permerror.proofs.test; no DKIM signature",
    );
    stage.domain("broken.proofs.test", HERE, Some("; aspf=x"));
    stage.refused(
        "a@broken.proofs.test",
        &mail("a@broken.proofs.test"),
        Step::End,
        "550 5.7.26 the DMARC record that counts for broken.proofs.test is not valid: SPF pass \
         for broken.proofs.test; no DKIM signature",
    );
    // RFC 7208 4.6.4: not more than ten of them.
    let many: Vec<String> = (0..11).map(|n| format!("include:i{n}.proofs.test")).collect();
    for n in 0..11 {
        stage.dns.txt(&format!("i{n}.proofs.test"), "v=spf1 ip4:192.0.2.1 ?all");
    }
    stage.domain("many.proofs.test", &format!("{} ip4:127.0.0.1 -all", many.join(" ")), Some(""));
    stage.refused(
        "a@many.proofs.test",
        &mail("a@many.proofs.test"),
        Step::End,
        "550 5.7.26 many.proofs.test is not proven to be behind this mail: SPF permerror for \
         many.proofs.test; no DKIM signature",
    );
}

#[test]
fn what_we_send_is_signed_and_others_agree() {
    let stage = Stage::set(
        r#"
[[delivery.dkim]]
domain = "example.com"
selector = "r1"
key_file = "rsa.pem"

[[delivery.dkim]]
domain = "example.com"
selector = "e1"
key_file = "ed25519.pem"
"#,
    );
    let printed = Command::new(env!("CARGO_BIN_EXE_postfax"))
        .args(["dkim", "--json"])
        .arg(stage.postfax.config())
        .output()
        .unwrap();
    let records: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let names: Vec<_> = records.as_array().unwrap().iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, ["r1._domainkey.example.com", "e1._domainkey.example.com"]);
    for (record, kind) in records.as_array().unwrap().iter().zip(["rsa", "ed25519"]) {
        let key = public_key(&stage.postfax.file(&format!("{kind}.pem")), kind);
        assert_eq!(record["value"], format!("v=DKIM1; k={kind}; p={key}"));
        stage.dns.txt(record["name"].as_str().unwrap(), record["value"].as_str().unwrap());
    }

    // A cancelled fax has a receipt, which goes out by itself.
    stage.domain("example.com", HERE, Some(""));
    let job = stage.accepted("anna@example.com", &mail("anna@example.com"), "anna");
    assert!(stage.postfax.ask(&["cancel", &job.to_string()]).status.success());
    let receipt = stage.sink.wait("the receipt", "anna@example.com", 30, |_| true);
    let file = stage.postfax.file("records.json");
    fs::write(&file, records.to_string()).unwrap();
    let verify = |mail: &[u8]| dkimpy(&["verify", file.to_str().unwrap()], mail);
    assert_eq!(verify(&receipt.raw), "rsa-sha256 True\ned25519-sha256 True\n");
    let raw = String::from_utf8(receipt.raw.clone()).unwrap();
    let unfolded = raw.replace("\r\n\t", "").to_ascii_lowercase();
    for field in ["from:from", "to", "subject", "date", "message-id", "mime-version"] {
        assert!(unfolded.contains(&format!("{field}:")), "{field} is signed: {raw}");
    }
    let altered = raw.replacen("\r\nFrom: ", "\r\nFrom: mallory@example.com\r\nFrom: ", 1);
    assert_ne!(altered, raw);
    assert!(!verify(altered.as_bytes()).contains("True"), "a second From breaks it");

    // Our own verifier is of the same opinion: SPF says nothing of this domain, so that
    // it is the signature that gets as far as the question whose address that is.
    let back = raw.replace("\r\n.", "\r\n..");
    stage.refused(
        "a@tess.proofs.test",
        &back,
        Step::End,
        "550 5.7.1 sender not authorised: the From address is not one of tess, whose address \
         MAIL FROM is",
    );
}
