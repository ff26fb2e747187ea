//! Where links lead, in words for a reader who cannot follow them.

/// An address that is longer is not typed by anybody; its host says enough.
const LONGEST: usize = 60;

/// What stands in brackets after a link: its address where the link's own text does not
/// say it, shortened to what somebody may use.
pub(super) fn shown(text: &str, address: &str) -> Option<String> {
    let address = address.trim();
    let bare = bare(address)?;
    let said = text.to_lowercase();
    if said.contains(&bare.to_lowercase()) || text.trim().is_empty() {
        return None;
    }
    if bare.chars().count() <= LONGEST {
        return Some(bare.to_owned());
    }
    let host = bare.split(['/', '?', '#']).next().unwrap_or(bare);
    let short = host.chars().count() <= LONGEST && !said.contains(&host.to_lowercase());
    short.then(|| format!("{host}/…"))
}

/// Without what is always the same; `None` for what leads nowhere outside the document.
fn bare(address: &str) -> Option<&str> {
    let (scheme, rest) = address.split_once(':')?;
    let rest = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => rest.trim_start_matches('/'),
        "mailto" => rest.split('?').next().unwrap_or(rest),
        "tel" | "fax" | "sip" | "sips" => rest,
        _ => return None,
    };
    let rest = rest.strip_prefix("www.").unwrap_or(rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    (!rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_where_they_say_more() {
        for (text, address, expected) in [
            ("our site", "https://www.example.com/", Some("example.com")),
            ("www.example.com", "http://example.com", None),
            ("write to us", "mailto:a@example.com?subject=x", Some("a@example.com")),
            ("a@example.com", "mailto:A@example.com", None),
            ("up", "#top", None),
            ("click", "javascript:alert(1)", None),
            ("", "https://example.com", None),
        ] {
            assert_eq!(shown(text, address).as_deref(), expected, "{text} {address}");
        }
        let long = format!("https://click.example.com/{}", "x".repeat(300));
        assert_eq!(shown("Offer", &long).as_deref(), Some("click.example.com/…"));
    }
}
