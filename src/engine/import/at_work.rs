//! Another run that is at work in a target: a plan tells of it already, as an import is refused until that run has ended.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::changes::NotedRun;
use super::{Job, containerd, containers_storage};
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::directory;
use crate::engine::files::Files;
use crate::engine::media::Holder;

/// What to mind of a target in which another run is at work; nothing where none is, or none can be told.
pub(super) async fn at_work(job: &Job, target: &Target) -> Option<String> {
    let who = match target {
        Target::Containerd(node) => containerd::at_work(&job.ctx, node).await.ok()??.to_string(),
        target => {
            let (job, target) = (job.clone(), target.clone());
            blocking(move || Ok(held(&job, &target))).await.ok()??
        }
    };
    let (changes, into) = (Arc::clone(&job.changes), target.clone());
    let run = blocking(move || Ok(changes.other(&into))).await.ok().flatten();
    // A containerd is told the bundle by whoever works in it.
    let told = matches!(target, Target::Containerd(_));
    let which = |run: NotedRun| {
        let bundle = if told { String::new() } else { format!(", {}", run.begun.bundle) };
        format!("{bundle}, begun {}", run.begun.begun.strftime("%F %R UTC"))
    };
    let which = run.map_or_else(String::new, which);
    Some(format!(
        "{who}{which}; an import is refused until that has ended: wait for it, or stop it where it runs"
    ))
}

/// Who holds the directory that a target is written in. Blocks.
fn held(job: &Job, target: &Target) -> Option<String> {
    let files = &*job.ctx.files;
    let directory: PathBuf = match target {
        Target::Layout(dir) | Target::K3s(dir) => dir.clone(),
        Target::OciArchive(file) | Target::DockerArchive(file) => directory::above(file).to_owned(),
        Target::ContainersStorage(store) => containers_storage::directory(job, store.as_deref()).ok()?,
        Target::Registry(_) | Target::Containerd(_) => return None,
    };
    by(files, &directory)
}

fn by(files: &dyn Files, directory: &Path) -> Option<String> {
    let real = directory.canonicalize().ok()?;
    files.is_held(&real).ok().filter(|held| *held)?;
    let holder = Holder::of(&real).map_or_else(String::new, |holder| format!(": {holder}"));
    Some(format!("another run is at work in {}{holder}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn who_holds_a_directory_is_told_as_long_as_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(by(&RealFiles, dir.path()), None);
        assert_eq!(by(&RealFiles, &dir.path().join("none")), None);
        let held = RealFiles.lock_dir(dir.path()).unwrap().unwrap();
        let words = format!("another run is at work in {}", dir.path().display());
        let said = by(&RealFiles, dir.path()).unwrap();
        assert!(said.starts_with(&words), "{said}");
        // Within a layered file system the kernel may know it by another number.
        let told = format!("{words}: process {} on ", std::process::id());
        assert!(said == words || said.starts_with(&told), "{said}");
        drop(held);
        assert_eq!(by(&RealFiles, dir.path()), None);
    }
}
