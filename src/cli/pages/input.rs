//! A document as it was named on the command line, as the mail that would bring it.
//! Decides nothing about what is in it: that is found as in every mail.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    path::Path,
};

use postfax_gateway::message::{Limits, Message};

use crate::cli::{Exit, Failure};

/// Media types by the ends of names, where the bytes do not say what a document is.
const TYPES: [(&str, &str); 13] = [
    ("txt", "text/plain"),
    ("text", "text/plain"),
    ("log", "text/plain"),
    ("md", "text/plain"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("htm", "text/html"),
    ("svg", "image/svg+xml"),
    ("ics", "text/calendar"),
    ("vcf", "text/vcard"),
    ("rtf", "application/rtf"),
    ("p7m", "application/pkcs7-mime"),
    ("eml", "message/rfc822"),
];

/// A document that was read.
pub(super) struct Input {
    /// What it is called.
    pub(super) name: String,
    /// The mail that it is, or the mail to which it alone is attached.
    pub(super) mail: Vec<u8>,
}

impl Input {
    /// Reads a file, or the standard input for `-`.
    ///
    /// # Errors
    /// [`Exit::File`] when it cannot be read or is too large.
    pub(super) fn read(path: &Path, max_bytes: u64) -> Result<Self, Failure> {
        let is_input = path == Path::new("-");
        let name = if is_input { "the input".into() } else { path.display().to_string() };
        let mut bytes = Vec::new();
        let read = match is_input {
            true => io::stdin().lock().take(max_bytes + 1).read_to_end(&mut bytes),
            false => {
                File::open(path).and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes))
            }
        };
        read.map_err(|error| Failure::file(&name, &error))?;
        if bytes.len() as u64 > max_bytes {
            let words = format!("{name}: larger than a mail may be, {max_bytes} bytes");
            return Err(Failure::new(Exit::File, words));
        }
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file_name = file_name.filter(|_| !is_input).unwrap_or_default();
        let ends = |end: &str| file_name.to_ascii_lowercase().ends_with(end);
        let mail = if ends(".eml") || (is_input && is_mail(&bytes)) {
            bytes
        } else {
            attached(&file_name, &bytes)
        };
        Ok(Self { name, mail })
    }
}

/// Whether what came without a name is a mail: it says who wrote it, and one thing more
/// that nobody writes but in a mail.
fn is_mail(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(64 << 10)];
    let Ok(message) = Message::parse(head.to_vec().into(), &Limits::default()) else {
        return false;
    };
    let says = |name: &&str| message.header(name).is_some();
    says(&"From") && ["Date", "MIME-Version", "Received", "Message-ID"].iter().any(says)
}

/// A mail to which only this is attached (RFC 2183), its name in the form of RFC 2231.
fn attached(name: &str, bytes: &[u8]) -> Vec<u8> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let by_name = TYPES.iter().find(|(end, _)| extension.eq_ignore_ascii_case(end));
    let is_text = name.is_empty() && !bytes.is_empty() && std::str::from_utf8(bytes).is_ok();
    let content_type = match by_name {
        Some((_, content_type)) => content_type,
        None if is_text => "text/plain",
        None => "application/octet-stream",
    };
    let mut mail = Vec::with_capacity(bytes.len() + 256);
    mail.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
    mail.extend_from_slice(b"Content-Disposition: attachment");
    if !name.is_empty() {
        mail.extend_from_slice(b"; filename*=utf-8''");
        for octet in name.bytes() {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => mail.push(octet),
                _ => write!(mail, "%{octet:02X}").expect("a Vec takes every write"),
            }
        }
    }
    mail.extend_from_slice(b"\r\n\r\n");
    mail.extend_from_slice(bytes);
    mail
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_file_is_the_attachment_of_a_mail() {
        for (name, bytes, content_type) in [
            ("Grüße & more.PDF", &b"%PDF-1.7\r\n\n."[..], "application/octet-stream"),
            ("a.TXT", b"hello\n", "text/plain"),
            ("", "Grüße\n".as_bytes(), "text/plain"),
            ("", b"\xff\xd8\xff", "application/octet-stream"),
        ] {
            let mail = attached(name, bytes);
            let message = Message::parse(mail.into(), &Limits::default()).unwrap();
            let part = message.attachments().next().unwrap();
            assert_eq!(part.name.as_deref().unwrap_or(""), name);
            assert_eq!(&*part.bytes(), bytes);
            assert_eq!(part.content_type, content_type);
        }
    }

    #[test]
    fn mails_are_told_from_texts() {
        assert!(is_mail(b"Received: x\r\nFrom: a@b\r\n\r\nhello"));
        assert!(!is_mail(b"From: the beginning\n\nhello"));
        assert!(!is_mail(b"%PDF-1.4\n"));
    }
}
