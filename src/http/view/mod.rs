//! How answers look on the wire: shapes of their own, so that what the core keeps can
//! change without them. Times are RFC 3339 in UTC, words are in kebab case.

mod audit;
mod book;
mod config;
mod explain;
mod job;
mod order;
mod settings;
mod status;
mod webhook;

use postfax_domain::{audit::Asker, authority::Who};
use serde::Deserialize;
use utoipa::IntoParams;

use super::problem::{Code, Problem};

pub(super) use crate::requests::row::{JobRow, moment};
pub(super) use audit::{AuditFilter, AuditList, ChainView, Known};
pub(super) use book::{
    DeletedEntry, EntryList, EntryView, ExportWanted, NewEntry, Search, Share, Taken, entry_path,
    file_type, lost_header, written_as,
};
pub(super) use config::{
    ChangedView, Check, Checked, ConfigKey, ConfigVersions, DiffView, FileText, FoundView,
    KeyChanges, Reloaded, TextsView, VersionsAsked,
};
pub(super) use explain::{ExplanationView, Question};
pub(super) use job::{Filter, JobList, JobStory, documents};
pub(super) use order::{Alteration, Assignment, Done};
pub(super) use settings::{
    Back, DifferencesView, FieldView, Reason, RegisteredView, SchemaView, SettingsAsked,
    SettingsText, SettingsVersions, SettingsView, Sides,
};
pub(super) use status::{Draining, GivenUp, ServerDetail, ServerList, StatusView};
pub(super) use webhook::{Hurried, WebhookList};

/// Entries of a page when no number was asked for.
const DEFAULT_PAGE: u32 = 50;
/// Most entries of a page.
const MAX_PAGE: u32 = 1000;

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// At most so many, newest first; 50 when it is not said.
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<u32>,
    /// Only those with a smaller number: the cursor of the next page.
    #[param(minimum = 0)]
    pub(super) before: Option<u64>,
}

/// Where the page after this one begins: a page that is full may have one, unless it ends
/// with number 1.
pub(super) fn next(limit: Option<u32>, len: usize, last: Option<u64>) -> Option<u64> {
    let full = len >= limit.unwrap_or(DEFAULT_PAGE) as usize;
    last.filter(|number| full && *number > 1)
}

/// The part of a list that is asked for, of numbered things that come newest first; and
/// where the next one begins.
///
/// # Errors
/// [`Code::BadRequest`] for a page that is too large, or none.
pub(super) fn page<T>(
    all: Vec<T>,
    part: &Part,
    number: impl Fn(&T) -> u64,
) -> Result<(Vec<T>, Option<u64>), Problem> {
    let limit = part.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let words = format!("the limit must be 1 to {MAX_PAGE}");
        return Err(Problem::new(Code::BadRequest, words));
    }
    let older = all.into_iter().filter(|one| part.before.is_none_or(|before| number(one) < before));
    let page: Vec<T> = older.take(limit as usize).collect();
    let next = next(part.limit, page.len(), page.last().map(number));
    Ok((page, next))
}

/// Who has asked: a client, `administrator` or `stranger`.
fn who(asker: &Asker) -> String {
    match &asker.who {
        Who::Administrator => "administrator".to_owned(),
        Who::Client(name) => name.to_string(),
        Who::Stranger => "stranger".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_on_one_page() {
        let mut part = Part { limit: Some(2), before: None };
        let mut seen = Vec::new();
        loop {
            let (numbers, next) = page(vec![5, 4, 3, 2, 1], &part, |number| *number).unwrap();
            seen.extend(numbers);
            part.before = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(seen, [5, 4, 3, 2, 1]);
    }
}
