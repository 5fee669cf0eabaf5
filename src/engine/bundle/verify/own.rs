//! Whether the key of this host signed a bundle that is not trusted here: its owner needs no paper to trust it.

use std::path::{Path, PathBuf};

use super::VerifySpec;
use crate::domain::shell::shell_words;
use crate::engine::blocking::blocking;
use crate::engine::bundle::read::document_bytes;
use crate::engine::ctx::JobCtx;
use crate::engine::directory::suffixed;
use crate::engine::error::Result;
use crate::engine::files::Files;
use crate::engine::sign::bundle::signature_of;
use crate::engine::sign::{AllowedSigners, fingerprint, keys};

/// The command that trusts the key whose private half is that file, where it signed the bundle and is not trusted yet.
pub async fn trusting_own(spec: VerifySpec, key: PathBuf, ctx: &JobCtx) -> Option<String> {
    let files = ctx.files.clone();
    blocking(move || Ok(command(&*files, &spec, &key).unwrap_or_default())).await.ok().flatten()
}

fn command(files: &dyn Files, spec: &VerifySpec, key: &Path) -> Result<Option<String>> {
    // Without the private half it is a key like any other, and for its owner to tell.
    let own = keys::load_public_to_sign(key)?;
    let public = suffixed(key, ".pub");
    let told = fingerprint(keys::load_only_public(&public)?.key_data());
    let document = document_bytes(files, &spec.path)?;
    let signed = signature_of(files, &spec.path, &document, &own).is_some();
    let trusted = files.stat(&spec.trust)?.is_some()
        && AllowedSigners::load(files, &spec.trust)?.entries.iter().any(|entry| entry.fingerprint == told);
    let applies = told == fingerprint(own.key_data()) && signed && !trusted;
    let words = ["airlift", "key", "trust", &public.display().to_string(), "--fingerprint", &told];
    Ok(applies.then(|| shell_words(&words.map(str::to_owned))))
}
