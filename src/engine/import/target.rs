//! What is asked of each kind of target: a plan, the writing, and what an image is called there.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::ImportError;
use super::graph::ImageGraph;
use super::index::containerd_name;
use super::report::{ImageReport, TargetReport};
use super::undo::by_hand;
use super::{
    ImportSpec, Job, Plan, Planned, Written, containerd, containers_storage, docker_archive, k3s, layout,
    oci_archive, registry,
};
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::bundle::read::BundleReader;
use crate::engine::directory;
use crate::engine::error::{FileError, Result};
use crate::engine::files::{Files, Held};
use crate::engine::registry::RegistryOptions;
use crate::engine::storage::change::{ConfMode, FileChange};

/// The options with every target that was written with `http://`.
pub(super) fn reached(spec: &ImportSpec) -> RegistryOptions {
    let mut options = spec.registry.clone();
    let plain = spec.targets.iter().filter_map(|target| match target {
        Target::Registry(registry) if registry.plain_http => Some(registry.host.clone()),
        _ => None,
    });
    options.plain_http.extend(plain);
    options
}

/// Says what would become of each image, in order. The target is asked of those alone that could be read.
pub(super) async fn plan(job: &Job, target: &Target, images: &Arc<Vec<ImageGraph>>) -> Result<Plan> {
    let sound = sound(images);
    let mut plan = match sound.is_empty() && !images.is_empty() {
        true => Plan::default(),
        false => plan_sound(job, target, &sound).await?,
    };
    let mut planned = std::mem::take(&mut plan.images).into_iter();
    let all = images.iter().filter_map(|image| match image.damage() {
        Some(damage) => Some(Planned::Refused(job.refused(&damage))),
        None => planned.next(),
    });
    plan.images = all.collect();
    Ok(plan)
}

/// The images that could be read.
fn sound(images: &Arc<Vec<ImageGraph>>) -> Arc<Vec<ImageGraph>> {
    match images.iter().any(|image| image.damaged.is_some()) {
        true => Arc::new(images.iter().filter(|image| image.damaged.is_none()).cloned().collect()),
        false => Arc::clone(images),
    }
}

async fn plan_sound(job: &Job, target: &Target, images: &Arc<Vec<ImageGraph>>) -> Result<Plan> {
    let (job, images) = (job.clone(), Arc::clone(images));
    let (directory, files) = (written_to(target), Arc::clone(&job.ctx.files));
    let plan: Plan = match target.clone() {
        Target::Registry(registry) => Box::pin(registry::plan(&job, &registry, &images)).await?.into(),
        Target::Layout(dir) => blocking(move || layout::plan(&job, &dir, &images)).await?.into(),
        Target::OciArchive(file) => blocking(move || oci_archive::plan(&job, &file, &images)).await?.into(),
        Target::DockerArchive(file) => {
            blocking(move || docker_archive::plan(&job, &file, &images)).await?.into()
        }
        Target::K3s(dir) => {
            let (own, into, all) = (job.clone(), dir.clone(), Arc::clone(&images));
            let mut plan = blocking(move || k3s::plan(&own, &into, &all)).await?;
            if job.spec.dry_run {
                Box::pin(k3s::ask::foresee(&job, &dir, &images, &mut plan)).await?;
            }
            plan
        }
        Target::ContainersStorage(dir) => {
            Box::pin(containers_storage::plan(&job, dir.as_deref(), &images)).await?
        }
        Target::Containerd(node) => Box::pin(containerd::plan(&job, &node, &images)).await?,
    };
    if let Some(directory) = directory.filter(|_| brings(&plan.images)) {
        blocking(move || Ok(refuse_closed(&*files, &directory)?)).await?;
    }
    Ok(plan)
}

/// The directory that has to be written to for a target; nothing where that is another's to say.
fn written_to(target: &Target) -> Option<PathBuf> {
    match target {
        Target::Layout(dir) | Target::K3s(dir) => Some(dir.clone()),
        Target::OciArchive(file) | Target::DockerArchive(file) => Some(directory::above(file).to_owned()),
        Target::Registry(_) | Target::Containerd(_) | Target::ContainersStorage(_) => None,
    }
}

/// Whether anything is to be written at all.
fn brings(plan: &[Planned]) -> bool {
    plan.iter().any(|one| matches!(one, Planned::Add | Planned::Replace { .. }))
}

/// Fails where a directory cannot be written to, or not be made in the nearest one above it: with the words of the run
/// that would try. Blocks.
///
/// # Errors
/// As the kernel would refuse it.
pub(super) fn refuse_closed(files: &dyn Files, directory: &Path) -> std::result::Result<(), FileError> {
    let there = existing_part(directory);
    let Err(FileError { source, .. }) = files.writable(&there) else { return Ok(()) };
    let is_there = directory.canonicalize().is_ok_and(|real| real == there);
    let operation = if is_there { "write into" } else { "create directory" };
    Err(FileError { operation, path: directory.to_owned(), source })
}

