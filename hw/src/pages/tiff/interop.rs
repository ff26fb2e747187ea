//! What libtiff reads of what we write, and what we read of what libtiff and ghostscript
//! write, pixel for pixel. Where a tool is not installed its tests say so and pass.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{
    tests::{coded, page},
    *,
};

/// All lines that fax machines have, in pixels, and the density of each.
const GRIDS: [(u32, f32, f32); 13] = [
    (1728, 204.0, 98.0),
    (1728, 204.0, 196.0),
    (1728, 204.0, 391.0),
    (2048, 204.0, 98.0),
    (2048, 200.0, 200.0),
    (2432, 204.0, 391.0),
    (2592, 300.0, 300.0),
    (3072, 300.0, 300.0),
    (3648, 300.0, 300.0),
    (3456, 400.0, 400.0),
    (4096, 408.0, 391.0),
    (4864, 400.0, 400.0),
    (4864, 408.0, 391.0),
];

/// `None` when it is not installed.
fn tool(name: &str, args: &[&OsStr]) -> Option<Output> {
    let output = Command::new(name).args(args).output();
    if output.is_err() {
        eprintln!("{name} is not installed: nothing is compared with it");
    }
    output.ok()
}

/// Text and dots; white; black; black with white lines.
fn contents(width: u32, lines: u32, seed: u32) -> [Bitmap; 4] {
    let white = Bitmap::white(Size::new(width, lines).unwrap());
    let striped = {
        let mut page = white.clone();
        (0..lines).step_by(3).for_each(|y| page.blacken(y, y % 9, width - y % 5));
        page
    };
    [page(width, lines, seed), white.clone(), white.inverted(), striped]
}

/// The pixels of uncompressed little-endian files of libtiff, by their own tags.
fn uncompressed(raw: &[u8]) -> Vec<Bitmap> {
    let bytes = ifd::Bytes::open(raw).unwrap();
    let ifds = ifd::chain(bytes, ifd::CutOff::Refused).unwrap();
    let one = |ifd: &ifd::Ifd<'_>| {
        let offsets = ifd.numbers(tag::STRIP_OFFSETS).unwrap().unwrap();
        let counts = ifd.numbers(tag::STRIP_BYTE_COUNTS).unwrap().unwrap();
        let mut all = Vec::new();
        for (offset, count) in offsets.iter().zip(&counts) {
            all.extend_from_slice(&raw[*offset as usize..(*offset + *count) as usize]);
        }
        if ifd.number(tag::FILL_ORDER) == Some(2) {
            ccitt::reverse_bits(&mut all);
        }
        let number = |tag| ifd.number(tag).unwrap();
        let size = Size::new(number(tag::IMAGE_WIDTH), number(tag::IMAGE_LENGTH)).unwrap();
        let mut page = Bitmap::white(size);
        for (y, row) in all.chunks_exact(size.stride()).enumerate() {
            page.set_row(y as u32, row);
        }
        assert_eq!(ifd.number(tag::PHOTOMETRIC), Some(0));
        page
    };
    ifds.iter().map(one).collect()
}

/// Whether libtiff finds these pages in that file, without a warning.
fn libtiff_reads(file: &[u8], pages: &[Bitmap], folder: &Path, what: &str) -> bool {
    let (ours, theirs) = (folder.join("ours.tif"), folder.join("theirs.tif"));
    std::fs::write(&ours, file).unwrap();
    let args = ["-c".as_ref(), "none".as_ref(), ours.as_ref(), theirs.as_ref()];
    let Some(output) = tool("tiffcp", &args) else { return false };
    assert!(output.status.success() && output.stderr.is_empty(), "{what}: {output:?}");
    let read = uncompressed(&std::fs::read(&theirs).unwrap());
    assert_eq!(read.len(), pages.len(), "{what}");
    for (i, (read, page)) in read.iter().zip(pages).enumerate() {
        assert!(read == page, "{what}: page {i} of {page:?} is another one");
    }
    true
}

/// Every content at every width and resolution in every coding, in files of many pages.
fn all_that_we_write(lines: u32) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut compared = 0;
    for (i, coding) in Coding::ALL.into_iter().enumerate() {
        let order = [FillOrder::HighestFirst, FillOrder::LowestFirst][i % 2];
        let (mut pages, mut all) = (Vec::new(), Vec::new());
        for (seed, (width, x, y)) in GRIDS.into_iter().enumerate() {
            for page in contents(width, lines, seed as u32) {
                all.push(CodedPage { density: Density { x, y }, ..coded(&page, coding) });
                pages.push(page);
            }
        }
        let written = write(&all, order);
        if !libtiff_reads(&written, &pages, folder.path(), &format!("{coding:?}")) {
            return compared;
        }
        let profile = Profile::F { order, quality: &[] };
        let written = write_as(&all, profile).unwrap();
        libtiff_reads(&written, &pages, folder.path(), &format!("Profile F {coding:?}"));
        compared += 2 * pages.len();
    }
    compared
}

#[test]
fn libtiff_reads_what_we_write() {
    all_that_we_write(23);
}

