//! Pictures that are made to harm.

use super::{
    Case, Kind,
    Must::{End, Refuse},
    bytes::{crc, zlib},
};

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let checked = [&kind[..], data].concat();
    let (length, sum) = ((data.len() as u32).to_be_bytes(), crc(&checked).to_be_bytes());
    [&length[..], &checked, &sum].concat()
}

fn png(width: u32, height: u32, colour: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, colour, 0, 0, 0]);
    let start = [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header)].concat();
    [start, chunks.concat(), chunk(b"IEND", b"")].concat()
}

fn jpeg(height: u16, width: u16, after: &[u8]) -> Vec<u8> {
    let mut file = vec![0xff, 0xd8, 0xff, 0xc0, 0, 17, 8];
    file.extend(height.to_be_bytes());
    file.extend(width.to_be_bytes());
    file.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
    file.extend(after);
    file
}

fn gif(width: u16, height: u16, frames: usize) -> Vec<u8> {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    let mut file = [b"GIF89a", &size[..], &[0x80, 0, 0, 0, 0, 0, 255, 255, 255]].concat();
    for _ in 0..frames {
        file.extend([b",\0\0\0\0", &size[..], &[0, 2, 2, 0x44, 1, 0]].concat());
    }
    file.push(b';');
    file
}

/// VP8L: 14 bits each for width and height, less one (RFC 9649 3.4).
fn webp(side: u32) -> Vec<u8> {
    let size = (side - 1) | (side - 1) << 14;
    let mut data = vec![0x2f];
    data.extend(size.to_le_bytes());
    data.extend([0x88; 64]);
    let mut file = b"RIFF".to_vec();
    file.extend((data.len() as u32 + 13).to_le_bytes());
    file.extend(b"WEBPVP8L");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.push(0);
    file
}

fn bmp(width: i32, height: i32, bits: u16, packed: u32) -> Vec<u8> {
    let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    file.extend(width.to_le_bytes());
    file.extend(height.to_le_bytes());
    file.extend([1, 0]);
    file.extend(bits.to_le_bytes());
    file.extend(packed.to_le_bytes());
    file.resize(4000, 0);
    file
}

type Tag = (u16, u16, u32, u32);

