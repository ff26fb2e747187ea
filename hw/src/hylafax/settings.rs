//! The settings of a HylaFAX server: read from its files, and set in them, all of a
//! change or nothing.
//!
//! ```text
//!  read all files ─▶ new texts ─▶ may they be written? ─▶ journal (durable)
//!                                                             │
//!     journal removed ◀─ read back: the same? ◀─ each stored ◀┘
//!                              │ no, or refused
//!                              └─▶ the old ones put back, read back, journal removed
//! ```
//! Whatever breaks after the journal was made leaves it, and whoever comes next mends
//! what it speaks of before anything else. A connection that breaks says nothing of the
//! file, so it is never guessed.
//!
//! When it counts: faxq looks at its file at each pass over its queue, faxsend at each
//! call, and faxgetty when it sets its modem up, which it is made to do (`reread`).
//!
//! Each step has a session of its own: hfaxd remembers sizes, and keeps a data
//! connection that it has refused to use.

mod files;
mod journal;
mod keys;
mod reread;
mod text;

use std::{collections::BTreeMap, path::Path, time::Duration};

use postfax_domain::settings::{Change, Level, Name, Settings};
use tokio::time::sleep;

use self::{
    files::{MAX_FILE_OCTETS, SCHEDULER, of_line, refusal},
    journal::{Replaced, Stage},
    text::{MAX_LINE_OCTETS, Text},
};
use super::{
    Hylafax,
    session::Session,
    wire::{Fault, Reply},
};
use crate::driver::SettingsError;

pub use self::keys::SCHEMA;
pub(super) use self::reread::{Edited, Orders};

/// How often a file is put back before we give up.
const MENDING_TRIES: u32 = 5;
/// How long a server gets to end what it was at when a connection broke, in milliseconds.
const SETTLE_MS: u64 = 200;

/// The texts of a server's files, by path.
type Texts = BTreeMap<String, Vec<u8>>;

impl Hylafax {
    /// What the server holds; an interrupted change is mended first.
    pub(super) async fn read_settings(&self, safe: &Path) -> Result<Settings, SettingsError> {
        let _alone = self.alone().await?;
        self.mend(safe).await?;
        Ok(understood(&self.read_files().await?))
    }

    /// Changes what the server holds, and reads it back.
    pub(super) async fn set_settings(
        &self,
        changes: &[Change],
        safe: &Path,
    ) -> Result<Settings, SettingsError> {
        let _alone = self.alone().await?;
        allowed(changes)?;
        self.mend(safe).await?;
        let mut session = self.visit().await?;
        let texts = self.read_texts(&mut session).await?;
        let files = replacements(changes, &texts)?;
        if files.is_empty() {
            return Ok(understood(&texts));
        }
        self.probe(&mut session, &files).await?;
        drop(session);
        self.edited.in_another_second().await;
        journal::keep(safe, &files).map_err(local)?;
        let texts = self.replace(&files, safe).await?;
        journal::remove(safe).map_err(local)?;
        self.edited.now();
        self.have_read(&files).await;
        Ok(understood(&texts))
    }

