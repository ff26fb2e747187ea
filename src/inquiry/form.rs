//! A text that is edited as it travels by mail, of settings or of an entry of the phone
//! book: folded on its way out, so that mail programs break none of its lines, and found
//! again in a reply, out of quotations, broken lines, foreign quotation marks and links
//! that mail programs put in by themselves. Pure.
//!
//! Only what stands between the text's own first and last line counts, and both have to
//! be there: a text that a mail program has cut off would unset what it has lost.

use std::ops::Range;

use postfax_domain::names::ServerName;

use super::card;
use crate::requests::settings::text::{FIRST, LAST};

/// Longest text that is read, in bytes, as from the command line.
const MAX_BYTES: usize = 48 * 1024;
/// Longest line of a comment that is sent, in characters: mail programs break at 72 and
/// more, and put a quotation mark before it.
const WIDTH: usize = 68;
/// Narrowest lines that mail programs make, in characters: where one would have had room
/// for the next word, it was not a mail program that began a new line.
const NARROWEST: usize = 60;
/// How links begin that mail programs put behind what looks like an address.
const LINKS: [&str; 4] = ["mailto:", "http:", "https:", "tel:"];

/// What texts of one kind have in common; `N` names what such a text is about.
pub(super) struct Frame<N> {
    /// How the first line begins.
    pub(super) first: &'static str,
    /// How the last line begins.
    pub(super) last: &'static str,
    /// What it is a text of, in words.
    pub(super) what: &'static str,
    /// Reads the name behind both.
    pub(super) name: fn(&str) -> Result<N, String>,
}

/// Texts of settings.
pub(super) const SETTINGS: Frame<ServerName> = Frame {
    first: FIRST,
    last: LAST,
    what: "settings",
    name: |name| ServerName::new(name).map_err(|bad| bad.to_string()),
};

/// A text that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form<N> {
    /// What its first line names: the server, or a mark of the entry.
    pub(super) of: N,
    /// What it says, as TOML without comments.
    pub(super) toml: String,
}

/// Where there is one in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found<N> {
    /// From the first line of the first one to the last line of the last one.
    pub(super) place: Range<usize>,
    /// The one that counts, or what is wrong with it.
    pub(super) form: Result<Form<N>, String>,
}

/// Lines between a first and a last one.
#[derive(Debug, Default)]
struct Block {
    /// How often it is quoted.
    depth: usize,
    place: Range<usize>,
    first: Option<String>,
    last: Option<String>,
    lines: Vec<String>,
    is_whole: bool,
}

/// The text of a kind in a mail, if there is one. Of several the one that is quoted
/// least counts: a writer who copies the text leaves the old one below.
pub(super) fn find<N: PartialEq + ToString>(text: &str, frame: &Frame<N>) -> Option<Found<N>> {
    let mut blocks = blocks(text, frame);
    let place = blocks.first()?.place.start..blocks.last()?.place.end;
    let least = blocks.iter().map(|block| block.depth).min().unwrap_or_default();
    blocks.retain(|block| block.depth == least);
    if blocks.iter().any(|block| block.is_whole) {
        blocks.retain(|block| block.is_whole);
    }
    let mut forms: Vec<_> = blocks.iter().map(|block| form(block, frame)).collect();
    forms.dedup();
    let form = match forms.len() {
        1 => forms.remove(0),
        _ => Err(format!("there are two texts of {} that differ: send one", frame.what)),
    };
    Some(Found { place, form })
}

fn blocks<N>(text: &str, frame: &Frame<N>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let place = at..at + line.len();
        at = place.end;
        let (depth, bare) = bare(line);
        if bare.starts_with(frame.first) {
            blocks.extend(open.take());
            open = Some(Block { depth, place, first: Some(bare), ..Block::default() });
        } else if bare.starts_with(frame.last) {
            let mut block = open.take().unwrap_or(Block { depth, ..Block::default() });
            block.is_whole = block.first.is_some();
            block.place.end = place.end;
            block.last = Some(bare);
            blocks.push(block);
        } else if let Some(block) = &mut open {
            block.place.end = place.end;
            block.lines.push(bare);
        }
    }
    blocks.extend(open);
    blocks
}

