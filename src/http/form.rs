//! The form by which a fax is sent (RFC 7578): read field by field, documents straight
//! to files that go when the request is over. Decides only whether it can be read.

use std::path::{Path, PathBuf};

use axum::extract::multipart::{Field, Multipart, MultipartError};
use postfax_domain::document::Resolution;
use postfax_gateway::desk::{DeliverBy, Notify, Release};
use sha2::{Digest as _, Sha256};
use tokio::{fs::File, io::AsyncWriteExt as _};
use utoipa::ToSchema;

use super::{
    once,
    problem::{Code, Problem},
};
use crate::store::documents::Documents;

/// Most parts of a form.
const MAX_PARTS: usize = 1000;
/// Most documents of one fax.
const MAX_DOCUMENTS: usize = 100;
/// Longest field in octets that is no document.
const MAX_FIELD_BYTES: usize = 1 << 20;
/// Longest name of a file in characters.
const MAX_NAME_CHARS: usize = 255;
/// What a document is that does not say it (RFC 7578 4.4).
const ANY_TYPE: &str = "application/octet-stream";

/// A fax to be sent. Either documents or a text, or both where it has a cover.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct FaxForm {
    /// Whom to: a number, a name of the phone book, or an address of the fax domain.
    /// May be repeated.
    #[schema(min_items = 1, example = json!(["+33140000000"]))]
    to: Vec<String>,
    /// Whatever pages are made of: PDF, TIFF, pictures, text, HTML, office documents. May be repeated.
    #[schema(value_type = Option<Vec<String>>, content_media_type = "application/octet-stream")]
    document: Option<Vec<Vec<u8>>>,
    /// What is faxed when there is no document, and what stands on the cover.
    text: Option<String>,
    /// What receipts call it.
    subject: Option<String>,
    /// An address of the client, where receipts go; its first one when it is not said.
    from: Option<String>,
    /// Lines an inch.
    #[schema(example = "fine", pattern = "^(standard|fine|superfine|300x300|400x400)$")]
    resolution: Option<String>,
    /// Whether a cover goes first: off, on, or the name of a template.
    #[schema(example = "on")]
    cover: Option<String>,
    /// How grey becomes black and white.
    #[schema(example = "auto", pattern = "^(auto|text|photo)$")]
    tone: Option<String>,
    /// The widest paper.
    #[schema(example = "a4", pattern = "^(a4|b4|a3)$")]
    paper: Option<String>,
    /// What your office calls it; for the cover.
    reference: Option<String>,
    /// 0 is ordinary, 9 most urgent, -9 least; no more than the client may have.
    #[schema(minimum = -9, maximum = 9)]
    priority: Option<i8>,
    /// Not before this moment.
    #[schema(format = DateTime)]
    hold_until: Option<String>,
    /// Not before so many seconds have passed.
    #[schema(minimum = 1, maximum = 999_999_999)]
    hold_for_s: Option<u32>,
    /// Not after so many seconds have passed.
    #[schema(minimum = 1, maximum = 999_999_999)]
    give_up_after_s: Option<u32>,
    /// When a receipt is mailed; as the client is set up when it is not said.
    #[schema(example = "failure", pattern = "^(never|failure|always)$")]
    receipt: Option<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) to: Vec<String>,
    pub(super) documents: Vec<Upload>,
    pub(super) text: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) from: Option<String>,
    /// Options of the pages, as header fields of a mail; the desk judges them.
    pub(super) options: Vec<(String, String)>,
    pub(super) priority: Option<i8>,
    pub(super) release: Option<Release>,
    pub(super) deliver_by: Option<DeliverBy>,
    pub(super) notify: Option<Notify>,
    /// Which request it is, whatever its delimiters are.
    prints: Vec<[u8; 32]>,
}

