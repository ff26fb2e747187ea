//! Checks what `[received]` says: what is made of faxes that have arrived, beyond
//! bringing them.

use postfax_domain::setup::{TextLayer, Trim};
use postfax_hw::render::{Tool, Tools};

use super::{address::Wrong, check::Check, findings::Placed, raw::Raw, read::Entry};

const TEXTS: &[(&str, TextLayer)] = &[("off", TextLayer::Off), ("pdf", TextLayer::Pdf)];
const LANGUAGES: &str = "eng";
/// Longest list of languages, in characters.
const MAX_LANGUAGES_CHARS: usize = 64;

/// What is made of received faxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Whether the PDFs of clients that have not chosen can be searched for words.
    pub(crate) text: TextLayer,
    /// What words are read in, as Tesseract calls it: `eng+deu`.
    pub(crate) languages: String,
    /// Most pages of a fax that words are read from, the first ones.
    pub(crate) max_text_pages: usize,
    /// Longest time that one page is read, in seconds.
    pub(crate) text_page_s: u64,
    /// Longest time that a fax waits for its words, in seconds.
    pub(crate) text_wait_s: u64,
    /// Whether QR codes are looked for.
    pub(crate) codes: bool,
    /// On how many pages, the first ones.
    pub(crate) code_pages: u32,
    /// Longest time that a fax waits for its codes, in seconds.
    pub(crate) code_wait_s: u64,
    /// What the PDFs of clients leave out that have not chosen.
    pub(crate) trim: Trim,
}

impl Check<'_> {
    pub(super) fn received(&mut self, raw: &Raw) -> Received {
        let table = &raw.received;
        let text = self.text_layer(&table.text);
        let languages = self.parsed(table.languages.given(), languages);
        let codes = table.codes.given().is_some_and(|codes| codes.value);
        let in_vain = raw.route.iter().filter(|_| !codes).filter_map(|route| route.code.given());
        for code in in_vain {
            let help = "write codes = true in [received]";
            self.findings.warn(&code.place, "no codes are looked for on received faxes", help);
        }
        Received {
            text: text.unwrap_or_default(),
            languages: languages.unwrap_or_else(|| LANGUAGES.to_owned()),
            max_text_pages: self.size(&table.max_text_pages, 20, 1..=1000),
            text_page_s: self.count(&table.text_page_s, 20, 1..=600),
            text_wait_s: self.count(&table.text_wait_s, 60, 1..=3600),
            codes,
            code_pages: self.small(&table.code_pages, 1, 1..=100),
            code_wait_s: self.count(&table.code_wait_s, 10, 1..=600),
            trim: self.trim(&table.trim).unwrap_or_default(),
        }
    }

    /// Whether words are read, where something says so.
    pub(super) fn text_layer(&mut self, raw: &Entry<String>) -> Option<TextLayer> {
        let text = self.choice(raw.given(), TEXTS);
        if let (Some(TextLayer::Pdf), Some(written)) = (text, raw.given())
            && Tools::find().path(Tool::Tesseract).is_none()
        {
            let message = "no words can be read: tesseract is not installed";
            let help = format!("install the package {}", Tool::Tesseract.package());
            self.findings.warn(&written.place, message, help);
        }
        text
    }

    /// What is left out, where something says so.
    pub(super) fn trim(&mut self, raw: &Entry<Vec<Placed<String>>>) -> Option<Trim> {
        const BLANK: Trim = Trim { blank: true, duplicate: false };
        const DUPLICATE: Trim = Trim { blank: false, duplicate: true };
        let kinds = [("blank", BLANK), ("duplicate", DUPLICATE)];
        let chosen = raw.given()?.value.iter().filter_map(|kind| self.choice(Some(kind), &kinds));
        Some(chosen.fold(Trim::default(), |all, one| Trim {
            blank: all.blank || one.blank,
            duplicate: all.duplicate || one.duplicate,
        }))
    }
}

/// Names of languages as Tesseract has them, joined by `+`.
fn languages(text: &str) -> Result<String, Wrong> {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if text.len() <= MAX_LANGUAGES_CHARS && text.split('+').all(is_name) {
        return Ok(text.to_owned());
    }
    let help = "write them as tesseract --list-langs has them: eng+deu";
    Err(Wrong::new(format!("\"{text}\" are no languages"), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_those_of_tesseract() {
        for good in ["eng", "eng+deu", "chi_sim+jpn"] {
            assert_eq!(languages(good).ok().as_deref(), Some(good));
        }
        for bad in ["", "eng,deu", "eng+", "-c x", "../eng", &"eng+".repeat(20)] {
            assert!(languages(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_used_and_a_client_may_differ() {
        let minimal = include_str!("../../tests/config/good/minimal.toml");
        let read = |more: &str| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("postfax.toml");
            std::fs::write(&file, format!("{minimal}\n{more}")).unwrap();
            crate::config::load(&file)
        };
        let plain = read("").unwrap();
        assert_eq!((plain.received.text, plain.received.codes), (TextLayer::Off, false));
        assert_eq!(plain.received.trim, Trim::default());
        let config = read(
            "[received]\ncodes = true\ncode_pages = 3\nlanguages = \"deu\"\ntrim = [\"blank\"]\n\
             [[client]]\nname = \"zoe\"\nmail = [\"zoe@example.org\"]\n\
             receive = { trim = [], text = \"off\" }\n[[route]]\ncode = \"INV-*\"\nto = [\"zoe\"]\n",
        )
        .unwrap();
        let received = &config.received;
        assert_eq!((received.codes, received.code_pages, &*received.languages), (true, 3, "deu"));
        assert_eq!(received.trim, Trim { blank: true, duplicate: false });
        let zoe = config.setup.clients.values().find(|client| client.owns("zoe@example.org"));
        let receive = &zoe.unwrap().receive;
        assert_eq!((receive.trim, receive.text), (Some(Trim::default()), Some(TextLayer::Off)));
        let route = config.setup.routes.last().unwrap();
        assert!(route.code.as_ref().unwrap().matches("inv-7"));
        let wrong = read("[received]\ntrim = [\"white\"]\nlanguages = \"a b\"\n").unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        let in_vain = read("[[route]]\ncode = \"x\"\nto = []\n").unwrap_err();
        assert!(format!("{in_vain:?}").contains("no codes are looked for"), "{in_vain:?}");
    }
}
