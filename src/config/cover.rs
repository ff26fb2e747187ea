//! Checks what goes before a fax and on it: `[cover]`, the templates of an
//! administrator, and what each client writes under its name.
//!
//! A template is read whole when the configuration is checked, so that a mistake in it is
//! found then and not by whoever gets the fax.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use postfax_domain::{
    document::Resolution,
    names::ClientName,
    number::Number,
    options::{Asked, CoverAsked},
};
use postfax_hw::{
    pages::cover::{Template, TemplateError},
    render::Kind,
};

use super::{
    address::Wrong,
    check::Check,
    findings::{Findings, Place, Placed},
    raw, suggest,
    texts::read_file,
};

/// The template that comes with Postfax; a file of this name stands in for it.
pub(crate) const STANDARD: &str = "standard";
/// Most templates in the folder.
const MAX_TEMPLATES: usize = 200;
/// Longest template, in octets.
const MAX_TEMPLATE_BYTES: usize = 64 << 10;
/// Largest picture on a cover, in octets: it is drawn anew for each.
const MAX_LOGO_BYTES: u64 = 1 << 20;
/// Longest name on a cover, in octets.
const MAX_NAME_BYTES: usize = 200;
/// Words that are no templates.
const RESERVED: [&str; 3] = ["off", "on", "body"];

/// What goes before a fax.
#[derive(Debug, Clone)]
pub(crate) struct Cover {
    /// For whoever says nothing.
    pub(crate) default: CoverAsked,
    /// The template of a cover for which none was chosen.
    pub(crate) template: String,
    /// The texts of an administrator's own templates by their names.
    pub(crate) templates: BTreeMap<String, String>,
    /// A picture, in base64.
    pub(crate) logo: Option<String>,
}

impl Cover {
    /// What somebody means who says whether a cover goes first.
    ///
    /// # Errors
    /// What would be right.
    pub(crate) fn asked(&self, text: &str) -> Result<CoverAsked, String> {
        let word = text.trim().to_ascii_lowercase();
        match word.as_str() {
            "off" | "no" | "none" | "false" | "0" => Ok(CoverAsked::Off),
            "on" | "yes" | "true" | "1" => Ok(CoverAsked::On),
            "body" => Ok(CoverAsked::Body),
            name if self.has(name) => Ok(CoverAsked::Named(name.to_owned())),
            _ => {
                let names: Vec<&str> = self.names().collect();
                Err(format!("off, on, body or a template: {}", names.join(", ")))
            }
        }
    }

    /// The text of a template; of one that is gone since it was asked for, the usual one.
    /// Only the one that comes with Postfax is written in several languages.
    pub(crate) fn text(&self, name: &str, language: &str) -> &str {
        let name = if self.has(name) { name } else { &self.template };
        let own = self.templates.get(name).map(String::as_str);
        own.unwrap_or_else(|| Template::built_in(language))
    }

    /// Whether the text of a mail stands on covers of this template.
    pub(crate) fn has_message(&self, name: &str) -> bool {
        let template = Template::parse(self.text(name, ""));
        template.is_ok_and(|template| template.has_message())
    }

    fn has(&self, name: &str) -> bool {
        name == STANDARD || self.templates.contains_key(name)
    }

    /// The names of all templates.
    fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.templates.keys().map(String::as_str).filter(|name| *name != STANDARD);
        [STANDARD].into_iter().chain(own)
    }
}

/// What a client writes on its faxes, and how they are to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Letterhead {
    /// What its faxes are like when their sender says nothing else.
    pub(crate) asked: Asked,
    /// Its name, for people.
    pub(crate) full_name: Option<String>,
    /// Its company.
    pub(crate) company: Option<String>,
    /// The number that it is called back at.
    pub(crate) phone: Option<Number>,
}

