//! `airlift import BUNDLE --into TARGET…`: verifies, then writes; what became of each image in each target.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser};

use super::node::Look;
use crate::cli::args::{RegistryArgs, TrustArgs, Work};
use crate::cli::printer::{Align, Printer};
use crate::domain::bundle::incomplete;
use crate::domain::import::Target;
use crate::domain::job::Places;
use crate::domain::platform::Platform;
use crate::domain::reference::Reference;
use crate::domain::shell::shell_words;
use crate::domain::text;
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::error::EngineError;
use crate::engine::import::ImportSpec;
use crate::engine::import::report::{ImportReport, Outcome, TargetReport};
use crate::engine::spec::{ImportJob, JobSpec};
use crate::engine::storage::change::{ConfMode, NodeSpec};
use crate::engine::storage::conf::below;
use crate::failure::Failure;

/// Verify a bundle and import it into containerd, CRI-O/podman, k3s, registries or archives
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The bundle's directory, NAME-SERIAL
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Where to: registry:[http://]HOST[:PORT][/PREFIX] ({host} in PREFIX is the source registry), oci:DIR,
    /// oci-archive:FILE, docker-archive:FILE, k3s[:DIR] (images directory of k3s or, by DIR, RKE2), containers-storage
    /// (the store of CRI-O and podman on this node), containers-storage:DIR (an additional image store),
    /// containerd[:SOCKET[,NAMESPACE]]. Without it, says what this node would take and exits 2, as nothing is imported
    #[arg(long, value_name = "TARGET")]
    into: Vec<String>,
    /// Only this image of the bundle; may be given again
    #[arg(long, value_name = "REF")]
    only: Vec<String>,
    /// The platform for targets that hold one only (docker-archive), or the node's where that is another machine (k3s,
    /// containers-storage)
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Take over names that a target has for something else
    #[arg(long)]
    replace: bool,
    /// Say what would become of each image, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Import the other images when one fails, and exit 3
    #[arg(long)]
    keep_going: bool,
    /// Uploads at once
    #[arg(long, value_name = "N", default_value_t = ImportSpec::JOBS, value_parser = clap::value_parser!(u8).range(1..=32))]
    jobs: u8,
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(in crate::cli) trust: TrustArgs,
}

/// For containers-storage: the node, and how it comes to read the store
#[derive(Debug, clap::Args)]
struct NodeArgs {
    /// What to do about storage.conf for containers-storage:DIR, once images are in it: edit enters DIR, with a backup
    /// and what stands there kept; print imports too, and only shows that change; none leaves it. `airlift undo --store DIR`
    /// takes DIR out again
    #[arg(long, value_name = "HOW", default_value = ConfMode::Edit.name(), value_parser = modes())]
    storage_conf: String,
    /// For containers-storage: root directory of the node, where an image of one is built: stores and /etc are below it
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// Write the change of storage.conf as Butane, Ignition and MachineConfigs into this directory, too
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What an import cannot do with `storage.conf`, and is told apart from what nothing can.
const UNDO: &str = "undo";

fn modes() -> PossibleValuesParser {
    let known = ConfMode::ALL.into_iter().map(|mode| PossibleValue::new(mode.name()));
    PossibleValuesParser::new(known.chain([PossibleValue::new(UNDO).hide(true)]))
}

impl NodeArgs {
    fn spec(self, targets: &[Target]) -> Result<NodeSpec, Failure> {
        let storage_conf = ConfMode::ALL.into_iter().find(|mode| mode.name() == self.storage_conf);
        let storage_conf = storage_conf.unwrap_or_default();
        if self.root != Path::new("/") {
            targets.iter().try_for_each(|target| rootless(target, &self.root))?;
        }
        let additional = |target: &Target| matches!(target, Target::ContainersStorage(Some(_)));
        if self.storage_conf == UNDO {
            let root = shell_words(&[self.root.display().to_string()]);
            let root = if root == "/" { String::new() } else { format!(" --root {root}") };
            return Err(Failure::usage("an import takes no store out of storage.conf")
                .hint(format!("airlift undo --store DIR{root} does; it needs no bundle")));
        }
        if self.out.is_some() && !targets.iter().any(additional) {
            return Err(Failure::usage("--out goes with --into containers-storage:DIR".to_owned()));
        }
        Ok(NodeSpec { root: self.root, storage_conf, out: self.out })
    }
}

/// Refuses a target that is not looked for below the root directory of a node: it would be this host's that is written.
fn rootless(target: &Target, root: &Path) -> Result<(), Failure> {
    let hint = match target {
        Target::ContainersStorage(_) => return Ok(()),
        Target::K3s(dir) => {
            let below = Target::K3s(below(root, dir));
            format!("without --root, the directory of that node itself: --into {}", text::shown(&shell_words(&[below.to_string()])))
        }
        Target::Containerd(_) => "a containerd that runs is reached by its socket, on the machine that it runs on; --into \
                                  containers-storage, k3s:DIR and oci:DIR write files that a node which is built takes along"
            .to_owned(),
        _ => "--root changes nothing about that target: leave it out, or import there by a command of its own".to_owned(),
    };
    let said = format!(
        "--root goes with --into containers-storage[:DIR] alone, not with {target}: nothing was written"
    );
    Err(Failure::usage(said).hint(hint))
}

impl Args {
    /// The job; or a look at the node, where no target is given.
    ///
    /// # Errors
    /// As [`Args::spec`].
    pub fn work(self, places: Option<&Places>) -> Result<Work, Failure> {
        if self.into.is_empty() {
            return Ok(Work::Node(Look { bundle: self.bundle, root: self.node.root }));
        }
        self.spec(places).map(Work::Job)
    }

