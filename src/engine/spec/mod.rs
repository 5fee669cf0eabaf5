//! What a front can start: each job as plain data, so that a command line, a screen and a record say the same thing.

mod command;
mod images;
mod key;
mod run;
mod sign;
mod stopped;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use images::{Images, ImagesError};
pub use key::{KeyGenerateJob, KeyListJob, KeyShowJob, KeyTrustJob, KeyUntrustJob};
pub use run::run;

use super::bundle::diff::{DiffReport, DiffSpec};
use super::bundle::inspect::{InspectReport, InspectSpec};
use super::bundle::verify::{VerifyReport, VerifySpec};
use super::demo::run::{DemoReport, DemoSpec};
use super::error::{Explain, Kind};
use super::import::ImportSpec;
use super::import::report::ImportReport;
use super::import::undo::{UndoSpec, UndoneReport};
use super::media::check::Found;
use super::media::{CheckReport, CheckSpec, EjectReport, EjectSpec, MountReport, MountSpec};
use super::pack::{PackReport, PlanReport};
use super::registry::RegistryOptions;
use super::resolve::ResolveReport;
use super::service::{InstallSpec, ServiceReport, UninstallSpec};
use super::sign::countersign::CountersignReport;
use super::sign::keys::KeyReport;
use super::sign::store::StoreReport;
use super::sign::{AllowedSigners, Passphrases};
use crate::domain::bundle::incomplete;
use crate::domain::digest::Digest;
use crate::domain::expiry::Expiry;
use crate::domain::keep_going::KeepGoing;
use crate::domain::probe::MARK;
use crate::domain::text;

/// A job to be started. Never holds a secret; files are named, not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobSpec {
    /// Resolve references and keep a lock file.
    Resolve(ResolveJob),
    /// Assemble and sign a bundle, or plan it.
    Pack(PackJob),
    /// Check a bundle.
    Verify(VerifySpec),
    /// Add a signature.
    Sign(SignJob),
    /// Verify and import.
    Import(ImportJob),
    /// Take back what an import changed.
    Undo(UndoSpec),
    /// Show what is in a bundle.
    Inspect(InspectSpec),
    /// Compare two bundles.
    Diff(DiffSpec),
    /// Run everything on this machine.
    Demo(DemoSpec),
    /// Make a key.
    KeyGenerate(KeyGenerateJob),
    /// Show a key.
    KeyShow(KeyShowJob),
    /// Trust a key.
    KeyTrust(KeyTrustJob),
    /// Stop trusting one.
    KeyUntrust(KeyUntrustJob),
    /// List what is trusted.
    KeyList(KeyListJob),
    /// Find out whether a medium keeps what is written.
    MediaCheck(CheckSpec),
    /// Mount a volume, or unmount it.
    MediaMount(MountSpec),
    /// Make a medium safe to take out.
    MediaEject(EjectSpec),
    /// Make the registry a service of the node.
    ServeInstall(InstallSpec),
    /// Take that service away.
    ServeUninstall(UninstallSpec),
}

/// What to resolve.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResolveJob {
    /// Which images.
    pub images: Images,
    /// The lock file to compare with.
    pub lock: Option<PathBuf>,
    /// Whether the lock file is written anew; false without one.
    pub write_lock: bool,
    /// Whether the lock file keeps its entries for what is not asked for here.
    pub keep: bool,
    /// Where it is remembered what bundles carried; nothing is compared with them without.
    pub state: Option<PathBuf>,
    /// References resolved at the same time.
    pub jobs: usize,
    /// How registries are reached.
    pub registry: RegistryOptions,
}

impl ResolveJob {
    /// References resolved at the same time where nothing is said.
    pub const JOBS: u8 = 8;
}

