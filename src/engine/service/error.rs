//! Why a service is not there, or not gone.

use std::path::{Path, PathBuf};

use crate::domain::service::{UNIT, UnitError};
use crate::engine::error::{Explain, Kind};

/// What keeps the service from being installed, started or taken away.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No unit can be written.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A file that the service's user cannot read.
    #[error("the service runs as a user of its own, which may not read {}", path.display())]
    Unreadable {
        /// The first such file or directory.
        path: PathBuf,
        /// The bundle, or the file itself, where something of it is closed.
        whole: Option<PathBuf>,
        /// Directories above that only some may pass through.
        above: Vec<PathBuf>,
    },
    /// Another program has the port.
    #[error("{address} is taken by another program")]
    Taken {
        /// The address asked for.
        address: std::net::SocketAddr,
    },
    /// Another run is at it.
    #[error("{} is being changed by another run", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The root that was given is none that can be written to.
    #[error("{} cannot be the root of a node: {reason}", path.display())]
    NoRoot {
        /// As given.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A path of the node, where one of this host is asked for.
    #[error("there is no {} on this host: that is where the node of {} has {}", path.display(), root.display(), seen.display())]
    OfNode {
        /// As given.
        path: PathBuf,
        /// The node's root.
        root: PathBuf,
        /// Where it is, seen from here.
        seen: PathBuf,
    },
    /// A bundle outside the node's root, which the service would not see on the node either.
    #[error("{} is not below {}, the root of the node, and below {hidden} of the node the service sees nothing", path.display(), root.display())]
    Outside {
        /// As given.
        path: PathBuf,
        /// The node's root.
        root: PathBuf,
        /// What is kept from the service.
        hidden: &'static str,
    },
    /// No directory for the program.
    #[error("neither {} can be written to", tried.join(" nor "))]
    NoDirectory {
        /// Which were tried.
        tried: Vec<String>,
    },
    /// There is no record of an installation.
    #[error("no service of Airlift was installed here: there is no {}", record.display())]
    NotInstalled {
        /// The record that is not there.
        record: PathBuf,
    },
    /// A record that makes no sense.
    #[error("{} is no record of an installation: {reason}", record.display())]
    Record {
        /// The record.
        record: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// systemctl failed.
    #[error("`{command}` failed: {said}")]
    Systemctl {
        /// The command.
        command: String,
        /// What it said.
        said: String,
    },
    /// It cannot be stopped.
    #[error("{UNIT} is {state} and was not stopped: {said}")]
    Up {
        /// What systemd says of it.
        state: String,
        /// Why it was not stopped.
        said: String,
    },
    /// It runs and does not answer.
    #[error("{UNIT} was started, but {url}/v2/ does not answer: {reason}")]
    Silent {
        /// Where it should answer.
        url: String,
        /// What happened.
        reason: String,
    },
}

/// The command that lets everybody read a file or directory: those above it are only to be passed through.
fn opened(above: &[PathBuf], whole: Option<&Path>) -> String {
    let command = |words: &[&str], paths: &mut dyn Iterator<Item = &Path>| {
        let words = words.iter().map(|word| (*word).to_owned());
        let paths = paths.map(|path| path.display().to_string());
        crate::domain::shell::shell_words(&words.chain(paths).collect::<Vec<_>>())
    };
    let pass =
        (!above.is_empty()).then(|| command(&["chmod", "a+x"], &mut above.iter().map(PathBuf::as_path)));
    let read = whole.map(|whole| command(&["chmod", "-R", "a+rX"], &mut std::iter::once(whole)));
    pass.into_iter().chain(read).collect::<Vec<_>>().join(" && ")
}

impl Explain for ServiceError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unit(_)
            | Self::Unreadable { .. }
            | Self::NotInstalled { .. }
            | Self::NoRoot { .. }
            | Self::OfNode { .. }
            | Self::Outside { .. } => Kind::Usage,
            Self::Taken { .. } | Self::Silent { .. } => Kind::Network,
            Self::Locked { .. } => Kind::Locked,
            Self::NoDirectory { .. } => Kind::Medium,
            Self::Record { .. } | Self::Systemctl { .. } | Self::Up { .. } => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unit(UnitError::Hidden { .. }) => {
                "nothing was written: copy the bundle to a directory of the node, such as /var/lib/airlift"
                    .to_owned()
            }
            Self::Unit(UnitError::AnyPort) => "nothing was written: give --listen ADDRESS:PORT".to_owned(),
            Self::Unit(_) => "nothing was written: give it another name".to_owned(),
            Self::Unreadable { whole, above, .. } => {
                format!("nothing was written: `{}`", opened(above, whole.as_deref()))
            }
            Self::Taken { .. } => {
                "nothing was written: `ss -ltnp` shows who listens there; give another --listen".to_owned()
            }
            Self::Locked { .. } => "wait for that run to end, then run this again".to_owned(),
            Self::NoRoot { .. } => {
                "nothing was changed: give --root the directory where the node's root file system is mounted, and run this \
                 as a user who may write there"
                    .to_owned()
            }
            Self::OfNode { seen, .. } => {
                let seen = crate::domain::shell::shell_words(&[seen.display().to_string()]);
                format!("nothing was written: with --root, paths are given as they are seen from here: {seen}")
            }
            Self::Outside { root, .. } => format!(
                "nothing was written: copy the bundle to a directory below {}, such as {}",
                root.display(),
                root.join("var/lib/airlift").display()
            ),
            Self::NoDirectory { .. } => {
                "nothing was written: run it where one of them is writable".to_owned()
            }
            Self::NotInstalled { .. } => {
                "for a node whose root lies in a directory give --root DIR".to_owned()
            }
            Self::Record { .. } => {
                "nothing was changed: see what is in it, and remove the service by hand".to_owned()
            }
            Self::Up { .. } => format!(
                "nothing was removed: `journalctl -u {UNIT}` has its own words; once it is stopped, run this again"
            ),
            Self::Systemctl { .. } | Self::Silent { .. } => {
                format!(
                    "`journalctl -u {UNIT}` has its own words; airlift serve --uninstall takes everything away"
                )
            }
        };
        vec![hint]
    }
}
