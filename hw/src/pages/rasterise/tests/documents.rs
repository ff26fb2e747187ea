//! PDF and SVG: what they hold is drawn, or refused in words.

use super::*;

/// A PDF of objects that follow one another, numbered from 1, without a table of where
/// they are: as broken as many are.
fn objects(all: &[&str]) -> Vec<u8> {
    let numbered = (1..).zip(all).map(|(i, object)| format!("{i} 0 obj\n{object}\nendobj\n"));
    format!("%PDF-1.7\n{}trailer\n<</Root 1 0 R>>\n", numbered.collect::<String>()).into_bytes()
}

fn stream(dict: &str, content: &str) -> String {
    format!("<<{dict}/Length {}>>\nstream\n{content}\nendstream", content.len())
}

/// A form of one page with one field or annotation of these entries.
fn form(of_form: &str, widget: &str) -> Result<Tray, Refusal> {
    let bytes = objects(&[
        &format!("<</Type/Catalog/Pages 2 0 R/AcroForm<</Fields[5 0 R]{of_form}>>>>"),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Annots[5 0 R]>>",
        &stream("", "0 0 100 100 re f"),
        &format!("<</Rect[100 700 300 720]{widget}>>"),
        &stream("/Subtype/Form/BBox[0 0 200 20]", "BT /F 9 Tf (Anna) Tj ET 0 0 200 20 re f"),
        &stream("/Subtype/Form/BBox[0 0 200 20]", "/Tx BMC EMC"),
        "<</FT/Tx/V(Anna)/Kids[5 0 R]>>",
    ]);
    draw_at(Kind::Pdf, bytes, Resolution::Standard)
}

#[test]
fn what_was_filled_in_is_drawn_or_the_form_is_not_faxed() {
    for (of_form, widget, lossy) in [
        ("", "/Subtype/Widget/FT/Tx/V(Anna)/AP<</N 6 0 R>>", false),
        ("", "/Subtype/Widget/FT/Tx/V()", false),
        ("", "/Subtype/Widget/FT/Tx/V(Anna)", true),
        ("", "/Subtype/Widget/FT/Tx/V(Anna)/F 2", false),
        ("", "/Subtype/Widget/FT/Tx/V(Anna)/AP<</N 7 0 R>>", true),
        ("/NeedAppearances true", "/Subtype/Widget/FT/Tx/V(Anna)/AP<</N 6 0 R>>", false),
        ("/NeedAppearances true", "/Subtype/Widget/FT/Tx/V(Berta)/AP<</N 6 0 R>>", true),
        ("", "/Subtype/Widget/Parent 8 0 R", true),
        ("", "/Subtype/Widget/Parent 8 0 R/AP<</N 6 0 R>>", false),
        ("", "/Subtype/Widget/FT/Ch/V[(a)(b)]", true),
        ("", "/Subtype/Widget/FT/Btn/V/Yes/AS/Yes/AP<</N<</Yes 6 0 R>>>>", false),
        ("", "/Subtype/Widget/FT/Btn/V/Yes/AS/Off/AP<</N<</Yes 6 0 R>>>>", true),
        ("", "/Subtype/Widget/FT/Btn/V/Other/AS/Off/AP<</N<</Yes 6 0 R>>>>", false),
        ("", "/Subtype/Widget/FT/Btn/V/Off/AS/Off/AP<</N<</Yes 6 0 R>>>>", false),
        ("", "/Subtype/Widget/FT/Sig/V<</Type/Sig>>", false),
        ("", "/Subtype/FreeText/Contents(paid)", true),
        ("", "/Subtype/Stamp/AP<</N 6 0 R>>", false),
        ("", "/Subtype/Link/Border[0 0 1]", false),
    ] {
        let found = form(of_form, widget);
        let refused = matches!(found, Err(Refusal::Lossy(_)));
        assert!(
            refused == lossy && (refused || found.is_ok()),
            "{of_form} {widget}: {:?}",
            found.err()
        );
    }
    let stamped = form("", "/Subtype/Stamp/AP<</N 6 0 R>>").unwrap().pages.remove(0);
    assert!(stamped.is_black(16 + 200 * 204 / 72, (842 - 710) * 98 / 72), "the stamp is drawn");
}

