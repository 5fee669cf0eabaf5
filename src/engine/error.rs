//! What can go wrong in the engine: each module has its own error, all of them know their class and the next step.

use std::path::PathBuf;

use crate::domain::bundle::DocumentError;

/// The class of a failure; it decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// None of the others.
    Other,
    /// The request itself makes no sense.
    Usage,
    /// Some items were done, some not.
    Partial,
    /// Bytes are not what they should be.
    Integrity,
    /// No or not enough trusted signatures.
    Trust,
    /// Older than what was accepted before, expired, or the clock is behind.
    Rollback,
    /// The medium failed or cannot be written.
    Medium,
    /// No space, or a file-size limit.
    Space,
    /// Network or registry.
    Network,
    /// A runtime or target refused or lost an image.
    Import,
    /// Mirror configuration.
    Mirror,
    /// Survival check.
    Survival,
    /// Another run holds the lock.
    Locked,
    /// Stopped on request.
    Interrupted,
}

/// What every engine error can say beyond its message.
pub trait Explain: std::error::Error {
    /// Its class.
    fn kind(&self) -> Kind;

    /// Whether the same request may well succeed a little later.
    fn transient(&self) -> bool {
        false
    }

    /// Whether what was asked for is not there, by the word of whoever would have it.
    fn absent(&self) -> bool {
        false
    }

    /// What it likely means and what to do next, most useful first; may be empty.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Any engine error; the one type that crosses the boundary to the fronts.
#[derive(Debug)]
pub struct EngineError(Box<dyn Explain + Send + Sync>);

/// Result of an engine operation.
pub type Result<T> = std::result::Result<T, EngineError>;

impl EngineError {
    /// Its class.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// Whether the same request may well succeed a little later.
    pub fn transient(&self) -> bool {
        self.0.transient()
    }

    /// Whether what was asked for is not there, by the word of whoever would have it.
    pub fn absent(&self) -> bool {
        self.0.absent()
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        self.0.hints()
    }

    /// The message and every cause below it, joined by `: `, each said once.
    pub fn message(&self) -> String {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let next = error.to_string();
            if !text.contains(&next) {
                text.push_str(": ");
                text.push_str(&next);
            }
            cause = error.source();
        }
        text
    }
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message())
    }
}

impl<E: Explain + Send + Sync + 'static> From<E> for EngineError {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

/// The job was asked to stop and did, at a point from which it can go on.
#[derive(Debug, thiserror::Error)]
#[error("stopped on request")]
pub struct Interrupted;

impl Explain for Interrupted {
    fn kind(&self) -> Kind {
        Kind::Interrupted
    }

    /// Whether anything was kept is known of the job alone.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A file operation failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}", path.display())]
pub struct FileError {
    /// What was tried, as a verb: `write`, `read`, `rename`.
    pub operation: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the kernel said.
    #[source]
    pub source: std::io::Error,
}

impl FileError {
    fn errno(&self) -> Option<rustix::io::Errno> {
        super::files::errno(&self.source)
    }
}

impl Explain for FileError {
    fn kind(&self) -> Kind {
        use rustix::io::Errno;
        match self.errno() {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Kind::Space,
            Some(Errno::IO | Errno::ROFS | Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM) => Kind::Medium,
            // The file was longer when it was opened.
            _ if self.source.kind() == std::io::ErrorKind::UnexpectedEof => Kind::Medium,
            _ => Kind::Other,
        }
    }

