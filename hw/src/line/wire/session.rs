//! One connection of the side that is asked: takes requests, answers each in a task of its
//! own, and hands on what comes for them. Nothing that one request waits for holds up
//! another one.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use tokio::{
    io::AsyncRead,
    sync::{Semaphore, mpsc},
    task::{AbortHandle, JoinSet},
};

use super::{
    document::{self, Failed, Piece, Temporary, WINDOW},
    frame::{Frame, Kind},
    link::{Broken, Joined, Out, Reader, Writer},
    message::{self, Answer, Ask, Fault, Fax, Step, words},
    serve::{Host, said},
};
use crate::driver::{Ticket, Waiting};

/// Most requests that are open at a time.
const MAX_OPEN: usize = 4096;
/// Most pieces that an asker may let us send at once.
const MAX_CREDIT: usize = 1024;
/// The longest wait for an arrival.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Steps of progress that may wait.
const STEPS: usize = 8;

/// A request that is being answered.
struct Open {
    work: AbortHandle,
    /// How much of the answer may be sent.
    credit: Arc<Semaphore>,
    /// What comes for it.
    pieces: mpsc::Sender<Piece>,
}

pub(super) struct Session<S> {
    host: Arc<Host>,
    reader: Reader<S>,
    out: Out,
    _writer: Writer,
    open: HashMap<u32, Open>,
    work: JoinSet<u32>,
}

impl<S: AsyncRead> Session<S> {
    pub(super) fn new(host: Arc<Host>, joined: Joined<S>) -> Self {
        let Joined { reader, out, writer, peer: _ } = joined;
        let (open, work) = (HashMap::new(), JoinSet::new());
        Self { host, reader, out, _writer: writer, open, work }
    }

    /// Takes requests until the connection is over.
    pub(super) async fn run(&mut self) -> Broken {
        loop {
            let frame = match self.reader.next().await {
                Ok(frame) => frame,
                Err(broken) => return broken,
            };
            while let Some(done) = self.work.try_join_next() {
                if let Ok(request) = done {
                    self.open.remove(&request);
                }
            }
            if let Err(why) = self.take(frame) {
                self.out.urge(Kind::Bye, 0, why.clone().into_bytes());
                // The task that writes has a moment to say it.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Broken::Protocol(why);
            }
        }
    }

    /// Ends what only somebody who listens needs.
    pub(super) async fn end(&mut self) {
        self.work.shutdown().await;
    }

    fn take(&mut self, frame: Frame) -> Result<(), String> {
        let request = frame.request;
        match frame.kind {
            Kind::Ask => return self.begin(&frame),
            Kind::Stop => {
                if let Some(open) = self.open.remove(&request) {
                    open.work.abort();
                }
            }
            Kind::Credit => {
                let Some(open) = self.open.get(&request) else { return Ok(()) };
                let octets = frame.body.try_into().map_err(|_| "credit is four octets")?;
                let more = usize::try_from(u32::from_be_bytes(octets)).unwrap_or(usize::MAX);
                if more > MAX_CREDIT || open.credit.available_permits() + more > MAX_CREDIT {
                    return Err(format!(
                        "no more than {MAX_CREDIT} pieces may be let come at once"
                    ));
                }
                open.credit.add_permits(more);
            }
            Kind::Chunk => self.pass(request, Piece::Octets(frame.body))?,
            Kind::End => self.pass(request, Piece::End(message::read(&frame)?))?,
            other => return Err(format!("{other:?} is nothing that an asker sends")),
        }
        Ok(())
    }

    /// Hands on a piece of a document. One for a request that is over is let fall.
    fn pass(&mut self, request: u32, piece: Piece) -> Result<(), String> {
        let Some(open) = self.open.get(&request) else { return Ok(()) };
        match open.pieces.try_send(piece) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err("more pieces came than there was credit for".into())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, frame: &Frame) -> Result<(), String> {
        let request = frame.request;
        if self.open.contains_key(&request) {
            return Err(format!("there is a request {request} already"));
        }
        let ask: Ask = message::read(frame)?;
        if self.open.len() >= MAX_OPEN {
            let why = format!("more than {MAX_OPEN} requests at a time");
            let answer = Answer::Failed(Fault::Away { why });
            let frame = message::frame(Kind::Answer, request, &answer);
            self.out.urge(frame.kind, frame.request, frame.body);
            return Ok(());
        }
        let credit = Arc::new(Semaphore::new(0));
        let (pieces, coming) = mpsc::channel(WINDOW as usize + 1);
        let errand =
            Errand { host: self.host.clone(), out: self.out.clone(), request, credit, coming };
        let credit = errand.credit.clone();
        let work = self.work.spawn(async move {
            errand.run(ask).await;
            request
        });
        self.open.insert(request, Open { work, credit, pieces });
        Ok(())
    }
}

