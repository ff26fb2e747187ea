//! Opens the doors: SMTP listeners and the control socket.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use postfax_gateway::{desk::Desk, server, tls};
use tokio::net::{TcpListener, UnixListener};
use tracing::info;

use crate::{
    config::{Config, Listener, Role},
    daemon::{Daemon, DaemonError},
    outbound::FaxDesk,
};
