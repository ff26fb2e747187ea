//! What the administrator has set up, as the core uses it: clients, fax servers,
//! groups, dial rules, routes, roles. Whoever holds a [`Setup`] knows that every
//! name in it leads somewhere; the configuration made sure of that.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    authority::{Grant, Role},
    dial::DialRule,
    document::{Paper, Resolution, Shape},
    names::{ClientName, GroupName, HookName, RoleName, ServerName},
    number::{Country, Number, Pattern},
    quota::Quota,
    retry::RetryRules,
    route::Route,
    settings::OnDrift,
    webhook::Hook,
};

/// Everything that an administrator has set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The fax domain: `NUMBER@domain`.
    pub domain: String,
    /// How national numbers are read.
    pub country: Country,
    /// Who gets alarms.
    pub postmaster: String,
    /// Groups by name.
    pub groups: BTreeMap<GroupName, Group>,
    /// Fax servers by name.
    pub servers: BTreeMap<ServerName, Server>,
    /// Clients by name.
    pub clients: BTreeMap<ClientName, Client>,
    /// Roles by name.
    pub roles: BTreeMap<RoleName, Role>,
    /// Dial rules; the first that matches decides.
    pub dial: Vec<DialRule>,
    /// Routes of received faxes; the first that matches decides.
    pub routes: Vec<Route>,
    /// Who is told of what has happened.
    pub webhooks: BTreeMap<HookName, Hook>,
    /// Delays and budgets of attempts.
    pub retry: RetryRules,
    /// Limits of jobs.
    pub limits: JobLimits,
}

/// A set of clients and servers.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Gets what no route took.
    pub operator: Option<ClientName>,
    /// What its clients may use together.
    pub quota: Quota,
}

/// A fax server, as far as choosing it goes.
#[derive(Debug, Clone)]
pub struct Server {
    /// The groups that it serves.
    pub groups: BTreeSet<GroupName>,
    /// The numbers that it answers on.
    pub numbers: Vec<Number>,
    /// How many calls it can place at once.
    pub lines: u32,
    /// Whether it is to get no new work.
    pub draining: bool,
    /// What is done when its settings are changed at the server itself.
    pub on_drift: OnDrift,
    /// Which pages it can take.
    pub takes: Takes,
    /// How many faxes to one number it may have at a time: more than one where the server
    /// calls a number once at a time by itself, and may send them in one call.
    pub batch: usize,
}

/// Which pages a fax server can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// The resolutions; standard is one of them whether it is named or not.
    pub resolutions: Vec<Resolution>,
    /// The widest paper.
    pub paper: Paper,
}

impl Default for Takes {
    fn default() -> Self {
        let resolutions = vec![Resolution::Standard, Resolution::Fine, Resolution::Superfine];
        Self { resolutions, paper: Paper::A4 }
    }
}

impl Takes {
    /// Whether pages of this resolution can be taken.
    #[must_use]
    pub fn resolution(&self, resolution: Resolution) -> bool {
        resolution == Resolution::Standard || self.resolutions.contains(&resolution)
    }

    /// Whether a document can be taken.
    #[must_use]
    pub fn shape(&self, shape: Shape) -> bool {
        self.resolution(shape.resolution) && shape.paper <= self.paper
    }
}

impl Server {
    /// Whether it answers on this number.
    #[must_use]
    pub fn answers(&self, number: &Number) -> bool {
        self.numbers.contains(number)
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its mail addresses; the first is where its faxes go. A pattern (`*@sales.example.com`)
    /// stands for any sender that fits.
    pub mail: Vec<Pattern>,
    /// The groups that it belongs to.
    pub groups: BTreeSet<GroupName>,
    /// Its authority.
    pub grants: Vec<Grant>,
    /// How it wants its faxes.
    pub receive: Receive,
    /// When it gets receipts that it did not ask for.
    pub receipts: Receipts,
    /// What it may use.
    pub quota: Quota,
}

impl Client {
    /// The address that its faxes and receipts go to; `None` for a client that is only a pattern.
    #[must_use]
    pub fn mailbox(&self) -> Option<&str> {
        self.mail.iter().map(Pattern::as_str).find(|address| !address.contains('*'))
    }

