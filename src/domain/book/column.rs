//! The columns of a row of a shelf: which text of an entry says what. Knows neither pages
//! nor who asks.
//!
//! ```text
//!  \nacme ltd\nacme\nacme group\n442079460100\n02079460100\nlondon
//!   Name      Address Company   Other
//! ```

use std::collections::BTreeSet;

use memchr::memmem::Finder;

/// Where in an entry something is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    /// The name.
    Name,
    /// What its address begins with: the alias, or the number and the sub-address where
    /// there is none that an address may have.
    Address,
    /// The company.
    Company,
    /// Whatever else is searched: the number and the sub-address, and the tags.
    Other,
}

/// A row of these; the first three have a line each, also where they are empty.
pub(super) fn row(name: &str, alias: &str, company: &str, other: &[String]) -> String {
    let fields = [name, alias, company].into_iter();
    let other = other.iter().map(String::as_str).filter(|field| !field.is_empty());
    let mut row = String::with_capacity(name.len() + alias.len() + company.len() + 40);
    for field in fields.chain(other) {
        row.push('\n');
        row.push_str(field);
    }
    row
}

/// Whether all the words stand in the row within one of these columns.
pub(super) fn holds<'f>(
    row: &str,
    columns: &BTreeSet<Column>,
    words: impl Iterator<Item = &'f Finder<'static>> + Clone,
) -> bool {
    let mut fields = row.splitn(5, '\n').skip(1);
    let [name, alias, company, other] = [(); 4].map(|()| fields.next().unwrap_or_default());
    columns.iter().any(|column| {
        let text = match column {
            Column::Name => name,
            Column::Address if alias.is_empty() => other,
            Column::Address => alias,
            Column::Company => company,
            Column::Other => other,
        };
        words.clone().all(|word| word.find(text.as_bytes()).is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_one_column() {
        use Column::{Address, Company, Name, Other};
        let acme = row("acme ltd", "acme 1", "group", &["4420".into(), String::new(), "x".into()]);
        assert_eq!(acme, "\nacme ltd\nacme 1\ngroup\n4420\nx");
        let bell = row("bell", "", "", &["4430".into()]);
        for (row, columns, words, wanted) in [
            (&acme, &[Name][..], &["acme", "ltd"][..], true),
            (&acme, &[Name, Address], &["ltd", "1"], false),
            (&acme, &[Name, Address], &["1"], true),
            (&acme, &[Name, Address], &["44"], false),
            (&acme, &[Other], &["44"], true),
            (&acme, &[Other], &["x"], true),
            (&acme, &[Company], &["group"], true),
            (&acme, &[], &["group"], false),
            (&bell, &[Address], &["44"], true),
            (&bell, &[Name, Company], &["44"], false),
            (&bell, &[Name], &[""], true),
        ] {
            let columns = columns.iter().copied().collect();
            let finders: Vec<_> = words.iter().map(|w| Finder::new(w).into_owned()).collect();
            assert_eq!(holds(row, &columns, finders.iter()), wanted, "{columns:?} {words:?}");
        }
    }
}