#[test]
fn libtiff_reads_profile_s_and_options_of_t4() {
    let folder = tempfile::tempdir().unwrap();
    let pages = contents(1728, 90, 3);
    let all = pages.each_ref().map(|page| coded(page, Coding::Mmr));
    let written = write_as(&all, Profile::S).unwrap();
    if !libtiff_reads(&written, &pages, folder.path(), "Profile S") {
        return;
    }
    for k in [1, 2, 8, 1000] {
        for end in [ccitt::End::Open, ccitt::End::Rtc] {
            for time in [ccitt::MinScanTime::Ms0, ccitt::MinScanTime::Ms20] {
                let options = ccitt::Options { k, end, min_line_bits: time.bits(9600) };
                for coding in [Coding::Mh { aligned: false }, Coding::Mr { aligned: true }] {
                    let all = pages.each_ref().map(|page| {
                        let bytes = ccitt::encode_with(page, coding, &options);
                        CodedPage { bytes, ..coded(page, coding) }
                    });
                    let written = write(&all, FillOrder::LowestFirst);
                    let what = format!("{coding:?} {options:?}");
                    libtiff_reads(&written, &pages, folder.path(), &what);
                }
            }
        }
    }
}

/// All that tiffcp can write of these pages.
fn all_that_libtiff_writes(pages: &[Bitmap], rows: &[&str]) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours.tif"), folder.path().join("theirs.tif"));
    let all: Vec<CodedPage> = pages.iter().map(|page| coded(page, Coding::Mmr)).collect();
    std::fs::write(&ours, write(&all, FillOrder::HighestFirst)).unwrap();
    let mut compared = 0;
    for compression in ["g3", "g3:1d", "g3:2d", "g3:1d:fill", "g3:2d:fill", "g4"] {
        for order in ["lsb2msb", "msb2lsb"] {
            for rows in rows {
                let endian = if rows.len() % 2 == 0 { "-B" } else { "-L" };
                let words = ["-c", compression, "-f", order, "-r", rows, endian];
                let files = [ours.as_os_str(), theirs.as_os_str()];
                let args: Vec<&OsStr> = words.iter().map(OsStr::new).chain(files).collect();
                let Some(output) = tool("tiffcp", &args) else { return compared };
                assert!(output.status.success(), "{output:?}");
                let file = read(&theirs).unwrap();
                for (i, page) in pages.iter().enumerate() {
                    let decoded = file.decode(i).unwrap();
                    assert!(decoded.page == *page, "{words:?} page {i}");
                    assert!(decoded.damage.is_none(), "{words:?} page {i} {:?}", decoded.damage);
                    compared += 1;
                }
            }
        }
    }
    compared
}

#[test]
fn we_read_what_libtiff_writes() {
    let pages: Vec<Bitmap> =
        [1728, 2592, 4864].into_iter().flat_map(|width| contents(width, 40, width)).collect();
    all_that_libtiff_writes(&pages, &["1000", "16"]);
}

/// The same with whole pages: minutes.
#[test]
#[ignore = "takes minutes; run by hand after a change of the codec"]
fn libtiff_and_we_agree_on_whole_pages() {
    let read = all_that_we_write(600);
    let mut written = 0;
    for (width, _, y) in GRIDS {
        let pages = contents(width, (y * 11.7) as u32, width);
        written += all_that_libtiff_writes(&pages, &["100000", "333", "8"]);
    }
    println!("{read} pages of ours were read by libtiff, {written} of libtiff's by us");
}

/// A page with letters, lines and grey.
const POSTSCRIPT: &[u8] = b"%!PS
/Helvetica findfont 14 scalefont setfont
72 100 moveto (The quick brown fox jumps over the lazy dog, 0123456789.) show
40 60 200 30 rectfill 0.6 setgray 300 20 150 60 rectfill
0 setgray 0.3 setlinewidth 10 10 moveto 500 130 lineto stroke showpage
20 20 moveto 560 20 lineto stroke showpage
";

fn ghostscript(device: &str, folder: &Path) -> Option<PathBuf> {
    let (from, to) = (folder.join("page.ps"), folder.join(device));
    std::fs::write(&from, POSTSCRIPT).unwrap();
    let out = format!("-sOutputFile={}", to.display());
    let device = format!("-sDEVICE={device}");
    let words = ["-q", "-dNOPAUSE", "-dBATCH", "-dSAFER", "-dAdjustWidth=0", "-r204x196"];
    let more = ["-g1728x400", &device, &out];
    let args = words.iter().chain(&more).map(OsStr::new).chain([from.as_os_str()]);
    let output = tool("gs", &args.collect::<Vec<&OsStr>>())?;
    assert!(output.status.success(), "{output:?}");
    Some(to)
}

#[test]
fn we_read_what_ghostscript_writes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(plain) = ghostscript("pbmraw", folder.path()) else { return };
    let plain = std::fs::read(plain).unwrap();
    let stride = 1728 / 8;
    // Each page has a head of its own before its pixels.
    let each = plain.len() / 2;
    let size = Size::new(1728, 400).unwrap();
    let truth: Vec<Bitmap> = plain
        .chunks_exact(each)
        .map(|page| {
            let pixels = &page[each - stride * 400..];
            let mut bitmap = Bitmap::white(size);
            let rows = pixels.chunks_exact(stride).enumerate();
            rows.for_each(|(y, row)| bitmap.set_row(y as u32, row));
            bitmap
        })
        .collect();
    assert_eq!(truth.len(), 2);
    for device in ["tiffg3", "tiffg32d", "tiffg4", "tiffcrle"] {
        let file = read(&ghostscript(device, folder.path()).unwrap()).unwrap();
        assert_eq!(file.pages().len(), 2, "{device}");
        for (i, page) in truth.iter().enumerate() {
            let decoded = file.decode(i).unwrap();
            assert!(decoded.page == *page, "{device} page {i}");
            assert!(decoded.damage.is_none(), "{device} page {i} {:?}", decoded.damage);
        }
    }
}
