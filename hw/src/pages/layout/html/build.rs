//! Tags and text to blocks: a stack of what is open, and the paragraph that is being
//! written.

use html5ever::{LocalName, tokenizer::Tag};

use super::{
    super::{Align, BODY_PT, Block, Cell, FIXED_PT, Inset, Row, Style, Table, Text},
    Page,
    css::{self, Css},
    link,
};
use crate::pages::rasterise::Refusal;

/// Elements inside of elements.
const MAX_DEPTH: usize = 500;
/// Paragraphs, cells and pictures.
const MAX_BLOCKS: usize = 150_000;
/// White between paragraphs.
const PARAGRAPH_PT: f32 = 6.0;
/// How far lists and quotes are set in.
const INSET_PT: f32 = 18.0;
/// Height of an empty line.
const EMPTY_PT: f32 = 10.0;
/// How text is at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mode {
    style: Style,
    pub(super) align: Align,
    keeps_blanks: bool,
    pub(super) hidden: bool,
}

/// An element that is open.
struct Open {
    name: LocalName,
    /// How text was before it.
    before: Mode,
    /// It ends a paragraph, with this much white after it.
    ends: Option<f32>,
    /// Where the link begins in the paragraph, and where it leads.
    link: Option<(usize, String)>,
    /// It collects blocks of its own.
    holds: Option<Holder>,
}

/// What an element makes of the blocks inside of it.
enum Holder {
    Inset {
        marker: String,
        bar: bool,
    },
    Cell {
        columns: usize,
    },
    Table(Table),
    /// A list: the number of its next item, if it has numbers.
    List(Option<i64>),
}

