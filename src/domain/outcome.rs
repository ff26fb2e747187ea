//! How an attempt ended: one value of one enum, with everything that follows
//! from it in one table: the status of the receipt (RFC 3463), the words for
//! people, whether and when to try again, and the numbers by which HylaFAX
//! reports it.
//!
//! The classes say what may be done about it. *Later* means that the far end or
//! the network was not ready; *elsewhere* that our own server or line was at
//! fault, so that another one is asked at once; *reformat* that other pages may
//! get through; *never* that another call would be in vain.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What may be done after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// All of it arrived.
    Done,
    /// Try again after a while, on any server.
    Later,
    /// The server or its line was at fault: another server at once, this one later.
    Elsewhere,
    /// Code the pages in another way and call again at once.
    Reformat,
    /// No line was free or the hour was wrong: wait, and do not count it as a try.
    Wait,
    /// Another call would be in vain.
    Never,
    /// Someone asked for the end of it.
    Cancelled,
}

/// What a row of the table says of one outcome.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The outcome that the row is about.
    pub outcome: Outcome,
    /// Status of the receipt when this was the last cause (RFC 3463).
    pub status: &'static str,
    /// What people read.
    pub text: &'static str,
    /// What may be done.
    pub class: Class,
    /// Delay before the next attempt, in seconds.
    pub delay_s: u64,
    /// How many attempts may end in this way before the job does.
    pub tries: u32,
    /// The `STATUSCODE` values of HylaFAX 6 that mean it.
    pub hylafax: &'static [u16],
}

