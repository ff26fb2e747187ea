//! PDFs that are made to harm.

use super::{
    Case, Kind,
    Must::{Draw, End, Refuse},
    bytes::{pdf, stream, zlib},
};

const CATALOGUE: &[u8] = b"<</Type/Catalog/Pages 2 0 R>>";
const ONE_PAGE: &[u8] = b"<</Type/Pages/Kids[3 0 R]/Count 1>>";

/// One page with these resources and this content, and more objects from 5 on.
fn page(resources: &str, content: &[u8], more: &[Vec<u8>]) -> Vec<u8> {
    sized("0 0 595 842", resources, stream("", content), more)
}

fn sized(paper: &str, resources: &str, content: Vec<u8>, more: &[Vec<u8>]) -> Vec<u8> {
    let page = format!(
        "<</Type/Page/Parent 2 0 R/MediaBox[{paper}]/Contents 4 0 R/Resources<<{resources}>>>>"
    );
    let mut objects = vec![CATALOGUE.to_vec(), ONE_PAGE.to_vec(), page.into_bytes(), content];
    objects.extend_from_slice(more);
    pdf(&objects)
}

fn form(resources: &str, content: &str) -> Vec<u8> {
    let what = format!("/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<<{resources}>>");
    stream(&what, content.as_bytes())
}

fn picture(what: &str, data: &[u8]) -> Vec<u8> {
    let object = stream(&format!("/Type/XObject/Subtype/Image{what}"), data);
    page("/XObject<</P 5 0 R>>", b"500 0 0 500 50 50 cm /P Do", &[object])
}

/// Each form shows the next one twice.
fn nested_forms() -> Vec<u8> {
    let forms: Vec<_> = (0..40)
        .map(|i| match i {
            39 => form("", "0 0 100 100 re f"),
            _ => form(&format!("/XObject<</N {} 0 R>>", i + 6), "/N Do /N Do"),
        })
        .collect();
    page("/XObject<</N 5 0 R>>", b"/N Do", &forms)
}

/// Ten kids that are one and the same, nine times over.
fn shared_kids() -> Vec<u8> {
    let mut objects = vec![CATALOGUE.to_vec()];
    for level in 0_u32..9 {
        let kids = format!("{} 0 R ", level + 3).repeat(10);
        let count = 10_u64.pow(9 - level);
        objects.push(format!("<</Type/Pages/Kids[{kids}]/Count {count}>>").into_bytes());
    }
    objects.push(b"<</Type/Page/MediaBox[0 0 595 842]>>".to_vec());
    pdf(&objects)
}

fn many_kids(pages: usize) -> Vec<u8> {
    let kids = "3 0 R ".repeat(pages);
    pdf(&[
        CATALOGUE.to_vec(),
        format!("<</Type/Pages/Kids[{kids}]/Count {pages}>>").into_bytes(),
        b"<</Type/Page/MediaBox[0 0 595 842]>>".to_vec(),
    ])
}

fn pages_in_a_ring() -> Vec<u8> {
    pdf(&[
        CATALOGUE.to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 5>>".to_vec(),
        b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 5>>".to_vec(),
    ])
}

/// A table of cross references whose forerunner is itself.
fn endless_table() -> Vec<u8> {
    b"%PDF-1.4\nxref\n0 1\n0000000000 65535 f \ntrailer <</Root 1 0 R/Size 1/Prev 9>>\n\
      startxref\n9\n%%EOF"
        .to_vec()
}

fn object_that_is_itself() -> Vec<u8> {
    pdf(&[b"1 0 R".to_vec(), b"3 0 R".to_vec(), b"2 0 R".to_vec()])
}

fn stream_as_long_as_itself() -> Vec<u8> {
    let content = b"<</Length 4 0 R>>\nstream\n0 0 9 9 re f\nendstream".to_vec();
    sized("0 0 595 842", "", content, &[])
}

/// A page of JBIG2 (T.88 7.4.8) that claims to be as large as a house.
fn jbig2() -> Vec<u8> {
    let mut segment = vec![0, 0, 0, 0, 48, 0, 1, 0, 0, 0, 19];
    segment.extend(60_000_u32.to_be_bytes());
    segment.extend(60_000_u32.to_be_bytes());
    segment.extend([0; 11]);
    picture(
        "/Width 60000/Height 60000/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/JBIG2Decode",
        &segment,
    )
}

