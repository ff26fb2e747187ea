//! The child's side: reads documents from its standard input and writes pages
//! to its standard output. It opens no file and knows no path.

use std::{
    io::{self, Read, Write},
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, nice, setrlimit};

use super::protocol::{Reply, Request, Task, header, length, parse};
use crate::pages::{
    Look,
    bitmap::Bitmap,
    ccitt::{self, Coding},
    codes,
    rasterise::{Refusal, Sink, rasterise},
    tiff,
};

/// Open files: the three that it was given, and one to spare.
const MAX_FILES: u64 = 4;

/// How much less of the processor it wants than others (0 to 19).
const NICENESS: i32 = 19;

/// Runs the child and returns its exit code. To be called before any thread or
/// runtime is started, when the first argument is [`super::CHILD_ARGUMENT`].
#[must_use]
pub fn child_main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent sees the missing last word; this is for whoever debugs.
            let _ = writeln!(io::stderr(), "render-child: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    confine_at_once()?;
    let mut input = io::stdin().lock();
    let request: Request = parse(&read_header(&mut input)?)?;
    limit(Resource::As, request.memory_bytes)?;
    limit(Resource::Cpu, request.cpu_s)?;
    let mut out = Out {
        to: io::BufWriter::new(io::stdout().lock()),
        failed: None,
        look: request.look,
        announced: 0,
        max_pages: request.max_pages,
    };
    for document in request.documents {
        out.say(&Reply::Begins, &[]);
        let mut bytes = Vec::new();
        input.by_ref().take(document.bytes).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != document.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let done = match request.task {
            Task::Draw => rasterise(document.kind, bytes, out.look, &mut out),
            Task::Codes => read_codes(bytes, &mut out),
        };
        if let Err(refusal) = done {
            out.say(&Reply::Refused(refusal), &[]);
            return out.finish();
        }
    }
    out.say(&Reply::Done, &[]);
    out.finish()
}

/// Says what the codes on fax pages say.
fn read_codes<W: Write>(bytes: Vec<u8>, out: &mut Out<W>) -> Result<(), Refusal> {
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

/// Before a byte is read: no core, no file written, no process started, and last in
/// line for the processor: calls and mail dialogues keep their times.
fn confine_at_once() -> io::Result<()> {
    nice(NICENESS)?;
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nproc, 0)?;
    limit(Resource::Nofile, MAX_FILES)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?)
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
        self.announced = self.announced.saturating_add(u32::try_from(pages).unwrap_or(u32::MAX));
        match self.announced {
            pages if pages > self.max_pages => {
                Err(Refusal::TooManyPages { pages, limit: self.max_pages })
            }
            _ => Ok(()),
        }
    }

    fn page(&mut self, page: &Bitmap) {
        let bytes = ccitt::encode(page, Coding::Mmr);
        let (width, lines) = (page.size().width(), page.size().lines());
        self.say(&Reply::Page { width, lines, bytes: bytes.len() as u32 }, &bytes);
    }

    fn warn(&mut self, text: String) {
        self.say(&Reply::Warning(text), &[]);
    }
}
