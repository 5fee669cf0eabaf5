//! What an import did or, in a dry run, would do: per target, per image.

use serde::Serialize;

use super::containerd::names::Change;
use super::error::{self, ImportError};
use super::proof::Proof;
use crate::domain::bundle::Missing;
use crate::domain::digest::Digest;
use crate::domain::import::Target;
use crate::domain::reference::Reference;
use crate::engine::error::{EngineError, Kind};
use crate::engine::storage::change::FileChange;

/// The outcome of an import.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Id of the bundle.
    pub bundle: uuid::Uuid,
    /// Its name and serial, `name-serial`.
    pub name: String,
    /// What was asked for and is not in the bundle, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Whether nothing was written: outcomes are then what would happen.
    pub dry_run: bool,
    /// Whether one image that fails lets the others go on.
    pub keep_going: bool,
    /// One per target, in the order asked.
    pub targets: Vec<TargetReport>,
}

/// One target's part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetReport {
    /// The target.
    pub target: Target,
    /// One per image, in the order of the bundle.
    pub images: Vec<ImageReport>,
    /// Bytes of blobs and manifests that were written; in a dry run, that are to be written at most.
    pub bytes_written: u64,
    /// Bytes that were there already and hash right, or that the target vouches for by digest.
    pub bytes_present: u64,
    /// In a dry run, about how many bytes the layers that are to be added come to once unpacked; of targets that unpack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_unpacked: Option<u64>,
    /// In a dry run, bytes free where those go, where it was looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_free: Option<u64>,
    /// What to mind of the whole target.
    pub notes: Vec<String>,
    /// How it was done, and what else holds there: nothing to act on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// Names that were made or pointed elsewhere, as undo takes them; only of targets that can take them back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Files of the node that were changed with it; in a dry run, that would be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileChange>,
    /// What the runtime's CRI answers for the names; only of runtimes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// One image in one target.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    /// The image.
    pub reference: Reference,
    /// Its digest in the bundle.
    pub digest: Digest,
    /// Its name in the target, where it has one.
    pub name: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// What the operator should know of this image there.
    pub notes: Vec<String>,
}

/// What became of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there with the same digest.
    Skipped,
    /// It was not there.
    Added,
    /// Its name was something else's.
    Replaced {
        /// What had the name.
        existing: String,
    },
    /// Its name is something else's and stays so.
    Conflict {
        /// What has the name.
        existing: String,
    },
    /// It is not there.
    Failed {
        /// The class of the failure.
        kind: Kind,
        /// What happened.
        reason: String,
        /// What to do next.
        hints: Vec<String>,
    },
}

impl Outcome {
    /// From an error.
    pub fn failed(error: &EngineError) -> Self {
        Self::Failed { kind: error.kind(), reason: error.message(), hints: error.hints() }
    }

    /// The class of what keeps an image away, and what to do about it; nothing where it arrived.
    fn refusal(&self) -> Option<(Kind, Vec<String>)> {
        match self {
            Self::Conflict { .. } => Some((Kind::Import, vec![error::TAKEN.to_owned()])),
            Self::Failed { kind, hints, .. } => Some((*kind, hints.clone())),
            _ => None,
        }
    }

    /// Whether the run put the image there.
    pub const fn brought(&self) -> bool {
        matches!(self, Self::Added | Self::Replaced { .. })
    }

    /// Whether the image is where it was wanted.
    pub const fn arrived(&self) -> bool {
        matches!(self, Self::Skipped) || self.brought()
    }
}

/// The targets into which a run brought images.
pub(super) fn brought(targets: &[TargetReport]) -> Vec<Target> {
    let brings = |one: &&TargetReport| one.images.iter().any(|image| image.outcome.brought());
    targets.iter().filter(brings).map(|one| one.target.clone()).collect()
}

