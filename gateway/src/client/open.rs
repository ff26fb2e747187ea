//! From nothing to a connection that takes mail: greeting, EHLO, TLS, login.
//! Sends no mail.

use std::{io, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    commands::Auth,
};
use rustls_pki_types::ServerName;
use tokio::{
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::{
    Stage, Timeouts, Trouble,
    relay::{Login, Mechanism as Wanted, Relay, Route, StartTls},
    reply::{Class, Reply},
    wire::{Stream, Wire},
};

/// How long a goodbye may take.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);

/// What the far end offers (RFC 5321 4.1.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) pipelining: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    pub(super) dsn: bool,
    /// The largest message; 0 where there is no limit.
    pub(super) size: Option<u64>,
    starttls: bool,
    plain: bool,
    login: bool,
}

/// A connection that takes mail.
pub(super) struct Session {
    pub(super) wire: Wire,
    pub(super) features: Features,
    pub(super) is_lmtp: bool,
    /// A transaction was made on it.
    pub(super) is_used: bool,
}

impl Features {
    fn read(reply: &Reply) -> Self {
        let mut features = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "PIPELINING" => features.pipelining = true,
                "8BITMIME" => features.eight_bit = true,
                "SMTPUTF8" => features.utf8 = true,
                "DSN" => features.dsn = true,
                "STARTTLS" => features.starttls = true,
                "SIZE" => {
                    features.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0));
                }
                "AUTH" => {
                    for word in words {
                        features.plain |= word.eq_ignore_ascii_case("PLAIN");
                        features.login |= word.eq_ignore_ascii_case("LOGIN");
                    }
                }
                _ => {}
            }
        }
        features
    }
}

impl Session {
    /// Opens a connection. Where TLS is opportunistic and its handshake fails,
    /// the far end gets a second chance in clear.
    pub(super) async fn open(
        relay: &Relay,
        tls: Option<&TlsConnector>,
        timeouts: &Timeouts,
    ) -> Result<Self, Trouble> {
        let is_implicit = matches!(relay.route, Route::Smtps { .. });
        match Self::open_once(relay, tls, timeouts).await {
            Err(Trouble::Tls(_)) if !is_implicit && relay.starttls == StartTls::Opportunistic => {
                Self::open_once(relay, None, timeouts).await
            }
            opened => opened,
        }
    }

    pub(super) async fn quit(mut self) {
        if self.wire.send(b"QUIT\r\n", QUIT_TIMEOUT, Stage::Farewell).await.is_ok() {
            // The answer changes nothing; waiting for it is politeness.
            let _ = self.wire.reply(QUIT_TIMEOUT, Stage::Farewell).await;
        }
    }

    async fn open_once(
        relay: &Relay,
        tls: Option<&TlsConnector>,
        timeouts: &Timeouts,
    ) -> Result<Self, Trouble> {
        let mut stream = connect(relay, timeouts).await?;
        if matches!(relay.route, Route::Smtps { .. }) {
            let connector = tls.expect("a relay by smtps has a connector");
            stream = encrypt(stream, connector, relay, timeouts).await?;
        }
        let mut session = Self {
            wire: Wire::new(stream),
            features: Features::default(),
            is_lmtp: relay.is_lmtp(),
            is_used: false,
        };
        let greeting = session.wire.reply(timeouts.command, Stage::Greeting).await?;
        done(greeting)?;
        session.hello(&relay.hello_name, timeouts).await?;
        if !matches!(relay.route, Route::Smtps { .. } | Route::LmtpUnix(_)) {
            session = session.upgrade(relay, tls, timeouts).await?;
        }
        if let Some(login) = &relay.login {
            session.log_in(login, timeouts).await?;
        }
        Ok(session)
    }

    /// Sends a line and waits for its answer.
    pub(super) async fn ask(
        &mut self,
        line: &str,
        within: Duration,
        stage: Stage,
    ) -> Result<Reply, Trouble> {
        self.wire.send(line.as_bytes(), within, stage).await?;
        self.wire.reply(within, stage).await
    }

