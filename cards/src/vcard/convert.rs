//! Lines of 3.0 written as 4.0 and back: what the two spell differently and address books
//! use. Everything else is the same in both, or is an extension and stands as it is.

use super::{Version, lines::is_base64, meaning};
use crate::line::Line;

pub(super) fn convert(lines: Vec<Line>, from: Version, to: Version) -> Vec<Line> {
    match (from, to) {
        (Version::V3, Version::V4) => lines.into_iter().map(to_4).collect(),
        (Version::V4, Version::V3) => lines.into_iter().map(to_3).collect(),
        _ => lines,
    }
}

/// The head under another name, or with other parameters.
fn head_with(line: &Line, name: &str, parameters: &[String]) -> String {
    let group = meaning::group_of(line);
    let dot = if group.is_empty() { "" } else { "." };
    let more: String = parameters.iter().map(|parameter| format!(";{parameter}")).collect();
    format!("{group}{dot}{name}{more}")
}

fn renamed(line: &Line, name: &str) -> Line {
    let parameters: Vec<String> = meaning::parts(line.head()).skip(1).map(str::to_owned).collect();
    line.with_head(&head_with(line, name, &parameters))
}

fn to_4(line: Line) -> Line {
    let name = meaning::name_of(&line).to_ascii_uppercase();
    match name.as_str() {
        "X-ADDRESSBOOKSERVER-KIND" => return renamed(&line, "KIND"),
        "X-ADDRESSBOOKSERVER-MEMBER" => return renamed(&line, meaning::MEMBERS[0]),
        _ => {}
    }
    let has = |wanted: &str| meaning::parameter(&line, wanted).is_some();
    let is_binary =
        meaning::parameter(&line, "ENCODING").is_some_and(|e| e.eq_ignore_ascii_case("b"));
    if is_binary && is_base64(line.value()) {
        // RFC 6350 6.2.4: a picture is a `data:` URI.
        let kind = meaning::types(&line).first().cloned().unwrap_or_default();
        let media = match (name.as_str(), kind.as_str()) {
            (_, "") => "application/octet-stream".to_owned(),
            (_, kind) if kind.contains('/') => kind.to_owned(),
            ("SOUND", kind) => format!("audio/{kind}"),
            ("KEY", kind) => format!("application/{kind}"),
            (_, kind) => format!("image/{kind}"),
        };
        let kept = meaning::parts(line.head()).skip(1).filter(|part| {
            let part = part.to_ascii_uppercase();
            !["ENCODING=", "TYPE=", "VALUE="].iter().any(|start| part.starts_with(start))
        });
        let kept: Vec<String> = kept.map(str::to_owned).collect();
        let value = format!("data:{media};base64,{}", line.value().trim());
        return Line::new(&head_with(&line, meaning::name_of(&line), &kept), &value);
    }
    if !has("TYPE") || has("PREF") || !meaning::types(&line).iter().any(|one| one == "pref") {
        return line;
    }
    // RFC 6350 5.3: `TYPE=pref` became a parameter of its own.
    let mut parameters = others_than_type(&line);
    let types = meaning::types(&line);
    parameters
        .extend(types.iter().filter(|one| *one != "pref").map(|one| meaning::type_parameter(one)));
    parameters.push("PREF=1".to_owned());
    line.with_head(&head_with(&line, meaning::name_of(&line), &parameters))
}

fn others_than_type(line: &Line) -> Vec<String> {
    let all = meaning::parts(line.head()).skip(1);
    let is_other =
        |part: &&str| !part.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("TYPE="));
    all.filter(is_other).map(str::to_owned).collect()
}

fn to_3(line: Line) -> Line {
    let name = meaning::name_of(&line).to_ascii_uppercase();
    match name.as_str() {
        "KIND" => return renamed(&line, "X-ADDRESSBOOKSERVER-KIND"),
        "MEMBER" => return renamed(&line, meaning::MEMBERS[1]),
        "TEL" => return without_uri(&line),
        _ => {}
    }
    if let Some((media, data)) =
        line.value().strip_prefix("data:").and_then(|v| v.split_once(";base64,"))
        && matches!(name.as_str(), "PHOTO" | "LOGO" | "SOUND" | "KEY")
    {
        let kind = media.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
        let mut parameters = others_than_type(&line);
        parameters.retain(|part| !part.to_ascii_uppercase().starts_with("VALUE="));
        parameters.push("ENCODING=b".to_owned());
        if !kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            parameters.push(format!("TYPE={kind}"));
        }
        return Line::new(&head_with(&line, meaning::name_of(&line), &parameters), data);
    }
    with_pref_as_type(line)
}

/// RFC 2426 3.3.1: a number is a text, and every type stands for itself. A `tel:` with
/// parameters (RFC 3966 3) stays one: as a text it would be another number.
fn without_uri(line: &Line) -> Line {
    let is_uri = meaning::parameter(line, "VALUE").is_some_and(|v| v.eq_ignore_ascii_case("uri"));
    let tel = line.value().get(..4).is_some_and(|start| start.eq_ignore_ascii_case("tel:"));
    let mut parameters = others_than_type(line);
    parameters.extend(meaning::types(line).into_iter().map(|one| meaning::type_parameter(&one)));
    let mut value = line.value().to_owned();
    if is_uri && tel && !line.value().contains(';') {
        parameters.retain(|part| !part.to_ascii_uppercase().starts_with("VALUE="));
        value = line.value()[4..].to_owned();
    }
    with_pref_as_type(Line::new(&head_with(line, meaning::name_of(line), &parameters), &value))
}

fn with_pref_as_type(line: Line) -> Line {
    if meaning::parameter(&line, "PREF").is_none() {
        return line;
    }
    let parts = meaning::parts(line.head()).skip(1);
    let mut parameters: Vec<String> = parts
        .map(|part| match part.to_ascii_uppercase().starts_with("PREF=") {
            true => "TYPE=pref".to_owned(),
            false => part.to_owned(),
        })
        .collect();
    parameters.dedup();
    line.with_head(&head_with(&line, meaning::name_of(&line), &parameters))
}
