//! The typesetter: blocks to strips of a galley.

use std::{borrow::Cow, collections::BTreeSet};

use parley::{
    Alignment, AlignmentOptions, FontContext, FontStyle, FontWeight, GenericFamily, Layout,
    LayoutContext, Line, LineHeight, OverflowWrap, PositionedLayoutItem, StyleProperty,
};
use postfax_domain::document::Resolution;

use super::{
    Align, Block, Full, Galley, Inset, LEADING, Style, Text, fonts,
    galley::Ink,
    glyphs::Glyphs,
    picture,
    sheets::{Form, Length, MARGIN_IN},
};
use crate::pages::rasterise::{Refusal, Sink};

/// Bytes of a paragraph that are laid out at once. A longer one is broken here as well,
/// so that memory keeps its bounds.
const MAX_PARAGRAPH_BYTES: usize = 8 << 10;
/// Missing characters that are named in the warning.
const MAX_NAMED: usize = 10;
/// Narrower than this nothing is laid out, in sizes of the font.
const NARROWEST: f32 = 2.0;
/// Smallest size that fixed-width text shrinks to.
const SMALLEST_PT: f32 = 7.0;
/// Advance of a fixed-width letter, in sizes of the font.
const FIXED_ADVANCE: f32 = 0.602_1;
/// Thickness of the line beside what is quoted.
const BAR_PT: f32 = 1.0;
/// Blocks inside of blocks.
const MAX_DEPTH: usize = 24;

/// How points become dots.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) dots_per_in: f32,
    pub(super) lines_per_in: u32,
}

impl Scale {
    pub(super) fn dots(self, pt: f32) -> f32 {
        pt * self.dots_per_in / 72.0
    }

    /// Of A4 with the usual margins, in dots.
    pub(super) fn page_height(self) -> f32 {
        (297.0 / 25.4 - 2.0 * MARGIN_IN) * self.dots_per_in
    }
}

/// The part of a galley's width that a block may take, in dots.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) left: f32,
    pub(super) width: f32,
    /// Where lines run down beside it, and the strip that they begin at.
    bars: Vec<(f32, usize)>,
    depth: usize,
}

impl Frame {
    /// A part of this one.
    pub(super) fn part(&self, left: f32, width: f32) -> Self {
        Self { left: self.left + left, width, bars: self.bars.clone(), depth: self.depth + 1 }
    }
}

/// Sets blocks at one resolution, with its fonts and the glyphs it has drawn.
pub(crate) struct Typesetter {
    pub(super) scale: Scale,
    pub(super) glyphs: Glyphs,
    pub(super) pictures: picture::Budget,
    fonts: FontContext,
    scratch: LayoutContext<()>,
    /// What stands beside the next line, and where.
    marker: Option<(f32, Text)>,
    missing: BTreeSet<char>,
}

impl Typesetter {
    /// `fonts` are files of fonts for letters that the binary's own lack.
    pub(crate) fn new(fonts: &[Vec<u8>], resolution: Resolution) -> Self {
        let dots = resolution.dots_per_inch() as f32;
        let lines = resolution.lines_per_inch();
        Self {
            scale: Scale { dots_per_in: dots, lines_per_in: lines },
            glyphs: Glyphs::new(lines as f32 / dots),
            pictures: picture::Budget::default(),
            fonts: fonts::collection(fonts),
            scratch: LayoutContext::new(),
            marker: None,
            missing: BTreeSet::new(),
        }
    }

    /// An empty galley.
    pub(crate) fn galley(&self) -> Galley {
        Galley::new(self.scale)
    }

    /// Blocks on A4 with the usual margins, as pages; with a warning of what is missing.
    ///
    /// # Errors
    /// [`Refusal`]
    pub(crate) fn run(
        &mut self,
        blocks: impl Iterator<Item = Block>,
        resolution: Resolution,
        sink: &mut dyn Sink,
    ) -> Result<(), Refusal> {
        let form = Form::new(resolution, Length::A4, None);
        let mut galley = self.galley();
        let mut done = Ok(());
        for block in blocks {
            done = self.add(&mut galley, &block, form.width);
            if done.is_err() {
                break;
            }
        }
        self.print(done.map(|()| &galley), form, sink)?;
        self.warn(sink);
        Ok(())
    }

    /// Tells what could not be drawn.
    pub(crate) fn warn(&self, sink: &mut dyn Sink) {
        if !self.missing.is_empty() {
            let named = self.missing.iter().take(MAX_NAMED);
            let named: Vec<String> = named.map(|c| format!("{c} (U+{:04X})", *c as u32)).collect();
            sink.warn(format!("no glyph for {}", named.join(", ")));
        }
        for problem in self.pictures.problems() {
            sink.warn(problem);
        }
    }

