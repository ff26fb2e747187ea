//! Questions about the audit log.

use postfax_domain::audit::Head;

use super::{
    super::{AskAudit, AuditFilter, Problem, Reply},
    Desk, failed,
};

impl Desk<'_> {
    pub(super) async fn audit(&self, ask: &AskAudit) -> Result<Reply, Problem> {
        let filter = AuditFilter::parse(ask)?;
        self.daemon.audit(&filter).await.map(Reply::Audit).map_err(failed)
    }

    pub(super) async fn verify_audit(&self, known: Option<&Head>) -> Result<Reply, Problem> {
        self.daemon.verify_audit(known).await.map(Reply::Chain).map_err(failed)
    }
}
