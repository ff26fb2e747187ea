//! Tables: how wide columns are, and cells side by side.

use super::{
    Block, Full, Galley, Inset, Row, Table, Typesetter,
    galley::Ink,
    set::{Frame, Scale},
};

/// White between two columns.
const GUTTER_PT: f32 = 9.0;
/// White above and below the cells of a table with lines.
const ROW_PT: f32 = 2.0;
/// White between two groups of rows.
const GROUP_PT: f32 = 9.0;
/// Thickness of its lines.
const LINE_PT: f32 = 0.5;
/// A table with more columns is set as one cell below the other.
const MAX_COLUMNS: usize = 24;
/// Nor may columns be narrower than this.
const NARROWEST_PT: f32 = 22.0;
/// Rows that are looked at to find how wide columns are.
const MEASURED_ROWS: usize = 200;
/// Tables in tables that are measured; deeper ones are set as one cell below the other.
const MEASURED_DEPTH: usize = 3;
/// Of the table's width, how much a word that cannot be broken may claim.
const LONGEST_WORD: f32 = 0.4;

/// How wide something is: when every line is broken, and when none is. In dots.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Widths {
    least: f32,
    most: f32,
}

impl Typesetter {
    pub(super) fn table(
        &mut self,
        galley: &mut Galley,
        table: &Table,
        frame: &Frame,
    ) -> Result<(), Full> {
        let columns = columns(table);
        let widths = match columns {
            0 => return Ok(()),
            1..=MAX_COLUMNS => self.columns(table, columns, frame.width),
            _ => None,
        };
        let Some(widths) = widths else { return self.stacked(galley, table, frame) };
        galley.part(self.scale.dots(ROW_PT));
        let mut first = true;
        for row in &table.rows {
            if row.cells.is_empty() {
                galley.part(self.scale.dots(GROUP_PT));
                first = true;
                continue;
            }
            if table.ruled && std::mem::take(&mut first) {
                self.rule(galley, frame, &widths)?;
            }
            self.row(galley, table, row, frame, &widths)?;
            if table.ruled {
                self.rule(galley, frame, &widths)?;
            }
        }
        galley.part(self.scale.dots(ROW_PT));
        Ok(())
    }

    fn rule(&mut self, galley: &mut Galley, frame: &Frame, widths: &[f32]) -> Result<(), Full> {
        let gutters = self.scale.dots(GUTTER_PT) * (widths.len() - 1) as f32;
        let height = self.scale.dots(LINE_PT);
        let width = widths.iter().sum::<f32>() + gutters;
        galley.mark(frame.left, 0.0, Ink::Box { width, height });
        self.close(galley, frame, height, false)
    }

    /// All cells one below the other.
    fn stacked(&mut self, galley: &mut Galley, table: &Table, frame: &Frame) -> Result<(), Full> {
        for cell in table.rows.iter().flat_map(|row| &row.cells) {
            for block in &cell.blocks {
                self.block(galley, block, &frame.part(0.0, frame.width))?;
            }
        }
        Ok(())
    }

    fn row(
        &mut self,
        galley: &mut Galley,
        table: &Table,
        row: &Row,
        frame: &Frame,
        widths: &[f32],
    ) -> Result<(), Full> {
        let white = if table.ruled { self.scale.dots(ROW_PT) } else { 0.0 };
        galley.part(white);
        galley.settle();
        let (top, first) = (galley.y, galley.strips.len());
        let gutter = self.scale.dots(GUTTER_PT);
        let mut bottom = top;
        let (mut column, mut left) = (0, 0.0);
        for cell in &row.cells {
            let end = (column + cell.columns).min(widths.len());
            if column >= end {
                break;
            }
            let width =
                widths[column..end].iter().sum::<f32>() + gutter * (end - column - 1) as f32;
            let at = if table.mirrored { frame.width - left - width } else { left };
            galley.y = top;
            for block in &cell.blocks {
                self.block(galley, block, &frame.part(at, width))?;
            }
            bottom = bottom.max(galley.y);
            // White that the last block asked for ends with the cell.
            galley.drop_white();
            (column, left) = (end, left + width + gutter);
        }
        galley.y = bottom;
        galley.put_in_order(first);
        galley.part(white);
        Ok(())
    }

