//! One row becomes one card, or findings that name its columns. Knows nothing of bytes.

use std::{collections::BTreeMap, sync::Arc};

use super::headings::Column;
use crate::{
    card::{Card, Fax, FaxPlace, Kept, has_digit},
    escape,
    finding::{Finding, Place, Problem},
};

/// Google's mark between two values in one cell.
const BETWEEN_VALUES: &str = " ::: ";

pub(super) struct Made {
    pub card: Card,
    /// Names of the lists that the card is on.
    pub lists: Vec<String>,
}

/// What is gathered until the row is at its end.
#[derive(Default)]
struct Gathered {
    card: Card,
    lists: Vec<String>,
    kept: Vec<(Arc<str>, String)>,
    /// By their numbers: number, place and sub-address of one fax, with their headings.
    faxes: BTreeMap<usize, Parts>,
    phones: BTreeMap<usize, Phone>,
    bad: Vec<(Arc<str>, Problem)>,
}

#[derive(Default)]
struct Parts {
    number: String,
    place: FaxPlace,
    sub_address: Option<(Arc<str>, String)>,
}

#[derive(Default)]
struct Phone {
    label: Option<(Arc<str>, String)>,
    number: Option<(Arc<str>, String)>,
}

pub(super) fn card<'a>(
    cells: impl Iterator<Item = (&'a (Arc<str>, Column), String)>,
    place: &Place,
) -> Result<Made, Vec<Finding>> {
    let mut row = Gathered::default();
    for ((heading, column), cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
        row.take(heading, *column, cell);
    }
    row.join_faxes();
    row.sort_phones();
    row.card.name_it();
    let mut bad: Vec<Finding> = Vec::new();
    for (heading, problem) in row.bad {
        let place = Place { column: Some(heading.to_string()), ..place.clone() };
        bad.push(Finding { place, problem });
    }
    if bad.is_empty() && row.card.name.is_empty() {
        bad.push(Finding { place: place.clone(), problem: Problem::Nameless });
    }
    if !bad.is_empty() {
        return Err(bad);
    }
    if !row.kept.is_empty() {
        // One order for all cards, so that it is the same after writing.
        row.kept.sort_by(|(one, _), (other, _)| one.cmp(other));
        row.card.kept = Kept::Csv(row.kept);
    }
    Ok(Made { card: row.card, lists: row.lists })
}

impl Gathered {
    fn take(&mut self, heading: &Arc<str>, column: Column, cell: String) {
        let heading = Arc::clone(heading);
        match column {
            Column::Uid => self.card.uid = Some(cell),
            Column::Name => self.card.name = cell,
            Column::Family => self.card.family = cell,
            Column::Given => self.card.given = cell,
            Column::Company => self.card.company = cell,
            Column::Alias => self.card.alias = cell,
            Column::Note => self.card.note = cell,
            Column::Rev => self.card.rev = Some(cell),
            Column::Tags => self.card.tags.extend(several(&cell)),
            Column::Lists => self.lists = several(&cell),
            Column::Email => self.card.emails.push(cell),
            Column::EmailValues => self.card.emails.extend(values(&cell)),
            Column::Labels => {
                let own = |label: String| label.trim_start_matches("* ").to_owned();
                self.card.tags.extend(values(&cell).map(own));
            }
            Column::Fax(place) => self.fax(&heading, place, &cell),
            Column::FaxNumber(at) => match has_digit(&cell) {
                true => self.faxes.entry(at).or_default().number = cell,
                false => self.bad.push((heading, Problem::NoNumber(cell))),
            },
            Column::FaxPlaceOf(at) => match place_of(&cell) {
                Some(place) => self.faxes.entry(at).or_default().place = place,
                None => self.bad.push((heading, Problem::BadPlace(cell))),
            },
            Column::FaxSub(at) => {
                self.faxes.entry(at).or_default().sub_address = Some((heading, cell));
            }
            Column::PhoneLabel(at) => {
                self.phones.entry(at).or_default().label = Some((heading, cell));
            }
            Column::PhoneNumber(at) => {
                self.phones.entry(at).or_default().number = Some((heading, cell));
            }
            Column::Unknown => self.kept.push((heading, cell)),
        }
    }

    fn fax(&mut self, heading: &Arc<str>, place: FaxPlace, cell: &str) {
        for number in values(cell) {
            match has_digit(&number) {
                true => self.card.faxes.push(Fax { number, place, ..Fax::default() }),
                false => self.bad.push((Arc::clone(heading), Problem::NoNumber(number))),
            }
        }
    }

    /// A sub-address without a number in its heading belongs to the first fax of the row.
    fn join_faxes(&mut self) {
        for (at, Parts { number, place, sub_address }) in std::mem::take(&mut self.faxes) {
            let (heading, sub_address) = sub_address.unwrap_or_default();
            let first = if at == 0 { self.card.faxes.first_mut() } else { None };
            match (number.is_empty(), first) {
                (false, _) => self.card.faxes.push(Fax { number, sub_address, place }),
                (true, Some(first)) => first.sub_address = sub_address,
                (true, None) if sub_address.is_empty() => {}
                (true, None) => self.bad.push((heading, Problem::SubAddressAlone(sub_address))),
            }
        }
    }

    /// Google's numbers: those of a fax are taken, the others kept.
    fn sort_phones(&mut self) {
        for Phone { label, number } in std::mem::take(&mut self.phones).into_values() {
            let kind = label.as_ref().map(|(_, label)| label.to_lowercase()).unwrap_or_default();
            match number {
                Some((heading, number)) if kind.contains("fax") => {
                    let place = match (kind.contains("work"), kind.contains("home")) {
                        (true, _) => FaxPlace::Work,
                        (false, true) => FaxPlace::Home,
                        (false, false) => FaxPlace::Unsaid,
                    };
                    self.fax(&heading, place, &number);
                }
                number => self.kept.extend(label.into_iter().chain(number)),
            }
        }
    }
}

fn place_of(cell: &str) -> Option<FaxPlace> {
    match cell.to_ascii_lowercase().as_str() {
        "work" => Some(FaxPlace::Work),
        "home" => Some(FaxPlace::Home),
        _ => None,
    }
}

/// Several values in one cell as we and Outlook write them.
fn several(cell: &str) -> Vec<String> {
    let all = escape::values(cell, ';').into_iter();
    all.map(|one| escape::plain(one.trim())).filter(|one| !one.is_empty()).collect()
}

/// Several values in one cell as Google writes them.
fn values(cell: &str) -> impl Iterator<Item = String> {
    let all = cell.split(BETWEEN_VALUES).map(str::trim);
    all.filter(|one| !one.is_empty()).map(str::to_owned)
}
