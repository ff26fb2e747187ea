//! TIFF-F as PDF for mail clients: each page's coded strip goes in unchanged,
//! so this costs nothing and loses nothing. Damaged pages are decoded and coded
//! again, because viewers draw nothing below the first error.

use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref};

use super::{
    ccitt::Coding,
    tiff::{CodedPage, File, TiffError},
};

const POINTS_PER_INCH: f32 = 72.0;
/// Objects of a page: itself, its content and its picture.
const OBJECTS_PER_PAGE: i32 = 3;
/// The catalog and the page tree.
const FIRST_PAGE_OBJECT: i32 = 3;

/// The pages of a TIFF-F file as PDF.
///
/// # Errors
/// [`TiffError`] when a page is no fax page. Damaged lines are no error.
pub fn wrap(file: &File) -> Result<Vec<u8>, TiffError> {
    let mut pdf = Pdf::new();
    let (catalog, tree) = (Ref::new(1), Ref::new(2));
    let place = |index: usize, part: i32| {
        Ref::new(FIRST_PAGE_OBJECT + index as i32 * OBJECTS_PER_PAGE + part)
    };
    let count = file.pages().len();
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids((0..count).map(|index| place(index, 0))).count(count as i32);
    for index in 0..count {
        let page = sound(file, index)?;
        put_page(&mut pdf, &page, tree, [0, 1, 2].map(|part| place(index, part)));
    }
    Ok(pdf.finish())
}

/// The page as it lies in the file, or coded again without its damage.
fn sound(file: &File, index: usize) -> Result<CodedPage, TiffError> {
    let coded = file.coded(index)?;
    let decoded = file.decode(index)?;
    if decoded.damage.is_none() {
        return Ok(coded);
    }
    Ok(CodedPage::mmr(&decoded.page, coded.density))
}

fn put_page(pdf: &mut Pdf, page: &CodedPage, tree: Ref, [own, content, picture]: [Ref; 3]) {
    let points = |dots: u32, density: f32| dots as f32 / density * POINTS_PER_INCH;
    let width = points(page.size.width(), page.density.x);
    let height = points(page.size.lines(), page.density.y);
    let mut dict = pdf.page(own);
    dict.parent(tree).media_box(Rect::new(0.0, 0.0, width, height)).contents(content);
    dict.resources().x_objects().pair(Name(b"P"), picture);
    dict.finish();

    let mut drawing = Content::new();
    drawing.transform([width, 0.0, 0.0, height, 0.0, 0.0]);
    drawing.x_object(Name(b"P"));
    pdf.stream(content, &drawing.finish());

    let mut image = pdf.image_xobject(picture, &page.bytes);
    image.width(page.size.width() as i32).height(page.size.lines() as i32);
    image.color_space().device_gray();
    image.bits_per_component(1);
    image.filter(Filter::CcittFaxDecode);
    // ISO 32000-1 table 11. Rows says where the page ends, so that it does not
    // matter whether the sender wrote RTC or EOFB.
    image
        .decode_parms()
        .k(match page.coding {
            Coding::Mmr => -1,
            Coding::Mr { .. } => 4,
            Coding::Mh { .. } | Coding::MhRows => 0,
        })
        .columns(page.size.width() as i32)
        .rows(page.size.lines() as i32)
        .end_of_line(matches!(page.coding, Coding::Mh { .. } | Coding::Mr { .. }))
        .encoded_byte_align(page.coding == Coding::MhRows)
        .end_of_block(false)
        .black_is_1(page.inverted);
}
