//! xtext, the spelling of foreign text inside ESMTP parameters (RFC 3461 4).

/// The text that an xtext stands for; nothing if it is malformed or holds
/// octets that are not printable ASCII.
pub fn decode(xtext: &str) -> Option<String> {
    let mut text = String::with_capacity(xtext.len());
    let mut bytes = xtext.bytes();
    while let Some(byte) = bytes.next() {
        let plain = match byte {
            b'+' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'=' => return None,
            b'!'..=b'~' => byte,
            _ => return None,
        };
        if !matches!(plain, b' '..=b'~') {
            return None;
        }
        text.push(plain as char);
    }
    Some(text)
}

/// The xtext of a text. Octets outside ASCII are spelled one by one.
pub fn encode(text: &str) -> String {
    let mut xtext = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => xtext.push(byte as char),
            _ => xtext.push_str(&format!("+{byte:02X}")),
        }
    }
    xtext
}

/// One upper-case hexadecimal digit (RFC 3461 4 allows no others).
fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let address = "FAX=+390408565@gw.example";
        assert_eq!(encode(address), "FAX+3D+2B390408565@gw.example");
        assert_eq!(decode(&encode(address)).as_deref(), Some(address));
        assert_eq!(decode("a+20b").as_deref(), Some("a b"));
    }

    #[test]
    fn malformed_xtext_is_refused() {
        for bad in ["a+", "a+4", "a+4g", "a+3d", "a=b", "a b", "a+00", "a+0D+0A", "a+FF"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