    /// Adds a block that is as wide as it may be.
    ///
    /// # Errors
    /// [`Full`]
    pub(crate) fn add(
        &mut self,
        galley: &mut Galley,
        block: &Block,
        width: f32,
    ) -> Result<(), Full> {
        self.block(galley, block, &Frame { width, ..Frame::default() })
    }

    pub(super) fn block(
        &mut self,
        galley: &mut Galley,
        block: &Block,
        frame: &Frame,
    ) -> Result<(), Full> {
        match block {
            Block::Text(text) => self.text(galley, text, frame),
            Block::Rule { thick_pt } => {
                let height = self.scale.dots(*thick_pt);
                galley.mark(frame.left, 0.0, Ink::Box { width: frame.width, height });
                self.close(galley, frame, height, false)
            }
            Block::Space { height_pt } => {
                galley.space(self.scale.dots(*height_pt));
                Ok(())
            }
            Block::Part { height_pt } => {
                galley.part(self.scale.dots(*height_pt));
                Ok(())
            }
            Block::Picture(picture) => self.picture(galley, picture, frame),
            Block::Table(table) => self.table(galley, table, frame),
            Block::PageBreak => {
                galley.break_page();
                Ok(())
            }
            Block::Inset(inset) => self.inset(galley, inset, frame),
        }
    }

    fn inset(&mut self, galley: &mut Galley, inset: &Inset, frame: &Frame) -> Result<(), Full> {
        let mut left = self.scale.dots(inset.left_pt);
        if frame.depth > MAX_DEPTH || frame.width - left < self.scale.dots(60.0) {
            left = 0.0;
        }
        let mut inner = frame.part(left, frame.width - left);
        if inset.bar && left > 0.0 {
            inner.bars.push((frame.left + left * 0.4, galley.strips.len()));
        }
        if !inset.marker.is_empty() {
            let style = inset.blocks.iter().find_map(|block| match block {
                Block::Text(text) => Some(Style { underline: false, ..text.style() }),
                _ => None,
            });
            let marker = Text::new(inset.marker.as_str(), style.unwrap_or_default());
            self.marker = Some((inner.left, marker));
        }
        for block in &inset.blocks {
            self.block(galley, block, &inner)?;
        }
        self.marker = None;
        Ok(())
    }

    /// Ends a strip, with the lines beside it.
    pub(super) fn close(
        &mut self,
        galley: &mut Galley,
        frame: &Frame,
        height: f32,
        keep: bool,
    ) -> Result<(), Full> {
        let width = self.scale.dots(BAR_PT);
        for (left, first) in &frame.bars {
            let above = if galley.strips.len() > *first { galley.due() } else { 0.0 };
            galley.mark(*left, -above, Ink::Box { width, height: height + above });
        }
        galley.close(height, keep)
    }

    fn text(&mut self, galley: &mut Galley, text: &Text, frame: &Frame) -> Result<(), Full> {
        let text = self.shrunk(text, frame.width);
        let mut rest = Some(text.clone());
        while let Some(all) = rest.take() {
            let (part, after) = split(all);
            rest = after;
            let mut layout = self.lay(&part);
            let narrowest = self.scale.dots(part.style().size_pt) * NARROWEST;
            layout.break_all_lines(Some(frame.width.max(narrowest)));
            layout.align(alignment(text.align), AlignmentOptions::default());
            let lines = layout.len();
            for (index, line) in layout.lines().enumerate() {
                let alone = lines > 1 && (index == 0 || index + 2 == lines);
                self.line(galley, &part, &line, frame, text.heading || alone)?;
            }
        }
        Ok(())
    }

