//! Changes single keys of a configuration's texts and leaves everything else as it is:
//! comments, order, formatting. Which keys there are is said by [`super::raw`]; whether
//! the values make sense is not asked here.

mod path;
mod tree;
mod value;

use serde::{Deserialize, Serialize};
use toml_edit::{DocumentMut, InlineTable, Item};

use super::{read::Shape, texts::Text};
use path::{Entry, Path, Which};

/// A key and what it is to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Set {
    /// The key, as problems name it: `client.anna.mail`, `dial[2].via`.
    pub(crate) key: String,
    /// The value in TOML; without one the key goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<String>,
}

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// The key.
    pub(crate) key: String,
    /// The file that it is in.
    pub(crate) file: std::path::PathBuf,
    /// What is written, in TOML.
    pub(crate) toml: String,
}

/// The texts with the changes in them, one after the other.
///
/// # Errors
/// Words that name the key and what would be right.
pub(crate) fn edit(texts: &[Text], changes: &[Set]) -> Result<Vec<Text>, String> {
    let mut texts = texts.to_vec();
    for change in changes {
        let done = apply(&mut texts, change);
        done.map_err(|why| format!("{}: {why}", change.key))?;
    }
    Ok(texts)
}

/// What stands under a key, in each file that has something of it.
///
/// # Errors
/// Words, when there is no such key or nothing stands there.
pub(crate) fn show(texts: &[Text], key: &str) -> Result<Vec<Found>, String> {
    let path = Path::parse(key).map_err(|why| format!("{key}: {why}"))?;
    let mut found = Vec::new();
    for (number, doc) in docs(texts)?.iter().enumerate() {
        let mut add = |key: String, item: &Item| {
            let file = texts[number].file.clone();
            found.push(Found { key, file, toml: tree::shown(item) });
        };
        let Some(within) = tree::at(doc.as_item(), &path.keys) else { continue };
        match (&path.entry, path.shape) {
            (Some(which), _) => {
                let before = entries_before(texts, &path, number)?;
                let Some(at) = which.find(within, before) else { continue };
                let Some(entry) = tree::entry(within, at) else { continue };
                if let Some(item) = tree::at(&entry, &path.rest) {
                    add(key.to_owned(), item);
                }
            }
            (None, Shape::Many(_)) => {
                let before = entries_before(texts, &path, number)?;
                for at in 0..tree::count(within) {
                    let Some(entry) = tree::entry(within, at) else { continue };
                    let name = match tree::name(&entry) {
                        Some(name) => format!("{key}.{}", path::quoted(&name)),
                        None => format!("{key}[{}]", before + at + 1),
                    };
                    add(name, &entry);
                }
            }
            (None, _) => add(key.to_owned(), within),
        }
    }
    if found.is_empty() {
        return Err(format!("{key}: nothing is written there"));
    }
    Ok(found)
}

fn docs(texts: &[Text]) -> Result<Vec<DocumentMut>, String> {
    texts.iter().map(parsed).collect()
}

fn parsed(text: &Text) -> Result<DocumentMut, String> {
    text.text.parse().map_err(|bad: toml_edit::TomlError| {
        format!("{} is no TOML, mend it first: {}", text.file.display(), bad.message())
    })
}

fn entries_before(texts: &[Text], path: &Path, file: usize) -> Result<usize, String> {
    let mut before = 0;
    for doc in docs(&texts[..file])? {
        before += tree::at(doc.as_item(), &path.keys).map_or(0, tree::count);
    }
    Ok(before)
}

fn apply(texts: &mut [Text], change: &Set) -> Result<(), String> {
    let path = Path::parse(&change.key)?;
    let mut docs = docs(texts)?;
    let Done { file, head } = match &path.entry {
        None => apply_plain(texts, &mut docs, &path, change)?,
        Some(entry) => apply_entry(texts, &mut docs, &path, entry, change)?,
    };
    let mut new = docs[file].to_string();
    if let Some((place, head)) = head
        && new.is_char_boundary(place)
    {
        new.insert_str(place, &head);
    }
    let text = &mut texts[file].text;
    *text = tree::with_ends_of(text, new);
    Ok(())
}

/// What was changed.
struct Done {
    /// The number of the file.
    file: usize,
    /// What stood above a table that is gone and stays, and where.
    head: Option<(usize, String)>,
}

