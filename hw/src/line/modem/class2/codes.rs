//! Why a modem hung up (`+FHNG`, `+FHS`): what it means for whoever sent, and in words.

use postfax_domain::outcome::Outcome;

/// The codes (SP-2388-A table 18, T.32 table 19) with what HylaFAX calls them, which is what
/// [`Outcome`] has a table of.
const CODES: [(u8, u16, &str); 46] = [
    (0, 211, "normal end of the call"),
    (1, 212, "it rang without a handshake"),
    (2, 213, "the call was given up"),
    (3, 214, "no current on the line"),
    (4, 215, "it rang and nobody answered"),
    (5, 216, "answered without a fax tone"),
    (10, 217, "error in phase A"),
    (11, 218, "no answer by a fax machine (T1)"),
    (20, 219, "error in phase B of sending"),
    (21, 220, "the remote machine cannot be polled"),
    (22, 221, "the remote machine hung up in phase B"),
    (23, 222, "neither DIS nor DTC came"),
    (24, 223, "the remote machine hung up after DCS"),
    (25, 224, "no answer to three DCS"),
    (26, 225, "the remote machine did not understand DCS"),
    (27, 226, "training failed at the lowest speed"),
    (28, 227, "an invalid answer to DCS"),
    (40, 228, "error in phase C of sending"),
    (41, 229, "an image of another format"),
    (42, 230, "an image that could not be converted"),
    (43, 231, "page data came too slowly"),
    (44, 232, "an unknown command within page data"),
    (45, 233, "a line of the wrong length"),
    (46, 234, "a page of the wrong length"),
    (47, 235, "a page in the wrong coding"),
    (50, 236, "error in phase D of sending"),
    (51, 237, "the remote machine hung up after a page"),
    (52, 238, "no answer to three MPS"),
    (53, 239, "an invalid answer to MPS"),
    (54, 240, "no answer to three EOP"),
    (55, 241, "an invalid answer to EOP"),
    (56, 242, "no answer to three EOM"),
    (57, 243, "an invalid answer to EOM"),
    (58, 244, "an operator interrupted"),
    (70, 245, "error in phase B of receiving"),
    (71, 246, "the remote machine hung up in phase B"),
    (72, 247, "an invalid command in phase B"),
    (73, 248, "no page came (T2)"),
    (74, 249, "nothing came after EOM (T1)"),
    (90, 250, "error in phase C of receiving"),
    (91, 251, "no end of line came for 5 s"),
    (93, 253, "page data was taken too slowly"),
    (94, 254, "bad frames"),
    (100, 255, "error in phase D of receiving"),
    (101, 256, "an invalid answer in phase D"),
    (103, 258, "an operator interrupted"),
];

/// What a code means for the sender, before anything is known of pages.
pub(super) fn outcome(code: u8) -> Outcome {
    match code {
        0 => Outcome::Disconnected,
        // Our own modem or line.
        3 => Outcome::NoDialTone,
        // The port, or we, were too slow.
        43 | 93 => Outcome::ServerFault,
        1 => Outcome::NoHandshake,
        41 | 42 | 45..=47 => Outcome::FormatUnsendable,
        53 | 55 | 57 => Outcome::PageUnconfirmed,
        // Given up without a word from us, or while receiving.
        2 | 71 | 90..=92 | 100 => Outcome::Disconnected,
        94 => Outcome::TransmissionErrors,
        _ => CODES
            .iter()
            .find(|(known, ..)| *known == code)
            .map_or(Outcome::ProtocolError, |(_, hylafax, _)| Outcome::from_hylafax(*hylafax)),
    }
}

/// The code in words.
pub(super) fn words(code: u8) -> String {
    let known = CODES.iter().find(|(known, ..)| *known == code);
    let words = known.map_or("for a reason of its own", |(.., words)| words);
    format!("the modem hung up with {code}: {words}")
}
