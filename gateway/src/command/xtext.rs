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

/// The text that a utf-8-addr-xtext or a utf-8-addr-unitext stands for (RFC 6533 3):
/// characters themselves, or `\x{HEX}` for one; nothing if it is malformed.
pub fn decode_utf8(spelled: &str) -> Option<String> {
    let mut text = String::with_capacity(spelled.len());
    let mut rest = spelled;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let plain = match c {
            '\\' => {
                let (hex, after) = rest.strip_prefix("x{")?.split_once('}')?;
                rest = after;
                hex_point(hex)?
            }
            '+' | '=' => return None,
            c if c.is_ascii_graphic() || !c.is_ascii() => c,
            _ => return None,
        };
        if plain.is_control() {
            return None;
        }
        text.push(plain);
    }
    Some(text)
}

/// Two to six upper-case hexadecimal digits that are a character.
fn hex_point(digits: &str) -> Option<char> {
    let good = (2..=6).contains(&digits.len()) && digits.bytes().all(|b| hex(b).is_some());
    good.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)).flatten()
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
    fn utf8_addresses() {
        for (spelled, text) in [
            ("a@b", Some("a@b")),
            ("m\\x{FC}ller@b", Some("m\u{fc}ller@b")),
            ("m\u{fc}ller@b", Some("m\u{fc}ller@b")),
            ("FAX\\x{3D}\\x{2B}44@b", Some("FAX=+44@b")),
            ("a+b", None),
            ("a=b", None),
            ("a b", None),
            ("\\x{D800}", None),
            ("\\x{0D}", None),
            ("\\x{fc}", None),
            ("\\x{FC", None),
            ("\\xFC", None),
            ("\u{85}", None),
        ] {
            assert_eq!(decode_utf8(spelled).as_deref(), text, "{spelled}");
        }
    }

    #[test]
    fn malformed_xtext_is_refused() {
        for bad in ["a+", "a+4", "a+4g", "a+3d", "a=b", "a b", "a+00", "a+0D+0A", "a+FF"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
