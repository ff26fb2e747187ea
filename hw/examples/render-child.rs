//! The render child without the daemon, for tests; and, given files, a way to
//! look at their pages: `render-child draw OUT.tif FILE...` prints what it cost. With
//! `probe` it tries what a confined process must not be able to do, and says what came
//! of it.

use std::{
    error::Error,
    fs, io,
    io::Write as _,
    net::{TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use postfax_domain::document::Resolution;
use postfax_hw::{
    pages::{self, Look, line_time::line_time},
    render::{CHILD_ARGUMENT, Kind, Limits, Renderer, Source, Tools, child_main, confined},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CHILD_ARGUMENT, ..] => child_main(),
        ["probe", ref what @ ..] => match what.iter().position(|word| *word == CHILD_ARGUMENT) {
            Some(end) => confined(|| probe(&what[..end])),
            None => probe(what).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        },
        ["draw", out, ref files @ ..] if !files.is_empty() => match draw(out.as_ref(), files) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("usage: render-child draw OUT.tif FILE...");
            ExitCode::FAILURE
        }
    }
}

fn draw(out: &Path, files: &[&str]) -> Result<(), Box<dyn Error>> {
    let wanted = std::env::var("RESOLUTION").unwrap_or_default();
    let resolution = Resolution::named(&wanted).unwrap_or_default();
    let mut sources = Vec::new();
    for file in files {
        let start = std::fs::read(file)?;
        let kind = Kind::detect("text/plain", file, &start[..start.len().min(1024)]);
        let kind = kind.ok_or_else(|| format!("{file}: no kind that can be drawn"))?;
        sources.push(Source { path: PathBuf::from(file), name: (*file).into(), kind });
    }
    let exe = std::env::current_exe()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let begun = Instant::now();
    let look = Look { resolution, ..Look::default() };
    let renderer = Renderer::with_tools(exe, Tools::find());
    let rendered = runtime.block_on(renderer.render(&sources, look, &Limits::default(), out))?;
    let took = begun.elapsed();
    println!(
        "{} pages, {} bytes, {} ms, {} s on the line, {:?}",
        rendered.pages,
        rendered.bytes,
        took.as_millis(),
        line_time(rendered.pages, rendered.bytes, None).as_secs(),
        rendered.warnings
    );
    let shown = pages::show(out)?;
    std::fs::write(out.with_extension("pdf"), shown.pdf)?;
    std::fs::write(out.with_extension("png"), shown.preview)?;
    Ok(())
}

/// Tries each thing, `VERB` or `VERB=ARGUMENT`, and prints a line with what came of it:
/// `ok`, or the number of the error.
fn probe(what: &[&str]) -> io::Result<()> {
    for word in what {
        let (verb, argument) = word.split_once('=').unwrap_or((word, ""));
        let came = match attempt(verb, argument) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.raw_os_error().map_or(error.to_string(), |no| no.to_string()),
        };
        writeln!(io::stdout(), "{word} {came}")?;
    }
    Ok(())
}

fn attempt(verb: &str, argument: &str) -> io::Result<()> {
    use rustix::{
        net::{AddressFamily, SocketType, socket},
        process::{Signal, getppid, kill_process},
    };
    let stream = |family| socket(family, SocketType::STREAM, None).map(drop).map_err(Into::into);
    match verb {
        "read" => fs::File::open(argument).map(drop),
        "list" => fs::read_dir(argument).map(drop),
        "write" => fs::write(argument, "x"),
        "inet" => stream(AddressFamily::INET),
        "inet6" => stream(AddressFamily::INET6),
        "unix" => stream(AddressFamily::UNIX),
        "tcp" => TcpStream::connect(argument).map(drop),
        "udp" => UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", argument).map(drop),
        "start" => Command::new(argument).status().map(drop),
        "become" => Err(std::os::unix::process::CommandExt::exec(&mut Command::new(argument))),
        "thread" => match std::thread::Builder::new().spawn(|| ()) {
            Ok(thread) => thread.join().map_err(|_| io::Error::other("it died")),
            Err(error) => Err(error),
        },
        "signal-parent" => {
            let parent = getppid().ok_or_else(|| io::Error::other("no parent"))?;
            Ok(kill_process(parent, Signal::CONT)?)
        }
        "abort" => std::process::abort(),
        "memory" => {
            let bytes = argument.parse().map_err(io::Error::other)?;
            let mut much: Vec<u8> = Vec::new();
            much.try_reserve_exact(bytes).map_err(io::Error::other)
        }
        _ => Err(io::Error::other("no such probe")),
    }
}
