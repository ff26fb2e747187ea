//! What a `style` attribute says that matters on paper.

use super::super::{Align, BODY_PT, Style};

/// Sizes up to this are ordinary text, whatever unit they were written in.
const ORDINARY_PT: f32 = 13.0;
const SMALL_PT: f32 = 8.5;
const LARGEST_PT: f32 = 20.0;
/// A pixel of a screen.
pub(super) const PIXEL_PT: f32 = 0.75;

/// What a `style` attribute says; `None` where it says nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Css {
    pub(super) bold: Option<bool>,
    pub(super) italic: Option<bool>,
    pub(super) underline: Option<bool>,
    pub(super) strike: Option<bool>,
    pub(super) size_pt: Option<f32>,
    pub(super) align: Option<Align>,
    pub(super) hidden: bool,
    pub(super) keeps_blanks: Option<bool>,
    /// It asks for no white above and below.
    pub(super) close: bool,
    /// A line above.
    pub(super) line_above: bool,
    /// Lines around.
    pub(super) lines: bool,
    /// In points.
    pub(super) width_pt: Option<f32>,
    pub(super) height_pt: Option<f32>,
}

impl Css {
    pub(super) fn parse(style: &str) -> Self {
        let mut css = Self::default();
        for declaration in style.split(';') {
            if let Some((name, value)) = declaration.split_once(':') {
                let value = value.trim().to_ascii_lowercase();
                let value = value.trim_end_matches("!important").trim_end();
                css.declare(&name.trim().to_ascii_lowercase(), value);
            }
        }
        css
    }

    fn declare(&mut self, name: &str, value: &str) {
        match name {
            "font-weight" => {
                let bold = value.starts_with("bold") || value.parse().is_ok_and(|w: u32| w >= 600);
                self.bold = Some(bold);
            }
            "font-style" => self.italic = Some(value != "normal"),
            "text-decoration" | "text-decoration-line" => {
                self.underline = Some(value.contains("underline"));
                self.strike = Some(value.contains("line-through"));
            }
            "font-size" => self.size_pt = length_pt(value).filter(|pt| *pt > 1.0).map(on_paper),
            "text-align" => self.align = align(value),
            "display" => self.hidden |= value == "none",
            "visibility" => self.hidden |= value == "hidden",
            "mso-hide" => self.hidden |= value == "all",
            "white-space" => self.keeps_blanks = Some(value.starts_with("pre")),
            "margin" | "margin-bottom" | "margin-block-end" => self.close = value.starts_with('0'),
            "border-top" => self.line_above = draws(value),
            "border" | "border-bottom" => self.lines = draws(value),
            "width" => self.width_pt = length_pt(value),
            "height" => self.height_pt = length_pt(value),
            _ => {}
        }
    }

    pub(super) fn apply(&self, style: &mut Style) {
        style.bold = self.bold.unwrap_or(style.bold);
        style.italic = self.italic.unwrap_or(style.italic);
        style.underline = self.underline.unwrap_or(style.underline);
        style.strike = self.strike.unwrap_or(style.strike);
        style.size_pt = self.size_pt.unwrap_or(style.size_pt);
    }
}

/// The side that a word of CSS or of an `align` attribute means.
pub(super) fn align(value: &str) -> Option<Align> {
    match value.trim() {
        "center" | "middle" => Some(Align::Centre),
        "right" | "end" => Some(Align::End),
        "left" | "start" | "justify" => Some(Align::Start),
        _ => None,
    }
}

/// A length in points, when it does not depend on anything else.
pub(super) fn length_pt(value: &str) -> Option<f32> {
    let value = value.trim();
    let end = value.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(value.len());
    let number: f32 = value[..end].parse().ok()?;
    match value[end..].trim() {
        "px" | "" => Some(number * PIXEL_PT),
        "pt" => Some(number),
        "em" | "rem" => Some(number * BODY_PT),
        "cm" => Some(number * 72.0 / 2.54),
        "in" => Some(number * 72.0),
        _ => None,
    }
}

/// Sizes of screens to sizes of a fax: ordinary text is alike in all mails, small print
/// stays legible, and headings do not shout.
fn on_paper(pt: f32) -> f32 {
    match pt {
        _ if pt < SMALL_PT => SMALL_PT,
        _ if pt <= ORDINARY_PT => BODY_PT,
        _ => (pt * BODY_PT / 12.0).clamp(BODY_PT, LARGEST_PT),
    }
}

fn draws(border: &str) -> bool {
    let nothing = ["none", "hidden", "transparent", "initial"];
    !border.starts_with('0')
        && !nothing.iter().any(|word| border.contains(word))
        && !border.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_say_what_matters_on_paper() {
        let css = Css::parse("FONT-WEIGHT: 700; font-size:24px;text-align:center;color:red");
        assert_eq!((css.bold, css.align), (Some(true), Some(Align::Centre)));
        assert_eq!(css.size_pt, Some(15.75));
        for hidden in ["display:none", "DISPLAY : none !important", "mso-hide:all"] {
            assert!(Css::parse(hidden).hidden, "{hidden}");
        }
        assert!(Css::parse("border:none;border-top:solid #E1E1E1 1.0pt").line_above);
        assert!(!Css::parse("border:0").lines && !Css::parse("nonsense;:;;a:").hidden);
        assert_eq!(Css::parse("font-size:14px").size_pt, Some(BODY_PT));
        assert_eq!(Css::parse("font-size:0").size_pt, None);
    }
}
