//! Which numbers are being called, by which server, with which jobs.
//!
//! One server at most calls a number at a time. It may have several jobs for it where it
//! takes batches: then they share its line, one after the other or in one call.

use std::collections::{BTreeSet, HashMap};

use crate::{
    names::{JobId, ServerName},
    number::Number,
};

/// The numbers that are being called.
#[derive(Debug, Clone, Default)]
pub(super) struct Calling(HashMap<Number, Calls>);

/// What a server has for one number.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    /// The server.
    pub(super) server: ServerName,
    /// Its jobs for the number, at least one.
    pub(super) jobs: BTreeSet<JobId>,
}

impl Calling {
    /// What is at a number now.
    pub(super) fn at(&self, number: &Number) -> Option<&Calls> {
        self.0.get(number)
    }

    /// Whether no number is called.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A job begins. True when it is the first to its number, and takes a line.
    pub(super) fn begins(&mut self, number: &Number, server: &ServerName, job: JobId) -> bool {
        let fresh = || Calls { server: server.clone(), jobs: BTreeSet::new() };
        let calls = self.0.entry(number.clone()).or_insert_with(fresh);
        calls.jobs.insert(job) && calls.jobs.len() == 1
    }

    /// A job has ended. True when it was the last to its number, and frees a line.
    pub(super) fn ends(&mut self, number: &Number, job: JobId) -> bool {
        let Some(calls) = self.0.get_mut(number) else { return false };
        let last = calls.jobs.remove(&job) && calls.jobs.is_empty();
        if last {
            self.0.remove(number);
        }
        last
    }
}
