//! Pages to T.4 and T.6.

use super::{
    Coding,
    bits::Writer,
    codes::{BLACK, Code, EOL, HORIZONTAL, LONG, PASS, VERTICAL, WHITE},
    lines::{Changes, Reference, find},
};
use crate::pages::bitmap::Bitmap;

/// T.4 2.2: one of this many lines is coded in one dimension, so that damage
/// does not run down the page. 4 is the value for fine resolution.
const MR_GROUP: u32 = 4;

/// Codes a page, white runs first. T.6 ends with EOFB; T.4 has an EOL before
/// each line and no RTC, as TIFF-F wants it (RFC 3949 3.4).
#[must_use]
pub fn encode(page: &Bitmap, coding: Coding) -> Vec<u8> {
    let width = page.size().width();
    let mut out = Writer::default();
    let mut line = Changes::new();
    let mut above = Changes::new();
    for (y, row) in page.rows().enumerate() {
        find(row, width, &mut line);
        match coding {
            Coding::Mmr => two_dimensions(&mut out, &line, &above, width),
            Coding::MhRows => {
                one_dimension(&mut out, &line, width);
                out.align_for(0);
            }
            Coding::Mh { aligned } => {
                end_of_line(&mut out, aligned);
                one_dimension(&mut out, &line, width);
            }
            Coding::Mr { aligned } => {
                let single = (y as u32).is_multiple_of(MR_GROUP);
                end_of_line(&mut out, aligned);
                out.put(u32::from(single), 1);
                match single {
                    true => one_dimension(&mut out, &line, width),
                    false => two_dimensions(&mut out, &line, &above, width),
                }
            }
        }
        std::mem::swap(&mut line, &mut above);
    }
    if coding == Coding::Mmr {
        put(&mut out, EOL);
        put(&mut out, EOL);
    }
    out.finish()
}

#[inline]
fn put(out: &mut Writer, code: Code) {
    out.put(u32::from(code.bits), u32::from(code.length));
}

/// The EOL ends at a byte; a tag bit after it belongs to the line.
fn end_of_line(out: &mut Writer, aligned: bool) {
    if aligned {
        out.align_for(u32::from(EOL.length));
    }
    put(out, EOL);
}

fn run(out: &mut Writer, mut length: u32, black: bool) {
    let codes = if black { &BLACK } else { &WHITE };
    while length >= 2560 + 64 {
        put(out, LONG[LONG.len() - 1]);
        length -= 2560;
    }
    if length >= 1792 {
        let step = ((length - 1792) / 64) as usize;
        put(out, LONG[step]);
        length -= 1792 + 64 * step as u32;
    } else if length >= 64 {
        put(out, codes[63 + (length / 64) as usize]);
        length %= 64;
    }
    put(out, codes[length as usize]);
}

fn one_dimension(out: &mut Writer, line: &[u32], width: u32) {
    let mut from = 0;
    let mut black = false;
    for &change in line.iter().chain([&width]) {
        run(out, change - from, black);
        from = change;
        black = !black;
    }
}

/// T.6 2.2: each change is coded by how it differs from the line above.
fn two_dimensions(out: &mut Writer, line: &[u32], above: &[u32], width: u32) {
    let mut reference = Reference::new(above, width);
    let mut a0 = None;
    let mut next = 0;
    while a0.is_none_or(|a0| a0 < width) {
        let black = next % 2 == 1;
        let at = |i: usize| line.get(i).copied().unwrap_or(width);
        let a1 = at(next);
        let (b1, b2) = reference.b1_b2(a0, black);
        let away = i64::from(a1) - i64::from(b1);
        if b2 < a1 {
            put(out, PASS);
            a0 = Some(b2);
        } else if away.abs() <= 3 {
            put(out, VERTICAL[(away + 3) as usize]);
            a0 = Some(a1);
            next += 1;
        } else {
            let a2 = at(next + 1);
            put(out, HORIZONTAL);
            run(out, a1 - a0.unwrap_or(0), black);
            run(out, a2 - a1, !black);
            a0 = Some(a2);
            next += 2;
        }
    }
}
