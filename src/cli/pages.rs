//! `postfax pages`: what documents will look like as a fax, before one is sent. The parts
//! worth faxing are found and drawn as those of a mail are; nothing is kept, no daemon is
//! asked, and no configuration is needed.

mod braille;
mod figures;
mod input;
mod words;
mod write;

use std::{
    io::{self, IsTerminal as _},
    path::Path,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use postfax_hw::{
    pages::{
        Look,
        tiff::{self, CodedPage, TiffError},
    },
    render::{Limits, Progress, RenderError, Renderer, Source, Tools},
};

use self::{
    figures::{Document, Report},
    input::Input,
};
use super::{Exit, Failure, args::pages::Pages, ask, render::clean};
use crate::{
    config::{self, ReplyQuote},
    prepare::{self, Contents, Trouble},
};

/// How often it is said how far a document is; what is drawn sooner needs no word.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How the configuration has pages made; what it would say by itself where there is none.
struct Making {
    renderer: Renderer,
    look: Look,
    limits: Limits,
    quotes: ReplyQuote,
}

/// A document that was read, and its pages where it has any.
struct Drawn {
    document: Document,
    pages: Vec<CodedPage>,
}

/// Makes the pages and tells of them.
///
/// # Errors
/// [`Failure`] when a document cannot be read or the pages cannot be written. That one
/// would be refused is none: it is told.
pub(crate) fn run(config: &Path, asked: &Pages) -> Result<Exit, Failure> {
    let out = asked.out.as_deref().map(write::Target::of).transpose()?;
    let progress = Arc::new(Progress::default());
    let making = making(config, asked, &progress)?;
    let folder = tempfile::tempdir().map_err(|error| Failure::file("a folder", &error))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Bug, error.to_string()))?;
    let mut all = Vec::with_capacity(asked.files.len());
    for (number, path) in asked.files.iter().enumerate() {
        let input = Input::read(path, making.limits.max_input_bytes)?;
        let home = folder.path().join(number.to_string());
        std::fs::create_dir(&home).map_err(|error| Failure::file(home.display(), &error))?;
        let name = input.name.clone();
        let drawing = watched(&progress, &name, draw(&making, input, &home));
        all.push(runtime.block_on(drawing)?);
    }
    let pages: Vec<CodedPage> = all.iter().flat_map(|one| one.pages.iter().cloned()).collect();
    let written = match &out {
        Some(target) if !pages.is_empty() => target.write(&pages)?,
        _ => Vec::new(),
    };
    let report = Report::of(making.look, all.iter().map(|one| &one.document), written);
    let exit = if report.is_refused() { Exit::No } else { Exit::Ok };
    if out.is_some_and(|target| target.is_output()) {
        eprint!("{}", words::of(&ask::view(), &report, |_| None));
        return Ok(exit);
    }
    if asked.output.json {
        let json = serde_json::to_string(&report).expect("figures and texts are JSON");
        ask::print(&format!("{json}\n"))?;
        return Ok(exit);
    }
    let width = preview_width(asked);
    let drawn = |at: usize| {
        let pages = &all[at].pages[..];
        let shown = if asked.preview { pages } else { &pages[..pages.len().min(1)] };
        width.map(|width| shown.iter().map(|page| braille::of(page, width)).collect())
    };
    ask::print(&words::of(&ask::view(), &report, drawn))?;
    Ok(exit)
}

/// Columns of the pictures; `None` where none are to be drawn.
fn preview_width(asked: &Pages) -> Option<usize> {
    let terminal = io::stdout().is_terminal();
    let wanted = asked.preview || (terminal && !asked.no_preview);
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| terminal);
    wanted.then(|| size.map_or(braille::USUAL_COLUMNS, |size| usize::from(size.ws_col)))
}

fn making(config: &Path, asked: &Pages, progress: &Arc<Progress>) -> Result<Making, Failure> {
    let exe = std::env::current_exe();
    let exe = exe.map_err(|error| Failure::file("the program itself", &error))?;
    let look = Look { paper: asked.paper, tone: asked.tone, ..Look::default() };
    let mut making = match config::load(config) {
        Ok(config) => Making {
            renderer: prepare::renderer(&config, &exe),
            look: Look { resolution: config.convert.resolution, ..look },
            limits: prepare::drawing_limits(&config),
            quotes: config.convert.reply_quote,
        },
        Err(_) => {
            // One that is there and not as it should be is not passed over in silence.
            if std::fs::File::open(config).is_ok() {
                eprintln!("{}: not good, so nothing is taken from it", config.display());
            }
            let renderer = Renderer::with_tools(exe, Tools::find());
            Making { renderer, look, limits: Limits::default(), quotes: ReplyQuote::default() }
        }
    };
    making.renderer = making.renderer.with_progress(progress.clone());
    making.look.resolution = asked.resolution.unwrap_or(making.look.resolution);
    Ok(making)
}

/// Does the work, and says on a terminal how far it is.
async fn watched<T>(progress: &Progress, name: &str, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let mut work = pin!(work);
    let mut shown = false;
    loop {
        match tokio::time::timeout(LOOK_EVERY, &mut work).await {
            Ok(done) => {
                if shown {
                    eprint!("\r\x1b[K");
                }
                return done;
            }
            Err(_) => {
                let (drawn, pages) = (progress.drawn(), progress.pages());
                eprint!("\r\x1b[K{}: page {} of {pages}", clean(name), (drawn + 1).min(pages));
                shown = true;
            }
        }
    }
}

/// Finds the parts of a document and has them drawn in `home`.
async fn draw(making: &Making, input: Input, home: &Path) -> Result<Drawn, Failure> {
    let Input { name, mail } = input;
    let mut document = Document::new(name);
    let mut pages = Vec::new();
    match parts(mail, making, home, &mut document).await {
        Ok((warnings, coded)) => {
            document.warnings = warnings;
            pages = coded;
        }
        Err(Trouble::Disk) => {
            let words = format!("{}: the parts could not be written", home.display());
            return Err(Failure::new(Exit::File, words));
        }
        Err(Trouble::Render(RenderError::Local(error))) => {
            return Err(Failure::file(home.display(), &error));
        }
        Err(refused) => document.refused = Some(refused.to_string()),
    }
    document.pages = figures::of(&pages);
    Ok(Drawn { document, pages })
}

/// The pages of a mail. HTML that cannot be laid out is drawn as its words, as it is when
/// it is sent.
async fn parts(
    mail: Vec<u8>,
    making: &Making,
    home: &Path,
    document: &mut Document,
) -> Result<(Vec<String>, Vec<CodedPage>), Trouble> {
    let contents = Contents::of(prepare::parse(mail)?, making.quotes)?;
    document.parts = contents.titles();
    let of = &contents;
    prepare::in_best_form(contents.is_html(), |form| async move {
        let spooled = of.spool(|part| home.join(part), form, false)?;
        rendered(making, spooled.sources(), home).await
    })
    .await
}

async fn rendered(
    making: &Making,
    sources: &[Source],
    home: &Path,
) -> Result<(Vec<String>, Vec<CodedPage>), Trouble> {
    let out = home.join("pages.tif");
    let Making { renderer, look, limits, .. } = making;
    let rendered = renderer.render(sources, *look, limits, &out).await?;
    let read = || -> Result<Vec<CodedPage>, TiffError> {
        let file = tiff::read(&rendered.path)?;
        (0..file.pages().len()).map(|index| file.coded(index)).collect()
    };
    Ok((rendered.warnings.clone(), read().map_err(|_| Trouble::Bug)?))
}
