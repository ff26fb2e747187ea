//! The first door: a unix socket on this machine. One line of JSON for each
//! question, one for each answer, any number of them on one connection.
//!
//! Who asks is told by the kernel, not by the asker (SO_PEERCRED): root and the
//! user that runs Postfax are its administrators, a user that a client has is that
//! client, everyone else is refused in words, which is put on record. Nothing else is decided in here.

mod strangers;

use std::{
    collections::BTreeMap,
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use postfax_domain::{
    audit::{Asker, Door},
    authority::Who,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};

use self::strangers::Strangers;
use super::{Ask, Code, Daemon, Problem, Reply, answer, once_more};

/// Longest question in bytes, its line end included: a file of a configuration fits in.
const MAX_LINE_BYTES: u64 = 1024 * 1024;
/// Longest question of those few that may be longer: the largest file of contacts in Base64
/// (RFC 4648 4), with what stands around it.
const MAX_LONG_LINE_BYTES: u64 = postfax_cards::FILE_BYTES_MOST as u64 / 3 * 4 + MAX_LINE_BYTES;
/// What they begin with.
const LONG: &[u8] = b"{\"ask\":\"book\"";
/// So many of them are read at once, that nobody fills the memory with them.
const MAX_LONG_LINES: usize = 2;
/// Most connections of administrators at once, most of clients, and most of strangers, so
/// that nobody keeps an administrator out, and no stranger a client.
const MAX_CONNECTIONS: usize = 64;
/// Most connections of one user at once who is no administrator.
const MAX_OF_ONE_USER: usize = 8;
/// The rest of a long question comes within this time.
const LONG_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection that asks nothing for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// An asker who does not read its answer for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Shortest time between two answers to one watcher: at most 4 a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);
/// Everybody who reaches the folder may connect; whom we then let in is decided by who
/// they are.
const SOCKET_MODE: u32 = 0o666;
/// How long one is listened to who is sent away.
const STRANGER_TIMEOUT: Duration = Duration::from_secs(5);

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
    let crowd = Arc::new(Crowd::default());
    let strangers = Arc::new(Strangers::new());
    let long_lines = Arc::new(Semaphore::new(MAX_LONG_LINES));
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
        let Ok(peer) = stream.peer_cred() else { continue };
        let who = Peer { uid: peer.uid(), administers: uids.contains(&peer.uid()) };
        let asker = who.asker(&*daemon);
        let (place, is_seat) = match crowd.take(who, asker.is_err()) {
            Room::Seat(seat) => (seat, true),
            Room::Standing(seat) => (seat, false),
            // Not even time for words.
            Room::None => continue,
        };
        let (daemon, strangers) = (daemon.clone(), strangers.clone());
        let long_lines = long_lines.clone();
        connections.spawn(async move {
            let _until_the_end = place;
            let (reader, writer) = stream.into_split();
            let reader = BufReader::new(reader);
            let mut caller = Caller { who, reader, writer, strangers, long_lines };
            match (asker, is_seat) {
                (Ok(_), true) => caller.attend(&*daemon).await,
                (Ok(_), false) => {
                    let busy = "too many ask at once; try again in a moment";
                    caller.refuse(Problem::new(Code::Busy, busy)).await;
                }
                (Err(stranger), _) => {
                    caller.strangers.record(&*daemon, who.uid, &stranger).await;
                    caller.refuse(stranger).await;
                }
            }
        });
    }
}

/// A user of this host who has come.
#[derive(Debug, Clone, Copy)]
struct Peer {
    uid: u32,
    administers: bool,
}

impl Peer {
    /// Who that is, as it is configured at this moment.
    fn asker(self, daemon: &dyn Daemon) -> Result<Asker, Problem> {
        let who = match self.administers {
            true => Who::Administrator,
            false => Who::Client(daemon.client_of(self.uid).ok_or_else(|| self.unknown())?),
        };
        Ok(Asker { who, door: Door::Socket, from: format!("uid {}", self.uid) })
    }

    fn unknown(self) -> Problem {
        let message = format!(
            "you are user {}; only root, the user that runs Postfax and the users of clients may ask here",
            self.uid
        );
        Problem::new(Code::NotPermitted, message)
    }
}

