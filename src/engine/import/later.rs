//! What later runs changed again or count on: that is theirs by now, and an earlier run that is taken back leaves it.

use std::path::Path;

use super::changes::{Holder, Made, NotedRun, read_run};
use super::containerd::names::Change;
use super::containers_storage::undo::StoreChange;
use super::k3s::undo::ArchiveChange;
use crate::domain::import::Target;
use crate::engine::files::Files;
use crate::engine::stays::Stays;
use crate::engine::storage::change::FileChange;

/// What of a run's changes later runs have made as well, or count on.
#[derive(Debug, Default)]
pub(super) struct Later {
    /// Each with why it stays, behind the name.
    marks: Vec<(Target, String, String)>,
    /// What they did to archives.
    archives: Vec<ArchiveChange>,
}

impl Later {
    /// Looks through the runs, the latest first, down to the one that is meant: its own file, or the first that made all
    /// these changes; all runs where it is none of them. Blocks.
    pub(super) fn of(files: &dyn Files, runs: &[NotedRun], file: &Path, made: &[Made]) -> Self {
        let real = |path: &Path| path.canonicalize().ok();
        let read = |run: &NotedRun| read_run(files, &run.file).map(|(_, made)| made).unwrap_or_default();
        let all: Vec<(&NotedRun, Vec<Made>)> = runs.iter().map(|run| (run, read(run))).collect();
        let has = |noted: &[Made], one: &Made| {
            let noted = noted.iter().find(|noted| noted.target == one.target);
            let named = |change| noted.is_some_and(|noted| noted.changes.contains(change));
            let filed =
                |file: &FileChange| noted.is_some_and(|noted| noted.files.iter().any(|own| own.is(file)));
            one.changes.iter().all(named) && one.files.iter().all(filed)
        };
        let own = all.iter().position(|(run, _)| run.file == file || real(&run.file) == real(file));
        let same = || all.iter().rposition(|(_, noted)| made.iter().all(|one| has(noted, one)));
        let meant = own.or_else(same);
        let earlier = meant.map(|at| &all[at].0.begun);
        let later = &all[..meant.unwrap_or(all.len())];
        // What a run changed weighs more than what another one counts on.
        let changed = later.iter().flat_map(|(run, noted)| {
            let words = format!(" is of a later run: {} takes that back", run.undo_command());
            noted.iter().flat_map(move |one| of(one, one.marks(), words.clone()))
        });
        let holds = |(run, noted): &&(&NotedRun, Vec<Made>)| {
            let holder = Holder::of(&run.begun, noted);
            earlier.map_or_else(|| holder.counts(), |earlier| holder.holds(earlier))
        };
        let wanted = later.iter().filter(holds).flat_map(|(run, noted)| {
            let words = format!(
                " is wanted by a later run too, the {}: {} takes that one back first",
                run.words(),
                run.undo_command()
            );
            noted.iter().flat_map(move |one| of(one, one.wanted.iter().cloned(), words.clone()))
        });
        let archives = later.iter().flat_map(|(_, noted)| noted).flat_map(|one| one.archives.clone());
        Self { archives: archives.collect(), marks: changed.chain(wanted).collect() }
    }

    /// Why something of a target is a later run's by now, if it is.
    fn whose(&self, target: &Target, name: &str) -> Option<Stays> {
        let (_, _, words) = self.marks.iter().find(|(one, mark, _)| one == target && mark == name)?;
        Some(Stays::new([name.to_owned()], format!("{name}{words}")))
    }

    /// Parts the files of the node that name an additional store likewise: those of a store that is wanted stay all.
    pub(super) fn part_files(
        &self,
        target: &Target,
        files: Vec<FileChange>,
    ) -> (Vec<Stays>, Vec<FileChange>) {
        let Target::ContainersStorage(Some(store)) = target else { return (Vec::new(), files) };
        let Some(reason) = self.whose(target, &store.display().to_string()) else {
            return (Vec::new(), files);
        };
        let mut stay: Vec<Stays> = Vec::new();
        for file in files {
            let path = file.path.display().to_string();
            let words = format!("{path}: the store {}", reason.words());
            stay.push(Stays::new([path], words));
        }
        stay.dedup();
        (stay, Vec::new())
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

    /// Parts the archives of a target likewise; one that the run only began, and a later one made, is not its own.
    pub(super) fn part_archives(
        &self,
        target: &Target,
        archives: Vec<ArchiveChange>,
    ) -> (Vec<Stays>, Vec<ArchiveChange>) {
        let mut stay: Vec<Stays> = Vec::new();
        let mut back = Vec::new();
        for archive in archives.into_iter().filter(|archive| !archive.is_over(&self.archives)) {
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

/// Names or paths of a target, each with why it stays.
fn of(
    made: &Made,
    marks: impl Iterator<Item = String>,
    words: String,
) -> impl Iterator<Item = (Target, String, String)> {
    marks.map(move |mark| (made.target.clone(), mark, words.clone()))
}
