//! One client's session as a state machine without a socket: a line goes in, an
//! [`Answer`] comes out. Replies have the words of HylaFAX 6, because there are
//! clients that read them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use super::{command::Command, events::Interest, job::Job, office::Office};

/// How long a client may say nothing, unless it asks otherwise.
pub(super) const IDLE_S: u64 = 900;
const MAX_IDLE_S: u64 = 7200;
/// Failed logins after which we hang up.
const MAX_FAILED_LOGINS: u32 = 5;

/// What has to be done about a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Say this.
    Reply(String),
    /// Say this and hang up.
    Bye(String),
    /// Open a port for a data connection and say where it is.
    Listen {
        /// `EPSV` and not `PASV`.
        extended: bool,
    },
    /// Connect to this port of the client for the next transfer.
    ConnectBack(u16),
    /// Say the first, send the bytes over the data connection, say `226`.
    Send { opening: String, bytes: Vec<u8> },
    /// Say the first, send a file over the data connection, say `226`.
    SendFile { opening: String, file: PathBuf },
    /// Say the first, write what comes over the data connection to the file, or behind
    /// what it holds, and say the last.
    Take { opening: String, file: PathBuf, behind: bool, closing: String },
    /// Say the first, and tell events over the data connection from now on.
    Tell { opening: String, interest: Interest },
}

impl Answer {
    pub(super) fn reply(text: impl Into<String>) -> Self {
        Self::Reply(text.into())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Login {
    Nobody,
    Named(String),
    User(String),
    Admin(String),
}

/// Which job `JPARM` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Current {
    Default,
    Job(u32),
}

/// The formats of listings.
#[derive(Debug)]
pub(super) struct Formats {
    pub(super) job: String,
    pub(super) received: String,
    pub(super) modem: String,
    pub(super) file: String,
}

/// One client's session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) office: Arc<Office>,
    login: Login,
    failed_logins: u32,
    pub(super) idle_s: u64,
    pub(super) current: Current,
    /// What new jobs begin with.
    pub(super) defaults: Job,
    /// Jobs that were made and not yet submitted; they go when the client goes.
    pub(super) drafts: BTreeMap<u32, Job>,
    /// Uploads of this session; they go when the client goes.
    pub(super) uploads: Vec<String>,
    pub(super) formats: Formats,
    /// Whether `RETR` and `STOT` speak of TIFF files.
    pub(super) form: &'static str,
}

impl Session {
    pub(super) fn new(office: Arc<Office>) -> Self {
        Self {
            office,
            login: Login::Nobody,
            failed_logins: 0,
            idle_s: IDLE_S,
            current: Current::Default,
            defaults: Job::new(0, ""),
            drafts: BTreeMap::new(),
            uploads: vec![],
            formats: Formats {
                job: "%-4j %3i %1a %15o %40M %-12.12e %5P %5D %7z %.25s".into(),
                received: "%-7m %4p%1z %-8.8o %14.14s %7t %f".into(),
                modem: "Modem %m (%n): %s".into(),
                file: "%-7.7p %3l %8o %8s %-12.12m %.48f".into(),
            },
            form: "tif",
        }
    }

    /// What a client hears when it connects.
    pub(super) fn greeting(&self) -> String {
        format!("220 {} server (HylaFAX (tm) Version 6.0.7) ready.", self.office.station_id)
    }

    /// Acts on a line of the client, which comes without its line end.
    pub(super) fn line(&mut self, line: &str) -> Answer {
        let Some(command) = Command::parse(line) else {
            return Answer::reply("500 Syntax error in the command.");
        };
        match command.verb.as_str() {
            "USER" => return self.user(&command),
            "PASS" => return self.pass(&command),
            "QUIT" => return Answer::Bye("221 Goodbye.".into()),
            _ => {}
        }
        if self.owner().is_none() {
            return Answer::reply("530 Please login with USER and PASS.");
        }
        self.settings(&command)
            .or_else(|| self.jobs(&command))
            .or_else(|| self.transfers(&command))
            .unwrap_or_else(|| {
                Answer::Reply(format!("500 {}: Command not recognized.", command.verb))
            })
    }

    /// Who is logged in.
    pub(super) fn owner(&self) -> Option<&str> {
        match &self.login {
            Login::User(name) | Login::Admin(name) => Some(name),
            Login::Nobody | Login::Named(_) => None,
        }
    }

    pub(super) fn is_admin(&self) -> bool {
        matches!(self.login, Login::Admin(_))
    }

    fn user(&mut self, command: &Command) -> Answer {
        let name = command.argument(0).unwrap_or_default().to_owned();
        let reply = format!("331 Password required for {name}.");
        self.login = Login::Named(name);
        Answer::Reply(reply)
    }

