//! The command line's grammar, and nothing else: flags that work, groups that several commands share.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use super::access::RegistryArgs;
use super::commands;
use crate::config::options::Options;
use crate::config::paths::NoHome;
use crate::domain::job::Places;
use crate::domain::platform::Platform;
use crate::domain::trust::AllowRollback;
use crate::engine::bundle::verify::{Bytes, VerifySpec};
use crate::engine::given;
use crate::engine::registry::RegistryOptions;
use crate::engine::select::Source;
use crate::engine::spec::{Images, JobSpec};
use crate::failure::Failure;

/// Carries container images across an air gap: pick, resolve, sign, verify, import, serve.
#[derive(Debug, Parser)]
#[command(name = "airlift", version, about, max_term_width = 110, propagate_version = true)]
#[command(after_help = "Exit codes: 0 ok, 1 other, 2 usage, 3 partly done, 10 integrity, 11 trust, \
    12 rollback, expiry or clock, 13 medium, 14 space or file-size limit, 15 network or registry, 16 import, \
    17 mirror, 18 survival, 75 locked by another run, 130 interrupted.")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// How the workstation reaches registries.
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Write one JSON document per line to stdout: a header, events, one result
    #[arg(long, global = true)]
    pub json: bool,
    /// Show neither progress nor notes; errors and data stay
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Show progress as plain lines, without bars
    #[arg(long, global = true)]
    pub plain: bool,
    /// When to colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub color: Color,
    /// Read this configuration file instead of the usual one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The workstation's colours: default, light, high-contrast, mono, or a theme file of your own
    #[arg(long, value_name = "NAME|FILE")]
    pub theme: Option<String>,
    /// The workstation draws in ASCII alone
    #[arg(long)]
    pub ascii: bool,
    /// Log to stderr, and name what is only counted otherwise; twice for debug, three times for trace
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