    /// One at a time, and only with the rights for it.
    async fn alone(&self) -> Result<tokio::sync::SemaphorePermit<'_>, SettingsError> {
        if self.options.admin_password.is_none() {
            return Err(undone("no administrator's password is configured for this server"));
        }
        self.editing.acquire().await.map_err(undone)
    }

    async fn visit(&self) -> Result<Session, SettingsError> {
        Session::for_files(&self.options).await.map_err(|fault| self.unset(fault))
    }

    /// A fault while nothing has been changed.
    fn unset(&self, fault: Fault) -> SettingsError {
        match fault {
            Fault::Broken(_) => SettingsError::Away(self.error(fault)),
            // A disk of ours that is full may be less so later.
            Fault::Local(..) => SettingsError::Hindered(fault.to_string()),
            Fault::Refused(ref reply) => refused(reply, fault.to_string()),
        }
    }

    async fn read_files(&self) -> Result<Texts, SettingsError> {
        let mut session = self.visit().await?;
        self.read_texts(&mut session).await
    }

    async fn read_texts(&self, session: &mut Session) -> Result<Texts, SettingsError> {
        let lines = session.lines_with_files().await.map_err(|fault| self.unset(fault))?;
        let mut texts = Texts::new();
        for path in std::iter::once(SCHEDULER.to_owned()).chain(lines.iter().map(|l| of_line(l))) {
            let octets = session.read_file(&path).await.map_err(|fault| self.unset(fault))?;
            texts.insert(path, octets);
        }
        let too_large = texts.iter().find(|(_, octets)| octets.len() > MAX_FILE_OCTETS);
        // It is there and answers: nothing that waiting for it would mend.
        if let Some((path, _)) = too_large {
            return Err(undone(format!("{path} has more than {MAX_FILE_OCTETS} octets")));
        }
        Ok(texts)
    }

    /// Whether all of them may be written.
    async fn probe(&self, session: &mut Session, files: &[Replaced]) -> Result<(), SettingsError> {
        for file in files {
            match session.probe_file(&file.path).await {
                Ok(()) => {}
                Err(Fault::Refused(reply)) => {
                    return Err(refused(&reply, refusal(&file.path, &reply)));
                }
                Err(fault) => return Err(self.unset(fault)),
            }
        }
        Ok(())
    }

    /// Stores the new texts and reads all files again, or puts the old ones back.
    async fn replace(&self, files: &[Replaced], safe: &Path) -> Result<Texts, SettingsError> {
        let stored = self.store_all(files).await;
        let failed = match stored {
            Ok(()) => match self.read_files().await {
                Ok(texts) if files.iter().all(|file| texts.get(&file.path) == Some(&file.new)) => {
                    return Ok(texts);
                }
                // Somebody else writes as well.
                Ok(_) => SettingsError::Hindered("the server does not hold what was stored".into()),
                Err(away @ SettingsError::Away(_)) => return Err(away),
                Err(error) => error,
            },
            Err((path, Fault::Refused(reply))) => refused(&reply, refusal(&path, &reply)),
            Err((_, fault)) => return Err(SettingsError::Away(self.error(fault))),
        };
        let all = vec![true; files.len()];
        self.put_back(files, &all, safe).await.map_err(|error| match error {
            SettingsError::Broken(more) => SettingsError::Broken(format!("{failed}; {more}")),
            other => other,
        })?;
        Err(failed)
    }

    async fn store_all(&self, files: &[Replaced]) -> Result<(), (String, Fault)> {
        let opened = Session::for_files(&self.options).await;
        let mut session = opened.map_err(|fault| (String::new(), fault))?;
        for file in files {
            if let Err(fault) = session.write_file(&file.path, &file.new).await {
                // What has not gone out by now shall not arrive when it is being mended.
                session.control.forget_unsent();
                return Err((file.path.clone(), fault));
            }
        }
        Ok(())
    }

    async fn stages(&self, files: &[Replaced]) -> Result<Vec<Stage>, SettingsError> {
        let mut session = self.visit().await?;
        let mut stages = vec![];
        for file in files {
            let octets = session.read_file(&file.path).await.map_err(|fault| self.unset(fault))?;
            stages.push(file.stage(&octets));
        }
        Ok(stages)
    }

    /// Brings an interrupted change to an end: when every file is new it was done, or
    /// else the old ones are put back. What somebody else has written since is left.
    async fn mend(&self, safe: &Path) -> Result<(), SettingsError> {
        let Some(files) = journal::load(safe).map_err(local)? else { return Ok(()) };
        // The server may not have come to the last command yet that it was sent.
        sleep(Duration::from_millis(SETTLE_MS)).await;
        let mut stages = self.stages(&files).await?;
        if stages.contains(&Stage::Torn) {
            sleep(Duration::from_millis(SETTLE_MS)).await;
            stages = self.stages(&files).await?;
        }
        if stages.iter().all(|stage| matches!(stage, Stage::New | Stage::Foreign)) {
            return journal::remove(safe).map_err(local);
        }
        let ours: Vec<bool> = stages.iter().map(|stage| *stage != Stage::Foreign).collect();
        self.put_back(&files, &ours, safe).await
    }

    /// Stores the old texts of those files that are ours until they are there, and
    /// removes the journal.
    async fn put_back(
        &self,
        files: &[Replaced],
        ours: &[bool],
        safe: &Path,
    ) -> Result<(), SettingsError> {
        let mut said = String::new();
        for attempt in 0..MENDING_TRIES {
            if attempt > 0 {
                sleep(Duration::from_millis(SETTLE_MS)).await;
            }
            let stages = self.stages(files).await?;
            let wrong: Vec<&Replaced> = files
                .iter()
                .zip(ours.iter().zip(stages))
                .filter(|(_, (ours, stage))| **ours && *stage != Stage::Old)
                .map(|(file, _)| file)
                .collect();
            if wrong.is_empty() {
                return journal::remove(safe).map_err(local);
            }
            let mut session = self.visit().await?;
            for file in wrong {
                match session.write_file(&file.path, &file.old).await {
                    Ok(()) => said = format!("{} is not what was stored", file.path),
                    Err(Fault::Refused(reply)) => {
                        said = refusal(&file.path, &reply);
                        // Its data connection is of no more use.
                        break;
                    }
                    Err(fault) => return Err(self.unset(fault)),
                }
            }
        }
        Err(SettingsError::Broken(format!(
            "what the server held before could not be put back: {said}; it is kept in {}",
            safe.display()
        )))
    }
}