/// How many connections each user has, and among whom it counts.
#[derive(Debug, Default)]
struct Crowd(Mutex<BTreeMap<u32, (Rank, usize)>>);

/// Each has as many connections as the others, whatever those do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Administrator,
    Client,
    Stranger,
}

/// What there is for one who has come.
enum Room {
    /// It is listened to.
    Seat(Seat),
    /// It is told to come again.
    Standing(Seat),
    None,
}

/// Whoever is listened to has one.
struct Seat {
    crowd: Arc<Crowd>,
    uid: u32,
}

impl Crowd {
    fn take(self: &Arc<Self>, who: Peer, is_strange: bool) -> Room {
        let rank = match (who.administers, is_strange) {
            (true, _) => Rank::Administrator,
            (false, false) => Rank::Client,
            (false, true) => Rank::Stranger,
        };
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let alike = users.values().filter(|(other, _)| *other == rank);
        let all: usize = alike.map(|(_, count)| count).sum();
        let own = users.get(&who.uid).map_or(0, |(_, count)| *count);
        if all >= 2 * MAX_CONNECTIONS || (!who.administers && own >= 2 * MAX_OF_ONE_USER) {
            return Room::None;
        }
        users.entry(who.uid).or_insert((rank, 0)).1 += 1;
        let seat = Seat { crowd: self.clone(), uid: who.uid };
        match all >= MAX_CONNECTIONS || (!who.administers && own >= MAX_OF_ONE_USER) {
            true => Room::Standing(seat),
            false => Room::Seat(seat),
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut users = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, count)) = users.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.uid);
            }
        }
    }
}

struct Caller {
    who: Peer,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    strangers: Arc<Strangers>,
    long_lines: Arc<Semaphore>,
}

/// What an asker has sent.
enum Question {
    Asked(Ask),
    /// A long one; others wait until it is answered.
    AskedLong(Ask, OwnedSemaphorePermit),
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
                Question::Asked(ask) => self.answer(daemon, ask).await,
                Question::AskedLong(ask, _until_answered) => self.answer(daemon, ask).await,
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn answer(&mut self, daemon: &dyn Daemon, ask: Ask) -> io::Result<()> {
        let reply = match self.who.asker(daemon) {
            Ok(asker) => answer(daemon, &asker, ask).await,
            Err(stranger) => self.no_longer(daemon, stranger).await,
        };
        self.reply(&reply).await
    }

    /// One that is no client any more since it has come.
    async fn no_longer(&self, daemon: &dyn Daemon, stranger: Problem) -> Reply {
        self.strangers.record(daemon, self.who.uid, &stranger).await;
        stranger.into()
    }

