//! Finds and changes what stands in one text, whatever way it is written there: tables
//! with a header, in braces, or with dots in the key.

use std::mem;

use toml_edit::{ArrayOfTables, Document, InlineTable, Item, Table, Value};

/// What stands under these keys.
pub(super) fn at<'a>(item: &'a Item, keys: &[String]) -> Option<&'a Item> {
    keys.iter().try_fold(item, |item, key| item.as_table_like()?.get(key))
}

fn at_mut<'a>(item: &'a mut Item, keys: &[String]) -> Option<&'a mut Item> {
    keys.iter().try_fold(item, |item, key| item.as_table_like_mut()?.get_mut(key))
}

/// How many of the keys lead somewhere, one after the other.
pub(super) fn depth(item: &Item, keys: &[String]) -> usize {
    (1..=keys.len()).take_while(|depth| at(item, &keys[..*depth]).is_some()).count()
}

/// How many tables a list has.
pub(super) fn count(list: &Item) -> usize {
    match list {
        Item::ArrayOfTables(tables) => tables.len(),
        Item::Value(Value::Array(array)) => array.len(),
        Item::Value(_) | Item::Table(_) | Item::None => 0,
    }
}

/// One table of a list, by itself.
pub(super) fn entry(list: &Item, place: usize) -> Option<Item> {
    match list {
        Item::ArrayOfTables(tables) => tables.get(place).cloned().map(Item::Table),
        Item::Value(Value::Array(array)) => array.get(place).cloned().map(Item::Value),
        Item::Value(_) | Item::Table(_) | Item::None => None,
    }
}

/// The name of a table, if it has one.
pub(super) fn name(entry: &Item) -> Option<String> {
    entry.as_table_like()?.get("name")?.as_str().map(str::to_owned)
}

/// Changes one table of a list.
pub(super) fn with_entry<T>(
    root: &mut Item,
    keys: &[String],
    place: usize,
    change: impl FnOnce(&mut Item) -> Result<T, String>,
) -> Result<T, String> {
    let gone = || "this is no list of tables".to_owned();
    match at_mut(root, keys) {
        Some(Item::ArrayOfTables(tables)) => {
            let table = tables.get_mut(place).ok_or_else(gone)?;
            let mut item = Item::Table(mem::take(table));
            let done = change(&mut item);
            *table = item.into_table().unwrap_or_default();
            done
        }
        Some(Item::Value(Value::Array(array))) => {
            let value = array.get_mut(place).ok_or_else(gone)?;
            let mut item = Item::Value(mem::replace(value, Value::from(false)));
            let done = change(&mut item);
            *value = item.into_value().map_err(|_| gone())?;
            done
        }
        _ => Err(gone()),
    }
}

/// Takes one table out of a list.
pub(super) fn remove_entry(root: &mut Item, keys: &[String], place: usize) {
    match at_mut(root, keys) {
        Some(Item::ArrayOfTables(tables)) => drop(tables.remove(place)),
        Some(Item::Value(Value::Array(array))) => drop(array.remove(place)),
        _ => {}
    }
}

/// Adds a table at the end of a list, which is made when it is not there.
pub(super) fn add_entry(
    root: &mut Item,
    keys: &[String],
    value: InlineTable,
) -> Result<(), String> {
    let wrong = || "this cannot be added to".to_owned();
    if at(root, keys).is_none() {
        let (last, parents) = keys.split_last().ok_or_else(wrong)?;
        let parent = at_mut(root, parents)
            .and_then(Item::as_table_like_mut)
            .ok_or_else(|| format!("there is no {}: write it first", parents.join(".")))?;
        parent.insert(last, Item::ArrayOfTables(ArrayOfTables::new()));
    }
    match at_mut(root, keys) {
        Some(Item::ArrayOfTables(tables)) => tables.push(with_header(value)),
        Some(Item::Value(Value::Array(array))) => array.push(value),
        _ => return Err(wrong()),
    }
    Ok(())
}

/// A table under a header of its own, after an empty line.
fn with_header(value: InlineTable) -> Table {
    let mut table = value.into_table();
    table.fmt();
    table.decor_mut().set_prefix("\n");
    table
}

