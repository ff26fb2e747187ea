//! The commands about jobs: making, reading, submitting, stopping, removing.

use std::io;

use super::{
    command::Command,
    events::{Event, JOB_CREATED, JOB_DEAD},
    job::{Job, NotSet, State},
    session::{Answer, Current, Session},
    spool::now_s,
};
use crate::lab::tiff::count_pages;

/// The most jobs that one session may have made without submitting them.
const MAX_DRAFTS: usize = 1000;

impl Session {
    /// Commands about jobs.
    pub(super) fn jobs(&mut self, command: &Command) -> Option<Answer> {
        let about = command.argument(0);
        let text = match command.verb.as_str() {
            "JNEW" => self.new_job(),
            "JOB" => self.select(about),
            "JPARM" => match (about, command.argument(1)) {
                (None, _) => Ok(self.list_parameters()),
                (Some(name), None) => Ok(self.read_parameter(name)),
                (Some(name), Some(value)) => self.set_parameter(name, value),
            },
            "JSUBM" => self.act(about, "submit", Self::submit),
            "JKILL" => self.act(about, "kill", |session, id| session.withdraw(id, State::Failed)),
            "JSUSP" => {
                self.act(about, "suspend", |session, id| session.withdraw(id, State::Suspended))
            }
            "JDELE" => self.act(about, "delete", Self::delete),
            _ => return None,
        };
        Some(Answer::Reply(text.unwrap_or_else(|error| {
            tracing::warn!(%error, "the station's spool cannot be used");
            format!("450 {}: Local file error: {error}.", command.verb)
        })))
    }

    fn new_job(&mut self) -> io::Result<String> {
        if self.drafts.len() >= MAX_DRAFTS {
            return Ok("504 Too many jobs that were not submitted.".into());
        }
        let id = self.office.spool.next_job()?;
        let mut job = self.defaults.clone();
        job.id = id;
        self.drafts.insert(id, job);
        self.current = Current::Job(id);
        Ok(format!("200 New job created: jobid: {id} groupid: {id}."))
    }

    fn select(&mut self, about: Option<&str>) -> io::Result<String> {
        let Some(name) = about else {
            return Ok(match self.current {
                Current::Default => "200 Current job: (default).".into(),
                Current::Job(id) => format!("200 Current job: jobid: {id} groupid: {id}."),
            });
        };
        if name.eq_ignore_ascii_case("default") {
            self.current = Current::Default;
            return Ok("200 Current job: (default).".into());
        }
        Ok(match name.parse().ok().filter(|id| self.find(*id).is_some()) {
            Some(id) => {
                self.current = Current::Job(id);
                format!("200 Current job: jobid: {id} groupid: {id}.")
            }
            None => no_such_job("set", name),
        })
    }

    /// A job as it is now, draft or submitted.
    fn find(&self, id: u32) -> Option<Job> {
        self.drafts.get(&id).cloned().or_else(|| self.office.spool.job(id))
    }

    /// The job that `JPARM` is about; the defaults where that job is gone.
    fn current_job(&self) -> Job {
        match self.current {
            Current::Default => self.defaults.clone(),
            Current::Job(id) => self.find(id).unwrap_or_else(|| self.defaults.clone()),
        }
    }

    fn list_parameters(&self) -> String {
        let job = self.current_job();
        let name = match self.current {
            Current::Default => "default".to_owned(),
            Current::Job(id) => id.to_string(),
        };
        let lines: String = job
            .listing()
            .into_iter()
            .map(|(parameter, value)| format!("    {parameter}: {value}\r\n"))
            .collect();
        format!("217-Job state: jobid {name} groupid {name}\r\n{lines}217 End of job {name} state.")
    }

    fn read_parameter(&self, name: &str) -> String {
        let job = self.current_job();
        if name.eq_ignore_ascii_case("DOCUMENT") {
            return match job.document {
                Some(file) => {
                    format!("213-TIFF docq/{file}\r\n213 End of documents.")
                }
                None => "213 End of documents.".into(),
            };
        }
        job.get(name).map_or_else(
            || format!("500 JPARM {name}: Parameter not recognized."),
            |value| format!("213 {value}"),
        )
    }

    fn set_parameter(&mut self, name: &str, value: &str) -> io::Result<String> {
        if name.eq_ignore_ascii_case("DOCUMENT") {
            return self.add_document(value);
        }
        let set = |job: &mut Job| {
            if job.state == State::Suspended { Ok(job.set(name, value)) } else { Err(job.id) }
        };
        let result = match self.current {
            Current::Default => set(&mut self.defaults),
            Current::Job(id) => match self.drafts.get_mut(&id) {
                Some(job) => set(job),
                None => match self.office.spool.change(id, set)? {
                    Some(result) => result,
                    None => return Ok(no_such_job("change", &id.to_string())),
                },
            },
        };
        Ok(match result {
            Err(id) => format!("504 Cannot alter job {id}; it is not suspended."),
            Ok(Ok(known)) if Job::is_quoted(known) => format!("213 {known} set to \"{value}\"."),
            Ok(Ok(known)) => format!("213 {known} set to {value}."),
            Ok(Err(NotSet::Unknown)) => format!("500 JPARM {name}: Parameter not recognized."),
            Ok(Err(NotSet::ReadOnly)) => format!("503 {name} cannot be set."),
            Ok(Err(NotSet::BadValue)) => format!("503 Unknown {name} value {value}."),
        })
    }

