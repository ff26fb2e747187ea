//! The body of an Outlook message as RTF: unpacked (MS-OXRTFCP), and read as what it was
//! made from, HTML or text (MS-OXRTFEX), or for its words. Lays nothing out.

use std::collections::HashMap;

use mail_parser::decoders::charsets::map::charset_decoder;

/// What a body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// HTML.
    Html(String),
    /// Words, with `\n` line ends.
    Text(String),
}

/// What the dictionary of the packer begins with (MS-OXRTFCP 2.1.2.1).
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
const DICTIONARY_BYTES: usize = 4096;
/// `COMPTYPE`: packed, or as it is (MS-OXRTFCP 2.1.3.1.1).
const PACKED: &[u8] = b"LZFu";
const PLAIN: &[u8] = b"MELA";
const HEADER_BYTES: usize = 16;
/// Groups within groups; Outlook writes about ten levels.
const MAX_GROUPS: usize = 200;

/// Unpacks a body. `None`: it is none, or takes more than `limit` octets.
pub(super) fn unpacked(octets: &[u8], limit: usize) -> Option<Vec<u8>> {
    let (header, packed) = octets.split_at_checked(HEADER_BYTES)?;
    let size = u32::from_le_bytes(header[4..8].try_into().ok()?);
    let limit = usize::try_from(size).ok().filter(|size| *size <= limit)?;
    match &header[8..12] {
        kind if kind == PLAIN => Some(packed[..packed.len().min(limit)].to_vec()),
        kind if kind == PACKED => Some(inflated(packed, limit)),
        _ => None,
    }
}

