//! Reads a session description. Lines that mean nothing to a fax are passed over; what
//! makes no sense is an error, and nothing of the input decides how much is kept.

use std::net::IpAddr;

use thiserror::Error;

use super::{
    Audio, Coding, Correction, Description, Direction, Law, Media, RateManagement, Stream, T38,
};

/// The longest description that is read, in octets.
pub const MAX_OCTETS: usize = 8_192;
/// The most lines of it.
const MAX_LINES: usize = 256;
/// The most streams in it.
const MAX_STREAMS: usize = 8;
/// The most formats of one stream.
const MAX_FORMATS: usize = 32;

/// Why a description cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SdpError {
    /// Longer than anybody needs.
    #[error("the description is longer than {MAX_OCTETS} octets or {MAX_LINES} lines")]
    TooLong,
    /// Not text.
    #[error("the description is not text")]
    NotText,
    /// It does not begin with `v=0`.
    #[error("the description does not begin with v=0")]
    NoVersion,
    /// A line that is not `x=...`.
    #[error("line {0} of the description is not a letter, = and a value")]
    NotALine(usize),
    /// A number or an address that is none.
    #[error("line {0} of the description has a value that cannot be read")]
    BadValue(usize),
    /// More streams than anybody needs.
    #[error("the description has more than {MAX_STREAMS} streams")]
    TooManyStreams,
}

/// Reads a description.
///
/// # Errors
/// [`SdpError`] says what is wrong with it.
pub fn parse(text: &[u8]) -> Result<Description, SdpError> {
    if text.len() > MAX_OCTETS {
        return Err(SdpError::TooLong);
    }
    let text = std::str::from_utf8(text).map_err(|_| SdpError::NotText)?;
    let mut reader = Reader::default();
    let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        if at >= MAX_LINES {
            return Err(SdpError::TooLong);
        }
        reader.line(at + 1, line)?;
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    begun: bool,
    description: Description,
    address: Option<IpAddr>,
    direction: Direction,
    /// Payload types of the stream being read, as they were listed, with what each is.
    formats: Vec<(u8, Option<Law>)>,
}

