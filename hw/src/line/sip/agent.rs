//! A SIP user agent: one socket, its transactions and dialogues. It places calls, hands
//! over those that come in, and answers whatever else is asked. What a call is for, and
//! what is said in its descriptions, is not known here.

mod hops;
mod incoming;
mod register;
mod socket;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak},
    time::Duration,
};

use rsipstack::{
    dialog::{
        authenticate::Credential, dialog_layer::DialogLayer, invitation::InviteOption,
        registration::Registration,
    },
    sip::{
        Auth, Header, HostWithPort, Method, Param, Request, Scheme, StatusCode, StatusCodeKind,
        Uri, typed,
    },
    transaction::{
        CallIdFormat, EndpointBuilder, Transaction,
        endpoint::{EndpointInnerRef, EndpointOption},
        key::{TransactionKey, TransactionRole},
        make_tag,
    },
    transport::SipAddr,
};
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

pub(super) use self::{hops::look_up, incoming::Room};
pub use self::{
    incoming::Incoming,
    register::{Account, Refused, Registered},
};
pub use super::guard::{Allowed, Net};
use super::{
    guard::Gate,
    leg::Calling,
    options::{TlsOptions, Transport},
    trace::{Tap, Traces},
};

/// Calls that came in and were not ended yet, at the most.
const MAX_INCOMING: usize = 512;
/// Calls that came in and were not looked at yet, at the most.
const MAX_WAITING: usize = 64;
/// What we are called in SIP.
const USER_AGENT: &str = concat!("Postfax/", env!("CARGO_PKG_VERSION"));
/// How long a retransmission waits first (RFC 3261 17.1.1.1).
pub const T1: Duration = Duration::from_millis(500);

/// What an agent is told.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Where it listens. Port 0 takes any.
    pub bind: SocketAddr,
    /// How its messages are carried.
    pub transport: Transport,
    /// Certificates, for TLS.
    pub tls: TlsOptions,
    /// Its address as others see it.
    pub address: IpAddr,
    /// Who may begin something with it.
    pub allowed: Allowed,
    /// Where its messages are written down.
    pub traces: Option<Arc<Traces>>,
    /// How long a retransmission waits first: [`T1`]; less only where nothing is far away.
    pub t1: Duration,
}

impl AgentOptions {
    /// An agent over UDP.
    #[must_use]
    pub fn new(bind: SocketAddr, allowed: Allowed) -> Self {
        let (transport, tls) = (Transport::Udp, TlsOptions::default());
        Self { bind, transport, tls, address: bind.ip(), allowed, traces: None, t1: T1 }
    }
}

/// What went wrong with an agent.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The socket.
    #[error("cannot listen for SIP at {0}: {1}")]
    Bind(SocketAddr, io::Error),
    /// A name that nobody knows now.
    #[error("where is {0}? {1}")]
    Unknown(String, io::Error),
    /// A file of a certificate.
    #[error("cannot read {0}: {1}")]
    File(String, io::Error),
    /// TLS as a server without a certificate, or a key without its certificate.
    #[error("a certificate and its key are needed together")]
    HalfACertificate,
    /// An address of SIP that is none.
    #[error("`{0}` is no SIP address")]
    BadAddress(String),
    /// The SIP stack refused.
    #[error("the SIP stack: {0}")]
    Stack(String),
}

impl From<rsipstack::Error> for AgentError {
    fn from(error: rsipstack::Error) -> Self {
        Self::Stack(error.to_string())
    }
}

/// A name and its password for digests (RFC 3261 22).
#[derive(Clone)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}

impl From<&Login> for Credential {
    fn from(login: &Login) -> Self {
        let (username, password) = (login.user.clone(), login.password.clone());
        Self { username, password, realm: None, auth_username: None }
    }
}

/// A call to place.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Whom to call: `sip:+44...@trunk.example.com`.
    pub to: String,
    /// Who calls: `sip:user@domain`.
    pub from: String,
    /// Under which name.
    pub display: Option<String>,
    /// The next hop, `host` or `host:port`, where it is not the host of `to`.
    pub via: Option<String>,
    /// For a digest, where one is asked for.
    pub login: Option<Login>,
    /// Further fields.
    pub fields: Vec<(String, String)>,
    /// The session description.
    pub offer: String,
}