fn undone(why: impl std::fmt::Display) -> SettingsError {
    SettingsError::Undone(why.to_string())
}

/// A refusal of the server, in these words.
fn refused(reply: &Reply, why: String) -> SettingsError {
    if reply.may_pass() { SettingsError::Hindered(why) } else { SettingsError::Undone(why) }
}

fn local((path, error): (std::path::PathBuf, std::io::Error)) -> SettingsError {
    SettingsError::Hindered(format!("{}: {error}", path.display()))
}

/// The files that the changes change.
fn replacements(changes: &[Change], texts: &Texts) -> Result<Vec<Replaced>, SettingsError> {
    let mut new: BTreeMap<&String, Text> = BTreeMap::new();
    for Change { name, to, .. } in changes {
        let path = name.line.as_deref().map_or_else(|| SCHEDULER.to_owned(), of_line);
        let Some((path, old)) = texts.get_key_value(&path) else {
            return Err(undone(format!("{name}: the server has no file {path}")));
        };
        let text = new.entry(path).or_insert_with(|| Text::parse(old));
        let tag = keys::tag(&name.key).expect("a key of the schema has a tag");
        match to {
            Some(value) => text.set(tag, &keys::write(value)),
            None => text.unset(tag),
        }
    }
    let mut files = vec![];
    for (path, text) in new {
        let octets = text.octets();
        if octets.len() > MAX_FILE_OCTETS || !text.is_readable() {
            return Err(undone(format!(
                "{path} has more than {MAX_FILE_OCTETS} octets, or a line of more than \
                 {MAX_LINE_OCTETS}: it must be changed at the server"
            )));
        }
        let old = &texts[path];
        if *old != octets {
            files.push(Replaced { path: path.clone(), old: old.clone(), new: octets });
        }
    }
    Ok(files)
}

/// Whether the schema has what is to be set.
fn allowed(changes: &[Change]) -> Result<(), SettingsError> {
    changes.iter().try_for_each(|Change { name, to, .. }| {
        let fits = match to {
            Some(value) => SCHEMA.check(name, value),
            None => SCHEMA.key(name).map(|_| ()),
        };
        fits.map_err(undone)
    })
}

/// What the texts set, as far as the schema goes.
fn understood(texts: &Texts) -> Settings {
    let mut settings = Settings::default();
    for (path, octets) in texts {
        let text = Text::parse(octets);
        let line = path.strip_prefix("/etc/config.");
        let level = if line.is_some() { Level::Line } else { Level::Server };
        for key in SCHEMA.keys.iter().filter(|key| key.level == level) {
            let tag = keys::tag(key.name).expect("a key of the schema has a tag");
            if let Some(said) = text.get(tag) {
                let name = Name { line: line.map(str::to_owned), key: key.name.to_owned() };
                settings.0.insert(name, keys::read(key.kind, &said));
            }
        }
    }
    settings
}
