//! One document to pages: by our own drawing in a child of its own; where that cannot,
//! by a program of others and then the child.

use std::{io, path::Path};

use tokio::{
    io::{AsyncRead, AsyncWriteExt},
    process::ChildStdin,
    time::Instant,
};

use super::{
    Conversion, Kind, Limits, RenderError, Renderer, Source, Tool,
    answer::{Answer, Budget, Drawn, End},
    cell::Sort,
    convert::{Desk, Foreign, convert, failed},
    protocol::{Input, Request, header},
    running::{Running, died, last_words},
};
use crate::pages::{Look, rasterise::Refusal, sheet};

/// What all documents of a call have in common.
pub(super) struct Call<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) look: Look,
    pub(super) limits: &'a Limits,
    pub(super) deadline: Instant,
    pub(super) budget: &'a Budget,
    /// Font files.
    pub(super) fonts: &'a [Vec<u8>],
    /// Threads that each child may draw with.
    pub(super) threads: u32,
}

/// Why a child drew nothing.
enum Failure {
    Refused(Refusal),
    Other(RenderError),
}

impl Failure {
    fn named(self, name: &str) -> RenderError {
        match self {
            Self::Refused(refusal) => RenderError::refused(refusal, name.to_owned()),
            Self::Other(error) => error,
        }
    }

    /// Whether another program may do better.
    fn has_second_chance(&self) -> bool {
        match self {
            Self::Refused(Refusal::Unsupported(_) | Refusal::Lossy(_) | Refusal::Broken(_)) => true,
            Self::Refused(_) => false,
            Self::Other(error) => matches!(error, RenderError::Crashed { .. }),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Other(error.into())
    }
}

impl Call<'_> {
    /// Draws a document, which has so many bytes.
    pub(super) async fn draw(&self, source: &Source, bytes: u64) -> Result<Drawn, RenderError> {
        let name = &source.name;
        match source.kind {
            Kind::Pdf => {
                let first = self.draw_file(source, bytes).await;
                self.or_poppler(first, name, async || tokio::fs::read(&source.path).await).await
            }
            Kind::Office => {
                let extension = extension(name);
                let pdf = self.convert(source, &Conversion::OfficeToPdf { extension }).await?;
                let first = self.draw_bytes(name, Kind::Pdf, &pdf).await;
                self.or_poppler(first, name, async || Ok(pdf)).await
            }
            Kind::Heif => {
                let png = self.convert(source, &Conversion::HeifToPng).await?;
                self.draw_bytes(name, Kind::Png, &png).await.map_err(|f| f.named(name))
            }
            _ => self.draw_file(source, bytes).await.map_err(|failure| failure.named(name)),
        }
    }

    async fn convert(&self, source: &Source, to: &Conversion) -> Result<Vec<u8>, RenderError> {
        let bytes = tokio::fs::read(&source.path).await?;
        let document = Foreign { bytes: &bytes, name: &source.name };
        convert(self.renderer, to, document, self.limits, self.deadline).await
    }

    async fn draw_file(&self, source: &Source, bytes: u64) -> Result<Drawn, Failure> {
        let file = tokio::fs::File::open(&source.path).await?;
        let input = Input::Document { kind: source.kind, bytes };
        // A file that grows meanwhile must not become the fonts' start.
        let file = tokio::io::AsyncReadExt::take(file, bytes);
        self.child(&source.name, input, file).await
    }

    async fn draw_bytes(&self, name: &str, kind: Kind, bytes: &[u8]) -> Result<Drawn, Failure> {
        self.child(name, Input::Document { kind, bytes: bytes.len() as u64 }, bytes).await
    }

    /// What our own drawing made of a PDF, unless it is worse than what poppler makes.
    async fn or_poppler(
        &self,
        first: Result<Drawn, Failure>,
        name: &str,
        pdf: impl AsyncFnOnce() -> io::Result<Vec<u8>>,
    ) -> Result<Drawn, RenderError> {
        let poor = match &first {
            Ok(drawn) => drawn.blank,
            Err(failure) => failure.has_second_chance(),
        };
        if !poor || self.renderer.tools.path(Tool::Pdftoppm).is_none() {
            return first.map_err(|failure| failure.named(name));
        }
        let pdf = pdf().await?;
        if let Ok(blank) = &first {
            // Blank pages count as none, whether they are drawn again or not.
            self.budget.give_back(blank);
        }
        match self.poppler(name, &pdf).await {
            Ok(second) if !second.pages.is_empty() => Ok(second),
            Err(
                error @ (RenderError::TooManyPages { .. }
                | RenderError::TooLarge
                | RenderError::TimedOut { .. }),
            ) => Err(error),
            Ok(_) | Err(_) => first.map_err(|failure| failure.named(name)),
        }
    }

