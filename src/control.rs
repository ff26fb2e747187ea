//! What the running daemon offers to those who ask ([`crate::requests`]): answers of
//! the supervisor, jobs from the store, and a new configuration.

mod configure;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use postfax_domain::{
    audit::Asker,
    job::Job,
    names::JobId,
    number::Country,
    supervisor::{Answer, Event, Request},
};
use tokio::sync::{Semaphore, watch};

use crate::{
    config,
    daemon::Context,
    inbound,
    listen::Doors,
    post,
    requests::{AskConfig, Condition, ConfigReply, Daemon, JobFilter, Problem},
    store::Page,
};

/// Jobs that are read at a time while a list is put together.
const READ_AT_A_TIME: u32 = 500;

/// Answers for a running daemon.
pub(crate) struct Control {
    context: Arc<Context>,
    /// Where the configuration is.
    file: PathBuf,
    doors: Doors,
    /// Held by whoever changes the configuration.
    turn: Semaphore,
}

impl Control {
    /// Answers for this daemon, whose configuration was read from `file`.
    pub(crate) fn new(context: Arc<Context>, file: PathBuf, doors: Doors) -> Self {
        Self { context, file, doors, turn: Semaphore::new(1) }
    }

    /// Puts a new configuration in force, all of it or nothing.
    async fn put_in_force(&self) -> Result<String, String> {
        let file = self.file.clone();
        let load = tokio::task::spawn_blocking(move || config::load(&file));
        let loaded = load.await.map_err(|bug| bug.to_string())?;
        let new = Arc::new(loaded.map_err(|problems| config::report(&problems, false))?);
        let old = self.context.config.load_full();
        let courier = post::courier(&new).map_err(|bad| bad.to_string())?;
        self.doors.change(new.clone()).await.map_err(|bad| bad.to_string())?;
        let mut said = vec!["the configuration is in force".to_owned()];
        if new.state != old.state
            || new.control_socket != old.control_socket
            || new.convert.parallel != old.convert.parallel
        {
            let late =
                "a changed state folder, control socket or number of converters needs a restart";
            said.push(late.to_owned());
        }
        if !new.warnings.is_empty() {
            said.push(config::report(&new.warnings, false));
        }
        let setup = new.setup.clone();
        self.context.courier.store(Arc::new(courier));
        self.context.drivers.store(Arc::new(inbound::drivers(&new)));
        self.context.config.store(new);
        self.context.tell(Event::Reconfigured(setup)).await;
        Ok(said.join("; "))
    }
}

#[async_trait]
impl Daemon for Control {
    async fn ask(&self, request: Request) -> Result<Answer, String> {
        self.context.ask(request).await.ok_or_else(|| "Postfax is stopping".to_owned())
    }

    async fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>, String> {
        let ended = match filter.condition {
            None => None,
            Some(Condition::Open | Condition::Waiting | Condition::Carrying | Condition::Held) => {
                Some(false)
            }
            Some(_) => Some(true),
        };
        let mut page = Page { ended, before: filter.before, limit: READ_AT_A_TIME };
        let mut found = Vec::new();
        loop {
            let jobs = self.context.reader.jobs(page).await.map_err(|bad| bad.to_string())?;
            let Some(last) = jobs.last() else { return Ok(found) };
            page.before = Some(last.id);
            for job in jobs {
                if filter.matches(&job) {
                    found.push(job);
                }
                if found.len() >= filter.limit as usize {
                    return Ok(found);
                }
            }
        }
    }

    async fn job(&self, id: JobId) -> Result<Option<Job>, String> {
        self.context.reader.job(id).await.map_err(|bad| bad.to_string())
    }

    async fn receipts(&self, of: JobId) -> Result<Vec<Job>, String> {
        self.context.reader.receipts(of).await.map_err(|bad| bad.to_string())
    }

    async fn reload(&self) -> Result<String, String> {
        self.reload_files().await
    }

    async fn config(&self, asker: &Asker, ask: AskConfig) -> Result<ConfigReply, Problem> {
        self.configure(asker, ask).await
    }

    fn country(&self) -> Country {
        self.context.config.load().setup.country
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.context.changed.subscribe()
    }
}
