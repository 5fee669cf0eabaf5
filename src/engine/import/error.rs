//! Why images do not arrive: each error names the image and the target, and says what to do about it.

mod stream;

use std::path::{Path, PathBuf};

use crate::domain::digest::Digest;
use crate::domain::import::{NameClash, Target, TargetError};
use crate::domain::shell::shell_words;
use crate::domain::text::{self, bytes};
use crate::engine::directory;
use crate::engine::error::{Explain, Kind};
use crate::engine::registry::RegistryError;

pub use stream::StreamError;

/// What keeps images out of a target.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A reference given to `--only` that the bundle does not hold.
    #[error("the bundle holds no image {reference}; it has {}", shortened(present))]
    NotInBundle {
        /// As asked for.
        reference: String,
        /// What there is.
        present: Vec<String>,
    },
    /// Two images would get one name.
    #[error(transparent)]
    Clash(#[from] NameClash),
    /// What is about to be changed cannot be noted before, and so could not be taken back.
    #[error("what this import changes cannot be noted in {}: {reason}", directory.display())]
    Unnoted {
        /// Where it would be noted.
        directory: PathBuf,
        /// The class of what went wrong there.
        kind: Kind,
        /// What went wrong there.
        reason: String,
    },
    /// The target has that name for something else.
    #[error("{target} already has {name} as {existing}, the bundle has {digest}")]
    Conflict {
        /// The target.
        target: String,
        /// The name there.
        name: String,
        /// What it points at there, as far as it is known.
        existing: String,
        /// What the bundle has.
        digest: Digest,
    },
    /// The target's form cannot hold this image.
    #[error("{image} cannot go into {target}: {reason}")]
    Unfit {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// What the form lacks.
        reason: String,
        /// The way out.
        hint: &'static str,
    },
    /// A registry that does not take a manifest, with the reason as far as it can be told from outside.
    #[error("{target} does not take {image}: {reason}")]
    Refused {
        /// The image.
        image: String,
        /// The target.
        target: String,
        /// What the registry likely objects to, and what it said.
        reason: String,
        /// The ways out, most useful first.
        ways: Vec<String>,
        /// What the registry said.
        #[source]
        source: RegistryError,
    },
    /// A directory that is no image layout, or one of another version.
    #[error("{} is no image layout to add to: {reason}", path.display())]
    NoLayout {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The target lies inside the bundle.
    #[error("{} lies inside the bundle {}, which is never changed", path.display(), bundle.display())]
    InsideBundle {
        /// The target.
        path: PathBuf,
        /// The bundle.
        bundle: PathBuf,
    },
    /// Another run writes there.
    #[error("{} is being written by another run", path.display())]
    Locked {
        /// The target.
        path: PathBuf,
    },
    /// Another run changes that containerd.
    #[error("another run is at work in {namespace} of the containerd at {}: process {pid}, {of}", socket.display())]
    Claimed {
        /// Its socket.
        socket: PathBuf,
        /// The namespace.
        namespace: String,
        /// The number of the other run's process.
        pid: String,
        /// What it works on.
        of: String,
    },
    /// Not enough room.
    #[error("{} needs at least {}, its file system has {} free", path.display(), bytes(*needed), bytes(*free))]
    Space {
        /// The target.
        path: PathBuf,
        /// Bytes to be written.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A document of the bundle that contradicts the signed list.
    #[error("{image}: {digest}: {reason}")]
    Document {
        /// The image.
        image: String,
        /// The document.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
    /// A manifest, an index or a configuration of an image whose bytes are not those that were signed.
    #[error("{image}: a manifest or configuration of it is damaged: {reason}")]
    Damaged {
        /// The image.
        image: String,
        /// Which file, what was signed and what is there.
        reason: String,
    },
    /// An image that would be lost from an archive, as it is damaged there and in the bundle.
    #[error("{image} would be lost from {}: it is damaged there and on this medium: {reason}", archive.display())]
    Spoilt {
        /// The image.
        image: String,
        /// The archive.
        archive: PathBuf,
        /// The bundle.
        bundle: PathBuf,
        /// What is wrong with it in the bundle.
        reason: String,
    },
    /// Read back, the target has something else.
    #[error("{target} answers {name} with {actual} after the import, expected {expected}")]
    Altered {
        /// The target.
        target: String,
        /// The name there.
        name: String,
        /// What was written.
        expected: Digest,
        /// What came back.
        actual: String,
    },
    /// A containerd that the kubelet cannot use.
    #[error("the containerd at {} has its CRI switched off, so the kubelet cannot use its images", socket.display())]
    NoCri {
        /// Its socket.
        socket: PathBuf,
    },
    /// The runtime does not answer for names that were imported.
    #[error("the runtime does not answer as the bundle has it: {}", shortened(names))]
    Unproved {
        /// Which, each with what is wrong.
        names: Vec<String>,
    },
    /// Some images arrived, some did not.
    #[error("{failed} of {} {} not {}imported: {}", text::count(*total as u64, "image"), if *dry_run { "would" } else if *total == 1 { "was" } else { "were" }, if *dry_run { "be " } else { "" }, shortened(names))]
    Partly {
        /// How many did not arrive.
        failed: usize,
        /// Of how many.
        total: usize,
        /// Which, each with its reason.
        names: Vec<String>,
        /// Whether that is foreseen alone.
        dry_run: bool,
        /// The class of what ends the run.
        kind: Kind,
        /// What helps, most useful first.
        hints: Vec<String>,
    },
    /// A file that does not give back what was written.
    #[error("{} does not hold what was written for it: {member} reads back as {actual}, expected {expected}", path.display())]
    Unkept {
        /// The file, which has not got its name.
        path: PathBuf,
        /// What in it.
        member: String,
        /// What was written.
        expected: Digest,
        /// What is there.
        actual: String,
    },
}

/// What else helps where one image cannot go, at the end of a hint.
pub(super) const OTHERS: &str = "; --keep-going imports the others";

/// What helps where a name is taken.
pub(super) const TAKEN: &str =
    "--replace lets the bundle's image take the name; --keep-going imports the others";

pub(super) fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let more = names.len().saturating_sub(SHOWN);
    let list = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

/// What of the bundle may be meant by a reference that it does not hold: what ends in the same name.
fn meant(reference: &str, present: &[String]) -> Vec<String> {
    fn last(reference: &str) -> Option<&str> {
        reference.split('@').next()?.rsplit('/').next()?.split(':').next()
    }
    let mut same = present.iter().filter(|one| last(one) == last(reference));
    let hint = match (same.next(), same.next()) {
        (Some(one), None) => format!("did you mean --only {one}?"),
        (Some(_), Some(_)) => {
            format!("name it as the bundle does, with its registry and tag: {reference} is another")
        }
        (None, _) => "airlift inspect lists the images of a bundle".to_owned(),
    };
    vec![hint]
}

/// What helps where an image is nowhere whole: a good copy, or to go on without it.
fn given_up(archive: &Path, bundle: &Path) -> Vec<String> {
    let words =
        |words: &[&str]| shell_words(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let into = Target::K3s(directory::above(archive).to_owned()).to_string();
    let remove = words(&["rm", &archive.display().to_string()]);
    let import =
        words(&["airlift", "import", &bundle.display().to_string(), "--into", &into, "--keep-going"]);
    vec![
        format!(
            "{} is as it was: copy the bundle again or pack it again; with a good copy the same command mends the archive",
            archive.display()
        ),
        format!(
            "without one: {remove}, then {import} writes the archive anew with the images that are whole on this medium, and those alone"
        ),
    ]
}

impl Explain for ImportError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotInBundle { .. } | Self::InsideBundle { .. } => Kind::Usage,
            Self::Clash(_)
            | Self::Conflict { .. }
            | Self::Unfit { .. }
            | Self::Refused { .. }
            | Self::NoLayout { .. }
            | Self::NoCri { .. }
            | Self::Unproved { .. }
            | Self::Altered { .. } => Kind::Import,
            Self::Locked { .. } | Self::Claimed { .. } => Kind::Locked,
            Self::Space { .. } => Kind::Space,
            Self::Document { .. } | Self::Damaged { .. } | Self::Spoilt { .. } => Kind::Integrity,
            Self::Unkept { .. } => Kind::Medium,
            Self::Partly { kind, .. } | Self::Unnoted { kind, .. } => *kind,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NotInBundle { reference, present } => return meant(reference, present),
            Self::Unnoted { .. } => {
                "airlift undo takes back only what was noted before it was done, so that it was not done: give --state DIR, \
                 where this user can write, or make room or see to the permissions there"
            }
            Self::Clash(_) => {
                "nothing was written: keep the source registry in the name with a prefix of {host}, as in \
                 registry:HOST/{host}, or import them apart, each with --only"
            }
            Self::Conflict { .. } => return vec![format!("nothing was changed: {TAKEN}")],
            Self::Unfit { hint, .. } => hint,
            Self::Refused { ways, .. } => return ways.clone(),
            Self::NoLayout { .. } => "give a directory that is new, empty, or an OCI image layout",
            Self::InsideBundle { .. } => "give a path outside the bundle",
            Self::Locked { .. } | Self::Claimed { .. } => "wait for that run to end, then run this again",
            Self::Space { .. } => "nothing was written: free space, or import into another place",
            Self::Document { .. } => {
                "the bundle is inconsistent in itself: pack it again, and tell whoever signed it"
            }
            Self::Damaged { .. } => {
                return vec![
                    "the copy on this medium is damaged or was changed: copy or pack it again".to_owned(),
                    format!("nothing of it was written to any target{OTHERS}"),
                ];
            }
            Self::Spoilt { archive, bundle, .. } => return given_up(archive, bundle),
            Self::Altered { .. } => {
                "the target rewrites what it is given, so that whatever pins the bundle's digest may not find it there: \
                 use a target that keeps manifests as they are"
            }
            Self::Unkept { .. } => {
                "what was there before stands, the bundle is whole: the disk below that directory loses or alters what is \
                 written (the kernel's log may say more), so replace it, or import into another place"
            }
            Self::NoCri { .. } => {
                "take \"cri\" out of disabled_plugins in its configuration and restart it, or name another namespace: \
                 containerd:SOCKET,NAMESPACE"
            }
            Self::Unproved { .. } => {
                "see the runtime's journal; what is missing is added by the same command once the cause is gone"
            }
            Self::Partly { hints, .. } => return hints.clone(),
        };
        vec![hint.to_owned()]
    }
}

impl Explain for TargetError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        match (self.meant(), self) {
            (Some(meant), _) => vec![format!("did you mean {meant}?")],
            (None, Self::Malformed { .. }) => Vec::new(),
            (None, Self::Unknown { .. }) => {
                vec!["airlift import BUNDLE, without --into, says what this node would take".to_owned()]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_met_with_the_name_that_the_bundle_has() {
        let hints = |present: &[&str]| {
            let present = present.iter().map(|one| (*one).to_owned()).collect();
            let reference = "docker.io/library/busybox:latest".to_owned();
            ImportError::NotInBundle { reference, present }.hints().concat()
        };
        let own = "reg.example.com:5000/library/busybox:1.35";
        assert_eq!(hints(&[own, "quay.io/a/b:1"]), format!("did you mean --only {own}?"));
        assert!(hints(&[own, "quay.io/a/busybox:1"]).starts_with("name it as the bundle does"));
        assert!(hints(&["quay.io/a/b:1"]).contains("inspect"));
    }
}
