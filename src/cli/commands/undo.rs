//! `airlift undo [FILE]`: takes back what an import changed in the runtimes of this node and in its files.

use std::path::PathBuf;

use crate::cli::args::given_or;
use crate::cli::pasted::brief;
use crate::cli::printer::Printer;
use crate::domain::job::Places;
use crate::engine::import::undo::{StoreOf, UndoSpec, UndoneReport};
use crate::engine::spec::JobSpec;
use crate::failure::Failure;

/// Take back what an import changed: names of images in runtimes of this node, files of the node
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run by its number in --list or the file that it noted, or what `airlift import --json` printed, kept in a file.
    /// Without it, the last run; where that left nothing, or was undone before, an older one is named and left as it is
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// List the runs that can be taken back, the latest first
    #[arg(long, conflicts_with = "file")]
    list: bool,
    /// Directory in which runs are noted
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Say what would be taken back, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take this additional image store out of storage.conf, whoever entered it; its images stay
    #[arg(long, value_name = "DIR", conflicts_with_all = ["file", "list"])]
    store: Option<PathBuf>,
    /// With --store: root directory of the node, where an image of one is built
    #[arg(long, value_name = "DIR", requires = "store", default_value = "/", hide_default_value = true)]
    root: PathBuf,
}

impl Args {
    /// The job.
    ///
    /// # Errors
    /// There is no home directory to look for what was noted in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let state = given_or(self.state, places, |places| &places.state)?;
        let Self { file, list, dry_run, root, .. } = self;
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let store = self.store.map(|store| Box::new(StoreOf { directory: absolute(store), root }));
        Ok(JobSpec::Undo(UndoSpec { file, state, list, dry_run, store }))
    }
}

/// What became of each name.
pub(super) fn show(report: &UndoneReport, out: &Printer) {
    if report.targets.is_empty() && report.runs.is_empty() && report.unread.is_empty() {
        out.note("no import that changed a runtime is noted here");
    }
    report.lines().into_iter().for_each(|line| out.line(brief(&line)));
    if let Some(run) = report.runs.iter().find(|run| run.changed_something() && !run.begun.running) {
        let (command, directory) =
            (brief(&run.undo_command()), run.file.parent().unwrap_or(&run.file).display());
        out.note(format!(
            "{command} takes {} back, the last that changed something; they are noted in {directory}",
            run.id()
        ));
        run.claimed().into_iter().for_each(|words| out.note(brief(&words)));
    }
}
