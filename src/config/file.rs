//! The configuration file: sparse, nothing in it is needed, nothing unknown in it is passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::keymap::{Keymap, KeymapError};
use crate::domain::access::RegistryOptions;

/// Bytes of a configuration or theme file that are read at most.
const MAX: u64 = 1 << 20;

/// What the operator set; the default where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A built-in theme, the name of `themes/NAME.toml` beside this file, or a file.
    pub theme: Option<String>,
    /// ASCII alone, whatever the terminal says it can.
    pub ascii: Option<bool>,
    /// Whether the mouse is listened to from the start.
    pub mouse: bool,
    /// Operation id → its keys.
    pub keys: BTreeMap<String, Vec<String>>,
    registry: Access,
}

/// How registries are reached: names of the options, as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Access {
    plain_http: Vec<String>,
    insecure: Vec<String>,
    ca: Vec<PathBuf>,
    authfile: Option<PathBuf>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// It is larger than any configuration.
    #[error("{}: expected at most {MAX} bytes, found {size}", .path.display())]
    Size {
        /// Which.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// Not TOML, or with something unknown in it.
    #[error("{}: {reason}", .path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// The parser's words, with the line.
        reason: String,
    },
    /// Its key map.
    #[error("{}: {source}", .path.display())]
    Keys {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: KeymapError,
    },
}

impl Config {
    /// The file at `path`; the default where it is not there, unless it was named.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path, named: bool) -> Result<(Self, Keymap), ConfigError> {
        let config = Self::read(path, named)?;
        let keys = Keymap::new(&config.keys)
            .map_err(|source| ConfigError::Keys { path: path.to_owned(), source })?;
        Ok((config, keys))
    }

    /// The same, for those who have no keys and no screen.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path, named: bool) -> Result<Self, ConfigError> {
        match text(path) {
            Ok(text) => Self::parse(path, &text),
            Err(ConfigError::Read { source, .. })
                if !named && source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(Self::default())
            }
            Err(error) => Err(error),
        }
    }

    /// How registries are reached by the file at `path`, which this is: where files in it are named, it is seen from there.
    pub fn registry(&self, path: &Path) -> RegistryOptions {
        let Access { plain_http, insecure, ca, authfile } = self.registry.clone();
        let options = RegistryOptions { plain_http, insecure, ca, authfile };
        path.parent().map_or(options.clone(), |directory| options.within(directory))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text)
            .map_err(|error| ConfigError::Syntax { path: path.to_owned(), reason: reason(&error, text) })
    }
}

/// What the parser says against a text, with the place, in one line: it goes where lines cannot be drawn.
pub(super) fn reason(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().lines().map(str::trim).filter(|line| !line.is_empty());
    let message = message.collect::<Vec<_>>().join("; ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else { return message };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {message}")
}

/// The text of a small file.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::Size`].
pub fn text(path: &Path) -> Result<String, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(read)?.len();
    if size > MAX {
        return Err(ConfigError::Size { path: path.to_owned(), size });
    }
    std::fs::read_to_string(path).map_err(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<(Config, Keymap), ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path, true)
    }

    #[test]
    fn an_empty_or_missing_file_is_the_default() {
        assert_eq!(load("").unwrap().0, Config::default());
        assert_eq!(Config::load(Path::new("/nonexistent/config.toml"), false).unwrap().0, Config::default());
        assert!(Config::load(Path::new("/nonexistent/config.toml"), true).is_err());
    }

    #[test]
    fn unknown_keys_are_refused_with_the_line() {
        let error = load("theme = \"mono\"\ncolour = \"red\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("colour"), "{error}");
        let error = load("[keys]\nquitt = [\"Q\"]\n").unwrap_err().to_string();
        assert!(error.contains("did you mean \"quit\""), "{error}");
    }

    #[test]
    fn registries_are_reached_as_a_table_says_and_nothing_unknown_in_it_is_passed_over() {
        let text = "[registry]\nca = [\"own.pem\", \"/etc/ca.pem\"]\nplain-http = [\"lab:5000\"]\n";
        let options = load(text).unwrap().0.registry(Path::new("/home/a/config.toml"));
        assert_eq!(options.ca, [Path::new("/home/a/own.pem"), Path::new("/etc/ca.pem")]);
        assert_eq!((options.plain_http, options.authfile), (vec!["lab:5000".to_owned()], None));
        let error = load("[registry]\npassword = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("password"), "{error}");
    }

    #[test]
    fn one_line_changes_one_thing() {
        let (config, keys) = load("theme = \"light\"\n[keys]\nquit = [\"Q\"]\n").unwrap();
        assert_eq!(config.theme.as_deref(), Some("light"));
        assert_eq!(keys.keys(crate::actions::Act::Quit).len(), 1);
    }
}
