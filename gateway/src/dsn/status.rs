//! The fields of `message/delivery-status` (RFC 3464 2) and of its twin
//! `message/global-delivery-status` (RFC 6533 4): one block for the message and one
//! for each recipient.

use crate::compose::{
    ComposeError,
    field::{Fields, ascii, date_text, one_line},
};

use super::{Action, Form, RecipientReport, Report, Typed};

/// Longest value that is written, in octets: with its name it stays one line that every
/// host takes (RFC 5322 2.1.1), even where it has no space to be folded at.
const MAX_VALUE_BYTES: usize = 900;

/// All blocks, each ended by an empty line but the last.
pub(super) fn fields(report: &Report, form: Form) -> Result<String, ComposeError> {
    let mut block = Block { fields: Fields::default(), form };
    block.line("Reporting-MTA", &format!("dns; {}", report.reporting_mta));
    if let Some(id) = &report.envelope_id {
        block.line("Original-Envelope-Id", id);
    }
    if let Some(gateway) = &report.gateway {
        block.line("DSN-Gateway", &typed(gateway));
    }
    if let Some(from) = &report.received_from {
        block.line("Received-From-MTA", &typed(from));
    }
    if let Some(arrival) = &report.arrival {
        block.line("Arrival-Date", &date_text(arrival));
    }
    if let Some(by) = &report.deliver_by {
        block.line("Deliver-By-Date", &date_text(by));
    }
    if let Some(request) = &report.future_release {
        block.line("Future-Release-Request", request);
    }
    let mut text = block.text();
    for recipient in &report.recipients {
        text += "\r\n";
        text += &recipient_block(recipient, form)?.text();
    }
    Ok(text)
}

fn recipient_block(recipient: &RecipientReport, form: Form) -> Result<Block, ComposeError> {
    let mut block = Block { fields: Fields::default(), form };
    if let Some(original) = &recipient.original_recipient {
        block.line("Original-Recipient", &address(&original.kind, &original.value));
    }
    block.line("Final-Recipient", &address("rfc822", &recipient.final_recipient));
    block.line("Action", word(recipient.action));
    block.line("Status", &status(recipient)?);
    if let Some(remote) = &recipient.remote_mta {
        block.line("Remote-MTA", &typed(remote));
    }
    if let Some(diagnostic) = &recipient.diagnostic {
        block.line("Diagnostic-Code", &typed(diagnostic));
    }
    if let Some(date) = &recipient.last_attempt {
        block.line("Last-Attempt-Date", &date_text(date));
    }
    if let Some(id) = &recipient.final_log_id {
        block.line("Final-Log-ID", id);
    }
    // RFC 3464 2.3.9 allows the field with `delayed` only.
    if let Some(date) = &recipient.will_retry_until
        && recipient.action == Action::Delayed
    {
        block.line("Will-Retry-Until", &date_text(date));
    }
    for (name, value) in &recipient.extensions {
        block.fields.added(name, &cut(&ascii(value)))?;
    }
    Ok(block)
}

/// A block of fields, in the one form or the other.
struct Block {
    fields: Fields,
    form: Form,
}

impl Block {
    fn line(&mut self, name: &str, value: &str) {
        let value = match self.form {
            Form::Ascii => ascii(value),
            Form::International => one_line(value),
        };
        self.fields.folded(name, &cut(&value));
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.fields.as_bytes()).into_owned()
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Failed => "failed",
        Action::Delayed => "delayed",
        Action::Delivered => "delivered",
        Action::Relayed => "relayed",
        Action::Expanded => "expanded",
    }
}

/// The code of RFC 3463 2, with its comment.
fn status(recipient: &RecipientReport) -> Result<String, ComposeError> {
    let code = &recipient.status;
    let number =
        |text: &&str| (1..=3).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    let parts: Vec<&str> = code.split('.').collect();
    if parts.len() != 3 || !matches!(parts[0], "2" | "4" | "5") || !parts.iter().all(number) {
        return Err(ComposeError::Status(code.clone()));
    }
    Ok(match &recipient.status_comment {
        Some(comment) => format!("{code} ({})", ascii(comment).replace(['(', ')', '\\'], " ")),
        None => code.clone(),
    })
}

/// An address beyond ASCII has a type of its own, whatever type it was given with
/// (RFC 6533 3: `utf-8-addr-unitext`).
fn address(kind: &str, address: &str) -> String {
    let address = one_line(address);
    if address.is_ascii() {
        return format!("{}; {address}", ascii(kind));
    }
    let plain = |c: char| !matches!(c, '\\' | ' ');
    let escaped = address
        .chars()
        .map(|c| if plain(c) { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) });
    format!("utf-8; {}", escaped.collect::<String>())
}

fn typed(value: &Typed) -> String {
    format!("{}; {}", ascii(&value.kind), value.value)
}

fn cut(value: &str) -> String {
    value[..value.floor_char_boundary(MAX_VALUE_BYTES)].to_owned()
}