    fn hints(&self) -> Vec<String> {
        use rustix::io::Errno;
        let hint = match self.errno() {
            Some(Errno::NOSPC) => "free space (or inodes) on that file system; the same command then goes on",
            Some(Errno::DQUOT) => "the quota of this user is used up; free space or use another directory",
            Some(Errno::FBIG) => {
                "a file-size limit (FAT's 4 GiB or ulimit -f): give --max-file-size so that blobs are split"
            }
            Some(Errno::ROFS) => {
                "the file system is read-only: a write-protect switch, or mounted ro after an error (see dmesg)"
            }
            Some(Errno::IO) => {
                "the device failed: see dmesg, try another port or medium; do not trust what is on it"
            }
            Some(Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM) => "the medium is gone: was it unplugged?",
            Some(Errno::ACCESS | Errno::PERM) => {
                "permission denied: run as a user who may, or choose another path"
            }
            Some(Errno::LOOP) => {
                "a symbolic link where a file of its own must be; links are never followed here"
            }
            _ if self.source.kind() == std::io::ErrorKind::UnexpectedEof => {
                "the file ends before its own length: the device or another program cut it off"
            }
            _ => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

impl Explain for DocumentError {
    fn kind(&self) -> Kind {
        match self {
            Self::Name(_) => Kind::Usage,
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::Format { .. } => {
                vec!["use the airlift in the bundle's airlift/bin/, or a newer one".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

impl Explain for crate::domain::reference::ReferenceError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        vec![
            "references look like nginx:1.25.3, registry.example:5000/team/app:v1 or NAME@sha256:…"
                .to_owned(),
        ]
    }
}

impl Explain for crate::domain::plan::PlanError {
    fn kind(&self) -> Kind {
        match self {
            Self::Size { .. } | Self::Overflow => Kind::Integrity,
            Self::Parts { .. } | Self::FileLimit { .. } | Self::Space { .. } | Self::Inodes { .. } => {
                Kind::Space
            }
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Size { .. } | Self::Overflow => {
                "the registry serves manifests that contradict each other; nothing was written"
            }
            Self::Parts { .. } => "give a larger --max-file-size",
            Self::FileLimit { .. } => {
                "raise it (ulimit -f unlimited) or give --max-file-size so that blobs are split; this run wrote nothing, and what is there stays"
            }
            Self::Space { room, .. } if room.program > 0 => {
                "free space, use a larger medium, or pack fewer images or platforms; --no-tool leaves this program out; this run wrote nothing, and what is there stays"
            }
            Self::Space { .. } => {
                "free space, use a larger medium, or pack fewer images or platforms; this run wrote nothing, and what is there stays"
            }
            Self::Inodes { .. } => {
                "the file system is out of inodes: remove files or use another one; this run wrote nothing, and what is there stays"
            }
        };
        vec![hint.to_owned()]
    }
}

impl Explain for crate::domain::digest::DigestError {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }
}

impl Explain for crate::domain::platform::PlatformError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }
}

impl Explain for crate::domain::trust::ClockRefusal {
    fn kind(&self) -> Kind {
        Kind::Rollback
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Behind { .. } => {
                "set the clock of this host (date, timedatectl); if it once ran ahead, a fresh --state DIR starts without history"
            }
            Self::Expired { .. } => "ask for a newer bundle of this name; if the clock runs ahead, set it",
        };
        vec![hint.to_owned()]
    }
}

impl Explain for crate::domain::trust::SerialRefusal {
    fn kind(&self) -> Kind {
        Kind::Rollback
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Rollback { .. } => {
                "an old medium, or someone hands you old images; --allow-rollback accepts it knowingly"
            }
            Self::Equivocation { .. } => {
                "two hosts sign under one name, or one of the two bundles is forged: find out which, then pack under the next serial"
            }
            Self::HugeJump { .. } => "ask the signer; --allow-rollback accepts it knowingly",
        };
        vec![hint.to_owned()]
    }
}

/// Work on another thread panicked: a defect in this program, told instead of hidden.
#[derive(Debug, thiserror::Error)]
#[error("a defect in airlift: {0}")]
pub struct Panicked(pub String);

impl Explain for Panicked {
    fn kind(&self) -> Kind {
        Kind::Other
    }

    fn hints(&self) -> Vec<String> {
        vec!["please report it with what you did; what was committed before is not affected".to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::{PlanError, Room};

    #[test]
    fn a_program_that_does_not_fit_beside_the_images_may_be_left_out() {
        let hint =
            |program| PlanError::Space { room: Room { images: 1, program }, free: 1 }.hints().join(" ");
        assert!(hint(1).contains("--no-tool leaves this program out"), "{}", hint(1));
        assert!(!hint(0).contains("--no-tool"), "{}", hint(0));
    }
}
