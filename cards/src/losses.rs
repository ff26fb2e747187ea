//! The formats, how to tell them apart, and what each cannot carry, so that whoever
//! exports can say it before.

use crate::card::{Card, FaxPlace, Kept};

/// What cards can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// vCard 3.0 or 4.0.
    VCard,
    /// A table by [`crate::table`].
    Csv,
    /// Records by [`crate::ldif`].
    Ldif,
}

impl Format {
    /// The format that a file seems to have, by its first line that says something;
    /// `None` for what is no text.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let text = crate::encoding::beginning_of(bytes);
        let says = |line: &&str| !line.is_empty() && !line.starts_with('#');
        let line = text.lines().map(str::trim).find(says)?.to_ascii_lowercase();
        match line.as_str() {
            _ if text.contains('\0') => None,
            "begin:vcard" => Some(Self::VCard),
            _ if line.starts_with("dn:") || line.starts_with("version:") => Some(Self::Ldif),
            _ => Some(Self::Csv),
        }
    }
}

/// Something of a card that does not come back from a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Loss {
    /// The text of another format that has no field here: postal addresses, pictures.
    #[error("what only the format it came from can hold")]
    Kept,
    /// LDAP has no attribute for it.
    #[error("sub-addresses")]
    SubAddresses,
    /// LDAP does not tell work from home.
    #[error("whether a fax is at work or at home")]
    FaxPlaces,
    /// A table has at most [`crate::table::NUMBERED_MOST`] of a kind.
    #[error("the last of very many numbers or addresses")]
    Numbers,
    /// A table has no spaces at the ends of a cell.
    #[error("spaces at the ends of a text")]
    Spaces,
    /// LDAP wants a name for each record: one without a uid gets its DN as uid.
    #[error("that it has no uid")]
    NoUid,
}

/// What of this card is lost when it is written as `format` and read again. Empty: it
/// comes back equal, its [`Card::kept`] aside, which is then of that format.
pub fn losses(card: &Card, format: Format) -> Vec<Loss> {
    let mut lost = Vec::new();
    let is_own = matches!(
        (&card.kept, format),
        (Kept::Nothing, _)
            | (Kept::VCard(..), Format::VCard)
            | (Kept::Csv(_), Format::Csv)
            | (Kept::Ldif(_), Format::Ldif)
    );
    let mut lose = |is_lost: bool, what: Loss| is_lost.then(|| lost.push(what));
    lose(!is_own, Loss::Kept);
    match format {
        Format::VCard => {}
        Format::Csv => {
            let most = crate::table::NUMBERED_MOST;
            lose(card.faxes.len() > most || card.emails.len() > most, Loss::Numbers);
            lose(has_outer_spaces(card), Loss::Spaces);
        }
        Format::Ldif => {
            let has_sub = card.faxes.iter().any(|fax| !fax.sub_address.is_empty());
            let has_place = card.faxes.iter().any(|fax| fax.place != FaxPlace::Unsaid);
            lose(has_sub, Loss::SubAddresses);
            lose(has_place, Loss::FaxPlaces);
            lose(card.uid.is_none(), Loss::NoUid);
        }
    }
    lost
}

fn has_outer_spaces(card: &Card) -> bool {
    let texts = [&card.name, &card.family, &card.given, &card.company, &card.alias, &card.note];
    let more = card.tags.iter().chain(&card.emails).chain(&card.uid).chain(&card.rev);
    texts.into_iter().chain(more).any(|text| text.trim() != text)
}