    /// The job.
    ///
    /// # Errors
    /// A target, reference or platform that is none; there is no home directory to look for the trust store in.
    pub fn spec(self, places: Option<&Places>) -> Result<JobSpec, Failure> {
        let mut targets: Vec<Target> = Vec::new();
        for text in &self.into {
            let target: Target = text.parse().map_err(EngineError::from)?;
            if targets.contains(&target) {
                return Err(Failure::usage(format!("{target} is given twice")));
            }
            targets.push(target);
        }
        let only = self.only.iter().map(|text| text.parse::<Reference>()).collect::<Result<_, _>>();
        let platform = self.platform.as_deref().map(str::parse::<Platform>).transpose();
        let node = self.node.spec(&targets)?;
        let import = ImportSpec {
            node: Box::new(node),
            targets,
            only: only.map_err(EngineError::from)?,
            platform: platform.map_err(EngineError::from)?,
            replace: self.replace,
            dry_run: self.dry_run,
            keep_going: self.keep_going,
            registry: self.registry.options(),
            jobs: usize::from(self.jobs),
        };
        let verify = self.trust.verify_spec(self.bundle, Bytes::AllButLayers, places)?;
        Ok(JobSpec::Import(ImportJob { verify: VerifySpec { record: false, ..verify }, import }))
    }
}

/// What became of each image in each target.
pub(super) fn show(report: &ImportReport, out: &Printer) {
    for target in &report.targets {
        let rows: Vec<Vec<String>> = target
            .images
            .iter()
            .map(|image| {
                let name = image.name.clone().unwrap_or_else(|| "no name".to_owned());
                vec![word(&image.outcome, report.dry_run).to_owned(), name, image.digest.to_string()]
            })
            .collect();
        out.line(format!("{}  {}", report.name, target.target));
        if target.images.is_empty() {
            files(target, out);
            continue;
        }
        out.table(&[("", Align::Left), ("image", Align::Left), ("digest", Align::Left)], &rows);
        for image in &target.images {
            for note in &image.notes {
                out.note(format!("{}: {note}", image.reference));
            }
        }
        files(target, out);
        if let Some(proof) = &target.proof {
            let names = text::count_of(proof.answered(), proof.names.len(), "name");
            out.note(format!("{}: the CRI answers for {names} as in the bundle", proof.runtime));
            proof.problems().iter().for_each(|line| out.note(line));
            proof.notes.iter().for_each(|line| out.warn(line));
        }
        let (written, present) = (text::bytes(target.bytes_written), text::bytes(target.bytes_present));
        out.note(match report.dry_run {
            true => {
                let unpacked = target.bytes_unpacked.filter(|bytes| *bytes > 0).map(text::bytes);
                let unpacked = unpacked.map_or_else(String::new, |about| format!(", about {about} unpacked"));
                let free = target.bytes_free.map(text::bytes);
                let free = free.map_or_else(String::new, |free| format!(", {free} free"));
                format!(
                    "nothing was written; at most {written} would be{unpacked}{free}, {present} there already"
                )
            }
            false => format!("{written} written, {present} there already"),
        });
    }
    if let Some(words) = incomplete(&report.missing) {
        out.warn(format!("this bundle is {words}"));
    }
    if report.dry_run && report.targets.iter().any(|target| !target.images.is_empty()) {
        out.note(match report.keep_going {
            true => "one image that fails leaves the others",
            false => "the first image that fails ends the import; with --keep-going one that fails leaves the others",
        });
    }
}

/// The files of the node that were changed, and what holds for the whole target.
fn files(target: &TargetReport, out: &Printer) {
    for change in &target.files {
        out.line(format!("{}  {}", change.path.display(), change.standing()));
        change.diff.iter().for_each(|line| out.line(format!("  {line}")));
    }
    target.notes.iter().for_each(|note| out.warn(note));
    target.facts.iter().for_each(|fact| out.note(fact));
    if target.images.is_empty() && target.files.is_empty() {
        out.note("no file of the node names that store: nothing was to be changed");
    }
}

const fn word(outcome: &Outcome, dry_run: bool) -> &'static str {
    match (outcome, dry_run) {
        (Outcome::Skipped, _) => "there already",
        (Outcome::Added, false) => "added",
        (Outcome::Added, true) => "would add",
        (Outcome::Replaced { .. }, false) => "replaced",
        (Outcome::Replaced { .. }, true) => "would replace",
        (Outcome::Conflict { .. }, _) => "name taken",
        (Outcome::Failed { .. }, false) => "failed",
        (Outcome::Failed { .. }, true) => "would fail",
    }
}
