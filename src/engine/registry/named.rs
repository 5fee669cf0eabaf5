//! The files that are named for reaching registries: what cannot be used is refused before anything is asked.

use std::path::Path;

use super::{RegistryOptions, tls};
use crate::engine::given::{self, GivenError};

const CA: &str = "CA file";
const CA_HINT: &str = "put PEM certificates there, or name others: --ca, config.toml";

/// What cannot be used of the files that are named, each with its option. Blocks.
pub fn faults(options: &RegistryOptions) -> Vec<(&'static str, GivenError)> {
    let ca = options.ca.iter().filter_map(|file| Some(("ca", check_ca(file).err()?)));
    let authfile = options.authfile.iter().filter_map(|file| Some(("authfile", check_authfile(file).err()?)));
    ca.chain(authfile).collect()
}

/// Going on without credentials that were named would be to ask as nobody. Blocks.
///
/// # Errors
/// [`GivenError`], of the first that cannot be used.
pub fn check_files(options: &RegistryOptions) -> Result<(), GivenError> {
    faults(options).into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
}

fn check_ca(file: &Path) -> Result<(), GivenError> {
    given::check(file, CA, CA_HINT)?;
    let content = |reason| GivenError::Content { what: CA, reason, hint: CA_HINT };
    tls::certificates(file).map(|_| ()).map_err(content)
}

fn check_authfile(file: &Path) -> Result<(), GivenError> {
    given::check(file, "credentials file", "podman login --authfile FILE HOST writes one")
}
