//! What was found when the pages of a received fax were looked at, as its mail says it:
//! once for people, once in the header. Looks at nothing itself.

use postfax_hw::pages::received::{LeftOut, Received, Seen};

use super::page::Page;
use crate::config::{Phrase, Words};

/// Pages of which a mail says what was wrong with them; of the rest it says that there are more.
const MAX_NAMED_PAGES: usize = 20;

/// What was found when the pages were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Findings {
    /// Whether a PDF is in the mail.
    pub(super) pdf: bool,
    /// Pages with bad lines.
    pub(super) damaged: Vec<Damaged>,
    /// Pages that the PDF lacks, counted from 1.
    pub(super) left_out: Vec<(usize, LeftOut)>,
    /// Of how many pages the words were read, and of how many they were to be.
    pub(super) read: Option<(usize, usize)>,
}

/// A page with bad lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Damaged {
    /// Counted from 1.
    pub(super) page: usize,
    /// Lines that could not be read.
    pub(super) bad: u32,
    /// The longest stretch of them.
    pub(super) longest: u32,
    /// Lines that never came.
    pub(super) missing: u32,
    /// All lines of the page.
    pub(super) lines: u32,
}

impl Findings {
    pub(super) fn of(received: &Received, pdf: bool) -> Self {
        let pages = || (1..).zip(received.pages());
        let damaged = |(page, seen): (usize, &Seen)| {
            let damage = seen.damage;
            (!damage.is_none()).then_some(Damaged {
                page,
                bad: damage.bad_lines,
                longest: damage.longest,
                missing: damage.missing_lines,
                lines: seen.lines,
            })
        };
        let left_out = pages().filter_map(|(page, seen)| Some((page, seen.left_out?)));
        Self {
            pdf,
            damaged: pages().filter_map(damaged).collect(),
            left_out: left_out.filter(|_| pdf).collect(),
            read: None,
        }
    }

    pub(super) fn say(&self, words: &Words, page: &mut Page<'_>) {
        let named = |mut items: Vec<String>| {
            let more = items.len() > MAX_NAMED_PAGES;
            items.truncate(MAX_NAMED_PAGES);
            items.extend(more.then(|| "...".to_owned()));
            items.into_iter()
        };
        let damaged = self.damaged.iter().map(|one| {
            let (number, lines) = (one.page.to_string(), (one.bad + one.missing).to_string());
            let values =
                [("page", &*number), ("lines", &*lines), ("total", &*one.lines.to_string())];
            words.say(Phrase::FaxDamagedPage, &values)
        });
        page.list(Phrase::FaxDamaged, named(damaged.collect()));
        if self.pdf && !self.damaged.is_empty() {
            page.paragraph(words.word(Phrase::FaxRepaired));
        }
        let left_out = self.left_out.iter().map(|(number, why)| {
            let phrase = match why {
                LeftOut::Blank => Phrase::FaxBlankPage,
                LeftOut::Duplicate => Phrase::FaxDuplicatePage,
            };
            words.say(phrase, &[("page", &number.to_string())])
        });
        page.list(Phrase::FaxLeftOut, named(left_out.collect()));
    }

    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for Damaged { page, bad, longest, missing, lines } in
            self.damaged.iter().take(MAX_NAMED_PAGES)
        {
            let value = format!(
                "page={page}; bad={bad}; longest={longest}; missing={missing}; lines={lines}"
            );
            headers.push(("X-Fax-Damage".to_owned(), value));
        }
        for (page, why) in self.left_out.iter().take(MAX_NAMED_PAGES) {
            let why = match why {
                LeftOut::Blank => "blank",
                LeftOut::Duplicate => "duplicate",
            };
            headers.push(("X-Fax-Left-Out".to_owned(), format!("page={page}; why={why}")));
        }
        headers.extend(
            self.read
                .map(|(read, all)| ("X-Fax-Text".to_owned(), format!("pages={read}; of={all}"))),
        );
        headers
    }
}
