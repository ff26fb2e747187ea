//! What the running daemon offers to those who ask ([`crate::requests`]): answers of
//! the supervisor, jobs from the store, and a new configuration.

mod configure;
mod unheard;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use postfax_domain::{
    audit::{Asker, Chain, Entry, Head, Line},
    book::{Book, EntryId, Noted},
    job::Job,
    names::{ClientName, HookName, JobId},
    setup::Setup,
    supervisor::{Answer, Event, Request},
};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::{
    config,
    daemon::Context,
    inbound, ldap,
    listen::Doors,
    post,
    requests::{
        AskConfig, AuditFilter, Condition, ConfigReply, Daemon, HookTrouble, JobFilter, Problem,
        Sees,
    },
    store::Page,
};

/// How long an asker waits for the supervisor, which says nothing while nothing can be
/// saved: whoever asks how it is must hear that.
const PATIENCE: Duration = Duration::from_secs(10);
/// Jobs that are read at a time while a list is put together.
const READ_AT_A_TIME: u32 = 500;

/// Answers for a running daemon.
pub(crate) struct Control {
    context: Arc<Context>,
    /// Where the configuration is.
    file: PathBuf,
    doors: Doors,
    /// The LDAP door, where there can be one.
    ldap: Option<ldap::Door>,
    /// Held by whoever changes the configuration.
    turn: Semaphore,
}

impl Control {
    /// Answers for this daemon, whose configuration was read from `file`.
    pub(crate) fn new(context: Arc<Context>, file: PathBuf, doors: Doors) -> Self {
        Self { context, file, doors, ldap: None, turn: Semaphore::new(1) }
    }

    /// Changes this door too, when the configuration does.
    pub(crate) fn with_ldap(self, door: ldap::Door) -> Self {
        Self { ldap: Some(door), ..self }
    }

    /// Puts a new configuration in force, all of it or nothing.
    async fn put_in_force(&self) -> Result<String, String> {
        let file = self.file.clone();
        let load = tokio::task::spawn_blocking(move || config::load(&file));
        let loaded = load.await.map_err(|bug| bug.to_string())?;
        let new = Arc::new(loaded.map_err(|problems| config::report(&problems, false))?);
        let old = self.context.config.load_full();
        let courier = post::courier(&new).map_err(|bad| bad.to_string())?;
        // What cannot be opened is known before anything is changed.
        let ldap = self.ldap.as_ref().map(|door| door.prepare(&new)).transpose();
        let ldap = ldap.map_err(|bad| bad.to_string())?;
        let lines = self.context.lines.prepare(&new).map_err(|bad| bad.to_string())?;
        self.doors.change(new.clone()).await.map_err(|bad| bad.to_string())?;
        let mut said = vec!["the configuration is in force".to_owned()];
        if new.state != old.state
            || new.control_socket != old.control_socket
            || new.convert.parallel != old.convert.parallel
            || place(&new) != place(&old)
        {
            let late = "a changed state folder, control socket, HTTP address or number of converters needs a \
                 restart";
            said.push(late.to_owned());
        }
        if !new.warnings.is_empty() {
            said.push(config::report(&new.warnings, false));
        }
        let setup = new.setup.clone();
        self.context.courier.store(Arc::new(courier));
        self.context.lines.change(lines);
        let Context { lines, reports, reader, .. } = &*self.context;
        let drivers = inbound::drivers(&new, lines, reports, reader);
        self.context.drivers.store(Arc::new(drivers));
        self.context.put_in_force(new);
        if let Some(ldap) = ldap {
            ldap.serve().await;
        }
        self.context.tell(Event::Reconfigured(setup)).await;
        Ok(said.join("; "))
    }
}

/// The answer of the supervisor, if it comes in time.
async fn in_time<T>(answer: impl Future<Output = Option<T>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.ok_or_else(stopping),
        Err(_) => Err("nothing can be saved at this moment, and so nothing is answered: the disk \
                       may be full, and the log says more"
            .to_owned()),
    }
}