    /// Widths of the columns, or `None` when they do not fit side by side.
    fn columns(&mut self, table: &Table, count: usize, width: f32) -> Option<Vec<f32>> {
        let gutters = self.scale.dots(GUTTER_PT) * (count - 1) as f32;
        let room = width - gutters;
        let mut widths = vec![Widths::default(); count];
        self.measure(table, &mut widths, room, 0);
        for column in &mut widths {
            column.least = column.least.min(room * LONGEST_WORD);
            column.most = column.most.max(column.least);
        }
        let mut set = fitted(&widths, room);
        let share = (room - set.iter().sum::<f32>()).max(0.0) / table.fills.len().max(1) as f32;
        for column in &table.fills {
            *set.get_mut(*column)? += share;
        }
        let narrowest = self.scale.dots(NARROWEST_PT);
        let cramped = |(width, wanted): (&f32, &Widths)| *width < narrowest.min(wanted.most) - 1.0;
        (room > 0.0 && !set.iter().zip(&widths).any(cramped)).then_some(set)
    }

    fn measure(&mut self, table: &Table, widths: &mut [Widths], room: f32, depth: usize) {
        let mut wide = Vec::new();
        for row in table.rows.iter().take(MEASURED_ROWS) {
            let mut column = 0;
            for cell in &row.cells {
                let end = (column + cell.columns).min(widths.len());
                if column >= end {
                    break;
                }
                let found = self.widths_of(&cell.blocks, room, depth);
                if end - column > 1 {
                    wide.push((column..end, found));
                } else {
                    widths[column].least = widths[column].least.max(found.least);
                    widths[column].most = widths[column].most.max(found.most);
                }
                column = end;
            }
        }
        // What covers several columns takes what they have, and asks the last for the rest.
        let gutter = self.scale.dots(GUTTER_PT);
        for (columns, found) in wide {
            let gutters = gutter * (columns.len() - 1) as f32;
            let (least, most) = widths[columns.clone()]
                .iter()
                .fold((gutters, gutters), |(least, most), w| (least + w.least, most + w.most));
            let last = &mut widths[columns.end - 1];
            last.least += (found.least - least).max(0.0);
            last.most += (found.most - most).max(0.0);
        }
    }

    fn widths_of(&mut self, blocks: &[Block], room: f32, depth: usize) -> Widths {
        let mut widths = Widths::default();
        for block in blocks {
            let one = self.width_of(block, room, depth);
            widths.least = widths.least.max(one.least);
            widths.most = widths.most.max(one.most);
        }
        widths.most = widths.most.max(widths.least);
        widths
    }

    fn width_of(&mut self, block: &Block, room: f32, depth: usize) -> Widths {
        /// Bytes of a paragraph that are looked at; a longer one fills any column.
        const ENOUGH_BYTES: usize = 2048;
        match block {
            Block::Text(text) if text.text.len() > ENOUGH_BYTES => {
                Widths { least: room / 8.0, most: room }
            }
            Block::Text(text) => {
                let found = self.lay(text).calculate_content_widths();
                // Broken exactly there, rounding could break it once more.
                Widths { least: found.min.ceil() + 1.0, most: found.max.ceil() + 1.0 }
            }
            Block::Picture(picture) => {
                let most = picture.wanted_width(self.scale).min(room);
                Widths { least: most / 3.0, most }
            }
            Block::Table(table) if depth < MEASURED_DEPTH => {
                let count = columns(table).min(MAX_COLUMNS);
                let mut widths = vec![Widths::default(); count];
                self.measure(table, &mut widths, room, depth + 1);
                let gutters = self.scale.dots(GUTTER_PT) * count.saturating_sub(1) as f32;
                Widths {
                    least: widths.iter().map(|one| one.least).sum::<f32>() + gutters,
                    most: widths.iter().map(|one| one.most).sum::<f32>() + gutters,
                }
            }
            Block::Table(_) => Widths { least: 0.0, most: room },
            Block::Inset(Inset { left_pt, blocks, .. }) => {
                let inner = self.widths_of(blocks, room, depth);
                let left = Scale::dots(self.scale, *left_pt);
                Widths { least: inner.least + left, most: inner.most + left }
            }
            Block::Rule { .. } | Block::Space { .. } | Block::Part { .. } | Block::PageBreak => {
                Widths::default()
            }
        }
    }
}

fn columns(table: &Table) -> usize {
    let of = |row: &Row| row.cells.iter().map(|cell| cell.columns).sum();
    table.rows.iter().map(of).max().unwrap_or(0)
}

/// Each as wide as it likes where that fits; else what is left after the least of all is
/// shared by what they still want; else each gets its share of too little.
fn fitted(widths: &[Widths], room: f32) -> Vec<f32> {
    let least: f32 = widths.iter().map(|one| one.least).sum();
    let most: f32 = widths.iter().map(|one| one.most).sum();
    if most <= room {
        return widths.iter().map(|one| one.most).collect();
    }
    if least <= room {
        let share = (room - least) / (most - least).max(1.0);
        return widths.iter().map(|one| one.least + (one.most - one.least) * share).collect();
    }
    widths.iter().map(|one| room * one.least / least).collect()
}
