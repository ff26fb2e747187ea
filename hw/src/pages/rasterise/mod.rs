//! Foreign documents to canonical bi-level pages. Runs in the confined child
//! only: what these decoders are fed may be made to harm. It reads memory and
//! gives pages; it opens nothing.

mod density;
mod pdf;
mod picture;
mod text;
mod tiff;

use postfax_domain::document::Resolution;
use serde::{Deserialize, Serialize};

use super::{
    Look,
    bilevel::bilevel,
    bitmap::{Bitmap, Size},
    gray::Gray,
    kind::Kind,
    sheet::{self, Inches, Placement, WIDTH},
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
    /// A document says how many pages it will have before it draws the first.
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
    let resolution = look.resolution;
    match kind {
        Kind::Pdf => pdf::draw(bytes, resolution, sink),
        Kind::Tiff => tiff::draw(bytes, resolution, sink),
        Kind::Text => text::draw(&bytes, resolution, sink),
        Kind::Svg | Kind::Heif | Kind::Html | Kind::Office | Kind::Cover => {
            Err(Refusal::Unsupported(format!("{kind:?} cannot be drawn")))
        }
        Kind::Png | Kind::Jpeg | Kind::Gif | Kind::Webp | Kind::Bmp => {
            picture::draw(kind, &bytes, resolution, sink)
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
    sink.page(&lay(page, size, look.resolution)?);
    Ok(())
}

/// Lays a grey picture of a known true size on a sheet and makes it bi-level.
fn lay(picture: &Gray, size: Inches, resolution: Resolution) -> Result<Bitmap, Refusal> {
    let place = sheet::place(size, resolution);
    let turned;
    let picture = if place.turned {
        turned = picture.turned();
        &turned
    } else {
        picture
    };
    on_sheet(&picture.scaled(place.width, place.height), &place, resolution)
}

/// Bi-level first and laid on the sheet then: grey paper beside the sheet's
/// white would look like ink.
fn on_sheet(gray: &Gray, place: &Placement, resolution: Resolution) -> Result<Bitmap, Refusal> {
    let part = bilevel(gray, resolution.lines_per_inch()).ok_or(Refusal::TooLarge)?;
    let size = Size::new(WIDTH, place.lines).ok_or(Refusal::TooLarge)?;
    let mut page = Bitmap::white(size);
    page.lay(&part, place.left, place.top);
    Ok(page)
}

#[cfg(test)]
mod tests;
