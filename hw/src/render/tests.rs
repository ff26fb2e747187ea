//! Real children: the example `render-child`, which cargo builds with the tests.

mod cells;
mod hostile;

use std::fs;

use super::*;
use crate::pages::{
    bitmap::{Bitmap, Size},
    tiff::{self, CodedPage, FillOrder},
};

fn exe() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let exe = tests.ancestors().nth(2).unwrap().join("examples/render-child");
    assert!(exe.exists(), "{} is built by `cargo test -p postfax-hw`", exe.display());
    exe
}

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn put(&self, name: &str, kind: Kind, bytes: &[u8]) -> Source {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Source { path, name: name.into(), kind }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out.tif")
    }

    async fn render(&self, sources: &[Source], limits: &Limits) -> Result<Rendered, RenderError> {
        let rendered =
            Renderer::new(exe()).render(sources, Look::default(), limits, &self.out()).await;
        assert_eq!(rendered.is_ok(), self.out().exists(), "a file only after success");
        rendered
    }
}

/// A PDF of one page with this content.
fn pdf(content: &str) -> Vec<u8> {
    use pdf_writer::{Finish, Name, Pdf, Rect, Ref};
    let mut pdf = Pdf::new();
    let [catalog, tree, page, font, stream] = [1, 2, 3, 4, 5].map(Ref::new);
    pdf.catalog(catalog).pages(tree);
    pdf.pages(tree).kids([page]).count(1);
    let mut dict = pdf.page(page);
    dict.media_box(Rect::new(0.0, 0.0, 595.0, 842.0)).parent(tree).contents(stream);
    dict.resources().fonts().pair(Name(b"F1"), font);
    dict.finish();
    pdf.type1_font(font).base_font(Name(b"Helvetica"));
    pdf.stream(stream, content.as_bytes());
    pdf.finish()
}

#[tokio::test]
async fn documents_become_one_fax_in_order() {
    let desk = Desk::new();
    let canonical = {
        let mut page = Bitmap::white(Size::new(1728, 500).unwrap());
        for y in 0..500 {
            page.blacken(y, y * 3, y * 3 + 1 + y % 7);
        }
        page
    };
    let fax = CodedPage::mmr(&canonical, crate::pages::sheet::density(Look::default().resolution));
    let sources = [
        desk.put("a.txt", Kind::Text, "Grüße\u{c}Seite 2 漢".as_bytes()),
        desk.put("b.pdf", Kind::Pdf, &pdf("BT /F1 24 Tf 72 700 Td (Hello fax) Tj ET")),
        desk.put("c.tif", Kind::Tiff, &tiff::write(&[fax], FillOrder::LowestFirst)),
    ];
    let rendered = desk.render(&sources, &Limits::default()).await.unwrap();
    assert_eq!(rendered.pages, 4);
    assert_eq!(rendered.warnings.len(), 1, "{:?}", rendered.warnings);
    assert!(rendered.warnings[0].starts_with("a.txt: no glyph for 漢"));
    let file = tiff::read(&rendered.path).unwrap();
    for (i, page) in file.pages().iter().enumerate() {
        let decoded = file.decode(i).unwrap();
        assert!(decoded.damage.is_none());
        assert_eq!(page.fax_size().unwrap().width(), 1728);
        assert!(decoded.page.black_pixels() > 100, "page {i} is empty");
    }
    assert_eq!(file.decode(3).unwrap().page, canonical, "fax pages pass pixel for pixel");
    assert_eq!(file.decode(0).unwrap().page.size().lines(), 2286);
}

#[tokio::test]
async fn refusals_name_the_attachment_and_the_cause() {
    let desk = Desk::new();
    let pages = "x\u{c}".repeat(300);
    let limits = Limits::default();
    for (name, kind, bytes, words) in [
        ("no.pdf", Kind::Pdf, &b"%PDF-1.4 nothing"[..], "attachment no.pdf cannot be read"),
        ("no.png", Kind::Png, b"\x89PNG\r\n\x1a\n1234", "attachment no.png cannot be read"),
        ("no.tif", Kind::Tiff, b"II*\0\xff\xff\xff\xff", "attachment no.tif cannot be read"),
        ("long.txt", Kind::Text, pages.as_bytes(), "300 pages, limit 200"),
    ] {
        let error = desk.render(&[desk.put(name, kind, bytes)], &limits).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_temporary());
    }
    let error = desk.render(&[], &limits).await.unwrap_err();
    assert!(matches!(error, RenderError::Nothing));
}