/// A line without quotation marks (RFC 3676 4.5) and with plain spaces, and how often it
/// was quoted.
fn bare(line: &str) -> (usize, String) {
    let plain = |c: char| match c {
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => None,
        c if c.is_whitespace() => Some(' '),
        c => Some(c),
    };
    let line: String = line.chars().filter_map(plain).collect();
    let mut rest = line.trim();
    let mut depth = 0;
    while let Some(inner) = rest.strip_prefix('>') {
        depth += 1;
        rest = inner.trim_start();
    }
    (depth, rest.to_owned())
}

fn form<N: ToString>(block: &Block, frame: &Frame<N>) -> Result<Form<N>, String> {
    let Frame { first, last, what, .. } = frame;
    let Some(begins) = &block.first else {
        return Err(format!("the first line of the text of {what} is missing: {first}.."));
    };
    if !block.is_whole {
        return Err(format!("the last line of the text of {what} is missing: {last}.."));
    }
    let bytes: usize = block.lines.iter().map(String::len).sum();
    if bytes > MAX_BYTES {
        return Err(format!("a text of {what} has at most {MAX_BYTES} bytes"));
    }
    let name = begins[first.len()..].split([',', ' ']).next().unwrap_or_default();
    let of = (frame.name)(name)?;
    let name = of.to_string();
    // Of two texts one may have lost its end and the other its beginning.
    let ends = block.last.as_deref().and_then(|line| line.strip_prefix(last)).unwrap_or_default();
    let ends = ends.split([',', ' ']).next().unwrap_or_default().trim_end_matches('.');
    if ends != name.trim_end_matches('.') {
        return Err(format!("the text begins with the {what} of {name} and ends with others"));
    }
    Ok(Form { of, toml: toml(&block.lines) })
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    Comment,
    Table,
    Assignment,
    /// The rest of the line above, which a mail program has broken; else no TOML.
    Rest,
}

fn kind(line: &str) -> Line {
    let is_key = |key: &str| {
        let key = key.trim_end();
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
    };
    match line.chars().next() {
        None => Line::Empty,
        Some('#') => Line::Comment,
        Some('[') => Line::Table,
        Some(_) if line.split_once('=').is_some_and(|(key, _)| is_key(key)) => Line::Assignment,
        Some(_) => Line::Rest,
    }
}

fn toml(lines: &[String]) -> String {
    let mut statements: Vec<(Line, String)> = Vec::new();
    let (mut above, mut length) = (Line::Empty, 0);
    for line in lines {
        let kind = kind(line);
        let goes_on = kind == Line::Rest && is_broken(length, line);
        length = line.chars().count();
        match (kind, statements.last_mut()) {
            (Line::Empty | Line::Comment, _) => {}
            // What was broken once may have been broken again.
            (Line::Rest, _) if goes_on && above == Line::Comment => continue,
            (Line::Rest, Some((_, statement))) if goes_on && above == Line::Assignment => {
                *statement = format!("{statement} {line}");
                continue;
            }
            _ => statements.push((kind, line.clone())),
        }
        above = kind;
    }
    let written = |(kind, line): (Line, String)| match kind {
        Line::Assignment => assignment(&line),
        _ => Some(line),
    };
    let written = statements.into_iter().filter_map(written);
    written.map(|line| line + "\n").collect()
}

/// Whether a mail program may have broken a line above this one, which left so many
/// characters of it. A key whose `=` was forgotten must not pass for that.
fn is_broken(above: usize, line: &str) -> bool {
    let word = line.split(' ').next().unwrap_or_default();
    above + 1 + word.chars().count() > NARROWEST && !word.contains('_')
}

/// `key = value` as TOML has it. Without a value it is not set, and a word without
/// quotation marks is a text, as on the command line.
fn assignment(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let (key, value) = (key.trim(), straight(&without_links(value.trim())));
    let is_toml = !value.starts_with('+') && format!("x = {value}").parse::<toml::Table>().is_ok();
    match value.is_empty() {
        true => None,
        false if is_toml || value.contains(['"', '\'', '#']) => Some(format!("{key} = {value}")),
        false => Some(format!("{key} = {}", toml::Value::String(value))),
    }
}

/// A value whose quotation marks are plain ones.
pub(super) fn straight(value: &str) -> String {
    const MARKS: [char; 7] = ['“', '”', '„', '‟', '«', '»', '＂'];
    match value.starts_with(MARKS) {
        true => value.replace(MARKS, "\""),
        false => value.to_owned(),
    }
}