/// A codestream of JPEG 2000 (T.800 A.5.1) that does so, in tiles of one pixel.
fn jpeg2000() -> Vec<u8> {
    let mut data = vec![0xff, 0x4f, 0xff, 0x51, 0, 41, 0, 0];
    for number in [60_000_u32, 60_000, 0, 0, 1, 1, 0, 0] {
        data.extend(number.to_be_bytes());
    }
    data.extend([0, 1, 7, 1, 1, 0xff, 0x52, 0, 12, 0, 0, 0, 1, 0, 0, 4, 4, 0, 1]);
    data.extend([0xff, 0x5c, 0, 4, 0x40, 0x40, 0xff, 0x90, 0, 10, 0, 0, 0, 0, 0, 14, 0, 1, 0xff]);
    data.extend([0x93, 0xff, 0xd9]);
    picture("/Width 60000/Height 60000/Filter/JPXDecode", &data)
}

pub(super) fn all() -> Vec<Case> {
    // Eight matches are 13 bytes, which come over and over.
    let twice = zlib(&zlib(b" ", 1 << 20)[..130], 1 << 28);
    let strokes = "0 0 m 595 842 l S 595 0 m 0 842 l S ".repeat(400_000);
    let gray = "/Width 60000/Height 60000/ColorSpace/DeviceGray/BitsPerComponent 8";
    let tiling = stream(
        "/Type/Pattern/PatternType 1/PaintType 1/TilingType 1/BBox[0 0 1 1]\
         /XStep 0.001/YStep 0.001/Resources<<>>",
        b"0 0 1 1 re f",
    );
    let pdf = |name, must, bytes| Case { name, kind: Kind::Pdf, must, bytes };
    vec![
        pdf("pdf forms within forms, 2^40", End, nested_forms()),
        pdf("pdf form within itself", End, {
            page("/XObject<</N 5 0 R>>", b"/N Do", &[form("/XObject<</N 5 0 R>>", "/N Do /N Do")])
        }),
        pdf("pdf 10^9 pages that are one", End, shared_kids()),
        pdf("pdf 50,000 pages that are one", End, many_kids(50_000)),
        pdf("pdf pages in a ring", Refuse, pages_in_a_ring()),
        pdf("pdf page of 10^6 by 10^6 points", Draw, {
            sized("0 0 1000000 1000000", "", stream("", b"0 0 500000 500000 re f"), &[])
        }),
        pdf("pdf page that is upside down and infinite", End, {
            sized("1e30 1e30 -1e30 nan", "", stream("", b"0 0 9 9 re f"), &[])
        }),
        pdf("pdf content of 300 MB of blanks", End, {
            let content = stream("/Filter/FlateDecode", &zlib(b" ", 300 << 20));
            sized("0 0 595 842", "", content, &[])
        }),
        pdf("pdf content packed twice", End, {
            let content = stream("/Filter[/FlateDecode/FlateDecode]", &twice);
            sized("0 0 595 842", "", content, &[])
        }),
        pdf("pdf picture of 60,000 by 60,000", End, {
            picture(&format!("{gray}/Filter/FlateDecode"), &zlib(b"\0", 3_600_000_000))
        }),
        pdf("pdf picture that is not there", End, picture(gray, b"")),
        pdf("pdf jbig2 of 60,000 by 60,000", End, jbig2()),
        pdf("pdf jpeg 2000 of 60,000 by 60,000", End, jpeg2000()),
        pdf("pdf pattern with a million tiles a line", End, {
            page("/Pattern<</T 5 0 R>>", b"/Pattern cs /T scn 0 0 595 842 re f", &[tiling])
        }),
        pdf("pdf dashes of nothing", End, {
            page("", b"[0.00001 0.00001] 0 d 0 0 m 590 840 l S", &[])
        }),
        pdf("pdf 800,000 strokes", End, page("", strokes.as_bytes(), &[])),
        pdf("pdf 1,000,000 saved states", End, page("", "q ".repeat(1_000_000).as_bytes(), &[])),
        pdf("pdf arrays 1,000,000 deep in its content", End, {
            page("", "[".repeat(1_000_000).as_bytes(), &[])
        }),
        pdf("pdf arrays 1,000,000 deep in its catalogue", Refuse, {
            super::bytes::pdf(&["[".repeat(1_000_000).into_bytes()])
        }),
        pdf("pdf table that goes before itself", Refuse, endless_table()),
        pdf("pdf objects that are each other", Refuse, object_that_is_itself()),
        pdf("pdf stream as long as itself", End, stream_as_long_as_itself()),
    ]
}
