//! G.711: samples of 14 and 13 bits in 8, by two laws. No packets here.

use super::Law;

/// What every second bit of A-law is turned by (G.711 table 1a).
const EVEN_BITS: u8 = 0x55;
/// What is added before a mu-law segment is chosen, at 16 bits a sample.
const BIAS: i32 = 0x84;
/// The loudest sample that mu-law has, at 16 bits.
const LOUDEST: i32 = 0x7FFF - BIAS;

/// The samples of every octet, by mu-law and by A-law.
static SAMPLES: [[i16; 256]; 2] = samples();

impl Law {
    /// The sample that an octet stands for.
    pub(super) fn decode(self, octet: u8) -> i16 {
        let [mu, a] = &SAMPLES;
        match self {
            Self::Pcmu => mu[usize::from(octet)],
            Self::Pcma => a[usize::from(octet)],
        }
    }

    /// The octet that a sample is coded as.
    pub(super) fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Pcmu => to_mu(sample),
            Self::Pcma => to_a(sample),
        }
    }
}

const fn samples() -> [[i16; 256]; 2] {
    let mut both = [[0; 256]; 2];
    let mut octet = 0;
    while octet < 256 {
        both[0][octet] = from_mu(octet as u8);
        both[1][octet] = from_a(octet as u8);
        octet += 1;
    }
    both
}

/// Sign, segment and step; all bits are turned on the line, and a one is positive there.
const fn from_mu(octet: u8) -> i16 {
    let bits = !octet;
    let (segment, step) = ((bits >> 4 & 7) as u32, (bits & 0x0F) as i32);
    let size = (((step << 3) + BIAS) << segment) - BIAS;
    (if bits & 0x80 == 0 { size } else { -size }) as i16
}

/// Likewise, with the middle of each step; the lowest two segments are of one size.
const fn from_a(octet: u8) -> i16 {
    let bits = octet ^ EVEN_BITS;
    let (segment, step) = ((bits >> 4 & 7) as u32, (bits & 0x0F) as i32);
    let size = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    (if bits & 0x80 == 0 { -size } else { size }) as i16
}

fn to_mu(sample: i16) -> u8 {
    let size = i32::from(sample).abs().min(LOUDEST) + BIAS;
    // With the bias there is a one in bit 7 at least.
    let segment = size.ilog2() - 7;
    let bits = (segment << 4) as u8 | (size >> (segment + 3) & 0x0F) as u8;
    !(bits | if sample < 0 { 0x80 } else { 0 })
}

fn to_a(sample: i16) -> u8 {
    // 12 bits of size; a negative sample is counted from -1, so that there is no second zero.
    let size = u32::from((if sample < 0 { !sample } else { sample }) as u16) >> 4;
    let bits = match size {
        0..=15 => size,
        _ => {
            let segment = size.ilog2() - 3;
            segment << 4 | size >> (segment - 1) & 0x0F
        }
    };
    (bits as u8 | if sample < 0 { 0 } else { 0x80 }) ^ EVEN_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_come_back_and_samples_come_near() {
        for law in [Law::Pcmu, Law::Pcma] {
            for octet in 0..=255 {
                let back = law.encode(law.decode(octet));
                // mu-law has two zeros, and one comes back.
                let same = back == octet || law.decode(back) == law.decode(octet);
                assert!(same, "{law:?} {octet:#x} {back:#x}");
            }
            let mut last = i16::MIN;
            for sample in i16::MIN..=i16::MAX {
                let near = law.decode(law.encode(sample));
                assert!(near >= last, "{law:?} {sample}");
                last = near;
                let error = (i32::from(near) - i32::from(sample)).abs();
                // Half a step, of 16 in each doubling; the loudest are cut.
                let bound = (i32::from(sample).abs() / 16).max(8).max(16 / 2) + 4;
                assert!(
                    error <= bound || sample.unsigned_abs() > 32_000,
                    "{law:?} {sample} {near}"
                );
            }
        }
    }

    #[test]
    fn octets_are_those_of_the_recommendation() {
        for (law, sample, octet) in [
            (Law::Pcmu, 0, 0xFF),
            (Law::Pcmu, -1, 0x7F),
            (Law::Pcmu, i16::MAX, 0x80),
            (Law::Pcmu, i16::MIN, 0x00),
            (Law::Pcma, 0, 0xD5),
            (Law::Pcma, -1, 0x55),
            (Law::Pcma, i16::MAX, 0xAA),
            (Law::Pcma, i16::MIN, 0x2A),
        ] {
            assert_eq!(law.encode(sample), octet, "{law:?} {sample}");
        }
        assert_eq!((Law::Pcmu.decode(0x80), Law::Pcma.decode(0xAA)), (32_124, 32_256));
    }
}
