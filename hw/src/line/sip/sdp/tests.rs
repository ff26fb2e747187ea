//! Descriptions of several makers read, answered and written; hostile ones survived.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;

const TASTE: Taste =
    Taste { t38: true, audio: true, t38_first: true, law: Law::Pcma, max_bit_rate: 14_400 };

fn local() -> Local {
    Local { id: 7, version: 2, address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), port: 4000 }
}

fn described(streams: &str) -> Description {
    let head = "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    parse(format!("{head}{streams}").as_bytes()).unwrap()
}

const T38_OFFER: &str = "m=image 5004 udptl t38\r\na=T38FaxVersion:3\r\na=T38MaxBitRate:9600\r\n\
    a=T38FaxFillBitRemoval:0\r\na=T38FaxTranscodingMMR\r\na=T38faxRateManagement:transferredTCF\r\n\
    a=T38FaxMaxBuffer:1800\r\na=T38FaxMaxDatagram:260\r\na=T38FaxUdpEC:t38UDPFEC\r\n";

#[test]
fn all_that_is_said_of_t38_is_read() {
    let read = described(T38_OFFER);
    let Media::T38(t38) = read.streams[0].media else { panic!("{read:?}") };
    let said = T38 {
        version: 3,
        max_bit_rate: 9_600,
        fill_bit_removal: false,
        transcoding_mmr: true,
        transcoding_jbig: false,
        rate_management: RateManagement::Transferred,
        max_buffer: Some(1_800),
        max_datagram: Some(260),
        correction: Correction::Parity,
    };
    assert_eq!(t38, said);
    // The answer takes what both can.
    let answered = t38.answered(14_400);
    assert_eq!((answered.version, answered.max_bit_rate), (0, 9_600));
    assert_eq!(answered.correction, Correction::Redundancy);
}

#[test]
fn one_stream_is_chosen_and_the_others_are_refused() {
    let audio = "m=audio 5002 RTP/AVP 18 0 101 8\r\na=ptime:30\r\n";
    let odd = "m=audio 5002 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000\r\n";
    let gone = "m=audio 0 RTP/AVP 8\r\n";
    let video = "m=video 5006 RTP/AVP 99\r\n";
    let secure = "m=audio 5002 RTP/SAVP 8\r\n";
    let local_tcf = "m=image 5004 udptl t38\r\na=T38FaxRateManagement:localTCF\r\n";
    let no_t38 = Taste { t38: false, ..TASTE };
    let audio_first = Taste { t38_first: false, ..TASTE };
    let no_audio = Taste { audio: false, ..TASTE };
    for (streams, taste, index, is_t38) in [
        (format!("{audio}{T38_OFFER}"), TASTE, Some(1), true),
        (format!("{audio}{T38_OFFER}"), audio_first, Some(0), false),
        (format!("{audio}{T38_OFFER}"), no_t38, Some(0), false),
        (format!("{gone}{T38_OFFER}"), audio_first, Some(1), true),
        (T38_OFFER.to_owned(), no_t38, None, false),
        (format!("{video}{odd}"), TASTE, Some(1), false),
        (audio.to_owned(), no_audio, None, false),
        (secure.to_owned(), TASTE, None, false),
        (local_tcf.to_owned(), TASTE, None, false),
        (format!("{gone}{video}"), TASTE, None, false),
        (String::new(), TASTE, None, false),
    ] {
        let offer = described(&streams);
        let choice = offer.choose(taste);
        assert_eq!(choice.map(|choice| choice.index), index, "{streams}");
        let Some(choice) = choice else { continue };
        assert_eq!(choice.agreed.is_t38(), is_t38, "{streams}");
        // The answer has the same streams, all but the chosen one refused.
        let answer = parse(answer(local(), &offer, &choice).as_bytes()).unwrap();
        let ports: Vec<u16> = answer.streams.iter().map(|stream| stream.port).collect();
        let expected: Vec<u16> =
            (0..offer.streams.len()).map(|at| if at == choice.index { 4000 } else { 0 }).collect();
        assert_eq!(ports, expected, "{streams}");
        for (a, b) in answer.streams.iter().zip(&offer.streams) {
            assert_eq!((&a.head.0, &a.head.1), (&b.head.0, &b.head.1));
        }
    }
}

#[test]
fn audio_is_agreed_in_the_coding_that_both_know() {
    let agreed = |streams: &str, law| match described(streams)
        .choose(Taste { law, ..TASTE })
        .unwrap()
        .agreed
    {
        Agreed::Audio { coding, ptime_ms } => (coding.payload_type, coding.law, ptime_ms),
        Agreed::T38(_) => panic!("not audio"),
    };
    for (streams, law, expected) in [
        ("m=audio 2 RTP/AVP 0 8\r\n", Law::Pcma, (8, Law::Pcma, 20)),
        ("m=audio 2 RTP/AVP 0 8\r\n", Law::Pcmu, (0, Law::Pcmu, 20)),
        ("m=audio 2 RTP/AVP 0\r\na=ptime:30\r\n", Law::Pcma, (0, Law::Pcmu, 30)),
        ("m=audio 2 RTP/AVP 8\r\na=ptime:400\r\n", Law::Pcma, (8, Law::Pcma, 20)),
        ("m=audio 2 RTP/AVP 97\r\na=rtpmap:97 pcmu/8000\r\n", Law::Pcma, (97, Law::Pcmu, 20)),
    ] {
        assert_eq!(agreed(streams, law), expected, "{streams}");
    }
    // A number that was given another meaning has lost its own.
    assert_eq!(described("m=audio 2 RTP/AVP 8\r\na=rtpmap:8 G729/8000\r\n").choose(TASTE), None);
}

