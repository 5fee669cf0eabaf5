//! Whose key signs, where passphrases come from and where trust and history lie: shared by the commands that need them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::{ExposeSecret, SecretString};

use super::Front;
use super::args::TrustArgs;
use crate::config::paths::Paths;
use crate::engine::error::Interrupted;
use crate::engine::given;
use crate::engine::sign::keys::refuse_on_medium;
use crate::engine::sign::{Passphrases, Signer, agent};
use crate::failure::Failure;

/// Holds a passphrase for hosts without a terminal.
pub const PASSPHRASE: &str = "AIRLIFT_KEY_PASSPHRASE";

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
    /// Opens the key, asking for its passphrase where it has one.
    ///
    /// # Errors
    /// The key's or the agent's.
    pub async fn signer(&self, front: &Front) -> Result<Signer, Failure> {
        if let Some(selector) = &self.agent {
            let socket = agent::socket()?;
            let selector = (!selector.is_empty()).then_some(selector.as_str());
            return Ok(Signer::from_agent(&socket, selector).await?);
        }
        let path = self.key_file()?;
        let given = self.key.is_some();
        if !given && !path.exists() {
            return Err(Failure::usage(format!("there is no signing key {}", path.display()))
                .hint("airlift key generate makes one; --key FILE or --agent use another"));
        }
        let files = front.ctx.files.clone();
        asking(front, move || Ok(Signer::from_file(files.as_ref(), &path, &Prompt)?)).await
    }

    /// Refuses a key file that lies on the medium it signs for; a key in an agent lies nowhere.
    ///
    /// # Errors
    /// That it does; there is no home directory.
    pub fn keep_off(&self, medium: &Path, front: &Front) -> Result<(), Failure> {
        if self.agent.is_some() {
            return Ok(());
        }
        Ok(refuse_on_medium(front.ctx.files.as_ref(), &self.key_file()?, medium)?)
    }

    /// The key file: as given, else the default one.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn key_file(&self) -> Result<PathBuf, Failure> {
        self.key.clone().map_or_else(|| Ok(paths()?.key()), Ok)
    }
}

impl TrustArgs {
    /// The `allowed_signers` file: as given, else the trust store.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn trust_file(&self) -> Result<PathBuf, Failure> {
        let Some(file) = self.trust.clone() else { return Ok(paths()?.allowed_signers()) };
        given::check(
            &file,
            "trust file",
            "give an OpenSSH allowed_signers file that is there, or leave --trust out",
        )?;
        Ok(file)
    }

    /// The directory of history: as given, else the one of this user.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn state_directory(&self) -> Result<PathBuf, Failure> {
        self.state.clone().map_or_else(|| Ok(paths()?.state()), Ok)
    }
}

/// Our own directories.
///
/// # Errors
/// There is no home directory.
pub fn paths() -> Result<Paths, Failure> {
    Paths::from_env().map_err(|error| Failure::usage(error.to_string()))
}

/// From the environment, else asked on the terminal.
pub struct Prompt;

impl Passphrases for Prompt {
    fn passphrase(&self, key: &Path) -> io::Result<SecretString> {
        from_env().map_or_else(|| ask(&format!("Passphrase for {}: ", key.display())), Ok)
    }
}

/// A passphrase for a new key, asked twice.
///
/// # Errors
/// Nothing to ask on, an empty one, or two that differ.
pub fn new_passphrase(key: &Path) -> Result<SecretString, Failure> {
    let refused = |error: &io::Error| {
        if error.kind() == io::ErrorKind::Interrupted {
            return Failure::from(Interrupted);
        }
        Failure::usage(format!("cannot ask for a passphrase for {}: {error}", key.display())).hint(format!(
            "run it in a terminal or set {PASSPHRASE}; --no-passphrase leaves the key unprotected"
        ))
    };
    let secret = match from_env() {
        Some(secret) => secret,
        None => {
            let first =
                ask(&format!("New passphrase for {}: ", key.display())).map_err(|error| refused(&error))?;
            let again = ask("The same again: ").map_err(|error| refused(&error))?;
            if first.expose_secret() != again.expose_secret() {
                return Err(Failure::usage("the two passphrases differ"));
            }
            first
        }
    };
    if secret.expose_secret().is_empty() {
        return Err(
            Failure::usage("the passphrase is empty").hint("--no-passphrase leaves the key unprotected")
        );
    }
    Ok(secret)
}

fn from_env() -> Option<SecretString> {
    std::env::var(PASSPHRASE).ok().map(SecretString::from)
}

fn ask(prompt: &str) -> io::Result<SecretString> {
    let shown = crate::domain::text::shown(prompt);
    rpassword::prompt_password(shown).map(SecretString::from)
}

/// Runs something that may ask on the terminal. A signal ends the wait and leaves the terminal as it was.
///
/// # Errors
/// What it fails with, or that it was interrupted.
pub async fn asking<T: Send + 'static>(
    front: &Front,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let terminal = Terminal::save();
    tokio::select! {
        done = tokio::task::spawn_blocking(work) => {
            done.map_err(|error| Failure::new(crate::engine::error::Kind::Other, error.to_string()))?
        }
        () = front.ctx.cancel.cancelled() => {
            if let Some(terminal) = terminal {
                terminal.restore();
            }
            Err(Interrupted.into())
        }
    }
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
