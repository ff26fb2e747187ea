//! The pages of all faxes of one mail: drawn once for all that want them alike, and a
//! cover for each that wants one. Pages that would hold a line too long are made again to
//! cost less.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use postfax_domain::{
    destination::FaxAddress,
    document::{Document, Paper, Resolution, Tone},
    names::ClientName,
    options::{Made, Remarks, Stepped, Wanted},
    time::Timestamp,
};
use postfax_hw::{
    pages::{Look, line_time::line_time},
    render::{self, RenderError, Rendered, Source},
};
use tokio::task::JoinSet;
use tracing::info;

use super::{
    Trouble,
    contents::{Contents, Form, Spooled},
    cover::Face,
};
use crate::{config::Config, daemon::Context};

/// Most covers that a mail client waits for before it is told yes.
pub const MAX_COVERS_AT_ONCE: usize = 10;
/// Most warnings that a sender is told.
const MAX_WARNINGS: usize = 10;
/// Longest of them, in characters.
const MAX_WARNING_CHARS: usize = 200;

/// A fax, as far as its pages depend on it.
#[derive(Debug, Clone)]
pub struct Fax {
    /// Whom it goes to.
    pub to: FaxAddress,
    /// What its pages are to be.
    pub wanted: Wanted,
    /// When it was taken.
    pub taken: Timestamp,
}

/// Where pages are made, and of what.
#[derive(Clone)]
pub struct Press {
    /// The daemon.
    pub context: Arc<Context>,
    /// The configuration.
    pub config: Arc<Config>,
    /// Who sends.
    pub client: ClientName,
    /// What is to be faxed.
    pub contents: Arc<Contents>,
}

/// What is drawn once for all faxes that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Order {
    look: Look,
    /// The text stands on the cover, so that a page of its own would say it again.
    on_cover: bool,
}

/// A document, and how it came to be.
#[derive(Clone)]
struct Drawn {
    document: Document,
    remarks: Remarks,
}

impl Drawn {
    /// How long the pages will hold a line, in seconds.
    fn line_s(&self) -> u64 {
        line_time(self.document.pages, self.document.bytes, None).as_secs()
    }
}

impl Press {
    /// The pages of these faxes, in their order, durable. The caller holds one of the
    /// converters.
    ///
    /// # Errors
    /// [`Trouble`]
    pub async fn pages(&self, faxes: &[Fax]) -> Result<Vec<Made>, Trouble> {
        let mut drawn: HashMap<Order, Drawn> = HashMap::new();
        let paged = faxes.iter().filter(|fax| self.has_pages(fax));
        let orders: HashSet<Order> = paged.map(|fax| self.order(fax)).collect();
        for order in orders {
            drawn.insert(order, self.fitted(order).await?);
        }
        let mut covers = self.covers(faxes, &drawn).await?.into_iter();
        let mut all = Vec::with_capacity(faxes.len());
        for fax in faxes {
            let cover = fax.wanted.cover.as_ref().and_then(|_| covers.next());
            let pages = drawn.get(&self.order(fax)).filter(|_| self.has_pages(fax)).cloned();
            let mut made = match (pages, cover) {
                (Some(Drawn { document, mut remarks }), Some(cover)) => {
                    add(&mut remarks.warnings, cover.remarks.warnings);
                    Made { document, cover: Some(cover.document), remarks }
                }
                (Some(only), None) | (None, Some(only)) => {
                    Made { document: only.document, cover: None, remarks: only.remarks }
                }
                (None, None) => return Err(Trouble::Nothing),
            };
            add(&mut made.remarks.warnings, not_taken(&fax.wanted));
            all.push(made);
        }
        Ok(all)
    }

    /// Whether anything is left besides its cover: a text alone stands on the cover, and
    /// no second page says it again. Where the template has no place for it, it follows.
    fn has_pages(&self, fax: &Fax) -> bool {
        self.contents.has_attachments() || !self.text_is_on_cover(fax)
    }

    fn text_is_on_cover(&self, fax: &Fax) -> bool {
        fax.wanted.cover.as_ref().is_some_and(|template| self.config.cover.has_message(template))
    }

    fn order(&self, fax: &Fax) -> Order {
        let on_cover = self.contents.has_page_of_text() && self.text_is_on_cover(fax);
        Order { look: look(&fax.wanted), on_cover }
    }

