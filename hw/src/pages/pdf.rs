//! TIFF-F as PDF for mail clients: each page's coded strip goes in unchanged, so this
//! costs nothing and loses nothing. Damaged pages are coded again as they were repaired,
//! because viewers draw nothing below the first error; a bar in the margin shows where.
//! Words that somebody read from the pages lie over them unseen, to be searched for.
//!
//! The same pages and words make the same bytes.

mod alphabet;

use std::ops::Range;

use pdf_writer::{
    Content, Date, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr, types::TextRenderingMode,
};

use super::{
    ccitt::Coding,
    tiff::{CodedPage, File, TiffError},
    words::Word,
};
use alphabet::{Alphabet, CHAR_WIDTH, Piece};

const POINTS_PER_INCH: f32 = 72.0;
/// The longest side that viewers take, in points (ISO 32000-1 annex C.2).
const MAX_POINTS: f32 = 14_400.0;
/// The picture is a hair smaller than its page: a viewer that takes an edge on a border
/// of pixels for one more of them would draw it a pixel too wide.
const INSET: f32 = 0.001;
/// Who made it.
const PRODUCER: &str = "Postfax";
/// The bar beside bad lines: its place and width, its least height, and the gap that
/// makes two of one, in points.
const BAR: (f32, f32, f32, f32) = (1.5, 2.0, 1.5, 1.0);
/// Red, since nothing else on a fax is.
const BAR_COLOUR: (f32, f32, f32) = (0.85, 0.2, 0.15);

/// What a PDF says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// What viewers write above it.
    pub title: String,
    /// The language of the title (RFC 5646), and of the words for want of a better guess.
    pub language: String,
    /// When the fax was received.
    pub created: Option<Moment>,
    /// Names the pages: anything that other pages do not share.
    pub id: String,
}

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Year.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
}

/// A page to be put into a PDF.
#[derive(Debug)]
pub(super) struct Sheet<'a> {
    /// A page without damage.
    pub(super) page: CodedPage,
    /// Lines that were repaired.
    pub(super) bad: &'a [Range<u32>],
    /// What is written on it.
    pub(super) words: &'a [Word],
}

/// The pages of a TIFF-F file as PDF.
///
/// # Errors
/// [`TiffError`] when a page is no fax page. Damaged lines are no error.
pub fn wrap(file: &File) -> Result<Vec<u8>, TiffError> {
    let mut book = Book::new();
    for index in 0..file.pages().len() {
        let decoded = file.decode(index)?;
        let page = match decoded.damage.is_none() {
            true => file.coded(index)?,
            false => CodedPage::mmr(&decoded.page, file.pages()[index].density),
        };
        book.put(&Sheet { page, bad: &decoded.bad, words: &[] });
    }
    Ok(book.finish(&About::default()))
}

/// A PDF while it is written.
pub(super) struct Book {
    pdf: Pdf,
    next: i32,
    tree: Ref,
    pages: Vec<Ref>,
    alphabet: Alphabet,
    /// The fonts that have been used, by their number.
    fonts: Vec<Ref>,
}

impl Book {
    pub(super) fn new() -> Self {
        let (alphabet, fonts) = (Alphabet::default(), Vec::new());
        let tree = Ref::new(1);
        Self { pdf: Pdf::new(), next: 2, tree, pages: Vec::new(), alphabet, fonts }
    }

    fn object(&mut self) -> Ref {
        self.next += 1;
        Ref::new(self.next - 1)
    }

    pub(super) fn put(&mut self, sheet: &Sheet<'_>) {
        let page = &sheet.page;
        let points = |dots: u32, density: f32| dots as f32 / density * POINTS_PER_INCH;
        let (width, height) =
            (points(page.size.width(), page.density.x), points(page.size.lines(), page.density.y));
        let shrink = (MAX_POINTS / width.max(height)).min(1.0);
        let (width, height) = (width * shrink, height * shrink);
        let [own, content, picture] = [self.object(), self.object(), self.object()];
        self.pages.push(own);

        let mut drawing = Content::new();
        let (across, down) = (width - 2.0 * INSET, height - 2.0 * INSET);
        drawing.save_state().transform([across, 0.0, 0.0, down, INSET, INSET]);
        drawing.x_object(Name(b"P")).restore_state();
        draw_bars(&mut drawing, sheet, height);
        let fonts = self.write_words(&mut drawing, sheet.words, (width, height));
        self.pdf.stream(content, &drawing.finish());

        let mut dict = self.pdf.page(own);
        let area = Rect::new(0.0, 0.0, width, height);
        dict.parent(self.tree).media_box(area).contents(content);
        let mut resources = dict.resources();
        resources.x_objects().pair(Name(b"P"), picture);
        if !fonts.is_empty() {
            let mut named = resources.fonts();
            for font in fonts {
                named.pair(Name(&font_name(font)), self.fonts[font]);
            }
        }
        resources.finish();
        dict.finish();
        put_picture(&mut self.pdf, picture, page);
    }

