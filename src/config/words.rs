//! The words of our mails in all languages: those that come with Postfax, and what
//! an administrator has put in their place. Whoever holds [`Words`] knows that every
//! phrase is there and that it asks for nothing that nobody can fill in.
//!
//! A language is a file of TOML with a phrase for each key; `{name}` stands for
//! something that is filled in, `{{` and `}}` for braces.

use std::{collections::BTreeMap, sync::Arc};

use postfax_domain::outcome::{Outcome, TABLE};
use toml::de::{DeTable, DeValue};

use super::{
    findings::{Findings, Place},
    suggest,
};

/// The language that has every phrase, and stands in for all others.
pub(crate) const ENGLISH: &str = "en";

/// The languages that come with Postfax, and their files.
const BUILT_IN: &[(&str, &str)] = &[
    (ENGLISH, include_str!("../letters/languages/en.toml")),
    ("de", include_str!("../letters/languages/de.toml")),
    ("fr", include_str!("../letters/languages/fr.toml")),
    ("ja", include_str!("../letters/languages/ja.toml")),
];

macro_rules! phrases {
    ($( $table:literal [$($slot:literal),*] { $( $name:ident $key:literal, )* } )*) => {
        /// A phrase, by where it stands in the file of a language.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Phrase { $($( $name, )*)* }

        /// Every phrase, its table and its key.
        const PHRASES: &[(Phrase, &str, &str)] =
            &[$($( (Phrase::$name, $table, $key), )*)*];

        /// What the phrases of a table may be filled with.
        const SLOTS: &[(&str, &[&str])] = &[$( ($table, &[$($slot),*]), )*];
    };
}

