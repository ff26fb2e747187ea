//! Cells that a spreadsheet would take for formulas. Knows no columns.
//!
//! A spreadsheet calculates what begins with `=`, `+`, `-` or `@`, and such a formula can
//! start a program or send the table away; whoever sends a contact would have written it,
//! whoever opens the export would run it. So these cells are written with `'` before them,
//! which spreadsheets and their users know as the mark of text, and read without it.
//! Telephone numbers and the addresses that they make stay as they are: they hold nothing
//! that acts, and other programs read these columns.

use std::borrow::Cow;

/// Marks text.
const MARK: char = '\'';

/// What is written for a cell; [`plain`] gives it back.
pub(super) fn safe(cell: &str) -> Cow<'_, str> {
    match calculates(unmarked(cell)) && !is_number(cell) && !is_number_address(cell) {
        true => Cow::Owned(format!("{MARK}{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// What a cell says: without the mark, and of `="020"`, by which tables keep spreadsheets
/// from taking the zero away, what stands in the quotes.
pub(super) fn plain(cell: String) -> String {
    if cell.starts_with(MARK) && calculates(unmarked(&cell)) {
        return cell[MARK.len_utf8()..].to_owned();
    }
    let quoted = cell.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"'));
    match quoted.filter(|inside| !inside.contains('"')) {
        Some(inside) => inside.trim().to_owned(),
        None => cell,
    }
}

fn unmarked(cell: &str) -> &str {
    cell.trim_start_matches(MARK)
}

fn calculates(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// `+44 (20) 7946-0100`
fn is_number(cell: &str) -> bool {
    let is_of_it = |c: char| c.is_ascii_digit() || " ().-/".contains(c);
    cell.strip_prefix('+').is_some_and(|rest| rest.chars().all(is_of_it))
}

/// `+442079460100/T33S=12@fax.example.com`
fn is_number_address(cell: &str) -> bool {
    let rest = cell.strip_prefix('+').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_of_it = |c: char| c.is_ascii_alphanumeric() || "./-=@".contains(c);
    rest.is_some_and(|rest| rest.contains('@') && rest.chars().all(is_of_it))
}

#[cfg(test)]
mod tests {
    use super::{plain, safe};

    #[test]
    fn what_a_spreadsheet_would_calculate_is_marked_and_comes_back() {
        for (cell, written) in [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("=\"020\"", "'=\"020\""),
            ("'=x", "''=x"),
            ("''+44", "'''+44"),
            ("+HYPERLINK(A1)@example.com", "'+HYPERLINK(A1)@example.com"),
            ("+1(A1)@example.com", "'+1(A1)@example.com"),
            ("'tis", "'tis"),
            ("Acme = -1", "Acme = -1"),
            ("+44 (20) 7946-0100", "+44 (20) 7946-0100"),
            ("+442079460100@fax.example.com", "+442079460100@fax.example.com"),
            ("+442079460100/T33S=12@fax.example.com", "+442079460100/T33S=12@fax.example.com"),
        ] {
            assert_eq!(safe(cell), written);
            assert_eq!(plain(written.to_owned()), cell, "{written}");
        }
        // As others write numbers so that they stay what they are.
        for (cell, said) in
            [("'+442079460100", "+442079460100"), ("=\"020 7946 0100\"", "020 7946 0100")]
        {
            assert_eq!(plain(cell.to_owned()), said);
        }
    }
}