#[test]
fn what_nobody_could_draw_is_refused_by_name() {
    let document = |catalog: &str| {
        let bytes = objects(&[
            &format!("<</Type/Catalog/Pages 2 0 R{catalog}>>"),
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>",
            &stream("", "0 0 100 100 re f"),
        ]);
        draw_at(Kind::Pdf, bytes, Resolution::Standard)
    };
    assert!(document("").is_ok());
    for (catalog, word) in [
        ("/Collection<<>>", "portfolio"),
        ("/AcroForm<</Fields[]/XFA(x)>>", "XFA"),
        ("/NeedsRendering true/AcroForm<</Fields[9 0 R]/XFA(x)>>", "XFA"),
    ] {
        let Err(Refusal::Unsupported(what)) = document(catalog) else { panic!("{catalog}") };
        assert!(what.contains(word), "{what}");
    }
    let page = |content: &str, resources: &str| {
        let bytes = objects(&[
            "<</Type/Catalog/Pages 2 0 R>>",
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            &format!(
                "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<{resources}>>>>"
            ),
            &stream("", content),
            &stream(
                "/Subtype/Image/Width 9/Height 9/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/JPXDecode",
                "rubbish",
            ),
        ]);
        draw_at(Kind::Pdf, bytes, Resolution::Standard)
    };
    for (content, resources) in [
        ("100 0 0 100 100 100 cm /I Do", "/XObject<</I 5 0 R>>"),
        ("1 g BT /None 12 Tf 100 700 Td (text that nobody sees) Tj ET", ""),
    ] {
        let found = page(content, resources);
        assert!(matches!(found, Err(Refusal::Lossy(_))), "{content}: {:?}", found.err());
    }
    let blank = page("1 g 0 0 100 100 re f", "").unwrap();
    assert_eq!(blank.pages.iter().map(Bitmap::black_pixels).sum::<u64>(), 0);
}

#[test]
fn threads_draw_the_same_pages_in_the_same_order() {
    let mut pdf = Pdf::new();
    let (catalog, tree) = (Ref::new(1), Ref::new(2));
    pdf.catalog(catalog).pages(tree);
    let count = 25;
    let page_of = |i: i32| (Ref::new(10 + 2 * i), Ref::new(11 + 2 * i));
    pdf.pages(tree).kids((0..count).map(|i| page_of(i).0)).count(count);
    for i in 0..count {
        let (page, stream) = page_of(i);
        pdf.page(page).media_box(Rect::new(0.0, 0.0, 300.0, 300.0)).parent(tree).contents(stream);
        let mut content = Content::new();
        content.rect(i as f32 * 10.0, 0.0, 10.0, 300.0).fill_nonzero();
        pdf.stream(stream, &content.finish());
    }
    let bytes = pdf.finish();
    let look = Look { resolution: Resolution::Standard, ..Look::default() };
    let one = draw_as(Kind::Pdf, bytes.clone(), look, 1).unwrap().pages;
    let three = draw_as(Kind::Pdf, bytes, look, 3).unwrap().pages;
    assert!(one == three && one.len() == count as usize);
    assert!(one.windows(2).all(|two| ink(&two[0])[0] < ink(&two[1])[0]), "from left to right");
}

#[test]
fn svg_is_drawn_at_its_size_and_reads_nothing_else() {
    // Four inches by two, black in its upper left quarter.
    let svg = |more: &str| {
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' width='4in' height='2in' viewBox='0 0 8 4'>\
             <rect width='4' height='2'/>{more}</svg>"
        )
    };
    let plain = draw(Kind::Svg, svg("").into_bytes());
    assert_near(ink(&plain), [456, 947, 863, 1142]);
    let outside = svg("<image href='/etc/passwd' x='4' width='4' height='4'/>\
                       <image href='http://localhost/a.png' x='4' width='4' height='4'/>");
    assert!(draw(Kind::Svg, outside.into_bytes()) == plain);
    let text = draw(Kind::Svg, svg("<text x='5' y='3' font-size='1'>Fax</text>").into_bytes());
    assert!(text.black_pixels() > plain.black_pixels() + 500, "text has ink");
    // A landscape is turned: its upper left corner is the upper right one.
    let wide = "<svg xmlns='http://www.w3.org/2000/svg' width='11in' height='8in'>\
                <rect width='96' height='96'/></svg>";
    assert_near(ink(&draw(Kind::Svg, wide.into())), [1476, 0, 1679, 195]);
    assert!(matches!(
        draw_at(Kind::Svg, b"<svg".to_vec(), Resolution::Fine),
        Err(Refusal::Broken(_))
    ));
}
