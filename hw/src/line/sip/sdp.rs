//! Session descriptions (RFC 8866) as far as a fax needs them: one stream of G.711 audio
//! or of T.38 over UDPTL, offered and answered (RFC 3264). Reads bounded text and knows
//! no socket; whatever else a peer describes is kept only to be refused in its place.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};

pub use self::read::{SdpError, parse};
pub use super::options::Law;

/// The T.38 version that we speak (T.38 D.2.3.1): the first one, which every other must
/// understand.
pub const T38_VERSION: u8 = 0;
/// The longest UDPTL datagram that we take, in octets.
pub const T38_MAX_DATAGRAM: u32 = 400;
/// How long one audio packet is when nobody asks for another length.
pub const PTIME_MS: u32 = 20;

/// Who may send on a stream (RFC 8866 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The one who describes; the other is on hold.
    SendOnly,
    /// The other one.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// What an answer says to it (RFC 3264 6.1).
    #[must_use]
    pub const fn answered(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }
}

/// One coding of audio within a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coding {
    /// Its number in RTP.
    pub payload_type: u8,
    /// Which one.
    pub law: Law,
}

/// A stream of audio.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audio {
    /// The codings of it that we know, the preferred one first.
    pub codings: Vec<Coding>,
    /// Length of a packet in milliseconds, where it is asked for.
    pub ptime_ms: Option<u32>,
    /// Silence is left out (`a=silenceSupp:on`), which a fax must not suffer.
    pub silence_suppressed: bool,
}

/// Who checks the training of modems (T.38 8.1 and 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateManagement {
    /// The machines do; their training is carried. The one way over UDP.
    #[default]
    Transferred,
    /// The gateways do, each on its side. For TCP.
    Local,
}

/// How lost datagrams are made good (T.38 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Correction {
    /// Not at all.
    None,
    /// Each datagram repeats those before it.
    #[default]
    Redundancy,
    /// By parity packets.
    Parity,
}

/// What is said of a T.38 stream (T.38 D.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct T38 {
    /// Version of the recommendation.
    pub version: u8,
    /// Highest rate of page data in bit/s.
    pub max_bit_rate: u32,
    /// Fill bits may be left out.
    pub fill_bit_removal: bool,
    /// MMR may be carried where the machines speak MH.
    pub transcoding_mmr: bool,
    /// JBIG likewise.
    pub transcoding_jbig: bool,
    /// Who checks training.
    pub rate_management: RateManagement,
    /// Octets that may wait there.
    pub max_buffer: Option<u32>,
    /// Longest datagram that is taken there, in octets.
    pub max_datagram: Option<u32>,
    /// How losses are made good.
    pub correction: Correction,
}

impl T38 {
    /// What we can do, with pages at most as fast as this.
    #[must_use]
    pub const fn ours(max_bit_rate: u32) -> Self {
        Self {
            version: T38_VERSION,
            max_bit_rate,
            fill_bit_removal: false,
            transcoding_mmr: false,
            transcoding_jbig: false,
            rate_management: RateManagement::Transferred,
            max_buffer: Some(2_000),
            max_datagram: Some(T38_MAX_DATAGRAM),
            correction: Correction::Redundancy,
        }
    }

    /// What is answered to this offer: never more than was offered (T.38 D.2.3).
    #[must_use]
    pub fn answered(self, max_bit_rate: u32) -> Self {
        let ours = Self::ours(max_bit_rate);
        Self {
            version: self.version.min(ours.version),
            max_bit_rate: self.max_bit_rate.min(ours.max_bit_rate),
            correction: match self.correction {
                Correction::None => Correction::None,
                Correction::Redundancy | Correction::Parity => Correction::Redundancy,
            },
            ..ours
        }
    }
}

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Media {
    /// G.711 over RTP, or audio of codings that we do not know.
    Audio(Audio),
    /// T.38 over UDPTL.
    T38(T38),
    /// Something that we refuse.
    Other,
}

