//! Appointments (RFC 5545) and visiting cards (RFC 6350, and vCard 2.1) as lines that
//! people read, for a mail that brings nothing else. Both are written in the same way.

use super::body::{self, Encoding};

/// Properties that are told, in their order, and what they are called.
const TOLD: [(&str, &str); 22] = [
    ("SUMMARY", "Summary"),
    ("FN", "Name"),
    ("ORG", "Organisation"),
    ("TITLE", "Title"),
    ("DTSTART", "Begins"),
    ("DTEND", "Ends"),
    ("DUE", "Due"),
    ("DURATION", "Lasts"),
    ("RRULE", "Repeats"),
    ("LOCATION", "Where"),
    ("ORGANIZER", "Organiser"),
    ("ATTENDEE", "With"),
    ("STATUS", "Status"),
    ("TEL", "Telephone"),
    ("EMAIL", "E-mail"),
    ("ADR", "Address"),
    ("BDAY", "Birthday"),
    ("URL", "URL"),
    ("NOTE", "Note"),
    ("CATEGORIES", "Categories"),
    ("COMMENT", "Comment"),
    ("DESCRIPTION", "Description"),
];
/// Components that are told of; a time zone says nothing to a reader.
const COMPONENTS: [&str; 4] = ["VEVENT", "VTODO", "VJOURNAL", "VCARD"];
/// Lines that are read.
const MAX_LINES: usize = 20_000;

/// What people read of it. Empty where nothing is to be read.
pub(super) fn words(text: &str) -> String {
    let mut out = String::new();
    let mut said: Vec<(usize, String)> = Vec::new();
    let mut inside = 0_usize;
    for line in unfolded(text).iter().filter_map(|line| Line::read(line)) {
        let is_told = COMPONENTS.iter().any(|name| line.value.trim().eq_ignore_ascii_case(name));
        match line.name.as_str() {
            "BEGIN" if inside > 0 || is_told => inside += 1,
            "END" if inside > 0 => {
                inside -= 1;
                if inside == 0 {
                    said.sort_by_key(|(rank, _)| *rank);
                    if !out.is_empty() && !said.is_empty() {
                        out.push('\n');
                    }
                    out.extend(said.drain(..).map(|(_, line)| line));
                }
            }
            // What stands deeper is an alarm or the like.
            name if inside == 1 => {
                let rank = TOLD.iter().position(|(told, _)| *told == name);
                said.extend(rank.and_then(|rank| Some((rank, line.told(TOLD[rank].1)?))));
            }
            _ => {}
        }
    }
    out
}