impl Reader {
    fn line(&mut self, at: usize, line: &str) -> Result<(), SdpError> {
        let (key, value) = match line.as_bytes() {
            [key, b'=', ..] if key.is_ascii_alphabetic() => (*key, &line[2..]),
            _ => return Err(SdpError::NotALine(at)),
        };
        if !self.begun {
            self.begun = key == b'v' && value.trim() == "0";
            return if self.begun { Ok(()) } else { Err(SdpError::NoVersion) };
        }
        match key {
            b'o' => self.origin(value).ok_or(SdpError::BadValue(at)),
            b'c' => {
                let address = address(value);
                match self.description.streams.last_mut() {
                    Some(stream) => stream.address = address,
                    None => self.address = address,
                }
                Ok(())
            }
            b'm' => self.stream(at, value),
            b'a' => {
                self.attribute(value);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn origin(&mut self, value: &str) -> Option<()> {
        let mut words = value.split_ascii_whitespace();
        let (_, id, version) = (words.next()?, words.next()?, words.next()?);
        // Some write numbers longer than they may be: only changes matter.
        self.description.id = id.parse().unwrap_or(0);
        self.description.version = version.parse().unwrap_or(0);
        Some(())
    }

    fn stream(&mut self, at: usize, value: &str) -> Result<(), SdpError> {
        self.close_stream();
        if self.description.streams.len() >= MAX_STREAMS {
            return Err(SdpError::TooManyStreams);
        }
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(SdpError::BadValue(at));
        let (media, port, protocol) = (word()?, word()?, word()?);
        let formats: Vec<&str> = words.take(MAX_FORMATS).collect();
        let port = port.split('/').next().unwrap_or_default();
        let port = port.parse().map_err(|_| SdpError::BadValue(at))?;
        let is = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let parsed = if is(media, "audio") && is(protocol, "RTP/AVP") {
            self.formats = formats.iter().filter_map(|f| f.parse().ok()).map(known).collect();
            Media::Audio(Audio::default())
        } else if is(media, "image")
            && is(protocol, "udptl")
            && formats.iter().any(|format| is(format, "t38"))
        {
            Media::T38(unsaid())
        } else {
            Media::Other
        };
        self.description.streams.push(Stream {
            head: (media.to_owned(), protocol.to_owned(), formats.join(" ")),
            port,
            address: self.address,
            direction: self.direction,
            media: parsed,
        });
        Ok(())
    }

    /// The codings are known when all `a=rtpmap` lines of the stream were read.
    fn close_stream(&mut self) {
        let formats = std::mem::take(&mut self.formats);
        if let Some(Stream { media: Media::Audio(audio), .. }) = self.description.streams.last_mut()
        {
            let coding = |(payload_type, law): (u8, Option<Law>)| {
                law.map(|law| Coding { payload_type, law })
            };
            audio.codings = formats.into_iter().filter_map(coding).collect();
        }
    }

    fn attribute(&mut self, value: &str) {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        let direction = match name.as_str() {
            "sendrecv" => Some(Direction::SendRecv),
            "sendonly" => Some(Direction::SendOnly),
            "recvonly" => Some(Direction::RecvOnly),
            "inactive" => Some(Direction::Inactive),
            _ => None,
        };
        let Some(stream) = self.description.streams.last_mut() else {
            self.direction = direction.unwrap_or(self.direction);
            return;
        };
        stream.direction = direction.unwrap_or(stream.direction);
        match &mut stream.media {
            Media::Audio(audio) => match name.as_str() {
                "rtpmap" => mapped(&mut self.formats, value),
                "ptime" => audio.ptime_ms = value.parse().ok(),
                "silencesupp" => {
                    audio.silence_suppressed = value.to_ascii_lowercase().starts_with("on");
                }
                _ => {}
            },
            Media::T38(t38) => t38_attribute(t38, &name, value),
            Media::Other => {}
        }
    }

    fn finish(mut self) -> Result<Description, SdpError> {
        self.close_stream();
        match self.begun {
            true => Ok(self.description),
            false => Err(SdpError::NoVersion),
        }
    }
}

/// The payload types that need no description (RFC 3551 6).
fn known(payload_type: u8) -> (u8, Option<Law>) {
    let law = match payload_type {
        0 => Some(Law::Pcmu),
        8 => Some(Law::Pcma),
        _ => None,
    };
    (payload_type, law)
}

/// `a=rtpmap:8 PCMA/8000`.
fn mapped(formats: &mut [(u8, Option<Law>)], value: &str) {
    let mut words = value.split_ascii_whitespace();
    let (Some(number), Some(coding)) = (words.next(), words.next()) else { return };
    let Ok(number) = number.parse::<u8>() else { return };
    let law = match coding.to_ascii_uppercase().as_str() {
        "PCMA/8000" | "PCMA/8000/1" => Some(Law::Pcma),
        "PCMU/8000" | "PCMU/8000/1" => Some(Law::Pcmu),
        _ => None,
    };
    for format in formats.iter_mut().filter(|format| format.0 == number) {
        format.1 = law;
    }
}

/// T.38 of which nothing is said (T.38 D.2.3).
const fn unsaid() -> T38 {
    T38 {
        version: 0,
        max_bit_rate: 14_400,
        fill_bit_removal: false,
        transcoding_mmr: false,
        transcoding_jbig: false,
        rate_management: RateManagement::Transferred,
        max_buffer: None,
        max_datagram: None,
        correction: Correction::Redundancy,
    }
}

/// Makers disagree about capitals, and about whether a switch has a value.
fn t38_attribute(t38: &mut T38, name: &str, value: &str) {
    let on = value != "0";
    match name {
        "t38faxversion" => t38.version = value.parse().unwrap_or(0),
        "t38maxbitrate" => t38.max_bit_rate = value.parse().unwrap_or(t38.max_bit_rate).max(2_400),
        "t38faxfillbitremoval" => t38.fill_bit_removal = on,
        "t38faxtranscodingmmr" => t38.transcoding_mmr = on,
        "t38faxtranscodingjbig" => t38.transcoding_jbig = on,
        "t38faxratemanagement" => {
            t38.rate_management = match value.eq_ignore_ascii_case("localTCF") {
                true => RateManagement::Local,
                false => RateManagement::Transferred,
            }
        }
        "t38faxmaxbuffer" => t38.max_buffer = value.parse().ok(),
        "t38faxmaxdatagram" => t38.max_datagram = value.parse().ok(),
        "t38faxudpec" => {
            t38.correction = match value.to_ascii_lowercase().as_str() {
                "t38udpfec" => Correction::Parity,
                "t38udpnoec" => Correction::None,
                _ => Correction::Redundancy,
            }
        }
        _ => {}
    }
}

/// `IN IP4 192.0.2.1`. Names, and groups of receivers, are no address for a fax.
fn address(value: &str) -> Option<IpAddr> {
    let mut words = value.split_ascii_whitespace();
    match (words.next()?, words.next()?, words.next()?) {
        ("IN", "IP4" | "IP6", address) => address.parse().ok(),
        _ => None,
    }
}
