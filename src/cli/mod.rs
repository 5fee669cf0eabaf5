//! The command line: parses, runs one command over the engine, and turns its outcome into words and an exit code.

mod access;
pub mod args;
pub mod commands;
pub mod keys;
mod pasted;
pub mod printer;
pub mod reporter;
mod signals;
pub mod table;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};

use self::args::{Cli, Command, Global, Work};
use self::keys::Prompt;
use self::pasted::Given;
use self::printer::Printer;
use self::reporter::Reporter;
use crate::config::file::Config;
use crate::config::options::Options;
use crate::config::paths::Paths;
use crate::domain::access::RegistryOptions;
use crate::domain::job::Places;
use crate::engine::bundle::verify::{VerifySpec, trusting_own};
use crate::engine::child;
use crate::engine::ctx::JobCtx;
use crate::engine::error::{EngineError, Interrupted, Kind};
use crate::engine::jobs::{End, JobManager};
use crate::engine::registry::{check_files, faults};
use crate::engine::spec::{Host, JobReport, JobSpec};
use crate::failure::Failure;

/// What every command is handed.
pub struct Front {
    /// Where to write.
    pub printer: Arc<Printer>,
    /// What jobs work with; cancelled by the first SIGINT, SIGTERM or SIGHUP.
    pub ctx: JobCtx,
    /// Flags of every command.
    pub global: Global,
}

/// What the command line came to.
#[derive(Debug)]
pub enum Outcome {
    /// A command ran; this is how it ended.
    Ended(ExitCode),
    /// No command was given: the operator wants the workstation.
    Workstation(Options),
}

/// Says why the workstation does not start; its exit code.
pub fn refused(failure: Failure) -> ExitCode {
    ExitCode::from(Printer::new(&Global::default()).finish(Err(failure)))
}

/// Parses and, where a command is given, runs it.
pub fn main() -> Outcome {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = child::become_tied(&arguments) {
        return Outcome::Ended(code);
    }
    let (cli, given) = match parsed(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return Outcome::Ended(ExitCode::from(unparsed(&error, &arguments))),
    };
    let said = cli.registry.options();
    let Some(command) = cli.command else {
        return workstation(&cli.global, &said).unwrap_or_else(|failure| {
            let printer = Printer::new(&cli.global);
            printer.begin("");
            Outcome::Ended(ExitCode::from(printer.finish(Err(given.told(failure)))))
        });
    };
    let printer = Arc::new(Printer::new(&cli.global));
    printer.begin(command.name());
    let outcome = placed(&said, command).and_then(|command| start(command, cli.global, &printer));
    Outcome::Ended(ExitCode::from(printer.finish(outcome.map_err(|failure| given.told(failure)))))
}

/// The workstation, where nothing that is said for it is a slip: what it is to reach registries by is used much later.
fn workstation(global: &Global, said: &RegistryOptions) -> Result<Outcome, Failure> {
    if global.json {
        return Err(Failure::usage("the workstation writes no JSON: --json goes with a command")
            .hint("airlift --help lists the commands"));
    }
    check_files(said).map_err(EngineError::from)?;
    // Commands that the workstation shows are run elsewhere, too.
    let here = std::env::current_dir().unwrap_or_default();
    Ok(Outcome::Workstation(global.clone().options(said.clone().within(&here))))
}

/// The command line, and what of it the commands in hints need, too.
fn parsed(arguments: &[OsString]) -> Result<(Cli, Given), clap::Error> {
    let mut grammar = Cli::command();
    let matches = grammar.try_get_matches_from_mut(arguments)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut grammar))?;
    Ok((cli, Given::of(&matches)))
}

/// What stands before a command counts for it, and what stands behind it replaces that; none is passed over.
fn placed(said: &RegistryOptions, mut command: Command) -> Result<Command, Failure> {
    let name = command.name();
    match command.registry() {
        Some(args) => *args = args.options().or(said).into(),
        None if *said == RegistryOptions::default() => {}
        None => {
            let words = format!(
                "airlift {name} reaches no registry: --plain-http, --insecure, --ca and --authfile say nothing to it"
            );
            return Err(
                Failure::usage(words).hint(format!("airlift {name} --help lists the options it takes"))
            );
        }
    }
    Ok(command)
}

fn start(command: Command, global: Global, printer: &Arc<Printer>) -> Result<(), Failure> {
    crate::logging::init(global.verbose).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Other, format!("cannot start the runtime: {error}")))?;
    let reporter = Arc::new(Reporter::new(printer.clone()));
    if matches!(&command, Command::Pack(pack) if pack.ends_at_unresolved()) {
        reporter.leave_unresolved();
    }
    let ctx = JobCtx::new(reporter.clone());
    let front = Front { printer: printer.clone(), ctx, global };
    let stops = if command.is_registry() { signals::REGISTRY } else { signals::JOB };
    let outcome = runtime.block_on(async {
        signals::install(&front, stops)?;
        tokio::spawn(tick(reporter.clone()));
        dispatch(command, &front).await
    });
    reporter.close();
    // A command has awaited what it started; only idle helper threads are left.
    runtime.shutdown_background();
    outcome
}

