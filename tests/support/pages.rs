//! Documents to send, and the comparison of pages, by a TIFF reader that is not ours.

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::Path,
    process::Command,
};

use tiff::decoder::{Decoder, DecodingResult};

/// A PDF of A4 pages, each with a few lines of text.
pub fn pdf(pages: usize, text: &str) -> Vec<u8> {
    let content = |page| {
        format!(
            "BT /F1 24 Tf 72 760 Td (Page {page} of {pages}) Tj 0 -40 Td ({text}) Tj \
             0 -40 Td (The quick brown fox jumps over the lazy dog.) Tj ET"
        )
    };
    pdf_of(&(1..=pages).map(content).collect::<Vec<_>>())
}

/// A QR code that says `INV-2024-00817`, as a drawing of a PDF: a row of modules in each
/// number, the leftmost in its highest bit; a module is 3 points wide.
pub fn code() -> String {
    const ROWS: [u32; 21] = [
        0x1f_c47f, 0x10_5e41, 0x17_4f5d, 0x17_435d, 0x17_5b5d, 0x10_4641, 0x1f_d57f, 0x0,
        0x15_4d12, 0x5_beac, 0x1a_e2d9, 0x1c_978a, 0x11_6e7b, 0x189d, 0x1f_c955, 0x10_4059,
        0x17_5dff, 0x17_4692, 0x17_5e61, 0x10_43bf, 0x1f_d255,
    ];
    let mut drawing = String::new();
    for (down, row) in ROWS.iter().enumerate() {
        for right in (0..ROWS.len()).filter(|right| row >> (ROWS.len() - 1 - right) & 1 == 1) {
            let (x, y) = (400 + 3 * right, 700 - 3 * down);
            write!(drawing, "{x} {y} 3 3 re ").unwrap();
        }
    }
    drawing + "f"
}

/// A PDF of A4 pages, each with this drawing.
pub fn pdf_of(drawings: &[String]) -> Vec<u8> {
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        String::new(),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let mut kids = String::new();
    for content in drawings {
        let stream = format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len());
        objects.push(stream);
        let contents = objects.len();
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {contents} 0 R \
             /Resources << /Font << /F1 3 0 R >> >> >>"
        ));
        write!(kids, "{} 0 R ", objects.len()).unwrap();
    }
    objects[1] = format!("<< /Type /Pages /Kids [{kids}] /Count {} >>", drawings.len());
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(&objects) {
        places.push(out.len());
        write!(out, "{number} 0 obj\n{object}\nendobj\n").unwrap();
    }
    let table = out.len();
    write!(out, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    for place in places {
        writeln!(out, "{place:010} 00000 n ").unwrap();
    }
    write!(
        out,
        "trailer << /Size {} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    )
    .unwrap();
    out.into_bytes()
}

/// The pixels of every page, decoded by libtiff.
pub fn pixels(tiff: &Path) -> Vec<(u32, u32, Vec<u8>)> {
    let flat = tempfile::NamedTempFile::new().unwrap();
    let copied = Command::new("tiffcp")
        .args(["-c", "none", "-f", "msb2lsb"])
        .args([tiff, flat.path()])
        .status()
        .expect("libtiff's tiffcp runs");
    assert!(copied.success(), "libtiff reads {}", tiff.display());
    let mut decoder = Decoder::new(File::open(flat.path()).unwrap()).unwrap();
    let mut pages = Vec::new();
    loop {
        let (width, height) = decoder.dimensions().unwrap();
        let DecodingResult::U8(page) = decoder.read_image().unwrap() else {
            panic!("a fax page has one bit a pixel")
        };
        pages.push((width, height, page));
        if !decoder.more_images() {
            return pages;
        }
        decoder.next_image().unwrap();
    }
}

/// The pixels of every page of a PDF whose pages are one fax picture each, taken out
/// by poppler.
pub fn pixels_of_pdf(pdf: &[u8]) -> Vec<(u32, u32, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fax.pdf");
    fs::write(&file, pdf).unwrap();
    let taken = Command::new("pdfimages")
        .args(["-tiff".as_ref(), file.as_os_str(), folder.path().join("page").as_os_str()])
        .status()
        .expect("pdfimages of the package poppler-utils runs");
    assert!(taken.success(), "poppler reads the PDF");
    let tiffs = fs::read_dir(folder.path()).unwrap().flatten().map(|file| file.path());
    let mut tiffs: Vec<_> = tiffs.filter(|p| p.extension().is_some_and(|e| e == "tif")).collect();
    tiffs.sort();
    tiffs.iter().flat_map(|tiff| pixels(tiff)).collect()
}
