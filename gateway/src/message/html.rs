//! The words of HTML, line by line, for a page of text. Lays nothing out.

use mail_parser::decoders::html::html_to_text;

/// Elements after which a line ends (HTML, 15.3: `display: block`); paragraphs and line
/// breaks are known to the decoder.
const BLOCKS: [&str; 16] = [
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "li",
    "div",
    "tr",
    "ul",
    "ol",
    "table",
    "blockquote",
    "pre",
    "hr",
    "title",
];

/// Empty lines that are left of many.
const MAX_EMPTY_LINES: usize = 2;

/// The words, with `\n` line ends.
pub(super) fn words(html: &str) -> String {
    let text = html_to_text(&with_line_ends(html)).replace("\r\n", "\n").replace('\r', "");
    let mut words = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= MAX_EMPTY_LINES && !(words.is_empty() && line.is_empty()) {
            words.push_str(line);
            words.push('\n');
        }
    }
    let length = words.trim_end().len();
    words.truncate(length);
    if length > 0 {
        words.push('\n');
    }
    words
}

/// Ends a line after each block, keeps cells apart, marks the items of lists, and takes a `<` that opens no
/// tag for the sign that it is.
fn with_line_ends(html: &str) -> String {
    let mut marked = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    let mut preformatted = false;
    while let Some(open) = rest.find('<') {
        let begins_tag = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
        if !rest[open + 1..].starts_with(begins_tag) {
            // The decoder would take the words behind it for a tag.
            push(&mut marked, &rest[..open], preformatted);
            marked.push_str("&lt;");
            rest = &rest[open + 1..];
            continue;
        }
        let Some(length) = rest[open..].find('>') else { break };
        let (before, tag) = (&rest[..open], &rest[open..=open + length]);
        push(&mut marked, before, preformatted);
        marked.push_str(tag);
        let inside = &tag[1..tag.len() - 1];
        let name = inside.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric());
        let name = name.into_iter().next().unwrap_or_default().to_ascii_lowercase();
        let closes = inside.starts_with('/') || name == "hr";
        if name == "pre" {
            preformatted = !closes;
        }
        if closes && BLOCKS.contains(&name.as_str()) {
            marked.push_str("<br>");
        } else if closes && matches!(name.as_str(), "td" | "th") {
            // Else two figures side by side would be faxed as one.
            marked.push(' ');
        } else if !closes && name == "li" {
            marked.push_str("- ");
        }
        rest = &rest[open + length + 1..];
    }
    push(&mut marked, rest, preformatted);
    marked
}

/// Adds words; in preformatted ones every line end is one (HTML, 4.4.3).
fn push(marked: &mut String, words: &str, preformatted: bool) {
    match preformatted {
        true => marked.push_str(&words.replace('\n', "<br>")),
        false => marked.push_str(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_lines() {
        for (html, expected) in [
            ("<h1>News</h1><p>of the day</p>", "News\nof the day\n"),
            ("<ul><li>one</li><li>two</li></ul>end", "- one\n- two\n\nend\n"),
            ("<div>a</div><div>b &lt; c</div>", "a\nb < c\n"),
            ("a<br>b <i>c</i>", "a\nb c\n"),
            ("<style>p { color: red }</style><p>x", "x\n"),
            ("<table><tr><td>1</td></tr><tr><td>2</td></tr></table>", "1\n2\n"),
            (
                "<table><tr><th>Pieces</th><th>Price</th></tr><tr><td>1</td><td>200</td></tr></table>",
                "Pieces Price\n1 200\n",
            ),
            ("2 < 3", "2 < 3\n"),
            ("<pre>a = 1\r\nb < 2\n</pre>c\nd", "a = 1\nb < 2\n\nc d\n"),
            ("", ""),
        ] {
            assert_eq!(words(html), expected, "{html}");
        }
    }
}
