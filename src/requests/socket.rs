//! The first door: a unix socket on this machine. One line of JSON for each
//! question, one for each answer, any number of them on one connection.
//!
//! Who asks is told by the kernel, not by the asker (SO_PEERCRED): root and the
//! user that runs Postfax are its administrators, everyone else is refused in
//! words. Nothing is decided in here.

use std::{io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Ask, Code, Daemon, Problem, Reply, answer};

/// Longest question in bytes, its line end included: a file of a configuration fits in.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// Most connections at once.
const MAX_CONNECTIONS: usize = 64;
/// A connection that asks nothing for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// An asker who does not read its answer for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Shortest time between two answers to one watcher: at most 4 a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// Owner and group may ask; whom we then let in is decided by who they are.
const SOCKET_MODE: u32 = 0o660;

/// Opens the door at `path`, and takes away what an earlier life has left there.
///
/// # Errors
/// `AddrInUse` when a running Postfax listens there; else what the system says.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is not a socket"));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another Postfax listens there"));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

/// Answers everyone who comes, for ever. Dropping the future closes all connections.
pub(crate) async fn serve(listener: UnixListener, daemon: Arc<dyn Daemon>) {
    let own = rustix::process::geteuid().as_raw();
    serve_administrators(listener, daemon, &[0, own]).await;
}

async fn serve_administrators(listener: UnixListener, daemon: Arc<dyn Daemon>, uids: &[u32]) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, mostly: others may give some back.
                tracing::warn!(%error, "a connection to the control socket failed");
                sleep(WATCH_INTERVAL).await;
                continue;
            }
        };
        if connections.len() >= 2 * MAX_CONNECTIONS {
            // Not even time for words.
            continue;
        }
        let refusal = refusal(&stream, uids, connections.len());
        let who = administrator(&stream);
        let daemon = daemon.clone();
        connections.spawn(async move {
            let (reader, writer) = stream.into_split();
            let mut asker = Caller { who, reader: BufReader::new(reader), writer };
            match refusal {
                None => asker.attend(&*daemon).await,
                // What it has asked does not matter, but it must have been read:
                // else the system throws our answer away with the connection.
                Some(problem) => {
                    let _ = asker.question().await;
                    let _ = asker.reply(&problem.into()).await;
                }
            }
        });
    }
}

/// Why this one is not let in, if there is a reason.
fn refusal(stream: &UnixStream, uids: &[u32], connections: usize) -> Option<Problem> {
    let uid = match stream.peer_cred() {
        Ok(peer) => peer.uid(),
        Err(error) => {
            let message = format!("the system does not say who you are: {error}");
            return Some(Problem::new(Code::NotPermitted, message));
        }
    };
    if !uids.contains(&uid) {
        tracing::warn!(uid, "refused at the control socket");
        let message =
            format!("you are user {uid}; only root and the user that runs Postfax may ask here");
        return Some(Problem::new(Code::NotPermitted, message));
    }
    (connections >= MAX_CONNECTIONS)
        .then(|| Problem::new(Code::Busy, "too many ask at once; try again in a moment"))
}

/// Whoever was let in is an administrator.
fn administrator(stream: &UnixStream) -> Asker {
    let uid = stream.peer_cred().map_or_else(|_| "unknown".into(), |peer| peer.uid().to_string());
    Asker { who: Who::Administrator, door: Door::Socket, from: format!("uid {uid}") }
}