/// What to pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PackJob {
    /// Which images; none at all takes everything in the lock file.
    pub images: Images,
    /// The lock file that holds them to their content; only read.
    pub lock: Option<PathBuf>,
    /// Directory on the medium in which the bundle's own is made.
    pub to: PathBuf,
    /// Name of the series.
    pub name: String,
    /// When it expires.
    pub expires: Option<Expiry>,
    /// Images and blobs on the network at once.
    pub jobs: usize,
    /// Whether to read everything back from the medium before signing.
    pub read_back: bool,
    /// Whether to carry this program.
    pub tool: bool,
    /// The largest file wanted on the medium, in bytes.
    pub max_file_size: Option<u64>,
    /// What to go on without.
    pub keep_going: KeepGoing,
    /// Whether to begin anew although a pack of that name was cut off on another medium or in another place, or here with
    /// images that are not asked for now.
    pub anew: bool,
    /// Whether the destination is meant although no medium is mounted there.
    #[serde(default)]
    pub plain_directory: bool,
    /// Where serials, and what is under way, are remembered.
    pub state: PathBuf,
    /// Who signs.
    pub signer: SignerSpec,
    /// How registries are reached.
    pub registry: RegistryOptions,
    /// Whether to plan only and write nothing.
    pub dry_run: bool,
}

impl PackJob {
    /// Images and blobs on the network at once where nothing is said.
    pub const JOBS: u8 = 6;
    /// Name of the series where nothing is said.
    pub const NAME: &'static str = "bundle";

    /// A pack into a directory, as it is where nothing else is said; of no images yet.
    pub fn new(to: PathBuf, signer: SignerSpec, state: PathBuf) -> Self {
        Self {
            images: Images::default(),
            lock: None,
            to,
            name: Self::NAME.to_owned(),
            expires: None,
            jobs: Self::JOBS.into(),
            read_back: true,
            tool: true,
            max_file_size: None,
            keep_going: KeepGoing::No,
            anew: false,
            plain_directory: false,
            state,
            signer,
            registry: RegistryOptions::default(),
            dry_run: false,
        }
    }
}

/// What signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignerSpec {
    /// A private key file.
    Key(PathBuf),
    /// A key in the ssh-agent: the only one, or the one of this fingerprint, key id or comment.
    Agent(Option<String>),
}

/// A signature to be added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignJob {
    /// Directory of the bundle.
    pub bundle: PathBuf,
    /// Who signs.
    pub signer: SignerSpec,
    /// The mark of what it must lie on, [`Carrier::mark`](crate::domain::carrier::Carrier::mark): nothing on anything
    /// else is signed. Nothing takes what lies there.
    pub only: Option<String>,
    /// The digest of the document that is meant: no other bundle is signed. Nothing takes the one that is there.
    pub document: Option<Digest>,
    /// Whether to check the bundle and sign nothing.
    pub dry_run: bool,
}

/// An import, and the verification before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportJob {
    /// The bundle and whom to trust. How much is hashed and what is remembered is decided by the import.
    pub verify: VerifySpec,
    /// Where to, and which images.
    pub import: ImportSpec,
}

/// What a front lends to a job while it runs.
#[derive(Clone)]
pub struct Host {
    /// Asks for passphrases.
    pub passphrases: Arc<dyn Passphrases>,
}

