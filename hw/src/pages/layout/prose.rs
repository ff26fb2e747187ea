//! Plain text as blocks: of every line it is decided whether it is prose, which may be
//! broken and set in a font that reads well, or stands in columns, which must be kept.

use std::collections::VecDeque;

use super::{Block, FIXED_PT, LEADING, Style, Text};

const TAB: usize = 8;
/// Lines of fixed-width text that are one block.
const MAX_LINES: usize = 200;
/// Height of an empty line.
const EMPTY_PT: f32 = FIXED_PT * LEADING * 0.8;

/// The blocks of a text, one after the other: a text may be far larger than a fax.
pub(crate) fn blocks(text: &str) -> Blocks<'_> {
    Blocks { text, ready: VecDeque::new(), columns: Vec::new() }
}

/// What [`blocks`] gives.
pub(crate) struct Blocks<'a> {
    text: &'a str,
    ready: VecDeque<Block>,
    columns: Vec<String>,
}

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        loop {
            if let Some(block) = self.ready.pop_front() {
                return Some(block);
            }
            if self.text.is_empty() {
                self.flush();
                return self.ready.pop_front();
            }
            let end = self.text.find(['\n', '\u{c}']).unwrap_or(self.text.len());
            let line = &self.text[..end];
            let form_feed = self.text[end..].starts_with('\u{c}');
            self.text = self.text.get(end + 1..).unwrap_or("");
            self.take(line.strip_suffix('\r').unwrap_or(line), form_feed);
        }
    }
}

impl Blocks<'_> {
    fn take(&mut self, line: &str, form_feed: bool) {
        if line.trim().is_empty() {
            self.flush();
            if !form_feed {
                self.ready.push_back(Block::Space { height_pt: EMPTY_PT });
            }
        } else if in_columns(line) {
            self.columns.push(expanded(line));
            if self.columns.len() == MAX_LINES {
                self.flush();
            }
        } else {
            self.flush();
            let text = Text::new(expanded(line), Style::default());
            self.ready.push_back(Block::Text(text));
        }
        if form_feed {
            self.flush();
            self.ready.push_back(Block::PageBreak);
        }
    }

    fn flush(&mut self) {
        if !self.columns.is_empty() {
            let lines = std::mem::take(&mut self.columns).join("\n");
            let text = Text { shrinks: true, ..Text::new(lines, Style::fixed()) };
            self.ready.push_back(Block::Text(text));
        }
    }
}

/// Whether a line is laid out by blanks: it is set in, or has gaps or lines of a table.
pub(crate) fn in_columns(line: &str) -> bool {
    const SET_IN: usize = 4;
    let body = line.trim_end();
    let words = body.trim_start();
    let gaps = words.matches("   ").count() > 0 || words.matches("  ").count() > 2;
    let boxes = words.chars().take(200).any(|c| ('\u{2500}'..='\u{257f}').contains(&c));
    let ascii = words.starts_with(['|', '+']) && words.ends_with(['|', '+']) && words.len() > 2;
    let set_in = body.len() - words.len() >= SET_IN || body.starts_with('\t');
    gaps || boxes || ascii || set_in || words.contains('\t')
}

/// Tabs become blanks; characters that control something go, but for those that tell
/// how letters join and in which direction they run.
pub(crate) fn expanded(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut column = 0;
    for c in line.trim_end().chars() {
        match c {
            '\t' => {
                let blanks = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{ad}') => {}
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_told_from_prose() {
        for (line, expected) in [
            ("Dear Mr Miller, thank you for your order.", false),
            ("Item            Price", true),
            ("a\tb", true),
            ("    let x = 1;", true),
            ("+-----+-----+", true),
            ("│ Summe │ 12,00 │", true),
            ("One sentence.  And  two blanks.", false),
            ("- an item of a list", false),
            ("> what was written before", false),
        ] {
            assert_eq!(in_columns(line), expected, "{line}");
        }
    }

    #[test]
    fn lines_become_blocks() {
        let text = "Hello\r\n\nA   B\nC   D\n\u{c}last";
        let shown: Vec<String> = blocks(text)
            .map(|block| match block {
                Block::Text(text) => {
                    format!("{}{}", if text.style().fixed { "=" } else { "" }, text.text)
                }
                Block::Space { .. } => "space".into(),
                Block::PageBreak => "page".into(),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(shown, ["Hello", "space", "=A   B\nC   D", "page", "last"]);
    }
}
