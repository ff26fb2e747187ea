//! What an administrator says of a trunk. Plain values with defaults; nothing here
//! opens a socket or reads a file.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use crate::line::DialPlan;

/// How SIP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// TCP, one connection to the trunk.
    Tcp,
    /// TLS over TCP; the trunk's certificate is checked.
    Tls,
}

/// Where an incoming call names the number that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CalledFrom {
    /// The request's address (RFC 3261 8.1.1.1).
    #[default]
    RequestUri,
    /// The `To` field.
    To,
    /// The `P-Called-Party-ID` field (RFC 7315 4.2).
    PCalledPartyId,
    /// The first `Diversion` field (RFC 5806): who sent the call on to us.
    Diversion,
}

/// What is done about T.38.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum T38Use {
    /// Neither offered nor taken: all calls are G.711.
    Never,
    /// Taken when the other side offers it.
    Take,
    /// Taken, and offered in calls that came in as soon as fax tones are heard, which is
    /// the called side's part (T.38 D.2.2.4).
    #[default]
    Offer,
}

/// The two ways of coding telephone audio (G.711).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Law {
    /// A-law, of Europe.
    #[default]
    Pcma,
    /// µ-law, of North America and Japan.
    Pcmu,
}

/// Certificates for SIP over TLS. All files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsOptions {
    /// Who must have signed the trunk's certificate; the system's authorities otherwise.
    pub ca_file: Option<PathBuf>,
    /// Our certificate: shown to a trunk that asks for one, and to whoever dials us.
    pub cert_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// The name that the trunk's certificate must bear, where it is not its host name.
    pub server_name: Option<String>,
}

/// One registration (RFC 3261 10) with the trunk.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationOptions {
    /// The user part of our address.
    pub user: String,
    /// The name for the digest, where it differs from `user`.
    pub auth_user: Option<String>,
    /// The password for the digest.
    pub password: String,
    /// How long a registration is asked for.
    pub expires_s: u32,
}

/// How long a registration is usually asked for, in seconds.
pub const EXPIRES_S: u32 = 600;

impl fmt::Debug for RegistrationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationOptions").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A SIP trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkOptions {
    /// What the administrator calls it.
    pub name: String,
    /// Where the trunk is: `host`, `host:port`, `[v6]:port`.
    pub server: String,
    /// Our domain in `From` and `To`; the trunk's host otherwise.
    pub domain: Option<String>,
    /// Where we listen; the port is also the one that we send from. Port 0 takes any,
    /// which is enough for a trunk with registrations.
    pub bind: SocketAddr,
    /// How SIP is carried.
    pub transport: Transport,
    /// Certificates, for `transport = "tls"`.
    pub tls: TlsOptions,
    /// With whom to register; none: a peer trunk, known by its address.
    pub registrations: Vec<RegistrationOptions>,
    /// Who else may call us: addresses, networks (`192.0.2.0/24`) or host names. The
    /// trunk itself always may.
    pub peers: Vec<String>,
    /// Our address as the trunk sees it, where a translation (NAT) stands between.
    pub external_address: Option<IpAddr>,
    /// First and last UDP port of media.
    pub media_ports: (u16, u16),
    /// The most calls at one time.
    pub channels: usize,
    /// Our own number, shown to those whom we call.
    pub caller: Option<String>,
    /// Our name, likewise.
    pub caller_name: Option<String>,
    /// How numbers are dialled.
    pub dial: DialPlan,
    /// Parameters behind the number (`user=phone`), without the first semicolon.
    pub dial_parameters: Option<String>,
    /// Where the called number of an incoming call stands.
    pub called_from: CalledFrom,
    /// The numbers that are ours, as the trunk writes them; none: every number is.
    pub numbers: Vec<String>,
    /// The coding of audio that we prefer.
    pub law: Law,
    /// What is done about T.38.
    pub t38: T38Use,
    /// The highest rate that is offered over T.38, in bit/s.
    pub t38_max_bit_rate: u32,
    /// So long after fax tones in a call that we placed we offer T.38 ourselves when the
    /// called side has not; never where not given.
    pub offer_t38_after_ms: Option<u64>,
    /// So long T.38 may stay silent before the call goes back to G.711.
    pub t38_silence_s: u64,
    /// So long a destination is remembered for which T.38 or G.711 did not work.
    pub memory_days: u32,
    /// The longest that a call may ring, in either direction.
    pub ring_limit_s: u64,
    /// The longest that an incoming call may last.
    pub call_limit_s: u64,
    /// How often the trunk is asked whether it is there (OPTIONS); 0: never.
    pub keep_alive_s: u64,
    /// The folder for what must outlive the process; nothing is kept where not given.
    pub state_folder: Option<PathBuf>,
    /// Where the messages of each call are written down; nowhere where not given.
    pub trace_folder: Option<PathBuf>,
}

impl TrunkOptions {
    /// A trunk at `server` with everything else as it is by default.
    #[must_use]
    pub fn new(name: &str, server: &str) -> Self {
        Self {
            name: name.to_owned(),
            server: server.to_owned(),
            domain: None,
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5060),
            transport: Transport::default(),
            tls: TlsOptions::default(),
            registrations: Vec::new(),
            peers: Vec::new(),
            external_address: None,
            media_ports: (20_000, 20_999),
            channels: 4,
            caller: None,
            caller_name: None,
            dial: DialPlan::default(),
            dial_parameters: None,
            called_from: CalledFrom::default(),
            numbers: Vec::new(),
            law: Law::default(),
            t38: T38Use::default(),
            t38_max_bit_rate: 14_400,
            // A called side that means to offer T.38 does so within its first second.
            offer_t38_after_ms: Some(4_000),
            t38_silence_s: 10,
            memory_days: 30,
            ring_limit_s: 90,
            call_limit_s: 7_200,
            keep_alive_s: 60,
            state_folder: None,
            trace_folder: None,
        }
    }
}