    /// Sends it away. What it has asked does not matter, but it must have been read: else
    /// the system throws our answer away with the connection.
    async fn refuse(&mut self, problem: Problem) {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES);
        let _ = timeout(STRANGER_TIMEOUT, limited.read_until(b'\n', &mut line)).await;
        let _ = self.reply(&problem.into()).await;
    }

    async fn question(&mut self) -> Question {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(MAX_LINE_BYTES);
        match timeout(IDLE_TIMEOUT, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(_)) if line.ends_with(b"\n") => {}
            Ok(Ok(_)) if line.len() as u64 == MAX_LINE_BYTES && line.starts_with(LONG) => {
                return self.long(line).await;
            }
            Ok(Ok(_)) if line.len() as u64 == MAX_LINE_BYTES => {
                let message = format!("the line is longer than {MAX_LINE_BYTES} bytes");
                return Question::Unreadable(Problem::new(Code::BadRequest, message));
            }
            _ => return Question::Gone,
        }
        match asked(&line) {
            Ok(ask) => Question::Asked(ask),
            Err(problem) => Question::Unreadable(problem),
        }
    }

    /// The rest of a long question, when it is its turn.
    async fn long(&mut self, mut line: Vec<u8>) -> Question {
        let turn = timeout(IDLE_TIMEOUT, self.long_lines.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let busy = "too many long questions are asked at once; try again in a moment";
            return Question::Unreadable(Problem::new(Code::Busy, busy));
        };
        let mut limited = (&mut self.reader).take(MAX_LONG_LINE_BYTES - MAX_LINE_BYTES);
        match timeout(LONG_TIMEOUT, limited.read_until(b'\n', &mut line)).await {
            Ok(Ok(_)) if line.ends_with(b"\n") => {}
            Ok(Ok(_)) if line.len() as u64 == MAX_LONG_LINE_BYTES => {
                let message = format!("the line is longer than {MAX_LONG_LINE_BYTES} bytes");
                return Question::Unreadable(Problem::new(Code::BadRequest, message));
            }
            _ => return Question::Gone,
        }
        match asked(&line) {
            Ok(ask) => Question::AskedLong(ask, turn),
            Err(problem) => Question::Unreadable(problem),
        }
    }

    /// Tells how everything is, now and after every change, until the asker says
    /// something or goes.
    async fn watch(&mut self, daemon: &dyn Daemon) -> io::Result<()> {
        let mut changes = daemon.changes();
        let mut first = true;
        loop {
            changes.borrow_and_update();
            let reply = match self.who.asker(daemon) {
                Ok(asker) if first => answer(daemon, &asker, Ask::Watch).await,
                Ok(asker) => once_more(daemon, &asker).await,
                Err(stranger) => self.no_longer(daemon, stranger).await,
            };
            first = false;
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

fn asked(line: &[u8]) -> Result<Ask, Problem> {
    serde_json::from_slice(line).map_err(|why| Problem::new(Code::BadRequest, why.to_string()))
}

#[cfg(test)]
mod tests {
    use tokio::{io::Lines, net::UnixStream};

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
        let lines = house.daemon.lines();
        assert_eq!(lines.len(), 1, "one line, for all that they asked");
        assert_eq!((&lines[0].asker.who, &*lines[0].request), (&Who::Stranger, "connect"));
    }

    fn peer(uid: u32, administers: bool) -> Peer {
        Peer { uid, administers }
    }

    #[test]
    fn who_comes_is_whom_the_configuration_says() {
        let fake = Fake::default();
        let asker = |uid, administers| peer(uid, administers).asker(&fake);
        assert_eq!(asker(0, true).unwrap().who, Who::Administrator);
        let anna = asker(crate::requests::fake::CLIENT_UID, false).unwrap();
        assert_eq!(anna.who.to_string(), "anna");
        assert_eq!(anna.from, "uid 4242");
        let refused = asker(77, false).unwrap_err();
        assert_eq!(refused.code, Code::NotPermitted);
        assert!(refused.message.starts_with("you are user 77;"), "{refused}");
    }

    #[test]
    fn no_user_takes_the_place_of_others_nor_all_users_that_of_an_administrator() {
        let crowd = Arc::new(Crowd::default());
        let mut seats = Vec::new();
        for uid in 1..=8 {
            for _ in 0..MAX_OF_ONE_USER {
                let Room::Seat(seat) = crowd.take(peer(uid, false), false) else {
                    panic!("user {uid}")
                };
                seats.push(seat);
            }
            let Room::Standing(seat) = crowd.take(peer(uid, false), false) else {
                panic!("user {uid}")
            };
            drop(seat);
        }
        assert!(
            matches!(crowd.take(peer(9, false), false), Room::Standing(_)),
            "that is enough of users"
        );
        assert!(matches!(crowd.take(peer(0, true), false), Room::Seat(_)));
        seats.truncate(8);
        assert!(matches!(crowd.take(peer(9, false), false), Room::Seat(_)));
        drop(seats);
        assert!(crowd.0.lock().unwrap().is_empty(), "nothing is kept of who has gone");
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
        assert_eq!(house.daemon.lines().len(), 1, "a watch is one request");
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

    #[test]
    fn strangers_keep_no_client_out() {
        let crowd = Arc::new(Crowd::default());
        let strangers: Vec<Room> = (0..4 * MAX_CONNECTIONS as u32)
            .map(|n| crowd.take(peer(1000 + n % 32, false), true))
            .collect();
        assert!(matches!(strangers.last(), Some(Room::None)));
        assert!(matches!(crowd.take(peer(7, false), false), Room::Seat(_)));
        drop(strangers);
        assert!(matches!(crowd.take(peer(1000, false), true), Room::Seat(_)));
    }
}
