//! Tables: columns as wide as what is in them, the last one ragged.

use super::{Paint, View, clean};

/// Space between two columns.
const GAP: &str = "  ";

/// One field.
pub(in crate::cli) struct Cell {
    text: String,
    paint: Option<Paint>,
    right: bool,
}

/// Text, perhaps foreign.
pub(in crate::cli) fn text(text: impl AsRef<str>) -> Cell {
    Cell { text: clean(text.as_ref()), paint: None, right: false }
}

/// Something that counts, set to the right.
pub(in crate::cli) fn number(number: impl ToString) -> Cell {
    Cell { text: number.to_string(), paint: None, right: true }
}

impl Cell {
    /// The same in a colour.
    pub(in crate::cli) fn painted(self, paint: impl Into<Option<Paint>>) -> Self {
        Self { paint: paint.into(), ..self }
    }
}

/// Rows under a heading, each beginning with `indent`.
pub(in crate::cli) fn table(
    view: &View,
    indent: &str,
    heading: &[&str],
    rows: Vec<Vec<Cell>>,
) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|head| head.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let right = |column: usize| rows.first().is_some_and(|row| row[column].right);
    let heads = heading.iter().enumerate().map(|(column, head)| Cell {
        text: (*head).to_owned(),
        paint: Some(Paint::Dim),
        right: right(column),
    });
    let mut out = String::new();
    for row in std::iter::once(heads.collect()).chain(rows) {
        out.push_str(&line(view, indent, &widths, &row));
    }
    out
}

/// A colour costs no columns, so fields are measured and cut before they are painted.
fn line(view: &View, indent: &str, widths: &[usize], row: &[Cell]) -> String {
    let mut out = indent.to_owned();
    let mut left = view.width.map_or(usize::MAX, |width| width.saturating_sub(indent.len()));
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let last = column + 1 == row.len();
        let spaces = " ".repeat(width - cell.text.chars().count());
        let shown: String = cell.text.chars().take(left).collect();
        left = left.saturating_sub(width + GAP.len());
        let shown = match cell.paint {
            Some(paint) => view.paint(paint, &shown),
            None => shown,
        };
        match cell.right {
            true => out.extend([spaces.as_str(), &shown]),
            false => out.extend([shown.as_str(), if last { "" } else { &spaces }]),
        }
        out.push_str(if last { "\n" } else { GAP });
    }
    while out.ends_with(" \n") {
        out.truncate(out.len() - 2);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::render::tests::view;

    fn rows() -> Vec<Vec<Cell>> {
        vec![vec![number(7), text("seven"), text("a")], vec![number(12), text("twelve"), text("")]]
    }

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let shown = table(&view(), "  ", &["N", "NAME", "X"], rows());
        assert_eq!(shown, "   N  NAME    X\n   7  seven   a\n  12  twelve\n");
    }

    #[test]
    fn a_narrow_terminal_cuts_text_and_not_colours() {
        let narrow = View { width: Some(8), colour: true, ..view() };
        let rows = vec![vec![text("delivered").painted(Paint::Good), text("x")]];
        let shown = table(&narrow, "", &["STATE", "X"], rows);
        assert!(shown.ends_with("\x1b[32mdelivere\x1b[0m\n"), "{shown:?}");
    }
}