#[tokio::test]
async fn a_form_that_would_come_out_empty_is_refused() {
    let desk = Desk::new();
    let body = b"%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots[4 0 R]>> endobj
4 0 obj <</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Anna)/Rect[50 700 300 720]>> endobj
trailer <</Root 1 0 R>>
";
    let source = desk.put("form.pdf", Kind::Pdf, body);
    let error = desk.render(&[source], &Limits::default()).await.unwrap_err();
    assert!(matches!(error, RenderError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("form.pdf"), "{error}");
}

#[tokio::test]
async fn bombs_cost_only_their_own_fax() {
    let desk = Desk::new();
    // A picture that claims 60,000 by 60,000 pixels.
    let mut bomb = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bomb.extend_from_slice(&60_000_u32.to_le_bytes());
    bomb.extend_from_slice(&60_000_u32.to_le_bytes());
    bomb.extend_from_slice(&[1, 0, 24, 0]);
    bomb.resize(200, 0);
    let source = desk.put("bomb.bmp", Kind::Bmp, &bomb);
    let error = desk.render(&[source], &Limits::default()).await.unwrap_err();
    assert!(matches!(error, RenderError::TooLarge | RenderError::Broken { .. }), "{error}");

    // Hundreds of thousands of strokes: the processor's time is up.
    let strokes = "0 0 m 595 842 l S 595 0 m 0 842 l S ".repeat(400_000);
    let source = desk.put("slow.pdf", Kind::Pdf, &pdf(&strokes));
    let limits = Limits { cpu_s: 1, ..Limits::default() };
    let error = desk.render(std::slice::from_ref(&source), &limits).await.unwrap_err();
    assert!(matches!(error, RenderError::TimedOut { .. }), "{error}");
    assert!(error.is_temporary() && error.to_string().contains("slow.pdf"));

    let limits = Limits { wall_s: 1, ..Limits::default() };
    let error = desk.render(std::slice::from_ref(&source), &limits).await.unwrap_err();
    assert!(matches!(error, RenderError::TimedOut { .. }), "{error}");

    // Too little memory for a page: the child aborts.
    let limits = Limits { memory_bytes: 24 << 20, ..Limits::default() };
    let error = desk.render(&[source], &limits).await.unwrap_err();
    assert!(matches!(error, RenderError::Crashed { .. }), "{error}");
}

#[tokio::test]
async fn input_beyond_the_limit_is_not_even_started() {
    let desk = Desk::new();
    let source = desk.put("a.txt", Kind::Text, &[b'x'; 2000]);
    let limits = Limits { max_input_bytes: 1999, ..Limits::default() };
    let nowhere = Renderer::new("/nonexistent".into());
    let error = nowhere.render(&[source], Look::default(), &limits, &desk.out()).await.unwrap_err();
    assert!(matches!(error, RenderError::TooLarge), "{error}");
}

/// An installed program, or the test has nothing to say.
fn with(tool: Tool) -> Option<Renderer> {
    let tools = Tools::find();
    tools.path(tool)?;
    Some(Renderer::with_tools(exe(), tools))
}

