//! Why nothing is taken back, and which run may be meant instead.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::domain::import::Target;
use crate::domain::shell::shell_words;
use crate::engine::error::{Explain, Kind};
use crate::engine::import::changes::{Ended, NotedRun, NotedTarget};
use crate::engine::storage::conf::below;

/// Why nothing can be taken back.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The file is no report of an import.
    #[error("{} is no report of an import: {reason}", path.display())]
    NoReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No run was noted.
    #[error("no import that changed a runtime is noted in {}", state.display())]
    Unnoted {
        /// The directory of history.
        state: PathBuf,
    },
    /// No run changed anything that can be taken back.
    #[error("no run that is noted left anything that undo takes back; the last {}: the {}", came(last), last.words())]
    Idle {
        /// The last run.
        last: Box<NotedRun>,
        /// Whether it is root who asks.
        root: bool,
    },
    /// No file of the node names a store that is to be taken out of them.
    #[error("no file of this node names the store {}: nothing was changed", store.display())]
    NoStore {
        /// The store.
        store: PathBuf,
        /// Those that `storage.conf` names.
        named: Vec<PathBuf>,
    },
    /// The last run left nothing, or was taken back; only an older one left something, which nobody named.
    #[error("the last import {}: the {}", came(last), last.words())]
    Older {
        /// The last run.
        last: Box<NotedRun>,
        /// Those between it and the older one, which left nothing either, by number.
        between: String,
        /// The older one.
        run: Box<NotedRun>,
    },
    /// The run is still at work.
    #[error("an import is running right now: the {}", run.begun.which(&run.targets))]
    Running {
        /// Which.
        run: Box<NotedRun>,
    },
    /// The run was taken back before.
    #[error("that run was undone at {}: the {run}", at.strftime("%F %R UTC"))]
    Undone {
        /// Which.
        run: String,
        /// When.
        at: Timestamp,
    },
    /// What the run changed was taken back otherwise.
    #[error("what the {run} changed is gone already: nothing is left to take back")]
    Gone {
        /// Which.
        run: String,
    },
    /// What the last run noted cannot be read.
    #[error("what the last run noted in {} cannot be read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The last run that can be read and changed something, if there is one.
        before: Option<Box<NotedRun>>,
    },
    /// A report does not tell all that its run noted.
    #[error("the report {} does not tell what can be taken back of {target}", path.display())]
    Unreported {
        /// The report.
        path: PathBuf,
        /// The first such target.
        target: Target,
        /// The run that it seems to be of, where that is noted.
        run: Option<Box<NotedRun>>,
    },
    /// The report has no changes.
    #[error("{} tells of nothing that can be taken back", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
}

impl Explain for UndoError {
    fn kind(&self) -> Kind {
        match self {
            Self::Damaged { .. } => Kind::Integrity,
            Self::Running { .. } => Kind::Locked,
            _ => Kind::Usage,
        }
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Idle { last, root } => return idle(last, *root),
            Self::NoStore { named, .. } => {
                let named: Vec<String> = named.iter().map(|store| store.display().to_string()).collect();
                return vec![match named.is_empty() {
                    true => "storage.conf names no additional store".to_owned(),
                    false => format!("storage.conf names these: {}", named.join(", ")),
                }];
            }
            Self::Older { between, run, .. } => return older(between, run),
            Self::Running { run } => {
                let once = format!("once it has ended, {} takes back what it changed", run.undo_command());
                return vec!["nothing was changed: wait for it, or stop it where it runs".to_owned(), once];
            }
            Self::Undone { .. } | Self::Gone { .. } => {
                "nothing was changed; airlift undo --list names the runs that can be taken back"
            }
            Self::NoReport { .. } => {
                "give a file that airlift undo --list names, or what airlift import --json printed, kept in a file"
            }
            Self::Unnoted { .. } => {
                "each run is noted by the user who runs it: give the --state of the import, or what airlift import --json \
                 printed, kept in a file"
            }
            Self::Damaged { path, before } => {
                let before = before.iter().map(|run| {
                    format!("the {}, before it, is taken back by: {}", run.words(), run.undo_command())
                });
                let path = path.display().to_string();
                let renamed = shell_words(&["mv".to_owned(), path.clone(), format!("{path}.damaged")]);
                let gone = format!("the run before it is the last, once this one is renamed: {renamed}");
                let nothing = "nothing was changed".to_owned();
                return std::iter::once(nothing).chain(before).chain([gone]).collect();
            }
            Self::Unreported { run, .. } => {
                let way = match run {
                    Some(run) => format!(
                        "nothing was changed; what that run noted takes it back: {}",
                        run.undo_command()
                    ),
                    None => {
                        "nothing was changed; airlift undo --list names what runs noted: give one of these"
                            .to_owned()
                    }
                };
                return vec![way];
            }
            Self::Nothing { .. } => COVERED,
        };
        vec![hint.to_owned()]
    }
}