    /// Links an uploaded document into the queue, so that it stays with the job.
    fn add_document(&mut self, value: &str) -> io::Result<String> {
        let Some(file) =
            value.trim_start_matches('/').strip_prefix("tmp/").filter(|file| is_plain(file))
        else {
            return Ok(format!("550 {value}: No such file or directory."));
        };
        let spool = &self.office.spool;
        let Current::Job(id) = self.current else {
            return Ok("504 Cannot add a document to the default job.".into());
        };
        let Some(job) = self.drafts.get_mut(&id) else {
            return Ok(format!("504 Cannot add a document to job {id}; it was submitted."));
        };
        if job.document.is_some() {
            return Ok("504 This server takes one document in a job.".into());
        }
        let bytes = match std::fs::read(spool.path("tmp", file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(format!("550 {value}: No such file or directory."));
            }
            bytes => bytes?,
        };
        let linked = format!("{file}.{id}");
        std::fs::hard_link(spool.path("tmp", file), spool.path("docq", &linked))?;
        job.total_pages = count_pages(&bytes).unwrap_or(0);
        job.document = Some(linked.clone());
        Ok(format!("200 Added document {value} as docq/{linked}."))
    }

    /// Does something to the job that is named, or else to the current one.
    fn act(
        &mut self,
        about: Option<&str>,
        verb: &str,
        what: impl FnOnce(&mut Self, u32) -> io::Result<String>,
    ) -> io::Result<String> {
        let id = match (about, self.current) {
            (None, Current::Default) => return Ok(format!("504 Cannot {verb} default job.")),
            (None, Current::Job(id)) => id,
            (Some(name), _) => match name.parse() {
                Ok(id) => id,
                Err(_) => return Ok(no_such_job(verb, name)),
            },
        };
        if self.find(id).is_none() {
            return Ok(no_such_job(verb, &id.to_string()));
        }
        what(self, id)
    }

    fn submit(&mut self, id: u32) -> io::Result<String> {
        let done = format!("200 Job {id} submitted.");
        if let Some(draft) = self.drafts.get(&id) {
            if let Some(name) = draft.lacks() {
                return Ok(format!(
                    "504 Cannot submit job {id}; null or missing {name} parameter."
                ));
            }
            if draft.document.is_none() {
                return Ok(format!("504 Cannot submit job {id}; no document."));
            }
            let mut job = draft.clone();
            job.submit(now_s());
            self.office.spool.put(job)?;
            self.drafts.remove(&id);
            self.office.tell(Event::job(JOB_CREATED, id, "Created"));
        } else {
            let resumed = self.office.spool.change(id, |job| {
                let held = job.state == State::Suspended;
                if held {
                    job.submit(now_s());
                }
                held
            })?;
            if resumed != Some(true) {
                return Ok(format!("504 Job {id} not submitted; already in the queue."));
            }
        }
        self.office.work.notify_waiters();
        Ok(done)
    }

    fn withdraw(&mut self, id: u32, state: State) -> io::Result<String> {
        let (done, verb) =
            if state == State::Failed { ("killed", "killed") } else { ("suspended", "suspended") };
        if let Some(mut job) = self.drafts.remove(&id) {
            if state == State::Failed {
                job.fail(345, "Job aborted by request", now_s());
                self.office.spool.put(job)?;
            } else {
                self.drafts.insert(id, job);
            }
            return Ok(format!("200 Job {id} {done}."));
        }
        Ok(match self.office.withdraw(id, state)? {
            Some(true) => {
                if state == State::Failed {
                    self.office.tell(Event::job(JOB_DEAD, id, "Marked dead"));
                }
                format!("200 Job {id} {done}.")
            }
            Some(false) => format!("504 Job {id} not {verb}; already done."),
            None => no_such_job("kill", &id.to_string()),
        })
    }

    fn delete(&mut self, id: u32) -> io::Result<String> {
        if let Some(job) = self.drafts.remove(&id) {
            if let Some(document) = job.document {
                self.office.spool.delete("docq", &document)?;
            }
        } else {
            // HylaFAX deletes what waits as well: the call, if there is one, ends.
            self.office.withdraw(id, State::Failed)?;
            self.office.spool.remove(id)?;
        }
        self.current = Current::Default;
        Ok(format!("200 Job {id} deleted; current job: (default)."))
    }
}

/// Whether a name is one plain file name.
pub(super) fn is_plain(file: &str) -> bool {
    !file.is_empty()
        && !file.starts_with('.')
        && file.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn no_such_job(verb: &str, name: &str) -> String {
    format!("500 Cannot {verb} job {name}; job does not exist (No such file or directory).")
}
