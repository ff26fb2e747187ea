//! Pages and options by chance, the same for the same seed.

use postfax_hw::pages::{
    bitmap::{Bitmap, Size},
    ccitt::{End, MinScanTime, Options},
};

use crate::chance::Chance;

/// What T.4 leaves open.
pub(crate) fn options(chance: &mut Chance) -> Options {
    let times = [MinScanTime::Ms0, MinScanTime::Ms0, MinScanTime::Ms5, MinScanTime::Ms20];
    Options {
        k: [1, 2, 4, 8, 1000][chance.below(5) as usize],
        end: [End::Open, End::Rtc][chance.below(2) as usize],
        min_line_bits: times[chance.below(4) as usize].bits(14_400),
    }
}

/// A small page of one of the kinds that there are.
pub(crate) fn page(chance: &mut Chance) -> Bitmap {
    const WIDTHS: [u32; 16] =
        [1, 2, 7, 8, 9, 63, 64, 65, 1728, 2048, 2432, 2592, 3456, 4096, 4864, 9728];
    let width = match chance.below(3) {
        0 => 1 + chance.below(200) as u32,
        _ => WIDTHS[chance.below(16) as usize],
    };
    let lines = 1 + chance.below(if width > 2000 { 8 } else { 40 }) as u32;
    let mut page = Bitmap::white(Size::new(width, lines).unwrap());
    let kind = chance.below(7);
    for y in 0..lines {
        match kind {
            0 => {}
            1 => page.blacken(y, 0, width),
            2 => dots(chance, &mut page, y, 2),
            3 => dots(chance, &mut page, y, 40),
            4 => runs(chance, &mut page, y),
            5 if y > 0 => shifted(chance, &mut page, y),
            5 => runs(chance, &mut page, y),
            _ => match chance.below(3) {
                0 => runs(chance, &mut page, y),
                1 if y > 0 => page.copy_row(y - 1, y),
                _ => {}
            },
        }
    }
    page
}

fn dots(chance: &mut Chance, page: &mut Bitmap, y: u32, one_of: u64) {
    for x in 0..page.size().width() {
        if chance.below(one_of) == 0 {
            page.set_black(x, y);
        }
    }
}

/// Runs of all lengths, so that each code comes up.
fn runs(chance: &mut Chance, page: &mut Bitmap, y: u32) {
    let width = page.size().width();
    let longest = [8, 70, 3000, 9728][chance.below(4) as usize];
    let mut x = chance.below(longest) as u32;
    while x < width {
        let end = x + 1 + chance.below(longest) as u32;
        page.blacken(y, x, end.min(width));
        x = end + 1 + chance.below(longest) as u32;
    }
}

/// The line above with its changes moved a little: vertical modes, passes, insertions.
fn shifted(chance: &mut Chance, page: &mut Bitmap, y: u32) {
    let width = page.size().width();
    let mut x = 0;
    while x < width {
        if page.is_black(x, y - 1) {
            let end = (x..width).find(|&x| !page.is_black(x, y - 1)).unwrap_or(width);
            let mut moved = |at: u32| (at + chance.below(9) as u32).saturating_sub(4).min(width);
            let (from, to) = (moved(x), moved(end));
            if chance.below(8) > 0 {
                page.blacken(y, from, to);
            }
            x = end;
        }
        x += 1;
    }
    if chance.below(4) == 0 {
        let from = chance.below(width.into()) as u32;
        page.blacken(y, from, (from + 1 + chance.below(30) as u32).min(width));
    }
}
