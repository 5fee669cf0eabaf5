//! Where Airlift keeps its own things: trust in the configuration directory, keys and history in the data directory.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::domain::access::RegistryOptions;
use crate::domain::job::Places;

/// Names another configuration directory.
pub const CONFIG_DIR: &str = "AIRLIFT_CONFIG_DIR";
/// Names another data directory.
pub const DATA_DIR: &str = "AIRLIFT_DATA_DIR";

/// The user has no home directory and named none of the two directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no home directory to keep keys and trust in; set {CONFIG_DIR} and {DATA_DIR}")]
pub struct NoHome;

/// The two directories; nothing is created here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    config: PathBuf,
    data: PathBuf,
    /// Where a workstation works that runs beside another one.
    apart: Option<PathBuf>,
}

impl Paths {
    /// From the environment: [`CONFIG_DIR`] and [`DATA_DIR`], else the XDG directories.
    ///
    /// # Errors
    /// [`NoHome`].
    pub fn from_env() -> Result<Self, NoHome> {
        let named =
            |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from);
        let project = directories::ProjectDirs::from("", "", "airlift");
        let config = named(CONFIG_DIR).or_else(|| Some(project.as_ref()?.config_dir().to_owned()));
        let data = named(DATA_DIR).or_else(|| Some(project.as_ref()?.data_dir().to_owned()));
        Ok(Self::new(config.ok_or(NoHome)?, data.ok_or(NoHome)?))
    }

    /// Two directories as given.
    pub const fn new(config: PathBuf, data: PathBuf) -> Self {
        Self { config, data, apart: None }
    }

    /// The same for a workstation that works in a directory of its own.
    #[must_use]
    pub fn working_in(self, directory: PathBuf) -> Self {
        Self { apart: Some(directory), ..self }
    }

    /// What a job takes where nothing else is said, and the configuration file says this of registries.
    pub fn places(&self, registry: RegistryOptions) -> Places {
        Places { key: self.key(), trust: self.allowed_signers(), state: self.state(), registry }
    }

    /// Configuration: `~/.config/airlift`.
    pub fn config_dir(&self) -> &Path {
        &self.config
    }

    /// Data: `~/.local/share/airlift`.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// What the operator set.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// What the workstation keeps from one run to the next: its list and what it resolved to.
    pub fn kept(&self) -> PathBuf {
        self.data.join("work")
    }

    /// Where it works: there, unless another one does.
    pub fn work(&self) -> PathBuf {
        self.apart.clone().unwrap_or_else(|| self.kept())
    }

    /// The keys that are trusted, in the form of OpenSSH.
    pub fn allowed_signers(&self) -> PathBuf {
        self.config.join("allowed_signers")
    }

    /// The signing key. In the data directory: configuration is what people copy around and publish.
    pub fn key(&self) -> PathBuf {
        self.data.join("signing_key")
    }

    /// What was signed and accepted so far.
    pub fn state(&self) -> PathBuf {
        self.data.join("state")
    }

    /// Reports that the workstation writes by itself.
    pub fn reports(&self) -> PathBuf {
        self.state().join("reports")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_key_does_not_lie_in_the_configuration() {
        let paths = Paths::new("/c".into(), "/d".into());
        assert_eq!(paths.allowed_signers(), Path::new("/c/allowed_signers"));
        assert!(paths.key().starts_with("/d") && paths.state().starts_with("/d"));
    }
}
