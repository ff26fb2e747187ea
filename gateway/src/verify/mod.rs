//! Who stands behind a mail: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489,
//! with the tree walk of RFC 9989 in place of a list of public suffixes). It says
//! what is proven and what is not, and by which record. Which address may send,
//! and what becomes of the mail, is decided by whoever asks.

mod file;
mod stamp;
mod verdict;

use std::{collections::HashSet, io, net::IpAddr, net::SocketAddr, path::Path, time::Duration};

use mail_auth::{
    AuthenticatedMessage, DkimOutput, DmarcOutput, DmarcResult, MessageAuthenticator, SpfOutput,
    common::{crypto::Algorithm, to_a_label},
    dmarc::verify::DmarcParameters,
    hickory_resolver::{
        config::{
            ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
            ResolverOpts,
        },
        system_conf::read_system_conf,
    },
    spf::verify::SpfParameters,
};
use tokio::{sync::Semaphore, time::timeout};

pub use mail_auth::SpfResult;
pub use stamp::stamp;
pub use verdict::{Broken, Dmarc, Doubt, Evidence, Flaw, Signed, Spf};

use file::Head;

/// Longest time for all questions of one check; the least that RFC 7208 4.6.4 allows.
const CHECK_LIMIT: Duration = Duration::from_secs(20);
/// Longest time for all questions about one message.
const MESSAGE_LIMIT: Duration = Duration::from_secs(60);
/// Signatures of one message that are looked at (RFC 6376 6.1 permits a limit).
const MAX_SIGNATURES: usize = 8;
/// Messages whose bodies are read at a time. Each holds its header fields (at most
/// 512 KiB) and a buffer in memory; bodies are hashed as they are read.
const MESSAGES_AT_ONCE: usize = 8;
/// Checks that may run ahead of their message.
const AHEAD_AT_ONCE: usize = 64;

/// How the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The servers, asked by UDP and TCP; none means those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long one server has for one answer, in seconds.
    pub timeout_s: u64,
    /// How often a question is asked.
    pub tries: usize,
    /// Answers that are remembered for as long as they say.
    pub cache_entries: u64,
}

/// The resolver could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the DNS cannot be asked: {0}")]
pub struct ResolverError(String);

/// Who hands over a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The host.
    pub address: IpAddr,
    /// What the host calls itself.
    pub helo: String,
    /// MAIL FROM; `None` is the null reverse-path, for which the name of the host
    /// counts (RFC 7208 2.4).
    pub from: Option<String>,
}

/// Checks mails against the DNS.
pub struct Verifier {
    dns: MessageAuthenticator,
    hostname: String,
    messages: Semaphore,
    ahead: Semaphore,
}

impl Verifier {
    /// One that asks as `options` say; `hostname` is this host.
    ///
    /// # Errors
    /// [`ResolverError`] when `/etc/resolv.conf` cannot be used.
    pub fn new(options: &Options, hostname: &str) -> Result<Self, ResolverError> {
        let failed = |error: &dyn std::fmt::Display| ResolverError(error.to_string());
        let (servers, mut asking) = if options.servers.is_empty() {
            read_system_conf().map_err(|error| failed(&error))?
        } else {
            let servers = options.servers.iter().map(|address| name_server(*address)).collect();
            (ResolverConfig::from_parts(None, vec![], servers), ResolverOpts::default())
        };
        asking.timeout = Duration::from_secs(options.timeout_s);
        asking.attempts = options.tries.saturating_sub(1);
        asking.cache_size = options.cache_entries;
        // What a domain publishes is in the DNS and not in a file of this host.
        asking.use_hosts_file = ResolveHosts::Never;
        let dns = MessageAuthenticator::new(servers, asking).map_err(|error| failed(&error))?;
        Ok(Self {
            dns,
            hostname: hostname.to_owned(),
            messages: Semaphore::new(MESSAGES_AT_ONCE),
            ahead: Semaphore::new(AHEAD_AT_ONCE),
        })
    }

    /// Asks what SPF will need, so that the answers are remembered when the message
    /// has come. Does nothing when many others are doing so.
    pub async fn spf_ahead(&self, sender: &Sender) {
        if let Ok(_place) = self.ahead.try_acquire() {
            self.spf(sender).await;
        }
    }

    /// Whether the domain of MAIL FROM lets this host send. Takes 20 s at most; the
    /// number of questions is that of RFC 7208 4.6.4.
    pub async fn spf(&self, sender: &Sender) -> Spf {
        let from = sender.from.as_deref().unwrap_or_default();
        let address = sender.address.to_canonical();
        let asked = SpfParameters::verify_mail_from(address, &sender.helo, &self.hostname, from);
        let domain = from.rsplit_once('@').map_or(sender.helo.as_str(), |(_, domain)| domain);
        let result = match timeout(CHECK_LIMIT, self.dns.verify_spf(asked)).await {
            Ok(output) => output.result(),
            Err(_) => SpfResult::TempError,
        };
        Spf { domain: domain.to_ascii_lowercase(), result }
    }

    /// Whether the domain of the author stands behind a message in a file.
    ///
    /// # Errors
    /// [`Doubt`] says why that is not proven.
    pub async fn message(&self, path: &Path, sender: &Sender) -> Result<Evidence, Doubt> {
        match timeout(MESSAGE_LIMIT, self.examine(path, sender)).await {
            Ok(verdict) => verdict,
            Err(_) => Err(Doubt::TooSlow),
        }
    }

