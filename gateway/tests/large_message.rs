//! A message of fifty megabytes goes through a server in a few kilobytes of memory.
//! In a process of its own, because the memory of the process is what is measured.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use postfax_gateway::{
    desk::{AuthRefusal, Desk, Envelope, Granted, Identity, Mail, Peer, Rcpt, Role, Welcome},
    reply::Reply,
    server::{Options, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

const MESSAGE_BYTES: usize = 50_000_000;
const MOST_GROWTH_KIB: u64 = 4096;

struct Shelf(PathBuf);

#[async_trait]
impl Desk for Shelf {
    async fn authenticate(&self, _: &Peer, _: &str, _: &str) -> Result<Identity, AuthRefusal> {
        Err(AuthRefusal::Unavailable)
    }

    async fn sender(&self, _: &Peer, _: &Mail) -> Result<Granted, Reply> {
        Ok(Granted::default())
    }

    async fn recipient(&self, _: &Peer, _: &Mail, _: &Rcpt) -> Result<Welcome, Reply> {
        Ok(Welcome::default())
    }

    async fn spool(&self, _: &Peer, _: &Mail) -> Result<PathBuf, Reply> {
        Ok(self.0.clone())
    }

    async fn message(&self, _: &Peer, envelope: Envelope) -> Result<Vec<Vec<String>>, Reply> {
        Ok(vec![vec![envelope.bytes.to_string()]])
    }
}

/// The most memory that this process ever held, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

async fn ask(client: &mut TcpStream, text: &[u8], code: &str) {
    client.write_all(text).await.expect("sent");
    let mut reply = [0; 1024];
    let count = client.read(&mut reply).await.expect("a reply");
    let reply = String::from_utf8_lossy(&reply[..count]);
    assert!(reply.starts_with(code), "{reply}");
}

#[tokio::test]
async fn memory_stays_flat() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.eml");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    let desk = Arc::new(Shelf(path.clone()));
    let serving =
        tokio::spawn(serve(listener, Role::Relay, Options::new("fax.example"), desk, stopped));

    let mut client = TcpStream::connect(address).await.expect("connected");
    ask(&mut client, b"", "220").await;
    ask(&mut client, b"EHLO x\r\n", "250").await;
    ask(&mut client, b"MAIL FROM:<a@b>\r\n", "250").await;
    ask(&mut client, b"RCPT TO:<+44@f>\r\n", "250").await;
    ask(&mut client, b"DATA\r\n", "354").await;
    let before = peak_kib();
    let block = [&[b'x'; 78][..], b"\r\n"].concat().repeat(125);
    for _ in 0..MESSAGE_BYTES / block.len() {
        client.write_all(&block).await.expect("sent");
    }
    ask(&mut client, b".\r\n", "250").await;
    let grown = peak_kib() - before;
    assert!(grown < MOST_GROWTH_KIB, "{grown} KiB more");
    assert!(std::fs::metadata(&path).expect("the file").len() > MESSAGE_BYTES as u64);
    drop(client);
    stop.send_replace(true);
    serving.await.expect("no panic").expect("served");
}