phrases! {
    "language" [] {
        Name "name", Date "date", Singular "singular",
    }
    "language" ["label", "value"] {
        Label "label",
    }
    "count" ["count"] {
        Page "page", Pages "pages", Seconds "seconds", Minutes "minutes", Speed "speed",
    }
    "receipt" [
        "number", "subject", "about", "pages", "total", "confirmed", "last", "outcome", "by", "job"
    ] {
        ReceiptSender "sender", About "about",
        DeliveredSubject "delivered_subject", RelayedSubject "relayed_subject",
        FailedSubject "failed_subject", PartlySubject "partly_subject",
        CancelledSubject "cancelled_subject", LateSubject "late_subject",
        OverdueSubject "overdue_subject",
        Delivered "delivered", Coarser "coarser", Relayed "relayed", Failed "failed",
        Partly "partly", Expired "expired", Cancelled "cancelled",
        CancelledPartly "cancelled_partly", Late "late", Overdue "overdue",
    }
    "label" [] {
        To "to", Attention "attention", Subject "subject", Accepted "accepted",
        NotBefore "not_before", WantedBy "wanted_by", Ended "ended", Cause "cause",
        Confirmed "confirmed", NextTry "next_try", TriedUntil "tried_until", Remote "remote",
        LineSpeed "speed", Job "job", Attempts "attempts", FirstPage "first_page", From "from",
        Station "station", Extension "extension", Received "received", Duration "duration",
        Server "server", Problem "problem", List "list", PhoneBook "phone_book", FaxCode "code",
        FaxDamaged "damaged", FaxLeftOut "left_out",
        LineTime "line_time", Warnings "warnings",
    }
    "pages" ["asked", "made", "time"] {
        Standard "standard", Fine "fine", Superfine "superfine", SteppedDown "coarser",
        SteppedToText "text", SteppedDownToText "coarser_text",
    }
    "entry" ["list", "members", "owner"] {
        OfClient "of_client", OfAll "of_all", Missed "missed",
    }
    "attempt" ["number", "time", "server", "outcome", "pages", "seconds"] {
        AttemptEnded "ended", AttemptUnderWay "under_way",
    }
    "address_book" [] {
        BookOwn "own", BookShared "shared", BookPublic "public",
    }
    "fax" ["who", "number", "name", "pages", "error", "page", "lines", "total"] {
        FaxSender "sender", FaxSubject "subject", FaxSubjectIncomplete "subject_incomplete",
        FaxArrived "arrived", FaxProblem "problem", FaxReply "reply", Named "named",
        UnknownNumber "unknown", FaxDamagedPage "damaged_page", FaxRepaired "repaired",
        FaxBlankPage "blank_page", FaxDuplicatePage "duplicate_page",
    }
    "alarm" ["job", "server", "hook", "line"] {
        UnroutedSubject "unrouted_subject", Unrouted "unrouted",
        UndeliverableSubject "undeliverable_subject", Undeliverable "undeliverable",
        LostSubject "lost_subject", Lost "lost",
        ReturnedSubject "returned_subject", Returned "returned",
        UntoldSubject "untold_subject", Untold "untold", ManySubject "many_subject", Many "many",
        DriftedSubject "drifted_subject", Drifted "drifted", Changes "changes",
        NotReadSubject "not_read_subject", NotRead "not_read",
        LineSubject "line_subject", Line "line",
        NotSetSubject "not_set_subject", NotSet "not_set", NotSetYet "not_set_yet",
        HookGivenUpSubject "hook_given_up_subject", HookGivenUp "hook_given_up",
        HookFullSubject "hook_full_subject", HookFull "hook_full",
        HookGoneSubject "hook_gone_subject", HookGone "hook_gone",
        See "see", SeeSettings "see_settings", SeeHooks "see_hooks",
    }
    "book" ["number", "name", "company", "address", "count"] {
        BookEntry "entry", BookLearn "learn", BookEdit "edit", BookExported "exported",
        BookTooLarge "too_large",
    }
    "answer" ["question", "domain", "problem", "job", "version"] {
        AnswerAsked "asked", AnswerMisread "misread", AnswerUnsure "unsure",
        AnswerMore "more", AnswerEdit "edit", AnswerSame "same", AnswerSince "since",
        AnswerWanted "wanted", AnswerHelp "help", AnswerReply "reply",
        TopicJobs "topic_jobs", HelpList "help_list", HelpShow "help_show",
        HelpExplain "help_explain", HelpCancel "help_cancel", HelpRetry "help_retry",
        HelpHold "help_hold", HelpRelease "help_release", HelpAlter "help_alter",
        TopicInbound "topic_inbound", HelpInbound "help_inbound", HelpAssign "help_assign",
        TopicServers "topic_servers", HelpServers "help_servers", HelpDrain "help_drain",
        HelpResume "help_resume", HelpGiveUp "help_give_up",
        TopicSettings "topic_settings", HelpGet "help_get", HelpSet "help_set",
        HelpHistory "help_history", HelpDiff "help_diff", HelpRollback "help_rollback",
        HelpAdopt "help_adopt", HelpPush "help_push",
        TopicBook "topic_book", HelpFind "help_find", HelpBookShow "help_book_show",
        HelpAdd "help_add", HelpChange "help_change", HelpShare "help_share",
        HelpUnshare "help_unshare", HelpDelete "help_delete", HelpSave "help_save",
        HelpImport "help_import", HelpExport "help_export",
        TopicSupervisor "topic_supervisor", HelpConfig "help_config", HelpAudit "help_audit",
        HelpWebhooks "help_webhooks",
        HelpReload "help_reload",
        TopicRest "topic_rest", HelpStatus "help_status", HelpHelp "help_help",
    }
}

/// The table of sentences for outcomes, by their names.
const OUTCOMES: &str = "outcome";

/// A piece of a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot(String),
}

type Template = Vec<Piece>;

/// The words of one language.
#[derive(Debug, Clone)]
pub(crate) struct Words {
    tag: String,
    phrases: BTreeMap<(String, String), Template>,
}

/// All languages by their tags.
#[derive(Debug, Clone)]
pub(crate) struct Languages(BTreeMap<String, Arc<Words>>);

impl Words {
    /// The language tag, such as `de` (RFC 5646).
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    /// The phrase with its slots filled; a slot for which there is nothing stays empty.
    pub(crate) fn say(&self, phrase: Phrase, values: &[(&str, &str)]) -> String {
        let known = PHRASES.iter().find(|(one, ..)| *one == phrase);
        let (_, table, key) = known.expect("the list has every phrase");
        self.fill(table, key, values).unwrap_or_default()
    }

    /// A phrase without slots.
    pub(crate) fn word(&self, phrase: Phrase) -> String {
        self.say(phrase, &[])
    }

