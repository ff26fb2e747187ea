//! The packets of T.38 (7.3 and annex A), looked at before they are given to the C
//! library: what is no packet, or claims more than it has, does not get there.

/// The last indicator without an extension is V.17 14,400 long training, the last with one
/// V.33 14,400 training.
const INDICATORS_EXTENDED: u8 = 7;
/// V.17 14,400 is the last kind of data without an extension.
const LAST_DATA: u8 = 8;
const DATA_EXTENDED: u8 = 6;
/// Most fields of a packet.
const MAX_FIELDS: u8 = 32;

/// How many of these octets are one whole packet; `None`: they are none. More may follow, as a
/// packet that was computed from parity ends with zeros.
pub(super) fn whole(bytes: &[u8], version: u8) -> Option<usize> {
    let first = *bytes.first()?;
    let (has_data, is_data, extended) = (first & 0x80 != 0, first & 0x40 != 0, first & 0x20 != 0);
    let (value, mut at) = if extended {
        (first << 2 & 0x3C | *bytes.get(1)? >> 6, 2)
    } else {
        (first >> 1 & 0x0F, 1)
    };
    let last = match (is_data, extended) {
        (false, false) => 0x0F,
        (false, true) => INDICATORS_EXTENDED - 1,
        (true, false) => LAST_DATA,
        (true, true) => DATA_EXTENDED - 1,
    };
    if value > last || has_data && !is_data {
        return None;
    }
    if !has_data {
        return Some(at);
    }
    let count = *bytes.get(at)?;
    at += 1;
    if count > MAX_FIELDS {
        return None;
    }
    if version == 0 { fields_of_0(bytes, at, count) } else { fields(bytes, at, count) }
}

/// Version 0: half an octet each, where no octets of data follow.
fn fields_of_0(bytes: &[u8], mut at: usize, count: u8) -> Option<usize> {
    let mut half = false;
    for _ in 0..count {
        let octet = *bytes.get(at)?;
        let has_octets = octet & if half { 0x08 } else { 0x80 } != 0;
        if half || has_octets {
            at += 1;
        }
        half = !half && !has_octets;
        if has_octets {
            at = octets(bytes, at)?;
        }
    }
    at += usize::from(half);
    (at <= bytes.len()).then_some(at)
}

/// Later versions.
fn fields(bytes: &[u8], mut at: usize, count: u8) -> Option<usize> {
    for _ in 0..count {
        let octet = *bytes.get(at)?;
        at += if octet & 0x40 == 0 { 1 } else { 2 };
        if octet & 0x80 != 0 {
            at = octets(bytes, at)?;
        }
    }
    (at <= bytes.len()).then_some(at)
}

/// 1 to 65,536 octets behind their count less one.
fn octets(bytes: &[u8], at: usize) -> Option<usize> {
    let count = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
    let end = at + 3 + usize::from(count);
    (end <= bytes.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_packets_are_told_from_parts() {
        for (version, bytes, len) in [
            // CNG, with what parity leaves behind it.
            (0, &[0x02, 0, 0][..], Some(1)),
            // V.8 ANSam, which needs its second octet.
            (3, &[0x20, 0], Some(2)),
            (3, &[0x20], None),
            // V.21: three octets of HDLC; then the same with an end, in half an octet.
            (0, &[0xC0, 1, 0x80, 0, 2, 1, 2, 3], Some(8)),
            (0, &[0xC0, 2, 0x80, 0, 0, 1, 0x40, 9], Some(7)),
            (0, &[0xC0, 2, 0x24], Some(3)),
            (0, &[0xC0, 1, 0x80, 0, 3, 1, 2, 3], None),
            (1, &[0xC0, 2, 0x80, 0, 0, 1, 0x10], Some(7)),
            (1, &[0xC0, 1, 0x40], None),
            (1, &[0xC0, 1, 0x80, 0xFF, 0xFF, 0], None),
            // An indicator with data, and values that nobody has defined.
            (0, &[0x82, 0], None),
            (0, &[0x52, 0], None),
            (0, &[0xC0, 33], None),
            (0, &[], None),
            (0, &[0xC0], None),
            // Data without data.
            (0, &[0x40], Some(1)),
        ] {
            assert_eq!(whole(bytes, version), len, "{version} {bytes:?}");
        }
    }
}
