//! Commands that every modem on a desk understands and the library's does not, put
//! into its words. It looks at one command line and knows neither modem nor terminal.
//!
//! Why: programs that only look what is there, and the first command that mgetty
//! gives as it is delivered (`&D3`), should find a modem and not an error. Without this
//! `Z1` also left the modem deaf for good: the library has no second profile, and
//! takes an empty one.

/// The end of a command line (S3), and what takes its last character back (S5), as the
/// library has them when a line begins.
pub(super) const END: u8 = b'\r';
const BACK: u8 = 8;
/// Longest line that is looked at, in bytes.
const MAX_LINE: usize = 250;

/// The command line that a program is typing.
#[derive(Debug, Default)]
pub(super) struct Typed(Vec<u8>);

impl Typed {
    /// Takes what was typed, without an end of line.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match *byte {
                BACK => drop(self.0.pop()),
                byte if self.0.len() <= MAX_LINE => self.0.push(byte),
                _ => {}
            }
        }
    }

    /// Forgets the line.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// At the end of a line: what to type further, so that the library reads something else.
    pub(super) fn correction(&self) -> Option<Vec<u8>> {
        let start = self.0.windows(2).position(|two| two.eq_ignore_ascii_case(b"AT"))? + 2;
        if self.0.len() > MAX_LINE {
            return None;
        }
        let printable = self.0[start..].iter().all(|byte| (b' '..=b'~').contains(byte));
        let commands = std::str::from_utf8(&self.0[start..]).ok().filter(|_| printable)?;
        let instead = translate(commands)?;
        Some([vec![BACK; commands.len()], instead.into_bytes()].concat())
    }
}

/// Commands that only begin like another one, or whose number is not taken, and what is
/// said instead. The number itself is a part of the command.
const TRANSLATIONS: [(&str, &str); 12] = [
    // Profiles (V.250 6.1.1): there is one.
    ("Z1", "Z0"),
    ("Z2", "Z0"),
    ("Z3", "Z0"),
    // What becomes of the modem when DTR drops: the terminal's end is seen without it.
    ("&D3", "&D2"),
    // Who made it and what it is (V.250 6.1.4 to 6.1.6), asked in the words of T.32.
    ("+GMI", "+FMI?"),
    ("+GMM", "+FMM?"),
    ("+GMR", "+FMR?"),
    ("+GMI?", "+FMI?"),
    ("+GMM?", "+FMM?"),
    ("+GMR?", "+FMR?"),
    // Back to a connection (V.250 6.3.7): there never is one outside a call.
    ("O", IMPOSSIBLE),
    ("O0", IMPOSSIBLE),
];
/// A command that the library refuses.
const IMPOSSIBLE: &str = "&D9";
/// The identification (V.250 6.1.3) that is given for those which the library has not.
const PRODUCT: &str = "I0";

/// What to give the library instead of the commands behind `AT`, when it has to be
/// something else.
fn translate(commands: &str) -> Option<String> {
    let mut translated = String::new();
    let mut rest = commands;
    while !rest.is_empty() {
        let (command, next) = rest.split_at(length(rest));
        translated.push_str(&one(command));
        rest = next;
    }
    (!translated.eq_ignore_ascii_case(commands)).then_some(translated)
}

fn one(command: &str) -> String {
    let plain: String = command.chars().filter(|c| *c != ' ').collect::<String>().to_uppercase();
    let (name, end) = match plain.strip_suffix(';') {
        Some(name) => (name, ";"),
        None => (plain.as_str(), ""),
    };
    if let Some((_, instead)) = TRANSLATIONS.iter().find(|(theirs, _)| *theirs == name) {
        return format!("{instead}{end}");
    }
    match name.strip_prefix('I') {
        Some("1" | "2" | "4" | "5" | "6" | "7" | "8" | "9") => PRODUCT.to_owned(),
        _ => command.to_owned(),
    }
}

/// How many bytes the first command has: a letter, perhaps with a sign before it, and its
/// number (V.250 5.3.1); `S` with all that is asked of a register; an extended one to its
/// semicolon (5.4); all that is left for a number to dial.
pub(super) fn length(commands: &str) -> usize {
    let bytes = commands.as_bytes();
    let from = |start: usize, goes_on: fn(u8) -> bool| {
        start + bytes[start..].iter().take_while(|byte| goes_on(**byte)).count()
    };
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b' ';
    match bytes[0].to_ascii_uppercase() {
        b'D' => bytes.len(),
        b'+' | b'#' | b'*' => {
            bytes.iter().position(|b| *b == b';').map_or(bytes.len(), |at| at + 1)
        }
        b'S' => from(1, |byte| byte.is_ascii_digit() || b" =?".contains(&byte)),
        b'&' | b'\\' | b'%' => match commands.chars().nth(1) {
            Some(letter) if letter.is_ascii() => from(2, is_number),
            _ => 1,
        },
        byte if byte.is_ascii() => from(1, is_number),
        // No modem knows it, and no command ends within a character.
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_corrected_at_its_end() {
        for (line, correction) in [
            (&b"ATZ"[..], None),
            (b"\n\nATZ1", Some(&b"\x08\x08Z0"[..])),
            (b"+++atz1", Some(b"\x08\x08Z0")),
            (b"ATZ1\x08", None),
            (b"ATZ1\x01", None),
            (b"Z1", None),
        ] {
            let mut typed = Typed::default();
            typed.push(line);
            assert_eq!(typed.correction().as_deref(), correction, "{line:?}");
            typed.push(&[b'x'; 300]);
            assert_eq!(typed.correction(), None);
        }
    }

    #[test]
    fn only_what_the_library_lacks_is_put_otherwise() {
        for (commands, instead) in [
            ("", None),
            ("Z", None),
            ("&F", None),
            ("I", None),
            ("I3", None),
            ("E0V1Q0X4S8=2&C1&D2", None),
            ("+FCLASS=1", None),
            ("+FTS=8;+FTH=3", None),
            ("DT5551000001Z1", None),
            ("S0=1", None),
            ("Z1", Some("Z0")),
            ("z 1", Some("Z0")),
            ("I4", Some("I0")),
            ("S0=0Q0&D3&C1", Some("S0=0Q0&D2&C1")),
            ("&F&D3+FCLASS=1", Some("&F&D2+FCLASS=1")),
            ("+GMI;+GMM;+FCLASS?", Some("+FMI?;+FMM?;+FCLASS?")),
            ("O", Some("&D9")),
            ("&", None),
            ("é&D3", None),
            ("&é", None),
        ] {
            assert_eq!(translate(commands).as_deref(), instead, "{commands}");
        }
    }
}
