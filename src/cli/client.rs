//! Asks a running Postfax over its socket, without any haste of its own: one
//! blocking connection, with time limits, and clear words when nobody is there.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Exit, Failure};
use crate::requests::{Ask, Reply};

/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for what is a lot of work: a large file of contacts.
const PATIENT_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest answer in bytes: a whole phone book.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024 * 1024;

/// A connection to a running Postfax.
pub(super) struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// [`Exit::Unreachable`] when nobody listens, [`Exit::NotPermitted`] when the
    /// system does not let us.
    pub(super) fn connect(path: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path).map_err(|error| unreachable(path, &error))?;
        let limited = stream
            .set_read_timeout(Some(ANSWER_TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER_TIMEOUT)));
        limited.map_err(|error| unreachable(path, &error))?;
        Ok(Self { path: path.to_owned(), stream: BufReader::new(stream) })
    }

    /// Waits longer from now on.
    pub(super) fn be_patient(&mut self) -> Result<(), Failure> {
        let stream = self.stream.get_ref();
        let limited = stream
            .set_read_timeout(Some(PATIENT_TIMEOUT))
            .and_then(|()| stream.set_write_timeout(Some(PATIENT_TIMEOUT)));
        limited.map_err(|error| self.broken(&error))
    }

    /// Asks, and returns the answer; a problem is an error.
    pub(super) fn ask(&mut self, ask: &Ask) -> Result<Reply, Failure> {
        self.send(ask)?;
        self.next()?.ok_or_else(|| {
            let words = format!("Postfax at {} hung up without an answer", self.path.display());
            Failure::new(Exit::Unreachable, words)
        })
    }

    /// Asks something that is answered again and again, however long it takes.
    pub(super) fn watch(&mut self, ask: &Ask) -> Result<(), Failure> {
        self.send(ask)?;
        let unlimited = self.stream.get_ref().set_read_timeout(None);
        unlimited.map_err(|error| self.broken(&error))
    }

    /// The next answer; `None` when Postfax has hung up.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, Failure> {
        let mut line = Vec::new();
        let read = (&mut self.stream).take(MAX_ANSWER_BYTES).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => return Err(self.broken(&io::ErrorKind::UnexpectedEof.into())),
            Err(error) => return Err(self.broken(&error)),
        }
        match serde_json::from_slice(&line) {
            Ok(Reply::Problem(problem)) => Err(problem.into()),
            Ok(reply) => Ok(Some(reply)),
            Err(why) => {
                let words = format!("Postfax at {} answers strangely: {why}", self.path.display());
                Err(Failure::new(Exit::Bug, words)
                    .advise("is it the same version as this command?"))
            }
        }
    }

    fn send(&mut self, ask: &Ask) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(ask).expect("a question can be written as JSON");
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &io::Error) -> Failure {
        let path = self.path.display();
        let words = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!(
                "Postfax at {path} has not answered within {} seconds",
                ANSWER_TIMEOUT.as_secs()
            ),
            _ => format!("the connection to Postfax at {path} broke: {error}"),
        };
        Failure::new(Exit::Unreachable, words)
    }
}

