//! Secrets: read from files of their own, never printed, never part of a message.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Largest file of one secret in bytes.
const MAX_SECRET_BYTES: u64 = 4096;
/// Permission bit that lets everyone read.
const OTHERS_READ: u32 = 0o004;

/// A password. It does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The password itself.
    #[must_use]
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secrets file is: as it is when absolute, else among the credentials
/// that systemd handed us, else beside the configuration.
pub(super) fn locate(name: &str, home: &Path, credentials: Option<&Path>) -> PathBuf {
    let credential = credentials.map(|folder| folder.join(name)).filter(|path| path.is_file());
    credential.unwrap_or_else(|| home.join(name))
}

/// Whether everyone on this host may read the file.
pub(super) fn is_public(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & OTHERS_READ != 0)
}

/// Reads the one line of a secrets file.
pub(super) fn read(path: &Path) -> Result<Secret, String> {
    let fail = |why: &dyn fmt::Display| Err(format!("{} {why}", path.display()));
    let text = match read_limited(path) {
        Ok(text) => text,
        Err(error) => return fail(&format!("cannot be read: {error}")),
    };
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return fail(&"is empty");
    }
    if line.chars().any(char::is_control) {
        return fail(&"must hold one line and nothing else");
    }
    Ok(Secret(line.to_owned()))
}

fn read_limited(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_SECRET_BYTES {
        return Err(io::Error::other("it is too large for one secret"));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_does_not_print_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pw");
        for (text, secret) in [
            ("geheim\n", Some("geheim")),
            ("geheim", Some("geheim")),
            (" a b \r\n", Some(" a b ")),
            ("", None),
            ("\n", None),
            ("a\nb\n", None),
        ] {
            fs::write(&path, text).unwrap();
            let read = read(&path);
            assert_eq!(read.as_ref().ok().map(Secret::reveal), secret, "{text:?}");
            assert!(!format!("{read:?}").contains("geheim"));
        }
        fs::write(&path, "x".repeat(5000)).unwrap();
        assert!(read(&path).unwrap_err().contains("too large"));
    }

    #[test]
    fn credentials_come_before_files_beside_the_configuration() {
        let (home, credentials) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(credentials.path().join("a.pw"), "x").unwrap();
        let find = |name| locate(name, home.path(), Some(credentials.path()));
        assert_eq!(find("a.pw"), credentials.path().join("a.pw"));
        assert_eq!(find("b.pw"), home.path().join("b.pw"));
        assert_eq!(find("/etc/c.pw"), Path::new("/etc/c.pw"));
    }

    #[test]
    fn files_that_all_may_read_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pw");
        fs::write(&path, "x").unwrap();
        for (mode, public) in [(0o600, false), (0o640, false), (0o644, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_public(&path), public, "{mode:o}");
        }
    }
}