    /// The text in a size in which its longest line fits.
    fn shrunk<'a>(&self, text: &'a Text, width: f32) -> Cow<'a, Text> {
        if !text.shrinks {
            return Cow::Borrowed(text);
        }
        let columns = text.text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let fitting = width * 72.0 / self.scale.dots_per_in / (columns as f32 * FIXED_ADVANCE);
        if fitting >= text.style().size_pt {
            return Cow::Borrowed(text);
        }
        let mut text = text.clone();
        for (_, style) in &mut text.runs {
            style.size_pt = fitting.clamp(SMALLEST_PT.min(style.size_pt), style.size_pt);
        }
        Cow::Owned(text)
    }

    /// Shapes a paragraph; its lines are not broken yet.
    pub(super) fn lay(&mut self, text: &Text) -> Layout<()> {
        let mut builder = self.scratch.ranged_builder(&mut self.fonts, &text.text, 1.0, false);
        builder.push_default(GenericFamily::SansSerif);
        builder.push_default(StyleProperty::FontSize(self.scale.dots(text.style().size_pt)));
        builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(LEADING)));
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::BreakWord));
        let mut start = 0;
        for (end, style) in &text.runs {
            let range = start..*end;
            start = *end;
            builder.push(StyleProperty::FontSize(self.scale.dots(style.size_pt)), range.clone());
            if style.fixed {
                builder.push(GenericFamily::Monospace, range.clone());
            }
            if style.bold {
                builder.push(StyleProperty::FontWeight(FontWeight::BOLD), range.clone());
            }
            if style.italic {
                builder.push(StyleProperty::FontStyle(FontStyle::Italic), range.clone());
            }
            builder.push(StyleProperty::Underline(style.underline), range.clone());
            builder.push(StyleProperty::Strikethrough(style.strike), range);
        }
        builder.build(&text.text)
    }

    fn line(
        &mut self,
        galley: &mut Galley,
        text: &Text,
        line: &Line<'_, ()>,
        frame: &Frame,
        keep: bool,
    ) -> Result<(), Full> {
        let metrics = *line.metrics();
        let top = metrics.block_min_coord;
        self.letters(galley, text, line, frame.left, -top);
        if let Some((right, marker)) = self.marker.take() {
            let mut layout = self.lay(&marker);
            layout.break_all_lines(None);
            let left = right - layout.width() - self.scale.dots(4.0);
            if let Some(first) = layout.lines().next() {
                let down = metrics.baseline - top - first.metrics().baseline;
                self.letters(galley, &marker, &first, left, down);
            }
        }
        self.close(galley, frame, metrics.block_max_coord - top, keep)
    }

    /// Marks of a line, moved by `left` and `down`.
    fn letters(
        &mut self,
        galley: &mut Galley,
        text: &Text,
        line: &Line<'_, ()>,
        left: f32,
        down: f32,
    ) {
        let mut missing = false;
        for item in line.items() {
            let PositionedLayoutItem::GlyphRun(glyphs) = item else { continue };
            let run = *glyphs.run();
            let size = run.font_size();
            for glyph in glyphs.positioned_glyphs() {
                missing |= glyph.id == 0;
                let stamp = self.glyphs.stamp(run.font(), run.synthesis(), size, glyph.id);
                if let Some(stamp) = stamp {
                    galley.mark(left + glyph.x, down + glyph.y, Ink::Glyph(stamp));
                }
            }
            let base = down + glyphs.baseline();
            let ink = Ink::Box { width: glyphs.advance(), height: size * 0.06 };
            if glyphs.style().underline.is_some() {
                galley.mark(left + glyphs.offset(), base + size * 0.1, ink);
            }
            if glyphs.style().strikethrough.is_some() {
                galley.mark(left + glyphs.offset(), base - size * 0.3, ink);
            }
        }
        if missing {
            self.note_missing(text, line);
        }
    }

    fn note_missing(&mut self, text: &Text, line: &Line<'_, ()>) {
        for cluster in line.runs().flat_map(|run| run.clusters()) {
            if cluster.glyphs().any(|glyph| glyph.id == 0) {
                let of = text.text.get(cluster.text_range()).unwrap_or_default();
                self.missing.extend(of.chars().filter(|c| !c.is_whitespace()));
            }
        }
    }
}

fn alignment(align: Align) -> Alignment {
    match align {
        Align::Start => Alignment::Start,
        Align::Centre => Alignment::Center,
        Align::End => Alignment::End,
    }
}

/// The first part of a paragraph that is not too long to be laid out, and the rest.
fn split(text: Cow<'_, Text>) -> (Cow<'_, Text>, Option<Cow<'_, Text>>) {
    if text.text.len() <= MAX_PARAGRAPH_BYTES {
        return (text, None);
    }
    let mut at = MAX_PARAGRAPH_BYTES;
    while !text.text.is_char_boundary(at) {
        at -= 1;
    }
    // After the last blank, where there is one in the second half.
    if let Some(blank) = text.text[at / 2..at].rfind([' ', '\n']) {
        at = at / 2 + blank + 1;
    }
    let part = |from: usize, to: usize| {
        let runs = text.runs.iter().filter(|(end, _)| *end > from);
        let mut runs: Vec<_> = runs.map(|(end, s)| ((*end).min(to) - from, *s)).collect();
        let whole = runs.iter().position(|(end, _)| *end == to - from);
        runs.truncate(whole.map_or(runs.len(), |last| last + 1));
        let said = text.text[from..to].trim_end_matches('\n');
        Text { text: said.to_owned(), runs, ..shape(&text) }
    };
    let (first, rest) = (part(0, at), part(at, text.text.len()));
    (Cow::Owned(clipped(first)), Some(Cow::Owned(clipped(rest))))
}

/// A paragraph of the same shape without words.
fn shape(text: &Text) -> Text {
    let Text { align, heading, shrinks, .. } = *text;
    let (words, runs) = (String::new(), Vec::new());
    Text { text: words, runs, align, heading, shrinks }
}

fn clipped(mut text: Text) -> Text {
    let length = text.text.len();
    for (end, _) in &mut text.runs {
        *end = (*end).min(length);
    }
    text
}