impl Check<'_> {
    /// What goes before faxes, and what each client writes there.
    pub(super) fn covers(&mut self, raw: &raw::Raw) -> (Cover, BTreeMap<ClientName, Letterhead>) {
        let cover = self.cover(&raw.cover);
        let letterheads = self.letterheads(&raw.client, &cover);
        (cover, letterheads)
    }

    fn cover(&mut self, raw: &raw::Cover) -> Cover {
        let mut templates = BTreeMap::new();
        if let Some(folder) = raw.folder.given() {
            self.own_templates(folder, &mut templates);
        }
        let logo = self.logo(raw);
        let mut cover =
            Cover { default: CoverAsked::Off, template: STANDARD.to_owned(), templates, logo };
        if let Some(template) = self.template(raw.template.given(), &cover) {
            cover.template = template;
        }
        cover.default = self.cover_word(raw.default.given(), &cover).unwrap_or(CoverAsked::Off);
        cover
    }

    /// Whether a cover goes first, as a key of the configuration says it.
    fn cover_word(&mut self, word: Option<&Placed<String>>, cover: &Cover) -> Option<CoverAsked> {
        self.parsed(word, |text| {
            let wrong = |right| {
                let message = format!("\"{text}\" is none of the values");
                Wrong::new(message, format!("write {right}"))
            };
            cover.asked(text).map_err(wrong)
        })
    }

    fn template(&mut self, name: Option<&Placed<String>>, cover: &Cover) -> Option<String> {
        self.parsed(name, |name| {
            if cover.has(name) {
                return Ok(name.to_owned());
            }
            let help = suggest::instead(name, "template", cover.names());
            let help = format!("{help}. A file {name}.txt in the folder of [cover] adds one");
            Err(Wrong::new(format!("there is no template \"{name}\""), help))
        })
    }

    fn own_templates(&mut self, folder: &Placed<String>, templates: &mut BTreeMap<String, String>) {
        let path = self.beside(&folder.value);
        let files = match files(&path) {
            Ok(files) => files,
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                let help = "name a folder with files such as sales.txt";
                return self.findings.error(&folder.place, message, help);
            }
        };
        for file in files {
            let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            if !is_name(name) {
                let message = format!("{} is no name of a template", file.display());
                let help = "use small letters, digits, - and _, and none of off, on and body";
                self.findings.error(&folder.place, message, help);
                continue;
            }
            match read_file(&file) {
                Ok(text) if text.len() <= MAX_TEMPLATE_BYTES => {
                    sound(self.findings, &file, &text);
                    templates.insert(name.to_owned(), text);
                }
                Ok(_) => {
                    let message = format!("{} is too long", file.display());
                    let help = format!("at most {MAX_TEMPLATE_BYTES} bytes fit on a page");
                    self.findings.error(&folder.place, message, help);
                }
                Err(error) => {
                    let message = format!("{} cannot be read: {error}", file.display());
                    self.findings.error(&folder.place, message, "it must be a text in UTF-8");
                }
            }
        }
    }

    /// The picture that all covers bear.
    fn logo(&mut self, raw: &raw::Cover) -> Option<String> {
        let named = raw.logo.given()?;
        let path = self.beside(&named.value);
        let picture = std::fs::metadata(&path).and_then(|file| {
            if file.len() > MAX_LOGO_BYTES {
                let words = format!("it has more than {MAX_LOGO_BYTES} bytes");
                return Err(std::io::Error::other(words));
            }
            let picture = std::fs::read(&path)?;
            match Kind::detect("", "", &picture) {
                Some(Kind::Png | Kind::Jpeg | Kind::Gif | Kind::Webp | Kind::Bmp) => Ok(picture),
                _ => Err(std::io::Error::other("it is no picture")),
            }
        });
        match picture {
            Ok(picture) => Some(BASE64.encode(picture)),
            Err(error) => {
                let message = format!("{} cannot be used: {error}", path.display());
                let help = "name a small PNG, JPEG, GIF, WebP or BMP file";
                self.findings.error(&named.place, message, help);
                None
            }
        }
    }

    fn letterheads(
        &mut self,
        raw: &[raw::Client],
        cover: &Cover,
    ) -> BTreeMap<ClientName, Letterhead> {
        let mut all = BTreeMap::new();
        for client in raw {
            let asked = Asked {
                resolution: self.resolution(client.resolution.given()),
                cover: self.cover_word(client.cover.given(), cover),
                ..Asked::default()
            };
            let letterhead = Letterhead {
                asked,
                full_name: self.name_of_people(client.full_name.given()),
                company: self.name_of_people(client.company.given()),
                phone: self.phone(client.phone.given()),
            };
            // A name that is wrong was reported.
            let name = client.name.given().and_then(|name| ClientName::new(&name.value).ok());
            if let Some(name) = name {
                all.entry(name).or_insert(letterhead);
            }
        }
        all
    }

    /// Lines an inch, by a name or a number.
    pub(super) fn resolution(&mut self, written: Option<&Placed<String>>) -> Option<Resolution> {
        let all: Vec<_> = Resolution::ALL.iter().map(|one| (one.as_str(), *one)).collect();
        self.choice(written, &all)
    }

    fn name_of_people(&mut self, written: Option<&Placed<String>>) -> Option<String> {
        self.parsed(written, |name| {
            let name = name.trim();
            let good = !name.is_empty()
                && name.len() <= MAX_NAME_BYTES
                && !name.chars().any(char::is_control);
            let help = format!("write 1 to {MAX_NAME_BYTES} bytes on one line");
            let wrong = || Wrong::new("this is no name for a page", help);
            good.then(|| name.to_owned()).ok_or_else(wrong)
        })
    }

    fn phone(&mut self, written: Option<&Placed<String>>) -> Option<Number> {
        let country = self.country?;
        self.parsed(written, |text| {
            let help = "write a number as it is dialled, such as +442079460100";
            Number::parse(text, country)
                .map_err(|bad| Wrong::new(format!("\"{text}\": {bad}"), help))
        })
    }
}

