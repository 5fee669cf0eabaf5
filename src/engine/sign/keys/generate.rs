//! Makes a key pair: written beside its name, synced, and never over a file that is there.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

use super::{KeyError, KeyReport, place};
use crate::engine::directory::{self, suffixed};
use crate::engine::error::{FileError, Result};
use crate::engine::files::Files;

/// A key to be made.
pub struct GenerateSpec {
    /// The private key file; the public one gets `.pub`.
    pub path: PathBuf,
    /// Goes into the public key.
    pub comment: String,
    /// Nothing leaves the file unprotected.
    pub passphrase: Option<SecretString>,
}

/// Makes an ed25519 key pair and writes it, the private half with mode 0600 and never over a file that is there.
///
/// # Errors
/// [`KeyError`] or a file error.
pub fn generate(files: &dyn Files, spec: &GenerateSpec) -> Result<KeyReport> {
    let public_path = suffixed(&spec.path, ".pub");
    for path in [&spec.path, &public_path] {
        if path.symlink_metadata().is_ok() {
            return Err(KeyError::Exists { path: path.clone() }.into());
        }
    }
    let directory = directory::above(&spec.path).to_owned();
    files.create_dir(&directory)?;
    place::refuse_medium(files, &spec.path)?;
    let crypto = |operation| {
        move |error: ssh_key::Error| KeyError::Crypto {
            operation,
            algorithm: Algorithm::Ed25519.to_string(),
            reason: error.to_string(),
        }
    };
    let mut key =
        PrivateKey::random(&mut rand_core::OsRng, Algorithm::Ed25519).map_err(crypto("generate"))?;
    key.set_comment(spec.comment.as_str());
    let public = key.public_key().clone();
    let key = match &spec.passphrase {
        Some(secret) => {
            key.encrypt(&mut rand_core::OsRng, secret.expose_secret()).map_err(crypto("encrypt"))?
        }
        None => key,
    };
    let text = key.to_openssh(LineEnding::LF).map_err(crypto("generate"))?;
    write_new(files, (&spec.path, 0o600), text.as_bytes())?;
    let line = public.to_openssh().map_err(crypto("generate"))? + "\n";
    write_new(files, (&public_path, 0o644), line.as_bytes())?;
    files.sync_dir(&directory)?;
    Ok(KeyReport::of(&public, Some(spec.path.clone())))
}

/// Writes a file that must not be there: beside it, synced, then renamed without replacing.
fn write_new(files: &dyn Files, (path, mode): (&Path, u32), bytes: &[u8]) -> Result<()> {
    let temp = suffixed(path, &format!(".{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let written = options.open(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let written =
        written.map_err(|source| FileError { operation: "write", path: temp.clone(), source }.into());
    let renamed = || match files.rename_new(&temp, path) {
        Err(error) if error.source.kind() == ErrorKind::AlreadyExists => {
            Err(KeyError::Exists { path: path.to_owned() }.into())
        }
        other => other.map_err(Into::into),
    };
    let done = written.and_then(|()| renamed());
    if done.is_err() {
        // Nothing half-written of a private key stays behind.
        drop(std::fs::remove_file(&temp));
    }
    done
}
