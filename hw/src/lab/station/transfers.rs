//! The commands that move data: listings, files, uploads, events.

use std::{io, path::PathBuf};

use super::{
    command::Command,
    events::Interest,
    format::{clock, date, render},
    job::Job,
    jobs::is_plain,
    office::Doing,
    session::{Answer, Session},
    spool::{FOLDERS, Received},
};

/// A file that a client named.
struct Place {
    folder: &'static str,
    file: String,
}

impl Session {
    /// Commands that need a data connection, or are about files.
    pub(super) fn transfers(&mut self, command: &Command) -> Option<Answer> {
        let first = command.argument(0);
        let upper = first.unwrap_or_default().to_ascii_uppercase();
        Some(match (command.verb.as_str(), upper.as_str()) {
            ("PASV", _) => Answer::Listen { extended: false },
            ("EPSV", _) => Answer::Listen { extended: true },
            ("PORT" | "EPRT", _) => connect_back(command),
            ("LIST" | "NLST", _) => self.list(first.unwrap_or("/"), command.verb == "NLST"),
            ("STOT", _) => self.take_document(),
            ("STOR" | "APPE", _) => {
                self.take_file(first.unwrap_or_default(), command.verb == "APPE")
            }
            ("RETR" | "SIZE" | "MDTM" | "DELE", "") => {
                Answer::Reply(format!("500 '{}': Syntax error, expecting <SP>.", command.verb))
            }
            ("RETR", _) => self.send_file(first.unwrap_or_default()),
            ("SIZE", _) => self.size(first.unwrap_or_default()),
            ("DELE", _) => self.delete_file(first.unwrap_or_default()),
            ("SITE", "TRIGGER") => {
                let spec = command.argument(1).unwrap_or_default();
                Interest::parse(spec).map_or_else(
                    || Answer::Reply(format!("504 Bad trigger specification {spec}.")),
                    |interest| Answer::Tell {
                        opening: format!("150 Opening new data connection for trigger \"{spec}\"."),
                        interest,
                    },
                )
            }
            ("SITE", _) => Answer::Reply(format!("500 SITE {upper}: Command not recognized.")),
            ("ABOR", _) => Answer::reply("226 No transfer to abort."),
            _ => return None,
        })
    }

    /// Where a path leads, if this client may go there.
    fn place(&self, path: &str) -> Option<Place> {
        let (folder, file) = path.trim_start_matches('/').split_once('/')?;
        let (folder, private) = FOLDERS.iter().find(|(known, _)| *known == folder)?;
        let allowed = self.is_admin() || !private;
        (allowed && is_plain(file)).then(|| Place { folder, file: file.to_owned() })
    }

    fn found(&self, path: &str) -> Result<(Place, PathBuf), Answer> {
        self.place(path)
            .map(|place| {
                let file = self.office.spool.path(place.folder, &place.file);
                (place, file)
            })
            .filter(|(_, file)| file.is_file())
            .ok_or_else(|| Answer::Reply(format!("550 {path}: No such file or directory.")))
    }

    fn send_file(&self, path: &str) -> Answer {
        match self.found(path) {
            Err(answer) => answer,
            Ok((place, file)) => match self.job_of(&place) {
                Some(job) => {
                    let bytes: Vec<u8> = job.file().into();
                    Answer::Send { opening: sized(path, bytes.len() as u64), bytes }
                }
                None => {
                    let size = file.metadata().map_or(0, |about| about.len());
                    Answer::SendFile { opening: sized(path, size), file }
                }
            },
        }
    }

    /// The job that a file of the queues is about.
    fn job_of(&self, place: &Place) -> Option<Job> {
        let queue = place.folder == "sendq" || place.folder == "doneq";
        let id = place.file.strip_prefix('q').filter(|_| queue)?.parse().ok()?;
        self.office.spool.job(id)
    }