/// A document in a file of its own, which goes with this.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) content_type: String,
    pub(super) path: PathBuf,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Form {
    /// Reads a form whose whole size is bounded already.
    pub(super) async fn read(
        mut parts: Multipart,
        documents: &Documents,
        max_to: usize,
    ) -> Result<Self, Problem> {
        let mut form = Self::default();
        let mut count = 0;
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            count += 1;
            if count > MAX_PARTS {
                return Err(bad(format!("there are more than {MAX_PARTS} fields")));
            }
            let name = part.name().unwrap_or_default().to_owned();
            if name == "document" {
                if form.documents.len() >= MAX_DOCUMENTS {
                    return Err(bad(format!("there are more than {MAX_DOCUMENTS} documents")));
                }
                form.upload(part, documents).await?;
            } else {
                let value = text(&name, part).await?;
                form.prints.push(once::print(&[name.as_bytes(), value.as_bytes()]));
                form.set(&name, value)?;
            }
            if form.to.len() > max_to {
                return Err(bad(format!("there are more than {max_to} recipients")));
            }
        }
        form.whole()
    }

    /// Which request it is.
    pub(super) fn print(&self) -> [u8; 32] {
        let prints: Vec<&[u8]> = self.prints.iter().map(|print| &print[..]).collect();
        once::print(&prints)
    }

    async fn upload(&mut self, mut part: Field<'_>, documents: &Documents) -> Result<(), Problem> {
        let name: String =
            part.file_name().unwrap_or("document").chars().take(MAX_NAME_CHARS).collect();
        let content_type = part.content_type().unwrap_or(ANY_TYPE).to_owned();
        let path = documents.spool(&format!("{}.upload", documents.new_name()));
        let upload = Upload { name, content_type, path };
        let mut file = File::create_new(&upload.path).await.map_err(|bad| no_room(&bad))?;
        let mut hash = Sha256::new();
        while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
            hash.update(&chunk);
            file.write_all(&chunk).await.map_err(|bad| no_room(&bad))?;
        }
        file.flush().await.map_err(|bad| no_room(&bad))?;
        let said = [upload.name.as_bytes(), upload.content_type.as_bytes(), &hash.finalize()[..]];
        self.prints.push(once::print(&said));
        self.documents.push(upload);
        Ok(())
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), Problem> {
        match name {
            "to" => self.to.push(value),
            "text" => once_only(&mut self.text, value, name)?,
            "subject" => once_only(&mut self.subject, value, name)?,
            "from" => once_only(&mut self.from, value, name)?,
            "resolution" => match Resolution::named(&value) {
                Some(named) => self.option("X-Fax-Resolution", named.as_str().to_owned(), name)?,
                None => {
                    let names = Resolution::ALL.map(Resolution::as_str).join(", ");
                    return Err(bad(format!("resolution is one of {names}")));
                }
            },
            "cover" => self.option("X-Fax-Cover", value, name)?,
            "tone" => self.option("X-Fax-Tone", value, name)?,
            "paper" => self.option("X-Fax-Paper", value, name)?,
            "reference" => self.option("X-Fax-Reference", value, name)?,
            "priority" => {
                let priority = value.parse().ok().filter(|level| (-9..=9).contains(level));
                let priority = priority.ok_or_else(|| bad("priority is -9 to 9"))?;
                once_only(&mut self.priority, priority, name)?;
            }
            "hold_until" => {
                let words = "hold_until is a moment such as 2030-01-31T08:00:00Z";
                let moment = value.parse().map_err(|_| bad(words))?;
                once_only(&mut self.release, Release::Until(moment), "hold_until or hold_for_s")?;
            }
            "hold_for_s" => {
                let seconds = seconds(name, &value)?;
                once_only(&mut self.release, Release::For(seconds), "hold_until or hold_for_s")?;
            }
            "give_up_after_s" => {
                let seconds = i64::from(seconds(name, &value)?);
                let by = DeliverBy { seconds, give_back: true, trace: false };
                once_only(&mut self.deliver_by, by, name)?;
            }
            "receipt" => {
                let on = |success| Notify::On { success, failure: true, delay: true };
                let notify = match value.as_str() {
                    "never" => Notify::Never,
                    "failure" => on(false),
                    "always" => on(true),
                    _ => return Err(bad("receipt is never, failure or always")),
                };
                once_only(&mut self.notify, notify, name)?;
            }
            _ => return Err(bad(format!("there is no field {:?}", shortened(name)))),
        }
        Ok(())
    }

    fn option(&mut self, field: &str, value: String, name: &str) -> Result<(), Problem> {
        if value.contains(char::is_control) {
            return Err(bad(format!("{name} is one line")));
        }
        if self.options.iter().any(|(known, _)| known == field) {
            return Err(bad(format!("say {name} once")));
        }
        self.options.push((field.to_owned(), value));
        Ok(())
    }

    fn has_cover(&self) -> bool {
        let is_cover = |(field, value): &(String, String)| {
            field == "X-Fax-Cover" && !value.eq_ignore_ascii_case("off")
        };
        self.options.iter().any(is_cover)
    }

    fn whole(self) -> Result<Self, Problem> {
        if self.to.is_empty() {
            return Err(bad("say whom to: to=+33140000000"));
        }
        match (self.documents.is_empty(), &self.text) {
            (true, None) => Err(bad("send a document or a text")),
            // Without a cover both are faxed without the text, which must not be a surprise.
            (false, Some(_)) if !self.has_cover() => {
                Err(bad("send documents or a text, or both with a cover"))
            }
            _ => Ok(self),
        }
    }
}

