//! The sockets of one client: the control connection, and the data connections that
//! the session asks for. It decides nothing: [`Session`] does.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use tokio::{
    fs,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::broadcast::error::RecvError,
    time::timeout,
};

use super::{
    events::Interest,
    office::Office,
    session::{Answer, Session},
    spool::now_s,
};

/// Longest command line, as HylaFAX has it.
const MAX_LINE_BYTES: u64 = 512;
/// Largest upload.
const MAX_UPLOAD_BYTES: u64 = 64 * 1024 * 1024;
/// How long a data connection may take to come about, and to move each piece.
const DATA_TIMEOUT: Duration = Duration::from_secs(30);

/// The way to the next data connection.
enum Data {
    None,
    Listening(TcpListener),
    Back(SocketAddr),
}

/// The sockets of one client.
pub(super) struct Connection {
    session: Session,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    peer: SocketAddr,
    data: Data,
}

/// Serves a client until it leaves, and removes what it has left unfinished.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, office: Arc<Office>) {
    let (reader, writer) = stream.into_split();
    let session = Session::new(Arc::clone(&office));
    let mut connection =
        Connection { session, reader: BufReader::new(reader), writer, peer, data: Data::None };
    if let Err(error) = connection.run().await {
        tracing::debug!(%error, "a client's connection broke");
    }
    for draft in std::mem::take(&mut connection.session.drafts).into_values() {
        if let Some(document) = draft.document {
            // Without it the disk only keeps a file more.
            office.spool.delete("docq", &document).ok();
        }
    }
    for upload in connection.session.uploads {
        office.spool.delete("tmp", &upload).ok();
    }
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        self.say(&self.session.greeting()).await?;
        while let Some(line) = self.hear().await? {
            let answer = self.session.line(&line);
            if !self.act(answer).await? {
                break;
            }
        }
        Ok(())
    }

    /// The next line; `None` when the client has left or said nothing for too long.
    async fn hear(&mut self) -> io::Result<Option<String>> {
        let idle = Duration::from_secs(self.session.idle_s);
        let mut line = vec![];
        let mut bounded = (&mut self.reader).take(MAX_LINE_BYTES);
        match timeout(idle, bounded.read_until(b'\n', &mut line)).await {
            Err(_) => {
                self.say("421 Timeout: closing control connection.").await?;
                Ok(None)
            }
            Ok(read) => {
                if read? == 0 || line.pop() != Some(b'\n') {
                    return Ok(None);
                }
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                Ok(Some(String::from_utf8_lossy(&line).into_owned()))
            }
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await
    }

    /// Does what the session wants; `false` when that was to hang up.
    async fn act(&mut self, answer: Answer) -> io::Result<bool> {
        match answer {
            Answer::Reply(text) => self.say(&text).await?,
            Answer::Bye(text) => {
                self.say(&text).await?;
                return Ok(false);
            }
            Answer::Listen { extended } => self.listen(extended).await?,
            Answer::ConnectBack(port) => {
                self.data = Data::Back(SocketAddr::new(self.peer.ip(), port));
                self.say("200 PORT command successful.").await?;
            }
            Answer::Send { opening, bytes } => {
                if let Some(mut data) = self.open_data(&opening).await? {
                    let sent = timed(send(&mut data, &bytes)).await;
                    self.close(sent, "226 Transfer complete.").await?;
                }
            }
            Answer::SendFile { opening, file } => match fs::read(&file).await {
                Err(error) => self.say(&format!("550 {error}.")).await?,
                Ok(bytes) => {
                    if let Some(mut data) = self.open_data(&opening).await? {
                        let sent = timed(send(&mut data, &bytes)).await;
                        self.close(sent, "226 Transfer complete.").await?;
                    }
                }
            },
            Answer::Take { opening, file, behind, closing } => match target(&file, behind).await {
                Err(error) => self.say(&format!("553 {error}.")).await?,
                Ok(file) => {
                    if let Some(data) = self.open_data(&opening).await? {
                        let taken = timed(take(data, file)).await;
                        self.close(taken, &closing).await?;
                    }
                }
            },
            Answer::Tell { opening, interest } => {
                if let Some(data) = self.open_data(&opening).await? {
                    self.tell(data, &interest).await?;
                }
            }
        }
        Ok(true)
    }

    async fn listen(&mut self, extended: bool) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        self.data = Data::Listening(listener);
        let text = if extended {
            format!("229 Entering Extended Passive Mode (|||{port}|)")
        } else {
            format!("227 Entering passive mode (127,0,0,1,{},{})", port >> 8, port & 255)
        };
        self.say(&text).await
    }

    /// Says the opening and connects; `None` when that failed and the client knows.
    async fn open_data(&mut self, opening: &str) -> io::Result<Option<TcpStream>> {
        self.say(opening).await?;
        let connected = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => Err(io::Error::other("use PASV, EPSV, PORT or EPRT first")),
            Data::Listening(listener) => timed(listener.accept()).await.map(|(data, _)| data),
            Data::Back(address) => timed(TcpStream::connect(address)).await,
        };
        match connected {
            Ok(data) => Ok(Some(data)),
            Err(error) => {
                self.say(&format!("425 Cannot build data connection: {error}.")).await?;
                Ok(None)
            }
        }
    }

    async fn close(&mut self, moved: io::Result<()>, closing: &str) -> io::Result<()> {
        match moved {
            Ok(()) => self.say(closing).await,
            Err(error) => self.say(&format!("426 Data connection: {error}.")).await,
        }
    }

    /// Tells events until the client says `ABOR` or leaves.
    async fn tell(&mut self, mut data: TcpStream, interest: &Interest) -> io::Result<()> {
        let mut events = self.session.office.events.subscribe();
        let mut byte = [0; 1];
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Ok(event) if interest.covers(&event) => {
                        let clock = clock_of(now_s());
                        data.write_all(format!("{}\r\n", event.line(&clock)).as_bytes()).await?;
                    }
                    // HylaFAX loses events as well, and says so.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return Ok(()),
                },
                _ = data.read(&mut byte) => return self.say("226 Transfer complete.").await,
                line = self.reader.fill_buf() => {
                    if line?.is_empty() {
                        return Ok(());
                    }
                    drop(data);
                    self.hear().await?;
                    return self.say("226 ABOR command successful.").await;
                }
            }
        }
    }
}

fn clock_of(at_s: i64) -> String {
    let second = at_s.rem_euclid(86_400);
    format!("{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60)
}

async fn timed<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(DATA_TIMEOUT, what).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn send(data: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    data.write_all(bytes).await?;
    data.shutdown().await
}

/// The file to write to. As hfaxd does, it is emptied before the data is looked at.
async fn target(path: &Path, behind: bool) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).append(behind).write(true).truncate(!behind);
    options.open(path).await
}

/// Writes what comes to the file and syncs it: what the client is told has arrived
/// has arrived.
async fn take(data: TcpStream, mut file: fs::File) -> io::Result<()> {
    let copied = tokio::io::copy(&mut data.take(MAX_UPLOAD_BYTES + 1), &mut file).await?;
    if copied > MAX_UPLOAD_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    file.sync_all().await
}
