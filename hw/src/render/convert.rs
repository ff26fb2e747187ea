//! Has a program of others convert one document: in a scratch folder of its own, which
//! goes whatever happens, and in a process group that is killed whole.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::Instant,
};

use super::{Conversion, Limits, RenderError, Renderer, Tool, error::one_line};

/// The most that a conversion may give, in bytes.
const MAX_OUTPUT_BYTES: u64 = 256 << 20;
/// What a dying program may say, in bytes.
const MAX_LAST_WORDS_BYTES: u64 = 4096;
/// What LibreOffice ends with when it has made its profile and is to be started again.
const AGAIN: i32 = 81;

pub(super) async fn convert(
    renderer: &Renderer,
    conversion: &Conversion,
    input: &[u8],
    name: &str,
    limits: &Limits,
) -> Result<Vec<u8>, RenderError> {
    let tool = conversion.tool();
    let Some(program) = renderer.tools.path(tool) else {
        let (program, package) = (tool.program(), tool.package());
        return Err(RenderError::Missing { name: name.to_owned(), program, package });
    };
    if input.len() as u64 > limits.max_input_bytes {
        return Err(RenderError::TooLarge);
    }
    let scratch = Scratch::new(&renderer.scratch)?;
    let call = conversion.call(scratch.path())?;
    if let Some(file) = &call.input {
        tokio::fs::write(scratch.path().join(file), input).await?;
    }
    let deadline = Instant::now() + Duration::from_secs(limits.wall_s);
    let mut ended = run(program, &call.arguments, &scratch, deadline, name).await?;
    if tool == Tool::Soffice && ended.2.code() == Some(AGAIN) {
        ended = run(program, &call.arguments, &scratch, deadline, name).await?;
    }
    let (printed, words, status) = ended;
    if !status.success() {
        tracing::warn!(program = tool.program(), %status, words, "a converter failed");
        return Err(failed(status, name, tool.program()));
    }
    if call.output.is_empty() {
        return whole(printed);
    }
    let made = call.output.iter().map(|file| scratch.path().join(file)).find(|f| f.is_file());
    let Some(made) = made else {
        let why = format!("{} made nothing of it", tool.program());
        return Err(RenderError::Broken { name: name.to_owned(), why });
    };
    let file = tokio::fs::File::open(made).await?;
    whole(up_to(file, MAX_OUTPUT_BYTES + 1).await?)
}

async fn run(
    program: &Path,
    arguments: &[String],
    scratch: &Scratch,
    deadline: Instant,
    name: &str,
) -> Result<(Vec<u8>, String, ExitStatus), RenderError> {
    let mut running = Running::start(program, arguments, scratch)?;
    let Ok(talked) = tokio::time::timeout_at(deadline, running.talk()).await else {
        running.kill();
        let _ = running.child.wait().await;
        return Err(RenderError::TimedOut { name: name.to_owned() });
    };
    Ok(talked?)
}

fn whole(bytes: Vec<u8>) -> Result<Vec<u8>, RenderError> {
    let fits = bytes.len() as u64 <= MAX_OUTPUT_BYTES;
    fits.then_some(bytes).ok_or(RenderError::TooLarge)
}

fn failed(status: ExitStatus, name: &str, program: &str) -> RenderError {
    use std::os::unix::process::ExitStatusExt;
    let name = name.to_owned();
    let out_of_time = [Signal::XCPU, Signal::KILL].map(Signal::as_raw);
    match status.signal() {
        Some(signal) if out_of_time.contains(&signal) => RenderError::TimedOut { name },
        Some(_) => RenderError::Crashed { name },
        None => RenderError::Broken { name, why: format!("{program} cannot read it") },
    }
}

async fn up_to(from: impl AsyncRead + Unpin, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut from = from.take(most);
    from.read_to_end(&mut bytes).await?;
    // Drained, or a program that says more would wait for ever.
    tokio::io::copy(&mut from.into_inner(), &mut tokio::io::sink()).await?;
    Ok(bytes)
}

/// A folder of one program, which goes with this.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("postfax-").tempdir_in(folder)?))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

/// A program and all that it started; they go with this.
struct Running {
    child: Child,
    group: Option<Pid>,
}

impl Running {
    fn start(program: &Path, arguments: &[String], scratch: &Scratch) -> io::Result<Self> {
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("HOME", scratch.path())
            .env("TMPDIR", scratch.path())
            .env("LC_ALL", "C.UTF-8")
            .env("OMP_THREAD_LIMIT", "1")
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Self { child, group })
    }

    async fn talk(&mut self) -> io::Result<(Vec<u8>, String, ExitStatus)> {
        let no_pipe = || io::Error::other("the program has no pipe");
        let stdout = self.child.stdout.take().ok_or_else(no_pipe)?;
        let stderr = self.child.stderr.take().ok_or_else(no_pipe)?;
        let (printed, words, status) = tokio::join!(
            up_to(stdout, MAX_OUTPUT_BYTES + 1),
            up_to(stderr, MAX_LAST_WORDS_BYTES),
            self.child.wait()
        );
        Ok((printed?, one_line(&String::from_utf8_lossy(&words?)), status?))
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}
