//! The programs of others that make pages where our own drawing cannot: which there
//! are, what each is asked for, and in which words. How they are confined is written
//! in `cell`; nothing is started here.

use std::path::{Path, PathBuf};

use super::RenderError;

/// Where programs are looked for. Never by `PATH`: who sets that would say what runs.
const FOLDERS: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/opt/libreoffice/program"];
/// Languages that a text may be read in at once.
const MAX_LANGUAGES_CHARS: usize = 64;
/// Most dots an inch that a page is asked for in.
const MAX_DOTS_PER_INCH: u32 = 600;

/// Programs of others, found once. What is `None` is not installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools {
    /// PDF to grey pages.
    pub pdftoppm: Option<PathBuf>,
    /// Office documents to PDF.
    pub soffice: Option<PathBuf>,
    /// HEIC and AVIF to PNG.
    pub heif_convert: Option<PathBuf>,
    /// Pages to words.
    pub tesseract: Option<PathBuf>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// poppler's `pdftoppm`.
    Pdftoppm,
    /// LibreOffice.
    Soffice,
    /// libheif's `heif-convert`.
    HeifConvert,
    /// Tesseract.
    Tesseract,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pdftoppm, Self::Soffice, Self::HeifConvert, Self::Tesseract];

    /// What the program is called.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Pdftoppm => "pdftoppm",
            Self::Soffice => "soffice",
            Self::HeifConvert => "heif-convert",
            Self::Tesseract => "tesseract",
        }
    }

    /// The package that brings it, as Debian and Ubuntu call it.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Pdftoppm => "poppler-utils",
            Self::Soffice => "libreoffice-nogui",
            Self::HeifConvert => "libheif-examples",
            Self::Tesseract => "tesseract-ocr",
        }
    }
}

impl Tools {
    /// Looks for all of them in a few fixed folders.
    #[must_use]
    pub fn find() -> Self {
        let found = |tool: Tool| {
            let paths = FOLDERS.map(|folder| Path::new(folder).join(tool.program()));
            paths.into_iter().find(|path| path.is_file())
        };
        Self {
            pdftoppm: found(Tool::Pdftoppm),
            soffice: found(Tool::Soffice).map(without_script),
            heif_convert: found(Tool::HeifConvert),
            tesseract: found(Tool::Tesseract),
        }
    }

    /// Where a program is.
    #[must_use]
    pub fn path(&self, tool: Tool) -> Option<&Path> {
        match tool {
            Tool::Pdftoppm => self.pdftoppm.as_deref(),
            Tool::Soffice => self.soffice.as_deref(),
            Tool::HeifConvert => self.heif_convert.as_deref(),
            Tool::Tesseract => self.tesseract.as_deref(),
        }
    }
}

/// `soffice` is a script that starts two more programs, which a confined one may not;
/// the program itself lies beside the script.
fn without_script(soffice: PathBuf) -> PathBuf {
    let script = soffice.canonicalize().unwrap_or(soffice);
    let program = script.with_extension("bin");
    if program.is_file() { program } else { script }
}

/// What a program of others is asked for. What goes in and comes out is bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversion {
    /// An office document to PDF.
    OfficeToPdf {
        /// What the document's name ends with, which helps to tell what it is: `docx`.
        extension: String,
    },
    /// The first picture of a HEIC or AVIF file to PNG.
    HeifToPng,
    /// Pages of a PDF to grey pictures (binary PGM), one right after the other.
    PdfToPages {
        /// Across.
        dots_per_inch: u32,
        /// Down.
        lines_per_inch: u32,
        /// The first page that is wanted, counted from 1.
        first: u32,
        /// The last page that is wanted; there may be fewer.
        last: u32,
    },
    /// The words on a page (PNG, TIFF or PNM), as Tesseract's table (TSV) with their
    /// places.
    WordsOfPage {
        /// What Tesseract calls them, joined by `+`: `eng+deu`.
        languages: String,
    },
}

/// How a program is called for a conversion.
pub(super) struct Call {
    pub(super) arguments: Vec<String>,
    /// The name in the scratch folder that the input gets.
    pub(super) input: String,
    /// The names in the scratch folder that the result may have, the first that is
    /// there counts; empty: it comes on standard output.
    pub(super) output: &'static [&'static str],
}

