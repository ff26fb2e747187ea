//! What somebody writes into the fields of an entry becomes what the entry says. Looks up
//! no entry itself.

use postfax_domain::{
    book::{Content, EntryId, Line, Options, Reach},
    setup::Setup,
};

use super::{CoverChoice, Fields, contact};
use crate::requests::{Code, Problem};

fn bad(message: impl Into<String>) -> Problem {
    Problem::new(Code::BadRequest, message)
}

/// What an entry is to say; `old` is what it says now, if there is one. `find` says which
/// entry is meant by a word.
///
/// # Errors
/// [`Code::BadRequest`] names the field and what would be right; or what `find` says.
pub(crate) fn content(
    fields: &Fields,
    old: Option<&Content>,
    setup: &Setup,
    find: impl Fn(&str) -> Result<EntryId, Problem>,
) -> Result<Content, Problem> {
    let text = |new: &Option<String>, old: Option<&String>| {
        new.as_ref().map(|new| new.trim()).or(old.map(String::as_str)).unwrap_or("").to_owned()
    };
    let alias = match &fields.alias {
        Some(alias) => Some(alias.trim().to_owned()).filter(|alias| !alias.is_empty()),
        None => old.and_then(|old| old.alias.clone()),
    };
    let tags = fields.tags.as_ref().map(|tags| {
        let tags = tags.iter().map(|tag| tag.trim().to_owned());
        tags.filter(|tag| !tag.is_empty()).collect()
    });
    let content = Content {
        name: text(&fields.name, old.map(|old| &old.name)),
        company: text(&fields.company, old.map(|old| &old.company)),
        alias,
        note: text(&fields.note, old.map(|old| &old.note)),
        tags: tags.or(old.map(|old| old.tags.clone())).unwrap_or_default(),
        reach: reach(fields, old.map(|old| &old.reach), setup, find)?,
        kept: old.map(|old| old.kept.clone()).unwrap_or_default(),
    };
    content.check().map_err(|why| bad(why.to_string()))?;
    Ok(contact::settled(content, setup))
}

fn reach(
    fields: &Fields,
    old: Option<&Reach>,
    setup: &Setup,
    find: impl Fn(&str) -> Result<EntryId, Problem>,
) -> Result<Reach, Problem> {
    let old_line = match old {
        Some(Reach::Fax(line)) => Some(line),
        Some(Reach::List(_)) | None => None,
    };
    let of_a_fax = [
        ("a sub-address", fields.subaddress.is_some()),
        ("a cover", fields.cover.is_some()),
        ("a resolution", fields.resolution.is_some()),
    ];
    let of_a_fax = of_a_fax.iter().find(|(_, is_given)| *is_given);
    match (&fields.number, &fields.members, old) {
        (Some(_), Some(_), _) => Err(bad("an entry has a number or members, not both")),
        (Some(number), None, _) => {
            let number = contact::number(number, setup).map_err(|why| bad(why.to_string()))?;
            let (subaddress, options) = match old_line {
                Some(old) => (old.subaddress.clone(), old.options.clone()),
                None => (None, Options::default()),
            };
            Ok(Reach::Fax(line(fields, Line { number, subaddress, options })))
        }
        (None, None, Some(Reach::Fax(old))) => Ok(Reach::Fax(line(fields, old.clone()))),
        (None, None, None) => {
            Err(bad("say a number, as in +44 20 7946 0100, or the members of a list"))
        }
        (None, _, _) if of_a_fax.is_some() => {
            let what = of_a_fax.map_or("", |(what, _)| what);
            Err(bad(format!("a list has no {}: its members have", &what[2..])))
        }
        (None, Some(members), _) => {
            let mut ids = Vec::with_capacity(members.len());
            for member in members {
                let id = find(member)?;
                if ids.contains(&id) {
                    return Err(bad(format!("\"{}\" is in the list twice", shown(member))));
                }
                ids.push(id);
            }
            Ok(Reach::List(ids))
        }
        (None, None, Some(list)) => Ok(list.clone()),
    }
}

fn line(fields: &Fields, mut line: Line) -> Line {
    if let Some(digits) = &fields.subaddress {
        line.subaddress = Some(digits.trim().to_owned()).filter(|digits| !digits.is_empty());
    }
    match fields.cover {
        None => {}
        Some(CoverChoice::Usual) => line.options.cover = None,
        Some(CoverChoice::Yes) => line.options.cover = Some(true),
        Some(CoverChoice::No) => line.options.cover = Some(false),
    }
    if let Some(choice) = fields.resolution {
        line.options.resolution = choice.into();
    }
    line
}

/// As much of what somebody wrote as an answer repeats, in characters.
const MAX_SHOWN: usize = 64;

/// The beginning of what somebody wrote, without what a line cannot show.
pub(crate) fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_SHOWN).map(plain).collect()
}