/// Directories at 8 and on, each with the offset of the next.
fn tiff(directories: &[(&[Tag], u32)]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    for (tags, next) in directories {
        file.extend((tags.len() as u16).to_le_bytes());
        for (tag, kind, count, value) in *tags {
            file.extend(tag.to_le_bytes());
            file.extend(kind.to_le_bytes());
            file.extend(count.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file.extend(next.to_le_bytes());
    }
    file
}

/// The tags of a grey picture whose one strip lies at 0.
fn gray(width: u32, height: u32) -> [Tag; 8] {
    [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (278, 4, 1, height),
        (279, 4, 1, width.saturating_mul(height)),
    ]
}

const DIRECTORY_BYTES: u32 = 2 + 8 * 12 + 4;

fn many_pages(pages: u32) -> Vec<u8> {
    let tags = gray(8, 8);
    let next = |page: u32| if page + 1 < pages { 8 + (page + 1) * DIRECTORY_BYTES } else { 0 };
    tiff(&(0..pages).map(|page| (&tags[..], next(page))).collect::<Vec<_>>())
}

/// So many strips that are all the same bytes.
fn overlapping_strips(strips: u32) -> Vec<u8> {
    let mut tags = gray(4096, strips);
    tags[5] = (273, 4, strips, 8 + DIRECTORY_BYTES);
    tags[6] = (278, 4, 1, 1);
    tags[7] = (279, 4, strips, 8 + DIRECTORY_BYTES + strips * 4);
    let mut file = tiff(&[(&tags, 0)]);
    file.extend([8, 0, 0, 0].repeat(strips as usize));
    file.extend([0, 16, 0, 0].repeat(strips as usize));
    file
}

/// A fax whose every line is coded as nothing.
fn long_fax(lines: u32) -> Vec<u8> {
    let mut tags = gray(1728, lines);
    tags[2].3 = 1;
    tags[3].3 = 4;
    tags[7].3 = 60_000;
    let mut file = tiff(&[(&tags, 0)]);
    file.resize(60_010, 0xff);
    file
}

fn svg(body: &str) -> Vec<u8> {
    let start = "<svg xmlns='http://www.w3.org/2000/svg' \
                 xmlns:xlink='http://www.w3.org/1999/xlink' width='200' height='200'>";
    format!("{start}{body}</svg>").into_bytes()
}

fn laughing_uses() -> Vec<u8> {
    let uses =
        (1..30).map(|i| format!("<g id='g{i}'><use href='#g{0}'/><use href='#g{0}'/></g>", i - 1));
    svg(&format!("<g id='g0'><rect width='9' height='9'/></g>{}", uses.collect::<String>()))
}

fn laughing_entities() -> Vec<u8> {
    let entities = (1..30).map(|i| format!("<!ENTITY e{i} '&e{0};&e{0};&e{0};&e{0};'>", i - 1));
    let entities: String = entities.collect();
    let body = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>&e29;</svg>";
    format!("<!DOCTYPE svg [<!ENTITY e0 '<g/>'>{entities}]>{body}").into_bytes()
}

pub(super) fn all() -> Vec<Case> {
    let case = |name, kind, must, bytes| Case { name, kind, must, bytes };
    let text: Vec<u8> = (0..100_000).flat_map(|_| chunk(b"tEXt", b"a\0b")).collect();
    let fax_loop = gray(8, 8);
    let mut pictures = drawings();
    pictures.extend([
        case("png of 60,000 by 60,000", Kind::Png, Refuse, png(60_000, 60_000, 2, &[])),
        case("png of 16,000 by 16,000 zeros", Kind::Png, End, {
            png(16_000, 16_000, 0, &[chunk(b"IDAT", &zlib(b"\0", 16_001 * 16_000))])
        }),
        case("png with 1 GB behind its pixels", Kind::Png, End, {
            png(8, 8, 0, &[chunk(b"IDAT", &zlib(b"\0", 1 << 30))])
        }),
        case("png with a profile of 1 GB", Kind::Png, End, {
            let profile = [b"x\0\0", &zlib(b"\0", 1 << 30)[..]].concat();
            let pixels = chunk(b"IDAT", &zlib(b"\0", 72));
            png(8, 8, 0, &[chunk(b"iCCP", &profile), pixels])
        }),
        case("png with 100,000 chunks", Kind::Png, End, {
            png(8, 8, 0, &[text, chunk(b"IDAT", &zlib(b"\0", 72))])
        }),
        case("jpeg of 65,500 by 65,500", Kind::Jpeg, Refuse, jpeg(65_500, 65_500, &[])),
        case("jpeg of 10,000 scans", Kind::Jpeg, Refuse, {
            jpeg(4000, 4000, &[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0xaa].repeat(10_000))
        }),
        case("gif of 65,535 by 65,535", Kind::Gif, Refuse, gif(65_535, 65_535, 1)),
        case("gif of 10,000 frames", Kind::Gif, End, gif(4000, 4000, 10_000)),
        case("webp of 16,384 by 16,384", Kind::Webp, Refuse, webp(16_384)),
        case("bmp of 60,000 by 60,000", Kind::Bmp, Refuse, bmp(60_000, 60_000, 24, 0)),
        case("bmp of -2^31 lines", Kind::Bmp, Refuse, bmp(1, i32::MIN, 24, 0)),
        case("bmp packed as nothing", Kind::Bmp, End, bmp(20_000, 10_000, 8, 1)),
        case("tiff directory after itself", Kind::Tiff, End, tiff(&[(&fax_loop, 8)])),
        case("tiff of 5,000 pages", Kind::Tiff, Refuse, many_pages(5000)),
        case("tiff of 60,000 strips that are one", Kind::Tiff, End, overlapping_strips(60_000)),
        case("tiff of 60,000 by 60,000", Kind::Tiff, Refuse, tiff(&[(&gray(60_000, 60_000), 0)])),
        case("tiff fax of 4,000,000,000 lines", Kind::Tiff, End, long_fax(4_000_000_000)),
        case("tiff fax of 60,000 lines", Kind::Tiff, End, long_fax(60_000)),
        case("heif that is none", Kind::Heif, Refuse, {
            [&b"\0\0\0\x18ftypheic\0\0\0\0heicmif1"[..], &[0xa5; 100_000]].concat()
        }),
    ]);
    pictures
}

fn drawings() -> Vec<Case> {
    let drawn = |name, must, bytes| Case { name, kind: Kind::Svg, must, bytes };
    vec![
        drawn("svg uses of uses, 2^29", End, laughing_uses()),
        drawn("svg entities of entities, 4^29", Refuse, laughing_entities()),
        drawn("svg groups 100,000 deep", End, {
            svg(&format!("{}{}", "<g>".repeat(100_000), "</g>".repeat(100_000)))
        }),
        drawn("svg of 10^9 by 10^9", End, {
            b"<svg xmlns='http://www.w3.org/2000/svg' width='1e9' height='1e9'/>".to_vec()
        }),
        drawn("svg blur of 10^6", End, {
            svg("<filter id='f' x='-9999' y='-9999' width='99999' height='99999'>\
                 <feGaussianBlur stdDeviation='1000000'/></filter>\
                 <rect width='100' height='100' filter='url(#f)'/>")
        }),
        drawn("svg noise of 10,000 octaves", End, {
            svg("<filter id='f'><feTurbulence numOctaves='10000' baseFrequency='0.5'/></filter>\
                 <rect width='200' height='200' filter='url(#f)'/>")
        }),
        drawn("svg pattern within itself", End, {
            svg("<pattern id='p' width='1' height='1'><rect width='1' height='1' \
                 fill='url(#p)'/></pattern><rect width='200' height='200' fill='url(#p)'/>")
        }),
        drawn("svg that shows files", End, {
            svg("<image xlink:href='file:///etc/passwd' width='99' height='99'/>\
                 <image xlink:href='/etc/passwd' width='99' height='99'/>\
                 <use href='file:///etc/passwd#a'/>")
        }),
        drawn("svg that shows the network", End, {
            svg("<image xlink:href='http://127.0.0.1:1/a.png' width='99' height='99'/>\
                 <style>@import url(http://127.0.0.1:1/a.css);</style>")
        }),
    ]
}
