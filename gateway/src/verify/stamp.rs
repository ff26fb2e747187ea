//! The `Authentication-Results:` field (RFC 8601) on top of a message in a file.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use super::{
    file,
    verdict::{Dmarc, Evidence, Flaw, word},
};

/// Puts what was found out on top of the message at `path`, in the name of
/// `hostname`, and takes out what others wrote in that name (RFC 8601 5). The file
/// is replaced as a whole, durably.
///
/// # Errors
/// The file could not be read or written; it is then as it was.
pub fn stamp(path: &Path, hostname: &str, evidence: &Evidence) -> io::Result<()> {
    let mut message = File::open(path)?;
    let (fields, rest) = file::fields(&mut message)?;
    let stamped = path.with_extension("stamped");
    let written = (|| {
        let mut out = File::create(&stamped)?;
        out.write_all(field(hostname, evidence).as_bytes())?;
        for field in unfolded(&fields).into_iter().filter(|field| !claims(field, hostname)) {
            out.write_all(field)?;
        }
        out.write_all(&rest)?;
        io::copy(&mut message, &mut out)?;
        out.sync_all()?;
        fs::rename(&stamped, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&stamped);
    }
    written
}

fn field(hostname: &str, evidence: &Evidence) -> String {
    let mut field = format!("Authentication-Results: {hostname}");
    let (spf, by) = (&evidence.spf, plain(&evidence.spf.domain));
    field += &format!(";\r\n\tspf={} smtp.mailfrom={by}", word(spf.result));
    for signed in &evidence.signatures {
        let result = match signed.flaw {
            None => "pass",
            Some(Flaw::Broken(_)) => "fail",
            Some(Flaw::Unanswered) => "temperror",
        };
        let (domain, selector) = (plain(&signed.domain), plain(&signed.selector));
        field += &format!(";\r\n\tdkim={result} header.d={domain} header.s={selector}");
    }
    let dmarc = match evidence.dmarc {
        _ if !evidence.policy => "none",
        Dmarc::Spf | Dmarc::Dkim => "pass",
        Dmarc::Fail => "fail",
        Dmarc::Unanswered => "temperror",
        Dmarc::BadRecord => "permerror",
    };
    field + &format!(";\r\n\tdmarc={dmarc} header.from={}\r\n", plain(evidence.domain()))
}

/// What others wrote must not end a line or begin a word of ours.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || ".-_".contains(c);
    text.chars().map(|c| if keep(c) { c } else { '?' }).collect()
}

/// The fields with their folded lines, and the empty line at the end.
fn unfolded(fields: &[u8]) -> Vec<&[u8]> {
    let mut all: Vec<&[u8]> = Vec::new();
    let (mut begin, mut at) = (0, 0);
    for line in fields.split_inclusive(|octet| *octet == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) && at > begin {
            all.push(&fields[begin..at]);
            begin = at;
        }
        at += line.len();
    }
    all.push(&fields[begin..at]);
    all
}

/// Whether a field says that this host has checked the message.
fn claims(field: &[u8], hostname: &str) -> bool {
    let Some(colon) = field.iter().position(|octet| *octet == b':') else { return false };
    let (name, value) = field.split_at(colon);
    if !name.trim_ascii().eq_ignore_ascii_case(b"Authentication-Results") {
        return false;
    }
    // Wherever the name stands before the first result: comments may surround it.
    let value = value.split(|octet| *octet == b';').next().unwrap_or_default();
    let mut words = value.split(|octet| !(octet.is_ascii_alphanumeric() || b".-_".contains(octet)));
    words.any(|word| word.eq_ignore_ascii_case(hostname.as_bytes()))
}

#[cfg(test)]
mod tests {
    use mail_auth::SpfResult;

    use super::*;
    use crate::verify::{Broken, Signed, Spf};

    fn evidence() -> Evidence {
        let signed =
            |domain: &str, flaw| Signed { domain: domain.into(), selector: "s1".into(), flaw };
        Evidence {
            author: "anna@example.com".into(),
            spf: Spf { domain: "example.com".into(), result: SpfResult::SoftFail },
            signatures: vec![
                signed("example.com", None),
                signed("a;b\r\nX: y", Some(Flaw::Broken(Broken::Body))),
            ],
            policy: true,
            dmarc: Dmarc::Dkim,
        }
    }

    #[test]
    fn ours_comes_first_and_no_other_speaks_for_us() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mail.eml");
        let kept = "Received: x\r\n\ty\r\nAuthentication-Results: other.example; spf=fail\r\n";
        let lies = "authentication-results: (c) FAX1.example (d)\r\n 1; dmarc=pass\r\n\
                    Authentication-Results:\r\n\tfax1.example; none\r\n";
        let body = "\r\nAuthentication-Results: fax1.example; in the body\r\n";
        fs::write(&path, format!("{kept}{lies}From: a@b\r\n{body}")).unwrap();
        stamp(&path, "fax1.example", &evidence()).unwrap();
        let ours = "Authentication-Results: fax1.example;\r\n\
                    \tspf=softfail smtp.mailfrom=example.com;\r\n\
                    \tdkim=pass header.d=example.com header.s=s1;\r\n\
                    \tdkim=fail header.d=a?b??X??y header.s=s1;\r\n\
                    \tdmarc=pass header.from=example.com\r\n";
        let stamped = fs::read_to_string(&path).unwrap();
        assert_eq!(stamped, format!("{ours}{kept}From: a@b\r\n{body}"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