/// What came of a job; as JSON it is the report of its own kind.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum JobReport {
    /// Of [`JobSpec::Resolve`].
    Resolve(ResolveReport),
    /// Of [`JobSpec::Pack`] that only plans.
    Plan(PlanReport),
    /// Of [`JobSpec::Pack`].
    Pack(PackReport),
    /// Of [`JobSpec::Verify`].
    Verify(VerifyReport),
    /// Of [`JobSpec::Sign`].
    Sign(CountersignReport),
    /// Of [`JobSpec::Import`].
    Import(ImportReport),
    /// Of [`JobSpec::Undo`].
    Undo(UndoneReport),
    /// Of [`JobSpec::Inspect`].
    Inspect(InspectReport),
    /// Of [`JobSpec::Diff`].
    Diff(DiffReport),
    /// Of [`JobSpec::Demo`].
    Demo(DemoReport),
    /// Of [`JobSpec::KeyGenerate`] that makes nothing.
    KeyPlan(KeyPlan),
    /// Of [`JobSpec::KeyGenerate`].
    Key(KeyReport),
    /// Of [`JobSpec::KeyShow`].
    Keys(Vec<KeyReport>),
    /// Of [`JobSpec::KeyTrust`].
    Trusted(TrustChange),
    /// Of [`JobSpec::KeyUntrust`].
    Untrusted(TrustChange),
    /// Of [`JobSpec::KeyList`].
    TrustList(AllowedSigners),
    /// Of [`JobSpec::MediaCheck`].
    MediaCheck(CheckReport),
    /// Of [`JobSpec::MediaMount`].
    MediaMount(MountReport),
    /// Of [`JobSpec::MediaEject`].
    MediaEject(EjectReport),
    /// Of [`JobSpec::ServeInstall`] and [`JobSpec::ServeUninstall`].
    Service(ServiceReport),
}

/// Where a key would be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyPlan {
    /// The private key file.
    pub path: PathBuf,
}

/// A change of the trust store.
#[derive(Clone, Debug, Serialize)]
pub struct TrustChange {
    /// The lines.
    #[serde(flatten)]
    pub change: StoreReport,
    /// Whether the key that was compared with its fingerprint is trusted by these lines already.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub already: bool,
    /// Whether it was only said and nothing written.
    #[serde(skip)]
    pub dry_run: bool,
}

/// Why a job whose report is there did not do all of what it was for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Verdict {
    /// Its class.
    pub kind: Kind,
    /// What is missing.
    pub words: String,
    /// What to do next.
    pub hints: Vec<String>,
}

impl Explain for Verdict {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }
}

impl JobSpec {
    /// The subcommand that starts it, as `ACTIONS` spells it.
    pub const fn subcommand(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Pack(_) => "pack",
            Self::Verify(_) => "verify",
            Self::Sign(_) => "sign",
            Self::Import(_) => "import",
            Self::Undo(_) => "undo",
            Self::Inspect(_) => "inspect",
            Self::Diff(_) => "diff",
            Self::Demo(_) => "demo",
            Self::KeyGenerate(_) => "key generate",
            Self::KeyShow(_) => "key show",
            Self::KeyTrust(_) => "key trust",
            Self::KeyUntrust(_) => "key untrust",
            Self::KeyList(_) => "key list",
            Self::MediaCheck(_) => "media check",
            Self::MediaMount(_) => "media mount",
            Self::MediaEject(_) => "media eject",
            Self::ServeInstall(_) | Self::ServeUninstall(_) => "serve",
        }
    }

    /// What it is called while it runs: its verb and what it is about.
    pub fn title(&self) -> String {
        let about = match self {
            Self::Pack(job) => format!("{} into {}", job.name, job.to.display()),
            Self::Verify(spec) => spec.path.display().to_string(),
            Self::Sign(job) => job.bundle.display().to_string(),
            Self::Import(job) => job.verify.path.display().to_string(),
            Self::Undo(UndoSpec { file: Some(file), .. }) => file.display().to_string(),
            Self::Undo(UndoSpec { store: Some(store), .. }) => store.directory.display().to_string(),
            Self::Inspect(spec) => spec.bundle.display().to_string(),
            Self::Diff(spec) => format!("{} {}", spec.first.display(), spec.second.display()),
            Self::MediaCheck(spec) => spec.path.display().to_string(),
            Self::MediaMount(spec) => spec.device.display().to_string(),
            Self::MediaEject(spec) => spec.path.display().to_string(),
            Self::ServeInstall(_) => "as a service".to_owned(),
            Self::ServeUninstall(_) => "no more as a service".to_owned(),
            _ => return self.subcommand().to_owned(),
        };
        format!("{} {about}", self.subcommand())
    }
}

