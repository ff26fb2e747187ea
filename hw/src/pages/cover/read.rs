//! Reads a template, line by line.

use super::{
    Field, Template, TemplateError,
    template::{Line, Manner, Pair, Part, Size, What},
};
use crate::pages::layout::{Align, Length};

/// Largest template, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// Most lines.
const MAX_LINES: usize = 500;
/// What people write for a field, and what it is called.
const OTHER_NAMES: [(&str, &str); 22] = [
    ("to", "to-name"),
    ("recipient", "to-name"),
    ("name", "to-name"),
    ("company", "to-company"),
    ("number", "to-number"),
    ("fax", "to-number"),
    ("to-fax", "to-number"),
    ("from", "from-name"),
    ("sender", "from-name"),
    ("from-fax", "from-number"),
    ("from-phone", "from-number"),
    ("phone", "from-number"),
    ("email", "from-mail"),
    ("mail", "from-mail"),
    ("from-email", "from-mail"),
    ("time", "date"),
    ("ref", "reference"),
    ("title", "subject"),
    ("page", "pages"),
    ("body", "message"),
    ("text", "message"),
    ("picture", "logo"),
];

type Read<T> = Result<T, Fault>;

/// A fault in a line that is being read.
struct Fault {
    what: String,
    right: String,
}

fn fault<T>(what: impl Into<String>, right: impl Into<String>) -> Read<T> {
    Err(Fault { what: what.into(), right: right.into() })
}

