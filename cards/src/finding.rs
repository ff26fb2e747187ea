//! What a reader found to say about a file: where, what, and what would be right.

use std::fmt;

use crate::card::{Book, Card, CardList};

/// What reading gave: whole cards, and everything there is to say about the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Cards and lists that were read whole.
    pub book: Book,
    /// Where each card begins, in the order of [`Book::cards`].
    pub card_places: Vec<Place>,
    /// Where each list begins; one that a column makes, where it is named first.
    pub list_places: Vec<Place>,
    /// In the order of the file; at most [`crate::FINDINGS_MOST`].
    pub findings: Vec<Finding>,
    /// How many more findings there were.
    pub findings_left_out: usize,
    /// How many cards, rows or records were left out.
    pub refused: usize,
    /// Something was left out; kept apart, as findings are told only up to a number.
    is_cut: bool,
}

impl Reading {
    /// Whether everything that the file says is in [`Reading::book`]: an import that is to
    /// be all or nothing goes on only then.
    pub fn is_whole(&self) -> bool {
        !self.is_cut
    }

    pub(crate) fn note(&mut self, place: Place, problem: Problem) {
        self.is_cut |= problem.leaves_out();
        match self.findings.len() < crate::FINDINGS_MOST {
            true => self.findings.push(Finding { place, problem }),
            false => self.findings_left_out += 1,
        }
    }

    pub(crate) fn take_card(&mut self, card: Card, place: Place) {
        self.book.cards.push(card);
        self.card_places.push(place);
    }

    pub(crate) fn take_list(&mut self, list: CardList, place: Place) {
        self.book.lists.push(list);
        self.list_places.push(place);
    }

    /// A card is left out; says so once, however much is wrong with it.
    pub(crate) fn refuse(&mut self, findings: Vec<Finding>) {
        self.refused += 1;
        for Finding { place, problem } in findings {
            self.note(place, problem);
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.book.cards.len() + self.book.lists.len() >= crate::CARDS_MOST
    }
}

/// One thing worth saying, to whoever gave the file: its words hold what stood in a cell,
/// so they are nothing for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where in the file.
    pub place: Place,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.problem, self.problem.remedy())
    }
}

/// A place in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The line of the file, from 1; 0 is the file as a whole.
    pub line: usize,
    /// The row of a table, from 1, as a spreadsheet counts: the headings are row 1, and a
    /// cell of several lines does not count twice.
    pub row: Option<usize>,
    /// The heading of the column.
    pub column: Option<String>,
}

impl Place {
    pub(crate) fn line(line: usize) -> Self {
        Self { line, ..Self::default() }
    }