/// One stream (`m=`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Media, protocol and formats as they were written, for the refusal.
    pub head: (String, String, String),
    /// Where it is received; 0: it is refused or gone.
    pub port: u16,
    /// At which address. `None` where it was not given as numbers.
    pub address: Option<IpAddr>,
    /// Who sends.
    pub direction: Direction,
    /// What it carries.
    pub media: Media,
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Number of the session, of the one who describes.
    pub id: u64,
    /// Grows with each change.
    pub version: u64,
    /// Its streams in order.
    pub streams: Vec<Stream>,
}

/// A stream of ours, or one agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreed {
    /// Audio in this coding.
    Audio {
        /// The coding.
        coding: Coding,
        /// Length of a packet in milliseconds.
        ptime_ms: u32,
    },
    /// T.38 with these parameters.
    T38(T38),
}

impl Agreed {
    /// Whether it is T.38.
    #[must_use]
    pub const fn is_t38(self) -> bool {
        matches!(self, Self::T38(_))
    }
}

/// What we would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taste {
    /// T.38 may be used.
    pub t38: bool,
    /// Audio may be used.
    pub audio: bool,
    /// Of a description that has both, T.38 is taken.
    pub t38_first: bool,
    /// The coding of audio that we prefer.
    pub law: Law,
    /// Our highest rate over T.38 in bit/s.
    pub max_bit_rate: u32,
}

/// Which stream of a description is taken, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Its place in the description.
    pub index: usize,
    /// Where the other side receives. `None`: it is on hold without an address.
    pub remote: Option<SocketAddr>,
    /// What is answered about who sends.
    pub direction: Direction,
    /// How it is used.
    pub agreed: Agreed,
}

impl Description {
    /// Chooses the stream to use. `None`: nothing in it is possible for us (488).
    #[must_use]
    pub fn choose(&self, taste: Taste) -> Option<Choice> {
        let mut usable: Vec<Choice> = (0..self.streams.len())
            .filter_map(|index| self.streams[index].choice(index, taste))
            .collect();
        // Stable: what the other side named first stays first among equals.
        usable.sort_by_key(|choice| choice.agreed.is_t38() != taste.t38_first);
        usable.into_iter().next()
    }
}

impl Stream {
    fn choice(&self, index: usize, taste: Taste) -> Option<Choice> {
        if self.port == 0 {
            return None;
        }
        let agreed = match &self.media {
            Media::Audio(audio) if taste.audio => audio.agreed(taste.law)?,
            Media::T38(t38) if taste.t38 && t38.rate_management == RateManagement::Transferred => {
                Agreed::T38(t38.answered(taste.max_bit_rate))
            }
            _ => return None,
        };
        let address = self.address?;
        // The old way to put a call on hold (RFC 3264 8.4).
        let held = address.is_unspecified();
        let direction = match held && self.direction == Direction::SendRecv {
            true => Direction::RecvOnly,
            false => self.direction.answered(),
        };
        let remote = (!held).then_some(SocketAddr::new(address, self.port));
        Some(Choice { index, remote, direction, agreed })
    }
}

impl Audio {
    fn agreed(&self, law: Law) -> Option<Agreed> {
        let preferred = self.codings.iter().find(|coding| coding.law == law);
        let coding = *preferred.or(self.codings.first())?;
        let ptime_ms = self.ptime_ms.filter(|ms| (10..=60).contains(ms) && ms % 10 == 0);
        Some(Agreed::Audio { coding, ptime_ms: ptime_ms.unwrap_or(PTIME_MS) })
    }
}

/// What a description of ours says of ourselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// Number of our session.
    pub id: u64,
    /// Grows with each change.
    pub version: u64,
    /// Where we receive, as the other side sees us.
    pub address: IpAddr,
    /// At which port.
    pub port: u16,
}

/// An offer of audio, in both codings, this one first.
#[must_use]
pub fn offer_audio(local: Local, law: Law) -> String {
    write::audio_offer(local, law)
}

/// An offer of T.38.
#[must_use]
pub fn offer_t38(local: Local, t38: &T38) -> String {
    write::t38_offer(local, t38)
}

/// The answer to `offer` that takes one stream and refuses the others.
#[must_use]
pub fn answer(local: Local, offer: &Description, choice: &Choice) -> String {
    write::answer(local, offer, choice)
}
