//! "Did you mean": the nearest of the words that would have been right.

/// Most words that a message lists.
const MAX_LISTED: usize = 16;

/// Fewest letters of a beginning that is taken for a whole word.
const MIN_BEGINNING: usize = 3;

/// What would be right instead of `word`: the nearest of `known`, and all of them.
pub(super) fn instead<'a>(
    word: &str,
    what: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return format!("no {what} is declared");
    }
    let mut list = known.iter().copied().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    if known.len() > MAX_LISTED {
        list.push_str(", ...");
    }
    match nearest(word, &known) {
        Some(near) => format!("did you mean \"{near}\"? It can be: {list}"),
        None => format!("it can be: {list}"),
    }
}

/// The nearest of the words, when one is near enough to be what was meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    // The beginning of a word is meant as that word: `delay` for `delay_s`.
    let begun = |other: &&&str| word.len() >= MIN_BEGINNING && other.starts_with(word);
    if let Some(whole) = known.iter().find(begun) {
        return Some(whole);
    }
    let distances = known.iter().map(|other| (distance(word, other), *other));
    distances.min_by_key(|(distance, _)| *distance).filter(|(d, _)| *d <= allowed).map(|(_, w)| w)
}

/// How many letters must be put in, left out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().collect() };
    let (a, b) = (letters(a), letters(b));
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_what_was_meant() {
        let known = ["london", "paris", "berlin"];
        for (word, meant) in [
            ("londn", Some("london")),
            ("pairs", Some("paris")),
            ("PARIS", Some("paris")),
            ("par", Some("paris")),
            ("tokyo", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
        assert_eq!(nearest("x", &[]), None);
    }

    #[test]
    fn distances_count_single_slips() {
        for (a, b, slips) in [("", "", 0), ("ab", "ba", 1), ("abc", "abd", 1), ("", "abc", 3)] {
            assert_eq!(distance(a, b), slips, "{a} {b}");
        }
    }
}
