//! What others begin with an agent: calls are handed over, questions answered, and
//! requests within dialogues find their dialogue.

use std::sync::{Arc, PoisonError, Weak};

use rsipstack::{
    dialog::{DialogId, dialog::Dialog, dialog_layer::DialogLayer, invite_dialog::InviteDialog},
    sip::{Header, HeadersExt as _, Method, Request, StatusCode},
    transaction::{
        Transaction, TransactionReceiver,
        key::{TransactionKey, TransactionRole},
    },
};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Agent;
use crate::line::sip::leg::{Leg, timer_fields};

/// What we understand.
pub(super) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, PRACK";
/// Extensions that a call may insist on (RFC 3261 8.2.2.3).
const EXTENSIONS: [&str; 2] = ["timer", "100rel"];
/// Dialogues whose end has a reason that nobody asked for yet, at the most.
const MAX_REASONS: usize = 1_000;

/// A call that came in and has no answer yet. One that is dropped is refused.
pub struct Incoming {
    request: Request,
    leg: Option<Leg>,
}

impl Incoming {
    /// The request.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The session description that came with it; empty when the other side wants ours.
    #[must_use]
    pub fn offer(&self) -> &[u8] {
        &self.request.body
    }

    /// Number of the call in SIP.
    #[must_use]
    pub fn call_id(&self) -> String {
        self.request.call_id_header().map(|id| id.value().to_owned()).unwrap_or_default()
    }

    /// Says that it rings here.
    pub fn ring(&self) {
        // A reliable provisional answer (RFC 3262) is not worth its rounds: where one is
        // asked for there is none at all.
        if self.request.header_contains_token("Require", "100rel") {
            return;
        }
        if let Some(leg) = &self.leg {
            let _ = leg.dialogue.ringing(None, None);
        }
    }

    /// Waits until the caller gives up.
    pub async fn given_up(&mut self) {
        match &mut self.leg {
            Some(leg) => leg.over().await,
            None => std::future::pending().await,
        }
    }

    /// Answers it with this description.
    #[must_use]
    pub fn answer(mut self, description: String) -> Option<Leg> {
        let leg = self.leg.take()?;
        let mut fields =
            vec![Header::ContentType("application/sdp".into()), Header::Allow(ALLOW.into())];
        fields.extend(timer_fields(&self.request));
        leg.dialogue.accept(Some(fields), Some(description.into_bytes())).ok()?;
        Some(leg)
    }

    /// Refuses it with this status and a cause of Q.850, where there is one.
    pub fn refuse(mut self, status: u16, q850: Option<u8>) {
        if let Some(leg) = self.leg.take() {
            leg.refuse(status, q850);
        }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Some(leg) = self.leg.take() {
            leg.refuse(480, None);
        }
    }
}

/// Takes transactions as they come, for as long as the agent lives.
pub(super) async fn take(
    agent: Weak<Agent>,
    mut transactions: TransactionReceiver,
    calls: mpsc::Sender<Incoming>,
) {
    while let Some(transaction) = transactions.recv().await {
        let Some(agent) = agent.upgrade() else { return };
        let calls = calls.clone();
        // A task each: what panics on one request leaves the others alone.
        tokio::spawn(async move {
            let method = transaction.original.method;
            if let Err(error) = agent.request(transaction, calls).await {
                tracing::debug!(%error, %method, "a SIP request was not answered");
            }
        });
    }
}

/// Whether a request belongs to a dialogue, or to a transaction that is kept: what comes
/// again after a dialogue's end.
pub(super) fn stands(dialogues: &DialogLayer, request: &Request) -> bool {
    let role = TransactionRole::Server;
    let dialogue = DialogId::try_from((request, role)).ok();
    let key = TransactionKey::from_request(request, role).ok();
    dialogue.is_some_and(|id| dialogues.get_dialog(&id).is_some())
        || key.is_some_and(|key| dialogues.endpoint.finished_transactions.contains_key(&key))
}

