//! The command line: parses, runs one command over the engine, and turns its outcome into words and an exit code.

pub mod args;
pub mod commands;
pub mod keys;
pub mod printer;
pub mod reporter;
mod signals;
pub mod table;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};

use self::args::{Cli, Command, Global};
use self::printer::Printer;
use self::reporter::Reporter;
use crate::engine::ctx::JobCtx;
use crate::engine::error::Kind;
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

/// The whole program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(refused(&error, &arguments)),
    };
    let printer = Arc::new(Printer::new(&cli.global));
    let Some(command) = cli.command else {
        printer.verbatim(&Cli::command().render_help().to_string());
        return ExitCode::from(printer.finish(Ok(())));
    };
    printer.begin(command.name());
    let outcome = start(command, cli.global, &printer);
    ExitCode::from(printer.finish(outcome))
}

fn start(command: Command, global: Global, printer: &Arc<Printer>) -> Result<(), Failure> {
    crate::logging::init(global.verbose).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Kind::Other, format!("cannot start the runtime: {error}")))?;
    let reporter = Arc::new(Reporter::new(printer.clone()));
    let ctx = JobCtx::new(reporter.clone());
    let front = Front { printer: printer.clone(), ctx, global };
    let outcome = runtime.block_on(async {
        signals::install(&front)?;
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

/// Each command's future is boxed: they are large and only one of them runs.
async fn dispatch(command: Command, front: &Front) -> Result<(), Failure> {
    match command {
        Command::Key(args) => Box::pin(commands::key::run(args, front)).await,
        Command::Resolve(args) => Box::pin(commands::resolve::run(args, front)).await,
        Command::Pack(args) => Box::pin(commands::pack::run(args, front)).await,
        Command::Sign(args) => Box::pin(commands::sign::run(args, front)).await,
        Command::Media(args) => Box::pin(commands::media::run(args, front)).await,
        Command::Inspect(args) => Box::pin(commands::inspect::run(args, front)).await,
        Command::Diff(args) => Box::pin(commands::diff::run(args, front)).await,
        Command::Man(args) => Box::pin(commands::man::run(args, front)).await,
        Command::Import(args) => Box::pin(commands::import::run(args, front)).await,
        Command::Verify(args) => Box::pin(commands::verify::run(args, front)).await,
        Command::Serve(args) => Box::pin(commands::serve::run(args, front)).await,
        Command::Demo(args) => Box::pin(commands::demo::run(args, front)).await,
        Command::Completions(args) => Box::pin(commands::completions::run(args, front)).await,
    }
}

/// Help, version and usage errors: clap's words, our streams.
fn refused(error: &clap::Error, arguments: &[OsString]) -> u8 {
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