    fn size(&self, path: &str) -> Answer {
        let size = self.found(path).map(|(_, file)| file.metadata().map_or(0, |about| about.len()));
        match size {
            Ok(size) => Answer::Reply(format!("213 {size}")),
            Err(_) => Answer::Reply(format!("550 {path}: not a plain file.")),
        }
    }

    fn delete_file(&mut self, path: &str) -> Answer {
        if !self.is_admin() && self.place(path).is_none_or(|place| place.folder != "tmp") {
            return Answer::Reply(format!("550 {path}: Operation not permitted."));
        }
        match self.found(path) {
            Err(answer) => answer,
            Ok((place, _)) => match self.office.spool.delete(place.folder, &place.file) {
                Ok(()) => Answer::reply("250 DELE command successful."),
                Err(error) => Answer::Reply(format!("550 {path}: {error}.")),
            },
        }
    }

    fn take_document(&mut self) -> Answer {
        let number = match self.office.spool.next_document() {
            Ok(number) => number,
            Err(error) => return Answer::Reply(format!("452 STOT: {error}.")),
        };
        let name = format!("doc{number}.{}", self.form);
        let file = self.office.spool.path("tmp", &name);
        self.uploads.push(name.clone());
        Answer::Take {
            opening: format!("150 FILE: /tmp/{name} (Opening new data connection)."),
            file,
            behind: false,
            closing: format!("226 Transfer complete (FILE: /tmp/{name})."),
        }
    }

    fn take_file(&self, path: &str, behind: bool) -> Answer {
        let denied = || Answer::Reply(format!("553 {path}: Permission denied."));
        let Some(place) = self.place(path).filter(|place| place.folder == "etc") else {
            return denied();
        };
        let file = self.office.spool.path(place.folder, &place.file);
        // Looked at here: root is denied nothing by the system.
        if file.metadata().is_ok_and(|about| about.permissions().readonly()) {
            return denied();
        }
        let opening = format!("150 Opening new data connection for {path}.");
        Answer::Take { opening, file, behind, closing: "226 Transfer complete.".into() }
    }

    fn list(&self, path: &str, names_only: bool) -> Answer {
        let folder = path.trim_matches('/');
        let Some((folder, _)) = FOLDERS.iter().find(|(known, _)| *known == folder) else {
            return Answer::Reply(format!("550 {path}: No such file or directory."));
        };
        let lines = match *folder {
            "sendq" if !names_only => Ok(self.queue(false)),
            "doneq" if !names_only => Ok(self.queue(true)),
            "recvq" => Ok(self.inbox(names_only)),
            "status" => Ok(self.lines()),
            other => self.files(other, names_only),
        };
        match lines {
            Ok(lines) => Answer::Send {
                opening: opening(path),
                bytes: lines.iter().flat_map(|line| [line, "\r\n"]).collect::<String>().into(),
            },
            Err(error) => Answer::Reply(format!("550 {path}: {error}.")),
        }
    }

    fn queue(&self, ended: bool) -> Vec<String> {
        let jobs = self.office.spool.jobs(ended);
        jobs.iter().map(|job| render(&self.formats.job, |letter| job_field(job, letter))).collect()
    }

    fn inbox(&self, names_only: bool) -> Vec<String> {
        let faxes = self.office.spool.received();
        faxes
            .iter()
            .map(|fax| {
                if names_only {
                    fax.file.clone()
                } else {
                    render(&self.formats.received, |letter| received_field(fax, letter))
                }
            })
            .collect()
    }

    fn lines(&self) -> Vec<String> {
        let doing = self.office.doing();
        let mut lines = vec![format!("HylaFAX scheduler on {}: Running", self.office.station_id)];
        for (line, doing) in self.office.lines.iter().zip(&doing) {
            lines.push(render(&self.formats.modem, |letter| match letter {
                'm' => line.name.clone(),
                'n' => line.number.clone(),
                'l' => self.office.station_id.clone(),
                's' => doing.text(),
                'h' => "localhost".into(),
                'z' if *doing == Doing::Nothing => " ".into(),
                'z' => "*".into(),
                _ => String::new(),
            }));
        }
        lines
    }

