//! How registries are reached, as the operator says it: on the command line, or for good in the configuration file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How registries are reached, as the operator said it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegistryOptions {
    /// `host[:port]` of registries that speak plain HTTP.
    pub plain_http: Vec<String>,
    /// `host[:port]` of registries whose certificate is not verified.
    pub insecure: Vec<String>,
    /// PEM files of CAs to trust besides the system's.
    pub ca: Vec<PathBuf>,
    /// The only file to take credentials from.
    pub authfile: Option<PathBuf>,
}

impl RegistryOptions {
    /// These, and of what is not said here what `other` says: option by option, never mixed.
    pub fn or(self, other: &Self) -> Self {
        Self {
            plain_http: either(self.plain_http, &other.plain_http),
            insecure: either(self.insecure, &other.insecure),
            ca: either(self.ca, &other.ca),
            authfile: self.authfile.or_else(|| other.authfile.clone()),
        }
    }

    /// The same with its files looked for in `directory`, where their names do not start at the root.
    pub fn within(self, directory: &Path) -> Self {
        let there = |path: PathBuf| directory.join(path);
        Self { ca: self.ca.into_iter().map(there).collect(), authfile: self.authfile.map(there), ..self }
    }
}

fn either<T: Clone>(said: Vec<T>, other: &[T]) -> Vec<T> {
    if said.is_empty() { other.to_vec() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_goes_before_what_is_written_option_by_option() {
        let written = RegistryOptions {
            insecure: vec!["old".into()],
            ca: vec!["old.pem".into()],
            authfile: Some("/old.json".into()),
            ..RegistryOptions::default()
        };
        let said = RegistryOptions { ca: vec!["new.pem".into()], ..RegistryOptions::default() };
        let both = said.or(&written).within(Path::new("/etc"));
        assert_eq!(both.ca, [Path::new("/etc/new.pem")]);
        assert_eq!((both.insecure, both.authfile), (written.insecure.clone(), written.authfile.clone()));
        assert_eq!(both.plain_http, written.plain_http);
    }
}
