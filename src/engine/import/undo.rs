//! Takes back what an import changed in runtimes, from what it noted before or reported after: names that were made go, others point back.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::changes::{self, Later, Made, NotedRun, NotedTarget};
use super::containerd;
use super::containerd::names::UndoReport;
use crate::domain::import::Target;
use crate::engine::blocking::blocking;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{Explain, FileError, Kind, Result};
use crate::engine::files::{Files, open_named, read_whole};
use crate::engine::given;
use crate::engine::storage::change::{self, FilesUndone};

/// What to take back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UndoSpec {
    /// What the run noted, or the report of the import: what `airlift import --json` printed, or its report alone.
    /// Without it, the run that was noted last.
    pub file: Option<PathBuf>,
    /// The directory of history, in which runs are noted.
    pub state: PathBuf,
    /// Whether to list the runs that can be taken back, and change nothing.
    pub list: bool,
    /// Whether to say what would be taken back, and change nothing.
    pub dry_run: bool,
}

/// What was taken back, or would be.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UndoneReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// One per target that had something to take back.
    pub targets: Vec<Undone>,
    /// The runs that can be taken back, the latest first, where a list was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<NotedRun>,
}

/// One target's part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Undone {
    /// The target.
    pub target: Target,
    /// What became of each name.
    #[serde(flatten)]
    pub names: UndoReport,
    /// What became of files of the node.
    pub files: FilesUndone,
}

impl UndoneReport {
    /// Names that stay as they are, each with the reason.
    pub fn kept(&self) -> impl Iterator<Item = &String> {
        self.targets.iter().flat_map(|one| one.names.kept.iter().chain(&one.files.kept))
    }

    /// A line for each name.
    pub fn lines(&self) -> Vec<String> {
        let (removed, restored) =
            if self.dry_run { ("would be removed", "would be as before") } else { ("removed", "as before") };
        let mut lines = Vec::new();
        let was = if self.dry_run { "would be as it was before" } else { "is as it was before" };
        for Undone { target, names, files } in &self.targets {
            lines.push(target.to_string());
            lines.extend(names.removed.iter().map(|name| format!("  {removed}: {name}")));
            lines.extend(names.restored.iter().map(|name| format!("  {restored}: {name}")));
            lines.extend(names.kept.iter().map(|name| format!("  stays: {name}")));
            lines.extend(names.untouched.iter().map(|name| format!("  was not changed: {name}")));
            lines.extend(files.restored.iter().map(|file| format!("  {was}: {file}")));
            lines.extend(files.removed.iter().map(|file| format!("  {removed}: {file}")));
            lines.extend(files.kept.iter().map(|file| format!("  stays: {file}")));
            if !(files.restored.is_empty() && files.removed.is_empty()) {
                lines.push(
                    "  the images stay in the directory; CRI-O reads storage.conf when it starts".to_owned(),
                );
            }
        }
        if !self.targets.is_empty() && self.targets.iter().all(Undone::is_idle) {
            lines.push("nothing is left to take back".to_owned());
        }
        for NotedRun { file, begun, targets } in &self.runs {
            let targets: Vec<String> = targets.iter().map(NotedTarget::words).collect();
            let begun = format!("{}  {}", begun.begun.strftime("%F %R UTC"), begun.bundle);
            lines.push(format!("{}  {begun}  {}", file.display(), targets.join(", ")));
        }
        lines
    }
}

impl Undone {
    /// Whether there was nothing to do, and nothing keeps it from being done.
    const fn is_idle(&self) -> bool {
        let files = &self.files;
        self.names.is_idle() && files.restored.is_empty() && files.removed.is_empty() && files.kept.is_empty()
    }
}

impl NotedTarget {
    /// The target, how many names, and which files.
    fn words(&self) -> String {
        let names = self.made + self.changed;
        let names = (names > 0).then(|| format!("names {names}"));
        let files = self.files.iter().map(|file| file.display().to_string());
        let all: Vec<String> = names.into_iter().chain(files).collect();
        format!("{}: {}", self.target, all.join(", "))
    }
}

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
    /// The report has no changes.
    #[error("{} tells of nothing that can be taken back", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
}

impl Explain for UndoError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoReport { .. } => {
                "give a file that airlift undo --list names, or what airlift import --json printed, kept in a file"
            }
            Self::Unnoted { .. } => {
                "each run is noted by the user who runs it: give the --state of the import, or what airlift import --json \
                 printed, kept in a file"
            }
            Self::Nothing { .. } => {
                "names in containerd and files of the node can be taken back; registries, layouts, archives and stores keep \
                 what was added"
            }
        };
        vec![hint.to_owned()]
    }
}

/// What is read of a report.
#[derive(Deserialize)]
struct Kept {
    targets: Vec<Made>,
}

