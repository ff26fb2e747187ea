//! Which pages of a call were confirmed, told from the frames of both directions.

use super::frame::{CFR, EOM, EOP, EOR, Frame, MCF, MPS, PPS, RTN, RTP};

/// Which pages were confirmed, told from the frames of both directions (T.30 5.3.6.1).
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Pages confirmed (MCF or RTP).
    pub(crate) confirmed: u32,
    /// How often a page was refused (RTN).
    pub(crate) refused: u32,
    /// The confirmed page was the last one.
    pub(crate) complete: bool,
    /// The other side is a fax machine: it said something.
    pub(crate) met: bool,
    /// A signalling rate was agreed (CFR).
    pub(crate) trained: bool,
    asked: Option<u8>,
}

impl Tally {
    /// Whether a page is over and its confirmation is awaited.
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Takes a frame into account. True when it confirmed one more page.
    pub(crate) fn count(&mut self, frame: Frame) -> bool {
        self.met |= frame.received;
        match frame.fcf {
            CFR => self.trained = true,
            EOM | MPS | EOP => self.asked = Some(frame.fcf),
            // A PPS-NULL ends a block within a page.
            PPS | EOR => self.asked = frame.fcf2.filter(|fcf2| matches!(*fcf2, EOM | MPS | EOP)),
            MCF | RTP => {
                if let Some(asked) = self.asked.take() {
                    self.confirmed += 1;
                    self.complete = asked == EOP;
                    return true;
                }
            }
            RTN => {
                self.asked = None;
                self.refused += 1;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_when_they_are_confirmed() {
        let frame = |received, fcf, fcf2| Frame { received, fcf, fcf2 };
        let mut tally = Tally::default();
        for (frame, confirms) in [
            (frame(true, CFR, None), false),
            (frame(true, MCF, None), false),
            (frame(false, MPS, None), false),
            (frame(false, MPS, None), false),
            (frame(true, MCF, None), true),
            (frame(true, MCF, None), false),
            (frame(false, PPS, Some(0)), false),
            (frame(true, MCF, None), false),
            (frame(false, PPS, Some(EOM)), false),
            (frame(true, RTP, None), true),
            (frame(false, EOP, None), false),
            (frame(true, RTN, None), false),
            (frame(true, MCF, None), false),
            (frame(false, EOP, None), false),
            (frame(true, MCF, None), true),
        ] {
            assert_eq!(tally.count(frame), confirms, "{frame:?}");
        }
        let counted = Tally {
            confirmed: 3,
            refused: 1,
            complete: true,
            met: true,
            trained: true,
            asked: None,
        };
        assert_eq!(tally, counted);
    }
}
