//! T.30 frames (T.30 5.3.6.1) by the names of their control fields, as spandsp spells
//! them: read from the right, without the bit X.

/// A T.30 frame that went over the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The other machine sent it.
    pub(crate) received: bool,
    /// Its facsimile control field without the bit X, as it stands in T.30 read from the right.
    pub(crate) fcf: u8,
    /// The second field, of a PPS or EOR only.
    pub(crate) fcf2: Option<u8>,
}

/// Digital identification signal.
pub(crate) const DIS: u8 = 0x80;
/// Confirmation to receive.
pub(crate) const CFR: u8 = 0x84;
/// Message confirmation.
pub(crate) const MCF: u8 = 0x8C;
/// Retrain positive: taken, but train again.
pub(crate) const RTP: u8 = 0xCC;
/// Retrain negative: not taken.
pub(crate) const RTN: u8 = 0x4C;
/// End of message.
pub(crate) const EOM: u8 = 0x8E;
/// Multipage signal.
pub(crate) const MPS: u8 = 0x4E;
/// End of procedure.
pub(crate) const EOP: u8 = 0x2E;
/// Partial page signal, with one of the three above or none as its second field.
pub(crate) const PPS: u8 = 0xBE;
/// End of retransmission, with a second field as well.
pub(crate) const EOR: u8 = 0xCE;
