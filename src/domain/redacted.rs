//! Numbers, addresses and names in logs, as far as they may be seen there.

use std::fmt;

/// Prints the ends of a value and hides its middle: `+44…100`, `an…om`.
pub struct Redacted<T>(pub T);

impl<T: fmt::Display> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let chars: Vec<char> = text.chars().collect();
        if chars.len() < 8 {
            return f.write_str("…");
        }
        let head: String = chars[..3].iter().collect();
        let tail: String = chars[chars.len() - 3..].iter().collect();
        write!(f, "{head}…{tail}")
    }
}

impl<T: fmt::Display> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_ends_are_seen() {
        assert_eq!(Redacted("+442079460100").to_string(), "+44…100");
        assert_eq!(Redacted("short").to_string(), "…");
    }
}
