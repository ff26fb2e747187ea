//! A page on a terminal: eight dots in each cell, which is as fine as letters allow.
//! Pure: text comes out.

use postfax_hw::pages::tiff::CodedPage;

/// Columns where the terminal does not say how many it has, or there is none.
pub(super) const USUAL_COLUMNS: usize = 80;
/// Columns of the widest picture: a page beyond that fits no screen.
const MAX_COLUMNS: usize = 160;
/// The first of the 256 patterns of braille.
const BLANK: u32 = 0x2800;
/// The bits of a cell's dots, row by row.
const DOTS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
/// A dot is set where this share of its field is black: the strokes of small letters fill
/// about as much.
const INK: f64 = 0.12;

/// The page in a frame, `columns` wide with it, as lines.
pub(super) fn of(coded: &CodedPage, columns: usize) -> String {
    let page = coded.decode().page;
    let (across, down) = (page.size().width(), page.size().lines());
    let cells = columns.clamp(10, MAX_COLUMNS) - 2;
    let wide = (cells * 2) as u32;
    let shape = f64::from(down) * f64::from(coded.density.x)
        / (f64::from(across) * f64::from(coded.density.y));
    let rows = ((f64::from(wide) * shape / 4.0).ceil() as u32).clamp(1, 4 * wide);
    // Shrunk as a picture, so that every stroke counts.
    let small = page.to_gray().scaled(wide.min(across), (rows * 4).min(down));
    let dot = |x: u32, y: u32| {
        let inside = x < small.width() && y < small.height();
        inside && f64::from(u8::MAX - small.row(y)[x as usize]) > INK * 255.0
    };
    let edge = "─".repeat(cells);
    let mut text = format!("┌{edge}┐\n");
    for row in 0..rows {
        text.push('│');
        for column in 0..cells as u32 {
            let mut cell = BLANK;
            for (y, bits) in DOTS.iter().enumerate() {
                for (x, bit) in bits.iter().enumerate() {
                    if dot(column * 2 + x as u32, row * 4 + y as u32) {
                        cell |= bit;
                    }
                }
            }
            text.push(char::from_u32(cell).unwrap_or(' '));
        }
        text.push_str("│\n");
    }
    text + &format!("└{edge}┘\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use postfax_domain::document::Resolution;
    use postfax_hw::pages::{
        bitmap::{Bitmap, Size},
        sheet,
    };

    use super::*;

    #[test]
    fn ink_is_where_it_was() {
        let mut page = Bitmap::white(Size::new(1728, 2286).unwrap());
        for y in 0..1143 {
            page.blacken(y, 0, 864);
        }
        let page = CodedPage::mmr(&page, sheet::density(Resolution::Fine));
        let drawn = of(&page, 42);
        let lines: Vec<Vec<char>> = drawn.lines().map(|line| line.chars().collect()).collect();
        assert!(lines.iter().all(|line| line.len() == 42));
        assert!((27..=31).contains(&lines.len()), "{}", lines.len());
        assert_eq!((lines[2][2], lines[2][39], lines[25][2]), ('⣿', '⠀', '⠀'));
        // A width that no terminal has is not the end of it.
        assert!(of(&page, 0).lines().count() > 4);
        assert_eq!(of(&page, 10_000).lines().next().unwrap().chars().count(), MAX_COLUMNS);
    }
}