struct Caller {
    who: Asker,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

/// What an asker has sent.
enum Question {
    Asked(Ask),
    Unreadable(Problem),
    Gone,
}

impl Caller {
    async fn attend(&mut self, daemon: &dyn Daemon) {
        loop {
            let done = match self.question().await {
                Question::Gone => return,
                Question::Unreadable(problem) => {
                    let _ = self.reply(&problem.into()).await;
                    return;
                }
                Question::Asked(Ask::Watch) => self.watch(daemon).await,
                Question::Asked(ask) => self.reply(&answer(daemon, &self.who, ask).await).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn question(&mut self) -> Question {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES);
        match timeout(IDLE_TIMEOUT, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(_)) if line.ends_with(b"\n") => {}
            Ok(Ok(_)) if line.len() as u64 == MAX_LINE_BYTES => {
                let message = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                return Question::Unreadable(Problem::new(Code::BadRequest, message));
            }
            _ => return Question::Gone,
        }
        match serde_json::from_slice(&line) {
            Ok(ask) => Question::Asked(ask),
            Err(why) => Question::Unreadable(Problem::new(Code::BadRequest, why.to_string())),
        }
    }

    /// Tells how everything is, now and after every change, until the asker says
    /// something or goes.
    async fn watch(&mut self, daemon: &dyn Daemon) -> io::Result<()> {
        let mut changes = daemon.changes();
        loop {
            changes.borrow_and_update();
            let reply = answer(daemon, &self.who, Ask::Watch).await;
            self.reply(&reply).await?;
            tokio::select! {
                changed = async {
                    sleep(WATCH_INTERVAL).await;
                    changes.changed().await
                } => changed.map_err(io::Error::other)?,
                heard = self.reader.fill_buf() => {
                    heard?;
                    return Ok(());
                }
            }
        }
    }

    async fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        let mut line = serde_json::to_vec(reply).map_err(io::Error::other)?;
        line.push(b'\n');
        timeout(WRITE_TIMEOUT, self.writer.write_all(&line)).await?
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::Lines;

    use super::*;
    use crate::requests::fake::Fake;

    /// A door in a folder of its own, and what keeps it open.
    struct House {
        path: std::path::PathBuf,
        daemon: Arc<Fake>,
        _dir: tempfile::TempDir,
        _open: JoinSet<()>,
    }

    fn house(uids: &'static [u32]) -> House {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let listener = bind(&path).unwrap();
        let daemon = Arc::new(Fake::default());
        let mut open = JoinSet::new();
        let answers: Arc<dyn Daemon> = daemon.clone();
        match uids {
            [] => open.spawn(serve(listener, answers)),
            uids => open.spawn(serve_administrators(listener, answers, uids)),
        };
        House { path, daemon, _dir: dir, _open: open }
    }

    struct Visitor {
        lines: Lines<BufReader<OwnedReadHalf>>,
        writer: OwnedWriteHalf,
    }

    impl Visitor {
        async fn come(path: &Path) -> Self {
            let (reader, writer) = UnixStream::connect(path).await.unwrap().into_split();
            Self { lines: BufReader::new(reader).lines(), writer }
        }

        async fn say(&mut self, line: &str) {
            self.writer.write_all(line.as_bytes()).await.unwrap();
        }

        async fn hear(&mut self) -> Option<Reply> {
            let line = timeout(Duration::from_secs(10), self.lines.next_line());
            let line = line.await.expect("an answer in time").unwrap_or_default()?;
            Some(serde_json::from_str(&line).unwrap())
        }

        async fn hear_problem(&mut self) -> Code {
            match self.hear().await {
                Some(Reply::Problem(problem)) => problem.code,
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn one_connection_asks_many_things() {
        let house = house(&[]);
        let mut visitor = Visitor::come(&house.path).await;
        visitor.say("{\"ask\":\"status\"}\n{\"ask\":\"show\",\"job\":12}\n").await;
        assert!(matches!(visitor.hear().await, Some(Reply::Status(_))));
        assert!(matches!(visitor.hear().await, Some(Reply::Job(_))));
        visitor.say("{\"ask\":\"show\",\"job\":99}\n").await;
        assert_eq!(visitor.hear_problem().await, Code::NoSuchJob);
        visitor.say("{\"ask\":\"jobs\",\"state\":\"delivered\"}\n").await;
        let Some(Reply::Jobs(jobs)) = visitor.hear().await else { panic!("no jobs") };
        assert_eq!(jobs.len(), 2);
    }

    #[tokio::test]
    async fn what_is_no_question_ends_the_connection() {
        let house = house(&[]);
        let long = "x".repeat(MAX_LINE_BYTES as usize);
        for bad in
            ["hello\n", "{\"ask\":\"jobs\",\"stat\":\"open\"}\n", "{\"ask\":\"fly\"}\n", &long]
        {
            let mut visitor = Visitor::come(&house.path).await;
            visitor.say(bad).await;
            assert_eq!(visitor.hear_problem().await, Code::BadRequest);
            assert_eq!(visitor.hear().await, None);
        }
    }

    #[tokio::test]
    async fn strangers_are_refused_in_words() {
        let house = house(&[u32::MAX - 1]);
        let mut visitor = Visitor::come(&house.path).await;
        visitor.say("{\"ask\":\"cancel\",\"job\":12}\n").await;
        assert_eq!(visitor.hear_problem().await, Code::NotPermitted);
        assert_eq!(visitor.hear().await, None);
        assert_eq!(house.daemon.asked(), 0);
    }

    #[tokio::test]
    async fn too_many_are_sent_away_and_room_is_found_again() {
        let house = house(&[]);
        let mut crowd = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            let mut visitor = Visitor::come(&house.path).await;
            visitor.say("{\"ask\":\"status\"}\n").await;
            assert!(matches!(visitor.hear().await, Some(Reply::Status(_))));
            crowd.push(visitor);
        }
        let mut late = Visitor::come(&house.path).await;
        late.say("{\"ask\":\"status\"}\n").await;
        assert_eq!(late.hear_problem().await, Code::Busy);
        drop((crowd, late));
        for _ in 0..100 {
            let mut next = Visitor::come(&house.path).await;
            next.say("{\"ask\":\"status\"}\n").await;
            if matches!(next.hear().await, Some(Reply::Status(_))) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("no room was found again");
    }

    #[tokio::test]
    async fn a_watcher_hears_of_changes_and_not_too_often() {
        let house = house(&[]);
        let mut visitor = Visitor::come(&house.path).await;
        visitor.say("{\"ask\":\"watch\"}\n").await;
        assert!(matches!(visitor.hear().await, Some(Reply::Status(_))));
        let started = std::time::Instant::now();
        for _ in 0..50 {
            house.daemon.change();
        }
        assert!(matches!(visitor.hear().await, Some(Reply::Status(_))));
        assert!(started.elapsed() >= WATCH_INTERVAL / 2);
        // Fifty changes were one answer, and without a change there is no other.
        assert!(timeout(2 * WATCH_INTERVAL, visitor.lines.next_line()).await.is_err());
        visitor.say("{\"ask\":\"show\",\"job\":12}\n").await;
        assert!(matches!(visitor.hear().await, Some(Reply::Job(_))), "the watch has ended");
    }

    #[tokio::test]
    async fn the_door_opens_again_after_a_crash_and_only_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        drop(bind(&path).unwrap());
        assert!(path.exists(), "a crash leaves the socket behind");
        let first = bind(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        let file = dir.path().join("file");
        std::fs::write(&file, "mine").unwrap();
        assert_eq!(bind(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
