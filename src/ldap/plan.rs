//! The fast way of a search: from a filter to words that the phone book finds. Whatever
//! the filter matches is among what they find; what else they find the filter sorts out.
//!
//! Why that is never wrong: a part of a name or of a company, written without case, stands
//! in that column of the entry on its shelf, and so does each word of the part. Where that
//! cannot be said (`not`, a note, the fax domain behind the `@`), there is no fast way, and
//! everything that somebody may see is gone through. A test holds both ways against each
//! other.
//!
//! Why columns: `44` stands in the number of every entry, and a mail client asks for names
//! and addresses. Whoever has to look at each entry to see that takes a second.

use std::collections::{BTreeMap, BTreeSet};

use postfax_domain::book::Column;

use super::{
    filter::{Filter, Parts, Test},
    schema::Attribute,
    text,
};

/// Most different searches of the book for one filter: more are slower than reading all.
const MAX_WORDINGS: usize = 8;
/// What the address of a number with a sub-address says besides digits
/// (`+44.../T33S=...`).
const OF_ADDRESSES: &str = "t33s";

/// Where everything is that a filter can match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cover {
    /// Anywhere.
    All,
    /// Among what has all words of one of these texts in one of its columns.
    Found(BTreeMap<String, BTreeSet<Column>>),
}

impl Cover {
    fn nothing() -> Self {
        Self::Found(BTreeMap::new())
    }

    fn of(text: String, column: Column) -> Self {
        if text.is_empty() { Self::All } else { Self::Found([(text, [column].into())].into()) }
    }

    /// How well it narrows down: by the shortest text that is searched.
    fn narrows(&self) -> usize {
        match self {
            Self::All => 0,
            Self::Found(texts) => texts.keys().map(String::len).min().unwrap_or(usize::MAX),
        }
    }
}

/// Where everything is that this filter can match in the entries of the book, whose
/// addresses are of this fax domain.
pub(super) fn cover(filter: &Filter, domain: &str) -> Cover {
    match filter {
        Filter::And(filters) => {
            let covers = filters.iter().map(|filter| cover(filter, domain));
            covers.max_by_key(Cover::narrows).unwrap_or(Cover::All)
        }
        Filter::Or(filters) => {
            let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
            for filter in filters {
                match cover(filter, domain) {
                    Cover::All => return Cover::All,
                    Cover::Found(texts) => {
                        for (text, columns) in texts {
                            all.entry(text).or_default().extend(columns);
                        }
                    }
                }
            }
            if all.len() > MAX_WORDINGS { Cover::All } else { Cover::Found(all) }
        }
        Filter::Not(_) | Filter::Present(_) => Cover::All,
        Filter::Undefined => Cover::nothing(),
        Filter::Value(attribute, test) => of_value(*attribute, test, domain),
    }
}

fn of_value(attribute: Attribute, test: &Test, domain: &str) -> Cover {
    let whole;
    let parts = match test {
        Test::Equal(text) => {
            whole = Parts { any: vec![text.clone()], ..Parts::default() };
            &whole
        }
        Test::Parts(parts) => parts,
        Test::Names(_) | Test::AtLeast(_) | Test::AtMost(_) => return Cover::All,
    };
    let Parts { initial, any, last } = parts;
    let parts = initial.iter().chain(any).chain(last).map(String::as_str);
    let column = match attribute {
        Attribute::Cn | Attribute::DisplayName | Attribute::Sn | Attribute::GivenName => {
            Column::Name
        }
        Attribute::Mail => Column::Address,
        Attribute::Organization => Column::Company,
        Attribute::Category | Attribute::Fax | Attribute::Telephone => Column::Other,
        // An alias that no address has stands with the rest, and that column is then all
        // there is of the address.
        Attribute::Nickname => Column::Address,
        _ => return Cover::All,
    };
    let is_word = |word: &&str| column != Column::Address || !OF_ADDRESSES.contains(word);
    let domain = text::folded(domain);
    let mut words: Vec<&str> = Vec::new();
    for part in parts {
        let part = match attribute {
            // What stands behind the `@` is in no entry.
            Attribute::Mail => match part.split_once('@') {
                Some((local, _)) => local,
                None if domain.contains(part) => "",
                None => part,
            },
            _ => part,
        };
        words.extend(part.split(|c: char| !c.is_alphanumeric()).filter(is_word));
    }
    words.retain(|word| !word.is_empty());
    Cover::of(wording(&words), column)
}

/// What the book is asked for. Several words of digits alone would be one number to it:
/// then the longest has to do.
fn wording(words: &[&str]) -> String {
    // Marks and the like fold to nothing; what is left has to be a word to the book too.
    let words: Vec<&str> = words.iter().filter(|word| is_plain(word)).copied().collect();
    let has_letters = |word: &&str| word.chars().any(char::is_alphabetic);
    if words.iter().any(has_letters) {
        return words.join(" ");
    }
    words.into_iter().max_by_key(|word| word.len()).unwrap_or_default().to_owned()
}

/// Whether the book reads it as one word as well, and not as the parts of another one.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || (c.is_alphabetic() && !c.is_ascii()))
}
