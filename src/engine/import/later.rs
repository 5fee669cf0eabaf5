//! What later runs changed again: that is theirs by now, and an earlier run that is taken back leaves it.

use std::path::Path;

use super::changes::{Made, NotedRun, read_run};
use super::containerd::names::Change;
use super::containers_storage::undo::StoreChange;
use super::k3s::undo::ArchiveChange;
use crate::domain::import::Target;
use crate::engine::files::Files;
use crate::engine::stays::Stays;

/// What of a run's changes later runs have made as well: those are theirs by now.
#[derive(Debug, Default)]
pub(super) struct Later(Vec<(Target, String, String)>);

impl Later {
    /// Looks through the runs, the latest first, down to the one that is meant: its own file, or the first that made all
    /// these changes; all runs where it is none of them. Blocks.
    pub(super) fn of(files: &dyn Files, runs: &[NotedRun], file: &Path, made: &[Made]) -> Self {
        let real = |path: &Path| path.canonicalize().ok();
        let read = |run: &NotedRun| read_run(files, &run.file).map(|(_, made)| made).unwrap_or_default();
        let all: Vec<(&NotedRun, Vec<Made>)> = runs.iter().map(|run| (run, read(run))).collect();
        let has = |noted: &[Made], one: &Made| {
            let noted = noted.iter().find(|noted| noted.target == one.target);
            one.changes.iter().all(|change| noted.is_some_and(|noted| noted.changes.contains(change)))
        };
        let own = all.iter().position(|(run, _)| run.file == file || real(&run.file) == real(file));
        let same = || all.iter().rposition(|(_, noted)| made.iter().all(|one| has(noted, one)));
        let later = &all[..own.or_else(same).unwrap_or(all.len())];
        let names = later.iter().flat_map(|(run, noted)| {
            let of = |one: &Made| {
                let of_run = |name| (one.target.clone(), name, run.undo_command());
                one.marks().map(of_run).collect::<Vec<_>>()
            };
            noted.iter().flat_map(of)
        });
        Self(names.collect())
    }

    /// Why something of a target is a later run's by now, if it is.
    fn whose(&self, target: &Target, name: &str) -> Option<Stays> {
        let (_, _, run) = self.0.iter().find(|(one, mark, _)| one == target && mark == name)?;
        let words = format!("{name} is of a later run: {run} takes that back");
        Some(Stays::new([name.to_owned()], words))
    }

    /// Parts the images of a store likewise.
    pub(super) fn part_stored(
        &self,
        target: &Target,
        stored: Vec<StoreChange>,
    ) -> (Vec<Stays>, Vec<StoreChange>) {
        let (mut stay, mut back) = (Vec::new(), Vec::new());
        for image in stored {
            match image.names.iter().find_map(|name| self.whose(target, name)) {
                Some(reason) => stay.push(reason),
                None => back.push(image),
            }
        }
        (stay, back)
    }

    /// Parts the archives of a target likewise.
    pub(super) fn part_archives(
        &self,
        target: &Target,
        archives: Vec<ArchiveChange>,
    ) -> (Vec<Stays>, Vec<ArchiveChange>) {
        let mut stay: Vec<Stays> = Vec::new();
        let mut back = Vec::new();
        for archive in archives {
            match self.whose(target, &archive.path.display().to_string()) {
                Some(reason) => stay.push(reason),
                None => back.push(archive),
            }
        }
        stay.dedup();
        (stay, back)
    }

    /// Parts the changes of a target: why some stay, and those that can be taken back.
    pub(super) fn part(&self, target: &Target, changes: Vec<Change>) -> (Vec<Stays>, Vec<Change>) {
        let (mut stay, mut back) = (Vec::new(), Vec::new());
        for change in changes {
            match self.whose(target, &change.name) {
                Some(reason) => stay.push(reason),
                None => back.push(change),
            }
        }
        (stay, back)
    }
}
