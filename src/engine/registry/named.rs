//! The files that are named for reaching registries: what cannot be used is refused before anything is asked.

use super::{RegistryOptions, tls};
use crate::engine::given::{self, GivenError};

const CA: &str = "CA file";
const CA_HINT: &str = "put PEM certificates there, or name others: --ca, config.toml";

/// Going on without credentials that were named would be to ask as nobody. Blocks.
///
/// # Errors
/// [`GivenError`].
pub fn check_files(options: &RegistryOptions) -> Result<(), GivenError> {
    for file in &options.ca {
        given::check(file, CA, CA_HINT)?;
        tls::certificates(file).map_err(|reason| GivenError::Content { what: CA, reason, hint: CA_HINT })?;
    }
    if let Some(file) = &options.authfile {
        given::check(file, "credentials file", "podman login --authfile FILE HOST writes one")?;
    }
    Ok(())
}
