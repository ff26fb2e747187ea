//! TIFF pictures of odd kinds, and tones.

use postfax_domain::document::Tone;

use super::*;

/// A TIFF (little endian) of 64 by 64 pixels with these tags of one short number, or of
/// several, and one strip.
fn tiff_file(tags: &[(u16, &[u16])], strip: &[u8]) -> Vec<u8> {
    let mut all: Vec<(u16, Vec<u16>)> = [(256, 64), (257, 64), (278, 64)]
        .map(|(tag, value)| (tag, vec![value]))
        .into_iter()
        .chain(tags.iter().map(|(tag, values)| (*tag, values.to_vec())))
        .collect();
    all.extend([(273, vec![]), (279, vec![])]);
    all.sort();
    let directory = 8 + 2 + 12 * all.len() + 4;
    let (mut entries, mut values) = (Vec::new(), Vec::new());
    for (tag, numbers) in &all {
        let long = |number: usize| (4_u16, 1, (number as u32).to_le_bytes());
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let (kind, count, value) = match (tag, numbers.len()) {
            // The strip is the last thing in the file.
            (273, _) => long(directory + 6000),
            (279, _) => long(strip.len()),
            (_, 1) => (3, 1, [bytes[0], bytes[1], 0, 0]),
            (_, count) => {
                let at = (directory + values.len()) as u32;
                values.extend(&bytes);
                (3, count as u32, at.to_le_bytes())
            }
        };
        entries.extend(tag.to_le_bytes());
        entries.extend(kind.to_le_bytes());
        entries.extend(count.to_le_bytes());
        entries.extend(value);
    }
    values.resize(6000, 0);
    let start = b"II*\0\x08\0\0\0".to_vec();
    let count = (all.len() as u16).to_le_bytes().to_vec();
    [start, count, entries, vec![0; 4], values, strip.to_vec()].concat()
}

/// Bytes of 64 rows that are alike: `each` bytes a pixel, the left half of `dark`.
fn halves(dark: &[u8], light: &[u8]) -> Vec<u8> {
    let row = [dark.repeat(32), light.repeat(32)].concat();
    row.repeat(64)
}

#[test]
fn odd_tiff_pictures_show_what_they_hold() {
    let mut palette = vec![0xffff_u16; 768];
    for third in 0..3 {
        palette[third * 256 + 7] = 0;
    }
    let small = [&[0xffff_u16, 0], &[0xffff_u16; 14][..]].concat().repeat(3);
    let bits = [[0xff_u8; 4], [0; 4]].concat().repeat(64);
    // The first pixel of each byte in the lowest bit: three dark ones at the left.
    let reversed = [&[0b0000_0111_u8][..], &[0; 7]].concat().repeat(64);
    let colours: &[u16] = &[8, 8, 8];
    let plain = |bits: &[u16], photometric: u16, more: &[(u16, &[u16])], strip: &[u8]| {
        let tags = [(258, bits), (259, &[1]), (262, &[photometric])];
        let samples = [(277, &[bits.len() as u16][..])];
        tiff_file(&[&tags[..], &samples[..], more].concat(), strip)
    };
    for (what, bytes, dark) in [
        ("palette", plain(&[8], 3, &[(320, &palette)], &halves(&[7], &[9])), 32),
        (
            "palette of 4 bits",
            plain(&[4], 3, &[(320, &small)], &[[0x11; 16], [0x22; 16]].concat().repeat(64)),
            32,
        ),
        ("white is 0", plain(&[1], 0, &[], &bits), 32),
        ("lowest bit first", plain(&[1], 0, &[(266, &[2])], &reversed), 3),
        ("grey of 16 bits", plain(&[16], 1, &[], &halves(&[0, 0], &[255, 255])), 32),
        ("Lab", plain(colours, 8, &[], &halves(&[0, 0, 0], &[255, 0, 0])), 32),
        ("CMYK", plain(&[8; 4], 5, &[], &halves(&[0, 0, 0, 255], &[0; 4])), 32),
        ("planes", planar(), 32),
    ] {
        let page = match draw_at(Kind::Tiff, bytes, Resolution::Fine) {
            Ok(tray) => tray.pages.into_iter().next().unwrap(),
            Err(refusal) => panic!("{what}: {refusal}"),
        };
        // 64 pixels at 96 an inch are 136 by 131 in the middle of the sheet.
        let [left, top, right, bottom] = ink(&page);
        let shown = (right - left + 1) * 64 / 136;
        assert!(shown.abs_diff(dark) <= 1, "{what}: {shown} of 64, {left} {right}");
        assert!(left.abs_diff(792) <= 1 && (bottom - top).abs_diff(130) <= 1, "{what}");
    }
}

