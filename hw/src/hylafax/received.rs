//! Received faxes: listing, fetching, letting go.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use postfax_domain::time::Timestamp;
use tokio::fs::{self, File};

use super::{
    accounts::{Account, clock},
    queue::{SEPARATOR, said},
    session::Session,
    wire::{Fault, Reply},
};
use crate::driver::Waiting;

/// Columns of `LIST recvq`. `%q` is not among them: it kills a 6.0.7 server's session.
pub(super) const FORMAT: &str =
    r#"RCVFMT "%f\037%z\037%Z\037%n\037%p\037%h\037%b\037%s\037%a\037%i\037%j\037%e""#;
/// The largest listing, in bytes.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// The largest received fax, in bytes.
const MAX_FAX_BYTES: u64 = 256 << 20;
/// Longest file name that we take from a server, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// What the receive queue holds.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Whole faxes.
    pub(super) waiting: Vec<Waiting>,
    /// Whether something is still coming in.
    pub(super) coming_in: bool,
}

enum Row {
    Whole(Box<Waiting>),
    ComingIn,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let columns: Vec<&str> = line.split(SEPARATOR).map(str::trim).collect();
        let [name, still, received, size, pages, took, rate, tsi, sub, who, number, error] =
            columns[..]
        else {
            return None;
        };
        if still == "*" {
            return Some(Self::ComingIn);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.chars().all(plain) {
            return None;
        }
        let seconds: i64 = received.parse().ok()?;
        let fax = Waiting {
            key: format!("{name} {seconds} {size}"),
            name: name.to_owned(),
            line: None,
            called: None,
            caller: said(number),
            caller_name: said(who),
            tsi: said(tsi),
            subaddress: said(sub),
            pages: pages.parse().ok()?,
            received: Timestamp(seconds.checked_mul(1000)?),
            duration: clock(took).unwrap_or(Duration::ZERO),
            bit_rate: rate.parse().ok(),
            error: said(error),
        };
        Some(Self::Whole(Box::new(fax)))
    }
}

fn parse(text: &str) -> Listing {
    let mut listing = Listing::default();
    for row in text.split("\r\n").filter_map(Row::parse) {
        match row {
            Row::Whole(fax) => listing.waiting.push(*fax),
            Row::ComingIn => listing.coming_in = true,
        }
    }
    listing.waiting.sort_by(|a, b| (a.received, &a.name).cmp(&(b.received, &b.name)));
    listing
}

/// Adds what only the log knows: the line and the number that was called.
fn complete(fax: &mut Waiting, accounts: &[Account]) {
    let same = |account: &&Account| {
        !account.sent && account.job.rsplit('/').next() == Some(fax.name.as_str())
    };
    let Some(account) = accounts.iter().rev().find(same) else { return };
    fax.line = Some(account.line.clone());
    fax.called = account.called.clone();
    if fax.error.is_none() {
        fax.error = said(&account.reason);
    }
}

impl Session {
    /// Lists what was received.
    pub(super) async fn received(&mut self) -> Result<Listing, Fault> {
        let text = self.receive_text("LIST /recvq", MAX_LIST_BYTES).await?;
        let mut listing = parse(&text);
        // The server would go on remembering how an unfinished fax was.
        self.stale |= listing.coming_in;
        if !listing.waiting.is_empty() {
            let accounts = self.accounts().await?;
            listing.waiting.iter_mut().for_each(|fax| complete(fax, &accounts));
        }
        Ok(listing)
    }

    /// Copies a received fax; it is durable under its name, or not there at all.
    pub(super) async fn fetch(&mut self, name: &str, into: &Path) -> Result<(), Fault> {
        let mut part = into.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let local = |error: io::Error| Fault::Local(into.to_owned(), error);
        let mut file = File::create(&part).await.map_err(local)?;
        let copied =
            self.receive_file(&format!("RETR /recvq/{name}"), &mut file, MAX_FAX_BYTES).await;
        if let Err(fault) = copied {
            drop(file);
            let _ = fs::remove_file(&part).await;
            return Err(match fault {
                Fault::Local(_, error) => local(error),
                fault => fault,
            });
        }
        file.sync_all().await.map_err(local)?;
        drop(file);
        fs::rename(&part, into).await.map_err(local)?;
        let folder = into.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = File::open(folder.unwrap_or(Path::new("."))).await.map_err(local)?;
        folder.sync_all().await.map_err(local)
    }

    /// Deletes a received fax at the server.
    pub(super) async fn release(&mut self, name: &str) -> Result<(), Fault> {
        let reply = self.control.ask(&format!("DELE /recvq/{name}")).await?;
        if reply.is_done() {
            return Ok(());
        }
        // Without rights the answer is the same whether the file is there or not.
        let size = self.control.ask(&format!("SIZE /recvq/{name}")).await?;
        if size.says_missing() {
            return Err(Fault::Refused(size));
        }
        Err(Fault::Refused(reply))
    }
}

/// Says what to do about rights that do not reach.
pub(super) fn explain(mut reply: Reply) -> Reply {
    if reply.says_forbidden() {
        reply.lines.push(format!(
            "{} (give the server's admin password, or set RecvFileMode: 0666 in its config.DEVICE \
             so that this user may read and delete received faxes)",
            reply.text()
        ));
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "fax000000001.tif\u{1f} \u{1f}1795403904\u{1f}18663\u{1f}2\u{1f}0:01:05\
        \u{1f}14400\u{1f}+1 555 100\u{1f}4312\u{1f}\u{1f}5550100\u{1f}";

    #[test]
    fn rows_are_read() {
        let listing = parse(&format!("{ROW}\r\n\r\n"));
        let [fax] = &listing.waiting[..] else { panic!("one fax") };
        assert_eq!(fax.key, "fax000000001.tif 1795403904 18663");
        assert_eq!(fax.tsi.as_deref(), Some("+1 555 100"));
        assert_eq!(fax.subaddress.as_deref(), Some("4312"));
        assert_eq!(fax.caller.as_deref(), Some("5550100"));
        assert_eq!((fax.caller_name.as_deref(), fax.error.as_deref()), (None, None));
        assert_eq!((fax.pages, fax.duration), (2, Duration::from_secs(65)));
        assert_eq!(fax.received, Timestamp(1_795_403_904_000));
        assert!(!listing.coming_in);
    }

    #[test]
    fn unfinished_and_strange_rows_are_left_out() {
        let listing = parse(&ROW.replace("\u{1f} \u{1f}", "\u{1f}*\u{1f}"));
        assert!(listing.waiting.is_empty() && listing.coming_in);
        for bad in [ROW.replace("fax0", "../fax"), ROW.replace("fax0", "a b"), "x".into()] {
            assert!(parse(&bad).waiting.is_empty(), "{bad}");
        }
    }

    #[test]
    fn the_log_tells_the_line_and_the_called_number() {
        let mut fax = parse(ROW).waiting.remove(0);
        let account = Account {
            sent: false,
            call: "000000009".into(),
            line: "ttyFAX1".into(),
            job: "recvq/fax000000001.tif".into(),
            tag: String::new(),
            called: Some("+15550101".into()),
            remote_id: None,
            pages: 2,
            connected: Duration::ZERO,
            reason: String::new(),
        };
        complete(&mut fax, &[account]);
        assert_eq!(fax.line.as_deref(), Some("ttyFAX1"));
        assert_eq!(fax.called.as_deref(), Some("+15550101"));
    }
}
