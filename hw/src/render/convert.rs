//! Has a program of others convert one document: in a scratch folder of its own, which
//! goes whatever happens.

use std::{io, path::Path, process::ExitStatus, time::Duration};

use tokio::time::Instant;

use super::{
    Conversion, Limits, RenderError, Renderer, Tool,
    cell::{Cell, Program},
    running::{Running, died, last_words, up_to},
    tools::Call,
};

/// The most that a conversion may give, in bytes.
const MAX_OUTPUT_BYTES: u64 = 256 << 20;
/// What LibreOffice ends with when it has made its profile and is to be started again.
const AGAIN: i32 = 81;
/// Threads that a program may have, where it may have any.
const THREADS: u32 = 8;

/// A document that a program of others is to read: its bytes, and what it is called.
#[derive(Clone, Copy)]
pub(super) struct Foreign<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) name: &'a str,
}

pub(super) async fn convert(
    renderer: &Renderer,
    conversion: &Conversion,
    document: Foreign<'_>,
    limits: &Limits,
    deadline: Instant,
) -> Result<Vec<u8>, RenderError> {
    let desk = Desk::lay(renderer, conversion, document, limits).await?;
    let tool = conversion.tool();
    let mut ended = run(renderer, &desk, document.name, deadline).await?;
    if tool == Tool::Soffice && ended.status.code() == Some(AGAIN) {
        ended = run(renderer, &desk, document.name, deadline).await?;
    }
    let Ended { printed, words, status } = ended;
    if !status.success() {
        return Err(failed(status, document.name, tool, &words));
    }
    if desk.call.output.is_empty() {
        return whole(printed);
    }
    let made = desk.call.output.iter().map(|file| desk.scratch.path().join(file));
    let Some(made) = made.into_iter().find(|file| file.is_file()) else {
        let why = format!("{} made nothing of it", tool.program());
        return Err(RenderError::Broken { name: document.name.to_owned(), why });
    };
    let file = tokio::fs::File::open(made).await?;
    whole(up_to(file, MAX_OUTPUT_BYTES + 1).await?)
}

/// When a conversion that begins now must be over.
pub(super) fn deadline(limits: &Limits) -> Instant {
    Instant::now() + Duration::from_secs(limits.wall_s)
}

/// Where a program works: its folder with the document in it, and how it is called.
pub(super) struct Desk {
    scratch: tempfile::TempDir,
    call: Call,
    cell: Cell,
}

impl Desk {
    pub(super) async fn lay(
        renderer: &Renderer,
        conversion: &Conversion,
        document: Foreign<'_>,
        limits: &Limits,
    ) -> Result<Self, RenderError> {
        let tool = conversion.tool();
        let Some(path) = renderer.tools.path(tool) else {
            let (program, package) = (tool.program(), tool.package());
            return Err(RenderError::Missing { name: document.name.to_owned(), program, package });
        };
        if document.bytes.len() as u64 > limits.max_input_bytes {
            return Err(RenderError::TooLarge);
        }
        let scratch = tempfile::Builder::new().prefix("postfax-").tempdir_in(&renderer.scratch)?;
        let call = conversion.call(scratch.path())?;
        tokio::fs::write(scratch.path().join(&call.input), document.bytes).await?;
        let program = Program {
            path: path.to_owned(),
            arguments: call.arguments.clone(),
            scratch: scratch.path().to_owned(),
        };
        let cell = renderer.cell(tool.into(), limits, THREADS, Some(program));
        Ok(Self { scratch, call, cell })
    }

    pub(super) fn start(&self, exe: &Path) -> io::Result<Running> {
        Running::start(exe, &self.cell)
    }
}

struct Ended {
    printed: Vec<u8>,
    words: String,
    status: ExitStatus,
}

async fn run(
    renderer: &Renderer,
    desk: &Desk,
    name: &str,
    deadline: Instant,
) -> Result<Ended, RenderError> {
    let mut running = desk.start(&renderer.exe)?;
    let (stdout, stderr) = (running.stdout()?, running.stderr()?);
    let talk = async { tokio::join!(up_to(stdout, MAX_OUTPUT_BYTES + 1), last_words(stderr)) };
    let Ok((printed, words)) = tokio::time::timeout_at(deadline, talk).await else {
        running.end().await?;
        return Err(RenderError::TimedOut { name: name.to_owned() });
    };
    Ok(Ended { printed: printed?, words, status: running.gone().await? })
}

fn whole(bytes: Vec<u8>) -> Result<Vec<u8>, RenderError> {
    let fits = bytes.len() as u64 <= MAX_OUTPUT_BYTES;
    fits.then_some(bytes).ok_or(RenderError::TooLarge)
}

pub(super) fn failed(status: ExitStatus, name: &str, tool: Tool, words: &str) -> RenderError {
    let program = tool.program();
    tracing::warn!(program, %status, words, "a converter failed");
    died(status, name, words).unwrap_or_else(|| RenderError::Broken {
        name: name.to_owned(),
        why: format!("{program} cannot read it"),
    })
}