impl JobReport {
    /// What keeps it from being a whole success; both fronts show the report first, then this.
    pub fn verdict(&self) -> Option<Verdict> {
        match self {
            Self::Resolve(report) => report.failure().map(|kind| unresolved(report, kind)),
            Self::Pack(report) if !report.bundle.complete => Some(Verdict {
                kind: Kind::Partial,
                words: incomplete(&report.bundle.missing)
                    .map_or_else(String::new, |words| format!("the bundle is signed but {words}")),
                hints: next_of(report),
            }),
            Self::Plan(plan) => foreseen(plan),
            Self::Import(report) => report.failure().map(|error| Verdict {
                kind: error.kind(),
                words: error.to_string(),
                hints: error.hints(),
            }),
            Self::Undo(report) if report.kept().next().is_some() => Some(Verdict {
                kind: Kind::Partial,
                words: report.kept_words(),
                hints: report.kept_lines().into_iter().chain(report.ways()).collect(),
            }),
            Self::Undo(report) if !report.unread.is_empty() => Some(Verdict {
                kind: Kind::Partial,
                words: format!("{} cannot be read", text::count(report.unread.len() as u64, "run")),
                hints: report.unreadable().chain([UNREAD.to_owned()]).collect(),
            }),
            Self::MediaCheck(report) => report.found.as_ref().and_then(spoilt),
            Self::MediaEject(report) if !report.dry_run && !report.synced.holds => Some(Verdict {
                kind: Kind::Medium,
                words: format!("what was written may not be on the medium: {}", report.synced.words),
                hints: vec![
                    "do not use what was written last; see dmesg, and pack onto another medium".to_owned(),
                ],
            }),
            _ => None,
        }
    }
}

/// What a pack would end with that is no whole success, as far as its plan tells.
fn foreseen(plan: &PlanReport) -> Option<Verdict> {
    if let Some(refused) = &plan.place.refused {
        let (kind, words, hints) = (refused.kind(), refused.to_string(), refused.hints());
        return Some(Verdict { kind, words, hints });
    }
    let words = incomplete(&plan.missing)?;
    let is = if plan.place.repeats { "is" } else { "would be" };
    Some(Verdict {
        kind: Kind::Partial,
        words: format!("the bundle {is} signed but {words}"),
        hints: Vec::new(),
    })
}

/// What helps where a bundle was signed without all that was asked for: what could not be read is not had by trying again.
fn next_of(report: &PackReport) -> Vec<String> {
    let unread = report.resolved.problems.len();
    let mend = "what could not be read is not in this bundle: correct it where it is written, then resolve and pack \
                again; until then the same command leaves it out again";
    let again = "the same command once they can be had makes the next bundle: what this one has is copied from it, \
                 the images that are missing are fetched whole";
    let hints = [(unread > 0, mend), (report.bundle.missing.len() > unread, again)];
    hints.into_iter().filter(|(applies, _)| *applies).map(|(_, hint)| hint.to_owned()).collect()
}

/// What helps where runs cannot be read.
const UNREAD: &str = "they are not taken back; a file that is moved away is no run any more";

fn spoilt(found: &Found) -> Option<Verdict> {
    let (all, marks) = (found.spoilt.all(), found.bytes / MARK as u64);
    (all > 0).then(|| Verdict {
        kind: Kind::Medium,
        words: format!("the medium did not keep what was written: {all} of {marks} marks did not come back"),
        hints: vec![
            "a failing stick, or a fake one that is smaller than it says: do not use it".to_owned(),
            "what was on it before may be damaged too, by this or by earlier writes".to_owned(),
        ],
    })
}

fn unresolved(report: &ResolveReport, kind: Kind) -> Verdict {
    let (done, failed, unread) = (report.images.len(), report.failed.len(), report.problems.len());
    let mut words = format!("{done} resolved, {failed} not resolved");
    if unread > 0 {
        words.push_str(&format!(", {} could not be read", text::count(unread as u64, "place")));
    }
    let hints = report.failed.first().map(|first| first.hints.clone()).unwrap_or_default();
    Verdict { kind, words, hints }
}