/// MS-OXRTFCP 3.1.4.1.3: runs of eight tokens, each an octet or a place in what came
/// before with a length. One that is cut off is read as far as it goes.
fn inflated(packed: &[u8], limit: usize) -> Vec<u8> {
    let mut dictionary = [b' '; DICTIONARY_BYTES];
    dictionary[..DICTIONARY.len()].copy_from_slice(DICTIONARY);
    let mut at = DICTIONARY.len();
    let mut out = Vec::new();
    let mut push = |octet: u8, at: &mut usize, dictionary: &mut [u8]| {
        dictionary[*at] = octet;
        *at = (*at + 1) % DICTIONARY_BYTES;
        out.push(octet);
        out.len() >= limit
    };
    let mut rest = packed.iter().copied();
    'runs: while let Some(flags) = rest.next() {
        for bit in 0..8 {
            let Some(first) = rest.next() else { break 'runs };
            if flags >> bit & 1 == 0 {
                if push(first, &mut at, &mut dictionary) {
                    break 'runs;
                }
                continue;
            }
            let Some(second) = rest.next() else { break 'runs };
            let token = usize::from(first) << 8 | usize::from(second);
            let (from, length) = (token >> 4, (token & 0xf) + 2);
            if from == at {
                break 'runs;
            }
            for step in 0..length {
                let octet = dictionary[(from + step) % DICTIONARY_BYTES];
                if push(octet, &mut at, &mut dictionary) {
                    break 'runs;
                }
            }
        }
    }
    out
}

/// Reads RTF. What is wrong with it is passed over.
pub(super) fn read(rtf: &[u8]) -> Said {
    let mut reader = Reader::default();
    reader.groups.push(Group::default());
    reader.code_page = 1252;
    let mut rest = rtf;
    while let Some(token) = Token::next(&mut rest) {
        if !reader.take(token) {
            break;
        }
    }
    reader.settle();
    let text = reader.out;
    if reader.from_html { Said::Html(text) } else { Said::Text(text.replace("\r\n", "\n")) }
}

/// A piece of RTF.
enum Token<'a> {
    Open,
    Close,
    /// `\word12`
    Word(&'a str, Option<i32>),
    /// `\*` and its like
    Symbol(u8),
    /// `\'e4`
    Octet(u8),
    Text(&'a [u8]),
}

impl<'a> Token<'a> {
    fn next(rest: &mut &'a [u8]) -> Option<Self> {
        let (&first, after) = rest.split_first()?;
        match first {
            b'{' => *rest = after,
            b'}' => *rest = after,
            b'\\' => return Self::control(after, rest),
            _ => {
                let special = |octet: &u8| matches!(octet, b'{' | b'}' | b'\\');
                let end = rest.iter().position(special).unwrap_or(rest.len());
                let (text, after) = rest.split_at(end);
                *rest = after;
                return Some(Self::Text(text));
            }
        }
        Some(if first == b'{' { Self::Open } else { Self::Close })
    }

    fn control(after: &'a [u8], rest: &mut &'a [u8]) -> Option<Self> {
        let Some(&first) = after.first() else {
            *rest = &[];
            return None;
        };
        if first == b'\'' {
            let hex = after.get(1..3).and_then(|pair| std::str::from_utf8(pair).ok());
            let octet = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
            *rest = after.get(3..).unwrap_or_default();
            return Some(Self::Octet(octet.unwrap_or(b'?')));
        }
        if !first.is_ascii_alphabetic() {
            *rest = &after[1..];
            return Some(Self::Symbol(first));
        }
        let letters = after.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
        let signed = usize::from(after.get(letters) == Some(&b'-'));
        let from = letters + signed;
        let digits = after[from..].iter().take_while(|octet| octet.is_ascii_digit()).count();
        let ascii = |part: &'a [u8]| std::str::from_utf8(part).unwrap_or_default();
        let end = if digits > 0 { from + digits } else { letters };
        let number = ascii(&after[letters..end]).parse().ok();
        // One space ends a word and belongs to it.
        let space = usize::from(after.get(end) == Some(&b' '));
        *rest = &after[end + space..];
        Some(Self::Word(ascii(&after[..letters]), number))
    }
}

/// What holds inside one pair of braces.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    /// Nothing in it is said.
    silent: bool,
    /// It is only for readers that know no HTML.
    for_rtf: bool,
    /// It is markup, word for word.
    markup: bool,
    /// It lists fonts.
    fonts: bool,
    /// `\*` stood at its beginning.
    starred: bool,
    font: i32,
    /// Characters after a `\u` that say the same; one where nothing is said.
    fallback: Option<usize>,
}

#[derive(Debug, Default)]
struct Reader {
    out: String,
    groups: Vec<Group>,
    from_html: bool,
    code_page: i32,
    /// Character sets of the fonts.
    charsets: HashMap<i32, i32>,
    /// Octets of a character set, not yet read.
    octets: Vec<u8>,
    /// Half of a pair of UTF-16, and what follows it.
    wide: Vec<u16>,
    /// Characters to be passed over.
    skip: usize,
}

impl Reader {
    /// False when nothing more is to be read.
    fn take(&mut self, token: Token<'_>) -> bool {
        match token {
            Token::Open => {
                self.settle();
                self.skip = 0;
                let group = Group { starred: false, ..self.group() };
                self.groups.push(group);
                return self.groups.len() <= MAX_GROUPS;
            }
            Token::Close => {
                self.settle();
                self.skip = 0;
                self.groups.pop();
                return !self.groups.is_empty();
            }
            Token::Octet(octet) if self.skip == 0 => {
                self.settle_wide();
                if self.speaks() {
                    self.octets.push(octet);
                }
            }
            Token::Octet(_) => self.skip -= 1,
            Token::Text(text) => {
                for &octet in text.iter().filter(|octet| !matches!(octet, b'\r' | b'\n')) {
                    match self.skip {
                        0 => self.say(octet),
                        _ => self.skip -= 1,
                    }
                }
            }
            Token::Symbol(symbol) => self.symbol(symbol),
            Token::Word(word, number) => self.word(word, number),
        }
        true
    }

    fn group(&self) -> Group {
        self.groups.last().copied().unwrap_or_default()
    }

    fn set(&mut self, change: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.last_mut() {
            change(group);
        }
    }

    fn speaks(&self) -> bool {
        let group = self.group();
        !(group.silent || self.from_html && group.for_rtf)
    }

    fn say(&mut self, octet: u8) {
        self.settle_wide();
        if self.speaks() {
            self.octets.push(octet);
        }
    }

    fn break_line(&mut self, with: &str) {
        self.settle();
        if self.speaks() {
            self.out.push_str(with);
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'*' => self.set(|group| group.starred = true),
            b'\\' | b'{' | b'}' => self.say(symbol),
            b'~' => self.break_line("\u{a0}"),
            b'_' => self.break_line("-"),
            b'\r' | b'\n' => self.break_line("\r\n"),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        let starred = self.group().starred;
        self.set(|group| group.starred = false);
        match word {
            "htmltag" if starred => self.set(|group| group.markup = true),
            "fonttbl" => self.set(|group| (group.fonts, group.silent) = (true, true)),
            "colortbl" | "stylesheet" | "info" | "pict" | "header" | "footer" | "object" => {
                self.set(|group| group.silent = true);
            }
            _ if starred => self.set(|group| group.silent = true),
            "fromhtml" => self.from_html = number != Some(0),
            "htmlrtf" => {
                self.settle();
                self.set(|group| group.for_rtf = number != Some(0));
            }
            "ansicpg" => self.code_page = number.unwrap_or(self.code_page),
            "f" => {
                self.settle();
                self.set(|group| group.font = number.unwrap_or(0));
            }
            "fcharset" if self.group().fonts && self.charsets.len() < MAX_GROUPS => {
                self.charsets.insert(self.group().font, number.unwrap_or(0));
            }
            "uc" => {
                let count = number.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
                self.set(|group| group.fallback = Some(count));
            }
            "u" => self.unicode(number.unwrap_or(0)),
            "par" | "line" | "row" | "sect" | "page" => self.break_line("\r\n"),
            "tab" | "cell" => self.break_line("\t"),
            "lquote" => self.break_line("‘"),
            "rquote" => self.break_line("’"),
            "ldblquote" => self.break_line("“"),
            "rdblquote" => self.break_line("”"),
            "bullet" => self.break_line("•"),
            "endash" => self.break_line("–"),
            "emdash" => self.break_line("—"),
            _ => {}
        }
    }

    /// `\u-3913` is one unit of UTF-16, written with its sign.
    fn unicode(&mut self, number: i32) {
        self.settle_octets();
        if self.speaks() {
            self.wide.push((number & 0xffff) as u16);
        }
        self.skip = self.group().fallback.unwrap_or(1);
    }

    fn settle(&mut self) {
        self.settle_octets();
        self.settle_wide();
    }

    fn settle_wide(&mut self) {
        if !self.wide.is_empty() {
            self.out.push_str(&String::from_utf16_lossy(&self.wide));
            self.wide.clear();
        }
    }

    fn settle_octets(&mut self) {
        if self.octets.is_empty() {
            return;
        }
        let charset =
            self.charsets.get(&self.group().font).copied().filter(|_| !self.group().markup);
        let name = charset_name(charset.unwrap_or(0))
            .map_or_else(|| code_page(self.code_page), str::to_owned);
        match charset_decoder(name.as_bytes()) {
            Some(decoder) => self.out.push_str(&decoder(&self.octets)),
            None => self.out.push_str(&String::from_utf8_lossy(&self.octets)),
        }
        self.octets.clear();
    }
}

/// The character set of a code page of Windows.
pub(super) fn code_page(number: i32) -> String {
    match number {
        932 => "shift_jis".into(),
        936 => "gbk".into(),
        949 => "euc-kr".into(),
        950 => "big5".into(),
        65001 => "utf-8".into(),
        20127 => "us-ascii".into(),
        28591..=28605 => format!("iso-8859-{}", number - 28590),
        874 | 1250..=1258 => format!("windows-{number}"),
        _ => "windows-1252".into(),
    }
}

/// The character set of a font, where it is not that of the document (`\fcharset`).
fn charset_name(charset: i32) -> Option<&'static str> {
    Some(match charset {
        128 => "shift_jis",
        129 => "euc-kr",
        134 => "gbk",
        136 => "big5",
        161 => "windows-1253",
        162 => "windows-1254",
        177 => "windows-1255",
        178 => "windows-1256",
        186 => "windows-1257",
        204 => "windows-1251",
        222 => "windows-874",
        238 => "windows-1250",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    const LIMIT: usize = 1 << 20;

    /// The examples of MS-OXRTFCP 4.1.
    #[test]
    fn packed_bodies_are_unpacked() {
        let hello = b"\x2d\0\0\0\x2b\0\0\0LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3 hel\x09\x00 bw\x05\xb0ld}\x0a\x80\x0f\xa0";
        let cross =
            b"\x1a\0\0\0\x1c\0\0\0LZFu\xe2\xd4\x4b\x51\x41\x00\x04 WXYZ\x0d\x6e}\x01\x0e\xb0";
        assert_eq!(DICTIONARY.len(), 207);
        let text = |octets: &[u8]| String::from_utf8(unpacked(octets, LIMIT).unwrap()).unwrap();
        assert_eq!(text(hello), "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        assert_eq!(text(cross), "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}");
        assert_eq!(text(b"\0\0\0\0\x05\0\0\0MELA\0\0\0\0{abc} and more"), "{abc}");
        assert_eq!(unpacked(hello, 5), None);
        assert_eq!(unpacked(b"\0\0\0\0\x05\0\0\0ZIPx\0\0\0\0{abc}", LIMIT), None);
        assert_eq!(unpacked(&hello[..10], LIMIT), None);
    }

    #[test]
    fn rtf_is_read_as_what_it_was_made_from() {
        let html = |text: &str| Said::Html(text.to_owned());
        let text = |text: &str| Said::Text(text.to_owned());
        for (rtf, expected) in [
            (r"{\rtf1\ansi\ansicpg1252\pard hello world}", text("hello world")),
            (
                r"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}{\*\generator x;}one\par two\tab\'80}",
                text("one\ntwo\t€"),
            ),
            (
                r"{\rtf1\ansicpg1252{\fonttbl{\f0\fcharset0 A;}{\f1\fcharset204 B;}}\f1\'cf\f0\'e4}",
                text("Пä"),
            ),
            (r"{\rtf1 \uc1\u8364?\u-10179?\u-8704? x}", text("€😀 x")),
            (
                r"{\rtf1\ansi\fromhtml1 {\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 a \'e4 {\*\htmltag84 &lt;}\htmlrtf <\htmlrtf0 b\htmlrtf}\htmlrtf0 {\*\htmltag72 </p>}{\*\mhtmltag64 <q>}}",
                html("<p>a ä &lt;b</p>"),
            ),
            (r"}}} {\rtf1 x", text("")),
            ("{\\rtf1 a\\\n b\\'4", text("a\n b?")),
        ] {
            assert_eq!(read(rtf.as_bytes()), expected, "{rtf}");
        }
    }

    #[test]
    fn no_trick_makes_it_slow_or_large() {
        for trick in
            ["{", "}", "\\", "\\u8364?", "{\\*\\x", "\\f1", "\\'", "{\\fonttbl", "\\fcharset1"]
        {
            let began = std::time::Instant::now();
            let _ = read(("{\\rtf1 ".to_owned() + &trick.repeat(200_000)).as_bytes());
            assert!(began.elapsed().as_secs() < 5, "{trick}");
        }
        let bomb =
            [&b"\0\0\0\0\xff\xff\x0f\0LZFu\0\0\0\0"[..], &[0xff, 0, 0x0f].repeat(500_000)].concat();
        assert!(unpacked(&bomb, LIMIT).unwrap().len() <= LIMIT);
    }

    proptest::proptest! {
        #[test]
        fn any_octets_may_come(octets in proptest::collection::vec(
            proptest::sample::select(&b"{}\\'*u1-fonthmlrg \xe4\xff\r\n"[..]), 0..300)) {
            let _ = read(&octets);
            let header = b"\0\0\0\0\xff\x0f\0\0LZFu\0\0\0\0";
            let _ = unpacked(&[&header[..], &octets].concat(), 1 << 16);
        }
    }
}