/// Writes a value under these keys, and the tables that it needs.
pub(super) fn put(item: &mut Item, keys: &[String], value: Value) -> Result<(), String> {
    put_at(item, keys, value, false)
}

/// The same from the root of a text, whose tables have headers.
pub(super) fn put_root(root: &mut Item, keys: &[String], value: Value) -> Result<(), String> {
    put_at(root, keys, value, true)
}

fn put_at(item: &mut Item, keys: &[String], mut value: Value, root: bool) -> Result<(), String> {
    let braces = item.is_inline_table();
    let (Some((key, rest)), Some(table)) = (keys.split_first(), item.as_table_like_mut()) else {
        return Err("this is no table".into());
    };
    let known = table.contains_key(key);
    if !rest.is_empty() {
        if !known {
            let fresh = match root {
                true => Item::Table(with_header(InlineTable::new())),
                false => Item::Value(InlineTable::new().into()),
            };
            table.insert(key, fresh);
        }
        let next = table.get_mut(key).ok_or("this is no table")?;
        put_at(next, rest, value, false)?;
    } else if let Some(old) = table.get_mut(key) {
        replace(old, value)?;
    } else {
        value.decor_mut().clear();
        let item = match value {
            Value::InlineTable(table) if root => Item::Table(with_header(table)),
            value => Item::Value(value),
        };
        table.insert(key, item);
    }
    if braces && !known {
        table.fmt();
    }
    Ok(())
}

/// A value in the place of another: what is around it stays.
fn replace(old: &mut Item, mut value: Value) -> Result<(), String> {
    match (&mut *old, value) {
        (Item::Value(was), new) => {
            value = new;
            *value.decor_mut() = was.decor().clone();
            *was = value;
            Ok(())
        }
        (table, Value::InlineTable(new)) => fill(table, &new),
        (_, value) => {
            *old = Item::Value(value);
            Ok(())
        }
    }
}

/// Makes a table have these keys and no others; those that stay keep their places.
pub(super) fn fill(item: &mut Item, new: &InlineTable) -> Result<(), String> {
    let table = item.as_table_like_mut().ok_or("this is no table")?;
    let had: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    for key in had.iter().filter(|key| !new.contains_key(key)) {
        table.remove(key);
    }
    for (key, value) in new.iter() {
        put(item, &[key.to_owned()], value.clone())?;
    }
    Ok(())
}

/// Takes away what stands under these keys.
pub(super) fn remove(item: &mut Item, keys: &[String]) {
    let Some((last, parents)) = keys.split_last() else { return };
    let Some(parent) = at_mut(item, parents) else { return };
    let braces = parent.is_inline_table();
    if let Some(table) = parent.as_table_like_mut() {
        table.remove(last);
        if braces {
            table.fmt();
        }
    }
}

/// What stands above a table that is to go and belongs to what is around it: its last
/// comment is its own, those before an empty line are not. With the place of it.
pub(super) fn head(text: &str, keys: &[String], place: Option<usize>) -> Option<(usize, String)> {
    let doc = Document::parse(text).ok()?;
    let table = match (at(doc.as_item(), keys)?, place) {
        (Item::ArrayOfTables(tables), Some(place)) => tables.get(place)?,
        (Item::Table(table), None) => table,
        _ => return None,
    };
    let span = table.decor().prefix()?.span()?;
    let above = text.get(span.clone())?;
    let end = above.rfind("\n\n").map(|end| end + 1)?;
    Some((span.start, above[..end].to_owned()))
}

/// The text with the ends of lines that it had before.
pub(super) fn with_ends_of(before: &str, text: String) -> String {
    let windows = before.contains("\r\n") && !before.replace("\r\n", "").contains('\n');
    if windows { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
}

/// As TOML, without what is around it.
pub(super) fn shown(item: &Item) -> String {
    let mut item = item.clone();
    if let Item::Value(value) = &mut item {
        value.decor_mut().clear();
    }
    item.to_string().trim().to_owned()
}
