//! Questions about received faxes that nobody has got.

use postfax_domain::{
    authority::{Target, Verb, check},
    job::Job,
    names::{ClientName, JobId},
    supervisor::Request,
};

use super::{
    super::{AskInbound, Deed, JobFilter, Problem, Reply, Summary},
    Desk, failed,
};

impl Desk<'_> {
    /// Those that arrived at servers whose unrouted faxes the asker may see.
    pub(super) async fn inbound(&self, ask: &AskInbound) -> Result<Reply, Problem> {
        let filter = JobFilter::inbound(ask, self.setup.country)?;
        let sees = |job: &Job| {
            let target = job.origin().map_or(Target::Supervisor, Target::Server);
            check(&self.setup, &self.asker.who, Verb::InboundSee, target).is_ok()
        };
        let jobs = self.daemon.jobs(&filter, None, &sees).await.map_err(failed)?;
        Ok(Reply::Jobs(jobs.iter().map(Summary::of).collect()))
    }

    pub(super) async fn assign(
        &mut self,
        job: JobId,
        client: ClientName,
    ) -> Result<Reply, Problem> {
        self.deed(Request::Assign { job, client }, Deed::Assigned).await
    }
}
