//! What is asked of the pages of a fax: by its address, by the header of its mail, by the
//! phone book, by the settings of its sender, by the configuration; the first who says
//! something is heard. What nobody can do is refused by name with what would be right;
//! what nobody knows is left alone (RFC 3191 2).
//!
//! | asked for | in an address | in the header |
//! |---|---|---|
//! | cover | `/cp=`, `/cover=`, `/cover-page-enabled=`, `^NOCOVER`, `^COVER` | `X-Fax-Cover` |
//! | resolution | `/resolution=`, `/res=` | `X-Fax-Resolution` |
//! | tone | `/tone=` | `X-Fax-Tone` |
//! | paper | `/paper=` | `X-Fax-Paper` |
//! | reference | `/reference=`, `/ref=`, `/billing=`, `/billcode=` | `X-Fax-Reference` |
//! | names on the cover | `/fr=`, `/org=`, `/co=` beside `/to=`, `/fr=` or `/cp=` | |

use postfax_domain::{
    destination::FaxAddress,
    document::{Paper, Resolution, Tone},
    fleet,
    names::ClientName,
    options::{Asked, CoverAsked, Wanted},
};
use postfax_gateway::{message::Message, reply::Reply};

use crate::config::{Config, Cover, Letterhead};

/// Longest reference or name, in characters: it stands on one line of a cover.
const MAX_WORDS_CHARS: usize = 80;

/// An option that says what nobody can do.
struct Bad {
    right: String,
}

/// What an address asks for.
///
/// # Errors
/// The reply that names the qualifier.
pub(super) fn of_address(cover: &Cover, qualifiers: &[(String, String)]) -> Result<Asked, Reply> {
    let mut asked = Asked::default();
    let has = |keys: &[&str]| qualifiers.iter().any(|(key, _)| keys.contains(&key.as_str()));
    // RFC 2846 3 has the country there; beside these it is the company.
    let co_is_company = has(&["TO", "FR", "CP"]);
    for (key, value) in qualifiers {
        let set = match key.as_str() {
            "NOCOVER" if value.is_empty() => {
                asked.cover = Some(CoverAsked::Off);
                Ok(())
            }
            "COVER" if value.is_empty() => {
                asked.cover = Some(CoverAsked::On);
                Ok(())
            }
            "CP" | "COVER" | "COVER-PAGE-ENABLED" => {
                put(&mut asked.cover, cover_asked(cover, value))
            }
            "RESOLUTION" | "RES" => put(&mut asked.resolution, resolution(value)),
            "TONE" => put(&mut asked.tone, tone(value)),
            "PAPER" => put(&mut asked.paper, paper(value)),
            "REFERENCE" | "REF" | "BILLING" | "BILLCODE" => {
                put(&mut asked.reference, words(&spaced(value)))
            }
            "FR" => put(&mut asked.from, words(&spaced(value))),
            "ORG" => put(&mut asked.company, words(&spaced(value))),
            "CO" if co_is_company => put(&mut asked.company, words(&spaced(value))),
            _ => Ok(()),
        };
        set.map_err(|Bad { right }| {
            let text = format!("{}={value} is not possible: write {right}", key.to_lowercase());
            Reply::new(553, (1, 3), text)
        })?;
    }
    Ok(asked)
}

/// What the header of a mail asks for.
///
/// # Errors
/// The reply that names the field.
pub(super) fn of_header(cover: &Cover, message: &Message) -> Result<Asked, Reply> {
    let mut asked = Asked::default();
    for (field, value) in message.x_headers("X-Fax-") {
        if value.trim().is_empty() {
            continue;
        }
        let set = match field.to_ascii_lowercase().as_str() {
            "x-fax-cover" => put(&mut asked.cover, cover_asked(cover, &value)),
            "x-fax-resolution" => put(&mut asked.resolution, resolution(&value)),
            "x-fax-tone" => put(&mut asked.tone, tone(&value)),
            "x-fax-paper" => put(&mut asked.paper, paper(&value)),
            "x-fax-reference" => put(&mut asked.reference, words(&value)),
            _ => Ok(()),
        };
        set.map_err(|Bad { right }| {
            let shown: String = value.trim().chars().take(MAX_WORDS_CHARS).collect();
            let text = format!("{field}: {shown} is not possible: write {right}");
            Reply::new(554, (5, 4), text)
        })?;
    }
    Ok(asked)
}

/// Who asks, besides the address: for all faxes of a mail the same.
pub(super) struct Asking<'a> {
    pub(super) config: &'a Config,
    pub(super) client: &'a ClientName,
    pub(super) letterhead: &'a Letterhead,
    pub(super) header: &'a Asked,
}

/// What the pages of one fax are to be, after everybody was asked. `words` says whether the
/// mail has a text to stand on a cover.
pub(super) fn settled(asking: &Asking<'_>, to: &FaxAddress, words: bool) -> Wanted {
    let Asking { config, client, letterhead, header } = asking;
    let (header, own) = (Asked::clone(header), to.asked.clone());
    // The book speaks for everybody who sends there, the header for this mail.
    let both = if to.named.is_some() { header.or(&own) } else { own.or(&header) };
    let asked = both.or(&letterhead.asked);
    let template = match &letterhead.asked.cover {
        Some(CoverAsked::Named(name)) => name,
        _ => &config.cover.template,
    };
    let cover = match asked.cover.unwrap_or_else(|| config.cover.default.clone()) {
        CoverAsked::Off => None,
        CoverAsked::Body if !words => None,
        CoverAsked::On | CoverAsked::Body => Some(template.clone()),
        CoverAsked::Named(name) => Some(name),
    };
    let finer = asked.resolution.unwrap_or(config.convert.resolution);
    let resolution = fleet::finest(&config.setup, client, &to.number, finer);
    let wider = asked.paper.unwrap_or_default();
    let paper = fleet::widest(&config.setup, client, &to.number, resolution, wider);
    Wanted {
        resolution,
        finer: (resolution != finer).then_some(finer),
        tone: asked.tone.unwrap_or_default(),
        paper,
        wider: (paper != wider).then_some(wider),
        cover,
        reference: asked.reference,
        from: asked.from,
        company: asked.company,
    }
}