/// Whether something is to be changed there that can be taken back, and so is noted before.
pub(super) fn is_noted(job: &Job, target: &Target, plan: &[Planned]) -> bool {
    match target {
        Target::Containerd(_) | Target::K3s(_) | Target::ContainersStorage(None) => brings(plan),
        Target::ContainersStorage(Some(_)) => job.spec.node.storage_conf == ConfMode::Edit,
        _ => false,
    }
}

/// Writes what was planned, of the images that could be read.
pub(super) async fn apply(
    job: Job,
    target: &Target,
    images: Arc<Vec<ImageGraph>>,
    plan: Vec<Planned>,
) -> Result<Written> {
    let sound = sound(&images);
    let wanted = images.iter().zip(&plan).filter(|(image, _)| image.damaged.is_none());
    let wanted: Vec<Planned> = wanted.map(|(_, planned)| planned.clone()).collect();
    let mut written = match sound.is_empty() && !images.is_empty() {
        true => Written::default(),
        false => apply_sound(job, target, sound, wanted).await?,
    };
    let (outcomes, notes) = (std::mem::take(&mut written.outcomes), std::mem::take(&mut written.notes));
    let mut done = outcomes.into_iter().zip(notes);
    let all = images.iter().zip(&plan).filter_map(|(image, planned)| match image.damaged {
        Some(_) => Some((planned.refused()?, Vec::new())),
        None => done.next(),
    });
    (written.outcomes, written.notes) = all.unzip();
    Ok(written)
}

async fn apply_sound(
    job: Job,
    target: &Target,
    images: Arc<Vec<ImageGraph>>,
    plan: Vec<Planned>,
) -> Result<Written> {
    match target.clone() {
        Target::Registry(registry) => Box::pin(registry::apply(&job, &registry, &images, &plan)).await,
        Target::Layout(dir) => blocking(move || layout::apply(&job, &dir, &images, &plan)).await,
        Target::OciArchive(file) => blocking(move || oci_archive::apply(&job, &file, &images, &plan)).await,
        Target::DockerArchive(file) => {
            blocking(move || docker_archive::apply(&job, &file, &images, &plan)).await
        }
        Target::K3s(dir) => Box::pin(k3s::apply(job, &dir, images, plan)).await,
        Target::ContainersStorage(dir) => {
            // Another program reads the medium for it: nobody is to wait for this target's place at a blob.
            let mut job = job;
            drop(job.seat.take());
            Box::pin(containers_storage::apply(&job, dir.as_deref(), &images, &plan)).await
        }
        Target::Containerd(node) => Box::pin(containerd::apply(&job, &node, &images, &plan)).await,
    }
}

/// The files of the node that would be changed with a target, and what the operator should know of that.
pub(super) async fn files(job: &Job, target: &Target) -> Result<(Vec<FileChange>, Vec<String>)> {
    match target {
        Target::ContainersStorage(Some(dir)) => containers_storage::changes(job, dir).await,
        _ => Ok((Vec::new(), Vec::new())),
    }
}

/// How what was added to a target is removed, where undo leaves it in place; of the node of a root directory, if any.
pub(super) fn lasting(target: &Target, root: Option<&Path>) -> Option<String> {
    let way = match target {
        Target::ContainersStorage(Some(dir)) => by_hand(root, dir),
        Target::Registry(registry) => {
            format!(
                "skopeo delete docker://{}/REPOSITORY:TAG takes a name away, where the registry lets it",
                registry.host
            )
        }
        Target::Layout(dir) => {
            format!("where nothing else was put into {}, delete that directory", dir.display())
        }
        _ => return None,
    };
    Some(format!("airlift undo leaves what was added here in place; to remove it by hand: {way}"))
}

/// What became of each image there.
pub(super) fn report(
    target: &Target,
    images: &[ImageGraph],
    written: Written,
    spec: &ImportSpec,
) -> TargetReport {
    let rows = images.iter().zip(written.outcomes).zip(written.notes);
    let rows = rows.map(|((image, outcome), notes)| ImageReport {
        reference: image.image.reference.clone(),
        digest: image.image.digest.clone(),
        name: name_in(target, image),
        outcome,
        notes,
    });
    let images: Vec<ImageReport> = rows.collect();
    let mut facts = written.facts;
    if !spec.dry_run && images.iter().any(|image| image.outcome.brought()) {
        facts.extend(lasting(target, spec.node.root_apart().as_deref()));
    }
    TargetReport {
        target: target.clone(),
        images,
        bytes_written: written.written,
        bytes_present: written.present,
        bytes_unpacked: written.unpacked,
        bytes_free: written.free,
        notes: written.general,
        facts,
        changes: written.changes,
        files: written.files,
        proof: written.proof,
    }
}

