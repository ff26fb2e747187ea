//! What is typed for a value, read as TOML; a bare word is a text where the key wants one.

use toml_edit::{Array, InlineTable, Value};

use crate::config::read::Shape;

/// The value that is meant. What is of the wrong kind is left to the check, which shows
/// the place.
///
/// # Errors
/// Words, when no value can be made of it.
pub(super) fn read(shape: Shape, text: &str) -> Result<Value, String> {
    let text = text.trim();
    let parsed = text.parse::<Value>();
    match (shape, parsed) {
        (Shape::Table(_) | Shape::Chosen(_) | Shape::Many(_), _) => table(text).map(Value::from),
        (Shape::Text, Ok(value @ Value::String(_)))
        | (Shape::Texts, Ok(value @ Value::Array(_)))
        | (Shape::Count | Shape::Flag, Ok(value)) => Ok(value),
        (_, Err(bad)) if text.starts_with(['"', '\'', '[', '{']) => {
            Err(format!("this is no TOML: {}", bad.message()))
        }
        (Shape::Texts, Ok(value @ Value::String(_))) => Ok(Array::from_iter([value]).into()),
        (Shape::Texts, _) => Ok(Array::from_iter([text]).into()),
        (Shape::Text | Shape::Count | Shape::Flag, _) => Ok(Value::from(text)),
    }
}

/// The table that is meant.
///
/// # Errors
/// Words, when it is none.
pub(super) fn table(text: &str) -> Result<InlineTable, String> {
    match text.trim().parse::<Value>() {
        Ok(Value::InlineTable(table)) => Ok(table),
        Ok(_) => Err("this is a table: write { key = value, ... }".into()),
        Err(bad) => Err(format!("this is no TOML table {{ key = value, ... }}: {}", bad.message())),
    }
}
