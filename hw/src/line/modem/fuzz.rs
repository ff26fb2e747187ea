//! Whatever a modem says, a call comes to an end, and nothing breaks: for tests and for a
//! fuzzer.

use std::time::{Duration, Instant};

use super::{
    about::About,
    at::{Answer, Lines},
    class1::{Class1, Way},
    dialogue::{Dialogue, Out},
};
use crate::t30::{Session, Station};

/// What random bytes would hardly find: results, and frames as a machine sends them.
const WORDS: [&[u8]; 14] = [
    b"\r\nOK\r\n",
    b"\r\nCONNECT\r\n",
    b"\r\nNO CARRIER\r\n",
    b"\r\nERROR\r\n",
    b"\r\n+FCERROR\r\n",
    b"\r\n+FRH:3\r\n",
    b"\r\nRING\r\n",
    b"\x10\x03",
    b"\xFF\x13\x80\x00\xEE\xF8\x44\x10\x03\r\nOK\r\n",
    b"\xFF\x13\x82\x00\x46\x10\x03\r\nOK\r\n",
    b"\xFF\x13\x84\x10\x03\r\nOK\r\n",
    b"\xFF\x13\x8C\x10\x03\r\nOK\r\n",
    b"\xFF\x13\x2F\x10\x03\r\nOK\r\n",
    b"\xFF\x13\xFB\x10\x03\r\nOK\r\n",
];
/// Most bytes of input that are looked at.
const MAX_INPUT: usize = 4096;

/// Takes bytes as a script: a few say which word a modem says next, others how long it is
/// silent, the rest is said as it stands.
pub(super) fn fuzz_one(data: &[u8]) {
    let data = &data[..data.len().min(MAX_INPUT)];
    let mut lines = Lines::default();
    for byte in data {
        if let Some(line) = lines.push(*byte) {
            let _answer = Answer::of(&line);
        }
    }
    About::fuzz(&String::from_utf8_lossy(data));
    let calling = data.first().is_some_and(|byte| byte & 1 == 1);
    let nowhere = std::env::temp_dir().join("postfax-fuzz-no-such-folder").join("pages.tif");
    let session = if calling {
        Session::sending(Station::new("1"), nowhere)
    } else {
        Session::receiving(Station::new("1"), nowhere)
    };
    let way = if calling {
        Way::Dial("ATDT1".into(), Duration::from_secs(60))
    } else {
        Way::Answer("ATA".into())
    };
    let mut now = Instant::now();
    let Ok(mut call) = Class1::new(way, &session, now) else { return };
    let mut outs = call.begin(now);
    for byte in data.iter().skip(1) {
        now += Duration::from_millis(5);
        outs.extend(match byte {
            0x80..=0x8D => call.input(WORDS[usize::from(byte - 0x80)], now),
            0x90..=0x9F => {
                now += Duration::from_millis(20 << (byte & 0xF).min(10));
                call.timeout(now)
            }
            0xA0 => call.drained(now),
            byte => call.input(&[*byte], now),
        });
        if outs.iter().any(|out| matches!(out, Out::Ended(_))) {
            assert!(matches!(outs.last(), Some(Out::Ended(_))), "something follows the end");
            return;
        }
        outs.clear();
    }
    call.lost(now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_modem_is_borne() {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let end = Instant::now() + Duration::from_millis(800);
        let mut scripts = 0;
        while Instant::now() < end {
            let length = usize::from(next()) * 4;
            // Mostly words and silences.
            let script: Vec<u8> = (0..length)
                .map(|_| match next() {
                    byte @ 0..=50 => byte,
                    byte @ 51..=150 => 0x80 + byte % 14,
                    byte @ 151..=200 => 0x90 + byte % 16,
                    _ => 0xA0,
                })
                .collect();
            fuzz_one(&script);
            scripts += 1;
        }
        assert!(scripts > 20, "only {scripts} scripts were run");
    }
}
