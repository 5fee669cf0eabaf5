//! The import of a verified bundle: where to, which of its images, the plan of it, its run, and what came of all runs together.

mod came;
mod done;
mod offer;
mod ready;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

pub use self::came::Run;
pub use self::done::Done;
pub use self::offer::Offered;
use self::offer::kubelets;
use super::model::Model;
use crate::domain::access::RegistryOptions;
use crate::domain::bundle::{Image, directory};
use crate::domain::import::Target;
use crate::domain::node::NodeFacts;
use crate::domain::platform::Platform;
use crate::domain::progress::Landed;
use crate::domain::reference::Reference;
use crate::domain::sheet::Checked;
use crate::domain::trust::SerialDecision;
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::import::ImportSpec;
use crate::engine::import::changes::{Begun, Choices, Lay, NotedRun};
use crate::engine::import::report::ImportReport;
use crate::engine::spec::ImportJob;
use crate::engine::storage::change::{ConfMode, NodeSpec};
use crate::failure::Failure;

/// All of it.
#[derive(Clone, Debug)]
pub struct Importing {
    /// What this node is; nothing until it was looked at.
    pub node: Option<Arc<NodeFacts>>,
    /// Bytes free where something would be written, by its path.
    free: Vec<(PathBuf, Option<u64>)>,
    /// Targets that were typed.
    typed: Vec<Target>,
    /// Where to.
    pub marked: Vec<Target>,
    /// Whether that was chosen; what a node proposes by itself gives way to it.
    touched: bool,
    /// Which images, by reference; none is all of them.
    pub picked: BTreeSet<String>,
    /// Whether names that are something else's are taken over.
    pub replace: bool,
    /// Whether the others go on when one image fails.
    pub keep_going: bool,
    /// The platform for targets that hold one only.
    pub platform: Option<Platform>,
    /// What is done about `storage.conf`, where a store is among the targets.
    pub storage_conf: ConfMode,
    /// How registries are reached, where an import is gone on with; what it leaves open is as this program is set.
    pub registry: RegistryOptions,
    /// What would become of every image, as far as that was worked out.
    pub plan: Option<Plan>,
    /// The last run, as long as it is about what is chosen now.
    pub run: Option<Run>,
    /// What came of all runs over this bundle.
    pub done: Option<Done>,
    /// The last import of this bundle that was taken back since, in the words and rows of its report.
    pub undone: Option<(String, Vec<Checked>)>,
    /// The runs that can be taken back, the latest first, of whatever bundle and program.
    pub noted: Vec<NotedRun>,
    /// The one of them that is asked about, or being taken back.
    pub undoing: Option<NotedRun>,
    /// An import that ended early, whose targets and choices are chosen when its bundle is gone on with.
    later: Option<Begun>,
    /// The bundle of that one, until Bundle looks for it.
    pub sought: Option<Lay>,
}

/// What an import would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was planned.
    pub job: ImportJob,
    /// What it would do, or why it cannot be told.
    pub outcome: Result<Box<ImportReport>, Failure>,
    /// Where it cannot be told of all targets: what is known of each of them.
    pub foreseen: Vec<Landed>,
    /// What it warned of.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether it cannot be told of this target.
    pub fn is_refused(&self, target: &Target) -> bool {
        self.foreseen.iter().any(|known| known.target == *target && known.reason.is_some())
    }

    /// What is foreseen of the targets that it can be told of, where that is not all of them.
    pub fn others(&self) -> impl Iterator<Item = &Landed> {
        self.foreseen.iter().filter(|known| known.reason.is_none())
    }
}

impl Default for Importing {
    fn default() -> Self {
        Self {
            node: None,
            free: Vec::new(),
            typed: Vec::new(),
            marked: Vec::new(),
            touched: false,
            picked: BTreeSet::new(),
            replace: false,
            keep_going: true,
            platform: None,
            storage_conf: ConfMode::default(),
            registry: RegistryOptions::default(),
            plan: None,
            run: None,
            done: None,
            undone: None,
            noted: Vec::new(),
            undoing: None,
            later: None,
            sought: None,
        }
    }
}