/// What an image is called in a target; nothing where the target has no name for it.
pub(super) fn name_in(target: &Target, image: &ImageGraph) -> Option<String> {
    let reference = &image.image.reference;
    match target {
        Target::Registry(registry) => {
            let repository = registry.repository(reference);
            let selector = match reference.tag() {
                Some(tag) => format!(":{tag}"),
                None => format!("@{}", image.image.digest),
            };
            Some(format!("{}/{repository}{selector}", registry.host))
        }
        Target::Layout(_) | Target::OciArchive(_) | Target::ContainersStorage(_) => {
            Some(reference.to_string())
        }
        Target::Containerd(_) | Target::K3s(_) => Some(containerd_name(&image.image)),
        Target::DockerArchive(_) => reference.tag().map(|tag| format!("{}:{tag}", reference.name())),
    }
}

/// The directories that a run has for itself.
#[derive(Default)]
pub(super) struct Holding {
    locks: Vec<Held>,
    /// Those that were not there before, inner ones first.
    made: Vec<PathBuf>,
}

impl Holding {
    /// Takes away again what was made and is empty, so that a run that wrote nothing leaves nothing.
    pub(super) fn end(self, files: &dyn Files) -> Result<()> {
        directory::remove_empty(files, &self.made)?;
        drop(self.locks);
        Ok(())
    }
}

/// Makes the directories that targets write in and holds each against other runs, once for all that share it.
///
/// # Errors
/// [`ImportError::Locked`] where another run has one, or one target is given in two spellings.
pub(super) fn hold(files: &dyn Files, targets: &[Target]) -> Result<Holding> {
    let mut holding = Holding::default();
    match hold_each(files, targets, &mut holding) {
        Ok(()) => Ok(holding),
        Err(error) => {
            // It is this error that counts, whatever becomes of the directories.
            let _ = holding.end(files);
            Err(error)
        }
    }
}

fn hold_each(files: &dyn Files, targets: &[Target], holding: &mut Holding) -> Result<()> {
    let (mut directories, mut places) = (HashSet::new(), HashSet::new());
    for target in targets {
        let (directory, made, name) = match target {
            // A runtime's own locks do; the store holds its own, which may be one that only storage.conf names.
            Target::Registry(_) | Target::Containerd(_) | Target::ContainersStorage(_) => continue,
            Target::Layout(dir) => (dir.as_path(), dir.join("blobs"), None),
            Target::K3s(dir) => (dir.as_path(), dir.clone(), None),
            Target::OciArchive(file) | Target::DockerArchive(file) => {
                let directory = directory::above(file);
                (directory, directory.to_owned(), file.file_name())
            }
        };
        let locked = || ImportError::Locked { path: directory.to_owned() };
        holding.made.splice(..0, directory::missing(files, &made)?);
        directory::create(files, &made)?;
        let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        if !places.insert((real.clone(), name.map(OsStr::to_owned))) {
            return Err(locked().into());
        }
        if directories.insert(real) {
            holding.locks.push(directory::hold(files, directory)?.ok_or_else(locked)?);
        }
    }
    Ok(())
}

/// The bundle is never written to, not even beside its own files.
pub(super) fn refuse_inside(bundle: &BundleReader, target: &Target) -> Result<()> {
    let (Target::Layout(path)
    | Target::OciArchive(path)
    | Target::DockerArchive(path)
    | Target::K3s(path)
    | Target::ContainersStorage(Some(path))) = target
    else {
        return Ok(());
    };
    let root = bundle.root().canonicalize().unwrap_or_else(|_| bundle.root().to_owned());
    if existing_part(path).starts_with(&root) {
        return Err(ImportError::InsideBundle { path: path.clone(), bundle: bundle.root().to_owned() }.into());
    }
    Ok(())
}

/// The nearest directory above `path` (or itself) that exists, without links.
pub(super) fn existing_part(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let found = absolute.ancestors().find_map(|above| above.canonicalize().ok());
    found.unwrap_or(absolute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::files::RealFiles;

    #[test]
    fn directories_that_could_not_all_be_held_are_taken_away_again_where_this_run_made_them() {
        let root = tempfile::tempdir().unwrap();
        let (first, there) = (root.path().join("a/layout"), root.path().join("there"));
        std::fs::create_dir(&there).unwrap();
        std::os::unix::fs::symlink(&there, root.path().join("again")).unwrap();
        let targets = [&first, &there, &root.path().join("again")].map(|dir| Target::Layout(dir.clone()));
        let error = hold(&RealFiles, &targets).map(|_| ()).unwrap_err();
        assert!(error.message().contains("again"), "{}", error.message());
        assert!(!root.path().join("a").exists(), "nothing of it is left");
        assert!(there.exists(), "and what was there stays");
        assert_eq!(std::fs::read_dir(&there).unwrap().count(), 0);
    }
}
