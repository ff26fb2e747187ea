//! What two modems of these classes tell each other in place of T.30 in audio. The page
//! data are as they pass on a line: the first bit lowest in each byte.

/// The eight parameters of a session: VR, BR, WD, LN, DF, EC, BF, ST.
pub(super) type Params = [u8; 8];

/// Bit/s of each BR.
pub(super) const RATES: [u32; 14] =
    [2400, 4800, 7200, 9600, 12000, 14400, 16800, 19200, 21600, 24000, 26400, 28800, 31200, 33600];

/// One signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::exchange) enum Signal {
    /// DIS with CSI: what the called one can, and whether it has a document.
    Dis { identity: String, params: Params, document: bool },
    /// DTC with CIG, SEP and PWD: the caller polls.
    Dtc { identity: String, params: Params, password: String },
    /// DCS with TSI, SUB and PWD, and the training after it.
    Dcs { identity: String, params: Params, subaddress: String, password: String },
    /// CFR.
    Cfr,
    /// A piece of a page.
    Data(Vec<u8>),
    /// MPS, EOM or EOP, by the number that `+FET` has for it.
    PageEnd(u8),
    /// MCF, RTN, RTP, PIN or PIP, by the number that `+FPTS` has for it.
    Verdict(u8),
    /// DCN.
    Dcn,
}

/// What both can do, number by number; resolutions may be bits.
pub(super) fn common(ours: Params, theirs: Params, bits: bool) -> Params {
    let mut params = [0; 8];
    for ((param, ours), theirs) in params.iter_mut().zip(ours).zip(theirs) {
        *param = ours.min(theirs);
    }
    if bits {
        params[0] = ours[0] & theirs[0];
    }
    // Of the time of a line the receiver's is what counts.
    params[7] = theirs[7];
    params
}