impl Importing {
    /// Another bundle: what was typed is listed, but only what this node has stays chosen; all else is as at first.
    pub fn begin_anew(&mut self) {
        let before = std::mem::take(self);
        let Self { node, free, typed, mut marked, touched, noted, undoing, later, sought, .. } = before;
        marked.retain(|target| !typed.contains(target));
        let touched = touched && !marked.is_empty();
        if let (Some(node), false) = (&node, touched) {
            marked = kubelets(node).into_iter().collect();
        }
        *self = Self { node, free, typed, marked, touched, noted, undoing, later, sought, ..Self::default() };
    }

    /// What was chosen for this run is chosen again once its bundle is to be imported.
    pub fn aim_later(&mut self, run: Begun) {
        self.sought = run.lay().cloned();
        self.later = Some(run);
    }

    /// The bundle of the import that is gone on with, as long as it is not chosen yet what was chosen for that.
    pub fn goes_on_with(&self) -> Option<&str> {
        self.later.as_ref().map(|run| run.bundle.as_str())
    }

    /// The id of that bundle and how its serial stood, where it was let through then in spite of that.
    pub fn let_through(&self) -> Option<(Uuid, &SerialDecision)> {
        let lay = self.later.as_ref()?.lay()?;
        Some((lay.id, lay.let_through.as_ref()?))
    }

    /// The run of this file is not to be gone on with after all: nothing of it is chosen.
    pub fn aim_no_more(&mut self, file: &Path) {
        let begun = self.noted.iter().find(|run| run.file == file).map(|run| &run.begun);
        if begun.is_some() && begun == self.later.as_ref() {
            (self.later, self.sought) = (None, None);
        }
    }

    /// Something that the plan stands on has changed.
    pub fn outdate(&mut self) {
        (self.plan, self.run) = (None, None);
    }

    /// The node was looked at. Until something else is chosen, its kubelet's runtime is where to.
    pub(super) fn found(&mut self, places: &[PathBuf], node: Arc<NodeFacts>, free: &[Option<u64>]) {
        self.free = places.iter().cloned().zip(free.iter().copied()).collect();
        if !self.touched {
            self.marked = kubelets(&node).into_iter().collect();
        }
        self.node = Some(node);
    }

    /// Targets that were typed and cannot be asked.
    pub fn refused(&self) -> impl Iterator<Item = &Target> {
        let refused = |target: &&Target| self.plan.as_ref().is_some_and(|plan| plan.is_refused(target));
        self.typed.iter().filter(refused)
    }

    /// Adds a target that was typed, and chooses it, in the place of those that were typed and refused.
    pub fn add(&mut self, target: Target) {
        let refused: Vec<Target> = self.refused().filter(|refused| **refused != target).cloned().collect();
        for list in [&mut self.typed, &mut self.marked] {
            list.retain(|known| !refused.contains(known));
        }
        if !self.offered().iter().any(|offered| offered.target == target) {
            self.typed.push(target.clone());
        }
        self.touched = true;
        if !self.marked.contains(&target) {
            self.marked.push(target);
        }
    }

    /// Chooses these of what is listed. What was typed and could not be asked is forgotten with that.
    pub fn choose(&mut self, rows: &[usize]) {
        let listed = self.listed();
        self.touched = true;
        self.marked = rows.iter().filter_map(|row| listed.get(*row)).map(|one| one.target.clone()).collect();
        let refused: Vec<Target> = self.refused().cloned().collect();
        let marked = &self.marked;
        self.typed.retain(|target| marked.contains(target) || !refused.contains(target));
    }

    /// The namespace of the first containerd that is chosen.
    pub fn namespace(&self) -> Option<&str> {
        self.marked.iter().find_map(|target| match target {
            Target::Containerd(node) => Some(node.namespace.as_str()),
            _ => None,
        })
    }

    /// Has every containerd that is chosen take the images in this namespace.
    pub fn set_namespace(&mut self, namespace: &str) {
        self.touched = true;
        for target in &mut self.marked {
            if let Target::Containerd(node) = target {
                namespace.clone_into(&mut node.namespace);
            }
        }
    }

    /// The images of a bundle that are to be imported, of those in it.
    pub fn wanted<'a>(&'a self, images: &'a [Image]) -> impl Iterator<Item = &'a Image> {
        images.iter().filter(|image| self.wants(&image.reference))
    }

