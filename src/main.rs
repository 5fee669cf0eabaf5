//! The program: sets the process up, hands over to the command line and ends with its exit code.

use std::process::ExitCode;

use airlift::cli::Outcome;

fn main() -> ExitCode {
    // Keys and passphrases pass through this memory: no core dumps, no tracing by others. Best effort.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    match airlift::cli::main() {
        Outcome::Ended(code) => code,
        Outcome::Workstation(options) => match airlift::tui::main(&options) {
            Ok(code) => code,
            Err(failure) => airlift::cli::refused(failure),
        },
    }
}

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