impl Conversion {
    /// The program that does it.
    #[must_use]
    pub fn tool(&self) -> Tool {
        match self {
            Self::OfficeToPdf { .. } => Tool::Soffice,
            Self::HeifToPng => Tool::HeifConvert,
            Self::PdfToPages { .. } => Tool::Pdftoppm,
            Self::WordsOfPage { .. } => Tool::Tesseract,
        }
    }

    /// How it is asked for. `scratch` is the program's own folder. Nothing that a sender
    /// wrote becomes a part of a command line.
    pub(super) fn call(&self, scratch: &Path) -> Result<Call, RenderError> {
        let scratch = scratch.to_str().ok_or_else(|| no_such("a scratch folder in UTF-8"))?;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Ok(match self {
            Self::OfficeToPdf { extension } => {
                let input = format!("document.{}", plain_extension(extension));
                let mut arguments: Vec<String> =
                    vec![format!("-env:UserInstallation=file://{scratch}/profile")];
                arguments.extend(
                    ["--headless", "--norestore", "--nolockcheck", "--convert-to", "pdf"]
                        .map(str::to_owned),
                );
                arguments.extend(["--outdir".to_owned(), format!("{scratch}/out")]);
                arguments.push(format!("{scratch}/{input}"));
                Call { arguments, input, output: &["out/document.pdf"] }
            }
            Self::HeifToPng => Call {
                arguments: words(&["picture.heif", "picture.png"]),
                input: "picture.heif".to_owned(),
                // Of several pictures each gets a number.
                output: &["picture.png", "picture-1.png"],
            },
            Self::PdfToPages { dots_per_inch, lines_per_inch, first, last } => {
                let within = 1..=MAX_DOTS_PER_INCH;
                if !within.contains(dots_per_inch) || !within.contains(lines_per_inch) {
                    return Err(no_such("1 to 600 dots an inch"));
                }
                let [across, down] = [dots_per_inch, lines_per_inch].map(u32::to_string);
                let [first, last] = [first, last].map(u32::to_string);
                let arguments = words(&[
                    "-gray",
                    "-q",
                    "-cropbox",
                    "-rx",
                    &across,
                    "-ry",
                    &down,
                    "-f",
                    &first,
                    "-l",
                    &last,
                    "document.pdf",
                ]);
                Call { arguments, input: "document.pdf".to_owned(), output: &[] }
            }
            Self::WordsOfPage { languages } => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+');
                if languages.is_empty()
                    || languages.len() > MAX_LANGUAGES_CHARS
                    || !languages.chars().all(plain)
                {
                    return Err(no_such("languages as in eng+deu"));
                }
                let arguments = words(&["page", "stdout", "-l", languages, "tsv"]);
                Call { arguments, input: "page".to_owned(), output: &[] }
            }
        })
    }
}

/// An extension that can be part of a file name; what is none is left to the bytes.
fn plain_extension(extension: &str) -> String {
    let plain: String = extension.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    if plain.is_empty() { "bin".to_owned() } else { plain.to_ascii_lowercase() }
}

/// What is asked for is our own word: a wrong one is our own mistake.
fn no_such(right: &str) -> RenderError {
    RenderError::Local(std::io::Error::other(format!("a conversion needs {right}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_sender_becomes_a_part_of_a_command_line() {
        let scratch = Path::new("/scratch");
        for (extension, input) in [
            ("docx", "document.docx"),
            ("../../x", "document.x"),
            ("-env:x=y", "document.envxy"),
            ("", "document.bin"),
            ("Ä", "document.bin"),
        ] {
            let office = Conversion::OfficeToPdf { extension: extension.into() };
            assert_eq!(office.call(scratch).unwrap().input, input);
        }
        for languages in ["", "eng deu", "../eng", "eng;x", "-c", &"e".repeat(65)] {
            let words = Conversion::WordsOfPage { languages: languages.into() };
            assert!(words.call(scratch).is_err(), "{languages}");
        }
        let wide =
            Conversion::PdfToPages { dots_per_inch: 601, lines_per_inch: 98, first: 1, last: 1 };
        assert!(wide.call(scratch).is_err());
    }

    #[test]
    fn a_folder_that_nobody_fixed_is_not_looked_into() {
        let tools = Tools::find();
        for tool in Tool::ALL {
            if let Some(path) = tools.path(tool) {
                assert!(path.is_absolute() && path.is_file(), "{path:?}");
                assert!(!tool.package().is_empty());
            }
        }
    }
}
