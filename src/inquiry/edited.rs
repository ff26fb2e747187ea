//! An edited text of settings: registered if it says something else than what it was
//! made of. When somebody else was faster, nothing is overwritten and nothing is lost:
//! the answer says what they have changed, what the writer had wanted, and has the newest
//! text.

use postfax_domain::{
    audit::Asker,
    names::ServerName,
    settings::{Change, Settings},
};

use crate::requests::{
    self, Ask, Daemon, Problem, Reply,
    settings::{AskSettings, Shown, Told, text},
};

/// What became of it.
pub(super) enum Outcome {
    /// It was asked for, and this is the answer.
    Asked(Reply),
    /// It says what is registered already.
    Same(Box<Shown>),
    /// It was made of a version that is not the newest any more.
    Stale(Box<Stale>),
}

/// A text that was too late.
pub(super) struct Stale {
    /// The refusal.
    pub(super) problem: Problem,
    /// The version that was edited.
    pub(super) base: u64,
    /// What has changed since.
    pub(super) since: Vec<Change>,
    /// What the writer had wanted to change.
    pub(super) wanted: Vec<Change>,
    /// The newest version.
    pub(super) newest: Shown,
}

/// Has an edited text registered. Each question is asked for the writer, who may not
/// know what they may not read.
pub(super) async fn register(
    daemon: &dyn Daemon,
    asker: &Asker,
    server: &ServerName,
    written: &str,
    ask: Ask,
) -> Outcome {
    // What cannot be read is refused in words by whoever registers it.
    let wanted = text::parse(written).ok();
    let base = wanted.as_ref().and_then(|edited| edited.version);
    let (Some(wanted), Some(base)) = (wanted, base) else {
        return Outcome::Asked(requests::answer(daemon, asker, ask).await);
    };
    if let Some(newest) = newest(daemon, asker, server).await
        && newest.version.number == base
        && differences(&newest.version.settings, &wanted.settings).is_empty()
    {
        return Outcome::Same(Box::new(newest));
    }
    let problem = match requests::answer(daemon, asker, ask).await {
        Reply::Problem(problem) => problem,
        reply => return Outcome::Asked(reply),
    };
    match stale(daemon, asker, server, base, &wanted.settings, &problem).await {
        Some(stale) => Outcome::Stale(Box::new(stale)),
        None => Outcome::Asked(problem.into()),
    }
}

async fn stale(
    daemon: &dyn Daemon,
    asker: &Asker,
    server: &ServerName,
    base: u64,
    wanted: &Settings,
    problem: &Problem,
) -> Option<Stale> {
    let newest = newest(daemon, asker, server).await.filter(|one| one.version.number != base)?;
    let question = AskSettings::Diff { server: server.clone(), from: Some(base), to: None };
    let Told::Diff(diff) = told(daemon, asker, question).await? else { return None };
    let since = diff.changes;
    let undone = since.iter().map(|change| (change.name.clone(), change.from.clone()));
    let wanted = differences(&newest.version.settings.with(undone), wanted);
    Some(Stale { problem: problem.clone(), base, since, wanted, newest })
}

async fn newest(daemon: &dyn Daemon, asker: &Asker, server: &ServerName) -> Option<Shown> {
    match told(daemon, asker, AskSettings::Get { server: server.clone() }).await? {
        Told::Sheet(shown) => Some(shown),
        Told::History(_) | Told::Diff(_) | Told::Registered(_) => None,
    }
}

async fn told(daemon: &dyn Daemon, asker: &Asker, ask: AskSettings) -> Option<Told> {
    match requests::answer(daemon, asker, Ask::Settings(ask)).await {
        Reply::Settings(told) => Some(*told),
        _ => None,
    }
}

/// Where they differ in what they mean: a text may say "3" for the number 3.
fn differences(one: &Settings, other: &Settings) -> Vec<Change> {
    let mut changes = one.differences(other);
    changes.retain(|change| {
        let said = |value: &Option<_>| value.as_ref().map(ToString::to_string);
        said(&change.from) != said(&change.to)
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::{fake::Fake, samples};

    async fn outcome(text: &str) -> Outcome {
        let server = samples::server("london-1");
        let set = AskSettings::SetText {
            server: server.clone(),
            version: None,
            text: text.to_owned(),
            reason: String::new(),
        };
        let asker = samples::administrator();
        register(&Fake::default(), &asker, &server, text, Ask::Settings(set)).await
    }

    /// What the newest version of london-1 says, with another version or value.
    fn text(from: &str, to: &str) -> String {
        let text = text::print(&crate::requests::settings::fake::sheet());
        assert!(text.contains(from));
        text.replace(from, to)
    }

    fn said(changes: &[Change]) -> Vec<String> {
        changes.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn what_is_the_same_is_not_registered() {
        for same in [text("version = 2", "version = 2"), text("max_dials = 5", "max_dials = \"5\"")]
        {
            assert!(matches!(outcome(&same).await, Outcome::Same(_)), "{same}");
        }
    }

    #[tokio::test]
    async fn what_differs_is_registered() {
        let Outcome::Asked(Reply::Settings(told)) =
            outcome(&text("max_dials = 5", "max_dials = 7")).await
        else {
            panic!()
        };
        let Told::Registered(done) = *told else { panic!("{told:?}") };
        assert_eq!(said(&done.changes), ["max_dials: 5 -> 7"]);
    }

    #[tokio::test]
    async fn what_is_too_late_is_told_all() {
        let late = text("version = 2", "version = 1").replace("rings = 2", "rings = 4");
        let Outcome::Stale(stale) = outcome(&late.replace("max_dials = 5", "max_dials = 3")).await
        else {
            panic!()
        };
        assert_eq!((stale.base, stale.newest.version.number), (1, 2));
        assert_eq!(said(&stale.since), ["max_dials: 3 -> 5"]);
        assert_eq!(said(&stale.wanted), ["line.ttyFAX0.rings: 2 -> 4"]);
        assert!(stale.problem.message.contains("version 1 is not the newest"));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_refused() {
        for bad in [text("version = 2\n", ""), text("max_dials = 5", "max_dials = [5]")] {
            assert!(matches!(outcome(&bad).await, Outcome::Asked(Reply::Problem(_))), "{bad}");
        }
    }
}