fn unreachable(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Failure::new(Exit::Unreachable, format!("no Postfax is running at {path}"))
                .advise("start it with `systemctl start postfax` or `postfax serve`, or say where it is with --socket")
        }
        io::ErrorKind::PermissionDenied => {
            Failure::new(Exit::NotPermitted, format!("you may not use the socket {path}"))
                .advise("ask as root, or as the user that runs Postfax")
        }
        _ => Failure::new(Exit::Unreachable, format!("{path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::Parser as _;

    use super::*;
    use crate::{
        cli::{args::Args, ask},
        requests::{fake::Fake, socket},
    };

    /// Runs `visit` beside a Postfax that knows the jobs of the samples.
    async fn beside_postfax<T: Send + 'static>(
        visit: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> T {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let listener = socket::bind(&path).unwrap();
        let mut house = tokio::task::JoinSet::new();
        house.spawn(socket::serve(listener, Arc::new(Fake::default())));
        tokio::task::spawn_blocking(move || visit(&path)).await.unwrap()
    }

    #[tokio::test]
    async fn every_command_ends_as_it_should() {
        let table = [
            ("status", Exit::Ok, "SERVER"),
            ("status --json", Exit::Ok, "{\"status\":{\"servers\":["),
            ("jobs", Exit::Ok, "LAST OUTCOME"),
            ("jobs --json --number 0140000000 --state ended", Exit::Ok, "{\"jobs\":[{\"job\":12,"),
            ("jobs --client anna --state failed", Exit::Ok, "no such jobs"),
            ("jobs --number what", Exit::Usage, "cannot stand in a fax number"),
            ("show 12", Exit::Ok, "Job 12"),
            ("show 99", Exit::No, "no job 99"),
            ("cancel 15", Exit::Ok, "being cancelled"),
            ("cancel 14", Exit::Ok, "is cancelled"),
            ("cancel 12", Exit::No, "over already"),
            ("retry 12 --json", Exit::Ok, "{\"done\":{\"job\":12,"),
            ("retry 15", Exit::No, "being carried"),
            ("hold 14", Exit::Ok, "job 14 is on hold"),
            ("release 14 --json", Exit::Ok, "{\"done\":{\"job\":14,\"what\":\"released\"}}"),
            ("alter 14 --priority 3", Exit::Ok, "job 14 is altered"),
            ("alter 14", Exit::Usage, "say what is to be different"),
            ("inbound", Exit::Ok, " 11  in    held"),
            ("inbound assign 11 anna", Exit::Ok, "job 11 goes to the client"),
            ("inbound assign 14 anna", Exit::No, "no received fax that nobody has got"),
            ("servers", Exit::Ok, "london-1"),
            ("servers drain london-1", Exit::Ok, "london-1 gets no new calls"),
            ("servers resume london-1", Exit::Ok, "london-1 gets"),
            ("servers give-up london-1", Exit::Ok, "jobs were lost: 15"),
            ("audit --request jobs.cancel", Exit::Ok, "jobs.cancel"),
            ("audit verify", Exit::Ok, "whole"),
            ("book find", Exit::Ok, "no such entries"),
            ("book add Acme 0140000000 --alias acme", Exit::Ok, "acme@fax.example.com"),
            ("book add Acme 0140000001 --alias acme", Exit::Usage, "another entry"),
            ("book find acm", Exit::Ok, "ALIAS"),
            ("book show acme", Exit::Ok, "+33140000000"),
            ("book show nobody", Exit::No, "no entry \"nobody\""),
            ("book change acme", Exit::Usage, "say what is to be different"),
            ("book change acme --company Acme --version 1", Exit::Ok, "version      2"),
            ("book change acme --company Bell --version 1", Exit::No, "it is version 2"),
            ("book share acme --with group:london", Exit::Ok, "group:london"),
            ("book unshare acme --with group:london", Exit::Ok, "its owner alone"),
            ("book share acme --with group:nowhere", Exit::Usage, "no group \"nowhere\""),
            ("book export --json", Exit::Ok, "{\"book\":{\"exported\":{\"format\":\"csv\""),
            ("book import Cargo.toml", Exit::No, "nothing is imported"),
            ("book delete acme", Exit::Ok, "\"Acme\" is deleted"),
            ("explain 12", Exit::Ok, "Attempt 2"),
            ("explain 13", Exit::No, "no server to choose"),
            ("explain --from anna --to 0140000000", Exit::Ok, "would go by london-1"),
            ("explain --from bert --to 0140000000", Exit::No, "would be refused"),
            ("reload", Exit::BadConfiguration, "postfax.toml:3"),
        ];
        beside_postfax(move |path| {
            for (line, exit, words) in table {
                let typed = ["postfax"].into_iter().chain(line.split_whitespace());
                let command = Args::try_parse_from(typed).unwrap().command;
                let (ask, json) = ask::question(command).unwrap();
                let (shown, ended) = ask::answer(path, &ask, json)
                    .unwrap_or_else(|failure| (failure.words, failure.exit));
                assert_eq!(ended, exit, "{line}");
                assert!(shown.contains(words), "{line}: {shown}");
            }
        })
        .await;
    }

    #[tokio::test]
    async fn a_watcher_gets_a_status_at_once() {
        beside_postfax(|path| {
            let mut client = Client::connect(path).unwrap();
            client.watch(&Ask::Watch).unwrap();
            assert!(matches!(client.next(), Ok(Some(Reply::Status(_)))));
        })
        .await;
    }

    #[test]
    fn nobody_there_is_said_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        let check = || {
            let failure = Client::connect(&path).err().unwrap();
            assert_eq!(failure.exit, Exit::Unreachable);
            assert!(failure.words.starts_with("no Postfax is running at "), "{failure}");
            assert!(failure.hint.is_some());
        };
        check();
        // A crash leaves the socket behind, and nobody behind it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        check();
    }

    #[test]
    fn one_who_hangs_up_is_unreachable_and_nonsense_is_a_bug() {
        for (said, exit) in
            [("", Exit::Unreachable), ("{\"sta", Exit::Unreachable), ("hi\n", Exit::Bug)]
        {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("control.sock");
            let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
            let other = std::thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                let mut stream = BufReader::new(stream);
                stream.read_line(&mut String::new()).unwrap();
                stream.get_mut().write_all(said.as_bytes()).unwrap();
            });
            let failure = Client::connect(&path).unwrap().ask(&Ask::Status).unwrap_err();
            assert_eq!(failure.exit, exit, "{failure}");
            other.join().unwrap();
        }
    }
}