    /// What people read of an outcome.
    pub(crate) fn outcome(&self, outcome: Outcome) -> String {
        let said = self.fill(OUTCOMES, &outcome.name(), &[]);
        said.unwrap_or_else(|| outcome.text().to_owned())
    }

    /// `1 page`, `2 pages`.
    pub(crate) fn pages(&self, count: u32) -> String {
        let singular = self.word(Phrase::Singular);
        let is_one = singular.split_whitespace().any(|number| number.parse() == Ok(count));
        let form = if is_one { Phrase::Page } else { Phrase::Pages };
        self.say(form, &[("count", &count.to_string())])
    }

    /// A number with its unit.
    pub(crate) fn count(&self, unit: Phrase, count: impl ToString) -> String {
        self.say(unit, &[("count", &count.to_string())])
    }

    /// A line `Label: value`.
    pub(crate) fn labelled(&self, label: Phrase, value: &str) -> String {
        self.say(Phrase::Label, &[("label", &self.word(label)), ("value", value)])
    }

    /// A moment in the language's usual numeric form, with its time zone.
    pub(crate) fn moment(&self, at: &jiff::Zoned) -> String {
        let form = self.word(Phrase::Date);
        // The form was tried out when it was read.
        jiff::fmt::strtime::format(&form, at).unwrap_or_else(|_| at.to_string())
    }

    fn fill(&self, table: &str, key: &str, values: &[(&str, &str)]) -> Option<String> {
        let template = self.phrases.get(&(table.to_owned(), key.to_owned()))?;
        let fill = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Slot(name) => {
                let value = values.iter().find(|(slot, _)| slot == name);
                value.map_or_else(String::new, |(_, value)| (*value).to_owned())
            }
        };
        Some(template.iter().map(fill).collect())
    }
}

impl Languages {
    /// The languages that come with Postfax.
    pub(crate) fn built_in() -> Self {
        let mut languages = Self(BTreeMap::new());
        let mut findings = Findings::default();
        for (tag, text) in BUILT_IN {
            languages.take(tag, text, 0, &mut findings);
        }
        languages
    }

    /// The words of a language; the English ones where there is no such language.
    pub(crate) fn of(&self, tag: &str) -> &Words {
        let english = || self.0.get(ENGLISH).expect("English is built in");
        self.0.get(tag).unwrap_or_else(english)
    }

    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes the phrases of a file over those that are there. Gives the keys that the
    /// language still lacks, which are said in English.
    pub(super) fn take(
        &mut self,
        tag: &str,
        written: &str,
        text: usize,
        findings: &mut Findings,
    ) -> Vec<String> {
        let before = self.0.get(tag).map(|words| words.phrases.clone());
        let mut phrases = before.clone().unwrap_or_default();
        phrases.extend(File { text, findings }.read(written));
        let mut lacking = Vec::new();
        if let Some(english) = self.0.get(ENGLISH).filter(|_| before.is_none()) {
            for (key, template) in &english.phrases {
                if !phrases.contains_key(key) {
                    lacking.push(format!("{}.{}", key.0, key.1));
                    phrases.insert(key.clone(), template.clone());
                }
            }
        }
        self.0.insert(tag.to_owned(), Arc::new(Words { tag: tag.to_owned(), phrases }));
        lacking
    }
}

/// One file of a language while it is read.
struct File<'a> {
    text: usize,
    findings: &'a mut Findings,
}

