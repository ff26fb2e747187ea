//! The header that a proxy puts before a connection: whom it passes on (the PROXY
//! protocol of HAProxy, version 2, section 2.2). Reads no socket and trusts nobody:
//! the caller asks only hosts that it believes.
//!
//! ```text
//!  12 octets   1         1           2        length octets
//!  signature | version | family    | length | addresses and ports | TLVs
//!            | command | transport |
//! ```
//!
//! Why version 1 is refused: a line of text that begins like a command invites
//! confusion with what the client says, and every proxy that speaks it speaks 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What every header begins with; no mail client and no TLS handshake does.
pub(super) const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// What a header of version 1 begins with.
const VERSION_1: &[u8] = b"PROXY ";
/// The part that says how long the rest is, in octets.
const FIXED_BYTES: usize = 16;
/// Longest header with everything in it, in octets: TLVs may hold a certificate.
pub(super) const MAX_BYTES: usize = 8192;
/// Octets of a TLV before its value: type and length.
const TLV_HEAD_BYTES: usize = 3;

/// How far a header is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// So many octets at least belong to it, those that are known included.
    Wants(usize),
    /// It is whole.
    Done(Origin),
}

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The proxy's own: it looks whether we are alive, or does not tell for whom it
    /// connects.
    Proxy,
    /// That of a client.
    Client(IpAddr),
}

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("version 1 of the PROXY protocol is not spoken: have the proxy send version 2")]
    Version1,
    #[error("version {0} of the PROXY protocol is not spoken: have the proxy send version 2")]
    Version(u8),
    #[error("there is no PROXY header, which this host must send: switch it on in the proxy")]
    Absent,
    #[error("its command {0:#x} is unknown")]
    Command(u8),
    #[error("its address family and transport {0:#04x} are not those of a stream")]
    Family(u8),
    #[error("it is {0} octets long, and {MAX_BYTES} are the most")]
    TooLong(usize),
    #[error("it is too short for its addresses")]
    NoRoom,
    #[error("a field behind its addresses is cut off")]
    Tlv,
}

/// Looks at the octets that came first. Whoever reads never more of them than are
/// wanted reads nothing of what follows.
pub(super) fn parse(octets: &[u8]) -> Result<Progress, Bad> {
    let common = octets.len().min(SIGNATURE.len());
    if octets[..common] != SIGNATURE[..common] {
        let version_1 = octets.starts_with(&VERSION_1[..octets.len().min(VERSION_1.len())]);
        return Err(if version_1 { Bad::Version1 } else { Bad::Absent });
    }
    let Some(&[command, family, high, low]) = octets.get(SIGNATURE.len()..FIXED_BYTES) else {
        return Ok(Progress::Wants(FIXED_BYTES));
    };
    if command >> 4 != 2 {
        return Err(Bad::Version(command >> 4));
    }
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_BYTES {
        return Err(Bad::TooLong(length));
    }
    let Some(rest) = octets.get(FIXED_BYTES..length) else {
        return Ok(Progress::Wants(length));
    };
    match command & 0xf {
        // The rest must be skipped, whatever it holds.
        0 => Ok(Progress::Done(Origin::Proxy)),
        1 => passed_on(family, rest).map(Progress::Done),
        other => Err(Bad::Command(other)),
    }
}

fn passed_on(family: u8, rest: &[u8]) -> Result<Origin, Bad> {
    let (origin, addresses_bytes) = match family {
        0x00 => (Origin::Proxy, 0),
        0x11 => (client::<4, Ipv4Addr>(rest)?, 2 * 4 + 2 * 2),
        0x21 => (client::<16, Ipv6Addr>(rest)?, 2 * 16 + 2 * 2),
        // A process beside the proxy has no address but the proxy's.
        0x31 => (Origin::Proxy, 2 * 108),
        other => return Err(Bad::Family(other)),
    };
    let tlvs = rest.get(addresses_bytes..).ok_or(Bad::NoRoom)?;
    // Nothing is told about an unknown family, so nothing behind it can be found.
    if family != 0x00 {
        skip(tlvs)?;
    }
    Ok(origin)
}

/// The source address, which comes first.
fn client<const BYTES: usize, A>(rest: &[u8]) -> Result<Origin, Bad>
where
    A: From<[u8; BYTES]>,
    IpAddr: From<A>,
{
    let source = rest.first_chunk::<BYTES>().ok_or(Bad::NoRoom)?;
    Ok(Origin::Client(IpAddr::from(A::from(*source)).to_canonical()))
}