pub(super) struct Builder {
    open: Vec<Open>,
    /// Blocks of the document, and of each open element that holds some.
    blocks: Vec<Vec<Block>>,
    text: Text,
    /// A blank is due before the next word.
    blank: bool,
    pub(super) mode: Mode,
    made: usize,
    pub(super) left_out: usize,
    failed: Option<Refusal>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            blocks: vec![Vec::new()],
            text: Text::default(),
            blank: false,
            mode: Mode::default(),
            made: 0,
            left_out: 0,
            failed: None,
        }
    }

    pub(super) fn finish(mut self) -> Result<Page, Refusal> {
        self.close_down_to(0);
        self.flush();
        let blocks = self.blocks.pop().unwrap_or_default();
        let left_out = self.left_out;
        self.failed.map_or(Ok(Page { blocks, left_out }), Err)
    }

    pub(super) fn text(&mut self, said: &str) {
        if self.failed.is_some() || self.mode.hidden {
            return;
        }
        if let Some(Open { holds: Some(Holder::Table(_)), .. }) = self.open.last() {
            if said.trim().is_empty() {
                return;
            }
            self.hold("td".into(), Holder::Cell { columns: 1 });
        }
        if self.mode.keeps_blanks {
            let said: String = said.replace('\t', "        ").replace('\r', "");
            self.text.push(&said, self.mode.style);
            return;
        }
        for c in said.chars() {
            match c {
                ' ' | '\n' | '\t' | '\r' | '\u{c}' => self.blank = true,
                // Invisible stuffing, with which newsletters fill previews.
                '\u{34f}' | '\u{200b}' | '\u{feff}' | '\u{ad}' | '\u{2060}' => {}
                c if c.is_control() => {}
                c => {
                    self.settle_blank();
                    self.text.push(c.encode_utf8(&mut [0; 4]), self.mode.style);
                }
            }
        }
    }

    /// A blank that is due is written, but never at the start of a line.
    fn settle_blank(&mut self) {
        if std::mem::take(&mut self.blank)
            && !self.text.text.is_empty()
            && !self.text.text.ends_with('\n')
        {
            self.text.push(" ", self.mode.style);
        }
    }

    pub(super) fn start(&mut self, tag: &Tag) {
        if self.failed.is_some() {
            return;
        }
        if self.open.len() >= MAX_DEPTH {
            self.fail(format!("HTML that is nested more than {MAX_DEPTH} deep"));
            return;
        }
        let name = &*tag.name;
        match name {
            "br" => return self.break_line(),
            "hr" => return self.rule(),
            "img" => return self.picture(tag),
            "input" => return self.input(tag),
            "area" | "base" | "col" | "embed" | "link" | "meta" | "param" | "source" | "track"
            | "wbr" => return,
            _ => self.imply_ends(name),
        }
        let css = attribute(tag, "style").map(|style| Css::parse(&style)).unwrap_or_default();
        let before = self.mode;
        let (ends, holds) = self.enter(tag, &css);
        css.apply(&mut self.mode.style);
        self.mode.align = css.align.unwrap_or(self.mode.align);
        self.mode.keeps_blanks = css.keeps_blanks.unwrap_or(self.mode.keeps_blanks);
        self.mode.hidden |= css.hidden || attribute(tag, "hidden").is_some();
        if css.line_above && ends.is_some() && !matches!(name, "td" | "th" | "tr") {
            self.rule();
        }
        let link = (name == "a").then(|| attribute(tag, "href")).flatten();
        // The blank before a link is not a part of it.
        if link.is_some() {
            self.settle_blank();
            self.mode.style.underline = true;
        }
        let link = link.map(|address| (self.text.text.len(), address));
        if holds.is_some() {
            self.blocks.push(Vec::new());
        }
        self.open.push(Open { name: tag.name.clone(), before, ends, link, holds });
    }

    /// What an element changes: the white after it when it ends paragraphs, and what it
    /// makes of its blocks.
    fn enter(&mut self, tag: &Tag, css: &Css) -> (Option<f32>, Option<Holder>) {
        let name = &*tag.name;
        let style = &mut self.mode.style;
        match name {
            "b" | "strong" => style.bold = true,
            "i" | "em" | "cite" | "dfn" | "var" => style.italic = true,
            "u" | "ins" => style.underline = true,
            "s" | "del" | "strike" => style.strike = true,
            "code" | "tt" | "kbd" | "samp" => style.fixed = true,
            "small" | "sub" | "sup" => style.size_pt *= 0.85,
            "big" => style.size_pt *= 1.15,
            "script" | "style" | "head" | "title" | "template" | "svg" | "math" | "object"
            | "select" | "iframe" | "noembed" | "noframes" | "video" | "audio" => {
                self.mode.hidden = true;
            }
            _ => {}
        }
        let white = match name {
            "p" if css.close || attribute(tag, "class").is_some_and(|c| c.contains("Mso")) => 0.0,
            "ul" | "ol" if self.open.iter().any(|open| &*open.name == "li") => 1.0,
            "p" | "blockquote" | "pre" | "ul" | "ol" | "dl" | "figure" => PARAGRAPH_PT,
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => PARAGRAPH_PT + 2.0,
            "table" | "fieldset" => PARAGRAPH_PT / 2.0,
            "li" | "dt" | "dd" => 1.0,
            "div" | "section" | "article" | "header" | "footer" | "main" | "aside" | "nav"
            | "address" | "center" | "form" | "figcaption" | "legend" | "summary" | "details"
            | "tr" | "td" | "th" | "tbody" | "thead" | "tfoot" | "caption" | "body" | "html"
            | "textarea" | "title" | "xmp" => 0.0,
            _ => return (None, None),
        };
        self.flush();
        self.part(white);
        let wanted = attribute(tag, "align").map(|side| side.to_ascii_lowercase());
        if let Some(side) = wanted.as_deref().and_then(css::align).filter(|_| name != "table") {
            self.mode.align = side;
        }
        (Some(white), self.enter_block(tag, css))
    }

    fn enter_block(&mut self, tag: &Tag, css: &Css) -> Option<Holder> {
        let style = &mut self.mode.style;
        let mut heading = |size_pt| (style.bold, style.size_pt) = (true, size_pt);
        match &*tag.name {
            "h1" => heading(BODY_PT * 1.6),
            "h2" => heading(BODY_PT * 1.35),
            "h3" => heading(BODY_PT * 1.15),
            "h4" | "h5" | "h6" | "dt" => heading(BODY_PT),
            "center" => self.mode.align = Align::Centre,
            "pre" | "xmp" | "textarea" => {
                (style.fixed, style.size_pt) = (true, FIXED_PT);
                self.mode.keeps_blanks = true;
            }
            "blockquote" => return Some(Holder::Inset { marker: String::new(), bar: true }),
            "dd" => return Some(Holder::Inset { marker: String::new(), bar: false }),
            "ul" => return Some(Holder::List(None)),
            "ol" => {
                let start = attribute(tag, "start").and_then(|start| start.trim().parse().ok());
                return Some(Holder::List(Some(start.unwrap_or(1))));
            }
            "li" => return Some(Holder::Inset { marker: self.next_marker(), bar: false }),
            "table" => {
                // As in browsers, what is centred is the table, not the text in it.
                self.mode.align = Align::Start;
                let lines = attribute(tag, "border").is_some_and(|b| b.trim() != "0");
                return Some(Holder::Table(Table { ruled: lines, ..Table::default() }));
            }
            "tr" => {
                if let Some(table) = self.table_mut() {
                    table.rows.push(Row::default());
                }
            }
            "td" | "th" | "caption" => {
                let head = &*tag.name == "th";
                self.mode.style.bold |= head;
                if let Some(table) = self.table_mut() {
                    table.ruled |= head || css.lines;
                    if &*tag.name == "caption" || table.rows.is_empty() {
                        table.rows.push(Row::default());
                    }
                    let span = attribute(tag, "colspan").and_then(|n| n.trim().parse().ok());
                    let columns = span.unwrap_or(1).clamp(1, 100);
                    return Some(Holder::Cell { columns });
                }
            }
            _ => {}
        }
        None
    }

    /// Ends what a start tag ends without a word.
    fn imply_ends(&mut self, name: &str) {
        match name {
            "li" => self.end_within(&["li"], &["ul", "ol"]),
            "dt" | "dd" => self.end_within(&["dt", "dd"], &["dl"]),
            "td" | "th" => self.end_within(&["td", "th", "caption"], &["table"]),
            "tr" | "tbody" | "thead" | "tfoot" => {
                self.end_within(&["td", "th", "caption", "tr"], &["table"]);
            }
            "p" | "div" | "ul" | "ol" | "dl" | "table" | "blockquote" | "pre" | "hr" | "h1"
            | "h2" | "h3" | "h4" | "h5" | "h6" | "section" | "article" | "center" => {
                self.end_within(&["p"], &["td", "th", "li", "blockquote", "div", "table"]);
            }
            _ => {}
        }
    }

    /// Closes the outermost element with one of these names inside of the innermost one
    /// with one of those.
    fn end_within(&mut self, names: &[&str], limits: &[&str]) {
        let inside = self.open.iter().rposition(|open| limits.contains(&&*open.name));
        let from = inside.map_or(0, |at| at + 1);
        let found = self.open[from..].iter().position(|open| names.contains(&&*open.name));
        if let Some(at) = found {
            self.close_down_to(from + at);
        }
    }

    pub(super) fn end(&mut self, name: &LocalName) {
        if self.failed.is_some() {
            return;
        }
        let of_table =
            matches!(&**name, "table" | "tr" | "td" | "th" | "tbody" | "thead" | "tfoot");
        // Only what belongs to a table reaches out of its cells.
        let limit = |open: &Open| {
            matches!(open.holds, Some(Holder::Table(_)))
                || (!of_table && matches!(open.holds, Some(Holder::Cell { .. })))
        };
        for at in (0..self.open.len()).rev() {
            if self.open[at].name == *name {
                return self.close_down_to(at);
            }
            if limit(&self.open[at]) {
                return;
            }
        }
    }

    fn close_down_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.close();
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if let Some((start, address)) = open.link {
            let said = self.text.text.get(start..).unwrap_or_default();
            if let Some(shown) = link::shown(said, &address).filter(|_| !self.mode.hidden) {
                self.text.push(&format!(" [{shown}]"), open.before.style);
            }
        }
        if open.ends.is_some() {
            self.flush();
        }
        if let Some(holder) = open.holds {
            let blocks = self.blocks.pop().unwrap_or_default();
            self.held(holder, blocks);
        }
        if let Some(white) = open.ends {
            self.part(white);
        }
        self.mode = open.before;
    }

    /// Gives the blocks of an element that is closed to the one around it.
    fn held(&mut self, holder: Holder, blocks: Vec<Block>) {
        match holder {
            Holder::Inset { marker, bar } if !is_blank(&blocks) => {
                self.push(Block::Inset(Inset { left_pt: INSET_PT, marker, bar, blocks }));
            }
            Holder::Inset { .. } => {}
            Holder::List(_) => self.extend(blocks),
            Holder::Cell { columns } => {
                self.made += 1;
                if let Some(table) = self.table_mut() {
                    if table.rows.is_empty() {
                        table.rows.push(Row::default());
                    }
                    if let Some(row) = table.rows.last_mut() {
                        row.cells.push(Cell { blocks, columns });
                    }
                }
            }
            Holder::Table(table) => {
                let full = |row: &Row| row.cells.iter().filter(|c| !is_blank(&c.blocks)).count();
                // A table of one column only holds things in place.
                if table.rows.iter().all(|row| full(row) <= 1) {
                    for cell in table.rows.into_iter().flat_map(|row| row.cells) {
                        self.extend(cell.blocks);
                    }
                } else {
                    let mut table = table;
                    table.rows.retain(|row| full(row) > 0);
                    self.push(Block::Table(table));
                }
            }
        }
    }

    /// The table that is open, if the innermost holder but cells is one.
    fn table_mut(&mut self) -> Option<&mut Table> {
        self.open.iter_mut().rev().find_map(|open| match &mut open.holds {
            Some(Holder::Table(table)) => Some(Some(table)),
            Some(Holder::Cell { .. }) => Some(None),
            _ => None,
        })?
    }

    fn hold(&mut self, name: LocalName, holder: Holder) {
        self.blocks.push(Vec::new());
        let (before, ends) = (self.mode, Some(0.0));
        self.open.push(Open { name, before, ends, link: None, holds: Some(holder) });
    }

    fn next_marker(&mut self) -> String {
        let list = self.open.iter_mut().rev().find_map(|open| match &mut open.holds {
            Some(Holder::List(number)) => Some(number),
            _ => None,
        });
        match list {
            Some(Some(number)) => {
                let marker = format!("{number}.");
                *number += 1;
                marker
            }
            _ => "•".into(),
        }
    }

    fn break_line(&mut self) {
        if !self.mode.hidden {
            self.blank = false;
            self.text.push("\n", self.mode.style);
        }
    }

    fn rule(&mut self) {
        self.flush();
        if !self.mode.hidden {
            self.part(PARAGRAPH_PT / 2.0);
            self.push(Block::Rule { thick_pt: 0.75 });
            self.part(PARAGRAPH_PT / 2.0);
        }
    }

    /// Ends the paragraph.
    pub(super) fn flush(&mut self) {
        self.blank = false;
        let mut text = std::mem::take(&mut self.text);
        // The last line break only ends the last line.
        let lines = text.text.len() - text.text.trim_end_matches('\n').len();
        let blank = text.is_blank();
        if blank {
            let empty = text.text.contains('\u{a0}') || lines > 0;
            for _ in 0..lines.max(usize::from(empty)) {
                self.push(Block::Space { height_pt: EMPTY_PT });
            }
            return;
        }
        text.text.truncate(text.text.len() - lines);
        text.align = self.mode.align;
        let style = self.mode.style;
        text.shrinks = style.fixed && self.mode.keeps_blanks;
        text.heading = text.runs.iter().all(|(_, style)| style.bold) && text.text.len() < 200;
        self.push(Block::Text(text));
        for _ in 1..lines {
            self.push(Block::Space { height_pt: EMPTY_PT });
        }
    }

    pub(super) fn part(&mut self, height_pt: f32) {
        if height_pt > 0.0 && !self.mode.hidden {
            self.push(Block::Part { height_pt });
        }
    }

    fn extend(&mut self, blocks: Vec<Block>) {
        if let Some(last) = self.blocks.last_mut() {
            last.extend(blocks);
        }
    }

    pub(super) fn push(&mut self, block: Block) {
        self.made += 1;
        if self.made > MAX_BLOCKS {
            self.fail(format!("HTML with more than {MAX_BLOCKS} paragraphs and cells"));
            return;
        }
        if let Some(last) = self.blocks.last_mut() {
            last.push(block);
        }
    }

    fn fail(&mut self, why: String) {
        self.failed.get_or_insert(Refusal::Unsupported(why));
        self.text = Text::default();
        self.blocks = vec![Vec::new()];
        self.open.clear();
    }
}

fn is_blank(blocks: &[Block]) -> bool {
    blocks
        .iter()
        .all(|block| matches!(block, Block::Space { .. } | Block::Part { .. } | Block::PageBreak))
}

pub(super) fn attribute(tag: &Tag, name: &str) -> Option<String> {
    let found = tag.attrs.iter().find(|attribute| &*attribute.name.local == name)?;
    Some(found.value.to_string())
}
