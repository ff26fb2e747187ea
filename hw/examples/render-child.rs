//! The render child without the daemon, for tests; and, given files, a way to
//! look at their pages: `render-child draw OUT.tif FILE...` prints what it cost.

use std::{
    error::Error,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use postfax_domain::document::Resolution;
use postfax_hw::{
    pages::{self, Look, line_time::line_time},
    render::{CHILD_ARGUMENT, Kind, Limits, Renderer, Source, child_main},
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [CHILD_ARGUMENT, ..] => child_main(),
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
    let renderer = Renderer::new(exe);
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