impl Global {
    /// The flags that concern the workstation, with how it reaches registries.
    pub fn options(self, registry: RegistryOptions) -> Options {
        Options {
            theme: self.theme,
            ascii: self.ascii,
            color: match self.color {
                Color::Auto => None,
                Color::Always => Some(true),
                Color::Never => Some(false),
            },
            config: self.config,
            plain: self.plain,
            registry,
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that is not dumb, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands: one variant, one file under `commands/`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Resolve references to digests, lint their names and sum up their size
    Resolve(commands::resolve::Args),
    /// Assemble and sign a bundle on a medium
    Pack(commands::pack::Args),
    /// Add a signature to a bundle
    Sign(commands::sign::Args),
    /// Verify signatures, age, file list and every byte of a bundle
    Verify(commands::verify::Args),
    /// Verify a bundle and import it into containerd, CRI-O/podman, k3s, registries or archives
    Import(commands::import::Args),
    /// Take back what an import changed: names of images in runtimes of this node, files of the node
    Undo(commands::undo::Args),
    /// Keys and the trust store
    Key(commands::key::Args),
    /// Removable media
    Media(commands::media::Args),
    /// Show what is in a bundle, without verifying it
    Inspect(commands::inspect::Args),
    /// Show what changes from one bundle to another
    Diff(commands::diff::Args),
    /// Serve bundles as a read-only registry
    Serve(commands::serve::Args),
    /// Run the whole job on this machine with sample images
    Demo(commands::demo::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
    /// Print a manual page
    Man(commands::man::Args),
}

/// What a command comes to.
#[derive(Debug)]
pub enum Work {
    /// A job.
    Job(JobSpec),
    /// A look at media.
    MediaList(commands::media::list::List),
    /// A look at this node.
    Node(commands::node::Look),
    /// A registry.
    Serve(commands::serve::Args),
    /// A document.
    Completions(commands::completions::Args),
    /// Another one.
    Man(commands::man::Args),
}

impl Command {
    /// The job it starts, or what else it is for.
    ///
    /// # Errors
    /// Arguments that make no sense; there is no home directory to look for what was not given.
    pub fn work(self, places: Option<&Places>) -> Result<Work, Failure> {
        let spec = match self {
            Self::Resolve(args) => args.spec(places),
            Self::Pack(args) => args.spec(places),
            Self::Sign(args) => args.spec(places),
            Self::Verify(args) => args.spec(places),
            Self::Import(args) => return args.work(places),
            Self::Undo(args) => args.spec(places),
            Self::Key(args) => args.spec(places),
            Self::Inspect(args) => args.spec(),
            Self::Diff(args) => args.spec(),
            Self::Demo(args) => args.spec(),
            Self::Media(args) => return args.work(places),
            Self::Serve(args) => return args.work(places),
            Self::Completions(args) => return Ok(Work::Completions(args)),
            Self::Man(args) => return Ok(Work::Man(args)),
        };
        spec.map(Work::Job)
    }

    /// Refuses what is to be looked at where nothing is there.
    ///
    /// # Errors
    /// Nothing has that name.
    pub fn there(&self) -> Result<(), Failure> {
        match self {
            Self::Media(args) => args.there(),
            _ => Ok(()),
        }
    }

    /// Whether it is a registry that runs until it is told to stop.
    pub const fn is_registry(&self) -> bool {
        matches!(self, Self::Serve(args) if args.serves())
    }

    /// How registries are reached, where the command reaches any.
    pub const fn registry(&mut self) -> Option<&mut RegistryArgs> {
        match self {
            Self::Resolve(args) => Some(&mut args.registry),
            Self::Pack(args) => Some(&mut args.registry),
            Self::Import(args) => Some(&mut args.registry),
            _ => None,
        }
    }

    /// The words that chose it, as `ACTIONS` spells them.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Resolve(_) => "resolve",
            Self::Pack(_) => "pack",
            Self::Sign(_) => "sign",
            Self::Verify(_) => "verify",
            Self::Import(_) => "import",
            Self::Undo(_) => "undo",
            Self::Key(args) => args.name(),
            Self::Media(args) => args.name(),
            Self::Inspect(_) => "inspect",
            Self::Diff(_) => "diff",
            Self::Serve(_) => "serve",
            Self::Demo(_) => "demo",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// Which images.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct SelectArgs {
    /// References: nginx:1.25.3, host:5000/a/b@sha256:…
    #[arg(value_name = "REF")]
    pub references: Vec<String>,
    /// Read references from this list, one per line, # comments; - for standard input
    #[arg(long = "file", short, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where else references come from.
    #[arg(
        long,
        value_name = "SOURCE",
        help = "Take references from kubeadm:VERSION, k3s:FILE, manifests:PATH, chart:PATH or registry:HOST[/REPO[:TAGS]]"
    )]
    pub from: Vec<Source>,
    /// Carry these platforms alone, as in linux/amd64; all by default
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Vec<Platform>,
    /// Which content each reference was resolved to
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Do not look for cosign signatures and referrers
    #[arg(long)]
    pub no_signatures: bool,
}

impl SelectArgs {
    /// As the engine takes it, and the lock file.
    pub fn images(self) -> (Images, Option<PathBuf>) {
        let lists = self.files.into_iter().map(Source::List);
        let images = Images {
            references: self.references,
            sources: lists.chain(self.from).collect(),
            platforms: self.platform,
            signatures: !self.no_signatures,
        };
        (images, self.lock)
    }
}

/// Whom to trust, and what was accepted before.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Trust")]
pub struct TrustArgs {
    /// OpenSSH allowed_signers file instead of the trust store
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
    /// How many different trusted keys must have signed
    #[arg(long, value_name = "N")]
    pub min_signatures: Option<u32>,
    /// Keep the history of accepted bundles here instead of in the data directory
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Accept a bundle older than one accepted before, or the one of that id alone; the history is kept
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true)]
    pub allow_rollback: Option<Option<uuid::Uuid>>,
}

impl TrustArgs {
    /// The request to verify a bundle under these flags.
    ///
    /// # Errors
    /// Usage, where there is no home directory to look for the trust store in, or the one that is given is not there.
    pub fn verify_spec(
        &self,
        path: PathBuf,
        bytes: Bytes,
        places: Option<&Places>,
    ) -> Result<VerifySpec, Failure> {
        if let Some(file) = &self.trust {
            let hint = "give an OpenSSH allowed_signers file that is there, or leave --trust out";
            given::check(file, "trust file", hint)?;
        }
        Ok(VerifySpec {
            path,
            trust: given_or(self.trust.clone(), places, |places| &places.trust)?,
            min_signatures: self.min_signatures.map_or(1, |n| usize::try_from(n).unwrap_or(usize::MAX)),
            state: given_or(self.state.clone(), places, |places| &places.state)?,
            deep: false,
            allow_rollback: match self.allow_rollback {
                None => AllowRollback::No,
                Some(None) => AllowRollback::Any,
                Some(Some(id)) => AllowRollback::Only(id),
            },
            bytes,
            record: true,
        })
    }
}

/// A path as it was given, else the default one.
///
/// # Errors
/// There is no home directory.
pub fn given_or(
    given: Option<PathBuf>,
    places: Option<&Places>,
    default: impl FnOnce(&Places) -> &PathBuf,
) -> Result<PathBuf, Failure> {
    let default = || places.map(|places| default(places).clone());
    given.or_else(default).ok_or_else(|| Failure::usage(NoHome.to_string()))
}
