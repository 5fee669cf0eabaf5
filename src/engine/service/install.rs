//! Installs the service: everything is checked first, each piece is written whole, and what was there before is kept.

use std::path::{Path, PathBuf};

use super::error::ServiceError;
use super::pieces::{self, Content, Piece, failed};
use super::record::{Ours, Record};
use super::{Done, InstallSpec, Root, ServiceReport, Step, checks, systemd};
use crate::domain::progress::Event;
use crate::domain::service::{
    self, CONFIGURATION, LINK, LINK_TO, RECORD, TRUST, UNIT, UNIT_FILE, Unit, UnitError,
};
use crate::engine::blocking::blocking;
use crate::engine::bundle::contents::running_program;
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::ctx::JobCtx;
use crate::engine::directory;
use crate::engine::error::Result;
use crate::engine::serve::clients::Clients;
use crate::engine::serve::open_bundles;
use crate::engine::serve::tls::{TlsFiles, acceptor};

/// Verifies the bundles, writes the service and, where systemd runs the node, starts it and waits until it answers.
///
/// # Errors
/// [`ServiceError`], those of verification, a file's.
pub async fn install(spec: InstallSpec, ctx: &JobCtx) -> Result<ServiceReport> {
    let root = Root::new(spec.root.as_deref());
    let (there, tls) =
        (root.clone(), spec.tls.clone().map_or_else(Vec::new, |(chain, key)| vec![chain, key]));
    let given = [spec.bundles.clone(), tls].concat();
    blocking(move || {
        there.check()?;
        Ok(given.iter().try_for_each(|path| there.refuse_of_node(path))?)
    })
    .await?;
    let unit = unit(&spec, &root)?;
    let text = unit.render().map_err(|error| outside(error, &spec, &root))?;
    // All that the service itself will do before it answers.
    let verifications = spec.bundles.iter().map(|bundle| verification(&spec, bundle)).collect();
    let catalog = open_bundles(verifications, ctx).await?;
    catalog.conflicts().iter().for_each(|conflict| ctx.warn(conflict));
    if let Some((certificate, key)) = spec.tls.clone() {
        acceptor(&TlsFiles { certificate, key })?;
    }
    let live = systemd::runs(&root);
    if root.is_here() && !(live && systemd::is_active(ctx).await) {
        checks::free(spec.listen)?;
    }
    let (job, node, files) = (spec.clone(), root.clone(), ctx.clone());
    let work = move || {
        [unit.program.as_path(), Path::new(TRUST)]
            .iter()
            .try_for_each(|path| checks::reached(&node, path))?;
        let notes = checks::all(&job, &node, &files)?;
        let steps = write(&job, &node, pieces(&job, &unit.program, text)?, &files)?;
        Ok((notes, steps))
    };
    let (notes, steps) = blocking(work).await?;
    let clients = Some(Clients::of(&catalog, spec.listen, spec.tls.is_some()));
    let mut report = ServiceReport {
        dry_run: spec.dry_run,
        unit: UNIT,
        steps,
        notes,
        clients,
        ..ServiceReport::default()
    };
    let commands: [&[&str]; 2] = [&["daemon-reload"], &["restart", UNIT]];
    if live && !spec.dry_run {
        let text = "starting it: it verifies every byte once more before it answers".to_owned();
        ctx.say(Event::Note { text });
        for words in commands {
            report.ran.push(systemd::systemctl(words, ctx).await?);
        }
        report.url = Some(systemd::answers(spec.listen, spec.tls.is_some()).await?);
    } else if root.is_here() {
        report.next = commands.iter().map(|words| format!("systemctl {}", words.join(" "))).collect();
    } else {
        report.notes.push("the node starts it at its next boot".to_owned());
    }
    Ok(report)
}

/// That a bundle is not seen by the service, which is for another reason where it is not of the node's root.
fn outside(error: UnitError, spec: &InstallSpec, root: &Root) -> ServiceError {
    match (error, &root.0) {
        (UnitError::Hidden { path, hidden }, Some(root)) if spec.bundles.contains(&path) => {
            ServiceError::Outside { path, root: root.clone(), hidden }
        }
        (error, _) => error.into(),
    }
}

fn verification(spec: &InstallSpec, bundle: &Path) -> VerifySpec {
    VerifySpec {
        path: bundle.to_owned(),
        trust: spec.trust.clone(),
        min_signatures: spec.min_signatures,
        state: spec.state.clone(),
        deep: false,
        allow_rollback: crate::domain::trust::AllowRollback::No,
        bytes: Bytes::All,
        record: false,
    }
}

