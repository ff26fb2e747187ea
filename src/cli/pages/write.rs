//! Where the pages are written, and as what. Writes nothing that could be half there:
//! each file is put beside its name and then renamed.

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use postfax_hw::pages::{
    pdf, png,
    tiff::{self, CodedPage, FillOrder},
};

use crate::cli::{Exit, Failure};

/// Where the pages go.
pub(super) enum Target {
    /// A TIFF-F on the standard output.
    Output,
    /// A TIFF-F.
    Tiff(PathBuf),
    /// A PDF.
    Pdf(PathBuf),
    /// A PNG for each page.
    Png(PathBuf),
}

impl Target {
    /// What was asked for.
    ///
    /// # Errors
    /// [`Exit::Usage`] for a name that says nothing.
    pub(super) fn of(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Output);
        }
        let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "tif" | "tiff" => Ok(Self::Tiff(path.to_owned())),
            "pdf" => Ok(Self::Pdf(path.to_owned())),
            "png" => Ok(Self::Png(path.to_owned())),
            _ => {
                let words = format!("{}: its name does not say what it is to be", path.display());
                let hint = "let it end in .tif, .pdf or .png; - is a TIFF-F on the output";
                Err(Failure::new(Exit::Usage, words).advise(hint))
            }
        }
    }

    /// Whether the output is taken by the pages.
    pub(super) fn is_output(&self) -> bool {
        matches!(self, Self::Output)
    }

    /// Writes the pages, at least one, and says to which files.
    ///
    /// # Errors
    /// [`Exit::File`].
    pub(super) fn write(&self, pages: &[CodedPage]) -> Result<Vec<PathBuf>, Failure> {
        let tiff = || tiff::write(pages, FillOrder::HighestFirst);
        let bug = |bad: tiff::TiffError| Failure::new(Exit::Bug, bad.to_string());
        match self {
            Self::Output => {
                let mut out = io::stdout().lock();
                let done = out.write_all(&tiff()).and_then(|()| out.flush());
                done.map_err(|error| Failure::file("the output", &error))?;
                Ok(Vec::new())
            }
            Self::Tiff(path) => keep(path, &tiff()).map(|path| vec![path]),
            Self::Pdf(path) => {
                let file = tiff::File::parse(tiff()).map_err(bug)?;
                keep(path, &pdf::wrap(&file).map_err(bug)?).map(|path| vec![path])
            }
            Self::Png(path) => {
                let count = pages.len();
                let one = |(at, page)| keep(&numbered(path, at, count), &png::whole(page));
                pages.iter().enumerate().map(one).collect()
            }
        }
    }
}

/// `out.png` for a single page, `out-01.png` and so on for 10 to 99.
fn numbered(path: &Path, at: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_owned();
    }
    let digits = count.to_string().len();
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or("page");
    path.with_file_name(format!("{stem}-{:0digits$}.png", at + 1))
}

fn keep(path: &Path, bytes: &[u8]) -> Result<PathBuf, Failure> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let write = || -> io::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        beside.write_all(bytes)?;
        // As any program would make it: a temporary file is its owner's alone.
        let umask = rustix::process::umask(rustix::fs::Mode::empty());
        rustix::process::umask(umask);
        let mode = rustix::fs::Mode::from_raw_mode(0o666) - umask;
        rustix::fs::fchmod(beside.as_file(), mode)?;
        beside.persist(path).map_err(|failed| failed.error)?;
        Ok(())
    };
    write().map_err(|error| Failure::file(path.display(), &error))?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_so_that_they_sort() {
        for (at, count, expected) in
            [(0, 1, "/x/out.png"), (0, 2, "/x/out-1.png"), (8, 12, "/x/out-09.png")]
        {
            assert_eq!(numbered(Path::new("/x/out.png"), at, count), Path::new(expected));
        }
    }
}