fn stopping() -> String {
    "Postfax is stopping".to_owned()
}

/// Where the HTTP door is, and how: it is opened once.
fn place(config: &config::Config) -> Option<(std::net::SocketAddr, bool)> {
    config.http.as_ref().map(|http| (http.address, http.tls))
}

#[async_trait]
impl Daemon for Control {
    async fn ask(&self, request: Request) -> Result<Answer, String> {
        in_time(self.context.ask(request)).await
    }

    async fn order(&self, request: Request, line: Line) -> Result<Answer, String> {
        self.context.order(request, line).await.ok_or_else(stopping)
    }

    async fn note(&self, line: Line) -> Result<(), String> {
        in_time(self.context.note(line)).await.map(drop)
    }

    async fn jobs(
        &self,
        filter: &JobFilter,
        only: Option<&ClientName>,
        sees: &Sees<'_>,
    ) -> Result<Vec<Job>, String> {
        let ended = match filter.condition {
            None => None,
            Some(
                Condition::Open
                | Condition::Waiting
                | Condition::OnHold
                | Condition::Carrying
                | Condition::Held,
            ) => Some(false),
            Some(_) => Some(true),
        };
        let client = filter.client.as_ref().or(only).cloned();
        let mut page = Page { ended, client, before: filter.before, limit: READ_AT_A_TIME };
        let mut found = Vec::new();
        loop {
            let jobs = self.context.reader.jobs(&page).await.map_err(|bad| bad.to_string())?;
            let Some(last) = jobs.last() else { return Ok(found) };
            page.before = Some(last.id);
            for job in jobs {
                if filter.matches(&job) && sees(&job) {
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

    async fn audit(&self, filter: &AuditFilter) -> Result<Vec<Entry>, String> {
        let (mut before, mut found) = (filter.before, Vec::new());
        loop {
            let lines = self.context.reader.audit(filter.since, before, READ_AT_A_TIME).await;
            let lines = lines.map_err(|bad| bad.to_string())?;
            let Some(last) = lines.last() else { return Ok(found) };
            before = Some(last.seq);
            found.extend(lines.into_iter().filter(|entry| filter.matches(&entry.line)));
            if found.len() >= filter.limit as usize {
                found.truncate(filter.limit as usize);
                return Ok(found);
            }
        }
    }

    async fn verify_audit(&self, known: Option<&Head>) -> Result<Chain, String> {
        self.context.reader.verify_audit(known).await.map_err(|bad| bad.to_string())
    }

    fn hook_troubles(&self) -> BTreeMap<HookName, HookTrouble> {
        self.context.hooks.troubles()
    }

    async fn reload(&self) -> Result<String, String> {
        self.reload_files().await
    }

    async fn config(
        &self,
        asker: &Asker,
        setup: &Arc<Setup>,
        ask: AskConfig,
    ) -> Result<ConfigReply, Problem> {
        self.configure(asker, setup, ask).await
    }

    fn book(&self) -> Arc<Book> {
        self.context.book.load_full()
    }

    async fn book_history(&self, id: EntryId) -> Result<Vec<Noted>, String> {
        self.context.reader.book_history(id).await.map_err(|failed| failed.to_string())
    }

    fn setup(&self) -> Arc<Setup> {
        self.context.config.load().setup.clone()
    }

    fn client_of(&self, uid: u32) -> Option<ClientName> {
        let config = self.context.config.load();
        let is_theirs = |access: &config::Access| access.users.contains(&uid);
        config.access.iter().find(|(_, access)| is_theirs(access)).map(|(name, _)| name.clone())
    }

    fn max_priority(&self, client: &ClientName) -> i8 {
        self.context.config.load().access.get(client).map_or(0, |access| access.max_priority)
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.context.changed.subscribe()
    }
}
