//! The mail that a fax is on its way to an off-ramp: one TIFF-F and nothing else
//! (RFC 3965 2.2.4), to the number as an address (RFC 3191, RFC 3192).

use std::io;

use jiff::Zoned;
use postfax_gateway::{
    client::Body,
    compose::{Attachment, Delimiters, Head, Letter, Source},
    message,
};
use postfax_hw::{
    driver::Call,
    pages::tiff::{self, CodedPage, FillOrder, TiffError},
};

use super::Options;

/// RFC 3302: a TIFF of fax pages.
const TIFF_F: &str = "image/tiff; application=faxbw";

/// Which TIFF-F is sent (RFC 3949).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What every off-ramp reads: A4, standard or fine, MH.
    S,
    /// All sizes, resolutions and codings of fax.
    F,
}

/// Who writes to an off-ramp.
pub(crate) struct Sender {
    /// `From`.
    pub(crate) from: String,
    /// The domain of the Message-IDs.
    pub(crate) domain: String,
    /// The address that reports about a tag go to.
    pub(crate) return_path: Box<dyn Fn(&str) -> String + Send + Sync>,
}

/// Why there is no mail.
pub(super) enum Unmade {
    /// A file could not be read.
    Local(io::Error),
    /// The pages are beyond the profile.
    Profile(String),
    /// It is no fax.
    Bad(String),
}

impl From<TiffError> for Unmade {
    fn from(bad: TiffError) -> Self {
        match bad {
            TiffError::Io { source, .. } => Self::Local(source),
            bad => Self::Bad(bad.to_string()),
        }
    }
}

/// `FAX=+NUMBER@domain`, with the sub-address where there is one.
pub(super) fn address(call: &Call, domain: &str) -> String {
    let number = call.number.as_str();
    match &call.subaddress {
        Some(subaddress) => format!("FAX={number}/T33S={subaddress}@{domain}"),
        None => format!("FAX={number}@{domain}"),
    }
}

/// The mail and its pages. Blocking.
pub(super) fn write(options: &Options, call: &Call) -> Result<(Body, u32), Unmade> {
    let file = tiff::read(&call.pages)?;
    let coded: Result<Vec<CodedPage>, TiffError> =
        (0..file.pages().len()).map(|index| file.coded(index)).collect();
    let coded = coded?;
    let profile = match options.profile {
        Profile::S => tiff::Profile::S,
        Profile::F => tiff::Profile::F { order: FillOrder::LowestFirst, quality: &[] },
    };
    let octets =
        tiff::write_as(&coded, profile).map_err(|beyond| Unmade::Profile(beyond.to_string()))?;
    let to = address(call, &options.domain);
    let mailbox = |address: &str| message::Mailbox { name: None, address: address.to_owned() };
    let mut headers = Vec::new();
    if options.mdn {
        // RFC 2532 2.1.2: the same as the return path.
        let path = (options.sender.return_path)(&call.tag);
        headers.push(("Disposition-Notification-To".to_owned(), format!("<{path}>")));
    }
    let letter = Letter {
        head: Head {
            from: mailbox(&options.sender.from),
            to: mailbox(&to),
            subject: "Fax".into(),
            date: Zoned::now(),
            // The same whenever it is sent again, by which duplicates are known.
            message_id: format!("{}@{}", call.tag, options.sender.domain),
            in_reply_to: None,
            language: None,
            headers,
        },
        automatic: None,
        text: String::new(),
        html: None,
        inline: Vec::new(),
        attachments: vec![Attachment {
            name: "fax.tif".into(),
            content_type: TIFF_F.into(),
            content_id: None,
            source: Source::Bytes(octets.into()),
        }],
        delimiters: Delimiters::Random,
    };
    let mut mail = Vec::new();
    letter.write(&mut mail).map_err(|bad| Unmade::Local(io::Error::other(bad)))?;
    Ok((Body::Bytes(mail.into()), coded.len() as u32))
}
