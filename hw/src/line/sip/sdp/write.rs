//! Writes session descriptions of ours.

use std::{fmt::Write as _, net::IpAddr};

use super::{Agreed, Choice, Correction, Description, Direction, Law, Local, PTIME_MS, T38};

/// Writing into a string cannot fail.
macro_rules! line {
    ($text:expr, $($arg:tt)*) => {{
        let _ = write!($text, $($arg)*);
        $text.push_str("\r\n");
    }};
}

fn head(local: Local) -> String {
    let mut text = String::with_capacity(512);
    let (kind, address) = (family(local.address), local.address);
    line!(text, "v=0");
    line!(text, "o=- {} {} IN {kind} {address}", local.id, local.version);
    line!(text, "s=-");
    line!(text, "c=IN {kind} {address}");
    line!(text, "t=0 0");
    text
}

const fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// Name and own payload type of a coding (RFC 3551 6).
const fn coding(law: Law) -> (u8, &'static str) {
    match law {
        Law::Pcmu => (0, "PCMU"),
        Law::Pcma => (8, "PCMA"),
    }
}

pub(super) fn audio_offer(local: Local, law: Law) -> String {
    let other = match law {
        Law::Pcma => Law::Pcmu,
        Law::Pcmu => Law::Pcma,
    };
    let ((first, first_name), (second, second_name)) = (coding(law), coding(other));
    let mut text = head(local);
    line!(text, "m=audio {} RTP/AVP {first} {second}", local.port);
    line!(text, "a=rtpmap:{first} {first_name}/8000");
    line!(text, "a=rtpmap:{second} {second_name}/8000");
    audio_tail(&mut text, PTIME_MS, Direction::SendRecv);
    text
}

fn audio_tail(text: &mut String, ptime_ms: u32, direction: Direction) {
    line!(text, "a=ptime:{ptime_ms}");
    line!(text, "a=silenceSupp:off - - - -");
    line!(text, "a={}", direction_word(direction));
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::SendRecv => "sendrecv",
        Direction::SendOnly => "sendonly",
        Direction::RecvOnly => "recvonly",
        Direction::Inactive => "inactive",
    }
}

pub(super) fn t38_offer(local: Local, t38: &T38) -> String {
    let mut text = head(local);
    line!(text, "m=image {} udptl t38", local.port);
    t38_tail(&mut text, t38);
    text
}

fn t38_tail(text: &mut String, t38: &T38) {
    line!(text, "a=T38FaxVersion:{}", t38.version);
    line!(text, "a=T38MaxBitRate:{}", t38.max_bit_rate);
    if t38.fill_bit_removal {
        line!(text, "a=T38FaxFillBitRemoval");
    }
    if t38.transcoding_mmr {
        line!(text, "a=T38FaxTranscodingMMR");
    }
    if t38.transcoding_jbig {
        line!(text, "a=T38FaxTranscodingJBIG");
    }
    line!(text, "a=T38FaxRateManagement:transferredTCF");
    if let Some(octets) = t38.max_buffer {
        line!(text, "a=T38FaxMaxBuffer:{octets}");
    }
    if let Some(octets) = t38.max_datagram {
        line!(text, "a=T38FaxMaxDatagram:{octets}");
    }
    let correction = match t38.correction {
        Correction::None => "t38UDPNoEC",
        Correction::Redundancy => "t38UDPRedundancy",
        Correction::Parity => "t38UDPFEC",
    };
    line!(text, "a=T38FaxUdpEC:{correction}");
}

/// Every stream of the offer has its place in the answer; those that we refuse have
/// port 0 (RFC 3264 6).
pub(super) fn answer(local: Local, offer: &Description, choice: &Choice) -> String {
    let mut text = head(local);
    for (index, stream) in offer.streams.iter().enumerate() {
        let (media, protocol, formats) = &stream.head;
        if index != choice.index {
            line!(text, "m={media} 0 {protocol} {formats}");
            continue;
        }
        match choice.agreed {
            Agreed::Audio { coding: agreed, ptime_ms } => {
                let (number, (_, name)) = (agreed.payload_type, coding(agreed.law));
                line!(text, "m={media} {} {protocol} {number}", local.port);
                line!(text, "a=rtpmap:{number} {name}/8000");
                audio_tail(&mut text, ptime_ms, choice.direction);
            }
            Agreed::T38(t38) => {
                line!(text, "m={media} {} {protocol} {formats}", local.port);
                t38_tail(&mut text, &t38);
            }
        }
    }
    text
}
