//! Passwords, hashed with Argon2id and kept as PHC strings. Checking one is made
//! slow on purpose, so it runs beside the async threads, only a few at a time,
//! and a success is remembered for a short while.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// Most successes that are remembered at a time.
const MAX_REMEMBERED: usize = 10_000;

/// Why a password cannot be checked or hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The stored hash is not a PHC string of an Argon2 hash.
    #[error("the stored password is not an Argon2 hash in PHC form: {0}")]
    BadHash(String),
    /// Hashing failed.
    #[error("the password cannot be hashed: {0}")]
    CannotHash(String),
    /// The server is going down.
    #[error("the password check was given up")]
    GivenUp,
}

/// The PHC string (`$argon2id$v=19$...`) for a password. Takes tens of
/// milliseconds and 19 MiB.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    let hashed = Argon2::default().hash_password(password.as_bytes());
    hashed.map(|phc| phc.to_string()).map_err(|e| PasswordError::CannotHash(e.to_string()))
}

/// Whether a password belongs to a PHC string. Takes tens of milliseconds.
pub fn verify(hash: &str, password: &str) -> Result<bool, PasswordError> {
    let hash = PasswordHash::new(hash).map_err(|e| PasswordError::BadHash(e.to_string()))?;
    match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::BadHash(error.to_string())),
    }
}

/// Checks passwords for async callers.
#[derive(Debug)]
pub struct Checker {
    places: Arc<Semaphore>,
    remembered: Mutex<HashMap<[u8; 32], Instant>>,
    remember_for: Duration,
    key: [u8; 16],
}

impl Checker {
    /// At most `at_once` checks run together, each with 19 MiB; a success counts
    /// for `remember_for` without another check.
    pub fn new(at_once: usize, remember_for: Duration) -> Self {
        let random = || RandomState::new().hash_one(0).to_ne_bytes();
        let mut key = [0; 16];
        key[..8].copy_from_slice(&random());
        key[8..].copy_from_slice(&random());
        let places = Arc::new(Semaphore::new(at_once.max(1)));
        Self { places, remembered: Mutex::default(), remember_for, key }
    }

    /// Whether a password belongs to a PHC string.
    pub async fn verify(&self, hash: &str, password: &str) -> Result<bool, PasswordError> {
        let digest = self.digest(hash, password);
        if self.remembers(&digest) {
            return Ok(true);
        }
        let good = self.check(hash.to_owned(), password.to_owned()).await?;
        if good {
            self.remember(digest);
        }
        Ok(good)
    }

    /// Takes as long as a check for a user that does not exist, so that the time
    /// tells nobody who does.
    pub async fn verify_nobody(&self, password: &str) {
        static NOBODY: OnceLock<String> = OnceLock::new();
        let password = password.to_owned();
        let Ok(_place) = self.places.acquire().await else { return };
        let check = move || {
            let nobody = NOBODY.get_or_init(|| hash("nobody has this").unwrap_or_default());
            verify(nobody, &password).unwrap_or(false)
        };
        let _never_good = tokio::task::spawn_blocking(check).await;
    }

    async fn check(&self, hash: String, password: String) -> Result<bool, PasswordError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| PasswordError::GivenUp)?;
        let check = move || {
            let good = verify(&hash, &password);
            drop(place);
            good
        };
        tokio::task::spawn_blocking(check).await.map_err(|_| PasswordError::GivenUp)?
    }

    /// A digest under a key that lives as long as the process. The stored hash is
    /// part of it: a changed password is forgotten at once.
    fn digest(&self, hash: &str, password: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update((hash.len() as u64).to_be_bytes());
        digest.update(hash);
        digest.update(password);
        digest.finalize().into()
    }

    fn remembers(&self, digest: &[u8; 32]) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(digest).is_some_and(|at| at.elapsed() < self.remember_for)
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.retain(|_, at| at.elapsed() < self.remember_for);
        }
        if remembered.len() < MAX_REMEMBERED {
            remembered.insert(digest, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_is_right() {
        let phc = hash("secret").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$"), "{phc}");
        assert_ne!(phc, hash("secret").unwrap(), "salted");
        assert!(verify(&phc, "secret").unwrap());
        assert!(!verify(&phc, "Secret").unwrap());
        assert!(matches!(verify("secret", "secret"), Err(PasswordError::BadHash(_))));
    }

    #[tokio::test]
    async fn a_success_is_remembered_and_a_failure_is_not() {
        let checker = Checker::new(1, Duration::from_secs(60));
        let phc = hash("secret").unwrap();
        assert!(!checker.verify(&phc, "wrong").await.unwrap());
        assert_eq!(checker.remembered.lock().unwrap().len(), 0);
        assert!(checker.verify(&phc, "secret").await.unwrap());
        // With no place left only the memory can answer.
        let _all = checker.places.acquire().await.unwrap();
        assert!(checker.verify(&phc, "secret").await.unwrap());
        let other = tokio::time::timeout(Duration::from_millis(50), checker.verify(&phc, "other"));
        assert!(other.await.is_err(), "was not checked");
    }

    #[tokio::test]
    async fn memory_fades() {
        let checker = Checker::new(1, Duration::ZERO);
        let phc = hash("secret").unwrap();
        assert!(checker.verify(&phc, "secret").await.unwrap());
        assert!(!checker.remembers(&checker.digest(&phc, "secret")));
        checker.verify_nobody("secret").await;
    }
}
