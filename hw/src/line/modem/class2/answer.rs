//! What modems of Class 2, 2.0 and 2.1 say, line by line. Any line that means nothing here
//! is [`Answer::Other`]: modems say many things.

use super::params::Params;
use crate::t30::MAX_IDENT;

/// A line of a modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// `OK`
    Ok,
    /// `ERROR`, also with a reason.
    Error,
    /// `CONNECT`: page data may pass.
    Connect,
    /// The call did not come about, or is gone.
    Failed(Failure),
    /// The other side rings.
    Ringing,
    /// `+FCON`, `+FCO`: a fax machine is on the line.
    Fax,
    /// `+FCSI`, `+FCI`, `+FTSI`, `+FTI`, `+FCIG`, `+FPI`: what the other machine calls itself.
    Identity(String),
    /// `+FDIS`, `+FIS`: what the other machine can. `None`: unreadable.
    Remote(Option<Params>),
    /// `+FPOLL`, `+FPO`: it has a document to be polled.
    HasDocument,
    /// `+FDTC`, `+FTC`: it polls us, and can so much.
    Polls(Option<Params>),
    /// `+FDCS`, `+FCS`: what was agreed. `None`: unreadable.
    Agreed(Option<Params>),
    /// `+FSA`: the sub-address that it asks for.
    SubAddress(String),
    /// `+FPW`: the password that it gives.
    Password(String),
    /// `+FPTS`, `+FPS`: what becomes of a page. `None`: unreadable.
    Page(Option<Verdict>),
    /// `+FET`: what comes after a page. `None`: unreadable.
    Next(Option<Next>),
    /// `+FHNG`, `+FHS`: it hung up, and why. `None`: unreadable.
    HungUp(Option<u8>),
    /// `+FVOICE`, `+FVO`: an operator wants to speak.
    Voice,
    /// Something else.
    Other(String),
}

/// Why there is no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// `NO CARRIER`
    NoCarrier,
    /// `BUSY`
    Busy,
    /// `NO ANSWER`
    NoAnswer,
    /// `NO DIALTONE`
    NoDialTone,
    /// `BLACKLISTED`, `DELAYED`: the modem does not call this number now.
    Refused,
}

/// What becomes of a page (T.32 8.5.2.7): the answer to its post-page message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// MCF.
    Good,
    /// RTN.
    Bad,
    /// RTP: taken, but train again.
    GoodRetrain,
    /// PIN: not taken, and an operator is wanted.
    BadInterrupt,
    /// PIP: taken, and an operator is wanted.
    GoodInterrupt,
}

/// What comes after a page (`+FET`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// MPS: another page.
    Page,
    /// EOM: another page of another format.
    Document,
    /// EOP: nothing.
    Nothing,
}

impl Verdict {
    /// Whether the page was taken.
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::GoodRetrain | Self::GoodInterrupt)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match first_number(text, 10)? {
            1 => Self::Good,
            2 => Self::Bad,
            3 => Self::GoodRetrain,
            4 => Self::BadInterrupt,
            5 => Self::GoodInterrupt,
            _ => return None,
        })
    }
}

impl Next {
    fn parse(text: &str) -> Option<Self> {
        // 4 to 6 are the same with an operator (PRI); 3 ends a part of a page.
        Some(match first_number(text, 10)? {
            0 | 4 => Self::Page,
            1 | 5 => Self::Document,
            2 | 6 => Self::Nothing,
            _ => return None,
        })
    }
}

impl Answer {
    /// Reads a line without its end.
    pub(super) fn parse(line: &str, hexadecimal: bool) -> Self {
        let line = line.trim();
        let upper = line.to_ascii_uppercase();
        if let Some(answer) = Self::word(&upper) {
            return answer;
        }
        let (name, value) = match line.find([':', '=']) {
            Some(at) => (upper[..at].trim(), line[at + 1..].trim()),
            None => (upper.as_str(), ""),
        };
        let params = || Params::parse(value, hexadecimal);
        match name {
            "+FCON" | "+FCO" => Self::Fax,
            "+FCSI" | "+FCI" | "+FTSI" | "+FTI" | "+FCIG" | "+FPI" => Self::Identity(text(value)),
            "+FDIS" | "+FIS" => Self::Remote(params()),
            "+FPOLL" | "+FPO" => Self::HasDocument,
            "+FDTC" | "+FTC" => Self::Polls(params()),
            "+FDCS" | "+FCS" => Self::Agreed(params()),
            "+FSA" => Self::SubAddress(text(value)),
            "+FPW" => Self::Password(text(value)),
            "+FPTS" | "+FPS" => Self::Page(Verdict::parse(value)),
            "+FET" => Self::Next(Next::parse(value)),
            "+FHNG" => Self::HungUp(first_number(value, 10)),
            "+FHS" => Self::HungUp(status(value)),
            "+FVOICE" | "+FVO" => Self::Voice,
            _ => Self::Other(line.to_owned()),
        }
    }

    fn word(upper: &str) -> Option<Self> {
        Some(match upper {
            "OK" => Self::Ok,
            "CONNECT" => Self::Connect,
            "BUSY" => Self::Failed(Failure::Busy),
            "NO ANSWER" => Self::Failed(Failure::NoAnswer),
            "NO DIALTONE" | "NO DIAL TONE" => Self::Failed(Failure::NoDialTone),
            "NO CARRIER" => Self::Failed(Failure::NoCarrier),
            "RINGING" | "RRING" => Self::Ringing,
            _ if upper.starts_with("ERROR") || upper.starts_with("+CME ERROR") => Self::Error,
            _ if upper.starts_with("BLACKLISTED") || upper.starts_with("DELAYED") => {
                Self::Failed(Failure::Refused)
            }
            _ => return None,
        })
    }
}

/// A status of Class 2.0 as the number that Class 2 has for it: two hexadecimal digits, of
/// which the first counts tens (T.32 table 19: `A0` is 100).
fn status(text: &str) -> Option<u8> {
    let number = first_number(text, 16)?;
    Some((number >> 4) * 10 + (number & 0xF).min(9))
}

fn first_number(text: &str, radix: u32) -> Option<u8> {
    let part = text.split(',').next()?.trim();
    u8::from_str_radix(part, radix).ok()
}

/// An identity or address: without quotes and blanks around it, printable, and no longer
/// than T.30 has it.
fn text(value: &str) -> String {
    let plain = value.trim().trim_matches('"').trim();
    let printable = plain.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    printable.take(MAX_IDENT).collect()
}
