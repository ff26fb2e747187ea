//! A proxy before a server of HylaFAX's protocol that lets so many octets pass, both
//! ways and on all connections together, and then cuts every one of them.
//!
//! Data connections go through it too: it names a port of its own in the answers to
//! `EPSV` and `PASV`.

use std::{
    net::Ipv4Addr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// What all connections share.
struct Line {
    passed: AtomicU64,
    /// `None` lets everything pass.
    limit: Option<u64>,
    cut: watch::Sender<bool>,
}

/// A running proxy. Dropping it cuts everything.
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
    door: AbortHandle,
}

impl Proxy {
    /// Before the server at this port of 127.0.0.1.
    pub async fn start(server: u16, limit: Option<u64>) -> Self {
        let (cut, _) = watch::channel(limit == Some(0));
        let line = Arc::new(Line { passed: AtomicU64::new(0), limit, cut });
        let (listener, port) = listen().await;
        let shared = Arc::clone(&line);
        let door = tokio::spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(join(client, server, Arc::clone(&shared), true));
            }
        });
        Self { port, line, door: door.abort_handle() }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many octets have passed.
    pub fn passed(&self) -> u64 {
        self.line.passed.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.cut.send_replace(true);
        self.door.abort();
    }
}

impl Line {
    /// How many of these octets may still pass; cuts when it is not all of them.
    fn take(&self, octets: usize) -> usize {
        let wanted = octets as u64;
        let before = self.passed.fetch_add(wanted, Ordering::SeqCst);
        let Some(limit) = self.limit else { return octets };
        if before + wanted >= limit {
            self.cut.send_replace(true);
        }
        usize::try_from(limit.saturating_sub(before).min(wanted)).unwrap()
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Joins a client to a port of the server until one of them ends or the cut comes. In a
/// box, since a control connection makes data connections that are joined as well.
fn join(
    client: TcpStream,
    server: u16,
    line: Arc<Line>,
    control: bool,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if *line.cut.borrow() {
            return;
        }
        let Ok(upstream) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await else { return };
        client.set_nodelay(true).ok();
        upstream.set_nodelay(true).ok();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = upstream.into_split();
        let mut cut = line.cut.subscribe();
        let both = async {
            tokio::join!(
                relay(from_client, to_server, &line, false),
                relay(from_server, to_client, &line, control)
            )
        };
        tokio::select! {
            _ = both => {}
            _ = cut.wait_for(|cut| *cut) => {}
        }
    })
}

async fn relay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, line: &Arc<Line>, replies: bool) {
    let mut piece = vec![0; 4096];
    let mut data = JoinSet::new();
    while let Ok(n) = from.read(&mut piece).await {
        if n == 0 {
            break;
        }
        let mut octets = piece[..n].to_vec();
        // A reply of this protocol comes in one piece on the loopback.
        if replies && (octets.starts_with(b"229 ") || octets.starts_with(b"227 ")) {
            let (listener, port) = listen().await;
            let (text, server) = redirected(&String::from_utf8_lossy(&octets), port);
            octets = text.into_bytes();
            let line = Arc::clone(line);
            data.spawn(async move {
                if let Ok((client, _)) = listener.accept().await {
                    join(client, server, line, false).await;
                }
            });
        }
        // What may pass goes out at once, before the cut is noticed.
        let may = line.take(octets.len());
        if to.write_all(&octets[..may]).await.is_err() {
            break;
        }
    }
    to.shutdown().await.ok();
    while data.join_next().await.is_some() {}
}

/// The reply with another port in it, and the one that stood there.
fn redirected(reply: &str, port: u16) -> (String, u16) {
    let (before, rest) = reply.split_once('(').unwrap();
    let (inner, after) = rest.split_once(')').unwrap();
    if reply.starts_with("229") {
        let server = inner.trim_matches('|').parse().unwrap();
        return (format!("{before}(|||{port}|){after}"), server);
    }
    let numbers: Vec<u16> = inner.split(',').map(|n| n.parse().unwrap()).collect();
    let ours = format!("127,0,0,1,{},{}", port >> 8, port & 255);
    (format!("{before}({ours}){after}"), numbers[4] << 8 | numbers[5])
}