    /// The pages in this look, or in one that costs less where they would hold a line too
    /// long.
    async fn fitted(&self, order: Order) -> Result<Drawn, Trouble> {
        let asked = order.look;
        let most = self.config.convert.max_line_s;
        let (mut look, mut drawn) = (asked, self.draw(order).await?);
        let asked_s = drawn.line_s();
        while let Some(next) = cheaper(look).filter(|_| most > 0 && drawn.line_s() > most) {
            let mut other = self.draw(Order { look: next, ..order }).await?;
            // It is not pictures that they cost.
            if other.line_s() >= drawn.line_s() {
                break;
            }
            other.remarks.stepped = Some(Stepped {
                asked: asked.resolution,
                made: next.resolution,
                as_text: next.tone != asked.tone,
                line_s: asked_s,
            });
            info!(asked_s, resolution = next.resolution.as_str(), "made again to cost less");
            (look, drawn) = (next, other);
        }
        Ok(drawn)
    }

    async fn draw(&self, order: Order) -> Result<Drawn, Trouble> {
        in_best_form(self.contents.is_html(), |form| self.draw_as(form, order)).await
    }

    async fn draw_as(&self, form: Form, order: Order) -> Result<Drawn, Trouble> {
        let name = self.context.reader.documents.new_name();
        let (press, of) = (self.clone(), name.clone());
        let spooling = tokio::task::spawn_blocking(move || {
            let documents = &press.context.reader.documents;
            let place = |part: &str| documents.spool(&format!("{of}.{part}"));
            press.contents.spool(place, form, order.on_cover)
        });
        let spooled = spooling.await.map_err(|_| Trouble::Bug)??;
        self.render(spooled.sources(), order.look, &name).await
    }

    /// Draws these documents and keeps the pages.
    async fn render(&self, sources: &[Source], look: Look, name: &str) -> Result<Drawn, Trouble> {
        let documents = &self.context.reader.documents;
        let out = documents.spool(&format!("{name}.tif"));
        let limits = drawing_limits(&self.config);
        let renderer = self.context.renderer.load();
        let rendered = renderer.render(sources, look, &limits, &out).await?;
        documents.keep_document(&rendered.path, &rendered.digest)?;
        let Rendered { digest, pages, bytes, paper, warnings, .. } = rendered;
        let resolution = look.resolution;
        let mut remarks = Remarks::default();
        add(&mut remarks.warnings, warnings);
        Ok(Drawn { document: Document { digest, pages, resolution, paper, bytes }, remarks })
    }

    /// The covers of those faxes that have one, in their order. Equal ones are drawn once,
    /// as many at a time as there are converters.
    async fn covers(
        &self,
        faxes: &[Fax],
        drawn: &HashMap<Order, Drawn>,
    ) -> Result<Vec<Drawn>, Trouble> {
        let mut places: HashMap<(Face, Resolution), usize> = HashMap::new();
        let mut order = Vec::new();
        for fax in faxes {
            let Some(template) = &fax.wanted.cover else { continue };
            let of = drawn.get(&self.order(fax)).filter(|_| self.has_pages(fax));
            let after = of.map_or(0, |of| of.document.pages);
            let face = Face::of(self, fax, template, after);
            // A cover is as fine as what follows it.
            let resolution = of.map_or(fax.wanted.resolution, |of| of.document.resolution);
            let next = places.len();
            order.push(*places.entry((face, resolution)).or_insert(next));
        }
        let mut all: Vec<Option<Drawn>> = vec![None; places.len()];
        let mut at_work = JoinSet::new();
        for ((face, resolution), place) in places {
            if at_work.len() >= self.config.convert.parallel {
                self.collect(&mut at_work, &mut all).await?;
            }
            let press = self.clone();
            at_work.spawn(async move { (place, press.cover(face, resolution).await) });
        }
        while !at_work.is_empty() {
            self.collect(&mut at_work, &mut all).await?;
        }
        let covers = order.into_iter().map(|place| all[place].clone());
        covers.collect::<Option<Vec<_>>>().ok_or(Trouble::Bug)
    }

    /// The next cover that is drawn.
    async fn collect(
        &self,
        at_work: &mut JoinSet<(usize, Result<Drawn, Trouble>)>,
        all: &mut [Option<Drawn>],
    ) -> Result<(), Trouble> {
        let Some(done) = at_work.join_next().await else { return Ok(()) };
        let (place, drawn) = done.map_err(|_| Trouble::Bug)?;
        all[place] = Some(drawn?);
        Ok(())
    }

