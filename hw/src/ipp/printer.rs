//! What a device says of itself (Get-Printer-Attributes): whether it faxes at all, how
//! it is, and what it takes.

use std::time::Instant;

use ipp::model::{DelimiterTag, Operation};

use super::message::{Answer, Group};
use crate::driver::{Condition, LineCondition};

/// What is asked for; media and finishings alone would be most of the answer.
const WANTED: &[&str] = &[
    "printer-name",
    "printer-info",
    "printer-make-and-model",
    "printer-state",
    "printer-state-reasons",
    "printer-state-message",
    "printer-is-accepting-jobs",
    "printer-fax-modem-name",
    "printer-fax-modem-number",
    "ipp-features-supported",
    "destination-uri-schemes-supported",
    "destination-uris-supported",
    "document-format-supported",
    "job-creation-attributes-supported",
    "confirmation-sheet-print-default",
    "number-of-retries-supported",
    "number-of-retries-default",
    "print-quality-supported",
    "operations-supported",
    "printer-settable-attributes-supported",
];
/// printer-state (RFC 8011 5.4.11).
const STOPPED: i32 = 5;

/// A format that documents are sent in; the first that a device takes is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The fax pages as they are.
    Tiff,
    /// The same pages wrapped, not drawn anew.
    Pdf,
    /// The same pixels with another coding (PWG 5102.4): every FaxOut device takes it.
    Raster,
}

impl Format {
    const ALL: [Self; 3] = [Self::Tiff, Self::Pdf, Self::Raster];

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Tiff => "image/tiff",
            Self::Pdf => "application/pdf",
            Self::Raster => "image/pwg-raster",
        }
    }
}

/// A device, as it was when it was asked.
#[derive(Debug, Clone)]
pub(super) struct Printer {
    pub(super) condition: Condition,
    formats: Vec<Format>,
    /// Members of destination-uris that it knows; empty when it does not say.
    members: Vec<String>,
    /// Attributes that a job may have; empty when it does not say.
    template: Vec<String>,
    qualities: Vec<i32>,
    pub(super) settable: Vec<String>,
    pub(super) asked: Instant,
}

/// Why a device is no fax server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoFax {
    /// RFC 8011 and PWG 5100.15 name it.
    #[error("this is no fax service: {0}; is the path in the URL that of the fax queue?")]
    Lacks(&'static str),
    /// Formats.
    #[error("it takes none of image/tiff, application/pdf and image/pwg-raster")]
    Formats,
}

/// The question.
pub(super) fn question(printer: &str, user: &str) -> super::message::Question {
    let mut question =
        super::message::Question::new(Operation::GetPrinterAttributes, printer, user);
    question.wanting(WANTED);
    question
}

impl Printer {
    /// Reads the answer.
    pub(super) fn read(answer: &Answer) -> Result<Self, NoFax> {
        let about = answer.first(DelimiterTag::PrinterAttributes);
        let schemes: Vec<&str> = about.texts("destination-uri-schemes-supported").collect();
        // PWG 5100.15 has both; one of them is enough to believe it.
        let is_fax = about.texts("ipp-features-supported").any(|feature| feature == "faxout");
        if !is_fax && schemes.is_empty() {
            return Err(NoFax::Lacks("ipp-features-supported has no \"faxout\""));
        }
        if !schemes.is_empty() && !schemes.contains(&"tel") {
            return Err(NoFax::Lacks("destination-uri-schemes-supported has no \"tel\""));
        }
        let taken: Vec<&str> = about.texts("document-format-supported").collect();
        let formats = Format::ALL.into_iter().filter(|one| taken.contains(&one.media_type()));
        let formats: Vec<Format> = formats.collect();
        if formats.is_empty() {
            return Err(NoFax::Formats);
        }
        let strings = |name| about.texts(name).map(str::to_owned).collect();
        let qualities =
            about.values("print-quality-supported").iter().filter_map(|one| match one {
                super::message::Value::Number(number) => Some(*number),
                _ => None,
            });
        let mut template: Vec<String> = strings("job-creation-attributes-supported");
        if about.has("confirmation-sheet-print-default") {
            template.push("confirmation-sheet-print".into());
        }
        if about.has("number-of-retries-supported") || about.has("number-of-retries-default") {
            template.push("number-of-retries".into());
        }
        Ok(Self {
            condition: condition(about),
            formats,
            members: strings("destination-uris-supported"),
            template,
            qualities: qualities.collect(),
            settable: strings("printer-settable-attributes-supported"),
            asked: Instant::now(),
        })
    }

    /// The format to send in.
    pub(super) fn format(&self) -> Format {
        self.formats[0]
    }

    /// Whether a destination may have this member. A device that does not say is tried:
    /// it has to name what it ignores.
    pub(super) fn takes_member(&self, name: &str) -> bool {
        self.members.is_empty() || self.members.iter().any(|member| member == name)
    }

    /// Whether a job may have this attribute.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.template.is_empty() || self.template.iter().any(|one| one == name)
    }

    /// Whether it tells this print-quality from others.
    pub(super) fn takes_quality(&self, quality: i32) -> bool {
        self.qualities.contains(&quality)
    }
}

fn condition(about: Group<'_>) -> Condition {
    let named = ["printer-make-and-model", "printer-info", "printer-name"];
    let banner = named.into_iter().find_map(|name| about.text(name)).unwrap_or("an IPP device");
    let stopped = about.number("printer-state") == Some(STOPPED);
    let accepting = about.flag("printer-is-accepting-jobs").unwrap_or(true);
    let state = match about.number("printer-state") {
        Some(3) => "idle",
        Some(4) => "processing",
        Some(STOPPED) => "stopped",
        _ => "unknown",
    };
    let reasons = about.texts("printer-state-reasons").filter(|reason| *reason != "none");
    let mut status: Vec<&str> = std::iter::once(state).chain(reasons).collect();
    if !accepting {
        status.push("takes no jobs");
    }
    let status = status.join(", ");
    let numbers: Vec<&str> = about.texts("printer-fax-modem-number").collect();
    let mut names: Vec<&str> = about.texts("printer-fax-modem-name").collect();
    if names.is_empty() {
        names.push("fax");
    }
    let line = |(at, name): (usize, &&str)| LineCondition {
        name: (*name).to_owned(),
        number: numbers.get(at).map(|number| number.trim_start_matches("tel:").to_owned()),
        status: status.clone(),
        usable: accepting && !stopped,
        broken: stopped,
    };
    Condition { banner: banner.to_owned(), lines: names.iter().enumerate().map(line).collect() }
}