impl File<'_> {
    fn read(&mut self, written: &str) -> BTreeMap<(String, String), Template> {
        let (root, errors) = DeTable::parse_recoverable(written);
        for error in &errors {
            let place = self.place("", error.span().unwrap_or_default());
            let help = "the file must be TOML: [table], key = \"text\"";
            self.findings.error(&place, error.message().trim(), help);
        }
        let mut read = BTreeMap::new();
        for (table, node) in root.get_ref() {
            let name = table.get_ref().as_ref();
            let place = self.place(name, table.span());
            let keys = keys_of(name);
            if keys.is_empty() {
                let tables = SLOTS.iter().map(|(table, _)| *table).chain([OUTCOMES]);
                let mut tables: Vec<&str> = tables.collect();
                tables.dedup();
                let help = suggest::instead(name, "table", tables);
                self.findings.error(&place, format!("there is no table \"{name}\" here"), help);
                continue;
            }
            let Some(entries) = node.get_ref().as_table() else {
                let help = format!("write [{name}] with keys below it");
                self.findings.error(&place, "a table is needed here", help);
                continue;
            };
            for (key, value) in entries {
                let key_name = key.get_ref().as_ref();
                let path = format!("{name}.{key_name}");
                let place = self.place(&path, value.span());
                if !keys.iter().any(|known| known == key_name) {
                    let place = self.place(&path, key.span());
                    let known = keys.iter().map(String::as_str);
                    let help = suggest::instead(key_name, "key", known);
                    let message = format!("there is no key \"{key_name}\" here");
                    self.findings.error(&place, message, help);
                } else if let Some(template) =
                    self.template(name, key_name, value.get_ref(), &place)
                {
                    read.insert((name.to_owned(), key_name.to_owned()), template);
                }
            }
        }
        read
    }

    fn template(
        &mut self,
        table: &str,
        key: &str,
        value: &DeValue<'_>,
        place: &Place,
    ) -> Option<Template> {
        let Some(text) = value.as_str() else {
            self.findings.error(place, "a text in quotes is needed here", "write \"text\"");
            return None;
        };
        if (table, key) == ("language", "date") && !is_date(text) {
            let help = "write it as strftime does, such as %d/%m/%Y %H:%M:%S %Z";
            self.findings.error(place, format!("\"{text}\" is no form of a date"), help);
            return None;
        }
        let is_number = |number: &str| number.parse::<u32>().is_ok();
        if (table, key) == ("language", "singular") && !text.split_whitespace().all(is_number) {
            let help = "write the numbers that take the singular: \"1\", \"0 1\", or \"\" for none";
            self.findings.error(place, format!("\"{text}\" is no list of numbers"), help);
            return None;
        }
        let lacks_one = ["{label}", "{value}"].iter().any(|slot| !text.contains(slot));
        if (table, key) == ("language", "label") && lacks_one {
            let help = "write both, such as {label}: {value}";
            self.findings.error(place, format!("\"{text}\" would leave facts out"), help);
            return None;
        }
        let slots = slots_of(table, key);
        let help = match slots {
            [] => "nothing can be filled in here; write {{ for a brace".to_owned(),
            slots => format!("it can be: {{{}}}; write {{{{ for a brace", slots.join("}, {")),
        };
        match parse(text, slots) {
            Ok(template) => Some(template),
            Err(message) => {
                self.findings.error(place, message, help);
                None
            }
        }
    }

    fn place(&self, key: &str, span: std::ops::Range<usize>) -> Place {
        Place { text: self.text, span, key: key.into() }
    }
}

fn keys_of(table: &str) -> Vec<String> {
    if table == OUTCOMES {
        return TABLE.iter().map(|row| row.outcome.name()).collect();
    }
    let keys = PHRASES.iter().filter(|(_, one, _)| *one == table);
    keys.map(|(.., key)| (*key).to_owned()).collect()
}

fn slots_of(table: &str, key: &str) -> &'static [&'static str] {
    let label = key == "label";
    let of_table = |slots: &&(&str, &[&str])| {
        slots.0 == table && (table != "language" || slots.1.is_empty() != label)
    };
    SLOTS.iter().find(of_table).map_or(&[], |(_, slots)| slots)
}

fn is_date(form: &str) -> bool {
    let moment = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format(form, &moment).is_ok_and(|text| !text.trim().is_empty())
}