#[test]
fn a_call_on_hold_is_answered_as_such() {
    for (lines, direction, has_remote) in [
        ("m=audio 2 RTP/AVP 8\r\na=sendonly\r\n", Direction::RecvOnly, true),
        ("m=audio 2 RTP/AVP 8\r\na=inactive\r\n", Direction::Inactive, true),
        ("m=audio 2 RTP/AVP 8\r\na=recvonly\r\n", Direction::SendOnly, true),
        ("m=audio 2 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n", Direction::RecvOnly, false),
        ("m=audio 2 RTP/AVP 8\r\n", Direction::SendRecv, true),
    ] {
        let choice = described(lines).choose(TASTE).unwrap();
        assert_eq!((choice.direction, choice.remote.is_some()), (direction, has_remote), "{lines}");
    }
    let held = described("a=sendonly\r\nm=audio 2 RTP/AVP 8\r\n").choose(TASTE).unwrap();
    assert_eq!(held.direction, Direction::RecvOnly, "the session's own word counts for streams");
}

#[test]
fn addresses_are_numbers_of_either_kind() {
    let text = "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n\
                m=audio 9 RTP/AVP 8\r\n";
    let remote = parse(text.as_bytes()).unwrap().choose(TASTE).unwrap().remote.unwrap();
    assert_eq!(remote.to_string(), "[2001:db8::1]:9");
    let own = Local { address: "2001:db8::9".parse().unwrap(), ..local() };
    assert!(offer_audio(own, Law::Pcmu).contains("c=IN IP6 2001:db8::9\r\n"));
    // The stream's own address goes before the session's.
    let choice = described("m=audio 9 RTP/AVP 8\r\nc=IN IP4 192.0.2.77\r\n").choose(TASTE);
    assert_eq!(choice.unwrap().remote.unwrap().to_string(), "192.0.2.77:9");
    for no_address in ["c=IN IP4 host.example.com\r\n", "c=IN IP4 224.2.1.1/127\r\n", "c=x\r\n"] {
        let offer = described(&format!("m=audio 9 RTP/AVP 8\r\n{no_address}"));
        assert_eq!(offer.choose(TASTE), None, "{no_address}");
    }
}

#[test]
fn our_offers_are_read_again() {
    let offer = parse(offer_t38(local(), &T38::ours(14_400)).as_bytes()).unwrap();
    assert_eq!(offer.streams[0].media, Media::T38(T38::ours(14_400)));
    assert_eq!((offer.id, offer.version, offer.streams[0].port), (7, 2, 4000));
    let offer = parse(offer_audio(local(), Law::Pcmu).as_bytes()).unwrap();
    let Media::Audio(audio) = &offer.streams[0].media else { panic!("{offer:?}") };
    let laws: Vec<Law> = audio.codings.iter().map(|coding| coding.law).collect();
    assert_eq!(laws, [Law::Pcmu, Law::Pcma]);
    assert!(!audio.silence_suppressed);
}

#[test]
fn what_is_no_description_is_refused() {
    let long = format!("v=0\r\n{}", "a=x\r\n".repeat(3_000));
    let streams = format!("v=0\r\n{}", "m=audio 1 RTP/AVP 8\r\n".repeat(9));
    let lines = format!("v=0\n{}", "b=x\n".repeat(300));
    for (text, error) in [
        ("", SdpError::NoVersion),
        ("o=- 1 1 IN IP4 192.0.2.1\r\n", SdpError::NoVersion),
        ("v=1\r\n", SdpError::NoVersion),
        ("v=0\r\nhello\r\n", SdpError::NotALine(2)),
        ("v=0\r\nm=audio x RTP/AVP 8\r\n", SdpError::BadValue(2)),
        ("v=0\r\nm=audio 70000 RTP/AVP 8\r\n", SdpError::BadValue(2)),
        ("v=0\r\no=x\r\n", SdpError::BadValue(2)),
        (&long, SdpError::TooLong),
        (&lines, SdpError::TooLong),
        (&streams, SdpError::TooManyStreams),
    ] {
        assert_eq!(parse(text.as_bytes()), Err(error), "{}", &text[..text.len().min(60)]);
    }
    assert_eq!(parse(b"v=0\r\ns=\xff\r\n"), Err(SdpError::NotText));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_do_harm(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        super::super::fuzz_one(&data);
    }

    #[test]
    fn no_mutation_does_harm(cuts in proptest::collection::vec((0usize..600, any::<u8>()), 0..12)) {
        let mut text = offer_audio(local(), Law::Pcma).into_bytes();
        text.extend_from_slice(T38_OFFER.as_bytes());
        for (at, byte) in cuts {
            let at = at % text.len();
            match byte {
                0..=40 => { text.remove(at); }
                41..=80 => text.insert(at, byte),
                _ => text[at] = byte,
            }
        }
        super::super::fuzz_one(&text);
    }
}
