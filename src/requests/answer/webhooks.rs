//! Questions about webhooks, and the order to try one at once.

use postfax_domain::{
    names::HookName,
    supervisor::{Answer, Request},
};

use super::{
    super::{Problem, Reply, Webhook},
    Desk, unable, unexpected,
};

impl Desk<'_> {
    pub(super) async fn webhooks(&self) -> Result<Reply, Problem> {
        let standings = match self.ask(Request::Hooks).await? {
            Answer::Hooks(standings) => standings,
            other => return Err(unexpected(&other)),
        };
        let mut troubles = self.daemon.hook_troubles();
        let hooks = standings.into_iter().map(|(name, standing)| Webhook {
            client: self.setup.webhooks.get(&name).map_or_else(String::new, |h| h.who.to_string()),
            last: standing.last,
            settled: standing.settled,
            waiting: standing.waiting(),
            gone: standing.gone.is_some(),
            trouble: troubles.remove(&name),
            name,
        });
        Ok(Reply::Webhooks(hooks.collect()))
    }

    pub(super) async fn retry_webhook(&mut self, webhook: HookName) -> Result<Reply, Problem> {
        match self.order(Request::RetryHook(webhook)).await? {
            Answer::ToldAgain(webhook) => Ok(Reply::ToldAgain { webhook }),
            other => Err(unable(&other)),
        }
    }
}
