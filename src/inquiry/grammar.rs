//! What a mail asks: the words of its subject, or of the first line that its writer
//! added to a reply. Pure; knows no job and no client.

use postfax_domain::names::JobId;

/// Characters of the longest question. A change of settings may have several values.
pub(super) const MAX_QUESTION_CHARS: usize = 1000;
/// Characters of a question that are shown.
pub(super) const MAX_SHOWN_CHARS: usize = 200;
/// Lines of an announcement above a quotation: `On .., Fax wrote:` is often folded.
const MAX_ANNOUNCEMENT_LINES: usize = 3;
/// What mail programs put before the subject of an answer, in lower case: English,
/// German, French, Spanish, Italian, Dutch, Swedish, Danish, Finnish, Polish, Portuguese,
/// Turkish, Hungarian, Greek, Chinese, Japanese.
const ANSWERS: [&str; 24] = [
    "re", "aw", "antw", "antwort", "rép", "rep", "réf", "ref", "rif", "r", "sv", "vs", "odp",
    "res", "ynt", "vá", "bls", "σχετ", "απ", "回复", "回覆", "答复", "返信", "回信",
];
/// The same for what is passed on.
const PASSED_ON: [&str; 18] = [
    "fwd",
    "fw",
    "wg",
    "tr",
    "rv",
    "i",
    "enc",
    "doorst",
    "vl",
    "vb",
    "vid",
    "pd",
    "ilt",
    "továbbítás",
    "πρθ",
    "转发",
    "轉寄",
    "転送",
];

/// To which of our addresses somebody wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    /// `help@`: whatever is asked, the answer is the help.
    Help,
    /// `jobs@` or `settings@`; `jobs+12@` names a job.
    Any(Option<JobId>),
    /// `book@`.
    Book,
    /// `book+save.12@`: the number of this job is to stand in the phone book.
    Save(JobId),
}

/// What stands before a job in the address that saves its number.
const SAVE: &str = "save.";

/// The local part of the address that saves the number of a job in the phone book.
pub(crate) fn saves(job: JobId) -> String {
    format!("book+{SAVE}{job}")
}

/// What is read of a mail that asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) subject: &'a str,
    /// The text, as its writer sent it.
    pub(super) text: &'a str,
    /// Whether it says that it answers another mail.
    pub(super) is_reply: bool,
}

/// The lines that may be the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidates {
    /// The likeliest first.
    pub(super) lines: [Option<String>; 2],
    /// Whether the second is the subject of a mail before this one: `Re: ..`.
    pub(super) second_is_old: bool,
}

/// The service that an address is, if it is one.
///
/// # Errors
/// `jobs+` or `book+save.` is followed by something that is no number of a job.
pub(crate) fn service(local: &str) -> Option<Result<Service, String>> {
    let local = local.to_ascii_lowercase();
    let (name, job) = match local.split_once('+') {
        Some((name, job)) => (name, Some(job)),
        None => (local.as_str(), None),
    };
    match (name, job) {
        ("help", None) => Some(Ok(Service::Help)),
        ("jobs" | "settings", None) => Some(Ok(Service::Any(None))),
        ("jobs", Some(job)) => Some(match number(job) {
            Some(job) => Ok(Service::Any(Some(job))),
            None => Err(format!("\"{job}\" is no number of a job: write to jobs+12@, or jobs@")),
        }),
        ("book", None) => Some(Ok(Service::Book)),
        ("book", Some(what)) => Some(match what.strip_prefix(SAVE).and_then(number) {
            Some(job) => Ok(Service::Save(job)),
            None => Err(format!("\"{what}\" is nothing to do: write to book@, or book+save.12@")),
        }),
        _ => None,
    }
}

/// The number of a job: `12`, `#12`.
pub(super) fn number(word: &str) -> Option<JobId> {
    let digits = word.trim_start_matches('#').trim_end_matches(['.', ',', ';', '!']);
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| digits.parse().ok().map(JobId)).flatten()
}

/// The lines that may be the question, the likeliest first: in a reply that which its
/// writer added, since its subject is that of what it answers.
pub(super) fn candidates(mail: &Written<'_>) -> Candidates {
    let (subject, is_answer) = without_prefixes(mail.subject);
    let added = own_lines(mail.text).into_iter().find(|line| !line.is_empty());
    let both = match mail.is_reply || is_answer {
        true => [added, Some(subject)],
        false => [Some(subject), added],
    };
    let lines = both.map(|line| line.map(plain).filter(|line| !line.is_empty()));
    Candidates { lines, second_is_old: is_answer }
}

/// A line without what cannot be typed. One that is longer than a question may be stays
/// too long.
fn plain(line: &str) -> String {
    let plain = line.chars().map(|c| if c.is_whitespace() { ' ' } else { c });
    let plain: String = plain.filter(|c| !c.is_control()).take(MAX_QUESTION_CHARS + 1).collect();
    plain.trim().to_owned()
}

/// A question as it is shown and known again.
pub(super) fn shown(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.join(" ").chars().take(MAX_SHOWN_CHARS).collect()
}

/// A subject without `Re:`, `AW:`, `[EXTERN]`, and whether one of them said that it
/// is an answer.
fn without_prefixes(subject: &str) -> (&str, bool) {
    let mut rest = subject.trim();
    let mut answers = false;
    loop {
        if let Some((_, after)) = rest.strip_prefix('[').and_then(|tag| tag.split_once(']')) {
            rest = after.trim_start();
            continue;
        }
        let Some((before, after)) = rest.split_once([':', '：']) else { break };
        let counted = |c: char| c.is_ascii_digit() || "[]()^ ".contains(c) || c.is_whitespace();
        let word = before.trim_end_matches(counted).to_lowercase();
        let is_answer = ANSWERS.contains(&word.as_str());
        if !is_answer && !PASSED_ON.contains(&word.as_str()) {
            break;
        }
        answers |= is_answer;
        rest = after.trim_start();
    }
    (rest, answers)
}