/// What is said first counts.
fn put<T>(place: &mut Option<T>, said: Result<T, Bad>) -> Result<(), Bad> {
    let said = said?;
    place.get_or_insert(said);
    Ok(())
}

fn cover_asked(cover: &Cover, value: &str) -> Result<CoverAsked, Bad> {
    cover.asked(value).map_err(|right| Bad { right })
}

fn resolution(value: &str) -> Result<Resolution, Bad> {
    let all = Resolution::ALL.map(Resolution::as_str).join(", ");
    Resolution::named(value).ok_or(Bad { right: all })
}

fn tone(value: &str) -> Result<Tone, Bad> {
    Tone::named(value).ok_or_else(|| Bad { right: "auto, text or photo".into() })
}

fn paper(value: &str) -> Result<Paper, Bad> {
    let all = Paper::ALL.map(Paper::as_str).join(", ");
    Paper::named(value).ok_or(Bad { right: all })
}

/// Words that stand on a cover.
fn words(value: &str) -> Result<String, Bad> {
    let value = value.trim();
    let good = value.chars().count() <= MAX_WORDS_CHARS && !value.chars().any(char::is_control);
    let right = format!("at most {MAX_WORDS_CHARS} characters on one line");
    if good { Ok(value.to_owned()) } else { Err(Bad { right }) }
}

/// Underscores stand for the spaces that an address cannot hold.
fn spaced(value: &str) -> String {
    value.replace('_', " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use std::collections::BTreeMap;

    use postfax_gateway::{
        address::{self, Recipient},
        message::Limits,
    };

    use super::*;

    fn cover() -> Cover {
        let names = [("sales".to_owned(), String::new())];
        Cover {
            default: CoverAsked::Off,
            template: "standard".into(),
            templates: BTreeMap::from(names),
            logo: None,
        }
    }

    fn address(local: &str) -> Result<Asked, Reply> {
        match address::parse(local, "fax.example.com", "fax.example.com").unwrap() {
            Recipient::Phone(phone) => of_address(&cover(), &phone.qualifiers),
            other => panic!("{other:?}"),
        }
    }

    fn header(fields: &str) -> Result<Asked, Reply> {
        let mail = format!("{fields}Subject: x\r\n\r\nwords\r\n");
        let message = Message::parse(mail.into(), &Limits::default()).unwrap();
        of_header(&cover(), &message)
    }

    #[test]
    fn every_form_of_an_address_asks_the_same() {
        let off = Asked { cover: Some(CoverAsked::Off), ..Asked::default() };
        for local in [
            "+442079460100/cp=off",
            "FAX=+442079460100/COVER-PAGE-ENABLED=false",
            "+442079460100^NOCOVER",
            "+442079460100^NOCOVER^RETRIES=3",
            "+442079460100/cover=no/cp=on",
        ] {
            assert_eq!(address(local).unwrap(), off, "{local}");
        }
        let all =
            address("+4420/to=A_B/fr=C_D/co=ACME/cp=sales/res=98/tone=photo/paper=A3/ref=7_1");
        let expected = Asked {
            resolution: Some(Resolution::Standard),
            tone: Some(Tone::Photo),
            paper: Some(Paper::A3),
            cover: Some(CoverAsked::Named("sales".into())),
            reference: Some("7 1".into()),
            from: Some("C D".into()),
            company: Some("ACME".into()),
        };
        assert_eq!(all.unwrap(), expected);
        let country = address("FAX=+3901/ATTN=m/ORG=ACME_Spa/CO=Italia").unwrap();
        assert_eq!(country.company.as_deref(), Some("ACME Spa"));
        assert!(address("FAX=+3901/CO=Italia/POSTD=w12").unwrap().is_nothing());
    }

    #[test]
    fn what_nobody_can_do_is_refused_by_name_with_what_would_be_right() {
        for (local, says) in [
            ("+4420/resolution=sharp", "resolution=sharp is not possible: write standard, fine"),
            ("+4420/cp=purple", "write off, on, body or a template: standard, sales"),
            ("+4420/tone=loud", "write auto, text or photo"),
            ("+4420/paper=c5", "write a4, b4, a3"),
        ] {
            let reply = address(local).unwrap_err();
            assert_eq!(reply.code(), 553, "{local}");
            assert!(reply.text().contains(says), "{}", reply.text());
        }
        let long = format!("X-Fax-Reference: {}\r\n", "7 ".repeat(41));
        for (field, says) in [
            ("X-Fax-Resolution: sharp\r\n", "X-Fax-Resolution: sharp is not possible"),
            ("x-fax-cover: purple\r\n", "write off, on, body or a template"),
            (&long, "at most 80 characters on one line"),
        ] {
            let reply = header(field).unwrap_err();
            assert!(reply.text().contains(says), "{}", reply.text());
        }
        assert!(header("X-Fax-Colour: red\r\nX-Fax-Cover:\r\n").unwrap().is_nothing());
    }
}
