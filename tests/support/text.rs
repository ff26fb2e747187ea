//! Texts of settings, read and edited as people do.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is set, by name: `max_dials`, `line.ttyFAX0.ecm`.
pub type Settings = BTreeMap<String, Value>;

/// The settings in a text that is made to be edited.
pub fn in_text(text: &str) -> Settings {
    let lines = text.lines().skip_while(|line| !line.starts_with("# The settings of"));
    let lines: Vec<&str> =
        lines.take_while(|line| !line.starts_with("# End of the settings")).collect();
    let table: toml::Table = lines.join("\n").parse().unwrap_or_else(|bad| panic!("{bad}: {text}"));
    let mut settings = Settings::new();
    for (key, value) in table {
        match (key.as_str(), value) {
            ("server" | "version", _) => {}
            ("line", toml::Value::Table(lines)) => {
                for (line, of_line) in lines {
                    for (key, value) in of_line.as_table().unwrap() {
                        settings.insert(format!("line.{line}.{key}"), plain(value));
                    }
                }
            }
            (_, value) => drop(settings.insert(key, plain(&value))),
        }
    }
    settings
}

fn plain(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        other => panic!("{other}"),
    }
}

/// The text with another value for a key, whether it stood behind a `#` or not.
pub fn edited(text: &str, key: &str, value: &Value) -> String {
    let (table, key) = match key.rsplit_once('.') {
        Some((line, key)) => (format!("[{line}]"), key),
        None => (String::new(), key),
    };
    let (mut at, mut found) = (String::new(), 0);
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            at = line.trim().to_owned();
        }
        let bare = line.trim_start_matches("# ");
        if at == table && bare.split('=').next().is_some_and(|name| name.trim_end() == key) {
            found += 1;
            lines.push(format!("{key} = {value}"));
        } else {
            lines.push(line.to_owned());
        }
    }
    assert_eq!(found, 1, "{table} {key}: {text}");
    lines.join("\n") + "\n"
}