/// Lines that were folded are one (RFC 5545 3.1); so are those of quoted-printable.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().take(MAX_LINES) {
        match (lines.last_mut(), line.strip_prefix([' ', '\t'])) {
            (Some(last), Some(more)) => last.push_str(more),
            (Some(last), None) if last.ends_with('=') && is_quoted(last) => {
                last.pop();
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn is_quoted(line: &str) -> bool {
    line.split(':')
        .next()
        .is_some_and(|head| head.to_ascii_uppercase().contains("QUOTED-PRINTABLE"))
}

/// `NAME;PARAMETER=x:value`
struct Line {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.find(|c: char| {
            quoted ^= c == '"';
            c == ':' && !quoted
        })?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let mut parts = head.split(';');
        // A group may stand before the name: `item1.TEL`.
        let name = parts.next()?.rsplit('.').next()?.to_ascii_uppercase();
        let parameters = parts.map(|part| {
            let (key, value) = part.split_once('=').unwrap_or(("TYPE", part));
            (key.to_ascii_uppercase(), value.trim_matches('"').to_owned())
        });
        let parameters: Vec<_> = parameters.collect();
        let value = if is_quoted(line) {
            let octets = body::decoded(value.as_bytes(), Encoding::QuotedPrintable);
            let charset = parameters.iter().find(|(key, _)| key == "CHARSET");
            body::characters(&octets, charset.map(|(_, name)| name.as_str()))
        } else {
            value.to_owned()
        };
        Some(Self { name, parameters, value })
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// `Where: room 4`
    fn told(&self, called: &str) -> Option<String> {
        let value = match self.name.as_str() {
            "DTSTART" | "DTEND" | "DUE" => self.moment(),
            "ORGANIZER" | "ATTENDEE" => self.person(),
            "ADR" | "ORG" => {
                let parts = split_unescaped(&self.value);
                let parts: Vec<&str> = parts.iter().map(|part| part.trim()).collect();
                let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                plain(&said.join(", "))
            }
            "TEL" | "URL" | "EMAIL" => plain(self.value.trim_start_matches("tel:")),
            _ => plain(&self.value),
        };
        let value = value.trim();
        (!value.is_empty()).then(|| format!("{called}: {value}\n"))
    }

    /// `20261124T090000Z` as people write it; anything else as it is.
    fn moment(&self) -> String {
        let value = self.value.trim();
        let digits = |range: std::ops::Range<usize>| {
            value.get(range).filter(|part| part.bytes().all(|octet| octet.is_ascii_digit()))
        };
        let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(4..6), digits(6..8))
        else {
            return plain(value);
        };
        let date = format!("{year}-{month}-{day}");
        let (Some(hour), Some(minute)) = (digits(9..11), digits(11..13)) else { return date };
        let zone = match self.parameter("TZID") {
            _ if value.ends_with('Z') => " UTC".to_owned(),
            Some(zone) => format!(" ({zone})"),
            None => String::new(),
        };
        format!("{date} {hour}:{minute}{zone}")
    }

    fn person(&self) -> String {
        let address = self.value.trim();
        let bare = address.get(..7).filter(|start| start.eq_ignore_ascii_case("mailto:"));
        let address = if bare.is_some() { &address[7..] } else { address };
        match self.parameter("CN") {
            Some(name) if name != address => format!("{name} <{address}>"),
            _ => address.to_owned(),
        }
    }
}

/// The parts between the semicolons that are not escaped.
fn split_unescaped(value: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in value.chars() {
        match c {
            ';' if !escaped => parts.push(String::new()),
            _ => parts.last_mut().expect("there is one").push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    parts
}

/// Without the escapes of a text (RFC 5545 3.3.11), lines after the first set in.
fn plain(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n' | 'N') => out.push_str("\n  "),
                Some(other) => out.push(other),
                None => {}
            },
            '\r' => {}
            '\n' => out.push_str("\n  "),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_read() {
        let text = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\n\
            BEGIN:VEVENT\r\nORGANIZER;CN=\"Anna: the boss\":mailto:anna@example.com\r\n\
            ATTENDEE;CN=bob@example.com:MAILTO:bob@example.com\r\n\
            DESCRIPTION:first\\nsecond\\, a long line that is fol\r\n ded\r\n\
            DTSTART;TZID=Europe/Berlin:20261124T093000\r\nDTEND:20261124T100000Z\r\n\
            SUMMARY:The offer\r\nLOCATION:Room 4\r\n\
            BEGIN:VALARM\r\nDESCRIPTION:Reminder\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let expected = "Summary: The offer\nBegins: 2026-11-24 09:30 (Europe/Berlin)\n\
            Ends: 2026-11-24 10:00 UTC\nWhere: Room 4\n\
            Organiser: Anna: the boss <anna@example.com>\nWith: bob@example.com\n\
            Description: first\n  second, a long line that is folded\n";
        assert_eq!(words(text), expected);
    }

    #[test]
    fn visiting_cards_are_read() {
        let text = "BEGIN:VCARD\nVERSION:3.0\nN:Müller;Anna;;;\nFN:Anna Müller\nORG:Acme\\, Ltd;Sales\n\
            item1.TEL;TYPE=work,fax:+44 20 7946 0100\nADR;TYPE=work:;;High St 1;London;;N1 1AA;UK\n\
            PHOTO;ENCODING=b:AAAA\n BBBB\nEND:VCARD\n\
            BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=\n Meier\nEND:VCARD\n";
        let expected = "Name: Anna Müller\nOrganisation: Acme, Ltd, Sales\n\
            Telephone: +44 20 7946 0100\nAddress: High St 1, London, N1 1AA, UK\n\nName: Jürgen";
        assert!(words(text).starts_with(expected), "{}", words(text));
        assert_eq!(words("nothing of the kind\n"), "");
        assert_eq!(words("BEGIN:VCARD\nEND:VCARD\n"), "");
    }

    proptest::proptest! {
        #[test]
        fn any_text_may_come(lines in proptest::collection::vec(
            proptest::sample::select(&["BEGIN:VCARD", "END:VCARD", "BEGIN:VEVENT", "DTSTART:2026ä11", "FN;\":",
                "FN;ENCODING=QUOTED-PRINTABLE:=", " x", "ADR:\\;;\\", "ATTENDEE:mailtö", "ORGANIZER;CN=:mailto:"][..]), 0..30)) {
            let _ = words(&lines.join("\n"));
        }
    }
}
