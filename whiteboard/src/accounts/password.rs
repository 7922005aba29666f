//! Passwords: argon2id, one at a time. Each takes 19 MiB and tens of milliseconds of a core; those who draw must not
//! wait for those who log in.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use std::sync::{Arc, OnceLock};
use tokio::sync::{Semaphore, TryAcquireError};

/// The least that OWASP recommends for argon2id: memory in KiB, rounds, lanes.
const MEMORY: u32 = 19 * 1024;
const ROUNDS: u32 = 2;
const LANES: u32 = 1;

const SALT_BYTES: usize = 16;

/// Passwords that may wait for their turn.
const WAITING: usize = 64;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("Too many people are logging in at this moment. Try again in a few seconds.")]
    Busy,
    #[error("The password could not be hashed: {0}. Tell the person who runs the server.")]
    Failed(String),
}

/// Hashes and compares passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    waiting: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { waiting: Arc::new(Semaphore::new(WAITING)), running: Arc::new(Semaphore::new(1)) }
    }
}

impl Passwords {
    /// The hash to be stored, as a PHC text.
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move || hash(&password)).await
    }

    /// Whether this is the password of that hash. Without a hash (there is no such account) it takes as long, so that
    /// nobody learns from the clock who has an account.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, PasswordError> {
        self.run(move || {
            static NOBODY: OnceLock<String> = OnceLock::new();
            if let Some(stored) = stored {
                return verify(&password, &stored);
            }
            let _ = verify(&password, NOBODY.get_or_init(|| hash("nobody").unwrap_or_default()));
            Ok(false)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let failed = |error: &dyn std::fmt::Display| PasswordError::Failed(error.to_string());
        let _place = self.waiting.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => PasswordError::Busy,
            TryAcquireError::Closed => failed(&error),
        })?;
        let turn = self.running.clone().acquire_owned().await.map_err(|error| failed(&error))?;
        // The turn goes with the work: a client that hangs up does not let the next one begin beside it.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        done.await.map_err(|error| failed(&error))?
    }
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params = Params::new(MEMORY, ROUNDS, LANES, None).map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| PasswordError::Failed(error.to_string()))?;
    let hash: PasswordHash = argon2()?
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| PasswordError::Failed(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(password: &str, stored: &str) -> Result<bool, PasswordError> {
    let stored = PasswordHash::new(stored).map_err(|error| PasswordError::Failed(error.to_string()))?;
    match argon2()?.verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(PasswordError::Failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn passwords_are_salted_and_slow_to_guess() {
        let passwords = Passwords::default();
        let one = passwords.hash("correct horse".into()).await.unwrap();
        let other = passwords.hash("correct horse".into()).await.unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other, "a salt of its own");
        for (password, stored, good) in [
            ("correct horse", Some(one.clone()), true),
            ("correct horse", Some(other), true),
            ("Correct horse", Some(one.clone()), false),
            ("", Some(one), false),
            ("nobody", None, false),
        ] {
            assert_eq!(passwords.verify(password.into(), stored).await.unwrap(), good, "{password}");
        }
        let unsalted = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";
        assert!(passwords.verify("password".into(), Some(unsalted.into())).await.is_err());
    }

    #[tokio::test]
    async fn too_many_at_once_are_sent_away() {
        let passwords = Passwords::default();
        let all: Vec<_> = (0..WAITING).map(|_| passwords.waiting.try_acquire().unwrap()).collect();
        let refused = passwords.hash("password".into()).await.unwrap_err();
        assert!(matches!(refused, PasswordError::Busy));
        drop(all);
        assert!(passwords.hash("password".into()).await.is_ok());
    }
}