    async fn hello(&mut self, name: &str, timeouts: &Timeouts) -> Result<(), Trouble> {
        let verb = if self.is_lmtp { "LHLO" } else { "EHLO" };
        let line = format!("{verb} {name}\r\n");
        let reply = self.ask(&line, timeouts.command, Stage::Hello).await?;
        if matches!(reply.code, 500 | 502) && !self.is_lmtp {
            let line = format!("HELO {name}\r\n");
            self.features = Features::default();
            return done(self.ask(&line, timeouts.command, Stage::Hello).await?);
        }
        self.features = Features::read(&reply);
        done(reply)
    }

    async fn upgrade(
        mut self,
        relay: &Relay,
        tls: Option<&TlsConnector>,
        timeouts: &Timeouts,
    ) -> Result<Self, Trouble> {
        let required = relay.starttls == StartTls::Required;
        let Some(connector) = tls.filter(|_| self.features.starttls) else {
            return if required { Err(Trouble::TlsNotOffered) } else { Ok(self) };
        };
        let reply = self.ask("STARTTLS\r\n", timeouts.command, Stage::StartTls).await?;
        if reply.class() != Class::Done {
            return if required { Err(Trouble::Said(reply)) } else { Ok(self) };
        }
        let stream = encrypt(self.wire.into_stream()?, connector, relay, timeouts).await?;
        let mut session = Self { wire: Wire::new(stream), ..self };
        session.hello(&relay.hello_name, timeouts).await?;
        Ok(session)
    }

    async fn log_in(&mut self, login: &Login, timeouts: &Timeouts) -> Result<(), Trouble> {
        let offers = &self.features;
        let mechanism = match login.mechanism {
            Some(Wanted::Plain) | None if offers.plain => Mechanism::Plain,
            Some(Wanted::Login) | None if offers.login => Mechanism::Login,
            _ => return Err(Trouble::LoginNotOffered),
        };
        let credentials = Credentials::new(login.user.clone(), login.password.clone());
        let garbled = |_| Trouble::Garbled(Stage::Login);
        let first = Auth::new(mechanism, credentials, None).map_err(garbled)?.to_string();
        let mut reply = self.ask(&first, timeouts.command, Stage::Login).await?;
        // LOGIN asks for the name, then for the password, in any words.
        for answer in [&login.user, &login.password] {
            if mechanism != Mechanism::Login || reply.code != 334 {
                break;
            }
            let line = format!("{}\r\n", base64(answer));
            reply = self.ask(&line, timeouts.command, Stage::Login).await?;
        }
        done(reply)
    }
}

fn base64(text: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

/// A refusal before any mail concerns the relay or us, never the mail.
fn done(reply: Reply) -> Result<(), Trouble> {
    match reply.class() {
        Class::Done => Ok(()),
        _ => Err(Trouble::Said(reply)),
    }
}

async fn connect(relay: &Relay, timeouts: &Timeouts) -> Result<Box<dyn Stream>, Trouble> {
    let connecting = async {
        Ok::<Box<dyn Stream>, io::Error>(match &relay.route {
            Route::Smtp { host, port }
            | Route::Smtps { host, port }
            | Route::Lmtp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // Else each mail waits 40 ms for an acknowledgement.
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            Route::LmtpUnix(path) => Box::new(UnixStream::connect(path).await?),
        })
    };
    match timeout(timeouts.connect, connecting).await {
        Err(_) => Err(Trouble::Timeout(Stage::Connect)),
        Ok(connected) => connected.map_err(|error| Trouble::Unreachable(error.to_string())),
    }
}

async fn encrypt(
    stream: Box<dyn Stream>,
    connector: &TlsConnector,
    relay: &Relay,
    timeouts: &Timeouts,
) -> Result<Box<dyn Stream>, Trouble> {
    let name = ServerName::try_from(relay.host().to_owned())
        .map_err(|error| Trouble::Tls(error.to_string()))?;
    match timeout(timeouts.connect, connector.connect(name, stream)).await {
        Err(_) => Err(Trouble::Timeout(Stage::StartTls)),
        Ok(Err(error)) => Err(Trouble::Tls(error.to_string())),
        Ok(Ok(stream)) => Ok(Box::new(stream)),
    }
}