pub(super) fn read(text: &str) -> Result<Template, TemplateError> {
    let mut template = Template {
        paper: Length::A4,
        margin_mm: 15.0,
        size_pt: 11.0,
        logo_mm: (70.0, 25.0),
        lined: false,
        lines: Vec::new(),
    };
    let at = |line: usize| {
        move |Fault { what, right }: Fault| TemplateError { line: line + 1, what, right }
    };
    if text.len() > MAX_BYTES {
        let what = format!("the template has {} bytes", text.len());
        return fault(what, format!("at most {MAX_BYTES} are read")).map_err(at(0));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (number, line) in text.lines().enumerate() {
        if number >= MAX_LINES {
            let right = format!("at most {MAX_LINES} lines are read");
            return fault("the template goes on", right).map_err(at(number));
        }
        take(&mut template, line.trim_end()).map_err(at(number))?;
    }
    let prints = |line: &Line| !matches!(line, Line::Empty);
    if !template.lines.iter().any(prints) {
        let right = "write at least one line, such as: To: {to-name}";
        return fault("the template prints nothing", right).map_err(at(0));
    }
    Ok(template)
}

fn take(template: &mut Template, line: &str) -> Read<()> {
    if line.starts_with("//") {
        return Ok(());
    }
    if let Some(setting) = line.strip_prefix('@') {
        return set(template, setting);
    }
    if let Some(rule) = rule(line) {
        template.lines.push(rule);
        return Ok(());
    }
    let (manner, rest) = manner(line)?;
    if rest.is_empty() {
        if line.is_empty() {
            template.lines.push(Line::Empty);
            return Ok(());
        }
        return fault(
            format!("the mark {line} stands alone"),
            "write text after it, or \\ before it to print it",
        );
    }
    let line = content(template, manner, rest)?;
    template.lines.push(line);
    Ok(())
}

fn rule(line: &str) -> Option<Line> {
    let all = |c| line.len() >= 3 && line.chars().all(|other| other == c);
    match () {
        () if all('-') => Some(Line::Rule { thick_pt: 0.75 }),
        () if all('=') => Some(Line::Rule { thick_pt: 2.0 }),
        () => None,
    }
}

/// The marks at the start of a line, and what is left of it.
fn manner(line: &str) -> Read<(Manner, &str)> {
    let mut manner = Manner::default();
    let mut rest = line.trim_start();
    loop {
        let (mark, after) = rest.split_once(' ').unwrap_or((rest, ""));
        let (size, align) = (manner.size, manner.align);
        match mark {
            "?" => manner.optional = true,
            ">" => manner.align = Align::End,
            "><" => manner.align = Align::Centre,
            "#" => manner.size = Size::Title,
            "##" => manner.size = Size::Heading,
            "+" => manner.size = Size::Large,
            "~" => manner.size = Size::Small,
            _ => return Ok((manner, rest)),
        }
        let twice = (size != Size::Usual && size != manner.size)
            || (align != Align::Start && align != manner.align);
        if twice {
            return fault(
                format!("the mark {mark} contradicts the one before it"),
                "use one of # ## + ~ and one of > ><",
            );
        }
        rest = after.trim_start();
    }
}

fn content(template: &Template, manner: Manner, text: &str) -> Read<Line> {
    for (place, seen) in [
        ("{logo}", template.lines.iter().any(|line| matches!(line, Line::Logo(_)))),
        ("{message}", template.lines.contains(&Line::Message)),
    ] {
        if !text.contains(place) {
            continue;
        }
        if text != place {
            return fault(
                format!("{place} has a neighbour"),
                format!("{place} stands in a line of its own"),
            );
        }
        if seen {
            return fault(format!("a second {place}"), "there is one in a cover");
        }
        return Ok(if place == "{logo}" { Line::Logo(manner.align) } else { Line::Message });
    }
    let columns = columns(text);
    let line = match columns.as_slice() {
        [only] => {
            let pair = pair(only)?;
            if pair.label.is_empty() || manner.align != Align::Start {
                Line::Text { manner, parts: parts(only)? }
            } else {
                Line::Row { manner, pairs: vec![pair] }
            }
        }
        _ if manner.align != Align::Start => {
            return fault("columns that are not at the left", "use | without > and ><");
        }
        _ => {
            let pairs = columns.iter().map(|column| pair(column)).collect::<Read<_>>()?;
            Line::Row { manner, pairs }
        }
    };
    let has_place = |parts: &[Part]| parts.iter().any(|part| !matches!(part.what, What::Words(_)));
    let places = match &line {
        Line::Text { parts, .. } => has_place(parts),
        Line::Row { pairs, .. } => pairs.iter().any(|pair| has_place(&pair.value)),
        _ => true,
    };
    if manner.optional && !places {
        return fault(
            "an optional line without a field would never be left out",
            "take away the ?, or name a field such as {reference}",
        );
    }
    Ok(line)
}

/// The columns of a line, between those `|` that no `\` stands before.
fn columns(text: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '|' if !escaped => columns.push(String::new()),
            c => columns.last_mut().map_or((), |last| last.push(c)),
        }
        escaped = c == '\\' && !escaped;
    }
    columns.iter().map(|column| column.trim().to_owned()).collect()
}

/// A label, which ends with a colon right before the first place, and what follows.
fn pair(text: &str) -> Read<Pair> {
    let mut value = parts(text)?;
    let Some(Part { what: What::Words(words), bold }) = value.first().cloned() else {
        return Ok(Pair { label: Vec::new(), value });
    };
    let label = words.trim_end();
    let rest =
        value.get(1).is_some_and(|next| !matches!(next.what, What::Words(_)) || next.bold != bold);
    if rest && label.ends_with([':', '：']) {
        value.remove(0);
        if let Some(Part { what: What::Words(words), .. }) = value.first_mut() {
            *words = words.trim_start().to_owned();
        }
        return Ok(Pair { label: vec![Part::words(label, bold)], value });
    }
    Ok(Pair { label: Vec::new(), value })
}