/// Reports what is wrong with a template, where it stands.
fn sound(findings: &mut Findings, file: &Path, text: &str) {
    let Err(TemplateError { line, what, right }) = Template::parse(text) else { return };
    let number = findings.text(file, text.to_owned());
    let mut lines = text.split_inclusive('\n').scan(0, |end, line| {
        let start = *end;
        *end += line.len();
        Some(start..start + line.trim_end().len())
    });
    let span = lines.nth(line.saturating_sub(1)).unwrap_or_default();
    let place = Place { text: number, span, key: "cover.folder".into() };
    findings.error(&place, what, right);
}

/// The files of templates, in the order of their names.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
        if files.len() > MAX_TEMPLATES {
            let words = format!("it holds more than {MAX_TEMPLATES} templates");
            return Err(std::io::Error::other(words));
        }
    }
    files.sort();
    Ok(files)
}

/// Whether senders can write it after `cp=` and in a header field.
fn is_name(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    (1..=64).contains(&name.len()) && name.bytes().all(fits) && !RESERVED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover() -> Cover {
        let own = [("sales".to_owned(), "To: {to-name}".to_owned())];
        Cover {
            default: CoverAsked::Off,
            template: "sales".into(),
            templates: own.into(),
            logo: None,
        }
    }

    #[test]
    fn a_cover_is_asked_for_in_the_words_of_other_gateways_or_by_its_name() {
        for (text, asked) in [
            ("off", CoverAsked::Off),
            ("NO", CoverAsked::Off),
            ("0", CoverAsked::Off),
            (" on ", CoverAsked::On),
            ("True", CoverAsked::On),
            ("body", CoverAsked::Body),
            ("Sales", CoverAsked::Named("sales".into())),
        ] {
            assert_eq!(cover().asked(text), Ok(asked), "{text}");
        }
        let wrong = cover().asked("purple").unwrap_err();
        assert_eq!(wrong, "off, on, body or a template: standard, sales");
    }

    #[test]
    fn a_template_that_is_gone_is_replaced_by_the_usual_one() {
        assert_eq!(cover().text("gone", "de"), "To: {to-name}");
        let german = cover();
        assert_eq!(german.text(STANDARD, "de"), Template::built_in("de"));
        assert_ne!(german.text(STANDARD, "de"), german.text(STANDARD, "xx"));
    }

    #[test]
    fn names_of_templates_can_be_written_in_an_address() {
        for (name, good) in
            [("sales", true), ("a_4-x", true), ("on", false), ("Sales", false), ("a b", false)]
        {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
