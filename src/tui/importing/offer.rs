//! What can be chosen as a target: what this node has, then what was typed, each with how it stands and the room there.

use std::path::{Path, PathBuf};

use super::Importing;
use crate::domain::import::Target;
use crate::domain::node::{Listening, NodeFacts, Proposal, Runtime};

/// A target to choose.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The target.
    pub target: Target,
    /// How it stands, in a word or two.
    pub state: String,
    /// Why it is offered.
    pub why: String,
    /// What to know before.
    pub warnings: Vec<String>,
    /// Whether it can be written to now, as far as that is known.
    pub ready: bool,
    /// Bytes free where its images go.
    pub free: Option<u64>,
}

impl Importing {
    /// Where the node was looked for room, beside its runtimes.
    pub fn places(&self) -> Vec<PathBuf> {
        self.marked.iter().chain(&self.typed).filter_map(place).map(Path::to_owned).collect()
    }

    /// What can be chosen: what this node has, then what was typed.
    pub fn offered(&self) -> Vec<Offered> {
        let node = self.node.as_deref();
        let proposals = node.map_or_else(Vec::new, NodeFacts::proposals);
        let found = proposals.into_iter().map(|proposal| self.proposed(proposal));
        let mut offered: Vec<Offered> = found.collect();
        for target in self.typed.iter().chain(&self.marked) {
            if !offered.iter().any(|known| known.target == *target) {
                offered.push(Offered {
                    target: target.clone(),
                    state: "typed".to_owned(),
                    why: "typed by you".to_owned(),
                    warnings: Vec::new(),
                    ready: true,
                    free: self.free_at(target).or_else(|| self.told_free(target)),
                });
            }
        }
        offered
    }

    /// The same, with what is chosen first.
    pub fn listed(&self) -> Vec<Offered> {
        let mut listed = self.offered();
        listed.sort_by_key(|one| !self.marked.contains(&one.target));
        listed
    }

    fn proposed(&self, proposal: Proposal) -> Offered {
        let Proposal { target, why, socket, kubelet, warnings, ready } = proposal;
        let node = self.node.as_deref();
        let of = |runtime: &&Runtime| runtime.socket == socket;
        let runtime = node.and_then(|node| node.runtimes.iter().find(of));
        let version = runtime.and_then(|runtime| match &runtime.listening {
            Listening::Answers { version } => version.clone(),
            _ => None,
        });
        let mut state = match (version, ready, runtime.map(|runtime| &runtime.listening)) {
            (Some(version), ..) => version,
            (None, _, Some(Listening::Denied)) => "denied".to_owned(),
            (None, _, Some(Listening::Silent { .. })) => "no answer".to_owned(),
            (None, true, _) => "ready".to_owned(),
            // Files that are written without any daemon: what keeps them closed is who this is.
            (None, false, _) if matches!(target, Target::ContainersStorage(_) | Target::K3s(_)) => {
                "needs root".to_owned()
            }
            (None, false, _) => "not running".to_owned(),
        };
        if kubelet {
            state.push_str(", kubelet's");
        }
        let free = runtime.and_then(|runtime| runtime.free).or_else(|| self.free_at(&target));
        let free = free.or_else(|| self.told_free(&target));
        Offered { target, state, why, warnings, ready, free }
    }

    /// What the plan found to be free there.
    fn told_free(&self, target: &Target) -> Option<u64> {
        self.planned()?.targets.iter().find(|planned| planned.target == *target)?.bytes_free
    }

    fn free_at(&self, target: &Target) -> Option<u64> {
        let wanted = place(target)?;
        self.free.iter().find(|(path, _)| path == wanted)?.1
    }
}

/// The directory or file that a target is, where it is one.
fn place(target: &Target) -> Option<&Path> {
    match target {
        Target::Layout(path)
        | Target::OciArchive(path)
        | Target::DockerArchive(path)
        | Target::K3s(path)
        | Target::ContainersStorage(Some(path)) => Some(path),
        _ => None,
    }
}

/// The target that the kubelet of a node would see, where that can be written to.
pub(super) fn kubelets(node: &NodeFacts) -> Option<Target> {
    let own = |proposal: &Proposal| proposal.ready && proposal.kubelet;
    node.proposals().into_iter().find(own).map(|proposal| proposal.target)
}
