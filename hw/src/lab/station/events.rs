//! What happens at the station, as `SITE TRIGGER` tells it: job, sending and
//! receiving events, each a bit of its class's mask, each a line of text.

/// A class of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Job,
    Send,
    Receive,
    Modem,
}

impl Class {
    /// The number of its first event on the wire.
    fn base(self) -> u16 {
        match self {
            Self::Job => 100,
            Self::Send => 116,
            Self::Receive => 132,
            Self::Modem => 148,
        }
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) class: Class,
    /// Which bit of the class's mask.
    pub(super) bit: u8,
    /// The job or line that it is about.
    pub(super) subject: String,
    pub(super) text: String,
}

/// Events of a job and of its sending, by bit.
pub(super) const JOB_CREATED: u8 = 0;
pub(super) const JOB_DEAD: u8 = 4;
pub(super) const JOB_ACTIVE: u8 = 7;
pub(super) const SEND_BEGUN: u8 = 0;
pub(super) const SEND_CALLING: u8 = 1;
pub(super) const SEND_CONNECTED: u8 = 2;
pub(super) const SEND_PAGE: u8 = 3;
pub(super) const SEND_ENDED: u8 = 7;
pub(super) const SEND_REQUEUED: u8 = 9;
pub(super) const SEND_DONE: u8 = 10;
pub(super) const RECEIVE_BEGUN: u8 = 0;
pub(super) const RECEIVE_DOCUMENT: u8 = 3;
pub(super) const RECEIVE_ENDED: u8 = 4;

impl Event {
    /// As HylaFAX words it, where something in parentheses follows the number.
    pub(super) fn job(bit: u8, job: u32, text: &str) -> Self {
        Self {
            class: Class::Job,
            bit,
            subject: job.to_string(),
            text: format!("JOB {job} (station): {text}"),
        }
    }

    pub(super) fn send(bit: u8, job: u32, text: &str) -> Self {
        let text = format!("JOB {job} (station): SEND FAX: {text}");
        Self { class: Class::Send, bit, subject: job.to_string(), text }
    }

    pub(super) fn receive(bit: u8, line: &str, text: &str) -> Self {
        let text = format!("MODEM {line}: RECV FAX: {text}");
        Self { class: Class::Receive, bit, subject: line.to_owned(), text }
    }

    /// The line on the wire, without its end.
    pub(super) fn line(&self, clock: &str) -> String {
        format!("{clock} {} {}", self.class.base() + u16::from(self.bit), self.text)
    }
}

/// What a listener wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interest(Vec<(Class, Option<String>, u16)>);

impl Interest {
    /// Reads `J<42>*S0008R*`: a class, where wanted one subject of it, and a mask of
    /// four hexadecimal digits or `*` for all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut wanted = vec![];
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            let class = match letter.to_ascii_uppercase() {
                'J' => Class::Job,
                'S' => Class::Send,
                'R' => Class::Receive,
                'M' => Class::Modem,
                _ => return None,
            };
            rest = &rest[1..];
            let mut subject = None;
            if let Some(after) = rest.strip_prefix('<') {
                let (name, after) = after.split_once('>')?;
                subject = Some(name.to_owned());
                rest = after;
            }
            let mask = if let Some(after) = rest.strip_prefix('*') {
                rest = after;
                u16::MAX
            } else {
                let mask = u16::from_str_radix(rest.get(..4)?, 16).ok()?;
                rest = &rest[4..];
                mask
            };
            wanted.push((class, subject, mask));
        }
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// Whether the listener wants this event.
    pub(super) fn covers(&self, event: &Event) -> bool {
        self.0.iter().any(|(class, subject, mask)| {
            *class == event.class
                && mask & (1 << event.bit) != 0
                && subject.as_ref().is_none_or(|subject| *subject == event.subject)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_hear_what_they_asked_for() {
        let page = Event::send(SEND_PAGE, 42, "Page 1 sent");
        let cases = [
            ("J*S*R*", true),
            ("S0008", true),
            ("s<42>*", true),
            ("S<43>*", false),
            ("S0007J*", false),
            ("R*", false),
        ];
        for (spec, expected) in cases {
            assert_eq!(Interest::parse(spec).unwrap().covers(&page), expected, "{spec}");
        }
        for bad in ["", "X*", "S00", "S<42*", "Sä000"] {
            assert_eq!(Interest::parse(bad), None, "{bad}");
        }
        assert_eq!(page.line("120000"), "120000 119 JOB 42 (station): SEND FAX: Page 1 sent");
    }
}