/// `anna@example.com<mailto:anna@example.com>` as it was written.
fn without_links(value: &str) -> String {
    let mut kept = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('<') {
        kept.push_str(before);
        let link = after.split_once('>').filter(|(link, _)| is_link_to(link, kept.trim_end()));
        match link {
            Some((_, behind)) => {
                kept.truncate(kept.trim_end().len());
                rest = behind;
            }
            None => {
                kept.push('<');
                rest = after;
            }
        }
    }
    kept + rest
}

/// Whether this leads to what stands before it.
fn is_link_to(link: &str, before: &str) -> bool {
    let target = LINKS.iter().find_map(|scheme| link.strip_prefix(scheme));
    let target = target.map(|target| target.trim_matches('/'));
    target.is_some_and(|target| !target.is_empty() && before.trim_matches('/').ends_with(target))
}

/// A text with comments that are short enough to be quoted.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len() + text.len() / 8);
    for line in text.lines() {
        // By its first and its last line a text is found again, however long a name is.
        let frames = [FIRST, LAST, card::FIRST, card::LAST];
        let is_frame = frames.iter().any(|frame| line.starts_with(frame));
        if is_frame || !line.starts_with("# ") || line.chars().count() <= WIDTH {
            folded.push_str(line);
            folded.push('\n');
            continue;
        }
        let mut length = 0;
        for word in line[2..].split(' ').filter(|word| !word.is_empty()) {
            let more = word.chars().count() + 1;
            if length > 0 && length + more <= WIDTH {
                folded.push(' ');
                length += more;
            } else {
                folded.push_str(if length == 0 { "# " } else { "\n# " });
                length = more + 1;
            }
            folded.push_str(word);
        }
        folded.push('\n');
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::settings::{fake, text};

    fn found(text: &str) -> Result<Form<ServerName>, String> {
        find(text, &SETTINGS).unwrap_or_else(|| panic!("nothing in {text}")).form
    }

    fn framed(inside: &str) -> String {
        format!("{FIRST}london-1, test.\n{inside}{LAST}london-1.\n")
    }

    type Manner = fn(&str) -> String;

    /// How mail programs treat what they quote.
    const MANNERS: [(&str, Manner); 6] = [
        ("as it is", str::to_owned),
        ("CRLF", |text| text.replace('\n', "\r\n")),
        ("quoted", |text| text.lines().map(|line| format!("> {line}\n")).collect()),
        ("quoted twice", |text| text.lines().map(|line| format!(">> {line}\n")).collect()),
        ("hard spaces", |text| {
            text.replace("# ", "#\u{a0}\u{200b}").replace(" = ", "\u{a0}=\u{a0}")
        }),
        ("double spaced", |text| text.replace('\n', "\n\n")),
    ];

    /// Breaks lines as a mail program does that does not know `format=flowed`.
    fn broken(text: &str) -> String {
        let mut out = String::new();
        for line in text.lines() {
            let mut length = 0;
            for word in line.split(' ') {
                if length > 0 && length + word.len() > NARROWEST {
                    out.push_str("\n> ");
                    length = 0;
                }
                out.push_str(if length == 0 { "" } else { " " });
                out.push_str(word);
                length += word.len() + 1;
            }
            out.push('\n');
        }
        out.lines().map(|line| format!("> {}\n", line.trim_start_matches("> "))).collect()
    }

    #[test]
    fn a_text_survives_mail_programs() {
        let sheet = fake::sheet();
        let printed = fold(&text::print(&sheet));
        for (manner, treat) in MANNERS {
            // Hard spaces are put into the lines of the text, not into its first and last.
            let mail = format!("Hello,\n\nOn Monday, Fax wrote:\n{}\n-- \nAnna\n", treat(&printed));
            let form = found(&mail).unwrap_or_else(|why| panic!("{manner}: {why}\n{mail}"));
            assert_eq!(form.of, sheet.server, "{manner}");
            let read = text::parse(&form.toml).unwrap_or_else(|bad| panic!("{manner}: {bad}"));
            assert_eq!(read.version, Some(2), "{manner}");
            assert_eq!(read.settings, sheet.record.latest().settings, "{manner}");
        }
        let form = found(&broken(&printed)).unwrap();
        assert_eq!(text::parse(&form.toml).unwrap().settings, sheet.record.latest().settings);
    }

    #[test]
    fn what_people_and_programs_write_is_taken_as_it_is_meant() {
        for (written, toml) in [
            ("a = 5", "a = 5\n"),
            ("a=5", "a = 5\n"),
            ("# a = 5\n", ""),
            ("a =", ""),
            ("a = yes", "a = \"yes\"\n"),
            ("a = two words", "a = \"two words\"\n"),
            ("a = “two words”", "a = \"two words\"\n"),
            ("a = „zwei“", "a = \"zwei\"\n"),
            ("a = +44", "a = \"+44\"\n"),
            ("a = 0044", "a = \"0044\"\n"),
            ("a = \"x", "a = \"x\n"),
            ("a = \"x@example.com<mailto:x@example.com>\"", "a = \"x@example.com\"\n"),
            ("a = \"example.com <http://example.com/>\"", "a = \"example.com\"\n"),
            ("a = \"x <y>\"", "a = \"x <y>\"\n"),
            ("[line.a]\nb = true", "[line.a]\nb = true\n"),
            ("a = 1\nb 2\n# c\nd 3\n", "a = 1\nb 2\nd 3\n"),
            ("a = 1\n\nplease", "a = 1\nplease\n"),
        ] {
            let form = found(&framed(&format!("{written}\n"))).unwrap();
            assert_eq!(form.toml, toml, "{written}");
        }
    }

    #[test]
    fn lines_are_joined_where_mail_programs_break_them() {
        let long = "word ".repeat(11) + "word";
        let inside = format!("a = \"{long}\n{long}\nend\"\n# {long}\n{long}\n{long}\nmax_x 3\n");
        let form = found(&framed(&inside)).unwrap();
        assert_eq!(form.toml, format!("a = \"{long} {long} end\"\nmax_x 3\n"));
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_is_written_breaks_it(
            before in "(?s).{0,40}", inside in "(?s)[ >#\\[\\]=\"“”<a-z_:@\u{a0}\n\r0-9ä]{0,200}"
        ) {
            let mail = format!("{before}\n{}", framed(&format!("{inside}\n")));
            let found = find(&mail, &SETTINGS).unwrap();
            proptest::prop_assert!(mail.get(found.place.clone()).is_some());
            proptest::prop_assert_eq!(fold(&mail).lines().count() >= 2, true);
        }
    }

    #[test]
    fn a_text_that_is_not_whole_is_refused_in_words() {
        let whole = framed("a = 1\n");
        let other = framed("a = 2\n");
        let quoted = other.replace("# ", "> # ").replace("a =", "> a =");
        let cut: String = whole.lines().take(2).map(|line| format!("{line}\n")).collect();
        for (mail, words) in [
            (cut.clone(), "the last line"),
            (format!("a = 1\n{LAST}london-1.\n"), "the first line"),
            (format!("{whole}{other}"), "two texts"),
            (format!("{cut}{quoted}"), "the last line"),
            (format!("{cut}b = 2\n{LAST}paris-1.\n"), "ends with others"),
            (format!("{FIRST}a/b, test.\n{LAST}a/b\n"), "no usable name"),
            (framed(&"a = 12345678\n".repeat(5000)), "at most 49152 bytes"),
        ] {
            let why = found(&mail).unwrap_err();
            assert!(why.contains(words), "{mail:.200}: {why}");
        }
        assert_eq!(found(&format!("{quoted}\n{whole}")).unwrap().toml, "a = 1\n");
        assert_eq!(found(&format!("{whole}\n{whole}")).unwrap().toml, "a = 1\n");
        assert_eq!(find("The settings of london-1 are wrong.\na = 2\n", &SETTINGS), None);
    }

    #[test]
    fn no_comment_is_longer_than_mail_programs_leave_alone() {
        let long = format!("# {}\na = \"{}\"\n", "word ".repeat(60), "x".repeat(100));
        let folded = fold(&long);
        let comments = folded.lines().filter(|line| line.starts_with('#'));
        assert!(comments.clone().all(|line| line.chars().count() <= WIDTH), "{folded}");
        assert_eq!(comments.map(|line| line.matches("word").count()).sum::<usize>(), 60);
        assert!(folded.contains(&"x".repeat(100)));
        assert_eq!(fold("# a\n\nb = 1\n"), "# a\n\nb = 1\n");
    }

    #[test]
    fn a_text_is_found_again_however_long_the_name_is() {
        let name = format!("{}.", "x".repeat(63));
        let written = format!("{FIRST}{name}, test.\na = 1\n{LAST}{name}.\n");
        let form = found(&fold(&written)).unwrap();
        assert_eq!((form.of.as_str(), form.toml.as_str()), (name.as_str(), "a = 1\n"));
    }
}
