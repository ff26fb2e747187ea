//! Mail programs' HTML, and what becomes of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{
    super::{Align, BODY_PT, Inset, Style, Table, Text},
    *,
};

/// Blocks as words: a block a line, `*bold*`, `/slanted/`, what is set in is indented,
/// `|` between cells.
fn shown(html: &str) -> String {
    let page = read(html).unwrap();
    let mut out = String::new();
    outline(&page.blocks, "", &mut out);
    out
}

fn outline(blocks: &[Block], indent: &str, out: &mut String) {
    for block in blocks {
        match block {
            Block::Text(text) => {
                let side = match text.align {
                    Align::Start => "",
                    Align::Centre => "^",
                    Align::End => ">",
                };
                out.push_str(&format!("{indent}{side}{}\n", styled(text)));
            }
            Block::Rule { .. } => out.push_str(&format!("{indent}---\n")),
            Block::Space { .. } => out.push_str(&format!("{indent}\n")),
            Block::Part { .. } => {}
            Block::Picture(picture) => out.push_str(&format!("{indent}({})\n", picture.name)),
            Block::PageBreak => out.push_str("page\n"),
            Block::Inset(Inset { marker, bar, blocks, .. }) => {
                let mark = if *bar { ">" } else { marker.as_str() };
                outline(blocks, &format!("{indent}{mark} "), out);
            }
            Block::Table(Table { rows, ruled, .. }) => {
                for row in rows {
                    let cells: Vec<String> = row
                        .cells
                        .iter()
                        .map(|cell| {
                            let mut inner = String::new();
                            outline(&cell.blocks, "", &mut inner);
                            inner.trim_end().replace('\n', "/")
                        })
                        .collect();
                    let line = if *ruled { " || " } else { " | " };
                    out.push_str(&format!("{indent}{}\n", cells.join(line)));
                }
            }
        }
    }
}

fn styled(text: &Text) -> String {
    let (mut out, mut start) = (String::new(), 0);
    for (end, style) in &text.runs {
        let end = (*end).min(text.text.len());
        let said = &text.text[start..end];
        start = end;
        let around = match style {
            Style { bold: true, .. } => "*",
            Style { italic: true, .. } => "/",
            Style { fixed: true, .. } => "`",
            _ => "",
        };
        out.push_str(&format!("{around}{said}{around}"));
    }
    out
}

#[test]
fn mail_programs_are_understood() {
    let mut wrong = Vec::new();
    for (html, expected) in [
        ("Hello  \n world", "Hello world\n"),
        ("<p>one<p>two</p>three", "one\ntwo\nthree\n"),
        ("a <b>b</b> <i>c</i><br>d<br>", "a* b*/ c/\nd\n"),
        // Outlook: an empty line is a hard blank.
        (
            "<p class=MsoNormal>Hi<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>B",
            "Hi\n\nB\n",
        ),
        // Gmail and Apple Mail: lines are boxes.
        (
            "<div dir=ltr>Hi<div><br></div><div>B</div></div><blockquote class=gmail_quote><div>old</div></blockquote>",
            "Hi\n\nB\n> old\n",
        ),
        (
            "<div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>Von: x</div>",
            "---\nVon: x\n",
        ),
        ("<ul><li>a<ol start=3><li>b<li>c</ol><li>d</ul>", "• a\n• 3. b\n• 4. c\n• d\n"),
        ("<h1>T</h1><hr>x", "*T*\n---\nx\n"),
        ("<pre>a\n  b</pre>", "`a\n  b`\n"),
        ("<center>m</center><p align=right>r", "^m\n>r\n"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "*a* || *b*\n1 || 2\n"),
        ("<table><tr><td>1<td>2</table>", "1 | 2\n"),
        // Tables that only hold things in place are none.
        ("<table><tr><td align=center><table><tr><td>x</table><tr><td>y</table>", "x\ny\n"),
        ("<table>stray<tr><td>1<td>2</table>", "stray\n1 | 2\n"),
        ("<a href='https://www.example.com/a'>our site</a>!", "our site [example.com/a]!\n"),
        ("<a href='http://example.com'>example.com</a>", "example.com\n"),
        ("x<div style='display:none'>no<p>no</p></div>y", "x\ny\n"),
        ("<style>p{}</style><script>if (a<b) {}</script><title>t</title>x", "x\n"),
        ("<!--[if mso]><p>no</p><![endif]-->x<![if !mso]>y<![endif]>", "xy\n"),
        ("<input type=checkbox checked> yes <input type=checkbox> no", "☒ yes ☐ no\n"),
        ("<img src=http://x/a.png alt=Logo><img src=http://x/o.gif width=1 height=1>", "[Logo]\n"),
        ("</td></table></p>x<b>y</i>z", "x*yz*\n"),
        ("<td>a</td><tr><li>b", "a\n• b\n"),
        ("&lt;b&gt; &amp;euro; &euro;", "<b> &euro; €\n"),
    ] {
        let found = shown(html);
        if found != expected {
            wrong.push(format!("{html}\n{found:?}\n{expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn pictures_come_from_the_document() {
    let html = "<img src='data:image/png;base64,AAEC' width=96>\
                <img src='cid:gone'><img src='data:image/png,plain'>";
    let page = read(html).unwrap();
    let found: Vec<_> = page
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::Picture(picture) => Some((picture.bytes.clone(), picture.width_pt)),
            _ => None,
        })
        .collect();
    assert_eq!(found, [(vec![0, 1, 2], Some(72.0))]);
    assert_eq!(page.left_out, 2);
}

#[test]
fn what_is_made_to_be_slow_is_refused_in_words() {
    let words = |html: String| read(&html).unwrap_err().to_string();
    assert_eq!(words("<div>".repeat(100_000)), "HTML that is nested more than 500 deep");
    let tag = format!("<p {}>", "a ".repeat(30_000));
    assert_eq!(words(tag), "HTML with more than 20000 words in one tag");
    let cells = format!("<table>{}", "<tr><td>x<td>y".repeat(200_000));
    assert_eq!(words(cells), "HTML with more than 150000 paragraphs and cells");
}

#[test]
fn sizes_of_screens_are_sizes_of_paper() {
    let page = read("<font style='font-size:32px'>a</font>").unwrap();
    let Block::Text(text) = &page.blocks[0] else { panic!() };
    assert!(text.style().size_pt > BODY_PT * 1.5, "{:?}", text.style());
}
