//! What proves to a receiver that we speak, and what it knows an event by: identifier,
//! timestamp and signature as Standard Webhooks has them.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use postfax_domain::names::HookName;
use ring::hmac;

use crate::config::Key;

/// What an event is known by: the same for every attempt, and no other event of any
/// installation has it. A full stop separates it from what follows in the text that is
/// signed, so that there is none in it.
pub(super) fn identifier(installation: &str, hook: &HookName, sequence: u64) -> String {
    format!("pf_{installation}_{}_{sequence}", hook.as_str().replace('.', "~"))
}

/// `v1,` and the HMAC-SHA256 of `IDENTIFIER.SECONDS.BODY` in Base64, for each key.
pub(super) fn signatures(keys: &[Key], identifier: &str, seconds: i64, body: &[u8]) -> String {
    let signature = |key: &Key| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.octets());
        let mut signed = hmac::Context::with_key(&key);
        signed.update(format!("{identifier}.{seconds}.").as_bytes());
        signed.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(signed.sign()))
    };
    keys.iter().map(signature).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example that the implementations of the convention are tried with.
    #[test]
    fn the_signature_is_that_of_the_convention() {
        let key = Key::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(std::slice::from_ref(&key), id, 1_614_265_330, body), wanted);
        let other = Key::parse(&format!("whsec_{}", BASE64_STANDARD.encode([7; 32]))).unwrap();
        let both = signatures(&[other, key], id, 1_614_265_330, body);
        let both: Vec<&str> = both.split(' ').collect();
        assert_eq!((both.len(), both[1]), (2, wanted));
        assert_ne!(both[0], wanted);
    }

    #[test]
    fn identifiers_differ_and_have_no_full_stop() {
        let of = |hook: &str, sequence| identifier("0a1b", &HookName::new(hook).unwrap(), sequence);
        assert_eq!(of("c.r-m", 7), "pf_0a1b_c~r-m_7");
        assert_ne!(of("a_1", 2), of("a", 12));
    }
}
