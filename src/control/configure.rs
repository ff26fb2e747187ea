//! The configuration as others see and change it: which version it is, what a change of
//! it may say, and the way of a change from a candidate into force.
//!
//! ```text
//!  texts ─ edit ─▶ candidate ─ check ─▶ permitted? ─ note ─▶ write ─▶ in force ─▶ settled
//!                                                      └────────── not in force: written back
//! ```
//!
//! One change at a time: whoever changes holds the only permit.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use postfax_domain::{audit::Asker, authority::Who, setup::Setup};
use similar::TextDiff;
use tracing::{info, warn};

use super::Control;
use crate::{
    config::{self, Config, Problem as Finding, Set, Text},
    crash,
    daemon::now,
    requests::{AskConfig, Code, ConfigReply, Line, Problem, Terms},
    store::{StoreError, Version},
};

/// Why a version is there that nobody asked us for.
pub(super) const BY_HAND: &str = "edited by hand";
/// Why the first version is there.
pub(super) const FIRST: &str = "as it was found";
/// Longest reason in bytes.
const MAX_REASON_BYTES: usize = 1000;
/// Lines around a change that a difference shows.
const CONTEXT: usize = 3;

/// The configuration as it is in the files.
struct Now {
    texts: Vec<Text>,
    /// What they mean; the problems when they are bad.
    meaning: Result<Config, Vec<Finding>>,
    /// The number of the last version.
    version: u64,
}

impl Control {
    /// Answers a question about the configuration.
    pub(super) async fn configure(
        &self,
        asker: &Asker,
        setup: &Arc<Setup>,
        ask: AskConfig,
    ) -> Result<ConfigReply, Problem> {
        let _turn = self.turn.acquire().await.map_err(failed)?;
        // Whoever was before may have taken away what permitted it.
        let is_of_now = Arc::ptr_eq(setup, &self.context.config.load().setup);
        if ask.changes() && asker.who != Who::Administrator && !is_of_now {
            let message = "the configuration was changed meanwhile: look at it and ask again";
            return Err(Problem::new(Code::Busy, message));
        }
        match ask {
            AskConfig::Get { key } => self.get(key).await,
            AskConfig::History => {
                self.now().await?;
                let line = |Version { number, at, author, reason, .. }| Line {
                    number,
                    at,
                    author,
                    reason,
                };
                let versions = self.context.reader.versions().await.map_err(failed)?;
                Ok(ConfigReply::History(versions.into_iter().map(line).collect()))
            }
            AskConfig::Show { number } => {
                self.now().await?;
                let texts = self.version(number).await?;
                Ok(ConfigReply::Texts { version: number, texts })
            }
            AskConfig::Diff { from, to } => {
                let to = to.unwrap_or(self.now().await?.version);
                let (from, to) = (self.version(from).await?, self.version(to).await?);
                Ok(ConfigReply::Diff(difference(&from, &to)))
            }
            AskConfig::Set { changes, terms } => {
                let now = self.now().await?;
                let new = edited(&now.texts, &changes)?;
                self.change(asker, now, new, terms).await
            }
            AskConfig::Replace { text, terms } => {
                let now = self.now().await?;
                let mut new = now.texts.clone();
                let place = self.named(&new, &text.file)?;
                new[place].text = text.text;
                self.change(asker, now, new, terms).await
            }
            AskConfig::Rollback { number, mut terms } => {
                let now = self.now().await?;
                let new = self.version(number).await?;
                if terms.reason.is_empty() {
                    terms.reason = format!("back to version {number}");
                }
                self.change(asker, now, new, terms).await
            }
        }
    }

    /// Reads the configuration again; one that was edited by hand is a version as well.
    pub(super) async fn reload_files(&self) -> Result<String, String> {
        let _turn = self.turn.acquire().await.map_err(|bug| bug.to_string())?;
        let said = self.put_in_force().await?;
        self.now().await.map_err(|problem| problem.message)?;
        Ok(said)
    }

