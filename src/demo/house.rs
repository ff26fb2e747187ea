//! Starts the fax servers, the mailbox and Postfax itself, and stops them again.
//!
//! Why Postfax runs in this process and not as a child: so it ends with us however
//! we end. It is the same daemon over the same file as with `postfax serve`.

use std::{sync::Arc, time::Duration};

use postfax_hw::lab::{self, Kind, Lab, LabError};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};

use super::{
    folder::Folder,
    mailbox::Mailbox,
    setting::{self, Ports},
};
use crate::{
    cli::{Exit, Failure, args::Demo},
    config,
    control::Control,
    daemon::{Daemon, DaemonError},
    listen, requests,
};

/// How long the parts may take to end; what is late ends with the process.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that runs.
pub(super) struct House {
    /// Where Postfax takes mail.
    pub(super) ports: Ports,
    /// Where its mail goes.
    pub(super) mailbox: Mailbox,
    /// The exchange and the fax servers.
    pub(super) lab: Lab,
    daemon: JoinHandle<()>,
    /// Those who ask through the socket.
    door: JoinHandle<()>,
    stop: watch::Sender<bool>,
    stop_mailbox: watch::Sender<bool>,
}

/// Starts the exchange and two fax servers.
///
/// # Errors
/// [`Failure`] says what is missing.
pub(super) async fn lab(demo: &Demo, folder: &Folder) -> Result<Lab, Failure> {
    let kind = if demo.hylafax { Kind::Hylafax } else { Kind::Station };
    let options = lab::Options { speed: demo.speed, ..lab::Options::new(folder.file("lab"), kind) };
    Lab::start(options).await.map_err(|failed| {
        let failure = match failed {
            LabError::NeedsRoot => Failure::new(Exit::NotPermitted, failed.to_string()),
            _ => Failure::new(Exit::File, failed.to_string()),
        };
        match failed {
            LabError::NeedsRoot | LabError::NotInstalled => failure
                .advise("without --hylafax fax servers in software are used, which need nothing"),
            _ => failure,
        }
    })
}

impl House {
    /// Writes the configuration and starts the mailbox and Postfax with it.
    ///
    /// # Errors
    /// [`Failure`] says what could not be written or opened.
    pub(super) async fn open(lab: Lab, folder: &Folder) -> Result<Self, Failure> {
        let stop_mailbox = watch::Sender::new(false);
        let mailbox = Mailbox::open(folder.file("mail"), stop_mailbox.subscribe())
            .await
            .map_err(|failed| Failure::file("the mailbox", &failed))?;
        let ports = setting::write(folder, lab.description(), mailbox.port).await?;
        let file = folder.config();
        let config = config::load(&file).map_err(|problems| {
            let words = config::report(&problems, false);
            Failure::new(Exit::BadConfiguration, format!("the configuration is bad:\n{words}"))
        })?;
        let cannot = |why: DaemonError| Failure::new(Exit::File, why.to_string());
        let mut daemon = Daemon::open(config.clone()).await.map_err(cannot)?;
        let none = listen::Inherited::default();
        let doors = listen::smtp(&mut daemon, &config, none).await.map_err(cannot)?;
        let inquiries = doors.inquiries();
        let control = Arc::new(Control::new(daemon.context(), file, doors));
        inquiries.ask_of(&control);
        let socket = requests::socket::bind(&config.control_socket)
            .map_err(|failed| Failure::file(config.control_socket.display(), &failed))?;
        let stop = daemon.stop.clone();
        // Its loop stays on the thread on which it was begun.
        let runtime = Handle::current();
        Ok(Self {
            ports,
            mailbox,
            lab,
            daemon: tokio::task::spawn_blocking(move || runtime.block_on(daemon.run())),
            door: tokio::spawn(requests::socket::serve(socket, control)),
            stop,
            stop_mailbox,
        })
    }

    /// Stops everything, in the order in which nobody misses anybody.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        let _ = timeout(STOP_TIMEOUT, self.daemon).await;
        self.door.abort();
        self.stop_mailbox.send_replace(true);
        let _ = timeout(STOP_TIMEOUT, self.mailbox.ended()).await;
        self.lab.stop().await;
    }
}
