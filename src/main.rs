//! The program: sets the process up, hands over to the command line and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Keys and passphrases pass through this memory: no core dumps, no tracing by others. Best effort.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    airlift::cli::main()
}

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