    /// At the start: what was edited by hand meanwhile is a version, and what was changed
    /// as we were killed is in the audit log.
    pub(crate) async fn note_version(&self) {
        if let Err(problem) = self.now().await {
            warn!("the version of the configuration was not noted: {problem}");
        }
        self.tell_unheard().await;
    }

    async fn get(&self, key: Option<String>) -> Result<ConfigReply, Problem> {
        let Now { texts, version, .. } = self.now().await?;
        let Some(key) = key else { return Ok(ConfigReply::Texts { version, texts }) };
        let found = config::show(&texts, &key);
        let found = found.map_err(|why| Problem::new(Code::WrongState, why))?;
        Ok(ConfigReply::Found { version, found })
    }

    /// What is in the files now. What no version knows of becomes one, if it is good.
    async fn now(&self) -> Result<Now, Problem> {
        let main = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            config::mend(&main).map_err(|bad| failed(format!("{}: {bad}", main.display())))?;
            let texts = config::read_texts(&main).map_err(|found| bad(&found))?;
            let meaning = config::load_texts(&texts);
            Ok::<_, Problem>((texts, meaning))
        });
        let (texts, meaning) = read.await.map_err(failed)??;
        let version = self.recorded(&texts, meaning.is_ok()).await?;
        Ok(Now { texts, meaning, version })
    }

    /// The number of the version that these texts are; settles the last one.
    async fn recorded(&self, texts: &[Text], good: bool) -> Result<u64, Problem> {
        let reader = &self.context.reader;
        let body = self.body(texts)?;
        let versions = reader.versions().await.map_err(failed)?;
        let why = if versions.is_empty() { FIRST } else { BY_HAND };
        for version in versions {
            let same = version.body == body;
            if !version.settled {
                reader.settle_version(version.number, same).await.map_err(failed)?;
            }
            if same {
                return Ok(version.number);
            }
            if version.settled {
                if !good {
                    return Ok(version.number);
                }
                break;
            }
        }
        if !good {
            return Ok(0);
        }
        self.noted(&Who::Administrator, why, body, true).await.map_err(failed)
    }

    async fn noted(
        &self,
        who: &Who,
        reason: &str,
        body: String,
        settled: bool,
    ) -> Result<u64, StoreError> {
        let (author, reason) = (who.to_string(), reason.to_owned());
        let version = Version { number: 0, at: now(), author, reason, body, settled };
        self.context.reader.add_version(&version).await
    }

    /// What a version said, as files of today's folder.
    async fn version(&self, number: u64) -> Result<Vec<Text>, Problem> {
        let versions = self.context.reader.versions().await.map_err(failed)?;
        let version = versions.into_iter().find(|version| version.number == number);
        let version = version.ok_or_else(|| {
            Problem::new(Code::WrongState, format!("there is no version {number}, or no longer"))
        })?;
        let mut texts: Vec<Text> = serde_json::from_str(&version.body).map_err(failed)?;
        for text in &mut texts {
            text.file = self.home().join(&text.file);
        }
        Ok(texts)
    }

    /// The texts as the store keeps them: wherever the folder is.
    fn body(&self, texts: &[Text]) -> Result<String, Problem> {
        let within = |text: &Text| {
            let file = text.file.strip_prefix(self.home()).unwrap_or(&text.file).to_owned();
            Text { file, text: text.text.clone() }
        };
        let texts: Vec<Text> = texts.iter().map(within).collect();
        serde_json::to_string(&texts).map_err(failed)
    }

    pub(super) fn home(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    fn named(&self, texts: &[Text], file: &Path) -> Result<usize, Problem> {
        let file: PathBuf = self.home().join(file);
        texts.iter().position(|text| text.file == file).ok_or_else(|| {
            let message = format!("{} is no file of the configuration", file.display());
            Problem::new(Code::BadRequest, message)
        })
    }

    async fn change(
        &self,
        asker: &Asker,
        old: Now,
        new: Vec<Text>,
        terms: Terms,
    ) -> Result<ConfigReply, Problem> {
        if let Some(wanted) = terms.version
            && wanted != old.version
        {
            let message =
                format!("version {} is the last one, not {wanted}: look at it first", old.version);
            return Err(Problem::stale(old.version, message));
        }
        if terms.reason.len() > MAX_REASON_BYTES {
            let message = format!("a reason has at most {MAX_REASON_BYTES} bytes");
            return Err(Problem::new(Code::BadRequest, message));
        }
        let refused = |why| Problem::new(Code::NotPermitted, why);
        config::touchable(&asker.who, &old.texts, &new).map_err(refused)?;
        let candidate = new.clone();
        let checked = tokio::task::spawn_blocking(move || config::load_texts(&candidate));
        let checked = checked.await.map_err(failed)?.map_err(|found| bad(&found))?;
        let in_force = self.context.config.load_full();
        let before = old.meaning.as_ref().unwrap_or(&in_force);
        config::permitted(&asker.who, (before, &old.texts), (&checked, &new)).map_err(refused)?;
        let diff = difference(&old.texts, &new);
        let warnings = config::report(&checked.warnings, false);
        if terms.dry_run || diff.is_empty() {
            let said = if diff.is_empty() { "nothing differs" } else { "this would be good" };
            let said = format!("{said}\n{warnings}");
            return Ok(ConfigReply::Changed { version: None, diff, said });
        }
        let body = self.body(&new)?;
        let version = self.noted(&asker.who, &terms.reason, body, false).await.map_err(failed)?;
        crash::point("config noted");
        let said = match self.written_and_in_force(&old.texts, &new).await {
            Ok(said) => said,
            Err(problem) => {
                self.context.reader.settle_version(version, false).await.map_err(failed)?;
                return Err(problem);
            }
        };
        crash::point("config settle");
        self.context.reader.settle_version(version, true).await.map_err(failed)?;
        crash::point("config settled");
        info!(version, author = %asker.who, "the configuration was changed");
        Ok(ConfigReply::Changed { version: Some(version), diff, said })
    }

    async fn written_and_in_force(&self, old: &[Text], new: &[Text]) -> Result<String, Problem> {
        self.write(old, new).await?;
        match self.put_in_force().await {
            Ok(said) => Ok(said),
            Err(why) => {
                let back = self.write(new, old).await;
                let message = match back {
                    Ok(()) => format!("it cannot be put in force and was taken back: {why}"),
                    Err(also) => format!("it cannot be put in force: {why}; and {}", also.message),
                };
                Err(Problem::new(Code::BadConfiguration, message))
            }
        }
    }

    async fn write(&self, old: &[Text], new: &[Text]) -> Result<(), Problem> {
        let (main, old, new) = (self.file.clone(), old.to_vec(), new.to_vec());
        let write = tokio::task::spawn_blocking(move || config::replace(&main, &old, &new));
        let written = write.await.map_err(failed)?;
        written.map_err(|why| Problem::new(Code::ReadOnly, why))
    }
}

fn edited(texts: &[Text], changes: &[Set]) -> Result<Vec<Text>, Problem> {
    config::edit(texts, changes).map_err(|why| Problem::new(Code::BadRequest, why))
}

fn bad(found: &[Finding]) -> Problem {
    let shown = Problem::new(Code::BadConfiguration, config::report(found, false));
    shown.noted(config::summary(found))
}

pub(super) fn failed(why: impl ToString) -> Problem {
    Problem::new(Code::Failed, why.to_string())
}

/// What differs between two sets of texts; empty when nothing does.
pub(super) fn difference(old: &[Text], new: &[Text]) -> String {
    let text = |texts: &[Text], file: &Path| {
        texts.iter().find(|text| text.file == file).map_or("", |text| &text.text).to_owned()
    };
    let mut files: Vec<&PathBuf> = old.iter().chain(new).map(|text| &text.file).collect();
    files.sort();
    files.dedup();
    let mut all = String::new();
    for file in files {
        let (was, is) = (text(old, file), text(new, file));
        let name = file.display().to_string();
        let diff = TextDiff::from_lines(&was, &is);
        all += &diff.unified_diff().context_radius(CONTEXT).header(&name, &name).to_string();
    }
    all
}