fn parse(text: &str, slots: &[&str]) -> Result<Template, String> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        let inside = if brace == "{" { after.split_once('}') } else { None };
        let Some((name, after)) = inside else {
            return Err(format!("\"{text}\" has a brace without its other half"));
        };
        if !slots.contains(&name) {
            return Err(format!("{{{name}}} is nothing that can be filled in here"));
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Slot(name.to_owned()));
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The language as its own file has it, without what English lends.
    fn alone(tag: &str) -> BTreeMap<(String, String), Template> {
        let (_, text) = BUILT_IN.iter().find(|(built_in, _)| *built_in == tag).unwrap();
        let mut findings = Findings::default();
        let number = findings.text(std::path::Path::new(tag), (*text).to_owned());
        let read = File { text: number, findings: &mut findings }.read(text);
        assert!(!findings.failed(), "{tag}: {:?}", findings.finish());
        read
    }

    #[test]
    fn every_language_has_every_phrase_and_a_sentence_for_every_outcome() {
        let all = PHRASES.iter().map(|(_, table, key)| ((*table).to_owned(), (*key).to_owned()));
        let outcomes = TABLE.iter().map(|row| (OUTCOMES.to_owned(), row.outcome.name()));
        let all: BTreeSet<(String, String)> = all.chain(outcomes).collect();
        for (tag, _) in BUILT_IN {
            let has: BTreeSet<_> = alone(tag).into_keys().collect();
            let lacking: Vec<_> = all.difference(&has).collect();
            assert!(lacking.is_empty(), "{tag} lacks {lacking:?}");
        }
    }

    #[test]
    fn a_translation_leaves_nothing_out_that_english_says() {
        let slots = |template: &Template| -> BTreeSet<String> {
            let slots = template.iter().filter_map(|piece| match piece {
                Piece::Slot(name) => Some(name.clone()),
                Piece::Text(_) => None,
            });
            slots.collect()
        };
        let english = alone(ENGLISH);
        for (tag, _) in BUILT_IN {
            for (key, template) in alone(tag) {
                assert_eq!(slots(&template), slots(&english[&key]), "{tag} {key:?}");
            }
        }
    }

    #[test]
    fn english_says_of_an_outcome_what_the_core_says() {
        let languages = Languages::built_in();
        for row in TABLE {
            assert_eq!(languages.of(ENGLISH).outcome(row.outcome), row.text);
        }
    }

    #[test]
    fn pages_are_counted_as_the_language_does() {
        let languages = Languages::built_in();
        let pages = |tag| [0, 1, 2].map(|count| languages.of(tag).pages(count));
        assert_eq!(pages("en"), ["0 pages", "1 page", "2 pages"]);
        assert_eq!(pages("de"), ["0 Seiten", "1 Seite", "2 Seiten"]);
        assert_eq!(pages("fr"), ["0 page", "1 page", "2 pages"]);
        assert_eq!(pages("ja"), ["0 ページ", "1 ページ", "2 ページ"]);
        assert_eq!(pages("xx"), pages("en"));
    }

    #[test]
    fn moments_have_the_form_of_the_language_and_their_zone() {
        let languages = Languages::built_in();
        let at: jiff::Zoned = "2025-07-01T13:05:09+02:00[Europe/Berlin]".parse().unwrap();
        for (tag, wanted) in [
            ("en", "2025-07-01 13:05:09 CEST"),
            ("de", "01.07.2025 13:05:09 CEST"),
            ("fr", "01/07/2025 13:05:09 CEST"),
            ("ja", "2025/07/01 13:05:09 CEST"),
        ] {
            assert_eq!(languages.of(tag).moment(&at), wanted);
        }
    }

    #[test]
    fn templates_are_checked() {
        for (text, wanted) in [
            ("{number} {{x}}", Ok("N {x}")),
            ("", Ok("")),
            ("{numbr}", Err("{numbr} is nothing that can be filled in here")),
            ("{number", Err("\"{number\" has a brace without its other half")),
            ("number}", Err("\"number}\" has a brace without its other half")),
        ] {
            let said = parse(text, &["number"]).map(|template| {
                let words = Words {
                    tag: "x".into(),
                    phrases: [(("t".into(), "k".into()), template)].into(),
                };
                words.fill("t", "k", &[("number", "N")]).unwrap()
            });
            assert_eq!(said, wanted.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn a_key_can_be_replaced_and_a_language_added() {
        let mut languages = Languages::built_in();
        let mut findings = Findings::default();
        let lacking = languages.take("de", "[label]\nto = \"Nach\"\n", 0, &mut findings);
        assert!(lacking.is_empty());
        assert_eq!(languages.of("de").word(Phrase::To), "Nach");
        assert_eq!(languages.of("de").word(Phrase::From), "Von");
        let lacking = languages.take("nl", "[label]\nto = \"Aan\"\n", 0, &mut findings);
        assert!(lacking.contains(&"label.from".to_owned()));
        assert_eq!(languages.of("nl").word(Phrase::To), "Aan");
        assert_eq!(languages.of("nl").word(Phrase::From), "From");
        assert!(!findings.failed());
    }
}
