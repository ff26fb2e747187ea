//! Cover pages: a template with its fields filled in, as blocks.

use base64::Engine as _;

use super::{Refusal, Sink};
use crate::pages::{
    Look,
    cover::{
        Cover, Template, Written,
        template::{Line, Manner, Pair, Part, Size, What},
    },
    layout::{
        Align, Block, Cell, Form, Full, Galley, Picture, Row, Style, Table, Text, Typesetter, html,
        prose,
    },
};

/// How often the pages are counted: their number is printed on them, and a longer number
/// may make one page more.
const MAX_COUNTS: usize = 3;
/// Longest value of a field, in characters.
const MAX_VALUE: usize = 400;
/// White above and below a line across.
const RULE_PT: f32 = 4.0;
const PT_PER_MM: f32 = 72.0 / 25.4;

pub(super) fn draw(
    bytes: &[u8],
    look: Look,
    fonts: &[Vec<u8>],
    sink: &mut dyn Sink,
) -> Result<(), Refusal> {
    let cover: Cover = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::Broken(format!("the cover is not as expected: {error}")))?;
    let template = Template::parse(&cover.template)
        .map_err(|error| Refusal::Broken(format!("the template of the cover, {error}")))?;
    let form = Form::new(look.resolution, template.paper, Some(template.margin_mm));
    let logo = cover.logo.as_deref().map(decoded).transpose()?;
    let message = message(&cover)?;
    let mut pages = 1;
    for count in 1.. {
        let mut setter = Typesetter::new(fonts, look);
        let filled = Filled {
            template: &template,
            cover: &cover,
            logo: logo.as_deref(),
            pages: (pages as u64 + u64::from(cover.pages_after)).to_string(),
        };
        let set = set(&mut setter, &filled, &message, form);
        let counted = set.as_ref().map_or(pages, |galley| setter.count(galley, form));
        if counted == pages || count == MAX_COUNTS {
            setter.print(set.as_ref().map_err(|full| *full), form, sink)?;
            setter.warn(sink);
            break;
        }
        pages = counted;
    }
    Ok(())
}

fn decoded(logo: &str) -> Result<Vec<u8>, Refusal> {
    let base64: String = logo.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD
        .decode(base64)
        .map_err(|error| Refusal::Broken(format!("the logo is no base64: {error}")))
}

/// What the message is, read once.
enum Message<'a> {
    Plain(&'a str),
    Blocks(Vec<Block>),
}

fn message(cover: &Cover) -> Result<Message<'_>, Refusal> {
    Ok(match cover.written {
        Written::Plain => Message::Plain(cover.message.trim_end()),
        Written::Html => Message::Blocks(html::read(&cover.message)?.blocks),
    })
}

fn set(
    setter: &mut Typesetter,
    filled: &Filled<'_>,
    message: &Message<'_>,
    form: Form,
) -> Result<Galley, Full> {
    let mut galley = setter.galley();
    for piece in filled.pieces() {
        match (piece, message) {
            (Piece::Block(block), _) => setter.add(&mut galley, &block, form.width)?,
            (Piece::Message, Message::Plain(text)) => {
                // A form feed in a mail is no wish for an empty page.
                for block in prose::blocks(text) {
                    setter.add(&mut galley, &block, form.width)?;
                }
            }
            (Piece::Message, Message::Blocks(blocks)) => {
                for block in blocks {
                    setter.add(&mut galley, block, form.width)?;
                }
            }
        }
    }
    Ok(galley)
}

/// What a cover is made of from top to bottom.
enum Piece {
    Block(Block),
    Message,
}

/// A template and what its fields stand for.
struct Filled<'a> {
    template: &'a Template,
    cover: &'a Cover,
    logo: Option<&'a [u8]>,
    pages: String,
}

