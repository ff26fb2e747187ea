//! The text of a mail that becomes pages, with or without what a reply quotes.

use postfax_gateway::message::Message;

use crate::config::ReplyQuote;

/// The text that becomes pages when nothing is attached.
pub(super) fn text(quote: ReplyQuote, message: &Message) -> String {
    let text = message.text();
    match quote {
        ReplyQuote::Keep => text,
        ReplyQuote::Cut if is_reply(message) => without_quote(&text),
        ReplyQuote::Cut => text,
    }
}

/// Whether something may be cut out of the text.
pub(super) fn cuts(quote: ReplyQuote, message: &Message) -> bool {
    quote == ReplyQuote::Cut && is_reply(message)
}

/// What answers nothing quotes nothing: a form with `Name:` and `Mail:` is all to be
/// faxed.
fn is_reply(message: &Message) -> bool {
    ["In-Reply-To", "References"].iter().any(|name| message.header(name).is_some())
}

/// What the writer of a reply added: without the lines that quote the original and the
/// line that announces them, and without everything below the header of an original
/// that is not quoted line by line.
fn without_quote(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let end = (0..lines.len()).find(|&at| begins_original(&lines[at..])).unwrap_or(lines.len());
    let mut kept: Vec<&str> = Vec::with_capacity(end);
    let mut quoted = false;
    for line in &lines[..end] {
        if line.starts_with('>') {
            if !quoted {
                forget_announcement(&mut kept);
            }
            quoted = true;
        } else if !(quoted && line.trim().is_empty()) {
            quoted = false;
            kept.push(line);
        }
    }
    while kept.last().is_some_and(|line| line.trim().is_empty()) {
        kept.pop();
    }
    kept.join("\n")
}

/// How many lines of an announcement may stand above a quotation: `On .., Fax .. wrote:`
/// is often folded.
const MAX_ANNOUNCEMENT_LINES: usize = 3;

/// Drops `On 23 November, Fax +1555.. wrote:` from the end: a paragraph of a few lines
/// that ends with a colon and names an address or a digit.
fn forget_announcement(kept: &mut Vec<&str>) {
    let mut from = kept.len();
    while from > 0 && kept[from - 1].trim().is_empty() {
        from -= 1;
    }
    if from == 0 || !kept[from - 1].trim_end().ends_with(':') {
        return;
    }
    let mut begin = from - 1;
    while begin > 0 && from - begin < MAX_ANNOUNCEMENT_LINES && !kept[begin - 1].trim().is_empty() {
        begin -= 1;
    }
    if kept[begin..from].iter().any(|line| line.contains(|c: char| c.is_ascii_digit())) {
        kept.truncate(begin);
    }
}

/// Whether here stands `-----Original Message-----`, or a rule of underscores and the
/// header of the original, or that header: `From:` and, close below it, `Subject:`, in
/// any language a word with a colon in four lines running.
fn begins_original(lines: &[&str]) -> bool {
    let first = lines[0].trim();
    let dashed = first.len() > 10 && first.starts_with("-----") && first.ends_with("-----");
    let rule = first.len() >= 20 && first.bytes().all(|c| c == b'_');
    let header = |lines: &[&str]| {
        let has_key = |line: &&str| {
            let key =
                line.trim().trim_start_matches('*').split_once(':').map_or("", |(key, _)| key);
            !key.is_empty() && key.len() <= 20 && !key.contains(['/', '@', '.'])
        };
        // The sender comes first; in a signature the address is further down.
        let is_from = |line: &str| line.contains('@') || line.contains("FAX=");
        lines.len() >= 4 && lines[..4].iter().all(has_key) && is_from(lines[0])
    };
    let next = lines.get(1..).unwrap_or_default();
    dashed || (rule && header(next)) || header(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use postfax_gateway::message::{Limits, Message};

    use super::{ReplyQuote, text, without_quote};

    #[test]
    fn a_mail_that_is_no_reply_is_faxed_whole() {
        let form = "Mail: bob@example.com\nName: Bob\nTown: B\nPieces: 5\nas agreed\n";
        for (field, expected) in [("", form), ("In-Reply-To: <1@x>\r\n", "")] {
            let raw = format!("Subject: x\r\n{field}\r\n{form}").into();
            let message = Message::parse(raw, &Limits::default()).unwrap();
            assert_eq!(text(ReplyQuote::Cut, &message), expected, "{field:?}");
        }
    }

    #[test]
    fn what_was_added_stays_and_what_was_quoted_goes() {
        let quotation = "On 23/11/2026 08:05, Fax +1555 wrote:\n> one\n>\n> two\n";
        let german =
            "Am 23.11.2026 um 08:05 schrieb Fax +1555\n<FAX=+1555@fax.example.com>:\n> eins\n";
        let outlook = "Von: Fax <FAX=+1555@fax.example.com>\nGesendet: Montag\nAn: anna@example.com\n\
                       Betreff: Fax\n\nEin Fax.\n";
        for (text, expected) in [
            ("Yes.\nNo.".to_owned(), "Yes.\nNo."),
            (format!("Yes.\n\n{quotation}"), "Yes."),
            (format!("{quotation}\nYes.\n"), "Yes."),
            (format!("Yes.\n\n{quotation}\nAnd no.\n"), "Yes.\n\nAnd no."),
            (format!("Ja.\n\n{german}"), "Ja."),
            (format!("Ja.\n\n{outlook}"), "Ja."),
            ("Yes.\n-----Original Message-----\nanything".to_owned(), "Yes."),
            (format!("Yes.\n________________________________\n{outlook}"), "Yes."),
            // A letter that only looks a little like it.
            (
                "We agreed:\n\n1. to pay\n2. to ship".to_owned(),
                "We agreed:\n\n1. to pay\n2. to ship",
            ),
            ("Our terms:\n> 30 days".to_owned(), "Our terms:"),
            (
                "Name: A\nStreet: B\nTown: C\nTel: D".to_owned(),
                "Name: A\nStreet: B\nTown: C\nTel: D",
            ),
            (
                format!("Yes.\n\nTel: 1\nFax: 2\nMail: anna@example.com\nWeb: x\n\n{quotation}"),
                "Yes.\n\nTel: 1\nFax: 2\nMail: anna@example.com\nWeb: x",
            ),
            (quotation.to_owned(), ""),
        ] {
            assert_eq!(without_quote(&text), expected, "{text}");
        }
    }
}
