//! Key paths: `limits.max_pages`, `client.anna.mail`, `dial[2].via`. A name with a dot in
//! it is quoted: `client."a.adams".mail`. What may stand where is known from the tables
//! of the configuration; values are not looked at here.

use toml_edit::Item;

use super::tree;
use crate::config::{
    raw::Raw,
    read::{Keys, Shape, Table as _},
    suggest,
};

/// A path that leads somewhere, as far as keys go.
pub(super) struct Path {
    /// The keys to the value, or to the list of tables that it is in.
    pub(super) keys: Vec<String>,
    /// Which of the tables.
    pub(super) entry: Option<Entry>,
    /// The keys within it.
    pub(super) rest: Vec<String>,
    /// What may stand there.
    pub(super) shape: Shape,
}

/// One table out of many.
pub(super) struct Entry {
    pub(super) which: Which,
}

/// How it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    /// By its name.
    Name(String),
    /// By its number over all files, counted from 1.
    Number(usize),
}

impl Entry {
    /// Its place in a list that `before` others are in front of.
    pub(super) fn find(&self, list: &Item, before: usize) -> Option<usize> {
        let count = tree::count(list);
        match &self.which {
            Which::Number(number) => number.checked_sub(before + 1).filter(|place| *place < count),
            Which::Name(name) => (0..count).find(|place| {
                tree::entry(list, *place).and_then(|entry| tree::name(&entry)).as_ref()
                    == Some(name)
            }),
        }
    }

    /// What it is, for people.
    pub(super) fn words(&self, keys: &[String]) -> String {
        let what = keys.join(".");
        match &self.which {
            Which::Name(name) => format!(
                "{what} \"{name}\"; add one with {what}.{}={{ key = value, ... }}",
                quoted(name)
            ),
            Which::Number(number) => format!("{what}[{number}]"),
        }
    }
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// Words that say where it leaves what there is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut path = Self {
            keys: Vec::new(),
            entry: None,
            rest: Vec::new(),
            shape: Shape::Table(Keys { names: Raw::KEYS, shape: Raw::shape }),
        };
        for step in steps(text)? {
            path.walk(step)?;
        }
        Ok(path)
    }

    fn walk(&mut self, step: Which) -> Result<(), String> {
        match (self.shape, step) {
            (Shape::Table(keys), Which::Name(key)) => {
                self.shape = (keys.shape)(&key).ok_or_else(|| {
                    let instead = suggest::instead(&key, "key", keys.names.iter().copied());
                    format!("there is no key \"{key}\" here; {instead}")
                })?;
                self.push(key);
            }
            (Shape::Chosen(keys), Which::Name(key)) => {
                self.shape = Shape::Table(keys);
                self.push(key);
            }
            (Shape::Many(keys), which) => {
                if matches!(which, Which::Name(_)) && !keys.names.contains(&"name") {
                    return Err("these have no names: count them, such as dial[2]".into());
                }
                self.shape = Shape::Table(keys);
                self.entry = Some(Entry { which });
            }
            (Shape::Table(_) | Shape::Chosen(_), Which::Number(_)) => {
                return Err("there is only one of these: leave the number out".into());
            }
            (Shape::Text | Shape::Texts | Shape::Count | Shape::Flag, _) => {
                return Err("this goes on after a single value".into());
            }
        }
        Ok(())
    }

    fn push(&mut self, key: String) {
        match self.entry {
            None => self.keys.push(key),
            Some(_) => self.rest.push(key),
        }
    }
}

/// A name as a path has it.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

fn steps(text: &str) -> Result<Vec<Which>, String> {
    let mut steps = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(number) = rest.strip_prefix('[') {
            let (number, after) = number.split_once(']').ok_or("a bracket is not closed")?;
            let number = number.parse().map_err(|_| "between brackets stands a number from 1")?;
            steps.push(Which::Number(number));
            rest = after;
        } else if let Some(name) = rest.strip_prefix('"') {
            let (name, after) = name.split_once('"').ok_or("a quote is not closed")?;
            steps.push(Which::Name(name.to_owned()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            steps.push(Which::Name(name.to_owned()));
            rest = after;
        }
        if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err("it ends with a dot".into());
            }
            rest = after;
        }
    }
    if steps.is_empty() {
        return Err("write a key, such as limits.max_pages".into());
    }
    Ok(steps)
}