impl Filled<'_> {
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rows: Vec<&Line> = Vec::new();
        for line in &self.template.lines {
            match line {
                Line::Row { .. } => rows.push(line),
                // White between rows stays inside of their table, whose columns they share.
                Line::Empty if !rows.is_empty() => rows.push(line),
                _ => {
                    self.end_rows(&mut rows, &mut pieces);
                    let part = || {
                        let rule = matches!(line, Line::Rule { .. });
                        rule.then_some(Piece::Block(Block::Part { height_pt: RULE_PT }))
                    };
                    pieces.extend(part());
                    pieces.extend(self.piece(line));
                    pieces.extend(part());
                }
            }
        }
        self.end_rows(&mut rows, &mut pieces);
        pieces
    }

    fn piece(&self, line: &Line) -> Option<Piece> {
        let template = self.template;
        let block = match line {
            Line::Message => return Some(Piece::Message),
            Line::Empty => Block::Space { height_pt: template.size_pt * 0.7 },
            Line::Rule { thick_pt } => Block::Rule { thick_pt: *thick_pt },
            Line::Logo(align) => Block::Picture(Picture {
                bytes: self.logo?.to_vec(),
                width_pt: Some(template.logo_mm.0 * PT_PER_MM),
                height_pt: Some(template.logo_mm.1 * PT_PER_MM),
                align: *align,
                name: "the logo".into(),
            }),
            Line::Text { manner, parts } => {
                if manner.optional && self.is_empty(parts) {
                    return None;
                }
                let mut text = self.text(*manner, parts, false);
                text.align = manner.align;
                text.heading = matches!(manner.size, Size::Heading | Size::Title);
                Block::Text(text)
            }
            Line::Row { .. } => return None,
        };
        Some(Piece::Block(block))
    }

    /// Rows that follow each other are one table, so that their labels are aligned.
    fn end_rows(&self, rows: &mut Vec<&Line>, pieces: &mut Vec<Piece>) {
        let white = rows.iter().rev().take_while(|line| matches!(line, Line::Empty)).count();
        rows.truncate(rows.len() - white);
        let pairs = |line: &&Line| match line {
            Line::Row { pairs, .. } => pairs.len(),
            _ => 0,
        };
        let most = rows.iter().map(pairs).max().unwrap_or(0);
        let mirrored = rows.iter().any(|line| {
            matches!(line, Line::Row { pairs, .. }
            if pairs.iter().flat_map(|pair| &pair.label).any(is_from_the_right))
        });
        let mut table = Table {
            ruled: self.template.lined,
            mirrored,
            fills: (0..most).map(|pair| 2 * pair + 1).collect(),
            rows: Vec::new(),
        };
        for line in rows.drain(..) {
            match line {
                Line::Row { manner, pairs } => {
                    let empty = pairs.iter().all(|pair| self.is_empty(&pair.value));
                    if !(manner.optional && empty) {
                        table.rows.push(self.row(*manner, pairs, most, mirrored));
                    }
                }
                _ if table.rows.last().is_some_and(|row| !row.cells.is_empty()) => {
                    table.rows.push(Row::default());
                }
                _ => {}
            }
        }
        while table.rows.last().is_some_and(|row| row.cells.is_empty()) {
            table.rows.pop();
        }
        if !table.rows.is_empty() {
            pieces.push(Piece::Block(Block::Table(table)));
        }
        for _ in 0..white {
            pieces.extend(self.piece(&Line::Empty));
        }
    }

    fn row(&self, manner: Manner, pairs: &[Pair], most: usize, mirrored: bool) -> Row {
        let mut cells = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            // The last pair takes the columns that are left.
            let left = if index + 1 == pairs.len() { 2 * (most - index) } else { 2 };
            let mut cell = |parts: &[Part], bold, columns| {
                let mut text = self.text(manner, parts, bold);
                let turned = mirrored && !text.text.chars().any(reads_from_the_right);
                text.align = if turned { Align::End } else { Align::Start };
                cells.push(Cell { blocks: vec![Block::Text(text)], columns });
            };
            if pair.label.is_empty() {
                cell(&pair.value, false, left);
            } else {
                cell(&pair.label, true, 1);
                cell(&pair.value, false, left - 1);
            }
        }
        Row { cells }
    }

    fn text(&self, manner: Manner, parts: &[Part], bold: bool) -> Text {
        let factor = match manner.size {
            Size::Usual => 1.0,
            Size::Small => 0.82,
            Size::Large => 1.25,
            Size::Heading => 1.4,
            Size::Title => 2.2,
        };
        let heading = matches!(manner.size, Size::Heading | Size::Title);
        let size_pt = self.template.size_pt * factor;
        let mut text = Text::default();
        for part in parts {
            let bold = bold || heading || part.bold;
            text.push(&self.value(part), Style { bold, size_pt, ..Style::default() });
        }
        text
    }

    fn value(&self, part: &Part) -> String {
        match &part.what {
            What::Words(words) => words.clone(),
            What::Pages => self.pages.clone(),
            What::Field(field) => {
                let value = self.cover.fields.get(field).map(String::as_str).unwrap_or_default();
                let value = value.trim().chars().take(MAX_VALUE);
                value.map(|c| if c.is_control() { ' ' } else { c }).collect()
            }
        }
    }

    /// Whether no field among the parts stands for anything.
    fn is_empty(&self, parts: &[Part]) -> bool {
        let mut fields = parts.iter().filter(|part| !matches!(part.what, What::Words(_)));
        fields.all(|part| self.value(part).is_empty())
    }
}

fn is_from_the_right(part: &Part) -> bool {
    matches!(&part.what, What::Words(words) if words.chars().any(reads_from_the_right))
}

/// Letters of Hebrew, Arabic and their neighbours (UAX 9, classes R and AL).
fn reads_from_the_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
}
