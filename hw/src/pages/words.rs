//! Words on received pages: the picture of a page that `tesseract` is given, and what
//! is made of its answer. Runs nothing; the answer may be anything.

use super::{bitmap::Bitmap, tiff::Density};

/// Words of a page; a newspaper has fewer.
const MAX_WORDS: usize = 5_000;
/// Characters of a word.
const MAX_WORD_CHARS: usize = 100;
/// How sure it must be of a word, of 100.
const MIN_CONFIDENCE: f32 = 20.0;
/// Dots an inch of the picture: what is finer costs time and reads no better.
const DOTS_PER_INCH: f32 = 204.0;
/// Largest side of the picture.
const MAX_SIDE: u32 = 8_000;
/// A line's own height is taken for its words when it is at most so many times theirs;
/// a line that is askew is higher.
const STRAIGHT: f32 = 2.0;

/// A word, and where it stands: shares of the page's width and height, from its upper
/// left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its left edge.
    pub left: f32,
    /// Its upper edge.
    pub top: f32,
    /// How wide it is.
    pub width: f32,
    /// How high its line is.
    pub height: f32,
}

impl Word {
    /// Whether it is written from the right to the left.
    #[must_use]
    pub fn is_right_to_left(&self) -> bool {
        let right =
            |c: char| matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff);
        self.text.chars().find(|c| c.is_alphabetic()).is_some_and(right)
    }
}

/// The page with square pixels, as `P5` of PNM.
#[must_use]
pub fn picture(page: &Bitmap, density: Density) -> Vec<u8> {
    let side = |dots: u32, density: f32| {
        ((dots as f32 / density * DOTS_PER_INCH).round() as u32).clamp(1, MAX_SIDE)
    };
    let size = page.size();
    let square =
        page.to_gray().scaled(side(size.width(), density.x), side(size.lines(), density.y));
    let mut picture = format!("P5\n{} {}\n255\n", square.width(), square.height()).into_bytes();
    picture.extend_from_slice(square.pixels());
    picture
}

/// A line of the answer: a page, block, paragraph, line or word.
struct Row<'a> {
    level: u32,
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    confidence: f32,
    text: &'a str,
}

fn row(line: &str) -> Option<Row<'_>> {
    let mut columns = line.splitn(12, '\t');
    let level = columns.next()?.parse().ok()?;
    let mut numbers = [0.0_f32; 10];
    for number in &mut numbers {
        *number = columns.next()?.parse().ok().filter(|number: &f32| number.is_finite())?;
    }
    let [.., left, top, width, height, confidence] = numbers;
    let text = columns.next().unwrap_or_default().trim();
    Some(Row { level, left, top, width, height, confidence, text })
}

/// The words in an answer of `tesseract` in its form TSV.
#[must_use]
pub fn parse(answer: &[u8]) -> Vec<Word> {
    const PAGE: u32 = 1;
    const LINE: u32 = 4;
    const WORD: u32 = 5;
    let answer = String::from_utf8_lossy(answer);
    let (mut across, mut down) = (0.0, 0.0);
    let mut line: Option<(f32, f32)> = None;
    let mut words = Vec::new();
    for row in answer.lines().filter_map(row) {
        match row.level {
            PAGE => (across, down) = (row.width, row.height),
            LINE => line = Some((row.top, row.height)),
            WORD if across >= 1.0 && down >= 1.0 && words.len() < MAX_WORDS => {
                words.extend(word(&row, line, across, down));
            }
            _ => {}
        }
    }
    words
}

fn word(row: &Row<'_>, line: Option<(f32, f32)>, across: f32, down: f32) -> Option<Word> {
    let clean = |c: &char| !c.is_control() && *c != '\u{feff}';
    let text: String = row.text.chars().filter(clean).take(MAX_WORD_CHARS).collect();
    let sure = row.confidence >= MIN_CONFIDENCE && text.chars().any(char::is_alphanumeric);
    let inside = row.left >= 0.0
        && row.top >= 0.0
        && row.width >= 1.0
        && row.height >= 1.0
        && row.left + row.width <= across
        && row.top + row.height <= down;
    if !sure || !inside {
        return None;
    }
    // Words with and without descenders stand on one line.
    let (top, height) = line
        .filter(|(top, height)| {
            *top <= row.top
                && row.top + row.height <= top + height
                && *height <= row.height * STRAIGHT
                && *top >= 0.0
                && top + height <= down
        })
        .unwrap_or((row.top, row.height));
    Some(Word {
        text,
        left: row.left / across,
        top: top / down,
        width: row.width / across,
        height: height / down,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t1000\t2000\t-1\t
4\t1\t1\t1\t1\t0\t100\t190\t500\t40\t-1\t
5\t1\t1\t1\t1\t1\t100\t200\t200\t30\t96.5\tInvoice
5\t1\t1\t1\t1\t2\t320\t190\t50\t40\t91\t\u{2116}7
5\t1\t1\t1\t1\t3\t400\t200\t50\t30\t12\tnoise
5\t1\t1\t1\t1\t4\t460\t200\t50\t30\t80\t|~
5\t1\t1\t1\t1\t5\t990\t200\t50\t30\t80\toutside
5\t1\t1\t1\t1\t6\tNaN\t200\t50\t30\t80\tnowhere
5\t1\t1
rubbish
5\t1\t1\t1\t2\t1\t100\t600\t200\t30\t70\tשלום
";

    #[test]
    fn words_come_with_their_places_and_rubbish_does_not() {
        let words = parse(ANSWER.as_bytes());
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        assert_eq!(texts, ["Invoice", "\u{2116}7", "שלום"]);
        let first = &words[0];
        assert_eq!((first.left, first.top, first.width, first.height), (0.1, 0.095, 0.2, 0.02));
        assert_eq!(words[2].top, 0.3, "another line's height is not its own");
        assert!(words[2].is_right_to_left() && !first.is_right_to_left());
        assert!(parse(b"\xff\xfe5\t\t\t").is_empty());
        let many = ANSWER.repeat(3000);
        assert_eq!(parse(many.as_bytes()).len(), MAX_WORDS);
    }
}