#[tokio::test]
async fn programs_of_others_convert_and_leave_nothing_behind() {
    let limits = Limits::default();
    let scratch = tempfile::tempdir().unwrap();
    if let Some(renderer) = with(Tool::Soffice) {
        let office = Conversion::OfficeToPdf { extension: "rtf".into() };
        let renderer = renderer.with_scratch(scratch.path().to_owned());
        let made = renderer.convert(&office, b"{\\rtf1 Hello}", &limits).await.unwrap();
        assert!(made.starts_with(b"%PDF-"));
    }
    if let Some(renderer) = with(Tool::Pdftoppm) {
        let renderer = renderer.with_scratch(scratch.path().to_owned());
        let conversion =
            Conversion::PdfToPages { dots_per_inch: 204, lines_per_inch: 98, first: 1, last: 9 };
        let hello = pdf("BT /F1 24 Tf 72 700 Td (Hello fax) Tj ET");
        let made = renderer.convert(&conversion, &hello, &limits).await.unwrap();
        assert!(made.starts_with(b"P5\n1686 1147\n255\n"), "{:?}", &made[..16]);
        let error = renderer.convert(&conversion, b"no PDF", &limits).await.unwrap_err();
        assert!(matches!(error, RenderError::Broken { .. }), "{error}");
    }
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_missing_program_is_named_with_its_package() {
    let renderer = Renderer::new(exe());
    let heif = renderer.convert(&Conversion::HeifToPng, b"x", &Limits::default()).await;
    let said = heif.unwrap_err().to_string();
    assert!(said.contains("heif-convert") && said.contains("libheif-examples"), "{said}");
}

#[tokio::test]
async fn the_child_says_what_codes_say() {
    let (page, said) = crate::pages::codes::tests::invoice();
    let blank = Bitmap::white(page.size);
    let blank = CodedPage::mmr(&blank, page.density);
    let fax = tiff::write(&[blank, page.clone(), page], FillOrder::LowestFirst);
    let renderer = Renderer::new(exe());
    let limits = Limits { wall_s: 20, ..Limits::default() };
    assert_eq!(renderer.codes(&fax, &limits).await.unwrap(), [said], "each once");
    for hostile in [&b"II*\0\xff\xff\xff\xff"[..], b"", b"no fax"] {
        assert!(renderer.codes(hostile, &limits).await.is_err());
    }
    let small = Limits { max_input_bytes: 10, ..limits };
    assert!(matches!(renderer.codes(&fax, &small).await, Err(RenderError::TooLarge)));
}

#[tokio::test]
async fn what_ours_would_lose_another_program_draws() {
    let Some(renderer) = with(Tool::Pdftoppm) else { return };
    let desk = Desk::new();
    let form = b"%PDF-1.4
1 0 obj <</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[4 0 R]/NeedAppearances true
/DA(/Helv 12 Tf 0 g)/DR<</Font<</Helv 5 0 R>>>>>>>> endobj
2 0 obj <</Type/Pages/Kids[3 0 R]/Count 1>> endobj
3 0 obj <</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Annots[4 0 R]>> endobj
4 0 obj <</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Anna)/DA(/Helv 12 Tf 0 g)
/Rect[50 700 300 720]>> endobj
5 0 obj <</Type/Font/Subtype/Type1/BaseFont/Helvetica>> endobj
trailer <</Root 1 0 R>>
";
    let source = desk.put("form.pdf", Kind::Pdf, form);
    let limits = Limits::default();
    let rendered = renderer.render(&[source], Look::default(), &limits, &desk.out()).await.unwrap();
    let file = tiff::read(&rendered.path).unwrap();
    assert!(file.decode(0).unwrap().page.black_pixels() > 50, "what was filled in is there");
}

#[tokio::test]
async fn what_another_program_would_draw_is_refused_by_its_name() {
    let desk = Desk::new();
    for (name, kind, program) in
        [("a.docx", Kind::Office, "soffice"), ("a.heic", Kind::Heif, "heif-convert")]
    {
        let error = desk.render(&[desk.put(name, kind, b"x")], &Limits::default()).await;
        let said = error.unwrap_err().to_string();
        assert!(said.contains(name) && said.contains(program), "{said}");
    }
}

#[tokio::test]
async fn pages_without_ink_are_not_called_good_without_a_word() {
    let desk = Desk::new();
    let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100\" height=\"100\"/>";
    for (name, kind, bytes) in
        [("blanks.txt", Kind::Text, &b"   \n  \n"[..]), ("empty.svg", Kind::Svg, svg)]
    {
        let rendered = desk.render(&[desk.put(name, kind, bytes)], &Limits::default()).await;
        let said = rendered.unwrap().warnings;
        assert!(said.iter().any(|said| said.contains("are blank")), "{name}: {said:?}");
    }
}
