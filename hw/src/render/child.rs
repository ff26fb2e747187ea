//! The child's side: confines itself, reads one document from its standard input and
//! writes pages to its standard output, or becomes a program of others. It opens no
//! file and knows no path.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use super::{
    CHILD_ARGUMENT, EXIT_UNCONFINED,
    cell::Cell,
    confine::{Open, become_program, confine},
    grey,
    protocol::{Input, Reply, Request, header, length, parse},
};
use crate::pages::{
    Look,
    bitmap::Bitmap,
    ccitt::{self, Coding},
    codes, fonts,
    rasterise::{Refusal, Sink, rasterise},
    tiff,
};

/// Runs the child and returns its exit code. To be called before any thread or
/// runtime is started, when the first argument is [`super::CHILD_ARGUMENT`].
#[must_use]
pub fn child_main() -> ExitCode {
    confined(|| {
        let mut out = Out {
            to: io::BufWriter::new(io::stdout().lock()),
            failed: None,
            look: Look::default(),
            announced: 0,
            max_pages: 0,
            threads: 1,
            inked: false,
        };
        draw(&mut out)?;
        out.finish()
    })
}

/// Confines this process as its second argument says. Then it becomes another program,
/// or does `work`, which is to draw, unless it is to find out what can still be done.
#[doc(hidden)]
pub fn confined(work: impl FnOnce() -> io::Result<()>) -> ExitCode {
    let cell = match cell() {
        Ok(cell) => cell,
        Err(error) => return failed(&error, ExitCode::FAILURE),
    };
    match confine(&cell) {
        Ok(()) => {}
        Err(Open::Orphan) => return ExitCode::FAILURE,
        Err(open) => return failed(&open, ExitCode::from(EXIT_UNCONFINED)),
    }
    let done = match &cell.program {
        Some(program) => Err(become_program(program)),
        None => work(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error, ExitCode::FAILURE),
    }
}

/// The parent sees the missing last word; this is for whoever debugs.
fn failed(error: &dyn std::error::Error, code: ExitCode) -> ExitCode {
    let _ = writeln!(io::stderr(), "{CHILD_ARGUMENT}: {error}");
    code
}

fn cell() -> io::Result<Cell> {
    let mut arguments = std::env::args().skip_while(|argument| argument != CHILD_ARGUMENT).skip(1);
    let cell = arguments.next().ok_or_else(|| io::Error::other("it is not said how to confine"))?;
    Ok(serde_json::from_str(&cell)?)
}

fn draw(out: &mut Out<impl Write>) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let request: Request = parse(&read_header(&mut input)?)?;
    out.look = request.look;
    out.max_pages = request.max_pages;
    out.threads = request.threads as usize;
    let drawn = match request.input {
        Input::Document { kind, bytes } => {
            let document = exactly(&mut input, bytes)?;
            let given = request.fonts.iter().map(|bytes| exactly(&mut input, *bytes));
            fonts::give(given.collect::<io::Result<_>>()?);
            rasterise(kind, document, request.look, out)
        }
        Input::Codes { bytes } => read_codes(exactly(&mut input, bytes)?, out),
        Input::Grey { across, down } => grey::draw(&mut input, across, down, request.look, out)?,
    };
    match drawn {
        Ok(()) => out.say(&Reply::Done { blank: !out.inked }, &[]),
        Err(refusal) => out.say(&Reply::Refused(refusal), &[]),
    }
    Ok(())
}

/// Says what the codes on fax pages say.
fn read_codes(bytes: Vec<u8>, out: &mut Out<impl Write>) -> Result<(), Refusal> {
    let broken = |error: tiff::TiffError| Refusal::Broken(error.to_string());
    let file = tiff::File::parse(bytes).map_err(broken)?;
    for (index, page) in file.pages().iter().enumerate() {
        let decoded = file.decode(index).map_err(broken)?;
        for code in codes::read(&decoded.page, page.density) {
            out.say(&Reply::Code(code), &[]);
        }
    }
    Ok(())
}

fn exactly(input: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let mut read = Vec::new();
    input.take(bytes).read_to_end(&mut read)?;
    if read.len() as u64 == bytes { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn read_header(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    input.read_exact(&mut prefix)?;
    let mut json = vec![0; length(prefix)?];
    input.read_exact(&mut json)?;
    Ok(json)
}

/// Codes pages and sends them to the parent as they come.
struct Out<W: Write> {
    to: W,
    failed: Option<io::Error>,
    look: Look,
    announced: u32,
    max_pages: u32,
    threads: usize,
    inked: bool,
}

impl<W: Write> Out<W> {
    /// A parent that has gone is told nothing more; [`Out::finish`] reports it.
    fn say(&mut self, reply: &Reply, bytes: &[u8]) {
        if self.failed.is_none() {
            let said = header(reply).and_then(|header| {
                self.to.write_all(&header)?;
                self.to.write_all(bytes)?;
                self.to.flush()
            });
            self.failed = said.err();
        }
    }

    fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}

impl<W: Write> Sink for Out<W> {
    fn announce(&mut self, pages: usize) -> Result<(), Refusal> {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        self.announced = self.announced.saturating_add(pages);
        if self.announced > self.max_pages {
            return Err(Refusal::TooManyPages { pages: self.announced, limit: self.max_pages });
        }
        self.say(&Reply::Announces(pages), &[]);
        Ok(())
    }

    fn page(&mut self, page: &Bitmap) {
        let bytes = ccitt::encode(page, Coding::Mmr);
        let (width, lines) = (page.size().width(), page.size().lines());
        self.inked |= page.black_pixels() > 0;
        self.say(&Reply::Page { width, lines, bytes: bytes.len() as u32 }, &bytes);
    }

    fn warn(&mut self, text: String) {
        self.say(&Reply::Warning(text), &[]);
    }

    fn threads(&self) -> usize {
        self.threads
    }
}
