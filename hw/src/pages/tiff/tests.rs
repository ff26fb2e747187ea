//! Files there and back, files as sloppy software writes them, and files made to harm.
//! What other programs write and read is in [`super::interop`].

use proptest::prelude::*;

use super::*;

pub(super) const FINE: Density = Density { x: 204.0, y: 196.0 };

/// Text-like and dithered parts, a black line, white lines; an odd width.
pub(super) fn page(width: u32, lines: u32, seed: u32) -> Bitmap {
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

pub(super) fn coded(page: &Bitmap, coding: Coding) -> CodedPage {
    let bytes = ccitt::encode(page, coding);
    CodedPage { size: page.size(), density: FINE, coding, inverted: false, bytes }
}

#[test]
fn what_is_written_is_read() {
    for coding in Coding::ALL {
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
        (entry(tag::STRIP_OFFSETS) + 8, (good.len() - page.bytes.len() - 2) as u32, "overlap"),
        (entry(tag::IMAGE_WIDTH) + 8, u32::MAX, "too wide"),
        (entry(tag::IMAGE_WIDTH) + 8, 0, "too wide or empty"),
        (entry(tag::IMAGE_WIDTH), u32::from(tag::IMAGE_LENGTH) | 4 << 16, "twice"),
        (entry(tag::IMAGE_WIDTH), 65_000 | 4 << 16, "no width"),
        (0, 0x29_4949, "not a TIFF"),
        (0, 0x2b_4949, "BigTIFF"),
        (0, 0x2b00_4d4d, "BigTIFF"),
        (4, 0, "no pages"),
    ] {
        let said = changed(at, value);
        assert!(said.contains(words), "{said:?} does not say {words:?}");
    }
}

#[test]
fn a_file_that_is_cut_off_keeps_its_pages_only_where_that_is_wanted() {
    let pages = [page(200, 40, 1), page(200, 40, 2)];
    let bytes = write(&pages.each_ref().map(|p| coded(p, Coding::Mmr)), FillOrder::LowestFirst);
    let first = coded(&pages[0], Coding::Mmr).bytes.len();
    let cut = bytes[..HEAD + first + 30].to_vec();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.tif");
    std::fs::write(&path, &cut).unwrap();
    let kept = read(&path).unwrap();
    assert_eq!(kept.pages().len(), 1);
    assert_eq!(kept.decode(0).unwrap().page, pages[0]);
    assert!(File::parse(cut).err().unwrap().to_string().contains("outside the file"));
}

/// The header, a directory of 16 tags and two fractions.
const HEAD: usize = 8 + 2 + 16 * 12 + 4 + 16;

/// How sloppy software lays out a file.
#[derive(Debug, Clone, Copy, Default)]
struct Sloppy {
    big_endian: bool,
    /// Directories behind all data, the last page's first.
    late: bool,
    /// At odd places.
    odd: bool,
    /// Tags from the highest number down.
    downwards: bool,
}

/// Number, type, count and value.
type Entry = (u16, u16, u32, u32);

/// A file of pages with these tags; the places of the strips are filled in.
fn lay_out(pages: &[(Vec<Entry>, &[u8])], how: Sloppy) -> Vec<u8> {
    let two = |v: u16| if how.big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let four = |v: u32| if how.big_endian { v.to_be_bytes() } else { v.to_le_bytes() };
    let mut file = if how.big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
    file.extend([0; 4]);
    let directory = 2 + pages[0].0.len() * 12 + 4;
    let odd = usize::from(how.odd);
    let mut strip = if how.late { 8 } else { 8 + odd + directory * pages.len() };
    let data: usize = pages.iter().map(|page| page.1.len()).sum();
    let first = if how.late { 8 + data.next_multiple_of(2) + odd } else { 8 + odd };
    let place = |i: usize| first + directory * if how.late { pages.len() - 1 - i } else { i };
    let mut all = vec![0; (place(0).max(place(pages.len() - 1)) + directory).max(strip + data)];
    all[..8].copy_from_slice(&file);
    all[4..8].copy_from_slice(&four(place(0) as u32));
    for (i, (tags, bytes)) in pages.iter().enumerate() {
        let mut directory = two(tags.len() as u16).to_vec();
        let mut tags = tags.clone();
        if how.downwards {
            tags.reverse();
        }
        for (number, kind, count, value) in tags {
            let value = if number == tag::STRIP_OFFSETS { strip as u32 } else { value };
            directory.extend([two(number), two(kind)].concat());
            directory.extend(four(count));
            match kind {
                3 => directory.extend([two(value as u16), [0xaa, 0xaa]].concat()),
                _ => directory.extend(four(value)),
            }
        }
        let next = if i + 1 < pages.len() { place(i + 1) as u32 } else { 0 };
        directory.extend(four(next));
        all[place(i)..][..directory.len()].copy_from_slice(&directory);
        all[strip..][..bytes.len()].copy_from_slice(bytes);
        strip += bytes.len();
    }
    all
}

fn tags(page: &CodedPage) -> Vec<Entry> {
    vec![
        (tag::IMAGE_WIDTH, 3, 1, page.size.width()),
        (tag::IMAGE_LENGTH, 3, 1, page.size.lines()),
        (tag::COMPRESSION, 3, 1, 4),
        (tag::PHOTOMETRIC, 3, 1, 0),
        (tag::STRIP_OFFSETS, 4, 1, 0),
        (tag::ROWS_PER_STRIP, 3, 1, page.size.lines()),
        (tag::STRIP_BYTE_COUNTS, 4, 1, page.bytes.len() as u32),
        (tag::PAGE_NUMBER, 3, 2, 0),
    ]
}

fn assert_reads(file: Vec<u8>, pages: &[Bitmap], what: &str) {
    let file = File::parse(file).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(file.pages().len(), pages.len(), "{what}");
    for (i, page) in pages.iter().enumerate() {
        let decoded = file.decode(i).unwrap();
        assert_eq!(&decoded.page, page, "{what}");
        assert!(decoded.damage.is_none(), "{what}: {:?}", decoded.damage);
    }
}

#[test]
fn directories_lie_anywhere_in_either_byte_order() {
    // RFC 3249 5.2.3.1.
    let pages = [page(200, 40, 1), page(333, 41, 2), page(64, 7, 3)];
    let all = pages.each_ref().map(|page| coded(page, Coding::Mmr));
    let parts = all.each_ref().map(|page| (tags(page), &page.bytes[..]));
    for bits in 0..16 {
        let bit = |at: u32| bits >> at & 1 == 1;
        let how = Sloppy { big_endian: bit(0), late: bit(1), odd: bit(2), downwards: bit(3) };
        assert_reads(lay_out(&parts, how), &pages, &format!("{how:?}"));
    }
}

#[test]
fn what_a_file_leaves_out_or_says_wrong_is_taken_from_its_data() {
    let pages = [page(200, 40, 1), page(200, 33, 2)];
    let all = pages.each_ref().map(|page| coded(page, Coding::Mmr));
    for (number, changed) in [
        (tag::IMAGE_LENGTH, Some((4, 1, 0))),
        (tag::IMAGE_LENGTH, Some((4, 1, u32::MAX))),
        (tag::IMAGE_LENGTH, None),
        (tag::ROWS_PER_STRIP, Some((4, 1, u32::MAX))),
        (tag::ROWS_PER_STRIP, Some((3, 1, 0))),
        (tag::ROWS_PER_STRIP, Some((3, 1, 8))),
        (tag::ROWS_PER_STRIP, None),
        (tag::STRIP_BYTE_COUNTS, Some((4, 1, 0))),
        (tag::STRIP_BYTE_COUNTS, Some((4, 1, u32::MAX))),
        (tag::STRIP_BYTE_COUNTS, None),
        // Counted wrong.
        (tag::IMAGE_WIDTH, Some((3, 0, 200))),
        (tag::IMAGE_WIDTH, Some((4, 0xffff_ffff, 200))),
        (tag::STRIP_BYTE_COUNTS, Some((3, 0, all[0].bytes.len() as u32))),
        // LONG for SHORT.
        (tag::COMPRESSION, Some((4, 1, 4))),
        (tag::PHOTOMETRIC, None),
    ] {
        let parts = all.each_ref().map(|page| {
            let mut tags = tags(page);
            let at = tags.iter().position(|tag| tag.0 == number).unwrap();
            match changed {
                Some((kind, count, value)) => tags[at] = (number, kind, count, value),
                None => drop(tags.remove(at)),
            }
            (tags, &page.bytes[..])
        });
        // The same length of both pages would be wrong for one of them.
        let how = Sloppy { late: true, ..Sloppy::default() };
        let count = if number == tag::STRIP_BYTE_COUNTS { 1 } else { 2 };
        assert_reads(
            lay_out(&parts[..count], how),
            &pages[..count],
            &format!("{number} {changed:?}"),
        );
    }
}

#[test]
fn a_length_is_measured_in_every_coding() {
    let page = page(200, 40, 1);
    for coding in Coding::ALL {
        let coded = coded(&page, coding);
        let mut bytes = write(std::slice::from_ref(&coded), FillOrder::LowestFirst);
        let at = (10..200).step_by(12).find(|&at| bytes[at..at + 2] == [1, 1]).unwrap();
        bytes[at + 8..at + 12].fill(0);
        let read = File::parse(bytes).unwrap().decode(0).unwrap();
        assert_eq!(read.page, page, "{coding:?}");
    }
}

/// Each tag of the first directory, its type, count and value.
fn entries_of(file: &[u8]) -> Vec<Entry> {
    let two = |at: usize| u16::from_le_bytes([file[at], file[at + 1]]);
    let four = |at: usize| u32::from(two(at)) | u32::from(two(at + 2)) << 16;
    let start = four(4) as usize;
    let entry = |i: usize| start + 2 + 12 * i;
    (0..usize::from(two(start)))
        .map(|i| (two(entry(i)), two(entry(i) + 2), four(entry(i) + 4), four(entry(i) + 8)))
        .collect()
}

#[test]
fn profile_s_is_written_to_the_letter() {
    let pages = [page(1728, 60, 1), page(1728, 50, 2)];
    // Whatever it comes in: MMR, inverted, at a density that is not whole.
    let mut inverted = coded(&pages[1].clone().inverted(), Coding::Mmr);
    inverted.inverted = true;
    inverted.density = Density { x: 203.9, y: 97.8 };
    let file = write_as(&[coded(&pages[0], Coding::MhRows), inverted], Profile::S).unwrap();
    let strip = ccitt::encode(&pages[0], Coding::Mh { aligned: false });
    assert_eq!(file[..8], *b"II*\0\x08\0\0\0");
    let length = strip.len() as u32;
    assert_eq!(
        entries_of(&file),
        [
            (254, 4, 1, 2),
            (256, 4, 1, 1728),
            (257, 4, 1, 60),
            (258, 3, 1, 1),
            (259, 3, 1, 3),
            (262, 3, 1, 0),
            (266, 3, 1, 2),
            (273, 4, 1, HEAD as u32),
            (277, 3, 1, 1),
            (278, 4, 1, 60),
            (279, 4, 1, length),
            (282, 5, 1, HEAD as u32 - 16),
            (283, 5, 1, HEAD as u32 - 8),
            (292, 4, 1, 0),
            (296, 3, 1, 2),
            (297, 3, 2, 2 << 16),
        ]
    );
    let fractions = [204_u32, 1, 196, 1].map(u32::to_le_bytes).concat();
    assert_eq!(file[HEAD - 16..HEAD], fractions);
    let mut bits = file[HEAD..HEAD + strip.len()].to_vec();
    ccitt::reverse_bits(&mut bits);
    assert_eq!(bits, strip);
    assert!(ccitt::starts_with_eol(&bits));
    let next = u32::from_le_bytes(file[HEAD - 20..HEAD - 16].try_into().unwrap());
    assert_eq!(next as usize, (HEAD + strip.len()).next_multiple_of(2), "the next page follows");
    let read = File::parse(file).unwrap();
    assert_eq!(read.decode(1).unwrap().page, pages[1]);
    assert_eq!(read.pages()[1].density, Density { x: 204.0, y: 98.0 });
    assert!(!read.decode(0).unwrap().damage.block_ended, "RTC is not written");
}

#[test]
fn a_profile_refuses_what_no_machine_has() {
    let at = |width: u32, x: f32, y: f32| {
        let mut page = coded(&page(width, 9, 1), Coding::Mmr);
        page.density = Density { x, y };
        page
    };
    let f = Profile::F { order: FillOrder::LowestFirst, quality: &[] };
    for (page, in_s, in_f) in [
        (at(1728, 204.0, 98.0), true, true),
        (at(1728, 200.0, 200.0), true, true),
        (at(1728, 204.0, 391.0), false, true),
        (at(2048, 204.0, 196.0), false, true),
        (at(2592, 300.0, 300.0), false, true),
        (at(4864, 408.0, 391.0), false, true),
        (at(4864, 400.0, 400.0), false, true),
        (at(1728, 300.0, 300.0), false, false),
        (at(1000, 204.0, 196.0), false, false),
        (at(1728, 204.0, 150.0), false, false),
    ] {
        let what = (page.size, page.density);
        assert_eq!(write_as(std::slice::from_ref(&page), Profile::S).is_ok(), in_s, "{what:?}");
        assert_eq!(write_as(&[page], f).is_ok(), in_f, "{what:?}");
    }
}

#[test]
fn profile_f_says_what_was_damaged_and_keeps_what_is_sound() {
    let sound = coded(&page(1728, 50, 1), Coding::Mmr);
    let mut open = sound.clone();
    // The last three bytes are EOFB.
    open.bytes.truncate(open.bytes.len() - 3);
    let mut damaged = coded(&page(1728, 50, 2), Coding::Mh { aligned: true });
    let middle = damaged.bytes.len() / 2;
    damaged.bytes[middle..middle + 3].fill(0x55);
    let bad = damaged.decode().damage.bad_lines;
    assert!(bad > 0);
    let known = Quality { clean: CleanData::Bad, bad_lines: 7, longest: 3 };
    let all = [sound.clone(), open, damaged, sound.clone()];
    let quality = [None, None, None, Some(known)];
    let profile = Profile::F { order: FillOrder::HighestFirst, quality: &quality };
    let file = File::parse(write_as(&all, profile).unwrap()).unwrap();
    assert_eq!(file.coded(0).unwrap().bytes, sound.bytes, "copied");
    assert!(file.decode(1).unwrap().damage.block_ended, "EOFB closes each strip");
    assert!(file.decode(2).unwrap().damage.is_none(), "repaired");
    let said: Vec<_> = file.pages().iter().map(|page| page.quality).collect();
    assert_eq!(said[..2], [None, None]);
    let repaired = said[2].unwrap();
    assert_eq!((repaired.clean, repaired.bad_lines), (CleanData::Regenerated, bad));
    assert_eq!(said[3], Some(known));
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