    /// Lays the words over their places, unseen. The numbers of the fonts that it needs.
    fn write_words(
        &mut self,
        drawing: &mut Content,
        words: &[Word],
        (width, height): (f32, f32),
    ) -> Vec<usize> {
        if words.is_empty() {
            return Vec::new();
        }
        let mut used = Vec::new();
        drawing.begin_text().set_text_rendering_mode(TextRenderingMode::Invisible);
        for word in words {
            let size = (word.height * height).max(1.0);
            let count = word.text.chars().count().max(1) as f32;
            let scale = (word.width * width / (count * CHAR_WIDTH * size)).clamp(0.01, 100.0);
            // What reads from the right begins there, and goes on to the left.
            let (step, start) = match word.is_right_to_left() {
                true => (-scale, word.left + word.width),
                false => (scale, word.left),
            };
            let base = (1.0 - word.top - word.height) * height;
            drawing.set_text_matrix([step, 0.0, 0.0, 1.0, start * width, base]);
            // The space keeps words apart for whoever takes them out.
            for Piece { font, codes } in self.alphabet.spell(&format!("{} ", word.text)) {
                while self.fonts.len() <= font {
                    let object = self.object();
                    self.fonts.push(object);
                }
                if !used.contains(&font) {
                    used.push(font);
                }
                drawing.set_font(Name(&font_name(font)), size).show(Str(&codes));
            }
        }
        drawing.end_text();
        used
    }

    pub(super) fn finish(mut self, about: &About) -> Vec<u8> {
        let [catalog, info] = [self.object(), self.object()];
        let count = i32::try_from(self.pages.len()).unwrap_or(i32::MAX);
        self.pdf.pages(self.tree).kids(self.pages.iter().copied()).count(count);
        if !self.fonts.is_empty() {
            let blank = self.object();
            alphabet::put_glyph(&mut self.pdf, blank);
            for (number, font) in self.fonts.clone().into_iter().enumerate() {
                let map = self.object();
                self.alphabet.put_font(&mut self.pdf, number, [font, map, blank]);
            }
        }
        let mut root = self.pdf.catalog(catalog);
        root.pages(self.tree);
        if !about.language.is_empty() {
            root.lang(TextStr(&about.language));
        }
        if !about.title.is_empty() {
            root.viewer_preferences().display_doc_title(true);
        }
        root.finish();
        let mut said = self.pdf.document_info(info);
        said.producer(TextStr(PRODUCER));
        if !about.title.is_empty() {
            said.title(TextStr(&about.title));
        }
        if let Some(at) = about.created {
            said.creation_date(date(at));
        }
        said.finish();
        if !about.id.is_empty() {
            let id = about.id.clone().into_bytes();
            self.pdf.set_file_id((id.clone(), id));
        }
        self.pdf.finish()
    }
}

fn font_name(number: usize) -> Vec<u8> {
    format!("F{number}").into_bytes()
}

fn date(at: Moment) -> Date {
    let date = Date::new(at.year).month(at.month).day(at.day);
    date.hour(at.hour).minute(at.minute).second(at.second).utc_offset_hour(0).utc_offset_minute(0)
}

/// A bar in the left margin beside each stretch of repaired lines.
fn draw_bars(drawing: &mut Content, sheet: &Sheet<'_>, height: f32) {
    let (left, width, least, gap) = BAR;
    let lines = sheet.page.size.lines() as f32;
    let mut bars: Vec<(f32, f32)> = Vec::new();
    for bad in sheet.bad {
        let from = bad.start as f32 / lines * height;
        let to = (bad.end as f32 / lines * height).max(from + least);
        match bars.last_mut() {
            Some(last) if from - last.1 < gap => last.1 = to,
            _ => bars.push((from, to)),
        }
    }
    if bars.is_empty() {
        return;
    }
    let (red, green, blue) = BAR_COLOUR;
    drawing.set_fill_rgb(red, green, blue);
    for (from, to) in bars {
        drawing.rect(left, height - to, width, to - from);
    }
    drawing.fill_nonzero();
}

fn put_picture(pdf: &mut Pdf, picture: Ref, page: &CodedPage) {
    let mut image = pdf.image_xobject(picture, &page.bytes);
    image.width(page.size.width() as i32).height(page.size.lines() as i32);
    image.color_space().device_gray();
    image.bits_per_component(1);
    image.filter(Filter::CcittFaxDecode);
    // ISO 32000-1 table 11. Rows says where the page ends, so that it does not
    // matter whether the sender wrote RTC or EOFB.
    image
        .decode_parms()
        .k(match page.coding {
            Coding::Mmr => -1,
            Coding::Mr { .. } => 4,
            Coding::Mh { .. } | Coding::MhRows => 0,
        })
        .columns(page.size.width() as i32)
        .rows(page.size.lines() as i32)
        .end_of_line(matches!(page.coding, Coding::Mh { .. } | Coding::Mr { .. }))
        .encoded_byte_align(page.coding == Coding::MhRows)
        .end_of_block(false)
        .black_is_1(page.inverted);
}
