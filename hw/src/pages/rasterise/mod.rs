//! Foreign documents to canonical bi-level pages. Runs in the confined child
//! only: what these decoders are fed may be made to harm. It reads memory and
//! gives pages; it opens nothing.

mod cover;
mod density;
pub(crate) mod embedded;
mod forms;
mod html;
mod pdf;
mod picture;
mod svg;
mod text;
mod threads;
mod tiff;
mod tiff_picture;

use serde::{Deserialize, Serialize};

use super::{
    Look,
    bilevel::bilevel,
    bitmap::{Bitmap, Size},
    gray::Gray,
    kind::Kind,
    sheet::{self, Inches, Placement},
};

/// Why a document does not become pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It is sound, but nothing here can draw it; says what it has.
    #[error("{0}")]
    Unsupported(String),
    /// Our own drawing would lose something that another program would draw; says what.
    #[error("{0}")]
    Lossy(String),
    /// It is damaged, or not what it claims to be; says why.
    #[error("{0}")]
    Broken(String),
    /// It asks for a password.
    #[error("protected by a password")]
    Encrypted,
    /// It has more pages than a fax may have.
    #[error("{pages} pages, limit {limit}")]
    TooManyPages {
        /// Pages of all documents up to and with this one.
        pages: u32,
        /// The most that a fax may have.
        limit: u32,
    },
    /// Bytes or pixels beyond the limits.
    #[error("too large")]
    TooLarge,
}

/// Where pages and warnings go as they are made.
pub trait Sink {
    /// A document says how many pages it will have before it draws the first, and
    /// again how many more, when one of them turns out to need several sheets.
    ///
    /// # Errors
    /// [`Refusal::TooManyPages`]
    fn announce(&mut self, pages: usize) -> Result<(), Refusal>;

    /// The next page.
    fn page(&mut self, page: &Bitmap);

    /// Something that the sender should know though the fax goes out.
    fn warn(&mut self, text: String);

    /// How many threads may draw the pages of one document.
    fn threads(&self) -> usize {
        1
    }
}

/// Draws all pages of a document.
///
/// # Errors
/// [`Refusal`]; a document becomes pages whole or not at all.
pub fn rasterise(
    kind: Kind,
    bytes: Vec<u8>,
    look: Look,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    match kind {
        Kind::Pdf => pdf::draw(bytes, look, sink),
        Kind::Tiff => tiff::draw(bytes, look, sink),
        Kind::Svg => svg::draw(&bytes, look, sink),
        Kind::Text => text::draw(&bytes, look.resolution, &[], sink),
        Kind::Html => html::draw(&bytes, look.resolution, &[], sink),
        Kind::Cover => cover::draw(&bytes, look.resolution, &[], sink),
        Kind::Heif | Kind::Office => Err(Refusal::Unsupported(format!("{kind:?} cannot be drawn"))),
        Kind::Png | Kind::Jpeg | Kind::Gif | Kind::Webp | Kind::Bmp | Kind::Pnm | Kind::Ico => {
            picture::draw(kind, &bytes, look, sink)
        }
    }
}

/// Lays a grey page that another program has drawn, so many dots an inch across and down.
/// One page was announced for it.
///
/// # Errors
/// [`Refusal::TooLarge`]
pub fn grey_page(
    page: &Gray,
    (across, down): (u32, u32),
    look: Look,
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let size = Inches {
        width: f64::from(page.width()) / f64::from(across),
        height: f64::from(page.height()) / f64::from(down),
    };
    lay(page, size, look, sink)
}

/// Lays a grey picture of a known true size on a sheet and makes it bi-level; a roll
/// goes on several. One page was announced for it.
fn lay(picture: &Gray, size: Inches, look: Look, sink: &mut dyn Sink) -> Result<(), Refusal> {
    let places = sheet::place(size, look);
    if places.len() > 1 {
        sink.announce(places.len() - 1)?;
    }
    let turned;
    let picture = match places.first() {
        Some(place) if place.turned => {
            turned = picture.turned();
            &turned
        }
        _ => picture,
    };
    for place in &places {
        let page = if places.len() == 1 {
            on_sheet(&picture.scaled(place.width, place.height), place, look)?
        } else {
            let rows = f64::from(picture.height()) / size.height;
            let first = (place.skipped * rows) as u32;
            let part = picture.rows(first, (place.shown * rows).ceil() as u32);
            on_sheet(&part.scaled(place.width, place.height), place, look)?
        };
        sink.page(&page);
    }
    Ok(())
}

/// Bi-level first and laid on the sheet then: grey paper beside the sheet's
/// white would look like ink.
fn on_sheet(gray: &Gray, place: &Placement, look: Look) -> Result<Bitmap, Refusal> {
    let part = bilevel(gray, look).ok_or(Refusal::TooLarge)?;
    let size = Size::new(place.across, place.lines).ok_or(Refusal::TooLarge)?;
    let mut page = Bitmap::white(size);
    page.lay(&part, place.left, place.top);
    Ok(page)
}

#[cfg(test)]
mod tests;