    /// Whether an image is to be imported.
    pub fn wants(&self, reference: &Reference) -> bool {
        self.picked.is_empty() || self.picked.contains(&reference.to_string())
    }

    /// Whether a run that changed something was one over this bundle, as far as it was imported here.
    pub fn is_of(&self, run: &NotedRun) -> bool {
        self.done.as_ref().is_some_and(|done| run.begun.is_over(done.report.bundle, &done.report.name))
    }

    /// The runs that can be taken back, the latest first: those that changed something, and those that keep others from it.
    pub fn undoable(&self) -> impl Iterator<Item = &NotedRun> {
        let keeps = |run: &NotedRun| self.kept_by(run).next().is_some();
        self.noted.iter().filter(move |run| !run.begun.running && (run.changed_something() || keeps(run)))
    }

    /// The runs of which a later one keeps what they brought, as it counts on that.
    pub fn kept_by(&self, later: &NotedRun) -> impl Iterator<Item = &NotedRun> {
        let id = later.id();
        self.noted.iter().filter(move |run| run.wanted_by.contains(&id))
    }

    /// The run that another process is at.
    pub fn elsewhere(&self) -> Option<&NotedRun> {
        self.noted.iter().find(|run| run.begun.running)
    }

    /// The plan, where it could be made.
    pub fn planned(&self) -> Option<&ImportReport> {
        self.plan.as_ref()?.outcome.as_deref().ok()
    }
}

impl Model {
    /// Chooses what was chosen for the import that is gone on with, where this is its bundle.
    pub fn aim_as_before(&mut self) {
        let Some(said) = self.gap.said() else { return };
        let (bundle, id) = (directory(&said.report.name, said.report.serial), said.report.id);
        let let_through = self.gap.let_through();
        let import = &mut self.gap.import;
        let Some(begun) = import.later.take_if(|begun| begun.is_over(id, &bundle)) else { return };
        self.gap.overridden = let_through;
        import.marked.clear();
        begun.into.into_iter().for_each(|target| import.add(target));
        if let Some(choices) = begun.choices {
            let Choices { only, platform, replace, keep_going, storage_conf, registry, .. } = *choices;
            import.picked = only.iter().map(ToString::to_string).collect();
            (import.platform, import.storage_conf) = (platform, storage_conf);
            (import.replace, import.keep_going) = (replace, keep_going);
            import.registry = registry.unwrap_or_default();
        }
        import.outdate();
    }

    /// The verification that the import begins with: the one that held.
    fn verified_spec(&self) -> Option<VerifySpec> {
        let checked = self.gap.checked.as_ref().filter(|checked| checked.held())?;
        let spec = checked.spec.clone();
        Some(VerifySpec { deep: false, bytes: Bytes::AllButLayers, record: false, ..spec })
    }

    /// The import as it is chosen now, of all images or of those that are picked; nothing without a place to go, nor
    /// while it is not known which images those are.
    pub fn import_job(&self, dry_run: bool) -> Option<ImportJob> {
        let import = &self.gap.import;
        if import.marked.is_empty() {
            return None;
        }
        let only: Vec<Reference> = match import.picked.is_empty() {
            true => Vec::new(),
            false => {
                let images = &self.gap.said()?.report.images;
                import.wanted(images).map(|image| image.reference.clone()).collect()
            }
        };
        // None would be all of them.
        if only.is_empty() && !import.picked.is_empty() {
            return None;
        }
        let store = |target: &Target| matches!(target, Target::ContainersStorage(Some(_)));
        let storage_conf = match import.marked.iter().any(store) {
            true => import.storage_conf,
            false => ConfMode::default(),
        };
        let import = ImportSpec {
            node: Box::new(NodeSpec { storage_conf, ..NodeSpec::default() }),
            only,
            platform: import.platform.clone(),
            replace: import.replace,
            dry_run,
            keep_going: import.keep_going,
            registry: import.registry.clone().or(&self.settings.registry),
            ..ImportSpec::new(import.marked.clone())
        };
        Some(ImportJob { verify: self.verified_spec()?, import })
    }
}
