//! What an administrator says of a trunk. Plain values with defaults; nothing here
//! opens a socket or reads a file.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// How SIP is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// A-law, of Europe.
    #[default]
    Pcma,
    /// µ-law, of North America and Japan.
    Pcmu,
}

/// Certificates for SIP over TLS. All files are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationOptions {
    /// The user part of our address.
    pub user: String,
    /// The name for the digest, where it differs from `user`.
    #[serde(default)]
    pub auth_user: Option<String>,
    /// The password for the digest.
    pub password: String,
    /// How long a registration is asked for.
    #[serde(default = "default_expires_s")]
    pub expires_s: u32,
}

impl fmt::Debug for RegistrationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistrationOptions").field("user", &self.user).finish_non_exhaustive()
    }
}

/// How a number is written for the trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DialPlan {
    /// What stands for the `+` of an E.164 number: `+` as it is where not given, `00` or
    /// nothing at all otherwise.
    pub international_prefix: Option<String>,
    /// The country's own code (`39`): numbers that begin with it are dialled nationally.
    pub country_code: Option<String>,
    /// What stands before a national number (`0`), where `country_code` is given.
    pub national_prefix: String,
    /// What comes before everything (to get an outside line).
    pub outside_prefix: String,
    /// Parameters behind the number (`;user=phone`), without the first semicolon.
    pub parameters: Option<String>,
}

/// A SIP trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkOptions {
    /// What the administrator calls it.
    pub name: String,
    /// Where the trunk is: `host`, `host:port`, `[v6]:port`.
    pub server: String,
    /// Our domain in `From` and `To`; the trunk's host otherwise.
    #[serde(default)]
    pub domain: Option<String>,
    /// Where we listen; the port is also the one that we send from. Port 0 takes any,
    /// which is enough for a trunk with registrations.
    #[serde(default = "default_bind")]
    pub bind: SocketAddr,
    /// How SIP is carried.
    #[serde(default)]
    pub transport: Transport,
    /// Certificates, for `transport = "tls"`.
    #[serde(default)]
    pub tls: TlsOptions,
    /// With whom to register; none: a peer trunk, known by its address.
    #[serde(default)]
    pub registrations: Vec<RegistrationOptions>,
    /// Who else may call us: addresses, networks (`192.0.2.0/24`) or host names. The
    /// trunk itself always may.
    #[serde(default)]
    pub peers: Vec<String>,
    /// Our address as the trunk sees it, where a translation (NAT) stands between.
    #[serde(default)]
    pub external_address: Option<IpAddr>,
    /// First and last UDP port of media.
    #[serde(default = "default_media_ports")]
    pub media_ports: (u16, u16),
    /// The most calls at one time.
    #[serde(default = "default_channels")]
    pub channels: usize,
    /// Our own number, shown to those whom we call.
    #[serde(default)]
    pub caller: Option<String>,
    /// Our name, likewise.
    #[serde(default)]
    pub caller_name: Option<String>,
    /// How numbers are dialled.
    #[serde(default)]
    pub dial: DialPlan,
    /// Where the called number of an incoming call stands.
    #[serde(default)]
    pub called_from: CalledFrom,
    /// The numbers that are ours, as the trunk writes them; none: every number is.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// The coding of audio that we prefer.
    #[serde(default)]
    pub law: Law,
    /// What is done about T.38.
    #[serde(default)]
    pub t38: T38Use,
    /// The highest rate that is offered over T.38, in bit/s.
    #[serde(default = "default_t38_max_bit_rate")]
    pub t38_max_bit_rate: u32,
    /// So long after fax tones in a call that we placed we offer T.38 ourselves when the
    /// called side has not; never where not given.
    #[serde(default = "default_offer_t38_after_ms")]
    pub offer_t38_after_ms: Option<u64>,
    /// So long T.38 may stay silent before the call goes back to G.711.
    #[serde(default = "default_t38_silence_s")]
    pub t38_silence_s: u64,
    /// So long a destination is remembered for which T.38 or G.711 did not work.
    #[serde(default = "default_memory_days")]
    pub memory_days: u32,
    /// The longest that a call may ring, in either direction.
    #[serde(default = "default_ring_limit_s")]
    pub ring_limit_s: u64,
    /// The longest that an incoming call may last.
    #[serde(default = "default_call_limit_s")]
    pub call_limit_s: u64,
    /// How often the trunk is asked whether it is there (OPTIONS); 0: never.
    #[serde(default = "default_keep_alive_s")]
    pub keep_alive_s: u64,
    /// The folder for what must outlive the process; nothing is kept where not given.
    #[serde(default)]
    pub state_folder: Option<PathBuf>,
    /// Where the messages of each call are written down; nowhere where not given.
    #[serde(default)]
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
            bind: default_bind(),
            transport: Transport::default(),
            tls: TlsOptions::default(),
            registrations: Vec::new(),
            peers: Vec::new(),
            external_address: None,
            media_ports: default_media_ports(),
            channels: default_channels(),
            caller: None,
            caller_name: None,
            dial: DialPlan::default(),
            called_from: CalledFrom::default(),
            numbers: Vec::new(),
            law: Law::default(),
            t38: T38Use::default(),
            t38_max_bit_rate: default_t38_max_bit_rate(),
            offer_t38_after_ms: default_offer_t38_after_ms(),
            t38_silence_s: default_t38_silence_s(),
            memory_days: default_memory_days(),
            ring_limit_s: default_ring_limit_s(),
            call_limit_s: default_call_limit_s(),
            keep_alive_s: default_keep_alive_s(),
            state_folder: None,
            trace_folder: None,
        }
    }
}

const fn default_bind() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5060)
}

const fn default_expires_s() -> u32 {
    600
}

const fn default_media_ports() -> (u16, u16) {
    (20_000, 20_999)
}

const fn default_channels() -> usize {
    4
}

const fn default_t38_max_bit_rate() -> u32 {
    14_400
}

#[expect(clippy::unnecessary_wraps, reason = "the default of an optional field")]
const fn default_offer_t38_after_ms() -> Option<u64> {
    // A called side that means to offer T.38 does so within its first second.
    Some(4_000)
}

const fn default_t38_silence_s() -> u64 {
    10
}

const fn default_memory_days() -> u32 {
    30
}

const fn default_ring_limit_s() -> u64 {
    90
}

const fn default_call_limit_s() -> u64 {
    7_200
}

const fn default_keep_alive_s() -> u64 {
    60
}
