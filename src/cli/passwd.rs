//! `postfax passwd`: sets the password of a client in the file of passwords. Only
//! the Argon2id hash is ever written, and the file is replaced as a whole, so that
//! the running Postfax reads the old one or the new one and nothing between.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::Path,
};

use argon2::{Argon2, PasswordHasher as _};
use postfax_domain::names::ClientName;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::{Exit, Failure, ask::print};

/// Longest password in bytes; SMTP AUTH carries no more in one line.
const MAX_PASSWORD_BYTES: usize = 512;

/// Reads a password and sets it.
///
/// # Errors
/// When it cannot be read, is unusable, or the file cannot be replaced.
pub(crate) fn passwd(client: &ClientName, file: &Path) -> Result<Exit, Failure> {
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
    let hash = Argon2::default()
        .hash_password(password.as_bytes())
        .map_err(|why| Failure::new(Exit::Bug, format!("the password cannot be hashed: {why}")))?;
    let old = match fs::read_to_string(file) {
        Ok(old) => old,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::file(file.display(), &error)),
    };
    let new = with_line(&old, client, &hash.to_string());
    replace(file, &new).map_err(|error| Failure::file(file.display(), &error))
}

/// The file with the client's line replaced, or added at its end; everything else
/// stays, comments too.
fn with_line(old: &str, client: &ClientName, hash: &str) -> String {
    let line = format!("{client}:{hash}");
    let owner = |line: &str| line.split_once(':').is_some_and(|(name, _)| name == client.as_str());
    let mut lines: Vec<&str> = Vec::new();
    let mut placed = false;
    for other in old.lines() {
        if !owner(other) {
            lines.push(other);
        } else if !placed {
            lines.push(&line);
            placed = true;
        }
    }
    if !placed {
        lines.push(&line);
    }
    lines.join("\n") + "\n"
}

/// Writes beside the file, makes it durable, and renames. A new file is readable
/// by its owner alone; one that was there keeps its owner and group.
fn replace(file: &Path, content: &str) -> io::Result<()> {
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

    use argon2::{PasswordHash, PasswordVerifier as _};

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
            assert_eq!(with_line(old, &anna(), "H"), new);
        }
    }

    #[test]
    fn what_is_written_is_a_hash_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwords");
        set(&anna(), "first", &file).unwrap();
        set(&anna(), "hunter42", &file).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let hash = text.strip_prefix("anna:").unwrap().trim_end();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let hash = PasswordHash::new(hash).unwrap();
        assert!(Argon2::default().verify_password(b"hunter42", &hash).is_ok());
        assert!(Argon2::default().verify_password(b"first", &hash).is_err());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwords");
        for bad in ["", &"x".repeat(513)] {
            assert_eq!(set(&anna(), bad, &file).unwrap_err().exit, Exit::Usage);
        }
        assert!(!file.exists());
        let nowhere = dir.path().join("none/passwords");
        assert_eq!(set(&anna(), "good", &nowhere).unwrap_err().exit, Exit::File);
    }
}
