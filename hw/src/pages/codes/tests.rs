//! Codes that have gone through a fax: coarse lines, bad lines, a crooked sheet.

use super::*;
use crate::pages::{
    bitmap::Size,
    ccitt::{self, Coding},
    tiff::CodedPage,
};

/// QR codes, a row of modules in each number, the leftmost in its highest bit.
const INVOICE: (&str, &[u32]) = (
    "INV-2024-00817",
    &[
        0x1f_c47f, 0x10_5e41, 0x17_4f5d, 0x17_435d, 0x17_5b5d, 0x10_4641, 0x1f_d57f, 0x0,
        0x15_4d12, 0x5_beac, 0x1a_e2d9, 0x1c_978a, 0x11_6e7b, 0x189d, 0x1f_c955, 0x10_4059,
        0x17_5dff, 0x17_4692, 0x17_5e61, 0x10_43bf, 0x1f_d255,
    ],
);
const LINK: (&str, &[u32]) = (
    "https://fax.example.com/r/4711?k=Zürich",
    &[
        0x1fc9_847f,
        0x105c_8141,
        0x175a_335d,
        0x1753_af5d,
        0x1742_8f5d,
        0x1048_3941,
        0x1fd5_557f,
        0x1d_6200,
        0x1055_e8ce,
        0x1a9a_4236,
        0x1ccc_8c00,
        0xbbe_67a8,
        0x648_0561,
        0x1d2b_9ed3,
        0x6fd_39dc,
        0x1003_4045,
        0x6ca_1c2c,
        0x1836_a377,
        0x1de8_2bd9,
        0x1417_a590,
        0x1551_4ff7,
        0x18_6118,
        0x1fc7_3b5c,
        0x104c_7310,
        0x174a_c7fa,
        0x1747_608d,
        0x174d_f4fe,
        0x1048_928d,
        0x1fdb_be34,
    ],
);

/// A sheet with codes on it.
struct Sheet {
    page: Bitmap,
    density: Density,
}

impl Sheet {
    fn new(density: (f32, f32)) -> Self {
        let density = Density { x: density.0, y: density.1 };
        let size = Size::new((density.x * 8.47) as u32, (density.y * 6.0) as u32).unwrap();
        Self { page: Bitmap::white(size), density }
    }

    /// Draws a code with its corner at this place, its modules so large (all in inches),
    /// turned by some degrees.
    fn draw(&mut self, rows: &[u32], at: (f32, f32), module: f32, degrees: f32) {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let count = rows.len() as f32;
        let size = self.page.size();
        for y in 0..size.lines() {
            for x in 0..size.width() {
                let (right, down) = (x as f32 + 0.5, y as f32 + 0.5);
                let (right, down) = (right / self.density.x - at.0, down / self.density.y - at.1);
                let column = (right * cos + down * sin) / module;
                let row = (down * cos - right * sin) / module;
                if (0.0..count).contains(&column) && (0.0..count).contains(&row) {
                    let bit = rows.len() - 1 - column as usize;
                    if rows[row as usize] >> bit & 1 == 1 {
                        self.page.set_black(x, y);
                    }
                }
            }
        }
    }

    /// The page as it arrives when so many of 1000 lines lose some bits.
    fn sent(&self, per_mille: u32, seed: u32) -> Bitmap {
        let coding = Coding::Mh { aligned: true };
        let mut bytes = ccitt::encode(&self.page, coding);
        let eols: Vec<usize> = (0..bytes.len() - 1)
            .filter(|&at| bytes[at] & 0x0f == 0 && bytes[at + 1] == 1)
            .collect();
        let mut state = seed;
        for eol in eols.windows(2) {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if (state >> 8) % 1000 < per_mille && eol[0] + 2 < eol[1] {
                bytes[eol[0] + 2] = 0x00;
            }
        }
        ccitt::decode(&bytes, coding, self.page.size()).page
    }

    fn specks(&mut self, count: u32) {
        let mut state = 77_u32;
        for _ in 0..count {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = self.page.size();
            self.page.set_black((state >> 8) % size.width(), (state >> 4) % size.lines());
        }
    }
}

/// A page with a code on it, for other tests, and what the code says.
pub(crate) fn invoice() -> (CodedPage, &'static str) {
    let mut sheet = Sheet::new((204.0, 98.0));
    sheet.draw(INVOICE.1, (5.0, 0.8), 0.04, 0.0);
    (CodedPage::mmr(&sheet.page, sheet.density), INVOICE.0)
}

#[test]
fn codes_are_read_at_every_resolution() {
    for density in [(204.0, 98.0), (204.0, 196.0), (204.0, 391.0), (300.0, 300.0)] {
        let mut sheet = Sheet::new(density);
        // Modules of a millimetre; the lower one first, and it is told last.
        sheet.draw(INVOICE.1, (5.0, 3.5), 0.04, 0.0);
        sheet.draw(LINK.1, (0.6, 0.7), 0.04, 0.0);
        let found = read(&sheet.page, sheet.density);
        assert_eq!(found, [LINK.0, INVOICE.0], "{density:?}");
    }
}

#[test]
fn codes_survive_the_telephone_line() {
    let mut read_back = 0;
    let mut all = 0;
    for density in [(204.0, 98.0), (204.0, 196.0)] {
        for (degrees, seed) in [(0.0, 1), (1.5, 2), (-2.0, 3)] {
            let mut sheet = Sheet::new(density);
            sheet.draw(LINK.1, (1.0, 1.0), 0.04, degrees);
            sheet.specks(400);
            let page = sheet.sent(10, seed);
            assert!(page != sheet.page, "some lines are bad");
            all += 1;
            read_back += u32::from(read(&page, sheet.density) == [LINK.0]);
        }
    }
    assert_eq!(read_back, all);
}

#[test]
fn a_page_without_codes_has_none() {
    let mut sheet = Sheet::new((204.0, 98.0));
    sheet.specks(20_000);
    (300..500).for_each(|y| sheet.page.blacken(y, 200, 900));
    assert!(read(&sheet.page, sheet.density).is_empty());
    let black = Bitmap::white(Size::new(3, 2).unwrap()).inverted();
    assert!(read(&black, sheet.density).is_empty());
}