impl Done {
    fn at(file: usize) -> Self {
        Self { file, head: None }
    }
}

/// A key that is in no list of tables. Says what was changed.
fn apply_plain(
    texts: &[Text],
    docs: &mut [DocumentMut],
    path: &Path,
    change: &Set,
) -> Result<Done, String> {
    let depths: Vec<usize> =
        docs.iter().map(|doc| tree::depth(doc.as_item(), &path.keys)).collect();
    let deepest = depths.iter().copied().max().unwrap_or(0);
    let file = depths.iter().position(|depth| *depth == deepest).unwrap_or(0);
    let root = docs[file].as_item_mut();
    let Some(value) = &change.value else {
        if deepest < path.keys.len() {
            return Err("nothing is written there".into());
        }
        tree::remove(root, &path.keys);
        return Ok(Done { file, head: tree::head(&texts[file].text, &path.keys, None) });
    };
    if matches!(path.shape, Shape::Many(_)) {
        return Err("there are many of these: name one of them, or the key of one".into());
    }
    tree::put_root(root, &path.keys, value::read(path.shape, value)?)?;
    Ok(Done::at(file))
}

/// A table out of many, or a key of it. Says what was changed.
fn apply_entry(
    texts: &[Text],
    docs: &mut [DocumentMut],
    path: &Path,
    entry: &Entry,
    change: &Set,
) -> Result<Done, String> {
    let mut all = 0;
    for number in 0..docs.len() {
        let Some(within) = tree::at(docs[number].as_item(), &path.keys) else { continue };
        let found = entry.find(within, all);
        all += tree::count(within);
        let Some(at) = found else { continue };
        match (&change.value, path.rest.is_empty()) {
            (None, true) => {
                tree::remove_entry(docs[number].as_item_mut(), &path.keys, at);
                let head = tree::head(&texts[number].text, &path.keys, Some(at));
                return Ok(Done { file: number, head });
            }
            (None, false) => {
                tree::with_entry(docs[number].as_item_mut(), &path.keys, at, |entry| {
                    if tree::depth(entry, &path.rest) < path.rest.len() {
                        return Err("nothing is written there".to_owned());
                    }
                    tree::remove(entry, &path.rest);
                    Ok(())
                })?;
            }
            (Some(value), true) => {
                let value = named(value::table(value)?, &entry.which)?;
                let fill = |entry: &mut Item| tree::fill(entry, &value);
                tree::with_entry(docs[number].as_item_mut(), &path.keys, at, fill)?;
            }
            (Some(value), false) => {
                let value = value::read(path.shape, value)?;
                let put = |entry: &mut Item| tree::put(entry, &path.rest, value);
                tree::with_entry(docs[number].as_item_mut(), &path.keys, at, put)?;
            }
        }
        return Ok(Done::at(number));
    }
    let (Some(value), true) = (&change.value, path.rest.is_empty()) else {
        return Err(format!("there is no {}", entry.words(&path.keys)));
    };
    if let Which::Number(number) = entry.which
        && number != all + 1
    {
        return Err(format!("the next free number is {}", all + 1));
    }
    let value = named(value::table(value)?, &entry.which)?;
    let file = home(docs, path);
    tree::add_entry(docs[file].as_item_mut(), &path.keys, value)?;
    Ok(Done::at(file))
}

/// The file that a table is added to: where the last of its kind is.
fn home(docs: &[DocumentMut], path: &Path) -> usize {
    let has = |doc: &DocumentMut, keys: &[String]| tree::at(doc.as_item(), keys).is_some();
    // Else where the table is that they belong to.
    let parents = &path.keys[..path.keys.len().saturating_sub(1)];
    let last = docs.iter().rposition(|doc| has(doc, &path.keys));
    let beside = || docs.iter().position(|doc| !parents.is_empty() && has(doc, parents));
    last.or_else(beside).unwrap_or(0)
}

/// The table with its name in it, first.
fn named(value: InlineTable, which: &Which) -> Result<InlineTable, String> {
    let Which::Name(name) = which else { return Ok(value) };
    let mut named = InlineTable::new();
    named.insert("name", name.as_str().into());
    for (key, item) in value {
        if key == "name" && item.as_str() != Some(name) {
            return Err("the name in the table is another one".into());
        }
        named.insert(key, item);
    }
    Ok(named)
}

#[cfg(test)]
mod tests;
