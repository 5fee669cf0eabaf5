//! Logging: silent unless asked for, and then to standard error only. Secrets are never logged.

use std::io;

use tracing_subscriber::EnvFilter;

/// The environment variable that chooses what is logged, in the filter syntax of `tracing`.
pub const VARIABLE: &str = "AIRLIFT_LOG";

/// Starts logging when `-v` was given `verbose` times or [`VARIABLE`] is set; says why a filter is refused.
///
/// # Errors
/// The text of what is wrong with the filter.
pub fn init(verbose: u8) -> Result<(), String> {
    let asked = std::env::var(VARIABLE).ok().filter(|filter| !filter.is_empty());
    let filter = match (asked, verbose) {
        (Some(filter), _) => filter,
        (None, 0) => return Ok(()),
        (None, 1) => "airlift=info".to_owned(),
        (None, 2) => "airlift=debug".to_owned(),
        (None, _) => "airlift=trace,info".to_owned(),
    };
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| format!("{VARIABLE}={filter:?} is not a log filter: {error}"))?;
    // A second subscriber is refused only when a test in this process has set one.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(io::stderr).try_init();
    Ok(())
}