/// A SIP user agent.
pub struct Agent {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) dialogues: Arc<DialogLayer>,
    /// Where others reach us.
    contact: SocketAddr,
    transport: Transport,
    hops: hops::Hops,
    allowed: Arc<RwLock<Allowed>>,
    /// Why dialogues were ended by the other side, by their Call-ID, until they are gone.
    pub(super) reasons: Mutex<BTreeMap<String, String>>,
    pub(super) room: Arc<Semaphore>,
    stop: CancellationToken,
    dead: CancellationToken,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Agent {
    /// Opens the socket. Calls that come in arrive at the receiver.
    ///
    /// # Errors
    /// [`AgentError`], when it cannot listen.
    pub async fn start(
        options: AgentOptions,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Incoming>), AgentError> {
        let stop = CancellationToken::new();
        let allowed = Arc::new(RwLock::new(options.allowed.clone()));
        let (layer, contact) = socket::open(&options, &allowed, &stop).await?;
        let ours = Ours::default();
        let hops = hops::Hops::new(carrier(options.transport));
        let mut builder = EndpointBuilder::new();
        builder
            .with_user_agent(USER_AGENT)
            .with_transport_layer(layer)
            .with_cancel_token(stop.clone())
            .with_option(EndpointOption {
                t1: options.t1,
                t1x64: options.t1 * 64,
                callid_format: CallIdFormat::Uuid,
                ..EndpointOption::default()
            })
            .with_target_locator(Box::new(hops.clone()))
            .with_transport_inspector(Box::new(gate(Arc::clone(&allowed), &ours)));
        if let Some(traces) = options.traces {
            builder.with_inspector(Box::new(Tap(traces)));
        }
        let endpoint = builder.build();
        let transactions = endpoint.incoming_transactions()?;
        let (incoming, waiting) = mpsc::channel(MAX_WAITING);
        let dialogues = Arc::new(DialogLayer::new(Arc::clone(&endpoint.inner)));
        let _ = ours.set(Arc::downgrade(&dialogues));
        let agent = Arc::new(Self {
            endpoint: Arc::clone(&endpoint.inner),
            dialogues,
            contact,
            transport: options.transport,
            hops,
            allowed,
            reasons: Mutex::default(),
            room: Arc::new(Semaphore::new(MAX_INCOMING)),
            stop,
            dead: CancellationToken::new(),
        });
        tokio::spawn(serve(Arc::clone(&endpoint.inner), agent.dead.clone()));
        tokio::spawn(incoming::take(Arc::downgrade(&agent), transactions, incoming));
        Ok((agent, waiting))
    }

    /// Where others reach us.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.contact
    }

    /// Replaces who may begin something with us.
    pub fn allow(&self, allowed: Allowed) {
        *self.allowed.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    /// Returns when nothing is received any more: this agent must be replaced.
    pub async fn died(&self) {
        self.dead.cancelled().await;
    }

    /// Transactions that are kept now, for those who watch memory.
    #[must_use]
    pub fn transactions(&self) -> usize {
        let stats = self.endpoint.get_stats();
        stats.running_transactions + stats.finished_transactions
    }

    /// Waits until the last BYE was answered, or for so long.
    pub async fn settle(&self, limit: Duration) {
        let end = tokio::time::Instant::now() + limit;
        while !self.dialogues.is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Closes the socket.
    pub fn close(&self) {
        self.stop.cancel();
    }

    /// Our address, for this user, as it stands in `Contact`.
    pub(super) fn contact(&self, user: Option<&str>) -> Uri {
        let transport = match self.transport {
            Transport::Udp => None,
            Transport::Tcp => Some(rsipstack::sip::Transport::Tcp),
            Transport::Tls => Some(rsipstack::sip::Transport::Tls),
        };
        Uri {
            scheme: Some(Scheme::Sip),
            auth: user.map(|user| Auth { user: user.to_owned(), password: None }),
            host_with_port: HostWithPort::from(self.contact),
            params: transport.into_iter().map(Param::Transport).collect(),
            ..Uri::default()
        }
    }

    const fn carrier(&self) -> rsipstack::sip::Transport {
        carrier(self.transport)
    }

    /// A host with or without port as a next hop.
    fn hop(&self, host: &str) -> Result<SipAddr, AgentError> {
        let address =
            HostWithPort::try_from(host).map_err(|_| AgentError::BadAddress(host.to_owned()))?;
        Ok(SipAddr::new(self.carrier(), address))
    }

    fn next_hop(&self, via: Option<&str>, to: &Uri) -> Result<SipAddr, AgentError> {
        match via {
            Some(via) => self.hop(via),
            None => Ok(SipAddr::new(self.carrier(), to.host_with_port.clone())),
        }
    }

    /// Places a call.
    ///
    /// # Errors
    /// [`AgentError`], when an address is none.
    pub fn invite(self: &Arc<Self>, invitation: &Invitation) -> Result<Calling, AgentError> {
        let (to, from) = (uri(&invitation.to)?, uri(&invitation.from)?);
        let destination = self.next_hop(invitation.via.as_deref(), &to)?;
        self.hops.set(&to, &destination);
        let mut fields = vec![Header::Allow(incoming::ALLOW.into())];
        let further = invitation.fields.iter();
        fields.extend(further.map(|(name, value)| Header::Other(name.clone(), value.clone())));
        let contact = self.contact(from.user());
        let option = InviteOption {
            caller_display_name: invitation.display.clone(),
            caller: from,
            callee: to,
            destination: Some(destination),
            content_type: Some("application/sdp".to_owned()),
            offer: Some(invitation.offer.clone().into_bytes()),
            contact,
            credential: invitation.login.as_ref().map(Credential::from),
            headers: Some(fields),
            ..InviteOption::default()
        };
        let (sender, states) = self.dialogues.new_dialog_state_channel();
        let (dialogue, task) = self.dialogues.do_invite_async(option, sender)?;
        Ok(Calling::new(Arc::clone(self), dialogue, states, task))
    }

    /// Asks whether a host is there (OPTIONS). Any final answer counts.
    ///
    /// # Errors
    /// [`AgentError`], when none came, or the address is none.
    pub async fn ask(&self, host: &str) -> Result<(), AgentError> {
        let destination = self.hop(host)?;
        let address = uri(&format!("sip:{host}"))?;
        let to = typed::To { display_name: None, uri: address.clone(), params: vec![] };
        let from = typed::From { display_name: None, uri: self.contact(None), params: vec![] };
        let via = match self.transport {
            Transport::Udp => None,
            // The listener's own address, or the flow's: never another transport's.
            Transport::Tcp | Transport::Tls => {
                Some(SipAddr::new(self.carrier(), HostWithPort::from(self.contact)))
            }
        };
        let via = self.endpoint.get_via(via, None)?;
        let from = from.with_tag(make_tag());
        let mut request =
            self.endpoint.make_request(Method::Options, address, via, from, to, 1, None);
        request.headers.push(Header::Contact(self.contact(None).to_string().into()));
        request.headers.push(Header::ContentLength(0.into()));
        let key = TransactionKey::from_request(&request, TransactionRole::Client)?;
        let endpoint = Arc::clone(&self.endpoint);
        let mut transaction = Transaction::new_client(key, request, endpoint, None);
        transaction.destination = Some(destination);
        transaction.send().await?;
        while let Some(message) = transaction.receive().await {
            let rsipstack::sip::SipMessage::Response(response) = message else { continue };
            match response.status_code.kind() {
                StatusCodeKind::Provisional => {}
                // The stack's own way to say that nothing came.
                _ if response.status_code == StatusCode::RequestTimeout => break,
                _ => return Ok(()),
            }
        }
        Err(AgentError::Stack(format!("{host} does not answer")))
    }

    /// Registers once, or takes a registration back (`expires_s` 0). Returns for how long.
    ///
    /// # Errors
    /// [`Refused`], with what the registrar said.
    pub async fn register(
        &self,
        registration: &mut Registration,
        account: &Account,
        expires_s: u32,
    ) -> Result<u32, Refused> {
        register::once(self, registration, account, expires_s).await
    }
}

/// The dialogues that stand, once there is a stack that can have some.
type Ours = Arc<OnceLock<Weak<DialogLayer>>>;

fn gate(allowed: Arc<RwLock<Allowed>>, ours: &Ours) -> Gate {
    let ours = Arc::clone(ours);
    let standing = move |request: &Request| {
        let ours = ours.get().and_then(Weak::upgrade);
        ours.is_some_and(|ours| incoming::stands(&ours, request))
    };
    Gate::new(allowed, Box::new(standing))
}

/// Lets the stack receive. However that ends: without it nothing is received any more.
async fn serve(endpoint: EndpointInnerRef, dead: CancellationToken) {
    if let Ok(Err(error)) = tokio::spawn(async move { endpoint.serve().await }).await {
        tracing::warn!(%error, "the SIP stack has ended");
    }
    dead.cancel();
}

const fn carrier(transport: Transport) -> rsipstack::sip::Transport {
    match transport {
        Transport::Udp => rsipstack::sip::Transport::Udp,
        Transport::Tcp => rsipstack::sip::Transport::Tcp,
        Transport::Tls => rsipstack::sip::Transport::Tls,
    }
}

/// Reads an address of SIP.
fn uri(text: &str) -> Result<Uri, AgentError> {
    Uri::try_from(text).map_err(|_| AgentError::BadAddress(text.to_owned()))
}