fn once_only<T>(slot: &mut Option<T>, value: T, name: &str) -> Result<(), Problem> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(format!("say {name} once"))),
    }
}

fn seconds(name: &str, value: &str) -> Result<u32, Problem> {
    let seconds = value.parse().ok().filter(|seconds| (1..=999_999_999).contains(seconds));
    seconds.ok_or_else(|| bad(format!("{name} is 1 to 999999999")))
}

async fn text(name: &str, mut part: Field<'_>) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(unreadable)? {
        if bytes.len() + chunk.len() > MAX_FIELD_BYTES {
            let words = format!("{} is longer than {MAX_FIELD_BYTES} octets", shortened(name));
            return Err(Problem::new(Code::TooLarge, words));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| bad(format!("{} is no UTF-8", shortened(name))))
}

/// What somebody else wrote, short enough to be repeated.
fn shortened(name: &str) -> String {
    name.chars().take(40).collect()
}

fn bad(words: impl Into<String>) -> Problem {
    Problem::new(Code::BadRequest, words)
}

fn unreadable(error: MultipartError) -> Problem {
    match error.status() {
        axum::http::StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::TooLarge, "the body is larger than max_body_bytes of [http]")
        }
        _ => bad(error.body_text()),
    }
}

pub(super) fn no_room(failed: &dyn std::fmt::Display) -> Problem {
    tracing::warn!(%failed, "a fax by HTTP could not be kept");
    Problem::new(Code::Busy, "insufficient system storage")
}

/// Octets of all documents.
pub(super) fn size(uploads: &[Upload]) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    uploads.iter().map(|upload| size(&upload.path)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Result<Form, Problem> {
        let mut form = Form::default();
        for (name, value) in fields {
            form.set(name, (*value).to_owned())?;
        }
        form.whole()
    }

    #[test]
    fn what_can_be_read_is() {
        let read = form(&[
            ("to", "+331"),
            ("to", "+332"),
            ("text", "hello"),
            ("priority", "-9"),
            ("hold_for_s", "60"),
            ("give_up_after_s", "600"),
            ("receipt", "failure"),
            ("resolution", "superfine"),
        ])
        .unwrap();
        assert_eq!((read.to.len(), read.priority), (2, Some(-9)));
        assert_eq!(read.release, Some(Release::For(60)));
        assert_eq!(read.notify, Some(Notify::On { success: false, failure: true, delay: true }));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for fields in [
            &[("text", "x")][..],
            &[("to", "+331")],
            &[("to", "+331"), ("text", "x"), ("text", "y")],
            &[("to", "+331"), ("text", "x"), ("colour", "red")],
            &[("to", "+331"), ("text", "x"), ("priority", "10")],
            &[("to", "+331"), ("text", "x"), ("resolution", "finer")],
            &[("to", "+331"), ("text", "x"), ("receipt", "yes")],
            &[("to", "+331"), ("text", "x"), ("hold_for_s", "0")],
            &[("to", "+331"), ("text", "x"), ("hold_until", "tomorrow")],
            &[
                ("to", "+331"),
                ("text", "x"),
                ("hold_for_s", "1"),
                ("hold_until", "2030-01-31T08:00:00Z"),
            ],
        ] {
            assert!(form(fields).is_err(), "{fields:?}");
        }
    }
}
