//! Fax pages as PWG raster of one bit a pixel (PWG 5102.4, `black_1`), which every FaxOut
//! device has to take. Nothing is drawn anew: the same pixels, coded by repetitions.

use crate::pages::{
    bitmap::Bitmap,
    tiff::{Density, File, TiffError},
};

/// PWG 5102.4 4.2 and 4.3.
const SYNC: &[u8] = b"RaS2";
const HEADER_BYTES: usize = 1796;
/// ColorSpace of table 5: black, 1 is black.
const BLACK: u32 = 3;
/// Most times that a line or an octet is repeated by one code.
const MOST_LINES: usize = 256;
const MOST_OCTETS: usize = 128;
const POINTS_PER_INCH: f32 = 72.0;

/// The bytes of a file with all pages.
pub(super) fn write(file: &File) -> Result<Vec<u8>, TiffError> {
    let mut out = SYNC.to_vec();
    let total = file.pages().len();
    for index in 0..total {
        let page = file.decode(index)?.page;
        out.extend_from_slice(&header(&page, file.pages()[index].density, total as u32));
        lines(&page, &mut out);
    }
    Ok(out)
}

/// PWG 5102.4 4.3: everything that is not named is zero.
fn header(page: &Bitmap, density: Density, total: u32) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..9].copy_from_slice(b"PwgRaster");
    let (width, height) = (page.size().width(), page.size().lines());
    let points = |dots: u32, density: f32| (dots as f32 / density * POINTS_PER_INCH) as u32;
    let (across, down) = (density.x.round() as u32, density.y.round() as u32);
    let fields = [
        (276, across),
        (280, down),
        (340, 1),
        (352, points(width, density.x)),
        (356, points(height, density.y)),
        (372, width),
        (376, height),
        (384, 1),
        (388, 1),
        (392, width.div_ceil(8)),
        (400, BLACK),
        (420, 1),
        (452, total),
        (456, 1),
        (460, 1),
        (472, width),
        (476, height),
    ];
    for (at, value) in fields {
        header[at..at + 4].copy_from_slice(&u32::to_be_bytes(value));
    }
    header
}

/// PWG 5102.4 4.4: how often a line is repeated, then its octets.
fn lines(page: &Bitmap, out: &mut Vec<u8>) {
    let total = page.size().lines();
    let mut line = 0;
    while line < total {
        let octets = page.row(line);
        let rest = (line..total).take(MOST_LINES);
        let times = rest.take_while(|next| page.row(*next) == octets).count();
        out.push((times - 1) as u8);
        packed(octets, out);
        line += times as u32;
    }
}

/// Runs of one octet, and octets that are unlike each other.
fn packed(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets;
    while let Some(first) = rest.first() {
        let run = rest.iter().take(MOST_OCTETS).take_while(|octet| *octet == first).count();
        let unlike = rest.windows(2).take(MOST_OCTETS - 1).take_while(|two| two[0] != two[1]);
        let unlike = unlike.count() + usize::from(rest.len() == 1);
        let taken = match (run, unlike) {
            // Two or more of them have a code; one is written as a run of one.
            (1, 2..) => {
                out.push((257 - unlike) as u8);
                out.extend_from_slice(&rest[..unlike]);
                unlike
            }
            _ => {
                out.extend_from_slice(&[(run - 1) as u8, *first]);
                run
            }
        };
        rest = &rest[taken..];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pages::{
        bitmap::Size,
        tiff::{self, CodedPage, FillOrder},
    };

    fn unpacked(mut packed: &[u8], width: usize) -> (Vec<u8>, &[u8]) {
        let mut line = Vec::new();
        while line.len() < width {
            let code = usize::from(packed[0]);
            let (count, used) = if code < 128 { (code + 1, 1) } else { (257 - code, 257 - code) };
            match used {
                1 => line.extend(std::iter::repeat_n(packed[1], count)),
                _ => line.extend_from_slice(&packed[1..=count]),
            }
            packed = &packed[1 + used..];
        }
        (line, packed)
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_was(octets in prop::collection::vec(0..3_u8, 1..600)) {
            let mut out = Vec::new();
            packed(&octets, &mut out);
            prop_assert_eq!(unpacked(&out, octets.len()), (octets, &[][..]));
        }
    }

    #[test]
    fn pages_are_the_same_pixels() {
        let size = Size::new(1728, 700).unwrap();
        let mut page = Bitmap::white(size);
        page.blacken(300, 7, 900);
        page.blacken(301, 7, 900);
        let density = Density { x: 204.0, y: 196.0 };
        let pages = [CodedPage::mmr(&page, density), CodedPage::mmr(&Bitmap::white(size), density)];
        let file = tiff::File::parse(tiff::write(&pages, FillOrder::HighestFirst)).unwrap();
        let raster = write(&file).unwrap();
        let mut rest = raster.strip_prefix(SYNC).unwrap();
        for expected in [page, Bitmap::white(size)] {
            let (header, body) = rest.split_at(HEADER_BYTES);
            let field = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
            assert_eq!([field(276), field(280), field(372), field(376)], [204, 196, 1728, 700]);
            assert_eq!([field(388), field(392), field(400), field(452)], [1, 216, 3, 2]);
            rest = body;
            let mut line = 0;
            while line < size.lines() {
                let times = u32::from(rest[0]) + 1;
                let (octets, after) = unpacked(&rest[1..], 216);
                rest = after;
                for line in line..line + times {
                    assert_eq!(expected.row(line), octets, "line {line}");
                }
                line += times;
            }
        }
        assert_eq!(rest, b"");
    }
}
