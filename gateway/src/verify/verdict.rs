//! What was found out about a mail, in values and in words.

use std::{fmt, io};

use mail_auth::{
    DkimOutput, DkimResult, DnsError, Error, SpfResult, common::crypto::CryptoError,
    dkim::DkimError,
};

use super::domain_of;
use crate::reply::{Meaning, Reply};

/// Signatures that are named in words.
const MAX_NAMED: usize = 3;

/// What SPF says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spf {
    /// The domain of MAIL FROM, or the name of the host for the null reverse-path.
    pub domain: String,
    /// Whether it lets the host send.
    pub result: SpfResult,
}

/// One DKIM signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Who signed; empty when that cannot be read.
    pub domain: String,
    /// The name of the key.
    pub selector: String,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
}

/// Why a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It does not hold.
    Broken(Broken),
    /// The DNS did not give its key.
    Unanswered,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The body is not the one that was signed.
    #[error("the body was altered")]
    Body,
    /// The header fields are not those that were signed, or the key is another one.
    #[error("the header was altered or the key is another one")]
    Header,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// There is no such key.
    #[error("its key is not in the DNS")]
    NoKey,
    /// It signs a part of the body only (RFC 6376 8.2).
    #[error("it signs a part of the body only")]
    Partial,
    /// `rsa-sha1` (RFC 8301 3.1).
    #[error("rsa-sha1 proves nothing")]
    Weak,
    /// It does not cover `From`.
    #[error("it does not sign From")]
    AuthorNotSigned,
    /// The signature or its key cannot be used; what the library says.
    #[error("{0}")]
    Unusable(String),
}

/// What of the checks speaks for the domain of the author.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dmarc {
    /// SPF does.
    Spf,
    /// DKIM does.
    Dkim,
    /// Neither does.
    Fail,
    /// The DNS has not said all that is needed.
    Unanswered,
    /// The DMARC record cannot be read.
    BadRecord,
}

/// All that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The one address of `From`, in small letters.
    pub author: String,
    /// SPF.
    pub spf: Spf,
    /// The DKIM signatures.
    pub signatures: Vec<Signed>,
    /// Whether the domain of the author has a DMARC record.
    pub policy: bool,
    /// What they prove.
    pub dmarc: Dmarc,
}

/// Why it is not proven who is behind a mail.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// No check speaks for the domain of the author.
    #[error("{domain} is not proven to be behind this mail: {0}", domain = .0.domain())]
    Unproven(Box<Evidence>),
    /// A check that could has no answer from the DNS.
    #[error(
        "whether {domain} is behind this mail cannot be found out at the moment, try again \
         later: {0}",
        domain = .0.domain()
    )]
    Unanswered(Box<Evidence>),
    /// The DMARC record is there and cannot be read.
    #[error("the DMARC record that counts for {domain} is not valid: {0}", domain = .0.domain())]
    BadRecord(Box<Evidence>),
    /// There is no `From` with an address.
    #[error("the message has no From with an address")]
    NoAuthor,
    /// There is more than one `From`, or more than one address in it.
    #[error("the message has more than one From address: it needs exactly one")]
    SeveralAuthors,
    /// All together took too long.
    #[error("the DNS is too slow to tell who is behind this mail, try again later")]
    TooSlow,
    /// The message could not be read.
    #[error("the message could not be read: {0}")]
    Unreadable(io::Error),
}

impl Doubt {
    /// Whether the same mail may be proven another time.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        match self {
            Self::Unanswered(_) | Self::TooSlow | Self::Unreadable(_) => Meaning::Later,
            Self::Unproven(_) | Self::BadRecord(_) | Self::NoAuthor | Self::SeveralAuthors => {
                Meaning::Never
            }
        }
    }

    /// The refusal, with the codes of RFC 7372 3.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let text = self.to_string();
        match self {
            Self::Unanswered(evidence) if evidence.spf.result == SpfResult::TempError => {
                Reply::new(451, (7, 24), text)
            }
            Self::Unanswered(_) | Self::TooSlow => Reply::new(451, (4, 3), text),
            Self::Unreadable(_) => Reply::new(451, (3, 0), text),
            _ => Reply::new(550, (7, 26), text),
        }
    }
}

impl Evidence {
    /// The domain of the author.
    #[must_use]
    pub fn domain(&self) -> &str {
        domain_of(&self.author)
    }
}

/// `SPF fail for example.com; no DKIM signature`
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (author, spf) = (self.domain(), &self.spf);
        write!(f, "SPF {} for {}", word(spf.result), spf.domain)?;
        // Only then it is known what would have been aligned.
        let unaligned = self.dmarc == Dmarc::Fail;
        if spf.result == SpfResult::Pass && unaligned {
            write!(f, ", which is not aligned with {author}")?;
        }
        if self.signatures.is_empty() {
            f.write_str("; no DKIM signature")?;
        }
        for signed in self.signatures.iter().take(MAX_NAMED) {
            let by = if signed.domain.is_empty() { "nobody" } else { &signed.domain };
            write!(f, "; DKIM signature by {by} ")?;
            match &signed.flaw {
                None => write!(f, "pass")?,
                Some(Flaw::Broken(broken)) => write!(f, "fail: {broken}")?,
                Some(Flaw::Unanswered) => write!(f, "unknown: the DNS does not give its key")?,
            }
            if signed.flaw.is_none() && unaligned {
                write!(f, ", which is not aligned with {author}")?;
            }
        }
        if !self.policy && self.dmarc == Dmarc::Fail {
            write!(f, "; {author} has no DMARC record")?;
        }
        Ok(())
    }
}

/// The word of RFC 8601 2.7.2.
pub(super) fn word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}

impl Signed {
    pub(super) fn of(output: &DkimOutput<'_>) -> Self {
        let (domain, selector) = output
            .signature()
            .map_or_else(Default::default, |signature| (signature.d.clone(), signature.s.clone()));
        let flaw = match output.result() {
            DkimResult::Pass => None,
            DkimResult::TempError(_) => Some(Flaw::Unanswered),
            DkimResult::Neutral(error) | DkimResult::Fail(error) | DkimResult::PermError(error) => {
                Some(Flaw::Broken(broken(error)))
            }
            DkimResult::None => Some(Flaw::Broken(Broken::NoKey)),
        };
        Self { domain, selector, flaw }
    }
}

fn broken(error: &Error) -> Broken {
    match error {
        Error::Dkim(DkimError::FailedBodyHashMatch) => Broken::Body,
        Error::Dkim(DkimError::SignatureExpired) => Broken::Expired,
        Error::Dkim(DkimError::SignatureLength) => Broken::Partial,
        Error::Crypto(CryptoError::FailedVerification) => Broken::Header,
        Error::Dns(DnsError::RecordNotFound(_) | DnsError::InvalidRecordType) => Broken::NoKey,
        other => Broken::Unusable(other.to_string()),
    }
}
