//! One connection as frames: a task that writes what waits and says now and then that we
//! live, and a reader that gives up on a peer that is silent. Knows no request.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    sync::mpsc,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    frame::{self, Frame, Kind},
    message::{self, Hello, PROTOCOL, Role},
};

/// Frames that may wait to be written; whoever brings more waits as well.
const QUEUE: usize = 32;

/// How patient a side is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The longest that TLS, and then the first frame, may take.
    pub handshake: Duration,
    /// How often a side says that it lives.
    pub alive: Duration,
    /// How long the other side may say nothing, or take nothing.
    pub dead: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { handshake: seconds(10), alive: seconds(10), dead: seconds(35) }
    }
}

/// The versions of the protocol that a side speaks, from the oldest to the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The oldest.
    pub oldest: u32,
    /// The newest.
    pub newest: u32,
}

impl Versions {
    /// Those of this program.
    pub const OURS: Self = Self { oldest: 1, newest: 1 };

    /// The newest that both speak.
    fn common(self, other: Self) -> Option<u32> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "version {}", self.newest),
            false => write!(f, "versions {} to {}", self.oldest, self.newest),
        }
    }
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The system, or TLS, said so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side closed it.
    #[error("the connection was closed")]
    Closed,
    /// Nothing came any more.
    #[error("the other side has said nothing for {} s", .0.as_secs())]
    Silent(Duration),
    /// The two have no version of the protocol in common.
    #[error(
        "{name} ({software}) speaks {theirs} of the line protocol and this Postfax speaks {ours}: \
         update the older one"
    )]
    Version {
        /// What the other side calls itself.
        name: String,
        /// Its program.
        software: String,
        /// What it speaks.
        theirs: Versions,
        /// What we speak.
        ours: Versions,
    },
    /// The other side did what the protocol does not let it do.
    #[error("the other side broke the protocol: {0}")]
    Protocol(String),
    /// The other side said why it closes.
    #[error("the other side closed the connection: {0}")]
    Bye(String),
    /// A newer connection of the same peer has taken its place.
    #[error("a newer connection has taken its place")]
    Replaced,
    /// Its key may not come in any more, or is that of somebody else now.
    #[error("who has its key may not come in any more, or is somebody else now")]
    Withdrawn,
}

/// Brings frames to the task that writes. It can be cloned and never blocks the reader.
#[derive(Debug, Clone)]
pub(super) struct Out {
    frames: mpsc::Sender<Frame>,
    /// Requests, and short frames that are never more than there are requests and pieces on
    /// their way.
    urgent: mpsc::UnboundedSender<Frame>,
}

impl Out {
    /// Waits until there is room; false when the connection is over.
    pub(super) async fn send(&self, frame: Frame) -> bool {
        self.frames.send(frame).await.is_ok()
    }

    /// Goes before all that waits, after what went so before: a request is asked before
    /// credit is given for it. False when the connection is over.
    pub(super) fn urge(&self, kind: Kind, request: u32, body: Vec<u8>) -> bool {
        self.urgent.send(Frame { kind, request, body }).is_ok()
    }

    /// Lets the other side send so many more pieces of this request.
    pub(super) fn grant(&self, request: u32, pieces: u32) {
        self.urge(Kind::Credit, request, pieces.to_be_bytes().to_vec());
    }
}

/// Reads frames.
pub(super) struct Reader<S> {
    from: ReadHalf<S>,
    dead: Duration,
}

impl<S: AsyncRead> Reader<S> {
    /// The next frame that says something. Not to be dropped while more is to be read.
    pub(super) async fn next(&mut self) -> Result<Frame, Broken> {
        loop {
            let read = timeout(self.dead, frame::read(&mut self.from)).await;
            let frame = read.map_err(|_| Broken::Silent(self.dead))?.map_err(over)?;
            match frame.kind {
                Kind::Alive => {}
                Kind::Hello => return Err(Broken::Protocol("a second hello".into())),
                Kind::Bye => return Err(farewell(&frame)),
                _ => return Ok(frame),
            }
        }
    }
}

/// The task that writes; it ends with this.
pub(super) struct Writer(JoinHandle<()>);

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What we say first.
pub(super) struct Us {
    pub(super) hello: Hello,
    pub(super) timing: Timing,
}

/// A connection on which both sides have said who they are.
pub(super) struct Joined<S> {
    pub(super) reader: Reader<S>,
    pub(super) out: Out,
    pub(super) writer: Writer,
    /// What the other side said.
    pub(super) peer: Hello,
}

