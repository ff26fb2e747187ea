//! The listing formats of the protocol (`JOBFMT` and its like): a line with
//! conversions such as `%j` or `%-10.10s`, one letter for each field.

use std::fmt::Write as _;

/// Most characters that a width may ask for.
const MAX_WIDTH: usize = 256;

/// Writes one line. `field` gives the text of a letter; what it does not know is
/// left empty.
pub(super) fn render(format: &str, field: impl Fn(char) -> String) -> String {
    let mut line = String::new();
    let mut rest = format.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '%' {
            line.push(c);
            continue;
        }
        let left = rest.next_if_eq(&'-').is_some();
        let width = number(&mut rest);
        let precision = rest.next_if_eq(&'.').map(|_| number(&mut rest));
        match rest.next() {
            None => break,
            Some('%') => line.push('%'),
            Some(letter) => {
                let mut text = field(letter);
                if let Some(most) = precision {
                    text = text.chars().take(most).collect();
                }
                // Writing to a string cannot fail.
                let _ = if left {
                    write!(line, "{text:<width$}")
                } else {
                    write!(line, "{text:>width$}")
                };
            }
        }
    }
    line
}

fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> usize {
    let mut value = 0usize;
    while let Some(digit) = rest.peek().and_then(|c| c.to_digit(10)) {
        value = (value * 10 + digit as usize).min(MAX_WIDTH);
        rest.next();
    }
    value
}

/// A date as `%Y` writes it: `2026/11/23 03.20.06`, in UTC.
pub(super) fn date(at_s: i64) -> String {
    let (year, month, day) = civil(at_s.div_euclid(86_400));
    let second = at_s.rem_euclid(86_400);
    format!(
        "{year:04}/{month:02}/{day:02} {:02}.{:02}.{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Hours and minutes, `03:30`, in UTC.
pub(super) fn clock(at_s: i64) -> String {
    let minute = at_s.rem_euclid(86_400) / 60;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The moment that `YYYYMMDDHHMM[SS]` names, in UTC.
pub(super) fn moment(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute) = (part(8, 10)?, part(10, 12)?);
    let second = part(12, 14).unwrap_or(0);
    let ok = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    ok.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar. Years begin
/// in March here, so that the leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

fn civil(day: i64) -> (i64, i64, i64) {
    // The year is found by estimate and correction; there is at most one step.
    let mut year = 1970 + day.div_euclid(366);
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days(year, *month, 1) <= day).unwrap_or(1);
    (year, month, day - days(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_have_widths() {
        let cases = [
            ("%j|%s", "42|text"),
            ("%5j|%-5j|", "   42|42   |"),
            ("%.2s|%-4.3s|", "te|tex |"),
            ("100%% %q", "100% "),
            ("%", ""),
            ("%999999j", &format!("{:>256}", "42")),
        ];
        for (format, expected) in cases {
            let got = render(format, |letter| match letter {
                'j' => "42".into(),
                's' => "text".into(),
                _ => String::new(),
            });
            assert_eq!(got, expected, "{format}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970/01/01 00.00.00"),
            (951_782_399, "2000/02/28 23.59.59"),
            (951_782_400, "2000/02/29 00.00.00"),
            (951_868_800, "2000/03/01 00.00.00"),
            (1_795_404_006, "2026/11/23 03.20.06"),
            (4_107_542_400, "2100/03/01 00.00.00"),
        ];
        for (at, text) in cases {
            assert_eq!(date(at), text);
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            assert_eq!(moment(&digits), Some(at));
        }
        assert_eq!(clock(1_795_404_006), "03:20");
        assert_eq!(moment("20261323"), None);
        assert_eq!(moment("202613230000"), None);
    }
}
