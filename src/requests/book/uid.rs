//! Unique identifiers for entries that come without one.

use ring::rand::{SecureRandom as _, SystemRandom};

/// A new one (RFC 9562 5.4); `None` when the system has no random numbers.
pub(crate) fn new() -> Option<String> {
    let mut octets = [0_u8; 16];
    SystemRandom::new().fill(&mut octets).ok()?;
    octets[6] = octets[6] & 0x0f | 0x40;
    octets[8] = octets[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(octets);
    let part = |shift: u32, digits: u32| (number >> shift) & ((1 << (4 * digits)) - 1);
    Some(format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn they_are_of_version_4_and_never_the_same() {
        let (one, other) = (super::new().unwrap(), super::new().unwrap());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "4");
        assert!(matches!(&one[19..20], "8" | "9" | "a" | "b"), "{one}");
    }
}
