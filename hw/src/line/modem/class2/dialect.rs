//! In what the classes of modems differ that do T.30 themselves. All of it is in this table,
//! so that nothing else asks which class a modem is.
//!
//! | | Class 2 (SP-2388-A) | Class 2.0 (EIA-592), 2.1 (T.32) |
//! |---|---|---|
//! | numbers | decimal | hexadecimal, the resolutions as bits |
//! | error correction | 1: frames of 64, 2: of 256 | 1: either |
//! | before page data | `CONNECT`, then XON | `CONNECT` |
//! | after page data | DLE ETX, `OK`, `+FET=` | DLE with `,` `;` or `.` |
//! | what became of it | `+FPTS:`, `OK` | `OK` or `ERROR`, `+FPS?` |
//! | received bits | often reversed, whatever `+FBOR` says | as `+FBO` says |

/// A class of modems that do T.30 themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Class 2, by the draft SP-2388-A.
    Two,
    /// Class 2.0, by EIA-592.
    TwoZero,
    /// Class 2.1, by ITU-T T.32.
    TwoOne,
}

/// How the end of a page is told to a modem, and with it what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageEnd {
    /// DLE ETX ends the page, and a command of its own says what comes.
    Command,
    /// The character after the last DLE says it.
    Character,
}

/// How one class speaks.
#[derive(Debug)]
pub(super) struct Dialect {
    /// The class as `+FCLASS=` has it.
    pub(super) class: &'static str,
    /// Sets what we call ourselves.
    pub(super) identity: &'static str,
    /// Sets what we call ourselves when we poll.
    pub(super) polling_identity: &'static str,
    /// Sets and shows what the modem can.
    pub(super) capabilities: &'static str,
    /// Sets what is wanted in this call.
    pub(super) wanted: &'static str,
    /// Sets the order of bits.
    pub(super) bit_order: &'static str,
    /// We have a document to be polled.
    pub(super) may_poll: &'static str,
    /// We want to poll.
    pub(super) wants_poll: &'static str,
    /// Sets, and asks for, what became of a page.
    pub(super) page: &'static str,
    /// Gives the call up.
    pub(super) abort: &'static str,
    /// Commands besides, which a modem may lack.
    pub(super) extras: &'static [&'static str],
    /// Numbers are hexadecimal and resolutions bits.
    pub(super) hexadecimal: bool,
    /// The value that asks for error correction.
    pub(super) ecm: u8,
    /// The modem says XON when it wants page data.
    pub(super) waits_for_xon: bool,
    /// How a page ends.
    pub(super) page_end: PageEnd,
    /// Sub-addresses, passwords and selective polling are known.
    pub(super) addresses: bool,
    /// The character that asks for the data of a page, and another that some modems want.
    pub(super) triggers: [u8; 2],
}

const DC1: u8 = 0x11;
const DC2: u8 = 0x12;

static TWO: Dialect = Dialect {
    class: "2",
    identity: "+FLID",
    polling_identity: "+FCIG",
    capabilities: "+FDCC",
    wanted: "+FDIS",
    bit_order: "+FBOR",
    may_poll: "+FLPL",
    wants_poll: "+FSPL",
    page: "+FPTS",
    abort: "+FK",
    // Time between data and `+FET`, in tenths of a second.
    extras: &["+FPHCTO=30"],
    hexadecimal: false,
    ecm: 2,
    waits_for_xon: true,
    page_end: PageEnd::Command,
    addresses: false,
    triggers: [DC2, DC1],
};

static TWO_ZERO: Dialect = Dialect {
    class: "2.0",
    identity: "+FLI",
    polling_identity: "+FPI",
    capabilities: "+FCC",
    wanted: "+FIS",
    bit_order: "+FBO",
    may_poll: "+FLP",
    wants_poll: "+FSP",
    page: "+FPS",
    abort: "+FKS",
    // Report everything, the addresses too, flow control by RTS and CTS, no operators.
    extras: &["+FNR=1,1,1,1", "+FAP=1,1,1", "+FLO=2", "+FIE=0", "+FCT=30"],
    hexadecimal: true,
    ecm: 1,
    waits_for_xon: false,
    page_end: PageEnd::Character,
    addresses: true,
    triggers: [DC2, DC1],
};

static TWO_ONE: Dialect = Dialect { class: "2.1", ..TWO_ZERO };

impl Class {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Two, Self::TwoZero, Self::TwoOne];

    /// How it speaks.
    pub(super) fn dialect(self) -> &'static Dialect {
        match self {
            Self::Two => &TWO,
            Self::TwoZero => &TWO_ZERO,
            Self::TwoOne => &TWO_ONE,
        }
    }
}