async fn tick(reporter: Arc<Reporter>) {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    loop {
        beat.tick().await;
        reporter.tick();
    }
}

async fn dispatch(mut command: Command, front: &Front) -> Result<(), Failure> {
    // A file that was named and cannot be used is told of by commands that need nothing of it, too.
    let configured = front.configured(command.registry().is_some())?;
    if let Some(args) = command.registry() {
        *args = args.options().or(&configured).into();
    }
    command.there()?;
    match command.work(front.places().as_ref())? {
        Work::Job(spec) => front.job(spec).await,
        Work::Serve(args) => Box::pin(commands::serve::run(args, front)).await,
        Work::Node(look) => Box::pin(commands::node::run(look, front)).await,
        Work::MediaList(args) => Box::pin(commands::media::list::run(args, front)).await,
        Work::Man(args) => commands::man::run(args, front).await,
        Work::Completions(args) => commands::completions::run(args, front).await,
    }
}

impl Front {
    /// Where things lie when nothing else is said; nothing where there is no home directory.
    pub fn places(&self) -> Option<Places> {
        Paths::from_env().ok().map(|paths| paths.places(RegistryOptions::default()))
    }

    /// How registries are reached by the configuration file: the one that was named, else the usual one where that is
    /// needed.
    ///
    /// # Errors
    /// It cannot be used, or was named and is not there.
    fn configured(&self, needed: bool) -> Result<RegistryOptions, Failure> {
        let paths = Paths::from_env().ok();
        let usual = || Some(paths.as_ref().filter(|_| needed)?.config_file());
        let named = self.global.config.is_some();
        let Some(file) = self.global.config.clone().or_else(usual) else {
            return Ok(RegistryOptions::default());
        };
        let themes = paths.as_ref().map_or_else(|| Path::new(""), Paths::config_dir);
        let (config, _) =
            Config::load(&file, named, themes, faults).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(config.registry(&file))
    }

    /// Runs a job, shows its report, and fails where that is no whole success.
    ///
    /// # Errors
    /// What the job failed with, or its verdict.
    pub async fn job(&self, spec: JobSpec) -> Result<(), Failure> {
        let verified = match &spec {
            JobSpec::Verify(spec) => Some(spec.clone()),
            JobSpec::Import(spec) => Some(spec.verify.clone()),
            _ => None,
        };
        let report = match (self.run(spec).await, verified) {
            (Err(failure), Some(spec)) if failure.kind == Kind::Trust => {
                return Err(self.untrusted(failure, spec).await);
            }
            (ended, _) => ended?,
        };
        self.printer.report(&report, |out| commands::show(&report, out));
        report.verdict().map_or(Ok(()), |verdict| Err(verdict.into()))
    }

    /// The failure with what trusts the bundle where the key of this host signed it: where it was packed, above all.
    async fn untrusted(&self, mut failure: Failure, spec: VerifySpec) -> Failure {
        let Some(places) = self.places() else { return failure };
        if let Some(command) = trusting_own(spec, places.key, &self.ctx).await {
            let hint = format!("{command} trusts this host's own key, which signed it");
            failure.hints.insert(0, hint);
        }
        failure
    }

    /// Runs a job to its report.
    ///
    /// # Errors
    /// What it failed with; a panic in it too.
    pub async fn run(&self, spec: JobSpec) -> Result<JobReport, Failure> {
        let again = spec.again();
        let prompt = Arc::new(Prompt::default());
        let stopped = || Failure::from(Interrupted).hint(again);
        let job = JobManager::new().start_spec(spec, Host { passphrases: prompt.clone() }, &self.ctx);
        let end = job.end().await;
        prompt.give_back();
        match end {
            End::Succeeded(report) => Ok(report),
            End::Failed(error) if error.kind() == Kind::Interrupted => {
                Err(error.hints().into_iter().fold(stopped(), Failure::hint_once))
            }
            End::Failed(error) => Err(error.into()),
            End::Cancelled { left, .. } => Err(left.into_iter().fold(stopped(), Failure::hint_once)),
        }
    }
}

/// Help, version and usage errors: clap's words, our streams.
fn unparsed(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    if !error.use_stderr() {
        let printer = Printer::new(&Global::default());
        printer.verbatim(&error.render().to_string());
        return printer.finish(Ok(()));
    }
    let printer = Printer::new(&Global { json, ..Global::default() });
    printer.begin("");
    let words = error.render().to_string();
    let words = words.trim().trim_start_matches("error: ");
    if json { printer.finish(Err(Failure::usage(words))) } else { printer.usage(words) }
}
