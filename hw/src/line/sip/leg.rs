//! Our side of one dialogue: a call being placed, and a call that stands. Offers of the
//! other side are events, ours are requests; nothing of media is known here.

use std::{
    future::Future,
    sync::{Arc, PoisonError},
    time::Duration,
};

use rsipstack::{
    dialog::{
        dialog::{DialogState, DialogStateReceiver, TerminatedReason, TransactionHandle},
        invitation::InviteAsyncResult,
        invite_dialog::InviteDialog,
    },
    sip::{Header, HeadersExt as _, Method, Request, Response, StatusCode, StatusCodeKind},
};
use tokio::task::JoinHandle;

use super::{
    agent::{Agent, Room},
    causes::{Cause, q850},
};

/// How often, and how far apart, a BYE is tried while a re-INVITE stands in its way.
const BYE_TRIES: (u32, Duration) = (40, Duration::from_millis(250));

/// What happens while a call is being placed.
pub enum Progress {
    /// The trunk has it.
    Trying,
    /// It rings.
    Ringing,
    /// It was answered, with this description.
    Answered(Leg, Vec<u8>),
    /// It did not come about.
    Failed(Cause),
}

/// A call being placed. Dropped, it is cancelled.
pub struct Calling {
    agent: Arc<Agent>,
    dialogue: InviteDialog,
    states: Option<DialogStateReceiver>,
    task: JoinHandle<InviteAsyncResult>,
    /// Something came back: the trunk is there.
    heard: bool,
    /// It is answered or has failed.
    over: bool,
}

impl Calling {
    pub(super) const fn new(
        agent: Arc<Agent>,
        dialogue: InviteDialog,
        states: DialogStateReceiver,
        task: JoinHandle<InviteAsyncResult>,
    ) -> Self {
        Self { agent, dialogue, states: Some(states), task, heard: false, over: false }
    }

    /// Number of the call in SIP.
    #[must_use]
    pub fn call_id(&self) -> String {
        self.dialogue.id().call_id
    }

    /// Whether anything came back.
    #[must_use]
    pub const fn heard(&self) -> bool {
        self.heard
    }

    /// Waits for what happens next. After `Answered` and `Failed` nothing does.
    pub async fn next(&mut self) -> Progress {
        if self.over {
            return std::future::pending().await;
        }
        loop {
            let state = async {
                match &mut self.states {
                    Some(states) => states.recv().await,
                    None => std::future::pending().await,
                }
            };
            let done = tokio::select! {
                biased;
                Some(state) = state => {
                    match self.progress(&state) {
                        Some(progress) => return progress,
                        None => continue,
                    }
                }
                done = &mut self.task => done,
            };
            self.over = true;
            return match done {
                Ok(result) => self.ended(result),
                Err(_) => Progress::Failed(Cause::of(0, "the SIP stack failed")),
            };
        }
    }

    fn progress(&mut self, state: &DialogState) -> Option<Progress> {
        match state {
            DialogState::Trying(_) => {
                self.heard = true;
                Some(Progress::Trying)
            }
            DialogState::Early(_, response) => {
                self.heard = true;
                let rings = response.status_code == StatusCode::Ringing;
                Some(if rings { Progress::Ringing } else { Progress::Trying })
            }
            _ => None,
        }
    }

    fn ended(&mut self, result: InviteAsyncResult) -> Progress {
        let response = match result {
            Ok((_, Some(response))) => response,
            Ok((_, None)) => return Progress::Failed(Cause::of(0, "the call was lost")),
            Err(error) => return Progress::Failed(Cause::of(0, &error.to_string())),
        };
        let answered = response.status_code.kind() == StatusCodeKind::Successful;
        if answered && !self.dialogue.state().is_terminated() {
            let Some(states) = self.states.take() else {
                return Progress::Failed(Cause::of(0, "the call was lost"));
            };
            let leg = Leg::new(Arc::clone(&self.agent), self.dialogue.clone(), states, None);
            return Progress::Answered(leg, response.body);
        }
        // The stack's own way to say that nothing came.
        if !self.heard && response.status_code == StatusCode::RequestTimeout {
            return Progress::Failed(Cause::of(0, "the trunk does not answer"));
        }
        Progress::Failed(cause(&response))
    }

    /// Gives up. What comes of it is told by [`Calling::next`].
    pub fn cancel(&self) {
        let dialogue = self.dialogue.clone();
        tokio::spawn(async move { dialogue.cancel().await });
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        // The stack cancels an invitation whose task ends, and hangs up one that is
        // answered all the same.
        self.task.abort();
    }
}

