//! Whose key signs, and where passphrases come from: shared by the commands that need them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use super::args::given_or;
use crate::domain::job::Places;
use crate::engine::error::{EngineError, Explain, Interrupted, Kind, Result};
use crate::engine::sign::KeyError;
use crate::engine::sign::Passphrases;
use crate::engine::sign::keys::{NO_TERMINAL, PASSPHRASE, SHORTEST, is_short};
use crate::engine::spec::SignerSpec;
use crate::failure::Failure;

/// Who signs.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Signing")]
pub struct SignerArgs {
    /// Sign with this OpenSSH private key instead of the one of `airlift key generate`
    #[arg(long, value_name = "FILE", conflicts_with = "agent")]
    pub key: Option<PathBuf>,
    /// Sign with a key held by ssh-agent: the only one, or the one of this fingerprint, key id or comment
    #[arg(long, value_name = "FINGERPRINT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub agent: Option<String>,
}

impl SignerArgs {
    /// As the engine takes it.
    ///
    /// # Errors
    /// There is no home directory to look for the key in.
    pub fn spec(self, places: Option<&Places>) -> std::result::Result<SignerSpec, Failure> {
        match self.agent {
            Some(selector) => Ok(SignerSpec::Agent((!selector.is_empty()).then_some(selector))),
            None => Ok(SignerSpec::Key(given_or(self.key, places, |places| &places.key)?)),
        }
    }
}

/// Why there is no passphrase for a new key.
#[derive(Debug, thiserror::Error)]
enum PromptError {
    #[error("cannot ask for a passphrase for {}: {source}", key.display())]
    Ask { key: PathBuf, source: io::Error },
    #[error("the two passphrases differ")]
    Differ,
    #[error("the passphrase is empty")]
    Empty,
}

impl Explain for PromptError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Ask { .. } => vec![format!(
                "run it in a terminal or set {PASSPHRASE}; --no-passphrase leaves the key unprotected"
            )],
            Self::Differ => Vec::new(),
            Self::Empty => vec!["--no-passphrase leaves the key unprotected".to_owned()],
        }
    }
}

/// From the environment, else asked on the terminal.
#[derive(Default)]
pub struct Prompt {
    /// The terminal while something is being asked on it.
    asking: Mutex<Option<Terminal>>,
}

impl Passphrases for Prompt {
    fn passphrase(&self, key: &Path) -> io::Result<SecretString> {
        from_env().map_or_else(|| self.ask(&format!("Passphrase for {}: ", key.display())), Ok)
    }

    fn variable(&self) -> Option<&'static str> {
        from_env().map(|_| PASSPHRASE)
    }

    fn new_passphrase(&self, key: &Path) -> Result<SecretString> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::Interrupted => EngineError::from(Interrupted),
            _ => PromptError::Ask { key: key.to_owned(), source }.into(),
        };
        let secret = match from_env() {
            Some(secret) => secret,
            None => {
                let first = self
                    .ask(&format!("New passphrase for {} ({SHORTEST} characters or more): ", key.display()))
                    .map_err(refused)?;
                if !first.expose_secret().is_empty() && is_short(first.expose_secret()) {
                    return Err(KeyError::ShortPassphrase.into());
                }
                let again = self.ask("Repeat it: ").map_err(refused)?;
                if first.expose_secret() != again.expose_secret() {
                    return Err(PromptError::Differ.into());
                }
                first
            }
        };
        if secret.expose_secret().is_empty() {
            return Err(PromptError::Empty.into());
        }
        Ok(secret)
    }
}

impl Prompt {
    /// Leaves the terminal as it was before a question that nobody waits for any more.
    pub fn give_back(&self) {
        if let Some(terminal) = self.asking().take() {
            terminal.restore();
        }
    }

    fn ask(&self, prompt: &str) -> io::Result<SecretString> {
        *self.asking() = Terminal::save();
        let answer = rpassword::prompt_password(crate::domain::text::shown(prompt));
        self.asking().take();
        answer.map(SecretString::from).map_err(unasked)
    }

    fn asking(&self) -> std::sync::MutexGuard<'_, Option<Terminal>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nobody could be asked: what the kernel says of a terminal that is not there tells nobody that.
fn unasked(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::NXIO | Errno::NOENT | Errno::NODEV) => io::Error::other(NO_TERMINAL),
        _ => error,
    }
}

fn from_env() -> Option<SecretString> {
    std::env::var(PASSPHRASE).ok().map(SecretString::from)
}

/// The terminal's settings before its echo was switched off.
struct Terminal {
    tty: File,
    settings: Termios,
}

impl Terminal {
    fn save() -> Option<Self> {
        let tty = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let settings = tcgetattr(&tty).ok()?;
        Some(Self { tty, settings })
    }

    fn restore(&self) {
        // The process is about to end; there is nobody to tell.
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.settings);
    }
}
