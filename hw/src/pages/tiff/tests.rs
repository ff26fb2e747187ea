//! Against libtiff where its tools are installed, and against files made to harm.

use std::process::Command;

use proptest::prelude::*;

use super::*;

const FINE: Density = Density { x: 204.0, y: 196.0 };

const CODINGS: [Coding; 6] = [
    Coding::MhRows,
    Coding::Mh { aligned: false },
    Coding::Mh { aligned: true },
    Coding::Mr { aligned: false },
    Coding::Mr { aligned: true },
    Coding::Mmr,
];

/// Text-like and dithered parts, a black line, white lines; an odd width.
fn page(width: u32, lines: u32, seed: u32) -> Bitmap {
    let mut page = Bitmap::white(Size::new(width, lines).unwrap());
    let mut state = seed;
    for y in 0..lines {
        if y % 40 < 25 {
            for x in 0..width {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let dense = x > width / 2 && y < lines / 3;
                if if dense { state >> 31 == 1 } else { (x / 5 + y / 7 + seed).is_multiple_of(9) } {
                    page.set_black(x, y);
                }
            }
        } else if y % 40 == 39 {
            page.blacken(y, 0, width);
        }
    }
    page
}

fn coded(page: &Bitmap, coding: Coding) -> CodedPage {
    let bytes = ccitt::encode(page, coding);
    CodedPage { size: page.size(), density: FINE, coding, inverted: false, bytes }
}

fn tool(name: &str, args: &[&std::ffi::OsStr]) -> Option<std::process::Output> {
    Command::new(name).args(args).output().ok()
}

#[test]
fn what_is_written_is_read() {
    for coding in CODINGS {
        for order in [FillOrder::HighestFirst, FillOrder::LowestFirst] {
            let pages = [page(1728, 200, 1), page(1001, 77, 2)];
            let all: Vec<CodedPage> = pages.iter().map(|page| coded(page, coding)).collect();
            let file = File::parse(write(&all, order)).unwrap();
            assert_eq!(file.pages().len(), 2);
            for (i, page) in pages.iter().enumerate() {
                let decoded = file.decode(i).unwrap();
                assert_eq!(&decoded.page, page, "{coding:?} {order:?}");
                assert!(decoded.damage.is_none());
                assert_eq!(file.pages()[i].density, FINE);
                assert_eq!(file.coded(i).unwrap(), all[i]);
            }
        }
    }
}

#[test]
fn libtiff_reads_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.tif"), folder.path().join("theirs.tif"));
    let page = page(1728, 300, 3);
    for coding in CODINGS {
        for order in [FillOrder::HighestFirst, FillOrder::LowestFirst] {
            std::fs::write(&ours, write(&[coded(&page, coding)], order)).unwrap();
            let args = ["-c".as_ref(), "none".as_ref(), ours.as_ref(), theirs.as_ref()];
            let Some(output) = tool("tiffcp", &args) else { return };
            assert!(output.status.success() && output.stderr.is_empty(), "{coding:?}: {output:?}");
            let raw = std::fs::read(&theirs).unwrap();
            assert_eq!(uncompressed(&raw, page.size()), page, "{coding:?} {order:?}");
        }
    }
}

/// The pixels of an uncompressed little-endian file of libtiff, by its own tags.
fn uncompressed(raw: &[u8], size: Size) -> Bitmap {
    let bytes = ifd::Bytes::open(raw).unwrap();
    let ifds = ifd::chain(bytes).unwrap();
    let offsets = ifds[0].numbers(tag::STRIP_OFFSETS).unwrap().unwrap();
    let counts = ifds[0].numbers(tag::STRIP_BYTE_COUNTS).unwrap().unwrap();
    let mut all = Vec::new();
    for (offset, count) in offsets.iter().zip(&counts) {
        all.extend_from_slice(&raw[*offset as usize..(*offset + *count) as usize]);
    }
    if ifds[0].number(tag::FILL_ORDER) == Some(2) {
        ccitt::reverse_bits(&mut all);
    }
    let mut page = Bitmap::white(size);
    for (y, row) in all.chunks_exact(size.stride()).enumerate() {
        page.set_row(y as u32, row);
    }
    assert_eq!(ifds[0].number(tag::PHOTOMETRIC), Some(0));
    page
}

#[test]
fn we_read_what_libtiff_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.tif"), folder.path().join("theirs.tif"));
    let page = page(1728, 300, 4);
    std::fs::write(&ours, write(&[coded(&page, Coding::Mmr)], FillOrder::HighestFirst)).unwrap();
    for compression in ["g3", "g3:1d", "g3:2d", "g3:1d:fill", "g3:2d:fill", "g4"] {
        for order in ["lsb2msb", "msb2lsb"] {
            for rows in ["1000", "64"] {
                for endian in ["-B", "-L"] {
                    let args: Vec<&std::ffi::OsStr> = vec![
                        "-c".as_ref(),
                        compression.as_ref(),
                        "-f".as_ref(),
                        order.as_ref(),
                        "-r".as_ref(),
                        rows.as_ref(),
                        endian.as_ref(),
                        ours.as_ref(),
                        theirs.as_ref(),
                    ];
                    let Some(output) = tool("tiffcp", &args) else { return };
                    assert!(output.status.success(), "{output:?}");
                    let file = read(&theirs).unwrap();
                    let decoded = file.decode(0).unwrap();
                    assert_eq!(decoded.page, page, "{compression} {order} {rows} {endian}");
                    assert!(decoded.damage.is_none(), "{:?}", decoded.damage);
                }
            }
        }
    }
}

#[test]
fn harmful_files_are_refused() {
    let page = coded(&page(64, 30, 5), Coding::Mmr);
    let good = write(&[page.clone(), page.clone()], FillOrder::HighestFirst);
    let entry = |number: u16| {
        (10..200).step_by(12).find(|&at| good[at..at + 2] == number.to_le_bytes()).unwrap()
    };
    let changed = |at: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        File::parse(bytes).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let next = 10 + 12 * usize::from(u16::from_le_bytes([good[8], good[9]]));
    for (at, value, words) in [
        (next, 8, "circle"),
        (next, 0xffff_0000, "outside the file"),
        (entry(tag::STRIP_OFFSETS) + 8, 0x00ff_ffff, "outside the file"),
        (entry(tag::STRIP_BYTE_COUNTS) + 8, u32::MAX, "outside the file"),
        (entry(tag::STRIP_OFFSETS) + 8, (good.len() - page.bytes.len() - 2) as u32, "overlap"),
        (entry(tag::IMAGE_WIDTH) + 8, u32::MAX, "too large"),
        (entry(tag::IMAGE_LENGTH) + 8, 0, "too large or empty"),
        (0, 0x2b_4949, "not a TIFF"),
        (4, 0, "no pages"),
    ] {
        let said = changed(at, value);
        assert!(said.contains(words), "{said:?} does not say {words:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let page = coded(&page(200, 40, 6), Coding::Mr { aligned: true });
        let mut bytes = write(&[page.clone(), page], FillOrder::LowestFirst);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len() * 4).max(8));
        if let Ok(file) = File::parse(bytes) {
            for i in 0..file.pages().len() {
                let _ = (file.decode(i), file.coded(i));
            }
        }
    }
}
