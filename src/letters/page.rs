//! What a mail says, as paragraphs, facts and lists: once as text, once as HTML.
//! Chooses no words.

use crate::config::{Phrase, Words};

/// A block of what a mail says.
enum Block {
    Paragraph(String),
    /// A paragraph with a mail address in it, and the subject of a mail to there.
    Linked(String, String, String),
    Facts(Vec<(Phrase, String)>),
    List(Phrase, Vec<String>),
}

/// What a mail says, in one language.
pub(super) struct Page<'w> {
    words: &'w Words,
    blocks: Vec<Block>,
}

impl<'w> Page<'w> {
    pub(super) fn new(words: &'w Words) -> Self {
        Self { words, blocks: Vec::new() }
    }

    pub(super) fn paragraph(&mut self, text: String) {
        self.blocks.push(Block::Paragraph(clean(&text)));
    }

    /// A paragraph that names an address to write to, which is a link in HTML (RFC 6068).
    pub(super) fn paragraph_to(&mut self, text: String, address: String, subject: &str) {
        self.blocks.push(Block::Linked(clean(&text), address, subject.to_owned()));
    }

    /// Facts as `Label: value`; those without a value are left out.
    pub(super) fn facts(&mut self, facts: impl IntoIterator<Item = (Phrase, Option<String>)>) {
        let known = facts.into_iter().filter_map(|(label, value)| Some((label, clean(&value?))));
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            self.blocks.push(Block::Facts(known));
        }
    }

    pub(super) fn list(&mut self, title: Phrase, items: impl Iterator<Item = String>) {
        let items: Vec<String> = items.map(|item| clean(&item)).collect();
        if !items.is_empty() {
            self.blocks.push(Block::List(title, items));
        }
    }

    /// The text: no width is counted, since letters have different ones.
    pub(super) fn text(&self) -> String {
        let blocks: Vec<String> = self.blocks.iter().map(|block| self.block_text(block)).collect();
        blocks.join("\n")
    }

    fn block_text(&self, block: &Block) -> String {
        match block {
            Block::Paragraph(text) | Block::Linked(text, ..) => format!("{text}\n"),
            Block::Facts(facts) => {
                let lines = facts.iter();
                lines.map(|(label, value)| self.words.labelled(*label, value) + "\n").collect()
            }
            Block::List(title, items) => {
                let title = self.words.labelled(*title, "");
                let items: String = items.iter().map(|item| format!("  {item}\n")).collect();
                format!("{}\n{items}", title.trim_end())
            }
        }
    }

    /// The same as HTML, with the picture that has this Content-ID.
    pub(super) fn html(&self, picture: &str) -> String {
        let blocks: String = self.blocks.iter().map(|block| self.block_html(block)).collect();
        format!(
            "<!DOCTYPE html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\"></head>\n<body>\n\
             {blocks}<p><img src=\"cid:{}\" alt=\"{}\" style=\"border: 1px solid; max-width: \
             100%\"></p>\n</body>\n</html>\n",
            escaped(self.words.tag()),
            escaped(picture),
            escaped(&self.words.word(Phrase::FirstPage)),
        )
    }

    fn block_html(&self, block: &Block) -> String {
        match block {
            Block::Paragraph(text) => format!("<p>{}</p>\n", escaped(text)),
            Block::Linked(text, address, subject) => {
                let (text, address) = (escaped(text), escaped(address));
                let subject = in_uri(subject);
                let link = format!("<a href=\"mailto:{address}?subject={subject}\">{address}</a>");
                format!("<p>{}</p>\n", text.replacen(&address, &link, 1))
            }
            Block::Facts(facts) => {
                let row = |(label, value): &(Phrase, String)| {
                    format!(
                        "<tr><th align=\"left\">{}</th><td>{}</td></tr>\n",
                        escaped(&self.words.word(*label)),
                        escaped(value)
                    )
                };
                format!("<table>\n{}</table>\n", facts.iter().map(row).collect::<String>())
            }
            Block::List(title, items) => {
                let item = |item: &String| format!("<li>{}</li>\n", escaped(item));
                format!(
                    "<p>{}</p>\n<ul>\n{}</ul>\n",
                    escaped(&self.words.word(*title)),
                    items.iter().map(item).collect::<String>()
                )
            }
        }
    }
}

/// What comes from outside must not begin a line of its own.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What stands in a field of a URI: all but letters and digits is encoded, the plus as
/// well, which some programs take for a space (RFC 6068 5).
fn in_uri(text: &str) -> String {
    let octet = |octet: u8| match octet.is_ascii_alphanumeric() {
        true => char::from(octet).to_string(),
        false => format!("%{octet:02X}"),
    };
    text.bytes().map(octet).collect()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Languages;

    fn page(words: &Words) -> Page<'_> {
        let mut page = Page::new(words);
        page.paragraph("A <b>fax</b> & more.\nTo: nobody".into());
        page.facts([
            (Phrase::To, Some("+44 20\r\nJob: 7".into())),
            (Phrase::Attention, None),
            (Phrase::Job, Some("12".into())),
        ]);
        page.list(Phrase::Attempts, ["1. busy".to_owned()].into_iter());
        page
    }

    #[test]
    fn a_text_has_one_line_for_each_fact() {
        let languages = Languages::built_in();
        let text = "A <b>fax</b> & more. To: nobody\n\nTo: +44 20  Job: 7\nJob: 12\n\nAttempts:\n  \
                    1. busy\n";
        assert_eq!(page(languages.of("en")).text(), text);
        let japanese = page(languages.of("ja")).text();
        assert!(japanese.contains("宛先：+44 20  Job: 7\n"), "{japanese}");
    }

    #[test]
    fn nothing_from_outside_is_html() {
        let languages = Languages::built_in();
        let html = page(languages.of("de")).html("p\"1@x");
        assert!(html.contains("<html lang=\"de\">"));
        assert!(html.contains("<p>A &lt;b&gt;fax&lt;/b&gt; &amp; more. To: nobody</p>"), "{html}");
        assert!(html.contains("<img src=\"cid:p&quot;1@x\" alt=\"Die erste Seite\""), "{html}");
    }
}