/// Says hello, hears it, and begins.
pub(super) async fn join<S>(stream: S, us: &Us) -> Result<Joined<S>, Broken>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut from, mut to) = split(stream);
    let greeting = greet(&mut from, &mut to, us);
    let met = timeout(us.timing.handshake, greeting).await;
    let met = met.unwrap_or(Err(Broken::Silent(us.timing.handshake)));
    let peer = match met {
        Ok(peer) => peer,
        Err(broken) => {
            say_why(&mut to, &broken, us.timing.handshake).await;
            return Err(broken);
        }
    };
    let (frames, waiting) = mpsc::channel(QUEUE);
    let (urgent, at_once) = mpsc::unbounded_channel();
    let writing = tokio::spawn(write(to, waiting, at_once, us.timing));
    let reader = Reader { from, dead: us.timing.dead };
    Ok(Joined { reader, out: Out { frames, urgent }, writer: Writer(writing), peer })
}

async fn greet<S: AsyncRead + AsyncWrite>(
    from: &mut ReadHalf<S>,
    to: &mut WriteHalf<S>,
    us: &Us,
) -> Result<Hello, Broken> {
    let ours = Versions { oldest: us.hello.oldest, newest: us.hello.newest };
    to.write_all(&message::frame(Kind::Hello, 0, &us.hello).octets()).await?;
    to.flush().await?;
    let frame = frame::read(from).await.map_err(over)?;
    match frame.kind {
        Kind::Hello => {}
        Kind::Bye => return Err(farewell(&frame)),
        other => return Err(Broken::Protocol(format!("{other:?} came before a hello"))),
    }
    let peer: Hello = message::read(&frame).map_err(Broken::Protocol)?;
    if peer.protocol != PROTOCOL {
        let other: String = peer.protocol.chars().take(40).collect();
        return Err(Broken::Protocol(format!("it speaks {other:?} and not {PROTOCOL}")));
    }
    let theirs = Versions { oldest: peer.oldest, newest: peer.newest };
    if ours.common(theirs).is_none() {
        let (name, software) = (peer.name, peer.software);
        return Err(Broken::Version { name, software, theirs, ours });
    }
    if peer.role == us.hello.role {
        let side = match peer.role {
            Role::Supervisor => "a supervisor",
            Role::Lines => "a line server",
        };
        return Err(Broken::Protocol(format!("both sides are {side}")));
    }
    Ok(peer)
}

/// Tells the other side why this is the end, as far as it still listens.
async fn say_why<S: AsyncWrite>(to: &mut WriteHalf<S>, why: &Broken, limit: Duration) {
    let why = match why {
        Broken::Version { theirs, ours, .. } => {
            format!("it speaks {ours} of the line protocol and we speak {theirs}")
        }
        Broken::Protocol(what) => what.clone(),
        _ => return,
    };
    let why: String = why.chars().take(200).collect();
    let bye = Frame { kind: Kind::Bye, request: 0, body: why.into_bytes() }.octets();
    let saying = async {
        to.write_all(&bye).await?;
        to.shutdown().await
    };
    let _ = timeout(limit, saying).await;
}

fn farewell(frame: &Frame) -> Broken {
    let said = String::from_utf8_lossy(&frame.body);
    Broken::Bye(said.chars().filter(|c| !c.is_control()).collect())
}

fn over(error: io::Error) -> Broken {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Broken::Closed,
        io::ErrorKind::InvalidData
            if error.get_ref().is_some_and(|inner| inner.is::<frame::BadFrame>()) =>
        {
            Broken::Protocol(error.to_string())
        }
        _ => Broken::Io(error),
    }
}

/// Writes until nobody has anything to say any more, or the other side takes nothing.
async fn write<S: AsyncWrite>(
    mut to: WriteHalf<S>,
    mut frames: mpsc::Receiver<Frame>,
    mut urgent: mpsc::UnboundedReceiver<Frame>,
    timing: Timing,
) {
    let mut beat = interval(timing.alive);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Instant::now();
    loop {
        let frame = tokio::select! {
            biased;
            Some(frame) = urgent.recv() => frame,
            frame = frames.recv() => match frame {
                Some(frame) => frame,
                None => break,
            },
            _ = beat.tick() => match last.elapsed() < timing.alive / 2 {
                true => continue,
                false => Frame::bare(Kind::Alive, 0),
            },
        };
        let writing = async {
            to.write_all(&frame.octets()).await?;
            to.flush().await
        };
        if !matches!(timeout(timing.dead, writing).await, Ok(Ok(()))) {
            break;
        }
        last = Instant::now();
    }
    let _ = timeout(timing.handshake, to.shutdown()).await;
}
