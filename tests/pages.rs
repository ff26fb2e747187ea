//! `postfax pages` on files of several kinds: what it shows, writes and refuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// A mail by Python's own library: a text, a picture, and a mail that was forwarded with
/// a document that nobody can draw, or a text.
const MAIL: &str = r#"
import sys
from email.message import EmailMessage
inner = EmailMessage()
inner["From"], inner["To"], inner["Subject"] = "bob@example.com", "anna@example.com", "offer"
inner["Date"] = "Mon, 23 Nov 2026 10:00:00 +0000"
inner.set_content("as we said\n")
inner.add_alternative("<p>as we said</p>", subtype="html")
if sys.argv[1] == "bad":
    inner.add_attachment(b"PK\x03\x04 x", maintype="application", subtype="zip", filename="report.zip")
else:
    inner.add_attachment("the report\n", filename="report.txt")
outer = EmailMessage()
outer["From"], outer["To"], outer["Subject"] = "anna@example.com", "1@fax.example.com", "Fwd: offer"
outer["Date"] = "Mon, 23 Nov 2026 11:00:00 +0000"
outer.set_content("see below\n")
outer.add_attachment(open("picture.bmp", "rb").read(), maintype="image", subtype="bmp", filename="picture.bmp")
outer.add_attachment(inner)
sys.stdout.buffer.write(bytes(outer))
"#;

/// A signature with its contents inside, by OpenSSL, as mailers send it.
const SIGN: &str = "openssl req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 2 \
    -subj /CN=anna 2> /dev/null && openssl smime -sign -nodetach -in entity -signer c.pem \
    -inkey k.pem -out signed.eml -from anna@example.com -subject offer && \
    openssl smime -encrypt -in entity -out locked.eml -from anna@example.com c.pem";

fn pages(folder: &Path, args: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postfax"));
    // A configuration that is not there.
    command.args(["--config", "none.toml", "pages"]).args(args).current_dir(folder);
    let input =
        input.map_or_else(Stdio::null, |name| fs::File::open(folder.join(name)).unwrap().into());
    command.stdin(input).output().unwrap()
}

fn json(folder: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = pages(folder, &[args, &["--json"]].concat(), None);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn python(folder: &Path, script: &str, arg: &str) -> Vec<u8> {
    let output = Command::new("python3").args(["-c", script, arg]).current_dir(folder).output();
    output.unwrap().stdout
}

/// 24 bits a pixel, black on its left half.
fn picture() -> Vec<u8> {
    let (width, height) = (400_u32, 300_u32);
    let mut bmp = b"BM".to_vec();
    bmp.extend((54 + width * height * 3).to_le_bytes());
    for field in [0, 54, 40, width, height, 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        bmp.extend(field.to_le_bytes());
    }
    let pixels = (0..height).flat_map(|_| (0..width).map(|x| if x < width / 2 { 0 } else { 255 }));
    bmp.extend(pixels.flat_map(|level: u8| [level; 3]));
    bmp
}

#[test]
fn files_of_many_kinds_are_shown_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("a.txt"), "Grüße\n".repeat(150)).unwrap();
    fs::write(folder.join("picture.bmp"), picture()).unwrap();
    fs::write(folder.join("good.eml"), python(folder, MAIL, "good")).unwrap();
    let (code, report) = json(folder, &["a.txt", "picture.bmp", "good.eml"]);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!((&report["resolution"], &report["paper"]), (&"fine".into(), &"a4".into()));
    let documents = report["documents"].as_array().unwrap();
    let count = |at: usize| documents[at]["pages"].as_array().unwrap().len();
    assert!(count(0) >= 2, "{report}");
    assert_eq!((count(1), count(2)), (1, 3), "{report}");
    let parts: Vec<&str> = documents[2]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part.as_str().unwrap())
        .collect();
    assert_eq!(parts, ["picture.bmp", "offer", "report.txt in the mail 'offer'"]);
    let page = &documents[1]["pages"][0];
    assert_eq!((&page["sheet"], &page["width"]), (&"a4".into(), &1728.into()));
    assert!(page["black"].as_f64().unwrap() > 0.01, "{page}");
    assert!(page["seconds"]["14400"].as_u64() >= page["seconds"]["33600"].as_u64());
    assert_eq!(report["pages"], count(0) as u64 + 4);
    assert!(report["seconds"]["14400"].as_u64().unwrap() >= 25 + 3 * 6, "{report}");
    // Every form of the pages, and each a file of its own for pictures.
    for (name, magic) in [("o.tif", &b"II*\0"[..]), ("o.pdf", b"%PDF-"), ("o.png", b"\x89PNG")] {
        let output = pages(folder, &["picture.bmp", "-r", "standard", "-o", name], None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(fs::read(folder.join(name)).unwrap().starts_with(magic), "{name}");
    }
    let output = pages(folder, &["a.txt", "-o", "many.png"], None);
    assert!(output.status.success() && folder.join("many-2.png").exists());
    let output = pages(folder, &["-", "-o", "-"], Some("good.eml"));
    assert!(output.stdout.starts_with(b"II*\0"), "a mail by the standard input");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("part: offer") && said.contains("3 pages at fine"), "{said}");
    let drawn = pages(folder, &["picture.bmp", "--preview"], None).stdout;
    let drawn = String::from_utf8(drawn).unwrap();
    assert!(drawn.contains('⣿') && drawn.contains("kbit/s"), "{drawn}");
}

#[test]
fn what_a_mail_would_be_refused_for_is_said_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("picture.bmp"), picture()).unwrap();
    fs::write(folder.join("bad.eml"), python(folder, MAIL, "bad")).unwrap();
    fs::write(folder.join("empty.txt"), "").unwrap();
    let (code, report) = json(folder, &["bad.eml", "picture.bmp", "empty.txt"]);
    assert_eq!(code, Some(1));
    let refused = |at: usize| report["documents"][at]["refused"].as_str().unwrap_or_default();
    assert!(refused(0).contains("report.zip in the mail 'offer'"), "{report}");
    assert_eq!(refused(1), "");
    assert!(refused(2).contains("empty.txt"), "{report}");
    for (args, code) in [
        (&["missing.pdf"][..], 74),
        (&["picture.bmp", "-o", "pages.doc"], 2),
        (&["picture.bmp", "-o", "no/such/folder/x.tif"], 74),
        (&["picture.bmp", "-r", "seventeen"], 2),
    ] {
        assert_eq!(pages(folder, args, None).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn a_signed_mail_is_opened_and_an_encrypted_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let entity = "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus dem Umschlag\r\n";
    fs::write(folder.join("entity"), entity).unwrap();
    let made = Command::new("sh").args(["-c", SIGN]).current_dir(folder).status().unwrap();
    assert!(made.success());
    let (code, report) = json(folder, &["signed.eml"]);
    assert_eq!((code, &report["pages"]), (Some(0), &1.into()), "{report}");
    let (code, report) = json(folder, &["locked.eml"]);
    assert_eq!(code, Some(1));
    let why = report["documents"][0]["refused"].as_str().unwrap();
    assert!(why.contains("encrypted"), "{why}");
}