/// Fields that say more than we ask for.
fn skip(mut tlvs: &[u8]) -> Result<(), Bad> {
    while !tlvs.is_empty() {
        let &[_kind, high, low] = tlvs.first_chunk::<TLV_HEAD_BYTES>().ok_or(Bad::Tlv)?;
        let length = TLV_HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]));
        tlvs = tlvs.get(length..).ok_or(Bad::Tlv)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn v4(more: &[u8]) -> Vec<u8> {
        [&[192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 25], more].concat()
    }

    #[test]
    fn headers_say_whose_connection_it_is() {
        let client = |address: &str| Ok(Progress::Done(Origin::Client(address.parse().unwrap())));
        let v6: Ipv6Addr = "2001:db8::7".parse().unwrap();
        let mapped: Ipv6Addr = "::ffff:192.0.2.7".parse().unwrap();
        let six = |from: Ipv6Addr| [&from.octets()[..], &[0; 20]].concat();
        for (octets, said) in [
            (header(0x21, 0x11, &v4(&[])), client("192.0.2.7")),
            (header(0x21, 0x11, &v4(&[4, 0, 2, 0, 0, 0x20, 0, 0])), client("192.0.2.7")),
            (header(0x21, 0x21, &six(v6)), client("2001:db8::7")),
            (header(0x21, 0x21, &six(mapped)), client("192.0.2.7")),
            (header(0x21, 0x31, &[b'/'; 216]), Ok(Progress::Done(Origin::Proxy))),
            (header(0x21, 0x00, &[1, 2, 3]), Ok(Progress::Done(Origin::Proxy))),
            (header(0x20, 0x00, &[]), Ok(Progress::Done(Origin::Proxy))),
            // What a connection of the proxy's own says of addresses is skipped.
            (header(0x20, 0x11, &v4(&[])), Ok(Progress::Done(Origin::Proxy))),
            (header(0x20, 0x77, &[9; 100]), Ok(Progress::Done(Origin::Proxy))),
            (header(0x22, 0x11, &v4(&[])), Err(Bad::Command(2))),
            (header(0x11, 0x11, &v4(&[])), Err(Bad::Version(1))),
            (header(0x31, 0x11, &v4(&[])), Err(Bad::Version(3))),
            (header(0x21, 0x12, &v4(&[])), Err(Bad::Family(0x12))),
            (header(0x21, 0x11, &v4(&[])[..11]), Err(Bad::NoRoom)),
            (header(0x21, 0x21, &six(v6)[..35]), Err(Bad::NoRoom)),
            (header(0x21, 0x31, &[0; 215]), Err(Bad::NoRoom)),
            (header(0x21, 0x11, &v4(&[4, 0])), Err(Bad::Tlv)),
            (header(0x21, 0x11, &v4(&[4, 0, 3, 0, 0])), Err(Bad::Tlv)),
            (header(0x21, 0x11, &vec![0; MAX_BYTES - 15]), Err(Bad::TooLong(MAX_BYTES + 1))),
            (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 25\r\n".to_vec(), Err(Bad::Version1)),
            (b"PROXY".to_vec(), Err(Bad::Version1)),
            (b"PUT / HTTP/1.1\r\n".to_vec(), Err(Bad::Absent)),
            (b"EHLO x\r\n".to_vec(), Err(Bad::Absent)),
            (b"\x16\x03\x01".to_vec(), Err(Bad::Absent)),
        ] {
            assert_eq!(parse(&octets), said, "{octets:?}");
        }
        let mut field = vec![0; MAX_BYTES - FIXED_BYTES - 12];
        let value = u16::try_from(field.len() - TLV_HEAD_BYTES).unwrap();
        field[1..3].copy_from_slice(&value.to_be_bytes());
        let full = header(0x21, 0x11, &v4(&field));
        assert_eq!(full.len(), MAX_BYTES);
        assert_eq!(parse(&full), client("192.0.2.7"));
    }

    proptest! {
        #[test]
        fn random_octets_never_panic(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&octets);
            let _ = parse(&header(0x21, octets.first().copied().unwrap_or(0x11), &octets));
        }

        /// However it is cut, it is read to its last octet and no further.
        #[test]
        fn any_split_reads_the_header_alone(
            pieces in proptest::collection::vec(1usize..40, 1..200),
            tlv in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let length = u16::try_from(tlv.len()).unwrap().to_be_bytes();
            let whole = header(0x21, 0x11, &v4(&[&[0x04], &length[..], &tlv].concat()));
            let stream = [&whole[..], b"EHLO x\r\n"].concat();
            let mut read = 0;
            for piece in pieces.into_iter().cycle() {
                match parse(&stream[..read]).unwrap() {
                    Progress::Wants(all) => {
                        prop_assert!(all > read, "it wants more");
                        read += piece.min(all - read);
                    }
                    Progress::Done(origin) => {
                        prop_assert_eq!(read, whole.len());
                        prop_assert_eq!(origin, Origin::Client("192.0.2.7".parse().unwrap()));
                        break;
                    }
                }
            }
        }
    }
}
