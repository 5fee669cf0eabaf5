//! The registry as a service of this node, or of a node whose root lies in a directory: installed, started, taken away again.

mod checks;
mod error;
mod install;
mod pieces;
mod record;
mod systemd;
mod uninstall;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::domain::service::{CONFIGURATION, UNIT_FILE};
use crate::engine::directory;
use crate::engine::serve::clients::Clients;

pub use error::ServiceError;
pub use install::install;
pub use uninstall::uninstall;

/// What to install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstallSpec {
    /// The bundles' directories, at least one.
    pub bundles: Vec<PathBuf>,
    /// The `allowed_signers` file that the service gets a copy of.
    pub trust: PathBuf,
    /// How many different trusted keys must have signed.
    pub min_signatures: usize,
    /// Where accepted serials are remembered by this user; the service remembers its own.
    pub state: PathBuf,
    /// Address and port.
    pub listen: SocketAddr,
    /// Certificate chain and key, both PEM; they stay where they are.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Where the root of the node is, if that is not this host.
    pub root: Option<PathBuf>,
    /// Whether to say what would be done and do nothing.
    pub dry_run: bool,
}

impl InstallSpec {
    /// Where to listen where nothing else is said.
    pub const LISTEN: &str = "127.0.0.1:5000";
}

/// What to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UninstallSpec {
    /// Where the root of the node is, if that is not this host.
    pub root: Option<PathBuf>,
    /// Whether to say what would be done and do nothing.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReport {
    /// Whether nothing was done.
    pub dry_run: bool,
    /// The unit.
    pub unit: &'static str,
    /// Where the registry answers now; nothing where that was not tried.
    pub url: Option<String>,
    /// Where it is to answer, and what clients need for that; nothing where it was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<Clients>,
    /// Files and links, in order, as paths of the node.
    pub steps: Vec<Step>,
    /// Commands that were run.
    pub ran: Vec<String>,
    /// Commands that are left to the operator.
    pub next: Vec<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// One file or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// As a path of the node.
    pub path: PathBuf,
    /// What became of it.
    pub done: Done,
}

/// What became of a file or link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "done", rename_all = "kebab-case")]
pub enum Done {
    /// It was not there.
    Written,
    /// Something of ours was there.
    Replaced,
    /// Something else was there, which is kept.
    Kept {
        /// Where, as a path of the node.
        backup: PathBuf,
    },
    /// Exactly this was there.
    There,
    /// Taken away.
    Removed,
    /// Taken away, and what was there before is there again.
    Restored,
    /// It was changed since it was installed and stays.
    Left,
    /// It was gone already.
    Gone,
}

/// The node's root as this host sees it.
#[derive(Clone, Debug)]
struct Root(Option<PathBuf>);

impl Root {
    fn new(root: Option<&Path>) -> Self {
        let absolute = root.map(|root| std::path::absolute(root).unwrap_or_else(|_| root.to_owned()));
        Self(absolute.filter(|root| root != Path::new("/")))
    }

    /// Refuses a root that was given and is no directory, or not to be written to: else a slip of the finger would become
    /// a node. Blocks.
    fn check(&self) -> std::result::Result<(), ServiceError> {
        let Some(root) = &self.0 else { return Ok(()) };
        let no = |path: &Path, reason: &str| {
            Err(ServiceError::NoRoot { path: root.clone(), reason: format!("{} {reason}", path.display()) })
        };
        match std::fs::metadata(root) {
            Err(error) => return no(root, &format!("cannot be looked at: {error}")),
            Ok(meta) if !meta.is_dir() => return no(root, "is no directory"),
            Ok(_) => {}
        }
        for written in [Path::new(CONFIGURATION), directory::above(Path::new(UNIT_FILE))] {
            let written = self.real(written);
            let there = written.ancestors().find(|path| path.is_dir()).unwrap_or(root);
            if let Err(error) = rustix::fs::access(there, rustix::fs::Access::WRITE_OK) {
                return no(there, &format!("cannot be written to: {}", std::io::Error::from(error)));
            }
        }
        Ok(())
    }

    /// Refuses a path as only the node has it. Blocks.
    fn refuse_of_node(&self, path: &Path) -> std::result::Result<(), ServiceError> {
        let seen = self.real(path);
        match &self.0 {
            Some(root) if path.is_absolute() && !path.exists() && seen.exists() => {
                Err(ServiceError::OfNode { path: path.to_owned(), root: root.clone(), seen })
            }
            _ => Ok(()),
        }
    }

    /// Whether it is this host's own.
    const fn is_here(&self) -> bool {
        self.0.is_none()
    }

    /// A path of the node as this host sees it.
    fn real(&self, path: &Path) -> PathBuf {
        match &self.0 {
            None => path.to_owned(),
            Some(root) => root.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }

    /// A path of this host as the node sees it; one outside its root is taken to be the same there.
    fn of_node(&self, path: &Path) -> PathBuf {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match self.0.as_ref().and_then(|root| absolute.strip_prefix(root).ok()) {
            Some(inside) => Path::new("/").join(inside),
            None => absolute,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_node_in_a_directory_lose_that_directory_and_get_it_again() {
        let root = Root::new(Some(Path::new("/mnt/node")));
        assert_eq!(root.of_node(Path::new("/mnt/node/srv/b-1")), Path::new("/srv/b-1"));
        assert_eq!(root.of_node(Path::new("/media/stick/b-1")), Path::new("/media/stick/b-1"));
        assert_eq!(root.real(Path::new("/etc/x")), Path::new("/mnt/node/etc/x"));
        assert!(Root::new(Some(Path::new("/"))).is_here() && !root.is_here());
    }
}