    fn files(&self, folder: &str, names_only: bool) -> io::Result<Vec<String>> {
        let files = self.office.spool.files(folder)?;
        Ok(files
            .iter()
            .map(|(name, size)| {
                if names_only {
                    return name.clone();
                }
                render(&self.formats.file, |letter| match letter {
                    'f' => name.clone(),
                    's' => size.to_string(),
                    _ => String::new(),
                })
            })
            .collect())
    }
}

/// The port to connect to. The address that a client gives is not used: it is the
/// address that it comes from, or nobody is called.
fn connect_back(command: &Command) -> Answer {
    let argument = command.argument(0).unwrap_or_default();
    let port = if command.verb == "PORT" {
        let numbers: Vec<u8> = argument.split(',').filter_map(|n| n.trim().parse().ok()).collect();
        match numbers[..] {
            [_, _, _, _, high, low] => Some(u16::from(high) << 8 | u16::from(low)),
            _ => None,
        }
    } else {
        argument.split('|').nth(3).and_then(|port| port.parse().ok())
    };
    port.map_or_else(
        || Answer::Reply(format!("500 {}: Syntax error in the address.", command.verb)),
        Answer::ConnectBack,
    )
}

fn opening(path: &str) -> String {
    format!("150 Opening new data connection for \"{path}\".")
}

fn sized(path: &str, size: u64) -> String {
    format!("150 Opening new data connection for {path} ({size} bytes).")
}

fn job_field(job: &Job, letter: char) -> String {
    let value = |name| job.value(name);
    match letter {
        'j' | 'g' => job.id.to_string(),
        'a' => job.state.letter().to_string(),
        'e' => value("EXTERNAL"),
        'v' => value("DIALSTRING"),
        'o' => job.owner.clone(),
        'S' => value("FROMUSER"),
        'R' => value("TOUSER"),
        'C' => value("TOCOMPANY"),
        'M' => value("NOTIFYADDR"),
        'P' => format!("{:2}:{:<2}", job.pages_sent, job.total_pages),
        'D' => format!("{:2}:{:<2}", job.dials, job.number("MAXDIALS")),
        'T' => format!("{:2}:{:<2}", job.tries, job.number("MAXTRIES")),
        'p' => job.pages_sent.to_string(),
        'y' => job.total_pages.to_string(),
        'd' => job.dials.to_string(),
        't' => job.tries.to_string(),
        'i' => value("SCHEDPRI"),
        'k' => clock(job.kill_time_s()),
        'Y' => date(job.due_s),
        'Z' => job.due_s.to_string(),
        's' => job.status.clone(),
        'W' => job.communication(),
        'c' => value("CLIENT"),
        'm' => value("MODEM"),
        'J' => value("JOBINFO"),
        'r' => value("VRES"),
        'w' => value("PAGEWIDTH"),
        'l' => value("PAGELENGTH"),
        _ => String::new(),
    }
}

fn received_field(fax: &Received, letter: char) -> String {
    match letter {
        'f' => fax.file.clone(),
        's' => fax.tsi.clone(),
        'a' => fax.subaddress.clone(),
        'p' => fax.pages.to_string(),
        't' | 'Y' => date(fax.received_s),
        'Z' => fax.received_s.to_string(),
        'h' => format!("{}:{:02}", fax.seconds / 60, fax.seconds % 60),
        'b' => fax.bit_rate.to_string(),
        'r' => fax.resolution.to_string(),
        'e' => fax.error.clone(),
        'j' => fax.caller.clone(),
        'n' => fax.size.to_string(),
        'o' => "postfax".into(),
        'm' | 'q' => "-rw-r--r--".into(),
        'z' => " ".into(),
        _ => String::new(),
    }
}
