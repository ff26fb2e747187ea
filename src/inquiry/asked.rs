//! What a mail asks, once it is understood: whether that may be done twice, and which job
//! it is about. Pure.

use postfax_domain::{book::Label, job::InquiryTopic, names::JobId};

use super::card::Edited;
use crate::requests::{
    Ask, AskAlter, AskConfig,
    book::{Fields, Keeper},
    settings::AskSettings,
};

/// What a mail asks.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    /// What can be asked?
    Help,
    /// Something of the running Postfax.
    Of(Ask),
    /// That the number of a fax stands in the phone book.
    Save(Box<Save>),
    /// That an entry of the phone book says what this text says.
    Edit(Box<Edited>),
}

/// A number that is to stand in the phone book, by the fax that it is known from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Save {
    /// The fax.
    pub(super) job: JobId,
    /// What the entry is to say; a number only where its writer has written one.
    pub(super) fields: Fields,
    /// Whose it is to be.
    pub(super) owner: Option<Keeper>,
    /// Who is to see it.
    pub(super) label: Option<Label>,
}

/// Whether something may be done once more when nobody knows whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It only reads, or comes to the same whenever it is done.
    Harmless,
    /// It comes to the same right away, and not after others have changed it.
    Soon,
    /// It is noted before it is done.
    Once,
}

impl Asked {
    pub(super) fn repeat(&self) -> Repeat {
        let ask = match self {
            Self::Of(ask) => ask,
            Self::Help => return Repeat::Harmless,
            Self::Save(_) | Self::Edit(_) => return Repeat::Once,
        };
        match ask {
            Ask::Book(ask) if ask.changes() => Repeat::Once,
            Ask::Retry { .. }
            | Ask::Alter(_)
            | Ask::Assign { .. }
            | Ask::GiveUp { .. }
            | Ask::Reload
            | Ask::Settings(
                AskSettings::Set { .. }
                | AskSettings::SetText { .. }
                | AskSettings::Rollback { .. }
                | AskSettings::Adopt { .. },
            )
            | Ask::Config(
                AskConfig::Set { .. } | AskConfig::Replace { .. } | AskConfig::Rollback { .. },
            ) => Repeat::Once,
            // What is on hold or drained says so.
            Ask::Hold { .. }
            | Ask::Release { .. }
            | Ask::Drain { .. }
            | Ask::Resume { .. }
            | Ask::Settings(AskSettings::Push { .. }) => Repeat::Soon,
            // What is being stopped is stopped once more, and what is over says so; all
            // others only read.
            Ask::Cancel { .. }
            | Ask::Status
            | Ask::Watch
            | Ask::Jobs(_)
            | Ask::Show { .. }
            | Ask::Explain { .. }
            | Ask::ExplainJob { .. }
            | Ask::Pages { .. }
            | Ask::Follow
            | Ask::Inbound(_)
            | Ask::Servers
            | Ask::Book(_)
            | Ask::Webhooks
            | Ask::RetryWebhook { .. }
            | Ask::Audit(_)
            | Ask::VerifyAudit { .. }
            | Ask::Settings(
                AskSettings::Get { .. } | AskSettings::History { .. } | AskSettings::Diff { .. },
            )
            | Ask::Config(
                AskConfig::Get { .. }
                | AskConfig::History
                | AskConfig::Show { .. }
                | AskConfig::Diff { .. },
            ) => Repeat::Harmless,
        }
    }

    /// Which of our addresses a reply to the answer goes to.
    pub(super) fn topic(&self) -> InquiryTopic {
        match self {
            Self::Save(_) | Self::Edit(_) | Self::Of(Ask::Book(_)) => InquiryTopic::Book,
            Self::Help | Self::Of(_) => InquiryTopic::Any,
        }
    }

    /// The job that it is about, so that a reply to the answer means the same one.
    pub(super) fn about(&self) -> Option<JobId> {
        let Self::Of(ask) = self else { return None };
        match ask {
            Ask::Show { job }
            | Ask::Cancel { job }
            | Ask::Retry { job }
            | Ask::Hold { job }
            | Ask::Release { job }
            | Ask::Alter(AskAlter { job, .. })
            | Ask::Assign { job, .. }
            | Ask::Pages { job }
            | Ask::ExplainJob { job } => Some(*job),
            Ask::Status
            | Ask::Watch
            | Ask::Follow
            | Ask::Jobs(_)
            | Ask::Explain { .. }
            | Ask::Settings(_)
            | Ask::Reload
            | Ask::Config(_)
            | Ask::Inbound(_)
            | Ask::Servers
            | Ask::Book(_)
            | Ask::Webhooks
            | Ask::RetryWebhook { .. }
            | Ask::Drain { .. }
            | Ask::Resume { .. }
            | Ask::GiveUp { .. }
            | Ask::Audit(_)
            | Ask::VerifyAudit { .. } => None,
        }
    }
}