impl Agent {
    async fn request(
        self: Arc<Self>,
        mut transaction: Transaction,
        calls: mpsc::Sender<Incoming>,
    ) -> rsipstack::Result<()> {
        let of_a_dialogue = matches!(transaction.original.to_header()?.tag(), Ok(Some(_)));
        match (of_a_dialogue, transaction.original.method) {
            (true, _) => self.within(transaction).await,
            (false, Method::Invite) => self.call(transaction, calls).await,
            (false, Method::Options) => {
                let fields = vec![
                    Header::Allow(ALLOW.into()),
                    Header::Accept("application/sdp".into()),
                    Header::Supported("timer".into()),
                ];
                transaction.reply_with(StatusCode::OK, fields, None).await
            }
            (false, Method::Cancel | Method::Bye | Method::Update | Method::PRack) => {
                transaction.reply(StatusCode::CallTransactionDoesNotExist).await
            }
            (false, _) => {
                let fields = vec![Header::Allow(ALLOW.into())];
                transaction.reply_with(StatusCode::MethodNotAllowed, fields, None).await
            }
        }
    }

    async fn within(self: Arc<Self>, mut transaction: Transaction) -> rsipstack::Result<()> {
        let Some(Dialog::Invite(mut dialogue)) = self.dialogues.match_dialog(&transaction) else {
            if transaction.original.method == Method::Ack {
                return Ok(());
            }
            let gone = StatusCode::CallTransactionDoesNotExist;
            return refuse(&mut transaction, gone, vec![]).await;
        };
        if transaction.original.method == Method::Bye {
            self.note_reason(&transaction.original);
        }
        dialogue.handle(&mut transaction).await
    }

    fn note_reason(&self, bye: &Request) {
        let (Some(reason), Ok(id)) = (bye.header_value("Reason"), bye.call_id_header()) else {
            return;
        };
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.len() < MAX_REASONS {
            reasons.insert(id.value().to_owned(), reason);
        }
    }

    async fn call(
        self: Arc<Self>,
        mut transaction: Transaction,
        calls: mpsc::Sender<Incoming>,
    ) -> rsipstack::Result<()> {
        let request = transaction.original.clone();
        if let Some(unknown) = unknown_extension(&request) {
            let fields = vec![Header::Unsupported(unknown.into())];
            return refuse(&mut transaction, StatusCode::BadExtension, fields).await;
        }
        let room = Arc::clone(&self.room).try_acquire_owned();
        let (Ok(room), Ok(place)) = (room, calls.try_reserve_owned()) else {
            let fields = vec![Header::RetryAfter("30".into())];
            return refuse(&mut transaction, StatusCode::ServiceUnavailable, fields).await;
        };
        let (sender, states) = self.dialogues.new_dialog_state_channel();
        let called = request.uri.user().map(ToOwned::to_owned);
        let contact = self.contact(called.as_deref());
        let dialogue = self.dialogues.get_or_create_server_invite(
            &transaction,
            sender,
            None,
            Some(contact),
        )?;
        let leg = Leg::new(Arc::clone(&self), dialogue.clone(), states, Some(room));
        place.send(Incoming { request, leg: Some(leg) });
        self.follow(dialogue, transaction).await
    }

    /// Drives the transaction of a call that came in to its end.
    async fn follow(
        &self,
        mut dialogue: InviteDialog,
        mut transaction: Transaction,
    ) -> rsipstack::Result<()> {
        let followed = dialogue.handle(&mut transaction).await;
        if dialogue.state().is_terminated() {
            self.dialogues.remove_dialog(&dialogue.id());
        }
        followed
    }
}

/// Refuses, and stays until the refusal is acknowledged or nobody asks again.
async fn refuse(
    transaction: &mut Transaction,
    status: StatusCode,
    fields: Vec<Header>,
) -> rsipstack::Result<()> {
    transaction.reply_with(status, fields, None).await?;
    if transaction.original.method == Method::Invite {
        while transaction.receive().await.is_some() {}
    }
    Ok(())
}

/// What a call insists on and we do not know.
fn unknown_extension(request: &Request) -> Option<String> {
    let required = request.headers.iter().filter(|field| matches!(field, Header::Require(_)));
    let unknown: Vec<&str> = required
        .flat_map(|field| field.value().split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty() && !EXTENSIONS.contains(name))
        .collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

/// Keeps a place among the calls that came in.
pub(in crate::line::sip) type Room = Option<OwnedSemaphorePermit>;