/// Takes back what the report tells of, target by target.
///
/// # Errors
/// [`UndoError`], a file's, or as a runtime answers.
pub async fn undo(spec: UndoSpec, ctx: &JobCtx) -> Result<UndoneReport> {
    let (files, history) = (ctx.files.clone(), spec.state.clone());
    let runs = blocking(move || changes::runs(&*files, &history)).await?;
    let unnoted = || UndoError::Unnoted { state: spec.state.clone() };
    if spec.list {
        return Ok(UndoneReport { dry_run: spec.dry_run, targets: Vec::new(), runs });
    }
    let file = match spec.file.clone() {
        Some(file) => file,
        None => runs.first().ok_or_else(unnoted)?.file.clone(),
    };
    given::check(&file, "report of an import", "airlift undo --list lists those of this host")?;
    let (files, path) = (ctx.files.clone(), file.clone());
    let kept = blocking(move || read(&*files, &path)).await?;
    let (files, own) = (ctx.files.clone(), file.clone());
    let made = kept.targets.clone();
    let later = blocking(move || Ok(Later::of(&*files, &runs, &own, &made))).await?;
    let mut targets = Vec::new();
    for Made { target, changes, files } in kept.targets {
        ctx.check()?;
        if changes.is_empty() && files.is_empty() {
            continue;
        }
        let names = match &target {
            Target::Containerd(node) if !changes.is_empty() => {
                let (stay, changes) = later.part(&target, changes);
                let mut names = match spec.dry_run {
                    true => containerd::would_undo(node, &changes).await?,
                    false => containerd::undo(node, &changes, ctx).await?,
                };
                names.kept.extend(stay);
                names
            }
            _ => UndoReport::default(),
        };
        let (own, write) = (ctx.files.clone(), !spec.dry_run);
        let files = blocking(move || change::take_back(&*own, &files, write)).await?;
        targets.push(Undone { target, names, files });
    }
    if targets.is_empty() {
        return Err(UndoError::Nothing { path: file }.into());
    }
    if !spec.dry_run {
        let (files, history) = (ctx.files.clone(), spec.state.clone());
        blocking(move || changes::forget(&*files, &history, &file)).await?;
    }
    Ok(UndoneReport { dry_run: spec.dry_run, targets, runs: Vec::new() })
}

/// Reads what a run noted, or a report: one document, or the last line of what `--json` prints, where it is under `report`.
fn read(files: &dyn Files, path: &Path) -> Result<Kept> {
    let open = open_named(files, path)?;
    let bytes = read_whole(open, changes::MOST).map_err(|source| FileError {
        operation: "read",
        path: path.to_owned(),
        source,
    })?;
    parse(&bytes).map_err(|reason| UndoError::NoReport { path: path.to_owned(), reason }.into())
}

fn parse(bytes: &[u8]) -> std::result::Result<Kept, String> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Document {
        Result { report: Kept },
        Report(Kept),
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    if let Some((_, targets)) = changes::parse(text) {
        return Ok(Kept { targets });
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let document = serde_json::from_str::<Document>(text).or_else(|_| serde_json::from_str::<Document>(last));
    match document.map_err(|error| error.to_string())? {
        Document::Result { report } | Document::Report(report) => Ok(report),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;

    fn report(changes: &str) -> String {
        format!(
            "{{\"bundle\":1,\"targets\":[{{\"target\":\"containerd\",\"images\":[],\"changes\":{changes}}},{{\"target\":\"oci:/x\"}}]}}"
        )
    }

    fn change(name: &str) -> String {
        format!("{{\"name\":\"{name}\",\"digest\":\"{}\",\"was\":null}}", Digest::sha256(&[1; 32]))
    }

    #[test]
    fn a_report_is_read_alone_and_as_the_last_line_that_was_printed() {
        let one = report(&format!("[{}]", change("a:1")));
        let printed = format!(
            "{{\"airlift\":1}}\n{{\"event\":\"started\"}}\n{{\"event\":\"result\",\"ok\":true,\"report\":{one}}}\n"
        );
        for text in [one.clone(), printed] {
            let kept = parse(text.as_bytes()).unwrap();
            assert_eq!((kept.targets.len(), kept.targets[0].changes[0].name.as_str()), (2, "a:1"), "{text}");
        }
        for text in ["", "{}", "nginx:1\n", "{\"targets\":[{\"target\":\"ftp:x\"}]}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_report_without_changes_is_told_and_a_dry_run_asks_the_runtime() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("report.json");
        let ctx = JobCtx::silent();
        std::fs::write(&file, report("[]")).unwrap();
        let spec = UndoSpec {
            file: Some(file.clone()),
            state: dir.path().join("state"),
            list: false,
            dry_run: true,
        };
        let error = undo(UndoSpec { file: None, ..spec.clone() }, &ctx).await.unwrap_err();
        assert!(error.message().contains("no import that changed a runtime"), "{error}");
        assert!(undo(UndoSpec { list: true, ..spec.clone() }, &ctx).await.unwrap().lines().is_empty());
        let error = undo(spec.clone(), &ctx).await.unwrap_err();
        assert!(error.message().contains("nothing that can be taken back"), "{error}");
        let socket = dir.path().join("sock");
        let text = report(&format!("[{},{}]", change("a:1"), change("a:2")));
        std::fs::write(
            &file,
            text.replace("\"containerd\"", &format!("\"containerd:{}\"", socket.display())),
        )
        .unwrap();
        let error = undo(spec, &ctx).await.unwrap_err();
        assert!(error.message().contains("there is no socket"), "{error}");
    }
}
