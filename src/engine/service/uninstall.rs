//! Takes the service away: exactly what was installed and is still as it was; what had been there before comes back.

use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::pieces::{sweep, there};
use super::record::{Ours, Record};
use super::{Done, Root, ServiceReport, Step, UninstallSpec, systemd};
use crate::domain::service::{CONFIGURATION, RECORD, UNIT};
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::{EngineError, Result};

/// Stops the service where systemd runs the node, then removes its files. Bundles stay.
///
/// # Errors
/// [`ServiceError::NotInstalled`], [`ServiceError::Record`], a file's.
pub async fn uninstall(spec: UninstallSpec, ctx: &JobCtx) -> Result<ServiceReport> {
    let root = Root::new(spec.root.as_deref());
    let there = root.clone();
    blocking(move || Ok(there.check()?)).await?;
    let (node, job) = (root.clone(), ctx.clone());
    let record = blocking(move || {
        let record = node.real(Path::new(RECORD));
        Record::read(&job, &node)?.ok_or_else(|| ServiceError::NotInstalled { record }.into())
    })
    .await?;
    let live = systemd::runs(&root) && !spec.dry_run;
    let mut report = ServiceReport { dry_run: spec.dry_run, unit: UNIT, ..ServiceReport::default() };
    if live {
        // One that was never started, or is gone by half, is stopped too.
        let stop = systemd::systemctl(&["stop", UNIT], ctx).await;
        if let Err(error) = &stop
            && let Some(state) = systemd::up(ctx).await?
        {
            return Err(ServiceError::Up { state, said: error.message() }.into());
        }
        settle(stop, &mut report);
        let clean = systemd::systemctl(&["clean", "--what=state", UNIT], ctx).await;
        // Until the files go, a run that is interrupted has changed nothing that the next one needs.
        ctx.check()?;
        settle(clean, &mut report);
    }
    let (node, job) = (root.clone(), ctx.clone());
    report.steps = blocking(move || remove_all(&job, &node, &record, spec.dry_run)).await?;
    for step in report.steps.iter().filter(|step| step.done == Done::Left) {
        report.notes.push(format!("{} was changed since it was installed and stays", step.path.display()));
    }
    if live {
        report.ran.push(systemd::systemctl(&["daemon-reload"], ctx).await?);
    } else if root.is_here() && !spec.dry_run {
        report.next.push("systemctl daemon-reload".to_owned());
    }
    Ok(report)
}

/// A command that may fail without harm is said, either way.
fn settle(ran: std::result::Result<String, EngineError>, report: &mut ServiceReport) {
    match ran {
        Ok(command) => report.ran.push(command),
        Err(error) => report.notes.push(error.message()),
    }
}

/// Removes what is ours, the last piece first. Blocks.
fn remove_all(ctx: &JobCtx, root: &Root, record: &Record, dry_run: bool) -> Result<Vec<Step>> {
    let configuration = root.real(Path::new(CONFIGURATION));
    let locked = || ServiceError::Locked { path: configuration.clone() };
    let _held = directory::hold(&*ctx.files, &configuration)?.ok_or_else(locked)?;
    let mut steps = Vec::new();
    for ours in record.pieces.iter().rev() {
        let done = foresee(root, ours)?;
        if !dry_run {
            remove(ctx, root, ours, &done)?;
        }
        steps.push(Step { path: ours.path.clone(), done });
    }
    steps.push(Step { path: PathBuf::from(RECORD), done: Done::Removed });
    if !dry_run {
        ctx.files.remove(&root.real(Path::new(RECORD)))?;
        let made: Vec<PathBuf> =
            inner_first(&record.directories).iter().map(|made| root.real(made)).collect();
        directory::remove_empty(&*ctx.files, &made)?;
    }
    Ok(steps)
}

fn foresee(root: &Root, ours: &Ours) -> Result<Done> {
    let before = match &ours.backup {
        Some(backup) => there(&root.real(backup))?,
        None => None,
    };
    Ok(match there(&root.real(&ours.path))? {
        // An installation that was cut off had not come to it.
        Some(mark) if before.as_ref() == Some(&mark) => Done::Restored,
        Some(mark) if !ours.marks.contains(&mark) => Done::Left,
        _ if before.is_some() => Done::Restored,
        Some(_) => Done::Removed,
        None => Done::Gone,
    })
}

fn remove(ctx: &JobCtx, root: &Root, ours: &Ours, done: &Done) -> Result<()> {
    let path = root.real(&ours.path);
    sweep(ctx, &path)?;
    match (done, &ours.backup) {
        (Done::Restored, Some(backup)) => {
            let backup = root.real(backup);
            ctx.files.rename(&backup, &path)?;
            // Where both are one file, renaming does nothing.
            ctx.files.remove(&backup)?;
        }
        (Done::Removed, _) => ctx.files.remove(&path)?,
        _ => return Ok(()),
    }
    Ok(ctx.files.sync_dir(directory::above(&path))?)
}

fn inner_first(directories: &[PathBuf]) -> Vec<PathBuf> {
    let configuration = Path::new(CONFIGURATION);
    // One that was cut off may have made these and not said so.
    let own = [Some(configuration), configuration.parent()].into_iter().flatten().map(Path::to_owned);
    let mut sorted: Vec<PathBuf> = directories.iter().cloned().chain(own).collect();
    sorted.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
    sorted.dedup();
    sorted
}