impl ImportReport {
    /// The error to end with, where not every image arrived; a dry run fails on what would fail.
    pub fn failure(&self) -> Option<ImportError> {
        let unproved: Vec<String> = self
            .targets
            .iter()
            .filter_map(|target| Some((target, target.proof.as_ref()?)))
            .flat_map(|(target, proof)| {
                proof.problems().into_iter().map(|line| format!("{}: {line}", target.target))
            })
            .collect();
        if !unproved.is_empty() {
            return Some(ImportError::Unproved { names: unproved });
        }
        let all = || self.targets.iter().flat_map(|t| t.images.iter().map(move |image| (t, image)));
        // One damaged blob may keep many images away: it is told once, with all of them.
        let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
        for (target, image) in all() {
            let reason = match &image.outcome {
                Outcome::Failed { reason, .. } => {
                    let said = format!("{} cannot go into {}: ", image.reference, target.target);
                    reason.strip_prefix(&said).unwrap_or(reason).to_owned()
                }
                Outcome::Conflict { existing } => format!("the name is taken by {existing}"),
                _ => continue,
            };
            let reason = format!(" into {}: {reason}", target.target);
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, images)) => images.push(image.reference.to_string()),
                None => reasons.push((reason, vec![image.reference.to_string()])),
            }
        }
        let names = reasons.iter().map(|(reason, images)| error::shortened(images) + reason).collect();
        let refused: Vec<&Outcome> =
            all().map(|(_, image)| &image.outcome).filter(|outcome| !outcome.arrived()).collect();
        let first = refused.first()?.refusal()?;
        Some(ImportError::Partly {
            failed: refused.len(),
            total: all().count(),
            names,
            dry_run: self.dry_run,
            // A run that is not to keep going ends with the first of them.
            kind: if self.dry_run && !self.keep_going { first.0 } else { Kind::Partial },
            hints: self.ways(&refused),
        })
    }

    /// What each of these calls for, said once; to try again where that may help.
    fn ways(&self, refused: &[&Outcome]) -> Vec<String> {
        let mut ways: Vec<String> = Vec::new();
        for (_, hints) in refused.iter().filter_map(|outcome| outcome.refusal()) {
            for hint in hints {
                // Said of that image alone, where others were written meanwhile.
                let rest = hint.strip_prefix("nothing was written: ").filter(|_| !self.dry_run);
                let way = rest.unwrap_or(&hint);
                let alone = self.keep_going || self.targets.iter().all(|target| target.images.len() < 2);
                let way = way.strip_suffix(error::OTHERS).filter(|_| alone).unwrap_or(way).to_owned();
                if !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
        let kinds = || refused.iter().filter_map(|outcome| Some(outcome.refusal()?.0));
        let again = "the same command does only what is missing";
        // What is damaged or unfit is so the next time, too.
        if self.dry_run {
        } else if kinds().any(|kind| !matches!(kind, Kind::Import | Kind::Integrity)) {
            ways.push(again.to_owned());
        } else if kinds().any(|kind| kind == Kind::Integrity) {
            ways.push(format!("with a good copy, {again}"));
        }
        ways
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::error::Explain as _;

    fn report(dry_run: bool, keep_going: bool, outcomes: Vec<Outcome>) -> ImportReport {
        let reference: Reference = "docker.io/library/nginx:1".parse().unwrap();
        let digest = Digest::sha256(&[1; 32]);
        let image = |outcome| ImageReport {
            reference: reference.clone(),
            digest: digest.clone(),
            name: None,
            outcome,
            notes: Vec::new(),
        };
        let target = TargetReport {
            target: "oci:/srv/x".parse().unwrap(),
            images: outcomes.into_iter().map(image).collect(),
            bytes_written: 0,
            bytes_present: 0,
            bytes_unpacked: None,
            bytes_free: None,
            notes: Vec::new(),
            facts: Vec::new(),
            changes: Vec::new(),
            files: Vec::new(),
            proof: None,
        };
        let name = "site-1".to_owned();
        let (bundle, targets) = (uuid::Uuid::nil(), vec![target]);
        ImportReport { bundle, name, missing: Vec::new(), dry_run, keep_going, targets }
    }

    #[test]
    fn what_keeps_several_images_away_is_told_once_with_all_of_them() {
        let damaged = |of: u8| Outcome::Failed {
            kind: Kind::Integrity,
            reason: format!("blobs/{of}: damaged"),
            hints: Vec::new(),
        };
        let mut report = report(false, true, vec![damaged(1), damaged(2), damaged(1)]);
        for (image, name) in report.targets[0].images.iter_mut().zip(["a", "b", "c"]) {
            image.reference = format!("quay.io/team/{name}:1").parse().unwrap();
        }
        assert_eq!(
            report.failure().unwrap().to_string(),
            "3 of 3 images were not imported: quay.io/team/a:1, quay.io/team/c:1 into oci:/srv/x: blobs/1: damaged, \
             quay.io/team/b:1 into oci:/srv/x: blobs/2: damaged"
        );
    }

    #[test]
    fn a_dry_run_ends_as_the_run_would_and_says_what_helps() {
        let taken = || Outcome::Conflict { existing: "x".to_owned() };
        let unfit = || Outcome::Failed {
            kind: Kind::Import,
            reason: "it has linux/arm64 alone".to_owned(),
            hints: vec!["nothing was written: pack it with --platform".to_owned()],
        };
        let cut = || Outcome::Failed { kind: Kind::Network, reason: "r".to_owned(), hints: Vec::new() };
        let damaged = || Outcome::Failed {
            kind: Kind::Integrity,
            reason: "r".to_owned(),
            hints: vec!["copy it again; --keep-going imports the others".to_owned()],
        };
        let again = "the same command does only what is missing";
        let taken_hint = "--replace lets the bundle's image take the name";
        for (dry_run, keep_going, outcomes, kind, hints) in [
            (
                true,
                false,
                vec![Outcome::Added, unfit()],
                Kind::Import,
                vec!["nothing was written: pack it with --platform"],
            ),
            (true, true, vec![taken(), taken()], Kind::Partial, vec![taken_hint]),
            (false, true, vec![unfit(), taken()], Kind::Partial, vec!["pack it with --platform", taken_hint]),
            (false, true, vec![cut()], Kind::Partial, vec![again]),
            (
                false,
                true,
                vec![damaged()],
                Kind::Partial,
                vec!["copy it again", "with a good copy, the same command does only what is missing"],
            ),
            (
                true,
                false,
                vec![damaged(), Outcome::Added],
                Kind::Integrity,
                vec!["copy it again; --keep-going imports the others"],
            ),
            // Of one image there are no others.
            (true, false, vec![damaged()], Kind::Integrity, vec!["copy it again"]),
        ] {
            let error = report(dry_run, keep_going, outcomes).failure().unwrap();
            assert_eq!((error.kind(), error.hints()), (kind, hints.into_iter().map(str::to_owned).collect()));
            assert_eq!(error.to_string().contains("would not be imported"), dry_run, "{error}");
        }
        assert!(report(true, false, vec![Outcome::Added]).failure().is_none());
        let reason =
            "docker.io/library/nginx:1 cannot go into oci:/srv/x: it has linux/arm64 alone".to_owned();
        let unfit = Outcome::Failed { kind: Kind::Import, reason, hints: Vec::new() };
        assert_eq!(
            report(false, true, vec![unfit]).failure().unwrap().to_string(),
            "1 of 1 image was not imported: docker.io/library/nginx:1 into oci:/srv/x: it has linux/arm64 alone"
        );
    }
}
