//! How a call ended, in the words of the fax server.

use postfax_domain::outcome::Outcome;

use super::Tally;

/// How an answered call ended for its sender.
pub(crate) fn sent(completion: Option<i32>, tally: &Tally) -> Outcome {
    match completion.map_or(Outcome::Disconnected, outcome_of) {
        Outcome::Disconnected if !tally.met => Outcome::NoFaxMachine,
        // spandsp is content with a last page that was refused.
        Outcome::Delivered if !tally.complete && tally.refused == 0 => Outcome::PageUnconfirmed,
        Outcome::Delivered if !tally.complete => Outcome::PageRejected,
        outcome if tally.refused > 0 && !outcome.is_success() => Outcome::PageRejected,
        outcome => outcome,
    }
}

/// What spandsp's completion code means for the sender of a document.
fn outcome_of(completion: i32) -> Outcome {
    match completion {
        0 => Outcome::Delivered,
        // CEDTONE, T1, TX_NODIS
        1 | 3 | 19 => Outcome::NoHandshake,
        // T0: no fax tone at all.
        2 => Outcome::NoFaxMachine,
        // CANNOT_TRAIN, TX_BADDCS
        6 | 14 => Outcome::CannotTrain,
        // T3, OPER_INT_FAIL
        4 | 7 => Outcome::OperatorInterrupt,
        // RX_INCAPABLE
        9 => Outcome::NotReady,
        // TX_INCAPABLE
        10 => Outcome::FormatUnsendable,
        // NORESSUPPORT, NOSIZESUPPORT
        11 | 12 => Outcome::FormatRefused,
        // TX_ECMPHD
        16 => Outcome::TransmissionErrors,
        // TX_GOTDCN, and the refusals of identity, sub-address and password
        17 | 50..=60 => Outcome::RemoteRefused,
        // TX_PHBDEAD
        20 => Outcome::StoppedAnswering,
        // TX_BADPG (hung up after a page; refused ones are counted), TX_INVALRSP, TX_PHDDEAD
        15 | 18 | 21 => Outcome::PageUnconfirmed,
        // TX_T5EXP
        22 => Outcome::RemoteFull,
        // FILEERROR, NOPAGE, BADTIFF, BADPAGE, BADTAG, BADTIFFHDR
        41..=46 => Outcome::BadDocument,
        // NOMEM
        47 => Outcome::ServerFault,
        // RETRYDCN: three commands without an answer.
        48 => Outcome::StoppedAnswering,
        // CALLDROPPED
        49 => Outcome::Disconnected,
        _ => Outcome::ProtocolError,
    }
}
