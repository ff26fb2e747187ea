//! Pictures and fields of forms: what stands in text without being text.

use base64::Engine as _;
use html5ever::tokenizer::Tag;

use super::{
    super::{Block, Picture},
    build::{Builder, attribute},
    css::{self, Css},
};

/// A picture with a side up to this, in points, only counts who reads the mail.
const TRACKER_PT: f32 = 2.3;

impl Builder {
    pub(super) fn input(&mut self, tag: &Tag) {
        let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
        let checked = attribute(tag, "checked").is_some();
        let shown = match (kind.as_str(), checked) {
            ("checkbox", true) => "☒".to_owned(),
            ("checkbox", false) => "☐".to_owned(),
            ("radio", true) => "◉".to_owned(),
            ("radio", false) => "○".to_owned(),
            ("" | "text" | "email" | "number" | "date" | "tel", _) => {
                attribute(tag, "value").unwrap_or_default()
            }
            _ => return,
        };
        self.text(&shown);
    }

    pub(super) fn picture(&mut self, tag: &Tag) {
        if self.mode.hidden {
            return;
        }
        let css = attribute(tag, "style").map(|style| Css::parse(&style)).unwrap_or_default();
        let side = |name, css: Option<f32>| {
            css.or_else(|| attribute(tag, name).and_then(|value| css::length_pt(&value)))
        };
        let (width_pt, height_pt) = (side("width", css.width_pt), side("height", css.height_pt));
        let tracks = |side: Option<f32>| side.is_some_and(|pt| pt <= TRACKER_PT);
        if tracks(width_pt) || tracks(height_pt) || css.hidden {
            return;
        }
        let source = attribute(tag, "src").unwrap_or_default();
        let alt = attribute(tag, "alt").unwrap_or_default();
        match Self::bytes(source.trim()) {
            Some(bytes) => {
                let align = self.mode.align;
                self.flush();
                let name = if alt.is_empty() { "a picture".into() } else { alt };
                self.part(2.0);
                self.push(Block::Picture(Picture { bytes, width_pt, height_pt, align, name }));
                self.part(2.0);
            }
            None => {
                self.left_out += usize::from(!source.is_empty());
                if !alt.trim().is_empty() {
                    self.text(&format!("[{}]", alt.trim()));
                }
            }
        }
    }

    /// The file behind an address, when it is in the document.
    fn bytes(source: &str) -> Option<Vec<u8>> {
        let (scheme, rest) = source.split_once(':')?;
        match scheme.to_ascii_lowercase().as_str() {
            "data" => {
                let (head, data) = rest.split_once(',')?;
                let data: String = data.split_whitespace().collect();
                let base64 = head.to_ascii_lowercase().ends_with(";base64");
                base64.then(|| base64::engine::general_purpose::STANDARD.decode(data).ok())?
            }
            _ => None,
        }
    }
}
