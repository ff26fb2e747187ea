//! The fields of `message/delivery-status` (RFC 3464 2): seven bits, one block
//! for the message and one for each recipient.

use crate::compose::{
    ComposeError,
    field::{Fields, ascii, date_text, one_line},
};

use super::{Action, RecipientReport, Report, Typed};

/// Longest value that is written, in characters.
const MAX_VALUE_CHARS: usize = 900;

/// All blocks, each ended by an empty line but the last.
pub(super) fn fields(report: &Report) -> Result<String, ComposeError> {
    let mut block = Fields::default();
    line(&mut block, "Reporting-MTA", &format!("dns; {}", report.reporting_mta));
    if let Some(id) = &report.envelope_id {
        line(&mut block, "Original-Envelope-Id", id);
    }
    if let Some(arrival) = &report.arrival {
        line(&mut block, "Arrival-Date", &date_text(arrival));
    }
    let mut text = String::from_utf8_lossy(block.as_bytes()).into_owned();
    for recipient in &report.recipients {
        text += "\r\n";
        text += &String::from_utf8_lossy(recipient_block(recipient)?.as_bytes());
    }
    Ok(text)
}

fn recipient_block(recipient: &RecipientReport) -> Result<Fields, ComposeError> {
    let mut block = Fields::default();
    if let Some(original) = &recipient.original_recipient {
        line(&mut block, "Original-Recipient", &address(&original.kind, &original.value));
    }
    line(&mut block, "Final-Recipient", &address("rfc822", &recipient.final_recipient));
    line(&mut block, "Action", word(recipient.action));
    line(&mut block, "Status", &status(recipient)?);
    if let Some(remote) = &recipient.remote_mta {
        line(&mut block, "Remote-MTA", &typed(remote));
    }
    if let Some(diagnostic) = &recipient.diagnostic {
        line(&mut block, "Diagnostic-Code", &typed(diagnostic));
    }
    if let Some(date) = &recipient.last_attempt {
        line(&mut block, "Last-Attempt-Date", &date_text(date));
    }
    if let Some(id) = &recipient.final_log_id {
        line(&mut block, "Final-Log-ID", id);
    }
    // RFC 3464 2.3.9 allows the field with `delayed` only.
    if let Some(date) = &recipient.will_retry_until
        && recipient.action == Action::Delayed
    {
        line(&mut block, "Will-Retry-Until", &date_text(date));
    }
    for (name, value) in &recipient.extensions {
        block.added(name, &cut(&ascii(value)))?;
    }
    Ok(block)
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

/// An address beyond ASCII is written in the seven-bit form of RFC 6533 3.
fn address(kind: &str, address: &str) -> String {
    let address = one_line(address);
    if address.is_ascii() {
        return format!("{}; {address}", ascii(kind));
    }
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '+' | '=');
    let escaped = address
        .chars()
        .map(|c| if plain(c) { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) });
    format!("utf-8; {}", escaped.collect::<String>())
}

fn typed(value: &Typed) -> String {
    format!("{}; {}", ascii(&value.kind), value.value)
}

fn line(block: &mut Fields, name: &str, value: &str) {
    block.folded(name, &cut(&ascii(value)));
}

fn cut(value: &str) -> String {
    value.chars().take(MAX_VALUE_CHARS).collect()
}
