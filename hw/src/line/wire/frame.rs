//! Frames: what the connection between a supervisor and a line server is cut into. Nothing
//! of a frame is kept before its length is known to be one that its kind may have.
//!
//! ```text
//!  0       4      5            9
//!  +-------+------+------------+----------------- - - -
//!  | length| kind | request    | body, `length` octets
//!  +-------+------+------------+----------------- - - -
//! ```
//!
//! Numbers have their highest octet first.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Octets before the body.
pub(super) const HEADER: usize = 9;
/// Most octets of one piece of a document.
pub(super) const MAX_CHUNK: usize = 32 << 10;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Who speaks, and which versions: the first frame of either side.
    Hello = 0,
    /// A request.
    Ask = 1,
    /// The answer to one; nothing of that request comes after it.
    Answer = 2,
    /// How something goes on that was asked for.
    Progress = 3,
    /// A piece of a document.
    Chunk = 4,
    /// The end of a document, with its length and digest.
    End = 5,
    /// How many more pieces or steps of progress may be sent for a request.
    Credit = 6,
    /// Nobody waits for the answer any more.
    Stop = 7,
    /// The sender lives.
    Alive = 8,
    /// Why the sender closes the connection.
    Bye = 9,
}

/// All kinds, in the order of their numbers, and the most octets of a body of each.
const KINDS: [(Kind, usize); 10] = [
    (Kind::Hello, 4 << 10),
    (Kind::Ask, 256 << 10),
    (Kind::Answer, 1 << 20),
    (Kind::Progress, 16 << 10),
    (Kind::Chunk, MAX_CHUNK),
    (Kind::End, 256),
    (Kind::Credit, 4),
    (Kind::Stop, 0),
    (Kind::Alive, 0),
    (Kind::Bye, 1 << 10),
];

impl Kind {
    /// The most octets of a body.
    pub(super) fn most(self) -> usize {
        KINDS[self as usize].1
    }
}

/// Octets that begin no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFrame {
    /// There is no such kind.
    #[error("there is no frame of kind {0}")]
    Kind(u8),
    /// It is longer than its kind may be.
    #[error("a frame of kind {kind:?} has {length} octets, and may have {}", .kind.most())]
    TooLong {
        /// Its kind.
        kind: Kind,
        /// What it would have.
        length: u32,
    },
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it is.
    pub(super) kind: Kind,
    /// The request that it belongs to; 0 where it belongs to none.
    pub(super) request: u32,
    /// What it says.
    pub(super) body: Vec<u8>,
}

impl Frame {
    /// A frame without a body.
    pub(super) fn bare(kind: Kind, request: u32) -> Self {
        Self { kind, request, body: Vec::new() }
    }

    /// As it goes over the connection. A body that is too long for its kind is a bug of
    /// whoever made it: the other side refuses it.
    pub(super) fn octets(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        let mut octets = Vec::with_capacity(HEADER + self.body.len());
        octets.extend(length.to_be_bytes());
        octets.push(self.kind as u8);
        octets.extend(self.request.to_be_bytes());
        octets.extend(&self.body);
        octets
    }
}

/// What stands before a body: the kind, the request, and how long the body is.
pub(super) fn header(octets: [u8; HEADER]) -> Result<(Kind, u32, usize), BadFrame> {
    let [a, b, c, d, kind, e, f, g, h] = octets;
    let length = u32::from_be_bytes([a, b, c, d]);
    let (kind, most) = *KINDS.get(usize::from(kind)).ok_or(BadFrame::Kind(kind))?;
    match usize::try_from(length) {
        Ok(octets) if octets <= most => Ok((kind, u32::from_be_bytes([e, f, g, h]), octets)),
        _ => Err(BadFrame::TooLong { kind, length }),
    }
}

/// Reads one frame. Not to be dropped halfway when more is to be read.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Frame> {
    let mut start = [0; HEADER];
    from.read_exact(&mut start).await?;
    let bad = |bad: BadFrame| io::Error::new(io::ErrorKind::InvalidData, bad);
    let (kind, request, length) = header(start).map_err(bad)?;
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Frame { kind, request, body })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kinds_are_in_the_order_of_their_numbers() {
        for (at, (kind, _)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused_before_it_is_kept() {
        let mut start = u32::MAX.to_be_bytes().to_vec();
        start.extend([Kind::Answer as u8, 0, 0, 0, 1]);
        let failed = read(&mut &start[..]).await.unwrap_err();
        assert!(failed.to_string().contains("4294967295 octets"), "{failed}");
        let failed = read(&mut &[0, 0, 0, 0, 77, 0, 0, 0, 0][..]).await.unwrap_err();
        assert_eq!(failed.to_string(), "there is no frame of kind 77");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 0..KINDS.len(), request: u32, fill in 0_usize..300) {
            let (kind, most) = KINDS[kind];
            let frame = Frame { kind, request, body: vec![7; fill.min(most)] };
            let octets = frame.octets();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert_eq!(runtime.block_on(read(&mut &octets[..])).unwrap(), frame);
            // Cut anywhere, it is no frame.
            let cut = &octets[..octets.len() - 1];
            prop_assert!(runtime.block_on(read(&mut &cut[..])).is_err());
        }

        #[test]
        fn whatever_comes_a_header_is_bounded(octets: [u8; HEADER]) {
            if let Ok((kind, _, length)) = header(octets) {
                prop_assert!(length <= kind.most());
            }
        }
    }
}