    async fn examine(&self, path: &Path, sender: &Sender) -> Result<Evidence, Doubt> {
        let place = self.messages.acquire().await;
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || Head::read(&path)).await;
        drop(place);
        let head =
            read.map_err(io::Error::other).and_then(|read| read).map_err(Doubt::Unreadable)?;
        let mut message = AuthenticatedMessage::parse(&head.fields).ok_or(Doubt::NoAuthor)?;
        let author = author(&message)?;
        let weak = unfit(&mut message);
        head.put_hashes(&mut message);
        let spf = self.spf(sender).await;
        let outputs = self.dns.verify_dkim(&message).await;
        let mut signatures: Vec<Signed> = outputs.iter().map(Signed::of).collect();
        signatures.extend(weak);
        let (dmarc, policy) = self.align(&message, &author, &spf, &outputs).await;
        let evidence = Evidence { author, spf, signatures, policy, dmarc };
        match &evidence.dmarc {
            Dmarc::Spf | Dmarc::Dkim => Ok(evidence),
            Dmarc::Unanswered => Err(Doubt::Unanswered(Box::new(evidence))),
            Dmarc::BadRecord => Err(Doubt::BadRecord(Box::new(evidence))),
            Dmarc::Fail => Err(Doubt::Unproven(Box::new(evidence))),
        }
    }

    /// Which of the checks speaks for the domain of the author, and whether that
    /// domain has a DMARC record.
    async fn align(
        &self,
        message: &AuthenticatedMessage<'_>,
        author: &str,
        spf: &Spf,
        outputs: &[DkimOutput<'_>],
    ) -> (Dmarc, bool) {
        let checked = SpfOutput::new(spf.domain.clone()).with_result(spf.result);
        let asked = DmarcParameters::new(message, outputs, &spf.domain, &checked);
        let output = self.dns.verify_dmarc(asked).await;
        let policy = output.dmarc_record().is_some();
        let silent = matches!(output.result(), DmarcResult::None);
        if !policy && silent {
            return (without_record(author, spf, outputs), false);
        }
        (with_record(&output), policy)
    }
}

/// What a record of the author's domain makes of the checks. SPF is named first, as
/// it is the cheaper proof.
fn with_record(output: &DmarcOutput) -> Dmarc {
    let results = [(output.spf_result(), Dmarc::Spf), (output.dkim_result(), Dmarc::Dkim)];
    let passed = results.iter().find(|(result, _)| **result == DmarcResult::Pass);
    if let Some((_, by)) = passed {
        return *by;
    }
    let any = |wanted: fn(&DmarcResult) -> bool| results.iter().any(|(result, _)| wanted(result));
    if any(|result| matches!(result, DmarcResult::TempError(_))) {
        Dmarc::Unanswered
    } else if any(|result| matches!(result, DmarcResult::PermError(_))) {
        Dmarc::BadRecord
    } else {
        Dmarc::Fail
    }
}

/// A domain without a record: where its organisation ends is then not known (RFC 9989
/// 4.10.2), so that only the very same domain is aligned with it.
fn without_record(author: &str, spf: &Spf, outputs: &[DkimOutput<'_>]) -> Dmarc {
    let author = domain_of(author);
    let same = |domain: &str| to_a_label(domain) == to_a_label(author);
    let of_author = |output: &&DkimOutput<'_>| output.signature().is_some_and(|s| same(&s.d));
    let flaws = outputs.iter().filter(of_author).map(|output| Signed::of(output).flaw);
    let flaws: Vec<Option<Flaw>> = flaws.collect();
    if spf.result == SpfResult::Pass && same(&spf.domain) {
        Dmarc::Spf
    } else if flaws.contains(&None) {
        Dmarc::Dkim
    } else if flaws.contains(&Some(Flaw::Unanswered))
        || (spf.result == SpfResult::TempError && same(&spf.domain))
    {
        Dmarc::Unanswered
    } else {
        Dmarc::Fail
    }
}

/// The one address of the one `From` (RFC 7489 6.6.1): with several of them, one
/// reader believes the first and another one the last.
fn author(message: &AuthenticatedMessage<'_>) -> Result<String, Doubt> {
    let is_from = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(b"from");
    let fields = message.headers.iter().filter(|(name, _)| is_from(name)).count();
    match (fields, message.froms()) {
        (1, [address]) if address.contains('@') => Ok(address.clone()),
        (0, _) | (1, [] | [_]) => Err(Doubt::NoAuthor),
        _ => Err(Doubt::SeveralAuthors),
    }
}

/// Takes out the signatures that prove nothing whatever their key says, and those
/// beyond the limit.
fn unfit(message: &mut AuthenticatedMessage<'_>) -> Vec<Signed> {
    let mut unfit = Vec::new();
    let mut seen = HashSet::new();
    message.dkim_headers.retain(|header| {
        let signature = &header.header;
        let broken = if signature.a == Algorithm::RsaSha1 {
            // RFC 8301 3.1
            Some(Broken::Weak)
        } else if !signature.h.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            // RFC 6376 5.4
            Some(Broken::AuthorNotSigned)
        } else {
            None
        };
        if let Some(broken) = broken {
            unfit.push(Signed {
                domain: signature.d.clone(),
                selector: signature.s.clone(),
                flaw: Some(Flaw::Broken(broken)),
            });
            return false;
        }
        seen.insert(signature.b.clone())
    });
    message.dkim_headers.truncate(MAX_SIGNATURES);
    unfit.truncate(MAX_SIGNATURES);
    unfit
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connection = |protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = address.port();
        connection
    };
    let both = [ProtocolConfig::Udp, ProtocolConfig::Tcp].map(connection);
    NameServerConfig::new(address.ip(), true, both.into())
}