/// What can be taken back.
const COVERED: &str = "names in containerd, images in the node's own store, archives of k3s and RKE2 and files of the node \
                       can be taken back; registries, layouts, archives and additional stores keep what was added";

/// Why there is nothing; what a run left in a store is root's to remove.
fn idle(last: &NotedRun, root: bool) -> Vec<String> {
    let whole = last.begun.ended == Some(Ended::Whole);
    let left = |target: &Target| {
        whole || last.begun.left.iter().any(|left| left.target == *target && left.there > 0)
    };
    let stores = last.begun.into.iter().filter(|target| root && left(target));
    let stores = stores.filter_map(|target| match target {
        Target::ContainersStorage(Some(directory)) => Some(by_hand(last.begun.root.as_deref(), directory)),
        _ => None,
    });
    let nothing = "nothing was changed".to_owned();
    let others = "these are the runs of this user alone; what root imported, root takes back: run it as root";
    let others = (!root).then(|| others.to_owned());
    std::iter::once(COVERED.to_owned()).chain(stores).chain(others).chain([nothing]).collect()
}

/// What came of a run of which nothing is left.
fn came(last: &NotedRun) -> String {
    match last.begun.undone() {
        Some(at) => format!("was undone at {}", at.strftime("%F %R UTC")),
        None => "left nothing to take back".to_owned(),
    }
}

/// Which run it may be, and how that is said.
fn older(between: &str, run: &NotedRun) -> Vec<String> {
    let brought: Vec<String> = run.targets.iter().map(NotedTarget::words).collect();
    let between =
        (!between.is_empty()).then(|| format!("the imports before it left nothing either: {between}"));
    let which = format!(
        "the last that left something is run {}, the {}: {}",
        run.id(),
        run.words(),
        brought.join(", ")
    );
    let (claimed, then) = (run.claimed(), if run.claimed().is_some() { "after that, " } else { "" });
    let way = format!(
        "nothing was changed; {then}to take back that older import: {}; with --dry-run it says first what would go",
        run.undo_command()
    );
    between.into_iter().chain([which]).chain(claimed).chain([way]).collect()
}

/// How images are taken out of an additional store by hand, of the node of a root directory, if any.
pub(in crate::engine::import) fn by_hand(root: Option<&Path>, directory: &Path) -> String {
    let directory = root.map_or_else(|| directory.to_owned(), |root| below(root, directory));
    let root = shell_words(&["--root".to_owned(), directory.display().to_string()]);
    format!("where no container uses it, an image leaves that store with: podman {root} rmi NAME")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_in_a_store_is_told_to_root_and_only_where_it_was_brought() {
        let begun = |more: &str| {
            let text = format!(
                "{{\"format\":\"airlift-changes/1\",\"begun\":\"2026-01-01T00:00:00Z\",\"bundle\":\"a-1\",\
                 \"into\":[\"containers-storage:/x\"]{more}}}"
            );
            NotedRun::idle("/s/imports/000001.jsonl".into(), serde_json::from_str(&text).unwrap())
        };
        let left = |there| {
            format!(
                ",\"ended\":\"failed\",\"left\":[{{\"target\":\"containers-storage:/x\",\"there\":{there},\"all\":2}}]"
            )
        };
        for (more, root, told) in [
            (",\"ended\":\"whole\"".to_owned(), true, true),
            (left(1), true, true),
            (left(0), true, false),
            (String::new(), true, false),
            (",\"ended\":\"whole\"".to_owned(), false, false),
        ] {
            let hints = UndoError::Idle { last: Box::new(begun(&more)), root }.hints().join("\n");
            assert_eq!(hints.contains("rmi NAME"), told, "{more}: {hints}");
            assert_eq!(hints.contains("run it as root"), !root, "{more}: {hints}");
        }
    }

    #[test]
    fn what_is_typed_for_the_store_of_another_root_names_the_store_below_it() {
        let store = Path::new("/var/images");
        assert!(by_hand(None, store).ends_with("podman --root /var/images rmi NAME"));
        let words = by_hand(Some(Path::new("/srv/a node")), store);
        assert!(words.ends_with("podman --root '/srv/a node/var/images' rmi NAME"), "{words}");
    }
}