fn unit(spec: &InstallSpec, root: &Root) -> Result<Unit> {
    let directory = program_directory(root)?;
    Ok(Unit {
        program: Path::new(directory).join("airlift"),
        bundles: spec.bundles.iter().map(|bundle| root.of_node(bundle)).collect(),
        min_signatures: spec.min_signatures,
        listen: spec.listen,
        tls: spec.tls.as_ref().map(|(certificate, key)| (root.of_node(certificate), root.of_node(key))),
    })
}

/// The first directory whose file system can be written to; on some systems that of /usr cannot.
fn program_directory(root: &Root) -> Result<&'static str> {
    let writable = |directory: &&&str| {
        let real = root.real(Path::new(directory));
        let there = real.ancestors().find(|path| path.is_dir()).unwrap_or(&real);
        let flags = rustix::fs::statvfs(there).map(|stat| stat.f_flag);
        flags.is_ok_and(|flags| !flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    };
    let tried = || service::PROGRAM_DIRECTORIES.map(str::to_owned).to_vec();
    let found = service::PROGRAM_DIRECTORIES.iter().find(writable);
    found.copied().ok_or_else(|| ServiceError::NoDirectory { tried: tried() }.into())
}

fn pieces(spec: &InstallSpec, program: &Path, unit: String) -> Result<Vec<Piece>> {
    let own = running_program().and_then(std::fs::read).map_err(checks::own_program)?;
    let trust = std::fs::read(&spec.trust).map_err(failed("read", &spec.trust))?;
    let file =
        |path: &Path, bytes, mode| Piece { path: path.to_owned(), content: Content::File(bytes, mode) };
    let link = Piece { path: PathBuf::from(LINK), content: Content::Link(PathBuf::from(LINK_TO)) };
    Ok(vec![
        file(program, own, 0o755),
        file(Path::new(TRUST), trust, 0o644),
        file(Path::new(UNIT_FILE), unit.into_bytes(), 0o644),
        link,
    ])
}

/// Writes what is not there yet, or says so. Blocks.
fn write(spec: &InstallSpec, root: &Root, all: Vec<Piece>, ctx: &JobCtx) -> Result<Vec<Step>> {
    let before = Record::read(ctx, root)?;
    let old = before.clone().unwrap_or_else(Record::new);
    let steps = all.iter().map(|piece| pieces::foresee(root, &old, piece)).collect::<Result<Vec<_>>>()?;
    let record = planned(root, &old, &all, &steps);
    let own = match &before {
        None => Done::Written,
        Some(before) if *before == record => Done::There,
        Some(_) => Done::Replaced,
    };
    // In the order in which they are written.
    let said = std::iter::once(Step { path: PathBuf::from(RECORD), done: own });
    let said = said.chain(steps.iter().cloned()).collect();
    if spec.dry_run {
        return Ok(said);
    }
    let configuration = root.real(Path::new(CONFIGURATION));
    directory::create_for_all(&*ctx.files, &configuration)?;
    let locked = || ServiceError::Locked { path: configuration.clone() };
    let _held = directory::hold(&*ctx.files, &configuration)?.ok_or_else(locked)?;
    // First, so that whatever is there of an installation that was cut off can be taken away.
    if before.as_ref() != Some(&record) {
        record.write(ctx, root)?;
    }
    for (piece, step) in all.iter().zip(&steps) {
        ctx.check()?;
        pieces::put(ctx, root, piece, &step.done)?;
    }
    Ok(said)
}

/// The record as it will be: what was there before and is exactly what would be written stays the operator's own.
fn planned(root: &Root, old: &Record, all: &[Piece], steps: &[Step]) -> Record {
    let mut record = old.clone();
    for (piece, step) in all.iter().zip(steps) {
        let earlier = old.of(&piece.path);
        let backup = match &step.done {
            Done::There if earlier.is_none() => continue,
            Done::Kept { backup } => Some(backup.clone()),
            _ => earlier.and_then(|ours| ours.backup.clone()),
        };
        let mut marks = vec![piece.content.mark()];
        let before = earlier.and_then(|ours| ours.marks.first()).filter(|mark| **mark != marks[0]);
        marks.extend(before.cloned());
        record.pieces.retain(|ours| ours.path != piece.path);
        record.pieces.push(Ours { path: piece.path.clone(), marks, backup });
        let missing = piece.path.ancestors().skip(1).filter(|path| !root.real(path).is_dir());
        let mut missing: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        missing.reverse();
        missing.retain(|path| !record.directories.contains(path));
        record.directories.extend(missing);
    }
    record
}
