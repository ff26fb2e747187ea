//! One connection of the side that asks: requests with numbers, and what comes back for
//! each of them. Knows no driver.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::AsyncRead,
    sync::{Semaphore, mpsc},
};

use super::{
    document::{Piece, WINDOW},
    frame::{Frame, Kind},
    link::{Broken, Out, Reader},
    message::{self, Answer, Ask, Step},
};
use crate::driver::Progress;

/// Steps of progress that may be on their way.
const STEPS: u32 = 16;

/// What is expected for one request.
struct Expected {
    answers: mpsc::Sender<Heard>,
    pieces: mpsc::Sender<Piece>,
    /// How much of our document may be sent.
    credit: Arc<Semaphore>,
}

/// What comes back besides documents.
#[derive(Debug)]
enum Heard {
    Step(Step),
    Answer(Answer),
    /// An answer that cannot be read.
    Garbled(String),
}

/// The connection as those see it who ask.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) out: Out,
    open: Mutex<Table>,
}

/// The requests that are open; none are taken when the connection is over.
#[derive(Default)]
struct Table {
    over: bool,
    last: u32,
    expected: HashMap<u32, Expected>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} requests", self.expected.len())
    }
}

impl Link {
    pub(super) fn new(out: Out) -> Arc<Self> {
        Arc::new(Self { out, open: Mutex::default() })
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks; `None` when the connection is over.
    pub(super) fn ask(self: &Arc<Self>, ask: &Ask) -> Option<Request> {
        let (answers, heard) = mpsc::channel(STEPS as usize + 1);
        let (pieces, coming) = mpsc::channel(WINDOW as usize + 1);
        let credit = Arc::new(Semaphore::new(0));
        let expected = Expected { answers, pieces, credit: credit.clone() };
        let number = {
            let mut table = self.table();
            if table.over {
                return None;
            }
            loop {
                table.last = table.last.wrapping_add(1).max(1);
                if !table.expected.contains_key(&table.last) {
                    break;
                }
            }
            let number = table.last;
            table.expected.insert(number, expected);
            number
        };
        let coming = Some(coming);
        let request = Request { link: self.clone(), number, heard, coming, credit };
        let frame = message::frame(Kind::Ask, number, ask);
        self.out.urge(frame.kind, frame.request, frame.body).then_some(request)
    }

    /// Hands out what comes until the connection is over; whoever still waits is told.
    pub(super) async fn run<S: AsyncRead>(&self, reader: &mut Reader<S>) -> Broken {
        loop {
            let frame = match reader.next().await {
                Ok(frame) => frame,
                Err(broken) => return broken,
            };
            if let Err(why) = self.take(frame) {
                self.out.urge(Kind::Bye, 0, why.clone().into_bytes());
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Broken::Protocol(why);
            }
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self) {
        let mut table = self.table();
        table.over = true;
        for expected in table.expected.values() {
            expected.credit.close();
        }
        table.expected.clear();
    }

    fn take(&self, frame: Frame) -> Result<(), String> {
        let mut table = self.table();
        // What comes for a request that nobody waits for any more is let fall.
        let Some(expected) = table.expected.get(&frame.request) else { return Ok(()) };
        let too_much = || Err("more came than there was credit for".to_owned());
        match frame.kind {
            Kind::Progress => {
                let step = message::read(&frame)?;
                if expected.answers.capacity() <= 1 {
                    return too_much();
                }
                // Closed: nobody waits for it any more.
                let _ = expected.answers.try_send(Heard::Step(step));
            }
            Kind::Answer => {
                let heard = match message::read(&frame) {
                    Ok(answer) => Heard::Answer(answer),
                    Err(bad) => Heard::Garbled(bad),
                };
                let _ = expected.answers.try_send(heard);
                table.expected.remove(&frame.request);
            }
            Kind::Chunk | Kind::End => {
                let piece = match frame.kind {
                    Kind::Chunk => Piece::Octets(frame.body),
                    _ => Piece::End(message::read(&frame)?),
                };
                if let Err(mpsc::error::TrySendError::Full(_)) = expected.pieces.try_send(piece) {
                    return too_much();
                }
            }
            Kind::Credit => {
                let octets = frame.body.try_into().map_err(|_| "credit is four octets")?;
                let more = u32::from_be_bytes(octets);
                // It grants as much as our window, and never saves up.
                if more > WINDOW {
                    return Err(format!("credit for {more} pieces at once"));
                }
                expected.credit.add_permits(more as usize);
            }
            other => return Err(format!("{other:?} is nothing that the asked side sends")),
        }
        Ok(())
    }
}

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Unheard {
    /// The connection is over.
    Lost,
    /// The answer cannot be read.
    Garbled(String),
}

/// A request that was asked. Whoever drops it before the answer stops it.
pub(super) struct Request {
    link: Arc<Link>,
    pub(super) number: u32,
    heard: mpsc::Receiver<Heard>,
    coming: Option<mpsc::Receiver<Piece>>,
    /// How much of our document may be sent.
    pub(super) credit: Arc<Semaphore>,
}

impl Drop for Request {
    fn drop(&mut self) {
        if self.link.table().expected.remove(&self.number).is_some() {
            self.link.out.urge(Kind::Stop, self.number, Vec::new());
        }
    }
}

impl Request {
    /// The connection that it was asked on.
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// The document that comes for it; once.
    pub(super) fn take_document(&mut self) -> mpsc::Receiver<Piece> {
        self.coming.take().expect("a document is received once")
    }

    /// Lets so many steps of progress come as may wait here.
    pub(super) fn wants_progress(&self) {
        self.link.out.grant(self.number, STEPS);
    }

    /// The answer; how it goes on before that is told to `progress`.
    pub(super) async fn answer(
        &mut self,
        progress: Option<&mpsc::Sender<Progress>>,
    ) -> Result<Answer, Unheard> {
        loop {
            match self.heard.recv().await {
                Some(Heard::Step(step)) => {
                    if let Some(progress) = progress {
                        // Closed: only the end is waited for.
                        let _ = progress.send(step.into()).await;
                    }
                    self.link.out.grant(self.number, 1);
                }
                Some(Heard::Answer(answer)) => return Ok(answer),
                Some(Heard::Garbled(bad)) => return Err(Unheard::Garbled(bad)),
                None => return Err(Unheard::Lost),
            }
        }
    }
}