fn cause(response: &Response) -> Cause {
    let reason = response.header_value("Reason").unwrap_or_default();
    Cause {
        status: u16::from(response.status_code.clone()),
        phrase: phrase(response),
        q850: q850(&reason),
    }
}

/// The words of a status line, at most a hundred characters of them.
pub(super) fn phrase(response: &Response) -> String {
    let status = response.status_code.to_string();
    let usual = status.split_once(' ').map(|(_, words)| words);
    let words = response.wire_reason.as_deref().or(usual).unwrap_or_default();
    words.chars().take(100).collect()
}

/// What the other side does in a call that stands.
pub enum Event {
    /// It has acknowledged our first answer, or a later one that was to offer: with its
    /// description where we had offered.
    Acknowledged(Vec<u8>),
    /// It offers another session.
    Offer(Offer),
    /// It has hung up, or is gone.
    Ended(Cause),
}

/// An offer within a call. One that is dropped is refused.
pub struct Offer {
    request: Request,
    handle: TransactionHandle,
}

impl Offer {
    /// What is offered; empty: we are to offer.
    #[must_use]
    pub fn description(&self) -> &[u8] {
        &self.request.body
    }

    /// Answers it.
    pub async fn accept(self, description: String) {
        let mut fields = vec![Header::ContentType("application/sdp".into())];
        fields.extend(timer_fields(&self.request));
        let body = Some(description.into_bytes());
        let _ = self.handle.respond(StatusCode::OK, Some(fields), body).await;
    }

    /// Refuses it; the session stays as it was.
    pub async fn refuse(self, status: u16) {
        let _ = self.handle.reply(StatusCode::from(status)).await;
    }
}

/// Our side of a call.
pub struct Leg {
    agent: Arc<Agent>,
    pub(super) dialogue: InviteDialog,
    states: DialogStateReceiver,
    acknowledged: bool,
    /// The number of a re-INVITE that left the offer to us.
    awaited: Option<u32>,
    over: Option<Cause>,
    goodbye: Option<u8>,
    _room: Room,
}

impl Leg {
    pub(super) const fn new(
        agent: Arc<Agent>,
        dialogue: InviteDialog,
        states: DialogStateReceiver,
        room: Room,
    ) -> Self {
        Self {
            agent,
            dialogue,
            states,
            acknowledged: false,
            awaited: None,
            over: None,
            goodbye: None,
            _room: room,
        }
    }

    /// Number of the call in SIP.
    #[must_use]
    pub fn call_id(&self) -> String {
        self.dialogue.id().call_id
    }