macro_rules! outcomes {
    ($( $(#[$doc:meta])* $name:ident, $status:literal, $text:literal, $class:ident,
        $delay:expr, $tries:expr, [$($code:expr),*]; )*) => {
        /// How an attempt ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Outcome { $( $(#[$doc])* $name, )* }

        /// Every outcome once, in the order of the enum.
        pub const TABLE: &[Row] = &[ $( Row {
            outcome: Outcome::$name,
            status: $status,
            text: $text,
            class: Class::$class,
            delay_s: $delay,
            tries: $tries,
            hylafax: &[$($code),*],
        }, )* ];
    };
}

const MINUTE: u64 = 60;

outcomes! {
    /// The remote machine confirmed the last page (MCF).
    Delivered, "2.1.5", "delivered", Done, 0, 1, [0, 211];
    /// A server has it that cannot tell whether it arrives.
    Relayed, "2.0.0", "handed to a fax server that does not report back", Done, 0, 1, [];
    /// Line busy.
    Busy, "4.4.1", "the line is busy", Later, 3 * MINUTE, 12, [1];
    /// It rang and nobody answered.
    NoAnswer, "4.4.1", "no answer", Later, 5 * MINUTE, 6, [3, 215];
    /// Answered, but no fax tone came: perhaps a person.
    NoFaxMachine, "5.1.1", "answered, but not by a fax machine", Later, 5 * MINUTE, 2, [2, 11, 216];
    /// A data modem answered.
    DataModem, "5.1.1", "a data modem answered", Later, 5 * MINUTE, 2, [8];
    /// A fax tone, but no identification (T.30 T1).
    NoHandshake, "4.4.2", "the remote fax machine did not identify itself", Later, 5 * MINUTE, 4,
        [7, 126, 212, 217, 218];
    /// The number is not in service.
    NotInService, "5.1.1", "the number is not in service", Never, 0, 1, [];
    /// The number has changed.
    NumberChanged, "5.1.6", "the number has changed", Never, 0, 1, [];
    /// The network or the called party rejected the call.
    CallRejected, "5.7.1", "the call was rejected", Later, 5 * MINUTE, 2, [];
    /// The network had no way through.
    Congestion, "4.4.5", "the telephone network is congested", Later, 2 * MINUTE, 6, [];
    /// No dial tone, or the trunk is down.
    NoDialTone, "4.3.0", "the local telephone line gave no dial tone", Elsewhere, 5 * MINUTE, 6, [4];
    /// All lines of the server are busy, or a call came in at that moment.
    LinesBusy, "4.4.5", "waiting for a free line", Wait, MINUTE, u32::MAX, [9];
    /// The modem refuses the number.
    ModemRefused, "4.3.0", "the local modem refused to call the number", Elsewhere, 5 * MINUTE, 4, [10];
    /// The server cannot dial that.
    BadDialString, "5.1.3", "the fax server cannot dial the number", Never, 0, 1, [5, 327];
    /// Paper out, memory full, or sending only.
    NotReady, "4.2.1", "the remote fax machine cannot receive now", Later, 30 * MINUTE, 6,
        [122, 261, 264];
    /// It said "not ready" until we gave up (T.30 T5).
    RemoteFull, "4.2.2", "the remote fax machine ran out of memory", Later, 30 * MINUTE, 4,
        [138, 139, 141];
    /// It hung up before the first page.
    RemoteRefused, "4.4.2", "the remote fax machine refused the call", Later, 10 * MINUTE, 3,
        [103, 124, 221, 223];
    /// It offers documents to be polled and takes none.
    PollingOnly, "5.3.3", "the remote fax machine only offers polling", Later, 5 * MINUTE, 2,
        [123, 220, 601];
    /// Training failed at every speed.
    CannotTrain, "4.4.2", "the telephone line is too poor", Later, 5 * MINUTE, 4,
        [137, 226, 227, 283];
    /// No reply to our commands after it had identified itself.
    StoppedAnswering, "4.4.2", "the remote fax machine stopped answering", Later, 5 * MINUTE, 4,
        [136, 224, 225];
    /// A page was refused again and again (RTN).
    PageRejected, "4.4.2", "a page was rejected for its quality", Later, 5 * MINUTE, 3,
        [130, 131, 132, 281, 282];
    /// No reply after a page: it may have arrived.
    PageUnconfirmed, "4.4.2", "a page was not confirmed and may have arrived", Later, MINUTE, 3,
        [147, 150, 151, 152, 153, 238, 240, 242];
    /// Error correction gave up.
    TransmissionErrors, "4.4.2", "too many transmission errors", Later, 5 * MINUTE, 3,
        [143, 144, 145, 146, 253];
    /// It hung up in the middle of the document.
    Disconnected, "4.4.2", "the remote fax machine hung up", Later, MINUTE, 4, [128, 237, 287];
    /// Its operator pressed a key.
    OperatorInterrupt, "4.4.2", "the remote operator interrupted the call", Later, 15 * MINUTE, 2,
        [129, 133, 244, 280, 284];
    /// The two machines did not understand each other.
    ProtocolError, "4.5.0", "the fax protocol failed", Later, MINUTE, 3,
        [134, 135, 148, 149, 219, 228, 236];
    /// The remote machine cannot take pages of this size or resolution.
    FormatRefused, "5.6.3", "the remote fax machine cannot take the pages", Reformat, 0, 2,
        [403, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 419];
    /// Our modem cannot send them.
    FormatUnsendable, "5.3.3", "no fax server can send these pages", Elsewhere, 5 * MINUTE, 3,
        [400, 401, 404, 405, 407, 420, 421];
    /// The server could not read the document.
    BadDocument, "5.6.5", "the fax server could not convert the document", Never, 0, 1,
        [314, 315, 316, 321, 322, 323, 402];
    /// More pages than the server takes.
    TooManyPages, "5.3.4", "too many pages for the fax server", Never, 0, 1, [317, 335];
    /// The server's policy refused the number.
    NumberForbidden, "5.7.1", "the fax server refuses this number", Never, 0, 1, [348];
    /// The server's policy refused the job.
    ServerRefused, "5.3.0", "the fax server refused the fax", Never, 0, 1, [326, 329, 330, 331, 332];
    /// The server's own budget of dials or tries ran out without a better cause.
    GaveUp, "4.4.7", "the fax server gave up", Later, 5 * MINUTE, 4, [333, 334];
    /// The time that the job had is over.
    Expired, "4.4.7", "the time for the fax ran out", Never, 0, 1, [];
    /// The server did not come to it in the time that it was given.
    NotDialled, "4.4.7", "the fax server did not come to call", Elsewhere, 5 * MINUTE, 12, [325];
    /// Our own machine could not prepare the pages: its disk, or its memory.
    LocalTrouble, "4.3.1", "the pages could not be prepared here", Later, 2 * MINUTE, 60, [];
    /// The server waits for its hours or for another call.
    NotNow, "4.4.5", "waiting for the fax server's hours", Wait, 5 * MINUTE, u32::MAX,
        [337, 338, 339];
    /// The server is set up wrongly.
    ServerMisconfigured, "4.3.5", "the fax server is set up wrongly", Elsewhere, 5 * MINUTE, 4, [328];
    /// The server crashed, or its disk or a lock failed.
    ServerFault, "4.3.0", "the fax server failed", Elsewhere, 2 * MINUTE, 6,
        [302, 303, 318, 319, 320, 340, 343, 346, 347];
    /// The server could not be reached, and holds nothing of the job.
    ServerUnreachable, "4.4.1", "the fax server cannot be reached", Elsewhere, MINUTE, u32::MAX, [];
    /// The server took the job and was then not seen again while the job had time.
    Unknown, "4.4.7", "the fax server was lost during the call: the fax may have been sent", Never,
        0, 1, [];
    /// The sender or an administrator stopped it.
    Cancelled, "5.7.1", "cancelled", Cancelled, 0, 1, [213, 262, 344, 345, 352];
    /// The mail server took the mail.
    MailAccepted, "2.0.0", "the mail server took it", Done, 0, 1, [];
    /// The mail server refused the mail for good.
    MailRefused, "5.0.0", "the mail server refused it", Never, 0, 1, [];
    /// The mail server took the mail and reported later that it could not be delivered.
    MailReturned, "5.0.0", "the mail came back", Never, 0, 1, [];
    /// The mail server was away, or said to try again.
    MailDeferred, "4.4.1", "the mail server could not take it yet", Later, MINUTE, u32::MAX, [];
}

impl Outcome {
    /// The row of this outcome.
    #[must_use]
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// What may be done after it.
    #[must_use]
    pub fn class(self) -> Class {
        self.row().class
    }

    /// Whether everything arrived.
    #[must_use]
    pub fn is_success(self) -> bool {
        self.class() == Class::Done
    }

    /// The delay before the next attempt.
    #[must_use]
    pub fn delay(self) -> Duration {
        Duration::from_secs(self.row().delay_s)
    }

    /// What people read.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().text
    }

    /// The outcome that a HylaFAX 6 `STATUSCODE` means. For a number that the
    /// table does not have, its first digit decides.
    #[must_use]
    pub fn from_hylafax(code: u16) -> Self {
        if let Some(row) = TABLE.iter().find(|row| row.hylafax.contains(&code)) {
            return row.outcome;
        }
        match code {
            100..=299 => Self::ProtocolError,
            400..=499 => Self::FormatRefused,
            _ => Self::ServerFault,
        }
    }

    /// The name as configurations and `--json` write it: `no-answer`.
    #[must_use]
    pub fn name(self) -> String {
        let mut name = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, row) in TABLE.iter().enumerate() {
            assert_eq!(row.outcome as usize, at);
            assert_eq!(row.outcome.row().outcome, row.outcome);
        }
    }

    #[test]
    fn a_code_means_one_outcome() {
        let mut codes: Vec<u16> = TABLE.iter().flat_map(|row| row.hylafax).copied().collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn statuses_fit_their_class() {
        for row in TABLE {
            let first = row.status.as_bytes()[0];
            match row.class {
                Class::Done => assert_eq!(first, b'2', "{:?}", row.outcome),
                _ => assert!(first == b'4' || first == b'5', "{:?}", row.outcome),
            }
            // X.4.1, X.4.2 and X.4.5 are transient only, X.1.1 and X.7.1 permanent (RFC 3463).
            for transient in [".4.1", ".4.2", ".4.5"] {
                assert!(!row.status.ends_with(transient) || first == b'4', "{:?}", row.outcome);
            }
            for permanent in [".1.1", ".1.3", ".7.1", ".6.3", ".3.4"] {
                assert!(!row.status.ends_with(permanent) || first == b'5', "{:?}", row.outcome);
            }
            assert!(row.tries >= 1);
        }
    }

    #[test]
    fn unknown_codes_fall_by_their_first_digit() {
        assert_eq!(Outcome::from_hylafax(1), Outcome::Busy);
        assert_eq!(Outcome::from_hylafax(199), Outcome::ProtocolError);
        assert_eq!(Outcome::from_hylafax(299), Outcome::ProtocolError);
        assert_eq!(Outcome::from_hylafax(399), Outcome::ServerFault);
        assert_eq!(Outcome::from_hylafax(499), Outcome::FormatRefused);
        assert_eq!(Outcome::from_hylafax(901), Outcome::ServerFault);
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        assert_eq!(Outcome::NoAnswer.name(), "no-answer");
        for row in TABLE {
            let json = serde_json::to_string(&row.outcome).unwrap();
            assert_eq!(json, format!("\"{}\"", row.outcome.name()));
        }
    }
}
