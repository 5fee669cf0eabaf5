//! A platform that was asked for and that this node does not run: refused where its CRI would not answer, else said; before any byte.

use super::Job;
use crate::domain::import::Target;
use crate::domain::platform::Platform;
use crate::engine::error::{Explain, Kind, Result};

/// The CRI of the target's node answers for its own platform alone.
#[derive(Debug, thiserror::Error)]
#[error(
    "{target} is a runtime of {node}: no pod of it starts what is for {asked}, and its CRI does not answer for it"
)]
pub(super) struct Foreign {
    /// The target.
    target: String,
    /// What its node runs.
    node: Platform,
    /// What was asked for.
    asked: Platform,
}

impl Explain for Foreign {
    fn kind(&self) -> Kind {
        Kind::Import
    }

    fn hints(&self) -> Vec<String> {
        let Self { node, asked, .. } = self;
        vec![
            format!(
                "nothing was written: leave --platform out, and each image that has one for {node} goes in for that"
            ),
            format!(
                "to hand images for {asked} on, import into a registry, oci:DIR or an archive: they take any platform"
            ),
        ]
    }
}

/// Fails where a platform was asked for of which the CRI of a node of platform `node` takes none. `runs` is what that node
/// runs, best first.
///
/// # Errors
/// [`Foreign`].
pub(super) fn refuse(job: &Job, target: &Target, runs: &[Platform]) -> Result<()> {
    match (&job.spec.platform, runs.first()) {
        (Some(asked), Some(node)) if !runs.iter().any(|one| asked.accepts(one)) => {
            Err(Foreign { target: target.to_string(), node: node.clone(), asked: asked.clone() }.into())
        }
        _ => Ok(()),
    }
}

/// Says of a store that this machine reads that it would get what only another machine runs.
pub(super) fn warn(job: &Job, target: &Target) {
    let host = Platform::host();
    if let Some(asked) = job.spec.platform.as_ref().filter(|asked| !asked.accepts(&host)) {
        job.ctx.warn(format!(
            "{target} gets images for {asked}, this machine runs {host}: what starts them here fails with \"exec format \
             error\", unless the machine emulates {asked}"
        ));
    }
}
