//! What a receipt says to people: what has become of a fax, in the words of its
//! sender's language. Knows no MIME.

use postfax_domain::{
    book::{Book, Owner},
    destination::FaxAddress,
    document::Resolution,
    job::{Attempt, Carrier, End, Job, Missed, Sent, State},
    notice::{Happened, Report},
    options::Stepped,
    outcome::Outcome,
    time::Timestamp,
};

use postfax_hw::pages::line_time::line_time;

use super::{
    other::{Line, Other},
    page::Page,
    words_of, zoned,
};
use crate::config::{Config, Phrase, Words};

/// A fax of which its sender is told.
pub(super) struct Story<'a> {
    pub(super) config: &'a Config,
    pub(super) words: &'a Words,
    pub(super) fax: &'a Job,
    pub(super) sent: &'a Sent,
    pub(super) to: &'a FaxAddress,
    pub(super) happened: Happened,
    /// Who is at the other end, as far as the sender's phone book knows.
    pub(super) other: Other,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        config: &'a Config,
        fax: &'a Job,
        sent: &'a Sent,
        to: &'a FaxAddress,
        report: Report,
    ) -> Self {
        let happened = match report {
            Report::Late => Happened::Late,
            Report::Overdue => Happened::Overdue,
            Report::End | Report::Disposition => Happened::of(fax, &config.setup.retry),
        };
        let words = words_of(config, Some(&sent.client));
        Self { config, words, fax, sent, to, happened, other: Other::default() }
    }

    /// The same, with what the phone book of the sender says of the number.
    pub(super) fn looked_up(mut self, book: &Book) -> Self {
        // A name that was written is never looked up again.
        if self.to.named.is_some() {
            return self;
        }
        let line = Line { number: &self.to.number, subaddress: self.to.subaddress.as_deref() };
        let client = Some(&self.sent.client);
        self.other = Other::find(book, self.config, self.words, client, line, self.fax.id);
        self
    }

    /// The number, and the name that the phone book has for it where it was written bare.
    fn number(&self) -> String {
        let number = self.to.number.as_str();
        match &self.other.name {
            Some(name) => self.words.say(Phrase::Named, &[("number", number), ("name", name)]),
            None => number.to_owned(),
        }
    }

    /// Whom it went to: the name by which it was called, with the number.
    fn whom(&self) -> String {
        if self.to.named.is_some() { self.to.shown() } else { self.number() }
    }

    /// The outcome that the receipt is about.
    pub(super) fn cause(&self) -> Option<Outcome> {
        match self.fax.state {
            State::Ended { end: End::Failed(cause), .. } => Some(cause),
            State::Ended { end: End::Cancelled, .. } => Some(Outcome::Cancelled),
            _ => self.fax.last_outcome(),
        }
    }

    /// Whether it is still tried.
    pub(super) fn is_delay(&self) -> bool {
        matches!(self.happened, Happened::Late | Happened::Overdue)
    }

    pub(super) fn is_failure(&self) -> bool {
        use Happened::{Cancelled, Expired, Failed, Partly};
        matches!(self.happened, Failed | Partly | Expired | Cancelled)
    }

    pub(super) fn subject(&self) -> String {
        self.say(match self.happened {
            Happened::Delivered | Happened::Coarser => Phrase::DeliveredSubject,
            Happened::Relayed => Phrase::RelayedSubject,
            Happened::Late => Phrase::LateSubject,
            Happened::Overdue => Phrase::OverdueSubject,
            Happened::Partly => Phrase::PartlySubject,
            Happened::Expired if self.fax.confirmed > 0 => Phrase::PartlySubject,
            Happened::Failed | Happened::Expired => Phrase::FailedSubject,
            Happened::Cancelled => Phrase::CancelledSubject,
        })
    }

    fn sentence(&self) -> String {
        self.say(match self.happened {
            Happened::Delivered => Phrase::Delivered,
            Happened::Coarser => Phrase::Coarser,
            Happened::Relayed => Phrase::Relayed,
            Happened::Late => Phrase::Late,
            Happened::Overdue => Phrase::Overdue,
            Happened::Failed => Phrase::Failed,
            Happened::Partly => Phrase::Partly,
            Happened::Expired => Phrase::Expired,
            Happened::Cancelled if self.fax.confirmed > 0 => Phrase::CancelledPartly,
            Happened::Cancelled => Phrase::Cancelled,
        })
    }

    fn say(&self, phrase: Phrase) -> String {
        let words = self.words;
        let subject = self.sent.subject.clone().unwrap_or_default();
        let about = match subject.trim() {
            "" => String::new(),
            subject => words.say(Phrase::About, &[("subject", subject)]),
        };
        let total = total(self.fax);
        let by = self.sent.deliver_by.map(|by| self.moment(by.at));
        words.say(
            phrase,
            &[
                ("number", &self.number()),
                ("subject", &subject),
                ("about", &about),
                ("pages", &words.pages(total)),
                ("total", &total.to_string()),
                ("confirmed", &words.pages(self.fax.confirmed)),
                ("last", &self.fax.confirmed.to_string()),
                ("outcome", &self.cause().map(|cause| words.outcome(cause)).unwrap_or_default()),
                ("by", &by.unwrap_or_default()),
                ("job", &self.fax.id.to_string()),
            ],
        )
    }

    /// Everything that is said.
    pub(super) fn page(&self) -> Page<'a> {
        let (fax, words) = (self.fax, self.words);
        let mut page = Page::new(words);
        page.paragraph(self.sentence());
        for Missed { list, members } in &self.sent.missed {
            let members = members.to_string();
            page.paragraph(words.say(Phrase::Missed, &[("list", list), ("members", &members)]));
        }
        if let Some(stepped) = &fax.remarks.stepped {
            page.paragraph(self.stepped(stepped));
        }
        let last = fax.attempts.last();
        let moment = |at| Some(self.moment(at));
        let while_tried = |value: Option<String>| value.filter(|_| self.is_delay());
        let ended = match fax.state {
            State::Ended { at, .. } if !self.is_delay() => moment(at),
            _ => None,
        };
        let release = self.sent.release.as_ref();
        let speed = last.and_then(|attempt| attempt.ledger.bit_rate);
        page.facts([
            (Phrase::To, Some(self.whom())),
            (Phrase::List, self.to.named.as_ref().and_then(|named| named.list.clone())),
            (Phrase::PhoneBook, self.book()),
            (Phrase::Attention, self.to.attention.clone()),
            (Phrase::Subject, self.sent.subject.clone()),
            (Phrase::Accepted, moment(fax.created)),
            (Phrase::NotBefore, release.map(|release| self.moment(release.at))),
            (Phrase::WantedBy, self.sent.deliver_by.map(|by| self.moment(by.at))),
            (Phrase::Ended, ended),
            (Phrase::Cause, while_tried(self.cause().map(|cause| words.outcome(cause)))),
            (Phrase::Problem, fax.trouble.clone()),
            (Phrase::Confirmed, while_tried(self.progress())),
            (Phrase::LineTime, while_tried(self.line_time())),
            (Phrase::NextTry, while_tried(fax.due().map(|due| self.moment(due)))),
            (Phrase::TriedUntil, while_tried(moment(fax.expires))),
            (Phrase::Remote, last.and_then(|attempt| attempt.ledger.remote_id.clone())),
            (Phrase::LineSpeed, speed.map(|rate| words.count(Phrase::Speed, rate))),
            (Phrase::Job, Some(fax.id.to_string())),
        ]);
        page.list(Phrase::Warnings, fax.remarks.warnings.iter().cloned());
        page.list(Phrase::Attempts, fax.attempts.iter().map(|attempt| self.attempt(attempt)));
        // A number that no fax has reached yet is not worth keeping.
        if matches!(self.happened, Happened::Delivered | Happened::Coarser | Happened::Relayed) {
            self.other.teach(self.config, words, &mut page);
        }
        page
    }

    /// Whose entry was called, where it is not the sender's own.
    fn book(&self) -> Option<String> {
        let named = self.to.named.as_ref()?;
        Some(match named.owner_besides(&self.sent.client)? {
            Owner::Client(owner) => self.words.say(Phrase::OfClient, &[("owner", owner.as_str())]),
            Owner::Supervisor => self.words.say(Phrase::OfAll, &[]),
        })
    }

    /// Why the pages are not as they were asked for.
    fn stepped(&self, stepped: &Stepped) -> String {
        let words = self.words;
        let phrase = match (stepped.asked == stepped.made, stepped.as_text) {
            (true, _) => Phrase::SteppedToText,
            (false, false) => Phrase::SteppedDown,
            (false, true) => Phrase::SteppedDownToText,
        };
        let name = |resolution| match resolution {
            Resolution::Standard => words.word(Phrase::Standard),
            Resolution::Fine => words.word(Phrase::Fine),
            Resolution::Superfine => words.word(Phrase::Superfine),
            Resolution::Dots300 | Resolution::Dots400 => resolution.as_str().to_owned(),
        };
        let time = self.minutes(stepped.line_s);
        let (asked, made) = (name(stepped.asked), name(stepped.made));
        let values = [("asked", &*asked), ("made", &*made), ("time", &*time)];
        words.say(phrase, &values)
    }

    /// How long the pages will take, as far as can be told before.
    fn line_time(&self) -> Option<String> {
        let (pages, bytes) = (self.fax.pages(), self.fax.coded_bytes());
        (pages > 0).then(|| self.minutes(line_time(pages, bytes, None).as_secs()))
    }

    fn minutes(&self, seconds: u64) -> String {
        self.words.count(Phrase::Minutes, seconds.div_ceil(60))
    }

    fn progress(&self) -> Option<String> {
        let confirmed = self.fax.confirmed;
        (confirmed > 0).then(|| format!("{confirmed}/{}", self.words.pages(total(self.fax))))
    }

    fn attempt(&self, attempt: &Attempt) -> String {
        let words = self.words;
        let ended = attempt.ended.as_ref();
        let phrase = if ended.is_some() { Phrase::AttemptEnded } else { Phrase::AttemptUnderWay };
        let outcome = ended.map(|end| words.outcome(end.outcome)).unwrap_or_default();
        let seconds = ended.map_or(0, |end| end.at.since(attempt.started).as_secs());
        words.say(
            phrase,
            &[
                ("number", &attempt.number.to_string()),
                ("time", &self.moment(attempt.started)),
                ("server", &server(attempt).unwrap_or_default()),
                ("outcome", &outcome),
                ("pages", &words.pages(attempt.ledger.confirmed)),
                ("seconds", &words.count(Phrase::Seconds, seconds)),
            ],
        )
    }

    fn moment(&self, at: Timestamp) -> String {
        self.words.moment(&zoned(self.config, at))
    }
}

/// Pages of the fax.
pub(super) fn total(fax: &Job) -> u32 {
    fax.pages()
}

/// The fax server of an attempt.
pub(super) fn server(attempt: &Attempt) -> Option<String> {
    match &attempt.carrier {
        Carrier::Server(server) => Some(server.to_string()),
        Carrier::Mail => None,
    }
}