    /// Grey pages go from poppler to the child as they come: neither the memory nor the
    /// disk ever holds all of them.
    async fn poppler(&self, name: &str, pdf: &[u8]) -> Result<Drawn, RenderError> {
        let density = sheet::density(self.look.resolution);
        let (across, down) = (density.x as u32, density.y as u32);
        let pages = Conversion::PdfToPages {
            dots_per_inch: across,
            lines_per_inch: down,
            first: 1,
            last: self.limits.max_pages.saturating_add(1),
        };
        let document = Foreign { bytes: pdf, name };
        let desk = Desk::lay(self.renderer, &pages, document, self.limits).await?;
        let mut poppler = desk.start(&self.renderer.exe)?;
        let (grey, stderr) = (poppler.stdout()?, poppler.stderr()?);
        let drawing = async {
            let drawn = self.child(name, Input::Grey { across, down }, grey).await;
            if drawn.is_err() {
                // Nobody wants its pages any more, and it may not notice for long.
                let _ = poppler.end().await;
            }
            drawn
        };
        let (drawn, words) = tokio::join!(drawing, last_words(stderr));
        let drawn = drawn.map_err(|failure| failure.named(name))?;
        let status = poppler.gone().await?;
        if !status.success() {
            return Err(failed(status, name, Tool::Pdftoppm, &words));
        }
        Ok(drawn)
    }

    async fn child(
        &self,
        name: &str,
        input: Input,
        from: impl AsyncRead + Unpin,
    ) -> Result<Drawn, Failure> {
        let fonts = match input {
            Input::Document { kind, .. } if needs_fonts(kind) => self.fonts,
            _ => &[],
        };
        let request = Request {
            look: self.look,
            max_pages: self.limits.max_pages,
            threads: self.threads,
            input,
            fonts: fonts.iter().map(|font| font.len() as u64).collect(),
        };
        let request = header(&request)?;
        let cell = self.renderer.cell(Sort::Draw, self.limits, self.threads, None);
        let mut running = Running::start(&self.renderer.exe, &cell)?;
        let (stdin, stdout) = (running.stdin()?, running.stdout()?);
        let stderr = running.stderr()?;
        let mut answer = Answer::new(self.budget, sheet::density(self.look.resolution));
        let feeding = async {
            // A child that refuses early closes its end; its answer says why.
            let _ = feed(stdin, &request, from, fonts).await;
            std::future::pending::<End>().await
        };
        let taking = async {
            let end = tokio::select! {
                end = answer.take(stdout) => end,
                end = feeding => end,
            };
            if matches!(end, End::Over(_)) {
                let _ = running.end().await;
            }
            end
        };
        let talk = async { tokio::join!(taking, last_words(stderr)) };
        let Ok((end, words)) = tokio::time::timeout_at(self.deadline, talk).await else {
            running.end().await?;
            return Err(Failure::Other(RenderError::TimedOut { name: name.to_owned() }));
        };
        let status = running.gone().await?;
        match end {
            End::Done { blank } => Ok(answer.keep(blank)),
            End::Refused(refusal) => Err(Failure::Refused(refusal)),
            End::Over(error) => Err(Failure::Other(error)),
            End::Silent(error) => {
                tracing::warn!(%status, %error, words, "the render child died");
                let crashed = || RenderError::Crashed { name: name.to_owned() };
                Err(Failure::Other(died(status, name, &words).unwrap_or_else(crashed)))
            }
        }
    }
}

async fn feed(
    mut to: ChildStdin,
    request: &[u8],
    mut from: impl AsyncRead + Unpin,
    fonts: &[Vec<u8>],
) -> io::Result<()> {
    to.write_all(request).await?;
    tokio::io::copy(&mut from, &mut to).await?;
    for font in fonts {
        to.write_all(font).await?;
    }
    to.shutdown().await
}

/// Only what sets text needs fonts; a PDF brings its own.
pub(super) fn needs_fonts(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Html | Kind::Cover)
}

fn extension(name: &str) -> String {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default().to_owned()
}
