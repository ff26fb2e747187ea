//! Templates: what is read, and what administrators are told.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::{
    template::{Line, Part, Size, What},
    *,
};

#[test]
fn built_in_templates_are_read_and_say_the_same() {
    let fields = |text: &str| {
        let mut found: Vec<&str> =
            text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        found.sort_unstable();
        found.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let english = fields(Template::built_in("en"));
    assert_eq!(english.len(), Field::ALL.len() - 1 + 4, "but the company twice");
    for language in Template::languages() {
        let text = Template::built_in(language);
        let template = Template::parse(text).unwrap_or_else(|error| panic!("{language}: {error}"));
        assert_eq!(fields(text), english, "{language}");
        let rows = template.lines.iter().filter(|line| matches!(line, Line::Row { .. })).count();
        assert_eq!(rows, 9, "{language}: a label is no label");
    }
    assert_eq!(Template::built_in("de-AT"), Template::built_in("DE"));
    assert_eq!(Template::built_in("tlh"), Template::built_in("en"));
}

#[test]
fn the_example_of_the_handbook_is_right() {
    let page = include_str!("../../../../docs/covers.md");
    let example = page.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let template = Template::parse(example).unwrap();
    assert!(template.lined && template.lines.contains(&Line::Message));
    for field in Field::ALL {
        assert!(page.contains(&format!("| `{{{}}}` |", field.as_str())), "{field:?}");
    }
}

#[test]
fn lines_are_read() {
    let template = Template::parse(
        "@paper letter\n@margin 20 mm\n// no\n? > ~ x {date}\n\\# {{5}} \\{date\\}\n**Bold:** {subject}",
    )
    .unwrap();
    assert_eq!(template.margin_mm, 20.0);
    let [Line::Text { manner, parts }, Line::Text { parts: plain, .. }, Line::Row { pairs, .. }] =
        template.lines.as_slice()
    else {
        panic!("{:?}", template.lines)
    };
    assert!(manner.optional && manner.size == Size::Small);
    assert_eq!(parts[1].what, What::Field(Field::Date));
    assert_eq!(plain, &[Part::words("# {5} {date}", false)]);
    assert_eq!(pairs[0].label, [Part::words("Bold:", true)]);
}

#[test]
fn faults_are_named_with_what_would_be_right() {
    let long = "x".repeat(1 << 20);
    for (text, expected) in [
        ("a\n{to-nmae}", "line 2: there is no field {to-nmae}; write {to-name}"),
        ("{recipient}", "line 1: there is no field {recipient}; write {to-name}"),
        ("{Subject}", "line 1: there is no field {Subject}; write {subject}"),
        ("{colour-of-the-sky}", "there are {to-name}"),
        ("{date", "line 1: a { that is not closed; write }"),
        ("date}", "line 1: a } without a {"),
        ("**x", "line 1: a ** that is not closed"),
        ("? Dear Sirs", "line 1: an optional line without a field"),
        ("Note: {message}", "line 1: {message} has a neighbour"),
        ("{logo}\n{logo}", "line 2: a second {logo}"),
        ("@colour red", "line 1: no setting @colour; there are @paper"),
        ("@paper a3", "line 1: no paper a3; write @paper a4, letter or legal"),
        ("@margin wide", "line 1: no measure: wide; write @margin 15 mm"),
        ("@size 90 pt", "line 1: 90 is out of bounds; 7 to 20 are allowed"),
        ("> a: {date} | b", "line 1: columns that are not at the left"),
        ("# ## x", "line 1: the mark ## contradicts"),
        ("?", "line 1: the mark ? stands alone"),
        ("", "line 1: the template prints nothing"),
        (&"\n".repeat(600), "line 501: the template goes on"),
        (&long, "line 1: the template has 1048576 bytes; at most 65536 are read"),
    ] {
        let found = Template::parse(text).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_cover_of_before_is_still_read() {
    let json =
        r#"{"template":"x","logo":null,"fields":{"to-name":"A"},"message":"","pages_after":2}"#;
    let cover: Cover = serde_json::from_str(json).unwrap();
    assert_eq!((cover.written, cover.pages_after), (Written::Plain, 2));
    for field in Field::ALL {
        assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
    }
}
