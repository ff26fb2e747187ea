//! A slow way to a fax server: what a client says is handed on, but one command
//! only after a while, even if the client is gone by then, as a network and a busy
//! server do.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The way; it ends with the test.
pub struct Slow {
    pub port: u16,
    met: Arc<AtomicUsize>,
}

impl Slow {
    /// A way to the port, on which lines that begin with `command` take `pause`.
    pub fn start(to: u16, command: &'static str, pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let slow = Self { port: listener.local_addr().unwrap().port(), met: Arc::default() };
        let met = slow.met.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let met = met.clone();
                std::thread::spawn(move || forward(client, server, command, pause, &met));
                std::thread::spawn(move || {
                    let (mut from, mut into) = back;
                    let _ = std::io::copy(&mut from, &mut into);
                    let _ = into.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        slow
    }

    /// How often the command was met.
    pub fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

fn forward(
    client: TcpStream,
    mut server: TcpStream,
    command: &str,
    pause: Duration,
    met: &AtomicUsize,
) {
    let mut input = BufReader::new(client);
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
        if line.starts_with(command.as_bytes()) {
            met.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(pause);
        }
        if server.write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
}
