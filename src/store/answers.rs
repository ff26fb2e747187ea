//! Requests with a key: noted as begun before they are done, and with their answer when
//! they are. So the next life knows what was answered, and of what nobody knows whether
//! it was done.
//!
//! They are changes by hand or by a program of a client, so few: each opens a connection
//! of its own, and waits for the writer of the daemon as readers do.

use std::time::Duration;

use postfax_domain::{names::ClientName, time::Timestamp};
use sqlx::{Connection, Row};

use super::{Reader, StoreError};

/// Most that are kept for all clients.
pub const MAX_ANSWERS: u32 = 100_000;

/// A request with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    /// Whose key it is.
    pub client: ClientName,
    /// The key.
    pub key: String,
    /// Which request it is.
    pub print: [u8; 32],
}

/// What is known of a request with this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing was: now it is noted as begun.
    New,
    /// The key is that of another request.
    Other,
    /// It was begun at this time, and has no answer.
    Begun(Timestamp),
    /// It has this answer.
    Answered(String),
    /// So many are kept for the client, which is the most.
    Full(u32),
}

impl Reader {
    /// Notes a request as begun, unless its key is known; forgets those that were begun
    /// `kept` before `now` or earlier. A client has at most `most`.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is noted.
    pub async fn begin(
        &self,
        request: &Keyed,
        now: Timestamp,
        kept: Duration,
        most: u32,
    ) -> Result<Known, StoreError> {
        let mut writer = self.writer().await?;
        let known = async {
            let mut round = writer.begin_with("BEGIN IMMEDIATE").await?;
            let old = sqlx::query("DELETE FROM answers WHERE at <= $1").bind((now - kept).0);
            old.execute(&mut *round).await?;
            let row =
                sqlx::query("SELECT print, at, answer FROM answers WHERE client = $1 AND key = $2")
                    .bind(request.client.as_str())
                    .bind(&request.key)
                    .fetch_optional(&mut *round)
                    .await?;
            if let Some(row) = row {
                let (print, at): (Vec<u8>, i64) = (row.get("print"), row.get("at"));
                return Ok(match row.get::<Option<String>, _>("answer") {
                    _ if print != request.print => Known::Other,
                    Some(answer) => Known::Answered(answer),
                    None => Known::Begun(Timestamp(at)),
                });
            }
            let count = "SELECT count(*) AS all_of_them, count(*) FILTER (WHERE client = $1) AS own \
                         FROM answers";
            let row = sqlx::query(count).bind(request.client.as_str());
            let row = row.fetch_one(&mut *round).await?;
            let (all, own): (u32, u32) = (row.get("all_of_them"), row.get("own"));
            if own >= most || all >= MAX_ANSWERS {
                return Ok(Known::Full(own));
            }
            sqlx::query("INSERT INTO answers (client, key, print, at) VALUES ($1, $2, $3, $4)")
                .bind(request.client.as_str())
                .bind(&request.key)
                .bind(&request.print[..])
                .bind(now.0)
                .execute(&mut *round)
                .await?;
            round.commit().await?;
            Ok(Known::New)
        };
        known.await.map_err(|source| self.fail(source))
    }

    /// Notes the answer to a request that was begun; without one it was not done, and is
    /// forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; then it stays as it was.
    pub async fn answered(&self, request: &Keyed, answer: Option<&str>) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        let statement = match answer {
            Some(_) => "UPDATE answers SET answer = $3 WHERE client = $1 AND key = $2",
            None => "DELETE FROM answers WHERE client = $1 AND key = $2 AND $3 IS NULL",
        };
        let done = sqlx::query(statement)
            .bind(request.client.as_str())
            .bind(&request.key)
            .bind(answer)
            .execute(&mut writer)
            .await;
        done.map(drop).map_err(|source| self.fail(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn keyed(client: &str, key: &str, print: u8) -> Keyed {
        Keyed { client: ClientName::new(client).unwrap(), key: key.into(), print: [print; 32] }
    }

    #[tokio::test]
    async fn the_next_life_knows_what_was_begun_and_what_was_answered() {
        let folder = tempfile::tempdir().unwrap();
        let begin = async |one: &Keyed, at: i64| {
            let store = Store::open(folder.path()).await.unwrap();
            store.reader().begin(one, Timestamp(at), DAY, 2).await.unwrap()
        };
        let (one, two, three) =
            (keyed("anna", "1", 1), keyed("anna", "2", 2), keyed("anna", "3", 3));
        assert_eq!(begin(&one, 5).await, Known::New);
        assert_eq!(begin(&one, 6).await, Known::Begun(Timestamp(5)));
        assert_eq!(begin(&keyed("anna", "1", 9), 6).await, Known::Other);
        assert_eq!(begin(&keyed("bob", "1", 9), 6).await, Known::New, "keys are of clients");
        let answered = async |of: &Keyed, answer: Option<&str>| {
            let store = Store::open(folder.path()).await.unwrap();
            store.reader().answered(of, answer).await.unwrap();
        };
        answered(&one, Some("yes")).await;
        assert_eq!(begin(&one, 7).await, Known::Answered("yes".into()));
        assert_eq!(begin(&two, 8).await, Known::New);
        assert_eq!(begin(&three, 8).await, Known::Full(2));
        answered(&two, None).await;
        assert_eq!(begin(&three, 9).await, Known::New, "what was not done takes no room");
        let day = i64::try_from(DAY.as_millis()).unwrap();
        assert_eq!(begin(&one, 5 + day).await, Known::New, "it is forgotten after a day");
    }
}