    /// Waits for what the other side does. May be dropped and called again; after
    /// [`Event::Ended`] it always says so.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(cause) = &self.over {
                return Event::Ended(cause.clone());
            }
            match self.states.recv().await {
                Some(state) => {
                    if let Some(event) = self.event(state) {
                        return event;
                    }
                }
                None => self.over = Some(Cause::of(0, "the dialogue was lost")),
            }
        }
    }

    /// Waits until it is over.
    pub(super) async fn over(&mut self) {
        while !matches!(self.next().await, Event::Ended(_)) {}
    }

    fn event(&mut self, state: DialogState) -> Option<Event> {
        match state {
            DialogState::Confirmed(..) => self.confirmed(),
            DialogState::Updated(_, request, handle) => {
                let refresh = request.method == Method::Update && request.body.is_empty();
                if !refresh {
                    self.awaited = number(&request).filter(|_| request.body.is_empty());
                    return Some(Event::Offer(Offer { request, handle }));
                }
                // RFC 4028 7.4: a refresh without an offer changes nothing.
                let fields = timer_fields(&request);
                tokio::spawn(
                    async move { handle.respond(StatusCode::OK, Some(fields), None).await },
                );
                None
            }
            DialogState::Info(_, _, handle)
            | DialogState::Options(_, _, handle)
            | DialogState::Notify(_, _, handle) => {
                tokio::spawn(async move { handle.reply(StatusCode::OK).await });
                None
            }
            DialogState::Refer(_, _, handle) | DialogState::Message(_, _, handle) => {
                tokio::spawn(async move { handle.reply(StatusCode::MethodNotAllowed).await });
                None
            }
            DialogState::Terminated(_, reason) => {
                self.over = Some(self.why(&reason));
                self.over.clone().map(Event::Ended)
            }
            _ => None,
        }
    }

    /// Comes after many a request; once for each acknowledgement that says something.
    fn confirmed(&mut self) -> Option<Event> {
        let ack = self.dialogue.last_remote_ack();
        let awaited = self.awaited.is_some() && ack.as_ref().and_then(number) == self.awaited;
        if std::mem::replace(&mut self.acknowledged, true) && !awaited {
            return None;
        }
        if awaited {
            self.awaited = None;
        }
        Some(Event::Acknowledged(ack.map(|ack| ack.body).unwrap_or_default()))
    }

    fn why(&self, reason: &TerminatedReason) -> Cause {
        let phrase = match reason {
            TerminatedReason::Timeout => "the other side does not answer",
            TerminatedReason::UacCancel => "the caller gave up",
            _ => "hung up",
        };
        let mut reasons = self.agent.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let said = reasons.remove(&self.call_id()).unwrap_or_default();
        Cause { q850: q850(&said), ..Cause::of(0, phrase) }
    }

    /// Offers another session. Returns the other side's description. The future does not
    /// need the leg, whose events must be looked at meanwhile.
    ///
    /// # Errors
    /// The [`Cause`] of a refusal; 491 also when an offer of the other side is under way.
    pub fn offer(
        &self,
        description: String,
    ) -> impl Future<Output = Result<Vec<u8>, Cause>> + Send + 'static {
        let dialogue = self.dialogue.clone();
        async move {
            if !dialogue.state().is_confirmed() {
                return Err(Cause::of(491, "Request Pending"));
            }
            let fields = vec![Header::ContentType("application/sdp".into())];
            match dialogue.reinvite(Some(fields), Some(description.into_bytes())).await {
                Ok(Some(response)) => match response.status_code.kind() {
                    StatusCodeKind::Successful => Ok(response.body),
                    _ => Err(cause(&response)),
                },
                Ok(None) => Err(Cause::of(408, "no answer")),
                Err(error) => Err(Cause::of(408, &error.to_string())),
            }
        }
    }

    /// Hangs up, with a cause of Q.850 where there is one. Returns at once; the BYE is
    /// repeated behind the scenes until it is answered. Dropping a leg hangs up as well.
    pub fn hang_up(mut self, q850: Option<u8>) {
        self.goodbye = q850;
    }

    /// Refuses a call that came in.
    pub(super) fn refuse(self, status: u16, q850: Option<u8>) {
        let reason = q850.map(|cause| format!("Q.850;cause={cause}"));
        let _ = self.dialogue.reject(Some(StatusCode::from(status)), reason);
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        let mut reasons = self.agent.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        reasons.remove(&self.call_id());
        drop(reasons);
        let goodbye = bye(Arc::clone(&self.agent), self.dialogue.clone(), self.goodbye);
        // Without a runtime the process ends, and with it the sockets.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(goodbye);
        }
    }
}

fn number(request: &Request) -> Option<u32> {
    request.cseq_header().and_then(|cseq| cseq.seq()).ok()
}

/// Ends a dialogue, whatever state it is in, and forgets it.
async fn bye(agent: Arc<Agent>, dialogue: InviteDialog, q850: Option<u8>) {
    let fields = q850.map(|cause| vec![Header::Reason(format!("Q.850;cause={cause}").into())]);
    for _ in 0..BYE_TRIES.0 {
        // A re-INVITE that is still under way must end first (RFC 3261 15).
        let state = dialogue.state();
        if state.is_terminated() {
            break;
        }
        if state.is_confirmed() || state.waiting_ack() {
            let _ = dialogue.bye_with_headers(fields).await;
            break;
        }
        tokio::time::sleep(BYE_TRIES.1).await;
    }
    agent.dialogues.remove_dialog(&dialogue.id());
}

/// What is answered about session timers (RFC 4028 9): the other side may refresh as it
/// likes, we do not. Nothing where it wants us to, which says that we know no timers.
pub(super) fn timer_fields(request: &Request) -> Vec<Header> {
    let Some(field) = request.header_value("Session-Expires") else { return Vec::new() };
    let seconds = field.split(';').next().unwrap_or_default().trim().parse::<u32>();
    let we_refresh = field.to_ascii_lowercase().contains("refresher=uas");
    match seconds {
        Ok(seconds) if !we_refresh && request.header_contains_token("Supported", "timer") => vec![
            Header::SessionExpires(format!("{seconds};refresher=uac").into()),
            Header::Require("timer".into()),
        ],
        _ => Vec::new(),
    }
}
