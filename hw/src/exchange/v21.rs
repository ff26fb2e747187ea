//! One T.30 frame as sound: HDLC over the 300 bit/s modem of V.21, channel 2.
//! It speaks and never listens.

use std::f64::consts::TAU;

/// Samples a second.
const RATE: f64 = 8000.0;
/// Bits a second.
const BIT_RATE: f64 = 300.0;
/// Hertz of a one and of a zero.
const TONES: [f64; 2] = [1850.0, 1650.0];
/// About -14 dBm0.
const LOUDNESS: f64 = 4000.0;
/// Flags before the frame: 1 s (T.30 5.3.1).
const PREAMBLE: usize = 37;
/// Flags after it.
const CLOSING: usize = 3;
const FLAG: u8 = 0x7E;
/// All stations, and the last frame of the message (T.30 5.3.4, 5.3.5).
const HEADER: [u8; 2] = [0xFF, 0x13];

/// The sound of a message of one frame, whose control field is spelled as in
/// [`frame`](crate::t30::frame).
pub(super) fn frame(fcf: u8) -> Vec<i16> {
    let [address, control] = HEADER;
    let message = [address, control, fcf];
    let [low, high] = check(&message).to_le_bytes();
    let mut bits = Vec::new();
    (0..PREAMBLE).for_each(|_| push(&mut bits, FLAG));
    let mut ones = 0;
    for byte in message.into_iter().chain([low, high]) {
        for at in 0..8 {
            let one = byte >> at & 1 == 1;
            bits.push(one);
            ones = if one { ones + 1 } else { 0 };
            if ones == 5 {
                // No flag may come about within a frame.
                bits.push(false);
                ones = 0;
            }
        }
    }
    (0..CLOSING).for_each(|_| push(&mut bits, FLAG));
    sound(&bits)
}

fn push(bits: &mut Vec<bool>, byte: u8) {
    bits.extend((0..8).map(|at| byte >> at & 1 == 1));
}

/// Frequency modulation without jumps of the phase.
fn sound(bits: &[bool]) -> Vec<i16> {
    let samples = (bits.len() as f64 * RATE / BIT_RATE) as usize;
    let mut phase = 0.0;
    (0..samples)
        .map(|at| {
            let bit = bits[((at as f64 * BIT_RATE / RATE) as usize).min(bits.len() - 1)];
            phase = (phase + TAU * TONES[usize::from(bit)] / RATE) % TAU;
            (phase.sin() * LOUDNESS) as i16
        })
        .collect()
}

/// The frame check sequence (T.30 5.3.7).
fn check(message: &[u8]) -> u16 {
    let mut sum = 0xFFFFu16;
    for byte in message {
        sum ^= u16::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x8408 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_lasts_as_long_as_it_should_and_is_checked() {
        // An RTN as a modem heard it from a real one: FF C8 32 75 EC, bits turned.
        assert_eq!(check(&[0xFF, 0x13, 0x4C]), 0x37AE);
        let seconds = frame(crate::t30::frame::RTN).len() as f64 / RATE;
        assert!((1.1..1.4).contains(&seconds), "{seconds}");
    }
}
