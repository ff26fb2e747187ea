//! Texts, HTML and office documents that are made to harm.

use super::{
    Case, Kind,
    Must::{End, Refuse},
    bytes::{deflate, zip},
};

pub(super) fn all() -> Vec<Case> {
    let case = |name, kind, must, bytes| Case { name, kind, must, bytes };
    let deep = |tag: &str, times: usize| format!("<{tag}>").repeat(times);
    let mut cases = vec![
        case("text of one line of 60 MB", Kind::Text, Refuse, vec![b'x'; 60 << 20]),
        case("text of 10,000,000 lines", Kind::Text, Refuse, vec![b'\n'; 10_000_000]),
        case("text of 1,000,000 form feeds", Kind::Text, Refuse, vec![b'\x0c'; 1_000_000]),
        case("text of 1,000,000 marks on a letter", Kind::Text, End, {
            format!("a{}", "\u{301}".repeat(1_000_000)).into_bytes()
        }),
        case("html elements 100,000 deep", Kind::Html, End, deep("div", 100_000).into_bytes()),
        case("html quotes 10,000 deep", Kind::Html, End, {
            format!("{}text", deep("blockquote", 10_000)).into_bytes()
        }),
        case("html tables 1,000 deep", Kind::Html, End, {
            "<table><tr><td>x".repeat(1000).into_bytes()
        }),
        case("html table of 1,000,000 cells", Kind::Html, End, {
            let row = format!("<tr>{}", "<td>x".repeat(1000));
            format!("<table>{}", row.repeat(1000)).into_bytes()
        }),
        case("html cell over 10^9 columns", Kind::Html, End, {
            b"<table><tr><td colspan=1000000000 rowspan=1000000000>x</table>".to_vec()
        }),
        case("html list that starts at the end", Kind::Html, End, {
            b"<ol start=9223372036854775807><li>x<li>y</ol>".to_vec()
        }),
    ];
    cases.extend([
        case("zip.docx that is 4 GB", Kind::Office, End, {
            zip("word/document.xml", &deflate(b" ", 4_000_000_000), 4_000_000_000)
        }),
        case("groups.rtf 100,000 deep", Kind::Office, End, {
            [&b"{\\rtf1 "[..], &[b'{'; 100_000]].concat()
        }),
        case("noise.doc", Kind::Office, End, {
            [&b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"[..], &[0xa5; 50_000]].concat()
        }),
    ]);
    cases
}