/// The lines that are neither quoted, nor announce a quotation, nor belong to a
/// signature (RFC 3676 4.3); empty ones between them are among them.
pub(super) fn own_lines(text: &str) -> Vec<&str> {
    let mut own: Vec<&str> = Vec::new();
    let mut quoted = false;
    for line in text.lines() {
        let bare = line.trim();
        if line.trim_end_matches('\r') == "-- " || bare == "--" || bare.starts_with("-----") {
            break;
        }
        if bare.starts_with('>') {
            if !quoted {
                forget_announcement(&mut own);
            }
            quoted = true;
        } else if !bare.is_empty() || !own.is_empty() {
            quoted = false;
            own.push(bare);
        }
    }
    own
}

fn forget_announcement(own: &mut Vec<&str>) {
    while own.last().is_some_and(|line| line.is_empty()) {
        own.pop();
    }
    if !own.last().is_some_and(|line| line.ends_with([':', '：'])) {
        return;
    }
    let mut lines = 0;
    while lines < MAX_ANNOUNCEMENT_LINES && own.last().is_some_and(|line| !line.is_empty()) {
        own.pop();
        lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mail_programs_put_before_a_subject_is_taken_away() {
        for (subject, bare, answers) in [
            ("cancel 12", "cancel 12", false),
            ("Re: cancel 12", "cancel 12", true),
            ("RE : cancel 12", "cancel 12", true),
            ("AW: Re: AW: cancel 12", "cancel 12", true),
            ("TR: cancel 12", "cancel 12", false),
            ("Re[2]: status", "status", true),
            ("Re^3: status", "status", true),
            ("SV: VS: Odp: Antw: status", "status", true),
            ("[EXTERN] Re: [fax] status", "status", true),
            ("返信：status", "status", true),
            ("回复: status", "status", true),
            ("Fwd: WG: status", "status", false),
            ("Note: status", "Note: status", false),
            ("", "", false),
            ("Re:", "", true),
        ] {
            assert_eq!(without_prefixes(subject), (bare, answers), "{subject}");
        }
    }

    #[test]
    fn the_first_line_is_the_writers_own() {
        for (text, line) in [
            ("cancel\n", Some("cancel")),
            ("\r\n  \r\n cancel 12 \r\n", Some("cancel 12")),
            ("cancel\n\nOn Monday, Fax wrote:\n> show\n", Some("cancel")),
            ("> show\n> more\n\ncancel\n", Some("cancel")),
            ("On Mon, 23 Nov 2026, Fax <fax@x>\nwrote:\n\n> show\n\ncancel\n", Some("cancel")),
            ("Am Montag schrieb Fax:\n> show\n", None),
            ("-- \nAnna\nstatus\n", None),
            ("-----Original Message-----\ncancel\n", None),
            (">status\n", None),
            ("", None),
        ] {
            let first = own_lines(text).into_iter().find(|line| !line.is_empty());
            assert_eq!(first, line, "{text:?}");
        }
    }

    #[test]
    fn a_reply_is_asked_by_what_was_added_and_a_new_mail_by_its_subject() {
        for (subject, text, is_reply, lines) in [
            ("cancel 12", "Dear all", false, [Some("cancel 12"), Some("Dear all")]),
            ("Re: Your fax", "cancel", false, [Some("cancel"), Some("Your fax")]),
            ("Your fax", "cancel\n> x", true, [Some("cancel"), Some("Your fax")]),
            ("Re: get x", "\n> x", true, [None, Some("get x")]),
            ("", "status", false, [None, Some("status")]),
            ("", "", false, [None, None]),
            (" list\topen\u{a0}\u{7} ", "", false, [Some("list open"), None]),
        ] {
            let mail = Written { subject, text, is_reply };
            let found = candidates(&mail).lines;
            assert_eq!(found.each_ref().map(Option::as_deref), lines, "{mail:?}");
        }
        let long = "x".repeat(5000);
        let mail = Written { subject: &long, text: "", is_reply: false };
        let [Some(line), None] = candidates(&mail).lines else { panic!() };
        assert_eq!(line.len(), MAX_QUESTION_CHARS + 1, "so that it is seen to be too long");
        assert_eq!(shown(&line).len(), MAX_SHOWN_CHARS);
    }

    #[test]
    fn an_address_names_a_service_and_perhaps_a_job() {
        for (local, wanted) in [
            ("help", Some(Ok(Service::Help))),
            ("Jobs", Some(Ok(Service::Any(None)))),
            ("settings", Some(Ok(Service::Any(None)))),
            ("jobs+12", Some(Ok(Service::Any(Some(JobId(12)))))),
            ("book", Some(Ok(Service::Book))),
            ("Book+Save.12", Some(Ok(Service::Save(JobId(12))))),
            (saves(JobId(12)).as_str(), Some(Ok(Service::Save(JobId(12))))),
            ("books", None),
            ("jobs12", None),
            ("+331234", None),
            ("help+12", None),
        ] {
            assert_eq!(service(local), wanted, "{local}");
        }
        for bad in [
            "jobs+",
            "jobs+x",
            "jobs+-1",
            "jobs+99999999999999999999",
            "book+12",
            "book+save.",
            "book+save.x",
        ] {
            assert!(matches!(service(bad), Some(Err(_))), "{bad}");
        }
    }
}
