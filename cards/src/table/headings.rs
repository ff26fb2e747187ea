//! Which heading means what. Headings are compared without case, spaces and marks, so
//! that `E-mail 2 Address` and `E-Mail 2: Adresse` need no spellings of their own.
//!
//! Sources: Thunderbird's export names its columns by `MsgAddr` strings (`Fax Number`,
//! `Display Name`, `Primary Email`) in the language of the user; Outlook by its field
//! names of the installed language (`Business Fax`, `Fax geschäftlich`,
//! `Télécopie (bureau)`, `会社 FAX`); Google as `Phone 1 - Label` or `- Type` with
//! `Phone 1 - Value` beside it. No vendor publishes the translated ones as a standard:
//! what is not here is told as an unknown column, and its cells are kept.

use crate::card::FaxPlace;

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Uid,
    Name,
    Family,
    Given,
    Company,
    Alias,
    Note,
    Tags,
    Lists,
    Rev,
    Email,
    /// Google: labels, and addresses of one kind, with ` ::: ` between them.
    Labels,
    EmailValues,
    /// A fax number, where it stands being said by the heading.
    Fax(FaxPlace),
    /// Our own: the number, place and sub-address of a fax that has a number itself.
    FaxNumber(usize),
    FaxPlaceOf(usize),
    FaxSub(usize),
    /// Google: a number of any kind, and which kind.
    PhoneLabel(usize),
    PhoneNumber(usize),
    Unknown,
}

impl Column {
    /// Whether a second column of the kind would overwrite the first.
    pub(super) fn is_single(self) -> bool {
        !matches!(self, Self::Email | Self::EmailValues | Self::Fax(_) | Self::Unknown)
    }
}

/// By the key of the heading: English of all programs, then German, French, Japanese.
const KNOWN: [(Column, &[&str]); 14] = [
    (Column::Uid, &["uid"]),
    (
        Column::Name,
        &[
            "name",
            "displayname",
            "fullname",
            "fileas",
            "anzeigename",
            "vollständigername",
            "nomàafficher",
            "nomcomplet",
            "nomaffiché",
            "表示名",
            "フルネーム",
            "氏名",
        ],
    ),
    (
        Column::Family,
        &["familyname", "lastname", "surname", "nachname", "nom", "nomdefamille", "姓"],
    ),
    (Column::Given, &["givenname", "firstname", "vorname", "prénom", "名"]),
    (
        Column::Company,
        &[
            "company",
            "organization",
            "organisation",
            "organizationname",
            "organization1name",
            "companyname",
            "firma",
            "société",
            "entreprise",
            "会社名",
            "会社",
            "組織",
            "勤務先",
        ],
    ),
    (Column::Alias, &["alias", "nickname", "spitzname", "surnom", "pseudo", "ニックネーム"]),
    (Column::Note, &["note", "notes", "notizen", "notiz", "anmerkungen", "remarques", "メモ"]),
    (
        Column::Tags,
        &[
            "tags",
            "categories",
            "category",
            "kategorien",
            "catégories",
            "étiquettes",
            "分類",
            "分類項目",
        ],
    ),
    (Column::Labels, &["labels", "groupmembership"]),
    (Column::Lists, &["lists", "list"]),
    (Column::Rev, &["changed", "rev"]),
    (
        Column::Fax(FaxPlace::Unsaid),
        &[
            "fax",
            // What a fax program calls it where there is nothing else to call.
            "number",
            "faxnumber",
            "otherfax",
            "faxnummer",
            "weiteresfax",
            "telefax",
            "télécopie",
            "télécopieur",
            "télécopieautre",
            "numérodefax",
            "faxautre",
            "fax番号",
            "その他のfax",
            "他のfax",
            "ファックス",
        ],
    ),
    (
        Column::Fax(FaxPlace::Work),
        &[
            "businessfax",
            "workfax",
            "companyfax",
            "faxgeschäftlich",
            "faxfirma",
            "télécopiebureau",
            "télécopieprofessionnelle",
            "faxbureau",
            "faxprofessionnel",
            "会社fax",
            "勤務先fax",
        ],
    ),
    (
        Column::Fax(FaxPlace::Home),
        &[
            "homefax",
            "faxprivat",
            "télécopiedomicile",
            "télécopiepersonnelle",
            "faxdomicile",
            "faxpersonnel",
            "自宅fax",
        ],
    ),
];

/// Headings of mail addresses, which have numbers in several places.
const EMAILS: [&str; 19] = [
    "email",
    "emailaddress",
    "primaryemail",
    "secondaryemail",
    "additionalemail",
    "emailadresse",
    "primäreemailadresse",
    "sekundäreemailadresse",
    "weitereemailadresse",
    "zusätzlicheemailadresse",
    "adressedemessagerie",
    "adresseemail",
    "adresseélectronique",
    "premièreadresseélectronique",
    "adresseélectroniqueprincipale",
    "adresseélectroniquesecondaire",
    "電子メールアドレス",
    "メールアドレス",
    "別のメールアドレス",
];

/// A heading without what people and programs write differently.
fn key(heading: &str) -> String {
    let letters = heading.chars().flat_map(char::to_lowercase);
    letters.filter(|c| c.is_alphanumeric() || *c == 'ー').collect()
}

/// Cuts the first number out: `phone1value` is `phonevalue` and 1.
fn numbered(key: &str) -> Option<(String, usize)> {
    let start = key.find(|c: char| c.is_ascii_digit())?;
    let rest = key[start..].trim_start_matches(|c: char| c.is_ascii_digit());
    let number = key[start..key.len() - rest.len()].parse().ok()?;
    Some((format!("{}{rest}", &key[..start]), number))
}

pub(super) fn column(heading: &str) -> Column {
    let key = key(heading);
    if let Some((column, _)) = KNOWN.iter().find(|(_, names)| names.contains(&key.as_str())) {
        return *column;
    }
    let (stem, number) = match numbered(&key) {
        Some((stem, number)) => (stem, Some(number)),
        None => (key, None),
    };
    match (stem.as_str(), number) {
        ("fax", Some(number)) => Column::FaxNumber(number),
        ("faxplace", Some(number)) => Column::FaxPlaceOf(number),
        ("faxsubaddress", Some(number)) => Column::FaxSub(number),
        ("phonetype" | "phonelabel", Some(number)) => Column::PhoneLabel(number),
        ("phonevalue", Some(number)) => Column::PhoneNumber(number),
        ("emailvalue", Some(_)) => Column::EmailValues,
        ("subaddress" | "faxsubaddress", None) => Column::FaxSub(0),
        (stem, _) if EMAILS.contains(&stem) => Column::Email,
        _ => Column::Unknown,
    }
}

pub(super) fn is_known(heading: &str) -> bool {
    column(heading.trim().trim_matches('"')) != Column::Unknown
}
