//! Why images do not arrive in a store of CRI-O and podman, with what the program said that writes there.

use std::path::PathBuf;

use crate::engine::error::{Explain, FileError, Kind};

/// What keeps images out of containers/storage.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    /// Neither program is there.
    #[error("{target} needs skopeo or podman to write with, and neither is on PATH")]
    NoTool {
        /// The target.
        target: String,
    },
    /// The program ended with an error.
    #[error("{image} did not get into {target}: {program}: {words}")]
    Failed {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// The program that was run.
        program: &'static str,
        /// Its last words, cleaned.
        words: String,
        /// What they mean.
        meaning: Meaning,
    },
    /// The program moved nothing for long and was ended.
    #[error("{image} did not get into {target}: {program} moved no byte for {seconds} s and was ended")]
    Stuck {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// The program.
        program: &'static str,
        /// How long.
        seconds: u64,
    },
    /// The store has the image, but not all of it.
    #[error("{target} lists {image} with the right digest, but has not {lacks}")]
    Damaged {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// What is missing.
        lacks: String,
    },
    /// The same, and names lead to it that would go with it.
    #[error("{target} lists {image} with the right digest, but has not {lacks}, and it stays: it has other names there, \
             too ({})", others.join(", "))]
    Shared {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// What is missing.
        lacks: String,
        /// The other names.
        others: Vec<String>,
        /// How it is written anew with them.
        way: String,
    },
    /// It would be put on layers that may be empty.
    #[error("{image} did not get into {target}: it has layers in common with {}, which the machine took with it when it went \
             down, so that their files may be empty", others.join(", "))]
    Hollow {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// What the layers are of, too.
        others: Vec<String>,
        /// How all of them are written anew.
        way: String,
    },
    /// A directory with something else in it.
    #[error("{} is no image store to add to: it has {found}", path.display())]
    NoStore {
        /// The directory.
        path: PathBuf,
        /// What lies there.
        found: String,
    },
    /// An additional store where it would be lost.
    #[error("{} cannot be an additional image store: the default store is {}", path.display(), graphroot.display())]
    Nested {
        /// The directory.
        path: PathBuf,
        /// The default store.
        graphroot: PathBuf,
    },
    /// A file that is to name the store cannot be changed.
    #[error("{target}: {} is to name the store, and cannot be changed: {source}", path.display())]
    Unchangeable {
        /// The target.
        target: String,
        /// The file.
        path: PathBuf,
        /// What is in the way.
        source: FileError,
    },
    /// A driver that is not known here.
    #[error("the default store {} has the driver {driver}, only overlay is known here", graphroot.display())]
    Driver {
        /// The default store.
        graphroot: PathBuf,
        /// The driver.
        driver: String,
    },
    /// A node that would not see what an additional store gets.
    #[error(
        "{} has the driver {driver}: podman and CRI-O see no image there of {}, which is of the driver overlay",
        conf.display(),
        store.display()
    )]
    Unseen {
        /// The file that says the driver.
        conf: PathBuf,
        /// The driver.
        driver: String,
        /// The additional store.
        store: PathBuf,
    },
}

/// What the words of skopeo or podman mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// No room in the store or beside it.
    Space,
    /// Not allowed.
    Permission,
    /// The store is read-only.
    ReadOnly,
    /// The node's `policy.json` says no.
    Policy,
    /// None of these.
    Other,
}

impl Meaning {
    /// From what a program wrote.
    pub(super) fn of(words: &str) -> Self {
        let says = |any: &[&str]| any.iter().any(|one| words.contains(one));
        if says(&["no space left on device", "disk quota exceeded"]) {
            Self::Space
        } else if says(&["read-only file system"]) {
            Self::ReadOnly
        } else if says(&["permission denied", "operation not permitted"]) {
            Self::Permission
        } else if says(&["is rejected by policy", "policy.json", "Running image"]) {
            Self::Policy
        } else {
            Self::Other
        }
    }
}

impl Explain for StorageError {
    fn kind(&self) -> Kind {
        match self {
            Self::Failed { meaning: Meaning::Space, .. } => Kind::Space,
            Self::NoStore { .. } | Self::Nested { .. } => Kind::Usage,
            Self::Unchangeable { source, .. } => source.kind(),
            _ => Kind::Import,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoTool { .. } => {
                "nothing was written: install skopeo (CRI-O's package brings it on most systems), or serve the bundle as \
                 a registry with airlift serve"
            }
            Self::Failed { meaning, .. } => match meaning {
                Meaning::Space => {
                    "free space on the store's file system: layers are unpacked there, and need several times their size; \
                     the same command goes on from here"
                }
                Meaning::Permission => "run this as root: the store belongs to it",
                Meaning::ReadOnly => {
                    "the store is mounted read-only: mount it writable for the import, and read-only after it"
                }
                Meaning::Policy => {
                    "/etc/containers/policy.json refuses what comes out of a local directory: allow the transport oci there, \
                     as in \"transports\": {\"oci\": {\"\": [{\"type\": \"insecureAcceptAnything\"}]}}; the bundle's own \
                     signature was verified"
                }
                Meaning::Other => "the same command does only what is missing",
            },
            Self::Stuck { .. } => {
                "does another podman, skopeo or CRI-O hold the store's lock? the same command does only what is missing"
            }
            Self::Damaged { .. } => {
                "remove every image there that has it (podman --root DIR rmi --force IMAGE, or an empty directory in place of \
                 the store), then run this again"
            }
            Self::Shared { way, .. } | Self::Hollow { way, .. } => way,
            Self::NoStore { .. } => {
                "give a directory that is new, empty, or an image store of the overlay driver"
            }
            Self::Nested { .. } => {
                "give a directory beside it, as /var/images: what lies in the default store goes with it when CRI-O wipes it \
                 after a crash; containers-storage alone is the default store itself"
            }
            Self::Unchangeable { .. } => {
                "nothing was written: run this as a user who may change that file, or \
                 give --storage-conf none and enter the store yourself; --storage-conf print shows how"
            }
            Self::Driver { .. } if !rustix::process::geteuid().is_root() => {
                "this is the store of this user, which CRI-O and the kubelet do not read: run this as root for theirs; for podman of \
                 this user import into oci-archive:FILE, then: podman load -i FILE"
            }
            Self::Driver { .. } => {
                "import into an additional image store of the driver overlay only where the node uses overlay"
            }
            Self::Unseen { .. } => {
                "nothing was written; for another node, which uses overlay: --storage-conf none leaves this one's file alone"
            }
        };
        vec![hint.to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_skopeo_says_is_told_apart() {
        for (words, meaning) in [
            ("write /x/run/overlay-layers/.tmp: no space left on device", Meaning::Space),
            ("mkdir /x: read-only file system", Meaning::ReadOnly),
            ("open /var/lib/containers/storage/storage.lock: permission denied", Meaning::Permission),
            ("Source image rejected: Running image oci:/x is rejected by policy.", Meaning::Policy),
            ("open /etc/containers/policy.json: no such file or directory", Meaning::Policy),
            ("gzip: invalid checksum", Meaning::Other),
        ] {
            assert_eq!(Meaning::of(words), meaning, "{words}");
        }
    }
}