/// One request and its answer.
struct Errand {
    host: Arc<Host>,
    out: Out,
    request: u32,
    credit: Arc<Semaphore>,
    coming: mpsc::Receiver<Piece>,
}

impl Errand {
    async fn run(mut self, ask: Ask) {
        let answer = match ask {
            Ask::Submit(fax) => self.submit(fax).await,
            Ask::Follow { ticket } => self.follow(&ticket).await,
            Ask::Arrival { at_most_ms } => {
                let at_most = Duration::from_millis(at_most_ms).min(LONGEST_WAIT);
                self.host.driver.arrival(at_most).await;
                Answer::Done
            }
            Ask::Fetch { fax } => self.fetch(fax).await,
            ask => self.host.answer(ask).await,
        };
        let mut frame = message::frame(Kind::Answer, self.request, &answer);
        if frame.body.len() > frame.kind.most() {
            let why = format!("the answer would have {} octets", frame.body.len());
            let fault = Answer::Failed(Fault::Failed { why });
            frame = message::frame(Kind::Answer, self.request, &fault);
        }
        self.out.send(frame).await;
    }

    /// Takes the document first: a connection that breaks before its end has begun nothing.
    async fn submit(&mut self, fax: Fax) -> Answer {
        let file = Temporary(self.host.file());
        let came = document::receive(&mut self.coming, self.request, &self.out, &file.0).await;
        if let Err(failed) = came {
            return Answer::Failed(fault(&failed));
        }
        let held = self.host.tag(&fax.tag).await;
        let host = self.host.clone();
        // From here on it is carried through.
        let submitting = tokio::spawn(async move {
            let _held = held;
            let call = fax.call(file.0.clone());
            let able = host.driver.capabilities();
            let before = if able.finds { host.driver.find(&call.tag).await } else { Ok(None) };
            match before {
                Ok(Some(ticket)) => Answer::Ticket(Some(ticket)),
                Ok(None) => said(host.driver.submit(&call).await, |t| Answer::Ticket(Some(t))),
                Err(failed) => Answer::Failed(failed.into()),
            }
        });
        submitting.await.unwrap_or_else(|bug| {
            // It may have been taken before the bug.
            Answer::Failed(Fault::Unsure { why: words(bug) })
        })
    }

    async fn follow(&self, ticket: &Ticket) -> Answer {
        let (progress, mut steps) = mpsc::channel(STEPS);
        let following = self.host.driver.follow(ticket, progress);
        let telling = async {
            while let Some(step) = steps.recv().await {
                let Ok(credit) = self.credit.acquire().await else { return };
                credit.forget();
                let step = message::frame(Kind::Progress, self.request, &Step::from(step));
                if !self.out.send(step).await {
                    return;
                }
            }
        };
        let (ended, ()) = tokio::join!(following, telling);
        said(ended, Answer::from)
    }

    async fn fetch(&self, fax: Waiting) -> Answer {
        let host = self.host.clone();
        // A copy that is begun comes to its end when nobody waits for it any more, and is
        // removed then and not before.
        let copying = tokio::spawn(async move {
            let file = Temporary(host.file());
            host.driver.fetch(&fax, &file.0).await.map(|()| file)
        });
        let file = match copying.await {
            Ok(Ok(file)) => file,
            Ok(Err(failed)) => return Answer::Failed(failed.into()),
            Err(bug) => return Answer::Failed(Fault::Failed { why: words(bug) }),
        };
        let whole = AtomicBool::new(false);
        let sent = document::send(&file.0, self.request, &self.out, &self.credit, &whole).await;
        match sent {
            Ok(()) => Answer::Done,
            Err(failed) => Answer::Failed(fault(&failed)),
        }
    }
}

fn fault(failed: &Failed) -> Fault {
    match failed {
        Failed::File { source, .. } => Fault::Failed { why: words(source) },
        Failed::Damaged(_) => Fault::Damaged { why: words(failed) },
        Failed::Lost => Fault::Away { why: words(failed) },
    }
}
