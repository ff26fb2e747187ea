//! A cable between two ends that is cut after so many octets.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{
        AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split,
    },
    sync::Notify,
    task::JoinSet,
};

/// Octets that are under way in the cable.
const LENGTH: usize = 64 << 10;

/// What becomes of a cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It lasts.
    Whole,
    /// After so many octets, of both directions together, both ends see it closed.
    Closed(u64),
    /// After so many octets nothing passes any more, and neither end is told.
    Silent(u64),
}

/// A cable; it is cut when this is dropped.
pub(super) struct Cable {
    passed: Arc<AtomicU64>,
    pub(super) cut: Arc<Notify>,
    _relays: JoinSet<()>,
}

impl Cable {
    pub(super) fn new(fate: Fate) -> (Self, DuplexStream, DuplexStream) {
        let (left, left_inside) = duplex(LENGTH);
        let (right, right_inside) = duplex(LENGTH);
        let (passed, cut) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let mut relays = JoinSet::new();
        let (counted, told) = (passed.clone(), cut.clone());
        relays.spawn(async move {
            let (from_left, to_left) = split(left_inside);
            let (from_right, to_right) = split(right_inside);
            tokio::select! {
                () = relay(from_left, to_right, fate, &counted) => {}
                () = relay(from_right, to_left, fate, &counted) => {}
            }
            told.notify_one();
        });
        (Self { passed, cut, _relays: relays }, left, right)
    }

    pub(super) fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }
}

async fn relay(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    fate: Fate,
    passed: &AtomicU64,
) {
    let limit = match fate {
        Fate::Whole => u64::MAX,
        Fate::Closed(limit) | Fate::Silent(limit) => limit,
    };
    let mut piece = vec![0; 4096];
    loop {
        let Ok(count @ 1..) = from.read(&mut piece).await else { return };
        let before = passed.fetch_add(count as u64, Ordering::SeqCst);
        let may = usize::try_from(limit.saturating_sub(before)).unwrap_or(usize::MAX).min(count);
        // What may pass goes out before the cut is noticed.
        if to.write_all(&piece[..may]).await.is_err() {
            return;
        }
        match fate {
            _ if may == count => {}
            // The ends stay as they are, and hear nothing.
            Fate::Silent(_) => std::future::pending().await,
            Fate::Whole | Fate::Closed(_) => return,
        }
    }
}
