//! The parent's side: starts the child, feeds it, takes its pages, keeps the
//! clock, and writes the file.

use std::{
    io::{self, Write as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use postfax_domain::document::Digest;
use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};

use super::{
    CHILD_ARGUMENT, Limits, RenderError, Rendered, Source,
    error::one_line,
    protocol::{Document, MAX_PAGE_BYTES, Reply, Request, Task, header, length, parse},
};
use crate::pages::{
    Look,
    bitmap::Size,
    ccitt::Coding,
    sheet,
    tiff::{self, CodedPage, Density, FillOrder},
};

/// All coded pages of a call, in bytes.
const MAX_CODED_BYTES: usize = 256 << 20;
/// Warnings of a call.
const MAX_WARNINGS: usize = 50;
/// What a dying child may say, in bytes.
const MAX_LAST_WORDS_BYTES: u64 = 4096;
/// How long a child that has said its last word may take to go, in seconds.
const MAX_EXIT_S: u64 = 5;

pub(super) async fn render(
    exe: &Path,
    sources: &[Source],
    look: Look,
    limits: &Limits,
    out: &Path,
) -> Result<Rendered, RenderError> {
    if sources.is_empty() {
        return Err(RenderError::Nothing);
    }
    let (request, files) = open(sources, look, limits).await?;
    let mut child = start(exe)?;
    let stdin = child.stdin.take().ok_or_else(no_pipe)?;
    let stdout = child.stdout.take().ok_or_else(no_pipe)?;
    let stderr = child.stderr.take().ok_or_else(no_pipe)?;
    let mut answer = Answer::new(sources, sheet::density(look.resolution));
    let talk = async {
        // A child that refuses early closes its end; its answer says why.
        let (_, end, words) =
            tokio::join!(feed(stdin, &request, files), answer.take(stdout), last_words(stderr));
        (end, words)
    };
    let talked = tokio::time::timeout(Duration::from_secs(limits.wall_s), talk).await;
    let Ok((end, words)) = talked else {
        child.kill().await?;
        return Err(RenderError::TimedOut { name: answer.current() });
    };
    let status = gone(&mut child).await?;
    match end {
        End::Done => {}
        End::Refused(error) => return Err(error),
        End::Silent(error) => {
            tracing::warn!(%status, %error, words, "the render child died");
            return Err(died(status, answer.current()));
        }
    }
    let Answer { pages, warnings, .. } = answer;
    if pages.is_empty() {
        return Err(RenderError::Nothing);
    }
    let out = out.to_owned();
    let written = tokio::task::spawn_blocking(move || write(&pages, look, &out, warnings)).await;
    Ok(written.map_err(io::Error::other)??)
}

pub(super) fn no_pipe() -> io::Error {
    io::Error::other("the child has no pipe")
}

async fn open(
    sources: &[Source],
    look: Look,
    limits: &Limits,
) -> Result<(Vec<u8>, Vec<(tokio::fs::File, u64)>), RenderError> {
    let mut files = Vec::with_capacity(sources.len());
    let mut documents = Vec::with_capacity(sources.len());
    let mut sum = 0_u64;
    for source in sources {
        let file = tokio::fs::File::open(&source.path).await?;
        let bytes = file.metadata().await?.len();
        sum = sum.saturating_add(bytes);
        if sum > limits.max_input_bytes {
            return Err(RenderError::TooLarge);
        }
        files.push((file, bytes));
        documents.push(Document { kind: source.kind, bytes });
    }
    let request = Request {
        task: Task::Draw,
        look,
        memory_bytes: limits.memory_bytes,
        cpu_s: limits.cpu_s,
        max_pages: limits.max_pages,
        documents,
    };
    Ok((header(&request)?, files))
}

pub(super) fn start(exe: &Path) -> io::Result<Child> {
    Command::new(exe)
        .arg(CHILD_ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn feed(
    mut to: ChildStdin,
    request: &[u8],
    files: Vec<(tokio::fs::File, u64)>,
) -> io::Result<()> {
    to.write_all(request).await?;
    for (file, bytes) in files {
        // A file that grows meanwhile must not become the next document's start.
        tokio::io::copy(&mut file.take(bytes), &mut to).await?;
    }
    to.shutdown().await
}

pub(super) async fn last_words(from: ChildStderr) -> String {
    let mut words = Vec::new();
    let mut from = from.take(MAX_LAST_WORDS_BYTES);
    let _ = from.read_to_end(&mut words).await;
    // Drained, or a child that says more would wait for ever.
    let _ = tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await;
    one_line(&String::from_utf8_lossy(&words))
}

pub(super) async fn gone(child: &mut Child) -> io::Result<ExitStatus> {
    match tokio::time::timeout(Duration::from_secs(MAX_EXIT_S), child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            child.kill().await?;
            child.wait().await
        }
    }
}

fn died(status: ExitStatus, name: String) -> RenderError {
    use std::os::unix::process::ExitStatusExt;
    let out_of_time = [Signal::XCPU, Signal::KILL].map(Signal::as_raw);
    match status.signal() {
        Some(signal) if out_of_time.contains(&signal) => RenderError::TimedOut { name },
        _ => RenderError::Crashed { name },
    }
}

/// What the child has answered so far.
struct Answer<'a> {
    sources: &'a [Source],
    begun: usize,
    density: Density,
    pages: Vec<CodedPage>,
    coded_bytes: usize,
    warnings: Vec<String>,
}

enum End {
    Done,
    Refused(RenderError),
    /// It went without a last word, or said nonsense.
    Silent(io::Error),
}

impl<'a> Answer<'a> {
    fn new(sources: &'a [Source], density: Density) -> Self {
        let (pages, warnings) = (Vec::new(), Vec::new());
        Self { sources, begun: 0, density, pages, coded_bytes: 0, warnings }
    }

    /// The name of the document that the child is at.
    fn current(&self) -> String {
        let index = self.begun.saturating_sub(1);
        self.sources.get(index).map(|source| source.name.clone()).unwrap_or_default()
    }

    async fn take(&mut self, from: ChildStdout) -> End {
        let mut from = BufReader::new(from);
        loop {
            match self.take_one(&mut from).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(error) => return End::Silent(error),
            }
        }
    }

    async fn take_one(&mut self, from: &mut BufReader<ChildStdout>) -> io::Result<Option<End>> {
        let mut prefix = [0; 4];
        from.read_exact(&mut prefix).await?;
        let mut json = vec![0; length(prefix)?];
        from.read_exact(&mut json).await?;
        match parse(&json)? {
            Reply::Begins => self.begun += 1,
            Reply::Page { width, lines, bytes } => {
                let size = Size::new(width, lines).filter(|_| bytes <= MAX_PAGE_BYTES);
                let Some(size) = size else { return Ok(Some(End::Refused(RenderError::TooLarge))) };
                self.coded_bytes += bytes as usize;
                if self.coded_bytes > MAX_CODED_BYTES || self.pages.len() >= tiff::MAX_PAGES {
                    return Ok(Some(End::Refused(RenderError::TooLarge)));
                }
                let mut coded = vec![0; bytes as usize];
                from.read_exact(&mut coded).await?;
                self.pages.push(CodedPage {
                    size,
                    density: self.density,
                    coding: Coding::Mmr,
                    inverted: false,
                    bytes: coded,
                });
            }
            Reply::Warning(text) if self.warnings.len() < MAX_WARNINGS => {
                self.warnings.push(format!("{}: {}", self.current(), one_line(&text)));
            }
            Reply::Warning(_) | Reply::Code(_) => {}
            Reply::Refused(refusal) => {
                return Ok(Some(End::Refused(RenderError::refused(refusal, self.current()))));
            }
            Reply::Done => return Ok(Some(End::Done)),
        }
        Ok(None)
    }
}

fn write(
    pages: &[CodedPage],
    look: Look,
    out: &Path,
    warnings: Vec<String>,
) -> io::Result<Rendered> {
    let file = tiff::write(pages, FillOrder::HighestFirst);
    let widest = pages.iter().map(|page| page.size.width()).max().unwrap_or(0);
    let digest = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    // Beside and renamed: the file is whole or not there. What it is called here need not
    // outlive a crash, since whoever keeps it gives it another name.
    let folder = out.parent().filter(|folder| *folder != Path::new(""));
    let mut beside = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    beside.write_all(&file)?;
    beside.as_file().sync_data()?;
    beside.persist(out).map_err(|failed| failed.error)?;
    Ok(Rendered {
        path: out.to_owned(),
        pages: pages.len() as u32,
        paper: sheet::paper(widest, look.resolution),
        bytes: pages.iter().map(|page| page.bytes.len() as u64).sum(),
        digest: Digest(digest),
        warnings,
    })
}