    fn pass(&mut self, command: &Command) -> Answer {
        let given = command.argument(0).unwrap_or_default();
        let Login::Named(name) = &self.login else {
            return Answer::reply("503 Login with USER first.");
        };
        if *name == self.office.user && given == self.office.password {
            let reply = format!("230 User {name} logged in.");
            self.defaults = Job::new(0, name);
            // HylaFAX fills these in as well; the values are always acceptable.
            for (parameter, value) in
                [("CLIENT", "localhost"), ("FROMUSER", name), ("NOTIFYADDR", name)]
            {
                let _ = self.defaults.set(parameter, value);
            }
            self.login = Login::User(name.clone());
            return Answer::Reply(reply);
        }
        self.login = Login::Nobody;
        self.refuse_login()
    }

    fn refuse_login(&mut self) -> Answer {
        self.failed_logins += 1;
        if self.failed_logins < MAX_FAILED_LOGINS {
            Answer::reply("530 Login incorrect.")
        } else {
            Answer::Bye("221 Login incorrect (closing connection).".into())
        }
    }

    fn admin(&mut self, command: &Command) -> Answer {
        if command.argument(0) == Some(self.office.admin_password.as_str()) {
            let name = self.owner().unwrap_or_default().to_owned();
            self.login = Login::Admin(name);
            return Answer::reply("230 Administrative privileges established.");
        }
        self.refuse_login()
    }

    /// Commands about the session itself.
    fn settings(&mut self, command: &Command) -> Option<Answer> {
        let first = command.argument(0);
        let upper = first.unwrap_or_default().to_ascii_uppercase();
        let text = match (command.verb.as_str(), upper.as_str()) {
            ("ADMIN", _) => return Some(self.admin(command)),
            ("NOOP", _) => "200 NOOP command successful.".into(),
            ("SYST", _) => "215 UNIX Type: L8 Version: Postfax".into(),
            ("TZONE", "GMT") => "200 Using time values in GMT.".into(),
            ("TZONE", "LOCAL") => "200 Using time values in UTC.".into(),
            ("TYPE", "I") => "200 Type set to Image.".into(),
            ("TYPE", "A") => "200 Type set to ASCII.".into(),
            ("TYPE", _) => format!("504 Type {upper} not supported."),
            ("MODE", "S") => "200 Mode set to Stream.".into(),
            ("MODE", _) => format!("504 Mode {upper} not supported."),
            ("STRU", "F") => "200 Structure set to File.".into(),
            ("STRU", _) => format!("504 Structure {upper} not supported."),
            ("FORM", "TIFF" | "PS" | "PDF") => {
                self.form = match upper.as_str() {
                    "TIFF" => "tif",
                    "PS" => "ps",
                    _ => "pdf",
                };
                format!("200 Format set to {upper}.")
            }
            ("FORM", _) => format!("504 Format {upper} not supported."),
            ("IDLE", "") => format!("213 {} seconds.", self.idle_s),
            ("IDLE", _) => match upper.parse() {
                Ok(idle_s) if (1..=MAX_IDLE_S).contains(&idle_s) => {
                    self.idle_s = idle_s;
                    format!("213 Idle timeout set to {idle_s}.")
                }
                _ => format!("500 Maximum idle time is {MAX_IDLE_S} seconds."),
            },
            ("PWD", _) => "257 \"/\" is the current directory.".into(),
            ("CWD", "/") => "250 CWD command successful.".into(),
            ("JOBFMT" | "RCVFMT" | "MDMFMT" | "FILEFMT", _) => self.set_format(command, first),
            ("VRFY", _) => format!("200 {} (127.0.0.1)", self.office.station_id),
            ("STAT", _) => self.stat(),
            _ => return None,
        };
        Some(Answer::Reply(text))
    }

    fn set_format(&mut self, command: &Command, format: Option<&str>) -> String {
        let place = match command.verb.as_str() {
            "JOBFMT" => &mut self.formats.job,
            "RCVFMT" => &mut self.formats.received,
            "MDMFMT" => &mut self.formats.modem,
            _ => &mut self.formats.file,
        };
        match format {
            Some(format) => {
                format.clone_into(place);
                format!("200 {} command successful.", command.verb)
            }
            None => format!("200 {place}"),
        }
    }

    fn stat(&self) -> String {
        format!(
            "211-{} HylaFAX server status:\r\n    Logged in as user {}\r\n    \
             Idle timeout set to {} seconds\r\n211 End of status",
            self.office.station_id,
            self.owner().unwrap_or_default(),
            self.idle_s
        )
    }
}
