//! The figures of pages as people read them. Pure: text comes out.

use super::figures::{Document, RATES, Report, Seconds};
use crate::cli::render::{
    View, clean,
    table::{self, Cell, number, text},
};

/// What was found out, with the pictures that `drawn` has for the document at a place.
pub(super) fn of(
    view: &View,
    report: &Report,
    drawn: impl Fn(usize) -> Option<Vec<String>>,
) -> String {
    let mut out = String::new();
    for (at, document) in report.documents.iter().enumerate() {
        out += &one(view, document);
        for picture in drawn(at).unwrap_or_default() {
            out += &picture;
        }
        out.push('\n');
    }
    if report.pages > 0 {
        let Report { resolution, paper, pages, bytes, seconds, .. } = report;
        out += &format!("{} at {resolution}, {paper} at most, ", counted(*pages));
        out += &format!("{}: {} for the call\n", size(*bytes), times(*seconds));
    }
    for path in &report.written {
        out += &format!("written: {}\n", path.display());
    }
    out
}

fn one(view: &View, document: &Document) -> String {
    let mut out = format!("{}\n", clean(&document.file));
    let other = document.parts.iter().filter(|part| !document.file.ends_with(part.as_str()));
    for part in other {
        out += &format!("  part: {}\n", clean(part));
    }
    let rows: Vec<Vec<Cell>> = document
        .pages
        .iter()
        .map(|page| {
            vec![
                number(page.page),
                text(&page.sheet),
                number(size(page.bytes as u64)),
                number(format!("{:.1} %", page.black * 100.0)),
                number(format!("{} s", page.seconds.usual)),
                number(format!("{} s", page.seconds.fast)),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["PAGE", "SHEET", "SIZE", "BLACK", "AT 14.4k", "AT 33.6k"];
        out += &table::table(view, "  ", &head, rows);
    }
    for warning in &document.warnings {
        out += &format!("  warning: {}\n", clean(warning));
    }
    if let Some(why) = &document.refused {
        out += &format!("  refused: {}\n", clean(why));
    }
    out
}

fn counted(pages: usize) -> String {
    if pages == 1 { "1 page".into() } else { format!("{pages} pages") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

fn times(seconds: Seconds) -> String {
    let [usual, fast] = RATES.map(|rate| f64::from(rate) / 1e3);
    format!("{} s at {usual} kbit/s, {} s at {fast} kbit/s", seconds.usual, seconds.fast)
}