    async fn cover(&self, face: Face, resolution: Resolution) -> Result<Drawn, Trouble> {
        let is_html = self.contents.html().is_some();
        in_best_form(is_html, |form| self.draw_cover(face.clone(), form, resolution)).await
    }

    async fn draw_cover(
        &self,
        face: Face,
        form: Form,
        resolution: Resolution,
    ) -> Result<Drawn, Trouble> {
        let documents = &self.context.reader.documents;
        let name = documents.new_name();
        let path = documents.spool(&format!("{name}.cover"));
        let source =
            Source { path: path.clone(), name: "the cover".into(), kind: render::Kind::Cover };
        let spooled = Spooled::of(source);
        let press = self.clone();
        let writing =
            tokio::task::spawn_blocking(move || std::fs::write(path, face.written(&press, form)));
        writing.await.map_err(|_| Trouble::Bug)??;
        let look = Look { resolution, ..Look::default() };
        self.render(spooled.sources(), look, &name).await
    }
}

fn look(wanted: &Wanted) -> Look {
    Look { resolution: wanted.resolution, paper: wanted.paper, tone: wanted.tone }
}

/// The next look that costs less: coarser as long as there is one, then without dots for
/// pictures, which are most of what such pages cost.
fn cheaper(look: Look) -> Option<Look> {
    match look.resolution.coarser() {
        Some(resolution) => Some(Look { resolution, ..look }),
        None if look.tone != Tone::Text => Some(Look { tone: Tone::Text, ..look }),
        None => None,
    }
}

/// Draws as it is written; HTML that cannot be laid out, as its words.
///
/// # Errors
/// [`Trouble`] of the last drawing.
pub async fn in_best_form<T, D>(is_html: bool, draw: impl Fn(Form) -> D) -> Result<T, Trouble>
where
    D: Future<Output = Result<T, Trouble>>,
{
    match draw(Form::Written).await {
        Err(Trouble::Render(bad)) if is_html && is_of_document(&bad) => {
            info!(%bad, "HTML that cannot be laid out is drawn as its words");
            draw(Form::Words).await
        }
        drawn => drawn,
    }
}

/// What the configuration lets the drawing of one mail cost.
#[must_use]
pub fn drawing_limits(config: &Config) -> render::Limits {
    render::Limits {
        memory_bytes: config.convert.memory_mb << 20,
        cpu_s: config.convert.cpu_s,
        wall_s: config.convert.wall_s,
        max_pages: config.setup.limits.max_pages,
        max_input_bytes: config.intake.max_message_bytes,
    }
}

/// Whether the document itself is why it was not drawn.
fn is_of_document(bad: &RenderError) -> bool {
    !matches!(
        bad,
        RenderError::Local(_) | RenderError::Unconfined(_) | RenderError::TooManyPages { .. }
    )
}

/// What no fax server takes that may make the call.
fn not_taken(wanted: &Wanted) -> Vec<String> {
    let asked = [wanted.finer.map(Resolution::as_str), wanted.wider.map(Paper::as_str)];
    let say = |asked| format!("no fax server that may call there takes {asked}");
    asked.into_iter().flatten().map(say).collect()
}

fn add(warnings: &mut Vec<String>, more: Vec<String>) {
    for warning in more {
        let warning: String = warning.chars().take(MAX_WARNING_CHARS).collect();
        if warnings.len() < MAX_WARNINGS && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_get_coarser_before_their_pictures_go() {
        let mut look = Look { resolution: Resolution::Superfine, ..Look::default() };
        let mut steps = Vec::new();
        while let Some(next) = cheaper(look) {
            steps.push((next.resolution, next.tone));
            look = next;
        }
        let (fine, standard) = (Resolution::Fine, Resolution::Standard);
        assert_eq!(steps, [(fine, Tone::Auto), (standard, Tone::Auto), (standard, Tone::Text)]);
    }

    #[test]
    fn a_sender_is_told_a_few_things_once() {
        let mut told = vec!["a.pdf: one".to_owned()];
        let more = (0..40).map(|n| format!("a.pdf: {n} {}", "x".repeat(300)));
        add(&mut told, more.chain(["a.pdf: one".to_owned()]).collect());
        assert_eq!(told.len(), MAX_WARNINGS);
        assert!(told.iter().all(|one| one.chars().count() <= MAX_WARNING_CHARS));
    }
}
