//! `postfax passwd`: sets the password of a client in the file of passwords, or takes
//! it away. Only the Argon2id hash and the keys of SCRAM are ever written, and the file
//! is replaced as a whole, so that the running Postfax reads the old one or the new one
//! and nothing between.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use postfax_domain::names::ClientName;
use postfax_gateway::auth::{password, prepared, scram::Keys};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Exit, Failure, args::Passwd, ask::print};

/// Longest password in bytes (RFC 4616 2).
const MAX_PASSWORD_BYTES: usize = 255;

/// Does what was asked for with the file of passwords.
///
/// # Errors
/// When a password cannot be read or is unusable, or the file cannot be replaced.
pub(crate) fn passwd(who: &Passwd, file: &Path) -> Result<Exit, Failure> {
    let Some(client) = &who.client else {
        print(&listed(&content(file)?))?;
        return Ok(Exit::Ok);
    };
    if who.remove {
        let old = content(file)?;
        let new = with_line(&old, client, None);
        if new == old {
            let words = format!("{client} has no password in {}", file.display());
            return Err(Failure::new(Exit::Usage, words));
        }
        replace(file, &new).map_err(|error| Failure::file(file.display(), &error))?;
        print(&format!("{client} has no password any more in {}\n", file.display()))?;
        return Ok(Exit::Ok);
    }
    let password = if io::stdin().is_terminal() { typed_twice(client)? } else { first_line()? };
    set(client, &password, file)?;
    print(&format!("the password of {client} is set in {}\n", file.display()))?;
    Ok(Exit::Ok)
}

fn set(client: &ClientName, password: &str, file: &Path) -> Result<(), Failure> {
    if password.is_empty() {
        return Err(Failure::new(Exit::Usage, "the password is empty"));
    }
    if password.len() > MAX_PASSWORD_BYTES {
        let words = format!("the password is longer than {MAX_PASSWORD_BYTES} bytes");
        return Err(Failure::new(Exit::Usage, words));
    }
    let bug = |why| Failure::new(Exit::Bug, format!("{why}"));
    let hash = password::hash(&prepared(password)).map_err(bug)?;
    let keys = Keys::new(password).map_err(bug)?;
    let old = content(file)?;
    let new = with_line(&old, client, Some(&format!("{hash}:{keys}")));
    replace(file, &new).map_err(|error| Failure::file(file.display(), &error))
}

pub(super) fn content(file: &Path) -> Result<String, Failure> {
    match fs::read_to_string(file) {
        Ok(content) => Ok(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::file(file.display(), &error)),
    }
}

/// Who has a password, and whether it can be proven without telling it.
fn listed(content: &str) -> String {
    let lines = content.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once(':'));
    entries.fold(String::new(), |list, (client, secrets)| {
        let by = if secrets.contains(':') { "SCRAM-SHA-256 PLAIN LOGIN" } else { "PLAIN LOGIN" };
        list + &format!("{client}  {by}\n")
    })
}

/// The file with the client's line replaced, added at its end, or left out; everything
/// else stays, comments too.
fn with_line(old: &str, client: &ClientName, secrets: Option<&str>) -> String {
    let mut line = secrets.map(|secrets| format!("{client}:{secrets}"));
    let owner = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == client.as_str());
    let mut lines: Vec<String> = Vec::new();
    for other in old.lines() {
        if owner(other) {
            lines.extend(line.take());
        } else {
            lines.push(other.to_owned());
        }
    }
    lines.extend(line);
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Writes beside the file, makes it durable, and renames. A new file is readable
/// by its owner alone; one that was there keeps its owner and group.
pub(super) fn replace(file: &Path, content: &str) -> io::Result<()> {
    // Behind a link is the real file, which is the one to be replaced.
    let file = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let mut beside = tempfile::Builder::new().prefix(".passwords-").tempfile_in(dir)?;
    if let Ok(old) = fs::metadata(&file) {
        let owner = rustix::fs::Uid::from_raw(old.uid());
        let group = rustix::fs::Gid::from_raw(old.gid());
        rustix::fs::fchown(beside.as_file(), Some(owner), Some(group))?;
    }
    beside.write_all(content.as_bytes())?;
    beside.as_file().sync_all()?;
    beside.persist(&file).map_err(|error| error.error)?;
    fs::File::open(dir)?.sync_all()
}

fn first_line() -> Result<String, Failure> {
    let mut line = String::new();
    let limit = MAX_PASSWORD_BYTES as u64 + 2;
    let read = io::stdin().lock().take(limit).read_line(&mut line);
    read.map_err(|error| Failure::file("the password", &error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn typed_twice(client: &ClientName) -> Result<String, Failure> {
    let silence = Silence::begin().map_err(|error| Failure::file("the terminal", &error))?;
    let prompted = |prompt: String| {
        let mut err = io::stderr().lock();
        let asked = err.write_all(prompt.as_bytes()).and_then(|()| err.flush());
        asked.map_err(|error| Failure::file("the terminal", &error))?;
        let line = first_line();
        let _ = err.write_all(b"\n");
        line
    };
    let first = prompted(format!("New password of {client}: "))?;
    let second = prompted("Once more: ".into())?;
    drop(silence);
    if first != second {
        return Err(Failure::new(Exit::Usage, "the two are not the same; nothing was changed"));
    }
    Ok(first)
}

/// As long as it lives, the terminal does not show what is typed.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin().as_fd())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin().as_fd(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn anna() -> ClientName {
        ClientName::new("anna").unwrap()
    }

    #[test]
    fn lines_are_replaced_in_place_and_others_stay() {
        for (old, new) in [
            ("", "anna:H\n"),
            ("# ours\nbert:B", "# ours\nbert:B\nanna:H\n"),
            ("anna:A\nbert:B\n", "anna:H\nbert:B\n"),
            ("anna:A\nbert:B\nanna:C\n", "anna:H\nbert:B\n"),
            ("annabel:A\n", "annabel:A\nanna:H\n"),
        ] {
            assert_eq!(with_line(old, &anna(), Some("H")), new);
        }
    }

    #[test]
    fn a_password_is_taken_away_and_shown() {
        let old = "# ours\nbert:B\nanna:A:K\n";
        assert_eq!(listed(old), "bert  PLAIN LOGIN\nanna  SCRAM-SHA-256 PLAIN LOGIN\n");
        assert_eq!(with_line(old, &anna(), None), "# ours\nbert:B\n");
        assert_eq!(with_line("bert:B\n", &anna(), None), "bert:B\n");
    }

    #[test]
    fn what_is_written_is_a_hash_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwords");
        set(&anna(), "first", &file).unwrap();
        set(&anna(), "hunter42", &file).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let (hash, keys) = text.strip_prefix("anna:").unwrap().split_once(':').unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(password::verify(hash, "hunter42").unwrap());
        assert!(!password::verify(hash, "first").unwrap());
        assert!(keys.trim_end().parse::<Keys>().is_ok(), "{keys}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwords");
        for bad in ["", &"x".repeat(256)] {
            assert_eq!(set(&anna(), bad, &file).unwrap_err().exit, Exit::Usage);
        }
        assert!(!file.exists());
        let nowhere = dir.path().join("none/passwords");
        assert_eq!(set(&anna(), "good", &nowhere).unwrap_err().exit, Exit::File);
    }
}
