//! Text, HTML and cover pages as one thing: a list of blocks, laid out by `parley`
//! in any script and drawn as bi-level pages at the fax's own resolution.
//!
//! ```text
//! prose, html, cover ─▶ blocks ─ set ─▶ galley (strips of marks) ─ leaves ─▶ bitmaps
//! ```
//!
//! Lengths in the model are points; the galley counts dots of the fax across, down as
//! well, and its strips come to lie on whole lines only when they are drawn. So a page
//! breaks alike at every resolution with the same dots an inch. Glyphs stand on whole
//! dots: the same letter is the same pixels wherever it stands, which codes small.
//!
//! Nothing here knows where blocks come from. It fetches nothing and opens no file; its
//! fonts are those of the binary and those that the child was given.

mod fonts;
mod galley;
mod glyphs;
pub(crate) mod html;
mod picture;
pub(crate) mod prose;
mod set;
mod sheets;
mod table;

pub(crate) use galley::{Full, Galley};
pub(crate) use picture::Picture;
pub(crate) use set::Typesetter;
pub(crate) use sheets::{Form, Length};

/// Size of ordinary text.
pub(crate) const BODY_PT: f32 = 10.5;
/// Size of fixed-width text: 80 columns fill a line.
pub(crate) const FIXED_PT: f32 = 11.1;
/// From base line to base line, in sizes of the font.
pub(crate) const LEADING: f32 = 1.25;
/// Pages that are laid out at most, whatever else is allowed.
pub(crate) const MAX_PAGES: usize = 400;

/// One part of a document, below the one before it.
#[derive(Debug, Clone)]
pub(crate) enum Block {
    /// A paragraph, a heading or lines of fixed-width text.
    Text(Text),
    /// A line across, this thick.
    Rule {
        /// Thickness.
        thick_pt: f32,
    },
    /// White.
    Space {
        /// Height.
        height_pt: f32,
    },
    /// White between two blocks; where two of these meet the larger counts.
    Part {
        /// Height.
        height_pt: f32,
    },
    /// A picture.
    Picture(Picture),
    /// Cells in rows and columns.
    Table(Table),
    /// What follows starts a page, unless it would anyhow.
    PageBreak,
    /// Blocks that stand further in: an item of a list, or what is quoted.
    Inset(Inset),
}

/// Blocks that stand further in.
#[derive(Debug, Clone)]
pub(crate) struct Inset {
    /// How much further in.
    pub left_pt: f32,
    /// What stands left of the first line: a bullet or a number.
    pub marker: String,
    /// A line down the left side, as mail programs mark what is quoted.
    pub bar: bool,
    /// What it holds.
    pub blocks: Vec<Block>,
}

/// Text with its styles.
#[derive(Debug, Clone, Default)]
pub(crate) struct Text {
    /// What it says; a line break in it breaks the line.
    pub text: String,
    /// Styles, each up to a byte of `text`; the last reaches to its end.
    pub runs: Vec<(usize, Style)>,
    /// Which side it keeps to.
    pub align: Align,
    /// It stays on a page with what follows.
    pub heading: bool,
    /// Fixed-width text that is made smaller until its longest line fits.
    pub shrinks: bool,
}

impl Text {
    /// A paragraph in one style.
    pub(crate) fn new(text: impl Into<String>, style: Style) -> Self {
        let text = text.into();
        Self { runs: vec![(text.len(), style)], text, ..Self::default() }
    }

    /// Adds text at the end.
    pub(crate) fn push(&mut self, text: &str, style: Style) {
        self.text.push_str(text);
        match self.runs.last_mut() {
            Some((end, last)) if *last == style => *end = self.text.len(),
            _ => self.runs.push((self.text.len(), style)),
        }
    }

    /// Whether there is nothing to see.
    pub(crate) fn is_blank(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }

    /// The style that most of the layout follows: of the first run.
    pub(crate) fn style(&self) -> Style {
        self.runs.first().map(|(_, style)| *style).unwrap_or_default()
    }
}

/// How letters look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    /// Bold.
    pub bold: bool,
    /// Slanted.
    pub italic: bool,
    /// Every letter as wide as the next.
    pub fixed: bool,
    /// A line below.
    pub underline: bool,
    /// A line through.
    pub strike: bool,
    /// Size.
    pub size_pt: f32,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            bold: false,
            italic: false,
            fixed: false,
            underline: false,
            strike: false,
            size_pt: BODY_PT,
        }
    }
}

impl Style {
    /// Fixed-width text of ordinary size.
    pub(crate) fn fixed() -> Self {
        Self { fixed: true, size_pt: FIXED_PT, ..Self::default() }
    }
}

/// Which side text keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Align {
    /// The side where reading starts.
    #[default]
    Start,
    /// The middle.
    Centre,
    /// The other side.
    End,
}

/// Cells in rows and columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// From top to bottom.
    pub rows: Vec<Row>,
    /// Lines between the rows. There are none between columns: they would cost more
    /// time on the telephone than they help.
    pub ruled: bool,
    /// The first column is at the right.
    pub mirrored: bool,
    /// Columns that share the width that is left, counted from 0.
    pub fills: Vec<usize>,
}

/// A row of a table; one without cells is white between two groups of rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// In reading order.
    pub cells: Vec<Cell>,
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// What it holds.
    pub blocks: Vec<Block>,
    /// Columns that it covers, at least 1.
    pub columns: usize,
}

#[cfg(test)]
mod tests;
