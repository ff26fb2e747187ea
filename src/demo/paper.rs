//! The letter that is sent: a PDF of two pages, written by hand so that nothing
//! but a PDF reader is needed to look at it.

use std::fmt::Write as _;

/// What is on a page, in the operators of PDF (ISO 32000-1 annex A).
type Drawing = String;

/// The letter, from `from` to `to`, with this date.
pub(super) fn letter(from: &str, to: &str, date: &str) -> Vec<u8> {
    file(&[first_page(from, to, date), second_page()])
}

fn first_page(from: &str, to: &str, date: &str) -> Drawing {
    let mut page = heading("A fax by Postfax", "page 1 of 2");
    for (line, (name, value)) in (0u16..).zip([("From", from), ("To", to), ("Date", date)]) {
        text(&mut page, "F2", 12, 72, 680 - 20 * line, name);
        text(&mut page, "F1", 12, 130, 680 - 20 * line, value);
    }
    let story = [
        "Dear Bob,",
        "",
        "this letter left my mail program as a PDF. Postfax took it by SMTP, turned it",
        "into fax pages, chose a fax server that may call you, and watched the call.",
        "Your fax machine confirmed both pages, your fax server handed them back to",
        "Postfax, and Postfax mailed them to you.",
        "",
        "I have a receipt that says so, with a picture of this page.",
        "",
        "No telephone line was used: the exchange between the two is software.",
        "",
        "Anna",
    ];
    for (line, words) in (0u16..).zip(story) {
        text(&mut page, "F1", 12, 72, 590 - 18 * line, words);
    }
    // A telephone receiver of thick lines, in the lower half.
    page += "q 18 w 1 J 1 j 0 G 190 190 m 230 270 370 270 410 190 c S 34 w \
             180 178 m 214 160 l S 386 160 m 420 178 l S Q\n";
    page
}

fn second_page() -> Drawing {
    let mut page = heading("What a line can carry", "page 2 of 2");
    text(&mut page, "F1", 12, 72, 680, "Grey becomes dots of black and white:");
    for step in 0..8u16 {
        let grey = f32::from(step) / 10.0 + 0.15;
        let _ = writeln!(page, "{grey:.2} g {} 590 52 70 re f", 72 + 56 * step);
    }
    page += "0 g\n";
    text(&mut page, "F1", 12, 72, 550, "Lines from thin to thick:");
    for step in 1..=8u16 {
        let _ = writeln!(
            page,
            "{}.25 w 72 {} m 520 {} l S",
            step / 2,
            540 - 14 * step,
            540 - 14 * step
        );
    }
    text(&mut page, "F1", 12, 72, 390, "Letters from large to small:");
    let mut height = 390;
    for size in [20u16, 16, 13, 11, 9, 7] {
        height -= size + 10;
        let words = "The quick brown fox jumps over the lazy dog.";
        text(&mut page, "F1", size, 72, height, words);
    }
    page
}

fn heading(title: &str, number: &str) -> Drawing {
    let mut page = String::new();
    text(&mut page, "F2", 26, 72, 760, title);
    text(&mut page, "F1", 10, 470, 760, number);
    page += "2 w 72 745 m 523 745 l S\n";
    page
}

/// One line of text, its left end at `x`, `y` in points from the lower left corner.
fn text(page: &mut Drawing, font: &str, size: u16, x: u16, y: u16, words: &str) {
    let mut escaped = String::with_capacity(words.len());
    for c in words.chars().filter(char::is_ascii) {
        if matches!(c, '(' | ')' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    writeln!(page, "BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET")
        .expect("a String takes every write");
}

/// A file of A4 pages (ISO 32000-1 7.5).
fn file(pages: &[Drawing]) -> Vec<u8> {
    const FIRST_PAGE: usize = 5;
    let kids: Vec<String> =
        (0..pages.len()).map(|page| format!("{} 0 R", FIRST_PAGE + 2 * page)).collect();
    let font = |name| format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} >>");
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!("<< /Type /Pages /Kids [{}] /Count {} >>", kids.join(" "), pages.len()),
        font("Helvetica"),
        font("Helvetica-Bold"),
    ];
    for drawing in pages {
        let content = objects.len() + 2;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {content} 0 R \
             /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>"
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{drawing}\nendstream", drawing.len()));
    }
    let mut out = "%PDF-1.4\n".to_owned();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (number, object) in (1..).zip(&objects) {
        table += &format!("{:010} 00000 n \n", out.len());
        out += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let size = objects.len() + 1;
    let trailer =
        format!("trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{}\n%%EOF\n", out.len());
    (out + &table + &trailer).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_points_at_the_objects() {
        let pdf = String::from_utf8(letter("a (b)", "c\\d", "today")).unwrap();
        assert!(pdf.contains("(a \\(b\\)) Tj") && pdf.contains("(c\\\\d) Tj"));
        let rows = pdf.lines().filter(|line| line.ends_with(" n "));
        for (number, row) in (1..).zip(rows) {
            let at: usize = row[..10].parse().unwrap();
            assert!(pdf[at..].starts_with(&format!("{number} 0 obj\n")), "{row}");
        }
        let table: usize = pdf.lines().rev().nth(1).unwrap().parse().unwrap();
        assert!(pdf[table..].starts_with("xref\n0 9\n"));
    }
}
