//! Checks what `[letters]` says: the language of our mails, the folder of an
//! administrator's own words, and disposition notifications.

use std::{io, path::Path};

use super::{
    address::Wrong,
    check::Check,
    findings::{Place, Placed},
    raw, suggest,
    texts::read_file,
    words::{ENGLISH, Languages},
};

/// Most files in the folder of words.
const MAX_FILES: usize = 200;

const MDN: &[(&str, Mdn)] = &[("never", Mdn::Never), ("on-request", Mdn::OnRequest)];

/// What our mails say.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    /// The words, in all languages.
    pub(crate) languages: Languages,
    /// The language of the postmaster, and of clients that have not chosen one.
    pub(crate) language: String,
    /// Whether disposition notifications are sent.
    pub(crate) mdn: Mdn,
}

/// Whether disposition notifications are sent (RFC 8098).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mdn {
    /// Not at all.
    #[default]
    Never,
    /// To whoever asks for one, and gets no other report.
    OnRequest,
}

impl Check<'_> {
    pub(super) fn letters(&mut self, raw: &raw::Letters) -> Letters {
        let mut languages = Languages::built_in();
        if let Some(folder) = raw.folder.given() {
            self.own_words(folder, &mut languages);
        }
        let language = self.language(raw.language.given(), &languages);
        Letters {
            language: language.unwrap_or_else(|| ENGLISH.to_owned()),
            languages,
            mdn: self.choice(raw.mdn.given(), MDN).unwrap_or_default(),
        }
    }

    /// A language that there is.
    pub(super) fn language(
        &mut self,
        written: Option<&Placed<String>>,
        languages: &Languages,
    ) -> Option<String> {
        self.parsed(written, |tag| {
            if languages.tags().any(|known| known == tag) {
                return Ok(tag.to_owned());
            }
            let help = suggest::instead(tag, "language", languages.tags());
            let help = format!("{help}. A file {tag}.toml in the folder of [letters] adds one");
            Err(Wrong::new(format!("there is no language \"{tag}\""), help))
        })
    }

    fn own_words(&mut self, folder: &Placed<String>, languages: &mut Languages) {
        let path = self.beside(&folder.value);
        let files = match files(&path) {
            Ok(files) => files,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                let help = "name a folder with files such as de.toml";
                return self.findings.error(&folder.place, message, help);
            }
        };
        for name in files {
            let file = path.join(&name);
            let tag = name.trim_end_matches(".toml");
            if !is_tag(tag) {
                let message = format!("{} is not named for a language", file.display());
                let help = "name it by the language tag: de.toml, nl.toml, pt-BR.toml";
                self.findings.error(&folder.place, message, help);
                continue;
            }
            match read_file(&file) {
                Ok(written) => {
                    let text = self.findings.text(&file, written.clone());
                    let lacking = languages.take(tag, &written, text, self.findings);
                    self.lacks(tag, &lacking, text);
                }
                Err(error) => {
                    let message = format!("{} cannot be read: {error}", file.display());
                    self.findings.error(&folder.place, message, "it must be a text in UTF-8");
                }
            }
        }
    }

    fn lacks(&mut self, tag: &str, lacking: &[String], text: usize) {
        let Some(first) = lacking.first() else { return };
        let place = Place { text, ..Place::default() };
        let message =
            format!("{tag} lacks {} phrases, such as {first}: they are in English", lacking.len());
        self.findings.warn(
            &place,
            message,
            "add them: docs/letters.md says where all of them stand",
        );
    }
}

/// The names of the files of words, in their order.
fn files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            return Err(io::Error::other(format!("it holds more than {MAX_FILES} files")));
        }
    }
    names.sort();
    Ok(names)
}

/// Whether this is a language tag in the form that is used (RFC 5646 2.1): a language
/// of two or three small letters, and subtags.
fn is_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let letters = |part: &str| part.bytes().all(|octet| octet.is_ascii_lowercase());
    let subtag = |part: &str| {
        (2..=8).contains(&part.len()) && part.bytes().all(|octet| octet.is_ascii_alphanumeric())
    };
    (2..=3).contains(&language.len()) && letters(language) && parts.all(subtag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_languages() {
        for good in ["de", "gsw", "pt-BR", "zh-Hant-TW"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "d", "DE", "deutsch", "pt_BR", "pt-", "readme"] {
            assert!(!is_tag(bad), "{bad}");
        }
    }
}