    pub(crate) fn file() -> Self {
        Self::default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.row, self.line) {
            (Some(row), _) => write!(f, "row {row}")?,
            (None, 0) => write!(f, "file")?,
            (None, line) => write!(f, "line {line}")?,
        }
        match &self.column {
            Some(column) => write!(f, ", column \"{column}\""),
            None => Ok(()),
        }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is larger than [`crate::FILE_BYTES_MOST`]. Nothing of it was read.
    #[error("the file has {0} bytes")]
    FileTooLarge(usize),
    /// The file has zero bytes inside: a picture, a spreadsheet, an archive.
    #[error("this is no text")]
    NoText,
    /// The file is not UTF-8 and was read as what is named here.
    #[error("the file is not UTF-8 and was read as {0}")]
    ReadAs(&'static str),
    /// More cards than [`crate::CARDS_MOST`]. Those before stand.
    #[error("there are more than {most} cards from here on", most = crate::CARDS_MOST)]
    TooManyCards,
    /// More text than [`crate::CARD_BYTES_MOST`].
    #[error("this card has {0} bytes")]
    CardTooLarge(usize),
    /// Nothing in it that this format begins with.
    #[error("there is nothing here that begins like {0}")]
    NothingFound(&'static str),
    /// A line that is not `name:value`.
    #[error("this line is no `name:value`")]
    NoColon,
    /// A name of a property or an attribute that cannot be one.
    #[error("\"{0}\" cannot be the name of a property")]
    BadName(String),
    /// A parameter with a quote inside of its value or its name.
    #[error("the parameters before the colon have a quote in the wrong place")]
    BadParameter,
    /// A line between two cards.
    #[error("this line belongs to no card")]
    OutsideCard,
    /// `BEGIN:VCARD` without its end.
    #[error("the card that begins here has no end")]
    Unclosed,
    /// `VERSION` that is none of 2.1, 3.0 and 4.0.
    #[error("version {0} is not known")]
    BadVersion(String),
    /// Base64 that is none.
    #[error("this is not base64")]
    BadBase64,
    /// Text in a character set that is not known, or not in the one it claims.
    #[error("the text is not in the character set {0}")]
    BadCharset(String),
    /// Nothing that the contact could be called by, not even a number.
    #[error("there is neither a name nor a number nor an address")]
    Nameless,
    /// Something in the place of a fax number that has no digit.
    #[error("\"{0}\" is no number")]
    NoNumber(String),
    /// A table whose headings tell nothing.
    #[error("no heading of the first row is known")]
    NoHeadings,
    /// A column that has no field. Its cells are kept with the card.
    #[error("this column is not known; its cells are only kept")]
    UnknownColumn,
    /// The second column with the same meaning. Its cells are kept with the card.
    #[error("this column says the same as an earlier one; its cells are only kept")]
    DoubledColumn,
    /// More cells than there are headings.
    #[error("there are {found} cells under {headings} headings")]
    TooManyCells {
        /// Cells of the row.
        found: usize,
        /// Headings of the table.
        headings: usize,
    },
    /// Quotes that do not pair up.
    #[error("a quote is opened or closed and not the other")]
    BadQuotes,
    /// More columns than [`crate::table::COLUMNS_MOST`]. Nothing was read.
    #[error("the table has {0} columns")]
    TooManyColumns(usize),
    /// A sub-address in a row that has no fax number for it.
    #[error("the sub-address \"{0}\" has no number")]
    SubAddressAlone(String),
    /// A place of a fax that is not known.
    #[error("\"{0}\" is no place of a fax")]
    BadPlace(String),
    /// A record of LDIF without `dn:` at its head.
    #[error("the record does not begin with `dn:`")]
    NoDn,
    /// A second record with one DN. Both are taken; lists mean the last.
    #[error("an earlier record has the same DN")]
    DoubledDn,
    /// A record that changes something rather than saying it.
    #[error("this record asks for a change ({0})")]
    ChangeRecord(String),
    /// A value that is to be fetched from elsewhere.
    #[error("the value is to be fetched from elsewhere")]
    ValueElsewhere,
}

impl Problem {
    /// Whether something of the file is not in the result because of it.
    pub fn leaves_out(&self) -> bool {
        !matches!(
            self,
            Self::ReadAs(_) | Self::UnknownColumn | Self::DoubledColumn | Self::DoubledDn
        )
    }

    /// What would be right, as a clause.
    pub fn remedy(&self) -> String {
        match self {
            Self::FileTooLarge(_) => format!("at most {} are read", crate::FILE_BYTES_MOST),
            Self::NoText => "export the contacts as vCard, CSV or LDIF".into(),
            Self::ReadAs(_) => "export as UTF-8 if letters look wrong".into(),
            Self::TooManyCards => "divide the file".into(),
            Self::CardTooLarge(_) => {
                format!("at most {} are read: leave out the picture", crate::CARD_BYTES_MOST)
            }
            Self::NothingFound(_) => "check which format the file has".into(),
            Self::NoColon => "a long value goes on in a line that begins with a space".into(),
            Self::BadName(_) => "names are letters, digits and hyphens".into(),
            Self::BadParameter => {
                "quotes stand around a whole value, like TYPE=\"work,fax\"".into()
            }
            Self::OutsideCard => "cards stand between BEGIN:VCARD and END:VCARD".into(),
            Self::Unclosed => "end it with END:VCARD".into(),
            Self::BadVersion(_) => "2.1, 3.0 and 4.0 are read".into(),
            Self::BadBase64 => "encode the value by RFC 4648 section 4".into(),
            Self::BadCharset(_) => "write the file in UTF-8".into(),
            Self::Nameless => "give a name, a company, a fax number or an address".into(),
            Self::NoNumber(_) => "write the number with its digits, like +39 040 1234".into(),
            Self::NoHeadings => "the first row names the columns, like Name,Company,Fax".into(),
            Self::UnknownColumn => "name it as in an export of ours to have it used".into(),
            Self::DoubledColumn => "leave one of them".into(),
            Self::TooManyCells { .. } => "put quotes around a cell with a separator in it".into(),
            Self::BadQuotes => "put a cell in quotes and write a quote in it twice".into(),
            Self::TooManyColumns(_) => {
                format!("at most {} are read", crate::table::COLUMNS_MOST)
            }
            Self::SubAddressAlone(_) => "give the number in the column before it".into(),
            Self::BadPlace(_) => "work, home or nothing".into(),
            Self::NoDn => "begin each record with `dn:`, with an empty line before it".into(),
            Self::DoubledDn => "give each record a DN of its own".into(),
            Self::ChangeRecord(_) => "export the contents, not the changes".into(),
            Self::ValueElsewhere => "write the value itself (`:` or `::`, not `:<`)".into(),
        }
    }
}
