//! Questions about fax servers, and orders to give them work or none.

use postfax_domain::{
    names::ServerName,
    supervisor::{Answer, Request},
};

use super::{
    super::{Problem, Reply, Server},
    Desk, unable,
};

impl Desk<'_> {
    pub(super) async fn servers(&self) -> Result<Reply, Problem> {
        let all = self.status().await?.servers.into_iter().map(|status| {
            let known = self.setup.servers.get(&status.name);
            let groups = known.map(|server| server.groups.iter().cloned().collect());
            let numbers = known.map(|server| server.numbers.clone());
            let (groups, numbers) = (groups.unwrap_or_default(), numbers.unwrap_or_default());
            Server { status, groups, numbers }
        });
        Ok(Reply::Servers(all.collect()))
    }

    pub(super) async fn drain(
        &mut self,
        server: ServerName,
        drained: bool,
    ) -> Result<Reply, Problem> {
        match self.order(Request::Drain(server, drained)).await? {
            Answer::Draining { server, draining } => Ok(Reply::Draining { server, draining }),
            other => Err(unable(&other)),
        }
    }

    pub(super) async fn give_up(&mut self, server: ServerName) -> Result<Reply, Problem> {
        match self.order(Request::GiveUp(server)).await? {
            Answer::GaveUp { server, jobs } => Ok(Reply::GaveUp { server, jobs }),
            other => Err(unable(&other)),
        }
    }
}
