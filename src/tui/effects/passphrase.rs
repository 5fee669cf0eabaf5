//! Passphrases that a job asks for: typed in a dialog while the job waits, or given by the environment.

use std::path::Path;
use std::sync::{PoisonError, mpsc as blocking};

use secrecy::{ExposeSecret, SecretString};

use super::Runner;
use crate::engine::error::{EngineError, Interrupted};
use crate::engine::sign::keys::PASSPHRASE;
use crate::engine::sign::{KeyError, Passphrases};
use crate::tui::msg::Msg;

/// How often a passphrase is asked for.
pub const ATTEMPTS: u32 = 3;

impl Runner {
    /// Waits for what the operator types.
    fn typed(&self, question: Msg) -> std::io::Result<SecretString> {
        if let Ok(given) = std::env::var(PASSPHRASE) {
            return Ok(SecretString::from(given));
        }
        let (answer, answered) = blocking::channel();
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
        self.say(question);
        let secret = answered.recv().ok().flatten();
        secret.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::Interrupted, "no passphrase was given"))
    }
}

impl Passphrases for Runner {
    fn passphrase(&self, key: &Path) -> std::io::Result<SecretString> {
        self.typed(Msg::NeedsPassphrase { key: key.to_owned(), wrong: 0 })
    }

    fn variable(&self) -> Option<&'static str> {
        std::env::var_os(PASSPHRASE).map(|_| PASSPHRASE)
    }

    fn again(&self, key: &Path, wrong: u32) -> Option<std::io::Result<SecretString>> {
        let asked = self.variable().is_none() && wrong < ATTEMPTS;
        asked.then(|| self.typed(Msg::NeedsPassphrase { key: key.to_owned(), wrong }))
    }

    fn new_passphrase(&self, key: &Path) -> Result<SecretString, EngineError> {
        let secret = self.typed(Msg::NeedsNewPassphrase(key.to_owned())).map_err(|_| Interrupted)?;
        if secret.expose_secret().is_empty() {
            let reason = format!("{PASSPHRASE} is set to nothing");
            return Err(KeyError::NoPassphrase { path: key.to_owned(), reason }.into());
        }
        Ok(secret)
    }
}