fn planar() -> Vec<u8> {
    use ::tiff::{encoder::TiffEncoder, tags::Tag};
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).unwrap();
    let mut directory = encoder.image_directory().unwrap();
    let plane = halves(&[0], &[255]);
    let starts: Vec<u32> =
        (0..3).map(|_| directory.write_data(&plane[..]).unwrap() as u32).collect();
    for (tag, value) in [
        (Tag::ImageWidth, 64_u16),
        (Tag::ImageLength, 64),
        (Tag::Compression, 1),
        (Tag::PhotometricInterpretation, 2),
        (Tag::SamplesPerPixel, 3),
        (Tag::RowsPerStrip, 64),
        (Tag::PlanarConfiguration, 2),
    ] {
        directory.write_tag(tag, value).unwrap();
    }
    directory.write_tag(Tag::BitsPerSample, &[8_u16, 8, 8][..]).unwrap();
    directory.write_tag(Tag::StripOffsets, &starts[..]).unwrap();
    directory.write_tag(Tag::StripByteCounts, &[64_u32 * 64; 3][..]).unwrap();
    directory.finish().unwrap();
    file.into_inner()
}

/// Hills and valleys of grey over the sheet.
fn shaded() -> Vec<u8> {
    let hill = |x: u32, y: u32| (f64::from(x) / 90.0).sin() * (f64::from(y) / 70.0).cos();
    let grey =
        image::ImageBuffer::from_fn(800, 1100, |x, y| Luma([(145.0 + hill(x, y) * 75.0) as u8]));
    saved(&DynamicImage::ImageLuma8(grey), ImageFormat::Png)
}

#[test]
fn tones_choose_between_threshold_and_dots() {
    let share = |tone: Tone, resolution: Resolution| {
        let look = Look { tone, resolution, ..Look::default() };
        let page = draw_as(Kind::Png, shaded(), look, 1).unwrap().pages.remove(0);
        let size = page.size();
        let all = f64::from(size.width()) * f64::from(size.lines());
        page.black_pixels() as f64 / all
    };
    for resolution in Resolution::ALL {
        assert!(share(Tone::Text, resolution) < 0.2, "a threshold drops greys");
        for tone in [Tone::Auto, Tone::Photo] {
            let share = share(tone, resolution);
            assert!((0.3..0.6).contains(&share), "{tone:?} {resolution:?} {share}");
        }
    }
}

#[test]
fn an_icon_of_today_is_drawn() {
    let png = saved(&quarter(), ImageFormat::Png);
    let mut icon = b"\0\0\x01\0\x01\0\0\0\0\0\x01\0\x18\0".to_vec();
    icon.extend((png.len() as u32).to_le_bytes());
    icon.extend(22_u32.to_le_bytes());
    icon.extend(png);
    assert_eq!(Kind::detect("", "", &icon), Some(Kind::Ico));
    assert_near(ink(&draw(Kind::Ico, icon)), [432, 837, 856, 1142]);
}

#[test]
fn a_jpeg_that_did_not_arrive_whole_is_refused() {
    let mut whole = Cursor::new(Vec::new());
    let noise = |x: u32, y: u32| Luma([(x * 7919 + y * 104_729 + x * y) as u8]);
    let picture = image::GrayImage::from_fn(200, 200, noise);
    DynamicImage::ImageLuma8(picture).write_to(&mut whole, ImageFormat::Jpeg).unwrap();
    let whole = whole.into_inner();
    for kept in [whole.len() / 4, whole.len() / 2, whole.len() - 2] {
        let found = draw_at(Kind::Jpeg, whole[..kept].to_vec(), Resolution::Standard);
        assert!(matches!(found, Err(Refusal::Broken(_))), "{kept} of {}", whole.len());
    }
    // The end of a small picture inside (EXIF) is not the end; what follows the end is nothing.
    let inside = [&whole[..2], b"\xff\xe1\0\x06\xff\xd8\xff\xd9", &whole[2..]].concat();
    let cut = inside[..inside.len() / 2].to_vec();
    assert!(draw_at(Kind::Jpeg, cut, Resolution::Standard).is_err());
    for sound in [whole.clone(), inside, [&whole[..], &[0; 99]].concat()] {
        assert!(draw_at(Kind::Jpeg, sound, Resolution::Standard).is_ok());
    }
}
