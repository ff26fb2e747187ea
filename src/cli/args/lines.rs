//! `postfax lines` as it is typed.

use std::path::PathBuf;

use clap::{Args as Group, Subcommand};

use super::Output;

/// The file that a line server is set up with, unless it is told otherwise.
const DEFAULT_FILE: &str = "/etc/postfax/lines.toml";

/// A line server.
#[derive(Debug, Group)]
pub(crate) struct Lines {
    /// The file that the line server is set up with
    #[arg(long, short, global = true, value_name = "FILE", env = "POSTFAX_LINES")]
    #[arg(default_value = DEFAULT_FILE)]
    pub(crate) file: PathBuf,
    /// What to do; without it the line server runs
    #[command(subcommand)]
    pub(crate) what: Option<LinesDeed>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum LinesDeed {
    /// Run the line server, in the foreground, until it is told to stop
    #[command(after_help = "Example:\n  postfax lines run --file /etc/postfax/lines.toml\n\n\
        SIGTERM lets calls end and stops it, SIGHUP reads the file again.")]
    Run,

    /// Say whether the file is good, and what is wrong with it where it is not
    #[command(after_help = "Example:\n  postfax lines check ./lines.toml\n\n\
        Exits with 78 when it is bad.")]
    Check {
        /// The file to check; the installed one when none is given
        path: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
    },

    /// Print the fingerprint of our key, for the configuration of the other side
    #[command(after_help = "Examples:\n  postfax lines key                 on the line server\n  \
        postfax lines key --supervisor    where the supervisor runs\n\n\
        The key is made when there is none yet.")]
    Key {
        /// The key of the supervisor of this host, instead of that of the line server
        #[arg(long)]
        supervisor: bool,
        #[command(flatten)]
        output: Output,
    },

    /// Ask a modem what it is and can
    #[command(after_help = "Example:\n  postfax lines probe /dev/ttyACM0\n\n\
        The line server must not be using it.")]
    Probe {
        /// Its device
        device: PathBuf,
        #[command(flatten)]
        output: Output,
    },
}