    /// Whether `address` is one of its own.
    #[must_use]
    pub fn owns(&self, address: &str) -> bool {
        self.mail.iter().any(|pattern| pattern.matches(address))
    }
}

/// How a client wants its faxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receive {
    /// The form of the attachment.
    pub format: Format,
    /// Two-letter ISO 639 code.
    pub language: String,
    /// Whether its PDFs can be searched for words; `None` is as for everybody.
    #[serde(default)]
    pub text: Option<TextLayer>,
    /// Which pages its PDFs leave out; `None` is as for everybody.
    #[serde(default)]
    pub trim: Option<Trim>,
}

impl Default for Receive {
    fn default() -> Self {
        Self { format: Format::Pdf, language: "en".into(), text: None, trim: None }
    }
}

/// Whether the PDF of a received fax has the words of its pages in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextLayer {
    /// It has only pictures.
    #[default]
    Off,
    /// The words lie unseen over the pictures, where a program can read them.
    Pdf,
}

/// Which pages the PDF of a received fax leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trim {
    /// Those with nothing on them.
    pub blank: bool,
    /// Those that are the same as the one before: sent again after damage.
    pub duplicate: bool,
}

/// The form of the pages in a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A PDF.
    #[default]
    Pdf,
    /// A TIFF-F.
    Tiff,
    /// One of each.
    Both,
}

/// When a client gets a receipt for a fax that arrived and whose mail did not say (RFC 3461 NOTIFY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Receipts {
    /// For every fax.
    #[default]
    Always,
    /// Only for those that failed.
    Failures,
}

/// Limits of jobs.
#[derive(Debug, Clone)]
pub struct JobLimits {
    /// Most pages of one fax.
    pub max_pages: u32,
    /// Most jobs that may wait; a mail that would exceed it is deferred.
    pub max_jobs: usize,
    /// How long a fax is tried.
    pub expire: Duration,
    /// How long a mail is tried.
    pub mail_expire: Duration,
    /// After this time the sender is told that a fax is still tried; zero: never.
    pub delay_notice: Duration,
    /// Within this time a mail with the same Message-ID to the same number is the same fax.
    pub duplicate_window: Duration,
    /// How many mails are delivered at once.
    pub mail_lines: u32,
    /// Of how many mails the pages are made at once.
    pub converters: usize,
    /// Most faxes that are taken for one number in an hour.
    pub max_per_number: u32,
    /// Who may call the numbers that our own servers answer on.
    pub own_numbers: OwnNumbers,
}

/// Who may call the numbers that our own servers answer on: a fax to oneself is how a
/// loop begins, and how one branch writes to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnNumbers {
    /// Any server but those that answer on the number.
    #[default]
    ByOthers,
    /// Nobody.
    Never,
    /// Everybody.
    Always,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            max_pages: 200,
            max_jobs: 100_000,
            expire: Duration::from_secs(24 * 3600),
            mail_expire: Duration::from_secs(5 * 24 * 3600),
            delay_notice: Duration::from_secs(3600),
            duplicate_window: Duration::from_secs(24 * 3600),
            mail_lines: 8,
            converters: 2,
            max_per_number: 1000,
            own_numbers: OwnNumbers::default(),
        }
    }
}

impl Setup {
    /// The client that a mail address belongs to: an exact address before a pattern.
    #[must_use]
    pub fn client_of(&self, address: &str) -> Option<&ClientName> {
        let exact =
            |c: &Client| c.mail.iter().any(|p| !p.as_str().contains('*') && p.matches(address));
        self.clients
            .iter()
            .find(|(_, client)| exact(client))
            .or_else(|| self.clients.iter().find(|(_, client)| client.owns(address)))
            .map(|(name, _)| name)
    }

    /// Whether one of our own servers answers on this number.
    #[must_use]
    pub fn is_own_number(&self, number: &Number) -> bool {
        self.servers.values().any(|server| server.answers(number))
    }

    /// Whether the client and the server share a group.
    #[must_use]
    pub fn share_group(&self, client: &ClientName, server: &ServerName) -> bool {
        match (self.clients.get(client), self.servers.get(server)) {
            (Some(client), Some(server)) => !client.groups.is_disjoint(&server.groups),
            _ => false,
        }
    }
}