/// Words, fields in braces, and `**` around what is bold.
fn parts(text: &str) -> Read<Vec<Part>> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut words, mut bold) = (String::new(), false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**") {
            end(&mut parts, &mut words, bold);
            (bold, rest) = (!bold, after);
        } else if rest.starts_with("{{") || rest.starts_with("}}") {
            words.push(c);
            rest = &rest[2..];
        } else if let Some(after) = rest.strip_prefix('{') {
            let Some((name, after)) = after.split_once('}') else {
                return fault("a { that is not closed", "write }, or {{ to print a brace");
            };
            end(&mut parts, &mut words, bold);
            parts.push(Part { what: place(name)?, bold });
            rest = after;
        } else if c == '}' {
            return fault("a } without a { before it", "write }} to print a brace");
        } else if let Some(after) = rest.strip_prefix('\\').filter(|after| !after.is_empty()) {
            let next = after.chars().next().unwrap_or('\\');
            words.push(next);
            rest = &after[next.len_utf8()..];
        } else {
            words.push(if c.is_control() { ' ' } else { c });
            rest = &rest[c.len_utf8()..];
        }
    }
    end(&mut parts, &mut words, bold);
    if bold {
        return fault("a ** that is not closed", "write ** at the end of what is bold as well");
    }
    Ok(parts)
}

fn end(parts: &mut Vec<Part>, words: &mut String, bold: bool) {
    if !words.is_empty() {
        parts.push(Part::words(words, bold));
        words.clear();
    }
}

fn place(name: &str) -> Read<What> {
    let name = name.trim();
    if name == "pages" {
        return Ok(What::Pages);
    }
    if let Some(field) = Field::ALL.into_iter().find(|field| field.as_str() == name) {
        return Ok(What::Field(field));
    }
    let what = format!("there is no field {{{name}}}");
    let low = name.to_lowercase().replace(['_', ' '], "-");
    let names = || Field::ALL.into_iter().map(Field::as_str).chain(["pages", "message", "logo"]);
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == low).map(|(_, field)| *field);
    let nearest = names().map(|field| (distance(&low, field), field)).min();
    let near = nearest.filter(|(far, _)| *far <= 3).map(|(_, field)| field);
    match other.or(near) {
        Some(field) => fault(what, format!("write {{{field}}}")),
        None => {
            let all: Vec<String> = names().map(|field| format!("{{{field}}}")).collect();
            fault(what, format!("there are {}", all.join(" ")))
        }
    }
}

/// How many letters must be changed, added or taken away to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, c) in one.chars().take(40).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, d) in other.iter().enumerate() {
            let changed = corner + usize::from(c != *d);
            corner = row[j + 1];
            row[j + 1] = changed.min(corner + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

fn set(template: &mut Template, setting: &str) -> Read<()> {
    let (key, value) = setting.trim().split_once(' ').unwrap_or((setting.trim(), ""));
    let value = value.trim().to_lowercase();
    match key {
        "paper" => {
            template.paper = match value.as_str() {
                "a4" => Length::A4,
                "letter" => Length::Letter,
                "legal" => Length::Legal,
                _ => return fault(format!("no paper {value}"), "write @paper a4, letter or legal"),
            }
        }
        "margin" => template.margin_mm = measure(&value, "mm", 5.0..=50.0, "@margin 15 mm")?,
        "size" => template.size_pt = measure(&value, "pt", 7.0..=20.0, "@size 11 pt")?,
        "logo" => {
            let right = "@logo 70 x 25 mm";
            let Some((across, down)) = value.split_once('x') else {
                return fault(format!("no size {value}"), format!("write {right}"));
            };
            template.logo_mm = (
                measure(across, "", 5.0..=200.0, right)?,
                measure(down, "mm", 5.0..=120.0, right)?,
            );
        }
        "lines" => {
            template.lined = match value.as_str() {
                "on" => true,
                "off" => false,
                _ => return fault(format!("neither on nor off: {value}"), "write @lines on"),
            }
        }
        _ => {
            return fault(
                format!("no setting @{key}"),
                "there are @paper @margin @size @logo @lines; write \\@ to print an @",
            );
        }
    }
    Ok(())
}

fn measure(
    value: &str,
    unit: &str,
    range: std::ops::RangeInclusive<f32>,
    right: &str,
) -> Read<f32> {
    let number = value.trim().trim_end_matches(unit).trim().replace(',', ".");
    match number.parse::<f32>() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(number) => {
            let (least, most) = (range.start(), range.end());
            fault(format!("{number} is out of bounds"), format!("{least} to {most} are allowed"))
        }
        Err(_) => fault(format!("no measure: {}", value.trim()), format!("write {right}")),
    }
}
